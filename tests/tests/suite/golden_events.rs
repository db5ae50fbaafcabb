//! Events of every version as they lie in journals: a program that could no longer read them, or read them as something
//! else, could not start on yesterday's folder.

use std::{fs, num::NonZeroU16, path::PathBuf};

use arrayvec::{ArrayString, ArrayVec};
use cardswitch::{
    books::{
        alerts::{AlertStep, Disposition, HandledAlert, Snooze},
        cards::CardDays,
        chart::{Chart, IncomeLeg, Part, PostingRule, Taker},
        currencies::{AccountOwner, OpenedAccount},
        decide::operations::Operation,
        event::{
            CardChange, CardState, Decided, Event, InstalledTerminal, IssuedCard, JoinedAcquirer, KeyKeeper,
            KeyRole, KeyText, KeysForTerminal, ListedReason, ListedSubject, MacScheme, OnOriginal,
            OpenedMerchant, Operated, OperationKind, Ordered, PlacedHold, PsamMasters, Pvv, ReversalEffect,
            TerminalDialect, Token, ZoneKeyTexts,
        },
        fees::FeeRule,
        holder_limits::{Beyond, HolderLimits, LimitedCard},
        judged::{Hits, Judged, Seen, Stranger},
        lists::{
            change::{Grounds, How, ListChange, ListChanged, ListName, ListRow, StagedRows},
            key::{ListKey, ListKind},
        },
        notices::Cause,
        order::{JournalPlace, OfficerSignature, Order, SignedOrder, What},
        packed_rules::PackedRules,
        policy::Policy,
        product::{PinRule, Product, Regions},
        reason::Reason,
        request::{Kind, Phone, Shown},
        rulebook::{PublishedRules, RuleText},
        transactions::TransactionKey,
    },
    ledger::{
        AccountId, Posting,
        holds::{HoldId, Leg},
        purse::PurseType,
    },
};
use risk::{language::RuleBits, past::Spot};

fn file(version: &str) -> PathBuf {
    switch_tests::fixture(&format!("events/v{version}.bin"))
}

fn key(class: u8) -> TransactionKey {
    TransactionKey { terminal: 7, batch: 123_456, stan: 999_999, class }
}

fn decided(kind: Kind, reason: Reason) -> Decided {
    Decided {
        key: key(2),
        kind,
        card: Some(300),
        amount: 999_999_999_999,
        partial: None,
        currency: 156,
        fee: 0,
        fee_rule: None,
        reason,
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

fn posting(account: u32, amount: i64) -> Posting {
    Posting { account: AccountId(account), amount }
}

/// What version 1 could say: every variant, and every value of every enum inside one, so that a new order of either
/// shows.
fn events_of_version_1() -> Vec<Event> {
    let mut events = genesis();
    events.push(Event::SignedIn {
        terminal: 7,
        stan: 1,
        version: 70_000,
        pin: KeyText("B0096P0TE00E0000".into()),
        mac: KeyText("B0096M3TC00E0000".into()),
        told: KeysForTerminal { pin: [1; 16], pin_check: [2; 4], mac: [3; 16], mac_check: [4; 4] },
    });
    events.push(Event::SignedOff { terminal: 7, stan: 2 });
    events.extend(Kind::ALL.iter().take(8).map(|kind| Event::Decided(decided(*kind, Reason::Approved))));
    events.extend(Reason::ALL.iter().take(31).map(|reason| Event::Decided(decided(Kind::Purchase, *reason))));
    let effects = [ReversalEffect::Nothing, ReversalEffect::Reversed, ReversalEffect::Tombstone];
    events.extend(effects.map(|effect| {
        let reversal = Some((key(1), effect));
        Event::Decided(Decided {
            key: key(4),
            card: None,
            reversal,
            ..decided(Kind::Reversal, Reason::Approved)
        })
    }));
    events.push(Event::Decided(Decided {
        shown: Some(Shown { available: -1, held: 0 }),
        pin_tries: Some(2),
        activates: true,
        blocks: true,
        adopts: Some(70_000),
        postings: (0..8).map(|leg| posting(leg, i64::from(leg) * 1_000_000 - 3_500_000)).collect(),
        ..decided(Kind::Load, Reason::Approved)
    }));
    events
}

fn genesis() -> Vec<Event> {
    let mut events = vec![Event::PolicySet(Policy {
        duplicate_window_ms: 86_400_000,
        duplicates_max: 1 << 20,
        duplicates_per_terminal: 4096,
        pin_tries_max: 3,
        sign_ins_per_minute: 30,
        key_overlap_ms: 3_600_000,
        ..Policy::default()
    })];
    let roles = [KeyRole::PinVerification, KeyRole::CardVerification, KeyRole::Token];
    events.extend(roles.map(|role| Event::KeyInstalled {
        role,
        index: 1,
        block: KeyText("B0096V2TV00E".into()),
    }));
    events.push(Event::PurseDefined(PurseType {
        name: "medical".into(),
        currency: 156,
        categories: [5912, 8062].into_iter().collect(),
        floor: -5,
        max: 1_000_000,
        cash: false,
        last_day: None,
    }));
    let rules = [PinRule::Always, PinRule::ContactlessAbove(10_000)];
    events.extend(rules.map(|pin| {
        Event::ProductDefined(Product {
            name: "city".into(),
            purses: [1, 0].into_iter().collect(),
            load_purse: 1,
            balance_max: 2_000_000,
            pin,
            balance_needs_pin: true,
            regions: Regions::new(),
            hold_ms: 7 * 86_400_000,
            hold_by_category: ArrayVec::new(),
            completion_over_pct: 0,
            late_completion: false,
            deposit: 0,
        })
    }));
    events.push(Event::OrdererOpened { name: "CITY".into(), currency: 156, float: 16_000_000 });
    events.push(Event::MerchantOpened(OpenedMerchant {
        id: *b"898310054110001",
        name: "Riverside Supermarket".into(),
        active: true,
        currency: 156,
        fee_bp: 38,
        fee_min: 1,
        fee_max: 2_600,
        load_line: 50_000,
    }));
    events.extend(terminals());
    events.extend(cards());
    events.extend(listed());
    events.push(Event::GenesisDone);
    events
}

fn terminals() -> Vec<Event> {
    let terminal = |dialect, mac| {
        Event::TerminalInstalled(InstalledTerminal {
            id: *b"31000001",
            merchant: 3,
            category: 5411,
            region: 310_101,
            dialect,
            mac,
            tmk: KeyText("B0096K0TD00E0000".into()),
            may_load: true,
            psam: None,
            phone: Phone::new(),
            acquirer: None,
        })
    };
    vec![
        terminal(TerminalDialect::Pos, MacScheme::UnionPayEcb),
        terminal(TerminalDialect::Epos, MacScheme::X919),
        terminal(TerminalDialect::Atm, MacScheme::X919),
    ]
}

fn cards() -> Vec<Event> {
    let states = [
        CardState::Inactive,
        CardState::Active,
        CardState::Lost,
        CardState::Stolen,
        CardState::Blocked,
        CardState::Closed,
    ];
    let card = |state| {
        Event::CardIssued(IssuedCard {
            token: Token([0xA5; 16]),
            bin: 915_600,
            last_four: 10,
            product: 1,
            orderer: 2,
            state,
            expiry_yymm: 3402,
            pvki: 1,
            pvv: Pvv(*b"1234"),
            phone: ArrayString::from("10000000001").expect("it fits"),
            regions: Regions::new(),
            opening: [20_000, 1_000_000].into_iter().collect(),
            deposit: 0,
        })
    };
    states.map(card).to_vec()
}

fn listed() -> Vec<Event> {
    let subjects = [
        ListedSubject::Card(Token([0x5A; 16])),
        ListedSubject::Terminal(*b"31000012"),
        ListedSubject::Merchant(*b"898310078320001"),
        ListedSubject::Bin(915_699),
    ];
    let reasons = [ListedReason::Lost, ListedReason::Stolen, ListedReason::Fraud, ListedReason::Restricted];
    let entry = |subject, reason, expires_ms| Event::Listed {
        subject,
        reason,
        expires_ms,
        source: "risk desk".into(),
    };
    let mut events: Vec<Event> = subjects.map(|subject| entry(subject, reasons[0], None)).to_vec();
    events.extend(reasons.map(|reason| entry(subjects[1], reason, Some(1_795_217_405_000))));
    events
}

/// Bodies one behind the other, each with its length in front, two bytes, big-endian.
fn bodies(file: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut bodies) = (file, Vec::new());
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (body, behind) = behind.split_at(usize::from(u16::from_be_bytes(*length)));
        bodies.push(body);
        rest = behind;
    }
    assert!(rest.is_empty(), "half a length at the end");
    bodies
}

fn written(event: &Event) -> Vec<u8> {
    let mut body = Vec::new();
    event.write(&mut body);
    body
}

/// What version 2 could say beside that.
fn events_of_version_2() -> Vec<Event> {
    let mut events = events_of_version_1();
    let kinds = Kind::ALL[8..19].iter();
    events.extend(kinds.map(|kind| Event::Decided(decided(*kind, Reason::Approved))));
    let reasons = Reason::ALL[31..39].iter();
    events.extend(reasons.map(|reason| Event::Decided(decided(Kind::Purchase, *reason))));
    let causes =
        [Cause::Rules, Cause::BindingMismatch, Cause::DuplicateDiffers, Cause::Replay, Cause::Shortfall];
    events.extend(causes.map(|cause| Event::Alert {
        terminal: 7,
        card: Some(300),
        kind: Kind::Refund,
        cause,
    }));
    events.push(Event::Decided(full()));
    events.extend(parties());
    events.push(Event::RulesPublished(rules()));
    events.push(Event::PsamSignedIn { psam: 3, terminal: 7, stan: 9, nonce: [0xC3; 8] });
    let sent = (1_795_217_405_000, 42);
    events.extend([true, false].map(|on| Event::AcquirerSigned { acquirer: 1, on, sent, adopts: Some(3) }));
    events.push(Event::ZoneKeysChanged { acquirer: 1, version: 3, keys: zone_keys(), sent, adopts: None });
    events.push(Event::HoldExpired { hold: HoldId(70_000), original: 69_999, amount: 10_000 });
    events.push(Event::CutOver { opens: 20_779 });
    events
}

/// What joined version 2 behind its last event after its file was written.
fn events_that_joined_version_2() -> Vec<Event> {
    let keepers =
        [KeyKeeper::Issuer, KeyKeeper::PsamMasters(255), KeyKeeper::Acquirer(1), KeyKeeper::Terminal(70_000)];
    let rewrapped = |keeper| Event::KeysRewrapped {
        lmk: [0xD8, 0x05, 0xCA],
        keeper,
        blocks: vec![KeyText("D0112K0TB00N0000".into()), KeyText("D0112P0TB00N0000".into())],
    };
    keepers.map(rewrapped).into()
}

/// What joined version 3 behind its last event: what officers order, and what was done.
fn events_that_joined_version_3() -> Vec<Event> {
    let signature = |officer: &str| OfficerSignature {
        officer: officer.try_into().expect("a name"),
        point: [7; 32],
        scalar: [8; 32],
    };
    let signed = |what| SignedOrder {
        order: Order {
            id: [9; 16],
            made_ms: 1_795_000_000_000,
            expires_ms: 1_795_086_400_000,
            what,
            why: "a reason".into(),
        },
        signatures: [signature("alice"), signature("bob")].into_iter().collect(),
    };
    let fees = vec![FeeRule {
        name: "all".into(),
        currency: 156,
        percent_bp: 30,
        fixed: 1,
        min: 2,
        max: 3_000,
        categories: vec![5912],
        channels: vec![TerminalDialect::Pos, TerminalDialect::Epos, TerminalDialect::Atm],
        products: vec![1],
        merchants: vec![300],
        first_day: Some(20_819),
        last_day: None,
    }];
    let operations = [
        Operation::TakeDeposit { card: 300 },
        Operation::Cancel { card: 300 },
        Operation::ReportLost { card: 300 },
        Operation::Replace { card: 300, by: 301 },
        Operation::Transfer { from: 300, to: 301, amount: 2_500 },
        Operation::ForcePost { card: 300, terminal: 7, amount: 2_500, currency: 156 },
        Operation::PublishFees(fees.clone()),
        Operation::ResetPinTries { card: 300 },
        Operation::Unblock { card: 300 },
    ];
    let kinds = [
        OperationKind::TakeDeposit,
        OperationKind::Cancel,
        OperationKind::ReportLost,
        OperationKind::Replace,
        OperationKind::Transfer,
        OperationKind::ForcePost,
        OperationKind::Unblock,
    ];
    let operated = |kind| {
        Event::Operated(Operated {
            kind,
            amount: 2_500,
            currency: 156,
            terminal: Some(7),
            changes: [CardChange { card: 300, state: CardState::Blocked, deposit: 2_000 }]
                .into_iter()
                .collect(),
            postings: vec![posting(1, -2_500), posting(2, 2_500)],
        })
    };
    let mut events = vec![Event::EpochBegun(Box::new(signed(What::BeginEpoch {
        epoch: 2,
        keeps: 70_000,
        hash: [6; 32],
    })))];
    events.extend(operations.map(|operation| {
        let order = signed(What::Operate(operation));
        Event::Ordered(Box::new(Ordered { order, done: Event::PinTriesReset { card: 300 } }))
    }));
    events.push(Event::FeesPublished(fees));
    events.extend(kinds.map(operated));
    events
}

/// What version 3 can say beside that.
fn events_of_version_3() -> Vec<Event> {
    let mut events = events_of_version_2();
    events.extend(events_that_joined_version_2());
    events.push(Event::Decided(decided(Kind::PreAuthorizationAddition, Reason::Approved)));
    events.push(Event::Decided(Decided {
        partial: Some(30),
        fee_rule: Some(300),
        forced: true,
        notice: Some(Cause::ForcedPost),
        original: Some(OnOriginal { added: -70_000, ..OnOriginal::of(69_999) }),
        ..decided(Kind::Purchase, Reason::PartlyApproved)
    }));
    events.push(Event::PurseDefined(PurseType {
        name: "euro".into(),
        currency: 978,
        categories: ArrayVec::new(),
        floor: 0,
        max: 1_000_000,
        cash: true,
        last_day: Some(20_819),
    }));
    events.push(Event::ProductDefined(Product {
        name: "hotel".into(),
        purses: [0].into_iter().collect(),
        load_purse: 0,
        balance_max: 2_000_000,
        pin: PinRule::Always,
        balance_needs_pin: true,
        regions: Regions::new(),
        hold_ms: 7 * 86_400_000,
        hold_by_category: [(7011, 30 * 86_400_000), (7512, 1)].into_iter().collect(),
        completion_over_pct: 15,
        late_completion: true,
        deposit: 2_000,
    }));
    let with_deposit = cards().into_iter().take(1).map(|event| match event {
        Event::CardIssued(card) => Event::CardIssued(IssuedCard { deposit: 2_000, ..card }),
        other => other,
    });
    events.extend(with_deposit);
    events.push(Event::FeesPublished(vec![FeeRule {
        name: "restaurants".into(),
        currency: 156,
        percent_bp: 60,
        fixed: 10,
        min: 12,
        max: 8_000,
        categories: vec![5812],
        channels: vec![TerminalDialect::Epos],
        products: vec![1],
        merchants: vec![300],
        first_day: Some(20_819),
        last_day: None,
    }]));
    events.extend(operated());
    events
}

fn operated() -> Vec<Event> {
    use OperationKind::{Cancel, ForcePost, Replace, ReportLost, TakeDeposit, Transfer};
    let kinds = [TakeDeposit, Cancel, ReportLost, Replace, Transfer, ForcePost];
    let operated = |kind| {
        Event::Operated(Operated {
            kind,
            amount: 2_000,
            currency: 156,
            terminal: Some(7),
            changes: [CardChange { card: 300, state: CardState::Closed, deposit: 2_000 }]
                .into_iter()
                .collect(),
            postings: vec![posting(5, -2_000), posting(6, 2_000)],
        })
    };
    kinds.map(operated).to_vec()
}

/// Every field that version 2 brought.
fn full() -> Decided {
    let legs = [Leg { account: AccountId(5), amount: 300 }, Leg { account: AccountId(6), amount: 700 }];
    Decided {
        fee: 38,
        shown: Some(Shown { available: 1_000, held: 250 }),
        pvv: Some(Pvv(*b"4321")),
        random: Some([0x5C; 8]),
        calling: Some(Phone::from("02100000001").expect("it fits")),
        original: Some(OnOriginal {
            returned: -5,
            uncounted: 12,
            uncounts_whole: true,
            ..OnOriginal::of(69_999)
        }),
        particulars: 0xFEDC_BA98_7654_3210,
        releases: Some(HoldId(69_998)),
        places: Some(PlacedHold { legs: legs.into_iter().collect(), expires_ms: 1_795_822_205_000 }),
        hold_of: Some(69_997),
        fired: 0b101,
        notice: Some(Cause::Rules),
        ..decided(Kind::Completion, Reason::Approved)
    }
}

fn zone_keys() -> ZoneKeyTexts {
    ZoneKeyTexts {
        pin: KeyText("D0112P0TB00N0000".into()),
        mac_to_switch: KeyText("D0112M3TC00N0000".into()),
        mac_from_switch: KeyText("D0112M0TC00N0000".into()),
        check_values: [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    }
}

fn parties() -> Vec<Event> {
    let text = |code: &str| KeyText(format!("D0112{code}TX00N0000").into());
    vec![
        Event::PsamMastersInstalled(PsamMasters {
            version: 2,
            pin: text("11"),
            mac: text("12"),
            track: text("13"),
            auth: text("14"),
        }),
        Event::PsamIssued { number: [0x31, 0, 0, 0, 0, 0, 1, 1], key_version: 2, revoked: true },
        Event::AcquirerJoined(JoinedAcquirer {
            id: ArrayString::from("31060110").expect("it fits"),
            name: "North Bank".into(),
            mac: MacScheme::Cbc3Des,
            active: true,
            currency: 156,
            zmk: KeyText("D0144K1AB00N0000".into()),
            keys: zone_keys(),
        }),
        Event::TerminalInstalled(InstalledTerminal {
            id: *b"41000001",
            merchant: 3,
            category: 4814,
            region: 310_000,
            dialect: TerminalDialect::Epos,
            mac: MacScheme::X919,
            tmk: KeyText("B0096K0TD00E0000".into()),
            may_load: false,
            psam: Some(3),
            phone: Phone::from("02100000001").expect("it fits"),
            acquirer: Some(1),
        }),
    ]
}

fn rules() -> Vec<risk::Rule> {
    use risk::{Action, AmountMax, Counts, Limit, LimitOf, Period, RegionOf, Rule, RuleId, Test};
    let rule = |id: &str, action, test| Rule {
        id: RuleId::new(id).expect("an id"),
        text: "what it is for".into(),
        on: true,
        action,
        products: vec![1],
        categories: vec![5411],
        terminals: vec![*b"31000001"],
        test,
    };
    let limit = |of, period, counts, amount: bool| {
        let amount = amount.then_some(AmountMax { minor: 2_000_000, currency: 156 });
        Test::Limit(Limit { of, period, counts, count: Some(5), amount })
    };
    vec![
        rule("nth", Action::Notify, Test::NthAtMerchant { n: 3 }),
        rule(
            "day",
            Action::Decline { as_fraud: false },
            limit(LimitOf::Card, Period::Day, Counts::Approved, true),
        ),
        rule(
            "week",
            Action::Decline { as_fraud: true },
            limit(LimitOf::Product, Period::Week, Counts::Attempts, false),
        ),
        rule("month", Action::Notify, limit(LimitOf::Terminal, Period::Month, Counts::Approved, true)),
        rule("year", Action::Notify, limit(LimitOf::Card, Period::Year, Counts::Attempts, true)),
        rule("card", Action::Notify, Test::Region { of: RegionOf::Card }),
        rule("product", Action::Notify, Test::Region { of: RegionOf::Product }),
    ]
}

/// Reads a version's file and compares it with what it was written from.
fn check_read(version: &str, events: &[Event]) {
    let file = fs::read(file(version)).expect("the version's file");
    let bodies = bodies(&file);
    assert_eq!(bodies.len(), events.len());
    for (at, (body, event)) in bodies.iter().zip(events).enumerate() {
        let read = Event::read(body).unwrap_or_else(|error| panic!("event {at}, {}: {error}", event.name()));
        assert_eq!(&read, event, "event {at} of version {version}");
    }
}

#[test]
fn events_of_version_1_are_read_as_they_always_were() {
    check_read("1", &events_of_version_1());
}

#[test]
fn events_of_version_2_are_read_as_they_always_were() {
    check_read("2", &events_of_version_2());
    check_read("2-keys", &events_that_joined_version_2());
}

#[test]
fn events_of_version_3_are_read_as_they_always_were() {
    check_read("3", &events_of_version_3());
    check_read("3-orders", &events_that_joined_version_3());
    check_read("3-chart", &charts_and_accounts());
}

#[test]
fn events_of_version_4_are_read_and_written_as_they_always_were() {
    let events = events_of_version_4();
    check_read("4", &events);
    let file = fs::read(file("4")).expect("the version's file");
    for (at, (body, event)) in bodies(&file).iter().zip(&events).enumerate() {
        assert_eq!(&written(event), body, "event {at}, {}: written otherwise", event.name());
    }
}

#[test]
fn what_is_no_event_of_a_known_version_is_an_error() {
    use cardswitch::books::event::EventError;
    assert_eq!(Event::read(&[]), Err(EventError::Malformed));
    assert_eq!(Event::read(&[5, 9]), Err(EventError::UnknownVersion(5)));
    let whole = written(&events_of_version_2()[0]);
    for length in 1..whole.len() {
        assert_eq!(Event::read(&whole[..length]), Err(EventError::Malformed), "cut to {length}");
    }
}

/// What else joined version 3: charts of accounts, and accounts in other currencies.
fn charts_and_accounts() -> Vec<Event> {
    let part = |to, permille| Part { to, permille };
    let rule = |leg, parts| PostingRule {
        name: "food".into(),
        leg,
        currency: Some(156),
        categories: vec![5411, 5812],
        channels: vec![TerminalDialect::Pos, TerminalDialect::Epos, TerminalDialect::Atm],
        products: vec![1],
        merchants: vec![300],
        parts,
    };
    let chart = Chart {
        accounts: vec!["operator".into(), "forfeits".into()],
        rules: vec![
            rule(IncomeLeg::Fee, vec![part(Taker::Account(1), 300), part(Taker::Issuer, 700)]),
            rule(IncomeLeg::ForfeitedDeposit, vec![part(Taker::Fees, 1000)]),
        ],
    };
    let order = Order {
        id: [9; 16],
        made_ms: 1_795_254_625_000,
        expires_ms: 1_795_341_025_000,
        what: What::Operate(Operation::PublishChart(chart.clone())),
        why: "terms".into(),
    };
    let published = Event::ChartPublished(chart);
    let signed = SignedOrder { order, signatures: Default::default() };
    let opened = |owner, amount| Event::AccountOpened(OpenedAccount { owner, currency: 840, amount });
    vec![
        published.clone(),
        Event::Ordered(Box::new(Ordered { order: signed, done: published })),
        opened(AccountOwner::Orderer(70_000), 999_999_999_999),
        opened(AccountOwner::Merchant(300), 50_000),
        opened(AccountOwner::Acquirer(300), 0),
    ]
}

/// What version 4 can say beside that: what rules were told and said, cards that are none of ours, sets of rules.
fn events_of_version_4() -> Vec<Event> {
    let mut events = events_of_version_3();
    events.extend(events_that_joined_version_3());
    events.extend(charts_and_accounts());
    let bits = |places: &[usize]| {
        let mut bits = RuleBits::default();
        places.iter().for_each(|place| bits.set(*place));
        bits
    };
    // Hour 23, Sunday, the 31st, contactless, with a PIN, a right stripe and a track.
    let seen = Seen(23 | 6 << 5 | 31 << 8 | 4 << 13 | 1 << 16 | 1 << 17 | 1 << 18);
    let hits = Hits { set: 300, fired: bits(&[0, 200]), not_applicable: bits(&[64]), ruled: true };
    events.extend([None, Some(hits)].map(|hits| {
        let judged = Some(Judged { seen, surcharge: 300, hits });
        Event::Decided(Decided { judged, ..decided(Kind::Withdrawal, Reason::Approved) })
    }));
    let stranger = Some(Stranger { bin: 915_699, token: Token([0x5A; 16]) });
    events.push(Event::Decided(Decided {
        card: None,
        stranger,
        ..decided(Kind::Purchase, Reason::NoSuchCard)
    }));
    let reasons = Reason::ALL[40..42].iter();
    events.extend(reasons.map(|reason| Event::Decided(decided(Kind::Purchase, *reason))));
    let files = vec![RuleText { name: "cards.toml".into(), text: "# none yet\n".into() }];
    let order = Order {
        id: [9; 16],
        made_ms: 1_795_254_625_000,
        expires_ms: 1_795_341_025_000,
        what: What::PublishRules(files.clone()),
        why: "tried since October".into(),
    };
    let published = |files| Event::RulebookPublished(PublishedRules { number: 2, hash: [0xAB; 32], files });
    let signed = SignedOrder { order, signatures: Default::default() };
    events.push(published(files));
    events.push(Event::Ordered(Box::new(Ordered { order: signed, done: published(Vec::new()) })));
    events
}

/// Orders that name the journal that they are for.
fn orders_for_one_journal() -> Vec<Event> {
    let journal = JournalPlace { record: 70_000, hash: [8; 32] };
    let order = |operation| Order {
        id: [9; 16],
        made_ms: 1_795_254_625_000,
        expires_ms: 1_795_341_025_000,
        what: What::OperateIn { journal, operation },
        why: "holder came in".into(),
    };
    let operations = [
        Operation::ResetPinTries { card: 300 },
        Operation::Transfer { from: 300, to: 70_000, amount: 999_999_999_999 },
    ];
    let ordered = |operation| {
        let order = SignedOrder { order: order(operation), signatures: Default::default() };
        Event::Ordered(Box::new(Ordered { order, done: Event::PinTriesReset { card: 300 } }))
    };
    let mut events: Vec<Event> = operations.into_iter().map(ordered).collect();
    let files = vec![RuleText { name: "cards.toml".into(), text: "# none yet\n".into() }];
    let what = What::PublishRulesIn { journal, files };
    let order = Order { what, ..order(Operation::ResetPinTries { card: 300 }) };
    let order = SignedOrder { order, signatures: Default::default() };
    let published = PublishedRules { number: 2, hash: [0xAB; 32], files: Vec::new() };
    events.push(Event::Ordered(Box::new(Ordered { order, done: Event::RulebookPublished(published) })));
    events
}

/// An order of a set whose texts are packed.
fn packed_rules() -> Vec<Event> {
    let journal = JournalPlace { record: 70_000, hash: [8; 32] };
    let order = Order {
        id: [9; 16],
        made_ms: 1_795_254_625_000,
        expires_ms: 1_795_341_025_000,
        what: What::PublishPackedRulesIn { journal, files: PackedRules(vec![0x5A; 300]) },
        why: "tried since October".into(),
    };
    let order = SignedOrder { order, signatures: Default::default() };
    let published = PublishedRules { number: 2, hash: [0xAB; 32], files: Vec::new() };
    vec![Event::Ordered(Box::new(Ordered { order, done: Event::RulebookPublished(published) }))]
}

/// Limits that cardholders set, with the new cause and reason that they brought.
fn limits_of_holders() -> Vec<Event> {
    let journal = JournalPlace { record: 70_000, hash: [8; 32] };
    let all = HolderLimits {
        regions: [310_000, 320_500].into_iter().collect(),
        shut: [TerminalDialect::Pos, TerminalDialect::Epos, TerminalDialect::Atm].into(),
        amount_max: Some(50_000),
        day_amount_max: Some(999_999_999_999),
        day_count_max: Some(300),
        beyond: Beyond::Notify,
    };
    let mut events: Vec<Event> = [all, HolderLimits::default()]
        .into_iter()
        .map(|limits| {
            let operation = Operation::SetHolderLimits { card: 70_000, limits: limits.clone() };
            let order = Order {
                id: [9; 16],
                made_ms: 1_795_254_625_000,
                expires_ms: 1_795_258_225_000,
                what: What::OperateIn { journal, operation },
                why: "asked for at the counter".into(),
            };
            let order = SignedOrder { order, signatures: Default::default() };
            let done = Event::HolderLimitsSet(LimitedCard { card: 70_000, limits });
            Event::Ordered(Box::new(Ordered { order, done }))
        })
        .collect();
    let notice = Some(Cause::HolderLimits);
    events.push(Event::Decided(Decided { notice, ..decided(Kind::Purchase, Reason::NotPermittedToHolder) }));
    events
}

/// What became known of cards and terminals.
fn days_and_spots() -> Vec<Event> {
    let day = NonZeroU16::new;
    let both = [(20_780, 0), (0, 20_781), (u16::MAX, 1)];
    let dated = both.map(|(issued, linked)| Event::CardDated {
        card: 70_000,
        days: CardDays { issued: day(issued), linked: day(linked) },
    });
    let spots = [(312_304, 1_214_737), (-900_000, -1_800_000)];
    let placed = spots.map(|(north_e4, east_e4)| Event::TerminalPlaced {
        terminal: 70_000,
        spot: Spot { north_e4, east_e4 },
    });
    dated.into_iter().chain(placed).collect()
}

/// Alerts that somebody took up and said what they were, and rules that are snoozed.
fn alerts_and_snoozes() -> Vec<Event> {
    let journal = JournalPlace { record: 70_000, hash: [8; 32] };
    let ordered = |what, done| {
        let (made_ms, expires_ms) = (1_795_254_625_000, 1_795_258_225_000);
        let order = Order { id: [9; 16], made_ms, expires_ms, what, why: "the holder called back".into() };
        let order = SignedOrder { order, signatures: Default::default() };
        Event::Ordered(Box::new(Ordered { order, done }))
    };
    let ann = ArrayString::from("ann").expect("a short name");
    let dispositions = Disposition::ALL.map(AlertStep::Dispose);
    let steps = [AlertStep::Assign(ann)].into_iter().chain(dispositions);
    let mut events: Vec<Event> = steps
        .map(|step| {
            let handled = HandledAlert { alert: 69_000, by: ann, step };
            ordered(What::HandleAlert { journal, alert: 69_000, step }, Event::AlertHandled(handled))
        })
        .collect();
    let (alert, rule, until_ms) =
        (69_000, ArrayString::from("night-cash").expect("a short name"), 1_797_846_625_000);
    let snooze = Snooze { card: 70_000, rule, alert, until_ms };
    events.push(ordered(What::SnoozeRule { journal, alert, rule, until_ms }, Event::RuleSnoozed(snooze)));
    events
}

#[test]
fn what_joined_version_4_is_read_and_written_as_it_always_was() {
    let files = [
        ("4-places", orders_for_one_journal()),
        ("4-lists", changes_of_lists()),
        ("4-alerts", alerts_and_snoozes()),
        ("4-packed", packed_rules()),
        ("4-limits", limits_of_holders()),
        ("4-days", days_and_spots()),
    ];
    for (name, events) in files {
        check_read(name, &events);
        let file = fs::read(file(name)).expect("the file");
        for (at, (body, event)) in bodies(&file).iter().zip(&events).enumerate() {
            assert_eq!(&written(event), body, "event {at} of {name}: written otherwise");
        }
    }
}

/// Changes of lists by name: their rows, and their orders.
fn changes_of_lists() -> Vec<Event> {
    let list = ListName::from("stolen-cards").expect("a name");
    let hows = [How::Add, How::Remove, How::Replace];
    let mut events: Vec<Event> = ListKind::ALL
        .iter()
        .zip(hows.iter().cycle())
        .map(|(kind, how)| {
            let mut rows = Vec::new();
            ListRow { key: ListKey([0x5A; 16]), until_s: 1_795_217_405, ground: 1 }.pack(&mut rows);
            ListRow { key: ListKey([0xA5; 16]), until_s: 0, ground: 0 }.pack(&mut rows);
            let (order, kind, how) = ([9; 16], *kind, *how);
            Event::ListRowsStaged(StagedRows { order, list, kind, how, grounds: 2, first: 70_000, rows })
        })
        .collect();
    let grounds = |reason: &str| Grounds { reason: reason.into(), source: "risk desk".into() };
    for (kind, how) in ListKind::ALL.into_iter().zip(hows.into_iter().cycle()) {
        let grounds = vec![grounds("reported stolen"), grounds("found copied")];
        let change = ListChange { list, kind, how, grounds, rows: 70_002, hash: [7; 32] };
        let order = Order {
            id: [9; 16],
            made_ms: 1_795_254_625_000,
            expires_ms: 1_795_341_025_000,
            what: What::ChangeListIn { journal: JournalPlace { record: 70_000, hash: [8; 32] }, change },
            why: "the list of today".into(),
        };
        let order = SignedOrder { order, signatures: Default::default() };
        let done = ListChanged { list, version: 300, added: 69_000, changed: 1_002, removed: 500 };
        events.push(Event::Ordered(Box::new(Ordered { order, done: Event::ListChanged(done) })));
    }
    events
}

#[test]
#[ignore = "writes fixtures/events/v4-days.bin; for a new file only, never to make a failing test pass"]
fn write_the_golden_file() {
    let mut out = Vec::new();
    for event in days_and_spots() {
        let body = written(&event);
        out.extend(u16::try_from(body.len()).expect("an event is small").to_be_bytes());
        out.extend(body);
    }
    fs::write(file("4-days"), out).expect("a file");
}
