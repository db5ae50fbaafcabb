//! Why there is nothing to measure, and what to do about it.

use std::{io, net::SocketAddr};

use cardswitch::{
    city::CityError,
    terminal::{SampleError, TerminalError},
};

use super::arguments::Dialect;

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Arguments that contradict each other or reality.
    #[error("{0}")]
    Usage(String),
    /// The city's files.
    #[error("city cannot be read; name its folder with --city")]
    City(#[from] CityError),
    /// The city's keys or terminals.
    #[error("city cannot be used; name its folder with --city")]
    Sample(#[from] SampleError),
    /// More connections than terminals.
    #[error(
        "{wanted} connections need as many usable {dialect} terminals, and the city has {found}; take fewer, or make a \
         larger city: cardswitch city generate --cards 10000 --terminals {enough} --psams {psams} --seed 1 --out DIR"
    )]
    TooFewTerminals {
        /// What they speak.
        dialect: Dialect,
        /// Connections asked for.
        wanted: usize,
        /// Terminals that may be used.
        found: usize,
        /// Terminals of a city that has enough of this dialect.
        enough: usize,
        /// PSAMs of such a city.
        psams: usize,
    },
    /// No card to pay with.
    #[error(
        "city has no card that could pay: active, not listed, with money, among the first {0} of cards.csv"
    )]
    NoCards(usize),
    /// A terminal could not be set up or built no message.
    #[error("{terminal} cannot be used")]
    Terminal {
        /// Field 41, or field 32 of a host.
        terminal: String,
        /// Why.
        #[source]
        source: TerminalError,
    },
    /// The sign-in was not approved.
    #[error("{terminal}: sign-in answered {code}: {hint}")]
    SignIn {
        /// Field 41, or field 32 of a host.
        terminal: String,
        /// Field 39, or `--` without an answer.
        code: String,
        /// What that means here.
        hint: &'static str,
    },
    /// A connection of the timed part.
    #[error("cannot connect to {address}; start the switch, or name its port for this dialect with --to")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system refuses something.
    #[error("{what}")]
    System {
        /// What was wanted of it.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The admin port.
    #[error("metrics cannot be read from {address}; name the admin port, or leave --admin out")]
    Admin {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl LoadError {
    /// The exit code: 64 for what is to be corrected here, 69 for a switch that is not there or refuses.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::SignIn { .. } | Self::Connect { .. } | Self::Admin { .. } | Self::System { .. } => 69,
            Self::Terminal { source, .. } if !matches!(source, TerminalError::Keys(_)) => 69,
            _ => 64,
        }
    }

    /// The hint to a sign-in's response code.
    #[must_use]
    pub fn hint(code: &[u8; 2]) -> &'static str {
        match code {
            b"97" => {
                "the switch does not know this terminal; it serves another city than --city, or was not imported anew"
            }
            b"58" => {
                "not permitted: another dialect's port, an ecb terminal on a listener that is not private, or another city"
            }
            b"03" => {
                "the switch has this terminal at another merchant, so it serves another city than --city"
            }
            b"65" => "too many sign-ins; wait a minute, or raise books.sign_ins_per_minute",
            b"77" => {
                "the switch refuses the sign-in's answer to its nonce; it may serve another city than --city"
            }
            b"A0" => "the switch has other keys; it serves another city than --city",
            b"94" => "an earlier sign-on had a later time; wait until the clock has passed it",
            b"96" => "the switch has no room or is at fault; look at its log",
            b"12" => "the clocks of switch and load generator differ",
            b"--" => "no answer came in time; is that a switch, and its port for this dialect?",
            _ => "see the response codes in docs/dialect-pos.md",
        }
    }

    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
