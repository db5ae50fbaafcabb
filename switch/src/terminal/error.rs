//! Why a terminal could not do what was asked, and what to do next.

use std::io;
use std::net::SocketAddr;

use hsm_sim::emulator::EmulatorError;
use iso8583::{DecodeError, EncodeError};

/// Why there is no [`Exchange`](super::Exchange). A decline or a missing answer is none of these: it is an exchange.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Nobody listens there.
    #[error("cannot connect to {address}; start the switch, or name its port for this dialect")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The switch did not call, or could not be heard.
    #[error("cannot take the switch's call")]
    Listen(#[source] io::Error),
    /// Nothing was connected yet.
    #[error("terminal is not connected; connect it first")]
    NotConnected,
    /// The connection broke or was closed while an answer was awaited. What became of the request is unknown.
    #[error("connection broke before the answer came; connect again, then repeat or reverse the request")]
    Lost(#[source] io::Error),
    /// What stands where a frame's length must stand is none.
    #[error("frame without a length; switch and host disagree on how lengths are written")]
    NotALength,
    /// The switch sent bytes that are no answer.
    #[error("answer does not decode; reverse the request and report this")]
    Answer(#[source] DecodeError),
    /// The sign-in was approved, but without keys in the form asked for.
    #[error("sign-in answer has no working keys; the switch and the terminal disagree on the dialect")]
    NoKeysInAnswer,
    /// The sign-in of a PSAM was approved, but without a nonce to answer.
    #[error("sign-in answer has no nonce; the switch and the terminal disagree on the dialect")]
    NoNonceInAnswer,
    /// A telephone number that is none.
    #[error("telephone number must be 1 to 15 digits")]
    Phone,
    /// The working keys could not be taken over.
    #[error("working keys are refused; check that terminal and switch have the same terminal master key")]
    KeysRefused(#[source] EmulatorError),
    /// A PIN block or MAC could not be made.
    #[error("keys cannot be used; sign in first, and check the PIN's length")]
    Keys(#[source] EmulatorError),
    /// A field does not take what was given for it.
    #[error("request cannot be built; correct the value of that field")]
    Compose(#[source] EncodeError),
    /// The amount is negative or has more than twelve digits.
    #[error("amount must lie between 0.00 and 9999999999.99")]
    Amount,
    /// A fee is negative or has more than eight digits.
    #[error("fee must lie between 0.00 and 999999.99")]
    Fee,
    /// A swipe or a tap of a card without a track.
    #[error("card has no track to read; type its number in")]
    NoTrack,
    /// A request without the field that was to be changed.
    #[error("request has no field {0} to change; name one that it has")]
    NoField(u8),
    /// The exchange to be reversed is one that no reversal can take back.
    #[error("such a request cannot be reversed; balances, refunds and advices move nothing to take back")]
    NotReversible,
}
