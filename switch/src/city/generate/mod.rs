//! A city as large as one likes: the files of a city folder, written row by row from a seed.
//!
//! The same [`Plan`] gives the same bytes with the same version of the program. Everything is invented, keys are
//! derived from the seed and are test keys only. Nothing is kept in memory but the row that is being written: card
//! numbers are a permutation of a counter, so no two are equal and none has to be remembered.
//!
//! Start at [`generate`]. What the columns mean stands in `docs/city-files.md`.

mod cards;
mod documents;
mod draw;
mod places;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use hsm_sim::HsmError;

use cards::CardWriter;
use documents::Keys;
use draw::Draws;

/// Most cards: their opening balances fit in floats of 15 digits, and leave room for loads.
pub const CARDS_MAX: u64 = 50_000_000;

/// Most POS terminals and cash machines together, and most PSAMs: both files stay below the limit on rows.
pub const TERMINALS_MAX: u64 = 500_000;

// A card's opening balances, and what every float has beyond them.
const _: () = assert!(
    CARDS_MAX as i64 * cards::OPENING_MINOR + places::FLOAT_SPARE_MINOR < super::parties::FLOAT_END_MINOR
);
const _: () = assert!(2 * TERMINALS_MAX <= super::table::ROWS_MAX as u64);

/// The file that is written last: a folder that has it is whole.
pub const CONFIG: &str = "cardswitch.toml";

/// Bytes collected before they go to a file.
const BUFFER_BYTES: usize = 1 << 18;

/// How large a city.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Cards, 1 to [`CARDS_MAX`].
    pub cards: u64,
    /// POS terminals and cash machines, up to [`TERMINALS_MAX`]: of every sixteen the last two are cash machines,
    /// one of each acquirer.
    pub terminals: u64,
    /// PSAMs, up to [`TERMINALS_MAX`], each with a telephone terminal of its own beside `terminals`.
    pub psams: u64,
    /// What every invented value is drawn from.
    pub seed: u64,
}

/// Why no city was written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A number of the plan is out of its range.
    #[error("{what} must be from {min} to {max}")]
    Number {
        /// What is counted.
        what: &'static str,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// There is something in the folder.
    #[error("{} is not empty: name a new folder, or delete what is in this one", .0.display())]
    NotEmpty(PathBuf),
    /// There is a file of that name.
    #[error("{} is a file: name a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}; what is in its folder is no whole city, so delete it", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The HSM refuses a key that was derived from the seed.
    #[error("the HSM refuses a key of this seed; take another seed")]
    Key(#[from] HsmError),
}

impl Plan {
    /// Rows of `cards.csv`, `terminals.csv` and `psams.csv`: what [`generate`] counts.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.cards + self.terminals + 2 * self.psams
    }

    fn check(&self) -> Result<(), GenerateError> {
        let numbers = [
            ("cards", self.cards, 1, CARDS_MAX),
            ("terminals", self.terminals, 0, TERMINALS_MAX),
            ("psams", self.psams, 0, TERMINALS_MAX),
        ];
        match numbers.into_iter().find(|(_, number, min, max)| !(min..=max).contains(&number)) {
            Some((what, _, min, max)) => Err(GenerateError::Number { what, min, max }),
            None => Ok(()),
        }
    }
}

/// Writes a city into `dir`, which is made if it is missing; `progress` hears how many of [`Plan::rows`] are written.
///
/// The configuration is written last, so a folder without one is no whole city.
///
/// # Errors
/// A number out of its range, a folder that is not empty, a file that cannot be written.
pub fn generate(plan: &Plan, dir: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), GenerateError> {
    plan.check()?;
    empty_folder(dir)?;
    let draws = Draws::new(plan.seed);
    let keys = Keys::new(&draws);
    let mut folder = Folder { dir, rows: 0, progress };
    let mut cards = CardWriter::new(&draws, &keys)?;
    folder.table(super::cards::FILE, cards::HEADER, plan.cards, |row, index| Ok(cards.write(row, index)?))?;
    let totals = *cards.totals();
    places::write(plan, &draws, &totals, &mut folder)?;
    documents::write(plan, &keys, &mut folder)
}

/// The folder, made or found empty.
fn empty_folder(dir: &Path) -> Result<(), GenerateError> {
    let fault = |source| GenerateError::Write { path: dir.to_owned(), source };
    match std::fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(GenerateError::NotEmpty(dir.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => std::fs::create_dir_all(dir).map_err(fault),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Err(GenerateError::NotAFolder(dir.to_owned()))
        }
        Err(error) => Err(fault(error)),
    }
}

/// Writes one row into the buffer it is given, line break included.
type RowResult = Result<(), GenerateError>;

/// The folder that is being filled, and how far it is.
struct Folder<'a> {
    dir: &'a Path,
    rows: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl Folder<'_> {
    /// Writes a table of `count` rows, which [`Plan::rows`] counts.
    fn table(
        &mut self,
        file: &str,
        header: &str,
        count: u64,
        mut row: impl FnMut(&mut Vec<u8>, u64) -> RowResult,
    ) -> RowResult {
        let path = self.dir.join(file);
        let fault = |source| GenerateError::Write { path: path.clone(), source };
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create_new(&path).map_err(fault)?);
        writeln!(out, "{header}").map_err(fault)?;
        let mut buffer = Vec::with_capacity(512);
        for index in 0..count {
            buffer.clear();
            row(&mut buffer, index)?;
            out.write_all(&buffer).map_err(fault)?;
            self.rows += 1;
            (self.progress)(self.rows);
        }
        out.flush().map_err(fault)
    }

    /// Writes a file that is small.
    fn text(&mut self, file: &str, text: &str) -> RowResult {
        let path = self.dir.join(file);
        std::fs::write(&path, text).map_err(|source| GenerateError::Write { path, source })
    }
}

/// Adds text to a row; memory does not fail.
macro_rules! put {
    ($row:expr, $($text:tt)*) => {{
        use std::io::Write as _;
        // INVARIANT: writing to a Vec does not fail.
        write!($row, $($text)*).expect("a row is written to memory");
    }};
}
use put;
