//! MACs of messages of 250 bytes, each under a key of its own: the HSM's batch calls, and beside them the crate `des`
//! over the same messages under keys that are expanded already. A PSAM's key is derived for each message, there as here.

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use hsm_sim::{Hsm, HsmError, KeyRef, Lmk, MacAlgorithm, MacCheck, MacRequest, PsamNumber};
use std::hint::black_box;
use switch_benches::proof;

use crate::{
    SIZES,
    bare::{Key, MESSAGE, random, random_key, transaction_factor},
};

/// Messages there are.
const MESSAGES: u32 = 256;

/// Messages that the bare cipher works on, and the HSM where it makes MACs.
const FEW: usize = 16;

const ALGORITHMS: [(&str, MacAlgorithm); 4] = [
    ("x9.19", MacAlgorithm::X919),
    ("union-pay-ecb", MacAlgorithm::UnionPayEcb),
    ("psam", MacAlgorithm::Psam),
    ("cbc-3des", MacAlgorithm::Cbc3Des),
];

/// A message, its key in the HSM and in clear, and its MAC by the crate `des`.
struct Item {
    key: KeyRef,
    /// The key, or that of the PSAM from which the message's is derived.
    bare: Key,
    stan: u32,
    data: [u8; MESSAGE],
    mac: [u8; 8],
}

pub(crate) fn mac(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mac");
    for (name, algorithm) in ALGORITHMS {
        let mut hsm = Hsm::new(Lmk::test());
        let items = items(&mut hsm, algorithm);
        prove(name, algorithm, &mut hsm, &items);
        measure(&mut group, name, algorithm, &mut hsm, &items);
    }
    group.finish();
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    algorithm: MacAlgorithm,
    hsm: &mut Hsm,
    items: &[Item],
) {
    let (checks, requests) = (checks(items, algorithm), requests(items, algorithm));
    for size in SIZES {
        group.throughput(Throughput::Elements(size as u64));
        let mut out = Vec::with_capacity(size);
        group.bench_function(BenchmarkId::new(format!("verify/{name}"), size), |bencher| {
            bencher.iter(|| hsm.verify_macs(black_box(&checks[..size]), &mut out));
        });
    }
    group.throughput(Throughput::Elements(FEW as u64));
    let mut out = Vec::with_capacity(FEW);
    group.bench_function(BenchmarkId::new(format!("generate/{name}"), FEW), |bencher| {
        bencher.iter(|| hsm.generate_macs(black_box(&requests[..FEW]), &mut out));
    });
    group.bench_function(BenchmarkId::new(format!("bare-des/{name}"), FEW), |bencher| {
        bencher.iter(|| {
            for item in &items[..FEW] {
                black_box(by_des(algorithm, &item.bare, item.stan, black_box(&item.data)));
            }
        });
    });
}

/// The HSM makes the MACs that `des` makes, takes them for right, and takes no other for right.
fn prove(name: &str, algorithm: MacAlgorithm, hsm: &mut Hsm, items: &[Item]) {
    let (mut made, mut checked) = (Vec::new(), Vec::new());
    hsm.generate_macs(&requests(items, algorithm), &mut made);
    let macs: Vec<[u8; 8]> = made.into_iter().map(|mac| mac.expect("a MAC")).collect();
    assert!(macs.iter().eq(items.iter().map(|item| &item.mac)), "{name}: as by the crate des");
    hsm.verify_macs(&checks(items, algorithm), &mut checked);
    assert!(checked.iter().all(Result::is_ok), "{name}: all are right");
    let mut wrong = checks(items, algorithm);
    wrong.iter_mut().for_each(|check| check.mac[7] ^= 1);
    hsm.verify_macs(&wrong, &mut checked);
    assert!(checked.iter().all(|check| *check == Err(HsmError::VerificationFailed)), "{name}: none is");
    proof::result(&format!("mac {name}"), macs.concat());
}

fn checks<'a>(items: &'a [Item], algorithm: MacAlgorithm) -> Vec<MacCheck<'a>> {
    let check = |item: &'a Item| MacCheck { key: item.key, algorithm, data: &item.data, mac: item.mac };
    items.iter().map(check).collect()
}

fn requests(items: &[Item], algorithm: MacAlgorithm) -> Vec<MacRequest<'_>> {
    items.iter().map(|item| MacRequest { key: item.key, algorithm, data: &item.data }).collect()
}

fn items(hsm: &mut Hsm, algorithm: MacAlgorithm) -> Vec<Item> {
    (1..=MESSAGES)
        .map(|stan| {
            let at = u64::from(stan);
            let (key, bare) = match algorithm {
                MacAlgorithm::Psam => psam_key(hsm, stan),
                _ => (import(hsm, algorithm, &random_key(at)).into(), Key::new(&random_key(at))),
            };
            let data = std::array::from_fn(|place| random(at << 16 | place as u64)[0]);
            let mac = by_des(algorithm, &bare, stan, &data);
            Item { key, bare, stan, data, mac }
        })
        .collect()
}

/// The key of a transaction for the HSM, and in clear that of the PSAM, of which each message has its own.
fn psam_key(hsm: &mut Hsm, stan: u32) -> (KeyRef, Key) {
    let clear = random_key(0);
    let mut number = [0x31, 0, 0, 0, 0, 0, 0, 0];
    number[6] = u8::try_from(stan / 100).expect("a few hundred");
    number[7] = u8::try_from((stan / 10 % 10) * 16 + stan % 10).expect("two digits");
    let master = import(hsm, MacAlgorithm::Psam, &clear);
    let psam = PsamNumber::parse_bcd(&number).expect("a PSAM number");
    let key = KeyRef::OneTime { master, psam, random: random(stan.into()), stan };
    (key, Key::new(&Key::new(&clear).diversified(number)))
}

fn import(hsm: &mut Hsm, algorithm: MacAlgorithm, key: &[u8; 16]) -> hsm_sim::KeyHandle {
    let mut entropy = |bytes: &mut [u8]| bytes.fill(0x5A);
    let block = hsm.import_clear_test_key(algorithm.usage(), key, &mut entropy).expect("a test key");
    hsm.load_key(&block).expect("a key")
}

fn by_des(algorithm: MacAlgorithm, key: &Key, stan: u32, data: &[u8; MESSAGE]) -> [u8; 8] {
    match algorithm {
        MacAlgorithm::X919 => key.x919(data),
        MacAlgorithm::UnionPayEcb => key.union_pay(data),
        MacAlgorithm::Cbc3Des => key.cbc(data),
        MacAlgorithm::Psam => {
            let factor = transaction_factor(random(stan.into()), stan);
            Key::new(&key.diversified(factor)).psam(data)
        }
        other => unreachable!("{other:?} is not measured here"),
    }
}
