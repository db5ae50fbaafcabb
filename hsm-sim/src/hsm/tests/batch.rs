//! Batches: whatever shares a pass, each item answers as it does alone.
#![expect(clippy::print_stdout, reason = "an engine that is skipped is named")]

use super::*;
use crate::{DesEngine, Direction, Ksn, psam::diversify};

mod chip;
mod pins;
mod sessions;

/// Sizes around the ends of passes and portions, and the crossover.
const SIZES: [usize; 13] = [0, 1, 5, 6, 7, 63, 64, 65, 129, 256, 257, 300, 600];

/// An HSM with keys of every kind, the same in every call.
struct City {
    hsm: Hsm,
    mac: Vec<(MacAlgorithm, KeyHandle)>,
    pin: Vec<KeyHandle>,
    psam: [KeyHandle; 4],
    pvk: KeyHandle,
    cvk: KeyHandle,
    stale: KeyHandle,
    pans: Vec<Pan>,
}

const ALGORITHMS: [MacAlgorithm; 11] = [
    MacAlgorithm::X919,
    MacAlgorithm::X919,
    MacAlgorithm::X919Padded,
    MacAlgorithm::UnionPayEcb,
    MacAlgorithm::UnionPayEcb,
    MacAlgorithm::Cbc3Des,
    MacAlgorithm::Cbc3DesPadded,
    MacAlgorithm::CbcDes,
    MacAlgorithm::CbcDesPadded,
    MacAlgorithm::XorFold,
    MacAlgorithm::CmacTdes,
];

fn city(unwrapped_keys: usize) -> City {
    let mut hsm = hsm_with(1024, unwrapped_keys);
    let mac = (0..40)
        .map(|number| {
            let algorithm = ALGORITHMS[number % ALGORITHMS.len()];
            let single = algorithm.usage().accepts_length(8)
                && (number % 2 == 0 || !algorithm.usage().accepts_length(16));
            let mut key = [0; 16];
            seeded(900 + number as u64).fill(&mut key);
            (algorithm, import(&mut hsm, algorithm.usage(), &key[..if single { 8 } else { 16 }]))
        })
        .collect();
    let pin = (0..20).map(|number| generate(&mut hsm, KeyUsage::PinEncryption, 100 + number)).collect();
    let usages = [KeyUsage::PsamPin, KeyUsage::PsamMac, KeyUsage::PsamTrack, KeyUsage::PsamAuth];
    let psam = usages.map(|usage| generate(&mut hsm, usage, 200));
    let pvk = generate(&mut hsm, KeyUsage::PinVerification, 300);
    let cvk = generate(&mut hsm, KeyUsage::CardVerification, 301);
    let stale = generate(&mut hsm, KeyUsage::MacX919, 302);
    hsm.unload_key(stale);
    let pans = ["4761739001010119", "6222021001116245702", "4111111111111111", "000000000000"];
    let pans = pans.map(|digits| Pan::parse(digits.as_bytes()).unwrap()).to_vec();
    City { hsm, mac, pin, psam, pvk, cvk, stale, pans }
}

/// Numbers for the choice of items.
fn choices(seed: u64) -> impl FnMut(usize) -> usize {
    let mut entropy = seeded(seed);
    move |end| {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        usize::try_from(u64::from_be_bytes(bytes) % end as u64).unwrap()
    }
}

fn byte(choice: usize) -> u8 {
    u8::try_from(choice).unwrap()
}

fn number(choice: usize) -> PsamNumber {
    PsamNumber::parse_bcd(&[0x10, 0, 0, 0, 0, 0, byte(choice / 10), byte(choice % 10)]).unwrap()
}

fn one_time(master: KeyHandle, choose: &mut impl FnMut(usize) -> usize) -> KeyRef {
    // One in fifty has a STAN of seven digits.
    let stan = if choose(50) == 0 { 1_000_000 } else { u32::try_from(choose(1_000_000)).unwrap() };
    KeyRef::OneTime { master, psam: number(choose(60)), random: [byte(choose(256)); 8], stan }
}

/// A batch gives what its items give one by one, to another HSM with the same keys.
fn agree<I: Copy, T: PartialEq + std::fmt::Debug>(
    (together, alone): (&mut Hsm, &mut Hsm),
    items: &[I],
    call: impl Fn(&mut Hsm, &[I], &mut Vec<Result<T, HsmError>>),
) -> Vec<Result<T, HsmError>> {
    let (mut batch, mut single) = (Vec::new(), Vec::new());
    call(together, items, &mut batch);
    assert_eq!(batch.len(), items.len());
    for (at, (item, answer)) in items.iter().zip(&batch).enumerate() {
        call(alone, std::slice::from_ref(item), &mut single);
        assert_eq!(single[0], *answer, "item {at} of {}", items.len());
    }
    batch
}

#[test]
fn macs_under_keys_of_every_kind_are_made_and_checked_as_alone() {
    let (mut city, mut other) = (city(64), city(1024));
    let mut choose = choices(1);
    let data: Vec<u8> = (0..4000_u32).map(|at| (at * 7 % 251) as u8).collect();
    for size in SIZES {
        let requests: Vec<MacRequest<'_>> = (0..size)
            .map(|_| {
                let (algorithm, key) = match choose(20) {
                    0 => (MacAlgorithm::X919, city.stale.into()),
                    1 => (MacAlgorithm::X919, city.pin[0].into()),
                    2 => {
                        (MacAlgorithm::Psam, KeyRef::Psam { master: city.psam[3], psam: number(choose(60)) })
                    }
                    3 => (MacAlgorithm::Psam, one_time(city.psam[0], &mut choose)),
                    4..=10 => (MacAlgorithm::Psam, one_time(city.psam[1], &mut choose)),
                    _ => {
                        let (algorithm, key) = city.mac[choose(city.mac.len())];
                        (algorithm, key.into())
                    }
                };
                let length = match choose(20) {
                    0 => 0,
                    1 => choose(3000),
                    2..=9 => 250,
                    _ => 1 + choose(299),
                };
                MacRequest { key, algorithm, data: &data[choose(900)..][..length] }
            })
            .collect();
        let hsms = (&mut city.hsm, &mut other.hsm);
        let made = agree(hsms, &requests, |hsm, items, out| hsm.generate_macs(items, out));
        let checks: Vec<MacCheck<'_>> = requests
            .iter()
            .zip(&made)
            .map(|(request, mac)| {
                let MacRequest { key, algorithm, data } = *request;
                let mut mac = mac.unwrap_or_default();
                mac[choose(8)] ^= u8::from(choose(4) == 0) << choose(8);
                MacCheck { key, algorithm, data, mac }
            })
            .collect();
        let hsms = (&mut city.hsm, &mut other.hsm);
        let checked = agree(hsms, &checks, |hsm, items, out| hsm.verify_macs(items, out));
        if size > 250 {
            for want in [
                Ok(()),
                Err(HsmError::VerificationFailed),
                Err(HsmError::EmptyMessage),
                Err(HsmError::NoSuchKey),
                Err(HsmError::WrongUsage { have: KeyUsage::PinEncryption, need: KeyUsage::MacX919 }),
            ] {
                assert!(checked.contains(&want), "{want:?} among {size}");
            }
        }
    }
}

#[test]
fn macs_of_one_kind_are_made_as_alone_for_every_batch_size_and_engine() {
    let (mut city, mut other) = (city(64), city(64));
    let data = [0x5A; 40];
    let key = |at: usize| KeyRef::OneTime {
        master: city.psam[1],
        psam: number(at % 60),
        random: [byte(at % 256); 8],
        stan: u32::try_from(at).unwrap(),
    };
    let items: Vec<MacRequest<'_>> = (0..600)
        .map(|at| MacRequest { key: key(at), algorithm: MacAlgorithm::Psam, data: &data[at % 40..] })
        .collect();
    let (mut expected, mut one, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for item in &items {
        other.hsm.generate_macs(std::slice::from_ref(item), &mut one);
        expected.append(&mut one);
    }
    for engine in [None].into_iter().chain(DesEngine::ALL.map(Some)) {
        if !city.hsm.use_des_engine(engine) {
            println!("skipped: this processor has no {engine:?}");
            continue;
        }
        // Every size with the engines that suit it, and with each alone those around the ends of passes.
        let whole = |size: &usize| engine.is_none() || matches!(size % 64, 0..=2 | 63) || *size < 12;
        for size in (1..=items.len()).filter(whole) {
            city.hsm.generate_macs(&items[..size], &mut out);
            assert_eq!(out, expected[..size], "{size} items, {engine:?}");
        }
    }
}

#[test]
fn pins_good_and_bad_are_verified_as_alone() {
    let (mut city, mut other) = (city(64), city(1024));
    let mut choose = choices(2);
    for size in SIZES {
        let requests: Vec<PvvRequest<'_>> = (0..size)
            .map(|_| {
                let pan = &city.pans[choose(city.pans.len())];
                let pin_key = match choose(12) {
                    0 => city.stale.into(),
                    1 => city.mac[0].1.into(),
                    2 => KeyRef::Dukpt {
                        bdk: city.pvk,
                        ksn: Ksn::parse(&vectors::array("FFFF9876543210E00001")).unwrap(),
                        direction: Direction::Request,
                    },
                    3..=6 => one_time(city.psam[0], &mut choose),
                    _ => city.pin[choose(city.pin.len())].into(),
                };
                let pvk = if choose(15) == 0 { city.cvk } else { city.pvk };
                let pvki = if choose(15) == 0 { 10 } else { byte(choose(10)) };
                let clear = Pin::parse(&b"123456789012"[..4 + choose(9)]).unwrap().to_iso0(pan);
                let key = city.hsm.keys.item_key(&city.hsm.lmk, pin_key, Purpose::Pin);
                // One in ten is no PIN block.
                let block = match key {
                    Ok(key) if choose(10) > 0 => key.encrypt(clear),
                    _ => [byte(choose(256)); 8],
                };
                PvvRequest { pin_key, block, pan, pvk, pvki }
            })
            .collect();
        let hsms = (&mut city.hsm, &mut other.hsm);
        let made = agree(hsms, &requests, |hsm, items, out| hsm.derive_pvvs(items, out));
        let checks: Vec<PinCheck<'_>> = requests
            .iter()
            .zip(&made)
            .map(|(request, pvv)| {
                let PvvRequest { pin_key, block, pan, pvk, pvki } = *request;
                let mut pvv = pvv.unwrap_or(*b"0000");
                pvv[3] ^= u8::from(choose(4) == 0);
                PinCheck { pin_key, block, pan, pvk, pvki, pvv }
            })
            .collect();
        let hsms = (&mut city.hsm, &mut other.hsm);
        let checked = agree(hsms, &checks, |hsm, items, out| hsm.verify_pins(items, out));
        if size > 250 {
            for want in [
                Ok(()),
                Err(HsmError::VerificationFailed),
                Err(HsmError::PinBlock),
                Err(HsmError::PvvKeyIndex),
                Err(HsmError::NoSuchKey),
                Err(HsmError::WrongUsage {
                    have: KeyUsage::CardVerification,
                    need: KeyUsage::PinVerification,
                }),
            ] {
                assert!(checked.contains(&want), "{want:?} among {size}");
            }
        }
    }
}

#[test]
fn tracks_good_and_bad_are_opened_as_alone() {
    let (mut city, mut other) = (city(64), city(1024));
    let mut choose = choices(3);
    for size in SIZES {
        let sealed: Vec<(KeyRef, Vec<u8>)> = (0..size)
            .map(|_| {
                let master = if choose(20) == 0 { city.psam[1] } else { city.psam[2] };
                let key = one_time(master, &mut choose);
                let text = &b"4761739001010119=261220111438000000001"[..18 + choose(20)];
                let derived = city.hsm.keys.item_key(&city.hsm.lmk, key, Purpose::Track);
                let data = match derived {
                    Ok(derived) if choose(10) > 0 => Track2::parse(text).unwrap().seal(&derived).to_vec(),
                    _ => vec![byte(choose(256)); choose(34)],
                };
                (key, data)
            })
            .collect();
        let items: Vec<TrackRequest<'_>> =
            sealed.iter().map(|(key, data)| TrackRequest { key: *key, data }).collect();
        let hsms = (&mut city.hsm, &mut other.hsm);
        let opened = agree(hsms, &items, |hsm, items, out| hsm.open_tracks(items, out));
        if size > 60 {
            assert!(
                opened.iter().any(Result::is_ok) && opened.contains(&Err(HsmError::Track)),
                "among {size}"
            );
        }
    }
}

#[test]
fn card_values_good_and_bad_are_verified_as_alone() {
    let (mut city, mut other) = (city(64), city(1024));
    let mut choose = choices(4);
    for size in SIZES {
        let items: Vec<CvvCheck<'_>> = (0..size)
            .map(|_| {
                let pan = &city.pans[choose(city.pans.len())];
                let cvk = if choose(15) == 0 { city.pvk } else { city.cvk };
                let expiry = if choose(15) == 0 { *b"26A2" } else { *b"2612" };
                let service_code = [b'0' + byte(choose(10)), b'0', b'1'];
                let cvv = city.hsm.cvv(city.cvk, pan, b"2612", &service_code).unwrap();
                let cvv = if choose(3) == 0 { *b"000" } else { cvv };
                CvvCheck { cvk, pan, expiry, service_code, cvv }
            })
            .collect();
        let hsms = (&mut city.hsm, &mut other.hsm);
        let checked = agree(hsms, &items, |hsm, items, out| hsm.verify_cvvs(items, out));
        if size > 60 {
            for want in [Ok(()), Err(HsmError::VerificationFailed), Err(HsmError::NotDigits)] {
                assert!(checked.contains(&want), "{want:?} among {size}");
            }
        }
    }
}

#[test]
fn one_weak_derived_key_in_a_batch_is_refused_and_spoils_no_other() {
    let mut city = city(64);
    let master = city.hsm.keys.des_key(&city.hsm.lmk, city.psam[1], KeyUsage::PsamMac).unwrap();
    let psam_key = diversify(master, *number(1).as_bcd()).unwrap();
    let random = psam_key.decrypt([0xFE; 8]);
    let key = |random| KeyRef::OneTime { master: city.psam[1], psam: number(1), random, stan: 0 };
    let good = MacRequest { key: key([7; 8]), algorithm: MacAlgorithm::Psam, data: MESSAGE };
    let mut items = vec![good; 64];
    items[40].key = key(random);
    let mut out = Vec::new();
    city.hsm.generate_macs(&items, &mut out);
    assert_eq!(out[40], Err(HsmError::WeakDerivedKey));
    assert!(out.iter().enumerate().all(|(at, mac)| at == 40 || *mac == out[0]) && out[0].is_ok());
}

#[test]
fn a_batch_of_more_than_a_portion_answers_every_item() {
    let (mut city, mut other) = (city(64), city(64));
    let keys: Vec<KeyHandle> = city
        .mac
        .iter()
        .filter(|(algorithm, _)| *algorithm == MacAlgorithm::X919)
        .map(|(_, key)| *key)
        .collect();
    let items: Vec<MacRequest<'_>> = (0..2100)
        .map(|at| MacRequest {
            key: keys[at % keys.len()].into(),
            algorithm: MacAlgorithm::X919,
            data: &MESSAGE[at % 30..],
        })
        .collect();
    let made =
        agree((&mut city.hsm, &mut other.hsm), &items, |hsm, items, out| hsm.generate_macs(items, out));
    assert!(made.iter().all(Result::is_ok));
}

#[test]
fn nothing_of_a_batch_stays_in_its_working_memory() {
    let mut city = city(64);
    let mut choose = choices(5);
    let items: Vec<MacRequest<'_>> = (0..100)
        .map(|_| MacRequest {
            key: one_time(city.psam[1], &mut choose),
            algorithm: MacAlgorithm::Psam,
            data: MESSAGE,
        })
        .collect();
    let mut out = Vec::new();
    city.hsm.generate_macs(&items, &mut out);
    assert!(out.iter().filter(|mac| mac.is_ok()).count() > 80);
    assert!(city.hsm.batch.is_wiped());
}
