//! The engine: every command there is, and which key each of them may use.
//!
//! Batch calls clear `out` and write one result per item, in the items' order;
//! once `out` has room they allocate nothing. One bad item never spoils another.

use crate::{
    CvvCheck, Entropy, HsmError, HsmLimits, KeyBlock, KeyHandle, KeyRef, KeyUsage, Lmk, MacAlgorithm,
    MacCheck, MacRequest, Pan, PanToken, PinCheck, PvvRequest, TokenRequest, Track2, TrackRequest,
    WorkingKeyRequest, WorkingKeys, cvv,
    des_key::{DesKey, set_odd_parity},
    key_table::{KeyTable, Purpose},
    mac,
    pin::Pin,
    schedule::Schedule,
    stack, token,
};
use batch::Batch;
use std::{cell::RefCell, fmt};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How often a new key is drawn before the random source is held to be broken. A
/// good one gives a weak key once in 2⁵⁰ draws.
const DRAWS_MAX: usize = 4;

/// The longest key there is, in bytes.
const KEY_MAX: usize = 32;

/// A software HSM: keys under one local master key, and commands over them.
pub struct Hsm {
    lmk: Lmk,
    keys: KeyTable,
    batch: Batch,
}

impl Hsm {
    /// An HSM without keys, with the default limits.
    #[must_use]
    pub fn new(lmk: Lmk) -> Self {
        Self::with_limits(lmk, HsmLimits::default())
    }

    /// An HSM without keys.
    #[must_use]
    pub fn with_limits(lmk: Lmk, limits: HsmLimits) -> Self {
        Self { lmk, keys: KeyTable::new(limits), batch: Batch::default() }
    }

    /// Whether its local master key is the well-known test key.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.lmk.is_test()
    }

    /// The check value of its local master key.
    #[must_use]
    pub fn lmk_check_value(&self) -> [u8; 3] {
        self.lmk.check_value()
    }

    /// Authenticates a key block and keeps it.
    ///
    /// # Errors
    /// [`HsmError::KeyBlock`] if anything in it was changed or its header does not
    /// fit together, [`HsmError::WeakKey`], [`HsmError::KeyLength`],
    /// [`HsmError::TableFull`].
    pub fn load_key(&mut self, block: &KeyBlock) -> Result<KeyHandle, HsmError> {
        stack::wiped_after_few(|| {
            let (usage, _) = self.lmk.open(block)?;
            self.keys.insert(usage, block.clone())
        })
    }

    /// Forgets a key and wipes it. Its handle is refused from now on; a handle
    /// that is stale already changes nothing.
    pub fn unload_key(&mut self, handle: KeyHandle) {
        self.keys.remove(handle);
    }

    /// What a key may be used for.
    ///
    /// # Errors
    /// [`HsmError::NoSuchKey`].
    pub fn key_usage(&self, handle: KeyHandle) -> Result<KeyUsage, HsmError> {
        self.keys.usage(handle)
    }

    /// A key's check value: the left three bytes of the encryption of eight zero
    /// bytes (ANSI X9.24), for a token key of its HMAC over them, for an AES zone
    /// master of the CMAC of sixteen.
    ///
    /// # Errors
    /// [`HsmError::NoSuchKey`].
    pub fn check_value(&mut self, handle: KeyHandle) -> Result<[u8; 3], HsmError> {
        stack::wiped_after_few(|| Ok(self.keys.schedule(&self.lmk, handle)?.check_value()))
    }

    /// Checks that the masters of one PSAM key version, for PINs, MACs, tracks and
    /// authenticators in this order, are four different keys.
    ///
    /// # Errors
    /// [`HsmError::EqualMasters`], [`HsmError::WrongUsage`], [`HsmError::NoSuchKey`].
    pub fn check_psam_masters(&mut self, masters: [KeyHandle; 4]) -> Result<(), HsmError> {
        let usages = [KeyUsage::PsamPin, KeyUsage::PsamMac, KeyUsage::PsamTrack, KeyUsage::PsamAuth];
        let mut check_blocks = [[0; 8]; 4];
        for ((master, usage), check_block) in masters.into_iter().zip(usages).zip(&mut check_blocks) {
            // Eight bytes tell keys apart without their being compared in clear, and whatever their parity.
            *check_block = self.keys.des_key(&self.lmk, master, usage)?.check_block();
        }
        check_blocks.sort_unstable();
        let equal = check_blocks.windows(2).any(|pair| pair[0] == pair[1]);
        if equal { Err(HsmError::EqualMasters) } else { Ok(()) }
    }

    /// Makes a new key. It is not loaded.
    ///
    /// DES keys are double-length with odd parity and different halves; token keys
    /// and AES zone masters have 32 bytes.
    ///
    /// # Errors
    /// [`HsmError::WeakKey`] if `entropy` gives nothing but weak keys.
    pub fn generate_key(&mut self, usage: KeyUsage, entropy: &mut dyn Entropy) -> Result<KeyBlock, HsmError> {
        stack::wiped_after_few(|| {
            let key = draw_key(usage, entropy)?;
            Ok(self.lmk.wrap(usage, &key[..usage.key_length()], entropy))
        })
    }

    /// Checks MACs: [`HsmError::VerificationFailed`] where one does not match,
    /// compared in constant time.
    pub fn verify_macs(&mut self, items: &[MacCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        let request = |at: usize| {
            let MacCheck { key, algorithm, data, .. } = items[at];
            MacRequest { key, algorithm, data }
        };
        self.macs(items.len(), request, |at, mac| matches(&mac, &items[at].mac), out);
    }

    /// Makes MACs.
    pub fn generate_macs(&mut self, items: &[MacRequest<'_>], out: &mut Vec<Result<[u8; 8], HsmError>>) {
        self.macs(items.len(), |at| items[at], |_, mac| Ok(mac), out);
    }

    /// Checks PINs: `Ok` for the right one, [`HsmError::VerificationFailed`] for a
    /// wrong one, [`HsmError::PinBlock`] if the block is no block for this card.
    pub fn verify_pins(&mut self, items: &[PinCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        let request = |at: usize| {
            let PinCheck { pin_key, block, pan, pvk, pvki, .. } = items[at];
            PvvRequest { pin_key, block, pan, pvk, pvki }
        };
        self.pvvs(items.len(), request, |at, pvv| matches(&pvv, &items[at].pvv), out);
    }

    /// Makes the verification values of new PINs: four ASCII digits each.
    /// [`HsmError::PinBlock`] where the block is no block for its card.
    pub fn derive_pvvs(&mut self, items: &[PvvRequest<'_>], out: &mut Vec<Result<[u8; 4], HsmError>>) {
        self.pvvs(items.len(), |at| items[at], |_, pvv| Ok(pvv), out);
    }

    /// Decrypts tracks: [`HsmError::Track`] where there is none inside. A message's
    /// MAC must be found right before its track is opened.
    pub fn open_tracks(&mut self, items: &[TrackRequest<'_>], out: &mut Vec<Result<Track2, HsmError>>) {
        self.tracks(items, out);
    }

    /// Checks card verification values.
    pub fn verify_cvvs(&mut self, items: &[CvvCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        self.cvvs(items, out);
    }

    /// Turns card numbers into tokens.
    pub fn tokenise_pans(&mut self, items: &[TokenRequest<'_>], out: &mut Vec<Result<PanToken, HsmError>>) {
        self.one_by_one(items.len(), out, &|hsm, at| {
            let key = hsm.keys.hmac_key(&hsm.lmk, items[at].key, KeyUsage::Token)?;
            Ok(token::token(key, items[at].pan))
        });
    }

    /// Makes a PIN key and a MAC key for each terminal. They are not loaded.
    pub fn generate_working_keys(
        &mut self,
        items: &[WorkingKeyRequest],
        entropy: &mut dyn Entropy,
        out: &mut Vec<Result<WorkingKeys, HsmError>>,
    ) {
        let entropy = RefCell::new(entropy);
        self.one_by_one(items.len(), out, &|hsm, at| {
            hsm.working_keys(items[at], &mut **entropy.borrow_mut())
        });
    }

    /// The MAC of one item: AES where its algorithm says so, else DES.
    fn mac(&mut self, key: KeyRef, algorithm: MacAlgorithm, data: &[u8]) -> Result<[u8; 8], HsmError> {
        let purpose = Purpose::Mac(algorithm);
        if algorithm == MacAlgorithm::CmacAes {
            return mac::compute_aes(&*self.keys.item_aes_key(&self.lmk, key, purpose)?, data);
        }
        mac::compute(&*self.keys.item_key(&self.lmk, key, purpose)?, algorithm, data)
    }

    fn track(&mut self, item: &TrackRequest<'_>) -> Result<Track2, HsmError> {
        let key = self.keys.item_key(&self.lmk, item.key, Purpose::Track)?;
        Track2::open(&key, item.data)
    }

    fn verify_cvv(&mut self, item: &CvvCheck<'_>) -> Result<(), HsmError> {
        matches(&self.cvv(item.cvk, item.pan, &item.expiry, &item.service_code)?, &item.cvv)
    }

    fn pvv(&mut self, item: &PvvRequest<'_>) -> Result<[u8; 4], HsmError> {
        let pin_key = self.keys.item_key(&self.lmk, item.pin_key, Purpose::Pin)?;
        let clear = Zeroizing::new(pin_key.decrypt(item.block));
        drop(pin_key);
        let pvk = self.keys.des_key(&self.lmk, item.pvk, KeyUsage::PinVerification)?;
        Pin::from_iso0(*clear, item.pan)?.pvv(pvk, item.pvki, item.pan)
    }

    fn cvv(
        &mut self,
        cvk: KeyHandle,
        pan: &Pan,
        expiry: &[u8; 4],
        service_code: &[u8; 3],
    ) -> Result<[u8; 3], HsmError> {
        let key = self.keys.des_key(&self.lmk, cvk, KeyUsage::CardVerification)?;
        if !expiry.iter().chain(service_code).all(u8::is_ascii_digit) {
            return Err(HsmError::NotDigits);
        }
        Ok(cvv::cvv(key, pan.expose(), expiry, service_code))
    }

    fn working_keys(
        &mut self,
        item: WorkingKeyRequest,
        entropy: &mut dyn Entropy,
    ) -> Result<WorkingKeys, HsmError> {
        if !item.mac_usage.is_terminal_mac() {
            return Err(HsmError::NotMacUsage(item.mac_usage));
        }
        let tmk = self.keys.des_key(&self.lmk, item.tmk, KeyUsage::KeyEncryption)?;
        let pin = WorkingKey::draw(KeyUsage::PinEncryption, tmk, entropy)?;
        let mac = WorkingKey::draw(item.mac_usage, tmk, entropy)?;
        // One key for both would let a MAC command answer questions about PINs.
        if bool::from(pin.key.ct_eq(&*mac.key)) {
            return Err(HsmError::WeakKey);
        }
        Ok(WorkingKeys {
            pin: self.lmk.wrap(KeyUsage::PinEncryption, &*pin.key, entropy),
            mac: self.lmk.wrap(item.mac_usage, &*mac.key, entropy),
            pin_cryptogram: pin.cryptogram,
            pin_check_value: pin.check_value,
            mac_cryptogram: mac.cryptogram,
            mac_check_value: mac.check_value,
        })
    }
}

/// What only sample data needs. Refused unless the local master key is the test
/// key, so that no clear key and no PIN ever meets a real one.
#[cfg(any(test, feature = "test-keys"))]
impl Hsm {
    /// Wraps a key that is known in clear. It is not loaded.
    ///
    /// DES keys have 16 bytes, for [`KeyUsage::MacUnionPayEcb`] also 8; a token
    /// key has 32, an AES zone master 16 or 32. Parity is not looked at.
    ///
    /// # Errors
    /// [`HsmError::NotTestMode`], [`HsmError::KeyLength`], [`HsmError::WeakKey`].
    pub fn import_clear_test_key(
        &mut self,
        usage: KeyUsage,
        key: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<KeyBlock, HsmError> {
        self.require_test_mode()?;
        stack::wiped_after_few(|| {
            Schedule::new(usage, key)?;
            Ok(self.lmk.wrap(usage, key, entropy))
        })
    }

    /// The Visa PIN verification value of a PIN: four ASCII digits.
    ///
    /// # Errors
    /// [`HsmError::NotTestMode`], [`HsmError::PinLength`] unless `pin` is 4 to 12
    /// ASCII digits, [`HsmError::PvvKeyIndex`], and those of the key.
    pub fn test_pvv(&mut self, pvk: KeyHandle, pvki: u8, pan: &Pan, pin: &[u8]) -> Result<[u8; 4], HsmError> {
        self.require_test_mode()?;
        let pin = Pin::parse(pin)?;
        pin.pvv(self.keys.des_key(&self.lmk, pvk, KeyUsage::PinVerification)?, pvki, pan)
    }

    /// The card verification value of a card: three ASCII digits.
    ///
    /// # Errors
    /// [`HsmError::NotTestMode`], [`HsmError::NotDigits`], and those of the key.
    pub fn test_cvv(
        &mut self,
        cvk: KeyHandle,
        pan: &Pan,
        expiry_yymm: &[u8; 4],
        service_code: &[u8; 3],
    ) -> Result<[u8; 3], HsmError> {
        self.require_test_mode()?;
        self.cvv(cvk, pan, expiry_yymm, service_code)
    }

    fn require_test_mode(&self) -> Result<(), HsmError> {
        if self.is_test() { Ok(()) } else { Err(HsmError::NotTestMode) }
    }
}

impl fmt::Debug for Hsm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hsm").field("lmk", &self.lmk).finish_non_exhaustive()
    }
}

/// A new double-length key with what the terminal gets of it.
struct WorkingKey {
    key: Zeroizing<[u8; 16]>,
    cryptogram: [u8; 16],
    check_value: [u8; 4],
}

impl WorkingKey {
    fn draw(usage: KeyUsage, tmk: &DesKey, entropy: &mut dyn Entropy) -> Result<Self, HsmError> {
        let drawn = draw_key(usage, entropy)?;
        let mut key = Zeroizing::new([0; 16]);
        key.copy_from_slice(&drawn[..16]);
        let mut check_value = [0; 4];
        check_value.copy_from_slice(&DesKey::new(&*key)?.check_block()[..4]);
        Ok(Self { cryptogram: tmk.encrypt_key(&key), key, check_value })
    }
}

/// Random bytes that make a good key for `usage`; the key is the first
/// `usage.key_length()` of them.
fn draw_key(usage: KeyUsage, entropy: &mut dyn Entropy) -> Result<Zeroizing<[u8; KEY_MAX]>, HsmError> {
    let mut buffer = Zeroizing::new([0; KEY_MAX]);
    let key = &mut buffer[..usage.key_length()];
    for _ in 0..DRAWS_MAX {
        entropy.fill(key);
        if usage.is_des() {
            set_odd_parity(key);
        }
        if Schedule::new(usage, key).is_ok() {
            return Ok(buffer);
        }
    }
    Err(HsmError::WeakKey)
}

fn matches(computed: &[u8], presented: &[u8]) -> Result<(), HsmError> {
    if computed.ct_eq(presented).into() { Ok(()) } else { Err(HsmError::VerificationFailed) }
}

mod batch;
mod chip;
pub(crate) mod exchange;
mod pins;
mod rotation;
mod sessions;
mod zone;

#[cfg(test)]
mod tests;
