//! From a journal to books: the newest checkpoint and the records behind it, or a genesis if there is nothing.

use std::ops::ControlFlow;

use hsm_sim::{Entropy, Hsm};

use crate::{
    books::{
        Books,
        apply::ApplyError,
        event::{Event, EventError},
        policy::Policy,
    },
    city::{City, CityError, TestKeys},
    clock::Clock,
    config::Config,
    genesis::{self, GenesisError},
    journal::{JournalError, Reader, RecordBatch, Seq, Store},
};

/// Records appended at once during an import.
const IMPORT_BATCH: usize = 4096;

const DAY_MS: i64 = 24 * 3_600_000;

/// By how much the system's clock may be behind the last record before the log says so, milliseconds.
const CLOCK_BEHIND_MS: i64 = 60_000;

/// Why the books could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record holds no event that this program can read.
    #[error("record {seq} cannot be read")]
    Event {
        /// The record.
        seq: Seq,
        /// Why.
        #[source]
        source: EventError,
    },
    /// A record does not fit those before it.
    #[error("the journal does not add up")]
    Apply(#[from] ApplyError),
    /// A checkpoint whose state is not what its manifest says.
    #[error("the checkpoint at record {seq} does not have the state hash that it claims")]
    StateHash {
        /// The checkpoint's record.
        seq: Seq,
    },
    /// An import was cut off.
    #[error(
        "the import of the city was cut off at record {seq}: nothing has been served from this folder, so delete it and start again"
    )]
    GenesisInterrupted {
        /// The last record of the import.
        seq: Seq,
    },
    /// The city cannot be imported.
    #[error("the city cannot be imported")]
    Genesis(#[from] GenesisError),
    /// A file of the city is at fault.
    #[error(transparent)]
    City(#[from] CityError),
}

/// Applies every record after the books' last, up to and including `until`; `progress` hears each sequence number.
///
/// # Errors
/// The first record that cannot be read or does not fit.
pub fn replay(
    reader: &dyn Reader,
    books: &mut Books,
    until: Seq,
    progress: &mut dyn FnMut(Seq),
) -> Result<(), RecoveryError> {
    let mut outcome = Ok(());
    if books.seq() >= until {
        return Ok(());
    }
    reader.read(books.seq() + 1, &mut |record| {
        let applied = Event::read(record.body)
            .map_err(|source| RecoveryError::Event { seq: record.seq, source })
            .and_then(|event| Ok(books.apply(record.seq, record.time_ms, &event)?));
        progress(record.seq);
        match applied {
            Ok(()) if record.seq < until => ControlFlow::Continue(()),
            Ok(()) => ControlFlow::Break(()),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        }
    })?;
    outcome
}

/// The books as of the store's head: newest checkpoint, proved by its hash, and the records behind it.
///
/// # Errors
/// As [`replay`], or a checkpoint that is not what it claims.
pub fn restore(store: &dyn Store, progress: &mut dyn FnMut(Seq)) -> Result<Books, RecoveryError> {
    let mut books = match store.load_checkpoint()? {
        Some((meta, chunks)) => match Books::from_snapshot(&chunks) {
            Ok(books) if books.seq() == meta.seq && books.state_hash() == meta.state_hash => books,
            Ok(_) => return Err(RecoveryError::StateHash { seq: meta.seq }),
            Err(error) => {
                // Written by another version of the program; the journal has everything, it only takes longer.
                tracing::warn!(seq = meta.seq, %error, "checkpoint passed over; replaying from the first record");
                Books::default()
            }
        },
        None => Books::default(),
    };
    replay(store.reader().as_ref(), &mut books, store.head().seq, progress)?;
    Ok(books)
}

/// Books for serving: restored, or imported if the journal is empty, under the configuration's policy.
///
/// # Errors
/// As [`restore`], a city that cannot be imported, an import that was cut off.
pub fn open_books(
    store: &mut dyn Store,
    config: &Config,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
    clock: &mut Clock,
    progress: &mut dyn FnMut(Seq),
) -> Result<Books, RecoveryError> {
    let mut books = restore(store, progress)?;
    let behind_ms = clock.not_before(books.time_ms());
    if behind_ms > CLOCK_BEHIND_MS {
        tracing::warn!(
            seconds = behind_ms / 1000,
            "the system's clock is behind the journal's last record; recorded time stands still until it has caught up"
        );
    }
    let policy = policy(config);
    if books.seq() == 0 {
        import(store, &mut books, config, policy, hsm, entropy, clock, progress)?;
        tracing::info!(records = books.seq(), cards = books.cards().len(), "city imported");
    }
    if !books.genesis_done() {
        return Err(RecoveryError::GenesisInterrupted { seq: books.seq() });
    }
    if *books.policy() != policy {
        let mut importer = Importer::new(store, &mut books, clock.now().unix_ms());
        importer.take(&Event::PolicySet(policy));
        importer.finish()?;
        tracing::info!("the configured limits of the books have changed and are recorded");
    }
    let mut importer = Importer::new(store, &mut books, clock.now().unix_ms());
    importer.take_due(clock);
    importer.finish()?;
    Ok(books)
}

fn policy(config: &Config) -> Policy {
    let milliseconds = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Policy {
        duplicate_window_ms: milliseconds(config.books.duplicate_window),
        duplicates_max: config.books.duplicates_max,
        duplicates_per_terminal: config.books.duplicates_per_terminal,
        pin_tries_max: config.books.pin_tries_max,
        sign_ins_per_minute: config.books.sign_ins_per_minute,
        key_overlap_ms: milliseconds(config.books.key_overlap),
        refund_ms: i64::from(config.books.refund_days) * DAY_MS,
        originals_max: config.books.originals_max,
        notices_max: config.books.notices_max,
        cut_over_minute: config.settlement.cut_over_minute,
    }
}

#[expect(clippy::too_many_arguments, reason = "everything a first start needs, passed through once")]
fn import(
    store: &mut dyn Store,
    books: &mut Books,
    config: &Config,
    policy: Policy,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
    clock: &mut Clock,
    progress: &mut dyn FnMut(Seq),
) -> Result<(), RecoveryError> {
    let city = City::open(&config.city.dir)?;
    let keys = TestKeys::open(&config.hsm.keys)?;
    let mut importer = Importer::new(store, books, clock.now().unix_ms());
    genesis::import(&city, &keys, policy, &config.time.zone, hsm, entropy, &mut |event| {
        importer.take(&event);
        progress(importer.books.seq());
    })?;
    importer.take_due(clock);
    importer.finish()
}

/// Applies and appends events that are made here, batch by batch. The first error is kept and ends the work.
struct Importer<'a> {
    store: &'a mut dyn Store,
    books: &'a mut Books,
    time_ms: i64,
    batch: RecordBatch,
    outcome: Result<(), RecoveryError>,
}

impl<'a> Importer<'a> {
    fn new(store: &'a mut dyn Store, books: &'a mut Books, time_ms: i64) -> Self {
        Self { store, books, time_ms, batch: RecordBatch::new(), outcome: Ok(()) }
    }

    fn take(&mut self, event: &Event) {
        if self.outcome.is_ok() {
            self.outcome = self.try_take(event);
        }
    }

    /// What time has brought while nobody served: the day that is today opens before the first request, not with it.
    fn take_due(&mut self, clock: &Clock) {
        let now = clock.at(self.time_ms);
        while let (Some(event), true) = (self.books.due(&now), self.outcome.is_ok()) {
            self.take(&event);
        }
    }

    fn try_take(&mut self, event: &Event) -> Result<(), RecoveryError> {
        let seq = self.books.seq() + 1;
        self.batch.push(seq, self.time_ms, |body| event.write(body))?;
        self.books.apply(seq, self.time_ms, event)?;
        if self.batch.len() >= IMPORT_BATCH {
            self.append()?;
        }
        Ok(())
    }

    fn append(&mut self) -> Result<(), RecoveryError> {
        if let Some(first) = self.batch.first_seq() {
            self.store.append(first, &self.batch)?;
            self.batch.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), RecoveryError> {
        std::mem::replace(&mut self.outcome, Ok(()))?;
        self.append()
    }
}
