//! A rule's answer taken apart: every piece of its text that asks something, with the value it has for one request.
//!
//! Each piece is checked and compiled by itself, by the same checker and run by the same machine as the whole rule, so what
//! is shown is what was computed. Constants are not shown: they stand in the text.
//!
//! Start at [`explain`].

use super::ast::{Expr, Kind};
use super::check::{Checker, Coin, Names, Value};
use super::currency::Currency;
use super::emit::emit_value;
use super::facts::{Fact, Sort};
use super::format::on_one_line;
use super::graph::{Graph, NamedList, NodeId};
use super::machine::MISSING;
use super::request::{Key, Past, Request};
use super::window::Window;

/// A piece of a rule and what it came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explained {
    /// The piece, on one line.
    pub text: String,
    /// Its value, for people; `missing` where it hangs on a fact that the request does not have.
    pub value: String,
    /// The pieces that it is made of.
    pub parts: Vec<Explained>,
}

/// What a rule and its pieces come to for a request. `windows` are those of the set that `past` answers for, in its order.
#[must_use]
pub fn explain<P: Past>(
    expr: &Expr,
    names: &Names,
    windows: &[Window],
    request: &Request<'_>,
    past: &P,
) -> Explained {
    Explainer { names, request, past: Renumbered { windows, past } }.piece(expr)
}

/// Answers for a piece's windows as for those of its set.
struct Renumbered<'a, P> {
    windows: &'a [Window],
    past: &'a P,
}

impl<P: Past> Past for Renumbered<'_, P> {
    fn window(&self, _: usize, window: &Window, request: &Request<'_>) -> i64 {
        let number = self.windows.iter().position(|known| known == window);
        number.map_or(0, |number| self.past.window(number, window, request))
    }

    fn listed(&self, list: &NamedList, key: Key<'_>) -> bool {
        self.past.listed(list, key)
    }
}

struct Explainer<'a, 'r, P> {
    names: &'a Names,
    request: &'a Request<'r>,
    past: Renumbered<'a, P>,
}

impl<P: Past> Explainer<'_, '_, P> {
    fn piece(&self, expr: &Expr) -> Explained {
        let parts = below(expr).into_iter().filter(|part| !is_constant(part));
        Explained {
            text: on_one_line(expr),
            value: self.value(expr),
            parts: parts.map(|part| self.piece(part)).collect(),
        }
    }

    fn value(&self, expr: &Expr) -> String {
        let mut graph = Graph::default();
        let checked = Checker { names: self.names, graph: &mut graph }.value(expr);
        match checked {
            Ok(Value::Flag(node)) => self.told(&graph, node, |flag| (flag == 1).to_string()),
            Ok(Value::Number { node, .. }) => self.told(&graph, node, |number| number.to_string()),
            Ok(Value::Money { node, coin }) => self.told(&graph, node, |minor| self.money(minor, coin)),
            Ok(Value::Word(fact)) => self.word(fact),
            Ok(Value::Text(fact)) => {
                let text = self.request.text_of(fact);
                text.map_or_else(missing, |text| format!("\"{}\"", String::from_utf8_lossy(text)))
            }
            // A key has no value that anybody may be told.
            Ok(Value::Key(fact)) => self.request.text_of(fact).map_or_else(missing, |_| "known".to_owned()),
            Ok(Value::Regions(fact)) => regions(self.request.regions_of(fact)),
            Ok(Value::Quoted(text)) => format!("\"{text}\""),
            // A rule that was published was checked with all its pieces; a list's name alone is no piece.
            Err(_) => String::new(),
        }
    }

    fn told(&self, graph: &Graph, node: NodeId, tell: impl Fn(i64) -> String) -> String {
        let value = emit_value(graph, node).map_or(MISSING, |(program, pieces)| {
            pieces.first().map_or(MISSING, |piece| program.answer(piece, self.request, &self.past))
        });
        if value == MISSING { missing() } else { tell(value) }
    }

    fn money(&self, minor: i64, coin: Coin) -> String {
        let currency = match coin {
            Coin::Of(currency) => Some(currency),
            Coin::Request => match self.word(Fact::Currency) {
                word if word.is_empty() => None,
                word => Currency::named(&word),
            },
        };
        let Some(currency) = currency else { return format!("{minor} minor units") };
        format!("{} {}", currency.written(minor), currency.code)
    }

    fn word(&self, fact: Fact) -> String {
        let Sort::Word(words) = fact.row().sort else { return String::new() };
        let Some(place) = self.request.number_of(fact) else { return missing() };
        usize::try_from(place).ok().and_then(|place| words.get(place)).map_or("", |word| *word).to_owned()
    }
}

/// The pieces of a piece.
fn below(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        Kind::Not(inner) | Kind::Negate(inner) => vec![inner],
        Kind::Calc(_, left, right) | Kind::Compare(_, left, right) => vec![left, right],
        Kind::In(left, _) => vec![left],
        Kind::All(parts) | Kind::Any(parts) => parts.iter().collect(),
        // What else is called takes names of windows and fields, which have no value by themselves.
        Kind::Call(name, arguments) if name == "within" => arguments.iter().collect(),
        _ => Vec::new(),
    }
}

fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => true,
        Kind::Call(name, _) => name == "money",
        Kind::Negate(inner) => is_constant(inner),
        _ => false,
    }
}

fn missing() -> String {
    "missing".to_owned()
}

fn regions(codes: &[u32]) -> String {
    if codes.is_empty() {
        return "everywhere".to_owned();
    }
    codes.iter().map(|code| format!("{code:06}")).collect::<Vec<_>>().join(", ")
}
