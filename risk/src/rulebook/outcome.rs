//! What a rule wants done, and what a set says together.
//!
//! Start at [`Verdict`].

use crate::language::{Hits, RuleBits};

/// What a rule wants done, weakest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// Nothing; that it fired is on record.
    Pass,
    /// Approve, and tell somebody.
    ApproveAndNotify,
    /// Decline, and tell somebody.
    DeclineAndNotify,
    /// Decline, and keep the card.
    DeclineAndCapture,
}

/// For what reason a rule declines; response codes are the dialects' affair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// Suspected fraud (59).
    SuspectedFraud,
    /// An amount above its limit (61).
    AmountLimit,
    /// A count above its limit (65).
    CountLimit,
    /// Restricted (62).
    Restricted,
    /// Lost (41).
    Lost,
    /// Stolen (43).
    Stolen,
}

/// How far a rule has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RuleState {
    /// Checked and not evaluated.
    Draft,
    /// Evaluated, without effect.
    Shadow,
    /// Evaluated, with effect.
    Live,
    /// No longer evaluated.
    Off,
}

/// What a set of rules says of one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// The strongest outcome of the live rules that fired.
    pub outcome: Outcome,
    /// The first rule in order with that outcome, by its place; none if none fired.
    pub rule: Option<usize>,
    /// What became of every rule, shadow ones included.
    pub hits: Hits,
}

impl Outcome {
    /// All of them with their words in a file.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("pass", Self::Pass),
        ("approve_and_notify", Self::ApproveAndNotify),
        ("decline_and_notify", Self::DeclineAndNotify),
        ("decline_and_capture", Self::DeclineAndCapture),
    ];

    /// Whether it declines.
    #[must_use]
    pub fn declines(self) -> bool {
        self >= Self::DeclineAndNotify
    }
}

impl Reason {
    /// All of them with their words in a file.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("suspected_fraud", Self::SuspectedFraud),
        ("amount_limit", Self::AmountLimit),
        ("count_limit", Self::CountLimit),
        ("restricted", Self::Restricted),
        ("lost", Self::Lost),
        ("stolen", Self::Stolen),
    ];
}

impl RuleState {
    /// All of them with their words in a file.
    pub const WORDS: [(&'static str, Self); 4] =
        [("draft", Self::Draft), ("shadow", Self::Shadow), ("live", Self::Live), ("off", Self::Off)];

    /// Whether a rule in this state is evaluated.
    #[must_use]
    pub fn is_evaluated(self) -> bool {
        matches!(self, Self::Shadow | Self::Live)
    }
}

/// The word of a value.
pub(super) fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| *word)
}

/// Which live rules want what, so that a verdict looks at bits alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wishes([RuleBits; 4]);

impl Wishes {
    pub(super) fn add(&mut self, place: usize, outcome: Outcome) {
        self.0[outcome as usize].set(place);
    }

    pub(super) fn verdict(&self, hits: Hits) -> Verdict {
        let strongest = Outcome::WORDS.iter().rev().find_map(|(_, outcome)| {
            let rule = self.0[*outcome as usize].and(&hits.fired).first()?;
            Some((*outcome, rule))
        });
        Verdict {
            outcome: strongest.map_or(Outcome::Pass, |(outcome, _)| outcome),
            rule: strongest.map(|(_, rule)| rule),
            hits,
        }
    }
}
