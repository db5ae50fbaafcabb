//! Translations and offsets in lanes.

use super::*;
use crate::{
    DecimalisationTable, EncryptedPin, OffsetCheck, OffsetRequest, PinBlock, PinFormat, PinOffset,
    PinTranslation, ValidationData, aes_key::AesKey,
};

const AES_KEY: [u8; 16] = [0x5A; 16];

/// A PIN as it came: whose, under which key, in which format, and the block.
type Came = (usize, KeyRef, PinFormat, Vec<u8>);

/// PINs in every format, of which one in ten is none, under keys of which some may not be used.
fn came(city: &mut City, aes: KeyHandle, choose: &mut impl FnMut(usize) -> usize) -> Came {
    let card = choose(city.pans.len());
    let pan = &city.pans[card];
    let pin = Pin::parse(&b"123456789012"[..4 + choose(9)]).unwrap();
    let format = PinFormat::ALL[choose(4)];
    if format == PinFormat::Iso4 {
        let block = pin.to_iso4(&AesKey::new(&AES_KEY).unwrap(), pan.expose(), [byte(choose(256)); 8]);
        let key = if choose(10) == 0 { city.pin[0] } else { aes };
        return (card, key.into(), format, block.to_vec());
    }
    let key = match choose(12) {
        0 => city.stale.into(),
        1 => city.mac[0].1.into(),
        2 => aes.into(),
        3..=6 => one_time(city.psam[0], choose),
        _ => city.pin[choose(city.pin.len())].into(),
    };
    let clear = match format {
        PinFormat::Iso1 => pin.to_iso1(&[7; 10]),
        format => pin.to_clear(format, pan, &mut seeded(1 + choose(99) as u64)).unwrap(),
    };
    let mut block = match city.hsm.keys.item_key(&city.hsm.lmk, key, Purpose::Pin) {
        Ok(key) if choose(10) > 0 => key.encrypt(clear).to_vec(),
        _ => vec![byte(choose(256)); 8],
    };
    if choose(20) == 0 {
        block.pop();
    }
    (card, key, format, block)
}

fn cities() -> (City, City, [KeyHandle; 2]) {
    let (mut first, mut second) = (city(64), city(1024));
    let add = |city: &mut City| {
        [
            import(&mut city.hsm, KeyUsage::PinEncryptionAes, &AES_KEY),
            generate(&mut city.hsm, KeyUsage::PinOffset, 303),
        ]
    };
    let keys = add(&mut first);
    assert_eq!(add(&mut second), keys, "handles are given out in order");
    (first, second, keys)
}

#[test]
fn pins_are_translated_as_alone() {
    let (mut city, mut other, [aes, _]) = cities();
    let mut choose = choices(6);
    for size in SIZES {
        let came: Vec<Came> = (0..size).map(|_| came(&mut city, aes, &mut choose)).collect();
        let to: Vec<(KeyHandle, PinFormat)> = (0..size)
            .map(|_| match choose(12) {
                0 => (city.stale, PinFormat::Iso0),
                1 => (city.cvk, PinFormat::Iso0),
                2 => (city.pin[1], PinFormat::Iso1),
                3 => (city.pin[1], PinFormat::Iso4),
                _ => (city.pin[choose(city.pin.len())], PinFormat::Iso0),
            })
            .collect();
        let pans = city.pans.clone();
        let items: Vec<PinTranslation<'_>> = came
            .iter()
            .zip(&to)
            .map(|((card, key, format, block), (to_key, to_format))| {
                let pin = EncryptedPin { key: *key, format: *format, block, pan: &pans[*card] };
                PinTranslation { pin, to_key: *to_key, to_format: *to_format }
            })
            .collect();
        let call = |hsm: &mut Hsm, items: &[_], out: &mut _| hsm.translate_pins(items, &mut seeded(9), out);
        let translated = agree((&mut city.hsm, &mut other.hsm), &items, call);
        round_through_random_letters(&mut city.hsm, &items, &translated);
        if size > 250 {
            for want in [HsmError::PinBlock, HsmError::PinFormat, HsmError::NoSuchKey] {
                assert!(translated.contains(&Err(want)), "{want:?} among {size}");
            }
            assert!(translated.iter().filter(|block| block.is_ok()).count() > size / 4);
        }
    }
}

/// Through format 3, whose letters are drawn, the same PINs come to the same end.
fn round_through_random_letters(
    hsm: &mut Hsm,
    items: &[PinTranslation<'_>],
    direct: &[Result<PinBlock, HsmError>],
) {
    let good = items.iter().zip(direct).filter(|(_, block)| block.is_ok());
    let (good, want): (Vec<&PinTranslation<'_>>, Vec<&Result<PinBlock, HsmError>>) = good.unzip();
    let there: Vec<PinTranslation<'_>> =
        good.iter().map(|item| PinTranslation { to_format: PinFormat::Iso3, ..**item }).collect();
    let (mut sealed, mut back) = (Vec::new(), Vec::new());
    hsm.translate_pins(&there, &mut seeded(10), &mut sealed);
    let again: Vec<PinTranslation<'_>> = there
        .iter()
        .zip(&sealed)
        .map(|(item, block)| {
            let block = block.as_ref().unwrap().as_bytes();
            let pin =
                EncryptedPin { key: item.to_key.into(), format: PinFormat::Iso3, block, pan: item.pin.pan };
            PinTranslation { pin, to_format: PinFormat::Iso0, ..*item }
        })
        .collect();
    hsm.translate_pins(&again, &mut seeded(11), &mut back);
    assert!(back.iter().eq(want));
}

#[test]
fn offsets_are_made_and_checked_as_alone() {
    let (mut city, mut other, [aes, offset_key]) = cities();
    let mut choose = choices(7);
    let table = DecimalisationTable::parse(b"0123456789012345").unwrap();
    for size in SIZES {
        let came: Vec<Came> = (0..size).map(|_| came(&mut city, aes, &mut choose)).collect();
        let pans = city.pans.clone();
        let requests: Vec<OffsetRequest<'_>> = came
            .iter()
            .map(|(card, key, format, block)| {
                let pan = &pans[*card];
                let pvk = if choose(15) == 0 { city.pvk } else { offset_key };
                let validation = ValidationData::from_pan(pan, choose(4), 8, byte(choose(16))).unwrap();
                let pin = EncryptedPin { key: *key, format: *format, block, pan };
                OffsetRequest { pin, pvk, table: &table, validation }
            })
            .collect();
        let text = |hsm: &mut Hsm, items: &[OffsetRequest<'_>], out: &mut Vec<_>| {
            let mut offsets = Vec::new();
            hsm.derive_pin_offsets(items, &mut offsets);
            out.clear();
            out.extend(offsets.into_iter().map(|offset| Ok(offset?.as_bytes().to_vec())));
        };
        let made = agree((&mut city.hsm, &mut other.hsm), &requests, text);
        let checks: Vec<OffsetCheck<'_>> = requests
            .iter()
            .zip(made)
            .map(|(request, offset)| {
                let mut digits = offset.unwrap_or(b"0000".to_vec());
                if choose(4) == 0 {
                    digits[0] ^= 1;
                }
                OffsetCheck { request: *request, offset: PinOffset::parse(&digits).unwrap() }
            })
            .collect();
        let call = |hsm: &mut Hsm, items: &[_], out: &mut _| hsm.verify_pin_offsets(items, out);
        let checked = agree((&mut city.hsm, &mut other.hsm), &checks, call);
        if size > 250 {
            let wrong_key =
                HsmError::WrongUsage { have: KeyUsage::PinVerification, need: KeyUsage::PinOffset };
            for want in [
                Ok(()),
                Err(HsmError::VerificationFailed),
                Err(HsmError::PinBlock),
                Err(HsmError::NoSuchKey),
                Err(wrong_key),
            ] {
                assert!(checked.contains(&want), "{want:?} among {size}");
            }
        }
    }
}
