//! Crowds: connections that carry little and stay long, or carry nothing and come fast.

use std::{rc::Rc, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use super::{Ground, SMALL_BUFFER};
use crate::{
    hostile::{budget::SWITCH_CONNECTIONS, kind::Kind, shot},
    random::Random,
};

/// Connections that have begun a frame.
const HALVES: usize = 60;
/// Connections that send a byte a second.
const SLOW: usize = 300;
/// Connections that do not read: few, so that what the system buffers for each is soon full.
const DEAF: usize = 2;
/// Attackers that open and close.
const KNOCKERS: usize = 16;
/// Connections beyond the switch's limit.
const TOO_MANY: usize = 64;
/// Shots in one write of a slow reader.
const SALVO: u32 = 32;

pub(super) fn gather(ground: &Rc<Ground>, kind: Kind, seed: u64) -> Vec<JoinHandle<()>> {
    let many = match kind {
        Kind::HalfFrames => HALVES,
        Kind::OneByteASecond => SLOW,
        Kind::SlowReaders => DEAF,
        Kind::ConnectAndClose => KNOCKERS,
        _ => SWITCH_CONNECTIONS.iter().sum::<usize>() + TOO_MANY,
    };
    let many = if ground.is_shared { many.div_ceil(3) } else { many };
    let crowd = (0..many).map(|at| {
        let ground = Rc::clone(ground);
        let mut random = Random::new(seed ^ (at as u64) << 24 ^ (kind as u64) << 48);
        tokio::task::spawn_local(async move {
            while ground.goes_on() {
                one_call(&ground, kind, at, &mut random).await;
            }
        })
    });
    crowd.collect()
}

/// One connection from its beginning to its end.
async fn one_call(ground: &Ground, kind: Kind, at: usize, random: &mut Random) {
    let dialect = ground.dialect(at);
    let buffer = (kind == Kind::SlowReaders).then_some(SMALL_BUFFER);
    let Some(mut stream) = ground.connect_with(ground.address(dialect), buffer).await else { return };
    match kind {
        Kind::HalfFrames => {
            let half = shot::beginning(dialect, ground.arsenal.of(dialect), random);
            ground.budget.send(1, half.len()).await;
            let _may_be_gone = stream.write_all(&half).await;
            ground.threw_pieces(1, half.len());
            if random.below(2) == 0 {
                hold(ground, &mut stream).await;
            }
        }
        Kind::OneByteASecond => drip(ground, &mut stream, at, random).await,
        Kind::SlowReaders => ask_only(ground, &mut stream, at, random).await,
        Kind::ConnectAndClose if random.below(2) == 0 => _ = stream.set_zero_linger(),
        Kind::ConnectAndClose => {}
        _ => hold(ground, &mut stream).await,
    }
}

/// Waits until the switch ends the connection, and then a while, or until the phase is over.
async fn hold(ground: &Ground, stream: &mut TcpStream) {
    let mut room = [0; 256];
    while let Some(read) = ground.until_end(stream.read(&mut room)).await {
        if !matches!(read, Ok(1..)) {
            ground.closed();
            ground.sulk().await;
            return;
        }
    }
}

/// A byte of a real frame each second.
async fn drip(ground: &Ground, stream: &mut TcpStream, at: usize, random: &mut Random) {
    let bytes = shot::beginning(ground.dialect(at), ground.arsenal.of(ground.dialect(at)), random);
    for byte in bytes {
        ground.budget.send(1, 1).await;
        let sent = stream.write_all(&[byte]).await;
        ground.threw_pieces(1, 1);
        let mut room = [0; 256];
        let second = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut room));
        match ground.until_end(second).await {
            None => return,
            Some(Err(_)) if sent.is_ok() => {}
            Some(_) => {
                ground.closed();
                return ground.sulk().await;
            }
        }
    }
}

/// Requests that are answered, and no answer is read.
async fn ask_only(ground: &Ground, stream: &mut TcpStream, at: usize, random: &mut Random) {
    let (dialect, mut out) = (ground.dialect(at), BytesMut::new());
    while ground.goes_on() {
        out.clear();
        for _ in 0..SALVO {
            shot::put(Kind::Replays, dialect, ground.arsenal.of(dialect), random, &mut out);
        }
        ground.budget.send(SALVO, out.len()).await;
        ground.threw_pieces(SALVO.into(), out.len());
        match ground.until_end(stream.write_all(&out)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(_)) => return ground.closed(),
        }
    }
}
