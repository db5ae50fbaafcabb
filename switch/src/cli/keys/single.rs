//! Single keys: made, formed, taken over, sent. Each comes out in a key block on the first line, with what is known of it
//! on the second.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::{ValueEnum, builder::PossibleValue};
use hsm_sim::{
    ExportOptions, Hsm, HsmError, KeyBlock, KeyComponent, KeyHandle, KeyOptions, TRANSPORT_BLOCK_MAX,
};

use super::{Components, Failure, print};
use crate::{
    app::system_entropy,
    city::KeyRole,
    keys::{
        CheckValue, LmkError,
        blocks::{self, KeyFault},
        component::{self, ComponentFileError},
        files::FilesError,
        hsm_of, open_file,
    },
};

/// What a key is for, on the command line.
#[derive(Clone, Copy, Debug)]
struct Usage(KeyRole);

impl ValueEnum for Usage {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Usage; KeyRole::ALL.len()] = {
            let mut all = [Usage(KeyRole::Pvk); KeyRole::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = Usage(KeyRole::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// What the header of a new key's block says.
#[derive(Debug, clap::Args)]
struct Header {
    /// What the key is for
    #[arg(long, value_enum, value_name = "USAGE")]
    usage: Usage,
    /// Version in its key block, 1 to 99; 0 is none
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=99))]
    version: u8,
    /// Whether it may be sent to an acquirer under a zone master
    #[arg(long)]
    exportable: bool,
}

/// Arguments of `keys generate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch keys generate --usage pvk --component 1.component 2.component\n  cardswitch keys generate \
                  --usage zone-pin --exportable --component 1.component 2.component > zone-pin.block\n\nPut the block in \
                  its place in keys.toml, or in the column tmk of terminals.csv."
)]
pub(super) struct Generate {
    #[command(flatten)]
    header: Header,
    #[command(flatten)]
    components: Components,
}

/// Arguments of `keys form`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cardswitch keys form --usage zmk --part alice.part bob.part --component 1.component \
                  2.component\n\nA part is a component file like those of the LMK: number, key and check_value, readable by \
                  its owner only. `cardswitch keys component` draws one; of a key that somebody else made, each \
                  custodian writes his own."
)]
pub(super) struct Form {
    #[command(flatten)]
    header: Header,
    /// The component files of the key itself, two to nine
    #[arg(long = "part", value_name = "FILE", num_args = 1.., required = true)]
    parts: Vec<PathBuf>,
    #[command(flatten)]
    components: Components,
}

/// Arguments of `keys import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cardswitch keys import --zone 31060110 --usage zone-pin --block from-the-bank.block --keys \
                  live/keys.toml --component 1.component 2.component\n\nThe block is TR-31 version D under the acquirer's \
                  zone master, alone on the file's first line."
)]
pub(super) struct Import {
    #[command(flatten)]
    zone: Zone,
    /// What the key is for; its block must say so
    #[arg(long, value_enum, value_name = "USAGE")]
    usage: Usage,
}

/// Arguments of `keys export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cardswitch keys export --zone 31060110 --block zone-pin.block --keys live/keys.toml --component \
                  1.component 2.component\n\nOnly a key that was made with --exportable leaves. The acquirer cannot export it \
                  further."
)]
pub(super) struct Export {
    #[command(flatten)]
    zone: Zone,
}

/// Whose zone master, where it stands, and what goes under it or comes from under it.
#[derive(Debug, clap::Args)]
struct Zone {
    /// The acquirer (F32), whose zone master is in the key file
    #[arg(long, value_name = "ACQUIRER")]
    zone: String,
    /// The file with the key block on its first line
    #[arg(long, value_name = "FILE")]
    block: PathBuf,
    /// The key file
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    #[command(flatten)]
    components: Components,
}

/// Why a command about a key did not do it.
#[derive(Debug, thiserror::Error)]
enum SingleError {
    #[error(transparent)]
    Lmk(#[from] LmkError),
    #[error(transparent)]
    Part(#[from] ComponentFileError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Key(#[from] KeyFault),
    #[error("the key file has no zone for that acquirer; see its [[zone]] entries")]
    NoZone,
    #[error("{}: the file cannot be read ({kind})", path.display())]
    Unreadable { path: PathBuf, kind: std::io::ErrorKind },
    #[error("{}: its first line is no key block", .0.display())]
    NotABlock(PathBuf),
    #[error("the HSM refuses this")]
    Hsm(#[from] HsmError),
    #[error("the key may not leave; make one that may with `cardswitch keys generate --exportable`")]
    NotExportable,
}

pub(super) fn generate(args: &Generate, out: &mut dyn Write) -> Result<(), Failure> {
    let generated = || -> Result<_, SingleError> {
        let mut hsm = hsm_of(&args.components.files)?;
        let Header { usage: Usage(role), .. } = args.header;
        let block = hsm.generate_key_with(role.usage(), options(&args.header), &mut system_entropy)?;
        Ok((blocks::look(&mut hsm, "the new key", &[role], &block)?.check_value, block))
    };
    let (check_value, block) = generated().map_err(|error| Failure::usage(&error))?;
    tell(out, args.header.usage, block.as_str(), check_value)
}

pub(super) fn form(args: &Form, out: &mut dyn Write) -> Result<(), Failure> {
    let formed = || -> Result<_, SingleError> {
        let mut hsm = hsm_of(&args.components.files)?;
        // Not to grow: that would leave copies behind.
        let mut parts: Vec<KeyComponent> = Vec::with_capacity(args.parts.len());
        for part in &args.parts {
            parts.push(component::read(part)?);
        }
        let usage = args.header.usage.0.usage();
        Ok(hsm.form_key(usage, &parts, options(&args.header), &mut system_entropy)?)
    };
    let formed = formed().map_err(|error| Failure::usage(&error))?;
    tell(out, args.header.usage, formed.block.as_str(), formed.check_value)
}

pub(super) fn import(args: &Import, out: &mut dyn Write) -> Result<(), Failure> {
    let imported = || -> Result<_, SingleError> {
        let (mut hsm, master) = open_zone(&args.zone)?;
        let block = first_line(&args.zone.block)?;
        Ok(hsm.import_key(master, &block, args.usage.0.usage(), &mut system_entropy)?)
    };
    let imported = imported().map_err(|error| Failure::usage(&error))?;
    tell(out, args.usage, imported.block.as_str(), imported.check_value)
}

pub(super) fn export(args: &Export, out: &mut dyn Write) -> Result<(), Failure> {
    let exported = || -> Result<_, SingleError> {
        let (mut hsm, master) = open_zone(&args.zone)?;
        let block = KeyBlock::parse(&first_line(&args.zone.block)?);
        let block = block.map_err(|_| SingleError::NotABlock(args.zone.block.clone()))?;
        let name = args.zone.block.display().to_string();
        let known = blocks::look(&mut hsm, &name, &KeyRole::ALL, &block)?;
        let key = hsm.load_key(&block)?;
        let with_check_value = ExportOptions { check_value: true, protection_check_value: false };
        match hsm.export_key(master, key, with_check_value, &mut system_entropy) {
            Ok(sent) => Ok((sent, known)),
            Err(HsmError::NotExportable) => Err(SingleError::NotExportable),
            Err(error) => Err(error.into()),
        }
    };
    let (sent, known) = exported().map_err(|error| Failure::usage(&error))?;
    tell(out, Usage(known.role), sent.as_str(), known.check_value)
}

fn options(header: &Header) -> KeyOptions {
    KeyOptions { version: header.version, exportable: header.exportable }
}

/// The HSM with an acquirer's zone master in it.
fn open_zone(args: &Zone) -> Result<(Hsm, KeyHandle), SingleError> {
    let (mut hsm, keys) = open_file(&args.components.files, &args.keys)?;
    let zone = keys.zone(&args.zone).ok_or(SingleError::NoZone)?;
    let master = hsm.load_key(&zone.zmk)?;
    Ok((hsm, master))
}

fn first_line(path: &Path) -> Result<String, SingleError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| SingleError::Unreadable { path: path.to_owned(), kind: error.kind() })?;
    let line = text.lines().next().unwrap_or_default().trim();
    let fits = (1..=TRANSPORT_BLOCK_MAX).contains(&line.len());
    if fits { Ok(line.to_owned()) } else { Err(SingleError::NotABlock(path.to_owned())) }
}

fn tell(out: &mut dyn Write, Usage(role): Usage, block: &str, check_value: [u8; 3]) -> Result<(), Failure> {
    let (usage, check_value) = (role.usage(), CheckValue(check_value));
    print(out, format_args!("{block}\ncheck value {check_value}, {role}, usage {usage}"))
}
