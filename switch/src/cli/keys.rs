//! `cardswitch keys`: components of a local master key, key files under it, single keys. No key is an argument, and none is
//! printed but in a key block.
//!
//! Commands about whole files stand here, those about single keys in `keys/single.rs`, the table in `keys/check.rs`.

mod check;
mod single;

use std::{io::Write, path::PathBuf};

use super::Failure;
use crate::{
    app::system_entropy,
    keys::{
        CheckValue,
        component::{self, DES_BYTES, LMK_BYTES},
        hsm_of,
        rotate::{self, Files},
        wrap,
    },
};

/// Arguments of `keys`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example, from nothing to a city whose files have no secret:\n  cardswitch keys component --number 1 --out \
                  1.component\n  cardswitch keys component --number 2 --out 2.component\n  cardswitch keys lmk --component \
                  1.component 2.component\n  cardswitch keys wrap --component 1.component 2.component --in fixtures/city --out \
                  live\n\nHow a ceremony goes, step by step: docs/operations.md, \"Keys\"."
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Draw one custodian's component of a key into a file of its own
    Component(Component),
    /// Form the LMK of component files and print its check value
    Lmk(Lmk),
    /// Write a test city anew with key blocks in place of its clear keys
    Wrap(Wrap),
    /// Write key files anew under another LMK
    Rotate(Rotate),
    /// Make a new key, in a key block under the LMK
    Generate(single::Generate),
    /// Form a key of component files, such as a zone master from an acquirer's custodians
    Form(single::Form),
    /// Take a key over that an acquirer sent under its zone master
    Import(single::Import),
    /// Wrap an exportable key under an acquirer's zone master, to be sent
    Export(single::Export),
    /// Open every key block of a file and list what it is
    Check(check::Check),
}

/// Arguments of `keys component`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch keys component --number 1 --out /media/alice/1.component\n  cardswitch keys component \
                  --number 1 --of double --out 1.zone-pin\n\nThe file can be read by its owner only, and is never \
                  overwritten. Whoever has all components of a key has the key: two or more people draw one each, on media \
                  of their own, and write its check value down."
)]
struct Component {
    /// Number of the component, 1 to 9; no two of a key have the same
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=9))]
    number: u8,
    /// What it is of: an LMK or another key of 32 bytes, or a double-length DES key
    #[arg(long, value_enum, default_value = "lmk")]
    of: Length,
    /// The file, which must not be there
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Length {
    /// 32 bytes
    Lmk,
    /// 16 bytes of odd parity
    Double,
}

/// The component files of an LMK.
#[derive(Debug, clap::Args)]
struct Components {
    /// The LMK's component files, two to nine
    #[arg(long = "component", value_name = "FILE", num_args = 1.., required = true)]
    files: Vec<PathBuf>,
}

/// Arguments of `keys lmk`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cardswitch keys lmk --component 1.component 2.component")]
struct Lmk {
    #[command(flatten)]
    components: Components,
}

/// Arguments of `keys wrap`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cardswitch keys wrap --component 1.component 2.component --in fixtures/city --out live\n\nWrites \
                  keys.toml and terminals.csv with key blocks, cards.csv with verification values in place of PINs, tracks \
                  and card values, and copies the rest, but for cardswitch.toml. The keys are those of the test city: \
                  replace what must be secret with `cardswitch keys generate`, `form` and `import`."
)]
struct Wrap {
    #[command(flatten)]
    components: Components,
    /// The test city's folder
    #[arg(long = "in", value_name = "DIR")]
    from: PathBuf,
    /// The folder to write, new or empty
    #[arg(long = "out", value_name = "DIR")]
    to: PathBuf,
}

/// Arguments of `keys rotate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cardswitch keys rotate --from 1.component 2.component --to 1.new 2.new --keys live/keys.toml \
                  --terminals live/terminals.csv --out rotated\n\nEvery key is the same afterwards, and its check value is \
                  compared. Then set hsm.keys and hsm.components to the new files and hsm.previous_components to the old \
                  components, and start the switch: what the journal keeps is re-wrapped by that start."
)]
struct Rotate {
    /// Component files of the present LMK
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    from: Vec<PathBuf>,
    /// Component files of the next LMK
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    to: Vec<PathBuf>,
    /// The key file
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The terminals; needed where the city may be imported again
    #[arg(long, value_name = "FILE")]
    terminals: Option<PathBuf>,
    /// The folder to write, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.action {
        Action::Component(args) => draw(args, out),
        Action::Lmk(args) => {
            let hsm = hsm_of(&args.components.files).map_err(|error| Failure::usage(&error))?;
            print(out, format_args!("{}", CheckValue(hsm.lmk_check_value())))
        }
        Action::Wrap(args) => wrap_city(args, out),
        Action::Rotate(args) => rotate_files(args, out),
        Action::Generate(args) => single::generate(args, out),
        Action::Form(args) => single::form(args, out),
        Action::Import(args) => single::import(args, out),
        Action::Export(args) => single::export(args, out),
        Action::Check(args) => check::run(args, out),
    }
}

fn draw(args: &Component, out: &mut dyn Write) -> Result<(), Failure> {
    let bytes = match args.of {
        Length::Lmk => LMK_BYTES,
        Length::Double => DES_BYTES,
    };
    let drawn = component::draw(&args.out, args.number, bytes, &mut system_entropy);
    let drawn = drawn.map_err(|error| Failure::usage(&error))?;
    print(out, format_args!("{}", CheckValue(drawn.check_value())))
}

fn wrap_city(args: &Wrap, out: &mut dyn Write) -> Result<(), Failure> {
    let wrapped = wrap::wrap(&args.components.files, &args.from, &args.to, &mut system_entropy);
    let wrap::Wrapped { lmk, keys, terminals, cards } = wrapped.map_err(|error| Failure::usage(&error))?;
    let lmk = CheckValue(lmk);
    print(
        out,
        format_args!(
            "{keys} keys, {terminals} terminals and {cards} cards are under the LMK {lmk} in {}\n\
             Copy the city's cardswitch.toml there and set in its [hsm]:\n  mode = \"live\"\n  components = [{}]",
            args.to.display(),
            list(&args.components.files),
        ),
    )
}

fn rotate_files(args: &Rotate, out: &mut dyn Write) -> Result<(), Failure> {
    let files = Files { keys: &args.keys, terminals: args.terminals.as_deref() };
    let rotated = rotate::rotate([&args.from, &args.to], files, &args.out, &mut system_entropy);
    let rotate::Rotated { from, to, keys, terminals } = rotated.map_err(|error| Failure::usage(&error))?;
    let (from, to) = (CheckValue(from), CheckValue(to));
    print(
        out,
        format_args!(
            "{keys} keys and {terminals} terminals went from the LMK {from} to {to}, all with the check values they had\n\
             Start the switch once with, in its [hsm]:\n  keys = {}\n  components = [{}]\n  previous_components = [{}]",
            list(&[args.out.join(crate::keys::files::KEYS)]),
            list(&args.to),
            list(&args.from),
        ),
    )
}

/// Paths as a setting has them: from the root, because a configuration counts from its own folder.
fn list(files: &[PathBuf]) -> String {
    let quoted = |file: &PathBuf| {
        let whole = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        format!("\"{}\"", whole.display())
    };
    files.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

fn print(out: &mut dyn Write, line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    writeln!(out, "{line}").map_err(|error| Failure::of(&error))
}
