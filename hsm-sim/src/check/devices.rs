//! Keys per transaction: DUKPT of both kinds and PSAM scheme v1.

use super::{Checker, Fault, Vector, vector::malformed};
use crate::{
    AesKsn, Direction, HsmError, KeyRef, KeyUsage, Ksn, MacAlgorithm, MacRequest, PsamNumber,
    des_key::DesKey,
    dukpt::{self, Variant},
    dukpt_aes::{self, Purpose},
    emulator::{Psam, PsamMasters},
    mac,
    pin::Pin,
    psam::{diversify, transaction_factor},
    purse::diversified,
};

pub(super) fn dukpt_tdes(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let base = dukpt::BaseKey::new(&vector.bytes("bdk")?)?;
    let ksn = Ksn::parse(&vector.array("ksn")?).map_err(|_| malformed("ksn"))?;
    let (pan, pin) = (vector.pan("pan")?, vector.digits("pin")?);
    let pin = Pin::parse(pin).map_err(|_| malformed("pin"))?;
    let data = vector.text("mac_data_ascii")?.as_bytes();

    let key = base.transaction_key(&ksn);
    checker.bytes("ipek", &*base.initial_key(&ksn));
    checker.bytes("transaction_key", &*key);
    for (name, place) in [("pin_key", 7), ("mac_request_key", 6), ("mac_response_key", 4)] {
        checker.bytes(name, &variant(&key, place));
    }
    // Data keys have no command; their derivation encrypts the variant's halves under itself.
    let data_variant = variant(&key, 5);
    let encrypting = DesKey::new(&data_variant).map_err(HsmError::from)?;
    checker.bytes("data_request_key", &encrypting.encrypt_key(&data_variant));

    let pin_key = base.working_key(&ksn, Variant::Pin)?;
    checker.bytes("pin_block_iso0", &pin_key.encrypt(pin.to_iso0(&pan)));
    let bdk = checker.load(KeyUsage::DukptTdes, &vector.bytes("bdk")?)?;
    let key = KeyRef::Dukpt { bdk, ksn, direction: Direction::Request };
    let mut out = Vec::new();
    checker.hsm.generate_macs(&[MacRequest { key, algorithm: MacAlgorithm::X919, data }], &mut out);
    checker.hsm.unload_key(bdk);
    checker.bytes("retail_mac_request", &out.remove(0)?);
    Ok(())
}

fn variant(key: &[u8; 16], place: usize) -> [u8; 16] {
    let mut variant = *key;
    for half in variant.as_chunks_mut::<8>().0 {
        half[place] ^= 0xFF;
    }
    variant
}

pub(super) fn dukpt_aes128(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let base = dukpt_aes::BaseKey::new(&vector.bytes("bdk")?)?;
    let (device, counter) = (vector.array::<8>("initial_key_id")?, vector.array::<4>("counter")?);
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&device);
    bytes[8..].copy_from_slice(&counter);
    // One published counter has more one bits than a device ever uses.
    let ksn = AesKsn::of_any_counter(bytes);
    checker.bytes("initial_key", base.initial_key(&ksn).as_bytes());
    checker.bytes("derivation_key", base.derivation_key(&ksn)?.as_bytes());
    for (name, purpose) in [
        ("PIN", Purpose::PinEncryption),
        ("MAC_GEN", Purpose::MacGeneration),
        ("MAC_VER", Purpose::MacVerification),
        ("DATA_ENC", Purpose::DataEncryption),
        ("DATA_DEC", Purpose::DataDecryption),
    ] {
        checker.bytes_in("working_keys", name, base.working_key_bytes(&ksn, purpose)?.as_bytes());
    }
    Ok(())
}

pub(super) fn psam(vector: &Vector, checker: &mut Checker<'_>) -> Result<(), Fault> {
    let number = PsamNumber::parse_bcd(&vector.array("psam_no")?).map_err(|_| malformed("psam_no"))?;
    let random = vector.array("random")?;
    let stan = vector
        .digits("stan")?
        .iter()
        .fold(0, |stan: u32, digit| stan.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
    let factor = transaction_factor(random, stan)?;
    checker.bytes("factor", &factor);
    for (master, own, one_time) in [
        ("pmk_pin", "dk_pin", "sk_pin"),
        ("pmk_mac", "dk_mac", "sk_mac"),
        ("pmk_track", "dk_track", "sk_track"),
    ] {
        let master_key = vector.des_key(master)?;
        let own_key = diversify(&master_key, *number.as_bcd())?;
        let key = diversify(&own_key, factor)?;
        checker.bytes(own, &*diversified(|block| master_key.encrypt(block), *number.as_bcd()));
        checker.bytes(one_time, &*diversified(|block| own_key.encrypt(block), factor));
        if master == "pmk_mac" {
            let mac = mac::compute(&key, MacAlgorithm::Psam, &vector.bytes("mac_data_hex")?)?;
            checker.bytes("mac8", &mac);
        }
    }
    let (pan, psam) = (vector.pan("pan")?, card_side(vector, number)?);
    let refused = |error: crate::emulator::EmulatorError| Fault::Engine(error.to_string());
    let block = psam.pin_block(random, stan, vector.digits("pin")?, &pan).map_err(refused)?;
    checker.bytes("pin_block", &block);
    let track = psam.track(random, stan, vector.text("track2")?.as_bytes()).map_err(refused)?;
    checker.bytes("track2_enc", &track);
    Ok(())
}

/// The terminal's side, which encrypts PIN and track.
fn card_side(vector: &Vector, number: PsamNumber) -> Result<Psam, Fault> {
    let pin: [u8; 16] = vector.array("pmk_pin")?;
    let masters =
        PsamMasters { pin, mac: vector.array("pmk_mac")?, track: vector.array("pmk_track")?, auth: pin };
    Psam::new(number, &masters).map_err(|error| Fault::Engine(error.to_string()))
}
