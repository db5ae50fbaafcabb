//! Holds: money promised and not yet taken. A hold ends once, by completion, void, reversal or its time, and what is
//! held nobody else can spend.
//!
//! What needs time to pass runs on [`Timed`]: the stages over a journal in memory, under a clock that stands until
//! it is moved.

use cardswitch::{
    app,
    audit::read_events,
    batch::{Batch, Line},
    books::{
        Books,
        event::{Event, TerminalDialect},
    },
    channel::{ConnectionId, framing},
    clock::{Clock, stopwatch},
    journal::{MemoryStore, Reader, SledStore, Store, StoreOptions},
    recovery,
    stages::Stages,
    telemetry::metrics,
};
use switch_tests::{
    ask::{Ask, Receipt},
    in_process::{InProcess, configuration, metric},
    terminal::Answer,
};

use super::follow::{
    Done, MARKET, MARKET_TOO, Moves, NOTHING, Online, PHARMACY, POOR, RICH, Shop, Switch, back, pays,
};

pub(crate) const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// `hold_h` of the products.
const HOLD_MS: i64 = 7 * DAY_MS;
/// The city's zone is eight hours ahead of UTC, all the year round.
const ZONE: (&str, i64) = ("Asia/Shanghai", 8 * HOUR_MS);

/// The stages alone, over a journal in memory, under a clock that stands until it is moved.
pub(crate) struct Timed {
    stages: Stages,
    batch: Batch,
    store: MemoryStore,
    page: Box<dyn Fn() -> String>,
}

/// What the frames come over.
const LINE: Line = Line { dialect: TerminalDialect::Pos, private: true, concentrator: false };

impl Timed {
    /// At noon of the day after the import.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = configuration(folder.path());
        let (metrics, page) = metrics::recorder();
        let mut store = MemoryStore::new();
        let mut stages =
            app::prepare(&config, &mut store, metrics, &mut |_| ()).expect("the city is imported");
        let day = (stages.books.time_ms() + ZONE.1).div_euclid(DAY_MS) + 1;
        let noon_ms = day * DAY_MS + DAY_MS / 2 - ZONE.1;
        stages.clock = Clock::standing(ZONE.0, noon_ms).expect("the city's zone");
        let mut timed =
            Self { stages, batch: Batch::default(), store, page: Box::new(move || page.render()) };
        timed.run(&[]);
        timed
    }

    pub(crate) fn now_ms(&mut self) -> i64 {
        self.stages.clock.now().unix_ms()
    }

    /// Time passes, without anything being due yet.
    pub(crate) fn wait(&mut self, ms: i64) {
        let until_ms = self.now_ms() + ms;
        self.stages.clock.not_before(until_ms);
    }

    /// Runs the stages over frames, none for what is due alone, and makes the records durable.
    pub(crate) fn run(&mut self, frames: &[&[u8]]) {
        self.batch.clear();
        for frame in frames {
            self.batch.push(ConnectionId { place: 0, generation: 1 }, stopwatch(), LINE, &frame[2..]);
        }
        self.stages.run(&mut self.batch);
        self.append();
    }

    fn append(&mut self) {
        let next = self.store.head().seq + 1;
        self.store.append(next, &self.batch.records).expect("memory takes everything");
    }

    /// The newest event.
    pub(crate) fn newest(&self) -> Event {
        let events = read_events(self.reader().as_ref(), None, 1).expect("it reads");
        events.into_iter().next().expect("an event").2
    }

    /// An event that no message brings.
    pub(crate) fn record(&mut self, event: &Event) {
        self.batch.clear();
        let now = self.stages.clock.now();
        assert!(self.stages.record(&mut self.batch.records, event, &now), "it fits into a record");
        self.append();
    }

    /// A metric's value.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        metric(&(self.page)(), name, &[])
    }

    /// The journal so far.
    pub(crate) fn reader(&self) -> Box<dyn Reader> {
        self.store.reader()
    }

    pub(crate) fn save_checkpoint(&mut self) {
        let books = &self.stages.books;
        let saved = self.store.checkpoints().save(&self.store.head(), &mut |emit| books.snapshot(emit));
        assert_eq!(saved.expect("it is saved").state_hash, books.state_hash());
    }
}

impl Switch for Timed {
    fn exchange(&mut self, frame: &[u8]) -> Answer {
        self.run(&[frame]);
        let mut wire = bytes::BytesMut::new();
        framing::put(framing::LengthForm::Binary, &self.batch.output, &mut wire);
        Answer::read(&wire)
    }

    fn look<T: Send + 'static>(&self, look: impl FnOnce(&Books) -> T + Send + 'static) -> T {
        look(&self.stages.books)
    }
}

/// A hold of 3.00 on the poor card's 5.00.
fn three_held<S: Switch>(shop: &mut Shop<S>) -> Done {
    let ask = Ask::pre_authorization(&shop.card(POOR), 300);
    shop.step("a hold", MARKET, POOR, ask, "00", NOTHING.holding(300))
}

/// How many holds are live.
fn live<S: Switch>(shop: &Shop<S>) -> usize {
    shop.switch.look(|books| books.ledger().holds().len())
}

/// Count and sum of what is approved of the poor card on the day that is open.
pub(crate) fn counted<S: Switch>(shop: &Shop<S>) -> (u32, i64) {
    counted_on(shop, shop.switch.look(Books::business_day))
}

pub(crate) fn counted_on<S: Switch>(shop: &Shop<S>, day: i32) -> (u32, i64) {
    let card = shop.position(POOR);
    let line = shop.switch.look(move |books| serde_json::to_value(books.counters().card_line(card)));
    let line = line.expect("a line is data");
    assert_eq!(line["day"], day, "the day that its counters are about");
    let (count, sum) = (line["approved"]["counts"][0].as_u64(), line["approved"]["sums"][0].as_i64());
    (u32::try_from(count.expect("a count")).expect("a small one"), sum.expect("a sum"))
}

/// What is paid out of a hold of 3.00 to the merchant with 38 hundredths of a percent.
const ALL: Moves = pays([0, 300, 0], 1).holding(-300);
const LESS: Moves = pays([0, 250, 0], 1).holding(-300);

#[test]
fn what_is_held_is_not_there_for_others() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let hold = |amount| Ask::pre_authorization(&poor, amount);
    let rows = [
        ("a hold without PIN", hold(1).without_pin(), "55", NOTHING),
        ("of nothing", hold(0), "13", NOTHING),
        ("of more than there is", hold(501), "51", NOTHING),
        ("of a part", hold(300), "00", NOTHING.holding(300)),
        ("the balance shows what is left", Ask::balance(&poor), "00", NOTHING),
        ("a purchase of one fen more", Ask::purchase(&poor, 201), "51", NOTHING),
        ("a hold of one fen more", hold(201), "51", NOTHING),
        ("a purchase of what is left", Ask::purchase(&poor, 200), "00", pays([0, 200, 0], 1)),
        ("a hold on nothing", hold(1), "51", NOTHING),
    ];
    for (name, ask, want, moves) in rows {
        shop.step(name, MARKET, POOR, ask, want, moves);
    }
    assert_eq!((live(&shop), counted(&shop)), (1, (2, 500)), "held and paid count alike");
}

#[test]
fn a_completion_pays_what_is_asked_and_releases_the_rest_once() {
    let mut shop = Shop::open();
    let (rich, poor) = (shop.card(RICH), shop.card(POOR));
    let held = three_held(&mut shop).receipt();
    let complete = |amount| Ask::completion(&poor, amount, &held);
    let refused = [
        ("one more than is held", MARKET, complete(301), "61"),
        ("nothing", MARKET, complete(0), "13"),
        ("in another currency", MARKET, Ask { currency: Some(978), ..complete(300) }, "64"),
        ("neither RRN nor approval code", MARKET, Ask { approval: None, ..complete(300) }, "30"),
        (
            "field 61 with another STAN",
            MARKET,
            Ask { original: Some((1, held.stan + 1)), ..complete(300) },
            "25",
        ),
        ("at another merchant", PHARMACY, complete(300), "25"),
        ("with another card", MARKET, Ask::completion(&rich, 300, &held), "25"),
        ("a void as of a purchase", MARKET, Ask::void(&poor, 300, &held), "25"),
        ("a refund of what is only held", MARKET, Ask::refund(&poor, 1, &held), "25"),
    ];
    for (name, at, ask, want) in refused {
        shop.refused(name, at, POOR, ask, want);
    }
    let by_code = Ask { original: None, ..complete(250) };
    let completed = shop.step("less, by approval code alone", MARKET_TOO, POOR, by_code, "00", LESS);
    assert_eq!((live(&shop), counted(&shop)), (0, (1, 250)), "what was released does not count");
    let ended = [
        ("a second completion", MARKET, complete(50), "25"),
        ("a void of the hold", MARKET, Ask::pre_authorization_void(&poor, 300, &held), "25"),
        ("a completion of the completion", MARKET, Ask::completion(&poor, 1, &completed.receipt()), "25"),
        ("a completion of a purchase", MARKET, Ask::completion(&rich, 1, &paid(&mut shop)), "25"),
    ];
    for (name, at, ask, want) in ended {
        shop.refused(name, at, POOR, ask, want);
    }
    let poor_again = Ask::purchase(&poor, 250);
    shop.step("the rest can be spent", MARKET, POOR, poor_again, "00", pays([0, 250, 0], 1));

    let mut shop = Shop::open();
    let held = three_held(&mut shop).receipt();
    let advice = Ask::completion_advice(&poor, 300, &held);
    shop.step("all of it, as an advice", MARKET, POOR, advice, "00", ALL);
    shop.refused("and as a request", MARKET, POOR, Ask::completion(&poor, 1, &held), "25");
}

/// The receipt of a purchase with the rich card.
fn paid(shop: &mut Shop<Online>) -> Receipt {
    let ask = Ask::purchase(&shop.card(RICH), 100);
    shop.step("a purchase", MARKET, RICH, ask, "00", pays([0, 100, 0], 0)).receipt()
}

#[test]
fn a_void_of_a_hold_frees_all_of_it_once() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let held = three_held(&mut shop).receipt();
    let void = |amount| Ask::pre_authorization_void(&poor, amount, &held);
    let rows = [
        ("of less", MARKET, void(299), "64", NOTHING),
        ("of more", MARKET, void(301), "64", NOTHING),
        ("at another merchant", PHARMACY, void(300), "25", NOTHING),
        ("at another terminal of the merchant", MARKET_TOO, void(300), "00", NOTHING.holding(-300)),
        ("a second void", MARKET, void(300), "25", NOTHING),
        ("a completion afterwards", MARKET, Ask::completion(&poor, 1, &held), "25", NOTHING),
    ];
    for (name, at, ask, want, moves) in rows {
        shop.step(name, at, POOR, ask, want, moves);
    }
    assert_eq!((live(&shop), counted(&shop)), (0, (0, 0)));
    let all = Ask::pre_authorization(&poor, 500);
    shop.step("everything is free again", MARKET, POOR, all, "00", NOTHING.holding(500));
}

#[test]
fn a_void_of_a_completion_gives_the_money_back_and_holds_nothing() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let held = three_held(&mut shop).receipt();
    let completion = Ask::completion(&poor, 250, &held);
    let completed = shop.step("a completion", MARKET, POOR, completion, "00", LESS).receipt();
    let void = Ask::completion_void(&poor, 250, &completed);
    let of_the_hold = Ask::completion_void(&poor, 250, &held);
    let rows = [
        ("of less", MARKET, Ask { amount: Some(249), ..void.clone() }, "64", NOTHING),
        ("of what was held", MARKET, Ask { amount: Some(300), ..void.clone() }, "64", NOTHING),
        ("from the next batch", MARKET, Ask { batch: Some(2), ..void.clone() }, "25", NOTHING),
        ("from another terminal", MARKET_TOO, void.clone(), "25", NOTHING),
        ("as the void of a purchase", MARKET, Ask::void(&poor, 250, &completed), "25", NOTHING),
        ("that names the hold", MARKET, of_the_hold, "25", NOTHING),
        ("as it should be", MARKET, void.clone(), "00", back([0, 250, 0], 1)),
        ("a second void", MARKET, void, "25", NOTHING),
        ("a second completion", MARKET, Ask::completion(&poor, 1, &held), "25", NOTHING),
        ("a refund of it", MARKET, Ask::refund(&poor, 1, &completed), "64", NOTHING),
    ];
    for (name, at, ask, want, moves) in rows {
        shop.step(name, at, POOR, ask, want, moves);
    }
    assert_eq!((live(&shop), counted(&shop)), (0, (0, 0)));

    let held = three_held(&mut shop).receipt();
    let completion = Ask::completion(&poor, 300, &held);
    let completed = shop.step("another completion", MARKET, POOR, completion, "00", ALL).receipt();
    let refund = Ask::refund(&poor, 100, &completed);
    shop.step("a refund of a part of it", MARKET_TOO, POOR, refund, "00", back([0, 100, 0], 0));
    let void = Ask::completion_void(&poor, 300, &completed);
    shop.refused("a void after a refund", MARKET, POOR, void, "25");
    assert_eq!(counted(&shop), (1, 300), "a refund gives no limit back");
}

#[test]
fn a_reversed_hold_is_gone_and_a_reversed_void_of_it_stands_again() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let held = three_held(&mut shop);
    let void = |receipt: &Receipt| Ask::pre_authorization_void(&poor, 300, receipt);
    let voided = void(&held.receipt());
    let voided = shop.step("a void", MARKET, POOR, voided, "00", NOTHING.holding(-300));
    let again = voided.ask.reversal();
    shop.step("its reversal", MARKET, POOR, again, "00", NOTHING.holding(300));
    shop.refused("the void does not come alive again", MARKET, POOR, voided.ask, "68");
    assert_eq!((live(&shop), counted(&shop)), (1, (1, 300)));
    let reversal = held.ask.reversal();
    let other = Ask { amount: Some(299), ..reversal.clone() };
    shop.refused("a reversal of the hold of another amount", MARKET, POOR, other, "64");
    shop.step("of the hold", MARKET, POOR, reversal, "00", NOTHING.holding(-300));
    shop.refused("the hold does not come alive again", MARKET, POOR, held.ask.clone(), "68");
    shop.refused("nor is there one to complete", MARKET, POOR, completion_of(&held, &shop), "25");
    assert_eq!((live(&shop), counted(&shop)), (0, (0, 0)));

    let late = Ask { stan: 900_001, ..Ask::pre_authorization(&poor, 300) };
    shop.step("a reversal overtakes its hold", MARKET, POOR, late.reversal(), "00", NOTHING);
    shop.refused("the hold comes late", MARKET, POOR, late, "68");

    let held = three_held(&mut shop);
    let late = Ask { stan: 900_002, ..void(&held.receipt()) };
    shop.step("a reversal overtakes its void", MARKET, POOR, late.reversal(), "00", NOTHING);
    shop.refused("the void comes late", MARKET, POOR, late, "68");
    shop.step("the hold stands", MARKET, POOR, completion_of(&held, &shop), "00", ALL);
    let after = held.ask.reversal();
    shop.step("a reversal after completion frees nothing", MARKET, POOR, after, "00", NOTHING);
}

fn completion_of<S: Switch>(held: &Done, shop: &Shop<S>) -> Ask {
    Ask::completion(&shop.card(POOR), 300, &held.receipt())
}

#[test]
fn a_reversed_void_of_a_hold_gets_what_is_still_there() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let held = three_held(&mut shop).receipt();
    let void = Ask::pre_authorization_void(&poor, 300, &held);
    let void = shop.step("a void", MARKET, POOR, void, "00", NOTHING.holding(-300));
    let spent = pays([0, 400, 0], 1);
    shop.step("most is spent", PHARMACY, POOR, Ask::purchase(&poor, 400), "00", spent);
    let reversal = void.ask.reversal();
    shop.step("the void's reversal", MARKET, POOR, reversal, "00", NOTHING.holding(100));
    let rows = [
        ("one more than stands again", 101, "61", NOTHING),
        ("all that does", 100, "00", pays([0, 100, 0], 0).holding(-100)),
    ];
    for (name, amount, want, moves) in rows {
        shop.step(name, MARKET, POOR, Ask::completion(&poor, amount, &held), want, moves);
    }
    assert_eq!(counted(&shop), (2, 500));
}

#[test]
fn a_reversed_completion_leaves_its_hold_to_be_completed_again() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let held = three_held(&mut shop).receipt();
    let complete = |amount| Ask::completion(&poor, amount, &held);
    let first = shop.step("a completion", MARKET, POOR, complete(250), "00", LESS);
    let undone = back([0, 250, 0], 1).holding(250);
    let reversal = first.ask.reversal();
    let rows = [
        ("a reversal of what was held", Ask { amount: Some(300), ..reversal.clone() }, "64", NOTHING),
        ("of what was paid", reversal, "00", undone),
        ("the completion does not come alive again", first.ask.clone(), "68", NOTHING),
        ("nor can it be voided", Ask::completion_void(&poor, 250, &first.receipt()), "25", NOTHING),
        ("the rest stays released", complete(251), "61", NOTHING),
        ("another completion", complete(250), "00", pays([0, 250, 0], 1).holding(-250)),
        ("and no third", complete(1), "25", NOTHING),
    ];
    for (name, ask, want, moves) in rows {
        shop.step(name, MARKET, POOR, ask, want, moves);
    }
    assert_eq!((live(&shop), counted(&shop)), (0, (1, 250)));

    let mut shop = Shop::open();
    let held = three_held(&mut shop);
    let late = Ask { stan: 900_001, ..completion_of(&held, &shop) };
    shop.step("a reversal overtakes its completion", MARKET, POOR, late.reversal(), "00", NOTHING);
    shop.refused("the completion comes late", MARKET, POOR, late, "68");
    let next = completion_of(&held, &shop);
    let next = shop.step("under another number", MARKET, POOR, next, "00", ALL);
    let refund = Ask::refund(&poor, 100, &next.receipt());
    shop.step("a refund", MARKET, POOR, refund, "00", back([0, 100, 0], 0));
    let left = back([0, 200, 0], 1).holding(200);
    shop.step("a reversal holds what was not refunded", MARKET, POOR, next.ask.reversal(), "00", left);
}

#[test]
fn a_reversed_void_of_a_completion_takes_again() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let held = three_held(&mut shop).receipt();
    let completion = Ask::completion(&poor, 300, &held);
    let completed = shop.step("a completion", MARKET, POOR, completion, "00", ALL).receipt();
    let void = Ask::completion_void(&poor, 300, &completed);
    let (taken, returned) = (pays([0, 300, 0], 1), back([0, 300, 0], 1));
    let voided = shop.step("its void", MARKET, POOR, void.clone(), "00", returned);
    shop.step("the void's reversal", MARKET, POOR, voided.ask.reversal(), "00", taken);
    shop.refused("the void does not come alive again", MARKET, POOR, voided.ask, "68");
    assert_eq!((live(&shop), counted(&shop)), (0, (1, 300)));
    let late = Ask { stan: 900_001, ..void.clone() };
    shop.step("a reversal overtakes its void", MARKET, POOR, late.reversal(), "00", NOTHING);
    shop.refused("the void comes late", MARKET, POOR, late, "68");

    let voided = shop.step("another void", MARKET, POOR, void, "00", returned);
    let spent = pays([0, 450, 0], 1);
    shop.step("most is spent", PHARMACY, POOR, Ask::purchase(&poor, 450), "00", spent);
    let what_is_there = pays([0, 50, 0], 1).owing(250);
    shop.step("the void's reversal", MARKET, POOR, voided.ask.reversal(), "00", what_is_there);
    shop.refused("the card is blocked", MARKET, POOR, Ask::balance(&poor), "62");
}

#[test]
fn a_hold_ends_with_its_time_to_the_millisecond() {
    let mut shop = Shop::at(Timed::start());
    let poor = shop.card(POOR);
    let held = three_held(&mut shop);
    let day = shop.switch.look(Books::business_day);
    assert_eq!((live(&shop), counted(&shop)), (1, (1, 300)));
    shop.switch.wait(HOLD_MS - 1);
    shop.switch.run(&[]);
    assert_eq!((live(&shop), counted_on(&shop, day)), (1, (1, 300)), "a moment before");
    assert_eq!(shop.switch.metric("cardswitch_holds_expired_total"), 0);
    let before = shop.money(POOR, MARKET);
    shop.switch.wait(1);
    shop.switch.run(&[]);
    assert_eq!(shop.money(POOR, MARKET), before.after(NOTHING.holding(-300)));
    assert_eq!((live(&shop), counted_on(&shop, day)), (0, (0, 0)), "what was counted is taken back");
    assert_eq!(shop.switch.metric("cardswitch_holds_expired_total"), 1);
    assert_eq!(shop.switch.metric("cardswitch_holds"), 0);

    shop.sign_in_again();
    let receipt = held.receipt();
    let rows = [
        ("a completion", Ask::completion(&poor, 300, &receipt), "25"),
        ("a void", Ask::pre_authorization_void(&poor, 300, &receipt), "25"),
        ("a reversal: understood, nothing to do", held.ask.reversal(), "00"),
    ];
    for (name, ask, want) in rows {
        shop.refused(name, MARKET, POOR, ask, want);
    }
    let all = Ask::pre_authorization(&poor, 500);
    shop.step("everything is free again", MARKET, POOR, all, "00", NOTHING.holding(500));
}

#[test]
fn a_request_does_not_find_a_hold_whose_time_is_over() {
    let mut shop = Shop::at(Timed::start());
    let held = three_held(&mut shop);
    shop.switch.wait(HOLD_MS - HOUR_MS);
    shop.sign_in_again();
    // The sign-in of the hour before is still good when the time is over.
    shop.switch.wait(HOUR_MS);
    let completion = completion_of(&held, &shop);
    shop.step("no batch ran between", MARKET, POOR, completion, "25", NOTHING.holding(-300));
}

#[test]
fn what_is_reversed_after_the_time_of_its_hold_holds_nothing() {
    let mut shop = Shop::at(Timed::start());
    let poor = shop.card(POOR);
    let day = shop.switch.look(Books::business_day);
    let to_complete = three_held(&mut shop);
    let hold = Ask::pre_authorization(&poor, 200);
    let to_void = shop.step("a second hold", MARKET, POOR, hold, "00", NOTHING.holding(200)).receipt();
    shop.switch.wait(HOLD_MS - HOUR_MS);
    shop.switch.run(&[]);
    shop.sign_in_again();
    let completed = completion_of(&to_complete, &shop);
    let completed = shop.step("a completion in time", MARKET, POOR, completed, "00", ALL);
    let void = Ask::pre_authorization_void(&poor, 200, &to_void);
    let voided = shop.step("a void in time", MARKET, POOR, void, "00", NOTHING.holding(-200));
    assert_eq!(counted_on(&shop, day), (1, 300), "both count on the day of their holds");
    shop.switch.wait(HOUR_MS);
    let reversal = completed.ask.reversal();
    shop.step("the money comes back", MARKET, POOR, reversal, "00", back([0, 300, 0], 1));
    shop.step("the void's reversal", MARKET, POOR, voided.ask.reversal(), "00", NOTHING);
    assert_eq!((live(&shop), counted_on(&shop, day)), (0, (0, 0)));
}

#[test]
fn a_replay_and_a_checkpoint_have_the_holds_that_were_live() {
    let mut shop = Shop::at(Timed::start());
    let poor = shop.card(POOR);
    let to_expire = Ask::pre_authorization(&poor, 100);
    shop.step("a hold that will expire", MARKET, POOR, to_expire, "00", NOTHING.holding(100));
    shop.switch.wait(DAY_MS);
    shop.sign_in_again();
    let held = three_held(&mut shop);
    let completed = completion_of(&held, &shop);
    let completed = shop.step("a completion", MARKET, POOR, completed, "00", ALL);
    let undone = back([0, 300, 0], 1).holding(300);
    shop.step("its reversal", MARKET, POOR, completed.ask.reversal(), "00", undone);
    assert_eq!(live(&shop), 2);
    check_replay(&shop.switch, 0);
    shop.switch.save_checkpoint();
    check_replay(&shop.switch, shop.switch.look(Books::seq));

    shop.switch.wait(HOLD_MS - DAY_MS);
    shop.switch.run(&[]);
    assert_eq!((live(&shop), shop.switch.metric("cardswitch_holds_expired_total")), (1, 1));
    shop.sign_in_again();
    shop.step("the one that stands", MARKET, POOR, completion_of(&held, &shop), "00", ALL);
    check_replay(&shop.switch, 0);
}

/// A replay of the whole journal, and what a start would read, are the books as they are. The newest checkpoint is
/// at record `checkpoint`, if that is not 0.
pub(crate) fn check_replay(timed: &Timed, checkpoint: u64) {
    let live = &timed.stages.books;
    let mut replayed = Books::default();
    recovery::replay(timed.reader().as_ref(), &mut replayed, timed.store.head().seq, &mut |_| ())
        .expect("it replays");
    let mut read = 0;
    let restored = recovery::restore(&timed.store, &mut |_| read += 1).expect("it is restored");
    if checkpoint != 0 {
        assert_eq!(read, live.seq() - checkpoint, "only what is behind the checkpoint is read");
    }
    for books in [replayed, restored] {
        assert_eq!((books.seq(), books.state_hash()), (live.seq(), live.state_hash()));
        let holds = |books: &Books| books.ledger().holds().iter().cloned().collect::<Vec<_>>();
        assert_eq!(holds(&books), holds(live));
    }
}

#[test]
fn a_hold_outlives_a_restart_and_a_lost_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let online = Online::over(InProcess::start_on_disk(folder.path(), |_| ()));
    let mut shop = Shop::at(online);
    let held = three_held(&mut shop);
    let completion = completion_of(&held, &shop);
    let state = |shop: &Shop<Online>| shop.switch.look(|books| (books.seq(), books.state_hash()));
    let before = state(&shop);
    shop.switch.stop();

    let (store, _) = SledStore::open(folder.path(), StoreOptions::default()).expect("the journal opens");
    let of_a_later_program = [255, 1, 2, 3];
    store.checkpoints().save(&store.head(), &mut |emit| emit(&of_a_later_program)).expect("it is saved");
    let mut replayed = 0;
    let running = InProcess::start_on(Box::new(store), |_| (), &mut |_| replayed += 1);
    assert_eq!(replayed, before.0, "every record, from the first");
    let mut shop = Shop::at(Online::over(running));
    assert_eq!((state(&shop), live(&shop)), (before, 1));
    // The terminal's keys went with it, and its counter began anew.
    let completion = Ask { stan: 500, ..completion };
    let completed = shop.step("a completion", MARKET, POOR, completion, "00", ALL);
    let before = (state(&shop), shop.money(POOR, MARKET));
    shop.switch.stop();

    let (store, _) = SledStore::open(folder.path(), StoreOptions::default()).expect("the journal opens");
    let mut replayed = 0;
    let running = InProcess::start_on(Box::new(store), |_| (), &mut |_| replayed += 1);
    assert_eq!(replayed, 0, "the checkpoint stands at the end");
    let mut shop = Shop::at(Online::over(running));
    assert_eq!((state(&shop), shop.money(POOR, MARKET)), before);
    let undone = back([0, 300, 0], 1).holding(300);
    shop.step("its reversal", MARKET, POOR, completed.ask.reversal(), "00", undone);
    shop.switch.stop();
}
