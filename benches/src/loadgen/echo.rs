//! The baseline: the same frames to a plain TCP echo on a thread of its own, with the same connections and window.
//!
//! What it makes is what this machine's loopback allows a switch that does nothing. Start at [`echo`].

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    net::SocketAddr,
    rc::Rc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::{JoinSet, LocalSet},
};

use super::{
    error::LoadError,
    prepare::Load,
    run::{cpu_time, runtime},
    tally::histogram,
};

/// Room for one read, on either side.
const READ_BYTES: usize = 64 << 10;

/// What the echo made.
#[derive(Debug)]
pub struct Echoed {
    /// Frames that came back.
    pub frames: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Processor time of the sending thread.
    pub cpu: Duration,
    /// Nanoseconds from sending to coming back.
    pub latency: Histogram<u64>,
}

/// Sends the messages of each load round and round, `window` of them under way on each connection. Gives the loads
/// back; no switch has seen them.
///
/// # Errors
/// The system refuses a thread or a socket.
pub fn echo(loads: Vec<Load>, window: usize, time: Duration) -> Result<(Echoed, Vec<Load>), LoadError> {
    let failed = |source| LoadError::System { what: "the echo for the baseline failed", source };
    let (server, address, stop) = start_server().map_err(failed)?;
    let runtime = runtime()?;
    let echoed = LocalSet::new().block_on(&runtime, client(loads, window, time, address)).map_err(failed);
    // The server may have ended by itself, with its last connection.
    let _ended = stop.send(());
    // INVARIANT: the server has nothing that panics.
    server.join().expect("the server ends").map_err(failed)?;
    echoed
}

type Server = (JoinHandle<io::Result<()>>, SocketAddr, oneshot::Sender<()>);

fn start_server() -> io::Result<Server> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let server = std::thread::Builder::new().name("echo".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::from_std(listener)?;
            tokio::task::spawn_local(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::task::spawn_local(send_back(stream));
                }
            });
            let _asker_gone = stopped.await;
            Ok(())
        })
    })?;
    Ok((server, address, stop))
}

/// Sends back what comes: all of one read in one write.
async fn send_back(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

/// What the client's connections share.
struct Shared {
    loads: Vec<Load>,
    begun: Instant,
    stopped: Cell<bool>,
    frames: Cell<u64>,
    latency: RefCell<Histogram<u64>>,
}

async fn client(
    loads: Vec<Load>,
    window: usize,
    time: Duration,
    address: SocketAddr,
) -> io::Result<(Echoed, Vec<Load>)> {
    let mut streams = Vec::with_capacity(loads.len());
    for _ in &loads {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let cpu_before = cpu_time();
    let shared = Rc::new(Shared {
        loads,
        begun: Instant::now(),
        stopped: Cell::new(false),
        frames: Cell::new(0),
        latency: RefCell::new(histogram()),
    });
    let mut tasks = JoinSet::new();
    for (place, stream) in streams.into_iter().enumerate() {
        tasks.spawn_local(converse(Rc::clone(&shared), place, stream, window));
    }
    tokio::time::sleep(time).await;
    shared.stopped.set(true);
    let (frames, elapsed) = (shared.frames.get(), shared.begun.elapsed());
    let cpu = cpu_time().saturating_sub(cpu_before);
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    // INVARIANT: the tasks that shared it have ended.
    let shared = Rc::try_unwrap(shared).map_err(|_| ()).expect("nobody else has it any more");
    Ok((Echoed { frames, elapsed, cpu, latency: shared.latency.into_inner() }, shared.loads))
}

/// Keeps `window` frames under way until it is told to stop.
async fn converse(shared: Rc<Shared>, place: usize, mut stream: TcpStream, window: usize) -> io::Result<()> {
    let load = &shared.loads[place];
    let window = window.min(load.len());
    let mut under_way = VecDeque::with_capacity(window);
    let mut buffer = vec![0; READ_BYTES];
    // The next frame to send, the next to come back, and bytes of it that have.
    let (mut next, mut awaited, mut received) = (0, 0, 0);
    while !shared.stopped.get() || !under_way.is_empty() {
        let room = window - under_way.len();
        if room > 0 && !shared.stopped.get() {
            let upto = (next + room).min(load.len());
            under_way.extend(std::iter::repeat_n(Instant::now(), upto - next));
            stream.write_all(load.bytes(load.end(next), load.end(upto))).await?;
            next = upto % load.len();
        }
        received += match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => count,
        };
        let now = Instant::now();
        let mut latency = shared.latency.borrow_mut();
        while received >= load.message(awaited).len()
            && let Some(sent) = under_way.pop_front()
        {
            received -= load.message(awaited).len();
            awaited = (awaited + 1) % load.len();
            let took = now.saturating_duration_since(sent).as_nanos();
            latency.saturating_record(u64::try_from(took).unwrap_or(u64::MAX));
            shared.frames.set(shared.frames.get() + 1);
        }
    }
    Ok(())
}
