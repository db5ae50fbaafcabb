//! A disk that took part in a run: what of each file and each name is durable at a moment, and what is not.
//!
//! The model, which is what ext4 and its like promise and no more:
//! - Durable are the bytes, and with them the length, of which an `fsync` or `fdatasync` of the same file that began after
//!   the write had returned has itself returned. `sync_file_range` is no sync: it waits for neither lengths nor the disk's cache.
//! - Durable are the names that an `fsync` of their folder covers in the same way; an `fsync` of a file vouches for no name.
//! - Everything else is pending, and may or may not be on the disk after a power cut: bytes in any choice of sectors, in any order;
//!   the lengths of one file in order, because file systems log them; names as `Names` says. A rename is whole or not at all.
//! - Bytes that a length covers and that never arrived are zeros: file systems show no foreign bytes.
//!
//! A kill loses nothing of that: what was written is in the system's cache, pending or not.
//!
//! Left out: which of what is pending survives (`image`). Start at [`Disk::advance`].

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    reading::Reading,
    trace::{Moment, Trace},
};

/// A file or folder, whatever its name is by now.
pub(super) type Node = usize;

/// A change of a file that may not be durable.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { at: usize, bytes: Arc<[u8]> },
    Length(usize),
}

impl Change {
    pub(super) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
            Self::Length(len) => to.resize(*len, 0),
        }
    }
}

/// A change of a name that may not be durable.
#[derive(Clone, Debug)]
pub(super) enum Renaming {
    Made { path: PathBuf, node: Node, is_folder: bool },
    Moved { from: PathBuf, to: PathBuf },
    Removed { path: PathBuf },
}

impl Renaming {
    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Made { path, node, .. } => _ = names.insert(path.clone(), *node),
            Self::Moved { from, to } => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
            Self::Removed { path } => _ = names.remove(path),
        }
    }

    /// The names it touches.
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let (first, second) = match self {
            Self::Made { path, .. } | Self::Removed { path } => (path, None),
            Self::Moved { from, to } => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }
}

/// Something pending and when it began and returned.
#[derive(Clone, Debug)]
pub(super) struct Pending<T> {
    pub(super) change: T,
    pub(super) begun: Moment,
    pub(super) returned: Option<Moment>,
    /// Place among all changes.
    pub(super) order: u64,
}

/// What is known of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub(super) is_folder: bool,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Pending<Change>>,
}

/// The disk at one moment of a run. Paths are relative to the folder that is watched.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) files: Vec<File>,
    /// Names that are durable.
    pub(super) names: BTreeMap<PathBuf, Node>,
    /// Names as the system shows them.
    pub(super) shown: BTreeMap<PathBuf, Node>,
    pub(super) renamings: Vec<Pending<Renaming>>,
    /// The latest change of a name that is durable, by `order`.
    pub(super) renamed: u64,
    order: u64,
}

/// One step of a run that concerns the disk, or a line that the program wrote for us.
#[derive(Debug)]
pub(super) enum Step {
    Change { node: Node, change: Change },
    Rename(Renaming),
    Sync { node: Node },
    Mark(String),
}

/// A step and its moments.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) step: Step,
    pub(super) begun: Moment,
    pub(super) returned: Option<Moment>,
}

/// A run on a disk: its steps, still to be taken.
#[derive(Debug)]
pub(super) struct Run {
    steps: VecDeque<Timed>,
    /// Syncs under way.
    syncs: Vec<(Node, Moment, Moment)>,
    /// The moments at which anything changes.
    pub(super) moments: Vec<Moment>,
    pub(super) end: Moment,
}

impl Run {
    /// The bytes that its writes hold.
    pub(super) fn written(&self) -> u64 {
        let bytes = |timed: &Timed| match &timed.step {
            Step::Change { change: Change::Write { bytes, .. }, .. } => bytes.len() as u64,
            _ => 0,
        };
        self.steps.iter().map(bytes).sum()
    }
}

impl Disk {
    /// The disk that holds this folder, all of it durable.
    pub(super) fn of(folder: &Path) -> Self {
        let mut disk = Self::default();
        disk.files.push(File { is_folder: true, ..File::default() });
        disk.names.insert(PathBuf::new(), 0);
        for (path, bytes) in contents(folder) {
            let file =
                File { is_folder: bytes.is_none(), durable: bytes.unwrap_or_default(), pending: Vec::new() };
            disk.names.insert(path, disk.files.len());
            disk.files.push(file);
        }
        disk.shown.clone_from(&disk.names);
        disk
    }

    /// Reads what a traced process did to `folder`, and what it wrote to the file `marks`.
    ///
    /// `self` must be as the process found it. What the process had under way when it ended is read from the folder.
    ///
    /// # Errors
    /// The folder is not what the trace says it should be.
    pub(super) fn run(&self, trace: Trace, folder: &Path, marks: &Path) -> Result<Run, String> {
        let (disk, found) = (self.clone(), self.shown.clone());
        let mut reading =
            Reading { disk, found, folder, marks, open: HashMap::new(), steps: VecDeque::new() };
        for call in trace.calls {
            reading.take(call);
        }
        reading.hold_to_folder(trace.end)?;
        let mut steps: Vec<Timed> = reading.steps.into();
        steps.sort_by_key(|timed| timed.begun);
        let mut moments: Vec<Moment> =
            steps.iter().flat_map(|timed| [Some(timed.begun), timed.returned]).flatten().collect();
        moments.sort_unstable();
        moments.dedup();
        Ok(Run { steps: steps.into(), syncs: Vec::new(), moments, end: trace.end })
    }

    /// Takes the steps of a run that began before `moment`, and returns the marks among them.
    pub(super) fn advance(&mut self, run: &mut Run, moment: Moment) -> Vec<String> {
        let mut marks = Vec::new();
        while run.steps.front().is_some_and(|timed| timed.begun < moment) {
            let Timed { step, begun, returned } = run.steps.pop_front().expect("one is in front");
            self.settle(run, begun);
            match step {
                Step::Change { node, change } => {
                    let order = self.next_order();
                    self.reserve(node);
                    self.files[node].pending.push(Pending { change, begun, returned, order });
                }
                Step::Rename(renaming) => {
                    let order = self.next_order();
                    if let Renaming::Made { node, is_folder, .. } = renaming {
                        self.reserve(node);
                        self.files[node].is_folder = is_folder;
                    }
                    renaming.apply(&mut self.shown);
                    self.renamings.push(Pending { change: renaming, begun, returned, order });
                }
                Step::Sync { node } => run.syncs.extend(returned.map(|returned| (node, begun, returned))),
                Step::Mark(mark) => marks.push(mark),
            }
        }
        self.settle(run, moment);
        marks
    }

    /// The process is gone and its run over, without a power cut: everything is in the system's cache, and the next run's
    /// syncs cover it.
    pub(super) fn process_ended(&mut self) {
        let all = |returned: &mut Option<Moment>, begun: &mut Moment| (*begun, *returned) = (0, Some(0));
        for pending in self.files.iter_mut().flat_map(|file| &mut file.pending) {
            all(&mut pending.returned, &mut pending.begun);
        }
        for pending in &mut self.renamings {
            all(&mut pending.returned, &mut pending.begun);
        }
    }

    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    fn reserve(&mut self, node: Node) {
        if self.files.len() <= node {
            self.files.resize_with(node + 1, File::default);
        }
    }

    /// Makes durable what the syncs that returned before `moment` cover.
    fn settle(&mut self, run: &mut Run, moment: Moment) {
        let (done, under_way): (Vec<_>, Vec<_>) =
            run.syncs.drain(..).partition(|(_, _, returned)| *returned < moment);
        run.syncs = under_way;
        for (node, began, _) in done {
            let File { is_folder, durable, pending } = &mut self.files[node];
            let covered = |returned: Option<Moment>| returned.is_some_and(|returned| returned < began);
            pending.retain(|pending| {
                let covered = covered(pending.returned);
                if covered {
                    pending.change.apply(durable);
                }
                !covered
            });
            if *is_folder {
                self.settle_names(node, &covered);
            }
        }
    }

    fn settle_names(&mut self, folder: Node, covered: &dyn Fn(Option<Moment>) -> bool) {
        let path = self.shown.iter().find(|(_, node)| **node == folder).map(|(path, _)| path.clone());
        let Some(path) = path else { return };
        let (names, renamed) = (&mut self.names, &mut self.renamed);
        self.renamings.retain(|pending| {
            // Both names of a move lie in one folder, here as in all programs that mean to be durable.
            let inside = pending.change.paths().all(|name| name.parent() == Some(&path));
            let settled = inside && covered(pending.returned);
            if settled {
                pending.change.apply(names);
                *renamed = (*renamed).max(pending.order);
            }
            !settled
        });
    }

    /// What the system shows: everything, pending or not.
    pub(super) fn shown_contents(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let shown = |(path, node): (&PathBuf, &Node)| {
            let file = &self.files[*node];
            let mut bytes = file.durable.clone();
            file.pending.iter().for_each(|pending| pending.change.apply(&mut bytes));
            (path.clone(), (!file.is_folder).then_some(bytes))
        };
        let inner = self.shown.iter().filter(|(path, _)| !path.as_os_str().is_empty());
        inner.map(shown).collect()
    }
}

/// Everything in a folder by its path inside; folders have no bytes.
pub(super) fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let bytes = if path.is_dir() { None } else { Some(fs::read(&path).expect("a file")) };
            found.insert(path.strip_prefix(folder).expect("inside").to_path_buf(), bytes);
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}
