//! One connection: reads frames in, writes answers out, keeps its deadlines.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    net::TcpStream,
    sync::Notify,
    time::{Instant, Sleep},
};

use super::{
    ConnectionId, Disconnect, Form,
    framing::{self, Next},
    hub::Hub,
    shares::{Proof, Source},
};
use crate::{clock::stopwatch, wipe};

/// What one connection may take of the thread before the others have their turn, in frames turned away. They count
/// too, or a flood of them would keep the thread from releasing the answers whose permits they want.
const TURN: usize = 4096;

/// What a frame that is worked on takes of a turn: of those, a turn is one batch.
const ADMITTED: usize = 16;

/// A connection, as the hub and its own task see it.
pub struct Connection {
    pub(super) id: ConnectionId,
    pub(super) stream: TcpStream,
    /// What it has in common with others of its listener.
    pub(super) form: Form,
    /// Where it comes from, if the peer opened it.
    pub(super) source: Option<Rc<Source>>,
    /// What it has proved.
    pub(super) proof: Proof,
    /// Answers not written yet.
    pub(super) outbox: RefCell<BytesMut>,
    /// Requests under way.
    pub(super) under_way: Cell<usize>,
    /// Already among the connections that the delivery under way will write to.
    pub(super) touched: Cell<bool>,
    /// Tells the task that something about the connection has changed.
    pub(super) changed: Notify,
    ended: Cell<Option<Disconnect>>,
    /// Why nothing more is read; the connection ends when what it asked has been answered.
    winding_up: Cell<Option<Disconnect>>,
}

impl std::fmt::Debug for Connection {
    /// Without the outbox: answers may hold a card number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .field("under_way", &self.under_way)
            .finish_non_exhaustive()
    }
}

impl Drop for Connection {
    /// What was not written is not needed any more.
    fn drop(&mut self) {
        self.outbox.get_mut().fill(0);
    }
}

impl Connection {
    pub(super) fn new(id: ConnectionId, stream: TcpStream, form: Form, source: Option<Rc<Source>>) -> Self {
        let proof = Proof::default();
        // A host that the switch dials may have nothing to say for a while.
        proof.greeted.set(source.is_none());
        Self {
            id,
            stream,
            form,
            source,
            proof,
            outbox: RefCell::default(),
            under_way: Cell::new(0),
            touched: Cell::new(false),
            changed: Notify::new(),
            ended: Cell::new(None),
            winding_up: Cell::new(None),
        }
    }

    /// Ends the connection from outside its task.
    pub(super) fn end(&self, why: Disconnect) {
        if self.ended.get().is_none() {
            self.ended.set(Some(why));
            self.changed.notify_one();
        }
    }

    /// One request less under way; wakes the task if it had stopped reading for want of room.
    pub(super) fn answered(&self, window: usize, was_unproven: bool) {
        let before = self.under_way.get();
        self.under_way.set(before.saturating_sub(1));
        if before >= window || was_unproven || self.waits_for_end() {
            self.changed.notify_one();
        }
    }

    /// Whether the task waits for the last answers, to close.
    pub(super) fn waits_for_end(&self) -> bool {
        self.winding_up.get().is_some()
    }

    fn settled(&self) -> bool {
        self.under_way.get() == 0 && self.outbox.borrow().is_empty()
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve(hub: Rc<Hub>, connection: Rc<Connection>) {
    let mut reader = Reader::new(&hub);
    let why = loop {
        if let Some(why) = next_step(&hub, &connection, &mut reader).await {
            break why;
        }
    };
    hub.close(&connection, why);
}

/// What one connection's task keeps between reads.
struct Reader {
    /// The beginning of a frame, or frames that wait for room.
    partial: Vec<u8>,
    /// Whether whole frames are left in `partial` for which there is room.
    backlog: bool,
    /// Since when a frame is begun and not finished.
    begun: Option<Instant>,
    opened: Instant,
    last_read: Instant,
    deadline: Pin<Box<Sleep>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        wipe::empty(&mut self.partial);
    }
}

impl Reader {
    fn new(hub: &Hub) -> Self {
        let now = Instant::from_std(stopwatch());
        let deadline = Box::pin(tokio::time::sleep_until(now + hub.limits.first_frame.min(hub.limits.idle)));
        Self { partial: Vec::new(), backlog: false, begun: None, opened: now, last_read: now, deadline }
    }
}

async fn next_step(hub: &Hub, connection: &Connection, reader: &mut Reader) -> Option<Disconnect> {
    if let Some(why) = connection.ended.get() {
        return Some(why);
    }
    if hub.is_stopping() {
        wind_up(hub, connection, reader, Disconnect::Stopping);
    }
    if may_take(hub, connection)
        && let Err(why) = take_partial(hub, connection, reader)
    {
        wind_up(hub, connection, reader, why);
    }
    if !connection.proof.is_proven() {
        // It may have been told of a permit that it does not need; the next one may be waiting for just that.
        hub.wake_unproven();
    }
    if let Some(why) = connection.winding_up.get().filter(|_| connection.settled()) {
        return Some(why);
    }
    if reader.backlog {
        // A turn is over with frames left. The others first, and the answers that are ready.
        tokio::task::yield_now().await;
        return None;
    }
    let may_read = may_take(hub, connection) && !connection.waits_for_end();
    watch_begun_frame(hub, connection, reader, may_read);
    let has_unwritten = !connection.outbox.borrow().is_empty();
    tokio::select! {
        ready = connection.stream.readable(), if may_read => match ready {
            Ok(()) => {
                if let Err(why) = read(hub, connection, reader) {
                    wind_up(hub, connection, reader, why);
                }
                // A socket that always has bytes would otherwise never let go of the thread.
                tokio::task::yield_now().await;
                None
            }
            Err(_) => Some(Disconnect::Failed),
        },
        ready = connection.stream.writable(), if has_unwritten => {
            match ready {
                Ok(()) => hub.flush(connection),
                Err(_) => connection.end(Disconnect::Failed),
            }
            None
        },
        () = connection.changed.notified() => None,
        () = &mut reader.deadline => past_deadline(hub, connection, reader),
    }
}

/// Whether frames may be taken: there is room, and what came last was not out of order. A peer that has only closed
/// its side still gets answers to all that it sent, and so does one from which was read when the switch stops.
fn may_take(hub: &Hub, connection: &Connection) -> bool {
    let in_order =
        matches!(connection.winding_up.get(), None | Some(Disconnect::Peer | Disconnect::Stopping));
    in_order && has_room(hub, connection)
}

/// Whether one frame more may be under way.
fn has_room(hub: &Hub, connection: &Connection) -> bool {
    let proof = &connection.proof;
    connection.under_way.get() < hub.limits.connection_window
        && (proof.is_proven() || hub.unproven.has_room(connection.id, proof, hub.limits.unproven_permits))
}

/// Reads no more. What was asked is still answered, for as long as a frame may take; then the connection ends.
fn wind_up(hub: &Hub, connection: &Connection, reader: &mut Reader, why: Disconnect) {
    if connection.winding_up.get().is_none() {
        connection.winding_up.set(Some(why));
        reader.deadline.as_mut().reset(Instant::from_std(stopwatch()) + hub.limits.frame_finish);
    }
}

/// Reads once and takes the frames that are complete.
fn read(hub: &Hub, connection: &Connection, reader: &mut Reader) -> Result<(), Disconnect> {
    let mut scratch = hub.scratch.borrow_mut();
    let count = match connection.stream.try_read(&mut scratch) {
        Ok(0) => {
            // The peer has said all it will.
            return Err(Disconnect::Peer);
        }
        Ok(count) => count,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
        Err(_) => return Err(Disconnect::Failed),
    };
    hub.metrics.socket_read();
    reader.last_read = Instant::from_std(stopwatch());
    let taken = if reader.partial.is_empty() {
        take_frames(hub, connection, &scratch[..count])
    } else {
        Ok(Taken::default())
    };
    if let Ok(taken) = &taken {
        wipe::append(&mut reader.partial, &scratch[taken.bytes..count]);
        reader.backlog = taken.more;
        reader.begun = reader.begun.filter(|_| taken.bytes == 0);
    }
    // Frames hold card data; nothing of them stays in the shared buffer.
    scratch[..count].fill(0);
    taken.map(drop)
}

/// Takes the whole frames at the front of what is left of earlier reads.
fn take_partial(hub: &Hub, connection: &Connection, reader: &mut Reader) -> Result<(), Disconnect> {
    reader.backlog = false;
    if reader.partial.is_empty() {
        return Ok(());
    }
    let taken = take_frames(hub, connection, &reader.partial)?;
    reader.backlog = taken.more;
    if taken.bytes > 0 {
        reader.begun = None;
        wipe::drop_front(&mut reader.partial, taken.bytes);
    }
    if reader.partial.is_empty() {
        // An idle connection keeps no buffer.
        wipe::empty(&mut reader.partial);
        reader.partial = Vec::new();
    }
    Ok(())
}

/// What [`take_frames`] took.
#[derive(Default)]
struct Taken {
    /// How many bytes, from the front.
    bytes: usize,
    /// Whether a whole frame is left only because the turn is over.
    more: bool,
}

/// Takes whole frames while there is room for them, for one turn at most.
fn take_frames(hub: &Hub, connection: &Connection, bytes: &[u8]) -> Result<Taken, Disconnect> {
    let arrived = stopwatch();
    let mut taken = Taken::default();
    let mut turn = TURN;
    let fault = loop {
        if !has_room(hub, connection) || connection.ended.get().is_some() {
            break None;
        }
        match framing::next(connection.form.length, &bytes[taken.bytes..], hub.limits.frame_bytes) {
            Next::Frame(..) if turn == 0 => {
                taken.more = true;
                break None;
            }
            Next::Frame(frame, end) => {
                let cost = if hub.admit(connection, frame, arrived) { ADMITTED } else { 1 };
                turn = turn.saturating_sub(cost);
                taken.bytes += end;
            }
            Next::Incomplete => break None,
            Next::TooLong => break Some(Disconnect::FrameTooLong),
            Next::NotALength => break Some(Disconnect::NotALength),
        }
    };
    hub.flush_away(connection);
    fault.map_or(Ok(taken), Err)
}

/// Starts the time in which a begun frame must be finished. It does not run while the switch itself does not read.
fn watch_begun_frame(hub: &Hub, connection: &Connection, reader: &mut Reader, may_read: bool) {
    if connection.waits_for_end() {
        return;
    }
    if reader.partial.is_empty() || !may_read {
        reader.begun = None;
    } else if reader.begun.is_none() {
        let now = Instant::from_std(stopwatch());
        reader.begun = Some(now);
        reader.deadline.as_mut().reset(now + hub.limits.frame_finish);
    }
}

fn past_deadline(hub: &Hub, connection: &Connection, reader: &mut Reader) -> Option<Disconnect> {
    if let Some(why) = connection.winding_up.get() {
        return Some(why);
    }
    let now = Instant::from_std(stopwatch());
    let left = |since: Instant, limit: Duration| (since + limit).checked_duration_since(now);
    let frame_left = match reader.begun.map(|begun| left(begun, hub.limits.frame_finish)) {
        Some(None | Some(Duration::ZERO)) => {
            wind_up(hub, connection, reader, Disconnect::FrameTimeout);
            return None;
        }
        Some(Some(time)) => time,
        None => hub.limits.idle,
    };
    let first_left = match left(reader.opened, hub.limits.first_frame) {
        _ if connection.proof.greeted.get() => hub.limits.idle,
        // It has said something, and the switch owes it an answer.
        None | Some(Duration::ZERO) if connection.under_way.get() > 0 => hub.limits.frame_finish,
        None | Some(Duration::ZERO) => return Some(Disconnect::FirstFrame),
        Some(time) => time,
    };
    let idle_left = match left(reader.last_read, hub.limits.idle) {
        None | Some(Duration::ZERO) if connection.under_way.get() == 0 => return Some(Disconnect::Idle),
        // The peer waits for the switch, not the other way round.
        None | Some(Duration::ZERO) => hub.limits.idle,
        Some(time) => time,
    };
    reader.deadline.as_mut().reset(now + frame_left.min(idle_left).min(first_left));
    None
}
