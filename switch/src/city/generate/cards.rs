//! The rows of `cards.csv`, with verification values under the city's own test keys.

use arrayvec::ArrayVec;
use hsm_sim::{Hsm, HsmError, KeyHandle, KeyUsage, Lmk, Pan, check_digit};

use super::{
    documents::Keys,
    draw::{Draws, Numbers, number},
    put,
};

pub(super) const HEADER: &str = "pan,expiry_yymm,service_code,pin,cvv,cvv2,track2,product,state,orderer,phone,\
                                 balance_general,balance_transit,balance_medical,balance_welfare,regions";

/// What every card holds at first, all purses together, minor units: 100,000.00. A load test shall not run dry.
pub(super) const OPENING_MINOR: i64 = 10_000_000;

/// National use, online authorization, PIN required: ISO/IEC 7813.
const SERVICE_CODE: &str = "520";

/// A kind of card: which product it is of, who ordered it, and what its purses hold at first.
pub(super) struct Kind {
    product: &'static str,
    bin: &'static str,
    pub(super) orderer: &'static str,
    /// General, transit, medical, welfare; minor units.
    opening: [i64; 4],
}

/// As in `products.toml` and `orderers.csv`; the first is that of most cards.
pub(super) const KINDS: [Kind; 3] = [
    Kind { product: "city", bin: "915600", orderer: "CITY", opening: [9_000_000, 1_000_000, 0, 0] },
    Kind { product: "prepaid", bin: "915610", orderer: "GIFT", opening: [10_000_000, 0, 0, 0] },
    Kind {
        product: "medical",
        bin: "915620",
        orderer: "HEALTH",
        opening: [5_000_000, 0, 4_000_000, 1_000_000],
    },
];

/// Of every sixteen cards the last is no `city` card: a prepaid and a medical one in turn.
fn kind_of(index: u64) -> usize {
    match (index % 16, index / 16 % 2) {
        (15, 0) => 1,
        (15, _) => 2,
        _ => 0,
    }
}

/// The number of a card and what else follows from its place.
struct Drawn {
    kind: usize,
    pan: ArrayVec<u8, 19>,
    bytes: [u8; 32],
}

/// Card numbers, each from the place of its card alone.
pub(super) struct CardNumbers<'a> {
    draws: &'a Draws,
    numbers: Numbers,
}

impl<'a> CardNumbers<'a> {
    pub(super) fn new(draws: &'a Draws) -> Self {
        Self { draws, numbers: Numbers::new(draws) }
    }

    /// The digits of the card at this place: 16 of them, of one card in sixteen 19.
    pub(super) fn pan(&self, index: u64) -> ArrayVec<u8, 19> {
        self.drawn(index).pan
    }

    fn drawn(&self, index: u64) -> Drawn {
        let (kind, bytes) = (kind_of(index), self.draws.card(index));
        let mut pan = ArrayVec::new();
        put!(pan, "{}{:09}", KINDS[kind].bin, self.numbers.account(index));
        if bytes[0].is_multiple_of(16) {
            put!(pan, "{:03}", number(&bytes[1..3]) % 1000);
        }
        // INVARIANT: digits have a check digit, and at most 18 of them leave room for it.
        pan.push(check_digit(&pan).expect("a card number is made of digits"));
        Drawn { kind, pan, bytes }
    }
}

/// Writes rows, and adds up what the orderers guarantee.
pub(super) struct CardWriter<'a> {
    numbers: CardNumbers<'a>,
    hsm: Hsm,
    cvk: KeyHandle,
    totals: [i64; KINDS.len()],
}

impl<'a> CardWriter<'a> {
    pub(super) fn new(draws: &'a Draws, keys: &Keys) -> Result<Self, HsmError> {
        let mut hsm = Hsm::new(Lmk::test());
        // The block is not kept, so what pads it does not matter.
        let block = hsm.import_clear_test_key(
            KeyUsage::CardVerification,
            keys.cvk(),
            &mut |padding: &mut [u8]| padding.fill(0),
        )?;
        let cvk = hsm.load_key(&block)?;
        Ok(Self { numbers: CardNumbers::new(draws), hsm, cvk, totals: [0; KINDS.len()] })
    }

    /// Opening balances of the cards written so far, by kind, minor units.
    pub(super) fn totals(&self) -> &[i64; KINDS.len()] {
        &self.totals
    }

    pub(super) fn write(&mut self, row: &mut Vec<u8>, index: u64) -> Result<(), HsmError> {
        let Drawn { kind, pan, bytes } = self.numbers.drawn(index);
        let Kind { product, orderer, opening, .. } = &KINDS[kind];
        let (year, month) = (30 + bytes[3] % 5, 1 + bytes[4] % 12);
        let (yymm, mmyy) = (two_by_two(year, month), two_by_two(month, year));
        // INVARIANT: sixteen or nineteen digits with their check digit are a card number.
        let number_of_card = Pan::parse(&pan).expect("a generated card number is one");
        let cvv = self.hsm.test_cvv(self.cvk, &number_of_card, &yymm, b"520")?;
        let cvv2 = self.hsm.test_cvv(self.cvk, &number_of_card, &mmyy, b"000")?;
        let (pan, yymm, cvv, cvv2) = (ascii(&pan), ascii(&yymm), ascii(&cvv), ascii(&cvv2));
        put!(row, "{pan},{yymm},{SERVICE_CODE},");
        write_pin(row, &bytes);
        put!(row, ",{cvv},{cvv2},{pan}={yymm}{SERVICE_CODE}{cvv}00000,{product},active,{orderer},");
        // Of three cards two have a phone; numbers that begin with 100 are nobody's.
        if !index.is_multiple_of(3) {
            put!(row, "100{index:08}");
        }
        for balance in opening {
            put!(row, ",{balance}");
        }
        row.extend_from_slice(b",\n");
        self.totals[kind] += OPENING_MINOR;
        Ok(())
    }
}

/// Half the cards have a PIN of four digits, most others one of six, one in sixteen one of twelve.
fn write_pin(row: &mut Vec<u8>, bytes: &[u8; 32]) {
    let drawn = number(&bytes[8..16]);
    match bytes[5] % 16 {
        0..8 => put!(row, "{:04}", drawn % 10_000),
        8..15 => put!(row, "{:06}", drawn % 1_000_000),
        _ => put!(row, "{:012}", drawn % 1_000_000_000_000),
    }
}

/// Two numbers below 100 as four ASCII digits.
fn two_by_two(first: u8, second: u8) -> [u8; 4] {
    [first / 10, first % 10, second / 10, second % 10].map(|digit| b'0' + digit)
}

fn ascii(digits: &[u8]) -> &str {
    // INVARIANT: only digits are passed here.
    std::str::from_utf8(digits).expect("digits are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_card_opens_with_the_same_sum() {
        for kind in KINDS {
            assert_eq!(kind.opening.iter().sum::<i64>(), OPENING_MINOR, "{}", kind.product);
        }
    }

    #[test]
    fn one_card_in_sixteen_is_of_another_product() {
        let kinds: Vec<usize> = (0..64).map(kind_of).collect();
        let of = |kind| kinds.iter().filter(|found| **found == kind).count();
        assert_eq!((of(0), of(1), of(2)), (60, 2, 2));
        assert_eq!(kinds[0], 0, "the first card is an ordinary one");
    }
}
