//! Keys that come to be: working keys for a terminal's sign-in, zone keys of an acquirer's key change.

use arrayvec::ArrayVec;
use hsm_sim::{KeyBlock, KeyUsage, WorkingKeyRequest};

use super::{CHUNK, Verifier, keys::algorithm};
use crate::{
    batch::{Job, State},
    books::{
        Acquirer, AcquirerId, Books, WorkingKeys, ZoneKeys,
        event::{KeyText, KeysForTerminal, TerminalDialect, ZoneKeyTexts},
        request::{Facts, KeyScheme, Kind, MacFact, NewKeys, ZoneKeyBlocks},
    },
    clock::Moment,
};

impl Verifier {
    pub(super) fn make_keys(
        &mut self,
        books: &Books,
        jobs: &mut [Job],
        new_keys: &mut Vec<NewKeys>,
        now: &Moment,
    ) {
        let mut items: ArrayVec<WorkingKeyRequest, CHUNK> = ArrayVec::new();
        let mut of: ArrayVec<(&mut Facts, u32), CHUNK> = ArrayVec::new();
        for job in jobs.iter_mut() {
            let Job { state: State::Request, request, facts, .. } = job else { continue };
            let (Kind::SignIn, KeyScheme::Double, Some(id)) =
                (request.kind, request.key_scheme, facts.terminal)
            else {
                continue;
            };
            let terminal = books.terminal(id);
            let has_some = terminal.pending.is_some() || books.sign_ins_used_up(terminal, now);
            if has_some || terminal.dialect != TerminalDialect::Pos {
                continue;
            }
            let Ok(tmk) = self.keys.tmk(&mut self.hsm, id, terminal) else { continue };
            items.push(WorkingKeyRequest { tmk, mac_usage: algorithm(terminal.mac).usage() });
            of.push((facts, terminal.newest_version + 1));
        }
        if items.is_empty() {
            return;
        }
        self.hsm.generate_working_keys(&items, self.entropy.as_mut(), &mut self.made);
        for ((facts, version), made) in of.iter_mut().zip(self.made.drain(..)) {
            let Ok(made) = made else { continue };
            facts.new_keys = Some(new_keys.len());
            new_keys.push(NewKeys::Working(WorkingKeys {
                version: *version,
                pin: text(&made.pin),
                mac: text(&made.mac),
                told: KeysForTerminal {
                    pin: made.pin_cryptogram,
                    pin_check: made.pin_check_value,
                    mac: made.mac_cryptogram,
                    mac_check: made.mac_check_value,
                },
                used_since_ms: None,
            }));
        }
    }

    /// Takes the key blocks of key changes over, from under the zone master key to under the LMK.
    pub(super) fn import_zone_keys(&mut self, books: &Books, jobs: &mut [Job], new_keys: &mut Vec<NewKeys>) {
        for job in jobs.iter_mut() {
            let Job { state: State::Request, request, facts, .. } = job else { continue };
            let (Some(blocks), Some(id), MacFact::Right { .. }) =
                (&request.zone_keys, facts.acquirer, facts.mac)
            else {
                continue;
            };
            facts.new_keys = Some(new_keys.len());
            let imported = self.import(id, books.acquirer(id), blocks);
            new_keys.push(imported.map_or(NewKeys::Refused, NewKeys::Zone));
        }
    }

    /// The acquirer's next keys: those sent, and those in use where none was sent. `None` if one is refused.
    fn import(&mut self, id: AcquirerId, acquirer: &Acquirer, blocks: &ZoneKeyBlocks) -> Option<ZoneKeys> {
        let zmk = self.keys.zmk(&mut self.hsm, id, acquirer).ok()?;
        let mac = algorithm(acquirer.mac).usage();
        let mut texts: ZoneKeyTexts = acquirer.pending.as_ref().unwrap_or(&acquirer.current).texts.clone();
        let sent = [
            (&blocks.pin, KeyUsage::PinEncryption, &mut texts.pin),
            (&blocks.mac_to_switch, mac, &mut texts.mac_to_switch),
            (&blocks.mac_from_switch, mac, &mut texts.mac_from_switch),
        ];
        for ((block, usage, place), check_value) in sent.into_iter().zip(&mut texts.check_values) {
            let Some(block) = block else { continue };
            let imported = self.hsm.import_zone_key(zmk, block, usage, self.entropy.as_mut()).ok()?;
            *place = text(&imported.block);
            *check_value = imported.check_value;
        }
        Some(ZoneKeys { version: acquirer.next_version(), texts })
    }
}

fn text(block: &KeyBlock) -> KeyText {
    KeyText(block.as_str().into())
}
