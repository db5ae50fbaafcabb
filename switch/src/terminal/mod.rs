//! The other end of the line, for people, demonstrations and tests: POS terminals, telephone terminals with a PSAM, and
//! the hosts of cash machines.
//!
//! They share nothing with the switch but the message codec and the terminal's side of the keys, so that they cannot
//! repeat a mistake of the switch. They block, and decide nothing: whether to repeat or to reverse is the caller's
//! choice.
//!
//! Start at [`PosTerminal`], [`EposTerminal`] or [`AtmHost`]; what came of a request is an [`Exchange`]. [`Sample`] has
//! the terminals and cards of a sample city.

mod amount;
mod atm;
mod card;
mod compose;
mod device;
mod epos;
mod error;
mod exchange;
mod frame;
mod line;
mod pos;
mod private_57;
mod requests;
mod sample;
mod security;
mod service;

pub use amount::{AMOUNT_MAX, AmountError, Major, parse_major};
pub use atm::{AtmHost, AtmOrder, AtmOriginal, AtmService, NewZoneKeys, UNDER_WAY_MAX};
pub use card::{CardInHand, Entry};
pub use compose::Order;
pub use device::{TIMEOUT, Terminal};
pub use epos::{EposTerminal, OneTimeKeys};
pub use error::TerminalError;
pub use exchange::Exchange;
pub use frame::{AtmForm, DIAL_RECORD, Frame};
pub use pos::PosTerminal;
pub use sample::{Sample, SampleError, TestCard};
pub use security::{Security, WorkingKeys};
pub use service::{Original, Service};

/// The currency of every amount here: CNY, ISO 4217 number 156, in fen.
pub const CURRENCY: &[u8; 3] = b"156";

#[cfg(test)]
mod tests;
