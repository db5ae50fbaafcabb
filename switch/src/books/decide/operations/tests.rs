#![expect(clippy::unwrap_used, reason = "tests")]

use arrayvec::{ArrayString, ArrayVec};

use super::*;
use crate::{
    books::{
        apply::ApplyError,
        chart::{IncomeLeg, Part, PostingRule, Taker},
        currencies::{AccountOwner, OpenedAccount},
        event::{IssuedCard, PlacedHold, Pvv, Token},
        owed::BooksFault,
        product::{PinRule, Product},
        request::Kind,
    },
    clock::Clock,
    ledger::{holds::Leg, purse::PurseType},
    settlement::testing::History,
};

const CNY: Currency = 156;
/// Position of the first card with a deposit; [`card`] makes those behind it.
const FIRST: u32 = 2;

/// The usual history, and a product with a deposit of 20.00, of which four cards are issued: two of the first orderer
/// with 13.40 and nothing, one of the second, one lost.
struct Play {
    history: History,
    now: Moment,
}

impl Play {
    fn begun() -> Self {
        let mut history = History::begun();
        let product = history.books.products()[0].clone();
        history.record(Event::ProductDefined(Product { deposit: 2_000, pin: PinRule::Always, ..product }));
        for (at, orderer, opening, state, deposit) in [
            (0, 0, 1_340, CardState::Active, 2_000),
            (1, 0, 0, CardState::Inactive, 0),
            (2, 1, 500, CardState::Active, 0),
            (3, 0, 70, CardState::Lost, 0),
        ] {
            history.record(card(at, orderer, opening, state, deposit));
        }
        // What is issued to begin with is of another day than what the tests order.
        let next = history.books.business_day() + 1;
        history.record(Event::CutOver { opens: next });
        let mut clock = Clock::standing("UTC", history.books.time_ms()).unwrap();
        Self { now: clock.now(), history }
    }

    fn decide(&self, operation: &Operation) -> Result<Event, OperationError> {
        self.history.books.decide_operation(operation, &self.now)
    }

    /// Does it, and proves that everything still adds up and a checkpoint has it.
    fn order(&mut self, operation: &Operation) {
        let event = self.decide(operation).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
        self.history.record(event);
        assert_eq!(self.history.books.verify(), Ok(()), "{operation:?}");
        let mut chunks = Vec::new();
        self.history.books.snapshot(&mut |chunk| chunks.push(chunk.to_vec()));
        let restored = Books::from_snapshot(chunks).unwrap();
        assert_eq!(restored.state_hash(), self.history.books.state_hash(), "{operation:?}");
        assert_eq!(restored.verify(), Ok(()), "{operation:?}");
    }

    fn balance(&self, card: u32) -> Minor {
        self.history.books.card_balance(&self.history.books.card(CardId(card)), CNY)
    }

    fn state(&self, card: u32) -> (CardState, Minor, Minor) {
        let books = &self.history.books;
        (books.card(CardId(card)).state, books.deposit(CardId(card)), books.owed(CardId(card), CNY))
    }

    fn common(&self, which: CommonAccount) -> Minor {
        self.history.books.ledger.balance(self.history.books.common_account(which, CNY).unwrap())
    }
}

fn card(at: u8, orderer: u16, opening: Minor, state: CardState, deposit: Minor) -> Event {
    Event::CardIssued(IssuedCard {
        token: Token([100 + at; 16]),
        bin: 915_600,
        last_four: 100 + u16::from(at),
        product: 1,
        orderer,
        state,
        expiry_yymm: 9_911,
        pvki: 1,
        pvv: Pvv(*b"0000"),
        phone: ArrayString::new(),
        regions: ArrayVec::new(),
        opening: [0, opening].into_iter().collect(),
        deposit,
    })
}

#[test]
fn a_deposit_is_held_apart_and_paid_out_with_the_balance() {
    let mut play = Play::begun();
    assert_eq!((play.balance(FIRST), play.common(CommonAccount::Deposits)), (1_340, 2_000));
    let bank = play.common(CommonAccount::Bank);
    play.order(&Operation::Cancel { card: FIRST });
    assert_eq!((play.balance(FIRST), play.common(CommonAccount::Deposits)), (0, 0));
    assert_eq!(play.common(CommonAccount::Bank) - bank, 3_340, "20.00 and 13.40 leave the bank");
    assert_eq!(play.state(FIRST), (CardState::Closed, 0, 0));
    let again = play.decide(&Operation::Cancel { card: FIRST });
    assert_eq!(again, Err(OperationError::State(CardState::Closed, CANCELLED)));
}

#[test]
fn a_lost_card_forfeits_its_deposit_and_its_balance_follows_to_the_next() {
    let mut play = Play::begun();
    let next = FIRST + 1;
    let fees = play.common(CommonAccount::Fees);
    play.order(&Operation::ReportLost { card: FIRST });
    assert_eq!(play.common(CommonAccount::Fees) - fees, 2_000);
    assert_eq!(play.state(FIRST), (CardState::Lost, 0, 0));
    play.order(&Operation::TakeDeposit { card: next });
    let twice = play.decide(&Operation::TakeDeposit { card: next });
    assert_eq!(twice, Err(OperationError::NoDepositDue));
    play.order(&Operation::Replace { card: FIRST, by: next });
    assert_eq!((play.balance(FIRST), play.balance(next)), (0, 1_340));
    assert_eq!(play.state(next), (CardState::Active, 2_000, 0));
    assert_eq!(play.state(FIRST).0, CardState::Lost, "its number stays refused");
}

#[test]
fn money_moves_between_cards_of_one_orderer_alone() {
    let mut play = Play::begun();
    let (to, other, lost) = (FIRST + 1, FIRST + 2, FIRST + 3);
    let move_to = |to, amount| Operation::Transfer { from: FIRST, to, amount };
    let rows = [
        ("another orderer's card", move_to(other, 1), OperationError::NotAlike),
        ("itself", move_to(FIRST, 1), OperationError::NotAlike),
        ("nothing", move_to(to, 0), OperationError::Amount),
        ("one more than there is", move_to(to, 1_341), OperationError::NotEnough),
        ("more than it may hold", move_to(to, 2_000_001), OperationError::Amount),
        ("a lost card", move_to(lost, 1), OperationError::State(CardState::Lost, "inactive or active")),
        ("no card", move_to(99, 1), OperationError::NoSuch("card")),
    ];
    for (name, operation, want) in rows {
        assert_eq!(play.decide(&operation), Err(want), "{name}");
    }
    play.order(&move_to(to, 1_340));
    assert_eq!((play.balance(FIRST), play.balance(to)), (0, 1_340));
    assert_eq!(play.state(to).0, CardState::Active, "its first money activates it");
}

#[test]
fn what_is_held_stays_until_it_is_resolved() {
    let mut play = Play::begun();
    let general = play.history.general(FIRST);
    let legs: ArrayVec<Leg, 4> = [Leg { account: general, amount: 340 }].into_iter().collect();
    let places = Some(PlacedHold { legs, expires_ms: i64::MAX });
    let hold = play.history.decided(0, Kind::PreAuthorization, FIRST, 340);
    play.history.record(Event::Decided(crate::books::event::Decided { places, ..hold }));
    assert_eq!(play.decide(&Operation::Cancel { card: FIRST }), Err(OperationError::Held));
    play.order(&Operation::ReportLost { card: FIRST });
    play.order(&Operation::Replace { card: FIRST, by: FIRST + 1 });
    assert_eq!((play.balance(FIRST), play.balance(FIRST + 1)), (340, 1_000), "the rest may follow later");
}

#[test]
fn a_payment_without_authorization_is_booked_told_and_owed() {
    let mut play = Play::begun();
    let force = |amount| Operation::ForcePost { card: FIRST, terminal: 0, amount, currency: CNY };
    assert_eq!(play.decide(&force(0)), Err(OperationError::Amount));
    play.order(&force(340));
    assert_eq!((play.balance(FIRST), play.state(FIRST).0), (1_000, CardState::Active));
    let receivable = play.common(CommonAccount::Receivable);
    play.order(&force(1_500));
    assert_eq!((play.balance(FIRST), play.state(FIRST)), (0, (CardState::Blocked, 2_000, 500)));
    assert_eq!(play.common(CommonAccount::Receivable) - receivable, -500);
    let causes: Vec<_> =
        play.history.books.notices().after(0).map(|notice| notice.subject.cause.name()).collect();
    assert_eq!(causes, ["forced_post", "shortfall"]);
    let bank = play.common(CommonAccount::Bank);
    play.order(&Operation::Cancel { card: FIRST });
    assert_eq!(play.common(CommonAccount::Bank) - bank, 1_500, "the deposit, less what was owed");
    assert_eq!(
        (play.state(FIRST), play.common(CommonAccount::Receivable)),
        ((CardState::Closed, 0, 0), receivable)
    );
}

#[test]
fn a_card_that_owes_is_given_money_by_loads_alone() {
    let mut play = Play::begun();
    let (poor, lost) = (FIRST + 1, FIRST + 3);
    play.order(&Operation::ForcePost { card: poor, terminal: 0, amount: 100, currency: CNY });
    assert_eq!(play.state(poor), (CardState::Inactive, 0, 100));
    let rows = [
        ("a transfer", Operation::Transfer { from: FIRST, to: poor, amount: 10 }),
        ("what a lost card held", Operation::Replace { card: lost, by: poor }),
    ];
    for (name, operation) in rows {
        assert_eq!(play.decide(&operation), Err(OperationError::Owes), "{name}");
    }
    let abroad = Operation::ForcePost { card: FIRST, terminal: 0, amount: 1, currency: 978 };
    let refused = OperationError::NoSuch("purse in this currency");
    assert_eq!(play.decide(&abroad), Err(refused), "what is owed in it could never be paid");
}

#[test]
fn a_sub_ledger_that_differs_is_found() {
    let mut play = Play::begun();
    play.history.books.side.set_deposit(FIRST, 1_999);
    let fault =
        BooksFault::SubLedger { account: "card_deposits", currency: CNY, balance: 2_000, cards: 1_999 };
    assert_eq!(play.history.books.verify(), Err(fault));
}

#[test]
fn a_day_with_operations_is_settled() {
    let mut play = Play::begun();
    play.order(&Operation::Transfer { from: FIRST, to: FIRST + 1, amount: 40 });
    play.order(&Operation::ForcePost { card: FIRST, terminal: 0, amount: 2_000, currency: CNY });
    play.order(&Operation::Cancel { card: FIRST + 1 });
    let day = play.history.books.business_day();
    play.history.record(Event::CutOver { opens: day + 1 });
    let folder = tempfile::tempdir().unwrap();
    let summary = play.history.settle(crate::clock::date_of_day(day), folder.path()).unwrap();
    let first = &summary.issuers[0];
    assert_eq!((first.debits, first.credits), (-40 - 1_300 - 40, 40));
    let file = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut files = file.filter(|path| path.to_string_lossy().contains("issuer-CITY"));
    let text = std::fs::read_to_string(files.next().unwrap()).unwrap();
    let forced = text.lines().find(|line| line.contains("force_post")).unwrap();
    assert!(forced.contains(",-1300,156,12,merchant_payable,"), "the fee of 20.00: {forced}");
}

/// What all accounts of this word stand at.
fn titled(play: &Play, word: &str, currency: Currency) -> Minor {
    let books = &play.history.books;
    let accounts = books.ledger().accounts().iter();
    let titled =
        accounts.filter(|account| books.title(&account.kind) == word && account.currency == currency);
    titled.map(|account| account.balance).sum()
}

/// Fees to the operator and the issuer, forfeited deposits of the product with deposits to an account of their own, half
/// of them.
fn chart() -> Chart {
    let rule = |leg, products: &[u16], parts: [(Taker, u16); 2]| PostingRule {
        name: "any".into(),
        leg,
        currency: None,
        categories: Vec::new(),
        channels: Vec::new(),
        products: products.to_vec(),
        merchants: Vec::new(),
        parts: parts.into_iter().map(|(to, permille)| Part { to, permille }).collect(),
    };
    Chart {
        accounts: vec!["operator".into(), "forfeits".into()],
        rules: vec![
            rule(IncomeLeg::Fee, &[], [(Taker::Account(0), 333), (Taker::Issuer, 667)]),
            rule(IncomeLeg::ForfeitedDeposit, &[1], [(Taker::Account(1), 500), (Taker::Fees, 500)]),
        ],
    }
}

#[test]
fn income_goes_where_the_chart_in_force_says() {
    let mut play = Play::begun();
    let fees = titled(&play, "fees", CNY);
    play.order(&Operation::PublishChart(chart()));
    assert_eq!(play.history.books.chart_version(), 1);
    let force = |amount, currency| Operation::ForcePost { card: FIRST, terminal: 0, amount, currency };
    play.order(&force(1_000, CNY));
    let income =
        |play: &Play, currency| (titled(play, "operator", currency), titled(play, "issuer_fees", currency));
    assert_eq!(income(&play, CNY), (1, 5), "60 hundredths of a percent, and a third of it rounded down");
    play.order(&Operation::ReportLost { card: FIRST });
    assert_eq!((titled(&play, "forfeits", CNY), titled(&play, "fees", CNY) - fees), (1_000, 1_000));

    let kept = Chart { rules: Vec::new(), ..chart() };
    play.order(&Operation::PublishChart(kept));
    play.order(&force(100, CNY));
    assert_eq!((play.history.books.chart_version(), income(&play, CNY)), (2, (1, 5)));
    assert_eq!(titled(&play, "fees", CNY) - fees, 1_001, "what no rule fits");
    let beyond = PostingRule { products: vec![2], ..chart().rules[0].clone() };
    let refused = play.decide(&Operation::PublishChart(Chart { rules: vec![beyond], ..chart() }));
    assert_eq!(refused, Err(OperationError::Chart(ChartFault::NoSuch(0))));
    let many = |from: usize| Chart {
        accounts: (from..from + 40).map(|at| format!("a{at}")).collect(),
        rules: Vec::new(),
    };
    play.order(&Operation::PublishChart(many(0)));
    let refused = play.decide(&Operation::PublishChart(many(40)));
    assert_eq!(refused, Err(OperationError::Chart(ChartFault::TooManyAccounts)));
}

/// Issues a card of the first orderer with so much in a purse of dollars, and returns its position.
fn dollars(play: &mut Play, opening: Minor) -> u32 {
    let (general, product) =
        (play.history.books.purses()[1].clone(), play.history.books.products()[1].clone());
    play.history.record(Event::PurseDefined(PurseType { name: "dollars".into(), currency: 840, ..general }));
    let purses = [0, 1, 2].into_iter().collect();
    play.history.record(Event::ProductDefined(Product { purses, deposit: 0, ..product }));
    let Event::CardIssued(issued) = card(9, 0, 0, CardState::Active, 0) else { unreachable!() };
    let opening = [0, 0, opening].into_iter().collect();
    play.history.record(Event::CardIssued(IssuedCard { product: 2, opening, ..issued }));
    u32::try_from(play.history.books.cards().len() - 1).unwrap()
}

#[test]
fn a_currency_that_joins_has_accounts_of_its_own_and_of_the_chart() {
    let mut play = Play::begun();
    play.order(&Operation::PublishChart(chart()));
    let opened = |owner, amount| Event::AccountOpened(OpenedAccount { owner, currency: 840, amount });
    play.history.record(opened(AccountOwner::Orderer(0), 5_000));
    assert_eq!((titled(&play, "orderer_float", 840), titled(&play, "bank", 840)), (5_000, -5_000));
    let with_dollars = dollars(&mut play, 700);
    assert_eq!((titled(&play, "orderer_float", 840), titled(&play, "purse", 840)), (4_300, 700));
    let force = Operation::ForcePost { card: with_dollars, terminal: 0, amount: 1_000, currency: 840 };
    let refused = play.decide(&force);
    assert!(matches!(refused, Err(OperationError::Ledger(Refusal::Unbalanced(840)))), "{refused:?}");
    play.history.record(opened(AccountOwner::Merchant(0), 0));
    play.order(&force);
    assert_eq!((titled(&play, "merchant_payable", 840), titled(&play, "receivable", 840)), (994, -300));
    assert_eq!((titled(&play, "operator", 840), titled(&play, "issuer_fees", 840)), (1, 5));
    assert_eq!(titled(&play, "operator", CNY), 0, "nothing of it is anything in another currency");
    let mut books = play.history.books.clone();
    let (seq, time_ms) = (books.seq() + 1, books.time_ms());
    let twice = books.apply(seq, time_ms, &opened(AccountOwner::Merchant(0), 0));
    assert_eq!(twice, Err(ApplyError::Exists { seq, what: "account in this currency" }));
    let nobody = play.history.books.clone().apply(seq, time_ms, &opened(AccountOwner::Acquirer(9), 0));
    assert_eq!(nobody, Err(ApplyError::NoSuch { seq, what: "owner of the account" }));
}

#[test]
fn a_debt_in_one_currency_keeps_a_card_blocked_when_that_in_another_is_paid() {
    let mut play = Play::begun();
    let opened = |owner| Event::AccountOpened(OpenedAccount { owner, currency: 840, amount: 5_000 });
    play.history.record(opened(AccountOwner::Orderer(0)));
    let merchant = OpenedAccount { owner: AccountOwner::Merchant(0), currency: 840, amount: 0 };
    play.history.record(Event::AccountOpened(merchant));
    let card = CardId(dollars(&mut play, 700));
    let force = |amount, currency| Operation::ForcePost { card: card.0, terminal: 0, amount, currency };
    play.order(&force(100, CNY));
    play.order(&force(1_000, 840));
    let unblocks = |play: &Play, currency, paid| play.history.books.unblocks(card, currency, paid);
    assert!(!unblocks(&play, CNY, 100), "dollars are owed");
    play.history.books.note_owed(card.0, &receivable(&play, CNY, 100), false);
    assert!(unblocks(&play, 840, 300), "nothing else is owed any more, and a debt blocked it");
    assert!(!unblocks(&play, 840, 299));
}

/// What pays so much of a debt.
fn receivable(play: &Play, currency: Currency, amount: Minor) -> [Posting; 1] {
    let account = play.history.books.common_account(CommonAccount::Receivable, currency).unwrap();
    [Posting { account, amount }]
}

#[test]
fn a_replacement_that_has_money_gets_no_more_than_it_may_hold() {
    let mut play = Play::begun();
    let (general, product) =
        (play.history.books.purses()[1].clone(), play.history.books.products()[1].clone());
    play.history.record(Event::PurseDefined(PurseType { name: "small".into(), max: 900, ..general }));
    let small = Product { purses: [0, 2].into_iter().collect(), balance_max: 1_000, deposit: 0, ..product };
    play.history.record(Event::ProductDefined(small));
    let mut issue = |at, state, opening: [Minor; 2]| {
        let Event::CardIssued(issued) = card(at, 0, 0, state, 0) else { unreachable!() };
        let opening = opening.into_iter().collect();
        play.history.record(Event::CardIssued(IssuedCard { product: 2, opening, ..issued }));
        u32::try_from(play.history.books.cards().len() - 1).unwrap()
    };
    let lost = issue(10, CardState::Lost, [0, 800]);
    let rows = [
        ("one above its purse's maximum", [0, 101], Err(OperationError::Amount)),
        ("one above the product's", [201, 0], Err(OperationError::Amount)),
        ("as much as it may hold", [100, 100], Ok(())),
        ("an empty one", [0, 0], Ok(())),
    ];
    let rows: Vec<_> = (11..)
        .zip(rows)
        .map(|(at, (name, opening, want))| (name, issue(at, CardState::Active, opening), want))
        .collect();
    for (name, by, want) in rows {
        let got = play.decide(&Operation::Replace { card: lost, by });
        assert_eq!(got.map(drop), want, "{name}");
    }
}
