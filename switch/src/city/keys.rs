//! The keys of a city: `keys.toml`. Its `lmk` says in which form they stand there: clear test keys, which are read in
//! clear nowhere else but in `terminals.csv`, or key blocks under a local master key of components.
//!
//! Start at [`KeyFile::open`]; whether the keys are those of a city is for [`City::check_keys`] to say, whether a block
//! is genuine for the HSM (see [`crate::keys`]).

use std::collections::{HashSet, hash_map::RandomState};
use std::hash::BuildHasher;
use std::path::Path;

use arrayvec::ArrayString;
use hsm_sim::KeyBlock;
use serde::Deserialize;

use super::City;
use super::acquirers::ACQUIRERS;
use super::document;
use super::error::{CityError, Problem};
use super::secret::{Secret, SecretText};
use super::table::{self, DES_KEY, SHORT_ROWS_MAX};
use super::terminals::{MasterKey, PSAMS, TERMINALS, TMK};

/// Most versions of PSAM masters: a version is one byte.
const VERSIONS_MAX: usize = 256;

/// What a key file holds.
#[derive(Clone, Debug)]
pub enum KeyFile {
    /// `lmk = "test"`: keys in clear, for the HSM's test mode.
    Test(TestKeys),
    /// `lmk` is a check value: key blocks under that local master key.
    Live(Box<LiveKeys>),
}

/// All keys of a file: `D` holds a double-length DES key, `L` one of 32 bytes.
#[derive(Clone, Debug)]
pub struct Keys<D, L> {
    /// The local master key.
    pub lmk: LmkKind,
    /// PIN verification key (Visa PVV).
    pub pvk: D,
    /// Index of `pvk`, 1 to 6.
    pub pvki: u8,
    /// Card verification key.
    pub cvk: D,
    /// Turns card numbers into tokens, HMAC-SHA-256.
    pub token: L,
    /// PSAM masters, one set a version.
    pub psam_masters: Vec<PsamMaster<D>>,
    /// Keys shared with acquirers, one set an acquirer.
    pub zones: Vec<ZoneKeys<D, L>>,
    /// The file's name, for errors.
    pub(super) file: String,
}

/// Test keys in clear.
pub type TestKeys = Keys<Secret<[u8; 16]>, Secret<[u8; 32]>>;

/// Keys as they stand in a city that is none for tests: each in a key block.
pub type LiveKeys = Keys<KeyBlock, KeyBlock>;

/// Which local master key the HSM uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LmkKind {
    /// The well-known test LMK.
    Test,
    /// The one of this check value, formed of components.
    Live([u8; 3]),
}

/// Masters from which the keys of a PSAM are derived; no two of a file are equal.
#[derive(Clone, Debug)]
pub struct PsamMaster<D = Secret<[u8; 16]>> {
    /// Key version, as in `psams.csv` and F57 tag 03.
    pub version: u8,
    /// For PIN keys.
    pub pin: D,
    /// For MAC keys.
    pub mac: D,
    /// For track keys.
    pub track: D,
    /// For the PSAM's authenticator at sign-in.
    pub auth: D,
}

/// Keys shared with one acquirer; no two of a file are equal.
#[derive(Clone, Debug)]
pub struct ZoneKeys<D = Secret<[u8; 16]>, L = Secret<[u8; 32]>> {
    /// The acquirer's F32.
    pub acquirer: ArrayString<11>,
    /// Zone master key, AES-256: protects the key blocks (TR-31 version D) in which the other keys change.
    pub zmk: L,
    /// For PIN blocks from the acquirer.
    pub pin: D,
    /// For MACs of messages from the acquirer.
    pub mac_to_switch: D,
    /// For MACs of the switch's own messages.
    pub mac_from_switch: D,
}

/// A key as the file has it.
trait Form: Sized {
    /// What it must be.
    const FORM: &'static str;

    fn read(text: &str) -> Option<Self>;

    /// What no second key of the file may have.
    fn mark(&self) -> &[u8];
}

impl Form for Secret<[u8; 16]> {
    const FORM: &'static str = DES_KEY;

    fn read(text: &str) -> Option<Self> {
        table::des_key(text).map(Secret::new)
    }

    fn mark(&self) -> &[u8] {
        self.expose()
    }
}

impl Form for Secret<[u8; 32]> {
    const FORM: &'static str = "64 hex digits";

    fn read(text: &str) -> Option<Self> {
        crate::hex::bytes(text).map(Secret::new)
    }

    fn mark(&self) -> &[u8] {
        self.expose()
    }
}

impl Form for KeyBlock {
    const FORM: &'static str =
        "a key block (TR-31 version D) under the LMK that this file names; a clear key is refused here";

    fn read(text: &str) -> Option<Self> {
        KeyBlock::parse(text).ok()
    }

    fn mark(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeys {
    lmk: SecretText,
    pvk: SecretText,
    pvki: u8,
    cvk: SecretText,
    token: SecretText,
    #[serde(default)]
    psam_master: Vec<RawMaster>,
    #[serde(default)]
    zone: Vec<RawZone>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMaster {
    version: u8,
    pin: SecretText,
    mac: SecretText,
    track: SecretText,
    auth: SecretText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawZone {
    acquirer: String,
    zmk: SecretText,
    pin: SecretText,
    mac_to_switch: SecretText,
    mac_from_switch: SecretText,
}

impl KeyFile {
    /// Reads a key file of either form.
    ///
    /// # Errors
    /// A file that cannot be read or is not the TOML it should be, a key of wrong form, a key, version or acquirer
    /// twice.
    pub fn open(path: &Path) -> Result<Self, CityError> {
        let mut reader = Reader::named(path);
        let raw: RawKeys = document::read(path, reader.name.clone())?;
        let lmk = LmkKind::read(raw.lmk.expose());
        let lmk = lmk.ok_or_else(|| reader.fault("lmk", Problem::Form(LmkKind::FORM)))?;
        match lmk {
            LmkKind::Test => reader.keys(lmk, &raw).map(Self::Test),
            LmkKind::Live(_) => reader.keys(lmk, &raw).map(Box::new).map(Self::Live),
        }
    }

    /// The local master key that the file names.
    #[must_use]
    pub fn lmk(&self) -> LmkKind {
        match self {
            Self::Test(keys) => keys.lmk,
            Self::Live(keys) => keys.lmk,
        }
    }
}

impl LmkKind {
    const FORM: &'static str = "\"test\", or the check value of a local master key, 6 upper-case hex digits";

    fn read(text: &str) -> Option<Self> {
        if text == "test" {
            return Some(Self::Test);
        }
        let upper = text.bytes().all(|digit| !digit.is_ascii_lowercase());
        crate::hex::bytes(text).filter(|_| upper).map(Self::Live)
    }
}

impl TestKeys {
    /// Reads a file of test keys.
    ///
    /// # Errors
    /// As [`KeyFile::open`], and a file of key blocks.
    pub fn open(path: &Path) -> Result<Self, CityError> {
        match KeyFile::open(path)? {
            KeyFile::Test(keys) => Ok(keys),
            KeyFile::Live(keys) => {
                let problem = Problem::Form("\"test\" here, where keys in clear are needed");
                Err(CityError::of_key(keys.file, "lmk", problem))
            }
        }
    }
}

impl<D, L> Keys<D, L> {
    /// The keys shared with the acquirer of this F32.
    #[must_use]
    pub fn zone(&self, acquirer: &str) -> Option<&ZoneKeys<D, L>> {
        self.zones.iter().find(|zone| zone.acquirer.as_str() == acquirer)
    }
}

impl City {
    /// Checks that every PSAM was made under a version of masters that `keys` has, that `keys` has one zone for each
    /// acquirer and no other, and that the terminals' master keys and the cards stand in the form of these keys.
    ///
    /// # Errors
    /// The first PSAM whose version, or acquirer whose zone, is missing; else the first zone of nobody; else the first
    /// terminal whose master key has the other form.
    pub fn check_keys(&self, keys: &KeyFile) -> Result<(), CityError> {
        match keys {
            KeyFile::Test(keys) => self.check_names(keys)?,
            KeyFile::Live(keys) => self.check_names(keys)?,
        }
        let live = matches!(keys, KeyFile::Live(_));
        let other = |key: &MasterKey| matches!(key, MasterKey::Block(_)) != live;
        // The header is line 1. No field that a reader of these files takes can hold a line break.
        match (2..).zip(&self.terminals).find(|(_, terminal)| other(&terminal.tmk)) {
            None => Ok(()),
            Some((line, _)) => {
                let problem = Problem::Form(if live {
                    "a key block, as in the key file; a clear key is refused beside it"
                } else {
                    "a key in clear, as in the key file of test keys"
                });
                Err(CityError { line: Some(line), ..CityError::of_key(TERMINALS, TMK, problem) })
            }
        }
    }

    fn check_names<D, L>(&self, keys: &Keys<D, L>) -> Result<(), CityError> {
        let known = |version| keys.psam_masters.iter().any(|master| master.version == version);
        if let Some((line, _)) = (2..).zip(&self.psams).find(|(_, psam)| !known(psam.key_version)) {
            let problem = Problem::UnknownName("the psam_master entries of the key file");
            return Err(CityError { line: Some(line), ..CityError::of_key(PSAMS, "key_version", problem) });
        }
        let zoned = |id: &str| keys.zone(id).is_some();
        if let Some((line, _)) = (2..).zip(&self.acquirers).find(|(_, acquirer)| !zoned(&acquirer.id)) {
            let problem = Problem::UnknownName("the zone entries of the key file");
            return Err(CityError {
                line: Some(line),
                ..CityError::of_key(ACQUIRERS, "acquirer_id", problem)
            });
        }
        let served =
            |zone: &ZoneKeys<D, L>| self.acquirers.iter().any(|acquirer| acquirer.id == zone.acquirer);
        match keys.zones.iter().position(|zone| !served(zone)) {
            None => Ok(()),
            Some(place) => {
                let problem = Problem::UnknownName(ACQUIRERS);
                Err(CityError::of_key(keys.file.clone(), format!("zone[{place}].acquirer"), problem))
            }
        }
    }
}

/// The file's name for errors, and the keys seen so far: as hashes under a key of this process, because a set of the keys
/// themselves would leave them in memory.
struct Reader {
    name: String,
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Reader {
    fn named(path: &Path) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self { name, seen: HashSet::new(), hasher: RandomState::new() }
    }

    fn fault(&self, key: impl Into<String>, problem: Problem) -> CityError {
        CityError::of_key(self.name.clone(), key.into(), problem)
    }

    fn require(&self, holds: bool, key: impl Into<String>, problem: Problem) -> Result<(), CityError> {
        if holds { Ok(()) } else { Err(self.fault(key, problem)) }
    }

    fn keys<D: Form, L: Form>(&mut self, lmk: LmkKind, raw: &RawKeys) -> Result<Keys<D, L>, CityError> {
        let pvki = raw.pvki;
        self.require((1..=6).contains(&pvki), "pvki", Problem::Form("a key index from 1 to 6"))?;
        Ok(Keys {
            lmk,
            pvk: self.key("pvk", &raw.pvk)?,
            pvki,
            cvk: self.key("cvk", &raw.cvk)?,
            token: self.key("token", &raw.token)?,
            psam_masters: self.masters(&raw.psam_master)?,
            zones: self.zones(&raw.zone)?,
            file: self.name.clone(),
        })
    }

    /// A key of one use: one key for two uses would let one stand in for the other.
    fn key<K: Form>(&mut self, key: impl Into<String>, text: &SecretText) -> Result<K, CityError> {
        let key = key.into();
        let read = K::read(text.expose()).ok_or_else(|| self.fault(key.clone(), Problem::Form(K::FORM)))?;
        self.fresh(key, read.mark())?;
        Ok(read)
    }

    fn fresh(&mut self, key: String, bytes: &[u8]) -> Result<(), CityError> {
        let fresh = self.seen.insert(self.hasher.hash_one(bytes));
        self.require(fresh, key, Problem::Duplicate)
    }

    fn masters<D: Form>(&mut self, raw: &[RawMaster]) -> Result<Vec<PsamMaster<D>>, CityError> {
        let few = raw.len() <= VERSIONS_MAX;
        self.require(few, "psam_master", Problem::TooManyRows(VERSIONS_MAX))?;
        let mut versions = HashSet::new();
        // Not to grow: that would leave copies behind.
        let mut masters = Vec::with_capacity(raw.len());
        for (place, raw) in raw.iter().enumerate() {
            let key = |name: &str| format!("psam_master[{place}].{name}");
            self.require(versions.insert(raw.version), key("version"), Problem::Duplicate)?;
            masters.push(PsamMaster {
                version: raw.version,
                pin: self.key(key("pin"), &raw.pin)?,
                mac: self.key(key("mac"), &raw.mac)?,
                track: self.key(key("track"), &raw.track)?,
                auth: self.key(key("auth"), &raw.auth)?,
            });
        }
        Ok(masters)
    }

    fn zones<D: Form, L: Form>(&mut self, raw: &[RawZone]) -> Result<Vec<ZoneKeys<D, L>>, CityError> {
        let few = raw.len() <= SHORT_ROWS_MAX;
        self.require(few, "zone", Problem::TooManyRows(SHORT_ROWS_MAX))?;
        let mut acquirers = HashSet::new();
        let mut zones = Vec::with_capacity(raw.len());
        for (place, raw) in raw.iter().enumerate() {
            let key = |name: &str| format!("zone[{place}].{name}");
            let acquirer = table::institution(&raw.acquirer)
                .ok_or_else(|| self.fault(key("acquirer"), Problem::Form("1 to 11 digits")))?;
            self.require(acquirers.insert(acquirer), key("acquirer"), Problem::Duplicate)?;
            zones.push(ZoneKeys {
                acquirer,
                zmk: self.key(key("zmk"), &raw.zmk)?,
                pin: self.key(key("pin"), &raw.pin)?,
                mac_to_switch: self.key(key("mac_to_switch"), &raw.mac_to_switch)?,
                mac_from_switch: self.key(key("mac_from_switch"), &raw.mac_from_switch)?,
            });
        }
        Ok(zones)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/city/keys.toml");

    fn with(change: impl FnOnce(String) -> String) -> Result<TestKeys, CityError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        std::fs::write(&path, change(std::fs::read_to_string(SAMPLE).unwrap())).unwrap();
        TestKeys::open(&path)
    }

    #[test]
    fn the_sample_keys_fit_the_sample_city_and_stay_hidden() {
        let keys = TestKeys::open(Path::new(SAMPLE)).unwrap();
        assert_eq!((keys.lmk, keys.pvki, keys.psam_masters.len()), (LmkKind::Test, 1, 2));
        assert_eq!(keys.zone("31060220").map(|zone| zone.acquirer.as_str()), Some("31060220"));
        assert!(keys.zone("3106022").is_none());
        let mut city = City::open(Path::new(SAMPLE).parent().unwrap()).unwrap();
        let file = KeyFile::Test(keys.clone());
        city.check_keys(&file).unwrap();
        city.psams[1].key_version = 9;
        let err = city.check_keys(&file).unwrap_err().to_string();
        assert_eq!(err, "psams.csv line 3, key_version: is not in the psam_master entries of the key file");

        city.psams[1].key_version = 1;
        city.acquirers[2].id = ArrayString::from("3").unwrap();
        let err = city.check_keys(&file).unwrap_err().to_string();
        assert_eq!(err, "acquirers.csv line 4, acquirer_id: is not in the zone entries of the key file");
        city.acquirers.pop();
        let err = city.check_keys(&file).unwrap_err().to_string();
        assert_eq!(err, "keys.toml, zone[2].acquirer: is not in acquirers.csv");

        let shown = format!("{keys:?}").to_uppercase();
        let text = std::fs::read_to_string(SAMPLE).unwrap();
        for secret in text.split('"').filter(|part| part.len() >= 32 && !part.contains(' ')) {
            assert!(!shown.contains(secret));
        }
        assert!(!shown.contains(&format!("{:?}", keys.cvk.expose())));
    }

    #[test]
    fn a_wrong_key_file_is_refused_by_the_key_and_never_by_its_value() {
        const INTRUDER: &str = "99817263549981726354";
        let quoted = format!("\"{INTRUDER}\"");
        let sample = std::fs::read_to_string(SAMPLE).unwrap();
        let value = |key: &str| sample.split(&format!("\n{key} = ")).nth(1).unwrap().lines().next().unwrap();
        // Line of the file with the given start, its new text, and how the error goes on behind the file's name.
        let rows = [
            (
                "lmk",
                format!("lmk = {quoted}"),
                ", lmk: must be \"test\", or the check value of a local master key",
            ),
            ("pvki", "pvki = 7".to_owned(), ", pvki: must be a key index from 1 to 6"),
            ("cvk", format!("cvk = {quoted}"), ", cvk: must be 32 hex digits of odd parity"),
            ("cvk", format!("cvk = {INTRUDER}"), " line 20: not TOML, or a value of the wrong kind"),
            ("cvk", format!("cvk = {}", value("pvk")), ", cvk: stands here a second time"),
            ("token", format!("token = {quoted}"), ", token: must be 64 hex digits"),
            ("version", "version = 2".to_owned(), ", psam_master[1].version: stands here a second time"),
            ("pin", format!("pin = {quoted}"), ", psam_master[0].pin: must be 32 hex digits of odd parity"),
            ("mac", format!("mac = {}", value("pin")), ", psam_master[0].mac: stands here a second time"),
            ("auth", format!("zmk = {quoted}"), " line 31: unknown field `zmk`"),
            ("acquirer", format!("acquirer = {quoted}"), ", zone[0].acquirer: must be 1 to 11 digits"),
            (
                "acquirer",
                "acquirer = \"31060220\"".to_owned(),
                ", zone[1].acquirer: stands here a second time",
            ),
            ("zmk", format!("zmk = {quoted}"), ", zone[0].zmk: must be 64 hex digits"),
            ("zmk", format!("zmk = {}", value("token")), ", zone[0].zmk: stands here a second time"),
            ("zmk", format!("tmk = {quoted}"), " line 44: unknown field `tmk`"),
            (
                "mac_to_switch",
                format!("mac_to_switch = {quoted}"),
                ", zone[0].mac_to_switch: must be 32 hex digits of odd parity",
            ),
            (
                "mac_to_switch",
                format!("mac_to_switch = {}", value("pvk")),
                ", zone[0].mac_to_switch: stands here a second time",
            ),
            (
                "mac_from_switch",
                format!("mac_from_switch = {}", value("mac_to_switch")),
                ", zone[0].mac_from_switch: stands here a second time",
            ),
            ("mac_from_switch", String::new(), " line 42: missing field `mac_from_switch`"),
        ];
        for (key, line, want) in rows {
            let old = format!("\n{key} = {}", value(key));
            let err = with(|text| text.replacen(&old, &format!("\n{line}"), 1)).unwrap_err();
            assert!(err.to_string().starts_with(&format!("keys.toml{want}")), "{key}: {err}");
            assert!(!format!("{err} {err:?}").contains(INTRUDER), "{key}");
        }
    }
}
