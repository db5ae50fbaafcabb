//! One shot: bytes made of what is in the arsenal, behind a length that is right or wrong.

use bytes::{BufMut, BytesMut};
use cardswitch::{
    books::event::TerminalDialect,
    channel::framing::{self, LengthForm},
};

use super::{arsenal::Stock, kind::Kind};
use crate::random::Random;

/// Longest body of random bytes, and of what is put behind a frame.
const RANDOM_MAX: u64 = 512;
/// The most bits that are flipped in a frame.
const FLIPS_MAX: u64 = 8;

/// How a dialect of the sample city writes lengths.
#[must_use]
pub fn length_form(dialect: TerminalDialect) -> LengthForm {
    match dialect {
        TerminalDialect::Atm => LengthForm::Ascii,
        _ => LengthForm::Binary,
    }
}

/// Puts one shot of a kind behind what is in `out`.
pub fn put(kind: Kind, dialect: TerminalDialect, stock: &Stock, random: &mut Random, out: &mut BytesMut) {
    let form = length_form(dialect);
    match kind {
        Kind::RandomBytes if random.below(2) == 0 => out.put_slice(&noise(random)),
        Kind::RandomBytes => framing::put(form, &noise(random), out),
        Kind::MutatedFrames => framing::put(form, &mutated(&stock.material, random), out),
        Kind::SignIns => framing::put(form, one(&stock.sign_ins, random), out),
        Kind::KeepAlives if random.below(2) == 0 => framing::put(form, &[], out),
        Kind::KeepAlives => framing::put(form, one(&stock.echoes, random), out),
        Kind::Lengths => put_length(form, random, out),
        _ => framing::put(form, one(&stock.recorded, random), out),
    }
}

/// The beginning of a real frame: at least a byte, never all of it.
#[must_use]
pub fn beginning(dialect: TerminalDialect, stock: &Stock, random: &mut Random) -> Vec<u8> {
    let mut frame = BytesMut::new();
    framing::put(length_form(dialect), one(&stock.material, random), &mut frame);
    frame.truncate(1 + random.index(frame.len() - 1));
    frame.to_vec()
}

fn one<'a>(frames: &'a [Vec<u8>], random: &mut Random) -> &'a [u8] {
    match frames {
        [] => &[],
        frames => &frames[random.index(frames.len())],
    }
}

fn noise(random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0; 1 + random.index(usize::try_from(RANDOM_MAX).expect("a length"))];
    random.fill(&mut bytes);
    bytes
}

/// A frame with bits flipped, cut, with noise behind it, with two parts exchanged, or with another's end.
fn mutated(material: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut frame = one(material, random).to_vec();
    if frame.is_empty() {
        return noise(random);
    }
    let at = random.index(frame.len());
    match random.below(5) {
        0 => {
            for _ in 0..=random.below(FLIPS_MAX) {
                let at = random.index(frame.len());
                frame[at] ^= 1 << random.below(8);
            }
        }
        1 => frame.truncate(at),
        2 => frame.extend(noise(random)),
        3 => frame.rotate_left(at),
        _ => {
            let other = one(material, random);
            frame.truncate(at);
            frame.extend_from_slice(&other[at.min(other.len())..]);
        }
    }
    frame
}

/// A length of zero with nothing behind it; seldom the longest allowed, one more, or the largest that can be written,
/// with a little behind it: those end the connection.
fn put_length(form: LengthForm, random: &mut Random, out: &mut BytesMut) {
    let length = match random.below(64) {
        0 => 4_096,
        1 => 4_097,
        2 => 9_999,
        3 => u16::MAX,
        _ => return framing::put(form, &[], out),
    };
    match form {
        LengthForm::Binary => out.put_u16(length),
        LengthForm::Ascii => out.put_slice(format!("{:04}", length.min(9_999)).as_bytes()),
    }
    out.put_slice(&noise(random));
}

#[cfg(test)]
mod tests {
    use cardswitch::channel::framing::Next;

    use super::*;

    fn stock() -> Stock {
        let frames = vec![(0..60).collect::<Vec<u8>>(), vec![1; 90]];
        Stock { recorded: frames.clone(), material: frames.clone(), sign_ins: frames.clone(), echoes: frames }
    }

    #[test]
    fn what_is_well_framed_is_one_whole_frame_a_shot() {
        let mut random = Random::new(7);
        for dialect in [TerminalDialect::Pos, TerminalDialect::Atm] {
            for kind in Kind::ALL.into_iter().filter(|kind| kind.is_well_framed()) {
                for _ in 0..500 {
                    let mut out = BytesMut::new();
                    put(kind, dialect, &stock(), &mut random, &mut out);
                    let next = framing::next(length_form(dialect), &out, 4_096);
                    assert!(matches!(next, Next::Frame(_, end) if end == out.len()), "{kind:?}");
                }
            }
        }
    }

    #[test]
    fn a_beginning_is_never_a_whole_frame() {
        let mut random = Random::new(8);
        for _ in 0..500 {
            let bytes = beginning(TerminalDialect::Pos, &stock(), &mut random);
            assert!(!bytes.is_empty());
            assert_eq!(framing::next(LengthForm::Binary, &bytes, 4_096), Next::Incomplete);
        }
    }

    #[test]
    fn lengths_are_mostly_zero_and_sometimes_too_long() {
        let (mut random, mut empty, mut long) = (Random::new(9), 0, 0);
        for _ in 0..2_000 {
            let mut out = BytesMut::new();
            put(Kind::Lengths, TerminalDialect::Atm, &stock(), &mut random, &mut out);
            match framing::next(LengthForm::Ascii, &out, 4_096) {
                Next::Frame([], 4) => empty += 1,
                Next::TooLong => long += 1,
                _ => {}
            }
        }
        assert!(empty > 1_500 && long > 30, "{empty} {long}");
    }
}
