//! The file of an order, which goes from its maker to its checker and to the switch: JSON, with times and numbers that people
//! can read.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{OfficerKey, OrderError, key::officer_name};
use crate::{
    books::{
        alerts::{AlertStep, RuleId},
        decide::operations::Operation,
        lists::{
            change::{Grounds, How, ListChange, list_name},
            key::ListKind,
        },
        order::{JournalPlace, OfficerSignature, Order, SignedOrder, What},
        packed_rules::PackedRules,
        rulebook::RuleText,
    },
    hex,
};

/// Longest file, bytes: a fee schedule fits.
pub const FILE_BYTES_MAX: u64 = 64 << 10;

/// Longest reason, characters.
const WHY_MAX: usize = 200;

/// Why an order's file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct OrderFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: OrderFileProblem,
}

/// What is wrong with an order's file.
#[derive(Debug, thiserror::Error)]
pub enum OrderFileProblem {
    /// It cannot be read or written.
    #[error("the order cannot be read or written ({0})")]
    Io(std::io::ErrorKind),
    /// It is not an order's JSON.
    #[error("it is no order: {0}")]
    Form(String),
    /// The order may not be signed like this.
    #[error(transparent)]
    Order(#[from] OrderError),
}

/// An order as JSON.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OrderText {
    /// Hex digits.
    pub id: String,
    /// RFC 3339.
    pub made: String,
    /// RFC 3339.
    pub expires: String,
    /// What is to be done.
    pub what: WhatText,
    /// Why.
    pub why: String,
    /// Signatures so far.
    pub signatures: Vec<SignatureText>,
}

/// What is to be done, as JSON.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WhatText {
    /// Go on from an earlier record.
    BeginEpoch {
        /// Its number.
        epoch: u32,
        /// The last record kept.
        keeps: u64,
        /// The chain's hash there, hex digits.
        hash: String,
    },
    /// What is done for a card, or with the fees, in whatever journal: an order of before they named theirs.
    Operate(Operation),
    /// A set of rules comes into force, in whatever journal: an order of before they named theirs.
    PublishRules(Vec<RuleText>),
    /// What is done for a card, or with the fees. Cards by the positions that `cardswitch card show` tells.
    OperateIn {
        /// A record of the journal that it is for, with which a commit ended.
        record: u64,
        /// The chain's hash there, hex digits.
        hash: String,
        /// What is done.
        operation: Operation,
    },
    /// A set of rules comes into force.
    PublishRulesIn {
        /// A record of the journal that it is for, with which a commit ended.
        record: u64,
        /// The chain's hash there, hex digits.
        hash: String,
        /// The files of the set.
        files: Vec<RuleText>,
    },
    /// A set of rules comes into force; `order show` shows it.
    PublishPackedRulesIn {
        /// A record of the journal that it is for, with which a commit ended.
        record: u64,
        /// The chain's hash there, hex digits.
        hash: String,
        /// The files of the set, packed, hex digits.
        files: String,
    },
    /// A list by name is changed, by rows in a file of their own.
    ChangeListIn {
        /// A record of the journal that it is for, with which a commit ended.
        record: u64,
        /// The chain's hash there, hex digits.
        hash: String,
        /// What is changed.
        change: ChangeText,
    },
    /// Somebody looks at an alert, or says what it was.
    HandleAlert {
        /// A record of the journal that it is for, with which a commit ended.
        record: u64,
        /// The chain's hash there, hex digits.
        hash: String,
        /// The alert: the record of its decision.
        alert: u64,
        /// What is done with it.
        step: AlertStep,
    },
    /// The rule of an alert has no effect for its card.
    SnoozeRule {
        /// A record of the journal that it is for, with which a commit ended.
        record: u64,
        /// The chain's hash there, hex digits.
        hash: String,
        /// The alert.
        alert: u64,
        /// Its rule.
        rule: RuleId,
        /// Until when, RFC 3339.
        until: String,
    },
}

/// A change of a list as JSON.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeText {
    /// The list.
    pub list: String,
    /// What it is a list of.
    pub kind: ListKind,
    /// What is done.
    pub how: How,
    /// Reasons and sources that the rows name by their place.
    pub grounds: Vec<Grounds>,
    /// How many rows there are.
    pub rows: u32,
    /// What they hash to, hex digits.
    pub rows_hash: String,
}

/// A signature as JSON.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureText {
    /// Whose it is.
    pub officer: String,
    /// 128 hex digits.
    pub signature: String,
}

/// A new order without signatures.
///
/// # Errors
/// The reason is empty, too long, or holds what may be a card number.
pub fn draft(id: [u8; 16], now_ms: i64, valid_h: u16, what: What, why: &str) -> Result<SignedOrder, String> {
    let why = why.trim();
    check_why(why)?;
    let expires_ms = now_ms + i64::from(valid_h) * 3_600_000;
    let order = Order { id, made_ms: now_ms, expires_ms, what, why: why.to_owned() };
    Ok(SignedOrder { order, signatures: Default::default() })
}

/// The journal keeps a reason for ever, and a checker's terminal shows it: no card number, nothing that moves a cursor.
fn check_why(why: &str) -> Result<(), &'static str> {
    let digits = why.bytes().filter(u8::is_ascii_digit).count();
    let fits = (1..=WHY_MAX).contains(&why.chars().count()) && !why.chars().any(char::is_control);
    if fits && digits <= 12 {
        Ok(())
    } else {
        Err("say why in 1 to 200 characters, with no card number in it: the journal keeps it for ever")
    }
}

/// Adds an officer's signature.
///
/// # Errors
/// The officer, or two others, have signed.
pub fn sign(signed: &mut SignedOrder, officer: &OfficerKey) -> Result<(), OrderError> {
    let twice = signed.signatures.iter().any(|earlier| earlier.officer.as_str() == officer.name());
    if twice || signed.signatures.is_full() {
        return Err(OrderError::Twice(officer.name().to_owned()));
    }
    signed.signatures.push(officer.sign(&signed.order));
    Ok(())
}

/// Reads an order's file. Whether its signatures are right is another question.
///
/// # Errors
/// See [`OrderFileProblem`].
pub fn read(path: &Path) -> Result<SignedOrder, OrderFileError> {
    let fault = |problem| OrderFileError { path: path.to_owned(), problem };
    let io = |error: std::io::Error| fault(OrderFileProblem::Io(error.kind()));
    if std::fs::metadata(path).map_err(io)?.len() > FILE_BYTES_MAX {
        return Err(fault(OrderFileProblem::Form(format!("more than {FILE_BYTES_MAX} bytes"))));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    parse(&bytes).map_err(|rule| fault(OrderFileProblem::Form(rule)))
}

/// Reads an order's JSON.
///
/// # Errors
/// The place or the rule that it breaks, without what stands there.
pub fn parse(json: &[u8]) -> Result<SignedOrder, String> {
    // The parser's words may quote what stands there.
    let text: OrderText = serde_json::from_slice(json)
        .map_err(|error| format!("line {}, column {}", error.line(), error.column()))?;
    text.order().map_err(str::to_owned)
}

/// Writes an order's file, whole or not at all.
///
/// # Errors
/// I/O errors.
pub fn write(path: &Path, signed: &SignedOrder) -> Result<(), OrderFileError> {
    let beside = path.with_extension("order.new");
    let text = serde_json::to_string_pretty(&OrderText::of(signed)).unwrap_or_default() + "\n";
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| OrderFileError {
        path: path.to_owned(),
        problem: OrderFileProblem::Io(error.kind()),
    })
}

impl OrderText {
    /// An order as people read it.
    #[must_use]
    pub fn of(signed: &SignedOrder) -> Self {
        let order = &signed.order;
        let what = match &order.what {
            What::BeginEpoch { epoch, keeps, hash } => {
                WhatText::BeginEpoch { epoch: *epoch, keeps: *keeps, hash: hex::digits(hash) }
            }
            What::Operate(operation) => WhatText::Operate(operation.clone()),
            What::PublishRules(files) => WhatText::PublishRules(files.clone()),
            What::OperateIn { journal, operation } => WhatText::OperateIn {
                record: journal.record,
                hash: hex::digits(&journal.hash),
                operation: operation.clone(),
            },
            What::PublishRulesIn { journal, files } => WhatText::PublishRulesIn {
                record: journal.record,
                hash: hex::digits(&journal.hash),
                files: files.clone(),
            },
            What::PublishPackedRulesIn { journal, files } => WhatText::PublishPackedRulesIn {
                record: journal.record,
                hash: hex::digits(&journal.hash),
                files: hex::digits(&files.0),
            },
            What::ChangeListIn { journal, change } => WhatText::ChangeListIn {
                record: journal.record,
                hash: hex::digits(&journal.hash),
                change: ChangeText::of(change),
            },
            What::HandleAlert { journal, alert, step } => WhatText::HandleAlert {
                record: journal.record,
                hash: hex::digits(&journal.hash),
                alert: *alert,
                step: *step,
            },
            What::SnoozeRule { journal, alert, rule, until_ms } => WhatText::SnoozeRule {
                record: journal.record,
                hash: hex::digits(&journal.hash),
                alert: *alert,
                rule: *rule,
                until: rfc3339(*until_ms),
            },
        };
        let signature = |signature: &OfficerSignature| SignatureText {
            officer: signature.officer.to_string(),
            signature: hex::digits(&signature.point) + &hex::digits(&signature.scalar),
        };
        Self {
            id: hex::digits(&order.id),
            made: rfc3339(order.made_ms),
            expires: rfc3339(order.expires_ms),
            what,
            why: order.why.clone(),
            signatures: signed.signatures.iter().map(signature).collect(),
        }
    }

    /// The order that this is the text of.
    ///
    /// # Errors
    /// The first part that is none.
    pub fn order(&self) -> Result<SignedOrder, &'static str> {
        check_why(&self.why)?;
        let what = match &self.what {
            WhatText::BeginEpoch { epoch, keeps, hash } => What::BeginEpoch {
                epoch: *epoch,
                keeps: *keeps,
                hash: hex::bytes(hash).ok_or("what.begin_epoch.hash must be 64 hex digits")?,
            },
            WhatText::Operate(operation) => What::Operate(operation.clone()),
            WhatText::PublishRules(files) => What::PublishRules(files.clone()),
            WhatText::OperateIn { record, hash, operation } => {
                let journal = place(*record, hash, "what.operate_in.hash must be 64 hex digits")?;
                What::OperateIn { journal, operation: operation.clone() }
            }
            WhatText::PublishRulesIn { record, hash, files } => {
                let journal = place(*record, hash, "what.publish_rules_in.hash must be 64 hex digits")?;
                What::PublishRulesIn { journal, files: files.clone() }
            }
            WhatText::PublishPackedRulesIn { record, hash, files } => {
                let journal =
                    place(*record, hash, "what.publish_packed_rules_in.hash must be 64 hex digits")?;
                let packed =
                    hex::all(files).ok_or("what.publish_packed_rules_in.files must be hex digits")?;
                What::PublishPackedRulesIn { journal, files: PackedRules(packed) }
            }
            WhatText::ChangeListIn { record, hash, change } => {
                let journal = place(*record, hash, "what.change_list_in.hash must be 64 hex digits")?;
                What::ChangeListIn { journal, change: change.change()? }
            }
            WhatText::HandleAlert { record, hash, alert, step } => {
                let journal = place(*record, hash, "what.handle_alert.hash must be 64 hex digits")?;
                if matches!(step, AlertStep::Assign(to) if officer_name(to).is_none()) {
                    return Err("what.handle_alert.step.assign must be a name of letters, digits, - and _");
                }
                What::HandleAlert { journal, alert: *alert, step: *step }
            }
            WhatText::SnoozeRule { record, hash, alert, rule, until } => {
                let journal = place(*record, hash, "what.snooze_rule.hash must be 64 hex digits")?;
                if officer_name(rule).is_none() {
                    return Err("what.snooze_rule.rule must be a rule's name");
                }
                let until_ms = unix_ms(until)
                    .ok_or("what.snooze_rule.until must be a time such as 2026-11-22T13:00:00Z")?;
                What::SnoozeRule { journal, alert: *alert, rule: *rule, until_ms }
            }
        };
        let order = Order {
            id: hex::bytes(&self.id).ok_or("id must be 32 hex digits")?,
            made_ms: unix_ms(&self.made).ok_or("made must be a time such as 2026-11-22T13:00:00Z")?,
            expires_ms: unix_ms(&self.expires)
                .ok_or("expires must be a time such as 2026-11-22T13:00:00Z")?,
            what,
            why: self.why.clone(),
        };
        let mut signed = SignedOrder { order, signatures: Default::default() };
        for text in &self.signatures {
            let signature = text.signature().ok_or("a signature must be a name and 128 hex digits")?;
            signed.signatures.try_push(signature).map_err(|_| "an order has two signatures at most")?;
        }
        Ok(signed)
    }
}

impl ChangeText {
    fn of(change: &ListChange) -> Self {
        let ListChange { list, kind, how, grounds, rows, hash } = change;
        let (list, rows_hash) = (list.to_string(), hex::digits(hash));
        Self { list, kind: *kind, how: *how, grounds: grounds.clone(), rows: *rows, rows_hash }
    }

    /// The change that this is the text of.
    ///
    /// # Errors
    /// The first part that is none.
    pub fn change(&self) -> Result<ListChange, &'static str> {
        let change = ListChange {
            list: list_name(&self.list).ok_or("what.change_list_in.change.list is no list's name")?,
            kind: self.kind,
            how: self.how,
            grounds: self.grounds.clone(),
            rows: self.rows,
            hash: hex::bytes(&self.rows_hash)
                .ok_or("what.change_list_in.change.rows_hash must be 64 hex digits")?,
        };
        let wrong = "what.change_list_in.change has grounds or rows that no change may have";
        if change.is_well_formed() { Ok(change) } else { Err(wrong) }
    }
}

fn place(record: u64, hash: &str, rule: &'static str) -> Result<JournalPlace, &'static str> {
    Ok(JournalPlace { record, hash: hex::bytes(hash).ok_or(rule)? })
}

impl SignatureText {
    fn signature(&self) -> Option<OfficerSignature> {
        let (point, scalar) = self.signature.split_at_checked(64)?;
        Some(OfficerSignature {
            officer: officer_name(&self.officer)?,
            point: hex::bytes(point)?,
            scalar: hex::bytes(scalar)?,
        })
    }
}

fn rfc3339(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms).map_or_else(|_| String::new(), |time| time.to_string())
}

fn unix_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}
