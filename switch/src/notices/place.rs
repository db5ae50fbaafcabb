//! How far a sender is: a small file beside the journal, whole at any moment.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{books::Books, journal::Seq};

/// The last notice that a sender is done with.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The epoch it was written in.
    pub epoch: u32,
    /// The notice's number; 0 before the first.
    pub id: u64,
    /// The record it follows from; 0 before the first.
    pub record: Seq,
}

/// A place cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct PlaceError {
    path: PathBuf,
    problem: String,
}

impl PlaceError {
    /// Of a file.
    #[expect(clippy::needless_pass_by_value, reason = "it is given away")]
    pub(super) fn of(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), problem: error.kind().to_string() }
    }
}

impl Place {
    /// Behind everything that there is.
    #[must_use]
    pub fn now(books: &Books) -> Self {
        let notices = books.notices();
        let record = notices.after(0).last().map_or(0, |notice| notice.subject.seq);
        Self { epoch: books.epoch(), id: notices.last_id(), record }
    }

    /// The same place in the epoch that is served: where people decided not to keep the records behind one, numbers are given
    /// anew from there on.
    #[must_use]
    pub fn in_epoch_of(self, books: &Books) -> Self {
        let notices = books.notices();
        let since = books.epochs().iter().filter(|begun| begun.number > self.epoch);
        let kept = since.map(|begun| begun.seq.saturating_sub(1)).min().unwrap_or(Seq::MAX);
        let (mut id, mut record) = (self.id.min(notices.last_id()), self.record);
        if record > kept {
            let first = notices.after(0).find(|notice| notice.subject.seq > kept);
            id = first.map_or(id, |notice| id.min(notice.id - 1));
            record = kept;
        }
        Self { epoch: books.epoch(), id, record }
    }

    /// Reads a place; nothing if none was written yet.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>, PlaceError> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| PlaceError {
                path: path.to_owned(),
                problem: "is no place of a sender; delete it, and the sender begins with what is new".into(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PlaceError::of(path, error)),
        }
    }

    /// Writes it, durably and whole.
    ///
    /// # Errors
    /// I/O errors; the place of before stands then.
    pub fn write(&self, path: &Path) -> Result<(), PlaceError> {
        self.put(path).map_err(|error| PlaceError::of(path, error))
    }

    fn put(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("place.new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        books::{
            event::Event,
            order::{Order, SignedOrder, What},
        },
        settlement::testing::History,
    };

    #[test]
    fn a_place_is_read_as_it_was_written_and_what_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.place");
        assert_eq!(Place::read(&path).unwrap(), None);
        let place = Place { epoch: 2, id: 7, record: 118 };
        place.write(&path).unwrap();
        assert_eq!(Place::read(&path).unwrap(), Some(place));
        fs::write(&path, "{").unwrap();
        let error = Place::read(&path).unwrap_err().to_string();
        assert!(error.ends_with("begins with what is new"), "{error}");
    }

    #[test]
    fn a_place_behind_the_end_is_the_end() {
        let books = History::of_two_days().books;
        assert_eq!(Place::now(&books).id, 2);
        let ahead = Place { epoch: 1, id: 9, record: 1 << 40 };
        assert_eq!(ahead.in_epoch_of(&books).id, 2);
        let within = Place { epoch: 1, id: 1, record: 3 };
        assert_eq!(within.in_epoch_of(&books), within);
    }

    #[test]
    fn a_place_in_records_that_people_decided_not_to_keep_is_where_they_begin() {
        let mut history = History::of_two_days();
        let kept = history.books.seq();
        let what = What::BeginEpoch { epoch: 2, keeps: kept, hash: [0; 32] };
        let order = Order { id: [1; 16], made_ms: 0, expires_ms: 0, what, why: "a test".into() };
        let signed = SignedOrder { order, signatures: Default::default() };
        history.record(Event::EpochBegun(Box::new(signed)));
        let lost = Place { epoch: 1, id: 9, record: kept + 5 };
        assert_eq!(lost.in_epoch_of(&history.books), Place { epoch: 2, id: 2, record: kept });
        let earlier = Place { epoch: 1, id: 1, record: 3 };
        assert_eq!(earlier.in_epoch_of(&history.books), Place { epoch: 2, ..earlier });
    }
}
