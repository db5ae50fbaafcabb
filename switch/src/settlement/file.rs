//! Files of a settled day: CSV that ends in the hash of everything above, written beside their place and renamed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::SettlementError;
use crate::{
    hex,
    journal::{ChainHash, Seq},
};

/// The first word of a file's last line; behind the comma stands the SHA-256 of all bytes above it, hex.
const SEAL: &str = "sha256";

/// The first word of the line above it; behind it a record of the journal and the chain's hash there, hex.
const JOURNAL: &str = "journal";

/// Where the journal stood in front of the commit that closed a day: whoever has the files can prove later that the history
/// behind them is still the same one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct StoodAt {
    pub(super) seq: Seq,
    pub(super) hash: ChainHash,
}

/// A CSV file under way.
pub(super) struct SealedCsv {
    name: String,
    csv: csv::Writer<Hashed>,
}

impl SealedCsv {
    /// Creates `folder/name` and writes its header.
    pub(super) fn create(folder: &Path, name: String, header: &[&str]) -> io::Result<Self> {
        let out = BufWriter::new(File::create(folder.join(&name))?);
        let hashed = Hashed { out, hash: Sha256::new() };
        // A trailer has fewer fields than a row.
        let csv = csv::WriterBuilder::new().flexible(true).from_writer(hashed);
        let mut file = Self { name, csv };
        file.row(header)?;
        Ok(file)
    }

    pub(super) fn row(&mut self, fields: &[impl AsRef<[u8]>]) -> io::Result<()> {
        Ok(self.csv.write_record(fields)?)
    }

    /// Writes where the journal stood and the seal, and makes the file durable; returns its name.
    pub(super) fn seal(mut self, journal: StoodAt) -> io::Result<String> {
        self.row(&[JOURNAL.to_owned(), journal.seq.to_string(), hex::digits(&journal.hash)])?;
        let Hashed { mut out, hash } = self.csv.into_inner().map_err(|error| {
            // The writer comes with the error; only why it failed matters here.
            io::Error::from(error.error().kind())
        })?;
        writeln!(out, "{SEAL},{}", hex::digits(&hash.finalize()))?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(self.name)
    }
}

/// Passes bytes on and hashes them.
struct Hashed {
    out: BufWriter<File>,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether a file's last line is the hash of what stands above it.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    let Some(body) = text.strip_suffix('\n') else { return false };
    let above = body.rfind('\n').map_or(0, |end| end + 1);
    let seal = body[above..].strip_prefix(SEAL).and_then(|rest| rest.strip_prefix(','));
    seal == Some(&hex::digits(&Sha256::digest(&body[..above])))
}

/// An empty folder in the folder where files shall be, so that they appear there whole or not at all.
#[derive(Debug)]
pub struct Staging {
    into: PathBuf,
    folder: TempDir,
}

impl Staging {
    /// Makes the folder, and the one around it where that is missing.
    ///
    /// # Errors
    /// The system refuses.
    pub fn inside(into: &Path) -> Result<Self, SettlementError> {
        fs::create_dir_all(into)?;
        let folder = tempfile::Builder::new().prefix(".settlement-").tempdir_in(into)?;
        Ok(Self { into: into.to_owned(), folder })
    }

    /// Where to write.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes files that came from elsewhere, each of which must carry its seal.
    ///
    /// # Errors
    /// [`SettlementError::Seal`], or the system refuses.
    pub fn fill(&self, files: &BTreeMap<String, String>) -> Result<(), SettlementError> {
        for (name, text) in files {
            // A name with a folder in it would lead out of this one.
            let is_plain = Path::new(name).file_name().is_some_and(|plain| plain == name.as_str());
            if !is_plain || !is_sealed(text) {
                return Err(SettlementError::Seal { name: name.clone() });
            }
            let mut file = File::create(self.path().join(name))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
        }
        Ok(())
    }

    /// Renames these files into their place. One that is there already must be the same, byte for byte.
    ///
    /// # Errors
    /// [`SettlementError::Differs`], before any file was renamed; or the system refuses.
    pub fn place(self, names: &[String]) -> Result<(), SettlementError> {
        for name in names {
            if !is_new_or_same(&self.path().join(name), &self.into.join(name))? {
                return Err(SettlementError::Differs { name: name.clone() });
            }
        }
        for name in names {
            fs::rename(self.path().join(name), self.into.join(name))?;
        }
        File::open(&self.into)?.sync_all()?;
        Ok(())
    }
}

/// The files of a folder as text, by name.
///
/// # Errors
/// The system refuses.
pub fn texts(folder: &Path, names: &[String]) -> Result<BTreeMap<String, String>, SettlementError> {
    let read = |name: &String| Ok((name.clone(), fs::read_to_string(folder.join(name))?));
    names.iter().map(read).collect()
}

fn is_new_or_same(new: &Path, old: &Path) -> io::Result<bool> {
    let old = match File::open(old) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let new = File::open(new)?;
    if new.metadata()?.len() != old.metadata()?.len() {
        return Ok(false);
    }
    let (mut new, mut old) = (BufReader::new(new).bytes(), BufReader::new(old).bytes());
    loop {
        match (new.next().transpose()?, old.next().transpose()?) {
            (None, None) => return Ok(true),
            (new, old) if new == old => {}
            _ => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn write(folder: &Path, name: &str, row: &str) -> String {
        let mut file = SealedCsv::create(folder, name.to_owned(), &["a", "b"]).unwrap();
        file.row(&[row, "with, comma"]).unwrap();
        file.seal(StoodAt { seq: 7, hash: [0xAB; 32] }).unwrap()
    }

    #[test]
    fn the_last_line_is_the_hash_of_everything_above() {
        let folder = tempfile::tempdir().unwrap();
        let name = write(folder.path(), "x.csv", "1");
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        let above = format!("a,b\n1,\"with, comma\"\njournal,7,{}\n", "ab".repeat(32));
        let hash = hex::digits(&Sha256::digest(above.as_bytes()));
        assert_eq!(text, format!("{above}sha256,{hash}\n"));
        assert!(is_sealed(&text));
        let rows = [text.replace('1', "2"), text.trim_end().to_owned(), String::new(), "sha256,\n".into()];
        for broken in rows {
            assert!(!is_sealed(&broken), "{broken}");
        }
    }

    #[test]
    fn files_are_placed_again_only_if_they_are_the_same() {
        let out = tempfile::tempdir().unwrap();
        let place = |row: &str| {
            let staging = Staging::inside(out.path()).unwrap();
            let names = [write(staging.path(), "x.csv", "1"), write(staging.path(), "y.csv", row)];
            staging.place(&names)
        };
        place("1").unwrap();
        place("1").unwrap();
        let before = fs::read(out.path().join("y.csv")).unwrap();
        let refused = place("2");
        assert!(matches!(&refused, Err(SettlementError::Differs { name }) if name == "y.csv"), "{refused:?}");
        assert_eq!(fs::read(out.path().join("y.csv")).unwrap(), before);
        let left: Vec<_> = fs::read_dir(out.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "nothing else is left behind");
    }

    #[test]
    fn what_arrives_needs_a_plain_name_and_its_seal() {
        let out = tempfile::tempdir().unwrap();
        let from = tempfile::tempdir().unwrap();
        let name = write(from.path(), "x.csv", "1");
        let text = fs::read_to_string(from.path().join(name)).unwrap();
        let rows = [
            ("x.csv", text.clone(), true),
            ("../x.csv", text.clone(), false),
            ("..", text.clone(), false),
            ("", text.clone(), false),
            ("x.csv", text.replace('1', "2"), false),
        ];
        for (name, text, want) in rows {
            let staging = Staging::inside(out.path()).unwrap();
            let filled = staging.fill(&BTreeMap::from([(name.to_owned(), text)]));
            assert_eq!(filled.is_ok(), want, "{name:?}");
        }
    }
}
