//! PIN blocks, PIN verification and card values.

use super::{Checker, Fault, Vector, vector::malformed};
use crate::{
    CvvCheck, DecimalisationTable, EncryptedPin, HsmError, KeyUsage, PinCheck, PinFormat, PinTranslation,
    aes_key::AesKey,
    cvv,
    pan::check_digit as luhn,
    pin::{
        Pin,
        formats::pan_field_iso4,
        offset::{self, ValidationData},
    },
};

/// What a triple DES block's two values are, and that it opens again as the PIN it was made of.
fn encrypted(
    vector: &Vector,
    checker: &mut Checker<'_>,
    clear: [u8; 8],
    pin: &Pin,
    opened: Result<Pin, HsmError>,
) -> Result<(), Fault> {
    checker.bytes("clear", &clear);
    checker.bytes("encrypted", &vector.des_key("zpk")?.encrypt(clear));
    if opened? != *pin {
        return Err(Fault::Engine("the block does not open as it was made".to_owned()));
    }
    Ok(())
}

fn pin(vector: &Vector) -> Result<Pin, Fault> {
    Pin::parse(vector.digits("pin")?).map_err(|_| malformed("pin"))
}

pub(super) fn iso0(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let (pin, pan) = (pin(vector)?, vector.pan("pan")?);
    let clear = pin.to_iso0(&pan);
    encrypted(vector, checker, clear, &pin, Pin::from_iso0(clear, &pan))
}

pub(super) fn iso1(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let (pin, fill) = (pin(vector)?, vector.nibbles("transaction_field")?);
    let clear = pin.to_iso1(&fill);
    encrypted(vector, checker, clear, &pin, Pin::from_iso1(clear))
}

pub(super) fn iso2(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    checker.bytes("clear", &pin(vector)?.to_iso2());
    Ok(())
}

pub(super) fn iso3(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let (pin, pan, fill) = (pin(vector)?, vector.digits("pan")?, vector.nibbles("fill")?);
    let clear = pin.to_iso3(pan, &fill);
    encrypted(vector, checker, clear, &pin, Pin::from_iso3(clear, pan))
}

pub(super) fn iso4(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let (pin, pan, random) = (pin(vector)?, vector.digits("pan")?, vector.array("random8")?);
    let key = AesKey::new(&vector.bytes("aes_key")?)?;
    let field = pin.pin_field_iso4(random);
    let block = pin.to_iso4(&key, pan, random);
    // Made elsewhere there may be no steps between.
    let steps: [(&str, [u8; 16]); 3] =
        [("pin_field", *field), ("pan_field", pan_field_iso4(pan)), ("block_a", key.encrypt(*field))];
    for (name, step) in steps {
        if checker.expects(name) {
            checker.bytes(name, &step);
        }
    }
    checker.bytes("encrypted", &block);
    if Pin::from_iso4(&key, block, pan)? != pin {
        return Err(Fault::Engine("the block does not open as it was made".to_owned()));
    }
    Ok(())
}

/// Through the whole engine.
pub(super) fn translate(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let (pan, block) = (vector.pan("pan")?, vector.bytes("source_block")?);
    let (from, to) = (format(vector, "source_format")?, format(vector, "dest_format")?);
    let source = checker.load(pin_usage(from), &vector.bytes("source_zpk")?)?;
    let to_key = checker.load(pin_usage(to), &vector.bytes("dest_zpk")?)?;
    let fill = if to == PinFormat::Iso3 { vector.nibbles("dest_fill")? } else { Vec::new() };
    // The engine draws a letter as the upper byte of six times a random one.
    let mut drawn = fill.iter().map(|letter| letter.saturating_sub(10) * 43);
    let mut entropy = |bytes: &mut [u8]| bytes.fill_with(|| drawn.next().unwrap_or(0));
    let pin = EncryptedPin { key: source.into(), format: from, block: &block, pan: &pan };
    let mut out = Vec::new();
    let item = PinTranslation { pin, to_key, to_format: to };
    checker.hsm.translate_pins(&[item], &mut entropy, &mut out);
    for key in [source, to_key] {
        checker.hsm.unload_key(key);
    }
    for block in out {
        checker.bytes("dest_block", block?.as_bytes());
    }
    Ok(())
}

fn format(vector: &Vector, field: &str) -> Result<PinFormat, Fault> {
    match vector.text(field)? {
        "ISO0" => Ok(PinFormat::Iso0),
        "ISO1" => Ok(PinFormat::Iso1),
        "ISO3" => Ok(PinFormat::Iso3),
        "ISO4" => Ok(PinFormat::Iso4),
        _ => Err(malformed(field)),
    }
}

fn pin_usage(format: PinFormat) -> KeyUsage {
    match format {
        PinFormat::Iso4 => KeyUsage::PinEncryptionAes,
        _ => KeyUsage::PinEncryption,
    }
}

pub(super) fn ibm3624(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let (key, pin) = (vector.des_key("pvk")?, pin(vector)?);
    let table = DecimalisationTable::parse(&vector.digits_array("decimalisation_table")?)
        .map_err(|_| malformed("decimalisation_table"))?;
    let validation = ValidationData::from_packed(vector.array("validation_data")?);
    let natural = offset::natural_digits(&key, &table, validation);
    let length = vector.digits("pin")?.len();
    let natural: Vec<u8> = natural[..length].iter().map(|digit| digit + b'0').collect();
    checker.text("natural_pin", &String::from_utf8_lossy(&natural));
    let offset = offset::offset(&key, &table, validation, &pin);
    checker.text("offset", &String::from_utf8_lossy(offset.as_bytes()));
    Ok(())
}

/// The value, and that a PIN block verifies against it in the engine.
pub(super) fn visa_pvv(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    const PIN_KEY: [u8; 16] = *b"a key of sixteen";
    let (pin, pan) = (pin(vector)?, vector.pan("pan")?);
    let [pvki] = vector.digits_array("pvki")?;
    let pvki = pvki - b'0';
    let pvk = checker.load(KeyUsage::PinVerification, &vector.bytes("pvk")?)?;
    let pvv = checker.hsm.test_pvv(pvk, pvki, &pan, vector.digits("pin")?)?;
    checker.text("pvv", &String::from_utf8_lossy(&pvv));

    let pin_key = checker.load(KeyUsage::PinEncryption, &PIN_KEY)?;
    let block = crate::des_key::DesKey::new(&PIN_KEY).map_err(HsmError::from)?.encrypt(pin.to_iso0(&pan));
    let mut out = Vec::new();
    let item = PinCheck { pin_key: pin_key.into(), block, pan: &pan, pvk, pvki, pvv };
    checker.hsm.verify_pins(&[item], &mut out);
    for key in [pvk, pin_key] {
        checker.hsm.unload_key(key);
    }
    Ok(out.into_iter().collect::<Result<(), _>>()?)
}

/// The value, and that it verifies in the engine where the card number is one.
pub(super) fn cvv(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let (expiry, service_code) = (vector.digits_array("expiry")?, vector.digits_array("service_code")?);
    let value = cvv::cvv(&vector.des_key("cvk")?, vector.digits("pan")?, &expiry, &service_code);
    checker.text("cvv", &String::from_utf8_lossy(&value));
    let Ok(pan) = vector.pan("pan") else { return Ok(()) };
    let cvk = checker.load(KeyUsage::CardVerification, &vector.bytes("cvk")?)?;
    let mut out = Vec::new();
    checker.hsm.verify_cvvs(&[CvvCheck { cvk, pan: &pan, expiry, service_code, cvv: value }], &mut out);
    checker.hsm.unload_key(cvk);
    Ok(out.into_iter().collect::<Result<(), _>>()?)
}

pub(super) fn check_digit(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let digit = luhn(vector.digits("body")?).ok_or_else(|| malformed("body"))?;
    checker.text("check_digit", &char::from(digit).to_string());
    Ok(())
}
