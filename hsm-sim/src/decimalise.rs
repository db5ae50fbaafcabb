//! Digits out of a cipher block, the way Visa's PVV and the CVV both take them.

/// The first `N` decimal digits of `block` as ASCII.
///
/// First pass: its hexadecimal digits 0–9 from the left. If there are fewer than
/// `N`, second pass: A–F from the left, as 0–5. Sixteen digits are enough for
/// any `N` up to 16.
pub(crate) fn decimalise<const N: usize>(block: &[u8; 8]) -> [u8; N] {
    const { assert!(N <= 16) };
    let nibbles = || block.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let decimal = nibbles().filter(|digit| *digit <= 9);
    let letters = nibbles().filter(|digit| *digit > 9).map(|digit| digit - 10);
    let mut digits = [b'0'; N];
    for (out, digit) in digits.iter_mut().zip(decimal.chain(letters)) {
        *out += digit;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_only_after_all_decimal_digits() {
        let case = |block: u64| decimalise::<4>(&block.to_be_bytes());
        assert_eq!(&case(0x1234_5678_9ABC_DEF0), b"1234");
        assert_eq!(&case(0xABCD_EF1A_BCDE_FABC), b"1012");
        assert_eq!(&case(0xFEDC_BAFE_DCBA_FEDC), b"5432");
    }
}
