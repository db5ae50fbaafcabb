//! What batches gain: MACs over 250 bytes, MACs over mixed lengths, the complete
//! cryptography of a telephone POS purchase, and PINs, card values and cryptograms by
//! themselves, by batch size and engine, beside the same calls with single-message
//! `des`.
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
    ArqcCheck, CryptogramVersion, CvvCheck, DecimalisationTable, DesEngine, EncryptedPin, Entropy, Hsm,
    HsmError, KeyHandle, KeyRef, KeyUsage, Lmk, MacAlgorithm, MacCheck, MacRequest, OffsetRequest, Pan,
    PinCheck, PinFormat, PinTranslation, PsamNumber, SessionPurpose, SessionRequest, ValidationData,
    check_digit,
    emulator::{Psam, PsamMasters, Zone},
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
    let mut work = |hsm: &mut Hsm, size: usize| {
        hsm.verify_macs(black_box(&checks[..size]), &mut checked);
        all_of(&checked, size).count() as u64
    };
    measure(criterion, name, &mut hsm, &mut work);
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
    let mut work = |hsm: &mut Hsm, size: usize| {
        hsm.verify_macs(black_box(&checks[..size]), &mut checked);
        hsm.verify_pins(black_box(&pins[..size]), &mut verified);
        hsm.generate_macs(black_box(&answers[..size]), &mut made);
        assert_eq!(all_of(&checked, size).chain(all_of(&verified, size)).count(), 2 * size);
        hash(all_of(&made, size).flatten())
    };
    measure(criterion, "purchase", &mut hsm, &mut work);
}

/// Cards with PIN blocks under keys of their own, and an issuer's keys.
struct Cards {
    keys: Vec<KeyHandle>,
    pans: Vec<Pan>,
    blocks: Vec<[u8; 8]>,
    offset: KeyHandle,
    cvk: KeyHandle,
    imk: KeyHandle,
    psam: KeyHandle,
}

impl Cards {
    fn new(hsm: &mut Hsm, random: &mut Random) -> Self {
        let mut issuer = |usage| {
            let block = hsm.generate_key(usage, random).expect("a key");
            hsm.load_key(&block).expect("room")
        };
        let (offset, cvk) = (issuer(KeyUsage::PinOffset), issuer(KeyUsage::CardVerification));
        let (imk, psam) = (issuer(KeyUsage::EmvCryptogram), issuer(KeyUsage::PsamMac));
        let mut cards = Self { keys: vec![], pans: vec![], blocks: vec![], offset, cvk, imk, psam };
        for _ in 0..LARGEST {
            let pin_key: [u8; 16] = random.array();
            let block = hsm.import_clear_test_key(KeyUsage::PinEncryption, &pin_key, random).expect("a key");
            cards.keys.push(hsm.load_key(&block).expect("room"));
            let mut digits: Vec<u8> = (0..15).map(|_| b"0123456789"[random.below(10)]).collect();
            digits.push(check_digit(&digits).expect("digits"));
            let pan = Pan::parse(&digits).expect("a card number");
            let (zmk, out, back) = (random.array::<32>(), random.array(), random.array());
            let host = Zone::new(&zmk, pin_key, out, back, MacAlgorithm::X919).expect("a host");
            cards.blocks.push(host.pin_block(b"4711", &pan).expect("a PIN block"));
            cards.pans.push(pan);
        }
        cards
    }

    /// The PIN of a card as it came.
    fn pin(&self, at: usize) -> EncryptedPin<'_> {
        let key = self.keys[at].into();
        EncryptedPin { key, format: PinFormat::Iso0, block: &self.blocks[at], pan: &self.pans[at] }
    }
}

/// PINs from key to key, and their offsets.
fn pins(criterion: &mut Criterion) {
    let (mut hsm, mut random) = (Hsm::new(Lmk::test()), Random(3));
    let cards = Cards::new(&mut hsm, &mut random);
    let translations: Vec<_> = (0..LARGEST)
        .map(|at| PinTranslation { pin: cards.pin(at), to_key: cards.keys[0], to_format: PinFormat::Iso0 })
        .collect();
    let mut out = Vec::new();
    let mut translate = |hsm: &mut Hsm, size: usize| {
        hsm.translate_pins(black_box(&translations[..size]), &mut random, &mut out);
        hash(all_of(&out, size).flat_map(|block| block.as_bytes().to_owned()))
    };
    measure(criterion, "translation", &mut hsm, &mut translate);

    let table = DecimalisationTable::parse(b"0123456789012345").expect("a table");
    let requests: Vec<_> = (0..LARGEST)
        .map(|at| {
            let validation = ValidationData::from_pan(&cards.pans[at], 4, 12, 15).expect("digits");
            OffsetRequest { pin: cards.pin(at), pvk: cards.offset, table: &table, validation }
        })
        .collect();
    let mut out = Vec::new();
    let mut derive = |hsm: &mut Hsm, size: usize| {
        hsm.derive_pin_offsets(black_box(&requests[..size]), &mut out);
        hash(all_of(&out, size).flat_map(|offset| offset.as_bytes().to_owned()))
    };
    measure(criterion, "offset", &mut hsm, &mut derive);
}

/// Card values, and cryptograms of chips checked and answered.
fn chips(criterion: &mut Criterion) {
    let (mut hsm, mut random) = (Hsm::new(Lmk::test()), Random(4));
    let cards = Cards::new(&mut hsm, &mut random);
    let values: Vec<_> = (cards.pans.iter())
        .map(|pan| {
            let cvv = hsm.test_cvv(cards.cvk, pan, b"2912", b"201").expect("a value");
            CvvCheck { cvk: cards.cvk, pan, expiry: *b"2912", service_code: *b"201", cvv }
        })
        .collect();
    let mut out = Vec::new();
    let mut check = |hsm: &mut Hsm, size: usize| {
        hsm.verify_cvvs(black_box(&values[..size]), &mut out);
        hash(all_of(&out, size).flat_map(|()| [1]))
    };
    measure(criterion, "cvv", &mut hsm, &mut check);

    // 37 bytes are what Visa's cryptogram version 18 covers. They are wrong here, which costs the same.
    let data: [u8; 37] = random.array();
    let version = CryptogramVersion::Cvn18;
    let requests: Vec<_> = (cards.pans.iter())
        .map(|pan| ArqcCheck {
            imk: cards.imk,
            version,
            pan,
            sequence: 1,
            atc: 77,
            data: &data,
            arqc: [0; 8],
        })
        .collect();
    let mut out = Vec::new();
    let mut verify = |hsm: &mut Hsm, size: usize| {
        hsm.verify_arqcs(black_box(&requests[..size]), &mut out);
        assert!(out.len() == size && out.iter().all(|result| *result == Err(HsmError::VerificationFailed)));
        size as u64
    };
    measure(criterion, "arqc", &mut hsm, &mut verify);

    let sessions: Vec<_> = (0..LARGEST)
        .map(|at| {
            let (psam, random) = (psam_number(at), random.array());
            let key = KeyRef::OneTime { master: cards.psam, psam, random, stan: 1 };
            SessionRequest { key, purpose: SessionPurpose::Mac(MacAlgorithm::Psam) }
        })
        .collect();
    let (mut out, mut given) = (Vec::new(), Vec::new());
    let mut derive = |hsm: &mut Hsm, size: usize| {
        hsm.derive_sessions(black_box(&sessions[..size]), &mut out);
        given.clear();
        given.extend(all_of(&out, size));
        hsm.end_sessions(&given);
        size as u64
    };
    measure(criterion, "session", &mut hsm, &mut derive);
}

/// All results, which are as many, and good.
fn all_of<T: Copy>(out: &[Result<T, HsmError>], size: usize) -> impl Iterator<Item = T> + '_ {
    assert_eq!(out.len(), size, "there is a result for each item");
    out.iter().map(|result| result.expect("every item is good"))
}

fn psam_number(number: usize) -> PsamNumber {
    let digit = |place: usize| u8::try_from(number / place % 10).expect("a digit");
    let bcd = [0x31, 0, 0, 0, 0, 0, digit(1000) << 4 | digit(100), digit(10) << 4 | digit(1)];
    PsamNumber::parse_bcd(&bcd).expect("a PSAM number")
}

/// Compares the engines at `work`, which does so many items and proves it by a hash of
/// what it made.
fn measure(
    criterion: &mut Criterion,
    name: &str,
    hsm: &mut Hsm,
    work: &mut impl FnMut(&mut Hsm, usize) -> u64,
) {
    let all = [None].into_iter().chain(DesEngine::ALL.map(Some));
    let (engines, missing): (Vec<_>, Vec<_>) = all.partition(|engine| hsm.use_des_engine(*engine));
    missing.iter().for_each(|engine| told(&format!("{}: skipped, not on this processor", title(*engine))));
    let mut results = Vec::new();
    for engine in &engines {
        hsm.use_des_engine(*engine);
        results.push(work(hsm, LARGEST));
        told(&format!("{name} {}: result {:016x}", title(*engine), results[0]));
    }
    assert!(results.iter().all(|result| *result == results[0]), "all engines make the same");
    if std::env::args().any(|argument| argument == "--bench") {
        table(name, &engines, hsm, work);
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
fn table(
    name: &str,
    engines: &[Option<DesEngine>],
    hsm: &mut Hsm,
    work: &mut impl FnMut(&mut Hsm, usize) -> u64,
) {
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
fn timed(work: impl FnOnce() -> u64) -> u64 {
    let start = Instant::now();
    black_box(work());
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn title(engine: Option<DesEngine>) -> String {
    engine.map_or("auto".to_owned(), |engine| format!("{engine:?}").to_lowercase())
}

fn batch(criterion: &mut Criterion) {
    macs(criterion, "mac", |_| MESSAGE);
    macs(criterion, "mixed", |random| 200 + random.below(100));
    purchases(criterion);
    pins(criterion);
    chips(criterion);
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
