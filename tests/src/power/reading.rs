//! From calls to steps: which file a descriptor stands for, what changes in it, and whether the folder agrees in the end.
//!
//! Start at [`Reading::take`].

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Range,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    disk::{Change, Disk, File, Node, Pending, Renaming, Step, Timed, contents},
    trace::{Action, Call, Descriptor, Moment},
};

/// What a descriptor of the traced process stands for; duplicates share the place.
#[derive(Clone, Debug)]
pub(super) struct Open {
    target: Target,
    place: Rc<Cell<u64>>,
    appends: bool,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Node(Node),
    Marks,
}

/// A trace that is being read.
pub(super) struct Reading<'a> {
    /// As the system shows it, so far.
    pub(super) disk: Disk,
    /// The names as the process found them.
    pub(super) found: BTreeMap<PathBuf, Node>,
    pub(super) folder: &'a Path,
    pub(super) marks: &'a Path,
    pub(super) open: HashMap<Descriptor, Open>,
    pub(super) steps: VecDeque<Timed>,
}

impl Reading<'_> {
    pub(super) fn take(&mut self, Call { action, begun, returned }: Call) {
        let mut steps = Vec::new();
        match action {
            Action::Open { path, creates, truncates, appends, fd } => {
                self.open.remove(&fd);
                if let Some(target) = self.target(&path, creates, truncates, &mut steps) {
                    self.open.insert(fd, Open { target, place: Rc::default(), appends });
                }
            }
            Action::Close { fd } => _ = self.open.remove(&fd),
            Action::Duplicate { of, fd } => match self.open.get(&of).cloned() {
                Some(open) => _ = self.open.insert(fd, open),
                None => _ = self.open.remove(&fd),
            },
            Action::Seek { fd, to } => {
                if let Some(open) = self.open.get(&fd) {
                    open.place.set(to);
                }
            }
            Action::Write { fd, offset, bytes } => steps.extend(self.write(fd, offset, bytes)),
            Action::SetLength { fd, len } => steps.extend(
                self.node(fd).map(|node| Step::Change { node, change: Change::Length(position(len)) }),
            ),
            Action::Sync { fd } => steps.extend(self.node(fd).map(|node| Step::Sync { node })),
            Action::Rename { from, to } => {
                if let (Some(from), Some(to)) = (self.inside(&from), self.inside(&to)) {
                    steps.push(Step::Rename(Renaming::Moved { from, to }));
                }
            }
            Action::Remove { path } => {
                steps.extend(self.inside(&path).map(|path| Step::Rename(Renaming::Removed { path })))
            }
            Action::MakeFolder { path } => {
                if let Some(path) = self.inside(&path) {
                    steps.push(self.make(path, true));
                }
            }
        }
        for step in steps {
            self.show(&step);
            self.steps.push_back(Timed { step, begun, returned });
        }
    }

    fn inside(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(self.folder).ok().map(Path::to_path_buf)
    }

    fn node(&self, fd: Descriptor) -> Option<Node> {
        match self.open.get(&fd)?.target {
            Target::Node(node) => Some(node),
            Target::Marks => None,
        }
    }

    fn target(
        &mut self,
        path: &Path,
        creates: bool,
        truncates: bool,
        steps: &mut Vec<Step>,
    ) -> Option<Target> {
        if path == self.marks {
            return Some(Target::Marks);
        }
        let path = self.inside(path)?;
        if let Some(node) = self.disk.shown.get(&path).copied() {
            if truncates {
                steps.push(Step::Change { node, change: Change::Length(0) });
            }
            return Some(Target::Node(node));
        }
        assert!(creates, "{} is opened, and nothing in the trace made it", path.display());
        let made = self.make(path, false);
        steps.push(made);
        Some(Target::Node(self.disk.files.len() - 1))
    }

    fn make(&mut self, path: PathBuf, is_folder: bool) -> Step {
        let node = self.disk.files.len();
        self.disk.files.push(File { is_folder, ..File::default() });
        Step::Rename(Renaming::Made { path, node, is_folder })
    }

    fn write(&mut self, fd: Descriptor, offset: Option<u64>, bytes: Vec<u8>) -> Option<Step> {
        let open = self.open.get(&fd)?;
        let Target::Node(node) = open.target else {
            return Some(Step::Mark(String::from_utf8(bytes).expect("marks are text")));
        };
        assert!(!open.appends, "files that are appended to are not understood here");
        let at = offset.unwrap_or_else(|| open.place.replace(open.place.get() + bytes.len() as u64));
        Some(Step::Change { node, change: Change::Write { at: position(at), bytes: bytes.into() } })
    }

    fn show(&mut self, step: &Step) {
        match step {
            Step::Change { node, change } => {
                let pending = Pending { change: change.clone(), begun: 0, returned: None, order: 0 };
                self.disk.files[*node].pending.push(pending);
            }
            Step::Rename(renaming) => renaming.apply(&mut self.disk.shown),
            Step::Sync { .. } | Step::Mark(_) => {}
        }
    }

    /// The folder must be what the trace says. Only what was under way when the process ended may differ: then the folder
    /// is right.
    pub(super) fn hold_to_folder(&mut self, end: Moment) -> Result<(), String> {
        let real = contents(self.folder);
        for at in (0..self.steps.len()).rev() {
            let timed = &self.steps[at];
            if timed.returned.is_some() {
                continue;
            }
            match &timed.step {
                Step::Change { node, change: Change::Write { at: offset, bytes } } => {
                    let (node, range) = (*node, *offset..*offset + bytes.len());
                    self.correct(at, node, range, &real);
                }
                Step::Rename(renaming) if !happened(renaming, &real) => {
                    self.steps.remove(at);
                    self.show_names_anew();
                }
                _ => {}
            }
        }
        // A file whose creation had not returned.
        let unheard =
            real.keys().filter(|path| !self.disk.shown.contains_key(*path)).cloned().collect::<Vec<_>>();
        for path in unheard {
            let step = self.make(path, false);
            self.show(&step);
            self.steps.push_back(Timed { step, begun: end, returned: None });
        }
        let told = self.disk.shown_contents();
        for (path, told) in &told {
            if real.get(path) != Some(told) {
                return Err(format!("{} is not what the trace says", path.display()));
            }
        }
        Ok(())
    }

    fn show_names_anew(&mut self) {
        self.disk.shown.clone_from(&self.found);
        for timed in &self.steps {
            if let Step::Rename(renaming) = &timed.step {
                renaming.apply(&mut self.disk.shown);
            }
        }
    }

    /// What a write that was cut off has written is what the file holds.
    fn correct(
        &mut self,
        step: usize,
        node: Node,
        range: Range<usize>,
        real: &BTreeMap<PathBuf, Option<Vec<u8>>>,
    ) {
        let path = self.disk.shown.iter().find(|(_, shown)| **shown == node).map(|(path, _)| path);
        let Some(Some(bytes)) = path.and_then(|path| real.get(path)) else { return };
        let there = bytes.get(range.start.min(bytes.len())..range.end.min(bytes.len())).unwrap_or_default();
        let change = Change::Write { at: range.start, bytes: there.into() };
        let intended = |pending: &&mut Pending<Change>| matches!(&pending.change, Change::Write { at, bytes } if *at == range.start && bytes.len() == range.len());
        if let Some(shown) = self.disk.files[node].pending.iter_mut().rev().find(intended) {
            shown.change = change.clone();
        }
        self.steps[step].step = Step::Change { node, change };
    }
}

/// Whether a change of a name that was under way shows in the folder.
fn happened(renaming: &Renaming, real: &BTreeMap<PathBuf, Option<Vec<u8>>>) -> bool {
    match renaming {
        Renaming::Made { path, .. } => real.contains_key(path),
        Renaming::Moved { from, .. } => !real.contains_key(from),
        Renaming::Removed { path } => !real.contains_key(path),
    }
}

fn position(of: u64) -> usize {
    usize::try_from(of).expect("an offset fits")
}
