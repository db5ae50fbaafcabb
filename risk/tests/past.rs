//! What a history answers, against a list of everything that ever happened, gone through for every question.
//!
//! `RISK_EVENTS` sets how many events there are. Days come from a calendar with its zone, so that months, years and
//! the days on which clocks are changed are those of the world.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::ISOWeekDate, tz::TimeZone};
use risk::language::{
    By, Code, Compiler, Currency, Fact, Measure, Names, Of, Request, TimeSpan, Window, parse,
};
use risk::past::{Happened, History, Keep, Marks, PastRow, Place, Since, Spot, TakenBack, Whose};
use risk::{Day, Period};

const CNY: u16 = 156;
const USD: u16 = 840;

/// Numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn small(&mut self, end: u64) -> u32 {
        u32::try_from(self.below(end)).expect("a small number")
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.small(of.len() as u64) as usize]
    }
}

/// What the list knows of an event.
#[derive(Clone, Debug)]
struct Known {
    happened: Happened,
    approved: bool,
    left: i64,
}

fn day_of(at_ms: i64, zone: &TimeZone) -> Day {
    let date = zone.to_datetime(Timestamp::from_millisecond(at_ms).expect("a time")).date();
    Day::of(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

fn same_period(period: Period, one_ms: i64, other_ms: i64, zone: &TimeZone) -> bool {
    let date = |at_ms| zone.to_datetime(Timestamp::from_millisecond(at_ms).expect("a time")).date();
    let (one, other) = (date(one_ms), date(other_ms));
    match period {
        Period::Day => one == other,
        Period::Week => {
            let week = |date: ISOWeekDate| (date.year(), date.week());
            week(one.iso_week_date()) == week(other.iso_week_date())
        }
        Period::Month => (one.year(), one.month()) == (other.year(), other.month()),
        Period::Year => one.year() == other.year(),
    }
}

fn same_subject(by: By, one: &Whose, other: &Whose) -> bool {
    match by {
        By::Card => one.card == other.card,
        By::Terminal => one.terminal == other.terminal,
        By::Merchant => one.merchant == other.merchant,
        By::Product => one.product == other.product,
        By::Bin => one.bin == other.bin,
        By::CardAtMerchant => (one.card, one.merchant) == (other.card, other.merchant),
    }
}

/// A moment at which something is asked.
struct Asked<'z> {
    whose: Whose,
    now_ms: i64,
    zone: &'z TimeZone,
}

fn naive(all: &[Known], window: &Window, since: Since, asked: &Asked<'_>) -> i64 {
    let inside = |known: &&Known| {
        let Happened { at_ms, whose, number, .. } = known.happened;
        number >= since.number
            && same_subject(window.by, &whose, &asked.whose)
            && match window.span {
                TimeSpan::Calendar(period) => same_period(period, at_ms, asked.now_ms, asked.zone),
                TimeSpan::Sliding(seconds) => asked.now_ms - at_ms < i64::from(seconds) * 1_000,
            }
    };
    let days = match window.span {
        TimeSpan::Calendar(Period::Day) => 2,
        TimeSpan::Calendar(Period::Week) => 8,
        TimeSpan::Calendar(Period::Year) => 367,
        _ => 32,
    };
    let recent = all.partition_point(|known| known.happened.at_ms < asked.now_ms - days * 86_400_000);
    let found = all[recent..].iter().filter(inside);
    let counts = |known: &&Known, of: Of| {
        if of == Of::Approved { known.approved } else { known.happened.marks.contains(of) }
    };
    let summed = |known: &&Known| known.happened.currency == CNY;
    match window.measure {
        Measure::Count(of) => found.filter(|known| counts(known, of)).count() as i64,
        Measure::Sum(Of::Approved) => {
            found.filter(|known| known.approved).filter(summed).map(|known| known.left).sum()
        }
        Measure::Sum(of) => {
            found.filter(|known| counts(known, of)).filter(summed).map(|known| known.happened.amount).sum()
        }
        Measure::Distinct(fact) => {
            let of = |known: &Known| match fact {
                Fact::Card => known.happened.whose.card,
                Fact::Terminal => u64::from(known.happened.whose.terminal),
                _ => u64::from(known.happened.whose.merchant),
            };
            let sent = found.filter(|known| known.happened.marks.contains(Of::Attempts));
            sent.map(of).collect::<BTreeSet<_>>().len() as i64
        }
    }
}

/// The code of rules, one for each text.
fn code(texts: &[String]) -> Code {
    let mut compiler = Compiler::new(Names { currency: Currency::named("CNY"), lists: vec![] });
    for text in texts {
        let parsed = parse(text).expect("a rule");
        let checked = compiler.check(&parsed.expr).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        compiler.add(checked, None);
    }
    compiler.finish().expect("code")
}

/// A rule that asks for some window.
fn rule(random: &mut Random) -> String {
    let by = random.one(&["card", "terminal", "merchant", "product", "bin", "card, merchant"]);
    let span = random.one(&["1m", "10m", "1h", "24h", "7d", "30d", "31d", "day", "week", "month", "year"]);
    let of = random.one(&[
        "approved",
        "attempts",
        "declined",
        "unknown_card",
        "expired",
        "wrong_pin",
        "suspected_fraud",
    ]);
    let different = random.one(&["card", "merchant", "terminal"]);
    let is_kept_for_a_year = by != "card, merchant";
    let span = if span == "year" && !is_kept_for_a_year { "month" } else { span };
    let month = if span == "year" { "week" } else { span };
    match random.below(4) {
        0 if !by.contains(different) => format!("distinct({different}, \"{month}\", {by}) > 3"),
        1 => {
            let of = random.one(&["approved", "attempts"]);
            format!("sum({of}, \"{span}\", {by}) > money(\"1.00\", \"CNY\")")
        }
        _ => format!("count({of}, \"{span}\", {by}) > 3"),
    }
}

fn whose(random: &mut Random) -> Whose {
    let card = random.small(12);
    let product = u16::try_from(card % 3).expect("small");
    Whose {
        card: u64::from(card) << 40,
        terminal: random.small(5),
        merchant: random.small(4),
        product,
        bin: 915_600 + card % 2,
    }
}

fn happened(random: &mut Random, number: u64, now_ms: i64, zone: &TimeZone) -> Happened {
    let declined = random.one(&[Of::UnknownCard, Of::Expired, Of::WrongPin, Of::SuspectedFraud]);
    let marks = match random.below(8) {
        0 => Marks::DECLINED,
        1 | 2 => Marks::DECLINED.and(declined),
        3 => Marks::ATTEMPT,
        // An advice: approved elsewhere, and nobody asked here.
        4 => Marks::of(&[Of::Approved]),
        _ => Marks::APPROVED,
    };
    let amount = 1 + random.below(5_000) as i64;
    Happened {
        number,
        at_ms: now_ms,
        day: day_of(now_ms, zone),
        whose: whose(random),
        amount,
        approved: if random.below(4) == 0 { amount / 2 } else { amount },
        currency: if random.below(9) == 0 { USD } else { CNY },
        marks,
        place: Place::default(),
    }
}

/// Takes back a part or all of a recent approval.
fn take_back(random: &mut Random, history: &mut History, all: &mut [Known]) {
    let back = random.small(400.min(all.len() as u64)) as usize;
    let at = all.len() - 1 - back;
    let known = &mut all[at];
    let Happened { number, day, whose, currency, approved, marks, .. } = known.happened;
    let (whole, amount) = match (known.approved, random.below(2) == 0) {
        (true, true) => (true, known.left),
        (true, false) => (false, known.left / 2),
        // A reversal that was itself reversed.
        (false, true) if marks.contains(Of::Approved) && approved > 0 => (true, -approved),
        (false, _) => return,
    };
    known.left -= amount;
    known.approved = !whole || amount < 0;
    history.take_back(&TakenBack { number, whose, day, amount, currency, whole });
}

/// What a snapshot of a history gives again.
fn saved(history: &History, code: &Code, keep: Keep) -> History {
    let bytes: Vec<Vec<u8>> =
        history.rows().map(|row| postcard::to_allocvec(&row).expect("a row is written")).collect();
    let mut restored = History::new(code, CNY, keep);
    for row in bytes {
        restored.restore(postcard::from_bytes::<PastRow>(&row).expect("a row is read"));
    }
    assert!(restored == *history, "a snapshot gives the same history");
    restored
}

fn random_history(zone: &str, events: u64, seed: u64) {
    let zone = TimeZone::get(zone).expect("a zone");
    let mut random = Random(seed);
    let keep = Keep { at_least_ms: 3_600_000, ..Keep::ASKED };
    let mut set = code(&(0..30).map(|_| rule(&mut random)).collect::<Vec<_>>());
    let mut history = History::new(&set, CNY, keep);
    let mut all: Vec<Known> = Vec::new();
    let (mut now_ms, mut asked, mut answers) = (1_790_000_000_000_i64, 0, 0);
    for number in 1..=events {
        // Mostly a rush, now and then a pause, so that every border is crossed with counts on both sides.
        let pause = random.below(40) == 0;
        now_ms += random.below(if pause { 3 * 86_400_000 } else { 1_200_000 }) as i64;
        let event = happened(&mut random, number, now_ms, &zone);
        let moment = Asked { whose: event.whose, now_ms, zone: &zone };
        let before = history.before(&event.whose, now_ms, event.day, ());
        for _ in 0..3 {
            let window = random.small(set.windows().len() as u64) as usize;
            let since = history.since(window).expect("it is asked for");
            let got = before.held(window);
            let want = naive(&all, &set.windows()[window], since, &moment);
            assert_eq!(got, want, "{} at {now_ms}, event {number}, seed {seed}", set.windows()[window]);
            asked += 1;
            answers += i64::from(got > 0);
        }
        history.record(&event);
        let approved = event.marks.contains(Of::Approved);
        all.push(Known { happened: event, approved, left: event.approved });
        if random.below(5) == 0 {
            take_back(&mut random, &mut history, &mut all);
        }
        if random.below(1_000) == 0 {
            history = saved(&history, &set, keep);
        }
        if random.below(2_000) == 0 {
            // Half of the rules stay, the others are new.
            let kept = set.windows().iter().step_by(2).map(|window| format!("{window} >= {}", zero(window)));
            let texts: Vec<String> = kept.chain((0..15).map(|_| rule(&mut random))).collect();
            set = code(&texts);
            history.adopt(&set, CNY);
        }
    }
    assert!(answers > asked / 4, "{answers} of {asked} answers were not zero");
    assert_eq!(history.dropped(), 0);
}

fn zero(window: &Window) -> &'static str {
    if matches!(window.measure, Measure::Sum(_)) { "money(\"0.00\", \"CNY\")" } else { "0" }
}

#[test]
fn a_history_answers_as_a_list_of_everything_does() {
    let events = std::env::var("RISK_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(6_000);
    random_history("Asia/Shanghai", events / 2, 1);
    random_history("Europe/Berlin", events / 4, 2);
    random_history("America/New_York", events / 4, 3);
}

const WHOSE: Whose = Whose { card: 1, terminal: 0, merchant: 9, product: 0, bin: 915_600 };

fn event(number: u64, at: &str, zone: &TimeZone) -> Happened {
    let at = at.parse::<jiff::civil::DateTime>().expect("a date").to_zoned(zone.clone()).expect("a moment");
    let at_ms = at.timestamp().as_millisecond();
    let (day, place) = (day_of(at_ms, zone), Place::default());
    let marks = Marks::APPROVED;
    Happened { number, at_ms, day, whose: WHOSE, amount: 100, approved: 100, currency: CNY, marks, place }
}

/// What one window holds for a moment.
fn ask(history: &History, code: &Code, window: &str, now: &Happened) -> i64 {
    let number = code.windows().iter().position(|known| known.to_string() == window).expect("a window");
    history.before(&WHOSE, now.at_ms, now.day, ()).held(number)
}

#[test]
fn calendar_and_sliding_windows_part_at_borders() {
    let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
    let cases = [
        ("a minute before midnight", "2026-11-22T23:59:00", "2026-11-23T00:01:00", "day", 0, 1),
        ("Sunday and Monday", "2026-11-22T12:00:00", "2026-11-23T11:00:00", "week", 0, 1),
        ("the same week", "2026-11-23T12:00:00", "2026-11-29T23:00:00", "week", 1, 0),
        ("the end of a month", "2026-11-30T23:00:00", "2026-12-01T01:00:00", "month", 0, 1),
        ("the end of a year", "2026-12-31T23:00:00", "2027-01-01T01:00:00", "year", 0, 1),
        ("a week over the end of a year", "2026-12-31T23:00:00", "2027-01-01T01:00:00", "week", 1, 1),
        ("a day of 23 hours", "2027-03-28T00:30:00", "2027-03-28T23:59:00", "day", 1, 1),
        ("a day of 25 hours, from end to end", "2026-10-25T00:10:00", "2026-10-25T23:50:00", "day", 1, 0),
        ("the longest month, with an hour more", "2026-10-01T00:00:30", "2026-10-31T23:59:30", "month", 1, 0),
    ];
    for (name, before, now, period, calendar, sliding) in cases {
        let rules = ["1d", period].map(|span| format!("count(approved, \"{span}\", card) > 0"));
        let code = code(&rules);
        let mut history = History::new(&code, CNY, Keep::ASKED);
        history.record(&event(1, before, &berlin));
        let now = event(2, now, &berlin);
        let count = |span: &str| ask(&history, &code, &format!("count(approved, \"{span}\", card)"), &now);
        assert_eq!(count(period), calendar, "{name}, {period}");
        assert_eq!(count("1d"), sliding, "{name}, 24 hours");
    }
}

#[test]
fn an_event_is_in_its_window_up_to_the_last_millisecond() {
    let code = code(&["count(attempts, \"1m\", card) > 0".to_owned()]);
    let mut history = History::new(&code, CNY, Keep::ASKED);
    let first = event(1, "2026-11-22T12:00:00", &TimeZone::UTC);
    history.record(&first);
    for (after_ms, want) in [(0, 1), (59_999, 1), (60_000, 0)] {
        let now = Happened { at_ms: first.at_ms + after_ms, ..first };
        assert_eq!(ask(&history, &code, "count(attempts, \"1m\", card)", &now), want, "{after_ms} ms later");
    }
}

#[test]
fn a_full_log_drops_the_oldest_and_says_since_when_it_counts() {
    let (sliding, today) = ("count(approved, \"1h\", card)", "count(approved, \"day\", card)");
    let code = code(&[sliding, today].map(|window| format!("{window} > 0")));
    let mut history = History::new(&code, CNY, Keep { entries_max: 3, at_least_ms: 0 });
    for number in 1..=5 {
        history.record(&event(number, "2026-11-22T12:00:00", &TimeZone::UTC));
    }
    let now = event(9, "2026-11-22T12:00:01", &TimeZone::UTC);
    let counts = [sliding, today].map(|window| ask(&history, &code, window, &now));
    assert_eq!((counts, history.dropped()), ([3, 5], 2), "counts of the calendar are whole");
    assert_eq!(history.since(0).map(|since| since.number), Some(3));
    assert_eq!(history.since(1), Some(Since::BEGINNING));
    history.record(&event(9, "2026-12-25T12:00:01", &TimeZone::UTC));
    assert_eq!((history.sizes().0, history.dropped()), (1, 2), "what is past its time was not dropped early");
}

#[test]
fn a_new_set_goes_on_with_what_the_old_one_counted() {
    let utc = TimeZone::UTC;
    let (year, day, hour) =
        ("count(approved, \"year\", card)", "count(approved, \"day\", card)", "sum(approved, \"1h\", card)");
    let old = code(&[format!("{year} > 0"), format!("{hour} > money(\"1.00\", \"CNY\")")]);
    let new = code(&[format!("{day} > 0"), format!("{year} > 0")]);
    let mut history = History::new(&old, CNY, Keep::ASKED);
    for (number, at) in [
        (1, "2026-02-01T12:00:00"),
        (2, "2026-11-22T08:00:00"),
        (3, "2026-11-22T11:30:00"),
        (4, "2026-11-22T12:00:00"),
    ] {
        history.record(&event(number, at, &utc));
    }
    history.adopt(&new, CNY);
    let now = event(9, "2026-11-22T12:10:00", &utc);
    assert_eq!(ask(&history, &new, year, &now), 4, "the old set counted it");
    assert_eq!(ask(&history, &new, day, &now), 2, "what the log still held");
    let number = |window: &str| new.windows().iter().position(|known| known.to_string() == window);
    let since = |window: &str| history.since(number(window).expect("a window")).expect("asked");
    assert_eq!((since(year), since(day).number), (Since::BEGINNING, 3));
    // What came before a window began is not taken back from it.
    let back = |number, original: &Happened| TakenBack {
        number,
        whose: WHOSE,
        day: original.day,
        amount: 100,
        currency: CNY,
        whole: true,
    };
    history.take_back(&back(2, &now));
    assert_eq!([year, day].map(|window| ask(&history, &new, window, &now)), [3, 2]);
    history.take_back(&back(4, &now));
    assert_eq!([year, day].map(|window| ask(&history, &new, window, &now)), [2, 1]);
}

#[test]
fn a_card_was_last_seen_where_it_was_approved() {
    let code = code(&["last.speed > 900 && last.region == 310000 && first.seconds > 60".to_owned()]);
    let mut history = History::new(&code, CNY, Keep::ASKED);
    let shanghai = Place { region: 310_000, spot: Some(Spot { north_e4: 312_304, east_e4: 1_214_737 }) };
    let beijing = Place { region: 110_000, spot: Some(Spot { north_e4: 399_042, east_e4: 1_164_074 }) };
    let first = Happened { place: shanghai, ..event(1, "2026-11-22T12:00:00", &TimeZone::UTC) };
    let later = event(2, "2026-11-22T13:00:00", &TimeZone::UTC);
    let facts = |history: &History| {
        let mut request = Request::new(later.day);
        history.before(&WHOSE, later.at_ms, later.day, ()).tell(&beijing, &mut request);
        let speed = request.number_of(Fact::LastSpeed).map(|speed| (1_050..1_090).contains(&speed));
        let number = |fact| request.number_of(fact);
        (number(Fact::LastRegion), number(Fact::LastSeconds), speed, number(Fact::FirstSeconds))
    };
    assert_eq!(facts(&history), (None, None, None, None), "never seen");
    history.record(&Happened { marks: Marks::DECLINED, place: beijing, ..first });
    assert_eq!(facts(&history), (None, None, None, None), "never approved");
    history.record(&first);
    assert_eq!(facts(&history), (Some(310_000), Some(3_600), Some(true), Some(3_600)));
    assert_eq!(facts(&saved(&history, &code, Keep::ASKED)), facts(&history));
}

#[test]
fn memory_goes_back_when_nothing_can_be_reached() {
    let code =
        code(&["count(attempts, \"1h\", card) > 3 && distinct(merchant, \"day\", card) > 2".to_owned()]);
    let mut history = History::new(&code, CNY, Keep::ASKED);
    let start = event(1, "2026-11-22T12:00:00", &TimeZone::UTC);
    let mut most = 0;
    for number in 0..400_000_u64 {
        // Every card is used once; ten an hour's second.
        let at_ms = start.at_ms + i64::try_from(number).expect("small") * 2_000;
        let day = day_of(at_ms, &TimeZone::UTC);
        history.record(&Happened { number, at_ms, day, whose: Whose { card: number, ..WHOSE }, ..start });
        if number == 50_000 {
            most = history.bytes();
        }
    }
    let (entries, rows) = history.sizes();
    assert!(entries <= 86_400 / 2 && rows < 100_000, "{entries} entries, {rows} rows");
    assert!(history.bytes() < most * 3, "{} bytes, {most} before", history.bytes());
}
