//! `cardswitch journal verify|tail|export|backup|restore`.

mod backup;
mod export;
mod restore;
mod tail;
mod verify;

use std::{io::Write, path::PathBuf};

use clap::Subcommand;

use super::{Failure, source::ArchiveAt};

/// Arguments of `journal`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cardswitch journal backup --admin http://127.0.0.1:18580 --to /mnt/backup"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prove a stopped journal and its archive, or segments alone: check values, order, times, chain, anchor
    Verify(verify::Args),
    /// The last records, one masked line each, and those to come
    Tail(tail::Args),
    /// Write records to segments, or as masked lines of JSON
    Export(export::Args),
    /// Copy a running switch's journal to a folder, or what came since the last time
    Backup(backup::Args),
    /// Make a new data folder of segments, whole or up to a record or a time
    Restore(restore::Args),
}

/// Where records are: in a stopped folder, or in segments alone.
#[derive(Debug, clap::Args)]
struct Records {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    archive: ArchiveAt,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct At {
    /// A stopped switch's data folder; it is copied, not changed
    #[arg(long)]
    data: Option<PathBuf>,
    /// Folders of segments alone: an archive, a backup, an export
    #[arg(long, value_name = "DIR", num_args = 1..)]
    segments: Option<Vec<PathBuf>>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        Command::Verify(args) => verify::run(args, out),
        Command::Tail(args) => tail::run(args, out),
        Command::Export(args) => export::run(args, out),
        Command::Backup(args) => backup::run(args, out),
        Command::Restore(args) => restore::run(args, out),
    }
}

/// What could not be printed.
fn unprinted(error: std::io::Error) -> Failure {
    Failure::of(&error)
}
