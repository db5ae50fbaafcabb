//! `cardswitch rules backtest`: what rules would have done, on a data set or on a journal.

use std::{
    fs::{self, File},
    io::{BufReader, Write},
    path::{Path, PathBuf},
};

use risk::{language::NamedList, past::Keep, rulebook::Rulebook};
use tempfile::NamedTempFile;

use super::{at, read, refused, tell};
use crate::{
    app::journal_dir,
    audit::StoppedFolder,
    backtest::{
        Asked, DataError, DataSet, Findings, Labels, ListFiles, Map, MapError, Trial, Tried, against_journal,
        report,
    },
    cli::{
        Failure,
        progress::Progress,
        source::{ArchiveAt, audit},
    },
    config::EXIT_USAGE,
    interrupt::Interrupt,
    journal::{Reader, SegmentHistory},
};

/// How a command ends that was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

/// Arguments of `rules backtest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch rules backtest --rules fixtures/rules/velocity.toml --against data.csv --map \
                  fixtures/rules/generated-map.toml\n  cardswitch rules backtest --rules mine.toml --live rules/*.toml --against \
                  data.csv --map map.toml --html report.html --csv report.csv\n  cardswitch rules backtest --rules mine.toml \
                  --against /var/lib/cardswitch --labels labels.csv\n\nDrafts and rules in shadow are tried as if they \
                  were live. Counts are built up from the first row or record; what a rule would have declined goes on counting as it was \
                  recorded. The map says which column is which fact (docs/rules.md). Ctrl-C ends it: what was found so far is \
                  reported and marked as partial, with exit code 130."
)]
pub(super) struct Args {
    /// The files of the set to try
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    rules: Vec<PathBuf>,
    /// The files of the set that decides now; without them, what was decided when it happened
    #[arg(long, value_name = "FILE", num_args = 1..)]
    live: Vec<PathBuf>,
    /// A data set, which is a CSV file in the order of its times; or a journal: a stopped switch's data folder, or a folder of
    /// segments
    #[arg(long, value_name = "PATH")]
    against: PathBuf,
    /// Which column of the data set is which fact
    #[arg(long, value_name = "MAP", conflicts_with_all = ["labels", "archive"])]
    map: Option<PathBuf>,
    /// A list that rules look into, on a data set: a CSV file with the columns value and expires. On a journal lists are those of then
    #[arg(long = "list", value_name = "NAME=FILE", value_parser = named_file, requires = "map")]
    lists: Vec<(String, PathBuf)>,
    /// What was found out about requests of the journal, a CSV file with the columns rrn or record, label, known
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    archive: ArchiveAt,
    /// Write the figures to this file, a row for each rule
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the report to this file, a page with charts that needs no other
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let book = set(&args.rules, Rulebook::rehearse)?;
    let live = if args.live.is_empty() { None } else { Some(set(&args.live, Rulebook::read)?) };
    let interrupt = Interrupt::watch().map_err(|error| Failure::of(&error))?;
    let (findings, complaint) = match &args.map {
        Some(map) => (against_data_set(&args.against, map, (book, live), &args.lists, &interrupt)?, None),
        None if args.against.is_dir() => {
            let labels = args.labels.as_deref().map_or_else(|| Ok(Labels::default()), labels)?;
            let mut tried = Tried { book, live, labels };
            let archive = args.archive.archive.as_deref();
            let findings = on_journal(&args.against, archive, &mut tried, &interrupt)?;
            (findings, tried.labels.complaint())
        }
        None => {
            let message =
                "a data set needs --map: which of its columns is which fact (docs/rules.md)".to_owned();
            return Err(Failure { message, code: 1 });
        }
    };
    let files = [(&args.csv, figures(&findings)?), (&args.html, page(args, &findings))];
    for (path, body) in files.iter().filter_map(|(path, body)| path.as_ref().zip(Some(body))) {
        put(path, body).map_err(|error| at(path, &error))?;
    }
    tell(out, &report::table(&findings))?;
    complaint.map_or(Ok(()), |complaint| tell(out, &complaint))?;
    let message = "interrupted: what was found so far is above".to_owned();
    if findings.partial { Err(Failure { message, code: INTERRUPTED }) } else { Ok(()) }
}

fn set(
    files: &[PathBuf],
    compile: impl Fn(&[&str]) -> Result<Rulebook, risk::rulebook::BookError>,
) -> Result<Rulebook, Failure> {
    let texts: Vec<String> = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    compile(&texts).map_err(|error| refused(files, &error))
}

fn labels(path: &Path) -> Result<Labels, Failure> {
    let file = File::open(path).map_err(|error| at(path, &error))?;
    Labels::read(BufReader::new(file)).map_err(|error| of_file(path, &error))
}

/// What is wrong with a file.
fn of_file(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure { message: format!("{}: {}", path.display(), Failure::of(error).message), code: 1 }
}

/// On a stopped switch's data folder, or on segments alone.
fn on_journal(
    path: &Path,
    archive: Option<&Path>,
    tried: &mut Tried,
    interrupt: &Interrupt,
) -> Result<Findings, Failure> {
    let mut opening = Progress::new("records");
    if journal_dir(path).is_dir() {
        let folder = audit(StoppedFolder::open(path, archive, &mut opening.callback()))?;
        drop(opening);
        on_records(folder.reader().as_ref(), tried, interrupt)
    } else {
        let folders: Vec<&Path> = std::iter::once(path).chain(archive).collect();
        let segments = SegmentHistory::open(&folders, &mut opening.callback());
        drop(opening);
        on_records(&segments.map_err(|error| of_file(path, &error))?, tried, interrupt)
    }
}

fn on_records(reader: &dyn Reader, tried: &mut Tried, interrupt: &Interrupt) -> Result<Findings, Failure> {
    let mut progress = Progress::of(reader.head().seq, "records");
    let mut heard = progress.callback();
    let findings = against_journal(reader, tried, &mut |seq| {
        heard(seq);
        !interrupt.came()
    });
    findings.map_err(|error| Failure::of(&error))
}

fn against_data_set(
    path: &Path,
    map: &Path,
    (book, live): (Rulebook, Option<Rulebook>),
    lists: &[(String, PathBuf)],
    interrupt: &Interrupt,
) -> Result<Findings, Failure> {
    let of_map = |error: MapError| of_file(map, &error);
    let map = Map::read(&read(map)?).map_err(of_map)?;
    std::iter::once(&book).chain(&live).try_for_each(|book| map.suits(book)).map_err(of_map)?;
    let named: Vec<NamedList> =
        std::iter::once(&book).chain(&live).flat_map(|book| book.lists().to_vec()).collect();
    let mut trial = Trial::new(book, live, map.currency(), Keep::ASKED);
    let file = File::open(path).map_err(|error| at(path, &error))?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let wrong = |error: DataError| of_file(path, &error);
    let mut rows = DataSet::open(BufReader::new(file), map).map_err(wrong)?;
    let lists = list_files(lists, &named, &mut rows)?;
    let mut progress = Progress::of(bytes, "bytes");
    let mut heard = progress.callback();
    while rows.advance().map_err(wrong)? {
        let asked = Asked { row: rows.row(), request: rows.request(), declined: rows.declined() };
        let now_ms = asked.row.happened.at_ms;
        trial.take(&asked, |list, key| lists.holds(list, key, now_ms));
        heard(rows.bytes());
        if interrupt.came() {
            return Ok(trial.finish(true));
        }
    }
    Ok(trial.finish(false))
}

/// The files that were given as lists, each for a list that the rules name.
fn list_files(
    files: &[(String, PathBuf)],
    named: &[NamedList],
    rows: &mut DataSet<BufReader<File>>,
) -> Result<ListFiles, Failure> {
    let (mut lists, zone) = (ListFiles::default(), rows.zone().clone());
    for (place, (name, path)) in files.iter().enumerate() {
        let list = named.iter().find(|list| list.name == *name);
        let Some(list) = list.filter(|_| files[..place].iter().all(|(earlier, _)| earlier != name)) else {
            let message = format!("--list {name}: the rules declare no such list, or it was given before");
            return Err(Failure { message, code: EXIT_USAGE });
        };
        let file = File::open(path).map_err(|error| at(path, &error))?;
        let read = lists.add(list, BufReader::new(file), &zone, |card| rows.card(card));
        read.map_err(|error| of_file(path, &error))?;
    }
    Ok(lists)
}

/// A list's name and its file as `NAME=FILE`.
fn named_file(text: &str) -> Result<(String, PathBuf), &'static str> {
    let (name, file) = text.split_once('=').ok_or("it must be a list's name, =, and a file")?;
    Ok((name.to_owned(), file.into()))
}

fn figures(findings: &Findings) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    report::csv(findings, &mut body).map_err(|error| Failure::of(&error))?;
    Ok(body)
}

fn page(args: &Args, findings: &Findings) -> Vec<u8> {
    let name =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let rules: Vec<String> = args.rules.iter().map(|path| name(path)).collect();
    report::html(findings, &format!("{} on {}", rules.join(", "), name(&args.against))).into_bytes()
}

/// Writes a file, whole or not at all.
fn put(path: &Path, body: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut written = NamedTempFile::new_in(folder)?;
    written.write_all(body)?;
    written.as_file().sync_all()?;
    if let Ok(metadata) = fs::metadata(path) {
        written.as_file().set_permissions(metadata.permissions())?;
    }
    written.persist(path).map_err(|error| error.error)?;
    Ok(())
}
