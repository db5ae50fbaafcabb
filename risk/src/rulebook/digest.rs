//! The hash by which a set of rules is known.
//!
//! Start at [`of`]. What is hashed is written down field by field, each with its length in front, so that no two sets
//! are written alike.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::outcome::{Outcome, Reason, RuleState, word};
use super::read::{Rulebook, WrittenRule};
use crate::language::on_one_line;

/// SHA-256 of a set of rules.
#[derive(Clone, Copy, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct SetHash(pub [u8; 32]);

/// Changes with every change of what is hashed.
const VERSION: &str = "cardswitch rules 1";

pub(super) fn of(book: &Rulebook) -> SetHash {
    let mut hash = Sha256::new();
    let mut text = |text: &str| {
        // A length has eight bytes on every machine.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    text(VERSION);
    text(book.currency().map_or("", |currency| currency.code));
    for list in book.lists() {
        text(&list.name);
        text(list.of.row().name);
    }
    for rule in book.evaluated() {
        rule_text(rule, &mut text);
    }
    SetHash(hash.finalize().into())
}

fn rule_text(rule: &WrittenRule, text: &mut impl FnMut(&str)) {
    text(&rule.id);
    text(&on_one_line(&rule.when));
    text(word(&Outcome::WORDS, &rule.outcome));
    text(&rule.priority.to_string());
    text(rule.reason.as_ref().map_or("", |reason| word(&Reason::WORDS, reason)));
    text(rule.notice_text.as_deref().unwrap_or_default());
    text(&rule.from.map_or_else(String::new, |day| day.0.to_string()));
    text(&rule.until.map_or_else(String::new, |day| day.0.to_string()));
    text(word(&RuleState::WORDS, &rule.state));
}

impl fmt::Display for SetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetHash({self})")
    }
}
