//! Rules: one declines, one approves and has people told.
//!
//! The rules are those of `fixtures/city/rules.toml`. Start at [`Play::rules`].

use super::DemoError;
use super::cast::{Desk, Role};
use super::play::{Pin, Play};
use super::process::Notice;

/// A prepaid card's purchases of a day, and where: nowhere a third time, because people would be told of that.
const PREPAID_DAY: [(Desk, &str); 5] = [
    (Desk::NewTill, "prepaid, 1st purchase of the day"),
    (Desk::Pharmacy, "2nd"),
    (Desk::Bus, "3rd"),
    (Desk::NewTill, "4th"),
    (Desk::Pharmacy, "5th"),
];

impl Play<'_> {
    pub(super) fn rules(&mut self) -> Result<(), DemoError> {
        self.report.group("Rules");
        for (desk, tried) in PREPAID_DAY {
            self.spend(desk, Role::Busy, 300, Pin::Right, "00", tried)?;
        }
        self.spend(Desk::Bus, Role::Busy, 300, Pin::Right, "65", "6th: a rule declines")?;
        for tried in ["purchase", "2nd at the same merchant"] {
            self.spend(Desk::Till, Role::Noticed, 800, Pin::Right, "00", tried)?;
        }
        self.spend(Desk::Till, Role::Noticed, 800, Pin::Right, "00", "3rd: approved, people are told")
            .map(drop)
    }

    /// Holds what `cardswitch notices` shows against what the rules should have people told.
    pub(super) fn told(&mut self, notices: &[Notice]) {
        for (role, rule, answer, tried) in [
            (Role::Busy, "prepaid-day", "65", "notices: the declined purchase"),
            (Role::Noticed, "third-at-merchant", "00", "notices: the 3rd purchase"),
        ] {
            let card = self.cast.cards[role as usize].masked();
            let of_card = notices.iter().filter(|notice| notice.card.as_deref() == Some(&card));
            let mut to: Vec<&str> = Vec::new();
            let mut as_expected = true;
            for notice in of_card {
                as_expected &= notice.rule.as_deref() == Some(rule) && notice.answer.starts_with(answer);
                to.push(&notice.to);
            }
            to.sort_unstable();
            let both = to == ["card_management", "cardholder"];
            self.report.fact(tried, "holder and issuer told", both && as_expected);
        }
    }
}
