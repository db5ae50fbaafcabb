//! Blacklists: cards, terminals, merchants and BINs that are refused, each entry with its reason and expiry.
//!
//! Where an entry came from and who added it are kept by whoever records the entry; what is here is what a
//! decision needs.

use hashbrown::HashMap;

use crate::Facts;

/// Why an entry is on a list; it decides how the request is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListReason {
    /// Reported lost; the card may be captured.
    Lost,
    /// Reported stolen; the card may be captured.
    Stolen,
    /// Suspected fraud.
    Fraud,
    /// Not to be served, for another reason.
    Restricted,
}

/// What a list entry is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// A card, by its keyed token.
    Card([u8; 16]),
    /// A terminal, by field 41.
    Terminal([u8; 8]),
    /// A merchant, by field 42.
    Merchant([u8; 15]),
    /// All cards that begin with these six digits.
    Bin(u32),
}

/// One list entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Why.
    pub reason: ListReason,
    /// Until when it is enforced, milliseconds since 1970 UTC; `None` is for ever.
    pub expires_ms: Option<i64>,
}

/// All lists.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    entries: HashMap<Subject, Entry>,
}

impl Lists {
    /// Adds an entry, or replaces the one about the same subject.
    pub fn put(&mut self, subject: Subject, entry: Entry) {
        self.entries.insert(subject, entry);
    }

    /// How many entries there are, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The reason of the first entry in force: card, then terminal, merchant, BIN.
    #[must_use]
    #[inline]
    pub fn find(&self, facts: &Facts<'_>) -> Option<ListReason> {
        if self.entries.is_empty() { None } else { self.find_any(facts) }
    }

    #[inline(never)]
    fn find_any(&self, facts: &Facts<'_>) -> Option<ListReason> {
        let subjects = [
            Subject::Card(facts.card),
            Subject::Terminal(facts.terminal),
            Subject::Merchant(facts.merchant),
            Subject::Bin(facts.bin),
        ];
        subjects.iter().find_map(|subject| self.listed(subject, facts.now_ms))
    }

    /// The reason for which this subject is listed at a time (milliseconds since 1970 UTC), if it is.
    #[must_use]
    #[inline]
    pub fn listed(&self, subject: &Subject, now_ms: i64) -> Option<ListReason> {
        if self.entries.is_empty() { None } else { self.look(subject, now_ms) }
    }

    #[inline(never)]
    fn look(&self, subject: &Subject, now_ms: i64) -> Option<ListReason> {
        let entry = self.entries.get(subject)?;
        let in_force = entry.expires_ms.is_none_or(|end| now_ms < end);
        in_force.then_some(entry.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Assessment, Counters, Day, DeclineReason, RuleSet};

    const FACTS: Facts<'static> = Facts {
        card: [7; 16],
        bin: 915_600,
        terminal: *b"T0000001",
        merchant: *b"M00000000000001",
        now_ms: 1_000,
        day: Day(0),
        card_index: 0,
        terminal_index: 0,
        merchant_index: 0,
        product: 0,
        category: 5_411,
        amount: 100,
        currency: 156,
        region: 310_101,
        card_regions: &[],
        product_regions: &[],
    };

    struct Case {
        name: &'static str,
        entries: Vec<(Subject, Entry)>,
        want: Option<DeclineReason>,
    }

    fn entry(reason: ListReason, expires_ms: Option<i64>) -> Entry {
        Entry { reason, expires_ms }
    }

    #[test]
    fn lists_decide() {
        let cases = [
            Case { name: "nothing listed passes", entries: vec![], want: None },
            Case {
                name: "another card's entry does not matter",
                entries: vec![(Subject::Card([8; 16]), entry(ListReason::Fraud, None))],
                want: None,
            },
            Case {
                name: "a listed card is declined for its reason",
                entries: vec![(Subject::Card([7; 16]), entry(ListReason::Stolen, None))],
                want: Some(DeclineReason::Stolen),
            },
            Case {
                name: "the card's reason comes before the terminal's",
                entries: vec![
                    (Subject::Terminal(*b"T0000001"), entry(ListReason::Restricted, None)),
                    (Subject::Card([7; 16]), entry(ListReason::Lost, None)),
                ],
                want: Some(DeclineReason::Lost),
            },
            Case {
                name: "an entry ends at its expiry",
                entries: vec![(Subject::Bin(915_600), entry(ListReason::Fraud, Some(1_000)))],
                want: None,
            },
            Case {
                name: "an entry holds until just before its expiry",
                entries: vec![(
                    Subject::Merchant(*b"M00000000000001"),
                    entry(ListReason::Fraud, Some(1_001)),
                )],
                want: Some(DeclineReason::Fraud),
            },
        ];
        for case in cases {
            let mut rules = RuleSet::default();
            for (subject, entry) in case.entries {
                rules.lists.put(subject, entry);
            }
            let want = Assessment { decline: case.want, ..Assessment::default() };
            assert_eq!(rules.evaluate(&FACTS, &Counters::default()), want, "{}", case.name);
        }
    }
}
