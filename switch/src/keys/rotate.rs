//! Key files from one local master key to the next. The books go over by themselves at the next start, see
//! [`rewrap`](super::rewrap); these are the files that a start reads and an import needs.
//!
//! Start at [`rotate`].

use std::path::{Path, PathBuf};

use hsm_sim::{Entropy, Hsm, KeyBlock};

use super::{
    blocks::{self, KeyFault, in_file},
    files::{self, FilesError, KEYS, Rewriting, TERMINALS, TableError},
    hsm_between, hsm_of, open_file,
};
use crate::city::{KeyRole, LmkKind};

/// What was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rotated {
    /// Check value of the local master key before.
    pub from: [u8; 3],
    /// Check value of the local master key after.
    pub to: [u8; 3],
    /// Keys of the key file.
    pub keys: u64,
    /// Terminals, each with a master key.
    pub terminals: u64,
}

/// The files to be wrapped anew.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The key file.
    pub keys: &'a Path,
    /// The terminals, if their master keys are needed again.
    pub terminals: Option<&'a Path>,
}

/// Writes `keys.toml` and `terminals.csv` under the local master key of `to` into the new folder `out`; every key has the
/// check value that it had.
///
/// # Errors
/// See [`FilesError`].
pub fn rotate(
    [from, to]: [&[PathBuf]; 2],
    files: Files<'_>,
    out: &Path,
    entropy: &mut dyn Entropy,
) -> Result<Rotated, FilesError> {
    let (old, keys) = open_file(from, files.keys)?;
    let mut rotating = Rotating { between: hsm_between(from, to)?, new: hsm_of(to)?, entropy };
    files::new_folder(out)?;
    let terminals = match files.terminals {
        Some(path) => rotating.terminals(path, &out.join(TERMINALS))?,
        None => 0,
    };
    let mut count = 0;
    let mut rotated = keys.map_keys(&mut |place, held| {
        count += 1;
        rotating.key(&in_file(place), place.roles, held.either())
    })?;
    let lmk = rotating.new.lmk_check_value();
    rotated.lmk = LmkKind::Live(lmk);
    files::write_keys(&out.join(KEYS), &rotated)?;
    Ok(Rotated { from: old.lmk_check_value(), to: lmk, keys: count, terminals })
}

/// The HSM under both keys, and the one that knows the new one only.
struct Rotating<'a> {
    between: Hsm,
    new: Hsm,
    entropy: &'a mut dyn Entropy,
}

impl Rotating<'_> {
    /// A key's block under the new key, with the check value it had.
    fn key(&mut self, name: &str, roles: &[KeyRole], old: &KeyBlock) -> Result<KeyBlock, FilesError> {
        let before = blocks::look(&mut self.between, name, roles, old)?;
        let new = self.between.rewrap(old, self.entropy);
        let new = new.map_err(|source| KeyFault::Refused { name: name.to_owned(), source })?;
        let after = blocks::look(&mut self.new, name, roles, &new)?;
        if before == after { Ok(new) } else { Err(FilesError::Changed(name.to_owned())) }
    }

    fn terminals(&mut self, from: &Path, to: &Path) -> Result<u64, FilesError> {
        let mut table = Rewriting::open(from, to, Clone::clone)?;
        let (id, tmk) = (table.place("terminal_id")?, table.place("tmk")?);
        let mut count = 0;
        while let Some(fields) = table.next_row()? {
            let fields = fields.clone();
            count += 1;
            let block = fields.get(tmk).and_then(|text| KeyBlock::parse(text).ok());
            let block = block.ok_or_else(|| FilesError::Table {
                path: from.to_owned(),
                source: TableError::NoBlock(fields.position().map_or(0, csv::Position::line)),
            })?;
            let name = format!("terminals.csv, terminal {}", fields.get(id).unwrap_or_default());
            let new = self.key(&name, &[KeyRole::Tmk], &block)?;
            let with_block = |(at, field)| if at == tmk { new.as_str() } else { field };
            table.write(fields.iter().enumerate().map(with_block))?;
        }
        table.finish()?;
        Ok(count)
    }
}
