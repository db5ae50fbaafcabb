//! What the books of a large city take in memory, part by part, and how long a start takes: a checkpoint is read, then a
//! million records behind it are read and applied. Neither disk nor chain: those are the journal's, and the same for
//! every record.
//!
//! The books that come back are proved to be those that were left.

use std::time::{Duration, Instant};

use cardswitch::books::{Books, event::Event, sizes::CardSizes};
use criterion::Criterion;
use switch_benches::proof;

use crate::books::Office;

pub(crate) fn restart(_criterion: &mut Criterion) {
    let (sizes, events): (&[u32], usize) =
        if proof::measuring() { (&[1_000_000, 10_000_000], 1_000_000) } else { (&[1_000], 100) };
    for cards in sizes {
        let mut office = Office::open(*cards);
        tell_sizes("idle", office.books().card_sizes());
        let mut checkpoint = Vec::new();
        office.books().snapshot(&mut |chunk| checkpoint.push(chunk.to_vec()));
        let bytes: usize = checkpoint.iter().map(Vec::len).sum();
        let records = office.records(events);
        tell_sizes("with a million purchases", office.books().card_sizes());

        let begun = Instant::now();
        let mut books = Books::from_snapshot(checkpoint).expect("a checkpoint");
        let read = begun.elapsed();
        let begun = Instant::now();
        replay(&mut books, &records, office.now_ms());
        let replayed = begun.elapsed();
        assert_eq!(books.state_hash(), office.books().state_hash(), "the books are those that were left");
        let what = format!(
            "checkpoint of {} MB read in {} ms, {events} records in {} ms: {} a second",
            bytes >> 20,
            read.as_millis(),
            replayed.as_millis(),
            a_second(events, replayed)
        );
        proof::told(&format!("restart with {cards} cards"), &what);
    }
}

/// As a start does: each record's event is read and applied.
fn replay(books: &mut Books, records: &[Vec<u8>], now_ms: i64) {
    for record in records {
        let event = Event::read(record).expect("an event");
        books.apply(books.seq() + 1, now_ms, &event).expect("an event that fits");
    }
}

fn a_second(count: usize, took: Duration) -> u128 {
    count as u128 * 1_000_000 / took.as_micros().max(1)
}

fn tell_sizes(when: &str, sizes: CardSizes) {
    let CardSizes { cards, used, records, accounts, counters, .. } = sizes;
    let each = |bytes: usize| bytes * 100 / cards.max(1);
    let what = format!(
        "hundredths of a byte a card: {} in all; cards and index {}, purses {}, way to counters {}; {used} were used, at {} \
         bytes each on top",
        sizes.idle_centibytes(),
        each(records),
        each(accounts),
        each(counters),
        sizes.bytes_used()
    );
    proof::told(&format!("memory of {cards} cards with three purses, {when}"), &what);
}
