//! One value into bytes, by its row of the table.
//!
//! Which value may follow which is the business of `build`; the tests of these
//! functions are there too, through [`crate::Builder`].

use bytes::{BufMut, BytesMut};

use crate::content;
use crate::error::EncodeErrorKind;
use crate::spec::{Field, Length, Prefix};

/// Writes a value of bytes behind its length prefix, if the table allows it.
pub(crate) fn put_bytes(row: &Field, out: &mut BytesMut, value: &[u8]) -> Result<(), EncodeErrorKind> {
    let length = measure(row, value.len())?;
    content::check(row, length, value)
        .map_err(|fault| EncodeErrorKind::Content { index: fault.at, rule: fault.kind })?;
    put_prefix(row, out, length);
    out.put_slice(value);
    Ok(())
}

/// Packs `count` nibbles two to a byte behind their length prefix; the pad
/// nibble is zero.
pub(crate) fn put_digits(
    row: &Field,
    out: &mut BytesMut,
    count: usize,
    nibbles: impl Iterator<Item = u8>,
) -> Result<(), EncodeErrorKind> {
    let length = measure(row, count)?;
    put_prefix(row, out, length);
    let at = out.len();
    out.put_bytes(0, row.class.bytes_for(length));
    let first = usize::from(row.pads_first(length));
    let packed = &mut out[at..];
    for (index, nibble) in (first..).zip(nibbles) {
        packed[index / 2] |= if index.is_multiple_of(2) { nibble << 4 } else { nibble };
    }
    Ok(())
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
    match prefix {
        Prefix::Ll => out.put_u8(packed(length)),
        Prefix::Lll => out.put_slice(&[packed(length / 100), packed(length % 100)]),
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
