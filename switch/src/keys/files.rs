//! Key files and tables as `cardswitch keys` writes them: into a new folder, never over what is there.
//!
//! [`wrap`](super::wrap) and [`rotate`](super::rotate) say what stands in them.

use std::{
    fs::File,
    io::{BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use csv::{ReaderBuilder, StringRecord, Writer};
use hsm_sim::KeyBlock;

use super::{CheckValue, LmkError, blocks::KeyFault};
use crate::city::{CityError, LiveKeys, LmkKind};

/// Name of a city's key file.
pub const KEYS: &str = "keys.toml";

/// Name of a city's terminals.
pub const TERMINALS: &str = "terminals.csv";

/// Name of a city's cards.
pub const CARDS: &str = "cards.csv";

/// Why files of keys were not written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file of the city is at fault.
    #[error(transparent)]
    City(#[from] CityError),
    /// The local master key cannot be formed.
    #[error(transparent)]
    Lmk(#[from] LmkError),
    /// A key is refused.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// A key came out with another check value than it went in.
    #[error("{0}: the key has another check value than before; nothing of the new folder may be used")]
    Changed(String),
    /// The key file has keys in clear.
    #[error("{}: these are test keys in clear, which are under no LMK; `cardswitch keys wrap` makes key blocks of them", .0.display())]
    TestKeys(PathBuf),
    /// The key file is under another local master key.
    #[error(
        "{}: it is under the LMK {}, and the component files form {}; name the components of the first",
        path.display(), CheckValue(*named), CheckValue(*formed)
    )]
    OtherLmk {
        /// The key file.
        path: PathBuf,
        /// What it names.
        named: [u8; 3],
        /// What the components form.
        formed: [u8; 3],
    },
    /// There is something in the folder.
    #[error("{} is there and not empty; name a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// A table cannot be read.
    #[error("{}: cannot be read as a table", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TableError,
    },
    /// A file cannot be written.
    #[error("cannot write {}; use nothing of its folder", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What is wrong with a table. The reader's own words may quote a field, so they are not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TableError {
    /// The system does not let it be read.
    #[error("{0}")]
    Unreadable(ErrorKind),
    /// A row is none.
    #[error("line {0} is no row of it")]
    Row(u64),
    /// A row has no key block where one must stand.
    #[error("line {0} has no key block in the column tmk")]
    NoBlock(u64),
    /// The header lacks a column.
    #[error("it has no column {0}")]
    NoColumn(&'static str),
}

/// A new folder, or an empty one.
///
/// # Errors
/// There is something in it, or it cannot be made.
pub fn new_folder(dir: &Path) -> Result<(), FilesError> {
    match std::fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(FilesError::NotEmpty(dir.to_owned())),
        Err(_) => {
            std::fs::create_dir_all(dir).map_err(|source| FilesError::Write { path: dir.to_owned(), source })
        }
    }
}

/// Writes a key file.
///
/// # Errors
/// It is there, or cannot be written.
pub fn write_keys(path: &Path, keys: &LiveKeys) -> Result<(), FilesError> {
    let write = || File::create_new(path)?.write_all(text(keys).as_bytes());
    write().map_err(|source| FilesError::Write { path: path.to_owned(), source })
}

/// The key file, as [`crate::city::KeyFile`] reads it.
fn text(keys: &LiveKeys) -> String {
    let mut text = HEAD.to_owned();
    let mut line = |name: &str, value: &str| text.extend([name, " = ", value, "\n"]);
    let quoted = |value: &str| format!("\"{value}\"");
    let block = |block: &KeyBlock| quoted(block.as_str());
    if let LmkKind::Live(check_value) = keys.lmk {
        line("lmk", &quoted(&CheckValue(check_value).to_string()));
    }
    line("\npvk", &block(&keys.pvk));
    line("pvki", &keys.pvki.to_string());
    line("cvk", &block(&keys.cvk));
    line("token", &block(&keys.token));
    for masters in &keys.psam_masters {
        line("\n[[psam_master]]\nversion", &masters.version.to_string());
        line("pin", &block(&masters.pin));
        line("mac", &block(&masters.mac));
        line("track", &block(&masters.track));
        line("auth", &block(&masters.auth));
    }
    for zone in &keys.zones {
        line("\n[[zone]]\nacquirer", &quoted(&zone.acquirer));
        line("zmk", &block(&zone.zmk));
        line("pin", &block(&zone.pin));
        line("mac_to_switch", &block(&zone.mac_to_switch));
        line("mac_from_switch", &block(&zone.mac_from_switch));
    }
    text
}

const HEAD: &str = "\
# Keys of a city, each in a key block (TR-31 version D) under the LMK whose check value `lmk` names. Nothing here is in
# clear. Written by `cardswitch keys`, which keeps no comments; what each key is for stands in docs/city-files.md.

";

/// A table that is written anew row by row.
pub struct Rewriting {
    from: PathBuf,
    to: PathBuf,
    rows: csv::Reader<File>,
    header: StringRecord,
    row: StringRecord,
    out: Writer<BufWriter<File>>,
}

impl Rewriting {
    /// Opens `from` and makes `to`; `header` is made of the one that is there.
    ///
    /// # Errors
    /// One cannot be read or the other not be made.
    pub fn open(
        from: &Path,
        to: &Path,
        header: impl FnOnce(&StringRecord) -> StringRecord,
    ) -> Result<Self, FilesError> {
        let failed = |source| FilesError::Table { path: from.to_owned(), source };
        let file = File::open(from).map_err(|error| failed(TableError::Unreadable(error.kind())))?;
        let mut rows = ReaderBuilder::new().from_reader(file);
        let old = rows.headers().map_err(|_| failed(TableError::Row(1)))?.clone();
        let made = File::create_new(to);
        let made = made.map_err(|source| FilesError::Write { path: to.to_owned(), source })?;
        let mut this = Self {
            from: from.to_owned(),
            to: to.to_owned(),
            rows,
            header: old,
            row: StringRecord::new(),
            out: Writer::from_writer(BufWriter::new(made)),
        };
        let header = header(&this.header);
        this.write(&header)?;
        Ok(this)
    }

    /// Where a column stands.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn place(&self, column: &'static str) -> Result<usize, FilesError> {
        let place = self.header.iter().position(|name| name == column);
        place.ok_or_else(|| self.failed(TableError::NoColumn(column)))
    }

    /// The next row; none at the end.
    ///
    /// # Errors
    /// It is no row of the table.
    pub fn next_row(&mut self) -> Result<Option<&StringRecord>, FilesError> {
        let read = self.rows.read_record(&mut self.row);
        match read {
            Ok(true) => Ok(Some(&self.row)),
            Ok(false) => Ok(None),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                Err(self.failed(TableError::Row(line)))
            }
        }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write<'a>(&mut self, fields: impl IntoIterator<Item = &'a str>) -> Result<(), FilesError> {
        let written = self.out.write_record(fields);
        written.map_err(|error| FilesError::Write { path: self.to.clone(), source: error.into() })
    }

    /// Writes what is still in a buffer.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<(), FilesError> {
        self.out.flush().map_err(|source| FilesError::Write { path: self.to, source })
    }

    fn failed(&self, source: TableError) -> FilesError {
        FilesError::Table { path: self.from.clone(), source }
    }
}
