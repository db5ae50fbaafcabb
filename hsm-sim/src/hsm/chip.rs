//! Chip cards: EMV cryptograms and offline purses.
//!
//! Whether a counter was seen before is not known here; see [`crate::ReplayGuard`].

use super::{Hsm, matches};
use crate::{
    Arpc, ArpcRequest, ArqcCheck, HsmError, KeyUsage, PurseLoad, PursePurchase, TacCheck, des_key::DesKey,
    emv, purse,
};

impl Hsm {
    /// Checks application cryptograms: [`HsmError::VerificationFailed`] where one
    /// does not match, compared in constant time.
    pub fn verify_arqcs(&mut self, items: &[ArqcCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        out.clear();
        out.extend(items.iter().map(|item| self.right_cryptogram_key(item).map(drop)));
    }

    /// Answers application cryptograms, after checking them as
    /// [`Hsm::verify_arqcs`] does: there is no answer to a wrong one.
    pub fn generate_arpcs(&mut self, items: &[ArpcRequest<'_>], out: &mut Vec<Result<Arpc, HsmError>>) {
        out.clear();
        out.extend(items.iter().map(|item| {
            let key = self.right_cryptogram_key(&item.request)?;
            emv::arpc(&key, item.request.arqc, item.response)
        }));
    }

    /// Checks the purses' MACs of purchases and makes those of the answers.
    pub fn answer_purse_purchases(
        &mut self,
        items: &[PursePurchase],
        out: &mut Vec<Result<[u8; 4], HsmError>>,
    ) {
        out.clear();
        out.extend(items.iter().map(|item| self.answer_purse_purchase(item)));
    }

    /// Checks the purses' MACs of loads and makes those of the answers.
    pub fn answer_purse_loads(&mut self, items: &[PurseLoad], out: &mut Vec<Result<[u8; 4], HsmError>>) {
        out.clear();
        out.extend(items.iter().map(|item| self.answer_purse_load(item)));
    }

    /// Checks transaction authentication codes.
    pub fn verify_purse_tacs(&mut self, items: &[TacCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        out.clear();
        out.extend(items.iter().map(|item| {
            let master = self.keys.des_key(&self.lmk, item.master, KeyUsage::PurseTac)?;
            matches(&purse::mac4(&purse::tac_key(master, item.card)?, item.data)?, &item.tac)
        }));
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

/// Writes the parts one after another; together they are as long as `data`.
fn fill(data: &mut [u8], parts: &[&[u8]]) {
    for (place, byte) in data.iter_mut().zip(parts.iter().copied().flatten()) {
        *place = *byte;
    }
}
