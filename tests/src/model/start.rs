//! A small city made for walks, told to the books as events and to the model as data.
//!
//! Three products: one with purses for everything, buses and medicine, of which the second is good for some weeks only; one
//! that allows completions above and behind their holds and takes a deposit; one of another currency with an empty purse in
//! the city's. A float that is soon used up, an agent with a line, a hospital, a hotel whose holds are long, a shop paid in
//! the other currency, a cash machine.

use arrayvec::{ArrayString, ArrayVec};
use cardswitch::{
    books::{
        Books, CardId, TerminalId,
        event::{
            CardState, Event, InstalledTerminal, IssuedCard, JoinedAcquirer, KeyText, MacScheme,
            OpenedMerchant, Pvv, TerminalDialect, Token, ZoneKeyTexts,
        },
        fees::FeeRule,
        holder_limits::HolderLimits,
        policy::Policy,
        product::{PinRule, Product},
    },
    ledger::{AccountId, AccountKind, purse::PurseType},
};

use super::naive::{Card, Naive, Place, Rule};

pub(super) const HOUR_MS: i64 = 3_600_000;
/// 15 January 2026, noon UTC: a walk of some weeks ends cards, and crosses no New Year.
const BEGIN_MS: i64 = 1_768_478_400_000;
const BEGIN_DAY: i32 = 20_468;
pub(super) const WINDOW_MS: i64 = 24 * HOUR_MS;

/// The city's currency, and the other.
pub(super) const HOME: u16 = 156;
pub(super) const ABROAD: u16 = 840;

/// Cards to begin with. A walk draws from some or all of them; one that has ended gives its place to a new one.
pub(super) const CARDS: usize = 40;
/// Kinds of cards: by product, orderer, state and expiry.
pub(super) const KINDS: usize = 7;
/// Position of the agent's terminal, which draws on a line in the city's currency.
pub(super) const AGENT: usize = 4;
/// Position of the terminal that loads from floats.
pub(super) const DESK: usize = 5;
/// Position of the shop paid in the other currency.
pub(super) const SHOP_ABROAD: usize = 6;
/// Position of the cash machine.
pub(super) const MACHINE: usize = 7;

/// The books and the model before the first step.
#[derive(Debug)]
pub struct Start {
    pub(super) books: Books,
    pub(super) naive: Naive,
    pub(super) accounts: Vec<(Place, AccountId)>,
    pub(super) schedules: Vec<Vec<FeeRule>>,
}

impl Default for Start {
    fn default() -> Self {
        Self::city()
    }
}

impl Start {
    /// The city, with its first cards.
    ///
    /// # Panics
    /// The books do not take what it is told as.
    #[must_use]
    pub fn city() -> Self {
        let policy = Policy {
            duplicate_window_ms: WINDOW_MS,
            // Short, so that what follows often comes too late.
            refund_ms: 50 * HOUR_MS,
            pin_tries_max: 6,
            // Nothing leaves early: what the tables do at their limits has tests of its own.
            duplicates_per_terminal: 1 << 17,
            duplicates_max: 1 << 17,
            originals_max: 1 << 17,
            notices_max: 1 << 10,
            ..Policy::default()
        };
        let mut start = Self {
            books: Books::default(),
            naive: Naive::new(policy),
            accounts: Vec::new(),
            schedules: vec![Vec::new(), schedule(), schedule().split_off(1)],
        };
        start.tell(Event::PolicySet(policy));
        purse_types().into_iter().for_each(|purse| start.tell(Event::PurseDefined(purse)));
        products().into_iter().for_each(|product| start.tell(Event::ProductDefined(product)));
        for (name, currency, float) in
            [("CITY", HOME, 1 << 40), ("SMALL", HOME, 2_000_000), ("ABROAD", ABROAD, 1 << 40)]
        {
            start.tell(Event::OrdererOpened { name: name.to_owned(), currency, float });
        }
        merchants().into_iter().for_each(|merchant| start.tell(Event::MerchantOpened(merchant)));
        start.tell(Event::AcquirerJoined(acquirer()));
        terminals().into_iter().for_each(|terminal| start.tell(Event::TerminalInstalled(terminal)));
        start.tell(Event::CutOver { opens: BEGIN_DAY });
        let sent = (BEGIN_MS, 0);
        start.tell(Event::AcquirerSigned { acquirer: 0, on: true, sent, adopts: None });
        start.tell(Event::GenesisDone);
        start.list_accounts();
        for at in 0..CARDS {
            let issued = start.next_card(at % KINDS, 40_000 + 7_000 * i64::try_from(at).expect("small"));
            issue(&mut start.books, &mut start.naive, &mut start.accounts, &issued, BEGIN_MS);
        }
        start
    }

    /// The same city, with a model that has one rule wrong.
    #[must_use]
    pub fn flipped(rule: Rule) -> Self {
        let mut start = Self::city();
        start.naive.flipped = Some(rule);
        start
    }

    fn tell(&mut self, event: Event) {
        let seq = self.books.seq() + 1;
        self.books.apply(seq, BEGIN_MS, &event).expect("an event that fits");
        let naive = &mut self.naive;
        naive.seq = seq;
        match event {
            Event::PurseDefined(purse) => naive.purse_types.push(purse),
            Event::ProductDefined(product) => naive.products.push(product),
            Event::OrdererOpened { currency, .. } => naive.float_currencies.push(currency),
            Event::AcquirerJoined(acquirer) => naive.acquirer_currencies.push(acquirer.currency),
            Event::MerchantOpened(merchant) => naive.merchants.push(merchant),
            Event::TerminalInstalled(terminal) => naive.terminals.push(terminal),
            Event::CutOver { opens } => naive.day = opens,
            _ => {}
        }
    }

    /// All accounts but purses, and what lies there before the first step.
    fn list_accounts(&mut self) {
        let at = |position: u32| usize::try_from(position).expect("a position");
        for (account, id) in self.books.ledger().accounts().iter().zip(0..) {
            let currency = account.currency;
            let place = match account.kind {
                AccountKind::MerchantPayable { merchant } => Place::Merchant(at(merchant)),
                AccountKind::OrdererFloat { orderer } => Place::Float(at(orderer)),
                AccountKind::LoadLine { merchant } => Place::Line(at(merchant)),
                AccountKind::AcquirerPayable { acquirer } => Place::Acquirer(acquirer.into()),
                AccountKind::Fees => Place::Fees(currency),
                AccountKind::Bank => Place::Bank(currency),
                AccountKind::Receivable => Place::Receivable(currency),
                AccountKind::CardDeposits => Place::Deposits(currency),
                AccountKind::Purse { .. } => continue,
                AccountKind::Income { .. } | AccountKind::IssuerFees { .. } => {
                    unreachable!("the city's chart of accounts is the one that is built in")
                }
            };
            self.accounts.push((place, AccountId(id)));
            self.naive.money.insert(place, account.balance);
        }
    }

    fn next_card(&self, kind: usize, opening: i64) -> IssuedCard {
        new_card(&self.naive, kind, opening)
    }
}

/// The next card to be issued, of one of so many kinds, with so much in each purse that may have it.
pub(super) fn new_card(naive: &Naive, kind: usize, opening: i64) -> IssuedCard {
    // Product, orderer, state, last month, shares of the opening for each purse.
    let (product, orderer, state, expiry_yymm, parts): (u16, u16, _, u16, &[i64]) = match kind {
        0 => (0, 0, CardState::Active, 3_012, &[1, 4, 2]),
        1 => (0, 1, CardState::Active, 2_602, &[2, 0, 3]),
        2 => (1, 0, CardState::Active, 3_012, &[1]),
        3 => (1, 0, CardState::Active, 2_601, &[2]),
        4 => (0, 0, CardState::Inactive, 3_012, &[]),
        5 => (2, 2, CardState::Active, 3_012, &[1, 0]),
        _ => (0, 0, CardState::Blocked, 3_012, &[3, 3, 3]),
    };
    let number = u32::try_from(naive.cards.len()).expect("few cards");
    let mut token = [0; 16];
    token[..8].copy_from_slice(&(u64::from(number) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    let there = naive.balance(Place::Float(usize::from(orderer))) / 8;
    IssuedCard {
        token: Token(token),
        bin: 915_600,
        last_four: u16::try_from(number % 10_000).expect("four digits"),
        product,
        orderer,
        state,
        expiry_yymm,
        pvki: 1,
        pvv: Pvv(*b"0000"),
        phone: ArrayString::new(),
        regions: ArrayVec::new(),
        opening: parts.iter().map(|part| (opening / part.max(&1)).min(there) * part.signum()).collect(),
        deposit: if number % 2 == 0 { naive.products[usize::from(product)].deposit } else { 0 },
    }
}

/// Issues a card on both sides.
pub(super) fn issue(
    books: &mut Books,
    naive: &mut Naive,
    accounts: &mut Vec<(Place, AccountId)>,
    issued: &IssuedCard,
    now: i64,
) {
    let at = naive.cards.len();
    books.apply(books.seq() + 1, now, &Event::CardIssued(issued.clone())).expect("a card that fits");
    naive.issue(issued);
    let card = books.card(CardId(u32::try_from(at).expect("few cards")));
    let purses = books.card_purses(&card).enumerate();
    accounts.extend(purses.map(|(nth, (account, _))| (Place::Purse(at, nth), account)));
}

impl Naive {
    fn issue(&mut self, issued: &IssuedCard) {
        let product = usize::from(issued.product);
        let mut balances = vec![0; self.products[product].purses.len()];
        let type_at = usize::from(self.products[product].purses[0]);
        let currency = self.purse_types[type_at].currency;
        for (balance, opening) in balances.iter_mut().zip(&issued.opening) {
            *balance = *opening;
            *self.money.entry(Place::Float(usize::from(issued.orderer))).or_default() -= opening;
        }
        *self.money.entry(Place::Bank(currency)).or_default() -= issued.deposit;
        *self.money.entry(Place::Deposits(currency)).or_default() += issued.deposit;
        self.seq += 1;
        self.cards.push(Card {
            product,
            orderer: usize::from(issued.orderer),
            state: issued.state,
            expiry_yymm: issued.expiry_yymm,
            wrong_pins: 0,
            balances,
            deposit: issued.deposit,
            owed: Default::default(),
            holds: Vec::new(),
            limits: HolderLimits::default(),
        });
    }
}

pub(super) fn terminal_id(at: usize) -> TerminalId {
    TerminalId(u32::try_from(at).expect("few terminals"))
}

fn purse_types() -> [PurseType; 4] {
    let purse = |name: &str, currency, categories: &[u16], max, cash, last_day| PurseType {
        name: name.to_owned(),
        currency,
        categories: categories.iter().copied().collect(),
        floor: 0,
        max,
        cash,
        last_day,
    };
    [
        purse("general", HOME, &[], 500_000, true, None),
        purse("transit", HOME, &[4111], 100_000, false, Some(BEGIN_DAY + 20)),
        purse("medical", HOME, &[8062], 200_000, false, None),
        purse("abroad", ABROAD, &[], 300_000, true, None),
    ]
}

fn products() -> [Product; 3] {
    let product = |name: &str, purses: &[u16], load_purse, pin| Product {
        name: name.to_owned(),
        purses: purses.iter().copied().collect(),
        load_purse,
        balance_max: 600_000,
        pin,
        balance_needs_pin: false,
        regions: ArrayVec::new(),
        hold_ms: 9 * HOUR_MS,
        hold_by_category: [(7011, 60 * HOUR_MS)].into_iter().collect(),
        completion_over_pct: 0,
        late_completion: false,
        deposit: 0,
    };
    [
        // The special purses pay first.
        product("city", &[1, 2, 0], 2, PinRule::ContactlessAbove(2_000)),
        Product {
            balance_needs_pin: true,
            completion_over_pct: 15,
            late_completion: true,
            deposit: 2_000,
            ..product("prepaid", &[0], 0, PinRule::Always)
        },
        Product { late_completion: true, ..product("abroad", &[3, 0], 0, PinRule::Always) },
    ]
}

fn merchants() -> Vec<OpenedMerchant> {
    let merchant = |number: u8, currency, fee_bp, fee_min, fee_max, load_line| OpenedMerchant {
        id: [b'0' + number; 15],
        name: format!("merchant {number}"),
        active: true,
        currency,
        fee_bp,
        fee_min,
        fee_max,
        load_line,
    };
    vec![
        merchant(0, HOME, 38, 0, 2_600, 0),
        merchant(1, HOME, 60, 5, 500, 0),
        merchant(2, HOME, 0, 0, 0, 0),
        merchant(3, HOME, 0, 0, 0, 9_000_000),
        merchant(4, ABROAD, 125, 1, 8_000, 0),
        merchant(5, HOME, 0, 0, 0, 0),
    ]
}

fn terminals() -> Vec<InstalledTerminal> {
    let terminal = |number: u8, merchant, category, dialect, may_load| InstalledTerminal {
        id: [b'0' + number; 8],
        merchant,
        category,
        region: 310_000,
        dialect,
        mac: MacScheme::X919,
        tmk: KeyText("no key".into()),
        may_load,
        psam: None,
        phone: ArrayString::new(),
        acquirer: (dialect == TerminalDialect::Atm).then_some(0),
    };
    let pos = TerminalDialect::Pos;
    vec![
        terminal(0, 0, 5411, pos, false),
        terminal(1, 0, 5411, pos, false),
        terminal(2, 1, 4111, pos, false),
        terminal(3, 2, 8062, pos, false),
        terminal(4, 3, 6012, pos, true),
        terminal(5, 1, 7011, pos, true),
        terminal(6, 4, 5812, pos, true),
        terminal(7, 5, 6011, TerminalDialect::Atm, false),
    ]
}

fn acquirer() -> JoinedAcquirer {
    let key = KeyText("no key".into());
    let keys = ZoneKeyTexts {
        pin: key.clone(),
        mac_to_switch: key.clone(),
        mac_from_switch: key.clone(),
        check_values: [[0; 3]; 3],
    };
    JoinedAcquirer {
        id: ArrayString::from("12345678").expect("eight digits"),
        name: "machines".to_owned(),
        mac: MacScheme::X919,
        active: true,
        currency: HOME,
        zmk: key,
        keys,
    }
}

fn schedule() -> Vec<FeeRule> {
    let rule = |name: &str, currency, percent_bp, fixed, min, max| FeeRule {
        name: name.to_owned(),
        currency,
        percent_bp,
        fixed,
        min,
        max,
        categories: Vec::new(),
        channels: Vec::new(),
        products: Vec::new(),
        merchants: Vec::new(),
        first_day: None,
        last_day: None,
    };
    vec![
        FeeRule { categories: vec![4111, 8062], ..rule("buses and medicine", HOME, 7, 1, 0, 300) },
        FeeRule {
            first_day: Some(BEGIN_DAY + 3),
            last_day: Some(BEGIN_DAY + 9),
            ..rule("a week", HOME, 45, 0, 3, 900)
        },
        FeeRule { products: vec![1], merchants: vec![0, 1], ..rule("prepaid", HOME, 90, 2, 4, 2_000) },
        FeeRule { channels: vec![TerminalDialect::Pos], ..rule("abroad", ABROAD, 250, 10, 0, 9_000) },
    ]
}
