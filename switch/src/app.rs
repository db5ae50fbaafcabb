//! The wiring: the only place that knows which thread runs which stage.
//!
//! Six threads. *io* runs every connection and turns away what there is no permit for. *stages* owns the books and takes
//! batches through the stages. *commit* writes the journal and lets answers go. *admin* answers people and scrapers.
//! *checkpoint* saves pictures of the books, made beside them. *head* tells outside the data folder where the journal ends; each
//! sender of notices has a thread of its own besides. A batch goes io → stages → commit → io.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use crossbeam::channel::{Sender, unbounded};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    batch::{Batch, Line},
    books::{Books, event::TerminalDialect},
    channel::{
        Form, connector,
        hub::{Hub, Work},
        listener,
    },
    checkpointer::{self, CheckpointError, Checkpointer, Task},
    clock::{Clock, Moment, UnknownZone, stopwatch},
    commit::{self, Fatal, Released},
    config::{BitmapForm, Config, LengthForm, Limits},
    console,
    dialect::{Forms, TurnAway},
    head_copy::{self, HeadCopyError, Teller},
    journal::{JournalError, Reader, Seq, SledStore, Store, StoreOptions},
    keys::{self, CheckValue, LmkError},
    mirror::{self, Mirror, MirrorError},
    notices::{NoticesError, Outbox, Senders, Surroundings},
    orders::{Officers, OfficersError},
    recovery::{self, RecoveryError},
    stages::{
        FaultLog, Stages,
        thread::{self, Errand, Follows, Queue},
    },
    telemetry::{
        cost::Laps,
        metrics::{self, Metrics},
        page::Page,
    },
    verify::{KeysError, Verifier},
    wipe,
};

/// Connections that the system may hold until they are accepted; it takes less if its own limit is lower.
const ACCEPT_QUEUE: i32 = 4096;

/// How long a stop waits for what is under way.
const DRAIN: Duration = Duration::from_secs(10);

/// Name of the file in the data folder that says on which ports the switch listens.
pub const PORTS_FILE: &str = "ports.json";

/// Orders and questions waiting for the io thread at most.
const CONTROL_MAX: usize = 64;

/// Why the switch did not start, or did not stop well.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The books could not be made.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The HSM or its key file cannot be used.
    #[error(transparent)]
    Lmk(#[from] LmkError),
    /// The keys in the books cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The zone is unknown.
    #[error(transparent)]
    Zone(#[from] UnknownZone),
    /// The file of officers cannot be used.
    #[error("orders.officers: {0}")]
    Officers(#[from] OfficersError),
    /// The journal is not the one that was told outside the data folder.
    #[error(transparent)]
    HeadCopy(#[from] HeadCopyError),
    /// The mirror does not fit the journal.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// Notices cannot be sent as they should be.
    #[error(transparent)]
    Notices(#[from] NoticesError),
    /// A port could not be opened.
    #[error("{key}: cannot listen on {address}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file with the ports could not be written.
    #[error("cannot write {}", path.display())]
    Ports {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The system gives no thread or runtime, or the metrics cannot be set up.
    #[error("cannot start: {0}")]
    System(String),
    /// A thread ended in a panic.
    #[error("the {0} thread panicked")]
    Panicked(&'static str),
}

/// Where the switch listens.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ports {
    /// `pos` terminals.
    pub pos: SocketAddr,
    /// `epos` terminals.
    pub epos: SocketAddr,
    /// ATM hosts.
    pub atm: SocketAddr,
    /// The admin port.
    pub admin: SocketAddr,
}

/// An order or a question to the switch.
pub enum Control {
    /// Stop well.
    Stop,
    /// Look at the books between two batches. What is seen may be ahead of what is durable.
    Look(Box<dyn FnOnce(&Books) + Send>),
    /// Look at the books between two batches and record what follows, if anything does. It is durable once a journal's
    /// reader has the record behind the last that the books had.
    Record(Follows),
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stop => "Stop",
            Self::Look(_) => "Look",
            Self::Record(_) => "Record",
        })
    }
}

/// A running switch.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub ports: Ports,
    /// Its metrics, as the admin port shows them.
    pub metrics: Page,
    control: mpsc::Sender<Control>,
    io: JoinHandle<Result<(), AppError>>,
    stages: JoinHandle<()>,
    commit: JoinHandle<Result<(), JournalError>>,
    checkpointer: Checkpointer,
    mirror: Option<Mirror>,
    teller: Teller,
    outbox: Outbox,
    admin: console::Server,
    ports_file: PathBuf,
}

/// Starts the switch on its own store in the configured data folder.
///
/// # Errors
/// Everything that keeps it from serving; no port is open then.
pub fn start(config: &Config, progress: &mut dyn FnMut(Seq)) -> Result<Running, AppError> {
    let options = StoreOptions {
        extent_bytes: config.journal.extent_bytes,
        anchor_lag_ms: config.journal.anchor_lag_ms,
        archive_days: config.journal.archive_days,
    };
    let (journal, archive) =
        (journal_dir(&config.data.dir), archive_dir(&config.data.dir, config.journal.archive.as_deref()));
    let (store, report) = SledStore::open_archived(&journal, &archive, options, progress)?;
    tracing::info!(
        seq = report.head.seq,
        extents = report.extents,
        base = report.base,
        created = report.created,
        "journal verified"
    );
    if report.from_tail > 0 {
        tracing::info!(
            extents = report.from_tail,
            "extents taken over from the tail: the last stop was not a clean one"
        );
    }
    if report.left_over > 0 {
        tracing::info!(
            extents = report.left_over,
            "archived extents removed: the last stop was in the middle of that"
        );
    }
    if report.ahead_of_anchor > 0 {
        tracing::info!(
            records = report.ahead_of_anchor,
            "records behind the anchor: the last stop was not a clean one"
        );
    }
    start_on(config, Box::new(store), Arc::new(die), progress)
}

/// Starts the switch on a store of the caller's; `fatal` is called when that fails.
///
/// # Errors
/// As [`start`].
pub fn start_on(
    config: &Config,
    mut store: Box<dyn Store>,
    fatal: Fatal,
    progress: &mut dyn FnMut(Seq),
) -> Result<Running, AppError> {
    let ports_file = config.data.dir.join(PORTS_FILE);
    // Left behind by a switch that was killed; whoever waits for the file must not be sent to the old ports.
    let _none_there = std::fs::remove_file(&ports_file);
    let (metrics, page) = metrics::recorder();
    metrics.limits(config);
    let officers = officers(config)?;
    let senders = Senders::open(config)?;
    let stages = prepare_for(officers.as_ref(), config, store.as_mut(), metrics.clone(), progress)?;
    let sizes = stages.books.card_sizes();
    tracing::info!(
        cards = sizes.cards,
        idle_centibytes = sizes.idle_centibytes(),
        used = sizes.used,
        "books ready; each card takes so many hundredths of a byte, each used one its counters on top"
    );
    wipe::deep_stack();
    let reader: Box<dyn Reader> = store.reader();
    metrics.epoch(stages.books.epoch());
    let pos = listen("pos.listen", config.pos.listen)?;
    let epos = listen("epos.listen", config.epos.listen)?;
    let atm = listen("atm.listen", config.atm.listen)?;
    let admin = listen("admin.listen", config.admin.listen)?;
    let ports = Ports { pos: local(&pos)?, epos: local(&epos)?, atm: local(&atm)?, admin: local(&admin)? };
    let (control, orders) = mpsc::channel(CONTROL_MAX);
    let teller = head_copy::start(head_copy::Task {
        reader: store.reader(),
        epoch: stages.books.epoch(),
        path: config.journal.head_copy.clone(),
        metrics: metrics.clone(),
    })
    .map_err(|error| AppError::System(error.to_string()))?;
    let journal =
        console::journal::Journal { reader: store.reader().into(), checkpoints: store.checkpoints() };
    let mirror = start_mirror(config, store.reader(), &metrics)?;
    let checkpointer = checkpointer::start(Task {
        reader: store.reader(),
        checkpoints: store.checkpoints(),
        every_records: config.journal.checkpoint_records,
        mirror: mirror.as_ref().map(Mirror::follower),
        metrics: metrics.clone(),
        fatal: Box::new(die_of_books),
    })
    .map_err(|error| AppError::System(error.to_string()))?;
    let around = Surroundings {
        control: control.clone(),
        store: store.as_ref(),
        books: &stages.books,
        metrics: &metrics,
        entropy: system_entropy,
    };
    let outbox = senders.start(&around)?;
    let outbox_view = console::OutboxView { status: Arc::clone(&outbox.status), zone: outbox.zone.clone() };
    let (to_commit, work) = unbounded();
    let released = Arc::new(Released::default());
    let admin_metrics = metrics.clone();
    let follower = mirror.as_ref().map(Mirror::follower);
    let commit = commit::start(store, work, Arc::clone(&released), follower, metrics.clone(), fatal)
        .map_err(|error| AppError::System(error.to_string()))?;
    let (to_stages, stage_orders) = unbounded();
    let desk = Desk {
        to_stages: to_stages.clone(),
        queue: Arc::default(),
        clock: stages.clock.clone(),
        asked: None,
        away: TurnAway::new(stages.forms),
    };
    let hsm = console::HsmState {
        test: stages.verifier.is_test(),
        lmk: CheckValue(stages.verifier.lmk_check_value()),
    };
    let stages = thread::start(stages, stage_orders, Arc::clone(&desk.queue), to_commit)
        .map_err(|error| AppError::System(error.to_string()))?;
    let io = Io {
        limits: config.limits.clone(),
        listeners: vec![(pos, pos_form(config)), (epos, epos_form(config)), (atm, atm_form(config))],
        hosts: config.atm.connect.iter().map(|host| (*host, atm_form(config))).collect(),
        desk,
        to_stages,
        metrics,
        released,
        orders,
    };
    let io = std::thread::Builder::new()
        .name("io".into())
        .spawn(move || io.run())
        .map_err(|error| AppError::System(error.to_string()))?;
    let admin = console::start(
        admin,
        control.clone(),
        (reader, journal),
        (hsm, officers),
        outbox_view,
        admin_metrics,
        page.clone(),
    )
    .map_err(|error| AppError::System(error.to_string()))?;
    write_ports(&ports_file, &ports)?;
    tracing::info!(pos = %ports.pos, epos = %ports.epos, atm = %ports.atm, admin = %ports.admin, "ready");
    Ok(Running {
        ports,
        metrics: page,
        control,
        io,
        stages,
        commit,
        checkpointer,
        mirror,
        teller,
        outbox,
        admin,
        ports_file,
    })
}

/// The stages over a store's books, ready to work on batches: what [`start_on`] gives the stages' thread.
///
/// # Errors
/// The journal is not the one that was told of, the books cannot be made, or their keys not be used.
pub fn prepare(
    config: &Config,
    store: &mut dyn Store,
    metrics: Metrics,
    progress: &mut dyn FnMut(Seq),
) -> Result<Stages, AppError> {
    prepare_for(officers(config)?.as_ref(), config, store, metrics, progress)
}

fn officers(config: &Config) -> Result<Option<Officers>, AppError> {
    Ok(config.orders.officers.as_deref().map(Officers::read).transpose()?)
}

#[inline(never)] // So that its caller can overwrite the stack it has used.
fn prepare_for(
    officers: Option<&Officers>,
    config: &Config,
    store: &mut dyn Store,
    metrics: Metrics,
    progress: &mut dyn FnMut(Seq),
) -> Result<Stages, AppError> {
    let mut clock = Clock::new(&config.time.zone)?;
    let (mut hsm, _) = keys::open(&config.hsm)?;
    let mut entropy = system_entropy;
    let books = recovery::restore(store, progress)?;
    // Before the first record of this start: a journal that is not served must stay as it was found.
    if let Some(path) = &config.journal.head_copy {
        head_copy::check(path, &books, store.reader().as_ref(), officers)?;
    }
    if let Some(folder) = &config.journal.mirror {
        mirror::check(folder, store.reader().as_ref())?;
    }
    let books = recovery::go_on(books, store, config, &mut hsm, &mut entropy, &mut clock, progress)?;
    let verifier = Verifier::new(hsm, Box::new(entropy), &books)?;
    let lmk = CheckValue(verifier.lmk_check_value());
    metrics.hsm(verifier.is_test(), lmk);
    if verifier.is_test() {
        tracing::warn!(%lmk, "the HSM works under the published test LMK: for tests and development only");
    } else {
        tracing::info!(%lmk, "the HSM works under an LMK of components");
    }
    let forms = Forms {
        atm_binary_bitmap: config.atm.bitmap == BitmapForm::Binary,
        institution: config.atm.institution,
    };
    let stages =
        Stages { books, verifier, clock, metrics, faults: FaultLog::default(), forms, laps: Laps::default() };
    stages.tell_books();
    Ok(stages)
}

fn start_mirror(
    config: &Config,
    reader: Box<dyn Reader>,
    metrics: &Metrics,
) -> Result<Option<Mirror>, AppError> {
    let Some(folder) = config.journal.mirror.clone() else { return Ok(None) };
    let (wait, metrics) = (config.journal.mirror_wait, metrics.clone());
    Ok(Some(mirror::start(mirror::Task { reader, folder, wait, metrics })?))
}

fn pos_form(config: &Config) -> Form {
    let line = Line { dialect: TerminalDialect::Pos, private: config.pos.private, concentrator: false };
    Form { length: LengthForm::Binary, line, connections_max: config.pos.connections }
}

fn epos_form(config: &Config) -> Form {
    let (private, concentrator) = (config.epos.private, config.epos.concentrator);
    let line = Line { dialect: TerminalDialect::Epos, private, concentrator };
    Form { length: LengthForm::Binary, line, connections_max: config.epos.connections }
}

fn atm_form(config: &Config) -> Form {
    let line = Line { dialect: TerminalDialect::Atm, private: config.atm.private, concentrator: false };
    Form { length: config.atm.length, line, connections_max: config.atm.connections }
}

impl Running {
    /// Stops well: accepts nothing more, answers what is under way, syncs, saves a checkpoint.
    ///
    /// # Errors
    /// The first thing that did not end well.
    pub fn stop(self) -> Result<(), AppError> {
        // A full channel is full of questions; the order waits behind them. A closed one means the thread is gone,
        // which `join` reports.
        let _thread_gone = self.control.blocking_send(Control::Stop);
        let checkpointer_ended = self.checkpointer.stop();
        let io = self.io.join().map_err(|_| AppError::Panicked("io"))?;
        self.stages.join().map_err(|_| AppError::Panicked("stages"))?;
        self.admin.stop();
        let outbox_ended = self.outbox.stop();
        let commit = self.commit.join().map_err(|_| AppError::Panicked("commit"))?;
        // Both behind the last commit, so that they have all of it.
        let mirror_ended = self.mirror.is_none_or(Mirror::stop);
        let teller_ended = self.teller.stop();
        if !checkpointer_ended {
            return Err(AppError::Panicked("checkpoint"));
        }
        if !teller_ended {
            return Err(AppError::Panicked("head"));
        }
        if !outbox_ended {
            return Err(AppError::Panicked("notices"));
        }
        if !mirror_ended {
            return Err(AppError::Panicked("mirror"));
        }
        // The ports are closed; whoever reads the file next must not be sent there.
        let _already_gone = std::fs::remove_file(&self.ports_file);
        io?;
        Ok(commit?)
    }

    /// Looks at the books between two batches and returns what `look` returns; `None` if the switch is gone.
    pub fn look<T: Send + 'static>(&self, look: impl FnOnce(&Books) -> T + Send + 'static) -> Option<T> {
        let (tell, told) = std::sync::mpsc::channel();
        let look = Control::Look(Box::new(move |books| {
            // The asker may have gone away; then nobody wants to know.
            let _asker_gone = tell.send(look(books));
        }));
        self.control.blocking_send(look).ok()?;
        told.recv().ok()
    }

    /// Whether a thread has ended that does not in a serving switch.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.io.is_finished() || self.stages.is_finished() || self.commit.is_finished()
    }
}

/// Where in a data folder the journal lies.
#[must_use]
pub fn journal_dir(data: &Path) -> PathBuf {
    data.join("journal")
}

/// Where a data folder's archive lies, unless it has a place of its own.
#[must_use]
pub fn archive_dir(data: &Path, own: Option<&Path>) -> PathBuf {
    own.map_or_else(|| data.join("archive"), Path::to_path_buf)
}

/// What the io thread owns.
struct Io {
    limits: Limits,
    listeners: Vec<(std::net::TcpListener, Form)>,
    /// Hosts that the switch dials itself.
    hosts: Vec<(SocketAddr, Form)>,
    desk: Desk,
    to_stages: Sender<Errand>,
    metrics: Metrics,
    released: Arc<Released>,
    orders: mpsc::Receiver<Control>,
}

impl Io {
    fn run(self) -> Result<(), AppError> {
        let system = |error: std::io::Error| AppError::System(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
        tokio::task::LocalSet::new().block_on(&runtime, self.serve()).map_err(system)
    }

    async fn serve(mut self) -> std::io::Result<()> {
        let queue = Arc::clone(&self.desk.queue);
        let hub = Rc::new(Hub::new(self.limits, self.metrics, Box::new(self.desk)));
        for (listener, form) in self.listeners {
            let listener = TcpListener::from_std(listener)?;
            tokio::task::spawn_local(listener::accept(Rc::clone(&hub), listener, form));
        }
        for (host, form) in self.hosts {
            tokio::task::spawn_local(connector::keep_connected(Rc::clone(&hub), host, form));
        }
        let batches = Rc::clone(&hub);
        tokio::task::spawn_local(async move { batches.give_batches(&queue.idle).await });
        tokio::task::spawn_local(deliver(Rc::clone(&hub), self.released));

        while let Some(order) = self.orders.recv().await {
            match order {
                Control::Look(look) => give(&self.to_stages, Errand::Look(look)),
                Control::Record(follows) => give(&self.to_stages, Errand::Record(follows)),
                Control::Stop => break,
            }
        }
        hub.stop();
        let begun = stopwatch();
        while !hub.drained() && begun.elapsed() < DRAIN {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if !hub.drained() {
            let (requests, connections) = (hub.permits_in_use(), hub.connections_open());
            tracing::warn!(requests, connections, "stopping although not everything was answered");
        }
        give(&self.to_stages, Errand::Finish);
        Ok(())
    }
}

fn give(to_stages: &Sender<Errand>, errand: Errand) {
    // If that thread is gone, it has panicked, and the process is on its way out.
    let _stages_gone = to_stages.send(errand);
}

/// Where the io thread gives batches over, and what it needs to turn frames away by itself.
struct Desk {
    to_stages: Sender<Errand>,
    queue: Arc<Queue>,
    clock: Clock,
    /// The moment of the turn under way: in a flood, asking for the time is a good part of what a frame costs.
    asked: Option<(Instant, Moment)>,
    away: TurnAway,
}

impl Work for Desk {
    fn give(&mut self, batch: Box<Batch>) {
        self.queue.given();
        give(&self.to_stages, Errand::Batch(batch));
    }

    fn is_idle(&self) -> bool {
        self.queue.is_idle()
    }

    fn turn_away(&mut self, line: Line, frame: &[u8], arrived: Instant, out: &mut BytesMut) -> bool {
        let (asked, moment) = match self.asked {
            Some((asked, moment)) if asked == arrived => (asked, moment),
            _ => (arrived, self.clock.now()),
        };
        self.asked = Some((asked, moment));
        self.away.answer(frame, line, &moment, out)
    }
}

async fn deliver(hub: Rc<Hub>, released: Arc<Released>) {
    loop {
        released.bell.notified().await;
        hub.deliver(std::iter::from_fn(|| released.batches.pop()));
    }
}

fn listen(key: &'static str, address: SocketAddr) -> Result<std::net::TcpListener, AppError> {
    let open = || {
        let listener = std::net::TcpListener::bind(address)?;
        // The standard library's queue of 128 is gone in a moment when a city's terminals come back at once, and who
        // finds it full tries again only after a second.
        rustix::net::listen(&listener, ACCEPT_QUEUE)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    open().map_err(|source| AppError::Listen { key, address, source })
}

fn local(listener: &std::net::TcpListener) -> Result<SocketAddr, AppError> {
    listener.local_addr().map_err(|error| AppError::System(error.to_string()))
}

/// Writes the ports beside and renames, so that a reader sees all or nothing.
fn write_ports(path: &Path, ports: &Ports) -> Result<(), AppError> {
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let beside = path.with_extension("json.new");
        std::fs::write(&beside, serde_json::to_vec(ports)?)?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|source| AppError::Ports { path: path.to_owned(), source })
}

/// Random bytes from the operating system.
#[expect(clippy::disallowed_methods, reason = "the one source of random bytes")]
pub(crate) fn system_entropy(bytes: &mut [u8]) {
    // INVARIANT: the system's random source does not fail after boot; without it no key may be made.
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// A journal that cannot be written ends the process: what is durable is intact, and what is not was not answered.
fn die(error: &JournalError) {
    tracing::error!(error = %error, "the journal cannot be written; stopping at once, start again to recover");
    std::process::abort();
}

/// Durable records that do not make books that add up end the process too: whoever goes on deciding would make it worse.
fn die_of_books(error: &CheckpointError) {
    tracing::error!(error = %error, "the journal does not make books that add up; stopping at once, ask `ledger verify`");
    std::process::abort();
}
