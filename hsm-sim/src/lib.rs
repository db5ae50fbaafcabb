//! A software HSM for test and development: typed commands in, typed answers
//! out, over keys that nobody outside this crate ever sees.
//!
//! This crate performs no I/O, reads no clock, logs nothing and takes its
//! randomness as an argument. It knows nothing of ISO 8583, terminals or
//! accounts. It is software: never FIPS 140, never PCI HSM, and its
//! single-message DES uses tables, so an attacker who shares the processor's
//! caches is out of scope.
//!
//! Start at [`Hsm`]. Outside it a key is either a [`KeyBlock`] (TR-31 version D
//! under the [`Lmk`]) or a [`KeyHandle`]; inside it unwrapped keys sit in a
//! bounded cache and are wiped when they leave it. The hot path is the batch
//! calls, each item under its own key ([`commands`]); nothing of an item stays in
//! memory behind them.
//!
//! Keys come in as [`KeyComponent`]s or under key block protection keys
//! ([`Hsm::import_key`]), leave only if their block says so, and go from one local
//! master key to the next ([`Hsm::begin_rotation`]). Which algorithms there are, by
//! which standards, is in the package's README. Nothing here remembers what was
//! used; [`ReplayGuard`] does, for whoever accepts messages.
//!
//! Features: `emulator` adds the other side of the keys (terminal, PSAM, ATM
//! host), `test-keys` the import of clear keys and the making of card values, both
//! only for sample data; `cli` adds the program and its check of known answers.

mod aes_key;
mod bitslice;
#[cfg(any(test, feature = "cli"))]
pub mod check;
mod cmac;
pub mod commands;
mod components;
mod cvv;
mod decimalise;
mod derived_cache;
mod des_key;
mod dukpt;
mod dukpt_aes;
#[cfg(any(test, feature = "emulator"))]
pub mod emulator;
mod emv;
mod entropy;
mod error;
mod hex;
mod hsm;
mod key_block;
mod key_cache;
mod key_table;
mod lmk;
mod mac;
mod pan;
mod pin;
mod psam;
mod purse;
mod replay_guard;
mod schedule;
mod session_table;
mod stack;
mod token;
mod tr31;
mod track;
mod usage;
#[cfg(test)]
mod vectors;
mod zone_master;

pub use bitslice::DesEngine;
pub use commands::{
    ArpcRequest, ArqcCheck, CvvCheck, EncryptedPin, ImportedKey, KeyRef, MacCheck, MacRequest, OffsetCheck,
    OffsetRequest, PinCheck, PinTranslation, PurseLoad, PursePurchase, PvvRequest, SessionRequest, TacCheck,
    TokenRequest, TrackRequest, WorkingKeyRequest, WorkingKeys,
};
pub use components::{ComponentError, ComponentForm, KeyComponent};
pub use dukpt::{Direction, Ksn, KsnError};
pub use dukpt_aes::AesKsn;
pub use emv::{Arpc, CryptogramVersion, IssuerResponse};
pub use entropy::Entropy;
pub use error::HsmError;
pub use hsm::{
    Hsm,
    exchange::{ExportOptions, KeyOptions},
};
pub use key_block::{KEY_BLOCK_MAX, KeyBlock, KeyBlockError, TRANSPORT_BLOCK_MAX, TransportBlock};
pub use key_table::{HsmLimits, KeyHandle};
pub use lmk::Lmk;
pub use mac::MacAlgorithm;
pub use pan::{Pan, PanError, check_digit};
pub use pin::{
    formats::{PinBlock, PinFormat},
    offset::{DecimalisationTable, DecimalisationTableError, PinOffset, ValidationData},
};
pub use psam::{PsamNumber, PsamNumberError};
pub use purse::PurseCard;
pub use replay_guard::{Factor, ReplayError, ReplayGuard};
pub use session_table::{SESSIONS_MAX, SessionHandle, SessionPurpose};
pub use token::PanToken;
pub use track::Track2;
pub use usage::KeyUsage;
