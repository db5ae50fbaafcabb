//! EMV cryptograms and offline purses.

use super::{Checker, Fault, Vector, vector::malformed};
use crate::{
    ArpcRequest, ArqcCheck, CryptogramVersion, HsmError, IssuerResponse, KeyUsage, des_key::DesKey, emv,
    purse,
};
use cipher::{BlockCipherEncrypt as _, KeyInit as _};
use des::TdesEde2;

fn sequence(vector: &Vector) -> Result<u8, Fault> {
    let [tens, ones] = vector.digits_array("psn")?;
    Ok((tens - b'0') * 10 + (ones - b'0'))
}

fn atc(vector: &Vector) -> Result<u16, Fault> {
    Ok(u16::from_be_bytes(vector.array("atc")?))
}

pub(super) fn card_key(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let key = emv::card_key(&vector.des_key("imk")?, vector.digits("pan")?, sequence(vector)?)?;
    checker.bytes("icc_mk", &*key);
    Ok(())
}

pub(super) fn session_key(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    checker.bytes("session_key", &*emv::session_key(&vector.des_key("icc_mk")?, atc(vector)?));
    Ok(())
}

pub(super) fn cvn10(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let response = IssuerResponse::ResponseCode(vector.array("arc")?);
    if checker.expects("icc_mk") {
        card_key(vector, checker)?;
    }
    cryptograms(vector, checker, CryptogramVersion::Cvn10, response)
}

pub(super) fn cvn18(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let response = IssuerResponse::CardStatus(vector.array("csu")?);
    if checker.expects("session_key") {
        let card_key = emv::card_key(&vector.des_key("imk")?, vector.digits("pan")?, sequence(vector)?)?;
        let card_key = DesKey::new(&*card_key).map_err(HsmError::from)?;
        checker.bytes("session_key", &*emv::session_key(&card_key, atc(vector)?));
    }
    cryptograms(vector, checker, CryptogramVersion::Cvn18, response)
}

/// The request's cryptogram computed, then verified and answered by the engine.
fn cryptograms(
    vector: &Vector,
    checker: &mut Checker<'_>,
    version: CryptogramVersion,
    response: IssuerResponse,
) -> Result<(), Fault> {
    let (pan, data) = (vector.pan("pan")?, vector.bytes("data")?);
    let (sequence, atc) = (sequence(vector)?, atc(vector)?);
    let clear = vector.des_key("imk")?;
    let key = emv::cryptogram_key(version, &clear, pan.expose(), sequence, atc)?;
    let arqc = emv::arqc(version, &key, &data)?;
    checker.bytes("arqc", &arqc);
    let imk = checker.load(KeyUsage::EmvCryptogram, &vector.bytes("imk")?)?;
    let request = ArqcCheck { imk, version, pan: &pan, sequence, atc, data: &data, arqc };
    let mut out = Vec::new();
    checker.hsm.generate_arpcs(&[ArpcRequest { request, response }], &mut out);
    checker.hsm.unload_key(imk);
    checker.bytes("arpc", out.remove(0)?.as_bytes());
    Ok(())
}

pub(super) fn purse_load(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let key = vector.des_key("dlk")?;
    let (random, sequence) = (vector.array("random")?, vector.array("online_seq")?);
    let session = purse::session_key_bytes(&key, random, sequence, purse::LOAD);
    checker.bytes("seslk", &*session);
    two_macs(
        vector,
        checker,
        &session,
        &["balance", "amount", "txn_type", "terminal"],
        &["amount", "txn_type", "terminal", "datetime"],
    )
}

pub(super) fn purse_purchase(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let key = vector.des_key("dpk")?;
    let [_, _, low @ ..]: [u8; 4] = vector.array("term_seq")?;
    let (random, sequence) = (vector.array("random")?, vector.array("offline_seq")?);
    let session = purse::session_key_bytes(&key, random, sequence, low);
    checker.bytes("sespk", &*session);
    two_macs(vector, checker, &session, &["amount", "txn_type", "terminal", "datetime"], &["amount"])
}

fn two_macs(
    vector: &Vector,
    checker: &mut Checker<'_>,
    session: &[u8; 8],
    first: &[&str],
    second: &[&str],
) -> Result<(), Fault> {
    let key = DesKey::new(session).map_err(HsmError::from)?;
    for (name, fields) in [("mac1", first), ("mac2", second)] {
        let parts: Vec<_> = fields.iter().map(|field| vector.bytes(field)).collect::<Result<_, _>>()?;
        checker.bytes(name, &purse::mac4(&key, &parts.concat())?);
    }
    Ok(())
}

pub(super) fn diversify(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let key = diversified(&vector.bytes("mk")?, vector.array("factor")?)?;
    checker.bytes("dk", &key);
    Ok(())
}

pub(super) fn diversify_twice(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let factors = vector.list("factors")?;
    let mut key = vector.bytes("mk")?;
    for factor in factors {
        key = diversified(&key, factor)?.to_vec();
    }
    checker.bytes("dk", &key);
    Ok(())
}

/// A published master has equal halves. The engine refuses such a key; its diversification does not look at keys.
fn diversified(master: &[u8], factor: [u8; 8]) -> Result<[u8; 16], Fault> {
    let cipher = TdesEde2::new_from_slice(master).map_err(|_| malformed("mk"))?;
    let encrypt = |mut block: [u8; 8]| {
        cipher.encrypt_block((&mut block).into());
        block
    };
    Ok(*purse::diversified(encrypt, factor))
}

pub(super) fn tac(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let key = purse::tac_key_bytes(&vector.array("dtk")?);
    checker.bytes("tac_key", &*key);
    let key = DesKey::new(&*key).map_err(HsmError::from)?;
    checker.bytes("tac", &purse::mac4(&key, &vector.bytes("data")?)?);
    Ok(())
}
