//! What the parts of a message's way cost, each by itself and beside a yardstick: the codec, MACs, PINs, rules, the
//! books, the journal, a start. All of them together are the group `batch` in `stages.rs`.
//!
//! Each group first proves that what it measures succeeds, and prints a hash of the result; a wrong result panics.
//! Without `--bench` every benchmark runs once, on small data.

mod bare;
mod books;
mod codec;
mod journal;
mod mac;
mod pin;
mod restart;
mod risk;
mod rulebook;
mod turns;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use switch_benches::proof;

/// Items in a batch call.
const SIZES: [usize; 3] = [1, 16, 256];

type Group = fn(&mut Criterion);

const GROUPS: [(&str, Group); 8] = [
    ("codec", codec::codec),
    ("mac", mac::mac),
    ("pin", pin::pin),
    ("risk", risk::risk),
    ("rulebook", rulebook::rulebook),
    ("books", books::books),
    ("journal", journal::journal),
    ("restart", restart::restart),
];

fn parts(criterion: &mut Criterion) {
    let names = GROUPS.map(|(name, _)| name);
    for (name, group) in GROUPS {
        if proof::wanted(name, &names) {
            group(criterion);
        }
    }
}

/// Short, so that the whole run is a matter of minutes.
fn settings() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = settings();
    targets = parts
}
criterion_main!(benches);
