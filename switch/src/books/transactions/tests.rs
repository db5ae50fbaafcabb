//! Limits of the table, one past each, and long use beside a plain list.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::books::request::NO_PARTICULARS;

fn policy(max: u32, per_terminal: u32) -> Policy {
    Policy {
        duplicates_max: max,
        duplicates_per_terminal: per_terminal,
        duplicate_window_ms: 1_000,
        ..Policy::default()
    }
}

/// The next record's.
fn entry(terminal: u32, stan: u32, time_ms: i64) -> Transaction {
    static RECORDS: AtomicU64 = AtomicU64::new(1);
    Transaction {
        key: TransactionKey { terminal, batch: 1, stan, class: 2 },
        seq: RECORDS.fetch_add(1, Ordering::Relaxed),
        time_ms,
        kind: Kind::Purchase,
        card: None,
        amount: 1,
        currency: 156,
        reason: Reason::Approved,
        shown: None,
        day: 0,
        random: None,
        pin_change: None,
        original: None,
        returned: 0,
        released: None,
        particulars: 0,
        standing: Standing::Answered,
        partial: None,
        moved: Postings::new(),
    }
}

fn table(terminals: u32) -> Transactions {
    let mut table = Transactions::default();
    (0..terminals).for_each(|_| table.add_terminal());
    table
}

fn stans(table: &Transactions) -> Vec<(u32, u32)> {
    table.iter().map(|entry| (entry.key.terminal, entry.key.stan)).collect()
}

#[test]
fn a_full_table_owns_48_bytes_for_each_entry_its_place_in_the_index_included() {
    const MAX: u32 = 1 << 14;
    let mut table = table(100);
    let policy = policy(MAX, MAX);
    table.reserve(&policy);
    for at in 0..2 * MAX {
        let plain = Transaction { particulars: NO_PARTICULARS, ..entry(at % 100, at, 0) };
        table.remember(&plain, &policy);
    }
    assert_eq!((table.len(), table.evicted()), (MAX as usize, u64::from(MAX)));
    assert_eq!(table.rows.bytes() + table.by_key.bytes(), 48 * MAX as usize);
}

#[test]
fn one_past_its_quota_a_terminal_loses_its_own_oldest() {
    let mut table = table(2);
    let policy = policy(100, 2);
    table.remember(&entry(1, 1, 0), &policy);
    for stan in 1..=3 {
        table.remember(&entry(0, stan, 0), &policy);
    }
    assert_eq!(stans(&table), [(1, 1), (0, 2), (0, 3)]);
    assert_eq!(table.evicted(), 1);
    let lacks = [table.may_lack(0, 999), table.may_lack(0, 1_000), table.may_lack(1, 0)];
    assert_eq!(lacks, [true, false, false], "as long as the lost entry would have been there");
}

#[test]
fn one_past_the_maximum_the_oldest_of_all_goes() {
    let mut table = table(3);
    let policy = policy(2, 100);
    for terminal in 0..3 {
        table.remember(&entry(terminal, 7, 0), &policy);
    }
    assert_eq!(stans(&table), [(1, 7), (2, 7)]);
    assert_eq!(table.evicted(), 1);
}

#[test]
fn what_is_older_than_the_window_goes_uncounted() {
    let mut table = table(1);
    let policy = policy(100, 100);
    table.remember(&entry(0, 1, 0), &policy);
    table.remember(&entry(0, 2, 999), &policy);
    assert_eq!(table.len(), 2);
    table.remember(&entry(0, 3, 1_000), &policy);
    assert_eq!(stans(&table), [(0, 2), (0, 3)]);
    assert_eq!(table.evicted(), 0);
}

#[test]
fn the_same_key_is_kept_once_wherever_it_stands() {
    let mut table = table(1);
    let policy = policy(100, 100);
    for stan in [1, 2, 3, 2, 3, 1] {
        table.remember(&entry(0, stan, 0), &policy);
    }
    assert_eq!(stans(&table), [(0, 2), (0, 3), (0, 1)]);
    assert_eq!(table.by_terminal[0].count, 3);
    assert_eq!(table.evicted(), 0);
}

#[test]
fn what_left_early_covers_what_is_not_newer() {
    let key = |batch, stan| TransactionKey { terminal: 0, batch, stan, class: 2 };
    let mut lacks = Lacks::NOTHING;
    assert!(!lacks.covers(&key(1, 1)));
    for (batch, stan) in [(5, 10), (5, 7), (4, 99)] {
        lacks.add(&key(batch, stan), 1_000);
    }
    let rows = [((4, 500), true), ((5, 10), true), ((5, 11), false), ((6, 1), false)];
    for ((batch, stan), want) in rows {
        assert_eq!(lacks.covers(&key(batch, stan)), want, "{batch} {stan}");
    }
    // Field 7 over the turn of the year.
    let mut lacks = Lacks::NOTHING;
    lacks.add(&key(1_231_235_959, 3), 1_000);
    assert!(!lacks.covers(&key(101_000_000, 1)), "the new year is newer");
    lacks.add(&key(101_000_000, 1), 1_000);
    assert!(lacks.covers(&key(1_231_235_959, 3)), "the old year is older");
}

#[test]
fn long_use_agrees_with_a_plain_list() {
    let mut table = table(5);
    let policy = policy(40, 10);
    let mut naive: Vec<(u32, u32, i64)> = Vec::new();
    let mut seed = 12_345_u32;
    for step in 0..20_000_i64 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (terminal, stan, now) = ((seed >> 8) % 5, (seed >> 16) % 30, step * 40);
        table.remember(&entry(terminal, stan, now), &policy);
        for _ in 0..2 {
            if naive.first().is_some_and(|old| now - old.2 >= 1_000) {
                naive.remove(0);
            }
        }
        naive.retain(|old| (old.0, old.1) != (terminal, stan));
        if naive.iter().filter(|old| old.0 == terminal).count() >= 10 {
            let at = naive.iter().position(|old| old.0 == terminal).expect("it has ten");
            naive.remove(at);
        } else if naive.len() >= 40 {
            naive.remove(0);
        }
        naive.push((terminal, stan, now));
        let want: Vec<(u32, u32)> = naive.iter().map(|old| (old.0, old.1)).collect();
        assert_eq!(stans(&table), want, "step {step}");
    }
}
