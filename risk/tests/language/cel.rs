//! The same rules in an implementation of CEL: where it has an answer, ours is the same; where it fails because a
//! value is not there, ours does not apply.

use std::collections::HashMap;

use cel::extractors::Arguments;
use cel::{Context, ExecutionError, Program, Value};
use risk::language::ast::{Expr, Kind};
use risk::language::facts::{Missing, Sort};
use risk::language::{Compiler, FACTS, Fact, on_one_line};

use crate::generate::{self, Facts, Random, Taste};
use crate::{scale, walk};

const REQUESTS: usize = 50;

#[test]
fn rules_answer_as_cel_does() {
    let (pairs, seed) = scale(5_000);
    let mut random = Random(seed ^ 4);
    let (mut tried, mut fired, mut missing) = (0, 0, 0);
    while tried < pairs {
        let rule = generate::rule(&mut random, Taste { extremes: false });
        let mut compiler = Compiler::new(generate::names());
        let Ok(checked) = compiler.check(&rule) else { continue };
        compiler.add(checked, None);
        let code = compiler.finish().expect("one rule fits");
        let text = on_one_line(&rule);
        let program = Program::compile(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for _ in 0..REQUESTS {
            let facts = generate::facts(&mut random, Taste { extremes: false });
            let hits = code.run(&facts.request(), &facts);
            let got = if hits.not_applicable.contains(0) { None } else { Some(hits.fired.contains(0)) };
            let want = ask(&program, &rule, &facts);
            assert_eq!(got, want, "{text}\n{facts:?}");
            tried += 1;
            fired += usize::from(want == Some(true));
            missing += usize::from(want.is_none());
        }
    }
    assert!(fired > tried / 10 && missing > tried / 100, "{fired} fired, {missing} did not apply");
}

fn ask(program: &Program, rule: &Expr, facts: &Facts) -> Option<bool> {
    let mut context = Context::default();
    variables(&mut context, facts);
    functions(&mut context, facts);
    match program.execute(&context) {
        Ok(Value::Bool(flag)) => Some(flag),
        Err(ExecutionError::NoSuchKey(_)) => None,
        other => panic!("{}: {other:?}", on_one_line(rule)),
    }
}

/// Names with a dot are keys of a map; what is missing is not in it.
fn variables(context: &mut Context<'_, '_>, facts: &Facts) {
    let mut groups: HashMap<&str, HashMap<String, Value>> = HashMap::new();
    for row in FACTS {
        let value = value(row.fact, facts);
        match (row.name.split_once('.'), value) {
            (Some((group, name)), value) => {
                let group = groups.entry(group).or_default();
                value.into_iter().for_each(|value| _ = group.insert(name.to_owned(), value));
            }
            (None, Some(value)) => context.add_variable_from_value(row.name, value),
            (None, None) => {}
        }
    }
    for (group, values) in groups {
        context.add_variable_from_value(group, values);
    }
    for word in ["approved", "attempts", "declined", "wrong_pin"] {
        context.add_variable_from_value(word, word.to_owned());
    }
}

fn value(fact: Fact, facts: &Facts) -> Option<Value> {
    let number = facts.numbers.iter().find(|(known, _)| *known == fact).map(|(_, number)| *number);
    let number = match fact.row().missing {
        Missing::Counts(default) => Some(number.unwrap_or(default)),
        _ => number,
    };
    match fact.row().sort {
        Sort::Flag => number.map(|flag| Value::Bool(flag == 1)),
        Sort::Number(..) | Sort::Money => number.map(Value::Int),
        Sort::Word(_) => {
            facts.words.iter().find(|(known, _)| *known == fact).map(|(_, word)| (*word).to_owned().into())
        }
        Sort::Text | Sort::Key => {
            facts.texts.iter().find(|(known, _)| *known == fact).map(|(_, text)| text.clone().into())
        }
        Sort::Regions => {
            let (_, codes) = facts.regions.iter().find(|(known, _)| *known == fact)?;
            Some(codes.iter().map(|code| Value::Int(i64::from(*code))).collect::<Vec<_>>().into())
        }
    }
}

fn functions(context: &mut Context<'_, '_>, facts: &Facts) {
    let add = "a function of CEL";
    context
        .add_function("money", |amount: std::sync::Arc<String>, _code: std::sync::Arc<String>| {
            amount.replace('.', "").parse::<i64>().expect("an amount with two decimals")
        })
        .expect(add);
    context
        .add_function("within", |region: i64, codes: std::sync::Arc<Vec<Value>>| {
            let code = |value: &Value| if let Value::Int(code) = value { *code } else { 0 };
            walk::within(region, &codes.iter().map(code).collect::<Vec<_>>())
        })
        .expect(add);
    for function in ["count", "sum", "distinct", "nth"] {
        let facts = facts.clone();
        let answer = move |Arguments(values): Arguments| ask_past(function, &values, &facts);
        context.add_function(function, answer).expect(add);
    }
    let listed = facts.clone();
    let list = move |name: std::sync::Arc<String>| on_list(&name, &listed);
    context.add_function("list", list).expect(add);
}

/// All keys of the request that are on a list.
fn on_list(list: &str, facts: &Facts) -> Value {
    let texts = facts.texts.iter().filter(|(_, text)| facts.listed(list, text));
    let texts = texts.map(|(_, text)| Value::from(text.clone()));
    let bins =
        facts.numbers.iter().filter(|(fact, bin)| *fact == Fact::Bin && facts.listed(list, &bin.to_string()));
    texts.chain(bins.map(|(_, bin)| Value::Int(*bin))).collect::<Vec<_>>().into()
}

/// The question as rules write it: arguments come as values, so whom it is about is found by its value.
fn ask_past(function: &str, values: &[Value], facts: &Facts) -> i64 {
    let words: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::String(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            other => panic!("{other:?} is no argument"),
        })
        .collect();
    if function == "nth" {
        let words: Vec<String> = std::iter::once("approved".to_owned()).chain(words).collect();
        return facts.answer_to("count", &words) + 1;
    }
    facts.answer_to(function, &words)
}

#[test]
fn what_is_missing_gives_way_as_in_cel() {
    let rule = risk::language::parse("last.region == 310101 || pin_present").expect("it parses").expr;
    assert!(matches!(rule.kind, Kind::Any(_)));
    let program = Program::compile(&on_one_line(&rule)).expect("CEL reads it");
    let mut facts = generate::facts(&mut Random(1), Taste { extremes: false });
    facts.numbers.retain(|(fact, _)| *fact != Fact::LastRegion && *fact != Fact::PinPresent);
    facts.numbers.push((Fact::PinPresent, 1));
    assert_eq!(ask(&program, &rule, &facts), Some(true), "what is missing gives way to true");
    facts.numbers.pop();
    facts.numbers.push((Fact::PinPresent, 0));
    assert_eq!(ask(&program, &rule, &facts), None);
}
