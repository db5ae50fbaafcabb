//! What a journal's user was told up to a moment, and whether a folder holds it.
//!
//! Start at [`Told::take`], then [`Told::judge`].

use std::{ops::ControlFlow, path::Path};

use cardswitch::journal::{Seq, SledStore, Store, StoreOptions};

use super::driver;

/// The run under whose name a judge appends.
const JUDGES_RUN: u32 = u32::MAX;

/// What the user of one journal knows.
#[derive(Clone, Debug)]
pub(super) struct Told {
    seed: u64,
    /// For each acknowledged record the run that wrote it.
    runs: Vec<u32>,
    /// What was given to the store and not acknowledged, if anything: the run, and the last record.
    under_way: Option<(u32, Seq)>,
    /// The newest checkpoint that was saved.
    saved: Option<Seq>,
    /// The run that speaks.
    run: u32,
}

/// A folder that does not hold what was told, or does not open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// It does not open. Nothing is lost unnoticed, but a power cut should cost no start.
    Refused(String),
    /// It opens and something is lost, doubled or changed.
    Wrong(String),
}

impl Told {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, runs: Vec::new(), under_way: None, saved: None, run: 0 }
    }

    /// The next run speaks from now on.
    pub(super) fn begin_run(&mut self, run: u32) {
        self.run = run;
    }

    pub(super) fn acknowledged(&self) -> Seq {
        self.runs.len() as Seq
    }

    /// Whether any batch was under way and never acknowledged.
    pub(super) fn is_unsure(&self) -> bool {
        self.under_way.is_some()
    }

    /// Takes a line that the driver wrote.
    ///
    /// # Errors
    /// A start found other records than it must.
    pub(super) fn take(&mut self, mark: &str) -> Result<(), Fault> {
        let mut words = mark.split_whitespace();
        let word = words.next().unwrap_or_default();
        let mut number =
            || words.next().and_then(|word| word.parse::<Seq>().ok()).expect("a number in a mark");
        match word {
            "opened" => self.opened(number()),
            "try" => {
                self.under_way = Some((self.run, number()));
                Ok(())
            }
            "done" => {
                let last = number();
                self.extend(last);
                // The next one may have been written meanwhile.
                self.under_way.take_if(|(_, tried)| *tried == last);
                Ok(())
            }
            "saved" => {
                self.saved = Some(number());
                Ok(())
            }
            "failed" => Ok(()),
            other => panic!("{other} is no mark"),
        }
    }

    /// A start has made durable what it found.
    fn opened(&mut self, head: Seq) -> Result<(), Fault> {
        let most = self.under_way.map_or(self.acknowledged(), |(_, last)| last);
        if !(self.acknowledged()..=most).contains(&head) {
            let told = format!("{} acknowledged, {most} tried, {head} found at a start", self.acknowledged());
            return Err(Fault::Wrong(told));
        }
        self.extend(head);
        self.under_way = None;
        Ok(())
    }

    fn extend(&mut self, last: Seq) {
        if let Some((run, _)) = self.under_way {
            self.runs.resize(usize::try_from(last).expect("few records"), run);
        }
    }

    /// Opens the folder, and if `goes_on`, appends to it and opens it again.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn judge(&self, folder: &Path, goes_on: bool) -> Result<(), Fault> {
        let mut store = self.open(folder)?;
        let found = self.read(&store)?;
        self.check_checkpoint(&store)?;
        if goes_on {
            let first = store.head().seq + 1;
            let appended = store.append(first, &driver::batch(self.seed, JUDGES_RUN, first, 3));
            let head =
                appended.map_err(|error| Fault::Wrong(format!("it opens and cannot go on: {error}")))?;
            drop(store);
            let mut longer = self.clone();
            longer.runs = found;
            longer.runs.extend([JUDGES_RUN; 3]);
            longer.under_way = None;
            assert_eq!(longer.acknowledged(), head.seq);
            longer.read(&longer.open(folder)?)?;
        }
        Ok(())
    }

    fn open(&self, folder: &Path) -> Result<SledStore, Fault> {
        match SledStore::open(folder, StoreOptions::default()) {
            Ok((store, _)) => Ok(store),
            Err(error) => Err(Fault::Refused(format!("{error} ({error:?})"))),
        }
    }

    /// Reads every record, and returns the runs that wrote them.
    fn read(&self, store: &SledStore) -> Result<Vec<u32>, Fault> {
        let (mut runs, mut wrong) = (Vec::new(), None);
        let read = store.reader().read(1, &mut |record| {
            let next = runs.len() as Seq + 1;
            let head = record.body.first_chunk().map(|run| u32::from_le_bytes(*run));
            match head.filter(|run| record.seq == next && self.may_be(next, *run)) {
                Some(run) if record.body == driver::body(self.seed, run, next) => runs.push(run),
                _ => {
                    wrong = Some(format!(
                        "record {} (where {next} comes next) of run {head:?} is another",
                        record.seq
                    ));
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        read.map_err(|error| Fault::Wrong(format!("it opens and does not read: {error}")))?;
        if wrong.is_none() && (runs.len() as Seq) < self.acknowledged() {
            wrong = Some(format!("{} acknowledged, {} found", self.acknowledged(), runs.len()));
        }
        wrong.map_or(Ok(runs), |wrong| Err(Fault::Wrong(wrong)))
    }

    /// Whether a record may have been written by this run.
    fn may_be(&self, seq: Seq, run: u32) -> bool {
        let at = usize::try_from(seq - 1).expect("few records");
        match self.runs.get(at) {
            Some(acknowledged) => *acknowledged == run,
            None => self.under_way.is_some_and(|(of, last)| of == run && seq <= last),
        }
    }

    /// The newest checkpoint that was saved is there, or a newer one; and what says that it is whole is.
    fn check_checkpoint(&self, store: &SledStore) -> Result<(), Fault> {
        let checkpoints = store.checkpoints();
        let saved = checkpoints.saved().map_err(|error| Fault::Wrong(format!("no checkpoints: {error}")))?;
        if saved.first().copied().unwrap_or(0) < self.saved.unwrap_or(0) {
            return Err(Fault::Wrong(format!("the checkpoint at {:?} is lost: {saved:?}", self.saved)));
        }
        for seq in saved {
            let wrong = |what: String| Fault::Wrong(format!("the checkpoint at {seq}: {what}"));
            let loaded = checkpoints.load(seq).map_err(|error| wrong(error.to_string()))?;
            let chunks: Result<Vec<_>, _> = loaded.chunks.collect();
            let chunks = chunks.map_err(|error| wrong(error.to_string()))?;
            if chunks != driver::chunks(self.seed, seq).collect::<Vec<_>>() {
                return Err(wrong("it is another".to_owned()));
            }
        }
        Ok(())
    }
}
