//! The line to the switch: one TCP connection, whole frames in and out, no wait longer than its limit.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::error::TerminalError;
use super::frame::{Frame, Framing};
use crate::clock::stopwatch;

/// An open connection and what was received on it but not yet taken.
pub(super) struct Line {
    stream: TcpStream,
    framing: Framing,
    /// Kept between waits, so that giving up in the middle of a frame does not lose its place. Never longer than
    /// one frame and one read.
    inbox: Vec<u8>,
}

impl Line {
    pub(super) fn open(
        address: SocketAddr,
        framing: Framing,
        timeout: Duration,
    ) -> Result<Self, TerminalError> {
        let stream = TcpStream::connect_timeout(&address, timeout)
            .map_err(|source| TerminalError::Connect { address, source })?;
        Self::over(stream, framing)
    }

    /// Waits, as long as it takes, for the switch to call.
    pub(super) fn accept(listener: &TcpListener, framing: Framing) -> Result<Self, TerminalError> {
        let (stream, _) = listener.accept().map_err(TerminalError::Listen)?;
        Self::over(stream, framing)
    }

    fn over(stream: TcpStream, framing: Framing) -> Result<Self, TerminalError> {
        stream.set_nodelay(true).map_err(TerminalError::Lost)?;
        Ok(Self { stream, framing, inbox: Vec::new() })
    }

    pub(super) fn send(&mut self, frame: &Frame, timeout: Duration) -> Result<(), TerminalError> {
        self.stream
            .set_write_timeout(Some(timeout))
            .and_then(|()| self.stream.write_all(frame.as_bytes()))
            .map_err(TerminalError::Lost)
    }

    /// The next frame, or `None` if none was complete at the deadline.
    pub(super) fn receive(&mut self, deadline: Instant) -> Result<Option<Frame>, TerminalError> {
        loop {
            if let Some(frame) = Frame::take_from(&mut self.inbox, self.framing)? {
                return Ok(Some(frame));
            }
            let left = deadline.saturating_duration_since(stopwatch());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left)).map_err(TerminalError::Lost)?;
            let mut room = [0; 2048];
            match self.stream.read(&mut room) {
                Ok(0) => return Err(TerminalError::Lost(io::Error::from(ErrorKind::UnexpectedEof))),
                Ok(count) => self.inbox.extend_from_slice(&room[..count]),
                Err(err) if is_pause(err.kind()) => {}
                Err(err) => return Err(TerminalError::Lost(err)),
            }
        }
    }
}

/// A wait that ended early or in time; the deadline decides what follows.
fn is_pause(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
