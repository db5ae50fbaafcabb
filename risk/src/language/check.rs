//! From a rule's tree to the graph: every name is known, every type fits, every amount has its currency.
//!
//! Words, category codes and amounts are constants of the field they are compared with, so that a slip of the pen is an
//! error here and not a rule that never fires. What functions take is in [`super::call`].
//!
//! Start at [`Checker::rule`].

use super::ast::{Calc, Compare, Expr, Kind, Span};
use super::currency::Currency;
use super::facts::{FACTS, Fact, Sort, Unit};
use super::fault::{Fault, Problem};
use super::graph::{Graph, NamedList, Node, NodeId, RegionsOf, place};
use super::nearest::nearest;
use super::window::OF;

/// What the rules of a set may name besides facts.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The currency in which sums are kept; none: no rule may ask for a sum.
    pub currency: Option<Currency>,
    /// The lists that there are.
    pub lists: Vec<NamedList>,
}

/// Checks rules, and adds them to a graph.
pub(super) struct Checker<'a> {
    pub(super) names: &'a Names,
    pub(super) graph: &'a mut Graph,
}

/// What a piece of text is, and what computes it.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Flag(NodeId),
    Number {
        node: NodeId,
        unit: Unit,
        fact: Option<Fact>,
    },
    Money {
        node: NodeId,
        coin: Coin,
    },
    /// A text in quotes: what it is depends on what it is compared with.
    Quoted(String),
    Text(Fact),
    Word(Fact),
    Key(Fact),
    Regions(Fact),
}

/// In which currency money is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Coin {
    /// The request's own.
    Request,
    Of(Currency),
}

impl Checker<'_> {
    /// Checks a whole rule and gives the node that says whether it fires.
    pub(super) fn rule(&mut self, expr: &Expr) -> Result<NodeId, Fault> {
        let node = self.flag(expr)?;
        match self.graph.constant_of(node) {
            Some(value) => Err(Fault::new(expr.span, Problem::Constant(value != 0))),
            None => Ok(node),
        }
    }

    fn flag(&mut self, expr: &Expr) -> Result<NodeId, Fault> {
        match self.value(expr)? {
            Value::Flag(node) => Ok(node),
            other => Err(mismatch(expr.span, "yes or no", &other)),
        }
    }

    pub(super) fn value(&mut self, expr: &Expr) -> Result<Value, Fault> {
        match &expr.kind {
            Kind::Bool(value) => Ok(Value::Flag(self.graph.flag(*value))),
            Kind::Number(number) => Ok(self.plain(*number)),
            Kind::Text(text) => Ok(Value::Quoted(text.clone())),
            Kind::Name(name) => self.name(name, expr.span),
            Kind::List(_) => Err(Fault::new(
                expr.span,
                Problem::Word("a list stands behind `in`, or is an argument of within()"),
            )),
            Kind::Call(name, arguments) => self.call(name, arguments, expr.span),
            Kind::Not(inner) => {
                let inner = self.flag(inner)?;
                Ok(Value::Flag(self.graph.not(inner)))
            }
            Kind::Negate(inner) => self.negated(inner),
            Kind::Calc(calc, left, right) => self.calc(*calc, left, right, expr.span),
            Kind::Compare(compare, left, right) => self.compare(*compare, left, right, expr.span),
            Kind::In(left, right) => self.membership(left, right),
            Kind::All(parts) => {
                let parts: Result<Vec<_>, _> = parts.iter().map(|part| self.flag(part)).collect();
                Ok(Value::Flag(self.graph.all(parts?)))
            }
            Kind::Any(parts) => {
                let parts: Result<Vec<_>, _> = parts.iter().map(|part| self.flag(part)).collect();
                Ok(Value::Flag(self.graph.any(parts?)))
            }
        }
    }

    pub(super) fn plain(&mut self, number: i64) -> Value {
        Value::Number { node: self.graph.constant(number), unit: Unit::Plain, fact: None }
    }

    fn name(&mut self, name: &str, span: Span) -> Result<Value, Fault> {
        let Some(fact) = Fact::named(name) else { return Err(stranger(name, span)) };
        Ok(match fact.row().sort {
            Sort::Text => Value::Text(fact),
            Sort::Key => Value::Key(fact),
            Sort::Word(_) => Value::Word(fact),
            Sort::Regions => Value::Regions(fact),
            Sort::Flag => Value::Flag(self.graph.add(Node::Fact(fact))),
            Sort::Money => Value::Money { node: self.graph.add(Node::Fact(fact)), coin: Coin::Request },
            Sort::Number(unit, ..) => {
                Value::Number { node: self.graph.add(Node::Fact(fact)), unit, fact: Some(fact) }
            }
        })
    }

    fn negated(&mut self, inner: &Expr) -> Result<Value, Fault> {
        let zero = self.graph.constant(0);
        match self.value(inner)? {
            Value::Number { node, unit, .. } => {
                Ok(Value::Number { node: self.graph.calc(Calc::Subtract, zero, node), unit, fact: None })
            }
            Value::Money { node, coin } => {
                Ok(Value::Money { node: self.graph.calc(Calc::Subtract, zero, node), coin })
            }
            other => Err(mismatch(inner.span, "a number or money", &other)),
        }
    }

    fn calc(&mut self, calc: Calc, left: &Expr, right: &Expr, span: Span) -> Result<Value, Fault> {
        let (one, other) = (self.value(left)?, self.value(right)?);
        if matches!(calc, Calc::Divide | Calc::Remainder) {
            self.divisor(&other, right.span)?;
        }
        let verb = match calc {
            Calc::Add => "added to",
            Calc::Subtract => "less",
            Calc::Multiply => "multiplied with",
            Calc::Divide | Calc::Remainder => "divided by",
        };
        let refused = sides(span, &one, verb, &other);
        match (one, other) {
            (Value::Number { node: a, unit, .. }, Value::Number { node: b, unit: other, .. }) => {
                // Counts times days is nothing that anybody could mean; counts times two is.
                let unit = match calc {
                    Calc::Add | Calc::Subtract | Calc::Remainder => shared(unit, other),
                    Calc::Multiply => {
                        shared(unit, other).filter(|_| unit == Unit::Plain || other == Unit::Plain)
                    }
                    Calc::Divide if unit == other => Some(Unit::Plain),
                    Calc::Divide => Some(unit).filter(|_| other == Unit::Plain),
                };
                let unit = unit.ok_or(refused)?;
                Ok(Value::Number { node: self.graph.calc(calc, a, b), unit, fact: None })
            }
            (
                Value::Money { node: a, coin },
                Value::Number { node: b, unit: Unit::Plain | Unit::Times, .. },
            ) if !matches!(calc, Calc::Add | Calc::Subtract) => {
                Ok(Value::Money { node: self.graph.calc(calc, a, b), coin })
            }
            (
                Value::Number { node: a, unit: Unit::Plain | Unit::Times, .. },
                Value::Money { node: b, coin },
            ) if calc == Calc::Multiply => Ok(Value::Money { node: self.graph.calc(calc, a, b), coin }),
            (Value::Money { node: a, coin }, Value::Money { node: b, coin: other })
                if calc != Calc::Multiply =>
            {
                let (a, b, coin) = self.one_currency((a, coin), (b, other)).ok_or(refused)?;
                let node = self.graph.calc(calc, a, b);
                match calc {
                    Calc::Divide => Ok(Value::Number { node, unit: Unit::Plain, fact: None }),
                    _ => Ok(Value::Money { node, coin }),
                }
            }
            _ => Err(refused),
        }
    }

    /// What is divided by is a constant other than 0, so that no request can make a rule fail.
    fn divisor(&self, value: &Value, span: Span) -> Result<(), Fault> {
        let (Value::Number { node, .. } | Value::Money { node, .. }) = value else { return Ok(()) };
        match self.graph.constant_of(*node) {
            Some(constant) if constant != 0 => Ok(()),
            _ => Err(Fault::new(
                span,
                Problem::Word(
                    "what is divided by must be a constant other than 0; multiply the other side instead",
                ),
            )),
        }
    }

    /// Two amounts in one currency: a request's own becomes one that is there only in the other's.
    fn one_currency(
        &mut self,
        (a, coin): (NodeId, Coin),
        (b, other): (NodeId, Coin),
    ) -> Option<(NodeId, NodeId, Coin)> {
        match (coin, other) {
            (Coin::Request, Coin::Of(currency)) => Some((self.only_in(a, currency), b, other)),
            (Coin::Of(currency), Coin::Request) => Some((a, self.only_in(b, currency), coin)),
            _ => (coin == other).then_some((a, b, coin)),
        }
    }

    fn only_in(&mut self, node: NodeId, currency: Currency) -> NodeId {
        self.graph.add(Node::OnlyIn(node, currency.word()))
    }

    fn compare(&mut self, compare: Compare, left: &Expr, right: &Expr, span: Span) -> Result<Value, Fault> {
        let (one, other) = (self.value(left)?, self.value(right)?);
        let refused = sides(span, &one, "compared with", &other);
        let node = match (one, other) {
            (Value::Number { node: a, unit, fact }, Value::Number { node: b, unit: other, fact: second }) => {
                shared(unit, other).ok_or(refused)?;
                self.in_range(fact, b, right.span)?;
                self.in_range(second, a, left.span)?;
                self.graph.compare(compare, a, b)
            }
            (Value::Money { node: a, coin }, Value::Money { node: b, coin: other }) => {
                let (a, b, _) = self.one_currency((a, coin), (b, other)).ok_or(refused)?;
                self.graph.compare(compare, a, b)
            }
            _ if !compare.is_equality() => return Err(refused),
            (Value::Flag(a), Value::Flag(b)) => self.graph.compare(compare, a, b),
            (Value::Word(fact), Value::Quoted(word)) => self.word_is(compare, fact, &word, right.span)?,
            (Value::Quoted(word), Value::Word(fact)) => self.word_is(compare, fact, &word, left.span)?,
            (Value::Word(fact), Value::Word(other)) if fact.row().sort == other.row().sort => {
                let (a, b) = (self.graph.add(Node::Fact(fact)), self.graph.add(Node::Fact(other)));
                self.graph.compare(compare, a, b)
            }
            (Value::Text(fact), Value::Quoted(text)) | (Value::Quoted(text), Value::Text(fact)) => {
                let is = self.graph.text_is(fact, &text);
                self.unless(compare, is)
            }
            (Value::Text(fact), Value::Text(other)) => {
                let is = self.graph.add(Node::TextSame(fact.min(other), fact.max(other)));
                self.unless(compare, is)
            }
            _ => return Err(refused),
        };
        Ok(Value::Flag(node))
    }

    fn unless(&mut self, compare: Compare, is: NodeId) -> NodeId {
        if compare == Compare::Equal { is } else { self.graph.not(is) }
    }

    fn word_is(&mut self, compare: Compare, fact: Fact, word: &str, span: Span) -> Result<NodeId, Fault> {
        let word = word_of(fact, word, span)?;
        let (a, b) = (self.graph.add(Node::Fact(fact)), self.graph.constant(word));
        Ok(self.graph.compare(compare, a, b))
    }

    /// A constant must be something that the field can be.
    fn in_range(&self, fact: Option<Fact>, constant: NodeId, span: Span) -> Result<(), Fault> {
        let Some((row, constant)) = fact.map(Fact::row).zip(self.graph.constant_of(constant)) else {
            return Ok(());
        };
        match row.sort {
            Sort::Number(_, least, most) if constant < least || constant > most => {
                Err(Fault::new(span, Problem::Range { field: row.name, least, most }))
            }
            _ => Ok(()),
        }
    }

    fn membership(&mut self, left: &Expr, right: &Expr) -> Result<Value, Fault> {
        let value = self.value(left)?;
        let node = match (&right.kind, value) {
            (Kind::Call(name, arguments), value) if name == "list" => {
                self.listed(&value, arguments, left.span, right.span)?
            }
            (Kind::List(items), _) if items.is_empty() => {
                return Err(Fault::new(right.span, Problem::Word("nothing is in an empty list")));
            }
            (Kind::List(items), Value::Number { node, unit, fact }) => {
                let numbers: Result<Vec<i64>, Fault> =
                    items.iter().map(|item| self.constant_number(item, unit, fact)).collect();
                self.graph.number_in(node, numbers?)
            }
            (Kind::List(items), Value::Word(fact)) => {
                let words: Result<Vec<i64>, Fault> =
                    items.iter().map(|item| word_of(fact, quoted(item)?, item.span)).collect();
                let node = self.graph.add(Node::Fact(fact));
                self.graph.number_in(node, words?)
            }
            (Kind::List(items), Value::Text(fact)) => {
                let texts: Result<Vec<&str>, Fault> = items.iter().map(quoted).collect();
                self.graph.text_in(fact, &texts?)
            }
            (Kind::List(_), value) => {
                return Err(mismatch(left.span, "a number, a word or a text in front of `in`", &value));
            }
            _ => {
                let problem = Problem::Word(
                    "behind `in` stands [a, b] or list(\"name\"); regions are asked by within()",
                );
                return Err(Fault::new(right.span, problem));
            }
        };
        Ok(Value::Flag(node))
    }

    pub(super) fn constant_number(
        &mut self,
        item: &Expr,
        unit: Unit,
        fact: Option<Fact>,
    ) -> Result<i64, Fault> {
        let value = self.value(item)?;
        let Value::Number { node, unit: other, .. } = value else {
            return Err(mismatch(item.span, "a number", &value));
        };
        self.in_range(fact, node, item.span)?;
        let constant = self.graph.constant_of(node).filter(|_| shared(unit, other).is_some());
        constant.ok_or_else(|| mismatch(item.span, "a constant number", &value))
    }

    fn listed(
        &mut self,
        value: &Value,
        arguments: &[Expr],
        left: Span,
        right: Span,
    ) -> Result<NodeId, Fault> {
        let usage = Problem::Arguments { name: "list", usage: "list(\"name\")" };
        let [name] = arguments else { return Err(Fault::new(right, usage)) };
        let wanted = quoted(name)?;
        let fact = match value {
            Value::Key(fact) | Value::Text(fact) => Some(*fact),
            Value::Number { fact, .. } => *fact,
            _ => None,
        };
        let Some(fact) = fact.filter(|fact| LISTED.contains(fact)) else {
            return Err(mismatch(left, "something that lists are made of", value));
        };
        let Some(list) = self.names.lists.iter().find(|list| list.name == wanted) else {
            let names = self.names.lists.iter().filter(|list| list.of == fact).map(|list| list.name.as_str());
            let nearest = nearest(wanted, names);
            return Err(Fault::new(
                name.span,
                Problem::Unknown { name: wanted.to_owned(), what: "list of this file", nearest },
            ));
        };
        if list.of != fact {
            return Err(mismatch(left, &format!("`{}`, of which this is a list", list.of.row().name), value));
        }
        let list = place(&mut self.graph.tables.lists, list.clone());
        Ok(self.graph.add(Node::Listed(list, fact)))
    }

    pub(super) fn regions(&mut self, expr: &Expr) -> Result<RegionsOf, Fault> {
        if let Kind::List(items) = &expr.kind {
            if items.is_empty() {
                return Err(Fault::new(expr.span, Problem::Word("no region is within an empty list")));
            }
            let codes: Result<Vec<i64>, Fault> = items
                .iter()
                .map(|item| self.constant_number(item, Unit::Region, Some(Fact::Region)))
                .collect();
            let (mut codes, sets) = (codes?, &mut self.graph.tables.number_sets);
            if codes.iter().any(|code| *code < REGION_LEAST) {
                return Err(Fault::new(expr.span, Problem::Word("a region has six digits, such as 310000")));
            }
            codes.sort_unstable();
            codes.dedup();
            return Ok(RegionsOf::Set(place(sets, codes)));
        }
        match self.value(expr)? {
            Value::Regions(fact) => Ok(RegionsOf::Fact(fact)),
            other => Err(mismatch(expr.span, "allowed.card, allowed.product or a list of regions", &other)),
        }
    }
}

/// The least code of a region: a province has two digits of six.
const REGION_LEAST: i64 = 110_000;

/// What lists can be made of.
pub const LISTED: [Fact; 6] =
    [Fact::Card, Fact::Terminal, Fact::Merchant, Fact::Bin, Fact::Psam, Fact::Phone];

/// The unit of two numbers together, if they go together.
fn shared(one: Unit, other: Unit) -> Option<Unit> {
    match (one, other) {
        (Unit::Plain, unit) | (unit, Unit::Plain) => Some(unit),
        _ => (one == other).then_some(one),
    }
}

pub(super) fn quoted(expr: &Expr) -> Result<&str, Fault> {
    match &expr.kind {
        Kind::Text(text) => Ok(text),
        _ => {
            let problem =
                Problem::Type { expected: "a text in quotes".to_owned(), found: "something else".to_owned() };
            Err(Fault::new(expr.span, problem))
        }
    }
}

fn word_of(fact: Fact, word: &str, span: Span) -> Result<i64, Fault> {
    let Sort::Word(words) = fact.row().sort else { return Ok(-1) };
    if let Some(place) = words.iter().position(|known| *known == word) {
        return Ok(i64::try_from(place).unwrap_or(i64::MAX));
    }
    let mut meant = nearest(word, words.iter().copied());
    if meant.is_empty() {
        meant = words.iter().map(|word| (*word).to_owned()).collect();
    }
    Err(Fault::new(span, Problem::Unknown { name: word.to_owned(), what: fact.row().name, nearest: meant }))
}

fn stranger(name: &str, span: Span) -> Fault {
    if OF.iter().any(|(word, ..)| *word == name) {
        return Fault::new(
            span,
            Problem::Word("this word says what count() and sum() count, and stands there alone"),
        );
    }
    let nearest = nearest(name, FACTS.iter().map(|row| row.name));
    Fault::new(span, Problem::Unknown { name: name.to_owned(), what: "field", nearest })
}

pub(super) fn mismatch(span: Span, expected: &str, found: &Value) -> Fault {
    Fault::new(span, Problem::Type { expected: expected.to_owned(), found: told(found) })
}

fn sides(span: Span, left: &Value, verb: &'static str, right: &Value) -> Fault {
    let hint = match (left, right) {
        (Value::Money { .. }, Value::Number { .. }) | (Value::Number { .. }, Value::Money { .. }) => {
            "; write money(\"12.50\", \"CNY\")"
        }
        (Value::Money { .. }, Value::Money { .. }) => "; nothing here knows a rate",
        (Value::Key(_), _) | (_, Value::Key(_)) => "; look it up in a list: `card in list(\"name\")`",
        (Value::Regions(_), _) | (_, Value::Regions(_)) => "; write within(region, allowed.card)",
        _ => "",
    };
    let problem = Problem::Sides { left: told(left), verb, right: told(right), hint };
    Fault::new(span, problem)
}

/// A value in words.
fn told(value: &Value) -> String {
    match value {
        Value::Flag(_) => "yes or no".to_owned(),
        Value::Number { fact: Some(fact), unit, .. } => format!("`{}` ({})", fact.row().name, unit.name()),
        Value::Number { unit, .. } => unit.name().to_owned(),
        Value::Money { coin: Coin::Request, .. } => "money of the request".to_owned(),
        Value::Money { coin: Coin::Of(currency), .. } => format!("money in {}", currency.code),
        Value::Quoted(_) => "a text in quotes".to_owned(),
        Value::Text(fact) | Value::Word(fact) | Value::Key(fact) | Value::Regions(fact) => {
            format!("`{}` ({})", fact.row().name, kind_of(*fact))
        }
    }
}

fn kind_of(fact: Fact) -> &'static str {
    match fact.row().sort {
        Sort::Text => "a text",
        Sort::Key => "a key",
        Sort::Word(_) => "a word",
        _ => "regions",
    }
}
