//! `cardswitch journal verify`: the proof of the records themselves; whether they make books that add up is `ledger verify`.

use std::{
    io::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::Records;
use crate::{
    app::archive_dir,
    audit::{StoppedFolder, utc},
    cli::{
        Failure,
        progress::Progress,
        source::{audit, print},
    },
    hex,
    journal::{Head, SegmentHistory, Seq, segments_in},
};

/// Arguments of `journal verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch journal verify --data /var/lib/cardswitch\n  cardswitch journal verify --segments \
                  /mnt/backup\n\nExit code 0 only if everything held. What is wrong is named with its first record."
)]
pub(super) struct Args {
    #[command(flatten)]
    records: Records,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What held.
#[derive(Debug, Serialize)]
struct Proved {
    first: Seq,
    last: Seq,
    time: String,
    head: String,
    /// Extents in the store, or in the segments where there is no store.
    extents: u64,
    segments: u64,
    /// The record behind which the store begins; none where there is no store.
    base: Option<Seq>,
    checkpoints: Vec<Seq>,
}

impl Proved {
    fn new(first: Seq, head: &Head) -> Self {
        Self {
            first,
            last: head.seq,
            time: utc(head.time_ms),
            head: hex::digits(&head.hash),
            extents: 0,
            segments: 0,
            base: None,
            checkpoints: Vec::new(),
        }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let Records { at, archive } = &args.records;
    let proved = match (&at.data, &at.segments) {
        (Some(data), _) => of_folder(data, archive.archive.as_deref())?,
        (None, segments) => of_segments(segments.as_deref().unwrap_or_default())?,
    };
    print(args.json, &proved, out, table)
}

fn of_segments(folders: &[PathBuf]) -> Result<Proved, Failure> {
    let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
    let survey = SegmentHistory::open(&folders, &mut Progress::new("records").callback())?.survey;
    Ok(Proved {
        extents: survey.extents,
        segments: survey.segments,
        ..Proved::new(survey.first, &survey.head)
    })
}

/// The store is proved when its copy opens, the archive by being read up to where the store begins.
fn of_folder(data: &Path, archive: Option<&Path>) -> Result<Proved, Failure> {
    let mut progress = Progress::new("records");
    let folder = audit(StoppedFolder::open(data, archive, &mut progress.callback()))?;
    let (report, reader) = (folder.report(), folder.reader());
    let first = reader.first()?;
    let mut heard = progress.callback();
    if first <= report.base {
        reader.read(first, &mut |record| {
            heard(record.seq);
            if record.seq > report.base { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
    }
    let segments = segments_in(&archive_dir(data, archive))?;
    Ok(Proved {
        extents: report.extents,
        segments: segments.iter().filter(|one| one.last >= first && one.first <= report.base).count() as u64,
        base: Some(report.base),
        checkpoints: report.checkpoints.clone(),
        ..Proved::new(first, &report.head)
    })
}

fn table(proved: &Proved, out: &mut dyn Write) -> std::io::Result<()> {
    let Proved { first, last, time, head, extents, segments, base, checkpoints } = proved;
    writeln!(out, "the journal is whole: records {first} to {last}, the last of {time}")?;
    match base {
        Some(base) => {
            writeln!(out, "  {extents} extents from record {} on, {segments} archived segments", base + 1)?;
            let checkpoints: Vec<String> = checkpoints.iter().map(Seq::to_string).collect();
            let named = if checkpoints.is_empty() { "none".to_owned() } else { checkpoints.join(", ") };
            writeln!(out, "  checkpoints: {named}")?;
        }
        None => writeln!(out, "  {extents} extents in {segments} segments")?,
    }
    if *first > 1 {
        writeln!(out, "  records before {first} are not here")?;
    }
    writeln!(out, "  chain {head}")
}
