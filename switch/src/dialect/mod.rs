//! Dialects: which field means what, and which response code says what.
//!
//! A dialect turns a frame into a [`crate::books::request::Request`] and an [`crate::books::request::Answer`]
//! into a frame. It decides nothing and knows no keys. How frames are cut from the stream is the channel's
//! business, how MACs are checked the verify stage's.
//!
//! Which dialect a frame is in follows from its listener, never from the frame. [`parse`], [`encode`] and
//! [`TurnAway`] choose; [`pos`] speaks `pos` and `epos`, [`atm`] speaks `atm`.

pub mod atm;
pub mod card;
mod codes;
mod fields;
pub mod pos;

use std::ops::Range;

use arrayvec::ArrayString;
use bytes::BytesMut;
use iso8583::{DecodeError, EncodeError};

pub use self::codes::{response_code, response_meaning};
use crate::{
    books::{
        event::TerminalDialect,
        request::{Answer, Line, Request},
    },
    clock::Moment,
};

/// What the configuration says about how messages are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forms {
    /// Whether the bitmaps of `atm` are binary, not hexadecimal.
    pub atm_binary_bitmap: bool,
    /// This switch's own institution number: a message that gives it as its acquirer was reflected.
    pub institution: ArrayString<11>,
}

/// What of a request its answer repeats, and where its MAC stands.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// The message's MAC and the bytes of the frame that it covers.
    pub mac: Option<([u8; 8], Range<usize>)>,
    /// What the dialect needs to answer.
    pub kept: Kept,
}

/// See [`Envelope`].
#[derive(Clone, Debug, Default)]
pub enum Kept {
    /// Nothing: no frame was read.
    #[default]
    Nothing,
    /// Of `pos` and `epos`.
    Pos(pos::Kept),
    /// Of `atm`.
    Atm(atm::Kept),
}

/// Why a frame gets no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dropped {
    /// Shorter than its headers and a message type.
    TooShort,
    /// The message type is an answer's.
    AnswerReceived,
    /// It cannot be decoded as far as message type, STAN and terminal, so there is nobody to answer.
    Undecodable,
}

/// Where a message is not what it should be. Never shows what stood there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FormatFault {
    /// It does not decode; offsets count from the first byte of the MTI.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A field that this kind of request needs is not there.
    #[error("DE {0} is missing")]
    Missing(u8),
    /// A field decodes and still says nothing that fits.
    #[error("DE {field} at byte {offset}: no such value")]
    Meaningless {
        /// The data element.
        field: u8,
        /// Where it begins, counted from the first byte of the MTI.
        offset: usize,
    },
    /// An object inside field 57.
    #[error("DE 57, tag {tag:02X}: {rule}")]
    Tag {
        /// Its tag.
        tag: u8,
        /// What it must be.
        rule: &'static str,
    },
}

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parsed {
    /// A request to be worked on.
    Request,
    /// Enough of a request to be refused for its format.
    FormatError(FormatFault),
    /// Nothing to answer, and what is wrong with it where that is known.
    Dropped(Dropped, Option<FormatFault>),
}

/// An answer's frame in the output buffer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Encoded {
    /// The message with its headers, length excluded.
    pub frame: Range<usize>,
    /// What its MAC covers; the MAC's place is behind it. Empty if the answer carries none.
    pub mac_covers: Range<usize>,
    /// Whether the MAC is written as sixteen hexadecimal characters, not as eight bytes.
    pub mac_in_hex: bool,
}

/// Reads a frame into `request`, whose `line` says how it came, and into `envelope`; both are overwritten.
pub fn parse(frame: &[u8], forms: &Forms, request: &mut Request, envelope: &mut Envelope) -> Parsed {
    *request = Request { line: request.line, ..Request::default() };
    *envelope = Envelope::default();
    match request.line.dialect {
        TerminalDialect::Pos | TerminalDialect::Epos => pos::parse(frame, request, envelope),
        TerminalDialect::Atm => atm::parse(frame, forms, request, envelope),
    }
}

/// Writes an answer behind what is in `out`. With `sealed` it has room for a MAC, which is still to be made.
///
/// # Errors
/// A field does not fit its table, which is a fault of the switch; `out` is then as it was.
pub fn encode(
    request: &Request,
    envelope: &Envelope,
    answer: &Answer,
    moment: &Moment,
    forms: &Forms,
    sealed: bool,
    out: &mut BytesMut,
) -> Result<Encoded, EncodeError> {
    let start = out.len();
    let written = match &envelope.kept {
        Kept::Nothing => Ok(Encoded::default()),
        Kept::Pos(kept) => pos::encode(request, kept, answer, moment, sealed, out),
        Kept::Atm(kept) => atm::encode(request, kept, answer, moment, forms, sealed, out),
    };
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Answers frames for which there is no permit, without working on them.
#[derive(Debug)]
pub struct TurnAway {
    forms: Forms,
    quick: pos::Quick,
}

impl TurnAway {
    /// Answers cash machines as `forms` says.
    #[must_use]
    pub fn new(forms: Forms) -> Self {
        Self { forms, quick: pos::Quick::default() }
    }

    /// Answers a frame behind what is in `out`. Nothing is written if it cannot be answered.
    pub fn answer(&mut self, frame: &[u8], line: Line, moment: &Moment, out: &mut BytesMut) -> bool {
        match line.dialect {
            TerminalDialect::Pos | TerminalDialect::Epos => {
                pos::turn_away(frame, line, moment, &mut self.quick, out)
            }
            TerminalDialect::Atm => atm::turn_away(frame, moment, &self.forms, out),
        }
    }
}
