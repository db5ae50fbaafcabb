//! An attack: everything that the attackers of one phase do, on a thread of their own.
//!
//! [`wage`] returns when the phase is over and every attacker has gone. What they do on connections that carry whole
//! frames is in `volley`; crowds of connections that carry next to nothing are in `crowd`, those of the admin port in
//! `admin`.

mod admin;
mod crowd;
mod volley;

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use cardswitch::{app::Ports, books::event::TerminalDialect};
use tokio::{
    net::{TcpSocket, TcpStream},
    task::LocalSet,
    time::Instant,
};

use super::{
    arsenal::{Arsenal, DIALECTS},
    budget::{Budget, SOURCES},
    kind::Kind,
    tally::Tally,
};

/// How long a connection may take to come about, and how long an attacker waits for the answers it is still owed.
const PATIENCE: Duration = Duration::from_secs(3);
/// Pause of an attacker that was turned away.
const SULK: Duration = Duration::from_millis(100);
/// Bytes that a slow reader's system keeps for it.
const SMALL_BUFFER: u32 = 4_096;

/// Niceness of the attackers. Elsewhere they would have processors of their own; here they take only what the switch and
/// the honest leave, so that what an attack costs the honest is what it costs the switch.
const NICENESS: i32 = 19;

/// Wages one kind of attack for so long; with [`Kind::Together`], all of them.
#[must_use]
pub fn wage(kind: Kind, time: Duration, ports: Ports, arsenal: Arsenal, seed: u64) -> Tally {
    let attackers = std::thread::Builder::new().name("attackers".into()).spawn(move || {
        // On Linux this is the thread's own. A system that refuses it only makes the honest wait longer.
        let _refused = rustix::process::nice(NICENESS);
        attack(kind, time, ports, arsenal, seed)
    });
    attackers.expect("a thread").join().expect("an attacker does not panic")
}

fn attack(kind: Kind, time: Duration, ports: Ports, arsenal: Arsenal, seed: u64) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(LocalSet::new().run_until(async move {
        let ground = Rc::new(Ground {
            ends: Instant::now() + time,
            ports,
            arsenal,
            is_shared: kind == Kind::Together,
            budget: Budget::new(),
            tally: RefCell::default(),
            calls: Cell::new(0),
        });
        let attackers: Vec<_> = match kind {
            Kind::Together => Kind::parts().flat_map(|part| deploy(&ground, part, seed)).collect(),
            one => deploy(&ground, one, seed),
        };
        for attacker in attackers {
            attacker.await.expect("an attacker does not panic");
        }
        ground.tally.take()
    }))
}

/// Starts the attackers of one kind.
fn deploy(ground: &Rc<Ground>, kind: Kind, seed: u64) -> Vec<tokio::task::JoinHandle<()>> {
    match kind {
        Kind::AdminPort => admin::besiege(ground, seed),
        Kind::HalfFrames
        | Kind::OneByteASecond
        | Kind::SlowReaders
        | Kind::ConnectAndClose
        | Kind::ConnectAndHold => crowd::gather(ground, kind, seed),
        _ => volley::open_fire(ground, kind, seed),
    }
}

/// What the attackers of a phase have in common.
struct Ground {
    ends: Instant,
    ports: Ports,
    arsenal: Arsenal,
    /// Whether several kinds are waged at once: then each brings fewer connections.
    is_shared: bool,
    budget: Budget,
    tally: RefCell<Tally>,
    calls: Cell<u8>,
}

impl Ground {
    fn goes_on(&self) -> bool {
        Instant::now() < self.ends
    }

    fn address(&self, dialect: TerminalDialect) -> SocketAddr {
        match dialect {
            TerminalDialect::Pos => self.ports.pos,
            TerminalDialect::Epos => self.ports.epos,
            TerminalDialect::Atm => self.ports.atm,
        }
    }

    fn dialect(&self, at: usize) -> TerminalDialect {
        DIALECTS[at % DIALECTS.len()].0
    }

    /// A connection to a port of terminals, from the next of the attackers' addresses, once the budget has one.
    async fn connect(&self, to: SocketAddr) -> Option<TcpStream> {
        self.connect_with(to, None).await
    }

    /// The same with so small a buffer that what is not read soon stays with the switch.
    async fn connect_with(&self, to: SocketAddr, buffer: Option<u32>) -> Option<TcpStream> {
        self.budget.connect().await;
        if !self.goes_on() {
            return None;
        }
        let stream = tokio::time::timeout(PATIENCE, dial(to, self.next_source(), buffer)).await;
        if let Ok(Ok(stream)) = stream {
            let mut tally = self.tally.borrow_mut();
            let opened = if to == self.ports.admin { &mut tally.opened_admin } else { &mut tally.opened };
            *opened += 1;
            return Some(stream);
        }
        self.tally.borrow_mut().not_opened += 1;
        self.sulk().await;
        None
    }

    fn next_source(&self) -> IpAddr {
        self.calls.set((self.calls.get() + 1) % SOURCES);
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + self.calls.get()))
    }

    async fn sulk(&self) {
        self.until_end(tokio::time::sleep(SULK)).await;
    }

    /// Waits for something, but not beyond the end.
    async fn until_end<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.ends, what).await.ok()
    }

    /// The switch has ended a connection.
    fn closed(&self) {
        self.tally.borrow_mut().closed_by_switch += 1;
    }

    /// Something was sent that is no whole frame, or of which nobody knows whether the switch came to it.
    fn threw_pieces(&self, pieces: u64, bytes: usize) {
        let mut tally = self.tally.borrow_mut();
        tally.pieces += pieces;
        tally.bytes += bytes as u64;
    }
}

async fn dial(to: SocketAddr, from: IpAddr, buffer: Option<u32>) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    // Of two connections that have the address in common the other end differs.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(from, 0))?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
