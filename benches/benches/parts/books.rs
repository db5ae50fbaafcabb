//! The books alone: deciding a request and applying what follows, with ten thousand cards and with a million. No
//! message, no HSM, no record; what the HSM would have found out is given, as is the time, which stands.

use arrayvec::{ArrayString, ArrayVec};
use cardswitch::{
    books::{
        AcquirerId, Books, CardId, TerminalId,
        decide::Verdict,
        event::{
            CardState, Event, InstalledTerminal, IssuedCard, JoinedAcquirer, KeyText, KeysForTerminal,
            MacScheme, OpenedMerchant, Pvv, TerminalDialect, Token, ZoneKeyTexts,
        },
        originals::approval_code,
        policy::Policy,
        product::{PinRule, Product},
        reason::Reason,
        request::{
            Answer, CardInput, Check, EntryMode, Facts, Kind, Line, MacFact, OriginalName, Phone, PinBlock,
            Request, TrackValue,
        },
    },
    clock::{Clock, Moment},
    ledger::purse::PurseType,
};
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use hsm_sim::Pan;
use switch_benches::proof;

use crate::{bare::random_key, turns::in_turns};

const CNY: u16 = 156;
/// 2026-11-22 in UTC, milliseconds since 1970.
const NOW_MS: i64 = 1_795_313_701_709;
/// The same time as an acquirer sends it.
const FIELD_7: u32 = 1_122_021_501;
const TERMINALS: u32 = 64;
const MERCHANT: [u8; 15] = *b"898310054110001";
/// What each card has, and what each purchase takes of it, minor units.
const OPENING: i64 = 1_000_000;
const AMOUNT: i64 = 1_000;
/// Cards follow each other so far apart, as they do at the tills of a city.
const APART: u32 = 7_919;

/// Books, and where the next request stands.
pub(crate) struct Office {
    books: Books,
    now: Moment,
    cards: u32,
    pan: Pan,
    made: u32,
    /// What the last request came to; the next is decided in its place, as the stage does.
    verdict: Verdict,
}

/// What is asked, and what the HSM would say of it.
pub(crate) type Asked = (Request, Facts);

pub(crate) fn books(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("books");
    let sizes: &[u32] = if proof::measuring() { &[10_000, 1_000_000] } else { &[1_000] };
    for cards in sizes {
        let mut office = Office::open(*cards);
        prove(&mut office);
        measure(&mut group, &mut office);
        assert_eq!(office.books.ledger().verify(), Ok(()));
    }
    group.finish();
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, office: &mut Office) {
    let cards = office.cards;
    let of = |name: &str| BenchmarkId::new(name, cards);
    group.bench_function(of("purchase"), |bencher| {
        in_turns(bencher, office, Office::purchase, |office, asked| office.ask(asked, Reason::Approved).seq);
    });
    group.bench_function(of("repeat"), |bencher| {
        in_turns(bencher, office, Office::bought, |office, asked| office.ask(asked, Reason::Approved).seq);
    });
    group.bench_function(of("reversal"), |bencher| {
        let reversal = |office: &mut Office| reversal(office.bought());
        in_turns(bencher, office, reversal, |office, asked| office.ask(asked, Reason::Approved).seq);
    });
    group.bench_function(of("void"), |bencher| {
        in_turns(bencher, office, Office::void, |office, asked| office.ask(asked, Reason::Approved).seq);
    });
    group.bench_function(of("decline"), |bencher| {
        in_turns(bencher, office, Office::too_much, |office, asked| {
            office.ask(asked, Reason::InsufficientFunds).seq
        });
    });
    group.throughput(Throughput::Elements((SCENES * Scene::OPERATIONS) as u64));
    group.bench_function(of("mixed"), |bencher| {
        let scenes = |office: &mut Office| [(); SCENES].map(|()| office.scene());
        in_turns(bencher, office, scenes, |office, scenes| office.play(scenes));
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function(of("find-card"), |bencher| {
        let token = |office: &mut Office| random_key(office.next_card().into());
        in_turns(bencher, office, token, |office, token| office.books.find_card(token).expect("a card"));
    });
}

/// Scenes in which every kind of operation comes once or twice.
const SCENES: usize = 4;

/// What one card does: purchase, load, withdrawal, pre-authorization, completion, refund of the purchase, and a purchase
/// that is reversed. It has as much behind it as before.
struct Scene([Asked; Scene::OPERATIONS]);

impl Scene {
    const OPERATIONS: usize = 8;
}

/// Each kind of request does with the money what it should.
fn prove(office: &mut Office) {
    let purchase = office.purchase();
    let card = purchase.1.card.expect("a card");
    let has = |office: &Office| office.books.card_balance(&office.books.card(card), CNY);

    let first = *office.ask(&purchase, Reason::Approved);
    assert_eq!(has(office), OPENING - AMOUNT, "a purchase takes money");
    let again = *office.ask(&purchase, Reason::Approved);
    assert!(again.repeat && again.seq == first.seq, "a repeat gets the same answer");
    assert_eq!(has(office), OPENING - AMOUNT, "a repeat takes nothing");
    office.ask(&reversal(purchase), Reason::Approved);
    assert_eq!(has(office), OPENING, "a reversal gives it back");

    let void = office.void();
    let card = void.1.card.expect("a card");
    let has = |office: &Office| office.books.card_balance(&office.books.card(card), CNY);
    assert_eq!(has(office), OPENING - AMOUNT);
    office.ask(&void, Reason::Approved);
    assert_eq!(has(office), OPENING, "a void gives it back");

    let (seq, scene) = (office.books.seq(), office.scene());
    let card = scene.0[0].1.card.expect("a card");
    let has = |office: &Office| office.books.card_balance(&office.books.card(card), CNY);
    let before = has(office);
    office.play(&mut [scene]);
    assert_eq!(office.books.seq(), seq + Scene::OPERATIONS as u64, "every operation is a record");
    assert_eq!(
        (has(office), office.books.ledger().holds().len()),
        (before, 0),
        "a scene moves and gives back"
    );

    let (seq, too_much) = (office.books.seq(), office.too_much());
    let declined = *office.ask(&too_much, Reason::InsufficientFunds);
    assert_eq!(declined.seq, Some(seq + 1), "a decline is recorded");
    assert_eq!(office.books.find_card(&random_key(0)), Some(CardId(0)));
    assert_eq!(office.books.ledger().verify(), Ok(()));
    proof::result(&format!("books {}", office.cards), office.books.state_hash());
}

impl Office {
    /// A city of one shop with its terminals, signed in, and this many cards, event by event.
    pub(crate) fn open(cards: u32) -> Self {
        let clock = Clock::standing("UTC", NOW_MS).expect("UTC is a time zone");
        let pan = Pan::parse(b"9156009224100010").expect("a card number");
        let now = clock.at(NOW_MS);
        let verdict = Verdict::VerifyAgain;
        let mut office = Self { books: Books::default(), now, cards, pan, made: 0, verdict };
        for event in shop(cards) {
            office.apply(&event);
        }
        (0..TERMINALS).for_each(|at| office.apply(&terminal(at)));
        office.apply(&bank());
        let machine = Event::TerminalInstalled(InstalledTerminal {
            dialect: TerminalDialect::Atm,
            acquirer: Some(0),
            ..till(TERMINALS)
        });
        office.apply(&machine);
        office.apply(&Event::AcquirerSigned { acquirer: 0, on: true, sent: (NOW_MS, 1), adopts: None });
        (0..cards).for_each(|at| office.apply(&card(at)));
        office.apply(&Event::GenesisDone);
        office.apply(&Event::CutOver { opens: now.business_day(0) });
        for terminal in 0..TERMINALS {
            let told = KeysForTerminal { pin: [0; 16], pin_check: [0; 4], mac: [0; 16], mac_check: [0; 4] };
            office.apply(&Event::SignedIn { terminal, stan: 1, version: 1, pin: key(), mac: key(), told });
        }
        office
    }

    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    /// The time, which stands.
    pub(crate) fn now_ms(&self) -> i64 {
        NOW_MS
    }

    /// Decides and applies, as the stage does.
    fn ask(&mut self, (request, facts): &Asked, reason: Reason) -> &Answer {
        self.books.decide_to(request, facts, None, &self.now, &mut self.verdict);
        let answer = match &self.verdict {
            Verdict::Answer(answer) => answer,
            Verdict::Record(event, answer) => {
                let seq = self.books.seq() + 1;
                self.books.apply(seq, NOW_MS, event).expect("an event that fits");
                answer
            }
            Verdict::VerifyAgain => panic!("nothing has changed since"),
        };
        assert_eq!(answer.reason, reason);
        answer
    }

    fn apply(&mut self, event: &Event) {
        let seq = self.books.seq() + 1;
        self.books.apply(seq, NOW_MS, event).expect("an event that fits");
    }

    /// Plays scenes as the stage does: memory is fetched for all requests first.
    fn play(&mut self, scenes: &mut [Scene]) {
        let requests = scenes.iter().flat_map(|scene| &scene.0);
        self.books.warm(requests.map(|(request, facts)| (request, facts)));
        for Scene(asked) in scenes {
            let [purchase, load, withdrawal, hold, completion, refund, other, reversal] = asked;
            let bought = self.ask(purchase, Reason::Approved).seq;
            self.ask(load, Reason::Approved);
            self.ask(withdrawal, Reason::Approved);
            let held = self.ask(hold, Reason::Approved).seq;
            name(completion, held);
            self.ask(completion, Reason::Approved);
            name(refund, bought);
            self.ask(refund, Reason::Approved);
            self.ask(other, Reason::Approved);
            self.ask(reversal, Reason::Approved);
        }
    }

    fn scene(&mut self) -> Scene {
        let (card, purchase) = (self.next_card(), self.purchase());
        let mut of_card = |kind: Kind, amount| {
            let (request, facts) = self.purchase();
            (Request { kind, amount, ..request }, Facts { card: Some(CardId(card)), ..facts })
        };
        let load = of_card(Kind::Load, 2 * AMOUNT);
        let hold = of_card(Kind::PreAuthorization, AMOUNT);
        let completion = following(of_card(Kind::Completion, AMOUNT));
        let refund = following(of_card(Kind::Refund, AMOUNT));
        let other = of_card(Kind::Purchase, AMOUNT);
        let (request, facts) = of_card(Kind::Withdrawal, AMOUNT);
        let withdrawal = (
            Request {
                terminal: terminal_id(TERMINALS),
                merchant: None,
                // A second later whenever the numbers begin anew: what is not newer may be a recording.
                batch: FIELD_7 + self.made / 1_000_000,
                stan: self.made % 1_000_000,
                line: Line { dialect: TerminalDialect::Atm, private: true, concentrator: false },
                ..request
            },
            Facts { terminal: Some(TerminalId(TERMINALS)), acquirer: Some(AcquirerId(0)), ..facts },
        );
        let purchase = (purchase.0, Facts { card: Some(CardId(card)), ..purchase.1 });
        let reversal = reversal(other.clone());
        Scene([purchase, load, withdrawal, hold, completion, refund, other, reversal])
    }

    /// Some records of purchases, as they are journaled.
    pub(crate) fn records(&mut self, count: usize) -> Vec<Vec<u8>> {
        let record = |office: &mut Self| {
            let (request, facts) = office.purchase();
            let verdict = office.books.decide(&request, &facts, None, &office.now);
            let Verdict::Record(event, _) = verdict else { panic!("a purchase is recorded") };
            office.apply(&event);
            let mut body = Vec::new();
            event.write(&mut body);
            body
        };
        (0..count).map(|_| record(self)).collect()
    }

    fn next_card(&mut self) -> u32 {
        self.made += 1;
        let place = u64::from(self.made) * u64::from(APART) % u64::from(self.cards);
        u32::try_from(place).expect("the place of a card")
    }

    /// A purchase by stripe and PIN that nobody has asked for yet.
    fn purchase(&mut self) -> Asked {
        let card = self.next_card();
        let terminal = self.made % TERMINALS;
        let request = Request {
            kind: Kind::Purchase,
            terminal: terminal_id(terminal),
            merchant: Some(MERCHANT),
            stan: self.made / TERMINALS % 1_000_000,
            batch: 1 + self.made / TERMINALS / 1_000_000,
            class: 2,
            amount: AMOUNT,
            currency: CNY,
            card: CardInput::Read {
                pan: self.pan.clone(),
                expiry_yymm: Some(3402),
                value: TrackValue::NotRead,
            },
            entry: EntryMode::Stripe,
            pin_block: Some(PinBlock([0; 8])),
            line: Line { dialect: TerminalDialect::Pos, private: true, concentrator: false },
            ..Request::default()
        };
        let facts = Facts {
            terminal: Some(TerminalId(terminal)),
            mac: MacFact::Right { version: 1 },
            card: Some(CardId(card)),
            cvv: Check::Right,
            pin: Check::Right,
            ..Facts::default()
        };
        (request, facts)
    }

    /// One that was approved.
    fn bought(&mut self) -> Asked {
        let asked = self.purchase();
        self.ask(&asked, Reason::Approved);
        asked
    }

    /// One of more than any card has.
    fn too_much(&mut self) -> Asked {
        let (request, facts) = self.purchase();
        (Request { amount: 2 * OPENING, ..request }, facts)
    }

    /// The void of a purchase that was approved.
    fn void(&mut self) -> Asked {
        let bought = self.purchase();
        let answer = *self.ask(&bought, Reason::Approved);
        // It comes from the same terminal, when all of them have had their turn.
        self.made += TERMINALS - 1;
        let (request, _) = self.purchase();
        let original = OriginalName {
            batch: Some(bought.0.batch),
            stan: Some(bought.0.stan),
            approval: answer.seq.map(approval_code),
            ..OriginalName::default()
        };
        let facts = Facts { pin: Check::NotGiven, ..bought.1 };
        (Request { kind: Kind::Void, original, pin_block: None, ..request }, facts)
    }
}

/// Has a request name an approved transaction.
fn name((request, _): &mut Asked, seq: Option<u64>) {
    request.original.approval = seq.map(approval_code);
}

/// A request that follows an earlier one, and so comes without a PIN.
fn following((request, facts): Asked) -> Asked {
    (Request { pin_block: None, ..request }, Facts { pin: Check::NotGiven, ..facts })
}

fn reversal((request, facts): Asked) -> Asked {
    let facts = Facts { pin: Check::NotGiven, ..facts };
    let reverses = Some(Kind::Purchase);
    (Request { kind: Kind::Reversal, class: 4, reverses, pin_block: None, ..request }, facts)
}

/// Policy, product, orderer and shop, and two rules like the sample city's.
fn shop(cards: u32) -> Vec<Event> {
    // The first pays; the others are empty, as most purses are.
    let [first, second, third] = ["general", "transit", "medical"].map(|name| PurseType {
        name: name.to_owned(),
        currency: CNY,
        categories: ArrayVec::new(),
        floor: 0,
        max: 2 * OPENING,
        cash: true,
        last_day: None,
    });
    let product = Product {
        name: "city".to_owned(),
        purses: [0, 1, 2].into_iter().collect(),
        load_purse: 0,
        balance_max: 2 * OPENING,
        pin: PinRule::Always,
        balance_needs_pin: false,
        regions: ArrayVec::new(),
        hold_ms: 1,
        hold_by_category: ArrayVec::new(),
        completion_over_pct: 0,
        late_completion: false,
        deposit: 0,
    };
    let merchant = OpenedMerchant {
        id: MERCHANT,
        name: "Riverside".to_owned(),
        active: true,
        currency: CNY,
        fee_bp: 38,
        fee_min: 0,
        fee_max: 8_000,
        load_line: 0,
    };
    let limit = risk::Limit {
        of: risk::LimitOf::Card,
        period: risk::Period::Day,
        counts: risk::Counts::Approved,
        count: Some(200),
        amount: None,
    };
    vec![
        Event::PolicySet(Policy::default()),
        Event::PurseDefined(first),
        Event::PurseDefined(second),
        Event::PurseDefined(third),
        Event::ProductDefined(product),
        Event::OrdererOpened {
            name: "CITY".to_owned(),
            currency: CNY,
            float: 2 * OPENING * i64::from(cards),
        },
        Event::MerchantOpened(merchant),
        Event::RulesPublished(vec![
            rule("third-at-merchant", risk::Test::NthAtMerchant { n: 3 }),
            rule("card-day", risk::Test::Limit(limit)),
        ]),
    ]
}

fn rule(id: &str, test: risk::Test) -> risk::Rule {
    risk::Rule {
        id: risk::RuleId::new(id).expect("a word"),
        text: String::new(),
        on: true,
        action: risk::Action::Notify,
        products: Vec::new(),
        categories: Vec::new(),
        terminals: Vec::new(),
        test,
    }
}

fn terminal_id(at: u32) -> [u8; 8] {
    *format!("31{at:06}").as_bytes().first_chunk().expect("eight digits")
}

fn bank() -> Event {
    let keys =
        ZoneKeyTexts { pin: key(), mac_to_switch: key(), mac_from_switch: key(), check_values: [[0; 3]; 3] };
    Event::AcquirerJoined(JoinedAcquirer {
        id: ArrayString::from("31060110").expect("eight digits"),
        name: "North Bank".to_owned(),
        mac: MacScheme::X919,
        active: true,
        currency: CNY,
        zmk: key(),
        keys,
    })
}

fn terminal(at: u32) -> Event {
    Event::TerminalInstalled(till(at))
}

fn till(at: u32) -> InstalledTerminal {
    InstalledTerminal {
        id: terminal_id(at),
        merchant: 0,
        category: 5_411,
        region: 310_101,
        dialect: TerminalDialect::Pos,
        mac: MacScheme::X919,
        tmk: key(),
        may_load: true,
        psam: None,
        phone: Phone::new(),
        acquirer: None,
    }
}

fn card(at: u32) -> Event {
    Event::CardIssued(IssuedCard {
        token: Token(random_key(at.into())),
        bin: 915_600,
        last_four: u16::try_from(at % 10_000).expect("four digits"),
        product: 0,
        orderer: 0,
        state: CardState::Active,
        expiry_yymm: 3402,
        pvki: 1,
        pvv: Pvv(*b"0000"),
        phone: ArrayString::new(),
        regions: ArrayVec::new(),
        opening: [OPENING].into_iter().collect(),
        deposit: 0,
    })
}

/// The books keep keys and do not use them.
fn key() -> KeyText {
    KeyText("D0144P0AE00N0000".into())
}
