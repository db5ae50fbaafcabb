//! PIN translation and offsets through the engine.

use super::*;
use crate::{
    DecimalisationTable, EncryptedPin, OffsetCheck, OffsetRequest, PinBlock, PinFormat, PinOffset,
    PinTranslation, ValidationData, aes_key::AesKey, pin::Pin,
};

const OTHER_KEY: &str = "11223344556677888877665544332211";
const AES_KEY: &str = "C1D0F8FB4958670DBA40AB1F3752EF0D";
/// The PIN 92389 of [`pan`] in format 0 under [`KEY`].
const BLOCK: &str = "9A05DA4A897EADC3";

fn block() -> [u8; 8] {
    vectors::array(BLOCK)
}

fn table() -> DecimalisationTable {
    DecimalisationTable::parse(b"0123456789012345").unwrap()
}

fn translate(hsm: &mut Hsm, item: PinTranslation<'_>) -> Result<PinBlock, HsmError> {
    let mut out = Vec::new();
    hsm.translate_pins(&[item], &mut seeded(11), &mut out);
    assert_eq!(out.len(), 1);
    out[0]
}

/// A PIN in format 4 under the AES key [`KEY`], as `good_key` makes it, goes on under triple DES.
pub(super) fn translate_from_aes(hsm: &mut Hsm, key: KeyHandle) -> Result<PinBlock, HsmError> {
    let pan = pan();
    let clear = AesKey::new(&vectors::bytes(KEY)).unwrap();
    let block = Pin::parse(b"1234").unwrap().to_iso4(&clear, pan.expose(), [9; 8]);
    let pin = EncryptedPin { key: key.into(), format: PinFormat::Iso4, block: &block, pan: &pan };
    let to_key = import(hsm, KeyUsage::PinEncryption, &vectors::bytes(OTHER_KEY));
    translate(hsm, PinTranslation { pin, to_key, to_format: PinFormat::Iso0 })
}

pub(super) fn derive_offset(hsm: &mut Hsm, pvk: KeyHandle) -> Result<PinOffset, HsmError> {
    let (pan, block, table) = (pan(), block(), table());
    let key = import(hsm, KeyUsage::PinEncryption, &vectors::bytes(KEY)).into();
    let pin = EncryptedPin { key, format: PinFormat::Iso0, block: &block, pan: &pan };
    let validation = ValidationData::from_pan(&pan, 0, 16, 0).unwrap();
    let mut out = Vec::new();
    hsm.derive_pin_offsets(&[OffsetRequest { pin, pvk, table: &table, validation }], &mut out);
    out[0]
}

#[test]
fn a_pin_that_goes_round_through_every_format_comes_back_as_it_was() {
    let (mut hsm, pan, first) = (test_hsm(), pan(), block());
    let zpk = import(&mut hsm, KeyUsage::PinEncryption, &vectors::bytes(KEY));
    let other = import(&mut hsm, KeyUsage::PinEncryption, &vectors::bytes(OTHER_KEY));
    let aes = import(&mut hsm, KeyUsage::PinEncryptionAes, &vectors::bytes(AES_KEY));
    let (mut block, mut key, mut format) = (PinBlock::new(&first), zpk, PinFormat::Iso0);
    for (to_key, to_format, length) in
        [(other, PinFormat::Iso3, 8), (aes, PinFormat::Iso4, 16), (other, PinFormat::Iso0, 8)]
    {
        let pin = EncryptedPin { key: key.into(), format, block: block.as_bytes(), pan: &pan };
        block = translate(&mut hsm, PinTranslation { pin, to_key, to_format }).unwrap();
        assert_eq!(block.as_bytes().len(), length);
        assert_ne!(block.as_bytes(), first);
        (key, format) = (to_key, to_format);
    }
    let pin = EncryptedPin { key: key.into(), format, block: block.as_bytes(), pan: &pan };
    let back = translate(&mut hsm, PinTranslation { pin, to_key: zpk, to_format: PinFormat::Iso0 });
    assert_eq!(back.unwrap().as_bytes(), first);
}

#[test]
fn a_translation_that_is_not_allowed_has_its_own_error() {
    let (mut hsm, pan, first) = (test_hsm(), pan(), block());
    let zpk = import(&mut hsm, KeyUsage::PinEncryption, &vectors::bytes(KEY));
    let aes = import(&mut hsm, KeyUsage::PinEncryptionAes, &vectors::bytes(AES_KEY));
    let mac = import(&mut hsm, KeyUsage::MacX919, &vectors::bytes(OTHER_KEY));
    let other_card = Pan::parse(b"6225880137706868").unwrap();
    let pin = EncryptedPin { key: zpk.into(), format: PinFormat::Iso0, block: &first, pan: &pan };
    let good = PinTranslation { pin, to_key: zpk, to_format: PinFormat::Iso3 };
    assert!(translate(&mut hsm, good).is_ok());
    let wrong_usage = |have, need| HsmError::WrongUsage { have, need };
    let from = |pin| PinTranslation { pin, ..good };
    for (name, item, want) in [
        (
            "a format without card number",
            PinTranslation { to_format: PinFormat::Iso1, ..good },
            HsmError::PinFormat,
        ),
        (
            "format 4 under triple DES",
            PinTranslation { to_format: PinFormat::Iso4, ..good },
            wrong_usage(KeyUsage::PinEncryption, KeyUsage::PinEncryptionAes),
        ),
        (
            "format 0 under AES",
            PinTranslation { to_key: aes, ..good },
            wrong_usage(KeyUsage::PinEncryptionAes, KeyUsage::PinEncryption),
        ),
        (
            "under a MAC key",
            PinTranslation { to_key: mac, ..good },
            wrong_usage(KeyUsage::MacX919, KeyUsage::PinEncryption),
        ),
        ("another card's block", from(EncryptedPin { pan: &other_card, ..pin }), HsmError::PinBlock),
        (
            "a block of another format",
            from(EncryptedPin { format: PinFormat::Iso3, ..pin }),
            HsmError::PinBlock,
        ),
        ("a short block", from(EncryptedPin { block: &first[..7], ..pin }), HsmError::PinBlock),
        (
            "a short block of format 4",
            from(EncryptedPin { key: aes.into(), format: PinFormat::Iso4, ..pin }),
            HsmError::PinBlock,
        ),
    ] {
        assert_eq!(translate(&mut hsm, item), Err(want), "{name}");
    }
}

#[test]
fn one_bad_item_spoils_no_other() {
    let (mut hsm, pan, first) = (test_hsm(), pan(), block());
    let zpk = import(&mut hsm, KeyUsage::PinEncryption, &vectors::bytes(KEY));
    let pin = EncryptedPin { key: zpk.into(), format: PinFormat::Iso0, block: &first, pan: &pan };
    let good = PinTranslation { pin, to_key: zpk, to_format: PinFormat::Iso0 };
    let bad = PinTranslation { pin: EncryptedPin { block: &[0; 8], ..pin }, ..good };
    let mut out = vec![Err(HsmError::TableFull); 9];
    hsm.translate_pins(&[good, bad, good], &mut seeded(1), &mut out);
    let same = Ok(PinBlock::new(&first));
    assert_eq!(out, [same, Err(HsmError::PinBlock), same]);
}

#[test]
fn a_pin_from_a_dukpt_device_goes_on_under_a_zone_key() {
    let mut hsm = test_hsm();
    let zpk = import(&mut hsm, KeyUsage::PinEncryption, &vectors::bytes(KEY));
    for vector in vectors::family("dukpt_tdes") {
        let bdk = import(&mut hsm, KeyUsage::DukptTdes, &vector.input_bytes("bdk"));
        let ksn = crate::Ksn::parse(&vectors::array(vector.input("ksn"))).unwrap();
        let key = KeyRef::Dukpt { bdk, ksn, direction: crate::Direction::Request };
        let pan = Pan::parse(vector.input("pan").as_bytes()).unwrap();
        let block = vector.expected_bytes("pin_block_iso0");
        let pin = EncryptedPin { key, format: PinFormat::Iso0, block: &block, pan: &pan };
        let block = translate(&mut hsm, PinTranslation { pin, to_key: zpk, to_format: PinFormat::Iso0 });
        // The PIN is 1234 in all of them, as in a vector of format 0.
        let same = vectors::family("pinblock_iso0").into_iter().find(|other| {
            other.input("pin") == vector.input("pin") && other.input("pan") == vector.input("pan")
        });
        assert_eq!(block.unwrap().as_bytes(), same.unwrap().expected_bytes("encrypted"), "{}", vector.id);
    }
}

#[test]
fn an_offset_that_was_derived_verifies_and_no_other_does() {
    let mut hsm = test_hsm();
    let pvk = import(&mut hsm, KeyUsage::PinOffset, &vectors::bytes(OTHER_KEY));
    let offset = derive_offset(&mut hsm, pvk).unwrap();
    let (pan, first, table) = (pan(), block(), table());
    let key = import(&mut hsm, KeyUsage::PinEncryption, &vectors::bytes(KEY)).into();
    let pin = EncryptedPin { key, format: PinFormat::Iso0, block: &first, pan: &pan };
    let validation = ValidationData::from_pan(&pan, 0, 16, 0).unwrap();
    let good = OffsetCheck { request: OffsetRequest { pin, pvk, table: &table, validation }, offset };
    let mut digits = offset.as_bytes().to_vec();
    digits[4] = if digits[4] == b'9' { b'0' } else { digits[4] + 1 };
    let wrong = OffsetCheck { offset: PinOffset::parse(&digits).unwrap(), ..good };
    let short = OffsetCheck { offset: PinOffset::parse(&offset.as_bytes()[..4]).unwrap(), ..good };
    let broken = OffsetCheck {
        request: OffsetRequest { pin: EncryptedPin { block: &[0; 8], ..pin }, ..good.request },
        ..good
    };
    let mut out = Vec::new();
    hsm.verify_pin_offsets(&[good, wrong, short, broken], &mut out);
    let refused = Err(HsmError::VerificationFailed);
    assert_eq!(out, [Ok(()), refused, refused, Err(HsmError::PinBlock)]);
}

#[test]
fn offsets_have_four_to_twelve_digits() {
    for (text, good) in
        [("123", false), ("1234", true), ("123456789012", true), ("1234567890123", false), ("12 4", false)]
    {
        assert_eq!(PinOffset::parse(text.as_bytes()).is_some(), good, "{text}");
    }
}
