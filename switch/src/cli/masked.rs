//! What is typed comes back in complaints about it. Whoever mistook the place of an argument may have typed a card number or
//! a key there, and complaints end up in logs.
//!
//! Start at [`digits`] and [`typed`].

/// Digits in a row that may be a card number. Retrieval references have twelve.
const CARD_NUMBER_MIN: usize = 13;

/// Hexadecimal digits in a row that may be half a key.
const KEY_MIN: usize = 16;

/// A text without what may be a card number.
pub(super) fn digits(text: &str) -> String {
    without(text, |byte| byte.is_ascii_digit(), CARD_NUMBER_MIN)
}

/// A text about arguments, without what may be a card number or a key.
pub(super) fn typed(text: &str) -> String {
    without(&digits(text), |byte| byte.is_ascii_hexdigit(), KEY_MIN)
}

/// A text with `…` in place of each run of at least so many of these characters. Single blanks and hyphens between them
/// do not end a run of digits as people write them.
fn without(text: &str, is_one: impl Fn(u8) -> bool, min: usize) -> String {
    let bytes = text.as_bytes();
    let (mut shown, mut at, mut kept) = (String::with_capacity(text.len()), 0, 0);
    while at < bytes.len() {
        let (end, count) = run(&bytes[at..], &is_one);
        if count >= min {
            // Runs begin and end with ASCII, so both are borders of characters.
            shown.push_str(&text[kept..at]);
            shown.push('…');
            kept = at + end;
        }
        at += end.max(1);
    }
    shown.push_str(&text[kept..]);
    shown
}

/// How long the run at the beginning is, and how many of the characters are in it.
fn run(bytes: &[u8], is_one: &impl Fn(u8) -> bool) -> (usize, usize) {
    let (mut end, mut count, mut at) = (0, 0, 0);
    while let Some(byte) = bytes.get(at) {
        if is_one(*byte) {
            (end, count) = (at + 1, count + 1);
        } else if !(matches!(byte, b' ' | b'-') && end == at && count > 0) {
            break;
        }
        at += 1;
    }
    (end, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_card_number_is_not_shown_and_what_is_none_is() {
        let rows = [
            ("invalid value '9156003355800035' for '--first <DAY>'", "invalid value '…' for '--first <DAY>'"),
            ("9156 0033 5580 0035 is no day", "… is no day"),
            ("9156-0033-5580-0035", "…"),
            ("no transaction 632606000110", "no transaction 632606000110"),
            ("2026-11-21 is not over", "2026-11-21 is not over"),
            ("915600…0035 – ä1234567890123ö", "915600…0035 – ä…ö"),
            ("", ""),
        ];
        for (text, want) in rows {
            assert_eq!(digits(text), want);
        }
    }

    #[test]
    fn what_may_be_a_key_is_not_shown_of_what_was_typed() {
        let rows = [
            ("unrecognized subcommand '0123456789ABCDEFfedcba9876543210'", "unrecognized subcommand '…'"),
            ("invalid value 'facade' for '--usage <USAGE>'", "invalid value 'facade' for '--usage <USAGE>'"),
        ];
        for (text, want) in rows {
            assert_eq!(typed(text), want);
        }
    }
}
