//! PINs: blocks under a terminal's session key or under a PSAM's one-time key, checked against Visa's PVV; new values;
//! and what else the HSM does with a card: its token, and an encrypted track 2.

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use hsm_sim::{
    Hsm, HsmError, KeyHandle, KeyRef, KeyUsage, Lmk, Pan, PinCheck, PsamNumber, PvvRequest, TokenRequest,
    TrackRequest, check_digit,
    emulator::{Psam, PsamMasters},
};
use std::hint::black_box;
use switch_benches::proof;

use crate::{
    SIZES,
    bare::{Key, random, random_key},
};

/// Cards there are.
const CARDS: u32 = 256;

/// Cards in the calls that are measured at one size only.
const FEW: usize = 16;

const PIN: &[u8; 4] = b"4711";
const WRONG_PIN: &[u8; 4] = b"4712";
/// Index of the verification key.
const PVKI: u8 = 1;
/// A PSAM, BCD.
const PSAM: [u8; 8] = [0x31, 0, 0, 0, 0, 0, 0x01, 0x01];

/// A card, and its PIN as two terminals send it.
struct Item {
    pan: Pan,
    pvv: [u8; 4],
    session_key: KeyRef,
    block: [u8; 8],
    one_time_key: KeyRef,
    one_time_block: [u8; 8],
    track_key: KeyRef,
    track: Vec<u8>,
    wrong_block: [u8; 8],
}

struct Keys {
    pvk: KeyHandle,
    token: KeyHandle,
    pin_master: KeyHandle,
    track_master: KeyHandle,
    psam: Psam,
}

pub(crate) fn pin(criterion: &mut Criterion) {
    let mut hsm = Hsm::new(Lmk::test());
    let keys = keys(&mut hsm);
    let items: Vec<Item> = (1..=CARDS).map(|at| item(&mut hsm, &keys, at)).collect();
    prove(&mut hsm, &keys, &items);
    let mut group = criterion.benchmark_group("pin");
    for (name, one_time) in [("verify/session-key", false), ("verify/one-time-key", true)] {
        let checks: Vec<_> = items.iter().map(|item| check(item, &keys, one_time)).collect();
        for size in SIZES {
            let mut out = Vec::with_capacity(size);
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| hsm.verify_pins(black_box(&checks[..size]), &mut out));
            });
        }
    }
    measure_others(&mut group, &mut hsm, &keys, &items[..FEW]);
    group.finish();
}

fn measure_others(group: &mut BenchmarkGroup<'_, WallTime>, hsm: &mut Hsm, keys: &Keys, items: &[Item]) {
    group.throughput(Throughput::Elements(items.len() as u64));
    let requests: Vec<_> = items.iter().map(|item| new_value(item, keys)).collect();
    let mut values = Vec::with_capacity(FEW);
    group.bench_function(BenchmarkId::new("new-value", FEW), |bencher| {
        bencher.iter(|| hsm.derive_pvvs(black_box(&requests), &mut values));
    });
    let requests: Vec<_> =
        items.iter().map(|item| TokenRequest { key: keys.token, pan: &item.pan }).collect();
    let mut tokens = Vec::with_capacity(FEW);
    group.bench_function(BenchmarkId::new("token", FEW), |bencher| {
        bencher.iter(|| hsm.tokenise_pans(black_box(&requests), &mut tokens));
    });
    let requests: Vec<_> =
        items.iter().map(|item| TrackRequest { key: item.track_key, data: &item.track }).collect();
    let mut tracks = Vec::with_capacity(FEW);
    group.bench_function(BenchmarkId::new("open-track", FEW), |bencher| {
        bencher.iter(|| hsm.open_tracks(black_box(&requests), &mut tracks));
    });
}

/// Right PINs are right under both keys and wrong ones wrong; a new value is the card's; tokens differ; tracks open.
fn prove<'a>(hsm: &mut Hsm, keys: &Keys, items: &'a [Item]) {
    let mut checked = Vec::new();
    for one_time in [false, true] {
        let checks: Vec<_> = items.iter().map(|item| check(item, keys, one_time)).collect();
        hsm.verify_pins(&checks, &mut checked);
        assert!(checked.iter().all(Result::is_ok), "all PINs are right");
    }
    let wrong = |item: &'a Item| PinCheck { block: item.wrong_block, ..check(item, keys, false) };
    hsm.verify_pins(&items.iter().map(wrong).collect::<Vec<_>>(), &mut checked);
    // A PIN may have another's value, one in ten thousand.
    let refused = checked.iter().filter(|check| **check == Err(HsmError::VerificationFailed)).count();
    assert!(refused >= items.len() - 1, "wrong PINs are wrong");

    let mut values = Vec::new();
    hsm.derive_pvvs(&items.iter().map(|item| new_value(item, keys)).collect::<Vec<_>>(), &mut values);
    assert!(values.iter().zip(items).all(|(value, item)| *value == Ok(item.pvv)), "values are the cards'");

    let mut tokens = Vec::new();
    let requests = items.iter().map(|item| TokenRequest { key: keys.token, pan: &item.pan });
    hsm.tokenise_pans(&requests.collect::<Vec<_>>(), &mut tokens);
    let mut distinct: Vec<[u8; 16]> = tokens.iter().map(|token| token.expect("a token").0).collect();
    proof::result("pin", [distinct.concat(), items.iter().flat_map(|item| item.pvv).collect()].concat());
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), items.len(), "every card has its own token");

    let mut tracks = Vec::new();
    let requests = items.iter().map(|item| TrackRequest { key: item.track_key, data: &item.track });
    hsm.open_tracks(&requests.collect::<Vec<_>>(), &mut tracks);
    for (track, item) in tracks.iter().zip(items) {
        assert_eq!(track.as_ref().expect("a track").expose(), track2(&item.pan), "tracks are the cards'");
    }
}

fn check<'a>(item: &'a Item, keys: &Keys, one_time: bool) -> PinCheck<'a> {
    let Item { pan, pvv, .. } = item;
    let (pin_key, block) = match one_time {
        true => (item.one_time_key, item.one_time_block),
        false => (item.session_key, item.block),
    };
    PinCheck { pin_key, block, pan, pvk: keys.pvk, pvki: PVKI, pvv: *pvv }
}

fn new_value<'a>(item: &'a Item, keys: &Keys) -> PvvRequest<'a> {
    let Item { session_key, block, pan, .. } = item;
    PvvRequest { pin_key: *session_key, block: *block, pan, pvk: keys.pvk, pvki: PVKI }
}

fn keys(hsm: &mut Hsm) -> Keys {
    let masters =
        PsamMasters { pin: random_key(1), mac: random_key(2), track: random_key(3), auth: random_key(4) };
    let token = [random_key(5), random_key(6)].concat();
    Keys {
        pvk: import(hsm, KeyUsage::PinVerification, &random_key(7)),
        token: import(hsm, KeyUsage::Token, &token),
        pin_master: import(hsm, KeyUsage::PsamPin, &masters.pin),
        track_master: import(hsm, KeyUsage::PsamTrack, &masters.track),
        psam: Psam::new(number(), &masters).expect("a PSAM"),
    }
}

fn item(hsm: &mut Hsm, keys: &Keys, at: u32) -> Item {
    let mut pan = format!("915600{at:09}").into_bytes();
    pan.push(check_digit(&pan).expect("digits"));
    let pan = Pan::parse(&pan).expect("a card number");
    let session = random_key(100 + u64::from(at));
    let clear = Key::new(&session);
    let (random, stan) = (random(at.into()), at);
    let one_time = |master| KeyRef::OneTime { master, psam: number(), random, stan };
    Item {
        pvv: hsm.test_pvv(keys.pvk, PVKI, &pan, PIN).expect("a value"),
        session_key: import(hsm, KeyUsage::PinEncryption, &session).into(),
        block: clear.pin_block(PIN, pan.expose()),
        wrong_block: clear.pin_block(WRONG_PIN, pan.expose()),
        one_time_key: one_time(keys.pin_master),
        one_time_block: keys.psam.pin_block(random, stan, PIN, &pan).expect("a PIN block"),
        track_key: one_time(keys.track_master),
        track: keys.psam.track(random, stan, &track2(&pan)).expect("a track").to_vec(),
        pan,
    }
}

fn number() -> PsamNumber {
    PsamNumber::parse_bcd(&PSAM).expect("a PSAM number")
}

fn track2(pan: &Pan) -> Vec<u8> {
    [pan.expose(), b"=340252012300000"].concat()
}

fn import(hsm: &mut Hsm, usage: KeyUsage, key: &[u8]) -> KeyHandle {
    let mut entropy = |bytes: &mut [u8]| bytes.fill(0x5A);
    let block = hsm.import_clear_test_key(usage, key, &mut entropy).expect("a test key");
    hsm.load_key(&block).expect("a key")
}
