//! Once warm, neither deciding nor counting takes memory from the allocator.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
};

use risk::{
    Action, Counters, Counts, Day, Entry, Facts, Limit, LimitOf, ListReason, Period, RegionOf, Rule, RuleId,
    RuleSet, Rules, Subject, Test,
    language::{Compiler, Currency, Names, parse},
    past::{Happened, History, Keep, Marks, Place, Whose},
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
// allocates none, because the counter is a `const` thread-local without a destructor. Growing and zeroing come here
// too, through the trait's own methods.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How often `work` allocated.
fn allocations(work: impl FnOnce()) -> u64 {
    COUNTED.set(Some(0));
    work();
    COUNTED.replace(None).expect("this thread counts")
}

/// As many rules as there can be, of every kind.
fn rule_set() -> RuleSet {
    let limit = |of, period| {
        Test::Limit(Limit { of, period, counts: Counts::Approved, count: Some(1_000), amount: None })
    };
    let tests = [
        Test::NthAtMerchant { n: 3 },
        limit(LimitOf::Card, Period::Day),
        limit(LimitOf::Terminal, Period::Month),
        limit(LimitOf::Product, Period::Year),
        Test::Region { of: RegionOf::Card },
    ];
    let rule = |(place, test): (usize, &Test)| Rule {
        id: RuleId::new(&format!("r{place}")).expect("a word"),
        text: "a rule".into(),
        on: true,
        action: Action::Notify,
        products: vec![0, 1],
        categories: vec![5_411],
        terminals: vec![],
        test: *test,
    };
    let rules = tests.iter().cycle().take(64).enumerate().map(rule).collect();
    let mut set = RuleSet { rules: Rules::new(rules, 156).expect("64 fit"), ..RuleSet::default() };
    set.lists.put(Subject::Bin(1), Entry { reason: ListReason::Fraud, expires_ms: None });
    set
}

#[test]
fn a_warm_decision_and_its_counting_allocate_nothing() {
    let rules = rule_set();
    let mut counters = Counters::new(156);
    counters.add_card();
    counters.add_terminal();
    counters.add_product();
    counters.reserve_visits(16);
    let mut facts = Facts {
        card: [7; 16],
        bin: 915_600,
        terminal: *b"31000001",
        merchant: *b"898310054110001",
        now_ms: 0,
        day: Day(20_780),
        card_index: 0,
        terminal_index: 0,
        merchant_index: 0,
        product: 0,
        category: 5_411,
        amount: 100,
        currency: 156,
        region: 310_101,
        card_regions: &[310_000],
        product_regions: &[],
    };
    // The card's first use takes its line.
    counters.attempt(&facts.who(), facts.day, facts.amount, facts.currency);
    let mut fired = 0;
    let counted = allocations(|| {
        for request in 0..1_000 {
            // A new day every fifty requests; eight merchants a day.
            facts.day = Day(20_780 + request / 50);
            facts.merchant_index = request.unsigned_abs() % 8;
            let assessment = rules.evaluate(&facts, &counters);
            fired |= assessment.fired;
            counters.attempt(&facts.who(), facts.day, facts.amount, facts.currency);
            counters.approve(&facts.who(), facts.day, facts.amount, facts.currency);
            counters.take_back(&facts.who(), facts.day, 40, facts.currency, request % 3 == 0);
        }
    });
    assert_eq!(counted, 0);
    assert_ne!(fired, 0, "the rules were really evaluated");
    assert_ne!(allocations(|| drop(black_box(vec![0_u8; 9]))), 0, "and the counter really counts");
}

/// What slides is kept in pieces of memory that go round once the log is as long as its windows ask for.
#[test]
fn warm_windows_are_recorded_and_read_without_allocating() {
    const WINDOWS: [&str; 4] = [
        r#"count(approved, "10m", card) > 3"#,
        r#"sum(attempts, "5m", terminal) > money("1.00", "CNY")"#,
        r#"distinct(merchant, "10m", card) > 2"#,
        r#"count(approved, "day", card) > 9"#,
    ];
    let mut compiler = Compiler::new(Names { currency: Currency::named("CNY"), lists: vec![] });
    for text in WINDOWS {
        let parsed = parse(text).expect("a rule");
        let checked = compiler.check(&parsed.expr).expect("it is typed");
        compiler.add(checked, None);
    }
    let code = compiler.finish().expect("code");
    let mut past = History::new(&code, 156, Keep::ASKED);
    // Ten a second: six thousand are within the longest window.
    let mut record = |number: u32| {
        let mixed = number.wrapping_mul(0x9e37_79b9) >> 7;
        let (at_ms, day) = (i64::from(number) * 100, Day(20_780));
        let (card, merchant) = (u64::from(mixed % 500), mixed / 500 % 64);
        let whose = Whose { card, terminal: merchant / 2, merchant, product: 1, bin: 915_600 };
        let held = past.before(&whose, at_ms, day, ()).held(2);
        past.record(&Happened {
            number: u64::from(number),
            at_ms,
            day,
            whose,
            amount: 100,
            approved: 100,
            currency: 156,
            marks: Marks::APPROVED,
            place: Place::default(),
        });
        held
    };
    (1..80_000).for_each(|number| assert!(record(number) < 64));
    let mut most = 0;
    let counted = allocations(|| (80_000..120_000).for_each(|number| most = record(number).max(most)));
    assert_eq!(counted, 0);
    assert!(most > 8, "the windows really count: {most}");
}
