//! One value into bytes, by its row of the table.
//!
//! Which value may follow which is the business of `build`; the tests of these
//! functions are there too, through [`crate::Builder`].

use bytes::{BufMut, BytesMut};

use crate::content;
use crate::error::EncodeErrorKind;
use crate::hex;
use crate::spec::{Encoding, Field, Length, Prefix};

/// Writes a value that stays as it is, text or packed bytes, behind its length
/// prefix, if the table allows it.
pub(crate) fn put_bytes(row: &Field, out: &mut BytesMut, value: &[u8]) -> Result<(), EncodeErrorKind> {
    let length = measure(row, value.len())?;
    content::check(row, length, value)
        .map_err(|fault| EncodeErrorKind::Content { index: fault.at, rule: fault.kind })?;
    put_prefix(row, out, length);
    out.put_slice(value);
    Ok(())
}

/// Writes the bytes of a `b` field as the table says, as they are or in hex.
pub(crate) fn put_octets(
    row: &Field,
    out: &mut BytesMut,
    octets: impl ExactSizeIterator<Item = u8>,
) -> Result<(), EncodeErrorKind> {
    let length = measure(row, octets.len())?;
    put_prefix(row, out, length);
    let room = append(row, out, length);
    if row.is_hex() {
        let pairs = room.chunks_exact_mut(2).zip(octets);
        pairs.for_each(|(pair, octet)| pair.copy_from_slice(&hex::pair(octet)));
    } else {
        room.iter_mut().zip(octets).for_each(|(to, octet)| *to = octet);
    }
    Ok(())
}

/// Writes `count` digits, given as nibbles, behind their length prefix. Where
/// they are packed, the pad nibble is zero.
pub(crate) fn put_digits(
    row: &Field,
    out: &mut BytesMut,
    count: usize,
    nibbles: impl Iterator<Item = u8>,
) -> Result<(), EncodeErrorKind> {
    let length = measure(row, count)?;
    put_prefix(row, out, length);
    let room = append(row, out, length);
    match row.encoding {
        Encoding::Packed => {
            let first = usize::from(row.pads_first(length));
            for (index, nibble) in (first..).zip(nibbles) {
                room[index / 2] |= if index.is_multiple_of(2) { nibble << 4 } else { nibble };
            }
        }
        // One form goes out: the separator is `=`, whichever was given.
        Encoding::Ascii => room.iter_mut().zip(nibbles).for_each(|(to, nibble)| {
            *to = if nibble > 9 { b'=' } else { b'0' + nibble };
        }),
    }
    Ok(())
}

/// Room for a value at the end of the buffer, all zero.
fn append<'o>(row: &Field, out: &'o mut BytesMut, length: u16) -> &'o mut [u8] {
    let at = out.len();
    out.put_bytes(0, row.bytes_for(length));
    &mut out[at..]
}

/// The length as the table counts it, if the table allows it.
fn measure(row: &Field, given: usize) -> Result<u16, EncodeErrorKind> {
    let length = u16::try_from(given).ok().filter(|&length| match row.length {
        Length::Fixed(needs) => length == needs,
        Length::Variable { max, .. } => length <= max,
    });
    length.ok_or(match row.length {
        Length::Fixed(needs) => EncodeErrorKind::WrongLength { needs, given },
        Length::Variable { max, .. } => EncodeErrorKind::TooLong { max, given },
    })
}

fn put_prefix(row: &Field, out: &mut BytesMut, length: u16) {
    let Length::Variable { prefix, .. } = row.length else { return };
    #[expect(clippy::cast_possible_truncation, reason = "two decimal digits, at most 0x99")]
    let packed = |two_digits: u16| (((two_digits / 10) << 4) | (two_digits % 10)) as u8;
    let ascii = |power: u16| b'0' + (length / power % 10) as u8;
    match (prefix, row.encoding) {
        (Prefix::Ll, Encoding::Packed) => out.put_u8(packed(length)),
        (Prefix::Lll, Encoding::Packed) => out.put_slice(&[packed(length / 100), packed(length % 100)]),
        (Prefix::Ll, Encoding::Ascii) => out.put_slice(&[ascii(10), ascii(1)]),
        (Prefix::Lll, Encoding::Ascii) => out.put_slice(&[ascii(100), ascii(10), ascii(1)]),
    }
}

/// The nibble of an ASCII digit or of a track separator, written `=` or `D`.
pub(crate) fn ascii_nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'=' | b'D' => Some(0x0D),
        _ => None,
    }
}
