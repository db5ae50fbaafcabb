//! Notices as lines of a file: one JSON object each, for whoever follows it.
//!
//! A line is synced before the sender's place moves. A file that has grown to its size is renamed after the last notice in it,
//! and another is begun; nothing deletes them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{Sender, Trouble, Wanted, Way, letter::Letter, wanted_by};
use crate::config::{Audience, NoticeFile};

/// Bytes in which the end of the last whole line is looked for: no line is longer.
const TAIL: u64 = 64 << 10;

/// Lines written at once.
const BATCH: usize = 64;

/// Appends to the file.
#[derive(Debug)]
pub struct FileSender {
    path: PathBuf,
    bytes_max: u64,
    to: Audience,
    addresses: bool,
    /// Nothing while it cannot be written.
    file: Option<File>,
}

impl FileSender {
    /// Opens the file, or makes it; what a crash left of a line goes.
    ///
    /// # Errors
    /// I/O errors.
    pub fn open(config: &NoticeFile) -> io::Result<Self> {
        let NoticeFile { path, bytes, to, addresses } = config.clone();
        let file = Some(open(&path)?);
        Ok(Self { path, bytes_max: bytes, to, addresses, file })
    }

    fn append(&mut self, letters: &[&Letter]) -> io::Result<()> {
        let mut lines = Vec::new();
        for letter in letters {
            serde_json::to_writer(&mut lines, &letter.written(self.addresses))?;
            lines.push(b'\n');
        }
        // Whatever a failed write left is cut off as the file is opened anew.
        let mut file = match self.file.take() {
            Some(file) => file,
            None => open(&self.path)?,
        };
        file.write_all(&lines)?;
        file.sync_data()?;
        if file.metadata()?.len() < self.bytes_max {
            self.file = Some(file);
        } else if let Some(last) = letters.last() {
            // Named after its last notice, so never over another.
            fs::rename(&self.path, self.path.with_extension(format!("{}.jsonl", last.entry.key)))?;
            self.file = Some(open(&self.path)?);
        }
        Ok(())
    }
}

impl Sender for FileSender {
    fn way(&self) -> Way {
        Way::File
    }

    fn wants(&self, letter: &Letter) -> Wanted {
        wanted_by(self.to, letter)
    }

    fn batch_max(&self) -> usize {
        BATCH
    }

    fn attempts(&self) -> u32 {
        u32::MAX
    }

    fn send(&mut self, letters: &[&Letter]) -> Result<(), Trouble> {
        self.append(letters)
            .map_err(|error| Trouble::Later(format!("the file cannot be written: {}", error.kind())))
    }
}

/// Opens a file for appending behind its last whole line.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let len = file.metadata()?.len();
    let from = len.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at as u64 + 1);
    if from + whole < len {
        file.set_len(from + whole)?;
    }
    file.sync_all()?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all()?,
        None => File::open(".")?.sync_all()?,
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::notices::letter::testing::letter;

    fn sender(path: &Path, bytes: u64) -> FileSender {
        let config = NoticeFile { path: path.to_owned(), bytes, to: Audience::All, addresses: false };
        FileSender::open(&config).unwrap()
    }

    #[test]
    fn lines_are_whole_also_behind_a_crash_and_files_end_at_their_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notices.jsonl");
        let letters = [letter(1), letter(2), letter(3)];
        sender(&path, 1 << 20).send(&[&letters[0]]).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"id\":9,")).unwrap();

        let mut again = sender(&path, 1);
        again.send(&[&letters[1]]).unwrap();
        again.send(&[&letters[2]]).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let first = read(&format!("notices.{}.jsonl", letters[1].entry.key));
        let ids: Vec<u64> = first
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap())
            .collect();
        assert_eq!(ids, [1, 2], "what the crash left of a line is gone: {first}");
        assert!(read(&format!("notices.{}.jsonl", letters[2].entry.key)).contains("\"id\":3"));
        assert_eq!(read("notices.jsonl"), "");
    }

    #[test]
    fn addresses_stand_there_only_if_they_are_asked_for_and_of_cardholders_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notices.jsonl");
        let mut to_management = letter(2);
        to_management.to = crate::books::notices::Recipient::CardManagement;
        for (addresses, wanted) in [(false, 0), (true, 1)] {
            let _was_not_there = fs::remove_file(&path);
            let mut sender = FileSender { addresses, ..sender(&path, 1 << 20) };
            sender.send(&[&letter(1), &to_management]).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.matches("\"phone\":\"+8610000000001\"").count(), wanted, "{text}");
        }
    }
}
