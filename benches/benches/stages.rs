//! What a message costs, from its frame to its answer: a whole batch through all stages, in every dialect, with the
//! memory of a journal's records but no disk.
//!
//! Each benchmark first proves that every request of a batch is approved, under MACs that the client finds right, and
//! prints a hash of the balances; and proves it once more behind the measurement.

#[path = "parts/turns.rs"]
mod turns;

use std::time::Duration;

use cardswitch::batch::Batch;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use switch_benches::{
    proof,
    rig::{Rig, Speech, fill},
};

/// Requests in a batch.
const SIZES: [usize; 4] = [1, 16, 64, 256];

fn batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    // Short, so that neither the card's money nor the client's STANs run out; the proof behind would say so.
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for speech in Speech::ALL {
        for size in SIZES {
            let mut rig = Rig::new(speech);
            let (name, line) = (speech.name(), rig.client.line());
            proof::result(&format!("batch {name} {size}"), rig.prove(size));
            group.throughput(Throughput::Elements(size as u64));
            group.bench_with_input(BenchmarkId::new(name, size), &size, |bencher, size| {
                let mut batch = Batch::default();
                turns::in_turns(
                    bencher,
                    &mut rig,
                    |rig| rig.client.requests(*size),
                    |rig, frames| {
                        fill(&mut batch, line, frames);
                        rig.stages.run(&mut batch);
                        batch.clear();
                    },
                );
            });
            rig.prove(size);
        }
    }
    group.finish();
}

criterion_group!(benches, batch);
criterion_main!(benches);
