//! What batches gain: MACs over 250 bytes, MACs over mixed lengths, and the complete
//! cryptography of a telephone POS purchase, by batch size and engine, beside the same
//! calls with single-message `des`.
//!
//! ```text
//! cargo bench -p hsm-sim --features emulator,test-keys --bench batch
//! ```
//!
//! Before criterion measures a group, a table compares the fastest of many calls of
//! each engine, taken in turns: on a machine that others use too, ratios out of that
//! table mean more than times of different minutes. Every engine first proves that it
//! makes what `des` makes, and a hash of it is printed, equal for all engines. Without
//! `--bench` every benchmark runs once.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hsm_sim::{
    DesEngine, Entropy, Hsm, KeyUsage, Lmk, MacAlgorithm, MacCheck, MacRequest, Pan, PinCheck, PsamNumber,
    emulator::{Psam, PsamMasters},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const SIZES: [usize; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const LARGEST: usize = 512;
const MESSAGE: usize = 250;

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    fn below(&mut self, end: u64) -> usize {
        usize::try_from(self.next() % end).expect("small")
    }
}

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next().to_be_bytes()[0]);
    }
}

/// Retail MACs, each under a key of its own.
fn macs(criterion: &mut Criterion, name: &str, length: impl Fn(&mut Random) -> usize) {
    let (mut hsm, mut random) = (Hsm::new(Lmk::test()), Random(1));
    let mut key = || {
        let block = hsm.generate_key(KeyUsage::MacX919, &mut random).expect("a key");
        hsm.load_key(&block).expect("room")
    };
    let keys: Vec<_> = (0..LARGEST).map(|_| key()).collect();
    let mut message = || {
        let mut data = vec![0; length(&mut random)];
        random.fill(&mut data);
        data
    };
    let data: Vec<_> = (0..LARGEST).map(|_| message()).collect();
    let requests: Vec<_> = keys
        .iter()
        .zip(&data)
        .map(|(key, data)| MacRequest { key: (*key).into(), algorithm: MacAlgorithm::X919, data })
        .collect();
    let (mut made, mut checked) = (Vec::new(), Vec::new());
    hsm.use_des_engine(Some(DesEngine::Single));
    hsm.generate_macs(&requests, &mut made);
    let checks: Vec<_> = requests
        .iter()
        .zip(&made)
        .map(|(request, mac)| {
            let (MacRequest { key, algorithm, data }, mac) = (*request, mac.expect("a MAC"));
            MacCheck { key, algorithm, data, mac }
        })
        .collect();
    let work = |hsm: &mut Hsm, size: usize| {
        hsm.verify_macs(black_box(&checks[..size]), &mut checked);
        assert!(checked.len() == size && checked.iter().all(Result::is_ok), "every MAC is right");
    };
    measure(criterion, name, &mut hsm, &requests, work);
}

/// Purchases of telephone POS, each with a PSAM of its own: request MAC, PIN against
/// its verification value, answer MAC. Each call derives the session keys it needs.
fn purchases(criterion: &mut Criterion) {
    let (mut hsm, mut random) = (Hsm::new(Lmk::test()), Random(2));
    let mut clear = [[0; 16]; 4];
    clear.iter_mut().for_each(|key| random.fill(key));
    let [mac, pin, track, auth] = clear;
    let mut import = |usage, key: &[u8; 16]| {
        let block = hsm.import_clear_test_key(usage, key, &mut random).expect("a test key");
        hsm.load_key(&block).expect("room")
    };
    let (mac_master, pin_master) = (import(KeyUsage::PsamMac, &mac), import(KeyUsage::PsamPin, &pin));
    let pvk = import(KeyUsage::PinVerification, &track);
    let pan = Pan::parse(b"4761739001010119").expect("a card number");
    let pvv = hsm.test_pvv(pvk, 1, &pan, b"1234").expect("a value");
    let masters = PsamMasters { pin, mac, track, auth };
    let data: Vec<[u8; MESSAGE]> = (0..=LARGEST).map(|_| random.array()).collect();
    let (mut checks, mut pins, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for (number, data) in data.windows(2).enumerate() {
        let psam = Psam::new(psam_number(number), &masters).expect("a PSAM");
        let stan = u32::try_from(random.below(1_000_000)).expect("six digits");
        let drawn = random.array();
        let key = |master| hsm_sim::KeyRef::OneTime { master, psam: psam.number(), random: drawn, stan };
        let (algorithm, mac_key) = (MacAlgorithm::Psam, key(mac_master));
        let mac = psam.mac(drawn, stan, &data[0]).expect("a MAC");
        checks.push(MacCheck { key: mac_key, algorithm, data: &data[0], mac });
        let block = psam.pin_block(drawn, stan, b"1234", &pan).expect("a PIN block");
        pins.push(PinCheck { pin_key: key(pin_master), block, pan: &pan, pvk, pvki: 1, pvv });
        answers.push(MacRequest { key: mac_key, algorithm, data: &data[1] });
    }
    let (mut checked, mut verified, mut made) = (Vec::new(), Vec::new(), Vec::new());
    let work = |hsm: &mut Hsm, size: usize| {
        hsm.verify_macs(black_box(&checks[..size]), &mut checked);
        hsm.verify_pins(black_box(&pins[..size]), &mut verified);
        hsm.generate_macs(black_box(&answers[..size]), &mut made);
        assert!(checked.iter().chain(&verified).all(Result::is_ok), "every MAC and every PIN is right");
        assert!(made.len() == size, "every answer has a MAC");
    };
    measure(criterion, "purchase", &mut hsm, &answers, work);
}

fn psam_number(number: usize) -> PsamNumber {
    let digit = |place: usize| u8::try_from(number / place % 10).expect("a digit");
    let bcd = [0x31, 0, 0, 0, 0, 0, digit(1000) << 4 | digit(100), digit(10) << 4 | digit(1)];
    PsamNumber::parse_bcd(&bcd).expect("a PSAM number")
}

/// Compares the engines at `work`, which does so many items, after each has made the
/// MACs of `requests`.
fn measure(
    criterion: &mut Criterion,
    name: &str,
    hsm: &mut Hsm,
    requests: &[MacRequest<'_>],
    mut work: impl FnMut(&mut Hsm, usize),
) {
    let all = [None].into_iter().chain(DesEngine::ALL.map(Some));
    let (engines, missing): (Vec<_>, Vec<_>) = all.partition(|engine| hsm.use_des_engine(*engine));
    missing.iter().for_each(|engine| told(&format!("{}: skipped, not on this processor", title(*engine))));
    for engine in &engines {
        hsm.use_des_engine(*engine);
        let mut made = Vec::new();
        hsm.generate_macs(requests, &mut made);
        let macs = made.iter().flat_map(|mac| mac.expect("a MAC"));
        told(&format!("{name} {}: result {:016x}", title(*engine), hash(macs)));
        work(hsm, LARGEST);
    }
    if std::env::args().any(|argument| argument == "--bench") {
        table(name, &engines, hsm, &mut work);
    }
    let mut group = criterion.benchmark_group(name);
    for engine in engines {
        hsm.use_des_engine(engine);
        for size in SIZES {
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(BenchmarkId::new(title(engine), size), |bencher| {
                bencher.iter(|| work(hsm, size));
            });
        }
    }
    group.finish();
}

/// Nanoseconds an item, the fastest of many calls, and beside them how many times as
/// fast as single messages that is.
fn table(name: &str, engines: &[Option<DesEngine>], hsm: &mut Hsm, work: &mut impl FnMut(&mut Hsm, usize)) {
    let heads: String = engines.iter().map(|engine| format!("{:>17}", title(*engine))).collect();
    told(&format!("{name}: ns an item, and times as fast as single\n     {heads}"));
    for size in SIZES {
        let mut fastest = vec![u64::MAX; engines.len()];
        for _ in 0..ROUNDS {
            for (engine, fastest) in engines.iter().zip(&mut fastest) {
                hsm.use_des_engine(*engine);
                for _ in 0..CALLS {
                    *fastest = (*fastest).min(timed(|| work(hsm, size)));
                }
            }
        }
        let single = engines.iter().position(|engine| *engine == Some(DesEngine::Single));
        let single = single.map_or(0, |at| fastest[at]);
        let cell = |time: &u64| {
            let (each, tenths) = (time / size as u64, single * 10 / time);
            format!("{each:>10} {:>4}.{}", tenths / 10, tenths % 10)
        };
        told(&format!("{size:>4} {}", fastest.iter().map(cell).collect::<String>()));
    }
}

/// Rounds of the table, and calls of each engine in a round.
const ROUNDS: usize = 20;
const CALLS: usize = 10;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn timed(work: impl FnOnce()) -> u64 {
    let start = Instant::now();
    work();
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn title(engine: Option<DesEngine>) -> String {
    engine.map_or("auto".to_owned(), |engine| format!("{engine:?}").to_lowercase())
}

fn batch(criterion: &mut Criterion) {
    macs(criterion, "mac", |_| MESSAGE);
    macs(criterion, "mixed", |random| 200 + random.below(100));
    purchases(criterion);
}

#[expect(clippy::print_stdout, reason = "for the reader of the run")]
fn told(line: &str) {
    println!("{line}");
}

/// FNV-1a of 64 bits.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Short, so that the whole run is a matter of minutes.
fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(30)
}

criterion_group! {
    name = benches;
    config = settings();
    targets = batch
}
criterion_main!(benches);
