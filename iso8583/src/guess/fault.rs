//! What is wrong with a guess, where, and what that usually means.

use std::fmt;

use crate::error::{DecodeError, DecodeErrorKind, FieldPath};
use crate::framing::LengthForm;
use crate::header::{HeaderError, HeaderErrorKind};

/// The first thing that is wrong with a guess.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The byte that shows it, counted from the first of all; never more than their count.
    pub offset: usize,
    /// What is wrong there.
    pub kind: FaultKind,
}

/// What can be wrong with a guess.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// A byte that no length of this form has.
    NotALength {
        /// How the length should have been written.
        form: LengthForm,
    },
    /// Fewer bytes than a length has.
    NoRoomForLength {
        /// Bytes of the length.
        needs: usize,
        /// Bytes there are.
        left: usize,
    },
    /// A length that should count itself and says less than its own bytes.
    LessThanItself,
    /// A length of nothing.
    EmptyFrame,
    /// A length above what any message has.
    LengthTooLarge,
    /// A length that says something else than follows.
    LengthDiffers {
        /// The number it says.
        says: u32,
        /// Bytes that must follow if it is right: less than it says if it counts its own.
        wants: usize,
        /// Bytes that do follow.
        follow: usize,
    },
    /// Not the header that was tried.
    Header {
        /// Which.
        name: &'static str,
        /// Which rule it broke.
        kind: HeaderErrorKind,
    },
    /// The specification does not fit the message.
    Decode {
        /// The part of the message.
        path: FieldPath,
        /// Which rule it broke.
        kind: DecodeErrorKind,
    },
}

impl Fault {
    pub(super) fn length(says: u32, wants: usize, follow: usize) -> Fault {
        Fault { offset: 0, kind: FaultKind::LengthDiffers { says, wants, follow } }
    }

    pub(super) fn header(error: HeaderError, frame_at: usize) -> Fault {
        let HeaderError { header, offset, kind } = error;
        Fault { offset: frame_at + offset, kind: FaultKind::Header { name: header, kind } }
    }

    pub(super) fn decode(error: DecodeError, message_at: usize) -> Fault {
        let DecodeError { path, offset, kind } = error;
        Fault { offset: message_at + offset, kind: FaultKind::Decode { path, kind } }
    }

    /// What it usually means, for somebody who sees such bytes for the first time.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match &self.kind {
            FaultKind::LengthDiffers { wants, follow, .. } => Some(if wants > follow {
                "part of the frame is missing, or these bytes are no length"
            } else {
                "something follows the frame (a line feed, a trailer, half a frame), or the length leaves out some headers"
            }),
            FaultKind::LessThanItself | FaultKind::EmptyFrame => {
                Some("an empty frame keeps a connection alive and carries no message")
            }
            FaultKind::Decode { path, kind } => decode_hint(*path, kind),
            _ => None,
        }
    }
}

fn decode_hint(path: FieldPath, kind: &DecodeErrorKind) -> Option<&'static str> {
    use DecodeErrorKind::*;
    match (path, kind) {
        (FieldPath::Mti, _) => Some(
            "an MTI such as 0200 is the bytes 02 00 in BCD, 30 32 30 30 in ASCII, F0 F2 F0 F0 in EBCDIC: \
             the message begins elsewhere or is written otherwise",
        ),
        (FieldPath::Bitmap, TooShort { .. }) => Some("the message ends before its bitmap does"),
        (FieldPath::Bitmap, _) => {
            Some("a bitmap is 8 bytes in binary, 16 characters 0 to 9 and A to F in hex")
        }
        (_, UnknownField) => Some(
            "the bitmap promises a field that this specification lacks: another specification, or no bitmap at all",
        ),
        (_, BadLengthPrefix | LengthOverMax { .. }) => Some(
            "a length that makes no sense mostly means that a field before it has another length or encoding",
        ),
        (_, TooShort { .. }) => Some(
            "the message ends inside this field: cut off, or a field before it has another length or encoding",
        ),
        (FieldPath::Message, TrailingBytes(_)) => {
            Some("the fields end before the message does: a field has another length, or a trailer follows")
        }
        (_, BadDigit | BadTrackDigit | BadCharacter | BadHexDigit) => Some(
            "the field is written otherwise, or does not stand here because one before it has another length",
        ),
        _ => None,
    }
}

/// Where, and what.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.offset;
        match &self.kind {
            FaultKind::NotALength { form } => {
                let what = match form {
                    LengthForm::Ascii => "no decimal character (30 to 39)",
                    LengthForm::Bcd => "not two decimal digits",
                    LengthForm::Hex => "no hex character",
                    LengthForm::Binary => "no number",
                };
                write!(f, "byte {at} is {what}")
            }
            FaultKind::NoRoomForLength { needs, left } => {
                write!(f, "a length has {needs} bytes, and there are {left}")
            }
            FaultKind::LessThanItself => {
                write!(f, "byte {at}: a length that counts itself says less than its own bytes")
            }
            FaultKind::EmptyFrame => write!(f, "byte {at}: a length of nothing"),
            FaultKind::LengthTooLarge => write!(f, "byte {at}: a length longer than any message"),
            FaultKind::LengthDiffers { says, wants, follow } if usize::try_from(*says) == Ok(*wants) => {
                write!(f, "byte {at}: length header says {says}, {follow} follow")
            }
            FaultKind::LengthDiffers { says, follow, .. } => {
                write!(f, "byte {at}: length header says {says}, its own bytes among them, {follow} follow")
            }
            FaultKind::Header { name, kind } => write!(f, "{name} at byte {at}: {kind}"),
            // In a wrong guess a length is made of bytes that were never meant as one.
            FaultKind::Decode { path, kind: DecodeErrorKind::LengthOverMax { max, .. } } => {
                write!(f, "{path} at byte {at}: length is over the maximum of {max}")
            }
            FaultKind::Decode { path, kind } => write!(f, "{path} at byte {at}: {kind}"),
        }
    }
}
