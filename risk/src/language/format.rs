//! One form for a rule's text: short ones on one line, long ones with a part of `&&` or `||` on each.
//!
//! Comments are kept, each on a line of its own above the part that it stood in or behind. What is formatted once
//! stays as it is. Start at [`format`].

use super::ast::{Calc, Comment, Expr, Kind};
use super::fault::Fault;
use super::parse::parse;

/// The longest line that is not broken where it can be, bytes.
const WIDTH: usize = 90;

const INDENT: usize = 4;

/// A rule's text in its one form, without a line feed at its end.
///
/// # Errors
/// It is no rule's text, see [`parse`]; or its one form would be too long or too deep for one.
pub fn format(text: &str) -> Result<String, Fault> {
    let parsed = parse(text)?;
    let mut writer = Writer { text, out: String::new() };
    let comments: Vec<&Comment> = parsed.comments.iter().collect();
    if chain(&parsed.expr).is_some() {
        writer.broken(&parsed.expr, &comments, 0);
    } else {
        writer.above(&comments, 0);
        writer.start_line(0);
        writer.part(&parsed.expr, &[], 0, Level::Any);
    }
    // Parentheses and indents are added, so what was just within the limits may be past them now.
    match parse(&writer.out) {
        Ok(_) => Ok(writer.out),
        Err(Fault { problem, .. }) => Err(Fault { span: parsed.expr.span, problem }),
    }
}

/// A tree on one line.
#[must_use]
pub fn on_one_line(expr: &Expr) -> String {
    let mut out = String::new();
    write(expr, Level::Any, &mut out);
    out
}

/// How tightly a piece of text holds together, loosest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Level {
    Any,
    All,
    Test,
    Sum,
    Product,
    Sign,
    Value,
}

fn level(expr: &Expr) -> Level {
    match &expr.kind {
        Kind::Any(_) => Level::Any,
        Kind::All(_) => Level::All,
        Kind::Compare(..) | Kind::In(..) => Level::Test,
        Kind::Calc(Calc::Add | Calc::Subtract, ..) => Level::Sum,
        Kind::Calc(..) => Level::Product,
        Kind::Not(_) | Kind::Negate(_) => Level::Sign,
        Kind::Number(number) if *number < 0 => Level::Sign,
        _ => Level::Value,
    }
}

/// The parts of a chain, its symbol, and how tightly its parts must hold.
fn chain(expr: &Expr) -> Option<(&[Expr], &'static str, Level)> {
    match &expr.kind {
        Kind::Any(parts) => Some((parts, "||", Level::All)),
        Kind::All(parts) => Some((parts, "&&", Level::Test)),
        _ => None,
    }
}

struct Writer<'t> {
    text: &'t str,
    out: String,
}

impl Writer<'_> {
    /// A chain, on one line if it fits and has no comments.
    fn broken(&mut self, expr: &Expr, comments: &[&Comment], indent: usize) {
        let Some((parts, symbol, tight)) = chain(expr) else { return };
        let line = on_one_line(expr);
        if comments.is_empty() && indent + line.len() <= WIDTH {
            self.start_line(indent);
            self.out.push_str(&line);
            return;
        }
        let owners: Vec<usize> = comments.iter().map(|comment| self.owner(parts, comment)).collect();
        for (place, part) in parts.iter().enumerate() {
            let own = comments.iter().zip(&owners).filter(|(_, owner)| **owner == place);
            let inside = |comment: &Comment| {
                chain(part).is_some()
                    && part.span.start < comment.span.start
                    && comment.span.end < part.span.end
            };
            let (inner, above): (Vec<&Comment>, Vec<&Comment>) =
                own.map(|(comment, _)| *comment).partition(|comment| inside(comment));
            self.above(&above, indent);
            self.start_line(indent);
            if place > 0 {
                self.out.push_str(symbol);
                self.out.push(' ');
            }
            self.part(part, &inner, indent, tight);
        }
    }

    /// A part of a chain, behind the symbol in front of it.
    fn part(&mut self, part: &Expr, inner: &[&Comment], indent: usize, tight: Level) {
        let mut line = String::new();
        write(part, tight, &mut line);
        // Every part of a chain is measured as if its symbol stood before it.
        let fits = inner.is_empty() && indent + 3 + line.len() <= WIDTH;
        match &part.kind {
            Kind::Any(_) | Kind::All(_) if !fits => {
                self.out.push('(');
                self.broken(part, inner, indent + INDENT);
                self.start_line(indent);
                self.out.push(')');
            }
            Kind::In(left, right) if !fits => match &right.kind {
                Kind::List(items) => {
                    write(left, Level::Sum, &mut self.out);
                    self.out.push_str(" in [");
                    self.filled(items, indent + INDENT);
                    self.start_line(indent);
                    self.out.push(']');
                }
                _ => self.out.push_str(&line),
            },
            _ => self.out.push_str(&line),
        }
    }

    /// Items of a list, as many on a line as fit.
    fn filled(&mut self, items: &[Expr], indent: usize) {
        let mut column = WIDTH;
        for (place, item) in items.iter().enumerate() {
            let comma = if place + 1 < items.len() { "," } else { "" };
            let item = on_one_line(item) + comma;
            if column + 1 + item.len() > WIDTH {
                self.start_line(indent);
                column = indent;
            } else {
                self.out.push(' ');
                column += 1;
            }
            column += item.len();
            self.out.push_str(&item);
        }
    }

    fn above(&mut self, comments: &[&Comment], indent: usize) {
        for comment in comments {
            self.start_line(indent);
            self.out.push_str(format!("// {}", comment.text).trim_end());
        }
    }

    fn start_line(&mut self, indent: usize) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// Which of the parts a comment belongs to: the one around it, the one in front of it on its line, else the next.
    fn owner(&self, parts: &[Expr], comment: &Comment) -> usize {
        let at = comment.span.start;
        let around = parts.iter().position(|part| part.span.start < at && at < part.span.end);
        let before = parts.iter().rposition(|part| part.span.end <= at).filter(|place| {
            let between = self.text.get(parts[*place].span.end..at).unwrap_or_default();
            comment.behind && !between.contains('\n')
        });
        let next = || parts.iter().position(|part| part.span.start > at);
        around.or(before).or_else(next).unwrap_or(parts.len() - 1)
    }
}

/// Writes a tree on one line, in parentheses if it holds less tightly than asked for.
fn write(expr: &Expr, tight: Level, out: &mut String) {
    let bare = level(expr) >= tight;
    if !bare {
        out.push('(');
    }
    match &expr.kind {
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Number(number) => out.push_str(&number.to_string()),
        Kind::Text(text) => {
            out.push('"');
            out.push_str(text);
            out.push('"');
        }
        Kind::Name(name) => out.push_str(name),
        Kind::List(items) => {
            out.push('[');
            separated(items, ", ", Level::Any, out);
            out.push(']');
        }
        Kind::Call(name, arguments) => {
            out.push_str(name);
            out.push('(');
            separated(arguments, ", ", Level::Any, out);
            out.push(')');
        }
        Kind::Not(inner) => {
            out.push('!');
            write(inner, Level::Sign, out);
        }
        Kind::Negate(inner) => {
            out.push('-');
            write(inner, Level::Sign, out);
        }
        Kind::Calc(calc, left, right) => {
            let (near, far) = match calc {
                Calc::Add | Calc::Subtract => (Level::Sum, Level::Product),
                _ => (Level::Product, Level::Sign),
            };
            sides(left, near, calc.symbol(), right, far, out);
        }
        Kind::Compare(compare, left, right) => {
            sides(left, Level::Sum, compare.symbol(), right, Level::Sum, out);
        }
        Kind::In(left, right) => sides(left, Level::Sum, "in", right, Level::Sum, out),
        Kind::All(parts) => separated(parts, " && ", Level::Test, out),
        Kind::Any(parts) => separated(parts, " || ", Level::All, out),
    }
    if !bare {
        out.push(')');
    }
}

fn separated(parts: &[Expr], by: &str, tight: Level, out: &mut String) {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.push_str(by);
        }
        write(part, tight, out);
    }
}

fn sides(left: &Expr, near: Level, symbol: &str, right: &Expr, far: Level, out: &mut String) {
    write(left, near, out);
    out.push(' ');
    out.push_str(symbol);
    out.push(' ');
    write(right, far, out);
}
