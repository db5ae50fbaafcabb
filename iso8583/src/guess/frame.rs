//! Whether bytes begin with a length of some form, judged by what follows it.

use std::ops::Range;

use super::evidence::Reason;
use super::fault::{Fault, FaultKind};
use crate::MESSAGE_BYTES_MAX;
use crate::framing::{Framer, LengthHeader, Next};

/// The longest frame there is reason to believe in: the longest message and its headers. A number above it is not
/// even told, since it may be anything.
pub(super) const FRAME_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 128;

/// What became of a length.
pub(super) enum Framed {
    /// It says what follows; without a length there is nothing to say.
    Exact(Range<usize>, Option<Reason>),
    /// It says something else, but the frame might be cut short, or something else might follow.
    Loose(Range<usize>, Fault),
    /// It is no length of this form.
    Refused(Fault),
}

pub(super) fn cut(bytes: &[u8], length: Option<LengthHeader>) -> Framed {
    let Some(length) = length else { return Framed::Exact(0..bytes.len(), None) };
    let refused = |offset, kind| Framed::Refused(Fault { offset, kind });
    let start = length.bytes();
    let says = match length.read(bytes) {
        Err(at) => return refused(at, FaultKind::NotALength { form: length.form() }),
        Ok(None) => return refused(0, FaultKind::NoRoomForLength { needs: start, left: bytes.len() }),
        Ok(Some(says)) => says,
    };
    let follow = bytes.len() - start;
    match length.following(says) {
        None => refused(0, FaultKind::LessThanItself),
        Some(0) => refused(0, FaultKind::EmptyFrame),
        Some(frame) if frame > FRAME_BYTES_MAX => refused(0, FaultKind::LengthTooLarge),
        Some(frame) if frame == follow => {
            Framed::Exact(start..bytes.len(), Some(Reason::LengthMatches { says, follow }))
        }
        Some(frame) if frame < follow => match frames(length, bytes) {
            Some(frames) => Framed::Exact(start..start + frame, Some(Reason::SeveralFrames { says, frames })),
            None => Framed::Loose(start..start + frame, Fault::length(says, frame, follow)),
        },
        Some(frame) => Framed::Loose(start..bytes.len(), Fault::length(says, frame, follow)),
    }
}

/// How many frames the bytes are, if they are nothing but frames.
fn frames(length: LengthHeader, bytes: &[u8]) -> Option<usize> {
    let framer = Framer::new(length, FRAME_BYTES_MAX);
    let (mut at, mut frames) = (0, 0);
    while at < bytes.len() {
        let Next::Frame(frame) = framer.next(&bytes[at..]) else { return None };
        at += frame.end;
        frames += 1;
    }
    Some(frames)
}
