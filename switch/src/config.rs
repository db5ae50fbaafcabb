//! The configuration: one TOML file, overridden by the environment, checked before a port opens.
//!
//! A setting that is unknown, missing, of the wrong kind or out of range is an error that begins with its dotted
//! name. Nothing here opens a port or makes a folder; which keys the key file holds is for [`crate::city`] to say.
//!
//! Start at [`Config::load`]. Every setting, with its default, stands in `fixtures/city/cardswitch.toml`.

mod settings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use settings::{ConfigError, ConfigProblem, Place};
use settings::{Count, Settings, count, dotted};

/// Exit code of a process whose configuration is wrong: `EX_USAGE` of BSD's sysexits.
pub const EXIT_USAGE: u8 = 64;

/// What the name of an environment variable that overrides a setting begins with.
pub const ENV_PREFIX: &str = "CARDSWITCH__";

/// All settings, checked. Holds no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// `[data]`: where the journal lives.
    pub data: Data,
    /// `[city]`: what an empty journal imports.
    pub city: CitySource,
    /// `[admin]`: the admin interface.
    pub admin: Admin,
    /// `[pos]`: the listener for `pos` terminals.
    pub pos: Pos,
    /// `[limits]`: of connections and requests.
    pub limits: Limits,
    /// `[journal]`: how it is written.
    pub journal: Journal,
    /// `[books]`: limits that shape state.
    pub books: Books,
    /// `[time]`: the zone.
    pub time: Time,
    /// `[hsm]`: which one, with which keys.
    pub hsm: Hsm,
    /// `[log]`: how much and in which form.
    pub log: Log,
}

/// `[data]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Data {
    /// Folder of the journal and its checkpoints; may not exist yet.
    pub dir: PathBuf,
}

/// `[city]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CitySource {
    /// Folder of the city's files; read only when the journal is empty.
    pub dir: PathBuf,
}

/// `[admin]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    /// Address and port.
    pub listen: SocketAddr,
}

/// `[pos]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pos {
    /// Address and port.
    pub listen: SocketAddr,
    /// The network in front of the listener is private, so terminals with the forgeable MAC are served.
    pub private: bool,
}

/// `[limits]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections open at once.
    pub connections: usize,
    /// Longest frame, bytes, without its length header.
    pub frame_bytes: usize,
    /// Time a peer has to finish a frame it began.
    pub frame_finish: Duration,
    /// Requests under way in the whole switch.
    pub permits: usize,
    /// Requests of one connection under way before its socket is no longer read.
    pub connection_window: usize,
    /// Bytes of unread answers after which a peer is disconnected.
    pub outbox_bytes: usize,
    /// Time without a frame after which a connection is closed.
    pub idle: Duration,
}

/// `[journal]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Journal {
    /// Commits per synchronised write of the head anchor.
    pub anchor_sync_every: u32,
    /// Longest extent, bytes.
    pub extent_bytes: usize,
}

/// `[books]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Books {
    /// How long an answered request is remembered.
    pub duplicate_window: Duration,
    /// Answered requests remembered in all.
    pub duplicates_max: u32,
    /// Answered requests remembered for one terminal.
    pub duplicates_per_terminal: u32,
    /// Wrong PINs in a row after which the PIN is blocked.
    pub pin_tries_max: u8,
    /// Sign-ins of one terminal in a minute.
    pub sign_ins_per_minute: u16,
    /// How long a terminal's previous MAC key still verifies.
    pub key_overlap: Duration,
}

/// `[time]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Time {
    /// Name in the IANA time zone database; it was found there.
    pub zone: String,
}

/// `[hsm]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hsm {
    /// Which HSM.
    pub mode: HsmMode,
    /// File of test keys; it could be opened.
    pub keys: PathBuf,
}

/// Which HSM the switch uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HsmMode {
    /// The software HSM in this process under the well-known test LMK.
    Test,
}

/// `[log]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    /// Least important level written.
    pub level: LogLevel,
    /// Form of a line.
    pub format: LogFormat,
}

/// Importance of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Someone may have to act.
    Warn,
    /// Something happened.
    Info,
    /// For finding faults.
    Debug,
    /// Everything.
    Trace,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const CONNECTIONS: Count = count("limits.connections", 4096, 1, 65_536);
// The length header of the `pos` frame has two bytes.
const FRAME_BYTES: Count = count("limits.frame_bytes", 4096, 256, 65_535);
const FRAME_FINISH_S: Count = count("limits.frame_finish_s", 10, 1, 600);
const PERMITS: Count = count("limits.permits", 16_384, 1, 1 << 20);
const CONNECTION_WINDOW: Count = count("limits.connection_window", 128, 1, 65_536);
const OUTBOX_BYTES: Count = count("limits.outbox_bytes", 1 << 18, 4096, 1 << 24);
const IDLE_S: Count = count("limits.idle_s", 3600, 1, 7 * 86_400);
const ANCHOR_SYNC_EVERY: Count = count("journal.anchor_sync_every", 1, 1, 65_536);
// The store moves larger values to files it never synchronises.
const EXTENT_BYTES: Count = count("journal.extent_bytes", 65_536, 16_456, 65_536);
const DUPLICATE_WINDOW_H: Count = count("books.duplicate_window_h", 24, 1, 168);
const DUPLICATES_MAX: Count = count("books.duplicates_max", 1 << 20, 1, 1 << 24);
const DUPLICATES_PER_TERMINAL: Count = count("books.duplicates_per_terminal", 4096, 16, 1 << 20);
const PIN_TRIES_MAX: Count = count("books.pin_tries_max", 3, 1, 10);
const SIGN_INS_PER_MINUTE: Count = count("books.sign_ins_per_minute", 30, 1, 6000);
const KEY_OVERLAP_MIN: Count = count("books.key_overlap_min", 60, 0, 1440);

impl Config {
    /// Reads `path` with the overrides of this process's environment.
    ///
    /// # Errors
    /// As [`Config::load`]; also an override that is not UTF-8.
    pub fn from_file_and_env(path: &Path) -> Result<Self, ConfigError> {
        // Not `vars()`, which panics when any variable, ours or not, is not UTF-8.
        let mut overrides = Vec::new();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if !name.starts_with(ENV_PREFIX) {
                continue;
            }
            let value = value.into_string().map_err(|_| ConfigError {
                key: dotted(&name),
                problem: ConfigProblem::NotA("UTF-8 text"),
                place: Place::Environment(name.clone()),
            })?;
            overrides.push((name, value));
        }
        Self::load(path, overrides.into_iter())
    }

    /// Reads `path`, then applies those overrides whose name begins with [`ENV_PREFIX`]; others are not looked at.
    ///
    /// Relative paths count from the folder of `path`.
    ///
    /// # Errors
    /// The first setting that is missing or breaks its rule, else the first that is unknown.
    pub fn load(path: &Path, overrides: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut settings = Settings::read(path, overrides)?;
        let config = Self::from_settings(&mut settings)?;
        settings.refuse_unknown()?;
        Ok(config)
    }

    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            data: Data { dir: settings.path("data.dir", "the folder of the journal")? },
            city: CitySource { dir: settings.path("city.dir", "the folder of the city's files")? },
            admin: Admin { listen: settings.address("admin.listen", "127.0.0.1:18580")? },
            pos: Pos {
                listen: settings.address("pos.listen", "127.0.0.1:18583")?,
                private: settings.flag("pos.private", true)?,
            },
            limits: Limits::from_settings(settings)?,
            journal: Journal {
                anchor_sync_every: settings.count(ANCHOR_SYNC_EVERY)?,
                extent_bytes: settings.count(EXTENT_BYTES)?,
            },
            books: Books::from_settings(settings)?,
            time: Time { zone: settings.zone("time.zone", "Asia/Shanghai")? },
            hsm: Hsm::from_settings(settings)?,
            log: Log::from_settings(settings)?,
        })
    }
}

impl Limits {
    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            connections: settings.count(CONNECTIONS)?,
            frame_bytes: settings.count(FRAME_BYTES)?,
            frame_finish: Duration::from_secs(settings.count(FRAME_FINISH_S)?),
            permits: settings.count(PERMITS)?,
            connection_window: settings.count(CONNECTION_WINDOW)?,
            outbox_bytes: settings.count(OUTBOX_BYTES)?,
            idle: Duration::from_secs(settings.count(IDLE_S)?),
        })
    }
}

impl Books {
    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            duplicate_window: Duration::from_secs(3600 * settings.count::<u64>(DUPLICATE_WINDOW_H)?),
            duplicates_max: settings.count(DUPLICATES_MAX)?,
            duplicates_per_terminal: settings.count(DUPLICATES_PER_TERMINAL)?,
            pin_tries_max: settings.count(PIN_TRIES_MAX)?,
            sign_ins_per_minute: settings.count(SIGN_INS_PER_MINUTE)?,
            key_overlap: Duration::from_secs(60 * settings.count::<u64>(KEY_OVERLAP_MIN)?),
        })
    }
}

impl Hsm {
    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        const RULE: &str = "\"test\", the only mode there is";
        let mode = settings.word("hsm.mode", &[("test", HsmMode::Test)], RULE)?;
        Ok(Self {
            mode: settings.required("hsm.mode", RULE, mode)?,
            keys: settings.readable_file("hsm.keys", "the file of test keys")?,
        })
    }
}

impl Log {
    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        let levels = [
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
            ("trace", LogLevel::Trace),
        ];
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let level =
            settings.word("log.level", &levels, "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"")?;
        let format = settings.word("log.format", &formats, "\"text\" or \"json\"")?;
        Ok(Self { level: level.unwrap_or(LogLevel::Info), format: format.unwrap_or(LogFormat::Text) })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const COUNTS: [Count; 15] = [
        CONNECTIONS,
        FRAME_BYTES,
        FRAME_FINISH_S,
        PERMITS,
        CONNECTION_WINDOW,
        OUTBOX_BYTES,
        IDLE_S,
        ANCHOR_SYNC_EVERY,
        EXTENT_BYTES,
        DUPLICATE_WINDOW_H,
        DUPLICATES_MAX,
        DUPLICATES_PER_TERMINAL,
        PIN_TRIES_MAX,
        SIGN_INS_PER_MINUTE,
        KEY_OVERLAP_MIN,
    ];

    const MINIMAL: &str =
        "[data]\ndir = \"data\"\n[city]\ndir = \".\"\n[hsm]\nmode = \"test\"\nkeys = \"keys.toml\"\n";

    fn sample_file() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/city/cardswitch.toml")
    }

    /// A folder with this configuration and an empty key file.
    fn folder(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("keys.toml"), "").unwrap();
        let file = dir.path().join("cardswitch.toml");
        std::fs::write(&file, text).unwrap();
        (dir, file)
    }

    fn load(text: &str, overrides: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let (_dir, file) = folder(text);
        Config::load(&file, overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn variable(key: &str) -> String {
        format!("{ENV_PREFIX}{}", key.to_uppercase().replacen('.', "__", 1))
    }

    #[test]
    fn the_sample_file_has_every_setting_at_its_default() {
        let text = std::fs::read_to_string(sample_file()).unwrap();
        let (dir, file) = folder(&text);
        let full = Config::load(&file, std::iter::empty()).unwrap();
        std::fs::write(&file, MINIMAL).unwrap();
        assert_eq!(full, Config::load(&file, std::iter::empty()).unwrap());
        assert_eq!(full.data.dir, dir.path().join("data"));

        let mut settings = Settings::read(&file, std::iter::empty()).unwrap();
        Config::from_settings(&mut settings).unwrap();
        let mut known = settings.known().to_vec();
        known.sort_unstable();
        let table: toml::Table = text.parse().unwrap();
        let mut there: Vec<String> = Vec::new();
        for (section, keys) in &table {
            there.extend(keys.as_table().unwrap().keys().map(|key| format!("{section}.{key}")));
        }
        there.sort();
        assert_eq!(there, known);
        let numbers =
            table.values().flat_map(|keys| keys.as_table().unwrap().values()).filter(|v| v.is_integer());
        assert_eq!(numbers.count(), COUNTS.len(), "every number has a range that the tests below try");
    }

    #[test]
    fn the_sample_file_names_each_range() {
        let text = std::fs::read_to_string(sample_file()).unwrap();
        for Count { key, min, max, .. } in COUNTS {
            let setting = format!("\n{} = ", key.split_once('.').unwrap().1);
            let above = text.split(&setting).next().unwrap().rsplit("\n\n").next().unwrap();
            assert!(above.contains(&format!("{min} to {max}")), "{key}: {min} to {max}");
        }
    }

    #[test]
    fn a_number_may_be_at_its_limits_and_not_one_past_them() {
        for Count { key, min, max, .. } in COUNTS {
            for (value, allowed) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
                let got = load(MINIMAL, &[(&variable(key), &value.to_string())]);
                assert_eq!(got.is_ok(), allowed, "{key} = {value}");
                if let Err(err) = got {
                    let text = err.to_string();
                    let want = format!("{key}: must be a whole number from {min} to {max}; correct it in");
                    assert!(text.starts_with(&want), "{text}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_file_is_refused_by_the_name_of_the_setting() {
        let rows = [
            (
                "an unknown key",
                "[limits]\npermit = 1\n",
                "limits.permit: is not a setting; there are limits.conn",
            ),
            (
                "an unknown section",
                "[limit]\npermits = 1\n",
                "limit.permits: is not a setting; there are data.dir",
            ),
            ("an unknown section without keys", "[limit]\n", "limit: is not a setting; there are data.dir"),
            ("a key outside sections", "permits = 1\n", "permits: is not a setting"),
            (
                "a string for a number",
                "[limits]\npermits = \"9\"\n",
                "limits.permits: must be a whole number from 1",
            ),
            ("a number for a flag", "[pos]\nprivate = 1\n", "pos.private: must be true or false"),
            ("a number for a string", "[log]\nlevel = 1\n", "log.level: must be \"error\", \"warn\""),
            ("an unknown word", "[log]\nformat = \"xml\"\n", "log.format: must be \"text\" or \"json\""),
            ("no port", "[admin]\nlisten = \"127.0.0.1\"\n", "admin.listen: must be an address and a port"),
            ("no zone", "[time]\nzone = \"Asia/Atlantis\"\n", "time.zone: must be a zone of the IANA"),
            ("a table for a value", "[limits.permits]\nx = 1\n", "limits.permits: must be a whole number"),
        ];
        for (name, text, want) in rows {
            // What stands outside sections has to come first in TOML.
            let err = load(&format!("{text}{MINIMAL}"), &[]).unwrap_err().to_string();
            assert!(err.starts_with(want), "{name}: {err}");
            assert!(err.contains("; correct it in /"), "{name}: {err}");
        }
    }

    #[test]
    fn what_is_required_has_no_default() {
        for (line, key) in [
            ("dir = \"data\"\n", "data.dir"),
            ("dir = \".\"\n", "city.dir"),
            ("mode = \"test\"\n", "hsm.mode"),
            ("keys = \"keys.toml\"\n", "hsm.keys"),
        ] {
            let err = load(&MINIMAL.replace(line, ""), &[]).unwrap_err().to_string();
            assert!(err.starts_with(&format!("{key}: is required and missing; it is ")), "{err}");
        }
    }

    #[test]
    fn an_override_wins_and_is_read_as_its_setting_asks() {
        let config = load(
            MINIMAL,
            &[
                ("CARDSWITCH__LIMITS__PERMITS", "1_024"),
                ("CARDSWITCH__POS__PRIVATE", "false"),
                ("CARDSWITCH__LOG__LEVEL", "debug"),
                ("CARDSWITCH__LOG__FORMAT", "\"json\""),
                ("CARDSWITCH__DATA__DIR", "/srv/2024"),
                ("CARDSWITCH__CITY__DIR", "2024"),
                ("CARDSWITCH_UNRELATED", "1"),
                ("PATH", "/bin"),
            ],
        )
        .unwrap();
        assert_eq!(config.limits.permits, 1024);
        assert!(!config.pos.private);
        assert_eq!(config.log, Log { level: LogLevel::Debug, format: LogFormat::Json });
        assert_eq!(config.data.dir, Path::new("/srv/2024"));
        assert!(config.city.dir.ends_with("2024"), "digits are a path where a path is asked for");
    }

    #[test]
    fn a_wrong_override_is_refused_by_the_setting_and_the_variable() {
        let rows = [
            ("CARDSWITCH__LIMITS__PERMIT", "1", "limits.permit: is not a setting"),
            ("CARDSWITCH__NOTHING", "1", "nothing: is not a setting"),
            ("CARDSWITCH__limits__permits", "1", "CARDSWITCH__limits__permits: is not a setting"),
            ("CARDSWITCH__LIMITS__PERMITS", "many", "limits.permits: must be a whole number"),
            ("CARDSWITCH__LIMITS__PERMITS", "1\nx = 2", "limits.permits: must be a whole number"),
            ("CARDSWITCH__HSM__MODE", "thales", "hsm.mode: must be \"test\", the only mode there is"),
            ("CARDSWITCH__HSM__KEYS", "none.toml", "hsm.keys: the file cannot be read (entity not found)"),
            ("CARDSWITCH__HSM__KEYS", ".", "hsm.keys: must be a file"),
            ("CARDSWITCH__DATA__DIR", "", "data.dir: must be a path"),
        ];
        for (name, value, want) in rows {
            let err = load(MINIMAL, &[(name, value)]).unwrap_err().to_string();
            assert!(err.starts_with(want), "{name}: {err}");
            assert!(err.ends_with(&format!("correct it in the environment variable {name}")), "{err}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_no_toml_is_named() {
        let missing = Config::load(Path::new("/nowhere/cardswitch.toml"), std::iter::empty()).unwrap_err();
        assert!(missing.to_string().starts_with("/nowhere/cardswitch.toml: the file cannot be read"));
        let broken = load("[data]\ndir = \n", &[]).unwrap_err().to_string();
        assert!(broken.contains("cardswitch.toml: is not TOML at line 2"), "{broken}");
    }
}
