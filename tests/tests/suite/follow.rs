//! Voids and refunds: money goes back to the purses it came from, never more than was taken, and once.
//!
//! Also here is the [`Shop`] in which this suite, `holds` and `rules` happen: every step says the response code and
//! what moved, is sent a second time to see that nothing more moves, and leaves a ledger that adds up.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use cardswitch::{
    books::{
        Books, CardId,
        event::{Decided, Event},
        notices::{Cause, Recipient},
        request::Kind,
        transactions::TransactionKey,
    },
    ledger::{AccountKind, Posting},
};
use switch_tests::{
    ask::{Ask, Card, Receipt},
    city::City,
    in_process::InProcess,
    line::Line,
    random::Random,
    terminal::{Answer, Terminal},
};

use super::holds::Timed;

pub(crate) const MARKET: &str = "31000002";
/// Another terminal of the same merchant.
pub(crate) const MARKET_TOO: &str = "31000001";
pub(crate) const PHARMACY: &str = "31000008";
pub(crate) const RICH: u64 = 2;
pub(crate) const POOR: u64 = 5;

const MARKET_LOADS: &str = "31000003";
const BUS: &str = "31000006";
const BUS_TOO: &str = "31000005";
const MEDICAL: u64 = 13;

/// What takes frames and answers them: the whole program behind its port, or its stages alone.
pub(crate) trait Switch {
    /// Sends a frame and waits for its answer.
    fn exchange(&mut self, frame: &[u8]) -> Answer;
    /// Looks at the books.
    fn look<T: Send + 'static>(&self, look: impl FnOnce(&Books) -> T + Send + 'static) -> T;
}

/// The whole program, over one connection.
pub(crate) struct Online {
    running: InProcess,
    line: Line,
}

impl Online {
    pub(crate) fn over(running: InProcess) -> Self {
        let line = running.connect();
        Self { running, line }
    }

    pub(crate) fn stop(self) {
        self.running.stop().expect("a good stop");
    }
}

impl Switch for Online {
    fn exchange(&mut self, frame: &[u8]) -> Answer {
        self.line.send(frame);
        self.line.receive().expect("an answer")
    }

    fn look<T: Send + 'static>(&self, look: impl FnOnce(&Books) -> T + Send + 'static) -> T {
        self.running.look(look)
    }
}

/// The terminals of the city at one switch; each signs in when it is first used.
pub(crate) struct Shop<S> {
    pub(crate) switch: S,
    city: City,
    tills: Vec<Terminal>,
}

/// A step that was made: what was asked, STAN and all, and the answer.
pub(crate) struct Done {
    pub(crate) ask: Ask,
    pub(crate) answer: Answer,
}

impl Done {
    pub(crate) fn receipt(&self) -> Receipt {
        Receipt::of(&self.answer)
    }
}

/// What a step moves, minor units.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moves {
    /// The card's purses, in its product's order of use.
    purses: [i64; 3],
    /// What is held on them.
    held: i64,
    /// What the merchant is owed.
    owed: i64,
    fees: i64,
    receivable: i64,
}

pub(crate) const NOTHING: Moves = Moves { purses: [0; 3], held: 0, owed: 0, fees: 0, receivable: 0 };

/// The purses pay this much each; of it the merchant is charged a fee.
pub(crate) const fn pays(purses: [i64; 3], fee: i64) -> Moves {
    let [first, second, third] = purses;
    Moves { purses: [-first, -second, -third], owed: first + second + third - fee, fees: fee, ..NOTHING }
}

/// The purses get this much back each, of which so much had been a fee.
pub(crate) const fn back(purses: [i64; 3], fee: i64) -> Moves {
    let [first, second, third] = purses;
    pays([-first, -second, -third], -fee)
}

impl Moves {
    /// And so much more is held.
    pub(crate) const fn holding(self, held: i64) -> Self {
        Self { held, ..self }
    }

    /// And so much more the merchant is owed by the cardholder, because it was no longer there to be taken.
    pub(crate) const fn owing(self, amount: i64) -> Self {
        Self { receivable: -amount, owed: self.owed + amount, ..self }
    }
}

/// Where the money is, as far as a step may move it, and everything it may not.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Money {
    purses: [i64; 3],
    held: i64,
    owed: i64,
    fees: i64,
    receivable: i64,
    elsewhere: Elsewhere,
}

/// Balance and held of every other account.
#[derive(Default, Eq, Hash, PartialEq)]
struct Elsewhere(Vec<(i64, i64)>);

impl std::fmt::Debug for Elsewhere {
    /// A checksum: there are too many of them to be read.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", BuildHasherDefault::<DefaultHasher>::default().hash_one(self))
    }
}

impl Money {
    pub(crate) fn after(self, moves: Moves) -> Self {
        let Moves { purses, held, owed, fees, receivable } = moves;
        let [first, second, third] = self.purses;
        Self {
            purses: [first + purses[0], second + purses[1], third + purses[2]],
            held: self.held + held,
            owed: self.owed + owed,
            fees: self.fees + fees,
            receivable: self.receivable + receivable,
            elsewhere: self.elsewhere,
        }
    }

    fn available(&self) -> i64 {
        self.purses.iter().sum::<i64>() - self.held
    }
}

impl Shop<Online> {
    /// On a journal in memory.
    pub(crate) fn open() -> Self {
        Self::at(Online::over(InProcess::start()))
    }
}

impl<S: Switch> Shop<S> {
    pub(crate) fn at(switch: S) -> Self {
        Self { switch, city: City::open(), tills: Vec::new() }
    }

    pub(crate) fn card(&self, line: u64) -> Card {
        self.city.card(line)
    }

    /// A card's position in the books.
    pub(crate) fn position(&self, line: u64) -> u32 {
        let at = self.city.cards().iter().position(|row| row.line == line).expect("a line of cards.csv");
        u32::try_from(at).expect("few cards")
    }

    /// Every terminal has new working keys and goes on counting.
    pub(crate) fn sign_in_again(&mut self) {
        for till in &mut self.tills {
            sign_in(till, &mut self.switch);
        }
    }

    /// Gives an ask its STAN, sends it and checks the answer's MAC.
    pub(crate) fn send(&mut self, at: &str, ask: &mut Ask) -> Answer {
        let known = self.tills.iter().position(|till| till.id() == at);
        let index = known.unwrap_or_else(|| {
            let mut till = self.city.terminal(at);
            sign_in(&mut till, &mut self.switch);
            self.tills.push(till);
            self.tills.len() - 1
        });
        let till = &mut self.tills[index];
        let answer = self.switch.exchange(&till.frame(ask));
        assert_eq!((answer.stan, answer.terminal.as_str()), (ask.stan, at), "whose answer it is");
        till.check_seal(&answer);
        answer
    }

    /// One step: its answer, what it moves on the card and at the merchant, and that a repeat is answered alike and
    /// moves nothing.
    pub(crate) fn step(
        &mut self,
        name: &str,
        at: &str,
        card: u64,
        mut ask: Ask,
        want: &str,
        moves: Moves,
    ) -> Done {
        let expected = self.money(card, at).after(moves);
        let answer = self.send(at, &mut ask);
        assert_eq!(answer.code, want, "{name}");
        assert_eq!(self.money(card, at), expected, "{name}: where the money is");
        if want == "00" && ask.mti != 0x0400 {
            assert_eq!(answer.balance, Some(expected.available()), "{name}: the balance it shows");
        }
        if answer.rrn.is_some() {
            let seq = self.switch.look(Books::seq);
            let again = self.send(at, &mut ask);
            assert_eq!(again.frame, answer.frame, "{name}: the same answer to its repeat");
            assert_eq!(self.money(card, at), expected, "{name}: a repeat moves nothing");
            assert_eq!(self.switch.look(Books::seq), seq, "{name}: a repeat is no event");
        }
        self.check_ledger(name);
        Done { ask, answer }
    }

    /// A step that is refused and moves nothing.
    pub(crate) fn refused(&mut self, name: &str, at: &str, card: u64, ask: Ask, want: &str) -> Done {
        self.step(name, at, card, ask, want, NOTHING)
    }

    fn check_ledger(&self, name: &str) {
        let (broken, sums) = self.switch.look(|books| (books.ledger().verify(), books.ledger().sums()));
        assert_eq!(broken, Ok(()), "{name}");
        assert!(sums.iter().all(|(_, sum)| *sum == 0), "{name}: {sums:?}");
    }

    /// Where the money is, seen from a card and the merchant of a terminal.
    pub(crate) fn money(&self, card: u64, at: &str) -> Money {
        let card = self.position(card);
        let id = self.city.terminal_row(at).terminal_id;
        self.switch.look(move |books| {
            let terminal = books.terminal(books.find_terminal(&id).expect("a terminal of the city"));
            let payable = books.merchants()[terminal.merchant as usize].payable;
            let card = books.card(CardId(card));
            let purses: Vec<_> = books.card_purses(&card).map(|(account, _)| account).collect();
            let mut money = Money::default();
            for (account, id) in books.ledger().accounts().iter().zip(0..) {
                let purse = purses.iter().position(|purse| purse.0 == id);
                match (account.kind, purse) {
                    (_, Some(purse)) => {
                        money.purses[purse] += account.balance;
                        money.held += account.held;
                    }
                    _ if payable.0 == id => money.owed += account.balance,
                    (AccountKind::Fees, _) => money.fees += account.balance,
                    (AccountKind::Receivable, _) => money.receivable += account.balance,
                    _ => money.elsewhere.0.push((account.balance, account.held)),
                }
            }
            money
        })
    }
}

fn sign_in(till: &mut Terminal, switch: &mut impl Switch) {
    let answer = switch.exchange(&till.frame(&mut Ask::sign_in()));
    assert_eq!(answer.code, "00", "sign-in of {}", till.id());
    till.accept(&answer);
}

#[test]
fn a_void_takes_back_the_whole_of_a_purchase_of_its_batch_once() {
    let mut shop = Shop::open();
    let (rich, poor) = (shop.card(RICH), shop.card(POOR));
    let paid = pays([0, 10_000, 0], 38);
    let purchase = shop.step("the purchase", MARKET, RICH, Ask::purchase(&rich, 10_000), "00", paid);
    let receipt = purchase.receipt();
    let void = Ask::void(&rich, 10_000, &receipt);
    let other_rrn = Some(format!("{}999999", &receipt.rrn[..6]));
    let refused = [
        ("one less", MARKET, Ask { amount: Some(9_999), ..void.clone() }, "64"),
        ("one more", MARKET, Ask { amount: Some(10_001), ..void.clone() }, "64"),
        ("nothing", MARKET, Ask { amount: Some(0), ..void.clone() }, "13"),
        ("another currency", MARKET, Ask { currency: Some(978), ..void.clone() }, "64"),
        ("neither RRN nor approval code", MARKET, Ask { rrn: None, ..void.clone() }, "30"),
        ("an RRN that is no number", MARKET, Ask { rrn: Some("63250700004X".into()), ..void.clone() }, "30"),
        ("an RRN nobody was told", MARKET, Ask { rrn: other_rrn, ..void.clone() }, "25"),
        (
            "an approval code that is not the end of the RRN",
            MARKET,
            Ask { approval: Some("999999".into()), ..void.clone() },
            "25",
        ),
        (
            "field 61 with another STAN",
            MARKET,
            Ask { original: Some((1, receipt.stan + 1)), ..void.clone() },
            "25",
        ),
        (
            "field 61 with another batch",
            MARKET,
            Ask { original: Some((2, receipt.stan)), ..void.clone() },
            "25",
        ),
        ("from the next batch", MARKET, Ask { batch: Some(2), ..void.clone() }, "25"),
        ("from another terminal of the merchant", MARKET_TOO, void.clone(), "25"),
        ("at another merchant", PHARMACY, void.clone(), "25"),
        ("with another card", MARKET, Ask::void(&poor, 10_000, &receipt), "25"),
        ("with a wrong PIN", MARKET, void.clone().with_pin(&rich.wrong_pin(), &rich), "55"),
        ("as the void of a hold", MARKET, Ask::pre_authorization_void(&rich, 10_000, &receipt), "25"),
        ("as the void of a completion", MARKET, Ask::completion_void(&rich, 10_000, &receipt), "25"),
    ];
    for (name, at, ask, want) in refused {
        shop.refused(name, at, RICH, ask, want);
    }
    let by_code = Ask { rrn: None, approval: Some(receipt.approval()), original: None, ..void.clone() };
    let voided = shop.step("by approval code alone", MARKET, RICH, by_code, "00", back([0, 10_000, 0], 38));
    shop.refused("a second void", MARKET, RICH, void, "25");
    shop.refused("a void of the void", MARKET, RICH, Ask::void(&rich, 10_000, &voided.receipt()), "25");
    shop.refused("a refund of what went back", MARKET, RICH, Ask::refund(&rich, 1, &receipt), "64");
    shop.step("a reversal finds nothing left", MARKET, RICH, purchase.ask.reversal(), "00", NOTHING);
    shop.refused("the purchase does not come alive again", MARKET, RICH, purchase.ask, "68");
}

#[test]
fn only_an_approved_purchase_of_which_nothing_went_back_can_be_voided() {
    let mut shop = Shop::open();
    let rich = shop.card(RICH);
    let declined = Ask::purchase(&rich, 99_999_999);
    let declined = shop.refused("more than there is", MARKET, RICH, declined, "51").receipt();
    let void = Ask::void(&rich, 99_999_999, &declined);
    shop.refused("a void of a declined purchase", MARKET, RICH, void, "25");

    let mut load = Ask::load(&rich, 500);
    let loaded = Receipt::of(&shop.send(MARKET_LOADS, &mut load));
    shop.refused("a void of a load", MARKET_LOADS, RICH, Ask::void(&rich, 500, &loaded), "25");

    let purchase = Ask::purchase(&rich, 1_000);
    let receipt = shop.step("a purchase", MARKET, RICH, purchase, "00", pays([0, 1_000, 0], 4)).receipt();
    let refund = Ask::refund(&rich, 1, &receipt);
    shop.step("a little of it is refunded", MARKET, RICH, refund, "00", back([0, 1, 0], 0));
    shop.refused("a void of the whole", MARKET, RICH, Ask::void(&rich, 1_000, &receipt), "25");
    shop.refused("a void of the rest", MARKET, RICH, Ask::void(&rich, 999, &receipt), "25");
}

#[test]
fn refunds_give_back_in_parts_and_the_fee_to_its_last_fen() {
    let mut shop = Shop::open();
    let (rich, poor) = (shop.card(RICH), shop.card(POOR));
    let paid = pays([0, 10_001, 0], 38);
    let purchase = shop.step("the purchase", MARKET, RICH, Ask::purchase(&rich, 10_001), "00", paid);
    let receipt = purchase.receipt();
    let refund = |amount| Ask::refund(&rich, amount, &receipt);
    let unknown = Receipt { rrn: format!("{}999999", &receipt.rrn[..6]), ..receipt.clone() };
    let rows = [
        ("one more than was paid", MARKET, refund(10_002), "64", NOTHING),
        ("nothing", MARKET, refund(0), "13", NOTHING),
        ("at another merchant", PHARMACY, refund(1), "25", NOTHING),
        ("with another card", MARKET, Ask::refund(&poor, 1, &receipt), "25", NOTHING),
        ("of a purchase nobody made", MARKET, Ask::refund(&rich, 1, &unknown), "25", NOTHING),
        ("in another currency", MARKET, Ask { currency: Some(978), ..refund(1) }, "64", NOTHING),
        ("a third, and a third of the fee", MARKET, refund(3_333), "00", back([0, 3_333, 0], 12)),
        (
            "at another terminal of the merchant, in another batch",
            MARKET_TOO,
            Ask { batch: Some(7), ..refund(3_333) },
            "00",
            back([0, 3_333, 0], 13),
        ),
        ("one more than is left", MARKET, refund(3_336), "64", NOTHING),
        ("all but a fen", MARKET, refund(3_334), "00", back([0, 3_334, 0], 12)),
        ("the last fen", MARKET, refund(1), "00", back([0, 1, 0], 1)),
        ("one more", MARKET, refund(1), "64", NOTHING),
        ("a void, after all", MARKET, Ask::void(&rich, 10_001, &receipt), "25", NOTHING),
        ("a reversal finds nothing left", MARKET, purchase.ask.reversal(), "00", NOTHING),
    ];
    for (name, at, ask, want, moves) in rows {
        shop.step(name, at, RICH, ask, want, moves);
    }
}

#[test]
fn a_refund_is_not_reversed_and_what_is_left_of_its_purchase_is() {
    let mut shop = Shop::open();
    let rich = shop.card(RICH);
    let paid = pays([0, 10_000, 0], 38);
    let purchase = shop.step("the purchase", MARKET, RICH, Ask::purchase(&rich, 10_000), "00", paid);
    let refund = Ask::refund(&rich, 4_000, &purchase.receipt());
    let refund = shop.step("a part of it", MARKET, RICH, refund, "00", back([0, 4_000, 0], 15));
    shop.refused("the refund's reversal", MARKET, RICH, refund.ask.reversal(), "25");
    let reversal = purchase.ask.reversal();
    shop.step("the purchase's reversal", MARKET, RICH, reversal, "00", back([0, 6_000, 0], 23));
    let more = Ask::refund(&rich, 1, &purchase.receipt());
    shop.refused("one more fen", MARKET, RICH, more, "64");
}

#[test]
fn a_refund_is_limited_by_what_the_merchant_is_owed() {
    let mut shop = Shop::at(Timed::start());
    let rich = shop.card(RICH);
    let paid = pays([0, 10_000, 0], 38);
    let purchase = shop.step("the purchase", MARKET, RICH, Ask::purchase(&rich, 10_000), "00", paid);
    pay_out(&mut shop, 9_962 - 4_000);
    let rows = [
        ("a fen more than it is owed", 4_016, "51", NOTHING),
        ("all that it is owed", 4_015, "00", back([0, 4_015, 0], 15)),
        ("one fen more", 1, "51", NOTHING),
    ];
    for (name, amount, want, moves) in rows {
        let refund = Ask::refund(&rich, amount, &purchase.receipt());
        shop.step(name, MARKET, RICH, refund, want, moves);
    }
}

/// The bank pays the market so much of what it is owed. No message does that, so it is written into the journal by
/// hand, as something the newest request did.
fn pay_out(shop: &mut Shop<Timed>, amount: i64) {
    let payable = shop.switch.look(|books| books.merchants()[0].payable);
    let bank = shop.switch.look(|books| {
        let mut accounts = books.ledger().accounts().iter().zip(0..);
        let bank = accounts.find(|(account, _)| account.kind == AccountKind::Bank);
        cardswitch::ledger::AccountId(bank.expect("a bank").1)
    });
    let postings =
        [Posting { account: payable, amount: -amount }, Posting { account: bank, amount }].into_iter();
    let Event::Decided(newest) = shop.switch.newest() else { panic!("the purchase is the newest") };
    let key = TransactionKey { batch: 999_999, ..newest.key };
    shop.switch.record(&Event::Decided(Decided {
        key,
        kind: Kind::Unsupported,
        card: None,
        postings: postings.collect(),
        ..newest
    }));
}

#[test]
fn refunds_fill_the_purse_used_last_first() {
    let mut shop = Shop::open();
    let card = shop.card(MEDICAL);
    let paid = pays([3_000, 0, 2_000], 15);
    let purchase = shop.step("medical first", PHARMACY, MEDICAL, Ask::purchase(&card, 5_000), "00", paid);
    let receipt = purchase.receipt();
    let rows = [
        ("half of what general gave", 1_000, "00", back([0, 0, 1_000], 3)),
        ("the other half, and half of what medical gave", 2_500, "00", back([1_500, 0, 1_000], 7)),
        ("one more than is left", 1_501, "64", NOTHING),
        ("the rest goes to medical", 1_500, "00", back([1_500, 0, 0], 5)),
    ];
    for (name, amount, want, moves) in rows {
        shop.step(name, PHARMACY, MEDICAL, Ask::refund(&card, amount, &receipt), want, moves);
    }
    let purchase = shop.step("again", PHARMACY, MEDICAL, Ask::purchase(&card, 5_000), "00", paid);
    let void = Ask::void(&card, 5_000, &purchase.receipt());
    let void = shop.step("a void", PHARMACY, MEDICAL, void, "00", back([3_000, 0, 2_000], 15));
    shop.step("the void's reversal", PHARMACY, MEDICAL, void.ask.reversal(), "00", paid);
}

#[test]
fn a_reversed_void_takes_again() {
    let mut shop = Shop::open();
    let rich = shop.card(RICH);
    let (paid, returned) = (pays([0, 10_000, 0], 38), back([0, 10_000, 0], 38));
    let purchase = shop.step("the purchase", MARKET, RICH, Ask::purchase(&rich, 10_000), "00", paid);
    let void = Ask::void(&rich, 10_000, &purchase.receipt());
    let first = shop.step("its void", MARKET, RICH, void.clone(), "00", returned);
    let reversal = first.ask.reversal();
    let as_a_purchase = Ask { code: Some(0), kind: 22, ..reversal.clone() };
    let rows = [
        ("one more than the void", Ask { amount: Some(10_001), ..reversal.clone() }, "64", NOTHING),
        ("with the codes of a purchase", as_a_purchase, "25", NOTHING),
        ("the void's reversal", reversal, "00", paid),
        ("the void does not come alive again", first.ask, "68", NOTHING),
    ];
    for (name, ask, want, moves) in rows {
        shop.step(name, MARKET, RICH, ask, want, moves);
    }
    let second = shop.step("a second void", MARKET, RICH, void.clone(), "00", returned);
    shop.step("and its reversal", MARKET, RICH, second.ask.reversal(), "00", paid);

    let late = Ask { stan: 900_001, ..void.clone() };
    shop.step("a reversal overtakes its void", MARKET, RICH, late.reversal(), "00", NOTHING);
    shop.refused("the void comes late", MARKET, RICH, late, "68");
    shop.step("a void under another number", MARKET, RICH, void, "00", returned);
}

#[test]
fn what_a_reversed_void_cannot_take_again_becomes_a_receivable() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let paid = pays([0, 500, 0], 2);
    let purchase = shop.step("all there is", MARKET, POOR, Ask::purchase(&poor, 500), "00", paid);
    let void = Ask::void(&poor, 500, &purchase.receipt());
    let void = shop.step("its void", MARKET, POOR, void, "00", back([0, 500, 0], 2));
    let spent = pays([0, 300, 0], 1);
    shop.step("spent elsewhere", PHARMACY, POOR, Ask::purchase(&poor, 300), "00", spent);
    let taken = pays([0, 200, 0], 2).owing(300);
    shop.step("the void's reversal", MARKET, POOR, void.ask.reversal(), "00", taken);
    shop.refused("the card is blocked", MARKET, POOR, Ask::purchase(&poor, 1), "62");
    let refund = Ask::refund(&poor, 500, &purchase.receipt());
    let less = back([0, 200, 0], 2).owing(-300);
    shop.step("and still gets its money back, less what it owes", MARKET, POOR, refund, "00", less);
    let spent = pays([0, 200, 0], 1);
    shop.step("and is good again", MARKET, POOR, Ask::purchase(&poor, 200), "00", spent);
    let notices = shop.switch.look(|books| {
        let notices = books.notices().after(0);
        notices.map(|notice| (notice.to, notice.subject.cause, notice.subject.card)).collect::<Vec<_>>()
    });
    let card = Some(shop.position(POOR));
    assert_eq!(notices, [(Recipient::CardManagement, Cause::Shortfall, card)], "once, not for each repeat");
}

/// What is paid and what has gone back of one purchase, by arithmetic alone.
struct Purchase {
    transit: i64,
    general: i64,
    fee: i64,
    returned: i64,
}

impl Purchase {
    fn debited(&self) -> i64 {
        self.transit + self.general
    }

    /// Purses and fee as far as so much has gone back: general, which paid last, gets its money first.
    fn at(&self, returned: i64) -> ([i64; 3], i64) {
        let general = returned.min(self.general);
        ([returned - general, general, 0], self.fee * returned / self.debited())
    }

    /// From what has gone back to so much.
    fn to(&mut self, returned: i64) -> Moves {
        let ((before, fee_before), (after, fee)) = (self.at(self.returned), self.at(returned));
        self.returned = returned;
        back([after[0] - before[0], after[1] - before[1], 0], fee - fee_before)
    }
}

#[test]
fn however_reversals_voids_and_refunds_meet_no_more_goes_back_than_was_paid() {
    let mut shop = Shop::open();
    let mut random = Random::seeded("reversals, voids and refunds");
    for _ in 0..100 {
        play(&mut shop, &mut random);
    }
}

/// A purchase by transit and general purse, what may follow it in any order, and its reversal in the end.
fn play(shop: &mut Shop<Online>, random: &mut Random) {
    let rich = shop.card(RICH);
    let amount = 1 + random.below(60_000);
    let debited = i64::try_from(amount).expect("a small amount");
    let transit = debited.min(20_000);
    // 20 hundredths of a percent, rounded half up, at most 5.00.
    let fee = ((debited * 20 + 5_000) / 10_000).min(500);
    let mut model = Purchase { transit, general: debited - transit, fee, returned: 0 };
    let paid = pays([transit, debited - transit, 0], fee);
    let opening = shop.money(RICH, BUS);
    let purchase = shop.step("the purchase", BUS, RICH, Ask::purchase(&rich, amount), "00", paid);
    let receipt = purchase.receipt();
    let mut last_void: Option<Ask> = None;
    for _ in 0..random.below(12) {
        match random.below(7) {
            0..=3 => {
                let at = if random.below(2) == 0 { BUS } else { BUS_TOO };
                let part = 1 + random.below(amount);
                let after = model.returned + i64::try_from(part).expect("a small amount");
                let fits = after <= debited;
                let (want, moves) = if fits { ("00", model.to(after)) } else { ("64", NOTHING) };
                shop.step("a refund", at, RICH, Ask::refund(&rich, part, &receipt), want, moves);
            }
            4 | 5 => {
                let voids = model.returned == 0;
                let (want, moves) = if voids { ("00", model.to(debited)) } else { ("25", NOTHING) };
                let void = Ask::void(&rich, amount, &receipt);
                let void = shop.step("a void", BUS, RICH, void, want, moves);
                last_void = if voids { Some(void.ask) } else { last_void };
            }
            _ => {
                let Some(void) = last_void.take() else { continue };
                let moves = model.to(0);
                shop.step("a void's reversal", BUS, RICH, void.reversal(), "00", moves);
                shop.refused("the void again", BUS, RICH, void, "68");
            }
        }
    }
    let moves = model.to(debited);
    shop.step("the purchase's reversal", BUS, RICH, purchase.ask.reversal(), "00", moves);
    shop.refused("one fen more", BUS, RICH, Ask::refund(&rich, 1, &receipt), "64");
    shop.refused("a void more", BUS, RICH, Ask::void(&rich, amount, &receipt), "25");
    shop.refused("the purchase again", BUS, RICH, purchase.ask, "68");
    assert_eq!(shop.money(RICH, BUS), opening, "all of it is back, to the last fen");
}
