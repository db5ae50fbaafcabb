//! Random rules that are well typed, and random requests with some facts missing.

use risk::Day;
use risk::language::ast::{Calc, Compare, Expr, Kind, Span};
use risk::language::facts::{Missing, Sort, Unit};
use risk::language::{
    Currency, FACTS, Fact, FactRow, Key, NamedList, Names, Past, Request, TimeSpan, Window, on_one_line,
};

/// Numbers from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

pub(crate) fn mixed(seed: u64) -> u64 {
    let mut z = seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) fn names() -> Names {
    let list = |name: &str, of| NamedList { name: name.to_owned(), of };
    Names {
        currency: Currency::named("CNY"),
        lists: vec![
            list("hot-cards", Fact::Card),
            list("shops", Fact::Merchant),
            list("tills", Fact::Terminal),
            list("bins", Fact::Bin),
        ],
    }
}

pub(crate) fn expr(kind: Kind) -> Expr {
    Expr { span: Span::default(), kind }
}

fn name(name: &str) -> Expr {
    expr(Kind::Name(name.to_owned()))
}

fn text(text: &str) -> Expr {
    expr(Kind::Text(text.to_owned()))
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    expr(Kind::Call(name.to_owned(), arguments))
}

/// What rules are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taste {
    /// Other currencies than the city's, and numbers at the ends of their range.
    pub(crate) extremes: bool,
}

const WINDOWS: [&str; 6] = ["day", "month", "10m", "1d", "7d", "31d"];
const BY: [&[&str]; 5] = [&["card"], &["terminal"], &["merchant"], &["bin"], &["card", "merchant"]];
const TEXTS: [&str; 4] = ["31000001", "31000002", "898310054110001", "prepaid"];
const REGIONS: [i64; 6] = [310_000, 310_100, 310_101, 320_500, 110_000, 0];
/// All but the last, which is none.
const ALLOWED: &[i64] = REGIONS.split_at(5).0;
const ORDERS: [Compare; 6] =
    [Compare::Equal, Compare::Unequal, Compare::Less, Compare::AtMost, Compare::More, Compare::AtLeast];

/// A rule that is neither true nor false for every request, as far as can be seen at once.
pub(crate) fn rule(random: &mut Random, taste: Taste) -> Expr {
    loop {
        let depth = 1 + random.below(4);
        let rule = condition(random, taste, depth);
        // Room for parentheses, indents and comments.
        if on_one_line(&rule).len() < 1_200 {
            return rule;
        }
    }
}

fn condition(random: &mut Random, taste: Taste, depth: usize) -> Expr {
    if depth == 0 {
        return leaf(random, taste);
    }
    match random.below(6) {
        0 | 1 => chain(random, taste, depth, true),
        2 | 3 => chain(random, taste, depth, false),
        4 => expr(Kind::Not(Box::new(condition(random, taste, depth - 1)))),
        _ => leaf(random, taste),
    }
}

/// A chain whose parts are no chains of its kind: those would become part of it.
fn chain(random: &mut Random, taste: Taste, depth: usize, all: bool) -> Expr {
    let mut parts = Vec::new();
    for _ in 0..2 + random.below(3) {
        let part = condition(random, taste, depth - 1);
        match part.kind {
            Kind::All(inner) if all => parts.extend(inner),
            Kind::Any(inner) if !all => parts.extend(inner),
            kind => parts.push(expr(kind)),
        }
    }
    expr(if all { Kind::All(parts) } else { Kind::Any(parts) })
}

fn leaf(random: &mut Random, taste: Taste) -> Expr {
    match random.below(12) {
        0..=2 => {
            let (left, right) = numbers(random, taste);
            compared(random.pick(&ORDERS), left, right)
        }
        3 | 4 => {
            let (left, right) = (money(random, taste, 2), money(random, taste, 1));
            compared(random.pick(&ORDERS), left, right)
        }
        5 | 6 => word(random),
        7 => {
            let fact = random.pick(&["terminal", "merchant", "product"]);
            let order = random.pick(&ORDERS[..2]);
            if random.one_in(3) {
                let items = (0..1 + random.below(4)).map(|_| text(random.pick(&TEXTS[..]))).collect();
                return inside(name(fact), expr(Kind::List(items)));
            }
            compared(order, name(fact), text(random.pick(&TEXTS[..])))
        }
        8 => {
            let (fact, list) = random.pick(&[
                ("card", "hot-cards"),
                ("merchant", "shops"),
                ("terminal", "tills"),
                ("bin", "bins"),
            ]);
            inside(name(fact), call("list", vec![text(list)]))
        }
        9 => {
            let region = name(random.pick(&["region", "last.region"]));
            let regions = match random.below(3) {
                0 => name("allowed.card"),
                1 => name("allowed.product"),
                _ => expr(Kind::List(
                    (0..1 + random.below(3)).map(|_| expr(Kind::Number(random.pick(ALLOWED)))).collect(),
                )),
            };
            call("within", vec![region, regions])
        }
        10 => flag(random),
        _ => {
            let items =
                (0..1 + random.below(5)).map(|_| expr(Kind::Number(random.below(24) as i64))).collect();
            inside(name("hour"), expr(Kind::List(items)))
        }
    }
}

fn flag(random: &mut Random) -> Expr {
    let flags: Vec<&FactRow> = FACTS.iter().filter(|row| row.sort == Sort::Flag).collect();
    let missing: Vec<&FactRow> = FACTS.iter().filter(|row| row.missing == Missing::NoAnswer).collect();
    match random.below(4) {
        0 => call("has", vec![name(random.pick(&missing).name)]),
        1 => compared(Compare::Equal, name(random.pick(&flags).name), expr(Kind::Bool(random.one_in(2)))),
        2 if random.one_in(8) => expr(Kind::Bool(random.one_in(2))),
        _ => name(random.pick(&flags).name),
    }
}

fn compared(compare: Compare, left: Expr, right: Expr) -> Expr {
    expr(Kind::Compare(compare, Box::new(left), Box::new(right)))
}

fn inside(left: Expr, right: Expr) -> Expr {
    expr(Kind::In(Box::new(left), Box::new(right)))
}

fn word(random: &mut Random) -> Expr {
    let rows: Vec<&FactRow> = FACTS.iter().filter(|row| matches!(row.sort, Sort::Word(_))).collect();
    let row = random.pick(&rows);
    let Sort::Word(words) = row.sort else { unreachable!("only words were kept") };
    if random.one_in(3) {
        let items = (0..1 + random.below(4)).map(|_| text(random.pick(words))).collect();
        return inside(name(row.name), expr(Kind::List(items)));
    }
    let order = random.pick(&ORDERS[..2]);
    compared(order, name(row.name), text(random.pick(words)))
}

/// Two numbers that can be compared.
fn numbers(random: &mut Random, taste: Taste) -> (Expr, Expr) {
    let rows: Vec<&FactRow> = FACTS
        .iter()
        .filter(|row| matches!(row.sort, Sort::Number(unit, ..) if unit != Unit::Plain))
        .collect();
    let row = random.pick(&rows);
    let Sort::Number(_, least, most) = row.sort else { unreachable!("only numbers were kept") };
    match random.below(4) {
        0 => (name(row.name), number(random, least, most.min(1_000_000))),
        1 => (number(random, least, most.min(1_000_000)), name(row.name)),
        2 => (asked(random, "count"), number(random, 0, 50)),
        _ => (calculated(random, taste, 2), number(random, -50, 500)),
    }
}

fn number(random: &mut Random, least: i64, most: i64) -> Expr {
    let width = usize::try_from(most - least + 1).expect("a range of numbers");
    expr(Kind::Number(least + random.below(width) as i64))
}

/// A count with arithmetic around it.
fn calculated(random: &mut Random, taste: Taste, depth: usize) -> Expr {
    if depth == 0 {
        return match random.below(3) {
            0 => asked(random, "nth"),
            1 => asked(random, "distinct"),
            _ => asked(random, "count"),
        };
    }
    let calc = random.pick(&[Calc::Add, Calc::Subtract, Calc::Multiply, Calc::Divide, Calc::Remainder]);
    let left = calculated(random, taste, depth - 1);
    let (least, most) =
        if taste.extremes && random.one_in(4) { (i64::MAX - 3, i64::MAX - 1) } else { (1, 9) };
    let right = match calc {
        Calc::Add | Calc::Subtract if random.one_in(2) => calculated(random, taste, depth - 1),
        _ => number(random, least, most),
    };
    if random.one_in(8) {
        return expr(Kind::Negate(Box::new(expr(Kind::Calc(calc, Box::new(left), Box::new(right))))));
    }
    expr(Kind::Calc(calc, Box::new(left), Box::new(right)))
}

fn asked(random: &mut Random, function: &str) -> Expr {
    let window = text(random.pick(&WINDOWS[..]));
    let by: &[&str] = if function == "distinct" { &["terminal"] } else { random.pick(&BY[..]) };
    let of = match function {
        "distinct" => Some("card"),
        "sum" => Some(random.pick(&["approved", "attempts"])),
        "count" => Some(random.pick(&["approved", "attempts", "declined", "wrong_pin"])),
        _ => None,
    };
    let arguments = of.map(name).into_iter().chain([window]).chain(by.iter().map(|fact| name(fact)));
    call(function, arguments.collect())
}

fn money(random: &mut Random, taste: Taste, depth: usize) -> Expr {
    if depth > 0 && random.one_in(3) {
        let calc = random.pick(&[Calc::Add, Calc::Subtract, Calc::Multiply]);
        let left = money(random, Taste { extremes: false }, depth - 1);
        let right = match calc {
            Calc::Multiply => number(random, 1, 5),
            _ => money(random, Taste { extremes: false }, depth - 1),
        };
        return expr(Kind::Calc(calc, Box::new(left), Box::new(right)));
    }
    match random.below(3) {
        0 => name("amount"),
        1 => asked(random, "sum"),
        _ => {
            let code = if taste.extremes && random.one_in(9) { "USD" } else { "CNY" };
            call("money", vec![text(&format!("{}.{:02}", random.below(900), random.below(100))), text(code)])
        }
    }
}

/// The facts of a request, as owned values.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) numbers: Vec<(Fact, i64)>,
    pub(crate) texts: Vec<(Fact, String)>,
    pub(crate) regions: Vec<(Fact, Vec<u32>)>,
    pub(crate) words: Vec<(Fact, &'static str)>,
    /// What the past is made of.
    pub(crate) seed: u64,
}

pub(crate) fn facts(random: &mut Random, taste: Taste) -> Facts {
    let mut facts =
        Facts { numbers: vec![], texts: vec![], regions: vec![], words: vec![], seed: random.next() };
    for row in FACTS {
        if row.missing != Missing::Never && random.one_in(3) {
            continue;
        }
        match row.sort {
            Sort::Flag => facts.numbers.push((row.fact, i64::from(random.one_in(2)))),
            Sort::Number(Unit::Region, ..) => facts.numbers.push((row.fact, random.pick(&REGIONS))),
            Sort::Number(_, least, most) => {
                let width = usize::try_from(most.min(100_000) - least + 1).expect("a range");
                facts.numbers.push((row.fact, least + random.below(width) as i64));
            }
            Sort::Money => facts.numbers.push((row.fact, random.below(100_000) as i64)),
            Sort::Word(_) if row.fact == Fact::Currency => {
                let foreign = taste.extremes && random.one_in(4);
                facts.words.push((row.fact, if foreign { "USD" } else { "CNY" }));
            }
            Sort::Word(words) => facts.words.push((row.fact, random.pick(words))),
            Sort::Text | Sort::Key => facts.texts.push((row.fact, random.pick(&TEXTS).to_owned())),
            Sort::Regions => {
                let codes = (0..random.below(3)).map(|_| u32::try_from(random.pick(ALLOWED)).expect("small"));
                facts.regions.push((row.fact, codes.collect()));
            }
        }
    }
    facts
}

impl Facts {
    pub(crate) fn request(&self) -> Request<'_> {
        let mut request = Request::new(Day(20_780));
        self.numbers.iter().for_each(|(fact, value)| request.number(*fact, *value));
        self.texts.iter().for_each(|(fact, text)| request.text(*fact, text.as_bytes()));
        self.regions.iter().for_each(|(fact, codes)| request.regions(*fact, codes));
        self.words.iter().for_each(|(fact, word)| assert!(request.word(*fact, word)));
        request
    }

    /// What a question about the past, written as rules write it, is answered with.
    pub(crate) fn answer(&self, question: &str) -> i64 {
        let (function, arguments) = question.trim_end_matches(')').split_once('(').expect("a call");
        let words: Vec<String> =
            arguments.split(", ").map(|word| self.word(word.trim_matches('"'))).collect();
        self.answer_to(function, &words)
    }

    /// The same, with values in place of the names of facts: CEL hands those over.
    pub(crate) fn answer_to(&self, function: &str, words: &[String]) -> i64 {
        let count = self.hashed(&format!("{function} {}", words.join(" "))) % 40;
        count as i64 * if function == "sum" { 1_000 } else { 1 }
    }

    fn word(&self, word: &str) -> String {
        let text = self.texts.iter().find(|(fact, _)| fact.row().name == word).map(|(_, text)| text.clone());
        let number =
            || self.numbers.iter().find(|(fact, _)| fact.row().name == word).map(|(_, number)| number);
        text.or_else(|| Some(number()?.to_string())).unwrap_or_else(|| word.to_owned())
    }

    /// Whether a key is on a list.
    pub(crate) fn listed(&self, list: &str, key: &str) -> bool {
        self.hashed(&format!("{list}/{key}")).is_multiple_of(2)
    }

    fn hashed(&self, text: &str) -> u64 {
        text.bytes().fold(self.seed, |hash, byte| mixed(hash ^ u64::from(byte)))
    }
}

impl Past for Facts {
    fn window(&self, _number: usize, window: &Window, _request: &Request<'_>) -> i64 {
        self.answer(&window.to_string())
    }

    fn listed(&self, list: &NamedList, key: Key<'_>) -> bool {
        let key = match key {
            Key::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Key::Number(number) => number.to_string(),
        };
        Self::listed(self, &list.name, &key)
    }
}

#[test]
fn windows_of_random_rules_are_written_as_the_language_writes_them() {
    assert!(
        WINDOWS.iter().all(|window| TimeSpan::named(window).is_some_and(|span| span.to_string() == *window))
    );
    let mut random = Random(1);
    let rule = rule(&mut random, Taste { extremes: true });
    assert!(!on_one_line(&rule).is_empty());
}
