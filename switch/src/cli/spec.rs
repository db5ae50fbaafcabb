//! `cardswitch spec`: specifications of messages: those that are built in, one's own, and other people's.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use comfy_table::Table;
use iso8583::{
    CompositeDef, CompositeKind, ElementDef, Length, PartKey, Prefix, Show, Spec, SpecError, SpecFile,
    import::{DOCUMENT_BYTES_MAX, ImportError, Imported, jpos, moov},
};

use super::{Failure, source::new_table};
use crate::config::EXIT_USAGE;

/// Arguments of `spec`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch spec show\n  cardswitch spec show iso1987-ascii\n  cardswitch spec import \
                        packager.xml --out mine.toml\n  cardswitch spec check mine.toml\n  cardswitch decode --spec mine.toml \
                        --guess 0800…\n\nThe format of a specification is described in iso8583/SPEC-FORMAT.md, what is imported \
                        and how in iso8583/IMPORT.md."
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a specification of a jPOS packager (XML) or a moov-io specification (JSON, YAML)
    Import(Import),
    /// Read a specification and check all of it
    Check(Check),
    /// Show a specification's fields; without a name, list those that are built in
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch spec import packager.xml --out mine.toml\n  cardswitch spec import spec.yaml > \
                        mine.toml\n\nWhat cannot be said here is refused, with every field and class it is about; what was left \
                        out is noted on standard error. Values are hidden unless they are harmless: edit `show` where more may \
                        be seen. Exit code 0 if it was imported, 1 if not."
)]
struct Import {
    /// The file to read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the file is, if its name does not end in .xml, .json, .yaml or .yml
    #[arg(long, value_enum, value_name = "FORMAT")]
    from: Option<Format>,
    /// What to call a specification whose file has no name for it
    #[arg(long, value_name = "NAME", default_value = "imported")]
    name: String,
    /// Where to write it; a file that exists is not overwritten. Without it, to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// XML of jPOS's GenericPackager
    Jpos,
    /// JSON of moov-io/iso8583
    MoovJson,
    /// YAML of moov-io/iso8583
    MoovYaml,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cardswitch spec check mine.toml\n\nExit code 0 if it is good, 1 if not.")]
struct Check {
    /// A specification's file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch spec show\n  cardswitch spec show pos\n  cardswitch spec show ipm --toml > mine.toml\n  \
                        cardswitch spec show mine.toml"
)]
struct ShowArgs {
    /// A built-in specification, or a file
    #[arg(value_name = "NAME|FILE")]
    spec: Option<String>,
    /// The specification's file itself, to begin one's own from
    #[arg(long, requires = "spec")]
    toml: bool,
}

/// Why a specification cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// Neither a name nor a file.
    #[error("{0} is neither a built-in specification ({names}) nor a file that can be read", names = names())]
    Unknown(String, #[source] io::Error),
    /// The file says something wrong.
    #[error("{0}")]
    Wrong(String, #[source] SpecError),
}

fn names() -> String {
    Spec::shipped_names().collect::<Vec<_>>().join(", ")
}

/// The text of a built-in specification, or of a file.
fn text_of(name: &str) -> Result<String, LoadError> {
    match Spec::shipped_toml(name) {
        Some(text) => Ok(text.to_owned()),
        None => fs::read_to_string(name).map_err(|error| LoadError::Unknown(name.to_owned(), error)),
    }
}

/// A built-in specification or one's own, as it is written and compiled.
pub(super) fn load(name: &str) -> Result<(SpecFile, Spec), LoadError> {
    let wrong = |error| LoadError::Wrong(name.to_owned(), error);
    let file = SpecFile::from_toml(&text_of(name)?).map_err(wrong)?;
    let spec = Spec::compile(&file).map_err(wrong)?;
    Ok((file, spec))
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.action {
        Action::Import(args) => import(args, out),
        Action::Check(args) => check(&args.file, out),
        Action::Show(args) => show(args, out),
    }
}

fn import(args: &Import, out: &mut dyn Write) -> Result<(), Failure> {
    let path = args.file.display();
    let format = args.from.or_else(|| by_name(&args.file)).ok_or_else(|| Failure {
        message: format!("{path}: what is it? Say --from jpos, --from moov-json or --from moov-yaml"),
        code: EXIT_USAGE,
    })?;
    let document = read_document(&args.file).map_err(|error| at(&args.file, &error))?;
    let imported = match format {
        Format::Jpos => jpos::import(&args.name, &document),
        Format::MoovJson => moov::import_json(&document),
        Format::MoovYaml => moov::import_yaml(&document),
    };
    let Imported { spec, notes } = imported.map_err(|error| refused(&args.file, &error))?;
    for note in &notes {
        let _closed = writeln!(io::stderr(), "note: {note}");
    }
    let text = format!(
        "# Imported from {}; see iso8583/SPEC-FORMAT.md.\n\n{}",
        file_name(&args.file),
        spec.to_toml()
    );
    match &args.out {
        None => out.write_all(text.as_bytes()).map_err(|error| Failure::of(&error))?,
        Some(to) => {
            let write = || fs::File::create_new(to)?.write_all(text.as_bytes());
            write().map_err(|error| at(to, &error))?;
            tell(out, &format!("{}: {}", to.display(), counted(&spec)))?;
        }
    }
    Ok(())
}

fn at(path: &Path, error: &io::Error) -> Failure {
    Failure { message: format!("{}: {error}", path.display()), code: 1 }
}

fn by_name(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()? {
        "xml" => Some(Format::Jpos),
        "json" => Some(Format::MoovJson),
        "yaml" | "yml" => Some(Format::MoovYaml),
        _ => None,
    }
}

/// Reads no more than any importer takes, and one byte that tells it that there was more.
fn read_document(file: &Path) -> io::Result<Vec<u8>> {
    let mut document = Vec::new();
    io::Read::read_to_end(
        &mut io::Read::take(fs::File::open(file)?, DOCUMENT_BYTES_MAX as u64 + 1),
        &mut document,
    )?;
    Ok(document)
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().replace(char::is_control, "?")
}

fn refused(file: &Path, error: &ImportError) -> Failure {
    let lines: Vec<String> = error.refusals().iter().map(|refusal| format!("\n  {refusal}")).collect();
    Failure { message: format!("{}: cannot be imported{}", file.display(), lines.concat()), code: 1 }
}

fn check(file: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let (file, _) = load(&file.to_string_lossy()).map_err(|error| Failure::of(&error))?;
    tell(out, &counted(&file))
}

/// What a specification has, in a line.
fn counted(file: &SpecFile) -> String {
    let composites = file.fields.iter().filter(|field| field.element.composite.is_some()).count();
    let (fields, rules) = (file.fields.len(), file.messages.len());
    format!(
        "{}: good; {fields} fields, {composites} of them made up of parts, {rules} rules for messages",
        file.name
    )
}

fn show(args: &ShowArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(name) = &args.spec else {
        let mut table = new_table(&["name", "fields", "message type, bitmap"]);
        for name in Spec::shipped_names() {
            let (file, _) = load(name).map_err(|error| Failure::of(&error))?;
            table.add_row([
                name.to_owned(),
                file.fields.len().to_string(),
                format!("{}, {}", file.mti, file.bitmap),
            ]);
        }
        return tell(out, &table.to_string());
    };
    if args.toml {
        let text = text_of(name).map_err(|error| Failure::of(&error))?;
        return out.write_all(text.as_bytes()).map_err(|error| Failure::of(&error));
    }
    let (file, _) = load(name).map_err(|error| Failure::of(&error))?;
    let mut table = new_table(&["DE", "name", "class", "length", "written", "shown"]);
    let mut fields: Vec<_> = file.fields.iter().collect();
    fields.sort_by_key(|field| field.number);
    for field in fields {
        add_rows(&mut table, field.number.to_string(), &field.element);
    }
    tell(out, &format!("{}\n{table}", counted(&file)))
}

fn tell(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    writeln!(out, "{text}").map_err(|error| Failure::of(&error))
}

/// An element and, below it, its parts.
fn add_rows(table: &mut Table, path: String, element: &ElementDef) {
    let written = [
        element.encoding.map(|encoding| encoding.to_string()),
        element.align.map(|align| align.to_string()),
        element.composite.as_ref().map(|composite| composite.kind.to_string()),
    ];
    let written: Vec<String> = written.into_iter().flatten().collect();
    table.add_row([
        path.clone(),
        element.name.clone(),
        element.class.to_string(),
        length_text(element.length),
        written.join(", "),
        show_word(element.show).to_owned(),
    ]);
    let CompositeDef { kind, parts } = match &element.composite {
        Some(composite) => composite,
        None => return,
    };
    let label = if let CompositeKind::Tags { label, .. } = kind { label.as_str() } else { "" };
    for part in parts {
        let key = match &part.key {
            PartKey::Number(number) => number.to_string(),
            PartKey::Tag(tag) => format!("{label}{tag}"),
        };
        add_rows(table, format!("{path}.{key}"), &part.element);
    }
}

fn length_text(length: Length) -> String {
    match length {
        Length::Fixed(length) => length.to_string(),
        Length::Variable { prefix: Prefix::None, max } => format!("..{max}"),
        Length::Variable { prefix, max } => format!("..{max} {}", "L".repeat(prefix.digits())),
    }
}

fn show_word(show: Option<Show>) -> &'static str {
    match show {
        Some(Show::Clear) => "clear",
        Some(Show::Pan) => "first six, last four",
        Some(Show::Track | Show::Secret) | None => "length only",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const PACKAGER: &str = r#"<isopackager>
        <isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>
        <isofield id="1" length="16" name="BITMAP" class="org.jpos.iso.IFA_BITMAP"/>
        <isofield id="11" length="6" name="STAN" class="org.jpos.iso.IFA_NUMERIC"/>
    </isopackager>"#;

    fn import_of(
        folder: &Path,
        name: &str,
        text: &str,
        out: Option<PathBuf>,
    ) -> (Result<(), Failure>, String) {
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        let mut printed = Vec::new();
        let args = Import { file, from: None, name: "mine".to_owned(), out };
        let done = import(&args, &mut printed);
        (done, String::from_utf8(printed).unwrap())
    }

    #[test]
    fn what_was_imported_is_a_specification_that_can_be_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join("mine.toml");
        let (done, printed) = import_of(folder.path(), "packager.xml", PACKAGER, Some(mine.clone()));
        assert!(done.is_ok() && printed.contains("mine: good; 1 fields"), "{printed}");
        let mut shown = Vec::new();
        let args = ShowArgs { spec: Some(mine.display().to_string()), toml: false };
        assert!(show(&args, &mut shown).is_ok());
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("STAN") && shown.contains("clear"), "{shown}");
        let (again, _) = import_of(folder.path(), "packager.xml", PACKAGER, Some(mine));
        assert!(again.is_err(), "a file that exists is not overwritten");
    }

    #[test]
    fn every_reason_against_a_document_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let broken = PACKAGER.replace(
            "IFA_NUMERIC\"/>\n    </",
            "IF_TBASE\"/>\n<isofield id=\"12\" length=\"6\" name=\"T\" class=\"org.jpos.iso.IF_NONE\"/></",
        );
        let (done, _) = import_of(folder.path(), "packager.xml", &broken, None);
        let message = done.unwrap_err().message;
        assert!(message.contains("IF_TBASE") && message.contains("IF_NONE"), "{message}");
        let (done, _) = import_of(folder.path(), "packager.txt", PACKAGER, None);
        assert!(done.unwrap_err().message.contains("--from jpos"));
    }

    #[test]
    fn every_built_in_specification_is_listed_and_shown() {
        let mut listed = Vec::new();
        assert!(show(&ShowArgs { spec: None, toml: false }, &mut listed).is_ok());
        let listed = String::from_utf8(listed).unwrap();
        for name in Spec::shipped_names() {
            assert!(listed.contains(name), "{listed}");
            let mut shown = Vec::new();
            assert!(show(&ShowArgs { spec: Some(name.to_owned()), toml: false }, &mut shown).is_ok());
            assert!(String::from_utf8(shown).unwrap().contains("primary account number"), "{name}");
        }
        let missing = load("no-such").unwrap_err();
        assert!(missing.to_string().contains("iso1987-ascii"), "{missing}");
    }
}
