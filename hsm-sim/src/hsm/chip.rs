//! Chip cards: EMV cryptograms and offline purses.
//!
//! Whether a counter was seen before is not known here; see [`crate::ReplayGuard`].

use super::{Hsm, batch::settle, matches};
use crate::{
    Arpc, ArpcRequest, ArqcCheck, CryptogramVersion, HsmError, IssuerResponse, KeyUsage, Lmk, PurseLoad,
    PursePurchase, TacCheck,
    bitslice::{Chain, Lane},
    des_key::DesKey,
    emv,
    key_table::{KeyTable, LaneKey},
    mac, purse,
};
use subtle::ConstantTimeEq;

impl Hsm {
    /// Checks application cryptograms: [`HsmError::VerificationFailed`] where one
    /// does not match, compared in constant time.
    pub fn verify_arqcs(&mut self, items: &[ArqcCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        let alone = |hsm: &mut Self, at: usize| hsm.right_cryptogram_key(&items[at]).map(drop);
        let request = |at: usize| &items[at];
        let enter = |keys: &mut KeyTable, lmk: &Lmk, at: usize, lane: &mut Lane| {
            enter_cryptogram(keys, lmk, &items[at], lane)
        };
        self.in_portions(items.len(), out, &alone, &enter, |hsm, ready, out, start| {
            hsm.cryptograms(ready, start, request);
            settle(hsm, ready, out, start, &alone, |at, lane| {
                matches(&lane.value[0].to_be_bytes(), &items[at].arqc)
            });
        });
    }

    /// Answers application cryptograms, after checking them as
    /// [`Hsm::verify_arqcs`] does: there is no answer to a wrong one.
    pub fn generate_arpcs(&mut self, items: &[ArpcRequest<'_>], out: &mut Vec<Result<Arpc, HsmError>>) {
        let alone = |hsm: &mut Self, at: usize| {
            let ArpcRequest { request, response } = &items[at];
            let key = hsm.right_cryptogram_key(request)?;
            emv::arpc(&key, request.arqc, *response)
        };
        let request = |at: usize| &items[at].request;
        let enter = |keys: &mut KeyTable, lmk: &Lmk, at: usize, lane: &mut Lane| {
            enter_cryptogram(keys, lmk, request(at), lane)
        };
        self.in_portions(items.len(), out, &alone, &enter, |hsm, ready, out, start| {
            hsm.cryptograms(ready, start, request);
            let item = |lane: &Lane| &items[start + lane.item as usize];
            let by_block = |lane: &Lane| matches!(item(lane).response, IssuerResponse::ResponseCode(_));
            for lane in &mut *ready {
                let ArpcRequest { request, response } = item(lane);
                let right: bool = lane.value[0].to_be_bytes().ct_eq(&request.arqc).into();
                let [first, second] = emv::answer_blocks(request.arqc, *response).map(u64::from_be_bytes);
                lane.value = [first, second, u64::from(right)];
            }
            ready.sort_unstable_by_key(|lane| (by_block(lane), lane.factor.is_some()));
            let first_block = ready.partition_point(|lane| !by_block(lane));
            let (pairs, blocks) = ready.split_at_mut(first_block);
            hsm.batch.bitslice.retail_pairs(pairs);
            hsm.batch.bitslice.encrypt(blocks);
            settle(hsm, ready, out, start, &alone, |at, lane| match lane.value[2] {
                0 => Err(HsmError::VerificationFailed),
                _ => Ok(items[at].response.cryptogram(lane.value[0].to_be_bytes())),
            });
        });
    }

    /// The cryptograms of requests, in the lanes' first values. Afterwards the lanes
    /// have the keys that made them.
    fn cryptograms<'a>(
        &mut self,
        lanes: &mut [Lane],
        start: usize,
        request: impl Fn(usize) -> &'a ArqcCheck<'a>,
    ) {
        let of = |lane: &Lane| request(start + lane.item as usize);
        let order = |lane: &Lane| (of(lane).version == CryptogramVersion::Cvn18, lane.blocks);
        lanes.sort_unstable_by_key(order);
        let own = lanes.partition_point(|lane| !order(lane).0);
        self.session_keys(&mut lanes[own..], |lane| of(lane).atc);
        // All together: a card's own key is derived on the way.
        lanes.sort_unstable_by_key(|lane| lane.blocks);
        self.batch.bitslice.macs(Chain::Retail, lanes, &|lane| {
            let ArqcCheck { version, data, .. } = of(lane);
            mac::padded(version.algorithm(), data)
        });
    }

    /// Puts the common session keys of transactions in the place of masters and what
    /// diversifies them for cards.
    fn session_keys(&mut self, lanes: &mut [Lane], atc: impl Fn(&Lane) -> u16) {
        for lane in &mut *lanes {
            lane.value[0] = lane.factor.unwrap_or_default();
        }
        self.batch.bitslice.diversify(lanes);
        for lane in &mut *lanes {
            lane.factor = None;
            lane.key = [lane.value[0], lane.value[1]];
            let [left, right] = emv::session_factors(atc(lane)).map(u64::from_be_bytes);
            (lane.value[0], lane.value[1]) = (left, right);
        }
        self.batch.bitslice.encrypt_blocks(2, lanes);
        for lane in lanes {
            lane.key = [lane.value[0], lane.value[1]];
            // By itself it is refused.
            lane.unusual |= DesKey::is_weak_pair(lane.key);
        }
    }

    /// Checks the purses' MACs of purchases and makes those of the answers.
    pub fn answer_purse_purchases(
        &mut self,
        items: &[PursePurchase],
        out: &mut Vec<Result<[u8; 4], HsmError>>,
    ) {
        self.one_by_one(items.len(), out, &|hsm, at| hsm.answer_purse_purchase(&items[at]));
    }

    /// Checks the purses' MACs of loads and makes those of the answers.
    pub fn answer_purse_loads(&mut self, items: &[PurseLoad], out: &mut Vec<Result<[u8; 4], HsmError>>) {
        self.one_by_one(items.len(), out, &|hsm, at| hsm.answer_purse_load(&items[at]));
    }

    /// Checks transaction authentication codes.
    pub fn verify_purse_tacs(&mut self, items: &[TacCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        self.one_by_one(items.len(), out, &|hsm, at| {
            let TacCheck { master, card, data, tac } = items[at];
            let master = hsm.keys.des_key(&hsm.lmk, master, KeyUsage::PurseTac)?;
            matches(&purse::mac4(&purse::tac_key(master, card)?, data)?, &tac)
        });
    }

    /// The key of a cryptogram, if the cryptogram is right.
    fn right_cryptogram_key(&mut self, item: &ArqcCheck<'_>) -> Result<DesKey, HsmError> {
        let imk = self.keys.des_key(&self.lmk, item.imk, KeyUsage::EmvCryptogram)?;
        let key = emv::cryptogram_key(item.version, imk, item.pan.expose(), item.sequence, item.atc)?;
        matches(&emv::arqc(item.version, &key, item.data)?, &item.arqc)?;
        Ok(key)
    }

    fn answer_purse_purchase(&mut self, item: &PursePurchase) -> Result<[u8; 4], HsmError> {
        let master = self.keys.des_key(&self.lmk, item.master, KeyUsage::PursePurchase)?;
        let card_key = purse::card_key(master, item.card)?;
        let [_, _, low @ ..] = item.terminal_sequence.to_be_bytes();
        let session = purse::session_key(&card_key, item.random, item.card_sequence.to_be_bytes(), low)?;
        let amount = item.amount.to_be_bytes();
        let mut data = [0; 18];
        fill(&mut data, &[&amount, &[item.kind], &item.terminal, &item.date_time]);
        matches(&purse::mac4(&session, &data)?, &item.mac1)?;
        purse::mac4(&session, &amount)
    }

    fn answer_purse_load(&mut self, item: &PurseLoad) -> Result<[u8; 4], HsmError> {
        let master = self.keys.des_key(&self.lmk, item.master, KeyUsage::PurseLoad)?;
        let card_key = purse::card_key(master, item.card)?;
        let sequence = item.card_sequence.to_be_bytes();
        let session = purse::session_key(&card_key, item.random, sequence, purse::LOAD)?;
        let amount = item.amount.to_be_bytes();
        let mut asked = [0; 15];
        fill(&mut asked, &[&item.balance.to_be_bytes(), &amount, &[item.kind], &item.terminal]);
        matches(&purse::mac4(&session, &asked)?, &item.mac1)?;
        let mut answered = [0; 18];
        fill(&mut answered, &[&amount, &[item.kind], &item.terminal, &item.date_time]);
        purse::mac4(&session, &answered)
    }
}

/// Puts the master of a cryptogram and what diversifies it for the card into a lane.
fn enter_cryptogram(
    keys: &mut KeyTable,
    lmk: &Lmk,
    item: &ArqcCheck<'_>,
    lane: &mut Lane,
) -> Option<LaneKey> {
    if item.data.is_empty() {
        return None;
    }
    lane.factor = Some(u64::from_be_bytes(emv::card_factor(item.pan.expose(), item.sequence).ok()?));
    let blocks = mac::padded(item.version.algorithm(), item.data).blocks.len() + 1;
    lane.blocks = u32::try_from(blocks).ok()?;
    lane.key = keys.des_key(lmk, item.imk, KeyUsage::EmvCryptogram).ok()?.halves();
    Some(LaneKey::Ready)
}

/// Writes the parts one after another; together they are as long as `data`.
fn fill(data: &mut [u8], parts: &[&[u8]]) {
    for (place, byte) in data.iter_mut().zip(parts.iter().copied().flatten()) {
        *place = *byte;
    }
}
