//! Events of version 1 as they lie in journals: a program that could no longer read them, or read them as something
//! else, could not start on yesterday's folder.

use std::{fs, path::PathBuf};

use arrayvec::{ArrayString, ArrayVec};
use cardswitch::{
    books::{
        event::{
            CardState, Decided, Event, InstalledTerminal, IssuedCard, KeyRole, KeyText, KeysForTerminal,
            ListedReason, ListedSubject, MacScheme, OpenedMerchant, Pvv, ReversalEffect, TerminalDialect,
            Token,
        },
        policy::Policy,
        product::{PinRule, Product, Regions},
        reason::Reason,
        request::{Kind, Phone, Shown},
        transactions::TransactionKey,
    },
    ledger::{AccountId, Posting, purse::PurseType},
};

fn file() -> PathBuf {
    switch_tests::fixture("events/v1.bin")
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
        currency: 156,
        fee: 0,
        reason,
        shown: None,
        pin_tries: None,
        pvv: None,
        activates: false,
        blocks: false,
        adopts: None,
        random: None,
        calling: None,
        reversal: None,
        original: None,
        releases: None,
        places: None,
        hold_of: None,
        fired: 0,
        notice: None,
        postings: ArrayVec::new(),
    }
}

fn posting(account: u32, amount: i64) -> Posting {
    Posting { account: AccountId(account), amount }
}

/// Every variant, and every value of every enum inside one, so that a new order of either shows.
fn events() -> Vec<Event> {
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

#[test]
fn events_of_version_1_are_read_as_they_always_were() {
    let file = fs::read(file()).expect("fixtures/events/v1.bin");
    let (bodies, events) = (bodies(&file), events());
    assert_eq!(bodies.len(), events.len());
    for (at, (body, event)) in bodies.iter().zip(&events).enumerate() {
        let read = Event::read(body).unwrap_or_else(|error| panic!("event {at}, {}: {error}", event.name()));
        assert_eq!(&read, event, "event {at}");
    }
}

#[test]
fn what_is_no_event_of_a_known_version_is_an_error() {
    use cardswitch::books::event::EventError;
    assert_eq!(Event::read(&[]), Err(EventError::Malformed));
    assert_eq!(Event::read(&[3, 9]), Err(EventError::UnknownVersion(3)));
    let whole = written(&events()[0]);
    for length in 1..whole.len() {
        assert_eq!(Event::read(&whole[..length]), Err(EventError::Malformed), "cut to {length}");
    }
}

#[test]
#[ignore = "writes fixtures/events/v1.bin; for a new version's file only, never to make a failing test pass"]
fn write_the_golden_file() {
    let mut file = Vec::new();
    for event in events() {
        let body = written(&event);
        file.extend(u16::try_from(body.len()).expect("an event is small").to_be_bytes());
        file.extend(body);
    }
    fs::create_dir_all(self::file().parent().expect("a folder")).expect("a folder");
    fs::write(self::file(), file).expect("a file");
}
