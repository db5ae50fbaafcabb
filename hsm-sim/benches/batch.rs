//! What batches gain: MACs over 250 bytes and the complete cryptography of a
//! telephone POS purchase, by batch size and engine, beside the same calls with
//! single-message `des`.
//!
//! ```text
//! cargo bench -p hsm-sim --features emulator,test-keys --bench batch
//! ```
//!
//! Every engine first proves that it makes what `des` makes, and a hash of it is
//! printed: equal for all engines. Without `--bench` every benchmark runs once.

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use hsm_sim::{
    DesEngine, Entropy, Hsm, HsmError, KeyHandle, KeyRef, KeyUsage, Lmk, MacAlgorithm, MacCheck, MacRequest,
    Pan, PinCheck, PsamNumber,
    emulator::{Psam, PsamMasters},
};
use std::{hint::black_box, time::Duration};

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
struct Macs {
    hsm: Hsm,
    keys: Vec<KeyHandle>,
    data: Vec<Vec<u8>>,
}

impl Macs {
    fn new(length: impl Fn(&mut Random) -> usize) -> Self {
        let (mut hsm, mut random) = (Hsm::new(Lmk::test()), Random(1));
        let key = |_| {
            let block = hsm.generate_key(KeyUsage::MacX919, &mut random).expect("a key");
            hsm.load_key(&block).expect("room")
        };
        let keys = (0..LARGEST).map(key).collect();
        let message = |_| {
            let mut data = vec![0; length(&mut random)];
            random.fill(&mut data);
            data
        };
        let data = (0..LARGEST).map(message).collect();
        Self { hsm, keys, data }
    }

    fn run(
        &mut self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: &str,
        engine: Option<DesEngine>,
        sizes: &[usize],
    ) {
        let Some(engine) = choose(&mut self.hsm, engine) else { return };
        let requests: Vec<MacRequest<'_>> = self
            .keys
            .iter()
            .zip(&self.data)
            .map(|(key, data)| MacRequest { key: (*key).into(), algorithm: MacAlgorithm::X919, data })
            .collect();
        let mut made = Vec::new();
        self.hsm.generate_macs(&requests, &mut made);
        let macs: Vec<[u8; 8]> = made.into_iter().map(|mac| mac.expect("a MAC")).collect();
        told(&format!("{name} {engine}: result {:016x}", hash(&macs.concat())));
        let check = |(request, mac): (&MacRequest<'_>, &[u8; 8])| {
            let MacRequest { key, algorithm, .. } = *request;
            (key, algorithm, *mac)
        };
        let checks: Vec<MacCheck<'_>> = requests
            .iter()
            .zip(&macs)
            .map(check)
            .zip(&self.data)
            .map(|((key, algorithm, mac), data)| MacCheck { key, algorithm, data, mac })
            .collect();
        let (hsm, mut out) = (&mut self.hsm, Vec::with_capacity(LARGEST));
        for size in sizes {
            group.throughput(Throughput::Elements(*size as u64));
            group.bench_function(BenchmarkId::new(format!("{name}/{engine}"), size), |bencher| {
                bencher.iter(|| hsm.verify_macs(black_box(&checks[..*size]), &mut out));
                assert!(out.len() == *size && out.iter().all(Result::is_ok), "every MAC is right");
            });
        }
    }
}

/// Purchases of telephone POS, each with a PSAM of its own.
struct Purchases {
    hsm: Hsm,
    mac_keys: Vec<KeyRef>,
    pin_keys: Vec<KeyRef>,
    blocks: Vec<[u8; 8]>,
    data: Vec<[u8; MESSAGE]>,
    macs: Vec<[u8; 8]>,
    pan: Pan,
    pvk: KeyHandle,
    pvv: [u8; 4],
}

impl Purchases {
    fn new() -> Self {
        let (mut hsm, mut random) = (Hsm::new(Lmk::test()), Random(2));
        let mut key = [[0; 16]; 4];
        key.iter_mut().for_each(|key| random.fill(key));
        let mut import = |usage, key: &[u8; 16]| {
            let block = hsm.import_clear_test_key(usage, key, &mut random).expect("a test key");
            hsm.load_key(&block).expect("room")
        };
        let (mac, pin) = (import(KeyUsage::PsamMac, &key[0]), import(KeyUsage::PsamPin, &key[1]));
        let pvk = import(KeyUsage::PinVerification, &key[2]);
        let pan = Pan::parse(b"4761739001010119").expect("a card number");
        let pvv = hsm.test_pvv(pvk, 1, &pan, b"1234").expect("a value");
        let mut purchases = Self {
            hsm,
            mac_keys: Vec::new(),
            pin_keys: Vec::new(),
            blocks: Vec::new(),
            data: Vec::new(),
            macs: Vec::new(),
            pan,
            pvk,
            pvv,
        };
        for number in 0..LARGEST {
            let digit = |place: usize| u8::try_from(number / place % 10).expect("a digit");
            let bcd = [0x31, 0, 0, 0, 0, 0, digit(1000) << 4 | digit(100), digit(10) << 4 | digit(1)];
            let number = PsamNumber::parse_bcd(&bcd).expect("a PSAM number");
            let masters = PsamMasters { pin: key[1], mac: key[0], track: key[2], auth: key[3] };
            let psam = Psam::new(number, &masters).expect("a PSAM");
            let stan = u32::try_from(random.below(1_000_000)).expect("six digits");
            let drawn = random.next().to_be_bytes();
            let one_time = |master| KeyRef::OneTime { master, psam: number, random: drawn, stan };
            purchases.mac_keys.push(one_time(mac));
            purchases.pin_keys.push(one_time(pin));
            let mut data = [0; MESSAGE];
            random.fill(&mut data);
            purchases.data.push(data);
            purchases.macs.push(psam.mac(drawn, stan, &data).expect("a MAC"));
            let block = psam.pin_block(drawn, stan, b"1234", &purchases.pan);
            purchases.blocks.push(block.expect("a PIN block"));
        }
        purchases
    }

    /// Request MAC, PIN against its verification value, answer MAC: each derives the
    /// session key it needs.
    fn run(&mut self, group: &mut BenchmarkGroup<'_, WallTime>, engine: Option<DesEngine>) {
        let Some(engine) = choose(&mut self.hsm, engine) else { return };
        let algorithm = MacAlgorithm::Psam;
        let every = 0..LARGEST;
        let checks: Vec<MacCheck<'_>> = { every.clone() }
            .map(|at| MacCheck {
                key: self.mac_keys[at],
                algorithm,
                data: &self.data[at],
                mac: self.macs[at],
            })
            .collect();
        let pins: Vec<PinCheck<'_>> = { every.clone() }
            .map(|at| PinCheck {
                pin_key: self.pin_keys[at],
                block: self.blocks[at],
                pan: &self.pan,
                pvk: self.pvk,
                pvki: 1,
                pvv: self.pvv,
            })
            .collect();
        // An answer is a message of its own, about as long.
        let answers: Vec<MacRequest<'_>> = every
            .map(|at| MacRequest { key: self.mac_keys[at], algorithm, data: &self.data[LARGEST - 1 - at] })
            .collect();
        let (mut checked, mut verified, mut made) = (Vec::new(), Vec::new(), Vec::new());
        let hsm = &mut self.hsm;
        let mut work = |size: usize, made: &mut Vec<Result<[u8; 8], HsmError>>| {
            hsm.verify_macs(black_box(&checks[..size]), &mut checked);
            hsm.verify_pins(black_box(&pins[..size]), &mut verified);
            hsm.generate_macs(black_box(&answers[..size]), made);
            (checked.iter().all(Result::is_ok), verified.iter().all(Result::is_ok))
        };
        assert_eq!(work(LARGEST, &mut made), (true, true), "every MAC and every PIN is right");
        let macs: Vec<[u8; 8]> = made.iter().map(|mac| mac.expect("a MAC")).collect();
        told(&format!("purchase {engine}: result {:016x}", hash(&macs.concat())));
        for size in SIZES {
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(BenchmarkId::new(format!("purchase/{engine}"), size), |bencher| {
                bencher.iter(|| work(size, &mut made));
            });
        }
    }
}

/// Makes the HSM use this engine, or the one it would choose; its name if there is one.
fn choose(hsm: &mut Hsm, engine: Option<DesEngine>) -> Option<String> {
    let name = engine.map_or("auto".to_owned(), |engine| format!("{engine:?}").to_lowercase());
    if hsm.use_des_engine(engine) {
        return Some(name);
    }
    told(&format!("{name}: skipped, this processor does not have it"));
    None
}

fn batch(criterion: &mut Criterion) {
    let engines: Vec<Option<DesEngine>> = [None].into_iter().chain(DesEngine::ALL.map(Some)).collect();
    let mut group = criterion.benchmark_group("batch");
    let mut macs = Macs::new(|_| MESSAGE);
    for engine in &engines {
        macs.run(&mut group, "mac", *engine, &SIZES);
    }
    let mut mixed = Macs::new(|random| 200 + random.below(100));
    for engine in &engines {
        mixed.run(&mut group, "mixed", *engine, &[64, 256]);
    }
    let mut purchases = Purchases::new();
    for engine in &engines {
        purchases.run(&mut group, *engine);
    }
    group.finish();
}

#[expect(clippy::print_stdout, reason = "for the reader of the run")]
fn told(line: &str) {
    println!("{line}");
}

/// FNV-1a of 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
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
