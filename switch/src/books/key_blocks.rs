//! The key blocks that the books keep, keeper by keeper: what has to be wrapped anew when the local master key changes.

use super::{
    Acquirer, Books, Terminal,
    apply::ApplyError,
    event::{KeyKeeper, KeyText, PsamMasters, ZoneKeyTexts},
};

impl Books {
    /// Everybody who keeps key blocks.
    pub fn key_keepers(&self) -> impl Iterator<Item = KeyKeeper> + use<> {
        // Versions are one byte, places of acquirers 16 bits and of terminals 32, so none is left out.
        let short = |count: usize| (0..=u16::MAX).take(count);
        let masters = short(self.psam_masters.len()).map(KeyKeeper::PsamMasters);
        let acquirers = short(self.acquirers.len()).map(KeyKeeper::Acquirer);
        let terminals = (0..=u32::MAX).take(self.terminals.len()).map(KeyKeeper::Terminal);
        std::iter::once(KeyKeeper::Issuer).chain(masters).chain(acquirers).chain(terminals)
    }

    /// The blocks of a keeper, in an order that depends on nothing but which keys it has.
    #[must_use]
    pub fn key_blocks(&self, keeper: KeyKeeper) -> Vec<&KeyText> {
        match keeper {
            KeyKeeper::Issuer => self.issuer_keys.iter().map(|key| &key.block).collect(),
            KeyKeeper::PsamMasters(at) => {
                self.psam_masters.get(usize::from(at)).map(of_masters).unwrap_or_default()
            }
            KeyKeeper::Acquirer(at) => {
                self.acquirers.get(usize::from(at)).map(of_acquirer).unwrap_or_default()
            }
            KeyKeeper::Terminal(at) => self.terminals.get(at as usize).map(of_terminal).unwrap_or_default(),
        }
    }

    pub(super) fn apply_rewrapped(
        &mut self,
        keeper: KeyKeeper,
        blocks: &[KeyText],
    ) -> Result<(), ApplyError> {
        let seq = self.seq;
        let no_such = |what| ApplyError::NoSuch { seq, what };
        let places: Vec<&mut KeyText> = match keeper {
            KeyKeeper::Issuer => self.issuer_keys.iter_mut().map(|key| &mut key.block).collect(),
            KeyKeeper::PsamMasters(at) => {
                masters_mut(self.psam_masters.get_mut(usize::from(at)).ok_or(no_such("version"))?)
            }
            KeyKeeper::Acquirer(at) => {
                acquirer_mut(self.acquirers.get_mut(usize::from(at)).ok_or(no_such("acquirer"))?)
            }
            KeyKeeper::Terminal(at) => terminal_mut(self.terminal_mut(at)?),
        };
        if places.len() != blocks.len() {
            return Err(no_such("key in that place"));
        }
        for (place, block) in places.into_iter().zip(blocks) {
            place.clone_from(block);
        }
        Ok(())
    }
}

fn of_masters(masters: &PsamMasters) -> Vec<&KeyText> {
    vec![&masters.pin, &masters.mac, &masters.track, &masters.auth]
}

fn masters_mut(masters: &mut PsamMasters) -> Vec<&mut KeyText> {
    vec![&mut masters.pin, &mut masters.mac, &mut masters.track, &mut masters.auth]
}

fn of_acquirer(acquirer: &Acquirer) -> Vec<&KeyText> {
    let sets = [Some(&acquirer.current), acquirer.pending.as_ref(), acquirer.previous.as_ref()];
    let zone = sets.into_iter().flatten().flat_map(|keys| {
        let ZoneKeyTexts { pin, mac_to_switch, mac_from_switch, .. } = &keys.texts;
        [pin, mac_to_switch, mac_from_switch]
    });
    std::iter::once(&acquirer.zmk).chain(zone).collect()
}

fn acquirer_mut(acquirer: &mut Acquirer) -> Vec<&mut KeyText> {
    let sets = [Some(&mut acquirer.current), acquirer.pending.as_mut(), acquirer.previous.as_mut()];
    let zone = sets.into_iter().flatten().flat_map(|keys| {
        let ZoneKeyTexts { pin, mac_to_switch, mac_from_switch, .. } = &mut keys.texts;
        [pin, mac_to_switch, mac_from_switch]
    });
    std::iter::once(&mut acquirer.zmk).chain(zone).collect()
}

fn of_terminal(terminal: &Terminal) -> Vec<&KeyText> {
    let pairs = [&terminal.current, &terminal.pending, &terminal.previous];
    let working = pairs.into_iter().flatten().flat_map(|keys| [&keys.pin, &keys.mac]);
    std::iter::once(&terminal.tmk).chain(working).collect()
}

fn terminal_mut(terminal: &mut Terminal) -> Vec<&mut KeyText> {
    let pairs = [&mut terminal.current, &mut terminal.pending, &mut terminal.previous];
    let working = pairs.into_iter().flatten().flat_map(|keys| {
        let keys = &mut **keys;
        [&mut keys.pin, &mut keys.mac]
    });
    std::iter::once(&mut terminal.tmk).chain(working).collect()
}
