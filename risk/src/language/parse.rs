//! From a rule's text to its tree.
//!
//! The grammar, loosest first; `in` and the comparisons stand once, the others in chains:
//!
//! ```text
//! any     = all ("||" all)*
//! all     = test ("&&" test)*
//! test    = sum (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") sum)?
//! sum     = product (("+" | "-") product)*
//! product = sign (("*" | "/" | "%") sign)*
//! sign    = ("!" | "-")* value
//! value   = "true" | "false" | number | text | name | name "(" any,* ")" | "[" any,* "]" | "(" any ")"
//! ```
//!
//! Depth and length have limits, so that no text makes this or what comes behind it run deep. Start at [`parse`].

use super::ast::{Calc, Compare, Expr, Kind, Parsed, Span};
use super::fault::{Fault, Problem};
use super::lex::{Token, What, tokens};

/// How deep parentheses, calls, lists and signs may stand in each other.
pub const DEPTH_MAX: usize = 24;

/// The most sides of one sum or product.
pub const SIDES_MAX: usize = 16;

/// Reads a rule's text.
///
/// # Errors
/// The first place where the text breaks the grammar or a limit.
pub fn parse(text: &str) -> Result<Parsed, Fault> {
    let (tokens, comments) = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let expr = parser.any()?;
    match parser.peek() {
        What::End => Ok(Parsed { expr, comments }),
        _ => Err(parser.expected("`&&`, `||` or the end of the rule")),
    }
}

struct Parser<'a, 't> {
    tokens: &'a [Token<'t>],
    at: usize,
    depth: usize,
}

impl<'t> Parser<'_, 't> {
    fn token(&self) -> Token<'t> {
        // The last token is the end, and nothing goes past it.
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> What<'t> {
        self.token().what
    }

    fn take(&mut self) -> Token<'t> {
        let token = self.token();
        self.at += 1;
        token
    }

    /// Takes this symbol if it is the next.
    fn takes(&mut self, symbol: &str) -> bool {
        let is_next = matches!(self.peek(), What::Symbol(next) if next == symbol);
        self.at += usize::from(is_next);
        is_next
    }

    fn expected(&self, expected: &'static str) -> Fault {
        let token = self.token();
        let found = match token.what {
            What::Number(_) => "a number".to_owned(),
            What::Text(_) => "a text in quotes".to_owned(),
            What::Name(name) => format!("`{name}`"),
            What::Symbol(symbol) => format!("`{symbol}`"),
            What::Comment(_) => "a comment".to_owned(),
            What::End => "the end of the rule".to_owned(),
        };
        Fault::new(token.span, Problem::Expected { expected, found })
    }

    fn any(&mut self) -> Result<Expr, Fault> {
        self.chain(
            "||",
            Self::all,
            |kind| if let Kind::Any(parts) = kind { Ok(parts) } else { Err(kind) },
            Kind::Any,
        )
    }

    fn all(&mut self) -> Result<Expr, Fault> {
        self.chain(
            "&&",
            Self::test,
            |kind| if let Kind::All(parts) = kind { Ok(parts) } else { Err(kind) },
            Kind::All,
        )
    }

    /// A chain of one symbol; a chain in parentheses that is of the same symbol becomes part of it.
    fn chain(
        &mut self,
        symbol: &str,
        part: fn(&mut Self) -> Result<Expr, Fault>,
        split: fn(Kind) -> Result<Vec<Expr>, Kind>,
        join: fn(Vec<Expr>) -> Kind,
    ) -> Result<Expr, Fault> {
        let first = part(self)?;
        if !matches!(self.peek(), What::Symbol(next) if next == symbol) {
            return Ok(first);
        }
        let (start, mut parts) = (first.span, Vec::new());
        let mut end = start;
        let mut next = Some(first);
        while let Some(expr) = next {
            end = expr.span;
            match split(expr.kind) {
                Ok(inner) => parts.extend(inner),
                Err(kind) => parts.push(Expr { span: expr.span, kind }),
            }
            next = if self.takes(symbol) { Some(part(self)?) } else { None };
        }
        Ok(Expr { span: start.to(end), kind: join(parts) })
    }

    fn test(&mut self) -> Result<Expr, Fault> {
        let left = self.sum()?;
        let Some(test) = self.comparison() else { return Ok(left) };
        self.at += 1;
        let right = self.sum()?;
        if self.comparison().is_some() {
            let problem = Problem::Word("comparisons are not chained; write `a < b && b < c`");
            return Err(Fault::new(self.token().span, problem));
        }
        let span = left.span.to(right.span);
        let (left, right) = (Box::new(left), Box::new(right));
        let kind = match test {
            Some(compare) => Kind::Compare(compare, left, right),
            None => Kind::In(left, right),
        };
        Ok(Expr { span, kind })
    }

    /// The comparison that is next, without taking it; `in` is the one without a symbol.
    fn comparison(&self) -> Option<Option<Compare>> {
        match self.peek() {
            What::Symbol("==") => Some(Some(Compare::Equal)),
            What::Symbol("!=") => Some(Some(Compare::Unequal)),
            What::Symbol("<") => Some(Some(Compare::Less)),
            What::Symbol("<=") => Some(Some(Compare::AtMost)),
            What::Symbol(">") => Some(Some(Compare::More)),
            What::Symbol(">=") => Some(Some(Compare::AtLeast)),
            What::Name("in") => Some(None),
            _ => None,
        }
    }

    fn sum(&mut self) -> Result<Expr, Fault> {
        self.sides(&[("+", Calc::Add), ("-", Calc::Subtract)], Self::product)
    }

    fn product(&mut self) -> Result<Expr, Fault> {
        let symbols = [("*", Calc::Multiply), ("/", Calc::Divide), ("%", Calc::Remainder)];
        self.sides(&symbols, Self::sign)
    }

    fn sides(
        &mut self,
        symbols: &[(&'static str, Calc)],
        side: fn(&mut Self) -> Result<Expr, Fault>,
    ) -> Result<Expr, Fault> {
        let mut left = side(self)?;
        let mut sides = 1;
        loop {
            let (here, peek) = (self.token().span, self.peek());
            let found = symbols.iter().find(|(symbol, _)| peek == What::Symbol(symbol));
            let Some((_, calc)) = found else { return Ok(left) };
            sides += 1;
            if sides > SIDES_MAX {
                let problem = Problem::TooMuch { what: "a sum or product", most: SIDES_MAX, unit: "sides" };
                return Err(Fault::new(here, problem));
            }
            self.at += 1;
            let right = side(self)?;
            let span = left.span.to(right.span);
            left = Expr { span, kind: Kind::Calc(*calc, Box::new(left), Box::new(right)) };
        }
    }

    fn sign(&mut self) -> Result<Expr, Fault> {
        let start = self.token().span;
        if self.takes("!") {
            let inner = self.deeper(start, Self::sign)?;
            return Ok(Expr { span: start.to(inner.span), kind: Kind::Not(Box::new(inner)) });
        }
        if self.takes("-") {
            let inner = self.deeper(start, Self::sign)?;
            let span = start.to(inner.span);
            let kind = match inner.kind {
                Kind::Number(number) => Kind::Number(-number),
                _ => Kind::Negate(Box::new(inner)),
            };
            return Ok(Expr { span, kind });
        }
        self.value()
    }

    fn value(&mut self) -> Result<Expr, Fault> {
        let token = self.token();
        let kind = match token.what {
            What::Symbol("(") => {
                self.at += 1;
                let inner = self.deeper(token.span, Self::any)?;
                let end = self.closing(")", "`)`")?;
                return Ok(Expr { span: token.span.to(end), kind: inner.kind });
            }
            What::Symbol("[") => {
                self.at += 1;
                let items = self.deeper(token.span, |parser| parser.items("]", "`,` or `]`"))?;
                return Ok(Expr { span: token.span.to(self.last()), kind: Kind::List(items) });
            }
            What::Number(digits) => Kind::Number(digits.parse().map_err(|_| {
                Fault::new(
                    token.span,
                    Problem::Word("this number is too large; the largest is 9223372036854775807"),
                )
            })?),
            What::Text(text) => Kind::Text(text.to_owned()),
            What::Name("true") => Kind::Bool(true),
            What::Name("false") => Kind::Bool(false),
            What::Name(name) if name != "in" => {
                self.at += 1;
                if !self.takes("(") {
                    return Ok(Expr { span: token.span, kind: Kind::Name(name.to_owned()) });
                }
                let arguments = self.deeper(token.span, |parser| parser.items(")", "`,` or `)`"))?;
                return Ok(Expr {
                    span: token.span.to(self.last()),
                    kind: Kind::Call(name.to_owned(), arguments),
                });
            }
            _ => return Err(self.expected("a field, a number, a text, a function or `(`")),
        };
        self.take();
        Ok(Expr { span: token.span, kind })
    }

    /// Items up to a closing symbol, which is taken.
    fn items(&mut self, close: &'static str, expected: &'static str) -> Result<Vec<Expr>, Fault> {
        let mut items = Vec::new();
        if self.takes(close) {
            return Ok(items);
        }
        loop {
            items.push(self.any()?);
            if self.takes(close) {
                return Ok(items);
            }
            if !self.takes(",") {
                return Err(self.expected(expected));
            }
            // As in CEL, a comma may stand behind the last item of a list.
            if close == "]" && self.takes(close) {
                return Ok(items);
            }
        }
    }

    fn closing(&mut self, symbol: &str, expected: &'static str) -> Result<Span, Fault> {
        let span = self.token().span;
        if self.takes(symbol) { Ok(span) } else { Err(self.expected(expected)) }
    }

    /// Where the token taken last stands.
    fn last(&self) -> Span {
        self.tokens[self.at - 1].span
    }

    fn deeper<T>(&mut self, at: Span, inner: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == DEPTH_MAX {
            let problem = Problem::TooMuch { what: "a rule", most: DEPTH_MAX, unit: "levels in each other" };
            return Err(Fault::new(at, problem));
        }
        self.depth += 1;
        let parsed = inner(self);
        self.depth -= 1;
        parsed
    }
}
