//! Once warm, a purchase takes no memory from the allocator: not to parse, verify, decide, record, answer or seal.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use cardswitch::{
    app,
    batch::{Batch, Line, State},
    books::{
        event::{Event, TerminalDialect},
        lists::{
            change::{Grounds, How, ListChange, ListRow, hash_of, list_name},
            key::{ListKey, ListKind},
        },
        order::{JournalPlace, Order, SignedOrder, What},
        rulebook::{self, PublishedRules, RuleText},
    },
    channel::{ConnectionId, framing},
    clock::stopwatch,
    journal::MemoryStore,
    stages::Stages,
    telemetry::metrics,
};
use risk::language::Key;
use switch_tests::{
    ask::Ask,
    city::City,
    in_process::configuration,
    terminal::{Answer, Terminal},
};

thread_local! {
    /// Allocations of this thread while it counts.
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The system's allocator, counting for threads that asked it to.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    // A thread that is ending has no counter any more.
    let _ending = COUNTED.try_with(|counted| counted.set(counted.get().map(|count| count + 1)));
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes to the system's allocator with what it was given; counting touches no memory of it and
// allocates none, because the counter is a `const` thread-local without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How often `work` allocates.
fn allocations(work: impl FnOnce()) -> u64 {
    COUNTED.set(Some(0));
    work();
    COUNTED.replace(None).unwrap_or_default()
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1_u8; 100]))), 1);
    let on_the_stack = || assert_eq!(std::hint::black_box([1_u8; 100]).len(), 100);
    assert_eq!(allocations(on_the_stack), 0);
}

/// The stages as the program wires them, over a journal in memory.
fn stages() -> Stages {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = configuration(folder.path());
    let (metrics, _) = metrics::recorder();
    app::prepare(&config, &mut MemoryStore::new(), metrics, &mut |_| ()).expect("the city is imported")
}

/// Rules of which one fires at every purchase, and another is short of a fact.
const RULES: &str = r#"
currency = "CNY"

[lists]
seen = "terminal"

[[rule]]
id = "all"
text = "every purchase"
when = '''
amount + sum(approved, "month", card) > money("0.00", "CNY")
&& count(attempts, "day", terminal) >= 0
&& (channel == "pos" || mcc in [5411, 5812])
&& terminal in list("seen")
'''
outcome = "pass"
priority = 1
owner = "tests"
state = "live"

[[rule]]
id = "aged"
text = "a fact that is missing"
when = 'age.card_days < 3 && merchant != "898310054110001"'
outcome = "decline_and_notify"
priority = 2
reason = "restricted"
notice = "{amount} declined"
owner = "tests"
state = "shadow"
"#;

/// A list with both terminals, as an order of two officers begins one.
fn list(stages: &mut Stages) {
    let keys = ["31000001", "31000002"]
        .map(|id| ListKey::of(ListKind::Terminal, Key::Text(id.as_bytes())).expect("a terminal"));
    let mut rows = Vec::new();
    keys.iter().for_each(|key| ListRow { key: *key, until_s: 0, ground: 0 }.pack(&mut rows));
    let change = ListChange {
        list: list_name("seen").expect("a name"),
        kind: ListKind::Terminal,
        how: How::Add,
        grounds: vec![Grounds { reason: "a test".into(), source: "tests".into() }],
        rows: 2,
        hash: hash_of(&rows),
    };
    let now = stages.clock.now();
    let order = Order {
        id: [1; 16],
        made_ms: now.unix_ms(),
        expires_ms: now.unix_ms() + 3_600_000,
        what: What::ChangeListIn { journal: JournalPlace { record: 1, hash: [0; 32] }, change },
        why: "a test".into(),
    };
    let staged = stages.books.decide_order_rows(&order, &rows, &now).expect("rows that fit");
    assert!(stages.record(&mut Batch::default().records, &staged, &now));
    let signed = SignedOrder { order, signatures: Default::default() };
    let changed = stages.books.decide_order(&signed, &now).expect("a change that fits");
    assert!(stages.record(&mut Batch::default().records, &changed, &now));
}

/// Puts rules in force, as an order of two officers does.
fn publish(stages: &mut Stages) {
    list(stages);
    let files = vec![RuleText { name: "all.toml".to_owned(), text: RULES.to_owned() }];
    let hash = rulebook::compile(&files).expect("good rules").hash().0;
    let event = Event::RulebookPublished(PublishedRules { number: 1, hash, files });
    let now = stages.clock.now();
    assert!(stages.record(&mut Batch::default().records, &event, &now));
}

/// What the frames come over.
const LINE: Line = Line { dialect: TerminalDialect::Pos, private: true, concentrator: false };

fn push(batch: &mut Batch, frame: &[u8]) {
    batch.push(ConnectionId { place: 0, generation: 1 }, stopwatch(), LINE, &frame[2..]);
}

fn sign_in(stages: &mut Stages, terminal: &mut Terminal) {
    let mut batch = Batch::default();
    push(&mut batch, &terminal.frame(&mut Ask::sign_in()));
    stages.run(&mut batch);
    let mut wire = bytes::BytesMut::new();
    framing::put(framing::LengthForm::Binary, &batch.output, &mut wire);
    terminal.accept(&Answer::read(&wire));
}

const WARM_UP: usize = 1_000;
const MEASURED: usize = 10_000;

fn check(batch_size: usize) {
    let (city, mut stages) = (City::open(), stages());
    publish(&mut stages);
    let mut terminals = ["31000001", "31000002"].map(|id| city.terminal(id));
    terminals.iter_mut().for_each(|terminal| sign_in(&mut stages, terminal));
    let cards = city.ordinary_cards();
    let frames: Vec<Vec<u8>> = (0..WARM_UP + MEASURED)
        .map(|at| terminals[at % 2].frame(&mut Ask::purchase(&cards[at % cards.len()], 1)))
        .collect();

    let mut batch = Batch::default();
    let (mut approved, mut allocated, mut worked_on) = (0, 0, 0);
    for (at, frames) in frames.chunks(batch_size).enumerate() {
        let mut work = || {
            batch.clear();
            frames.iter().for_each(|frame| push(&mut batch, frame));
            stages.run(&mut batch);
        };
        let count = allocations(&mut work);
        if at * batch_size >= WARM_UP {
            allocated += count;
            worked_on += frames.len();
            // Work that fails early would allocate little.
            approved +=
                batch.jobs.iter().filter(|job| job.state == State::Answered && is_approved(job)).count();
        }
    }
    assert_eq!(approved, worked_on, "every message measured is an approved purchase");
    assert!(worked_on >= MEASURED - batch_size);
    let fired = stages.books.rules_in_force().map(|rules| rules.published().fired[0]);
    assert!(fired.is_some_and(|fired| fired >= worked_on as u64), "the rules were asked: {fired:?}");
    assert_eq!(allocated, 0, "allocations over {worked_on} warm messages in batches of {batch_size}");
}

fn is_approved(job: &cardswitch::batch::Job) -> bool {
    let reason = job.answer.as_ref().map(|answer| answer.reason);
    reason == Some(cardswitch::books::reason::Reason::Approved) && !job.encoded.mac_covers.is_empty()
}

#[test]
fn a_warm_purchase_alone_allocates_nothing() {
    check(1);
}

#[test]
fn a_warm_batch_of_16_allocates_nothing() {
    check(16);
}

#[test]
fn a_warm_batch_of_64_allocates_nothing() {
    check(64);
}
