//! A rule evaluated the slow way: by walking over what was written, without types, without a graph, without code.

use risk::language::ast::{Calc, Compare, Expr, Kind};
use risk::language::facts::{Missing, Sort};
use risk::language::{Fact, on_one_line};

use crate::generate::Facts;

/// A value. Money knows its currency only here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Flag(bool),
    Number(i64),
    Money(i64, String),
    Text(String),
    List(Vec<Seen>),
}

/// What a rule says of a request; nothing if that hangs on a fact that is missing.
pub(crate) fn fires(rule: &Expr, facts: &Facts) -> Option<bool> {
    match walk(rule, facts)? {
        Seen::Flag(flag) => Some(flag),
        other => panic!("a rule is a flag, not {other:?}"),
    }
}

fn walk(expr: &Expr, facts: &Facts) -> Option<Seen> {
    match &expr.kind {
        Kind::Bool(flag) => Some(Seen::Flag(*flag)),
        Kind::Number(number) => Some(Seen::Number(*number)),
        Kind::Text(text) => Some(Seen::Text(text.clone())),
        Kind::Name(name) => fact(Fact::named(name).expect("a field"), facts),
        Kind::List(items) => {
            items.iter().map(|item| walk(item, facts)).collect::<Option<_>>().map(Seen::List)
        }
        Kind::Call(name, arguments) => call(name, arguments, facts),
        Kind::Not(inner) => fires(inner, facts).map(|flag| Seen::Flag(!flag)),
        Kind::Negate(inner) => match walk(inner, facts)? {
            Seen::Number(number) => Some(Seen::Number(-number)),
            other => panic!("{other:?} has no sign"),
        },
        Kind::Calc(calc, left, right) => Some(calculated(*calc, &walk(left, facts)?, &walk(right, facts)?)?),
        Kind::Compare(compare, left, right) => {
            compared(*compare, &walk(left, facts)?, &walk(right, facts)?).map(Seen::Flag)
        }
        Kind::In(left, right) => inside(left, right, facts).map(Seen::Flag),
        Kind::All(parts) => chain(parts, facts, false),
        Kind::Any(parts) => chain(parts, facts, true),
    }
}

/// One part of this value decides; without one, a part that cannot be known leaves the whole unknown.
fn chain(parts: &[Expr], facts: &Facts, decides: bool) -> Option<Seen> {
    let seen: Vec<Option<bool>> = parts.iter().map(|part| fires(part, facts)).collect();
    if seen.contains(&Some(decides)) {
        return Some(Seen::Flag(decides));
    }
    (!seen.contains(&None)).then_some(Seen::Flag(!decides))
}

fn fact(fact: Fact, facts: &Facts) -> Option<Seen> {
    let number = facts.numbers.iter().find(|(known, _)| *known == fact).map(|(_, number)| *number);
    match fact.row().sort {
        Sort::Text | Sort::Key => {
            facts.texts.iter().find(|(known, _)| *known == fact).map(|(_, text)| Seen::Text(text.clone()))
        }
        Sort::Word(_) => facts
            .words
            .iter()
            .find(|(known, _)| *known == fact)
            .map(|(_, word)| Seen::Text((*word).to_owned())),
        Sort::Regions => {
            let (_, codes) = facts.regions.iter().find(|(known, _)| *known == fact)?;
            Some(Seen::List(codes.iter().map(|code| Seen::Number(i64::from(*code))).collect()))
        }
        Sort::Flag => match (number, fact.row().missing) {
            (Some(flag), _) => Some(Seen::Flag(flag == 1)),
            (None, Missing::Counts(flag)) => Some(Seen::Flag(flag == 1)),
            _ => None,
        },
        Sort::Money => {
            let (_, currency) = facts.words.iter().find(|(known, _)| *known == Fact::Currency)?;
            number.map(|minor| Seen::Money(minor, (*currency).to_owned()))
        }
        Sort::Number(..) => match (number, fact.row().missing) {
            (Some(number), _) => Some(Seen::Number(number)),
            (None, Missing::Counts(number)) => Some(Seen::Number(number)),
            _ => None,
        },
    }
}

fn call(name: &str, arguments: &[Expr], facts: &Facts) -> Option<Seen> {
    match name {
        "has" => {
            let Kind::Name(name) = &arguments[0].kind else { panic!("has() has a name") };
            Some(Seen::Flag(fact(Fact::named(name).expect("a field"), facts).is_some()))
        }
        "money" => {
            let (Some(Seen::Text(amount)), Some(Seen::Text(code))) =
                (walk(&arguments[0], facts), walk(&arguments[1], facts))
            else {
                panic!("money() has two texts")
            };
            Some(Seen::Money(amount.replace('.', "").parse().expect("an amount with two decimals"), code))
        }
        "within" => {
            let Seen::Number(region) = walk(&arguments[0], facts)? else { panic!("a region is a number") };
            let Seen::List(allowed) = walk(&arguments[1], facts)? else { panic!("regions are a list") };
            let codes = allowed.iter().map(|code| if let Seen::Number(code) = code { *code } else { 0 });
            Some(Seen::Flag(within(region, &codes.collect::<Vec<_>>())))
        }
        "nth" => {
            let words: Vec<String> = arguments.iter().map(on_one_line).collect();
            let count = facts.answer(&format!("count(approved, {})", words.join(", ")));
            Some(Seen::Number(count + 1))
        }
        "sum" => {
            let words: Vec<String> = arguments.iter().map(on_one_line).collect();
            Some(Seen::Money(facts.answer(&format!("sum({})", words.join(", "))), "CNY".to_owned()))
        }
        _ => {
            let words: Vec<String> = arguments.iter().map(on_one_line).collect();
            Some(Seen::Number(facts.answer(&format!("{name}({})", words.join(", ")))))
        }
    }
}

/// As a map would have it: a code of six digits whose last pairs are zero is all that begins alike.
pub(crate) fn within(region: i64, allowed: &[i64]) -> bool {
    let covers = |code: i64| {
        let (code, region) = (format!("{code:06}"), format!("{region:06}"));
        let mut prefix = code.as_str();
        while let Some(shorter) = prefix.strip_suffix("00").filter(|_| prefix.len() % 2 == 0) {
            prefix = shorter;
        }
        region.starts_with(prefix)
    };
    allowed.is_empty() || allowed.iter().any(|code| covers(*code))
}

fn inside(left: &Expr, right: &Expr, facts: &Facts) -> Option<bool> {
    let value = walk(left, facts)?;
    if let Kind::Call(_, arguments) = &right.kind {
        let Kind::Text(list) = &arguments[0].kind else { panic!("a list has a name") };
        let key = match value {
            Seen::Text(text) => text,
            Seen::Number(number) => number.to_string(),
            other => panic!("{other:?} is on no list"),
        };
        return Some(facts.listed(list, &key));
    }
    match walk(right, facts)? {
        Seen::List(items) => Some(items.contains(&value)),
        other => panic!("nothing is in {other:?}"),
    }
}

fn calculated(calc: Calc, left: &Seen, right: &Seen) -> Option<Seen> {
    let number = |a: i64, b: i64| {
        let (a, b) = (i128::from(a), i128::from(b));
        let wide = match calc {
            Calc::Add => a + b,
            Calc::Subtract => a - b,
            Calc::Multiply => a * b,
            Calc::Divide => a / b,
            Calc::Remainder => a % b,
        };
        let ends = i128::from(i64::MAX);
        i64::try_from(wide.clamp(-ends, ends)).expect("within its ends")
    };
    match (left, right) {
        (Seen::Number(a), Seen::Number(b)) => Some(Seen::Number(number(*a, *b))),
        (Seen::Money(a, code), Seen::Number(b)) => Some(Seen::Money(number(*a, *b), code.clone())),
        (Seen::Money(a, code), Seen::Money(b, other)) => {
            (code == other).then(|| Seen::Money(number(*a, *b), code.clone()))
        }
        other => panic!("{other:?} is not calculated"),
    }
}

fn compared(compare: Compare, left: &Seen, right: &Seen) -> Option<bool> {
    let holds = |order: std::cmp::Ordering| match compare {
        Compare::Equal => order.is_eq(),
        Compare::Unequal => order.is_ne(),
        Compare::Less => order.is_lt(),
        Compare::AtMost => order.is_le(),
        Compare::More => order.is_gt(),
        Compare::AtLeast => order.is_ge(),
    };
    match (left, right) {
        (Seen::Number(a), Seen::Number(b)) => Some(holds(a.cmp(b))),
        (Seen::Money(a, code), Seen::Money(b, other)) => (code == other).then(|| holds(a.cmp(b))),
        (Seen::Flag(a), Seen::Flag(b)) => Some(holds(a.cmp(b))),
        (Seen::Text(a), Seen::Text(b)) => Some(holds(a.cmp(b))),
        other => panic!("{other:?} are not compared"),
    }
}
