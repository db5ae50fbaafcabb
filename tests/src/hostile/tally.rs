//! What the attackers threw, and what came back to them.

use std::collections::BTreeMap;

/// Counts of one phase.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Connections to the ports of terminals.
    pub opened: u64,
    /// Connections to the admin port.
    pub opened_admin: u64,
    /// Connections that did not come about.
    pub not_opened: u64,
    /// Connections that the switch ended.
    pub closed_by_switch: u64,
    /// Frames that the switch must have counted: whole ones, on connections that ended in good order.
    pub frames: u64,
    /// Frames and pieces of which nobody can say whether the switch came to them.
    pub pieces: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Answers by field 39.
    pub answers: BTreeMap<String, u64>,
    /// Answers that do not decode: a fault of the switch.
    pub unreadable: u64,
    /// Answers of the admin port by status.
    pub pages: BTreeMap<u16, u64>,
}

impl Tally {
    /// Answers of whatever code.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answers.values().sum()
    }

    /// The codes, the most frequent first.
    #[must_use]
    pub fn codes(&self) -> Vec<(&str, u64)> {
        let mut codes: Vec<(&str, u64)> =
            self.answers.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        codes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        codes
    }
}
