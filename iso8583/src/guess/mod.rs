//! What bytes of unknown origin are: which length, headers and specification fit them, and why the others do not.
//!
//! Start at [`guess`], and print what it returns with [`explain`]. It tries every length, the usual headers and every
//! specification it is given, and decodes what is left. Nothing in a guess is a value of the message, the MTI apart:
//! it may be logged as it is. Turning what a person pasted (hex, a dump) into bytes is the caller's business.
//!
//! ```
//! use bytes::BytesMut;
//! use iso8583::framing::{Framer, FramingError, LengthHeader};
//! use iso8583::guess::{explain, guess};
//! use iso8583::{Builder, Mti, Spec};
//!
//! // A message that somebody found in a trace, with a length of four digits in front.
//! let mut message = BytesMut::new();
//! let mut builder = Builder::new(Spec::atm(), &mut message, Mti::new(0x0800));
//! builder.number(7, 1_122_093_100)?.number(11, 42)?.number(70, 301)?;
//! builder.finish()?;
//! let mut frame = BytesMut::new();
//! Framer::new(LengthHeader::ASCII_4, 8192).put(&message, &mut frame)?;
//!
//! let guesses = guess(&frame, &[("pos", Spec::pos()), ("atm", Spec::atm())]);
//! let text = explain(&guesses).to_string();
//! assert!(text.starts_with(
//!     "One reading fits:\n\
//!      length ascii4, atm: fits, score 85 of 100; the message begins at byte 4\n\
//!      \x20 + length header says 55, 55 follow\n\
//!      \x20 + MTI 0800, network management request\n\
//!      \x20 + every field decodes: 3, up to the last byte\n\
//!      \x20 + DE 7 is a possible time\n"
//! ), "{text}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod evidence;
mod explain;
mod fault;
mod frame;

use std::cmp::Reverse;
use std::ops::Range;

pub use evidence::{Reason, SCORE_MAX};
pub use explain::explain;
pub use fault::{Fault, FaultKind};

use crate::framing::LengthHeader;
use crate::header::{Headers, HeadersError};
use crate::message::Message;
use crate::mti::Mti;
use crate::spec::Spec;
use frame::Framed;

/// The longest unknown header that is looked for, in bytes.
pub const UNKNOWN_HEADER_BYTES_MAX: usize = 64;

/// One way to read the bytes, and what speaks for it and against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess<'s> {
    /// The length in front; `None` if there is none.
    pub length: Option<LengthHeader>,
    /// The headers behind it. Empty too if the length was refused and nothing behind it was looked at.
    pub headers: Headers,
    /// The specification, by the name it was given with; `None` if length or headers were refused before.
    pub spec: Option<&'s str>,
    /// Where the message lies in the bytes, from its MTI to its end; empty if it was not looked for.
    pub message: Range<usize>,
    /// The message type, if there is a likely one.
    pub mti: Option<Mti>,
    /// Fields that decode.
    pub fields: usize,
    /// How far the bytes were understood.
    pub read_to: usize,
    /// How well it fits, 0 to [`SCORE_MAX`].
    pub score: u32,
    /// What was found, in the order it was looked for.
    pub reasons: Vec<Reason>,
    /// The first thing that is wrong; `None` if nothing is.
    pub fault: Option<Fault>,
}

impl Guess<'_> {
    /// Whether nothing is wrong with it: length, headers and every field.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.fault.is_none()
    }
}

/// Tries every length, the usual headers and those that a specification declares, and each of `specs` on `bytes`; the
/// best guess comes first.
///
/// What was refused early stands once, whatever might have come behind it. If nothing fits, headers of up to
/// [`UNKNOWN_HEADER_BYTES_MAX`] unknown bytes are tried as well. The work grows with the length of `bytes` times the
/// count of `specs` and no faster.
#[must_use]
pub fn guess<'s>(bytes: &[u8], specs: &[(&'s str, &Spec)]) -> Vec<Guess<'s>> {
    let mut search = Search { bytes, specs, guesses: Vec::new() };
    if bytes.is_empty() {
        return search.guesses;
    }
    let framings: Vec<_> = std::iter::once(None).chain(LengthHeader::all().map(Some)).collect();
    let likely = likely_headers(specs);
    for &length in &framings {
        search.try_length(length, &likely);
    }
    // Without a length last: behind one that fits, it would count as an unknown header too.
    for &length in framings.iter().rev() {
        if !search.guesses.iter().any(Guess::fits) {
            search.try_unknown_headers(length);
        }
    }
    search.guesses.sort_by_key(|guess| Reverse(guess.score));
    search.guesses
}

/// What the bytes are if they are framed as the specification says ([`Spec::frame_length`], [`Spec::frame_headers`]);
/// `None` if it says neither.
#[must_use]
pub fn as_declared<'s>(bytes: &[u8], name: &'s str, spec: &Spec) -> Option<Guess<'s>> {
    let (length, headers) = (spec.frame_length(), spec.frame_headers());
    if length.is_none() && headers.is_none() {
        return None;
    }
    let headers = headers.cloned().unwrap_or_default();
    let mut search = Search { bytes, specs: &[(name, spec)], guesses: Vec::new() };
    search.try_length(length, &[headers]);
    search.guesses.pop()
}

/// The headers that are tried behind every length: the usual ones, and those that a specification declares.
fn likely_headers(specs: &[(&str, &Spec)]) -> Vec<Headers> {
    let mut likely = usual_headers();
    for headers in specs.iter().filter_map(|(_, spec)| spec.frame_headers()) {
        if !likely.contains(headers) {
            likely.push(headers.clone());
        }
    }
    likely
}

fn usual_headers() -> Vec<Headers> {
    let names: [&[&str]; 6] = [
        &[],
        &["tpdu"],
        &["tpdu", "application"],
        &["dial", "tpdu", "application"],
        &["dial", "tpdu"],
        // Twelve characters, as hosts of the BASE24 family send them.
        &["text:ISO?????????"],
    ];
    names.iter().map(|names| declared(Headers::from_names(*names))).collect()
}

fn declared(headers: Result<Headers, HeadersError>) -> Headers {
    // INVARIANT: the names are this file's, and its tests use every one.
    headers.expect("a header of this name")
}

struct Search<'b, 's> {
    bytes: &'b [u8],
    specs: &'b [(&'s str, &'b Spec)],
    guesses: Vec<Guess<'s>>,
}

impl<'s> Search<'_, 's> {
    fn try_length(&mut self, length: Option<LengthHeader>, likely: &[Headers]) {
        let (frame, reason, fault) = match frame::cut(self.bytes, length) {
            Framed::Refused(fault) => {
                self.refuse(length, Headers::NONE, Vec::new(), fault);
                return;
            }
            Framed::Exact(frame, reason) => (frame, reason, None),
            Framed::Loose(frame, fault) => (frame, None, Some(fault)),
        };
        let before = self.guesses.len();
        for headers in likely {
            self.try_headers(length, headers, frame.clone(), reason, fault.as_ref());
        }
        // Whatever a length is said to be, its number is some number: a wrong one is worth a guess only if what
        // follows looks like a message.
        if let Some(fault) = fault {
            let end = self.guesses.len();
            let looks_good = |guess: &Guess<'_>| guess.mti.is_some() && guess.fields > 0;
            let mut kept: Vec<_> = self.guesses.drain(before..end).filter(looks_good).collect();
            self.guesses.append(&mut kept);
            if self.guesses.len() == before {
                self.refuse(length, Headers::NONE, Vec::new(), fault);
            }
        }
    }

    fn try_headers(
        &mut self,
        length: Option<LengthHeader>,
        headers: &Headers,
        frame: Range<usize>,
        found: Option<Reason>,
        fault: Option<&Fault>,
    ) {
        let mut reasons: Vec<Reason> = found.into_iter().collect();
        match headers.parse(&self.bytes[frame.clone()]) {
            Err(error) => {
                let fault = fault.cloned().unwrap_or_else(|| Fault::header(error, frame.start));
                self.refuse(length, headers.clone(), reasons, fault);
            }
            Ok((_, message)) => {
                let start = frame.end - message.len();
                if !headers.forms().is_empty() {
                    reasons.push(Reason::Headers { at: frame.start });
                }
                for &(name, spec) in self.specs {
                    let empty = Guess::of(length, headers.clone(), reasons.clone(), fault.cloned());
                    let guess = empty.decode(self.bytes, start..frame.end, name, spec);
                    self.guesses.push(guess);
                }
            }
        }
    }

    /// Looks for a message that decodes to its end behind some bytes that nobody knows.
    fn try_unknown_headers(&mut self, length: Option<LengthHeader>) {
        let Framed::Exact(frame, reason) = frame::cut(self.bytes, length) else { return };
        for count in 1..=UNKNOWN_HEADER_BYTES_MAX.min(frame.len()) {
            let before = self.guesses.len();
            let reasons: Vec<_> =
                reason.into_iter().chain([Reason::UnknownHeader { bytes: count }]).collect();
            for &(name, spec) in self.specs {
                let headers = declared(Headers::from_names([format!("opaque:{count}")]));
                let empty = Guess::of(length, headers, reasons.clone(), None);
                let guess = empty.decode(self.bytes, frame.start + count..frame.end, name, spec);
                if guess.fits() && guess.mti.is_some() && guess.fields > 0 {
                    self.guesses.push(guess);
                }
            }
            if self.guesses.len() > before {
                return;
            }
        }
    }

    fn refuse(&mut self, length: Option<LengthHeader>, headers: Headers, reasons: Vec<Reason>, fault: Fault) {
        let read_to = fault.offset;
        let refused = Guess::of(length, headers, reasons, Some(fault));
        self.guesses.push(Guess { read_to, ..refused }.weighed());
    }
}

impl<'s> Guess<'s> {
    /// A guess about length and headers only.
    fn of(
        length: Option<LengthHeader>,
        headers: Headers,
        reasons: Vec<Reason>,
        fault: Option<Fault>,
    ) -> Guess<'s> {
        let (spec, mti, message) = (None, None, 0..0);
        Guess { length, headers, spec, message, mti, fields: 0, read_to: 0, score: 0, reasons, fault }
    }

    /// The same with a specification tried on the message behind the headers.
    fn decode(mut self, bytes: &[u8], range: Range<usize>, name: &'s str, spec: &Spec) -> Guess<'s> {
        let (message, error) = Message::decode_partial(spec, &bytes[range.clone()]);
        self.fields = message.fields().count();
        self.read_to = error.as_ref().map_or(range.end, |error| range.start + error.offset);
        self.mti = evidence::likely(message.mti());
        evidence::collect(&message, error.is_none(), &mut self.reasons);
        // A length that says something else comes first.
        self.fault = self.fault.or_else(|| error.map(|error| Fault::decode(error, range.start)));
        self.spec = Some(name);
        self.message = range;
        self.weighed()
    }

    fn weighed(mut self) -> Guess<'s> {
        self.score = evidence::score(&self);
        self
    }
}
