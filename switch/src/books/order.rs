//! Orders: what people have the switch do that no terminal asks for. Two officers sign each; whether they did stands in
//! [`crate::orders`], what follows from an order in [`super::apply`].

use arrayvec::{ArrayString, ArrayVec};
use serde::{Deserialize, Serialize};

use super::{
    Seq,
    alerts::{AlertStep, RuleId},
    decide::operations::Operation,
    lists::change::ListChange,
    packed_rules::PackedRules,
    rulebook::RuleText,
};

/// An officer's name in files, at most 32 characters.
pub type OfficerName = ArrayString<32>;

/// Signatures that an order has at most: the maker's and the checker's.
pub const SIGNATURES_MAX: usize = 2;

/// What is ordered, by when, and why.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// Drawn at random, so that no order is taken for another.
    pub id: [u8; 16],
    /// When it was made, milliseconds since 1970 UTC.
    pub made_ms: i64,
    /// Until when it may be carried out, milliseconds since 1970 UTC.
    pub expires_ms: i64,
    /// What is to be done.
    pub what: What,
    /// Why, in the maker's words.
    pub why: String,
}

/// What can be ordered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum What {
    /// Go on from an earlier record as if nothing had come behind it.
    BeginEpoch {
        /// Number of the epoch, one more than the journal's.
        epoch: u32,
        /// The last record that is kept.
        keeps: Seq,
        /// The chain's hash there.
        hash: [u8; 32],
    },
    /// What is done for a card, or with the fees, in whatever journal. Records of before orders named theirs; it is no longer
    /// carried out.
    Operate(Operation),
    /// A set of rules in files comes into force, in whatever journal; no longer carried out.
    PublishRules(Vec<RuleText>),
    /// What is done for a card, or with the fees.
    OperateIn {
        /// A place of the journal that it is for.
        journal: JournalPlace,
        /// What is done.
        operation: Operation,
    },
    /// A set of rules in files comes into force, in place of the one before: its first officer wrote it, its second approves it.
    /// Orders of before texts were packed; still carried out.
    PublishRulesIn {
        /// A place of the journal that it is for.
        journal: JournalPlace,
        /// The files.
        files: Vec<RuleText>,
    },
    /// A list by name is changed; its rows come beside the order.
    ChangeListIn {
        /// A place of the journal that it is for.
        journal: JournalPlace,
        /// What is changed.
        change: ListChange,
    },
    /// Somebody looks at an alert, or says what it was.
    HandleAlert {
        /// A place of the journal that it is for.
        journal: JournalPlace,
        /// The alert: the record of its decision.
        alert: Seq,
        /// What is done with it.
        step: AlertStep,
    },
    /// The rule of an alert has no effect for its card.
    SnoozeRule {
        /// A place of the journal that it is for.
        journal: JournalPlace,
        /// The alert.
        alert: Seq,
        /// Its rule.
        rule: RuleId,
        /// Until when, milliseconds since 1970 UTC; a time that is over ends it.
        until_ms: i64,
    },
    /// The same as [`What::PublishRulesIn`], with the texts packed.
    PublishPackedRulesIn {
        /// A place of the journal that it is for.
        journal: JournalPlace,
        /// The files.
        files: PackedRules,
    },
}

impl What {
    /// The place of the journal that it is for, if it names one.
    #[must_use]
    pub fn journal(&self) -> Option<JournalPlace> {
        match self {
            Self::OperateIn { journal, .. }
            | Self::PublishRulesIn { journal, .. }
            | Self::PublishPackedRulesIn { journal, .. }
            | Self::ChangeListIn { journal, .. }
            | Self::HandleAlert { journal, .. }
            | Self::SnoozeRule { journal, .. } => Some(*journal),
            Self::BeginEpoch { .. } | Self::Operate(_) | Self::PublishRules(_) => None,
        }
    }
}

/// A place that only one history has: where a commit ended, and the chain's hash there.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct JournalPlace {
    /// The commit's last record.
    pub record: Seq,
    /// The chain's hash there.
    pub hash: [u8; 32],
}

impl What {
    /// The word for it in tables and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::BeginEpoch { .. } => "begin_epoch",
            Self::Operate(_) | Self::OperateIn { .. } => "operate",
            Self::PublishRules(_) | Self::PublishRulesIn { .. } | Self::PublishPackedRulesIn { .. } => {
                "publish_rules"
            }
            Self::ChangeListIn { .. } => "change_list",
            Self::HandleAlert { .. } => "handle_alert",
            Self::SnoozeRule { .. } => "snooze_rule",
        }
    }

    /// How many officers have to sign it. What is said of an alert moves no money and changes no decision, and a holder's limits
    /// are the holder's to set; everything else takes two.
    #[must_use]
    pub fn signatures_needed(&self) -> usize {
        if matches!(self, Self::HandleAlert { .. }) || self.is_of_holder() { 1 } else { SIGNATURES_MAX }
    }

    /// Whether the signature of an analyst counts.
    #[must_use]
    pub fn is_of_alerts(&self) -> bool {
        matches!(self, Self::HandleAlert { .. } | Self::SnoozeRule { .. })
    }

    /// Whether the signature of a teller counts: it is the cardholder who asks for it.
    #[must_use]
    pub fn is_of_holder(&self) -> bool {
        matches!(self, Self::OperateIn { operation: Operation::SetHolderLimits { .. }, .. })
    }
}

/// An order as it was carried out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SignedOrder {
    /// What was signed.
    pub order: Order,
    /// By whom: the maker first.
    pub signatures: ArrayVec<OfficerSignature, SIGNATURES_MAX>,
}

/// One officer's signature, Ed25519 (RFC 8032).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OfficerSignature {
    /// Whose it is.
    pub officer: OfficerName,
    /// Its first half, a point.
    pub point: [u8; 32],
    /// Its second half, a number.
    pub scalar: [u8; 32],
}

/// An order that was carried out while serving, remembered until its time is over so that it is carried out once.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DoneOrder {
    /// The order's own number.
    pub id: [u8; 16],
    /// Until when it could have been carried out, milliseconds since 1970 UTC.
    pub expires_ms: i64,
}

/// A stretch of the journal's history. The first begins with the first record; every later one where people decided that
/// what had come behind a record did not count.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Epoch {
    /// Its number; the first is 1.
    pub number: u32,
    /// The record that began it.
    pub seq: Seq,
    /// When that was, milliseconds since 1970 UTC.
    pub began_ms: i64,
    /// The order, and who signed it.
    pub order: Option<SignedOrder>,
}
