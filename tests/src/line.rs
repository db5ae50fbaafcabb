//! One connection to a switch, blocking, with a time limit on everything.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use crate::terminal::Answer;

/// Longer than anything takes on a busy machine; what takes this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait for something that must not come.
pub const SILENCE: Duration = Duration::from_millis(150);

/// A connection, and what was read and not yet taken.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Line {
    /// Connects.
    #[must_use]
    pub fn connect(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&to, PATIENCE).expect("the switch accepts"))
    }

    /// Over a stream that is connected.
    #[must_use]
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP option");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the switch reads");
    }

    /// Sends bytes; `false` if the switch has gone.
    #[must_use]
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("a connected stream");
    }

    /// The next answer; `None` if the switch closed the connection.
    pub fn receive(&mut self) -> Option<Answer> {
        loop {
            if let Some(answer) = self.take() {
                return Some(answer);
            }
            match self.read(PATIENCE) {
                Got::Bytes => {}
                Got::Closed => return None,
                Got::Nothing => panic!("no answer in {PATIENCE:?}"),
            }
        }
    }

    /// The next answer if one comes within that time.
    pub fn receive_within(&mut self, time: Duration) -> Option<Answer> {
        loop {
            if let Some(answer) = self.take() {
                return Some(answer);
            }
            if self.read(time) != Got::Bytes {
                return None;
            }
        }
    }

    /// As many answers as asked for.
    pub fn receive_many(&mut self, count: usize) -> Vec<Answer> {
        (0..count).map(|at| self.receive().unwrap_or_else(|| panic!("answer {at} of {count}"))).collect()
    }

    /// An answer that has been read already.
    pub fn take(&mut self) -> Option<Answer> {
        let length = usize::from(u16::from_be_bytes(*self.unread.first_chunk()?));
        let frame = self.unread.get(..length + 2)?;
        let answer = Answer::read(frame);
        self.unread.drain(..length + 2);
        Some(answer)
    }

    /// Whether the switch closes the connection within that time without another answer.
    pub fn is_closed_within(&mut self, time: Duration) -> bool {
        assert!(self.take().is_none(), "an answer nobody has looked at");
        loop {
            match self.read(time) {
                Got::Closed => return true,
                Got::Nothing => return false,
                Got::Bytes => {}
            }
        }
    }

    fn read(&mut self, time: Duration) -> Got {
        self.stream.set_read_timeout(Some(time)).expect("a time limit");
        let mut bytes = [0; 16 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => Got::Closed,
            Ok(count) => {
                self.unread.extend_from_slice(&bytes[..count]);
                Got::Bytes
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Got::Nothing,
            // Reset: it has gone all the same.
            Err(_) => Got::Closed,
        }
    }
}

#[derive(Eq, PartialEq)]
enum Got {
    Bytes,
    Closed,
    Nothing,
}
