//! The keys the HSM holds: key blocks by slot, behind handles that go stale.
//!
//! Slots keep the wrapped block, so a million terminals cost memory but no clear
//! keys; the few thousand in use at a time are unwrapped in the cache.

use crate::{
    HsmError, KeyBlock, KeyUsage, Lmk,
    des_key::DesKey,
    key_cache::KeyCache,
    schedule::{HmacKey, Schedule},
};

/// Names one loaded key. Copies are free; after the key is unloaded every copy
/// is refused, also when its slot holds another key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct KeyHandle {
    slot: u32,
    generation: u32,
}

/// How many keys an HSM holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HsmLimits {
    /// Loaded keys at a time. Each costs about 170 bytes once it is loaded.
    pub key_slots: usize,
    /// Unwrapped keys at a time, at least one. Each costs about 300 bytes.
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
        slot.stored = None;
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
            Schedule::Hmac(_) => Err(HsmError::WrongUsage { have, need }),
        }
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
            Schedule::Des(_) => Err(HsmError::WrongUsage { have, need }),
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
