//! Bytes as hexadecimal digits, in files and arguments that people handle.

use std::fmt::Write;

/// The bytes that these digits stand for, if there are exactly as many. Either case is taken.
#[must_use]
pub fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

/// Lower-case digits of bytes.
#[must_use]
pub fn digits(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_as_many_digits_as_asked_are_bytes() {
        let rows = [
            ("00ff", Some([0, 255])),
            ("00FF", Some([0, 255])),
            ("0ff", None),
            ("00ff0", None),
            ("+0ff", None),
            ("0é1", None),
        ];
        for (text, want) in rows {
            assert_eq!(bytes::<2>(text), want, "{text}");
        }
        assert_eq!(digits(&[0, 255]), "00ff");
    }
}
