//! Reading and writing that more than one dialect needs: a field that must be there, digits as numbers, field 54.

use std::ops::Range;

use arrayvec::ArrayVec;
use iso8583::{Digits, Message};

use super::FormatFault;
use crate::ledger::{Currency, Minor};

/// A value that was read from a field, or what is wrong with that field.
pub(super) fn need<T>(message: &Message<'_>, field: u8, value: Option<T>) -> Result<T, FormatFault> {
    value.ok_or_else(|| match message.start(field) {
        Some(offset) => FormatFault::Meaningless { field, offset },
        None => FormatFault::Missing(field),
    })
}

/// A fault in a field that is there.
pub(super) fn meaningless(message: &Message<'_>, field: u8) -> FormatFault {
    FormatFault::Meaningless { field, offset: message.start(field).unwrap_or_default() }
}

/// The first `N` digits in ASCII, which is more than the table lets through.
pub(super) fn ascii<const N: usize>(digits: Digits<'_>) -> ArrayVec<u8, N> {
    digits.iter().take(N).map(|digit| if digit <= 9 { b'0' + digit } else { digit }).collect()
}

/// ASCII digits as a number.
pub(super) fn number_at(digits: &[u8], range: Range<usize>) -> Option<u32> {
    u32::try_from(long_number_at(digits, range)?).ok()
}

/// ASCII digits as a large number.
pub(super) fn long_number_at(digits: &[u8], range: Range<usize>) -> Option<u64> {
    digits.get(range)?.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Field 49: three digits that a dialect may write as text.
pub(super) fn currency(message: &Message<'_>) -> Option<Currency> {
    Currency::try_from(long_number_at(message.text(49)?, 0..3)?).ok()
}

/// Field 37 of a request: the RRN of an earlier answer, which is twelve digits.
pub(super) fn rrn(message: &Message<'_>) -> Option<u64> {
    long_number_at(message.text(37)?, 0..12)
}

/// Field 38 of a request: the approval code of an earlier answer, which is six digits.
pub(super) fn approval(message: &Message<'_>) -> Option<u32> {
    number_at(message.text(38)?, 0..6)
}

/// The last `N` digits of a number, in ASCII.
pub(super) fn decimal<const N: usize>(mut value: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    digits
}

/// Amount type of field 54: the ledger balance, holds included.
pub(super) const LEDGER: u8 = b'1';
/// Amount type of field 54: what can be spent.
pub(super) const AVAILABLE: u8 = b'2';

/// ISO 8583 field 54: account type 00, amount type, currency, sign, twelve digits.
pub(super) fn balance_item(amount_type: u8, currency: Currency, balance: Minor) -> [u8; 20] {
    let mut item = *b"0000000C000000000000";
    item[3] = amount_type;
    item[4..7].copy_from_slice(&decimal::<3>(u64::from(currency)));
    if balance < 0 {
        item[7] = b'D';
    }
    item[8..].copy_from_slice(&decimal::<12>(balance.unsigned_abs()));
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_balance_says_so() {
        assert_eq!(&balance_item(AVAILABLE, 156, -12_345), b"0002156D000000012345");
        assert_eq!(&balance_item(LEDGER, 36, 0), b"0001036C000000000000");
    }

    #[test]
    fn digits_are_a_number_only_if_all_of_them_are() {
        assert_eq!(number_at(b"004299", 0..6), Some(4_299));
        assert_eq!(number_at(b"0042x9", 0..6), None);
        assert_eq!(number_at(b"0042", 0..6), None, "too few");
        assert_eq!(number_at(b"9999999999", 0..10), None, "more than 32 bits");
        assert_eq!(long_number_at(b"632507000042", 0..12), Some(632_507_000_042));
    }
}
