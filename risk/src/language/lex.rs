//! From a rule's text to its tokens and comments.
//!
//! The grammar of a token is nom's; what nom does not know is said here in words. Start at [`tokens`].

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while, take_while1};
use nom::combinator::{map, recognize, value};
use nom::multi::separated_list1;
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser};

use super::ast::{Comment, Span};
use super::fault::{Fault, Problem};

/// The longest text of a rule, bytes.
pub const TEXT_BYTES_MAX: usize = 4_096;

/// The longest text in quotes, bytes: a merchant's number has 15, a list's name 32.
pub(super) const QUOTED_BYTES_MAX: usize = 64;

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) span: Span,
    pub(super) what: What<'t>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What<'t> {
    Number(&'t str),
    Text(&'t str),
    /// With its dots.
    Name(&'t str),
    Symbol(&'static str),
    Comment(&'t str),
    End,
}

/// Tokens without the comments, the last one being [`What::End`]; and the comments.
pub(super) fn tokens(text: &str) -> Result<(Vec<Token<'_>>, Vec<Comment>), Fault> {
    if text.len() > TEXT_BYTES_MAX {
        let span = Span { start: TEXT_BYTES_MAX, end: text.len() };
        return Err(Fault::new(
            span,
            Problem::TooMuch { what: "a text", most: TEXT_BYTES_MAX, unit: "bytes" },
        ));
    }
    let (mut tokens, mut comments) = (Vec::new(), Vec::new());
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let start = text.len() - rest.len();
        let Ok((behind, what)) = token(rest) else { return Err(stranger(rest, start)) };
        let span = Span { start, end: text.len() - behind.len() };
        check(what, behind, span)?;
        match what {
            What::Comment(words) => {
                let line = text[..start].rsplit('\n').next().unwrap_or_default();
                comments.push(Comment {
                    span,
                    text: words.trim().to_owned(),
                    behind: !line.trim().is_empty(),
                });
            }
            _ => tokens.push(Token { span, what }),
        }
        rest = behind.trim_start_matches(is_space);
    }
    let end = tokens.last().map_or(0, |token| token.span.end);
    tokens.push(Token { span: Span { start: end, end }, what: What::End });
    Ok((tokens, comments))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn token(text: &str) -> IResult<&str, What<'_>> {
    alt((comment, map(number, What::Number), map(quoted, What::Text), map(name, What::Name), symbol))
        .parse(text)
}

fn comment(text: &str) -> IResult<&str, What<'_>> {
    map(preceded(tag("//"), take_till(|c| c == '\n')), What::Comment).parse(text)
}

fn number(text: &str) -> IResult<&str, &str> {
    take_while1(|c: char| c.is_ascii_digit())(text)
}

fn quoted(text: &str) -> IResult<&str, &str> {
    let inside = |c: char| !matches!(c, '"' | '\'' | '\\') && !c.is_control();
    alt((
        delimited(tag("\""), take_while(inside), tag("\"")),
        delimited(tag("'"), take_while(inside), tag("'")),
    ))
    .parse(text)
}

fn name(text: &str) -> IResult<&str, &str> {
    let word = || {
        recognize(pair(
            take_while1(|c: char| c.is_ascii_alphabetic() || c == '_'),
            take_while(|c: char| c.is_ascii_alphanumeric() || c == '_'),
        ))
    };
    recognize(separated_list1(tag("."), word())).parse(text)
}

fn symbol(text: &str) -> IResult<&str, What<'_>> {
    // Longer ones first, so that `<=` is not read as `<`.
    let two = alt((
        value("&&", tag("&&")),
        value("||", tag("||")),
        value("==", tag("==")),
        value("!=", tag("!=")),
        value("<=", tag("<=")),
        value(">=", tag(">=")),
    ));
    let one = alt((
        value("<", tag("<")),
        value(">", tag(">")),
        value("!", tag("!")),
        value("+", tag("+")),
        value("-", tag("-")),
        value("*", tag("*")),
        value("/", tag("/")),
        value("%", tag("%")),
        value("(", tag("(")),
        value(")", tag(")")),
        value("[", tag("[")),
        value("]", tag("]")),
        value(",", tag(",")),
    ));
    map(alt((two, one)), What::Symbol).parse(text)
}

/// What a token alone may not be.
fn check(what: What<'_>, behind: &str, span: Span) -> Result<(), Fault> {
    let next = behind.chars().next();
    let wrong = match what {
        What::Number(_) if next == Some('.') => {
            "numbers are whole; an amount of money is written money(\"12.50\", \"CNY\")"
        }
        What::Number(_) if next.is_some_and(|c| c.is_ascii_alphabetic() || c == '_') => {
            "a number is followed by a letter; names begin with a letter, and numbers have digits only"
        }
        What::Text(words) if words.len() > QUOTED_BYTES_MAX => "a text in quotes has at most 64 bytes",
        // A rule stands in a TOML file between three apostrophes.
        What::Comment(words) if words.contains("'''") || words.trim_end().contains(char::is_control) => {
            "a comment has neither control characters nor three apostrophes in a row"
        }
        _ => return Ok(()),
    };
    Err(Fault::new(span, Problem::Word(wrong)))
}

/// Words for what no token begins with.
fn stranger(text: &str, start: usize) -> Fault {
    let first = text.chars().next().unwrap_or_default();
    let problem = match first {
        '"' | '\'' => "a text in quotes ends on its line, and has neither quotes nor backslashes in it",
        '=' => "`=` is no comparison; write `==`",
        '&' => "`&` is written twice: `&&`",
        '|' => "`|` is written twice: `||`",
        '?' | ':' => "there is no `a ? b : c`; write two rules, or `(a && b) || (!a && c)`",
        '.' => "a dot stands between two words of a field's name, without spaces",
        '{' | '}' => "there are no braces in a rule",
        _ => "this character has no place in a rule outside of quotes",
    };
    Fault::new(Span { start, end: start + first.len_utf8() }, Problem::Word(problem))
}
