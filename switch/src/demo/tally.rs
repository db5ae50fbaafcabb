//! The terminals' own account of the day: what they were told was approved, by whose card and in whose till it is.
//!
//! It knows the merchants' terms from `merchants.csv` and nothing of the switch. What the files of the day say must be
//! the same. Amounts are minor units. Start at [`Tally::sold`].

use std::collections::BTreeMap;

use crate::city::City;

/// What the cards of an orderer paid (below zero) and got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Issuer {
    pub(super) rows: i64,
    pub(super) debits_count: i64,
    pub(super) debits: i64,
    pub(super) credits_count: i64,
    pub(super) credits: i64,
}

/// What a merchant or an acquirer is owed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Payee {
    pub(super) given_count: i64,
    pub(super) given: i64,
    pub(super) back_count: i64,
    pub(super) back: i64,
    pub(super) fees: i64,
    pub(super) net: i64,
}

/// What a merchant pays for being paid by card.
#[derive(Clone, Copy)]
struct Terms {
    /// Hundredths of a percent.
    share: i64,
    min: i64,
    max: i64,
}

/// A purchase, and how much of it has gone back before.
#[derive(Clone, Copy)]
pub(super) struct Sale {
    pub(super) amount: i64,
    pub(super) back: i64,
}

/// The account.
pub(super) struct Tally {
    terms: BTreeMap<String, Terms>,
    pub(super) issuers: BTreeMap<String, Issuer>,
    pub(super) merchants: BTreeMap<String, Payee>,
    pub(super) acquirers: BTreeMap<String, Payee>,
}

impl Tally {
    /// Nothing yet, in this city. Every orderer has a file, whether its cards are used or not.
    pub(super) fn new(city: &City) -> Self {
        let terms = city.merchants.iter().map(|merchant| {
            let terms = Terms { share: merchant.fee_bp.into(), min: merchant.fee_min, max: merchant.fee_max };
            (name(&merchant.merchant_id), terms)
        });
        let issuers = city.orderers.iter().map(|orderer| (orderer.orderer.clone(), Issuer::default()));
        Self {
            terms: terms.collect(),
            issuers: issuers.collect(),
            merchants: BTreeMap::new(),
            acquirers: BTreeMap::new(),
        }
    }

    /// A card of `issuer` paid `merchant`.
    pub(super) fn sold(&mut self, issuer: &str, merchant: &str, amount: i64) {
        let fee = self.fee(merchant, amount);
        self.card(issuer, -amount);
        let merchant = self.merchants.entry(merchant.to_owned()).or_default();
        merchant.given_count += 1;
        merchant.given += amount;
        merchant.fees += fee;
        merchant.net += amount - fee;
    }

    /// `amount` of a sale went back, and with it the merchant's fee on it.
    pub(super) fn gave_back(&mut self, issuer: &str, merchant: &str, sale: Sale, amount: i64) {
        let fee = self.fee(merchant, sale.amount);
        let fee = part(fee, sale.back + amount, sale.amount) - part(fee, sale.back, sale.amount);
        self.card(issuer, amount);
        let merchant = self.merchants.entry(merchant.to_owned()).or_default();
        merchant.back_count += 1;
        merchant.back += amount;
        merchant.fees -= fee;
        merchant.net -= amount - fee;
    }

    /// Money came onto a card of `issuer`, from its float.
    pub(super) fn loaded(&mut self, issuer: &str, amount: i64) {
        self.card(issuer, amount);
    }

    /// A machine of `acquirer` paid out cash and charged a fee on top.
    pub(super) fn drew(&mut self, issuer: &str, acquirer: &str, cash: i64, fee: i64) {
        self.card(issuer, -(cash + fee));
        let acquirer = self.acquirers.entry(acquirer.to_owned()).or_default();
        acquirer.given_count += 1;
        acquirer.given += cash;
        acquirer.fees += fee;
        acquirer.net += cash + fee;
    }

    /// A part of the cash did not come out; the fee stays.
    pub(super) fn kept(&mut self, issuer: &str, acquirer: &str, cash: i64) {
        self.card(issuer, cash);
        let acquirer = self.acquirers.entry(acquirer.to_owned()).or_default();
        acquirer.back_count += 1;
        acquirer.back += cash;
        acquirer.net -= cash;
    }

    /// A share rounded half up, between minimum and maximum, never above the amount.
    fn fee(&self, merchant: &str, amount: i64) -> i64 {
        let Some(terms) = self.terms.get(merchant) else { return 0 };
        ((amount * terms.share + 5_000) / 10_000).max(terms.min).min(terms.max).min(amount)
    }

    fn card(&mut self, issuer: &str, amount: i64) {
        let issuer = self.issuers.entry(issuer.to_owned()).or_default();
        issuer.rows += 1;
        if amount < 0 {
            issuer.debits_count += 1;
            issuer.debits += amount;
        } else {
            issuer.credits_count += 1;
            issuer.credits += amount;
        }
    }
}

/// An identifier as files have it, without the spaces that fill it up on the wire.
pub(super) fn name(id: &[u8]) -> String {
    String::from_utf8_lossy(id).trim_end().to_owned()
}

/// The fee on the first `back` of `amount`, rounded down.
fn part(fee: i64, back: i64, amount: i64) -> i64 {
    fee * back / amount
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::demo::city;

    const SHOP: &str = "898310054110001";
    const BANK: &str = "31060110";

    fn tally() -> Tally {
        let dir = tempfile::tempdir().unwrap();
        city::unpack(dir.path()).unwrap();
        Tally::new(&City::open(dir.path()).unwrap())
    }

    #[test]
    fn a_sale_that_goes_back_in_parts_leaves_no_fee() {
        let mut tally = tally();
        // 0.38 % of 25.80 is 9.804 fen, of 1.00 0.38.
        tally.sold("CITY", SHOP, 2_580);
        tally.sold("CITY", SHOP, 100);
        let shop = tally.merchants[SHOP];
        assert_eq!((shop.given_count, shop.given, shop.fees, shop.net), (2, 2_680, 10, 2_670));
        tally.gave_back("CITY", SHOP, Sale { amount: 2_580, back: 0 }, 1_000);
        // 10 × 1000 ÷ 2580 is 3.9.
        assert_eq!((tally.merchants[SHOP].fees, tally.merchants[SHOP].net), (7, 1_673));
        tally.gave_back("CITY", SHOP, Sale { amount: 2_580, back: 1_000 }, 1_580);
        let shop = tally.merchants[SHOP];
        assert_eq!((shop.back_count, shop.back, shop.fees, shop.net), (2, 2_580, 0, 100));
        let want = Issuer { rows: 4, debits_count: 2, debits: -2_680, credits_count: 2, credits: 2_580 };
        assert_eq!(tally.issuers["CITY"], want);
        assert_eq!(tally.issuers["GIFT"], Issuer::default());
    }

    #[test]
    fn cash_that_did_not_come_out_leaves_the_fee() {
        let mut tally = tally();
        tally.drew("CITY", BANK, 20_000, 150);
        tally.kept("CITY", BANK, 15_000);
        let want =
            Payee { given_count: 1, given: 20_000, back_count: 1, back: 15_000, fees: 150, net: 5_150 };
        assert_eq!(tally.acquirers[BANK], want);
        assert_eq!((tally.issuers["CITY"].debits, tally.issuers["CITY"].credits), (-20_150, 15_000));
    }
}
