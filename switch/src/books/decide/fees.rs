//! What a merchant gets of a payment, what of it is a fee, and who gets that.

use crate::{
    books::{Books, Card, Terminal, chart::IncomeOf, event::Decided, fees},
    ledger::{Currency, Minor, Posting, Postings},
};

/// A fee, and the entry of the schedule that says so; none where the merchant's own terms do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charged {
    pub(super) fee: Minor,
    pub(super) rule: Option<u16>,
}

impl Charged {
    pub(super) fn note(self, decided: &mut Decided) {
        (decided.fee, decided.fee_rule) = (self.fee, self.rule);
    }
}

impl Books {
    /// Puts what a merchant gets of an amount, and what of it is the fee, behind the debits.
    pub(super) fn pay_merchant(
        &self,
        terminal: &Terminal,
        card: &Card,
        amount: Minor,
        currency: Currency,
        postings: &mut Postings,
    ) -> Charged {
        let payment = fees::Payment {
            currency,
            category: terminal.category,
            channel: terminal.dialect,
            product: card.product,
            merchant: terminal.merchant,
            day: self.business_day,
        };
        let charged = self.charge(&payment, amount);
        // Without an account in this currency the postings do not balance, and are refused as a whole.
        if let Some(account) = self.payable_of(terminal.merchant, currency) {
            postings.push(Posting { account, amount: amount - charged.fee });
        }
        if charged.fee != 0 {
            postings.extend(self.divide_income(IncomeOf::Payment(&payment), card.orderer, charged.fee));
        }
        charged
    }

    fn charge(&self, payment: &fees::Payment, amount: Minor) -> Charged {
        match fees::find(&self.fee_schedule, payment) {
            Some((at, rule)) => Charged { fee: rule.fee(amount), rule: Some(at) },
            None => Charged { fee: self.own_terms(payment, amount), rule: None },
        }
    }
    /// What a merchant's own terms say: a share between minimum and cap, which are amounts of its first currency.
    fn own_terms(&self, payment: &fees::Payment, amount: Minor) -> Minor {
        let merchant = &self.merchants[payment.merchant as usize];
        if self.ledger.currency(merchant.payable) == Some(payment.currency) {
            merchant.fee(amount)
        } else {
            merchant.share(amount)
        }
    }
}
