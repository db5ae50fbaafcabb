//! What a switch had before something was done to it, and what must be told and must not have moved afterwards.

use cardswitch::{books::Card, ledger::Account};

use crate::in_process::{InProcess, metric};

/// See the module. Begin one, attack, ask.
#[derive(Debug)]
pub struct Watch<'a> {
    switch: &'a InProcess,
    seq: u64,
    page: String,
    accounts: Vec<Account>,
    cards: Vec<Card>,
}

impl<'a> Watch<'a> {
    /// Everything as it is now.
    #[must_use]
    pub fn begin(switch: &'a InProcess) -> Self {
        let (seq, accounts, cards) = state(switch);
        Self { switch, seq, page: switch.page(), accounts, cards }
    }

    /// By how much a metric has risen since.
    #[must_use]
    pub fn risen(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.switch.metric(name, labels) - metric(&self.page, name, labels)
    }

    /// So many answers of a dialect were given for this reason.
    pub fn answered(&self, dialect: &str, reason: &str, times: u64) {
        let labels = [("dialect", dialect), ("reason", reason)];
        assert_eq!(
            self.risen("cardswitch_answers_total", &labels),
            times,
            "answers of {dialect} for {reason}"
        );
    }

    /// So many frames got no answer for this reason.
    pub fn dropped(&self, why: &str, times: u64) {
        let (name, labels) = ("cardswitch_frames_dropped_total", [("why", why)]);
        self.switch.wait_for_metric(name, &labels, metric(&self.page, name, &labels) + times);
        assert_eq!(self.risen(name, &labels), times, "frames dropped: {why}");
    }

    /// The journal has these records more, and no other. A new business day is nobody's doing.
    pub fn recorded(&self, names: &[&str]) {
        let mut events = self.switch.events_after(self.seq);
        events.retain(|event| event.name() != "cut_over");
        assert_eq!(events.iter().map(|event| event.name()).collect::<Vec<_>>(), names, "records");
    }

    /// No account and no card has changed: balances, holds, states, PINs and their tries.
    pub fn nothing_moved(&self) {
        let (_, accounts, cards) = state(self.switch);
        assert_eq!(accounts, self.accounts, "what accounts hold");
        assert!(cards == self.cards, "a card has changed");
        self.switch.check_ledger();
    }

    /// All of it: so many answers for this reason, these records, and nothing moved.
    pub fn ends(&self, (dialect, reason, times): (&str, &str, u64), records: &[&str]) {
        self.answered(dialect, reason, times);
        self.recorded(records);
        self.nothing_moved();
    }
}

fn state(switch: &InProcess) -> (u64, Vec<Account>, Vec<Card>) {
    switch.look(|books| (books.seq(), books.ledger().accounts().to_vec(), books.cards().to_vec()))
}
