//! Settling the days of a small history, and refusing to settle others.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, path::Path};

use jiff::{ToSpan, civil::Date};

use super::{
    SettlementError, Summary, closing,
    file::{is_sealed, texts},
    testing::{DAY, History, SHOP},
};
use crate::{
    audit::StoppedFolder,
    books::{
        event::{Decided, Event},
        request::Kind,
    },
    clock::{Clock, date_of_day, days_since_1970},
    journal::{RecordBatch, SledStore, Store, StoreOptions},
    ledger::Posting,
};

fn next(day: Date, days: i32) -> Date {
    day.saturating_add(days.days())
}

fn settled(history: &History, day: Date) -> (Summary, BTreeMap<String, String>) {
    let folder = tempfile::tempdir().unwrap();
    let summary = history.settle(day, folder.path()).unwrap();
    let files = texts(folder.path(), &summary.files).unwrap();
    (summary, files)
}

/// The fields of a file's lines; its seal and where the journal stood left out.
fn rows(text: &str) -> Vec<Vec<String>> {
    assert!(is_sealed(text), "{text}");
    let mut csv = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    let fields = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    let mut rows: Vec<Vec<String>> = csv.records().map(|row| fields(row.unwrap())).collect();
    rows.pop();
    let journal = rows.pop().unwrap();
    assert!(journal[0] == "journal" && journal[2].len() == 64, "{journal:?}");
    rows
}

/// Some columns of the rows between header and trailer.
fn columns<const N: usize>(rows: &[Vec<String>], names: [&str; N]) -> Vec<[String; N]> {
    let at = names.map(|name| rows[0].iter().position(|column| column == name).unwrap());
    let body = rows[1..].iter().filter(|row| row[0] != "trailer");
    body.map(|row| at.map(|at| row[at].clone())).collect()
}

#[test]
fn an_issuers_file_lists_what_its_cards_paid_and_got() {
    let (summary, files) = settled(&History::of_two_days(), DAY);
    let city = rows(&files["issuer-CITY-2026-11-21.csv"]);
    let listed = columns(&city, ["kind", "card", "terminal", "amount", "fee", "against"]);
    let row = |kind, terminal, amount, fee, against| {
        [kind, "915600…0010", terminal, amount, fee, against].map(str::to_owned)
    };
    assert_eq!(
        listed,
        [
            row("purchase", "31000001", "-10000", "60", "merchant_payable"),
            row("load", "31000001", "2000", "0", "orderer_float"),
            row("reversal", "31000001", "-2000", "0", "orderer_float"),
            row("withdrawal", "51000001", "-3200", "200", "acquirer_payable"),
        ]
    );
    let numbers = columns(&city, ["record", "approval_code", "original"]);
    assert_eq!(numbers[2][2], numbers[1][0], "the reversal names the load");
    assert_eq!(numbers[0][1], format!("{:06}", numbers[0][0].parse::<u64>().unwrap()));
    assert_eq!(city.last().unwrap(), &["trailer", "4", "3", "-15200", "1", "2000", "156"]);

    let gift = rows(&files["issuer-GIFT-2026-11-21.csv"]);
    let loads = columns(&gift, ["kind", "merchant", "amount", "against"]);
    assert_eq!(loads, [["load", "898310060120001", "5000", "load_line"]]);
    assert_eq!(summary.issuers.iter().map(|total| total.rows).collect::<Vec<_>>(), [4, 1]);
    assert_eq!(summary.sums, [(156, 0)]);
}

#[test]
fn payees_files_come_to_what_their_accounts_moved() {
    let (_, files) = settled(&History::of_two_days(), DAY);
    let merchants = rows(&files["merchants-2026-11-21.csv"]);
    assert_eq!(
        merchants[1..],
        [
            vec!["898310054110001", "Riverside, \"the\" shop", "156", "1", "10000", "0", "0", "60", "9940"],
            vec!["trailer", "1", "1", "10000", "0", "0", "60", "9940", "156"],
        ]
    );
    let acquirers = rows(&files["acquirers-2026-11-21.csv"]);
    assert_eq!(acquirers[1], ["31060110", "North Bank", "156", "1", "3000", "0", "0", "200", "3200"]);
}

#[test]
fn the_next_day_has_the_refund_and_the_hold_that_ran_out() {
    let mut history = History::of_two_days();
    let open = history.settle(next(DAY, 1), tempfile::tempdir().unwrap().path());
    assert!(matches!(open, Err(SettlementError::Open { day }) if day == next(DAY, 1)), "{open:?}");
    let event = closing::cut_over(&history.books, next(DAY, 1)).unwrap().unwrap();
    history.record(event);
    let (summary, files) = settled(&history, next(DAY, 1));
    let city = rows(&files["issuer-CITY-2026-11-22.csv"]);
    let listed = columns(&city, ["kind", "amount", "released"]);
    assert_eq!(listed, [["refund", "4000", "0"], ["hold_expired", "0", "300"]]);
    let about = columns(&city, ["original"]);
    assert!(about.iter().all(|[original]| !original.is_empty()), "{about:?}");
    let merchants = rows(&files["merchants-2026-11-22.csv"]);
    assert_eq!(merchants[1][3..], ["0", "0", "1", "4000", "-24", "-3976"]);
    assert_eq!(rows(&files["acquirers-2026-11-22.csv"]).len(), 1, "nothing but its header");
    assert_eq!(summary.closed_by, history.books.seq());
}

#[test]
fn a_closed_day_has_the_same_files_whatever_comes_later() {
    let mut history = History::of_two_days();
    let before = settled(&history, DAY);
    for day in 1..4 {
        history.record(Event::CutOver { opens: days_since_1970(next(DAY, day)) + 1 });
        history.purchase(1, 100, 0);
    }
    assert_eq!(settled(&history, DAY), before);
}

#[test]
fn each_file_says_where_the_journal_stood_so_that_another_history_is_found_out() {
    let history = History::of_two_days();
    let (summary, files) = settled(&history, DAY);
    let reader = history.store.reader();
    let (seq, hash) = reader.commit_before(summary.closed_by).unwrap();
    assert!(seq > 0 && seq < summary.closed_by);
    assert_eq!(reader.hash_at(seq).unwrap(), Some(hash), "the journal still says so");
    let line = format!("\njournal,{seq},{}\n", crate::hex::digits(&hash));
    assert!(files.values().all(|text| text.contains(&line)), "{files:?}");
}

#[test]
fn a_day_on_which_nothing_ran_has_empty_files() {
    let mut history = History::of_two_days();
    history.record(Event::CutOver { opens: history.books.business_day() + 3 });
    let (summary, files) = settled(&history, next(DAY, 2));
    assert_eq!(files.len(), 4);
    assert!(summary.accounts.iter().all(|account| account.change == 0), "{summary:?}");
    assert_eq!(rows(&files["issuer-GIFT-2026-11-23.csv"])[1], ["trailer", "0", "0", "0", "0", "0", "156"]);
}

#[test]
fn days_that_have_not_begun_or_never_were_are_refused() {
    let history = History::of_two_days();
    let open = next(DAY, 1);
    let rows = [
        ("the future", next(DAY, 2), "business day 2026-11-23 has not begun; 2026-11-22 is open"),
        ("before the first", next(DAY, -1), "there is no business day 2026-11-20: the first was 2026-11-21"),
        ("still open", open, "business day 2026-11-22 is open; it is settled once it has been cut over"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, day, want) in rows {
        let refused = history.settle(day, folder.path()).unwrap_err();
        assert_eq!(refused.to_string(), want, "{name}");
    }
    assert!(matches!(closing::cut_over(&history.books, next(DAY, 2)), Err(SettlementError::Future { .. })));
    assert_eq!(closing::cut_over(&history.books, DAY).unwrap(), None, "a closed day never reopens");
    let mut books = history.books.clone();
    let event = closing::cut_over(&books, open).unwrap().unwrap();
    books.apply(books.seq() + 1, books.time_ms(), &event).unwrap();
    let ahead = date_of_day(books.business_day());
    let refused = closing::cut_over(&books, ahead).unwrap_err();
    assert!(matches!(refused, SettlementError::Ahead(_)), "{refused}");
    let empty =
        super::settle(crate::journal::MemoryStore::new().reader().as_ref(), DAY, folder.path(), &mut |_| ());
    assert!(matches!(empty, Err(SettlementError::NotBegun)), "{empty:?}");
}

#[test]
fn money_that_no_transaction_explains_stops_the_settlement() {
    let rows = [
        ("a merchant's account", "what merchant 898310054110001 is owed moved by"),
        ("a purse", "all purses"),
    ];
    for (at, (name, want)) in rows.into_iter().enumerate() {
        let mut history = History::begun();
        let account = [history.books.merchants()[0].payable, history.general(0)][at];
        let float = history.books.orderers()[1].float;
        let postings = [Posting { account: float, amount: -7 }, Posting { account, amount: 7 }];
        // A load that pays a merchant, and a declined one that moves money all the same.
        let odd = history.decided(SHOP, Kind::Load, 0, 7);
        let reason = [odd.reason, crate::books::reason::Reason::SystemError][at];
        history.record(Event::Decided(Decided { reason, postings: postings.into_iter().collect(), ..odd }));
        let event = closing::cut_over(&history.books, DAY).unwrap().unwrap();
        history.record(event);
        let refused = history.settle(DAY, tempfile::tempdir().unwrap().path()).unwrap_err();
        assert!(refused.to_string().starts_with(want), "{name}: {refused}");
    }
}

#[test]
fn a_stopped_folder_is_cut_over_once_and_settles_alike_again() {
    let data = tempfile::tempdir().unwrap();
    write_to_disk(&History::of_two_days(), data.path());
    let (day, mut clock) = (next(DAY, 1), Clock::new("UTC").unwrap());
    let mut settle = |day| {
        let folder = tempfile::tempdir().unwrap();
        let summary =
            closing::settle_stopped((data.path(), None), day, folder.path(), &mut clock, &mut |_| ())?;
        let files = texts(folder.path(), &summary.files)?;
        Ok::<_, SettlementError>((summary, files))
    };
    assert!(matches!(settle(next(day, 1)), Err(SettlementError::Future { .. })), "nothing is cut over");
    let first = settle(day).unwrap();
    assert_eq!(settle(day).unwrap(), first);
    let folder = StoppedFolder::open(data.path(), None, &mut |_| ()).unwrap();
    assert_eq!(folder.books(&mut |_| ()).unwrap().seq(), first.0.closed_by, "one record was added, no more");
    folder.verify(&mut |_| ()).unwrap();
}

fn write_to_disk(history: &History, data: &Path) {
    let journal = crate::app::journal_dir(data);
    let (mut store, _) = SledStore::open(&journal, StoreOptions::default()).unwrap();
    let mut batch = RecordBatch::new();
    let visit = &mut |record: crate::journal::Record<'_>| {
        batch.push(record.seq, record.time_ms, |body| body.extend_from_slice(record.body)).unwrap();
        std::ops::ControlFlow::Continue(())
    };
    history.store.reader().read(1, visit).unwrap();
    store.append(1, &batch).unwrap();
    Box::new(store).close().unwrap();
}
