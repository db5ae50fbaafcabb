//! What a message costs, from its frame to its answer: decoding, MACs, and a whole batch through all stages with the
//! memory of a journal's records but no disk.
//!
//! Each group first proves that what it measures succeeds, and prints a hash of the result.

use std::{collections::hash_map::DefaultHasher, hash::Hasher, hint::black_box, time::Duration};

use cardswitch::{batch::State, books::reason::Reason};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use iso8583::{Message, Spec};
use switch_benches::{Rig, batch_of, fill, rig};

/// Bytes of length, TPDU and header in front of a message.
const MESSAGE_AT: usize = 13;

fn decode(criterion: &mut Criterion) {
    let mut rig = rig("31000002");
    let frame = rig.till.purchases(1).remove(0);
    let wire = &frame.as_bytes()[MESSAGE_AT..];
    let message = Message::decode(Spec::pos(), wire).expect("the purchase decodes");
    assert!(message.has(64), "it carries a MAC");
    report("decode", wire);

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    group.bench_function("purchase", |bencher| {
        bencher.iter(|| Message::decode(Spec::pos(), black_box(wire)).map(|message| message.number(4)));
    });
    group.finish();
}

fn stages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stages");
    // Short, so that neither the card's money nor the terminal's STANs run out; the proof behind would say so.
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for (mac, terminal) in [("ecb", "31000001"), ("x9.19", "31000002")] {
        for size in [1, 16, 64] {
            let mut rig = rig(terminal);
            prove(&mut rig, mac, size);
            group.throughput(Throughput::Elements(size as u64));
            group.bench_with_input(BenchmarkId::new(mac, size), &size, |bencher, size| {
                let Rig { stages, till } = &mut rig;
                let mut batch = batch_of(&[]);
                bencher.iter_batched(
                    || till.purchases(*size),
                    |frames| {
                        fill(&mut batch, &frames);
                        stages.run(&mut batch);
                        batch.clear();
                    },
                    BatchSize::SmallInput,
                );
            });
            prove(&mut rig, mac, size);
        }
    }
    group.finish();
}

/// A benchmark of requests that are declined early would look wonderful.
fn prove(rig: &mut Rig, mac: &str, size: usize) {
    let frames = rig.till.purchases(size);
    let mut batch = batch_of(&frames);
    rig.stages.run(&mut batch);
    for job in &batch.jobs {
        assert_eq!(job.state, State::Answered);
        assert_eq!(job.answer.map(|answer| answer.reason), Some(Reason::Approved));
        assert!(!job.encoded.mac_covers.is_empty(), "the answer carries a MAC");
    }
    assert_eq!(batch.records.len(), size, "one record a request");
    let ledger = rig.stages.books.ledger();
    assert_eq!(ledger.verify(), Ok(()));
    let balances: Vec<u8> =
        ledger.accounts().iter().flat_map(|account| account.balance.to_be_bytes()).collect();
    report(&format!("stages {mac} {size}"), &balances);
}

#[expect(clippy::print_stdout, reason = "the hash is for the reader of the run")]
fn report(name: &str, bytes: &[u8]) {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    println!("{name}: result {:016x}", hasher.finish());
}

criterion_group!(benches, decode, stages);
criterion_main!(benches);
