//! PSAM scheme v1 through the engine: what derived keys do, and what nobody does
//! with their masters.

use super::*;
use crate::psam::diversify;

const PSAM: [u8; 8] = [0x10, 0, 0, 0, 0, 0, 0, 1];
const RANDOM: [u8; 8] = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
const STAN: u32 = 1;
const TRACK: &[u8] = b"4761739001010119=26122011143800000000";
/// Masters of the four usages, in their order.
const MASTERS: [&str; 4] = [
    "11223344556677888877665544332211",
    "0123456789ABCDEFFEDCBA9876543210",
    "CA5D92598DCA48CE8A4C76361A9269E9",
    "1A860862082F5D1C3D8C0BA4B5E9F1C7",
];
const USAGES: [KeyUsage; 4] = [KeyUsage::PsamPin, KeyUsage::PsamMac, KeyUsage::PsamTrack, KeyUsage::PsamAuth];

fn number() -> PsamNumber {
    PsamNumber::parse_bcd(&PSAM).unwrap()
}

/// The one-time key of this file's transaction.
pub(super) fn one_time(master: KeyHandle) -> KeyRef {
    KeyRef::OneTime { master, psam: number(), random: RANDOM, stan: STAN }
}

/// The PSAM's own key.
pub(super) fn own(master: KeyHandle) -> KeyRef {
    KeyRef::Psam { master, psam: number() }
}

/// A PSAM all of whose masters are [`KEY`], as [`good_key`] makes them.
fn plain_psam() -> Psam {
    let [pin, mac, track, auth] = [KEY; 4].map(vectors::array);
    Psam::new(number(), &PsamMasters { pin, mac, track, auth }).unwrap()
}

/// The value of a PIN that [`plain_psam`] sends for this file's transaction.
pub(super) fn derive_pvv(hsm: &mut Hsm, pin_key: KeyRef) -> Result<[u8; 4], HsmError> {
    let (pan, mut out) = (pan(), Vec::new());
    let pvk = import(hsm, KeyUsage::PinVerification, &vectors::bytes(KEY));
    let block = plain_psam().pin_block(RANDOM, STAN, b"1234", &pan).unwrap();
    hsm.derive_pvvs(&[PvvRequest { pin_key, block, pan: &pan, pvk, pvki: 1 }], &mut out);
    out[0]
}

/// The track that [`plain_psam`] sends for this file's transaction.
pub(super) fn open_track(hsm: &mut Hsm, key: KeyRef) -> Result<Track2, HsmError> {
    let data = plain_psam().track(RANDOM, STAN, TRACK).unwrap();
    let mut out = Vec::new();
    hsm.open_tracks(&[TrackRequest { key, data: &data }], &mut out);
    out.remove(0)
}

/// An HSM with the masters, their handles, and a PSAM made under them.
fn equipped() -> (Hsm, [KeyHandle; 4], Psam) {
    let mut hsm = test_hsm();
    let mut usages = USAGES.into_iter();
    let handles = MASTERS.map(|master| import(&mut hsm, usages.next().unwrap(), &vectors::bytes(master)));
    let [pin, mac, track, auth] = MASTERS.map(vectors::array);
    let psam = Psam::new(number(), &PsamMasters { pin, mac, track, auth }).unwrap();
    (hsm, handles, psam)
}

#[test]
fn known_transactions_are_understood() {
    for vector in vectors::family("psam_session_ours") {
        let mut hsm = test_hsm();
        let mut key = |usage, master| {
            let master = import(&mut hsm, usage, &vector.input_bytes(master));
            let psam = PsamNumber::parse_bcd(&vectors::array(vector.input("psam_no"))).unwrap();
            let random = vectors::array(vector.input("random"));
            KeyRef::OneTime { master, psam, random, stan: vector.input("stan").parse().unwrap() }
        };
        let pin_key = key(KeyUsage::PsamPin, "pmk_pin");
        let mac_key = key(KeyUsage::PsamMac, "pmk_mac");
        let track_key = key(KeyUsage::PsamTrack, "pmk_track");

        let (data, mac) = (vector.input_bytes("mac_data_hex"), vectors::array(vector.expected("mac8")));
        let mut checked = Vec::new();
        let good = MacCheck { key: mac_key, algorithm: MacAlgorithm::Psam, data: &data, mac };
        hsm.verify_macs(&[good, MacCheck { data: &data[1..], ..good }], &mut checked);
        assert_eq!(checked, [Ok(()), Err(HsmError::VerificationFailed)], "{}", vector.id);
        let mut made = Vec::new();
        hsm.generate_macs(
            &[MacRequest { key: mac_key, algorithm: MacAlgorithm::Psam, data: &data }],
            &mut made,
        );
        assert_eq!(made, [Ok(mac)], "{}", vector.id);

        let pan = Pan::parse(vector.input("pan").as_bytes()).unwrap();
        let block = vectors::array(vector.expected("pin_block"));
        let pvk = import(&mut hsm, KeyUsage::PinVerification, &vectors::bytes(KEY));
        let pvv = hsm.test_pvv(pvk, 1, &pan, vector.input("pin").as_bytes()).unwrap();
        let mut pvvs = Vec::new();
        let wanted = PvvRequest { pin_key, block, pan: &pan, pvk, pvki: 1 };
        hsm.derive_pvvs(&[wanted, PvvRequest { pvki: 10, ..wanted }], &mut pvvs);
        assert_eq!(pvvs, [Ok(pvv), Err(HsmError::PvvKeyIndex)], "{}", vector.id);
        hsm.verify_pins(&[PinCheck { pin_key, block, pan: &pan, pvk, pvki: 1, pvv }], &mut checked);
        assert_eq!(checked, [Ok(())], "{}", vector.id);

        let (sealed, mut tracks) = (vector.expected_bytes("track2_enc"), Vec::new());
        hsm.open_tracks(&[TrackRequest { key: track_key, data: &sealed }], &mut tracks);
        assert_eq!(tracks[0].as_ref().unwrap().expose(), vector.input("track2").as_bytes(), "{}", vector.id);
    }
}

#[test]
fn an_authenticator_is_checked_under_the_psams_own_key() {
    let (mut hsm, [.., auth], psam) = equipped();
    let nonce = [0xA5; 8];
    let mac = psam.authenticator(nonce, b"41000001", 7).unwrap();
    let data = [&nonce[..], &PSAM, b"41000001", &[0, 0, 7]].concat();
    let good = MacCheck { key: own(auth), algorithm: MacAlgorithm::Psam, data: &data, mac };
    let other = PsamNumber::parse_bcd(&[0x10, 0, 0, 0, 0, 0, 0, 2]).unwrap();
    let other_psam = KeyRef::Psam { master: auth, psam: other };
    let mut out = Vec::new();
    hsm.verify_macs(&[good, MacCheck { key: other_psam, ..good }, good], &mut out);
    assert_eq!(out, [Ok(()), Err(HsmError::VerificationFailed), Ok(())]);
}

#[test]
fn keys_are_used_at_their_own_level_of_derivation_only() {
    let (mut hsm, masters, _) = equipped();
    for (usage, master) in USAGES.into_iter().zip(masters) {
        let refused = HsmError::WrongDerivation(usage);
        let stored = KeyRef::Stored(master);
        assert_eq!(generate_mac(&mut hsm, stored, MacAlgorithm::Psam), Err(refused), "{usage} itself");
        assert_eq!(open_track(&mut hsm, stored), Err(refused), "{usage} itself");
        for algorithm in [MacAlgorithm::X919, MacAlgorithm::UnionPayEcb, MacAlgorithm::Cbc3Des] {
            let need = algorithm.usage();
            let wrong_usage = Err(HsmError::WrongUsage { have: usage, need });
            assert_eq!(generate_mac(&mut hsm, stored, algorithm), wrong_usage);
            assert_eq!(generate_mac(&mut hsm, one_time(master), algorithm), Err(refused));
            assert_eq!(generate_mac(&mut hsm, own(master), algorithm), Err(refused));
        }
        let need = KeyUsage::PinEncryption;
        assert_eq!(derive_pvv(&mut hsm, stored), Err(HsmError::WrongUsage { have: usage, need }));
        assert_eq!(derive_pvv(&mut hsm, own(master)), Err(refused), "{usage} of a PSAM");
        assert_eq!(open_track(&mut hsm, own(master)), Err(refused), "{usage} of a PSAM");
    }
    for master in &masters[..3] {
        let (have, need) = (hsm.key_usage(*master).unwrap(), KeyUsage::PsamAuth);
        let refused = Err(HsmError::WrongUsage { have, need });
        assert_eq!(generate_mac(&mut hsm, own(*master), MacAlgorithm::Psam), refused);
    }
}

#[test]
fn a_stan_of_seven_digits_has_no_key() {
    let (mut hsm, [pin, mac, track, _], _) = equipped();
    let key = |master| KeyRef::OneTime { master, psam: number(), random: RANDOM, stan: 1_000_000 };
    assert_eq!(generate_mac(&mut hsm, key(mac), MacAlgorithm::Psam), Err(HsmError::StanRange));
    assert_eq!(derive_pvv(&mut hsm, key(pin)), Err(HsmError::StanRange));
    assert_eq!(open_track(&mut hsm, key(track)), Err(HsmError::StanRange));
}

#[test]
fn a_transaction_whose_key_would_be_weak_is_refused() {
    let (mut hsm, [pin, mac, track, _], _) = equipped();
    for ((master, text), weak) in [pin, mac, track].into_iter().zip(MASTERS).zip([1_u8, 0, 0xFE]) {
        let master_key = DesKey::new(&vectors::bytes(text)).unwrap();
        let psam_key = diversify(&master_key, PSAM).unwrap();
        // The random number that makes a weak DES key of the derived key's left half.
        let random = psam_key.decrypt([weak; 8]);
        let key = KeyRef::OneTime { master, psam: number(), random, stan: 0 };
        let refused = HsmError::WeakDerivedKey;
        match hsm.key_usage(master).unwrap() {
            KeyUsage::PsamPin => assert_eq!(derive_pvv(&mut hsm, key), Err(refused)),
            KeyUsage::PsamMac => assert_eq!(generate_mac(&mut hsm, key, MacAlgorithm::Psam), Err(refused)),
            _ => assert_eq!(open_track(&mut hsm, key), Err(refused)),
        }
    }
}

#[test]
fn masters_of_one_version_are_four_different_keys() {
    let (mut hsm, masters, _) = equipped();
    assert_eq!(hsm.check_psam_masters(masters), Ok(()));
    for (first, key) in MASTERS.into_iter().enumerate() {
        for second in (0..4).filter(|second| *second != first) {
            let mut twice = masters;
            let mut key = vectors::bytes(key);
            twice[second] = import(&mut hsm, USAGES[second], &key);
            assert_eq!(hsm.check_psam_masters(twice), Err(HsmError::EqualMasters), "{first} {second}");
            key[0] ^= 1;
            twice[second] = import(&mut hsm, USAGES[second], &key);
            let other_parity = hsm.check_psam_masters(twice);
            assert_eq!(other_parity, Err(HsmError::EqualMasters), "parity, {first} {second}");
        }
    }
    let [pin, mac, track, auth] = masters;
    let refused = HsmError::WrongUsage { have: KeyUsage::PsamMac, need: KeyUsage::PsamPin };
    assert_eq!(hsm.check_psam_masters([mac, pin, track, auth]), Err(refused));
    hsm.unload_key(auth);
    assert_eq!(hsm.check_psam_masters(masters), Err(HsmError::NoSuchKey));
}

#[test]
fn an_unloaded_master_derives_nothing_although_its_keys_were_in_use() {
    let (mut hsm, [_, mac, ..], _) = equipped();
    generate_mac(&mut hsm, one_time(mac), MacAlgorithm::Psam).unwrap();
    hsm.unload_key(mac);
    assert_eq!(generate_mac(&mut hsm, one_time(mac), MacAlgorithm::Psam), Err(HsmError::NoSuchKey));
    // The next master in the same slot gets its own keys, not those left by the old one.
    let next = import(&mut hsm, KeyUsage::PsamMac, &vectors::bytes(MASTERS[0]));
    let mut fresh = test_hsm();
    let alone = import(&mut fresh, KeyUsage::PsamMac, &vectors::bytes(MASTERS[0]));
    assert_eq!(
        generate_mac(&mut hsm, one_time(next), MacAlgorithm::Psam),
        generate_mac(&mut fresh, one_time(alone), MacAlgorithm::Psam)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn psam_and_hsm_agree_on_pin_track_and_mac(
        random: [u8; 8], stan in 0..1_000_000_u32, pin in "[0-9]{4,12}", track in "[0-9]{12,19}=[0-9]{7,17}",
        data in prop::collection::vec(any::<u8>(), 1..300), place: prop::sample::Index,
    ) {
        let (mut hsm, [pin_key, mac_key, track_key, _], psam) = equipped();
        let key = |master| KeyRef::OneTime { master, psam: number(), random, stan };
        let pan = pan();

        let mac = psam.mac(random, stan, &data).unwrap();
        let mut changed = data.clone();
        changed[place.index(data.len())] ^= 1;
        let good = MacCheck { key: key(mac_key), algorithm: MacAlgorithm::Psam, data: &data, mac };
        let mut checked = Vec::new();
        hsm.verify_macs(&[good, MacCheck { data: &changed, ..good }, MacCheck { data: &[], ..good }], &mut checked);
        let failed = Err(HsmError::VerificationFailed);
        prop_assert_eq!(&checked[..], &[Ok(()), failed, Err(HsmError::EmptyMessage)]);
        let mut made = Vec::new();
        let answer = MacRequest { key: key(mac_key), algorithm: MacAlgorithm::Psam, data: &changed };
        hsm.generate_macs(&[answer], &mut made);
        prop_assert!(psam.verify(random, stan, &changed, &made[0].unwrap()));

        let block = psam.pin_block(random, stan, pin.as_bytes(), &pan).unwrap();
        let pvk = import(&mut hsm, KeyUsage::PinVerification, &vectors::bytes(KEY));
        let mut pvvs = Vec::new();
        hsm.derive_pvvs(&[PvvRequest { pin_key: key(pin_key), block, pan: &pan, pvk, pvki: 1 }], &mut pvvs);
        prop_assert_eq!(pvvs[0], hsm.test_pvv(pvk, 1, &pan, pin.as_bytes()));

        let sealed = psam.track(random, stan, track.as_bytes()).unwrap();
        let mut tracks = Vec::new();
        hsm.open_tracks(&[TrackRequest { key: key(track_key), data: &sealed }], &mut tracks);
        prop_assert_eq!(tracks[0].as_ref().unwrap().expose(), track.as_bytes());
    }

    #[test]
    fn a_batch_over_many_psams_answers_as_its_items_alone(picks in prop::collection::vec((0..5_u8, 1..4_u32), 0..20)) {
        // Five PSAMs, the cache holds two of their keys.
        let mut small = hsm_with(16, 2);
        let master = import(&mut small, KeyUsage::PsamMac, &vectors::bytes(KEY));
        let items: Vec<_> = picks
            .iter()
            .map(|(number, stan)| {
                let psam = PsamNumber::parse_bcd(&[0, 0, 0, 0, 0, 0, 0, *number]).unwrap();
                let key = KeyRef::OneTime { master, psam, random: RANDOM, stan: *stan };
                MacRequest { key, algorithm: MacAlgorithm::Psam, data: MESSAGE }
            })
            .collect();
        let (mut batch, mut single) = (Vec::new(), Vec::new());
        small.generate_macs(&items, &mut batch);
        prop_assert_eq!(batch.len(), items.len());
        for (item, answer) in items.iter().zip(batch) {
            let mut fresh = test_hsm();
            import(&mut fresh, KeyUsage::PsamMac, &vectors::bytes(KEY));
            fresh.generate_macs(std::slice::from_ref(item), &mut single);
            prop_assert_eq!(single[0], answer);
        }
    }
}
