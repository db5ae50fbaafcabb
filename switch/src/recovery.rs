//! From a journal to books: the newest checkpoint and the records behind it, or a genesis if there is nothing.

use std::ops::ControlFlow;

use crossbeam::channel::{bounded, unbounded};
use hsm_sim::{Entropy, Hsm};

use crate::{
    books::{
        Books,
        apply::ApplyError,
        event::{Event, EventError},
        policy::Policy,
        snapshot::SnapshotError,
    },
    city::{City, CityError, KeyFile},
    clock::{Clock, stopwatch},
    config::Config,
    genesis::{self, CardFault, GenesisError, Importing},
    journal::{Checkpoints, JournalError, Reader, RecordBatch, Seq, Store},
    keys::{
        CheckValue,
        rewrap::{self, RewrapError},
    },
    ledger::Refusal,
};

/// Records appended, and synced, at once during an import: a few megabytes.
const IMPORT_BATCH: usize = 32_768;

/// Batches of an import that may wait for the disk.
const BATCHES_AHEAD: usize = 2;

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
    /// A checkpoint holds no books that this program can read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// An import was cut off.
    #[error(
        "the import of the city was cut off at record {seq}: nothing has been served from this folder, so delete it and start again"
    )]
    GenesisInterrupted {
        /// The last record of the import.
        seq: Seq,
    },
    /// The thread that writes an import is gone; why, it says itself.
    #[error("the journal's writer is gone")]
    WriterGone,
    /// The city cannot be imported.
    #[error("the city cannot be imported")]
    Genesis(#[from] GenesisError),
    /// A file of the city is at fault.
    #[error(transparent)]
    City(#[from] CityError),
    /// The keys in the books are under another local master key, or cannot be brought under this one.
    #[error(transparent)]
    Rewrap(#[from] RewrapError),
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
    replay_watched(reader, books, until, &mut |books, _, _| progress(books.seq()))
}

/// As [`replay`]; `watch` sees the books behind each record, with its time in UTC milliseconds and its event.
///
/// # Errors
/// As [`replay`].
pub fn replay_watched(
    reader: &dyn Reader,
    books: &mut Books,
    until: Seq,
    watch: &mut dyn FnMut(&Books, i64, &Event),
) -> Result<(), RecoveryError> {
    replay_while(reader, books, until, &mut |books, time_ms, event| {
        watch(books, time_ms, event);
        ControlFlow::Continue(())
    })
}

/// As [`replay_watched`], as long as `watch` says so.
///
/// # Errors
/// As [`replay`].
pub fn replay_while(
    reader: &dyn Reader,
    books: &mut Books,
    until: Seq,
    watch: &mut dyn FnMut(&Books, i64, &Event) -> ControlFlow<()>,
) -> Result<(), RecoveryError> {
    walk(reader, books, until, &mut |books, seq, time_ms, event| {
        books.apply(seq, time_ms, event)?;
        Ok(watch(books, time_ms, event.done()))
    })
}

/// Whether a replay goes on, or why it cannot.
pub type Flow<E> = Result<ControlFlow<()>, E>;

/// As [`replay_while`], but `watch` sees the books in front of each record, with the record's number, time and event; one
/// at which it breaks is not applied.
///
/// # Errors
/// As [`replay`], and what `watch` says.
pub fn replay_ahead<E: From<RecoveryError>>(
    reader: &dyn Reader,
    books: &mut Books,
    until: Seq,
    watch: &mut dyn FnMut(&Books, Seq, i64, &Event) -> Flow<E>,
) -> Result<(), E> {
    let mut said = Ok(());
    walk(reader, books, until, &mut |books, seq, time_ms, event| {
        match watch(books, seq, time_ms, event.done()) {
            Ok(ControlFlow::Continue(())) => books.apply(seq, time_ms, event)?,
            Ok(flow) => return Ok(flow),
            Err(error) => {
                said = Err(error);
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    said
}

/// Takes every record after the books' last, up to and including `until`, one step each.
fn walk(
    reader: &dyn Reader,
    books: &mut Books,
    until: Seq,
    step: &mut dyn FnMut(&mut Books, Seq, i64, &Event) -> Flow<RecoveryError>,
) -> Result<(), RecoveryError> {
    let mut outcome = Ok(());
    if books.seq() >= until {
        return Ok(());
    }
    reader.read(books.seq() + 1, &mut |record| {
        let taken = Event::read(record.body)
            .map_err(|source| RecoveryError::Event { seq: record.seq, source })
            .and_then(|event| step(books, record.seq, record.time_ms, &event));
        match taken {
            Ok(flow) if record.seq < until => flow,
            Ok(_) => ControlFlow::Break(()),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        }
    })?;
    outcome
}

/// The books as of the store's head: the newest checkpoint and the records behind it.
///
/// # Errors
/// As [`replay`].
pub fn restore(store: &dyn Store, progress: &mut dyn FnMut(Seq)) -> Result<Books, RecoveryError> {
    let begun = stopwatch();
    let mut books = newest_checkpoint(store.checkpoints().as_ref())?.unwrap_or_default();
    let (checkpoint, load_ms) = (books.seq(), begun.elapsed().as_millis());
    let begun = stopwatch();
    replay(store.reader().as_ref(), &mut books, store.head().seq, progress)?;
    let (records, replay_ms) = (books.seq() - checkpoint, begun.elapsed().as_millis());
    let per_second = u128::from(records) * 1000 / replay_ms.max(1);
    tracing::info!(checkpoint, load_ms, records, replay_ms, per_second, "books restored");
    Ok(books)
}

/// The books of the newest checkpoint that is whole and of this version; others are passed over, because the journal
/// has everything and it only takes longer.
///
/// # Errors
/// The checkpoints cannot be listed.
pub fn newest_checkpoint(checkpoints: &dyn Checkpoints) -> Result<Option<Books>, RecoveryError> {
    for seq in checkpoints.saved()? {
        match read_checkpoint(checkpoints, seq) {
            Ok(books) => return Ok(Some(books)),
            Err(error) => {
                tracing::warn!(seq, %error, "checkpoint passed over");
                checkpoints.pass_over(seq);
            }
        }
    }
    Ok(None)
}

/// Chunk by chunk, so that the books are never in memory twice. What they are is proved by the SHA-256 at the end.
pub(crate) fn read_checkpoint(checkpoints: &dyn Checkpoints, seq: Seq) -> Result<Books, RecoveryError> {
    let mut fault = None;
    let chunks = checkpoints.load(seq)?.chunks;
    let whole = chunks.map_while(|chunk| chunk.map_err(|error| fault = Some(error)).ok());
    let books = Books::from_snapshot(whole);
    match fault {
        Some(fault) => Err(fault.into()),
        None => Ok(books.and_then(|books| if books.seq() == seq { Ok(books) } else { Err(SnapshotError) })?),
    }
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
    let books = restore(store, progress)?;
    go_on(books, store, config, hsm, entropy, clock, progress)
}

/// Restored books, brought to where a switch can serve on them. The first thing of a start that appends to the journal.
///
/// # Errors
/// A city that cannot be imported, an import that was cut off, keys under another local master key.
pub fn go_on(
    mut books: Books,
    store: &mut dyn Store,
    config: &Config,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
    clock: &mut Clock,
    progress: &mut dyn FnMut(Seq),
) -> Result<Books, RecoveryError> {
    let behind_ms = clock.not_before(books.time_ms());
    if behind_ms > CLOCK_BEHIND_MS {
        tracing::warn!(
            seconds = behind_ms / 1000,
            "the system's clock is behind the journal's last record; recorded time stands still until it has caught up"
        );
    }
    let policy = policy(config);
    if books.seq() == 0 {
        let begun = stopwatch();
        import(store, &mut books, config, policy, hsm, entropy, clock, progress)?;
        let (records, cards, took) = (books.seq(), books.cards().len(), begun.elapsed());
        let per_second = u128::from(records) * 1000 / took.as_millis().max(1);
        tracing::info!(records, cards, seconds = took.as_secs(), per_second, "city imported");
    }
    if !books.genesis_done() {
        return Err(RecoveryError::GenesisInterrupted { seq: books.seq() });
    }
    rewrap::check(&books, hsm, entropy)?;
    let time_ms = clock.now().unix_ms();
    let mut append = direct(store);
    let mut importer = Importer::new(&mut books, time_ms, &mut append, progress);
    if *importer.books.policy() != policy {
        importer.take(&Event::PolicySet(policy))?;
        tracing::info!("the configured limits of the books have changed and are recorded");
    }
    if let Some(previous) = hsm.previous_lmk_check_value() {
        importer.rewrap(hsm, entropy, previous)?;
    }
    importer.take_due(clock)?;
    importer.finish()?;
    drop(append);
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
    let keys = KeyFile::open(&config.hsm.keys)?;
    let time_ms = clock.now().unix_ms();
    let (to_writer, batches) = bounded(BATCHES_AHEAD);
    let (to_importer, spare) = unbounded();
    std::thread::scope(|scope| {
        let writer = std::thread::Builder::new().name("import".to_owned()).spawn_scoped(scope, move || {
            let mut append = direct(store);
            for batch in batches {
                // If nobody takes the empty batch back, the import has ended with an error of its own.
                let _importer_gone = to_importer.send(append(batch)?);
            }
            Ok(())
        });
        let writer = writer.map_err(GenesisError::Thread)?;
        let mut append = |batch| {
            to_writer.send(batch).map_err(|_| RecoveryError::WriterGone)?;
            Ok(spare.try_recv().unwrap_or_default())
        };
        let mut importer = Importer::new(books, time_ms, &mut append, progress);
        let imported = genesis::import(&city, &keys, policy, &config.time.zone, hsm, entropy, &mut importer)
            .and_then(|()| importer.take_due(clock))
            .and_then(|()| importer.finish());
        drop(to_writer);
        // What the disk said comes first: that the writer is gone only follows from it.
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(imported)
    })
}

/// Appends batch after batch and hands each back empty.
fn direct(store: &mut dyn Store) -> impl FnMut(RecordBatch) -> Result<RecordBatch, RecoveryError> + '_ {
    move |mut batch| {
        if let Some(first) = batch.first_seq() {
            store.append(first, &batch)?;
            batch.clear();
        }
        Ok(batch)
    }
}

/// Applies events that are made here, and has them appended batch by batch.
struct Importer<'a> {
    books: &'a mut Books,
    time_ms: i64,
    batch: RecordBatch,
    /// Takes a full batch away and gives an empty one back.
    append: &'a mut dyn FnMut(RecordBatch) -> Result<RecordBatch, RecoveryError>,
    progress: &'a mut dyn FnMut(Seq),
}

impl<'a> Importer<'a> {
    fn new(
        books: &'a mut Books,
        time_ms: i64,
        append: &'a mut dyn FnMut(RecordBatch) -> Result<RecordBatch, RecoveryError>,
        progress: &'a mut dyn FnMut(Seq),
    ) -> Self {
        Self { books, time_ms, batch: RecordBatch::new(), append, progress }
    }

    /// What time has brought while nobody served: the day that is today opens before the first request, not with it.
    fn take_due(&mut self, clock: &Clock) -> Result<(), RecoveryError> {
        let now = clock.at(self.time_ms);
        while let Some(event) = self.books.due(&now) {
            self.take(&event)?;
        }
        Ok(())
    }

    /// Brings every key block in the books under the HSM's present local master key. The previous one is wiped once
    /// nothing is under it any more: that it still opened blocks was for this alone.
    fn rewrap(
        &mut self,
        hsm: &mut Hsm,
        entropy: &mut dyn Entropy,
        previous: [u8; 3],
    ) -> Result<(), RecoveryError> {
        let mut keepers = 0_u64;
        for keeper in self.books.key_keepers() {
            if let Some(event) = rewrap::keeper(self.books, keeper, hsm, entropy)? {
                self.take(&event)?;
                keepers += 1;
            }
        }
        self.append()?;
        hsm.end_rotation(entropy).map_err(GenesisError::Rotation)?;
        let (from, to) = (CheckValue(previous), CheckValue(hsm.lmk_check_value()));
        tracing::info!(
            keepers, %from, %to,
            "all keys are under the present LMK; hsm.previous_components is needed no longer"
        );
        Ok(())
    }

    fn append(&mut self) -> Result<(), RecoveryError> {
        self.batch = (self.append)(std::mem::take(&mut self.batch))?;
        Ok(())
    }

    fn finish(mut self) -> Result<(), RecoveryError> {
        self.append()
    }
}

impl Importing for Importer<'_> {
    type Error = RecoveryError;

    fn take(&mut self, event: &Event) -> Result<(), RecoveryError> {
        let seq = self.books.seq() + 1;
        self.batch.push(seq, self.time_ms, |body| event.write(body))?;
        self.books.apply(seq, self.time_ms, event)?;
        (self.progress)(seq);
        if self.batch.len() >= IMPORT_BATCH { self.append() } else { Ok(()) }
    }

    fn fault_of_card(&self, error: &RecoveryError) -> Option<CardFault> {
        match error {
            RecoveryError::Apply(ApplyError::Exists { what: "card", .. }) => Some(CardFault::Twice),
            RecoveryError::Apply(ApplyError::Postings { refusal: Refusal::BelowFloor(float), .. }) => {
                let currency = self.books.ledger().currency(*float).unwrap_or_default();
                Some(CardFault::NotCovered { currency })
            }
            _ => None,
        }
    }
}
