//! The channel: connections, frames and permits. It knows no cards and no books; what to do with a frame and
//! what to answer comes from outside, through [`hub::Hub`].
//!
//! One thread runs all connections ([`connection`]) and the stages; nothing here takes a lock.

pub mod connection;
pub mod connector;
pub mod framing;
pub mod hub;
pub mod listener;
mod shares;

use std::net::IpAddr;

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
    /// Connections that its listener accepts at once.
    pub connections_max: usize,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The peer, from this address.
    Accepted(IpAddr),
    /// The switch. Limits on connections are for those whom it does not know.
    Dialled,
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
    /// Nothing that makes sense came in the time for the first frame.
    FirstFrame,
    /// Nothing came for too long.
    Idle,
    /// The peer does not read its answers.
    OutboxFull,
    /// The switch is stopping.
    Stopping,
}

impl Disconnect {
    /// Every cause, for metric labels.
    pub const ALL: [Self; 9] = [
        Self::Peer,
        Self::Failed,
        Self::FrameTooLong,
        Self::NotALength,
        Self::FrameTimeout,
        Self::FirstFrame,
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
            Self::FirstFrame => "first_frame",
            Self::Idle => "idle",
            Self::OutboxFull => "outbox_full",
            Self::Stopping => "stopping",
        }
    }
}

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// As many connections as the listener's limit allows.
    Limit,
    /// As many connections as one source may have.
    Source,
    /// The process has no file descriptor left.
    Descriptors,
    /// The system could not accept it.
    AcceptFailed,
    /// A host that the switch dials does not answer.
    DialFailed,
}

impl Refused {
    /// Every cause, for metric labels.
    pub const ALL: [Self; 5] =
        [Self::Limit, Self::Source, Self::Descriptors, Self::AcceptFailed, Self::DialFailed];

    /// The word for this cause in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Source => "source",
            Self::Descriptors => "descriptors",
            Self::AcceptFailed => "accept_failed",
            Self::DialFailed => "dial_failed",
        }
    }
}
