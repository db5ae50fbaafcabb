//! Trials against a naive reading of the same rules, and data sets that are wrong.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use risk::{past::Keep, rulebook::Rulebook};

use super::{Asked, DataSet, Findings, Map, Plan, Trial, generate, report};

const RULES: &str = include_str!("../../../fixtures/rules/velocity.toml");
const MAP: &str = include_str!("../../../fixtures/rules/generated-map.toml");

/// A row as the naive reading has it; times are hours and minutes of Shanghai.
struct Plain {
    at_s: i64,
    day: String,
    card: String,
    terminal: String,
    merchant: String,
    amount: i64,
    fraud: bool,
}

fn data(transactions: u64) -> String {
    let plan = Plan { transactions, cards: 40, terminals: 16, days: 2, seed: 5 };
    let mut out = Vec::new();
    generate(&plan, &mut out, &mut |_| ()).unwrap();
    String::from_utf8(out).unwrap()
}

fn plain(line: &str) -> Plain {
    let [time, _, card, terminal, merchant, _, _, amount, fraud] = line.split(',').collect::<Vec<_>>()[..]
    else {
        panic!("{line}")
    };
    let at: jiff::civil::DateTime = time.replace(' ', "T").parse().unwrap();
    Plain {
        at_s: at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second(),
        day: time[..10].to_owned(),
        card: card.to_owned(),
        terminal: terminal.to_owned(),
        merchant: merchant.to_owned(),
        amount: amount.replace('.', "").parse().unwrap(),
        fraud: fraud == "1",
    }
}

/// The ten rules, each by going through everything before.
fn naive(before: &[Plain], now: &Plain) -> BTreeSet<&'static str> {
    let last = |seconds: i64| before.iter().filter(move |row| now.at_s - row.at_s < seconds);
    let sum = |rows: &mut dyn Iterator<Item = &Plain>| rows.map(|row| row.amount).sum::<i64>();
    let of_card = |row: &&Plain| row.card == now.card;
    let today = |row: &&Plain| row.day == now.day;
    let month = |row: &&Plain| row.day[..7] == now.day[..7];
    let day_s = 86_400;
    let merchants: BTreeSet<&str> = last(day_s).filter(of_card).map(|row| row.merchant.as_str()).collect();
    let at_terminal = last(3_600).filter(|row| row.terminal == now.terminal);
    let cards: BTreeSet<&str> = at_terminal.map(|row| row.card.as_str()).collect();
    let here = before.iter().filter(of_card).filter(today).filter(|row| row.merchant == now.merchant).count();
    let at_merchant = sum(&mut last(3_600).filter(|row| row.merchant == now.merchant));
    let rules = [
        ("card-10m", last(600).filter(of_card).count() >= 2),
        ("card-1h", last(3_600).filter(of_card).count() >= 4),
        ("card-24h-sum", sum(&mut last(day_s).filter(of_card)) + now.amount > 250_000),
        ("card-day", before.iter().filter(of_card).filter(today).count() >= 5),
        ("card-7d-sum", sum(&mut last(7 * day_s).filter(of_card)) > 300_000 && now.amount > 50_000),
        ("card-month-sum", sum(&mut before.iter().filter(of_card).filter(month)) + now.amount > 800_000),
        ("merchants-24h", merchants.len() >= 4),
        ("terminal-1h", cards.len() >= 12),
        ("third-at-merchant", here == 2),
        ("merchant-1h-sum", at_merchant > 2_000_000 && now.amount > 100_000),
    ];
    rules.into_iter().filter(|(_, fires)| *fires).map(|(rule, _)| rule).collect()
}

/// A trial on a data set; `see` hears which rules fired on each row.
fn trial(data: &str, map: &str, see: &mut dyn FnMut(usize, BTreeSet<&str>)) -> Findings {
    let book = Rulebook::rehearse(&[RULES]).unwrap();
    let ids: Vec<String> = book.evaluated().map(|rule| rule.id.clone()).collect();
    let map = Map::read(map).unwrap();
    let mut trial = Trial::new(book, None, map.currency(), Keep::ASKED);
    let mut rows = DataSet::open(data.as_bytes(), map).unwrap();
    let mut number = 0;
    while rows.advance().unwrap() {
        let asked = Asked { row: rows.row(), request: rows.request(), declined: rows.declined() };
        let fired = trial.take(&asked, |_, _| false);
        see(number, fired.iter().map(|rule| ids[rule].as_str()).collect());
        number += 1;
    }
    trial.finish(false)
}

#[test]
fn a_trial_hits_what_a_naive_reading_of_the_rules_hits() {
    let data = data(5_000);
    let rows: Vec<Plain> = data.lines().skip(1).map(plain).collect();
    let (mut hits, mut fired) = (0, BTreeSet::new());
    let findings = trial(&data, MAP, &mut |row, got| {
        let want = naive(&rows[..row], &rows[row]);
        assert_eq!(got, want, "row {row}");
        hits += want.len() as u64;
        fired.extend(want);
    });
    assert_eq!(findings.rows, 5_000);
    assert_eq!(findings.rules.iter().map(|rule| rule.hits).sum::<u64>(), hits);
    assert!(fired.len() >= 8, "only {fired:?} fired");
}

#[test]
fn labels_count_once_they_are_known() {
    let data = data(3_000);
    let frauds = data.lines().skip(1).map(plain).filter(|row| row.fraud).count() as u64;
    let known_at_once = trial(&data, &MAP.replace("30d", "0d"), &mut |_, _| ());
    let known_late = trial(&data, MAP, &mut |_, _| ());
    assert_eq!(known_at_once.frauds, frauds);
    assert!(frauds > 20 && known_late.frauds == 0, "two days of data, and labels after thirty");
    for (rule, late) in known_at_once.rules.iter().zip(&known_late.rules) {
        assert_eq!(rule.hits, rule.fraud + rule.genuine, "{}", rule.id);
        assert_eq!((late.hits, late.unknown, late.fraud), (rule.hits, rule.hits, 0), "{}", rule.id);
    }
    let stopped = known_at_once.rules.iter().find(|rule| rule.id == "card-24h-sum").unwrap();
    assert!(stopped.value_stopped > 0 && stopped.value_stopped <= known_at_once.fraud_value);
    let declined = known_at_once.declines.hits;
    assert_eq!((known_at_once.gained, known_at_once.lost), (declined, 0), "nothing was declined before");
    assert_eq!(known_at_once.gained_examples.len(), 10);
}

#[test]
fn what_was_declined_is_held_against_what_would_be() {
    let map = "currency = \"CNY\"\ndeclined = [\"no\"]\n[columns]\ntime = \"t\"\ncard = \"c\"\nmerchant = \"m\"\namount = \"a\"\n\
               decision = \"d\"\n";
    let data = "t,c,m,a,d\n2026-11-22 12:00:00,1,1,2600.00,yes\n2026-11-22 12:00:01,2,1,10.00,no\n\
                2026-11-22 12:00:02,2,1,10,yes\n";
    let findings = trial(data, map, &mut |_, _| ());
    assert_eq!((findings.were_declined, findings.gained, findings.lost), (1, 1, 1));
    assert_eq!(findings.gained_examples[0].reference, "line 2");
    assert_eq!(findings.lost_examples[0].reference, "line 3");
    let sum = findings.rules.iter().find(|rule| rule.id == "card-24h-sum").unwrap();
    assert_eq!((sum.hits, sum.unknown, sum.value), (1, 1, 260_000), "a row without label is not known");
}

#[test]
fn windows_by_what_the_data_does_not_have_are_refused() {
    let book = Rulebook::rehearse(&[RULES]).unwrap();
    assert!(Map::read(MAP).unwrap().suits(&book).is_ok());
    let cases = [
        ("terminal = \"terminal\"\n", "distinct(card, \"1h\", terminal)", "terminal"),
        ("merchant = \"merchant\"\n", "distinct(merchant, \"1d\", card)", "merchant"),
    ];
    for (column, window, name) in cases {
        let error = Map::read(&MAP.replace(column, "")).unwrap().suits(&book).unwrap_err().to_string();
        assert!(error.contains(window) && error.contains(&format!("no column for {name}")), "{error}");
    }
}

#[test]
fn a_wrong_data_set_says_where_and_which_rule() {
    let good = "time,reference,card,terminal,merchant,mcc,region,amount,fraud\n\
                2026-11-22 12:00:00,R1,4111111111111111,t1,m1,5411,310000,12.50,0\n\
                2026-11-22 12:00:01,4111111111111111,c1,t1,m1,5411,310000,12.50,1\n";
    let cases = [
        ("no time", "12:00:01", "noon", "line 3, column 1 (time): must be a time"),
        ("an earlier row", "12:00:01", "11:00:00", "line 3, column 1 (time): earlier than the row before"),
        ("half a fen", "12.50,1", "12.505,1", "line 3, column 8 (amount): must be an amount"),
        ("less than nothing", "12.50,1", "-1,1", "line 3, column 8 (amount): must be an amount"),
        (
            "no category",
            "5411,310000,12.50,1",
            "shop,310000,12.50,1",
            "line 3, column 6 (mcc): must be a category",
        ),
        ("no card", ",c1,", ",,", "line 3, column 3 (card): must be the card"),
        ("a row too short", ",310000,12.50,1", "", "line 3: the file cannot be read"),
        (
            "no such column",
            "region",
            "place",
            "the file has no column region, which the map names for region",
        ),
        ("a quote that is not closed", "R1", "\"R1", "line 2"),
    ];
    for (name, from, to, want) in cases {
        let data = good.replacen(from, to, 1);
        let found = DataSet::open(data.as_bytes(), Map::read(MAP).unwrap()).and_then(|mut rows| {
            while rows.advance()? {}
            Ok(rows.row().reference.clone())
        });
        let error = found.map_err(|error| error.to_string()).unwrap_err();
        assert!(error.contains(want) && !error.contains("4111"), "{name}: {error}");
    }
    let mut rows = DataSet::open(good.as_bytes(), Map::read(MAP).unwrap()).unwrap();
    assert!(rows.advance().unwrap() && rows.row().reference == "R1");
    assert!(
        rows.advance().unwrap() && rows.row().reference == "line 3",
        "what could be a card is not taken over"
    );
    let more = good.replacen("R1", "4111111111111111-0000001", 1);
    let mut rows = DataSet::open(more.as_bytes(), Map::read(MAP).unwrap()).unwrap();
    assert!(rows.advance().unwrap() && rows.row().reference == "line 2", "nor with more digits beside it");
    let endless = format!("{}{}", &good[..good.find('\n').unwrap() + 1], "x".repeat(3 << 20));
    let mut rows = DataSet::open(endless.as_bytes(), Map::read(MAP).unwrap()).unwrap();
    let error = rows.advance().unwrap_err();
    assert!(format!("{:?}", error).contains("longer than 1 MiB"), "{error:?}");
    assert!(matches!(
        DataSet::open("time,card".as_bytes(), Map::read(MAP).unwrap()),
        Err(super::DataError::NoColumn { .. })
    ));
}

/// Bytes changed, put in, taken out and cut off.
fn spoil(bytes: &mut Vec<u8>, mut below: impl FnMut(usize) -> usize) {
    for _ in 0..=below(3) {
        let at = below(bytes.len().max(1));
        let byte = b"\r\n\",.;-0:A\0\xFF"[below(12)];
        match below(8) {
            0 => bytes.truncate(at),
            1 | 2 if at < bytes.len() => _ = bytes.remove(at),
            3 | 4 => bytes.insert(at, byte),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => {}
        }
    }
}

#[test]
fn a_data_set_that_was_changed_at_random_is_read_or_refused_with_its_line() {
    let good = data(30);
    let (head, rows) = good.split_once('\n').unwrap();
    let good = format!("{head}\n{}", rows.replace(",c", ",4111c"));
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % most
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let mut bytes = good.clone().into_bytes();
        spoil(&mut bytes, &mut below);
        let lines = 1 + bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        let map = Map::read(MAP).unwrap();
        let mut trial = Trial::new(Rulebook::rehearse(&[RULES]).unwrap(), None, map.currency(), Keep::ASKED);
        let mut taken = 0;
        let done = DataSet::open(bytes.as_slice(), map).and_then(|mut rows| {
            while rows.advance()? {
                trial.take(
                    &Asked { row: rows.row(), request: rows.request(), declined: rows.declined() },
                    |_, _| false,
                );
                taken += 1;
            }
            Ok(())
        });
        assert_eq!(trial.finish(done.is_err()).rows, taken, "each row is taken once, up to the fault");
        let Err(error) = done else {
            read += 1;
            continue;
        };
        refused += 1;
        let told = error.to_string();
        let line = told.strip_prefix("line ").and_then(|rest| rest.split([',', ':']).next()?.parse().ok());
        let placed =
            line.map_or(told.starts_with("the file has no column"), |line| (1..=lines).contains(&line));
        assert!(placed && !told.contains("4111"), "{told}");
    }
    assert!(read > 300 && refused > 300, "{read} read, {refused} refused");
}

#[test]
fn reports_say_the_same_and_hold_no_markup_of_others() {
    let mut findings = trial(&data(2_000), &MAP.replace("30d", "1h"), &mut |_, _| ());
    let hits = findings.rules[0].hits.to_string();
    findings.gained_examples[0].reference = "<script>alert(1)</script>".to_owned();
    findings.partial = true;
    let (text, page) = (report::table(&findings), report::html(&findings, "a & b"));
    let mut csv = Vec::new();
    report::csv(&findings, &mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert!(text.contains("PARTIAL") && text.contains("card-10m") && text.contains(&hits));
    assert!(
        csv.lines().count() == 12
            && csv.lines().nth(1).unwrap().starts_with("card-10m,draft,decline_and_notify,")
    );
    assert!(page.contains("&lt;script&gt;") && page.contains("a &amp; b") && !page.contains("<script"));
    assert!(page.contains("<svg") && page.contains("prefers-color-scheme: dark"));
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "the page needs {outside}");
    }
}
