//! The engine from outside: which key may do what, limits, and batches.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    KeyBlockError, KeyRef, MacAlgorithm, Pan, PsamNumber,
    emulator::{Psam, PsamMasters, TerminalKeys, Zone},
    vectors,
};
use proptest::prelude::*;

mod batch;
mod chip;
mod dukpt;
mod exchange;
mod pins;
mod psam;
mod refusals;
mod rotation;
mod sessions;
mod zone;

const KEY: &str = "0123456789ABCDEFFEDCBA9876543210";
const MESSAGE: &[u8] = b"a message that is not whole blocks";

/// Bytes that differ from call to call and from run to run never (xorshift).
fn seeded(seed: u64) -> impl Entropy {
    let mut state = seed | 1;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state.to_be_bytes()[0];
        }
    }
}

fn test_hsm() -> Hsm {
    hsm_with(1024, 64)
}

fn hsm_with(key_slots: usize, unwrapped_keys: usize) -> Hsm {
    Hsm::with_limits(Lmk::test(), HsmLimits { key_slots, unwrapped_keys })
}

fn import(hsm: &mut Hsm, usage: KeyUsage, key: &[u8]) -> KeyHandle {
    let block = hsm.import_clear_test_key(usage, key, &mut seeded(3)).unwrap();
    hsm.load_key(&block).unwrap()
}

fn generate(hsm: &mut Hsm, usage: KeyUsage, seed: u64) -> KeyHandle {
    let block = hsm.generate_key(usage, &mut seeded(seed)).unwrap();
    hsm.load_key(&block).unwrap()
}

fn pan() -> Pan {
    Pan::parse(b"4761739001010119").unwrap()
}

fn generate_mac(hsm: &mut Hsm, key: impl Into<KeyRef>, algorithm: MacAlgorithm) -> Result<[u8; 8], HsmError> {
    let mut out = Vec::new();
    hsm.generate_macs(&[MacRequest { key: key.into(), algorithm, data: MESSAGE }], &mut out);
    assert_eq!(out.len(), 1);
    out[0]
}

/// Every command of the engine once, each with `key` in the place that needs
/// `need` and good keys everywhere else; what it answered.
fn use_as(hsm: &mut Hsm, key: KeyHandle, need: KeyUsage) -> Result<(), HsmError> {
    let pan = pan();
    let mut out = Vec::new();
    match need {
        KeyUsage::MacX919 => return generate_mac(hsm, key, MacAlgorithm::X919).map(drop),
        KeyUsage::MacUnionPayEcb => return generate_mac(hsm, key, MacAlgorithm::UnionPayEcb).map(drop),
        KeyUsage::MacCbc3Des => return generate_mac(hsm, key, MacAlgorithm::Cbc3Des).map(drop),
        KeyUsage::MacCbcDes => return generate_mac(hsm, key, MacAlgorithm::CbcDes).map(drop),
        KeyUsage::MacXorFold => return generate_mac(hsm, key, MacAlgorithm::XorFold).map(drop),
        KeyUsage::MacCmacTdes => return generate_mac(hsm, key, MacAlgorithm::CmacTdes).map(drop),
        KeyUsage::MacCmacAes => return generate_mac(hsm, key, MacAlgorithm::CmacAes).map(drop),
        KeyUsage::DukptTdes => return generate_mac(hsm, dukpt::tdes(key), MacAlgorithm::X919).map(drop),
        KeyUsage::DukptAes => return generate_mac(hsm, dukpt::aes(key), MacAlgorithm::CmacAes).map(drop),
        KeyUsage::PsamMac => return generate_mac(hsm, psam::one_time(key), MacAlgorithm::Psam).map(drop),
        KeyUsage::PsamAuth => return generate_mac(hsm, psam::own(key), MacAlgorithm::Psam).map(drop),
        KeyUsage::PsamPin => return psam::derive_pvv(hsm, psam::one_time(key)).map(drop),
        KeyUsage::PsamTrack => return psam::open_track(hsm, psam::one_time(key)).map(drop),
        KeyUsage::ZoneMaster | KeyUsage::ZoneMasterTdes => return zone::import_one(hsm, key).map(drop),
        KeyUsage::PinEncryption | KeyUsage::PinVerification => {
            let pin_key = import(hsm, KeyUsage::PinEncryption, &vectors::bytes(KEY)).into();
            let pvk = import(hsm, KeyUsage::PinVerification, &vectors::bytes(KEY));
            let pvv = hsm.test_pvv(pvk, 1, &pan, b"92389")?;
            let block = vectors::array("9A05DA4A897EADC3");
            let mut item = PinCheck { pin_key, block, pan: &pan, pvk, pvki: 1, pvv };
            if need == KeyUsage::PinEncryption {
                item.pin_key = key.into();
            } else {
                item.pvk = key;
            }
            hsm.verify_pins(&[item], &mut out);
        }
        KeyUsage::CardVerification => {
            let item =
                CvvCheck { cvk: key, pan: &pan, expiry: *b"2612", service_code: *b"201", cvv: *b"728" };
            hsm.verify_cvvs(&[item], &mut out);
        }
        KeyUsage::Token => {
            let mut out = Vec::new();
            hsm.tokenise_pans(&[TokenRequest { key, pan: &pan }], &mut out);
            return out[0].map(drop);
        }
        KeyUsage::KeyEncryption => {
            let mut out = Vec::new();
            let item = WorkingKeyRequest { tmk: key, mac_usage: KeyUsage::MacX919 };
            hsm.generate_working_keys(&[item], &mut seeded(5), &mut out);
            return out[0].clone().map(drop);
        }
        KeyUsage::PinEncryptionAes => return pins::translate_from_aes(hsm, key).map(drop),
        KeyUsage::PinOffset => return pins::derive_offset(hsm, key).map(drop),
        KeyUsage::EmvCryptogram => return chip::verify_arqc(hsm, key),
        KeyUsage::PursePurchase => return chip::purchase(hsm, key).map(drop),
        KeyUsage::PurseLoad => return chip::load(hsm, key).map(drop),
        KeyUsage::PurseTac => return chip::verify_tac(hsm, key),
    }
    out[0]
}

/// The keys under which every command of [`use_as`] succeeds.
fn good_key(hsm: &mut Hsm, usage: KeyUsage) -> KeyHandle {
    match usage {
        KeyUsage::Token => generate(hsm, usage, 7),
        KeyUsage::MacCbcDes => import(hsm, usage, &vectors::bytes(&KEY[..16])),
        _ => import(hsm, usage, &vectors::bytes(KEY)),
    }
}

#[test]
fn a_key_does_what_its_usage_says_and_nothing_else() {
    let mut hsm = test_hsm();
    for have in KeyUsage::ALL {
        let key = good_key(&mut hsm, have);
        assert_eq!(hsm.key_usage(key), Ok(have));
        for need in KeyUsage::ALL {
            let want = match (have, need) {
                (have, need) if have == need => Ok(()),
                (KeyUsage::ZoneMaster, KeyUsage::ZoneMasterTdes) => Ok(()),
                // Either kind of zone master does, and which kind is told by the key.
                (KeyUsage::ZoneMasterTdes, KeyUsage::ZoneMaster) => Ok(()),
                (have, KeyUsage::ZoneMasterTdes) => {
                    Err(HsmError::WrongUsage { have, need: KeyUsage::ZoneMaster })
                }
                (have, need) => Err(HsmError::WrongUsage { have, need }),
            };
            assert_eq!(use_as(&mut hsm, key, need), want, "{have} used as {need}");
        }
    }
}

#[test]
fn a_stale_handle_is_refused_everywhere_also_when_its_slot_is_taken_again() {
    let mut hsm = test_hsm();
    for usage in KeyUsage::ALL {
        let stale = good_key(&mut hsm, usage);
        use_as(&mut hsm, stale, usage).unwrap();
        hsm.unload_key(stale);
        assert_eq!(use_as(&mut hsm, stale, usage), Err(HsmError::NoSuchKey), "{usage}");
        let fresh = good_key(&mut hsm, usage);
        assert_ne!(stale, fresh);
        hsm.unload_key(stale);
        assert_eq!(use_as(&mut hsm, stale, usage), Err(HsmError::NoSuchKey), "{usage}");
        assert_eq!(hsm.key_usage(stale), Err(HsmError::NoSuchKey));
        assert_eq!(hsm.check_value(stale), Err(HsmError::NoSuchKey));
        assert_eq!(use_as(&mut hsm, fresh, usage), Ok(()), "{usage}");
    }
}

#[test]
fn a_handle_of_another_hsm_with_more_keys_is_refused() {
    let (mut many, mut few) = (test_hsm(), test_hsm());
    generate(&mut many, KeyUsage::MacX919, 1);
    let second = generate(&mut many, KeyUsage::MacX919, 2);
    generate(&mut few, KeyUsage::MacX919, 1);
    assert_eq!(few.check_value(second), Err(HsmError::NoSuchKey));
}

#[test]
fn one_key_past_the_last_slot_is_refused_until_another_is_unloaded() {
    let mut hsm = hsm_with(2, 2);
    let block = hsm.generate_key(KeyUsage::MacX919, &mut seeded(1)).unwrap();
    let first = hsm.load_key(&block).unwrap();
    hsm.load_key(&block).unwrap();
    assert_eq!(hsm.load_key(&block), Err(HsmError::TableFull));
    hsm.unload_key(first);
    assert!(hsm.load_key(&block).is_ok());
    assert_eq!(hsm.load_key(&block), Err(HsmError::TableFull));
}

#[test]
fn more_keys_than_the_cache_holds_give_the_same_results() {
    for unwrapped_keys in [0, 1, 2, 64] {
        let mut hsm = hsm_with(16, unwrapped_keys);
        let keys: Vec<_> = (0..5).map(|seed| generate(&mut hsm, KeyUsage::MacX919, 100 + seed)).collect();
        let macs: Vec<_> = keys.iter().map(|key| generate_mac(&mut hsm, *key, MacAlgorithm::X919)).collect();
        let mut reference = test_hsm();
        for (seed, mac) in (0..5).zip(&macs) {
            let key = generate(&mut reference, KeyUsage::MacX919, 100 + seed);
            assert_eq!(generate_mac(&mut reference, key, MacAlgorithm::X919), *mac);
        }
        for step in 0..50 {
            let index = (step * 7 + step / 5) % 5;
            assert_eq!(generate_mac(&mut hsm, keys[index], MacAlgorithm::X919), macs[index]);
        }
        hsm.unload_key(keys[0]);
        assert_eq!(generate_mac(&mut hsm, keys[0], MacAlgorithm::X919), Err(HsmError::NoSuchKey));
        assert_eq!(generate_mac(&mut hsm, keys[1], MacAlgorithm::X919), macs[1]);
    }
}

#[test]
fn a_pin_is_verified_with_room_for_one_unwrapped_key_only() {
    let mut hsm = hsm_with(16, 1);
    let pvk = good_key(&mut hsm, KeyUsage::PinVerification);
    assert_eq!(use_as(&mut hsm, pvk, KeyUsage::PinVerification), Ok(()));
}

#[test]
fn a_key_block_with_any_character_changed_is_refused() {
    let mut hsm = test_hsm();
    for usage in KeyUsage::ALL {
        let block = hsm.generate_key(usage, &mut seeded(9)).unwrap();
        for place in 0..block.as_str().len() {
            for other in ["0", "1", "7", "A", "B", "C", "E", "N", "T", "a"] {
                let mut text = block.as_str().to_owned();
                text.replace_range(place..=place, other);
                if text != block.as_str() {
                    let loaded =
                        KeyBlock::parse(&text).map_err(HsmError::from).and_then(|b| hsm.load_key(&b));
                    assert!(matches!(loaded, Err(HsmError::KeyBlock(_))), "{usage} {place} {other}");
                }
            }
        }
        assert!(hsm.load_key(&block).is_ok(), "{usage}");
    }
}

#[test]
fn a_key_block_under_another_master_key_is_refused() {
    let mut other = Hsm::new(Lmk::from_bytes(Zeroizing::new([1; 32])));
    let block = other.generate_key(KeyUsage::MacX919, &mut seeded(1)).unwrap();
    assert!(other.load_key(&block).is_ok());
    let refused = test_hsm().load_key(&block);
    assert_eq!(refused, Err(HsmError::KeyBlock(KeyBlockError::Authentication)));
}

#[test]
fn authentic_blocks_that_do_not_fit_together_are_refused() {
    // Wrapped correctly, with a length the usage does not allow or a weak key inside.
    let mut hsm = test_hsm();
    for (name, usage, key, want) in [
        ("a short token key", KeyUsage::Token, &[7; 16][..], HsmError::KeyLength),
        ("a single-length retail MAC key", KeyUsage::MacX919, &vectors::bytes(KEY)[..8], HsmError::KeyLength),
        ("equal halves", KeyUsage::PinEncryption, &[0x23; 16], HsmError::WeakKey),
    ] {
        let block = hsm.lmk.wrap(usage, key, &mut seeded(1));
        assert_eq!(hsm.load_key(&block), Err(want), "{name}");
    }
}

#[test]
fn what_needs_the_test_key_is_refused_under_another() {
    let mut hsm = Hsm::new(Lmk::from_bytes(Zeroizing::new([1; 32])));
    assert!(!hsm.is_test());
    let refused = hsm.import_clear_test_key(KeyUsage::MacX919, &vectors::bytes(KEY), &mut seeded(1));
    assert_eq!(refused, Err(HsmError::NotTestMode));
    let pvk = generate(&mut hsm, KeyUsage::PinVerification, 1);
    assert_eq!(hsm.test_pvv(pvk, 1, &pan(), b"1234"), Err(HsmError::NotTestMode));
    let cvk = generate(&mut hsm, KeyUsage::CardVerification, 1);
    assert_eq!(hsm.test_cvv(cvk, &pan(), b"2612", b"201"), Err(HsmError::NotTestMode));
}

#[test]
fn bad_clear_keys_are_not_imported() {
    let mut hsm = test_hsm();
    for (name, usage, key, want) in [
        ("nothing", KeyUsage::MacX919, "", HsmError::KeyLength),
        ("single length", KeyUsage::KeyEncryption, "0123456789ABCDEF", HsmError::KeyLength),
        ("triple length", KeyUsage::PinEncryption, &KEY.repeat(2)[..48], HsmError::KeyLength),
        ("a DES key as token key", KeyUsage::Token, KEY, HsmError::KeyLength),
        ("equal halves", KeyUsage::MacX919, "0123456789ABCDEF0123456789ABCDEF", HsmError::WeakKey),
        ("a weak half", KeyUsage::PinVerification, "0123456789ABCDEF0101010101010101", HsmError::WeakKey),
    ] {
        let refused = hsm.import_clear_test_key(usage, &vectors::bytes(key), &mut seeded(1));
        assert_eq!(refused, Err(want), "{name}");
    }
    let single =
        hsm.import_clear_test_key(KeyUsage::MacUnionPayEcb, &vectors::bytes(KEY)[..8], &mut seeded(1));
    assert!(hsm.load_key(&single.unwrap()).is_ok());
}

#[test]
fn a_random_source_that_repeats_itself_makes_no_keys() {
    let mut hsm = test_hsm();
    let mut stuck = |bytes: &mut [u8]| bytes.fill(0);
    assert_eq!(hsm.generate_key(KeyUsage::PinEncryption, &mut stuck), Err(HsmError::WeakKey));
    let mut same = |bytes: &mut [u8]| (0_u8..).zip(bytes).for_each(|(number, byte)| *byte = number);
    assert!(hsm.generate_key(KeyUsage::PinEncryption, &mut same).is_ok());
    let tmk = good_key(&mut hsm, KeyUsage::KeyEncryption);
    let mut out = Vec::new();
    let item = WorkingKeyRequest { tmk, mac_usage: KeyUsage::MacX919 };
    hsm.generate_working_keys(&[item], &mut same, &mut out);
    assert_eq!(out, [Err(HsmError::WeakKey)], "PIN and MAC key would be equal");
}

#[test]
fn published_check_values_come_through_the_engine() {
    let mut hsm = test_hsm();
    let double_length = |vector: &&vectors::Vector| vector.input("key").len() == 32;
    let vectors = vectors::family("kcv_tdes");
    assert_eq!(vectors.iter().filter(double_length).count(), 3);
    for vector in vectors.iter().filter(double_length) {
        let key = import(&mut hsm, KeyUsage::KeyEncryption, &vector.input_bytes("key"));
        assert_eq!(hsm.check_value(key).unwrap().to_vec(), vector.expected_bytes("kcv6"), "{}", vector.id);
    }
}

#[test]
fn published_pins_verify_and_others_do_not() {
    let mut hsm = test_hsm();
    let pin_key = import(&mut hsm, KeyUsage::PinEncryption, &vectors::bytes(KEY)).into();
    let pvk = import(&mut hsm, KeyUsage::PinVerification, &vectors::bytes(KEY));
    let mut out = Vec::new();
    for vector in vectors::family("pinblock_iso0") {
        let pan = Pan::parse(vector.input("pan").as_bytes()).unwrap();
        let pvv = hsm.test_pvv(pvk, 1, &pan, vector.input("pin").as_bytes()).unwrap();
        let block = vectors::array(vector.expected("encrypted"));
        let other_card = Pan::parse(b"6225880137706868").unwrap();
        let good = PinCheck { pin_key, block, pan: &pan, pvk, pvki: 1, pvv };
        let mut wrong = pvv;
        wrong[3] ^= 1;
        hsm.verify_pins(
            &[
                good,
                PinCheck { pvv: wrong, ..good },
                PinCheck { pvki: 10, ..good },
                PinCheck { pan: &other_card, ..good },
                good,
            ],
            &mut out,
        );
        assert_eq!(
            out,
            [
                Ok(()),
                Err(HsmError::VerificationFailed),
                Err(HsmError::PvvKeyIndex),
                Err(HsmError::PinBlock),
                Ok(()),
            ],
            "{}",
            vector.id
        );
    }
}

#[test]
fn card_values_verify_and_others_do_not() {
    let mut hsm = test_hsm();
    let (cvk, pan) = (import(&mut hsm, KeyUsage::CardVerification, &vectors::bytes(KEY)), pan());
    assert_eq!(hsm.test_cvv(cvk, &pan, b"2612", b"201"), Ok(*b"728"));
    let good = CvvCheck { cvk, pan: &pan, expiry: *b"2612", service_code: *b"201", cvv: *b"728" };
    let mut out = Vec::new();
    hsm.verify_cvvs(
        &[
            good,
            CvvCheck { cvv: *b"729", ..good },
            CvvCheck { expiry: *b"2601", ..good },
            CvvCheck { expiry: *b"26 1", ..good },
        ],
        &mut out,
    );
    let failed = Err(HsmError::VerificationFailed);
    assert_eq!(out, [Ok(()), failed, failed, Err(HsmError::NotDigits)]);
}

#[test]
fn tokens_are_equal_for_equal_cards_under_equal_keys_only() {
    let mut hsm = test_hsm();
    let (key, other_key) = (generate(&mut hsm, KeyUsage::Token, 1), generate(&mut hsm, KeyUsage::Token, 2));
    let (pan, other_pan) = (pan(), Pan::parse(b"4111111111111111").unwrap());
    let mut out = Vec::new();
    let item = TokenRequest { key, pan: &pan };
    let items =
        [item, item, TokenRequest { pan: &other_pan, ..item }, TokenRequest { key: other_key, ..item }];
    hsm.tokenise_pans(&items, &mut out);
    assert_eq!(out[0], out[1]);
    assert_ne!(out[0], out[2]);
    assert_ne!(out[0], out[3]);
}

#[test]
fn working_keys_have_odd_parity_and_different_halves_and_match_their_check_values() {
    let mut hsm = test_hsm();
    let tmk = import(&mut hsm, KeyUsage::KeyEncryption, &vectors::bytes(KEY));
    let clear_tmk = DesKey::new(&vectors::bytes(KEY)).unwrap();
    let mut out = Vec::new();
    let items = [KeyUsage::MacX919, KeyUsage::MacUnionPayEcb, KeyUsage::PinEncryption]
        .map(|mac_usage| WorkingKeyRequest { tmk, mac_usage });
    hsm.generate_working_keys(&items, &mut seeded(11), &mut out);
    assert_eq!(out[2], Err(HsmError::NotMacUsage(KeyUsage::PinEncryption)));
    for (keys, mac_usage) in out[..2].iter().zip([KeyUsage::MacX919, KeyUsage::MacUnionPayEcb]) {
        let keys = keys.as_ref().unwrap();
        for (block, cryptogram, check_value, usage) in [
            (&keys.pin, &keys.pin_cryptogram, keys.pin_check_value, KeyUsage::PinEncryption),
            (&keys.mac, &keys.mac_cryptogram, keys.mac_check_value, mac_usage),
        ] {
            let clear = clear_tmk.decrypt_key(cryptogram);
            assert!(clear.iter().all(|byte| byte.count_ones() % 2 == 1));
            assert_ne!(clear[..8], clear[8..]);
            assert_eq!(DesKey::new(&*clear).unwrap().check_block()[..4], check_value);
            let handle = hsm.load_key(block).unwrap();
            assert_eq!(hsm.key_usage(handle), Ok(usage));
            assert_eq!(hsm.check_value(handle).unwrap(), check_value[..3]);
        }
    }
}

#[test]
fn errors_name_the_rule_only() {
    let error = HsmError::WrongUsage { have: KeyUsage::PinEncryption, need: KeyUsage::MacX919 };
    assert_eq!(error.to_string(), "a key of usage P0 cannot be used as M3");
    assert_eq!(HsmError::KeyBlock(KeyBlockError::Authentication).to_string(), "key block refused");
}

#[test]
fn printing_shows_no_key_no_card_and_no_message() {
    let mut hsm = test_hsm();
    let key = generate(&mut hsm, KeyUsage::MacX919, 1);
    let (pan, mut out) = (pan(), Vec::new());
    let tmk = import(&mut hsm, KeyUsage::KeyEncryption, &vectors::bytes(KEY));
    let request = WorkingKeyRequest { tmk, mac_usage: KeyUsage::MacX919 };
    hsm.generate_working_keys(&[request], &mut seeded(4), &mut out);
    let handle = "KeyHandle { slot: 0, generation: 0 }";
    let stored = format!("Stored({handle})");
    let by_ref = KeyRef::Stored(key);
    for (shown, want) in [
        (format!("{hsm:?}"), "Hsm { lmk: Lmk(DB3FB6, test), .. }".to_owned()),
        (
            format!("{:?}", out[0]),
            "Ok(WorkingKeys { pin: KeyBlock(D P0 …), mac: KeyBlock(D M3 …), .. })".to_owned(),
        ),
        (
            format!(
                "{:?}",
                MacCheck { key: by_ref, algorithm: MacAlgorithm::X919, data: MESSAGE, mac: [9; 8] }
            ),
            format!("MacCheck {{ key: {stored}, algorithm: X919, .. }}"),
        ),
        (
            format!("{:?}", MacRequest { key: by_ref, algorithm: MacAlgorithm::X919, data: MESSAGE }),
            format!("MacRequest {{ key: {stored}, algorithm: X919, .. }}"),
        ),
        (
            format!(
                "{:?}",
                PinCheck { pin_key: by_ref, block: [9; 8], pan: &pan, pvk: key, pvki: 1, pvv: *b"1234" }
            ),
            format!("PinCheck {{ pin_key: {stored}, pvk: {handle}, .. }}"),
        ),
        (
            format!("{:?}", PvvRequest { pin_key: by_ref, block: [9; 8], pan: &pan, pvk: key, pvki: 1 }),
            format!("PvvRequest {{ pin_key: {stored}, pvk: {handle}, .. }}"),
        ),
        (
            format!("{:?}", TrackRequest { key: by_ref, data: MESSAGE }),
            format!("TrackRequest {{ key: {stored}, .. }}"),
        ),
        (
            format!(
                "{:?}",
                CvvCheck { cvk: key, pan: &pan, expiry: *b"2612", service_code: *b"201", cvv: *b"728" }
            ),
            format!("CvvCheck {{ cvk: {handle}, .. }}"),
        ),
        (format!("{:?}", TokenRequest { key, pan: &pan }), format!("TokenRequest {{ key: {handle}, .. }}")),
    ] {
        assert_eq!(shown, want);
    }
}

/// A terminal that signed in, and the HSM's handles of its working keys.
fn signed_in(hsm: &mut Hsm, mac_usage: KeyUsage, seed: u64) -> (TerminalKeys, KeyHandle, KeyHandle) {
    let tmk = import(hsm, KeyUsage::KeyEncryption, &vectors::bytes(KEY));
    let mut out = Vec::new();
    hsm.generate_working_keys(&[WorkingKeyRequest { tmk, mac_usage }], &mut seeded(seed), &mut out);
    let keys = out.remove(0).unwrap();
    let mut terminal = TerminalKeys::new(vectors::array(KEY));
    terminal
        .accept(&keys.pin_cryptogram, &keys.pin_check_value, &keys.mac_cryptogram, &keys.mac_check_value)
        .unwrap();
    (terminal, hsm.load_key(&keys.pin).unwrap(), hsm.load_key(&keys.mac).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn terminal_and_hsm_agree_on_macs_and_a_changed_message_fails(
        data in prop::collection::vec(any::<u8>(), 1..300), place: prop::sample::Index, seed: u64,
    ) {
        for algorithm in [MacAlgorithm::X919, MacAlgorithm::UnionPayEcb] {
            let mut hsm = test_hsm();
            let (terminal, _, key) = signed_in(&mut hsm, algorithm.usage(), seed);
            let mac = terminal.mac(algorithm, &data).unwrap();
            let mut changed = data.clone();
            changed[place.index(data.len())] ^= 1;
            let mut wrong = mac;
            wrong[place.index(8)] ^= 1;
            let key = KeyRef::from(key);
            let good = MacCheck { key, algorithm, data: &data, mac };
            let mut out = Vec::new();
            hsm.verify_macs(
                &[good, MacCheck { data: &changed, ..good }, MacCheck { mac: wrong, ..good }, MacCheck { data: &[], ..good }],
                &mut out,
            );
            let failed = Err(HsmError::VerificationFailed);
            prop_assert_eq!(&out[..], &[Ok(()), failed, failed, Err(HsmError::EmptyMessage)]);

            let mut macs = Vec::new();
            hsm.generate_macs(&[MacRequest { key, algorithm, data: &data }], &mut macs);
            prop_assert_eq!(macs[0], Ok(mac));
            prop_assert!(terminal.verify(algorithm, &data, &mac));
            prop_assert!(!terminal.verify(algorithm, &data, &wrong));
        }
    }

    #[test]
    fn a_pin_typed_at_a_terminal_verifies(pin in "[0-9]{4,12}", body in "[0-9]{11,18}", seed: u64) {
        let mut hsm = test_hsm();
        let mut digits = body.into_bytes();
        digits.push(crate::check_digit(&digits).unwrap());
        let pan = Pan::parse(&digits).unwrap();
        let (terminal, pin_key, _) = signed_in(&mut hsm, KeyUsage::MacX919, seed);
        let pvk = generate(&mut hsm, KeyUsage::PinVerification, seed);
        let pvv = hsm.test_pvv(pvk, 1, &pan, pin.as_bytes()).unwrap();
        let block = terminal.pin_block(pin.as_bytes(), &pan).unwrap();
        let mut out = Vec::new();
        hsm.verify_pins(&[PinCheck { pin_key: pin_key.into(), block, pan: &pan, pvk, pvki: 1, pvv }], &mut out);
        prop_assert_eq!(out, [Ok(())]);
    }

    #[test]
    fn a_batch_answers_as_its_items_alone(picks in prop::collection::vec((0..6_usize, 1..80_usize), 0..20)) {
        // Six keys, the cache holds two; one key is of another usage and one is unloaded.
        let mut hsm = hsm_with(16, 2);
        let mut keys: Vec<_> = (0..4).map(|seed| generate(&mut hsm, KeyUsage::MacX919, seed)).collect();
        keys.push(generate(&mut hsm, KeyUsage::PinEncryption, 4));
        keys.push(generate(&mut hsm, KeyUsage::MacX919, 5));
        hsm.unload_key(keys[5]);
        let data = [0x5A; 80];
        let items: Vec<_> = picks
            .iter()
            .map(|(key, length)| MacRequest { key: keys[*key].into(), algorithm: MacAlgorithm::X919, data: &data[..*length] })
            .collect();
        let (mut batch, mut single) = (vec![Ok([0; 8])], Vec::new());
        hsm.generate_macs(&items, &mut batch);
        prop_assert_eq!(batch.len(), items.len());
        for (item, answer) in items.iter().zip(batch) {
            hsm.generate_macs(std::slice::from_ref(item), &mut single);
            prop_assert_eq!(single[0], answer);
        }
    }
}
