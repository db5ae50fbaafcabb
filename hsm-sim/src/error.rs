//! Why the engine refused a command or an item of a batch.

use crate::{KeyBlockError, KeyUsage};

/// The rule that was broken, never the bytes that broke it.
///
/// Each variant is one answer of a host command, so that a payShield-style
/// two-digit code can be given for it (`VerificationFailed` is 01, for example).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HsmError {
    /// The MAC, PIN or card value does not match.
    #[error("verification failed")]
    VerificationFailed,
    /// The handle was never given out, or its key was unloaded.
    #[error("no key under this handle")]
    NoSuchKey,
    /// The key exists but may not do this.
    #[error("a key of usage {have} cannot be used as {need}")]
    WrongUsage {
        /// The key's own usage.
        have: KeyUsage,
        /// What the command needs.
        need: KeyUsage,
    },
    /// A MAC key was asked for with a usage that is none.
    #[error("usage {0} is no MAC usage")]
    NotMacUsage(KeyUsage),
    /// The key block was refused.
    #[error("key block refused")]
    KeyBlock(#[source] KeyBlockError),
    /// The decrypted PIN block is not ISO format 0 for this card. It does not
    /// say where.
    #[error("PIN block malformed")]
    PinBlock,
    /// A PIN given in clear is not 4 to 12 digits.
    #[error("PIN must have 4 to 12 digits")]
    PinLength,
    /// The PVV key index is not 0 to 9.
    #[error("PVV key index must be one digit")]
    PvvKeyIndex,
    /// An expiry date or service code has a character that is no digit.
    #[error("expiry date and service code must be digits")]
    NotDigits,
    /// A MAC over nothing: zero padding would make it the same for every caller.
    #[error("message to authenticate is empty")]
    EmptyMessage,
    /// The key is weak, semi-weak, possibly weak, or has equal parts.
    #[error("key is weak or has equal halves")]
    WeakKey,
    /// The key has a length its usage does not allow.
    #[error("key has a wrong length for its usage")]
    KeyLength,
    /// The command exists only under the well-known test LMK.
    #[error("allowed only under the test LMK")]
    NotTestMode,
    /// Every key slot is taken.
    #[error("key table is full")]
    TableFull,
}

impl From<KeyBlockError> for HsmError {
    fn from(error: KeyBlockError) -> Self {
        Self::KeyBlock(error)
    }
}
