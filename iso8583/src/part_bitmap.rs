//! The bitmap in front of a composite's parts.

use crate::composite::BitmapLayout;
use crate::cursor::{Cursor, Fault};
use crate::error::DecodeErrorKind;
use crate::field::Encoding;
use crate::hex;

/// Which parts there are; numbers come out ascending.
#[derive(Clone, Copy, Default)]
pub(crate) struct PartBitmap {
    /// Bit n, counted from 1, is part n.
    bits: [u8; BITMAP_BYTES_MAX],
}

/// Parts are numbered to 255.
const BITMAP_BYTES_MAX: usize = 32;

impl PartBitmap {
    /// Reads the bitmap, and where they may be continued, those behind it.
    pub(crate) fn read(cursor: &mut Cursor<'_>, layout: BitmapLayout) -> Result<PartBitmap, Fault> {
        let bytes = usize::from(layout.bytes);
        let mut bitmap = PartBitmap::default();
        let mut filled = 0;
        loop {
            let at = cursor.at();
            let Some(room) = bitmap.bits.get_mut(filled..filled + bytes) else {
                return Err(Fault { at, kind: DecodeErrorKind::UnknownPart });
            };
            fill(room, cursor, layout.encoding)?;
            let goes_on = layout.continued && room[0] & 0x80 != 0;
            if layout.continued {
                room[0] &= 0x7F;
            }
            filled += bytes;
            if !goes_on {
                // No part has the number of the last bit.
                let last = bitmap.bits[BITMAP_BYTES_MAX - 1] & 1;
                let kind = DecodeErrorKind::UnknownPart;
                return if last == 0 { Ok(bitmap) } else { Err(Fault { at, kind }) };
            }
        }
    }
}

fn fill(room: &mut [u8], cursor: &mut Cursor<'_>, encoding: Encoding) -> Result<(), Fault> {
    let at = cursor.at();
    if encoding == Encoding::Packed {
        room.copy_from_slice(cursor.take(room.len())?);
        return Ok(());
    }
    let taken = cursor.take(2 * room.len())?;
    let mut characters = [0; 2 * BITMAP_BYTES_MAX];
    let characters = &mut characters[..taken.len()];
    characters.copy_from_slice(taken);
    hex::to_ascii(encoding, characters);
    if let Some(index) = characters.iter().position(|&character| !hex::is_digit(character)) {
        return Err(Fault { at: at + index, kind: DecodeErrorKind::BadHexDigit });
    }
    room.iter_mut().zip(hex::octets(characters)).for_each(|(to, octet)| *to = octet);
    Ok(())
}

impl Iterator for PartBitmap {
    type Item = u8;

    /// Takes the lowest part number out.
    fn next(&mut self) -> Option<u8> {
        let (index, byte) = self.bits.iter_mut().enumerate().find(|(_, byte)| **byte != 0)?;
        let bit = byte.leading_zeros();
        *byte &= !(0x80 >> bit);
        u8::try_from(8 * index + bit as usize + 1).ok()
    }
}
