//! `cardswitch journal export`: records for somebody else, as segments that prove themselves or as masked lines of JSON.

use std::{
    fs::File,
    io::{BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::{Records, tail::line, unprinted};
use crate::{
    audit,
    books::{Books, event::Event},
    cli::{Failure, progress::Progress, source::audit as audited},
    journal::{Backup, Reader, Record, SegmentHistory, Seq},
    recovery::{self, RecoveryError},
};

/// Arguments of `journal export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch journal export --data /var/lib/cardswitch --first 1 --last 100000 --out exported\n  \
                  cardswitch journal export --segments /mnt/backup --json --out events.jsonl\n\nSegments hold whole commits: \
                  the first and the last may have some records more than asked for. Of a running switch, `journal backup` \
                  makes segments."
)]
pub(super) struct Args {
    #[command(flatten)]
    records: Records,
    /// The first record; without it, the first there is
    #[arg(long, value_name = "RECORD")]
    first: Option<Seq>,
    /// The last record; without it, the last there is
    #[arg(long, value_name = "RECORD")]
    last: Option<Seq>,
    /// Masked events, one JSON object a line, instead of segments
    #[arg(long)]
    json: bool,
    /// The folder for segments; with --json the file, or standard output without it
    #[arg(long, value_name = "PATH", required_unless_present = "json")]
    out: Option<PathBuf>,
}

/// What cannot be exported.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("there is no record from {first} to {last}; the records here are {begin} to {end}")]
    Nothing { first: Seq, last: Seq, begin: Seq, end: Seq },
    #[error(
        "the segments begin with record {0}; terminals and cards are named by the records before, so --json needs them all"
    )]
    Nameless(Seq),
    #[error("{} is there already; nothing is overwritten", .0.display())]
    Exists(PathBuf),
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let Records { at, archive } = &args.records;
    match (&at.data, &at.segments) {
        (Some(data), _) => {
            let archive = archive.archive.as_deref();
            let mut progress = Progress::new("records");
            let folder = audited(audit::StoppedFolder::open(data, archive, &mut progress.callback()))?;
            let books = |progress: &mut dyn FnMut(Seq)| audited(folder.books(progress));
            export(args, folder.reader().as_ref(), books, out)
        }
        (None, segments) => {
            let folders: Vec<&Path> = segments.iter().flatten().map(PathBuf::as_path).collect();
            let history = SegmentHistory::open(&folders, &mut Progress::new("records").callback())?;
            export(args, &history, |progress| books_of(&history, progress), out)
        }
    }
}

fn books_of(history: &SegmentHistory, progress: &mut dyn FnMut(Seq)) -> Result<Books, Failure> {
    if history.survey.first > 1 {
        return Err(Failure::of(&ExportError::Nameless(history.survey.first)));
    }
    let mut books = Books::default();
    recovery::replay(history, &mut books, history.survey.head.seq, progress)
        .map_err(|error| Failure::of(&error))?;
    Ok(books)
}

fn export(
    args: &Args,
    reader: &dyn Reader,
    books: impl FnOnce(&mut dyn FnMut(Seq)) -> Result<Books, Failure>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let (begin, end) = (reader.first()?, reader.head().seq);
    let (first, last) = (args.first.unwrap_or(begin).max(1), args.last.unwrap_or(end));
    if first > last.min(end) || first < begin {
        return Err(Failure::of(&ExportError::Nothing { first, last, begin, end }));
    }
    let (range, count) = ((first, last.min(end)), last.min(end) - first + 1);
    match &args.out {
        Some(folder) if !args.json => segments(reader, range, folder, out),
        path => {
            let books = books(&mut Progress::of(end, "records").callback())?;
            let mut progress = Progress::of(count, "records");
            let mut heard = progress.callback();
            let mut write = |out: &mut dyn Write| lines(reader, range, &books, out, &mut heard);
            match path {
                None => write(out),
                Some(path) => {
                    let file = File::create_new(path).map_err(|error| match error.kind() {
                        std::io::ErrorKind::AlreadyExists => Failure::of(&ExportError::Exists(path.clone())),
                        _ => unprinted(error),
                    })?;
                    let mut file = BufWriter::new(file);
                    write(&mut file)?;
                    file.into_inner()
                        .map_err(|error| unprinted(error.into_error()))?
                        .sync_all()
                        .map_err(unprinted)
                }
            }
        }
    }
}

fn segments(
    reader: &dyn Reader,
    (first, last): (Seq, Seq),
    folder: &Path,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut backup = Backup::open(folder, &mut |_| ())?;
    if backup.end().seq > 0 {
        return Err(Failure::of(&ExportError::Exists(folder.to_owned())));
    }
    let mut put = Ok(());
    {
        let mut progress = Progress::of(last, "records");
        let mut heard = progress.callback();
        reader.extents(first, &mut |extent| {
            put = backup.put(extent);
            heard(backup.end().seq);
            if put.is_ok() && backup.end().seq < last {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
    }
    put?;
    backup.finish()?;
    writeln!(out, "exported up to record {} to {}", backup.end().seq, folder.display()).map_err(unprinted)
}

fn lines(
    reader: &dyn Reader,
    (first, last): (Seq, Seq),
    books: &Books,
    out: &mut dyn Write,
    heard: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let mut outcome = Ok(());
    reader.read(first, &mut |record| {
        outcome = written(&record, books, out);
        heard(record.seq - first + 1);
        if outcome.is_ok() && record.seq < last { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}

fn written(record: &Record<'_>, books: &Books, out: &mut dyn Write) -> Result<(), Failure> {
    let event = Event::read(record.body)
        .map_err(|source| Failure::of(&RecoveryError::Event { seq: record.seq, source }))?;
    let entries = audit::entries(books, &[(record.seq, record.time_ms, event)]);
    entries.iter().try_for_each(|entry| line(entry, true, out)).map_err(unprinted)
}
