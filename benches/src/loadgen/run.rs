//! The timed part: one thread sends prepared messages and takes answers. It makes no message, uses no key, and
//! allocates nothing.
//!
//! All that the window (closed loop) or the clock (open loop) allows on a connection goes out in one write; all that
//! has come in is taken in one read into a buffer that the connections share. Start at [`run`].

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

use rustix::time::{ClockId, clock_gettime};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::LocalSet,
};

use super::{
    error::LoadError,
    pace::{Pace, TICK_NS},
    prepare::Load,
    scan::{Found, Scanner},
    slices::Slices,
    tally::Tally,
    timer::{self, Timer},
};

/// How long answers are awaited after the timed part.
const DRAIN: Duration = Duration::from_secs(2);

/// Room for one read.
const READ_BYTES: usize = 256 << 10;

/// Room before it for the beginning of an answer that came with the read before.
const PARTIAL_BYTES: usize = 8 << 10;

/// A message that was not sent yet, and one that was answered, in place of the time of sending.
const UNSENT: u64 = u64::MAX;
const ANSWERED: u64 = u64::MAX - 1;

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Loop {
    /// So many under way on each connection.
    Closed(usize),
    /// When they are due.
    Open(Pace),
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How long the timed part took.
    pub elapsed: Duration,
    /// Answers that came in that time.
    pub in_time: u64,
    /// Requests sent.
    pub sent: u64,
    /// Requests without an answer, also after the time that answers are awaited.
    pub unanswered: u64,
    /// Connections that broke.
    pub lost: usize,
    /// Whether a connection had sent all its messages before the time was over.
    pub used_up: bool,
    /// Processor time of this thread in the timed part.
    pub cpu: Duration,
    /// What was noted of answers.
    pub tally: Tally,
}

/// Sends the messages of each load on a connection of its own, and notes latencies by slices of time of that length, if
/// there is one. Gives the loads back.
///
/// # Errors
/// The switch does not take the connections, or the system gives no runtime.
pub fn run(
    loads: Vec<Load>,
    to: SocketAddr,
    scanner: Scanner,
    pace: Loop,
    time: Duration,
    slice: Option<Duration>,
) -> Result<(Outcome, Vec<Load>), LoadError> {
    let runtime = runtime()?;
    LocalSet::new().block_on(&runtime, async {
        let (shared, readers) = Shared::connected(loads, to, scanner, pace).await?;
        shared.tally.borrow_mut().slices = slice.map(|length| Slices::new(length, time));
        let outcome = Rc::clone(&shared).timed(readers, time).await?;
        // INVARIANT: the tasks that shared it have ended, or were ended, with the line before.
        let shared = Rc::try_unwrap(shared).map_err(|_| ()).expect("nobody else has it any more");
        Ok((outcome, shared.lines.into_iter().map(|line| line.load).collect()))
    })
}

/// A runtime on this thread.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(LoadError::system("the system gives no runtime"))
}

/// Processor time of this thread.
pub(super) fn cpu_time() -> Duration {
    timer::duration(clock_gettime(ClockId::ThreadCPUTime))
}

/// What the tasks of all connections share.
struct Shared {
    lines: Vec<Line>,
    scanner: Scanner,
    pace: Loop,
    begun: Cell<Instant>,
    tally: RefCell<Tally>,
    buffer: RefCell<Vec<u8>>,
    /// The timed part is over; closed loops send no more.
    stopped: Cell<bool>,
    used_up: Cell<bool>,
    lost: Cell<usize>,
    /// Connections whose task has ended.
    ended: Cell<usize>,
    /// Rung when the last connection has ended, or messages are used up.
    bell: Notify,
}

/// One connection.
struct Line {
    writer: OwnedWriteHalf,
    load: Load,
    state: RefCell<State>,
}

struct State {
    /// When each message was sent, or due; nanoseconds after the start.
    sent_ns: Vec<u64>,
    /// The next message to send.
    next: usize,
    /// Bytes that the socket has taken.
    written: usize,
    answered: usize,
    /// The beginning of an answer.
    partial: Vec<u8>,
}

/// What a connection waited for.
enum Event {
    /// So many bytes are in the buffer.
    Read(usize),
    /// The socket took all that was waiting.
    Written,
}

impl Shared {
    async fn connected(
        loads: Vec<Load>,
        to: SocketAddr,
        scanner: Scanner,
        pace: Loop,
    ) -> Result<(Rc<Self>, Vec<OwnedReadHalf>), LoadError> {
        let refused = |source| LoadError::Connect { address: to, source };
        let answers = loads.iter().map(Load::len).sum();
        let (mut lines, mut readers) = (Vec::new(), Vec::new());
        for load in loads {
            let stream = TcpStream::connect(to).await.map_err(refused)?;
            stream.set_nodelay(true).map_err(refused)?;
            let (reader, writer) = stream.into_split();
            let state = State {
                sent_ns: vec![UNSENT; load.len()],
                next: 0,
                written: 0,
                answered: 0,
                partial: Vec::with_capacity(PARTIAL_BYTES),
            };
            lines.push(Line { writer, load, state: RefCell::new(state) });
            readers.push(reader);
        }
        let shared = Self {
            lines,
            scanner,
            pace,
            begun: Cell::new(Instant::now()),
            tally: RefCell::new(Tally::new(answers)),
            buffer: RefCell::new(vec![0xFF; PARTIAL_BYTES + READ_BYTES]),
            stopped: Cell::new(false),
            used_up: Cell::new(false),
            lost: Cell::new(0),
            ended: Cell::new(0),
            bell: Notify::new(),
        };
        Ok((Rc::new(shared), readers))
    }

    async fn timed(
        self: Rc<Self>,
        readers: Vec<OwnedReadHalf>,
        time: Duration,
    ) -> Result<Outcome, LoadError> {
        let mut tasks = tokio::task::JoinSet::new();
        let pacer = match self.pace {
            Loop::Closed(_) => None,
            Loop::Open(pace) => Some((pace, Timer::new()?)),
        };
        let cpu_before = cpu_time();
        self.begun.set(Instant::now());
        if let Some(slices) = &mut self.tally.borrow_mut().slices {
            slices.begin(SystemTime::now());
        }
        for (place, reader) in readers.into_iter().enumerate() {
            tasks.spawn_local(Rc::clone(&self).serve(place, reader));
        }
        if let Some((pace, mut timer)) = pacer {
            timer.start();
            tasks.spawn_local(Rc::clone(&self).pace(pace, timer));
        }
        let end = tokio::time::Instant::from_std(self.begun.get()) + time;
        let _time_is_over = tokio::time::timeout_at(end, self.bell.notified()).await;
        let (elapsed, cpu) = (self.begun.get().elapsed(), cpu_time().saturating_sub(cpu_before));
        let in_time = self.tally.borrow().answers;
        self.stopped.set(true);
        let all_ended = async {
            while self.ended.get() < self.lines.len() {
                self.bell.notified().await;
            }
        };
        let _drained = tokio::time::timeout(DRAIN, all_ended).await;
        tasks.shutdown().await;
        let count =
            |of: fn(&State) -> usize| self.lines.iter().map(|line| of(&line.state.borrow()) as u64).sum();
        let (sent, answered): (u64, u64) = (count(|state| state.next), count(|state| state.answered));
        Ok(Outcome {
            elapsed,
            in_time,
            sent,
            unanswered: sent - answered,
            lost: self.lost.get(),
            used_up: self.used_up.get(),
            cpu,
            tally: self.tally.replace(Tally::new(0)),
        })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.get().elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Serves a connection until it has all its answers.
    async fn serve(self: Rc<Self>, place: usize, mut reader: OwnedReadHalf) {
        if self.converse(place, &mut reader).await.is_err() {
            self.lost.set(self.lost.get() + 1);
        }
        self.ended.set(self.ended.get() + 1);
        if self.ended.get() == self.lines.len() {
            self.bell.notify_one();
        }
    }

    async fn converse(&self, place: usize, reader: &mut OwnedReadHalf) -> io::Result<()> {
        let line = &self.lines[place];
        loop {
            if let Loop::Closed(window) = self.pace {
                self.fill(line, window)?;
            }
            if self.is_done(line) {
                return Ok(());
            }
            if let Event::Read(count) = self.wait(line, reader).await? {
                self.take_answers(place, count)?;
            }
        }
    }

    /// Sends what the window allows.
    fn fill(&self, line: &Line, window: usize) -> io::Result<()> {
        let state = &mut *line.state.borrow_mut();
        let room = window - (state.next - state.answered);
        if room > 0 && !self.stopped.get() {
            let upto = (state.next + room).min(line.load.len());
            if upto < state.next + room && !self.used_up.replace(true) {
                self.bell.notify_one();
            }
            state.sent_ns[state.next..upto].fill(self.now_ns());
            state.next = upto;
        }
        line.flush(state)
    }

    fn is_done(&self, line: &Line) -> bool {
        let state = line.state.borrow();
        let sends_no_more = match self.pace {
            Loop::Closed(_) => self.stopped.get() || state.next == line.load.len(),
            Loop::Open(_) => state.next == line.load.len(),
        };
        sends_no_more && state.answered == state.next
    }

    /// Waits until there is something to read, or the socket takes what waits to be written.
    async fn wait(&self, line: &Line, reader: &mut OwnedReadHalf) -> io::Result<Event> {
        poll_fn(|context| {
            let mut buffer = self.buffer.borrow_mut();
            let mut room = ReadBuf::new(&mut buffer[PARTIAL_BYTES..]);
            match Pin::new(&mut *reader).poll_read(context, &mut room) {
                Poll::Ready(Ok(())) if room.filled().is_empty() => {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(Event::Read(room.filled().len()))),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
            let mut state = line.state.borrow_mut();
            while !line.is_flushed(&state) {
                match line.writer.as_ref().poll_write_ready(context) {
                    Poll::Ready(Ok(())) => line.flush(&mut state)?,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
                if line.is_flushed(&state) {
                    return Poll::Ready(Ok(Event::Written));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Takes the answers that are whole from what was read.
    fn take_answers(&self, place: usize, count: usize) -> io::Result<()> {
        let (line, now_ns) = (&self.lines[place], self.now_ns());
        let state = &mut *line.state.borrow_mut();
        let (mut buffer, mut tally) = (self.buffer.borrow_mut(), self.tally.borrow_mut());
        let begin = PARTIAL_BYTES - state.partial.len();
        buffer[begin..PARTIAL_BYTES].copy_from_slice(&state.partial);
        let mut bytes = &buffer[begin..PARTIAL_BYTES + count];
        loop {
            let end = match self.scanner.next(bytes) {
                Found::Answer(seen, end) => {
                    let numbers = line.load.numbers;
                    let asked = numbers.and_then(|numbers| numbers.place(seen.stan, state.next));
                    match asked.filter(|at| state.sent_ns[*at] < ANSWERED) {
                        Some(at) => {
                            let sent_ns = state.sent_ns[at];
                            let took_ns = now_ns.saturating_sub(sent_ns);
                            if let Some(slices) = &mut tally.slices {
                                slices.answered(sent_ns, took_ns);
                            }
                            state.sent_ns[at] = ANSWERED;
                            state.answered += 1;
                            tally.answered(seen, took_ns, (place, at), &bytes[..end]);
                        }
                        None => tally.unexpected += 1,
                    }
                    end
                }
                Found::Other(end) => {
                    tally.unexpected += 1;
                    end
                }
                Found::Incomplete => break,
                Found::NoFrame => return Err(io::ErrorKind::InvalidData.into()),
            };
            bytes = &bytes[end..];
        }
        state.partial.clear();
        state.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends each request when it is due, until all are sent.
    async fn pace(self: Rc<Self>, pace: Pace, timer: Timer) {
        let total: u64 = self.lines.iter().map(|line| line.load.len() as u64).sum();
        let (mut sent, mut behind) = (0, Vec::with_capacity(self.lines.len()));
        while sent < total || !behind.is_empty() {
            let now_ns = self.now_ns();
            let due = pace.due_count(now_ns).min(total);
            let touched = usize::try_from(due - sent).unwrap_or(usize::MAX).min(self.lines.len());
            for turn in 0..touched {
                self.send_due(pace.place(sent + turn as u64).0, due, now_ns, &pace, &mut behind);
            }
            sent = due;
            // What a socket did not take stays due; nothing else waits for it.
            behind.retain(|place: &usize| {
                let line = &self.lines[*place];
                let mut state = line.state.borrow_mut();
                line.flush(&mut state).is_ok() && !line.is_flushed(&state)
            });
            let next_ns = if behind.is_empty() { pace.due_ns(sent) } else { 0 };
            // A timer that fails would make latencies look bad, never good.
            let _late = timer.wait_until(next_ns.max(now_ns + TICK_NS)).await;
        }
    }

    fn send_due(&self, place: usize, due: u64, now_ns: u64, pace: &Pace, behind: &mut Vec<usize>) {
        let line = &self.lines[place];
        let state = &mut *line.state.borrow_mut();
        let upto = pace.own_count(place, due).min(line.load.len());
        let mut tally = self.tally.borrow_mut();
        for at in state.next..upto {
            let due_ns = pace.own_due_ns(place, at);
            state.sent_ns[at] = due_ns;
            tally.late.saturating_record(now_ns.saturating_sub(due_ns));
        }
        state.next = upto;
        // A broken connection shows when it is read.
        let _broken = line.flush(state);
        if !line.is_flushed(state) && !behind.contains(&place) {
            behind.push(place);
        }
    }
}

impl Line {
    fn is_flushed(&self, state: &State) -> bool {
        state.written == self.load.end(state.next)
    }

    /// Writes what the socket takes now.
    fn flush(&self, state: &mut State) -> io::Result<()> {
        let end = self.load.end(state.next);
        while state.written < end {
            match self.writer.try_write(self.load.bytes(state.written, end)) {
                Ok(count) => state.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
