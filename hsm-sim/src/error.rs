//! Why the engine refused a command or an item of a batch.

use crate::{ComponentError, KeyBlockError, KeyUsage};

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
    /// The key exists and may do this, but not at this level of derivation: a PSAM
    /// master is never used itself, and only an authenticator's key is a PSAM's own.
    #[error("a key of usage {0} is not used at this level of derivation")]
    WrongDerivation(KeyUsage),
    /// The session's key was derived for something else.
    #[error("session is for another purpose")]
    WrongSession,
    /// A MAC key was asked for with a usage that is none.
    #[error("usage {0} is no MAC usage")]
    NotMacUsage(KeyUsage),
    /// A zone key was asked for with a usage that none has.
    #[error("usage {0} is no usage of zone keys")]
    NotZoneUsage(KeyUsage),
    /// The key's block says that it must not leave.
    #[error("key is not exportable")]
    NotExportable,
    /// The key is stronger than the one it would be under.
    #[error("key is stronger than the key it would be protected by")]
    WeakProtection,
    /// A key's version is not 0 to 99.
    #[error("key version must have at most two digits")]
    KeyVersion,
    /// The components were refused.
    #[error("key components refused")]
    Components(#[source] ComponentError),
    /// The local master key is being changed already.
    #[error("a change of the local master key is under way")]
    RotationUnderWay,
    /// The local master key is not being changed.
    #[error("no change of the local master key is under way")]
    NoRotation,
    /// The new local master key is the present one.
    #[error("the new local master key is the present one")]
    SameLmk,
    /// Of the old and the new local master key one is the well-known test key.
    #[error("the test LMK and a real one do not follow each other")]
    TestLmk,
    /// Two of a set of PSAM masters are the same key.
    #[error("PSAM masters must be different keys")]
    EqualMasters,
    /// The key block was refused.
    #[error("key block refused")]
    KeyBlock(#[source] KeyBlockError),
    /// The decrypted PIN block is not ISO format 0 for this card. It does not
    /// say where.
    #[error("PIN block malformed")]
    PinBlock,
    /// The PIN block would go on in a format that does not bind its card number, or is
    /// in one that its key's cipher does not have.
    #[error("PIN block format is not allowed here")]
    PinFormat,
    /// The decrypted track is no track 2. It does not say where.
    #[error("track malformed")]
    Track,
    /// A PIN given in clear is not 4 to 12 digits.
    #[error("PIN must have 4 to 12 digits")]
    PinLength,
    /// A card's sequence number is not 0 to 99.
    #[error("card sequence number must have at most two digits")]
    CardSequence,
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
    /// The key derived for this PSAM or transaction is weak or has equal halves.
    #[error("derived key is weak or has equal halves")]
    WeakDerivedKey,
    /// A STAN has more than six digits.
    #[error("STAN must have at most six digits")]
    StanRange,
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
