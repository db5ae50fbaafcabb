//! The hub: what all connections of a thread share. Frames come together here into batches, and the answers of a
//! batch go out from here, one write a connection.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Instant,
};

use bytes::BytesMut;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{ConnectionId, Disconnect, Refused, connection::Connection, framing};
use crate::{
    batch::{Batch, Line, State},
    config::Limits,
    telemetry::metrics::Metrics,
};

/// Frames after which a batch is worked on at once, so that no batch keeps the thread from its sockets for long.
const BATCH_FRAMES: usize = 512;

/// Batches kept for use again; more are needed only while that many are being committed.
const SPARE_BATCHES: usize = 64;

/// What is done with frames; the channel does not know.
pub trait Work {
    /// Takes a batch all the way to its release. It comes back through [`Hub::deliver`].
    fn run(&mut self, batch: Box<Batch>);
    /// Answers a frame for which there is no permit. Whether there is an answer in `out`.
    fn turn_away(&mut self, line: Line, frame: &[u8], out: &mut BytesMut) -> bool;
    /// Whether there is something to do that no frame asks for, such as the end of a hold.
    fn is_due(&mut self) -> bool;
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
    /// The answer to a frame without a permit, on its way into an outbox.
    turned_away: RefCell<BytesMut>,
    permits_in_use: Cell<usize>,
    stopping: Cell<bool>,
    stopped: CancellationToken,
    /// Bytes read from a socket pass through here, so that an idle connection owns no buffer.
    pub(super) scratch: RefCell<Vec<u8>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("permits_in_use", &self.permits_in_use).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Table {
    places: Vec<Option<Rc<Connection>>>,
    generations: Vec<u32>,
    free: Vec<u32>,
    open: usize,
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
            turned_away: RefCell::default(),
            permits_in_use: Cell::new(0),
            stopping: Cell::new(false),
            stopped: CancellationToken::new(),
            scratch: RefCell::new(vec![0; 64 << 10]),
        }
    }

    /// Works on what has come in, whenever something has; never returns.
    pub async fn run_batches(&self) {
        loop {
            self.inbox_filled.notified().await;
            // Connections that are readable now are read first, so that the batch is all there is.
            tokio::task::yield_now().await;
            self.run_inbox();
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

    /// Takes a frame of a connection into the next batch, or turns it away.
    pub(super) fn admit(&self, connection: &Connection, frame: &[u8], arrived: Instant) {
        if self.permits_in_use.get() >= self.limits.permits {
            let mut answer = self.turned_away.borrow_mut();
            answer.clear();
            if self.work.borrow_mut().turn_away(connection.form.line, frame, &mut answer) {
                framing::put(connection.form.length, &answer, &mut connection.outbox.borrow_mut());
                drop(answer);
                self.flush(connection);
            }
            return;
        }
        self.permits_in_use.set(self.permits_in_use.get() + 1);
        connection.under_way.set(connection.under_way.get() + 1);
        let waiting = {
            let mut inbox = self.inbox.borrow_mut();
            inbox.push(connection.id, arrived, connection.form.line, frame);
            inbox.jobs.len()
        };
        if waiting >= BATCH_FRAMES {
            self.run_inbox();
        } else {
            self.inbox_filled.notify_one();
        }
    }

    /// Works without a frame, if something is due.
    pub fn tick(&self) {
        let is_due = self.work.borrow_mut().is_due();
        if is_due && !self.is_stopping() {
            self.run();
        }
    }

    fn run_inbox(&self) {
        if !self.inbox.borrow().jobs.is_empty() {
            self.run();
        }
    }

    fn run(&self) {
        let fresh = self.spare.borrow_mut().pop().unwrap_or_default();
        let batch = self.inbox.replace(fresh);
        self.metrics.permits(self.permits_in_use.get());
        self.work.borrow_mut().run(batch);
    }

    /// Sends out the answers of batches whose records are durable, and gives their permits back: one write a
    /// connection, however many batches its answers stand in.
    pub fn deliver(&self, batches: impl Iterator<Item = Box<Batch>>) {
        let mut touched = self.touched.take();
        for mut batch in batches {
            self.permits_in_use.set(self.permits_in_use.get() - batch.jobs.len());
            for job in &batch.jobs {
                let Some(connection) = self.find(job.connection) else { continue };
                connection.answered(self.limits.connection_window);
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
        for connection in touched.drain(..) {
            connection.touched.set(false);
            self.flush(&connection);
        }
        self.touched.replace(touched);
    }

    /// Writes what the socket takes now; the connection's task writes the rest when it takes more.
    pub(super) fn flush(&self, connection: &Connection) {
        let mut outbox = connection.outbox.borrow_mut();
        while !outbox.is_empty() {
            match connection.stream.try_write(&outbox) {
                Ok(written) => {
                    self.metrics.socket_write();
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

    /// Gives a new connection its place. `None` when there are as many as the limit allows.
    pub(super) fn open(&self, make: impl FnOnce(ConnectionId) -> Connection) -> Option<Rc<Connection>> {
        let mut table = self.connections.borrow_mut();
        if table.open >= self.limits.connections {
            // Counted before the peer can notice.
            self.metrics.refused(Refused::Limit);
            return None;
        }
        let place = match table.free.pop() {
            Some(place) => place,
            None => {
                table.places.push(None);
                table.generations.push(0);
                // INVARIANT: there are never more places than the limit on connections.
                u32::try_from(table.places.len() - 1).expect("fewer than 2^32 connections")
            }
        };
        let at = place as usize;
        table.generations[at] = table.generations[at].wrapping_add(1);
        let id = ConnectionId { place, generation: table.generations[at] };
        let connection = Rc::new(make(id));
        table.places[at] = Some(Rc::clone(&connection));
        table.open += 1;
        drop(table);
        self.metrics.connected();
        Some(connection)
    }

    /// Takes a connection's place back. Answers still under way for it are dropped; they are on record.
    pub(super) fn close(&self, connection: &Connection, why: Disconnect) {
        let mut table = self.connections.borrow_mut();
        table.places[connection.id.place as usize] = None;
        table.free.push(connection.id.place);
        table.open -= 1;
        drop(table);
        self.metrics.disconnected(why);
        tracing::debug!(connection = connection.id.place, why = why.name(), "disconnected");
    }
}
