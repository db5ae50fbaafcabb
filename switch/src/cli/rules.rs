//! `cardswitch rules`: files of rules in the language of the crate `risk`: check them, lay them out, list what they can
//! ask about, and what a switch decides by. A set is published by an order of two officers, see `super::order`.

mod backtest;
mod explain;
mod generate;
mod list;

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use risk::language::reference;
use risk::rulebook::{
    BookError, FILE_BYTES_MAX, FileFault, Outcome, RuleState, Rulebook, WrittenRule, format_file,
};
use tempfile::NamedTempFile;

use super::{
    Failure,
    source::{new_table, right_align},
};

/// Arguments of `rules`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch rules check fixtures/rules/sample.toml\n  cardswitch rules fmt mine.toml\n  \
                        cardswitch rules fields\n\nThe language and the form of the files are described in docs/rules.md. A \
                        set comes into force by an order of two officers, see `cardswitch order rules --help`."
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Read the files of one set, and tell everything that is wrong with them
    Check(Check),
    /// Lay out the conditions of files
    Fmt(Fmt),
    /// The set that a switch decides by: its rules, their states, and how often they fired
    List(list::Args),
    /// Why the rules decided as they did: each rule taken apart, with the values it saw
    Explain(explain::Args),
    /// Try rules on what has already happened: what they would have declined, and what of that was fraud
    Backtest(backtest::Args),
    /// Invent a data set for a backtest
    Generate(generate::Args),
    /// What rules can ask about: fields, types, where they come from, what if they are missing
    Fields(Fields),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch rules check mine.toml\n  cardswitch rules check rules/*.toml\n\nFiles that are given \
                        together are one set. Faults are told as FILE:LINE:COLUMN. Exit code 0 if the set is good, 1 if not."
)]
struct Check {
    /// The files of one set
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch rules fmt mine.toml\n  cardswitch rules fmt --check rules/*.toml\n\nOnly what `when` \
                        says is laid out; comments are kept, and everything around is left alone. A file with a fault in it \
                        is not changed."
)]
struct Fmt {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; name the files that would be changed, and end with exit code 1 if there are any
    #[arg(long)]
    check: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch rules fields\n  cardswitch rules fields --markdown\n\nFunctions and examples are in \
                        docs/rules.md."
)]
struct Fields {
    /// The tables of docs/rules.md, with functions and costs
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.action {
        Action::Check(args) => check(&args.files, out),
        Action::Fmt(args) => lay_out(args, out),
        Action::List(args) => list::run(args, out),
        Action::Explain(args) => explain::run(args, out),
        Action::Backtest(args) => backtest::run(args, out),
        Action::Generate(args) => generate::run(args, out),
        Action::Fields(args) => fields(args, out),
    }
}

fn check(files: &[PathBuf], out: &mut dyn Write) -> Result<(), Failure> {
    let (_, book) = read_set(files)?;
    tell(out, &shown(&book))
}

/// The texts of the files of one set, and the set.
pub(super) fn read_set(files: &[PathBuf]) -> Result<(Vec<String>, Rulebook), Failure> {
    let texts: Vec<String> = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
    let book = Rulebook::read(&borrowed).map_err(|error| refused(files, &error))?;
    Ok((texts, book))
}

/// A set as people look it through.
pub(super) fn shown(book: &Rulebook) -> String {
    let mut table =
        new_table(&["rule", "state", "outcome", "priority", "cost, ns", "owner", "what it is for"]);
    for rule in book.rules() {
        table.add_row(row(rule));
    }
    right_align(&mut table, &[3, 4]);
    format!("{table}\n{}", counted(book))
}

fn row(rule: &WrittenRule) -> [String; 7] {
    [
        rule.id.clone(),
        word(&RuleState::WORDS, rule.state).to_owned(),
        word(&Outcome::WORDS, rule.outcome).to_owned(),
        rule.priority.to_string(),
        rule.cost.to_string(),
        rule.owner.clone(),
        rule.text.clone(),
    ]
}

/// A set in a line.
fn counted(book: &Rulebook) -> String {
    let of = |state| book.rules().iter().filter(|rule| rule.state == state).count();
    format!(
        "good: {} live, {} in shadow, {} drafts, {} off; about {} ns together at most; set {}",
        of(RuleState::Live),
        of(RuleState::Shadow),
        of(RuleState::Draft),
        of(RuleState::Off),
        book.code().cost(),
        book.hash()
    )
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| *word)
}

fn refused(files: &[PathBuf], error: &BookError) -> Failure {
    let message = match error {
        BookError::Faults(faults) => {
            let lines: Vec<String> = faults.iter().map(|(file, fault)| told(&files[*file], fault)).collect();
            format!("the rules cannot be used\n{}", lines.join("\n"))
        }
        other => other.to_string(),
    };
    Failure { message, code: 1 }
}

fn told(file: &Path, fault: &FileFault) -> String {
    format!("{}:{fault}", file.display())
}

fn lay_out(args: &Fmt, out: &mut dyn Write) -> Result<(), Failure> {
    let (mut changed, mut faults) = (Vec::new(), Vec::new());
    for file in &args.files {
        let text = read(file)?;
        match format_file(&text) {
            Err(found) => faults.extend(found.iter().map(|fault| told(file, fault))),
            Ok(formatted) if formatted != text => changed.push((file, formatted)),
            Ok(_) => {}
        }
    }
    // Either all files that were given are laid out, or none.
    if !faults.is_empty() {
        let message = format!("nothing was laid out\n{}", faults.join("\n"));
        return Err(Failure { message, code: 1 });
    }
    for (file, formatted) in &changed {
        if !args.check {
            replace(file, formatted).map_err(|error| at(file, &error))?;
        }
        let verb = if args.check { "would be laid out anew" } else { "laid out anew" };
        tell(out, &format!("{}: {verb}", file.display()))?;
    }
    let wanting = args.check && !changed.is_empty();
    if wanting { Err(Failure { message: String::new(), code: 1 }) } else { Ok(()) }
}

/// Puts a text in a file's place, whole or not at all.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    // A link stays a link.
    let file = fs::canonicalize(file)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut written = NamedTempFile::new_in(folder)?;
    written.write_all(text.as_bytes())?;
    written.as_file().set_permissions(fs::metadata(&file)?.permissions())?;
    written.as_file().sync_all()?;
    written.persist(&file).map_err(|error| error.error)?;
    Ok(())
}

fn fields(args: &Fields, out: &mut dyn Write) -> Result<(), Failure> {
    if args.markdown {
        return out.write_all(reference::markdown().as_bytes()).map_err(|error| Failure::of(&error));
    }
    let mut table = new_table(&["field", "type", "from", "missing", "meaning"]);
    for row in reference::rows() {
        table.add_row(row);
    }
    tell(out, &table.to_string())
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let most = FILE_BYTES_MAX as u64 + 1;
    let read = fs::File::open(file)
        .and_then(|file| io::Read::read_to_string(&mut io::Read::take(file, most), &mut text));
    read.map_err(|error| at(file, &error))?;
    Ok(text)
}

fn at(file: &Path, error: &io::Error) -> Failure {
    Failure { message: format!("{}: {error}", file.display()), code: 1 }
}

fn tell(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    writeln!(out, "{text}").map_err(|error| Failure::of(&error))
}
