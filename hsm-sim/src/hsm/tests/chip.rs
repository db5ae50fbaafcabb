//! EMV cryptograms and purses through the engine.

use super::*;
use crate::{
    ArpcRequest, ArqcCheck, CryptogramVersion, IssuerResponse, PurseCard, PurseLoad, PursePurchase, TacCheck,
    des_key::DesKey, purse,
};

const PURSE: PurseCard = PurseCard { issuer: None, number: [0x20, 0x16, 0x12, 0x21, 0, 0, 0x10, 0x03] };

/// The card key of the purse under the master [`KEY`].
fn card_key() -> DesKey {
    purse::card_key(&DesKey::new(&vectors::bytes(KEY)).unwrap(), PURSE).unwrap()
}

/// The first published cryptogram of version 10, whose master is [`KEY`].
fn check<'a>(imk: KeyHandle, pan: &'a Pan, data: &'a [u8]) -> ArqcCheck<'a> {
    let arqc = vectors::array("C7483601915E957D");
    ArqcCheck { imk, version: CryptogramVersion::Cvn10, pan, sequence: 0, atc: 1, data, arqc }
}

fn data() -> Vec<u8> {
    vectors::bytes("00000000100000000000000001568000000000015626112100010203047C00000103A00000")
}

pub(super) fn verify_arqc(hsm: &mut Hsm, imk: KeyHandle) -> Result<(), HsmError> {
    let (pan, data, mut out) = (pan(), data(), Vec::new());
    hsm.verify_arqcs(&[check(imk, &pan, &data)], &mut out);
    out[0]
}

fn the_purchase(master: KeyHandle) -> PursePurchase {
    let session = purse::session_key(&card_key(), [1, 2, 3, 4], [0, 5], [0, 9]).unwrap();
    let data = [&[0, 0, 3, 0xE8, 6][..], &[1, 2, 3, 4, 5, 6], &[0x20, 0x26, 1, 2, 3, 4, 5]].concat();
    PursePurchase {
        master,
        card: PURSE,
        random: [1, 2, 3, 4],
        card_sequence: 5,
        terminal_sequence: 0x0001_0009,
        amount: 1000,
        kind: 6,
        terminal: [1, 2, 3, 4, 5, 6],
        date_time: [0x20, 0x26, 1, 2, 3, 4, 5],
        mac1: purse::mac4(&session, &data).unwrap(),
    }
}

pub(super) fn purchase(hsm: &mut Hsm, master: KeyHandle) -> Result<[u8; 4], HsmError> {
    let mut out = Vec::new();
    hsm.answer_purse_purchases(&[the_purchase(master)], &mut out);
    out[0]
}

fn the_load(master: KeyHandle) -> PurseLoad {
    let session = purse::session_key(&card_key(), [1, 2, 3, 4], [0, 5], purse::LOAD).unwrap();
    let data = [&[0, 0, 0, 7][..], &[0, 0, 3, 0xE8, 2], &[1, 2, 3, 4, 5, 6]].concat();
    PurseLoad {
        master,
        card: PURSE,
        random: [1, 2, 3, 4],
        card_sequence: 5,
        balance: 7,
        amount: 1000,
        kind: 2,
        terminal: [1, 2, 3, 4, 5, 6],
        date_time: [0x20, 0x26, 1, 2, 3, 4, 5],
        mac1: purse::mac4(&session, &data).unwrap(),
    }
}

pub(super) fn load(hsm: &mut Hsm, master: KeyHandle) -> Result<[u8; 4], HsmError> {
    let mut out = Vec::new();
    hsm.answer_purse_loads(&[the_load(master)], &mut out);
    out[0]
}

fn tac_check(master: KeyHandle) -> TacCheck<'static> {
    let key = purse::tac_key(&DesKey::new(&vectors::bytes(KEY)).unwrap(), PURSE).unwrap();
    TacCheck { master, card: PURSE, data: MESSAGE, tac: purse::mac4(&key, MESSAGE).unwrap() }
}

pub(super) fn verify_tac(hsm: &mut Hsm, master: KeyHandle) -> Result<(), HsmError> {
    let mut out = Vec::new();
    hsm.verify_purse_tacs(&[tac_check(master)], &mut out);
    out[0]
}

#[test]
fn a_cryptogram_is_right_for_its_card_its_counter_and_its_data_only() {
    let (mut hsm, data) = (test_hsm(), data());
    let imk = good_key(&mut hsm, KeyUsage::EmvCryptogram);
    let (pan, other) = (pan(), Pan::parse(b"6225880137706868").unwrap());
    let good = check(imk, &pan, &data);
    let eighteen = ArqcCheck { version: CryptogramVersion::Cvn18, ..good };
    let mut out = Vec::new();
    hsm.verify_arqcs(
        &[
            good,
            ArqcCheck { pan: &other, ..good },
            ArqcCheck { sequence: 1, ..good },
            ArqcCheck { data: &data[1..], ..good },
            eighteen,
            ArqcCheck { sequence: 100, ..good },
            ArqcCheck { data: &[], ..good },
            // Version 10 has the counter in its data only.
            ArqcCheck { atc: 2, ..good },
        ],
        &mut out,
    );
    let wrong = Err(HsmError::VerificationFailed);
    let (card, empty) = (Err(HsmError::CardSequence), Err(HsmError::EmptyMessage));
    assert_eq!(out, [Ok(()), wrong, wrong, wrong, wrong, card, empty, Ok(())]);
}

#[test]
fn only_a_right_cryptogram_is_answered() {
    let (mut hsm, data, pan) = (test_hsm(), data(), pan());
    let imk = good_key(&mut hsm, KeyUsage::EmvCryptogram);
    let request = check(imk, &pan, &data);
    let good = ArpcRequest { request, response: IssuerResponse::ResponseCode(*b"00") };
    let bad = ArpcRequest { request: ArqcCheck { arqc: [0; 8], ..request }, ..good };
    let mut out = Vec::new();
    hsm.generate_arpcs(&[good, bad], &mut out);
    assert_eq!(out[0].unwrap().as_bytes(), vectors::bytes("CA31F38C150B01C1"));
    assert_eq!(out[1], Err(HsmError::VerificationFailed));
}

#[test]
fn a_purses_mac_covers_every_part_of_its_transaction() {
    let mut hsm = test_hsm();
    let master = good_key(&mut hsm, KeyUsage::PursePurchase);
    let good = the_purchase(master);
    let mut out = Vec::new();
    hsm.answer_purse_purchases(
        &[
            PursePurchase { random: [0; 4], ..good },
            PursePurchase { card_sequence: 6, ..good },
            PursePurchase { terminal_sequence: 0x0001_000A, ..good },
            PursePurchase { amount: 1001, ..good },
            PursePurchase { kind: 7, ..good },
            PursePurchase { terminal: [0; 6], ..good },
            PursePurchase { date_time: [0; 7], ..good },
            PursePurchase { card: PurseCard { issuer: Some([1; 8]), ..PURSE }, ..good },
        ],
        &mut out,
    );
    assert_eq!(out, [Err(HsmError::VerificationFailed); 8]);

    let master = good_key(&mut hsm, KeyUsage::PurseLoad);
    let good = the_load(master);
    hsm.answer_purse_loads(
        &[
            PurseLoad { random: [0; 4], ..good },
            PurseLoad { card_sequence: 6, ..good },
            PurseLoad { balance: 8, ..good },
            PurseLoad { amount: 1001, ..good },
            PurseLoad { kind: 1, ..good },
            PurseLoad { terminal: [0; 6], ..good },
        ],
        &mut out,
    );
    assert_eq!(out, [Err(HsmError::VerificationFailed); 6]);

    let master = good_key(&mut hsm, KeyUsage::PurseTac);
    let wrong = TacCheck { tac: [0; 4], ..tac_check(master) };
    let mut out = Vec::new();
    hsm.verify_purse_tacs(&[wrong, TacCheck { data: &[], ..wrong }], &mut out);
    assert_eq!(out, [Err(HsmError::VerificationFailed), Err(HsmError::EmptyMessage)]);
}
