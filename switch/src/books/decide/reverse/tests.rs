#![expect(clippy::unwrap_used, reason = "tests")]

use hsm_sim::Pan;

use super::*;
use crate::{
    books::{
        TerminalId,
        decide::{Verdict, operations::Operation},
        event::{CardState, Event, IssuedCard, KeyText, KeysForTerminal, Pvv, Token},
        request::{Answer, Check, Line, MacFact, OriginalName, PinBlock, TrackValue},
    },
    clock::Clock,
    ledger::Currency,
    settlement::testing::History,
};

const CNY: Currency = 156;
/// The card that is asked about, and one of the same orderer that has nothing.
const CARD: CardId = CardId(2);
const OTHER: CardId = CardId(3);
/// The shop's terminal, which may load.
const SHOP: TerminalId = TerminalId(0);

/// The usual history with a terminal that has signed in and a card with 10.00 whose holds last an hour.
struct Play {
    history: History,
    stan: u32,
}

impl Play {
    fn begun() -> Self {
        let mut history = History::begun();
        let key = || KeyText("no key".into());
        let told = KeysForTerminal { pin: [0; 16], pin_check: [0; 4], mac: [0; 16], mac_check: [0; 4] };
        history.record(Event::SignedIn { terminal: 0, stan: 1, version: 1, pin: key(), mac: key(), told });
        history.record(Event::RulesPublished(Vec::new()));
        let product = history.books.products()[0].clone();
        let product =
            crate::books::product::Product { hold_ms: 3_600_000, completion_over_pct: 10, ..product };
        history.record(Event::ProductDefined(product));
        for (at, opening) in [(0, 1_000), (1, 0)] {
            history.record(Event::CardIssued(issued(at, opening)));
        }
        Self { history, stan: 0 }
    }

    /// Asks for something under the next STAN.
    fn ask(&mut self, kind: Kind, amount: Minor, change: impl FnOnce(&mut Request)) -> (Request, Answer) {
        self.ask_with(CARD, kind, amount, change)
    }

    fn ask_with(
        &mut self,
        card: CardId,
        kind: Kind,
        amount: Minor,
        change: impl FnOnce(&mut Request),
    ) -> (Request, Answer) {
        self.stan += 1;
        let terminal = self.history.books.terminal(SHOP);
        let mut request = Request {
            kind,
            terminal: terminal.id,
            merchant: Some(self.history.books.merchants()[0].id),
            stan: self.stan,
            batch: 1,
            class: match kind {
                Kind::PreAuthorization => 1,
                Kind::Reversal => 4,
                _ => 2,
            },
            amount,
            currency: CNY,
            card: CardInput::Read {
                pan: Pan::parse(b"9156009224100010").unwrap(),
                expiry_yymm: None,
                value: TrackValue::NotRead,
            },
            pin_block: (kind != Kind::Reversal).then_some(PinBlock([0; 8])),
            line: Line { dialect: terminal.dialect, private: true, concentrator: false },
            ..Request::default()
        };
        change(&mut request);
        let answer = self.send(&request, Some(card));
        (request, answer)
    }

    fn send(&mut self, request: &Request, card: Option<CardId>) -> Answer {
        let books = &self.history.books;
        let facts = Facts {
            terminal: Some(SHOP),
            mac: MacFact::Right { version: 1 },
            card: card.filter(|_| !matches!(request.card, CardInput::None)),
            pin: if request.pin_block.is_some() { Check::Right } else { Check::NotGiven },
            ..Facts::default()
        };
        let now = Clock::standing("UTC", books.time_ms()).unwrap().now();
        match books.decide(request, &facts, None, &now) {
            Verdict::Answer(answer) => answer,
            Verdict::Record(event, answer) => {
                self.history.record(event);
                assert_eq!(self.history.books.verify(), Ok(()));
                answer
            }
            Verdict::VerifyAgain => panic!("nothing has changed"),
        }
    }

    fn reverse(&mut self, of: &Request) -> Answer {
        let (kind, stan, amount) = (of.kind, of.stan, of.amount);
        self.ask(Kind::Reversal, amount, |request| {
            request.reverses = Some(kind);
            request.original = OriginalName { batch: Some(1), stan: Some(stan), ..OriginalName::default() };
            request.card = CardInput::None;
        })
        .1
    }

    fn order(&mut self, operation: &Operation) {
        let now = Clock::standing("UTC", self.history.books.time_ms()).unwrap().now();
        let event = self.history.books.decide_operation(operation, &now).unwrap();
        self.history.record(event);
    }

    fn force(&mut self, amount: Minor) {
        self.order(&Operation::ForcePost { card: CARD.0, terminal: 0, amount, currency: CNY });
    }

    /// State, what can be spent, what is held, what is owed.
    fn card(&self) -> (CardState, Minor, Minor, Minor) {
        let books = &self.history.books;
        let card = books.card(CARD);
        let shown = books.shown(&card, CNY);
        (card.state, shown.available, shown.held, books.owed(CARD, CNY))
    }
}

fn issued(at: u8, opening: Minor) -> IssuedCard {
    IssuedCard {
        token: Token([90 + at; 16]),
        bin: 915_600,
        last_four: 90 + u16::from(at),
        product: 1,
        orderer: 0,
        state: CardState::Active,
        expiry_yymm: 9_911,
        pvki: 1,
        pvv: Pvv(*b"0000"),
        phone: arrayvec::ArrayString::new(),
        regions: arrayvec::ArrayVec::new(),
        opening: [0, opening].into_iter().collect(),
        deposit: 0,
    }
}

#[test]
fn a_reversal_ahead_of_its_original_may_name_its_card_and_its_repeat_gets_the_same_answer() {
    let mut play = Play::begun();
    let ahead = |request: &mut Request| {
        request.reverses = Some(Kind::Purchase);
        request.original = OriginalName { batch: Some(1), stan: Some(900), ..OriginalName::default() };
    };
    for name in ["the first", "another of the same original"] {
        let (reversal, answer) = play.ask(Kind::Reversal, 100, ahead);
        assert_eq!(answer.reason, Reason::Approved, "{name}");
        let again = play.send(&reversal, Some(CARD));
        assert_eq!((again.reason, again.repeat, again.seq), (Reason::Approved, true, answer.seq), "{name}");
        let spoiled = play.send(&reversal, Some(OTHER));
        assert_eq!(spoiled.reason, Reason::DuplicateDiffers, "{name}: another card");
    }
}

#[test]
fn a_reversed_completion_whose_money_pays_a_debt_holds_nothing() {
    let mut play = Play::begun();
    let (held, authorized) = play.ask(Kind::PreAuthorization, 800, |_| ());
    assert_eq!(authorized.reason, Reason::Approved);
    let code = authorized.seq.map(|seq| u32::try_from(seq).unwrap());
    let (done, answer) = play.ask(Kind::Completion, 800, |request| request.original.approval = code);
    assert_eq!((answer.reason, held.amount), (Reason::Approved, 800));
    play.force(1_200);
    assert_eq!(play.card(), (CardState::Blocked, 0, 0, 1_000));
    assert_eq!(play.reverse(&done).reason, Reason::Approved);
    assert_eq!(play.card(), (CardState::Blocked, 0, 0, 200), "the 8.00 paid of the debt, none is held");
}

#[test]
fn what_pays_of_a_debt_only_in_part_is_held_again_for_the_rest() {
    let mut play = Play::begun();
    let (_, authorized) = play.ask(Kind::PreAuthorization, 800, |_| ());
    let code = authorized.seq.map(|seq| u32::try_from(seq).unwrap());
    let (done, _) = play.ask(Kind::Completion, 800, |request| request.original.approval = code);
    play.force(500);
    assert_eq!(play.card(), (CardState::Blocked, 0, 0, 300));
    assert_eq!(play.reverse(&done).reason, Reason::Approved);
    assert_eq!(play.card(), (CardState::Active, 0, 500, 0), "good again, and 5.00 are held");
}

#[test]
fn a_debt_neither_blocks_nor_brings_back_a_card_that_was_lost_or_closed() {
    let mut play = Play::begun();
    let (load, answer) = play.ask(Kind::Load, 300, |request| request.pin_block = None);
    let (_, bought) = play.ask(Kind::Purchase, 1_300, |_| ());
    assert_eq!((answer.reason, bought.reason), (Reason::Approved, Reason::Approved));
    play.force(50);
    play.order(&Operation::ReportLost { card: CARD.0 });
    assert_eq!(play.reverse(&load).reason, Reason::Approved);
    assert_eq!(play.card(), (CardState::Lost, 0, 0, 350), "it owes the load, and stays lost");
    let code = bought.seq.map(|seq| u32::try_from(seq).unwrap());
    let (_, refund) = play.ask(Kind::Refund, 1_300, |request| {
        request.original.approval = code;
        request.pin_block = None;
    });
    assert_eq!(refund.reason, Reason::Approved);
    assert_eq!(play.card(), (CardState::Lost, 950, 0, 0), "nothing is owed, and it stays lost");
}

#[test]
fn what_a_completion_may_be_above_its_hold_does_not_grow_when_it_is_reversed() {
    let mut play = Play::begun();
    let (_, authorized) = play.ask(Kind::PreAuthorization, 500, |_| ());
    let code = authorized.seq.map(|seq| u32::try_from(seq).unwrap());
    for _ in 0..3 {
        let above = play.ask(Kind::Completion, 551, |request| request.original.approval = code);
        assert_eq!(above.1.reason, Reason::AmountLimit);
        let (done, answer) = play.ask(Kind::Completion, 550, |request| request.original.approval = code);
        assert_eq!(answer.reason, Reason::Approved);
        assert_eq!(play.reverse(&done).reason, Reason::Approved);
    }
}

#[test]
fn what_goes_back_to_a_cancelled_card_is_paid_out_by_a_second_order() {
    let mut play = Play::begun();
    let (purchase, answer) = play.ask(Kind::Purchase, 300, |_| ());
    assert_eq!(answer.reason, Reason::Approved);
    play.order(&Operation::Cancel { card: CARD.0 });
    assert_eq!(play.reverse(&purchase).reason, Reason::Approved);
    assert_eq!(play.card(), (CardState::Closed, 300, 0, 0));
    let bank = play.history.books.common_account(CommonAccount::Bank, CNY).unwrap();
    let before = play.history.books.ledger.balance(bank);
    play.order(&Operation::Cancel { card: CARD.0 });
    assert_eq!(play.card(), (CardState::Closed, 0, 0, 0));
    assert_eq!(play.history.books.ledger.balance(bank) - before, 300);
}

#[test]
fn a_load_activates_a_card_that_owed_once_nothing_is_owed() {
    let mut play = Play::begun();
    play.history.record(Event::CardIssued(IssuedCard { state: CardState::Inactive, ..issued(2, 0) }));
    let card = CardId(u32::try_from(play.history.books.cards().len() - 1).unwrap());
    play.order(&Operation::ForcePost { card: card.0, terminal: 0, amount: 500, currency: CNY });
    for (amount, state, owed) in [(200, CardState::Inactive, 300), (400, CardState::Active, 0)] {
        let (_, answer) = play.ask_with(card, Kind::Load, amount, |request| request.pin_block = None);
        assert_eq!(answer.reason, Reason::Approved);
        let books = &play.history.books;
        assert_eq!((books.card(card).state, books.owed(card, CNY)), (state, owed), "{amount} loaded");
    }
}
