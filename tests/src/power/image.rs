//! What may be on a disk after a power cut: one choice among all that the model of [`disk`](super::disk) allows.
//!
//! A [`Cut`] says how to choose; drawn from seeded numbers, so that a failure can be made again. Bytes are chosen for
//! each write, or for its pieces of 512 or 4096 bytes; lengths are those of one moment of the file, or fall inside a write;
//! names as [`Names`] says.
//!
//! Start at [`Cut::draw`], then [`image`].

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::disk::{Change, Disk, File, Node, Pending, Renaming};
use crate::random::Random;

/// What a disk writes whole or not at all; newer ones, and the pages of the system's cache, have 4096.
const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// Which names survive that no folder's sync covers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Names {
    /// In the order in which they changed, up to some moment, as file systems with one log (ext4, xfs) promise.
    Ordered,
    /// Any, but for changes of one name, which keep their order. Stricter than file systems in use.
    Any,
}

/// Which pending bytes survive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bytes {
    /// None.
    Nothing,
    /// All.
    Everything,
    /// The writes up to one, which is torn.
    Front,
    /// The writes from one on: the disk took the later ones first.
    Back,
    /// Each write whole or not at all.
    Writes,
    /// Each piece of so many bytes, with this many chances in 16.
    Pieces { of: usize, chances: u64 },
    /// All but one piece of so many bytes.
    AllButOne { of: usize },
}

/// How a power cut chooses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) names: Names,
    pub(super) bytes: Bytes,
}

impl Cut {
    pub(super) fn draw(random: &mut Random) -> Self {
        let names = if random.below(2) == 0 { Names::Ordered } else { Names::Any };
        let of = if random.below(2) == 0 { SECTOR } else { PAGE };
        let bytes = match random.below(16) {
            0 => Bytes::Nothing,
            1 => Bytes::Everything,
            2..=4 => Bytes::Front,
            5..=6 => Bytes::Back,
            7..=9 => Bytes::Writes,
            10..=13 => Bytes::Pieces { of, chances: 1 + random.below(15) },
            _ => Bytes::AllButOne { of },
        };
        Self { names, bytes }
    }
}

/// Makes `folder`, which does not exist, one that the disk may hold after a power cut.
pub(super) fn image(disk: &Disk, cut: Cut, random: &mut Random, folder: &Path) {
    fs::create_dir(folder).expect("a new folder");
    for (path, node) in names(disk, cut.names, random) {
        let file = &disk.files[node];
        let to = folder.join(&path);
        // What lies in a folder whose name is gone is gone with it.
        let lost = path.as_os_str().is_empty() || !to.parent().is_some_and(Path::is_dir);
        if lost {
            continue;
        }
        if file.is_folder {
            fs::create_dir(to).expect("a new folder");
        } else if file.pending.is_empty() {
            fs::write(to, &file.durable).expect("a file of the image");
        } else {
            fs::write(to, surviving(file, cut.bytes, random)).expect("a file of the image");
        }
    }
}

fn names(disk: &Disk, which: Names, random: &mut Random) -> BTreeMap<PathBuf, Node> {
    let mut names = disk.names.clone();
    match which {
        Names::Ordered => {
            let until = disk.renamings.len() as u64 + 1;
            let until = usize::try_from(random.below(until)).expect("a place in memory");
            for (at, pending) in disk.renamings.iter().enumerate() {
                // One log: what came before something durable is durable as well.
                if at < until || pending.order < disk.renamed {
                    pending.change.apply(&mut names);
                }
            }
        }
        Names::Any => {
            let mut stuck: Vec<&PathBuf> = Vec::new();
            for Pending { change, .. } in &disk.renamings {
                let follows = change.paths().any(|path| stuck.contains(&path));
                if follows || random.below(2) == 0 {
                    stuck.extend(change.paths());
                } else {
                    change.apply(&mut names);
                }
            }
        }
    }
    names
}

/// What a file may hold.
fn surviving(file: &File, which: Bytes, random: &mut Random) -> Vec<u8> {
    let logged = match which {
        Bytes::Nothing => 0,
        Bytes::Everything => file.pending.len(),
        _ => match random.below(4) {
            0 => 0,
            1 => random.index(file.pending.len() + 1),
            _ => file.pending.len(),
        },
    };
    let kept = Kept::new(file, which, random);
    let mut bytes = file.durable.clone();
    let mut len = bytes.len();
    for (at, Pending { change, .. }) in file.pending.iter().enumerate() {
        match change {
            Change::Length(to) if at < logged => {
                bytes.resize(*to, 0);
                len = *to;
            }
            Change::Length(_) => {}
            Change::Write { at: offset, bytes: written } => {
                let end = offset + written.len();
                bytes.resize(bytes.len().max(end), 0);
                kept.write(at, *offset, written, &mut bytes, random);
                if at < logged {
                    len = len.max(end);
                }
            }
        }
    }
    bytes.truncate(len.max(torn_length(file, logged, len, random)));
    bytes
}

/// A length that falls inside the first write that is not wholly logged, at the border of a page; 0 for none.
fn torn_length(file: &File, logged: usize, len: usize, random: &mut Random) -> usize {
    match file.pending.get(logged).map(|pending| &pending.change) {
        Some(Change::Write { at, bytes }) if at + bytes.len() > len && random.below(2) == 0 => {
            let from = len.max(*at) / PAGE;
            let pages = (at + bytes.len()) / PAGE - from;
            if pages == 0 { 0 } else { (from + random.index(pages + 1)) * PAGE }
        }
        _ => 0,
    }
}

/// The choice of bytes for one file.
struct Kept {
    which: Bytes,
    /// The write at which the choice changes.
    turn: usize,
    /// The piece of that write.
    piece: usize,
}

impl Kept {
    fn new(file: &File, which: Bytes, random: &mut Random) -> Self {
        let turn = random.index(file.pending.len());
        let len = match &file.pending[turn].change {
            Change::Write { bytes, .. } => bytes.len(),
            Change::Length(_) => 0,
        };
        let of = if let Bytes::AllButOne { of } = which { of } else { SECTOR };
        Self { which, turn, piece: random.index(len / of + 1) }
    }

    /// Copies the surviving pieces of the `nth` write, which begins at `offset`.
    fn write(&self, nth: usize, offset: usize, written: &[u8], to: &mut [u8], random: &mut Random) {
        let of = match self.which {
            Bytes::Pieces { of, .. } | Bytes::AllButOne { of } => of,
            _ => SECTOR,
        };
        let whole = random.below(2) == 0;
        let mut at = 0;
        let mut piece = 0;
        while at < written.len() {
            // Pieces lie on borders of the file, so the first may be short.
            let end = written.len().min(at + of - (offset + at) % of);
            let survives = match self.which {
                Bytes::Nothing => false,
                Bytes::Everything => true,
                Bytes::Front => nth < self.turn || (nth == self.turn && piece < self.piece),
                Bytes::Back => nth > self.turn || (nth == self.turn && piece >= self.piece),
                Bytes::Writes => whole,
                Bytes::Pieces { chances, .. } => random.below(16) < chances,
                Bytes::AllButOne { .. } => nth != self.turn || piece != self.piece,
            };
            if survives {
                to[offset + at..offset + end].copy_from_slice(&written[at..end]);
            }
            at = end;
            piece += 1;
        }
    }
}

/// The names of what has been changed and is not durable, for whoever reads about a failure.
pub(super) fn pending_names(disk: &Disk) -> Vec<String> {
    disk.renamings.iter().map(|pending| name_of(&pending.change)).collect()
}

fn name_of(renaming: &Renaming) -> String {
    match renaming {
        Renaming::Made { path, .. } => format!("+{}", path.display()),
        Renaming::Moved { from, to } => format!("{}→{}", from.display(), to.display()),
        Renaming::Removed { path } => format!("-{}", path.display()),
    }
}
