//! MACs: one by one through the engine, and then all of a family in one batch.

use super::{Checker, Fault, Mismatch, Reason, Vector, vector::malformed};
use crate::{
    Hsm, KeyHandle, MacAlgorithm, MacCheck, MacRequest, aes_key::AesKey, des_key::xor, schedule::HmacKey,
    token,
};
use hmac::KeyInit as _;

pub(super) fn alg1_des(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    eight_bytes(vector, checker)
}

pub(super) fn alg1_tdes(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    eight_bytes(vector, checker)
}

pub(super) fn alg3(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    eight_bytes(vector, checker)
}

pub(super) fn cup_ecb(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    checker.bytes("fold", &fold(&vector.bytes("data_hex")?));
    let mac = computed(vector, checker)?;
    checker.text("mac8_ascii", &String::from_utf8_lossy(&mac));
    checker.bytes("mac8_hex", &mac);
    Ok(())
}

pub(super) fn xor_fold(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    checker.bytes("fold", &fold(&vector.bytes("data_hex")?));
    let mac = computed(vector, checker)?;
    checker.bytes("mac8", &mac);
    Ok(())
}

pub(super) fn cmac_aes(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let data = vector.bytes("data_hex")?;
    let mac = AesKey::new(&vector.bytes("key")?)?.cmac(&data);
    checker.bytes("mac16", &mac);
    // The command takes the left half, and no empty message.
    if !data.is_empty() && computed(vector, checker)? != mac[..8] {
        return Err(Fault::Engine("the command's CMAC is another one".to_owned()));
    }
    Ok(())
}

pub(super) fn hmac_sha256(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let key = HmacKey::new_from_slice(&vector.bytes("key")?).map_err(|_| malformed("key"))?;
    checker.bytes("mac32", &token::hmac_sha256(&key, &vector.bytes("data_hex")?));
    Ok(())
}

fn eight_bytes(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let mac = computed(vector, checker)?;
    checker.bytes("mac8", &mac);
    if checker.expects("mac4") {
        checker.bytes("mac4", &mac[..4]);
    }
    Ok(())
}

/// How the engine calls what a vector asks for.
fn algorithm(vector: &Vector) -> Result<MacAlgorithm, Fault> {
    let paddings = match vector.family.as_str() {
        "mac_alg1_des" => [MacAlgorithm::CbcDes, MacAlgorithm::CbcDesPadded],
        "mac_alg1_tdes" => [MacAlgorithm::Cbc3Des, MacAlgorithm::Cbc3DesPadded],
        "mac_alg3" => [MacAlgorithm::X919, MacAlgorithm::X919Padded],
        "mac_cup_ecb" => return Ok(MacAlgorithm::UnionPayEcb),
        "mac_xor_fold" => return Ok(MacAlgorithm::XorFold),
        _ => return Ok(MacAlgorithm::CmacAes),
    };
    match vector.number("padding")? {
        1 => Ok(paddings[0]),
        2 => Ok(paddings[1]),
        _ => Err(malformed("padding")),
    }
}

fn computed(vector: &Vector, checker: &mut Checker<'_>) -> Result<[u8; 8], Fault> {
    let (algorithm, data) = (algorithm(vector)?, vector.bytes("data_hex")?);
    let handle = checker.load(algorithm.usage(), &vector.bytes("key")?)?;
    let mut out = Vec::new();
    let key = handle.into();
    checker.hsm.generate_macs(&[MacRequest { key, algorithm, data: &data }], &mut out);
    checker.hsm.unload_key(handle);
    Ok(out.remove(0)?)
}

/// The XOR of all blocks, the last filled with zeros.
fn fold(data: &[u8]) -> [u8; 8] {
    data.chunks(8).fold([0; 8], |folded, chunk| {
        let mut block = [0; 8];
        block[..chunk.len()].copy_from_slice(chunk);
        xor(folded, block)
    })
}

/// A vector of a batch: its key, what is covered, and what is expected.
struct Item<'a> {
    vector: &'a Vector,
    algorithm: MacAlgorithm,
    key: KeyHandle,
    data: Vec<u8>,
    mac: [u8; 8],
}

/// Every MAC once more, each family in one call, as the switch makes them: many
/// at a time take another way through the engine than one.
pub(super) fn in_one_batch<'a>(vectors: &'a [Vector], hsm: &mut Hsm) -> Vec<(&'a str, Vec<Mismatch>)> {
    const FAMILIES: [&str; 4] = ["mac_alg1_des", "mac_alg1_tdes", "mac_alg3", "mac_xor_fold"];
    let mut found = Vec::new();
    for family in FAMILIES {
        let of_family = vectors.iter().filter(|vector| vector.family == family);
        let items: Vec<_> = of_family.filter_map(|vector| item(vector, hsm)).collect();
        let checks: Vec<_> = items.iter().map(Item::check).collect();
        let mut out = Vec::new();
        hsm.verify_macs(&checks, &mut out);
        let wrong = items.iter().zip(&out).filter(|(_, result)| result.is_err());
        let mismatches: Vec<_> = wrong
            .map(|(item, _)| Mismatch {
                id: item.vector.id.clone(),
                reason: Reason::Differs("mac8 in a batch".to_owned()),
                expected: None,
            })
            .collect();
        for item in &items {
            hsm.unload_key(item.key);
        }
        if let Some(item) = items.first().filter(|_| !mismatches.is_empty()) {
            found.push((item.vector.family.as_str(), mismatches));
        }
    }
    found
}

impl Item<'_> {
    fn check(&self) -> MacCheck<'_> {
        let Self { algorithm, key, data, mac, .. } = self;
        MacCheck { key: (*key).into(), algorithm: *algorithm, data, mac: *mac }
    }
}

/// `None` for a vector that was found malformed already.
fn item<'a>(vector: &'a Vector, hsm: &mut Hsm) -> Option<Item<'a>> {
    let algorithm = algorithm(vector).ok()?;
    let data = vector.bytes("data_hex").ok()?;
    let mut checker = Checker::new(vector, hsm);
    let key: KeyHandle = checker.load(algorithm.usage(), &vector.bytes("key").ok()?).ok()?;
    let mut mac = [0; 8];
    let expected = checker.expected_text("mac8")?;
    if !crate::hex::decode(expected.as_bytes(), &mut mac) {
        return None;
    }
    Some(Item { vector, algorithm, key, data, mac })
}
