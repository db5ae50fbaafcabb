//! The hub: what all connections of a thread share. Frames come together here into batches, and the answers of a
//! batch go out from here, one write a connection.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Instant,
};

use bytes::BytesMut;
use tokio::{net::TcpStream, sync::Notify};
use tokio_util::sync::CancellationToken;

use super::{
    ConnectionId, Disconnect, Form, Origin, Refused,
    connection::Connection,
    framing,
    shares::{Source, Sources, Unproven},
};
use crate::{
    batch::{Batch, Line, Standing, State},
    clock::stopwatch,
    config::Limits,
    telemetry::{
        cost::{Laps, Stage},
        metrics::Metrics,
    },
    wipe,
};

/// Frames after which a batch is given over even if the one before it is still being worked on. More in one batch would
/// save next to nothing, and its first answer would wait for the last.
const BATCH_FRAMES: usize = 256;

/// Bytes taken from a socket in one read at most. There is one such buffer for all connections.
const READ_BYTES: usize = 256 << 10;

/// How many bytes the answer to a frame without a permit is longer than that frame at most: time, date, response code and
/// a second bitmap.
const TURNED_AWAY_MORE: usize = 64;

/// Bytes of answers to frames that are turned away after which they are written before the turn is over. They pass
/// through one buffer for all connections, which stays small enough to stay in the processor's cache.
const AWAY_BYTES: usize = 32 << 10;

/// Batches kept for use again; more are needed only while that many are being committed.
const SPARE_BATCHES: usize = 64;

/// What is done with frames; the channel does not know.
pub trait Work {
    /// Gives a batch over, to be taken all the way to its release. It comes back through [`Hub::deliver`].
    fn give(&mut self, batch: Box<Batch>);
    /// Whether no batch is being worked on, so that the next need not wait to be full.
    fn is_idle(&self) -> bool;
    /// Answers a frame for which there is no permit. Whether there is an answer behind what was in `out`. Frames of one
    /// turn `arrived` together.
    fn turn_away(&mut self, line: Line, frame: &[u8], arrived: Instant, out: &mut BytesMut) -> bool;
}

/// See the module.
pub struct Hub {
    /// Limits.
    pub limits: Limits,
    /// Counters.
    pub metrics: Metrics,
    work: RefCell<Box<dyn Work>>,
    inbox: RefCell<Box<Batch>>,
    inbox_filled: Notify,
    #[expect(
        clippy::vec_box,
        reason = "the box is what travels between threads; its memory is what is kept"
    )]
    spare: RefCell<Vec<Box<Batch>>>,
    touched: RefCell<Vec<Rc<Connection>>>,
    connections: RefCell<Table>,
    sources: Sources,
    /// Permits of connections that have proved nothing.
    pub(super) unproven: Unproven,
    /// What the thread costs.
    laps: RefCell<Laps>,
    permits_in_use: Cell<usize>,
    stopping: Cell<bool>,
    stopped: CancellationToken,
    away: RefCell<Away>,
    /// Bytes read from a socket pass through here, so that an idle connection owns no buffer.
    pub(super) scratch: RefCell<Vec<u8>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("permits_in_use", &self.permits_in_use).finish_non_exhaustive()
    }
}

/// What frames of the turn under way that were turned away are answered.
#[derive(Default)]
struct Away {
    answers: BytesMut,
    /// How many they were, answered or not.
    count: u64,
}

#[derive(Debug, Default)]
struct Table {
    places: Vec<Option<Rc<Connection>>>,
    generations: Vec<u32>,
    free: Vec<u32>,
    open: usize,
    /// Accepted by the listener of each dialect.
    accepted: [usize; 3],
}

impl Hub {
    /// A hub that hands its batches to `work`.
    #[must_use]
    pub fn new(limits: Limits, metrics: Metrics, work: Box<dyn Work>) -> Self {
        Self {
            limits,
            metrics,
            work: RefCell::new(work),
            inbox: RefCell::default(),
            inbox_filled: Notify::new(),
            spare: RefCell::default(),
            touched: RefCell::default(),
            connections: RefCell::default(),
            sources: Sources::default(),
            unproven: Unproven::default(),
            laps: RefCell::default(),
            permits_in_use: Cell::new(0),
            stopping: Cell::new(false),
            stopped: CancellationToken::new(),
            away: RefCell::default(),
            scratch: RefCell::new(vec![0; READ_BYTES]),
        }
    }

    /// Gives what has come in over, whenever something has and it will be worked on at once; never returns. `idle` is
    /// rung when the last batch has been worked on.
    pub async fn give_batches(&self, idle: &Notify) {
        loop {
            tokio::select! {
                () = self.inbox_filled.notified() => {
                    // Connections that are readable now are read first, so that the batch is all there is.
                    tokio::task::yield_now().await;
                }
                () = idle.notified() => {}
            }
            if self.work.borrow().is_idle() {
                self.give_inbox();
            }
        }
    }

    /// Whether the switch is stopping: nothing more is read.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Stops reading. [`Hub::drained`] waits for what is under way.
    pub fn stop(&self) {
        self.stopping.set(true);
        for connection in self.connections.borrow().places.iter().flatten() {
            connection.changed.notify_one();
        }
        self.stopped.cancel();
    }

    /// Returns when the switch begins to stop.
    pub async fn stop_requested(&self) {
        self.stopped.cancelled().await;
    }

    /// Whether nothing is under way and every connection has gone.
    #[must_use]
    pub fn drained(&self) -> bool {
        self.permits_in_use.get() == 0 && self.connections.borrow().open == 0
    }

    /// Requests under way.
    #[must_use]
    pub fn permits_in_use(&self) -> usize {
        self.permits_in_use.get()
    }

    /// Connections open.
    #[must_use]
    pub fn connections_open(&self) -> usize {
        self.connections.borrow().open
    }

    /// Takes a frame of a connection into the next batch, or turns it away; whether it was taken.
    pub(super) fn admit(&self, connection: &Connection, frame: &[u8], arrived: Instant) -> bool {
        if !self.has_permit(connection) {
            // Written when many have come together or the turn is over: in a flood a write for each would cost more
            // than the work that is refused.
            let (Form { length, line, .. }, mut away) = (connection.form, self.away.borrow_mut());
            framing::put_with(length, &mut away.answers, frame.len() + TURNED_AWAY_MORE, |out| {
                self.work.borrow_mut().turn_away(line, frame, arrived, out)
            });
            away.count += 1;
            if away.answers.len() >= AWAY_BYTES {
                drop(away);
                self.flush_away(connection);
            }
            return false;
        }
        self.permits_in_use.set(self.permits_in_use.get() + 1);
        if let Some(source) = &connection.source {
            source.permits.set(source.permits.get() + 1);
        }
        if !connection.proof.is_proven() {
            self.unproven.take(&connection.proof);
        }
        connection.under_way.set(connection.under_way.get() + 1);
        let waiting = {
            let mut inbox = self.inbox.borrow_mut();
            inbox.push(connection.id, arrived, connection.form.line, frame);
            inbox.jobs.len()
        };
        if waiting >= BATCH_FRAMES {
            self.give_inbox();
        } else {
            self.inbox_filled.notify_one();
        }
        true
    }

    fn has_permit(&self, connection: &Connection) -> bool {
        let left_for = |source: &Rc<Source>| source.permits.get() < self.limits.permits_per_source;
        self.permits_in_use.get() < self.limits.permits && connection.source.as_ref().is_none_or(left_for)
    }

    fn give_inbox(&self) {
        if self.inbox.borrow().jobs.is_empty() {
            return;
        }
        let fresh = self.spare.borrow_mut().pop().unwrap_or_default();
        let batch = self.inbox.replace(fresh);
        self.metrics.permits(self.permits_in_use.get());
        self.work.borrow_mut().give(batch);
    }

    /// Sends out the answers of batches whose records are durable, and gives their permits back: one write a
    /// connection, however many batches its answers stand in.
    pub fn deliver(&self, batches: impl Iterator<Item = Box<Batch>>) {
        let now = stopwatch();
        let mut touched = self.touched.take();
        for mut batch in batches {
            self.permits_in_use.set(self.permits_in_use.get() - batch.jobs.len());
            for job in &batch.jobs {
                if job.state == State::Answered {
                    self.metrics.answer_took(now.saturating_duration_since(job.arrived));
                }
                let Some(connection) = self.find(job.connection) else { continue };
                self.answered(&connection, job.standing());
                let mut outbox = connection.outbox.borrow_mut();
                if job.state == State::Answered {
                    let frame = &batch.output[job.encoded.frame.clone()];
                    framing::put(connection.form.length, frame, &mut outbox);
                }
                drop(outbox);
                if !connection.touched.replace(true) {
                    touched.push(connection);
                }
            }
            batch.clear();
            let mut spare = self.spare.borrow_mut();
            if spare.len() < SPARE_BATCHES {
                spare.push(batch);
            }
        }
        self.metrics.permits(self.permits_in_use.get());
        self.wake_unproven();
        for connection in touched.drain(..) {
            connection.touched.set(false);
            self.flush(&connection);
        }
        self.touched.replace(touched);
        self.metrics.stage(Stage::Channel, self.laps.borrow_mut().lap());
    }

    fn answered(&self, connection: &Connection, standing: Standing) {
        if let Some(source) = &connection.source {
            source.permits.set(source.permits.get() - 1);
        }
        let was_unproven = connection.proof.under_way.get() > 0 || !connection.proof.is_proven();
        self.unproven.give_back(&connection.proof, 1);
        connection.proof.count(standing);
        connection.answered(self.limits.connection_window, was_unproven);
    }

    /// Tells connections that wait for a permit of the unproven that there is one again.
    pub(super) fn wake_unproven(&self) {
        for _ in 0..self.unproven.may_be_told(self.limits.unproven_permits) {
            let Some(connection) = self.unproven.next_waiting().and_then(|id| self.find(id)) else {
                continue;
            };
            self.unproven.told(&connection.proof);
            connection.changed.notify_one();
        }
    }

    /// Sends out the answers to frames of this connection that were turned away: to the socket, if it takes them and
    /// nothing waits in front of them, or behind what waits.
    pub(super) fn flush_away(&self, connection: &Connection) {
        let mut away = self.away.borrow_mut();
        let Away { answers, count } = &mut *away;
        self.metrics.turned_away(std::mem::take(count));
        if answers.is_empty() {
            return;
        }
        let mut outbox = connection.outbox.borrow_mut();
        let mut written = 0;
        if outbox.is_empty()
            && let Ok(count) = connection.stream.try_write(answers)
        {
            self.metrics.socket_write();
            written = count;
        }
        // A socket that failed says so again when the rest is written.
        let rest = &answers[written..];
        wipe::reserve(&mut outbox, rest.len());
        outbox.extend_from_slice(rest);
        answers.fill(0);
        answers.clear();
        let is_left = !outbox.is_empty();
        drop((outbox, away));
        if is_left {
            self.flush(connection);
        }
    }

    /// Writes what the socket takes now; the connection's task writes the rest when it takes more.
    pub(super) fn flush(&self, connection: &Connection) {
        let mut outbox = connection.outbox.borrow_mut();
        while !outbox.is_empty() {
            match connection.stream.try_write(&outbox) {
                Ok(written) => {
                    self.metrics.socket_write();
                    // Behind the start of the buffer nobody could overwrite it any more.
                    outbox[..written].fill(0);
                    bytes::Buf::advance(&mut *outbox, written);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    connection.end(Disconnect::Failed);
                    return;
                }
            }
        }
        if outbox.len() > self.limits.outbox_bytes {
            connection.end(Disconnect::OutboxFull);
        } else if outbox.is_empty() {
            // An idle connection keeps no buffer.
            *outbox = BytesMut::new();
            if connection.waits_for_end() {
                connection.changed.notify_one();
            }
        } else {
            connection.changed.notify_one();
        }
    }

    fn find(&self, id: ConnectionId) -> Option<Rc<Connection>> {
        let table = self.connections.borrow();
        let connection = table.places.get(id.place as usize)?.as_ref()?;
        (connection.id == id).then(|| Rc::clone(connection))
    }

    /// Gives a new connection its place. `None` when its listener or its source has as many as it may.
    pub(super) fn open(&self, origin: Origin, form: Form, stream: TcpStream) -> Option<Rc<Connection>> {
        let mut table = self.connections.borrow_mut();
        let source = match origin {
            Origin::Dialled => None,
            Origin::Accepted(address) => {
                // Counted before the peer can notice.
                if table.accepted[form.line.dialect as usize] >= form.connections_max {
                    self.metrics.refused(Refused::Limit);
                    return None;
                }
                let Some(source) = self.sources.enter(address, self.limits.connections_per_source) else {
                    self.metrics.refused(Refused::Source);
                    return None;
                };
                table.accepted[form.line.dialect as usize] += 1;
                Some(source)
            }
        };
        let connection = Rc::new(Connection::new(table.place(), stream, form, source));
        table.places[connection.id.place as usize] = Some(Rc::clone(&connection));
        table.open += 1;
        drop(table);
        self.metrics.connected(form.line.dialect);
        Some(connection)
    }

    /// Takes a connection's place back. Answers still under way for it are dropped; they are on record.
    pub(super) fn close(&self, connection: &Connection, why: Disconnect) {
        let mut table = self.connections.borrow_mut();
        table.places[connection.id.place as usize] = None;
        table.free.push(connection.id.place);
        table.open -= 1;
        if let Some(source) = &connection.source {
            table.accepted[connection.form.line.dialect as usize] -= 1;
            self.sources.leave(source, connection.under_way.get());
        }
        drop(table);
        self.unproven.give_back(&connection.proof, usize::MAX);
        self.wake_unproven();
        self.metrics.disconnected(connection.form.line.dialect, why);
        tracing::debug!(connection = connection.id.place, why = why.name(), "disconnected");
    }
}

impl Table {
    /// A place for a connection, with a name that no connection had before.
    fn place(&mut self) -> ConnectionId {
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.places.push(None);
                self.generations.push(0);
                // INVARIANT: there are never more places than the limits on connections allow.
                u32::try_from(self.places.len() - 1).expect("fewer than 2^32 connections")
            }
        };
        let generation = &mut self.generations[place as usize];
        *generation = generation.wrapping_add(1);
        ConnectionId { place, generation: *generation }
    }
}
