//! The process whose writes are recorded: it appends records through the real store, as the commit thread of a switch does,
//! and writes down what it was told, one line each, to a file that the trace shows too.
//!
//! A record's body tells in which run it was written and can be made again from that, so that whoever finds one knows what
//! it must be. Start at [`drive`].

use std::{
    fs::File,
    io::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{Receiver, SyncSender, channel, sync_channel},
    time::Duration,
};

use cardswitch::journal::{
    CHECKPOINT_CHUNK_MAX, Checkpoints, Head, JournalError, RECORD_BODY_MAX, RecordBatch, Seq, SledStore,
    Store, StoreOptions, Syncer,
};

use crate::random::Random;

/// The first argument by which a program becomes this one.
pub const COMMAND: &str = "append-for-power-loss";

/// The time of record 0; each is a millisecond later.
const TIME_MS: i64 = 1_700_000_000_000;

/// What one run does.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// The journal's folder.
    pub(super) folder: PathBuf,
    /// Where it writes what it was told.
    pub(super) marks: PathBuf,
    pub(super) seed: u64,
    /// Counts the runs of a journal.
    pub(super) run: u32,
    pub(super) commits: u64,
    /// Whether most batches are large.
    pub(super) heavy: bool,
    /// How far the anchor's sync may lag.
    pub(super) anchor_lag_ms: u32,
    /// It aborts after so many microseconds, wherever it is by then; 0 for never.
    pub(super) abort_after_us: u64,
    /// How many checkpoints it saves at most. Where it may save more than one, what is behind the second leaves for the archive.
    pub(super) saves_max: u64,
    /// Whether it lets go of the store without closing it.
    pub(super) drops: bool,
}

impl Order {
    /// As arguments of a program.
    pub(super) fn arguments(&self) -> Vec<String> {
        let numbers = [
            self.seed,
            u64::from(self.run),
            self.commits,
            u64::from(self.heavy),
            u64::from(self.anchor_lag_ms),
            self.abort_after_us,
            self.saves_max,
            u64::from(self.drops),
        ];
        let paths = [&self.folder, &self.marks].map(|path| path.to_string_lossy().into_owned());
        let numbers = numbers.map(|number| number.to_string());
        std::iter::once(COMMAND.to_owned()).chain(paths).chain(numbers).collect()
    }

    fn read(mut given: impl Iterator<Item = String>) -> Option<Self> {
        let mut path = || given.next().map(PathBuf::from);
        let (folder, marks) = (path()?, path()?);
        let mut number = || given.next()?.parse::<u64>().ok();
        Some(Self {
            folder,
            marks,
            seed: number()?,
            run: u32::try_from(number()?).ok()?,
            commits: number()?,
            heavy: number()? != 0,
            anchor_lag_ms: u32::try_from(number()?).ok()?,
            abort_after_us: number()?,
            saves_max: number()?,
            drops: number()? != 0,
        })
    }
}

/// How many bytes the body of a record has, and which.
pub(super) fn body(seed: u64, run: u32, seq: Seq) -> Vec<u8> {
    let mut random = Random::new(seed ^ seq.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(run) << 48);
    // As long as events are, and now and then as long as a record may be.
    let len = match random.below(400) {
        0 => RECORD_BODY_MAX,
        1..=20 => 1_000 + random.index(3_000),
        _ => 60 + random.index(240),
    };
    let mut body = vec![0; len];
    body[..4].copy_from_slice(&run.to_le_bytes());
    random.fill(&mut body[4..]);
    body
}

/// Appends a batch of records as run `run` of a journal would.
pub(super) fn batch(seed: u64, run: u32, first: Seq, count: u64) -> RecordBatch {
    let mut batch = RecordBatch::new();
    for seq in first..first + count {
        let time_ms = TIME_MS + i64::try_from(seq).expect("few records");
        batch
            .push(seq, time_ms, |out| out.extend(body(seed, run, seq)))
            .expect("a record that follows the one before");
    }
    batch
}

/// The chunks of the checkpoint at a record: up to some hundred kilobytes.
pub(super) fn chunks(seed: u64, seq: Seq) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random::new(seed ^ seq.rotate_left(17));
    let count = 1 + random.below(8);
    (0..count).map(move |_| {
        let mut chunk = vec![0; 1 + random.index(CHECKPOINT_CHUNK_MAX)];
        random.fill(&mut chunk);
        chunk
    })
}

/// Does what the arguments behind [`COMMAND`] say. Exit code 0 at the end of the order, 1 if the store failed as it was made
/// to, 3 if it did not open.
///
/// # Panics
/// The arguments are not those of an order, or the store does what no store may.
pub fn drive(arguments: impl Iterator<Item = String>) -> ExitCode {
    let order = Order::read(arguments).expect("an order");
    if order.abort_after_us > 0 {
        let after = Duration::from_micros(order.abort_after_us);
        std::thread::spawn(move || {
            std::thread::sleep(after);
            std::process::abort();
        });
    }
    let marks = File::create(&order.marks).expect("a file for marks");
    let options = StoreOptions { anchor_lag_ms: order.anchor_lag_ms, ..StoreOptions::default() };
    let mut store = match SledStore::open(&order.folder, options) {
        Ok((store, _)) => store,
        Err(refusal) => {
            crate::tell(&format!("refused: {refusal}"));
            return ExitCode::from(3);
        }
    };
    mark(&marks, &format!("opened {}", store.head().seq));
    let (heads, asked) = channel();
    let (checkpoints, beside) = (store.checkpoints(), marks.try_clone().expect("a descriptor"));
    let (seed, max) = (order.seed, usize::try_from(order.saves_max).unwrap_or(usize::MAX));
    let saving = std::thread::spawn(move || save_all(checkpoints.as_ref(), seed, max, &asked, &beside));
    let outcome = append_all(&mut store, &order, &marks, &|head| {
        let _full = heads.send(head);
    });
    drop(heads);
    saving.join().expect("the thread that saves");
    match outcome {
        Err(_) => {
            mark(&marks, "failed");
            let next = store.head().seq + 1;
            let again = store.append(next, &batch(order.seed, order.run, next, 1));
            assert!(matches!(again, Err(JournalError::Poisoned)), "a store that failed goes on: {again:?}");
            ExitCode::FAILURE
        }
        Ok(()) if order.drops => ExitCode::SUCCESS,
        Ok(()) => match Box::new(store).close() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
    }
}

/// As the switch commits: a second thread syncs what was written, and one extent may be written meanwhile.
fn append_all(
    store: &mut SledStore,
    order: &Order,
    marks: &File,
    ask_to_save: &(dyn Fn(Head) + Sync),
) -> Result<(), JournalError> {
    let mut random = Random::new(order.seed ^ u64::from(order.run));
    let saves = order.seed ^ u64::from(order.run) ^ 1;
    let (handover, written) = sync_channel(0);
    let mut syncer = store.syncer();
    std::thread::scope(|threads| {
        let second = threads.spawn(move || sync_all(syncer.as_mut(), &written, saves, marks, ask_to_save));
        let first = write_all(store, order, marks, &mut random, &handover);
        drop(handover);
        // Whoever fails first, the other goes no further.
        second.join().expect("the thread that syncs").and(first)
    })
}

fn sync_all(
    syncer: &mut dyn Syncer,
    written: &Receiver<Seq>,
    seed: u64,
    marks: &File,
    ask_to_save: &(dyn Fn(Head) + Sync),
) -> Result<(), JournalError> {
    let mut random = Random::new(seed);
    for last in written {
        let head = syncer.sync()?;
        // The next one may be written and synced along with it; it has a sync of its own, which finds nothing to do.
        assert!(head.seq >= last, "a sync leaves out what was written before it");
        mark(marks, &format!("done {last}"));
        if head.seq == last && random.below(8) == 0 {
            ask_to_save(head);
        }
    }
    Ok(())
}

fn write_all(
    store: &mut SledStore,
    order: &Order,
    marks: &File,
    random: &mut Random,
    handover: &SyncSender<Seq>,
) -> Result<(), JournalError> {
    let mut first = store.head().seq + 1;
    for _ in 0..order.commits {
        let count = match random.below(8) {
            _ if order.heavy => 300 + random.below(301),
            0 => 1 + random.below(600),
            1..=3 => 1 + random.below(40),
            _ => 1 + random.below(4),
        };
        mark(marks, &format!("try {}", first + count - 1));
        let head = store.write(first, &batch(order.seed, order.run, first, count))?;
        first = head.seq + 1;
        if handover.send(head.seq).is_err() {
            break;
        }
    }
    Ok(())
}

fn save_all(checkpoints: &dyn Checkpoints, seed: u64, max: usize, asked: &Receiver<Head>, marks: &File) {
    for at in asked.iter().take(max) {
        let saved = checkpoints.save(&at, &mut |emit| chunks(seed, at.seq).for_each(|chunk| emit(&chunk)));
        // It may fail where writes are made to fail; then nothing was promised.
        if saved.is_ok() {
            mark(marks, &format!("saved {}", at.seq));
            if max > 1 {
                // As behind the checkpoints of a switch. Where writes are made to fail it may, and the next one goes on.
                let _stays_longer = checkpoints.trim(1, &|| ControlFlow::Continue(()));
            }
        }
    }
}

/// One line is one write, so that it has one moment.
fn mark(marks: &File, line: &str) {
    let mut marks: &File = marks;
    marks.write_all(format!("{line}\n").as_bytes()).expect("marks can be written");
}

/// Where the marks of a run in `folder` go.
pub(super) fn marks_beside(folder: &Path) -> PathBuf {
    folder.with_extension("marks")
}
