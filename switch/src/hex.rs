//! Bytes as hexadecimal digits, in files and arguments that people handle.

use std::fmt::Write;

/// The bytes that these digits stand for, if there are exactly as many. Either case is taken.
#[must_use]
pub fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = pair_value(pair)?;
    }
    Some(bytes)
}

/// The bytes that these digits stand for, however many. Either case is taken.
#[must_use]
pub fn all(text: &str) -> Option<Vec<u8>> {
    let is_even = text.len().is_multiple_of(2);
    is_even.then(|| text.as_bytes().chunks_exact(2).map(pair_value).collect())?
}

fn pair_value(pair: &[u8]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(value(pair[0])? << 4 | value(pair[1])?)
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
            assert_eq!(all(text), want.map(Vec::from), "{text}");
        }
        assert_eq!((all(""), all("010203")), (Some(Vec::new()), Some(vec![1, 2, 3])));
        assert_eq!(digits(&[0, 255]), "00ff");
    }
}
