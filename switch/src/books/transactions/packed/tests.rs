//! Entries go in and come out, each value at its end.

use super::*;

/// A purchase as most are.
fn purchase() -> Transaction {
    Transaction {
        key: TransactionKey { terminal: 7, batch: 1, stan: 999_999, class: 2 },
        seq: 12_345_678,
        time_ms: 1_795_313_701_709,
        kind: Kind::Purchase,
        card: Some(9_999_999),
        amount: 123_456,
        currency: 156,
        reason: Reason::Approved,
        shown: Some(Shown { available: 1_000_000, held: 0 }),
        day: 20_779,
        random: None,
        pin_change: None,
        original: None,
        returned: 0,
        released: None,
        particulars: NO_PARTICULARS,
        standing: Standing::Answered,
        partial: None,
        moved: Postings::new(),
    }
}

fn moved(amounts: [Minor; 2]) -> Postings {
    let legs = amounts.into_iter().zip(3..);
    legs.map(|(amount, account)| Posting { account: AccountId(account), amount }).collect()
}

fn check(name: &str, entry: &Transaction, form: u64) {
    let mut rows = Rows::default();
    let first = rows.put(&purchase());
    let at = rows.put(entry);
    assert_eq!(rows.rows[at as usize].form(), form, "{name}");
    for standing in STANDINGS {
        rows.set_standing(at, standing);
        assert_eq!(rows.get(at), Transaction { standing, ..entry.clone() }, "{name}");
    }
    let parts = (rows.key(at), rows.seq(at), rows.time_ms(at));
    assert_eq!(parts, (entry.key, entry.seq, entry.time_ms), "{name}");
    assert_eq!(rows.get(first), purchase(), "{name}: its neighbour");
    rows.take(at);
    assert_eq!(rows.put(&purchase()), at, "{name}: its place is used again");
    assert_eq!((rows.get(at), rows.whole.len()), (purchase(), 0), "{name}");
    assert_eq!(rows.more.len(), rows.more_free.len(), "{name}");
}

#[test]
fn what_comes_out_is_what_went_in() {
    let base = purchase();
    let key = base.key;
    let rows = [
        ("a purchase", base.clone(), ALONE),
        ("nothing shown", Transaction { shown: None, ..base.clone() }, ALONE),
        ("no card", Transaction { card: None, reason: Reason::NoSuchCard, ..base.clone() }, ALONE),
        (
            "every value at its end",
            Transaction {
                key: TransactionKey {
                    terminal: (1 << TERMINAL) - 1,
                    batch: (1 << BATCH) - 1,
                    stan: (1 << STAN) - 1,
                    class: 15,
                },
                seq: (1 << SEQ) - 1,
                time_ms: (1 << TIME) - 1,
                day: day_of((1 << TIME) - 1, 15),
                card: Some(u32::try_from(NO_CARD - 1).unwrap_or(0)),
                amount: (1 << AMOUNT) - 1,
                shown: Some(Shown { available: NOT_SHOWN.cast_signed() - 1, held: 0 }),
                ..base.clone()
            },
            ALONE,
        ),
        (
            "something held",
            Transaction { shown: Some(Shown { available: 5, held: 1 }), ..base.clone() },
            WITH_MORE,
        ),
        (
            "less than nothing",
            Transaction { shown: Some(Shown { available: -5, held: 0 }), ..base.clone() },
            WITH_MORE,
        ),
        ("other particulars", Transaction { particulars: 0, ..base.clone() }, WITH_MORE),
        (
            "a refund",
            Transaction { original: Some(77), returned: 50, particulars: 3, ..base.clone() },
            WITH_MORE,
        ),
        (
            "a completion",
            Transaction { original: Some(77), released: Some(HoldId(77)), ..base.clone() },
            WITH_MORE,
        ),
        ("a telephone POS", Transaction { random: Some([9; 8]), ..base.clone() }, WITH_MORE),
        ("a new PIN", Transaction { pin_change: Some((Pvv(*b"1234"), 3)), ..base.clone() }, WITH_MORE),
        ("a part", Transaction { partial: Some(5), ..base.clone() }, WITH_MORE),
        ("a load", Transaction { moved: moved([-123_456, 123_456]), ..base.clone() }, WITH_MORE),
        ("a load that pays a debt", Transaction { moved: moved([-123_456, 6]), ..base.clone() }, WHOLE),
        (
            "a large STAN",
            Transaction { key: TransactionKey { stan: 1 << STAN, ..key }, ..base.clone() },
            WHOLE,
        ),
        (
            "a large terminal",
            Transaction { key: TransactionKey { terminal: u32::MAX, ..key }, ..base.clone() },
            WHOLE,
        ),
        (
            "a large batch",
            Transaction { key: TransactionKey { batch: u32::MAX, ..key }, ..base.clone() },
            WHOLE,
        ),
        ("a large class", Transaction { key: TransactionKey { class: 255, ..key }, ..base.clone() }, WHOLE),
        ("a large record", Transaction { seq: u64::MAX, ..base.clone() }, WHOLE),
        ("a time before 1970", Transaction { time_ms: -1, ..base.clone() }, WHOLE),
        ("a day before its time", Transaction { day: 0, ..base.clone() }, WHOLE),
        ("a day behind its time", Transaction { day: i32::MAX, ..base.clone() }, WHOLE),
        ("a large card", Transaction { card: Some(u32::MAX), ..base.clone() }, WHOLE),
        (
            "the card that would look like none",
            Transaction { card: u32::try_from(NO_CARD).ok(), ..base.clone() },
            WHOLE,
        ),
        ("a large amount", Transaction { amount: 1 << AMOUNT, ..base.clone() }, WHOLE),
        ("an amount below zero", Transaction { amount: -1, ..base }, WHOLE),
    ];
    for (name, entry, form) in rows {
        check(name, &entry, form);
    }
}

#[test]
fn every_kind_and_reason_comes_out_as_it_went_in() {
    let mut rows = Rows::default();
    for kind in Kind::ALL {
        for reason in Reason::ALL {
            let entry = Transaction { kind, reason, ..purchase() };
            let at = rows.put(&entry);
            assert_eq!(rows.get(at), entry);
        }
    }
    assert_eq!((rows.more.len(), rows.whole.len()), (0, 0));
}

#[test]
fn a_seventeenth_currency_has_no_bits() {
    let mut rows = Rows::default();
    for currency in 1..40 {
        let entry = Transaction { currency, ..purchase() };
        let at = rows.put(&entry);
        assert_eq!(rows.get(at), entry);
    }
    assert_eq!(rows.whole.len(), 39 - 16);
}
