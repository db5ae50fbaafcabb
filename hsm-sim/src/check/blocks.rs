//! Ciphers, check values, sign-in answers and key blocks.

use super::{Checker, Fault, Vector, vector::malformed};
use crate::{
    KeyBlockError,
    aes_key::AesKey,
    des_key::DesKey,
    key_block::BlockText,
    tr31::{ProtectionCipher, ProtectionKey},
};
use aes::{Aes128, Aes192, Aes256};
use des::{TdesEde2, TdesEde3};

pub(super) fn cipher(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let (key, clear) = (vector.des_key("key")?, vector.array("plaintext")?);
    let encrypted = key.encrypt(clear);
    checker.bytes("ciphertext", &encrypted);
    if key.decrypt(encrypted) != clear {
        return Err(Fault::Engine("what was encrypted does not decrypt".to_owned()));
    }
    Ok(())
}

pub(super) fn kcv_tdes(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let key = vector.des_key("key")?;
    checker.bytes("full", &key.check_block());
    checker.bytes("kcv6", &key.check_value());
    Ok(())
}

pub(super) fn kcv_aes(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let key = AesKey::new(&vector.bytes("key")?)?;
    checker.bytes("kcv_legacy_ecb", &key.encrypt([0; 16])[..3]);
    checker.bytes("kcv_cmac_5bytes", &key.cmac(&[0; 16])[..5]);
    Ok(())
}

/// F62 of a UnionPay sign-in answer: PIN key and MAC key in ECB, each with its check value; a MAC key in 16 bytes of
/// which the last eight are zero is a single DES key in the first eight.
pub(super) fn cup_signon(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let (tmk, field): (DesKey, [u8; 40]) = (vector.des_key("tmk")?, vector.array("de62")?);
    let part = |from: usize| {
        let mut part = [0; 16];
        part.copy_from_slice(&field[from..from + 16]);
        part
    };
    let pin_key = tmk.decrypt_key(&part(0));
    let mac_key = tmk.decrypt_key(&part(20));
    let length = if part(20)[8..] == [0; 8] { 8 } else { 16 };
    let mac_key = &mac_key[..length];
    checker.bytes("pik", &*pin_key);
    checker.bytes("mak", mac_key);
    for (name, key, sent) in [("pik_kcv", &pin_key[..], &field[16..20]), ("mak_kcv", mac_key, &field[36..])] {
        let value = DesKey::new(key).map_err(crate::HsmError::from)?.check_block();
        checker.bytes(name, &value[..4]);
        if &value[..4] != sent {
            return Err(malformed("de62"));
        }
    }
    Ok(())
}

pub(super) fn tr31_unwrap(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let text = vector.text("key_block")?;
    let block = BlockText::parse(text)?;
    let header = text.get(..12).unwrap_or_default();
    for (field, from, to) in [
        ("version", 0, 1),
        ("key_usage", 5, 7),
        ("algorithm", 7, 8),
        ("mode_of_use", 8, 9),
        ("exportability", 11, 12),
    ] {
        checker.text(field, &header[from..to]);
    }
    let key = unwrap(&vector.bytes("kbpk")?, block)?;
    checker.bytes("key", &key);
    Ok(())
}

pub(super) fn tr31_reject(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let block = BlockText::parse(vector.text("key_block")?)?;
    let refused = unwrap(&vector.bytes("kbpk")?, block).err();
    let found = if refused == Some(KeyBlockError::Authentication) { "MAC mismatch" } else { "none" };
    checker.text("error", found);
    Ok(())
}

fn unwrap(kbpk: &[u8], block: BlockText<'_>) -> Result<Vec<u8>, KeyBlockError> {
    fn with<C: ProtectionCipher>(kbpk: &[u8], block: BlockText<'_>) -> Result<Vec<u8>, KeyBlockError> {
        let key = kbpk.try_into().map_err(|_| KeyBlockError::KeyLength)?;
        ProtectionKey::<C>::new(key).unwrap(block, <[u8]>::to_vec)
    }
    match (block.version(), kbpk.len()) {
        (b'B', 16) => with::<TdesEde2>(kbpk, block),
        (b'B', _) => with::<TdesEde3>(kbpk, block),
        (_, 16) => with::<Aes128>(kbpk, block),
        (_, 24) => with::<Aes192>(kbpk, block),
        (..) => with::<Aes256>(kbpk, block),
    }
}
