//! Card verification values: CVV, CVV2 and iCVV differ only in what the caller
//! passes as expiry date and service code.

use crate::{decimalise::decimalise, des_key::DesKey, mac};
use zeroize::Zeroizing;

/// The three ASCII digits for a card.
///
/// `expiry` is YYMM as on the track (CVV, iCVV) or MMYY (CVV2); `service_code` is
/// the card's own, `000` for CVV2, `999` for iCVV. All ASCII digits, `pan` at
/// most 19. Card number, expiry and service code, filled with zeros to 32
/// digits, go through the same chain as a retail MAC.
pub(crate) fn cvv(key: &DesKey, pan: &[u8], expiry: &[u8; 4], service_code: &[u8; 3]) -> [u8; 3] {
    value_of(&mac::x919(key, &*packed(pan, expiry, service_code)))
}

/// What the chain goes over.
pub(crate) fn packed(pan: &[u8], expiry: &[u8; 4], service_code: &[u8; 3]) -> Zeroizing<[u8; 16]> {
    let mut packed = Zeroizing::new([0; 16]);
    for (place, digit) in pan.iter().chain(expiry).chain(service_code).enumerate() {
        let shift = if place % 2 == 0 { 4 } else { 0 };
        packed[place / 2] |= (digit & 15) << shift;
    }
    packed
}

/// The value out of the chain's end.
pub(crate) fn value_of(chained: &[u8; 8]) -> [u8; 3] {
    decimalise(chained)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    #[test]
    fn published_values_of_all_three_kinds_are_computed() {
        for vector in vectors::family("cvv") {
            let key = DesKey::new(&vector.input_bytes("cvk")).unwrap();
            let digits = |name| vector.input(name).as_bytes();
            let value = cvv(
                &key,
                digits("pan"),
                digits("expiry").try_into().unwrap(),
                digits("service_code").try_into().unwrap(),
            );
            assert_eq!(&value, vector.expected("cvv").as_bytes(), "{}", vector.id);
        }
    }
}
