//! Upper-case hexadecimal without allocation, as key blocks and the UnionPay MAC
//! need it. Lower case is not accepted: a key block has exactly one spelling.

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// The two ASCII digits of one byte.
pub(crate) fn upper_byte(byte: u8) -> [u8; 2] {
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// The sixteen ASCII digits of one cipher block.
pub(crate) fn upper(block: &[u8; 8]) -> [u8; 16] {
    let mut text = [0; 16];
    for (pair, &byte) in text.chunks_exact_mut(2).zip(block) {
        pair.copy_from_slice(&upper_byte(byte));
    }
    text
}

/// Decodes upper-case digits into `bytes`; false if `text` is not exactly its
/// hexadecimal form.
pub(crate) fn decode(text: &[u8], bytes: &mut [u8]) -> bool {
    if text.len() != bytes.len() * 2 {
        return false;
    }
    for (pair, byte) in text.chunks_exact(2).zip(bytes) {
        let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else { return false };
        *byte = high << 4 | low;
    }
    true
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_round_trip() {
        for byte in 0..=u8::MAX {
            let mut back = [0];
            assert!(decode(&upper_byte(byte), &mut back));
            assert_eq!(back, [byte]);
        }
    }

    #[test]
    fn lower_case_and_wrong_lengths_are_refused() {
        for text in ["ab", "0g", "A", "ABC", ""] {
            assert!(!decode(text.as_bytes(), &mut [0]), "{text}");
        }
    }
}
