//! Volleys: connections that carry frames, or what looks like them, as fast as the budget allows. Answers are read and
//! counted, so that nothing but the frames themselves can trouble the switch.

use std::rc::Rc;

use bytes::{Buf, BytesMut};
use cardswitch::{
    books::event::TerminalDialect,
    channel::framing::{self, Next},
};
use iso8583::{Message, Spec};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::OwnedReadHalf,
    task::JoinHandle,
};

use super::{Ground, PATIENCE};
use crate::{
    hostile::{kind::Kind, shot},
    random::Random,
};

/// Connections of one kind, spread over the dialects.
const GUNS: usize = 12;
/// Shots in one write.
const SALVO: u32 = 8;
/// Longest frame that the switch may send.
const ANSWER_MAX: usize = 4_096;
/// TPDU and application header before an answer of `pos` and `epos`.
const HEADERS: usize = 11;

pub(super) fn open_fire(ground: &Rc<Ground>, kind: Kind, seed: u64) -> Vec<JoinHandle<()>> {
    let guns = if ground.is_shared { GUNS / 2 } else { GUNS };
    let guns = (0..guns).map(|at| {
        let (ground, dialect) = (Rc::clone(ground), ground.dialect(at));
        let mut random = Random::new(seed ^ (at as u64) << 32 ^ (kind as u64) << 40);
        tokio::task::spawn_local(async move {
            while ground.goes_on() {
                let to = ground.address(dialect);
                if let Some(stream) = ground.connect(to).await {
                    engage(&ground, kind, dialect, stream, &mut random).await;
                }
            }
        })
    });
    guns.collect()
}

/// Fires on one connection until the end, or until the switch has had enough; then hears out what it is owed.
async fn engage(
    ground: &Rc<Ground>,
    kind: Kind,
    dialect: TerminalDialect,
    stream: tokio::net::TcpStream,
    random: &mut Random,
) {
    let (read, mut write) = stream.into_split();
    let mut heard = tokio::task::spawn_local(hear(Rc::clone(ground), dialect, read));
    let (mut out, mut shots, mut bytes, mut is_whole) = (BytesMut::new(), 0, 0, true);
    while ground.goes_on() && !heard.is_finished() {
        out.clear();
        for _ in 0..SALVO {
            shot::put(kind, dialect, ground.arsenal.of(dialect), random, &mut out);
        }
        ground.budget.send(SALVO, out.len()).await;
        shots += u64::from(SALVO);
        bytes += out.len() as u64;
        let written = ground.until_end(write.write_all(&out)).await;
        is_whole = matches!(written, Some(Ok(())));
        if !is_whole {
            break;
        }
    }
    let closed = heard.is_finished();
    if is_whole && !closed {
        // Says that nothing more will come; the switch answers what it has and closes.
        let _already_gone = write.shutdown().await;
    }
    if tokio::time::timeout(PATIENCE, &mut heard).await.is_err() {
        heard.abort();
        is_whole = false;
    }
    let mut tally = ground.tally.borrow_mut();
    tally.closed_by_switch += u64::from(closed);
    tally.bytes += bytes;
    if is_whole && !closed && kind.is_well_framed() {
        tally.frames += shots;
    } else {
        tally.pieces += shots;
    }
}

/// Counts answers until the switch closes.
async fn hear(ground: Rc<Ground>, dialect: TerminalDialect, mut read: OwnedReadHalf) {
    let mut unread = BytesMut::with_capacity(64 << 10);
    while let Ok(1..) = read.read_buf(&mut unread).await {
        while let Next::Frame(frame, end) = framing::next(shot::length_form(dialect), &unread, ANSWER_MAX) {
            let code = code(dialect, frame);
            let mut tally = ground.tally.borrow_mut();
            match code {
                Some(code) => match tally.answers.get_mut(code.as_str()) {
                    Some(count) => *count += 1,
                    None => _ = tally.answers.insert(code, 1),
                },
                None => tally.unreadable += 1,
            }
            unread.advance(end);
        }
    }
}

/// Field 39 of an answer.
fn code(dialect: TerminalDialect, frame: &[u8]) -> Option<String> {
    let message = match dialect {
        TerminalDialect::Atm => Message::decode(Spec::atm(), frame),
        _ => Message::decode(Spec::pos(), frame.get(HEADERS..)?),
    };
    Some(String::from_utf8_lossy(message.ok()?.text(39)?).into_owned())
}
