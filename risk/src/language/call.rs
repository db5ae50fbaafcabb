//! The functions of the language: what they take, what they give, how they are written.
//!
//! Start at [`FUNCTIONS`].

use super::ast::{Calc, Expr, Kind, Span};
use super::check::{Checker, Coin, Value, mismatch, quoted};
use super::currency::{CODES, Currency};
use super::facts::{Fact, Missing, Unit};
use super::fault::{Fault, Problem};
use super::graph::{Node, place};
use super::nearest::nearest;
use super::window::{BY, By, DISTINCT, Measure, OF, Of, TimeSpan, Window};
use crate::Period;

/// A function, as it is explained to people.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it gives.
    pub gives: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

/// All functions.
pub static FUNCTIONS: [Function; 8] = [
    Function {
        name: "count",
        usage: "count(approved, \"day\", card)",
        gives: "a count",
        meaning: "How many were counted in the window, this request not among them.",
    },
    Function {
        name: "sum",
        usage: "sum(approved, \"7d\", card)",
        gives: "money",
        meaning: "How much together, in the file's currency; of `approved` and `attempts` only.",
    },
    Function {
        name: "nth",
        usage: "nth(\"day\", card, merchant)",
        gives: "a count",
        meaning: "Which approved one this would be in the window: `count(approved, …) + 1`.",
    },
    Function {
        name: "distinct",
        usage: "distinct(card, \"24h\", terminal)",
        gives: "a count",
        meaning: "How many different cards, merchants or terminals sent a request in the window, unknown cards among them.",
    },
    Function {
        name: "list",
        usage: "card in list(\"name\")",
        gives: "yes or no",
        meaning: "Whether the list has an entry in force; behind `in` only.",
    },
    Function {
        name: "within",
        usage: "within(region, allowed.card)",
        gives: "yes or no",
        meaning: "Whether a region is one of these or below one of them: 310000 has 310101 in it.",
    },
    Function {
        name: "money",
        usage: "money(\"500.00\", \"CNY\")",
        gives: "money",
        meaning: "An amount, with all decimals of its currency or none.",
    },
    Function {
        name: "has",
        usage: "has(last.region)",
        gives: "yes or no",
        meaning: "Whether a fact that may be missing is there.",
    },
];

impl Checker<'_> {
    pub(super) fn call(&mut self, name: &str, arguments: &[Expr], span: Span) -> Result<Value, Fault> {
        match name {
            "money" => self.money(arguments, span),
            "has" => self.has(arguments, span),
            "within" => self.within(arguments, span),
            "count" => {
                let [of, window, by @ ..] = arguments else { return Err(usage("count", span)) };
                let measure = Measure::Count(counted(of)?);
                self.window(measure, window, by, span)
            }
            "sum" => {
                let [of, window, by @ ..] = arguments else { return Err(usage("sum", span)) };
                self.sum(of, window, by, span)
            }
            "nth" => {
                let [window, by @ ..] = arguments else { return Err(usage("nth", span)) };
                let Value::Number { node, .. } =
                    self.window(Measure::Count(Of::Approved), window, by, span)?
                else {
                    return Err(usage("nth", span));
                };
                let one = self.graph.constant(1);
                Ok(Value::Number {
                    node: self.graph.calc(Calc::Add, node, one),
                    unit: Unit::Times,
                    fact: None,
                })
            }
            "distinct" => {
                let [of, window, by @ ..] = arguments else { return Err(usage("distinct", span)) };
                self.distinct(of, window, by, span)
            }
            "list" => {
                Err(Fault::new(span, Problem::Word("list() stands behind `in`: `card in list(\"name\")`")))
            }
            _ => {
                let nearest = nearest(name, FUNCTIONS.iter().map(|function| function.name));
                Err(Fault::new(span, Problem::Unknown { name: name.to_owned(), what: "function", nearest }))
            }
        }
    }

    fn money(&mut self, arguments: &[Expr], span: Span) -> Result<Value, Fault> {
        let [amount, code] = arguments else { return Err(usage("money", span)) };
        let (text, name) = (quoted(amount)?, quoted(code)?);
        let currency = Currency::named(name).ok_or_else(|| {
            let nearest = nearest(name, CODES.iter().copied());
            Fault::new(
                code.span,
                Problem::Unknown { name: name.to_owned(), what: "currency known here", nearest },
            )
        })?;
        let minor = currency.minor(text).ok_or_else(|| {
            let rule = "an amount has digits, and either all decimals of its currency or none: money(\"12.50\", \"CNY\")";
            Fault::new(amount.span, Problem::Word(rule))
        })?;
        Ok(Value::Money { node: self.graph.constant(minor), coin: Coin::Of(currency) })
    }

    fn has(&mut self, arguments: &[Expr], span: Span) -> Result<Value, Fault> {
        let [Expr { kind: Kind::Name(name), span: at }] = arguments else { return Err(usage("has", span)) };
        match Fact::named(name) {
            Some(fact) if fact.row().missing == Missing::NoAnswer => {
                Ok(Value::Flag(self.graph.add(Node::Has(fact))))
            }
            Some(_) => Err(Fault::new(*at, Problem::Word("this field is never missing; leave has() out"))),
            None => self.value(&arguments[0]),
        }
    }

    fn within(&mut self, arguments: &[Expr], span: Span) -> Result<Value, Fault> {
        let [region, regions] = arguments else { return Err(usage("within", span)) };
        let value = self.value(region)?;
        let Value::Number { node, unit: Unit::Region, .. } = value else {
            return Err(mismatch(region.span, "`region` or `last.region`", &value));
        };
        let of = self.regions(regions)?;
        Ok(Value::Flag(self.graph.add(Node::Within(node, of))))
    }

    fn sum(&mut self, of: &Expr, window: &Expr, by: &[Expr], span: Span) -> Result<Value, Fault> {
        let Some(currency) = self.names.currency else {
            let rule = "sums need `currency = \"CNY\"` at the head of the file, the currency in which the city counts";
            return Err(Fault::new(span, Problem::Word(rule)));
        };
        let measure = match counted(of)? {
            known @ (Of::Approved | Of::Attempts) => Measure::Sum(known),
            _ => {
                return Err(Fault::new(
                    of.span,
                    Problem::Word("sums are kept of approved and attempts alone; use count()"),
                ));
            }
        };
        match self.window(measure, window, by, span)? {
            Value::Number { node, .. } => Ok(Value::Money { node, coin: Coin::Of(currency) }),
            other => Ok(other),
        }
    }

    fn distinct(&mut self, of: &Expr, window: &Expr, by: &[Expr], span: Span) -> Result<Value, Fault> {
        let fact = match &of.kind {
            Kind::Name(name) => Fact::named(name).filter(|fact| DISTINCT.contains(fact)),
            _ => None,
        };
        let Some(fact) = fact else {
            return Err(Fault::new(
                of.span,
                Problem::Word("distinct() counts `card`, `merchant` or `terminal`"),
            ));
        };
        let by_facts = whom(by, span)?;
        if by_facts.facts().contains(&fact) {
            return Err(Fault::new(
                of.span,
                Problem::Word("this is one for each; count it by something else"),
            ));
        }
        self.window(Measure::Distinct(fact), window, by, span)
    }

    fn window(&mut self, measure: Measure, window: &Expr, by: &[Expr], span: Span) -> Result<Value, Fault> {
        let time = TimeSpan::named(quoted(window)?).ok_or_else(|| {
            let rule = "a window is \"day\", \"week\", \"month\" or \"year\" of the calendar, or slides: \"10m\", \"24h\", \
                        \"7d\", at most 31 days";
            Fault::new(window.span, Problem::Word(rule))
        })?;
        let by = whom(by, span)?;
        // Who came in a year, or a pair of card and merchant, is kept for as long as sliding windows need it.
        let is_kept = !matches!(measure, Measure::Distinct(_)) && by != By::CardAtMerchant;
        if !is_kept && time == TimeSpan::Calendar(Period::Year) {
            let rule = "distinct() and `card, merchant` go back a month at most; write \"month\" or a sliding window";
            return Err(Fault::new(window.span, Problem::Word(rule)));
        }
        let window = Window { measure, span: time, by };
        let window = place(&mut self.graph.tables.windows, window);
        Ok(Value::Number { node: self.graph.add(Node::Window(window)), unit: Unit::Times, fact: None })
    }
}

fn usage(name: &'static str, span: Span) -> Fault {
    let usage = FUNCTIONS.iter().find(|function| function.name == name).map_or("", |function| function.usage);
    Fault::new(span, Problem::Arguments { name, usage })
}

fn counted(expr: &Expr) -> Result<Of, Fault> {
    let Kind::Name(name) = &expr.kind else {
        let problem = Problem::Type {
            expected: "what is counted, such as `approved`".to_owned(),
            found: "something else".to_owned(),
        };
        return Err(Fault::new(expr.span, problem));
    };
    let found = OF.iter().find(|(word, ..)| word == name).map(|(_, of, _)| *of);
    found.ok_or_else(|| {
        let mut meant = nearest(name, OF.iter().map(|(word, ..)| *word));
        if meant.is_empty() {
            meant = OF.iter().map(|(word, ..)| (*word).to_owned()).collect();
        }
        Fault::new(
            expr.span,
            Problem::Unknown { name: name.clone(), what: "thing that is counted", nearest: meant },
        )
    })
}

/// For whom is counted, by the facts that a call names.
fn whom(by: &[Expr], span: Span) -> Result<By, Fault> {
    let name = |expr: &Expr| if let Kind::Name(name) = &expr.kind { Fact::named(name) } else { None };
    let facts: Vec<Option<Fact>> = by.iter().map(name).collect();
    let found = BY.iter().find(|(known, _)| facts.iter().copied().eq(known.iter().map(|fact| Some(*fact))));
    found.map(|(_, by)| *by).ok_or_else(|| {
        let rule = "counted is by `card`, `terminal`, `merchant`, `product`, `bin`, or `card, merchant`";
        Fault::new(
            by.first().map_or(span, |first| first.span.to(by.last().map_or(span, |last| last.span))),
            Problem::Word(rule),
        )
    })
}
