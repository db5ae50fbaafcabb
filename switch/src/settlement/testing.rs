//! What tests of settlement, audits and commands share: a small city and two business days, in memory.
//!
//! The first day is closed, the second open. Events are written out by hand, so that sums in tests do not come from
//! the code that they test.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use arrayvec::{ArrayString, ArrayVec};
use jiff::civil::Date;

use super::{SettlementError, Summary, settle};
use crate::{
    books::{
        Books, CardId,
        event::{
            CardState, Decided, Event, InstalledTerminal, IssuedCard, JoinedAcquirer, KeyText,
            KeysForTerminal, MacScheme, OnOriginal, OpenedMerchant, PlacedHold, Pvv, ReversalEffect,
            TerminalDialect, Token, ZoneKeyTexts,
        },
        notices::Cause,
        policy::Policy,
        product::{PinRule, Product},
        reason::Reason,
        request::{Kind, Phone},
        transactions::TransactionKey,
    },
    clock::days_since_1970,
    journal::{MemoryStore, RecordBatch, Seq, Store},
    ledger::{
        AccountId, AccountKind, Minor, Posting,
        holds::{HoldId, Leg},
        purse::PurseType,
    },
};

/// The first business day.
pub(crate) const DAY: Date = Date::constant(2026, 11, 21);

/// The linked telephone number of the first card.
pub(crate) const PHONE: &str = "13800000123";

/// What a key block has behind its header, which nothing may show.
pub(crate) const KEY_BODY: &str = "5EC2E7B0D1";

/// 2026-11-21 00:00:00 UTC.
const BEGIN_MS: i64 = 1_795_219_200_000;

const CNY: u16 = 156;

/// Positions of terminals.
pub(super) const SHOP: u32 = 0;
pub(super) const AGENT: u32 = 1;
pub(super) const ATM: u32 = 2;

/// A journal and its books, record by record.
pub(crate) struct History {
    pub(crate) store: MemoryStore,
    pub(crate) books: Books,
    left: [Minor; 2],
    stan: u32,
}

impl History {
    /// The city, and the first day begun.
    pub(crate) fn begun() -> Self {
        let mut history =
            Self { store: MemoryStore::new(), books: Books::default(), left: [100_000, 50_000], stan: 0 };
        city().into_iter().for_each(|event| _ = history.record(event));
        history.record(Event::CutOver { opens: days_since_1970(DAY) });
        history
    }

    /// A purchase, two loads of which one is taken back, cash, and a decline with a notice; the day after, a refund of
    /// a part, and two pre-authorizations of which one runs out.
    pub(crate) fn of_two_days() -> Self {
        let mut history = Self::begun();
        history.record(Event::SignedIn {
            terminal: SHOP,
            stan: 1,
            version: 1,
            pin: key(),
            mac: key(),
            told: KeysForTerminal { pin: [0; 16], pin_check: [0; 4], mac: [0; 16], mac_check: [0; 4] },
        });
        let purchase = history.purchase(0, 10_000, 60);
        history.load(AGENT, 1, 5_000);
        history.load_and_take_back();
        history.withdraw(0, 3_000, 200);
        let decline = Decided {
            reason: Reason::AmountLimit,
            fired: 1,
            notice: Some(Cause::Rules),
            ..history.decided(SHOP, Kind::Purchase, 0, 99_000)
        };
        history.record(Event::Decided(decline));
        history.record(Event::CutOver { opens: days_since_1970(DAY) + 1 });
        history.refund(purchase, 4_000, 24);
        let runs_out = history.hold(300, 1);
        history.record(Event::HoldExpired { hold: HoldId(runs_out), original: runs_out, amount: 300 });
        history.hold(700, i64::MAX);
        history
    }

    /// What should be left in the general purse of a card.
    pub(crate) fn left(&self, card: usize) -> Minor {
        self.left[card]
    }

    /// Settles a day into a folder.
    pub(crate) fn settle(&self, day: Date, folder: &Path) -> Result<Summary, SettlementError> {
        settle(self.store.reader().as_ref(), day, folder, &mut |_| ())
    }

    /// Appends and applies an event; returns its record.
    pub(crate) fn record(&mut self, event: Event) -> Seq {
        let seq = self.books.seq() + 1;
        let time_ms = BEGIN_MS + i64::try_from(seq).unwrap() * 1_000;
        let mut batch = RecordBatch::new();
        batch.push(seq, time_ms, |body| event.write(body)).unwrap();
        self.books.apply(seq, time_ms, &event).unwrap();
        self.store.append(seq, &batch).unwrap();
        seq
    }

    pub(crate) fn purchase(&mut self, card: u32, amount: Minor, fee: Minor) -> Seq {
        self.left[card as usize] -= amount;
        let payable = self.books.merchants()[0].payable;
        let postings = [(self.general(card), -amount), (payable, amount - fee), (self.fees(), fee)];
        let purchase = Decided { fee, ..self.decided(SHOP, Kind::Purchase, card, amount) };
        self.moved(purchase, &postings)
    }

    fn load(&mut self, terminal: u32, card: u32, amount: Minor) -> Seq {
        self.left[card as usize] += amount;
        let line = self.books.merchants()[1].load_line.unwrap();
        let source = if terminal == AGENT { line } else { self.books.orderers()[0].float };
        let postings = [(source, -amount), (self.general(card), amount)];
        let load = self.decided(terminal, Kind::Load, card, amount);
        self.moved(load, &postings)
    }

    fn load_and_take_back(&mut self) {
        self.load(SHOP, 0, 2_000);
        self.left[0] -= 2_000;
        let original = TransactionKey { terminal: SHOP, batch: 1, stan: self.stan, class: 2 };
        let reversal = Decided {
            key: TransactionKey { class: 4, ..original },
            reversal: Some((original, ReversalEffect::Reversed)),
            ..self.decided(SHOP, Kind::Reversal, 0, 2_000)
        };
        let postings = [(self.general(0), -2_000), (self.books.orderers()[0].float, 2_000)];
        self.moved(reversal, &postings);
    }

    fn withdraw(&mut self, card: u32, amount: Minor, fee: Minor) {
        self.left[card as usize] -= amount + fee;
        let payable = self.books.acquirers()[0].payable;
        let postings = [(self.general(card), -amount - fee), (payable, amount + fee)];
        let withdrawal = Decided { fee, ..self.decided(ATM, Kind::Withdrawal, card, amount) };
        self.moved(withdrawal, &postings);
    }

    fn refund(&mut self, original: Seq, amount: Minor, fee: Minor) {
        self.left[0] += amount;
        let payable = self.books.merchants()[0].payable;
        let postings = [(self.general(0), amount), (payable, fee - amount), (self.fees(), -fee)];
        let on_original = OnOriginal { returned: amount, ..OnOriginal::of(original) };
        let refund =
            Decided { fee: -fee, original: Some(on_original), ..self.decided(SHOP, Kind::Refund, 0, amount) };
        self.moved(refund, &postings);
    }

    fn hold(&mut self, amount: Minor, expires_ms: i64) -> Seq {
        let legs = [Leg { account: self.general(0), amount }].into_iter().collect();
        let places = PlacedHold { legs, expires_ms };
        let hold = Decided { places: Some(places), ..self.decided(SHOP, Kind::PreAuthorization, 0, amount) };
        self.record(Event::Decided(hold))
    }

    fn moved(&mut self, decided: Decided, postings: &[(AccountId, Minor)]) -> Seq {
        let postings =
            postings.iter().map(|(account, amount)| Posting { account: *account, amount: *amount });
        self.record(Event::Decided(Decided { postings: postings.collect(), ..decided }))
    }

    /// An approved request that does nothing.
    pub(crate) fn decided(&mut self, terminal: u32, kind: Kind, card: u32, amount: Minor) -> Decided {
        self.stan += 1;
        Decided {
            key: TransactionKey { terminal, batch: 1, stan: self.stan, class: 2 },
            kind,
            card: Some(card),
            amount,
            partial: None,
            currency: CNY,
            fee: 0,
            fee_rule: None,
            reason: Reason::Approved,
            shown: None,
            pin_tries: None,
            pvv: None,
            activates: false,
            blocks: false,
            forced: false,
            adopts: None,
            random: None,
            calling: None,
            reversal: None,
            original: None,
            particulars: 0,
            releases: None,
            places: None,
            hold_of: None,
            fired: 0,
            judged: None,
            stranger: None,
            notice: None,
            postings: ArrayVec::new(),
        }
    }

    pub(crate) fn general(&self, card: u32) -> AccountId {
        let card = self.books.card(CardId(card));
        self.books.card_purses(&card).find(|(_, purse)| purse.name == "general").unwrap().0
    }

    fn fees(&self) -> AccountId {
        let accounts = self.books.ledger().accounts();
        let at = accounts.iter().position(|account| account.kind == AccountKind::Fees).unwrap();
        AccountId(u32::try_from(at).unwrap())
    }
}

fn key() -> KeyText {
    KeyText(format!("D0144P0AE00N0000{KEY_BODY}").into())
}

/// Two orderers, a shop, an agent with a load line, an ATM, two cards.
fn city() -> Vec<Event> {
    let psam = [0x31, 0, 0, 0, 0, 0, 1, 1];
    vec![
        Event::PolicySet(Policy::default()),
        purse("transit", &[4111]),
        purse("general", &[]),
        Event::ProductDefined(Product {
            name: "city".to_owned(),
            purses: [0, 1].into_iter().collect(),
            load_purse: 1,
            balance_max: 2_000_000,
            pin: PinRule::Always,
            balance_needs_pin: false,
            regions: ArrayVec::new(),
            hold_ms: 1,
            hold_by_category: ArrayVec::new(),
            completion_over_pct: 0,
            late_completion: false,
            deposit: 0,
        }),
        Event::OrdererOpened { name: "CITY".to_owned(), currency: CNY, float: 1_000_000 },
        Event::OrdererOpened { name: "GIFT".to_owned(), currency: CNY, float: 1_000_000 },
        merchant(b"898310054110001", "Riverside, \"the\" shop", 0),
        merchant(b"898310060120001", "North Gate Agent", 50_000),
        merchant(b"898310060110001", "North Bank ATMs", 0),
        Event::PsamIssued { number: psam, key_version: 1, revoked: false },
        acquirer(),
        terminal(b"31000001", SHOP, TerminalDialect::Pos),
        terminal(b"31000004", AGENT, TerminalDialect::Pos),
        terminal(b"51000001", ATM, TerminalDialect::Atm),
        card(10, 0, PHONE, 100_000),
        card(28, 1, "", 50_000),
        rules(),
        Event::GenesisDone,
    ]
}

fn purse(name: &str, categories: &[u16]) -> Event {
    Event::PurseDefined(PurseType {
        name: name.to_owned(),
        currency: CNY,
        categories: categories.iter().copied().collect(),
        floor: 0,
        max: 2_000_000,
        cash: categories.is_empty(),
        last_day: None,
    })
}

fn merchant(id: &[u8; 15], name: &str, load_line: Minor) -> Event {
    Event::MerchantOpened(OpenedMerchant {
        id: *id,
        name: name.to_owned(),
        active: true,
        currency: CNY,
        fee_bp: 60,
        fee_min: 0,
        fee_max: 8_000,
        load_line,
    })
}

fn acquirer() -> Event {
    let check_values = [[0xA1, 0xB2, 0xC3], [1, 2, 3], [4, 5, 6]];
    Event::AcquirerJoined(JoinedAcquirer {
        id: ArrayString::from("31060110").unwrap(),
        name: "North Bank".to_owned(),
        mac: MacScheme::X919,
        active: true,
        currency: CNY,
        zmk: key(),
        keys: ZoneKeyTexts { pin: key(), mac_to_switch: key(), mac_from_switch: key(), check_values },
    })
}

fn terminal(id: &[u8; 8], merchant: u32, dialect: TerminalDialect) -> Event {
    Event::TerminalInstalled(InstalledTerminal {
        id: *id,
        merchant,
        category: 5411,
        region: 310_101,
        dialect,
        mac: MacScheme::X919,
        tmk: key(),
        may_load: merchant != 2,
        psam: (merchant == 0).then_some(0),
        phone: Phone::new(),
        acquirer: (dialect == TerminalDialect::Atm).then_some(0),
    })
}

fn card(last_four: u16, orderer: u16, phone: &str, opening: Minor) -> Event {
    Event::CardIssued(IssuedCard {
        token: Token([u8::try_from(last_four).unwrap(); 16]),
        bin: 915_600,
        last_four,
        product: 0,
        orderer,
        state: CardState::Active,
        expiry_yymm: 2_911,
        pvki: 1,
        pvv: Pvv(*b"0000"),
        phone: ArrayString::from(phone).unwrap(),
        regions: ArrayVec::new(),
        opening: [500, opening].into_iter().collect(),
        deposit: 0,
    })
}

fn rules() -> Event {
    Event::RulesPublished(vec![risk::Rule {
        id: risk::RuleId::new("single-max").unwrap(),
        text: String::new(),
        on: true,
        action: risk::Action::Notify,
        products: Vec::new(),
        categories: Vec::new(),
        terminals: Vec::new(),
        test: risk::Test::NthAtMerchant { n: 1 },
    }])
}
