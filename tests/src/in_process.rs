//! A switch in this process, on any store, with the sample city's configuration and what a test changes of it.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cardswitch::{
    app::{self, AppError, Running},
    audit,
    books::{Books, event::Event},
    config::Config,
    journal::{MemoryStore, Reader, SledStore, Store, StoreOptions},
};
use tempfile::TempDir;

use crate::{
    city::City,
    line::{Line, PATIENCE},
    terminal::Terminal,
};

/// A running switch.
pub struct InProcess {
    running: Running,
    city: City,
    journal: Mutex<Box<dyn Reader>>,
    journal_failed: Arc<AtomicBool>,
    _folder: TempDir,
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").field("running", &self.running).finish_non_exhaustive()
    }
}

/// The configuration of the sample city, on ports that the system chooses and with data in `data`.
#[must_use]
pub fn configuration(data: &Path) -> Config {
    let overrides =
        ["POS", "EPOS", "ATM", "ADMIN"].map(|listener| (format!("{listener}__LISTEN"), "127.0.0.1:0"));
    let overrides = overrides.map(|(key, value)| (format!("CARDSWITCH__{key}"), value.to_owned()));
    let file = City::folder().join("cardswitch.toml");
    let mut config = Config::load(&file, overrides.into_iter()).expect("the sample configuration");
    data.clone_into(&mut config.data.dir);
    // Scenarios sign in more often than terminals do; the limit has a test of its own.
    config.books.sign_ins_per_minute = 6000;
    config
}

impl InProcess {
    /// On a journal in memory.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(|_| ())
    }

    /// On a journal in memory, with another configuration.
    #[must_use]
    pub fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(Box::new(MemoryStore::new()), change, &mut |_| ())
    }

    /// On the real store in `journal`.
    #[must_use]
    pub fn start_on_disk(journal: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let (store, _) = SledStore::open(journal, StoreOptions::default()).expect("the journal opens");
        Self::start_on(Box::new(store), change, &mut |_| ())
    }

    /// On a store; `replayed` hears of every record that is replayed or imported.
    #[must_use]
    pub fn start_on(
        store: Box<dyn Store>,
        change: impl FnOnce(&mut Config),
        replayed: &mut dyn FnMut(u64),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = configuration(folder.path());
        change(&mut config);
        let journal_failed = Arc::new(AtomicBool::new(false));
        let failed = Arc::clone(&journal_failed);
        let journal = Mutex::new(store.reader());
        let fatal = Arc::new(move |_: &_| failed.store(true, Ordering::SeqCst));
        let running = app::start_on(&config, store, fatal, replayed).expect("the switch starts");
        Self { running, city: City::open(), journal, journal_failed, _folder: folder }
    }

    /// The city it serves.
    #[must_use]
    pub fn city(&self) -> &City {
        &self.city
    }

    /// Where its `pos` terminals connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running.ports.pos
    }

    /// Where its `epos` terminals connect.
    #[must_use]
    pub fn epos_address(&self) -> SocketAddr {
        self.running.ports.epos
    }

    /// Where hosts of `atm` connect.
    #[must_use]
    pub fn atm_address(&self) -> SocketAddr {
        self.running.ports.atm
    }

    /// The admin port.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.running.ports.admin
    }

    /// A new connection.
    #[must_use]
    pub fn connect(&self) -> Line {
        Line::connect(self.address())
    }

    /// A terminal that has just signed in, on a connection of its own.
    #[must_use]
    pub fn signed_in(&self, terminal: &str) -> (Terminal, Line) {
        let mut line = self.connect();
        let mut terminal = self.city.terminal(terminal);
        terminal.sign_in(&mut line);
        (terminal, line)
    }

    /// Looks at the books.
    #[must_use]
    pub fn look<T: Send + 'static>(&self, look: impl FnOnce(&Books) -> T + Send + 'static) -> T {
        self.running.look(look).expect("the switch runs")
    }

    /// What the card on a line of `cards.csv` holds now, all purses together, minor units.
    #[must_use]
    pub fn held(&self, line: u64) -> i64 {
        let at = self.city.cards().iter().position(|row| row.line == line).expect("a line of cards.csv");
        self.look(move |books| {
            let card = books.cards().get(at).expect("a card of the city");
            books.card_balance(&card, cardswitch::city::CITY_CURRENCY)
        })
    }

    /// The last record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.look(Books::seq)
    }

    /// The durable events behind this record, oldest first.
    #[must_use]
    pub fn events_after(&self, seq: u64) -> Vec<Event> {
        let journal = self.journal.lock().expect("nobody panics with the journal in hand");
        let events = audit::read_events(journal.as_ref(), Some(seq + 1), usize::MAX);
        events.expect("the journal reads").into_iter().map(|(_, _, event)| event).collect()
    }

    /// All metrics, in Prometheus' text format.
    #[must_use]
    pub fn page(&self) -> String {
        self.running.metrics.render()
    }

    /// The whole part of a metric. A metric that is not on the page is a fault of the test.
    #[must_use]
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        metric(&self.page(), name, labels)
    }

    /// Waits until a metric has at least this value.
    pub fn wait_for_metric(&self, name: &str, labels: &[(&str, &str)], at_least: u64) {
        let begun = Instant::now();
        while self.metric(name, labels) < at_least {
            assert!(begun.elapsed() < PATIENCE, "{name} {labels:?} stays below {at_least}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the journal failed.
    #[must_use]
    pub fn journal_failed(&self) -> bool {
        self.journal_failed.load(Ordering::SeqCst)
    }

    /// Checks what must hold after everything: no rule of the ledger is broken and money adds up to zero.
    pub fn check_ledger(&self) {
        let (broken, sums) = self.look(|books| (books.ledger().verify(), books.ledger().sums()));
        assert_eq!(broken, Ok(()));
        assert!(sums.iter().all(|(_, sum)| *sum == 0), "{sums:?}");
    }

    /// Stops well.
    ///
    /// # Errors
    /// What did not end well.
    pub fn stop(self) -> Result<(), AppError> {
        self.running.stop()
    }
}

/// The whole part of a metric on a page in Prometheus' text format.
#[must_use]
pub fn metric(page: &str, name: &str, labels: &[(&str, &str)]) -> u64 {
    let mut series = page.lines().filter(|line| {
        let (series, _) = line.rsplit_once(' ').unwrap_or((line, ""));
        series.split('{').next() == Some(name)
            && labels.iter().all(|(key, value)| series.contains(&format!("{key}=\"{value}\"")))
    });
    let value = |line: &str| {
        let value = line.rsplit(' ').next().and_then(|value| value.split('.').next());
        value.and_then(|value| value.parse::<u64>().ok()).unwrap_or_else(|| panic!("{name} is not a number"))
    };
    let first = series.next().unwrap_or_else(|| panic!("no metric {name} {labels:?}"));
    value(first) + series.map(value).sum::<u64>()
}
