//! The siege of the admin port: connections that say nothing, requests never finished, headers without end.

use std::rc::Rc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use super::Ground;
use crate::{hostile::budget::SWITCH_CONNECTIONS, random::Random};

/// Connections beyond as many as the switch lets terminals have, and it has descriptors for.
const TOO_MANY: usize = 176;
/// Of so many callers one sends headers without end; the others hold a request begun, or say nothing.
const TALKER: usize = 50;
/// Longest header.
const HEADER_BYTES: usize = 1 << 20;

pub(super) fn besiege(ground: &Rc<Ground>, seed: u64) -> Vec<JoinHandle<()>> {
    let callers = SWITCH_CONNECTIONS.iter().sum::<usize>() + TOO_MANY;
    let callers = if ground.is_shared { callers / 4 } else { callers };
    let callers = (0..callers).map(|at| {
        let ground = Rc::clone(ground);
        let mut random = Random::new(seed ^ (at as u64) << 16);
        tokio::task::spawn_local(async move {
            while ground.goes_on() {
                if let Some(stream) = ground.connect(ground.ports.admin).await {
                    call(&ground, stream, at, &mut random).await;
                }
            }
        })
    });
    callers.collect()
}

async fn call(ground: &Ground, mut stream: TcpStream, at: usize, random: &mut Random) {
    let sent = if at.is_multiple_of(TALKER) {
        talk(ground, &mut stream).await
    } else if random.below(2) == 0 {
        ground.threw_pieces(1, 0);
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: nobody\r\nX-Begun: ").await.is_ok()
    } else {
        true
    };
    let mut heard = Vec::new();
    let mut room = [0; 512];
    loop {
        match ground.until_end(stream.read(&mut room)).await {
            None => return,
            Some(Ok(count @ 1..)) => heard.extend_from_slice(&room[..count]),
            Some(_) => break,
        }
    }
    ground.closed();
    if let (true, Some(status)) = (sent || !heard.is_empty(), status(&heard)) {
        *ground.tally.borrow_mut().pages.entry(status).or_default() += 1;
    }
    ground.sulk().await;
}

/// A header that goes on until the switch has heard enough. Whether it was all sent.
async fn talk(ground: &Ground, stream: &mut TcpStream) -> bool {
    let mut piece: &[u8] = b"GET /metrics HTTP/1.1\r\nX-Long: ";
    let long = [b'a'; 4096];
    for _ in 0..HEADER_BYTES / long.len() {
        ground.budget.send(1, piece.len()).await;
        ground.threw_pieces(1, piece.len());
        if !matches!(ground.until_end(stream.write_all(piece)).await, Some(Ok(()))) {
            return false;
        }
        piece = &long;
    }
    true
}

/// The number in `HTTP/1.1 431 …`.
fn status(heard: &[u8]) -> Option<u16> {
    std::str::from_utf8(heard.get(9..12)?).ok()?.parse().ok()
}
