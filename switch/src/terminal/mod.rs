//! The other end of the line: a POS terminal for people, demonstrations and tests.
//!
//! It shares nothing with the switch but the message codec and the terminal's side of the keys, so that it cannot
//! repeat a mistake of the switch. It blocks, keeps one request under way, and decides nothing: whether to repeat
//! or to reverse is the caller's choice.
//!
//! Start at [`PosTerminal`]; what came of a request is an [`Exchange`]. [`Sample`] has the terminals and cards of a
//! sample city.

mod amount;
mod card;
mod compose;
mod error;
mod exchange;
mod frame;
mod line;
mod pos;
mod sample;

pub use amount::{AMOUNT_MAX, AmountError, Major, parse_major};
pub use card::{CardInHand, Entry};
pub use compose::Service;
pub use error::TerminalError;
pub use exchange::Exchange;
pub use frame::Frame;
pub use pos::{PosTerminal, TIMEOUT};
pub use sample::{Sample, SampleError, TestCard};

/// The currency of every amount here: CNY, ISO 4217 number 156, in fen.
pub const CURRENCY: &[u8; 3] = b"156";

#[cfg(test)]
mod tests;
