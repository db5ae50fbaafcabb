//! `cardswitch keys check`: what the keys of a file are, without one of them.

use std::{io::Write, path::PathBuf};

use hsm_sim::KeyBlock;

use super::Failure;
use crate::{
    cli::source::new_table,
    keys::{CheckValue, blocks, files::FilesError, open_file},
};

/// Arguments of `keys check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cardswitch keys check --keys live/keys.toml --component 1.component 2.component\n\nA key that \
                  is not genuine, or stands in another key's place, is named, and the exit code is 64."
)]
pub(super) struct Check {
    /// The key file
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    #[command(flatten)]
    components: super::Components,
}

pub(super) fn run(args: &Check, out: &mut dyn Write) -> Result<(), Failure> {
    let rows = rows(args).map_err(|error| Failure::usage(&error))?;
    let mut table = new_table(&["key", "for", "usage", "mode", "leaves", "version", "check value"]);
    for row in rows {
        table.add_row(row);
    }
    writeln!(out, "{table}").map_err(|error| Failure::of(&error))
}

fn rows(args: &Check) -> Result<Vec<[String; 7]>, FilesError> {
    let (mut hsm, keys) = open_file(&args.components.files, &args.keys)?;
    let mut rows = Vec::new();
    keys.map_keys(&mut |place, held| {
        let block = held.either();
        let known = blocks::look(&mut hsm, &place.name, place.roles, block)?;
        rows.push(row(&place.name, block, known));
        Ok::<_, FilesError>(())
    })?;
    Ok(rows)
}

fn row(name: &str, block: &KeyBlock, known: blocks::Known) -> [String; 7] {
    let leaves = if block.is_exportable() { "under a zone master" } else { "no" };
    let version = match block.key_version() {
        0 => "none".to_owned(),
        version => version.to_string(),
    };
    [
        name.to_owned(),
        known.role.to_string(),
        known.role.usage().to_string(),
        block.mode_of_use().to_string(),
        leaves.to_owned(),
        version,
        CheckValue(known.check_value).to_string(),
    ]
}
