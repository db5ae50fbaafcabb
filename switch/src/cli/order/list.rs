//! `cardswitch order list`: a change of a list by name that one officer makes and another is to approve.

use std::{
    fmt::Write as _,
    fs::File,
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{Made, Of, VALID_H, tell};
use crate::{
    books::lists::{
        change::{How, ListChange, ListRow, hash_of, list_name},
        key::ListKind,
    },
    books::order::JournalPlace,
    cli::{
        Failure,
        progress::Progress,
        source::{ask, send_bytes},
    },
    config::{Config, EXIT_USAGE},
    console::{
        CarriedOut,
        lists::{Found, Trying, join},
    },
    lists::{
        Draft,
        beside::{self, path_of},
        file::{Reading, TOLD_MAX},
        tokens::Tokens,
    },
    orders::file::{ChangeText, OrderText},
};

/// Rows that an approver is shown.
const SHOWN_MAX: usize = 20;

/// How often a running switch is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Arguments of `order list`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch order list add stolen --kind card --file stolen.csv --config cardswitch.toml --source \"city police\" \
                  --dry-run --admin http://127.0.0.1:18580\n  cardswitch order list add watched --kind terminal --value 31000002 --reason \
                  \"tries out numbers\" --source \"fraud desk\" --admin http://127.0.0.1:18580 --why \"seen on the 21st\" --officer \
                  alice.officer --out watched.order\n\nA file is CSV with the columns value, reason, source, expires; value alone is needed. \
                  Card numbers become tokens before anything is written, which needs the switch's configuration. The rows lie beside \
                  the order, in FILE.order.rows, and go with it. --dry-run makes no order and tells what would be added, what stands there \
                  twice, and what is wrong, by line. The list begins with its first change."
)]
pub(super) struct Args {
    /// What is done with the entries
    #[arg(value_enum)]
    how: HowArg,
    /// The list's name, as rules call it
    list: String,
    /// What it is a list of
    #[arg(long, value_enum)]
    kind: KindArg,
    /// The entries, a CSV file; - is standard input. With neither this nor --value there are none
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    file: Option<PathBuf>,
    /// One entry: a terminal, a merchant, a BIN or two with a hyphen, or a PSAM. Cards and telephones come in a file: shells keep
    /// what is typed
    #[arg(long)]
    value: Option<Typed>,
    /// The reason, where the file has none
    #[arg(long)]
    reason: Option<String>,
    /// Who says so, where the file has none
    #[arg(long)]
    source: Option<String>,
    /// The last day on which an entry of --value counts, yyyy-mm-dd
    #[arg(long, requires = "value")]
    expires: Option<String>,
    /// The switch's configuration: the key of card tokens, and the zone in which days end
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The zone in which days end, without --config
    #[arg(long, default_value = "Asia/Shanghai", conflicts_with = "config")]
    zone: String,
    /// Make no order; tell what would come of it
    #[arg(long)]
    dry_run: bool,
    /// The admin port of the running switch that it is for, such as http://127.0.0.1:18580
    #[arg(long, value_name = "URL", conflicts_with = "at", required_unless_present_any = ["at", "dry_run"])]
    admin: Option<String>,
    /// A record of the journal that it is for and the chain's hash there, if that port cannot be reached from here
    #[arg(long, value_name = "RECORD:HASH", value_parser = super::place)]
    at: Option<JournalPlace>,
    /// Why; the journal keeps it for ever
    #[arg(long, required_unless_present = "dry_run")]
    why: Option<String>,
    /// The key file of the officer who makes the order
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    officer: Option<PathBuf>,
    /// Hours in which it may be carried out
    #[arg(long, value_name = "HOURS", default_value_t = VALID_H, value_parser = clap::value_parser!(u16).range(1..=168))]
    valid_h: u16,
    /// The file of the order
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
}

/// A value that may be a card number by mistake: no complaint about an argument prints it.
#[derive(Clone)]
struct Typed(String);

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Typed(…)")
    }
}

impl std::str::FromStr for Typed {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum HowArg {
    /// They are on the list; those that were have their new reason and end
    Add,
    /// They are not on it any more
    Remove,
    /// They are on it, and nothing else is
    Replace,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum KindArg {
    /// Card numbers
    Card,
    /// Terminals, by field 41
    Terminal,
    /// Merchants, by field 42
    Merchant,
    /// First six digits of card numbers, or ranges of them
    Bin,
    /// PSAMs, by number
    Psam,
    /// Telephone lines
    Phone,
}

/// A change and its rows.
#[derive(Debug)]
pub(super) struct Changing {
    pub(super) change: ListChange,
    pub(super) rows: Vec<u8>,
    pub(super) made: Made,
    pub(super) of: Of,
}

impl Args {
    fn how(&self) -> How {
        match self.how {
            HowArg::Add => How::Add,
            HowArg::Remove => How::Remove,
            HowArg::Replace => How::Replace,
        }
    }

    fn kind(&self) -> ListKind {
        match self.kind {
            KindArg::Card => ListKind::Card,
            KindArg::Terminal => ListKind::Terminal,
            KindArg::Merchant => ListKind::Merchant,
            KindArg::Bin => ListKind::Bin,
            KindArg::Psam => ListKind::Psam,
            KindArg::Phone => ListKind::Phone,
        }
    }
}

/// Reads the entries and tells what comes of them; the change to order, but not where it is only tried.
pub(super) fn changing(args: &Args, out: &mut dyn Write) -> Result<Option<Changing>, Failure> {
    let usage = |message: &str| Failure { message: message.to_owned(), code: EXIT_USAGE };
    let name = "a list's name is 1 to 32 letters, digits, hyphens and underscores";
    let list = list_name(&args.list).ok_or_else(|| usage(name))?;
    let draft = draft(args)?;
    told(args, &draft, out)?;
    if draft.tally.invalid > 0 {
        let message = format!("{} lines are no entries; no order was made", draft.tally.invalid);
        return Err(Failure { message, code: 1 });
    }
    let (Some(why), Some(officer), Some(path), false) =
        (args.why.clone(), args.officer.clone(), args.out.clone(), args.dry_run)
    else {
        return Ok(None);
    };
    let change = ListChange {
        list,
        kind: args.kind(),
        how: args.how(),
        grounds: draft.grounds,
        rows: u32::try_from(draft.line_of.len()).unwrap_or(u32::MAX),
        hash: hash_of(&draft.rows),
    };
    let made = Made { why, officer, valid_h: args.valid_h, out: path };
    let of = Of { admin: args.admin.clone(), at: args.at };
    Ok(Some(Changing { change, rows: draft.rows, made, of }))
}

fn draft(args: &Args) -> Result<Draft, Failure> {
    let config = args.config.as_deref().map(Config::from_file_and_env).transpose();
    let config = config.map_err(|error| Failure::usage(&error))?;
    let zone = config.as_ref().map_or(args.zone.as_str(), |config| config.time.zone.as_str());
    let zone = TimeZone::get(zone).map_err(|error| Failure::usage(&error))?;
    let mut tokens = match (&config, args.kind()) {
        (Some(config), ListKind::Card) => {
            Some(Tokens::open(&config.hsm).map_err(|error| Failure::usage(&error))?)
        }
        _ => None,
    };
    let mut reading = Reading {
        kind: args.kind(),
        how: args.how(),
        zone: &zone,
        reason: args.reason.as_deref(),
        source: args.source.as_deref(),
        tokens: tokens.as_mut(),
    };
    let (input, bytes): (Box<dyn Read>, u64) = match (&args.file, &args.value) {
        (Some(path), _) if path == Path::new("-") => (Box::new(std::io::stdin().lock()), 0),
        (Some(path), _) => {
            let file = File::open(path).map_err(|error| at(path, &error))?;
            let bytes = file.metadata().map_or(0, |metadata| metadata.len());
            (Box::new(file), bytes)
        }
        (None, Some(value)) => {
            if matches!(args.kind, KindArg::Card | KindArg::Phone) {
                let message =
                    "cards and telephones come in a file, or through --file -: shells keep what is typed";
                return Err(Failure { message: message.to_owned(), code: EXIT_USAGE });
            }
            (Box::new(Cursor::new(line(&value.0, args.expires.as_deref()))), 0)
        }
        (None, None) => (Box::new(Cursor::new("value\n")), 0),
    };
    let mut progress = Progress::of(bytes, "bytes");
    let read = reading.read(input, &mut progress.callback());
    drop(progress);
    read.map_err(|error| match &args.file {
        Some(path) => at(path, &error),
        None => Failure::of(&error),
    })
}

/// One entry as a file would have it.
fn line(value: &str, expires: Option<&str>) -> Vec<u8> {
    let mut lines = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _head = lines.write_record(["value", "expires"]);
    let _entry = lines.write_record([value, expires.unwrap_or_default()]);
    lines.into_inner().unwrap_or_default()
}

fn at(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure { message: format!("{}: {}", path.display(), Failure::of(error).message), code: 1 }
}

/// What came of the entries, and what a running switch would find.
fn told(args: &Args, draft: &Draft, out: &mut dyn Write) -> Result<(), Failure> {
    let tally = &draft.tally;
    let file = args.file.as_deref().map_or_else(|| "entry".to_owned(), |path| path.display().to_string());
    for (line, problem) in &tally.faults {
        tell(out, format_args!("{file}:{line}: {problem}"))?;
    }
    for (line, earlier) in &tally.repeated {
        tell(out, format_args!("{file}:{line}: says again what line {earlier} says; left out"))?;
    }
    let more = tally.invalid + tally.duplicates - (tally.faults.len() + tally.repeated.len()) as u64;
    if more > 0 {
        tell(out, format_args!("and {more} lines more; of each kind the first {TOLD_MAX} are told"))?;
    }
    if let (Some(admin), true) = (&args.admin, args.dry_run) {
        found(args, draft, &file, admin, out)?;
    }
    let (rows, duplicates, invalid) = (tally.rows, tally.duplicates, tally.invalid);
    tell(
        out,
        format_args!("{} lines: {rows} entries, {duplicates} duplicate, {invalid} invalid", tally.lines),
    )
}

fn found(args: &Args, draft: &Draft, file: &str, admin: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let trying = Trying { list: args.list.clone(), kind: args.kind(), how: args.how() };
    let json = serde_json::to_vec(&trying).map_err(|error| Failure::of(&error))?;
    let found: Found = send_bytes(admin, "/lists/try", &join(&json, &draft.rows))?;
    let (rows, on_it) = (draft.line_of.len(), found.on_it as usize);
    for line in found.places.iter().filter_map(|place| draft.line_of.get(*place as usize)) {
        tell(out, format_args!("{file}:{line}: is on the list"))?;
    }
    if on_it > found.places.len() {
        tell(out, format_args!("and {} entries more that are on it", on_it - found.places.len()))?;
    }
    let new = rows - on_it.min(rows);
    match (args.how(), found.is_there) {
        (_, false) => tell(out, format_args!("list {} would begin: {new} added", args.list)),
        (How::Add, _) => tell(out, format_args!("{new} would be added, {on_it} get another reason or end")),
        (How::Remove, _) => tell(out, format_args!("{on_it} would be removed, {new} are not on it")),
        (How::Replace, _) => {
            tell(out, format_args!("{new} would be added, {on_it} stay, everything else goes"))
        }
    }?;
    match found.ours {
        Some(ours) => tell(out, format_args!("{ours} of {rows} are cards of this switch")),
        None => Ok(()),
    }
}

/// A change for whoever is to approve it.
pub(super) fn words(change: &ChangeText) -> String {
    let ChangeText { list, kind, how, grounds, rows, rows_hash } = change;
    let mut words = format!(
        "{} {rows} entries: list {list}, of {}\n         entries that hash to {rows_hash}",
        how.name(),
        kind.name()
    );
    for of in grounds {
        // Writing to a String cannot fail.
        let _written = write!(words, "\n         because of \"{}\", says \"{}\"", of.reason, of.source);
    }
    words
}

/// The rows of an order for whoever is to approve it: the first of them as far as they hide nobody, all of them counted.
pub(super) fn show_rows(order: &Path, change: &ListChange, out: &mut dyn Write) -> Result<(), Failure> {
    let rows = beside::read(order, change).map_err(|error| Failure::usage(&error))?;
    let (mut for_ever, mut ends) = (0_u64, None::<(u32, u32)>);
    for (place, row) in ListRow::unpack(&rows).into_iter().flatten().enumerate() {
        match row.until_s {
            0 => for_ever += 1,
            end => {
                let (first, last) = ends.unwrap_or((end, end));
                ends = Some((first.min(end), last.max(end)));
            }
        }
        if let Some(shown) = row.key.shown(change.kind).filter(|_| place < SHOWN_MAX) {
            tell(out, format_args!("entry    {shown}"))?;
        }
    }
    let day = |at_s: u32| {
        jiff::Timestamp::from_second(i64::from(at_s)).map_or_else(|_| String::new(), |time| time.to_string())
    };
    if let (Some((first, last)), true) = (ends, change.how != How::Remove) {
        tell(out, format_args!("ends     between {} and {}, {for_ever} never", day(first), day(last)))?;
    }
    tell(out, format_args!("entries  are those of {}", path_of(order).display()))
}

/// Has a change carried out, and shows how far it is.
pub(super) fn carry_out(
    path: &Path,
    order: &OrderText,
    change: &ListChange,
    admin: &str,
) -> Result<CarriedOut, Failure> {
    let rows = beside::read(path, change).map_err(|error| Failure::usage(&error))?;
    let json = serde_json::to_vec(order).map_err(|error| Failure::of(&error))?;
    let body = join(&json, &rows);
    let mut progress = Progress::of(u64::from(change.rows), "entries");
    std::thread::scope(|scope| {
        let (tell, told) = channel();
        let body = &body;
        scope.spawn(move || {
            // Whoever waits is gone only if this process is.
            let _gone = tell.send(send_bytes(admin, "/orders/list", body));
        });
        let mut show = progress.shown();
        loop {
            match told.recv_timeout(ASK_EVERY) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) => {
                    let at: Result<u32, Failure> = ask(admin, &format!("/lists/staged?order={}", order.id));
                    at.into_iter().for_each(|at| show(u64::from(at)));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure { message: "the order was not sent".to_owned(), code: 1 });
                }
            }
        }
    })
}
