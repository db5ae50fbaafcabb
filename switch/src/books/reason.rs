//! Why a request was answered as it was: one list for all dialects.
//!
//! Each dialect maps a reason to its own response code by a table; the books never see a response code. The
//! discriminants are stored in events, so they are never reused or renumbered.

use serde::{Deserialize, Serialize};

/// The outcome of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Reason {
    /// Done as asked.
    Approved,
    /// The message cannot be understood, or a field it needs is missing.
    FormatError,
    /// Field 41 names no terminal.
    TerminalUnknown,
    /// The terminal is suspended, or is not what its record says (dialect, listener).
    TerminalNotPermitted,
    /// The MAC is missing or wrong.
    MacFailed,
    /// There are no working keys for this terminal.
    SignInAgain,
    /// More sign-ins than the limit within a minute.
    TooManySignIns,
    /// Field 42 is not the terminal's merchant, or the merchant is suspended.
    InvalidMerchant,
    /// The switch does not support this transaction.
    Unsupported,
    /// The transaction makes no sense as asked, for example in a currency that no purse holds.
    InvalidTransaction,
    /// The amount is zero.
    InvalidAmount,
    /// No such card, or its number fails the check digit.
    NoSuchCard,
    /// The card, or the date on its track, has expired.
    Expired,
    /// Reported lost.
    Lost,
    /// Reported stolen.
    Stolen,
    /// Blocked or listed.
    Restricted,
    /// Issued and never loaded.
    NotActive,
    /// The card verification value, or the two card numbers in one message, disagree.
    VerificationFailed,
    /// Too many wrong PINs.
    PinTriesExceeded,
    /// The PIN is wrong.
    WrongPin,
    /// A PIN is needed and none came.
    PinRequired,
    /// The PIN block is malformed or of a format that is not accepted.
    PinFormat,
    /// A list says fraud.
    SuspectedFraud,
    /// Above a maximum.
    AmountLimit,
    /// The purses, the float or the load line do not hold enough.
    InsufficientFunds,
    /// The same key as an earlier request, another amount or card.
    DuplicateDiffers,
    /// The original came after its reversal.
    LateOriginal,
    /// A reversal names another amount than its original.
    AmountDiffers,
    /// A reversal names another card or kind than its original.
    NoOriginal,
    /// All permits are taken.
    Overloaded,
    /// A fault of the switch.
    SystemError,
    /// More often than a rule allows.
    CountLimit,
    /// A message that was sent before, under the same one-time key.
    Replay,
    /// Telephone number, PSAM and terminal do not belong together.
    BindingMismatch,
    /// The PSAM is unknown or revoked, or field 57 does not name one.
    PsamNotPermitted,
    /// The acquirer has not signed on, or has signed off.
    NotSignedOn,
    /// The message names this switch as its acquirer.
    Reflected,
    /// Field 7 is too far from the switch's time to tell a repeat from a recording.
    TimeOutOfRange,
    /// New zone keys that are no proper key blocks, or an earlier key.
    KeyRefused,
    /// Less than was asked: what there was.
    PartlyApproved,
    /// A rule suspects fraud and wants the card kept.
    CaptureFraud,
    /// A rule wants the card kept.
    Capture,
    /// The cardholder has shut this channel.
    NotPermittedToHolder,
}

impl Reason {
    /// Every reason, for tables and metric labels.
    pub const ALL: [Self; 43] = [
        Self::Approved,
        Self::FormatError,
        Self::TerminalUnknown,
        Self::TerminalNotPermitted,
        Self::MacFailed,
        Self::SignInAgain,
        Self::TooManySignIns,
        Self::InvalidMerchant,
        Self::Unsupported,
        Self::InvalidTransaction,
        Self::InvalidAmount,
        Self::NoSuchCard,
        Self::Expired,
        Self::Lost,
        Self::Stolen,
        Self::Restricted,
        Self::NotActive,
        Self::VerificationFailed,
        Self::PinTriesExceeded,
        Self::WrongPin,
        Self::PinRequired,
        Self::PinFormat,
        Self::SuspectedFraud,
        Self::AmountLimit,
        Self::InsufficientFunds,
        Self::DuplicateDiffers,
        Self::LateOriginal,
        Self::AmountDiffers,
        Self::NoOriginal,
        Self::Overloaded,
        Self::SystemError,
        Self::CountLimit,
        Self::Replay,
        Self::BindingMismatch,
        Self::PsamNotPermitted,
        Self::NotSignedOn,
        Self::Reflected,
        Self::TimeOutOfRange,
        Self::KeyRefused,
        Self::PartlyApproved,
        Self::CaptureFraud,
        Self::Capture,
        Self::NotPermittedToHolder,
    ];

    /// The word for this reason in metrics, tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::FormatError => "format_error",
            Self::TerminalUnknown => "terminal_unknown",
            Self::TerminalNotPermitted => "terminal_not_permitted",
            Self::MacFailed => "mac_failed",
            Self::SignInAgain => "sign_in_again",
            Self::TooManySignIns => "too_many_sign_ins",
            Self::InvalidMerchant => "invalid_merchant",
            Self::Unsupported => "unsupported",
            Self::InvalidTransaction => "invalid_transaction",
            Self::InvalidAmount => "invalid_amount",
            Self::NoSuchCard => "no_such_card",
            Self::Expired => "expired",
            Self::Lost => "lost",
            Self::Stolen => "stolen",
            Self::Restricted => "restricted",
            Self::NotActive => "not_active",
            Self::VerificationFailed => "verification_failed",
            Self::PinTriesExceeded => "pin_tries_exceeded",
            Self::WrongPin => "wrong_pin",
            Self::PinRequired => "pin_required",
            Self::PinFormat => "pin_format",
            Self::SuspectedFraud => "suspected_fraud",
            Self::AmountLimit => "amount_limit",
            Self::InsufficientFunds => "insufficient_funds",
            Self::DuplicateDiffers => "duplicate_differs",
            Self::LateOriginal => "late_original",
            Self::AmountDiffers => "amount_differs",
            Self::NoOriginal => "no_original",
            Self::Overloaded => "overloaded",
            Self::SystemError => "system_error",
            Self::CountLimit => "count_limit",
            Self::Replay => "replay",
            Self::BindingMismatch => "binding_mismatch",
            Self::PsamNotPermitted => "psam_not_permitted",
            Self::NotSignedOn => "not_signed_on",
            Self::Reflected => "reflected",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::KeyRefused => "key_refused",
            Self::PartlyApproved => "partly_approved",
            Self::CaptureFraud => "capture_fraud",
            Self::Capture => "capture",
            Self::NotPermittedToHolder => "not_permitted_to_holder",
        }
    }

    /// Whether what was asked was done, if only in part.
    #[must_use]
    pub fn is_approval(self) -> bool {
        matches!(self, Self::Approved | Self::PartlyApproved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_reason_once_in_order() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index, "{}", reason.name());
        }
        let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
