//! The keys the HSM holds: key blocks by slot, behind handles that go stale.
//!
//! Slots keep the wrapped block, so a million terminals cost memory but no clear
//! keys; the few thousand in use at a time are unwrapped in the cache.

use crate::{
    Direction, HsmError, KeyBlock, KeyRef, KeyUsage, Lmk, MacAlgorithm, PsamNumber,
    derived_cache::DerivedCache,
    des_key::DesKey,
    key_cache::KeyCache,
    psam::{diversify, transaction_factor},
    schedule::{HmacKey, Schedule},
    session_table::{SESSIONS_MAX, SessionTable},
    zone_master::ZoneMaster,
};
use std::ops::Deref;

/// Names one loaded key. Copies are free; after the key is unloaded every copy
/// is refused, also when its slot holds another key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct KeyHandle {
    slot: u32,
    generation: u32,
}

impl KeyHandle {
    pub(crate) fn slot(self) -> u32 {
        self.slot
    }

    #[cfg(test)]
    pub(crate) fn for_tests(slot: u32) -> Self {
        Self { slot, generation: 0 }
    }
}

/// What an item does with its key.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Pin,
    Mac(MacAlgorithm),
    Track,
}

impl Purpose {
    /// The usage that a key needs for this, or its master if the key is derived;
    /// `None` if no key of this kind does it.
    fn usage(self, key: &KeyRef) -> Option<KeyUsage> {
        match (key, self) {
            (KeyRef::Stored(_), Self::Pin) => Some(KeyUsage::PinEncryption),
            (KeyRef::Stored(_), Self::Mac(MacAlgorithm::Psam) | Self::Track) => None,
            (KeyRef::Stored(_), Self::Mac(algorithm)) => Some(algorithm.usage()),
            (KeyRef::Psam { .. }, Self::Mac(MacAlgorithm::Psam)) => Some(KeyUsage::PsamAuth),
            (KeyRef::OneTime { .. }, Self::Mac(MacAlgorithm::Psam)) => Some(KeyUsage::PsamMac),
            (KeyRef::OneTime { .. }, Self::Pin) => Some(KeyUsage::PsamPin),
            (KeyRef::OneTime { .. }, Self::Track) => Some(KeyUsage::PsamTrack),
            (KeyRef::Dukpt { direction: Direction::Request, .. }, Self::Pin)
            | (KeyRef::Dukpt { .. }, Self::Mac(MacAlgorithm::X919 | MacAlgorithm::X919Padded)) => {
                Some(KeyUsage::DukptTdes)
            }
            (KeyRef::DukptAes { direction: Direction::Request, .. }, Self::Pin)
            | (KeyRef::DukptAes { .. }, Self::Mac(MacAlgorithm::CmacAes)) => Some(KeyUsage::DukptAes),
            (_, _) => None,
        }
    }
}

/// A key for one item: kept, or derived for it and wiped with it.
#[expect(clippy::large_enum_variant, reason = "a box for each item would be an allocation on the hot path")]
pub(crate) enum ItemKey<'a> {
    Kept(&'a DesKey),
    Derived(DesKey),
}

impl Deref for ItemKey<'_> {
    type Target = DesKey;

    fn deref(&self) -> &DesKey {
        match self {
            Self::Kept(key) => key,
            Self::Derived(key) => key,
        }
    }
}

/// How many keys an HSM holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HsmLimits {
    /// Loaded keys at a time. Each costs about 170 bytes once it is loaded.
    pub key_slots: usize,
    /// Unwrapped keys at a time, at least one, and from the first PSAM on as many
    /// keys of PSAMs. Each costs about 320 bytes.
    pub unwrapped_keys: usize,
}

impl Default for HsmLimits {
    /// Three keys for each of a million terminals; unwrapped, two for each of
    /// the thirty thousand last heard of.
    fn default() -> Self {
        Self { key_slots: 4_194_304, unwrapped_keys: 65_536 }
    }
}

/// All loaded keys.
pub(crate) struct KeyTable {
    slots: Vec<Slot>,
    free: Vec<u32>,
    cache: KeyCache,
    derived: DerivedCache,
    sessions: SessionTable,
    slots_max: usize,
}

struct Slot {
    generation: u32,
    /// Where the cache had the key last; the cache knows whether it still has.
    cached_at: usize,
    stored: Option<Stored>,
}

struct Stored {
    usage: KeyUsage,
    block: KeyBlock,
}

impl KeyTable {
    pub(crate) fn new(limits: HsmLimits) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            cache: KeyCache::new(limits.unwrapped_keys),
            derived: DerivedCache::new(limits.unwrapped_keys),
            sessions: SessionTable::new(SESSIONS_MAX),
            slots_max: limits.key_slots,
        }
    }

    /// Keeps a block that was just found authentic.
    pub(crate) fn insert(&mut self, usage: KeyUsage, block: KeyBlock) -> Result<KeyHandle, HsmError> {
        let stored = Some(Stored { usage, block });
        if let Some(number) = self.free.pop() {
            let slot = &mut self.slots[number as usize];
            slot.stored = stored;
            return Ok(KeyHandle { slot: number, generation: slot.generation });
        }
        if self.slots.len() >= self.slots_max {
            return Err(HsmError::TableFull);
        }
        let number = u32::try_from(self.slots.len()).map_err(|_| HsmError::TableFull)?;
        self.slots.push(Slot { generation: 0, cached_at: 0, stored });
        Ok(KeyHandle { slot: number, generation: 0 })
    }

    /// Forgets a key and wipes its unwrapped form. A stale handle does nothing.
    pub(crate) fn remove(&mut self, handle: KeyHandle) {
        let Ok(slot) = find(&mut self.slots, handle) else { return };
        if slot.stored.take().is_some_and(|stored| stored.usage.is_psam_master()) {
            self.derived.forget(handle);
        }
        self.cache.remove(slot.cached_at, handle.slot);
        // A slot whose generations are used up is given up, so that no handle ever comes back.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(handle.slot);
        }
    }

    pub(crate) fn usage(&self, handle: KeyHandle) -> Result<KeyUsage, HsmError> {
        let slot = self.slots.get(handle.slot as usize).ok_or(HsmError::NoSuchKey)?;
        Ok(slot.stored_for(handle)?.usage)
    }

    /// The block that was loaded.
    pub(crate) fn block(&self, handle: KeyHandle) -> Result<&KeyBlock, HsmError> {
        let slot = self.slots.get(handle.slot as usize).ok_or(HsmError::NoSuchKey)?;
        Ok(&slot.stored_for(handle)?.block)
    }

    /// Every block that is loaded.
    pub(crate) fn blocks_mut(&mut self) -> impl Iterator<Item = &mut KeyBlock> {
        self.slots.iter_mut().filter_map(|slot| slot.stored.as_mut()).map(|stored| &mut stored.block)
    }

    /// The unwrapped key, whatever it may be used for.
    pub(crate) fn schedule(&mut self, lmk: &Lmk, handle: KeyHandle) -> Result<&Schedule, HsmError> {
        let slot = find(&mut self.slots, handle)?;
        // Asked again below: a reference found here would stay borrowed where the key is inserted.
        if self.cache.find(slot.cached_at, handle.slot).is_none() {
            let (_, schedule) = lmk.open(&slot.stored_for(handle)?.block)?;
            slot.cached_at = self.cache.insert(handle.slot, schedule);
        }
        self.cache.find(slot.cached_at, handle.slot).ok_or(HsmError::NoSuchKey)
    }

    /// The unwrapped DES key behind a handle, if it has this usage.
    pub(crate) fn des_key(
        &mut self,
        lmk: &Lmk,
        handle: KeyHandle,
        need: KeyUsage,
    ) -> Result<&DesKey, HsmError> {
        let have = self.require_usage(handle, need)?;
        match self.schedule(lmk, handle)? {
            Schedule::Des(key) => Ok(key),
            _ => Err(HsmError::WrongUsage { have, need }),
        }
    }

    /// The zone master key behind a handle, for either cipher.
    pub(crate) fn zone_master(&mut self, lmk: &Lmk, handle: KeyHandle) -> Result<&ZoneMaster, HsmError> {
        let (have, need) = (self.usage(handle)?, KeyUsage::ZoneMaster);
        match self.schedule(lmk, handle)? {
            Schedule::Zone(master) => Ok(master),
            _ => Err(HsmError::WrongUsage { have, need }),
        }
    }

    /// The key of an item, if it is of a kind and usage for this purpose.
    pub(crate) fn item_key(
        &mut self,
        lmk: &Lmk,
        key: KeyRef,
        purpose: Purpose,
    ) -> Result<ItemKey<'_>, HsmError> {
        if let KeyRef::Session(session) = key {
            return self.sessions.find(session, purpose.of_session()).map(ItemKey::Kept);
        }
        let need = self.item_usage(key, purpose)?;
        match key {
            KeyRef::Session(_) => Err(HsmError::WrongSession),
            KeyRef::Stored(handle) => self.des_key(lmk, handle, need).map(ItemKey::Kept),
            KeyRef::Psam { master, psam } => self.psam_key(lmk, master, need, psam).map(ItemKey::Kept),
            KeyRef::OneTime { master, psam, random, stan } => {
                let factor = transaction_factor(random, stan)?;
                diversify(self.psam_key(lmk, master, need, psam)?, factor).map(ItemKey::Derived)
            }
            KeyRef::Dukpt { bdk, ksn, .. } => {
                let variant = purpose.variant(&key);
                self.dukpt_base(lmk, bdk)?.working_key(&ksn, variant).map(ItemKey::Derived)
            }
            KeyRef::DukptAes { bdk, .. } => Err(HsmError::WrongDerivation(self.usage(bdk)?)),
        }
    }

    /// The usage that an item's key, or its master, must have.
    fn item_usage(&self, key: KeyRef, purpose: Purpose) -> Result<KeyUsage, HsmError> {
        purpose.usage(&key).ok_or(HsmError::WrongDerivation(self.master_usage(key)?))
    }

    /// The usage that an item's key, or its master, has.
    fn master_usage(&self, key: KeyRef) -> Result<KeyUsage, HsmError> {
        let (KeyRef::Stored(handle)
        | KeyRef::Psam { master: handle, .. }
        | KeyRef::OneTime { master: handle, .. }
        | KeyRef::Dukpt { bdk: handle, .. }
        | KeyRef::DukptAes { bdk: handle, .. }) = key
        else {
            return Err(HsmError::WrongSession);
        };
        self.usage(handle)
    }

    /// A PSAM's own key, from the cache or derived.
    fn psam_key(
        &mut self,
        lmk: &Lmk,
        master: KeyHandle,
        need: KeyUsage,
        psam: PsamNumber,
    ) -> Result<&DesKey, HsmError> {
        // Asked first, because the cache knows neither usages nor stale handles.
        self.require_usage(master, need)?;
        if self.derived.find(master, psam).is_none() {
            let key = diversify(self.des_key(lmk, master, need)?, *psam.as_bcd())?;
            self.derived.insert(master, psam, key);
        }
        self.derived.find(master, psam).ok_or(HsmError::NoSuchKey)
    }

    /// The unwrapped HMAC key behind a handle, if it has this usage.
    pub(crate) fn hmac_key(
        &mut self,
        lmk: &Lmk,
        handle: KeyHandle,
        need: KeyUsage,
    ) -> Result<&HmacKey, HsmError> {
        let have = self.require_usage(handle, need)?;
        match self.schedule(lmk, handle)? {
            Schedule::Hmac(key) => Ok(key),
            _ => Err(HsmError::WrongUsage { have, need }),
        }
    }

    fn require_usage(&self, handle: KeyHandle, need: KeyUsage) -> Result<KeyUsage, HsmError> {
        let have = self.usage(handle)?;
        if have == need { Ok(have) } else { Err(HsmError::WrongUsage { have, need }) }
    }
}

impl Slot {
    /// What is in it, if the handle is not stale.
    fn stored_for(&self, handle: KeyHandle) -> Result<&Stored, HsmError> {
        let stored = self.stored.as_ref().filter(|_| self.generation == handle.generation);
        stored.ok_or(HsmError::NoSuchKey)
    }
}

/// The slot a handle names, if the handle is not stale.
fn find(slots: &mut [Slot], handle: KeyHandle) -> Result<&mut Slot, HsmError> {
    let slot = slots.get_mut(handle.slot as usize).ok_or(HsmError::NoSuchKey)?;
    slot.stored_for(handle)?;
    Ok(slot)
}

mod derived;
mod lane;

pub(crate) use lane::LaneKey;
