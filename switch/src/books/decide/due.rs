//! What time brings without a request: the end of the business day, the end of a hold.

use crate::{
    books::{Books, event::Event},
    clock::Moment,
};

impl Books {
    /// The next thing that is due at this time, if anything is.
    #[must_use]
    pub fn due(&self, now: &Moment) -> Option<Event> {
        let day = now.business_day(self.policy.cut_over_minute);
        if day > self.business_day {
            return Some(Event::CutOver { opens: day });
        }
        let (expires_ms, hold) = self.ledger.holds().next_expiry()?;
        if expires_ms > now.unix_ms() {
            return None;
        }
        let amount = self.ledger.holds().find(hold)?.total();
        let original = self.originals.holding(hold).unwrap_or_default();
        Some(Event::HoldExpired { hold, original, amount })
    }
}
