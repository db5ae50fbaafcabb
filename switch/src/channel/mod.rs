//! The channel: connections, frames and permits. It knows no cards and no books; what to do with a frame and
//! what to answer comes from outside, through [`hub::Hub`].
//!
//! One thread runs all connections ([`connection`]) and the stages; nothing here takes a lock.

pub mod connection;
pub mod connector;
pub mod framing;
pub mod hub;
pub mod listener;

use crate::{batch::Line, config::LengthForm};

/// Names a connection for as long as it lives; the place is used again, the generation is not.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ConnectionId {
    /// Place in the table of connections.
    pub place: u32,
    /// Counts the connections that had this place.
    pub generation: u32,
}

/// What is common to all connections of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// How a frame's length is written.
    pub length: LengthForm,
    /// What its frames come over; the stages want to know.
    pub line: Line,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disconnect {
    /// The peer closed it.
    Peer,
    /// Reading or writing failed.
    Failed,
    /// A length above the maximum: where the next frame begins is unknown.
    FrameTooLong,
    /// No length where one must stand.
    NotALength,
    /// A frame was begun and not finished in time.
    FrameTimeout,
    /// Nothing came for too long.
    Idle,
    /// The peer does not read its answers.
    OutboxFull,
    /// The switch is stopping.
    Stopping,
}

impl Disconnect {
    /// Every cause, for metric labels.
    pub const ALL: [Self; 8] = [
        Self::Peer,
        Self::Failed,
        Self::FrameTooLong,
        Self::NotALength,
        Self::FrameTimeout,
        Self::Idle,
        Self::OutboxFull,
        Self::Stopping,
    ];

    /// The word for this cause in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Failed => "failed",
            Self::FrameTooLong => "frame_too_long",
            Self::NotALength => "not_a_length",
            Self::FrameTimeout => "frame_timeout",
            Self::Idle => "idle",
            Self::OutboxFull => "outbox_full",
            Self::Stopping => "stopping",
        }
    }
}

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// As many connections as the limit allows.
    Limit,
    /// The system could not accept it.
    AcceptFailed,
    /// A host that the switch dials does not answer.
    DialFailed,
}
