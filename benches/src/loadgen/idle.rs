//! Connections that send nothing, held open for as long as the others work.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use serde::Serialize;
use tokio::{net::TcpSocket, task::JoinSet};

use super::{error::LoadError, run::runtime};

/// Connections opened together; the system queues as many on the other side before it loses any.
const BATCH: usize = 64;

/// Connections from one source address: fewer than it has ports, and than a switch's usual share of a source.
const A_SOURCE: usize = 1_000;

/// How long a switch has to close what it refuses.
const SETTLE: Duration = Duration::from_millis(300);

/// Idle connections.
#[derive(Debug)]
pub struct Idle {
    asked: usize,
    accepted: usize,
    streams: Vec<TcpStream>,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Held {
    /// Asked for.
    pub asked: usize,
    /// Accepted, and open before the timed part.
    pub accepted: usize,
    /// Still open after it.
    pub open_at_end: usize,
}

impl Idle {
    /// Opens so many connections. To this machine itself they come from 127.0.0.2, 127.0.0.3 …, as terminals come from
    /// many addresses; an address has neither ports nor a share of the switch for all.
    ///
    /// # Errors
    /// The system gives no runtime. Connections that cannot be opened are counted, no more.
    pub fn open(count: usize, to: SocketAddr) -> Result<Self, LoadError> {
        let runtime = runtime()?;
        let mut streams = Vec::with_capacity(count);
        runtime.block_on(async {
            for begin in (0..count).step_by(BATCH) {
                let mut batch = JoinSet::new();
                for place in begin..(begin + BATCH).min(count) {
                    batch.spawn(connect(place, to));
                }
                let opened = batch.join_all().await;
                let before = streams.len();
                streams.extend(opened.into_iter().flatten());
                if streams.len() == before {
                    break;
                }
            }
        });
        std::thread::sleep(if count == 0 { Duration::ZERO } else { SETTLE });
        let accepted = streams.iter().filter(|stream| is_open(stream)).count();
        Ok(Self { asked: count, accepted, streams })
    }

    /// Closes them and says what became of them.
    #[must_use]
    pub fn close(self) -> Held {
        let open_at_end = self.streams.iter().filter(|stream| is_open(stream)).count();
        Held { asked: self.asked, accepted: self.accepted, open_at_end }
    }
}

async fn connect(place: usize, to: SocketAddr) -> Option<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.ok()?;
    if to.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        socket.bind(SocketAddr::from((source(place)?, 0))).ok()?;
    }
    socket.connect(to).await.ok()?.into_std().ok()
}

/// Where a connection to this machine comes from: its working neighbours come from 127.0.0.1.
fn source(place: usize) -> Option<Ipv4Addr> {
    let behind = u32::try_from(place / A_SOURCE).ok().filter(|behind| *behind < 1 << 16)?;
    Some(Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + 1 + behind))
}

/// A connection on which nothing is said is open if there is nothing to read.
fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_thousand_come_from_one_address() {
        let from = |place| source(place).map(|address| address.to_string());
        for (place, want) in [
            (0, "127.0.0.2"),
            (999, "127.0.0.2"),
            (1_000, "127.0.0.3"),
            (254_000, "127.0.1.0"),
            (99_999, "127.0.0.101"),
        ] {
            assert_eq!(from(place).as_deref(), Some(want), "{place}");
        }
        assert_eq!(from(usize::MAX), None);
    }

    #[test]
    fn open_and_closed_connections_are_told_apart() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let accept = std::thread::spawn(move || {
            let mut all: Vec<_> = (0..100).map(|_| listener.accept().unwrap().0).collect();
            // Refuses every other one at once.
            let mut place = 0;
            all.retain(|_| {
                place += 1;
                place % 2 == 0
            });
            all
        });
        let idle = Idle::open(100, to).unwrap();
        let mut open = accept.join().unwrap();
        assert_eq!(idle.accepted, 50);
        open.truncate(20);
        std::thread::sleep(Duration::from_millis(50));
        let held = idle.close();
        assert_eq!((held.asked, held.accepted, held.open_at_end), (100, 50, 20));
    }
}
