//! XML as far as a packager file needs it: elements and their attributes.
//!
//! Text, comments, CDATA sections and processing instructions are passed over.
//! A DOCTYPE is passed over unread: nothing is fetched, and no entity is known
//! but the five that XML itself names and the numeric ones, so no document can
//! grow while it is read. Start at [`document`].

use std::borrow::Cow;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_until, take_while, take_while1};
use nom::character::complete::{char, multispace0, multispace1};
use nom::combinator::value;
use nom::error::{ErrorKind, ParseError};
use nom::multi::many0_count;
use nom::sequence::delimited;
use nom::{IResult, Parser};

/// How deep elements may stand in each other. jPOS files use three levels;
/// the limit keeps the recursive reader's stack small.
pub(super) const DEPTH_MAX: usize = 16;

/// Attributes of one element; jPOS knows fifteen.
pub(super) const ATTRIBUTES_MAX: usize = 32;

/// An element: its name, its attributes and the elements in it.
#[derive(Debug)]
pub(super) struct Element<'a> {
    /// As written, a namespace prefix included.
    pub(super) name: &'a str,
    /// In the order written, each name once.
    pub(super) attributes: Vec<(&'a str, Cow<'a, str>)>,
    /// In the order written.
    pub(super) children: Vec<Element<'a>>,
    /// Bytes in front of the element.
    pub(super) offset: usize,
}

impl Element<'_> {
    /// The attribute's value, if the element has it.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_ref())
    }
}

/// Where and why a text is no XML that is read here.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Broken {
    /// Bytes in front of the fault.
    pub(super) offset: usize,
    /// The rule it breaks.
    pub(super) rule: &'static str,
}

/// Reads a whole document and gives its outermost element.
///
/// # Errors
/// The first place where the text breaks the grammar or a limit.
pub(super) fn document(text: &str) -> Result<Element<'_>, Broken> {
    let reader = Reader { whole: text };
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    reader.document(text).map(|(_, root)| root).map_err(|error| match error {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => {
            Broken { offset: reader.offset(fault.at), rule: fault.rule }
        }
        nom::Err::Incomplete(_) => Broken { offset: reader.whole.len(), rule: "ends too early" },
    })
}

/// A place in the text and the rule broken there.
#[derive(Debug)]
struct Fault<'a> {
    at: &'a str,
    rule: &'static str,
}

impl<'a> ParseError<&'a str> for Fault<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Fault<'a> {
        Fault { at, rule: "is not well formed" }
    }

    fn append(_: &'a str, _: ErrorKind, other: Fault<'a>) -> Fault<'a> {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Fault<'a>>;

fn fail<'a, T>(at: &'a str, rule: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Failure(Fault { at, rule }))
}

/// Remembers the whole text, from which offsets count.
struct Reader<'a> {
    whole: &'a str,
}

impl<'a> Reader<'a> {
    fn offset(&self, rest: &str) -> usize {
        self.whole.len() - rest.len()
    }

    fn document(&self, input: &'a str) -> Parsed<'a, Element<'a>> {
        let (input, _) = misc(input)?;
        let (input, _) = if input.starts_with("<!DOCTYPE") { doctype(input)? } else { (input, ()) };
        let (input, _) = misc(input)?;
        if !input.starts_with('<') {
            return fail(input, "has no element");
        }
        let (input, root) = self.element(input, 1)?;
        let (input, _) = misc(input)?;
        if input.is_empty() { Ok((input, root)) } else { fail(input, "has text after its end") }
    }

    fn element(&self, input: &'a str, depth: usize) -> Parsed<'a, Element<'a>> {
        if depth > DEPTH_MAX {
            return fail(input, "has elements too deep in each other");
        }
        let offset = self.offset(input);
        let (rest, _) = char('<')(input)?;
        let (rest, name) = name(rest)?;
        let (rest, attributes) = attributes(rest)?;
        let mut element = Element { name, attributes, children: Vec::new(), offset };
        if let Some(rest) = rest.strip_prefix("/>") {
            return Ok((rest, element));
        }
        let Some(rest) = rest.strip_prefix('>') else {
            return fail(rest, "has a tag that is not closed");
        };
        let mut rest = between_elements(rest)?.0;
        while rest.starts_with('<') && !rest.starts_with("</") {
            let (after, child) = self.element(rest, depth + 1)?;
            element.children.push(child);
            rest = between_elements(after)?.0;
        }
        let (rest, ()) = end_of(element.name, rest)?;
        Ok((rest, element))
    }
}

/// `</name>`, with the name that was opened.
fn end_of<'a>(opened: &str, input: &'a str) -> Parsed<'a, ()> {
    let Some(rest) = input.strip_prefix("</") else {
        return fail(input, "ends inside an element");
    };
    let (rest, closed) = name(rest)?;
    if closed != opened {
        return fail(input, "closes another element than it opened");
    }
    let (rest, _) = multispace0(rest)?;
    match rest.strip_prefix('>') {
        Some(rest) => Ok((rest, ())),
        None => fail(rest, "has a tag that is not closed"),
    }
}

fn name(input: &str) -> Parsed<'_, &str> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    match take_while1::<_, _, Fault<'_>>(part)(input) {
        Ok(taken) => Ok(taken),
        Err(_) => fail(input, "has a tag or an attribute without a name"),
    }
}

fn attributes(mut input: &str) -> Parsed<'_, Vec<(&str, Cow<'_, str>)>> {
    let mut list = Vec::new();
    loop {
        let (rest, space) = multispace0(input)?;
        if rest.is_empty() || rest.starts_with(['>', '/']) {
            return Ok((rest, list));
        }
        if space.is_empty() {
            return fail(rest, "has a tag or an attribute without a name");
        }
        let (after, (key, text)) = attribute(rest)?;
        if list.iter().any(|(known, _)| *known == key) {
            return fail(rest, "names an attribute twice");
        }
        if list.len() == ATTRIBUTES_MAX {
            return fail(rest, "has too many attributes in one element");
        }
        list.push((key, text));
        input = after;
    }
}

fn attribute(input: &str) -> Parsed<'_, (&str, Cow<'_, str>)> {
    let (rest, key) = name(input)?;
    let (rest, _) = multispace0(rest)?;
    let Some(rest) = rest.strip_prefix('=') else {
        return fail(rest, "has an attribute without a value");
    };
    let (rest, _) = multispace0(rest)?;
    let Some(quote @ ('"' | '\'')) = rest.chars().next() else {
        return fail(rest, "has an attribute value without quotes");
    };
    let (inside, _) = char(quote)(rest)?;
    let (after, raw) = take_while(|c| c != quote && c != '<')(inside)?;
    if !after.starts_with(quote) {
        return fail(after, "has an attribute value that is not closed");
    }
    Ok((&after[1..], (key, unescape(raw)?)))
}

/// Replaces `&amp;` and its like, and the line breaks that XML takes for spaces.
fn unescape(raw: &str) -> Result<Cow<'_, str>, nom::Err<Fault<'_>>> {
    if !raw.contains(['&', '\t', '\r', '\n']) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(next) = rest.chars().next() {
        rest = match next {
            '&' => {
                let (after, character) = entity(rest)?;
                text.push(character);
                after
            }
            '\t' | '\r' | '\n' => {
                text.push(' ');
                &rest[1..]
            }
            other => {
                text.push(other);
                &rest[other.len_utf8()..]
            }
        };
    }
    Ok(Cow::Owned(text))
}

fn entity(input: &str) -> Parsed<'_, char> {
    let named = alt((
        value('&', tag("&amp;")),
        value('<', tag("&lt;")),
        value('>', tag("&gt;")),
        value('"', tag("&quot;")),
        value('\'', tag("&apos;")),
    ))
    .parse(input);
    if let Ok(found) = named.or_else(|_: nom::Err<Fault<'_>>| numeric_entity(input)) {
        return Ok(found);
    }
    fail(input, "uses an entity that is not known here")
}

/// `&#65;` or `&#x41;`, at most seven digits: more than any character needs.
fn numeric_entity(input: &str) -> Parsed<'_, char> {
    let (rest, digits) =
        delimited(tag("&#"), take_while1(|c: char| c.is_ascii_alphanumeric()), char(';')).parse(input)?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) if hex.len() <= 7 => u32::from_str_radix(hex, 16).ok(),
        None if digits.len() <= 7 => digits.parse().ok(),
        _ => None,
    };
    match code.and_then(char::from_u32) {
        Some(character) => Ok((rest, character)),
        None => fail(input, "uses an entity that is not known here"),
    }
}

/// What may stand around the outermost element: space, comments, instructions.
fn misc(input: &str) -> Parsed<'_, ()> {
    value((), many0_count(alt((value((), multispace1), comment, instruction)))).parse(input)
}

/// What may stand between elements: also text and CDATA, which say nothing here.
fn between_elements(input: &str) -> Parsed<'_, ()> {
    value((), many0_count(alt((text, comment, cdata, instruction)))).parse(input)
}

/// Text says nothing; but an entity in it might stand for whole elements, which must not be lost in silence.
fn text(input: &str) -> Parsed<'_, ()> {
    let (after, text) = take_while1(|c| c != '<')(input)?;
    for (at, _) in text.match_indices('&') {
        entity(&input[at..])?;
    }
    Ok((after, ()))
}

fn comment(input: &str) -> Parsed<'_, ()> {
    enclosed("<!--", "-->", "has a comment that is not closed", input)
}

fn cdata(input: &str) -> Parsed<'_, ()> {
    enclosed("<![CDATA[", "]]>", "has a CDATA section that is not closed", input)
}

fn instruction(input: &str) -> Parsed<'_, ()> {
    enclosed("<?", "?>", "has an instruction that is not closed", input)
}

fn enclosed<'a>(open: &str, close: &str, rule: &'static str, input: &'a str) -> Parsed<'a, ()> {
    let (rest, _) = tag(open)(input)?;
    match take_until::<_, _, Fault<'a>>(close)(rest) {
        Ok((rest, _)) => Ok((&rest[close.len()..], ())),
        Err(_) => fail(input, rule),
    }
}

/// `<!DOCTYPE … [ … ]>`: quoted parts and comments may hold any brackets.
fn doctype(input: &str) -> Parsed<'_, ()> {
    const OPEN: &str = "has a DOCTYPE that is not closed";
    let mut rest = input;
    let mut nested = 0_usize;
    loop {
        rest = take_while(|c| !matches!(c, '"' | '\'' | '[' | ']' | '<' | '>'))(rest)?.0;
        if rest.starts_with("<!--") {
            rest = comment(rest)?.0;
            continue;
        }
        let Some(next) = rest.chars().next() else { return fail(input, OPEN) };
        rest = &rest[1..]; // Each of the characters stopped at is one byte.
        match next {
            '[' | '<' => nested += 1,
            ']' => nested = nested.saturating_sub(1),
            '>' if nested <= 1 => return Ok((rest, ())),
            '>' => nested -= 1,
            quote => match rest.split_once(quote) {
                Some((_, after)) => rest = after,
                None => return fail(input, OPEN),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_document_is_its_elements_and_their_attributes() {
        let text = r#"<?xml version="1.0"?>
<!DOCTYPE isopackager PUBLIC "-//x [>//EN" 'y.dtd' [
  <!-- ]> --> <!ELEMENT isopackager (isofield*)> <!ENTITY a "]>">
]>
<!-- in front -->
<isopackager a="1" b='two "2"'>
  text <![CDATA[<no element>]]> <?go on?>
  <isofield id="2" name="A &amp; B &#x3C;&#62; &quot;C&apos;
D"/><!-- <isofield/> -->
  <isofieldpackager id = "3" ><isofield/></isofieldpackager >
</isopackager>
<!-- behind -->
"#;
        let root = document(text).unwrap();
        assert_eq!(
            (root.name, root.attribute("a"), root.attribute("b")),
            ("isopackager", Some("1"), Some("two \"2\""))
        );
        assert_eq!(root.attribute("c"), None);
        let names: Vec<_> = root.children.iter().map(|child| child.name).collect();
        assert_eq!(names, ["isofield", "isofieldpackager"]);
        assert_eq!(root.children[0].attribute("name"), Some("A & B <> \"C' D"));
        assert!(text[root.children[0].offset..].starts_with("<isofield id=\"2\""));
        assert_eq!(root.children[1].children[0].name, "isofield");
    }

    #[test]
    fn every_fault_is_named_where_it_is() {
        for (text, offset, rule) in [
            ("", 0, "has no element"),
            ("words", 0, "has no element"),
            ("<!-- open", 0, "has a comment that is not closed"),
            ("<?xml open", 0, "has an instruction that is not closed"),
            ("<!DOCTYPE a [ > ", 0, "has a DOCTYPE that is not closed"),
            ("<!DOCTYPE a \"> ", 0, "has a DOCTYPE that is not closed"),
            ("<a", 2, "has a tag that is not closed"),
            ("<a/ >", 2, "has a tag that is not closed"),
            ("<a></a", 6, "has a tag that is not closed"),
            ("<>", 1, "has a tag or an attribute without a name"),
            ("<a b=\"1\"c=\"2\"/>", 8, "has a tag or an attribute without a name"),
            ("<a b/>", 4, "has an attribute without a value"),
            ("<a b=1/>", 5, "has an attribute value without quotes"),
            ("<a b=\"<\"/>", 6, "has an attribute value that is not closed"),
            ("<a b='1\"/>", 10, "has an attribute value that is not closed"),
            ("<a b='' b=''/>", 8, "names an attribute twice"),
            ("<a><b></a>", 6, "closes another element than it opened"),
            ("<a><b/>", 7, "ends inside an element"),
            ("<a><![CDATA[</a>", 3, "has a CDATA section that is not closed"),
            ("<a/><b/>", 4, "has text after its end"),
        ] {
            assert_eq!(document(text).unwrap_err(), Broken { offset, rule }, "{text}");
        }
    }

    #[test]
    fn an_entity_that_a_document_defines_itself_is_not_known() {
        for entity in ["&lol;", "&#xD800;", "&#0000000065;", "&#x;", "&#;", "&", "&amp", "&#x110000;"] {
            let text = format!("<a b='{entity}'/>");
            assert_eq!(
                document(&text).unwrap_err().rule,
                "uses an entity that is not known here",
                "{entity}"
            );
        }
    }

    #[test]
    fn an_entity_among_elements_is_not_passed_over() {
        assert!(document("<a>this &amp; that<b/>&#65;</a>").is_ok());
        for text in ["<a>&fields;</a>", "<a><b/> R&D <b/></a>"] {
            let broken = document(text).unwrap_err();
            assert_eq!(broken.rule, "uses an entity that is not known here", "{text}");
            assert!(text[broken.offset..].starts_with('&'), "{text}");
        }
    }

    #[test]
    fn one_past_each_limit_is_refused() {
        let nested = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
        assert!(document(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(document(&nested(DEPTH_MAX + 1)).unwrap_err().rule, "has elements too deep in each other");
        let wide = |count: usize| {
            let attributes: String = (0..count).map(|n| format!(" a{n}=''")).collect();
            format!("<a{attributes}/>")
        };
        assert!(document(&wide(ATTRIBUTES_MAX)).is_ok());
        assert_eq!(
            document(&wide(ATTRIBUTES_MAX + 1)).unwrap_err().rule,
            "has too many attributes in one element"
        );
    }
}
