//! Compiled rules answer as the walk over their tree does, alone and together with others.

use std::cell::RefCell;

use risk::Day;
use risk::language::{Code, Compiler, Fact, Key, NamedList, Past, Request, Window};

use crate::generate::{self, Facts, Random, Taste};
use crate::{scale, walk};

const TOGETHER: usize = 24;
const REQUESTS: usize = 40;

/// Random rules that the checker takes, and their code. What it refuses is a rule that is the same for every request,
/// or one that adds amounts of two currencies.
fn set(random: &mut Random) -> (Vec<risk::language::ast::Expr>, Code) {
    let mut compiler = Compiler::new(generate::names());
    let mut rules = Vec::new();
    while rules.len() < TOGETHER {
        let rule = generate::rule(random, Taste { extremes: true });
        if let Ok(checked) = compiler.check(&rule) {
            compiler.add(checked, None);
            rules.push(rule);
        }
    }
    (rules, compiler.finish().expect("so few rules fit"))
}

#[test]
fn compiled_rules_answer_as_a_walk_over_their_trees_does() {
    let (pairs, seed) = scale(40_000);
    let mut random = Random(seed);
    let (mut fired, mut missing) = (0, 0);
    for _ in 0..pairs.div_ceil(TOGETHER * REQUESTS) {
        let (rules, code) = set(&mut random);
        for _ in 0..REQUESTS {
            let facts = generate::facts(&mut random, Taste { extremes: true });
            let hits = code.run(&facts.request(), &facts);
            for (place, rule) in rules.iter().enumerate() {
                let got = match (hits.fired.contains(place), hits.not_applicable.contains(place)) {
                    (fired, false) => Some(fired),
                    (false, true) => None,
                    (true, true) => panic!("a rule that does not apply fired"),
                };
                let want = walk::fires(rule, &facts);
                assert_eq!(got, want, "{}\n{facts:?}", risk::language::on_one_line(rule));
                fired += usize::from(want == Some(true));
                missing += usize::from(want.is_none());
            }
        }
    }
    assert!(fired > pairs / 10 && missing > pairs / 50, "{fired} fired, {missing} did not apply");
}

/// Counts how often each window is asked for.
struct Counting<'f>(&'f Facts, RefCell<Vec<u32>>);

impl Past for Counting<'_> {
    fn window(&self, number: usize, window: &Window, request: &Request<'_>) -> i64 {
        self.1.borrow_mut()[number] += 1;
        self.0.window(number, window, request)
    }

    fn listed(&self, list: &NamedList, key: Key<'_>) -> bool {
        Past::listed(self.0, list, key)
    }
}

#[test]
fn what_several_rules_ask_is_asked_once() {
    let (_, seed) = scale(0);
    let mut random = Random(seed ^ 1);
    let mut asked = 0;
    for _ in 0..40 {
        let (_, code) = set(&mut random);
        let facts = generate::facts(&mut random, Taste { extremes: true });
        let past = Counting(&facts, RefCell::new(vec![0; code.windows().len()]));
        _ = code.run(&facts.request(), &past);
        let counts = past.1.into_inner();
        assert!(counts.iter().all(|count| *count <= 1), "{counts:?}");
        asked += counts.iter().sum::<u32>();
    }
    assert!(asked > 100, "only {asked} questions were asked");
}

#[test]
fn the_cheap_part_spares_the_dear_one() {
    let facts = generate::facts(&mut Random(7), Taste { extremes: false });
    let cases = [
        (
            "a chain that is false",
            r#"count(approved, "1d", card) > 90 && channel == "atm" && channel == "pos""#,
            0,
        ),
        (
            "a chain that is true",
            r#"count(approved, "1d", card) > 90 || channel != "atm" || channel != "pos""#,
            0,
        ),
        ("a chain that hangs on it", r#"count(approved, "1d", card) > 90 && amount >= money("0", "CNY")"#, 1),
    ];
    for (name, text, want) in cases {
        let mut compiler = Compiler::new(generate::names());
        let checked =
            compiler.check(&risk::language::parse(text).expect("it parses").expr).expect("it is typed");
        compiler.add(checked, None);
        let code = compiler.finish().expect("it fits");
        let past = Counting(&facts, RefCell::new(vec![0]));
        _ = code.run(&facts.request(), &past);
        assert_eq!(past.1.into_inner(), [want], "{name}");
    }
}

/// More constants of one field than are kept as cuts of its numbers, some rules on days of their own.
#[test]
fn many_constants_of_one_field_leave_the_rules_that_name_the_number() {
    let lists: Vec<Vec<i64>> =
        (1..=5).map(|step| (0..400).map(|at| at * step * 5 % 9_973).collect()).collect();
    let day = |rule: i32| (Day(rule), Day(rule + 2));
    let mut compiler = Compiler::new(generate::names());
    for (rule, list) in (0..).zip(&lists) {
        let numbers: Vec<String> = list.iter().map(|number| format!("{number:04}")).collect();
        let text = format!("mcc in [{}] && (hour < 5 || hour >= 22)", numbers.join(","));
        let checked =
            compiler.check(&risk::language::parse(&text).expect("a rule").expr).expect("it is typed");
        compiler.add(checked, (rule % 2 == 0).then_some(day(rule)));
    }
    let code = compiler.finish().expect("they fit");
    let mut fired = 0;
    for (mcc, (hour, today)) in (0..10_000).zip([4, 5, 21, 22].into_iter().cycle().zip((0..7).cycle())) {
        let mut request = Request::new(Day(today));
        request.number(Fact::Hour, hour);
        let missing = code.run(&request, &Nothing).not_applicable;
        request.number(Fact::Category, mcc);
        let hits = code.run(&request, &Nothing);
        for (rule, list) in (0..).zip(&lists) {
            let (from, until) = if rule % 2 == 0 { day(rule) } else { (Day(i32::MIN), Day(i32::MAX)) };
            let asked = (from..=until).contains(&Day(today)) && !(5..22).contains(&hour);
            let place = usize::try_from(rule).expect("a place");
            assert_eq!(
                hits.fired.contains(place),
                asked && list.contains(&mcc),
                "{rule}: {mcc}, {hour}, {today}"
            );
            assert_eq!(missing.contains(place), asked, "{rule}: no category, {hour}, {today}");
            fired += usize::from(hits.fired.contains(place));
        }
    }
    assert!(fired > 200, "{fired} fired");
}

/// Nothing happened before.
struct Nothing;

impl Past for Nothing {
    fn window(&self, _: usize, _: &Window, _: &Request<'_>) -> i64 {
        0
    }

    fn listed(&self, _: &NamedList, _: Key<'_>) -> bool {
        false
    }
}
