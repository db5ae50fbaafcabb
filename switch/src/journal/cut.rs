//! A journal cut off behind a record, as a copy: what people order who want to go on from there.
//!
//! The engine's files are copied, everything behind the record is removed from the copy, and a new anchor vouches for what is
//! left. What is archived stays so. The original is only read. A journal that is damaged behind the record can be cut; what is kept is proved, record by
//! record, and must end where a commit ended, because only there the chain has a hash.

use std::path::Path;

use super::{
    Damage, Head, JournalError, Seq,
    anchor::Anchor,
    base,
    checkpoint::CheckpointFiles,
    engine::{Engine, engine_error, ensure_folder, guarded, sync_folder},
    inspection::StoppedJournal,
    sled_store::take_tail_over,
    tail,
    verify::ChainCheck,
};

impl StoppedJournal {
    /// Copies the journal to a new folder and cuts the copy off behind `keeps`, or where it ceases to be whole if that is not
    /// given. `progress` hears the last record of each extent that is kept. Returns the copy's head.
    ///
    /// # Errors
    /// Damage at or before that record, no commit that ended there, I/O errors.
    pub fn cut_copy(
        &self,
        to: &Path,
        keeps: Option<Seq>,
        progress: &mut dyn FnMut(Seq),
    ) -> Result<Head, JournalError> {
        ensure_folder(to)?;
        self.copy(to)?;
        guarded(CUTTING, || cut(to, keeps, progress))
    }
}

const CUTTING: &str = "cutting it";

fn cut(dir: &Path, keeps: Option<Seq>, progress: &mut dyn FnMut(Seq)) -> Result<Head, JournalError> {
    let engine = Engine::open(dir)?;
    let extents = engine.tree("extents")?;
    let base = base::read(dir)?;
    // The copy's own: what is cut off must not come back from there.
    take_tail_over(dir, &extents, &base)?;
    tail::remove(dir)?;
    if let Some(seq) = keeps.filter(|keeps| *keeps < base.seq) {
        return Err(JournalError::BeforeBase { seq, base: base.seq });
    }
    let mut check = ChainCheck::part(base);
    let mut whole = true;
    let mut behind = Vec::new();
    for entry in extents.range((base.seq + 1).to_be_bytes()..) {
        let (key, value) = entry.map_err(engine_error(CUTTING))?;
        let wanted = keeps.is_none_or(|keeps| check.head().seq < keeps);
        match if whole && wanted { check.take(&key, &value).map(Some) } else { Ok(None) } {
            Ok(Some(last)) => progress(last),
            Err(damage) if keeps.is_some() => return Err(damage),
            Ok(None) | Err(_) => {
                whole = false;
                behind.push(key);
            }
        }
    }
    let head = check.head();
    if let Some(keeps) = keeps.filter(|keeps| *keeps != head.seq) {
        return Err(if head.seq < keeps {
            JournalError::Damaged { seq: head.seq + 1, damage: Damage::Missing }
        } else {
            JournalError::NoCommitEnded { seq: keeps, next: head.seq }
        });
    }
    for key in behind {
        extents.remove(key).map_err(engine_error(CUTTING))?;
    }
    engine.flush()?;
    engine.sync()?;
    drop((extents, engine));
    let checkpoints = CheckpointFiles::open(dir)?;
    for seq in checkpoints.saved()?.into_iter().filter(|seq| *seq > head.seq) {
        checkpoints.remove(seq)?;
    }
    let mut anchor = Anchor::create(dir, true)?;
    anchor.record(&head)?;
    sync_folder(dir)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::super::{
        SledStore, Store, StoreOptions,
        testing::{Folder, batch_of, chunks_of, open, read_all, save},
    };
    use super::*;

    fn cut_copy(from: &Path, to: &Path, keeps: Option<Seq>) -> Result<Head, JournalError> {
        StoppedJournal::lock(from)?.cut_copy(to, keeps, &mut |_| ())
    }

    /// Commits that end at 4, 8 and 12, checkpoints at 4 and 8.
    fn journal() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        for first in [1, 5, 9] {
            let head = store.append(first, &batch_of(first, 4, 100)).unwrap();
            if first < 9 {
                save(store.checkpoints().as_ref(), &head, &chunks_of(head.seq)).unwrap();
            }
        }
        Box::new(store).close().unwrap();
        dir
    }

    #[test]
    fn the_copy_ends_where_it_was_cut_and_goes_on_from_there() {
        let (dir, to) = (journal(), tempfile::tempdir().unwrap());
        let before = Folder::read(dir.path());
        let want =
            read_all(open(super::super::copy_for_inspection(dir.path()).unwrap().path()).reader().as_ref());
        let head = cut_copy(dir.path(), &to.path().join("cut"), Some(4)).unwrap();
        assert_eq!(Folder::read(dir.path()), before, "the original is only read");

        let (mut store, report) = SledStore::open(&to.path().join("cut"), StoreOptions::default()).unwrap();
        assert_eq!((store.head(), report.checkpoints), (head, vec![4]));
        assert_eq!(read_all(store.reader().as_ref()), want[..4]);
        assert_eq!(store.append(5, &batch_of(5, 2, 50)).unwrap().seq, 6);
    }

    #[test]
    fn a_journal_without_its_end_can_be_cut_before_it() {
        let (dir, to) = (journal(), tempfile::tempdir().unwrap());
        let anchor = fs::read(dir.path().join(super::super::anchor::ANCHOR_FILE)).unwrap();
        let engine = Engine::open(dir.path()).unwrap();
        engine.tree("extents").unwrap().remove(9_u64.to_be_bytes()).unwrap();
        engine.flush().unwrap();
        drop(engine);
        // It would come back from there.
        tail::remove(dir.path()).unwrap();
        fs::write(dir.path().join(super::super::anchor::ANCHOR_FILE), anchor).unwrap();
        let refused = SledStore::open(
            super::super::copy_for_inspection(dir.path()).unwrap().path(),
            StoreOptions::default(),
        );
        assert!(matches!(refused, Err(JournalError::AcknowledgedMissing { first_missing: 9, count: 4 })));
        for (name, keeps) in [("asked for", Some(8)), ("as far as it is whole", None)] {
            assert_eq!(cut_copy(dir.path(), &to.path().join(name), keeps).unwrap().seq, 8, "{name}");
        }
    }

    #[test]
    fn a_trimmed_journal_is_cut_behind_its_base_only() {
        let (dir, to) = (journal(), tempfile::tempdir().unwrap());
        let store = open(dir.path());
        store.checkpoints().trim(1, &|| std::ops::ControlFlow::Continue(())).unwrap();
        Box::new(store).close().unwrap();
        let cut = |keeps: Seq| cut_copy(dir.path(), &to.path().join(keeps.to_string()), Some(keeps));
        for keeps in [4, 8] {
            let head = cut(keeps).unwrap();
            let (store, report) =
                SledStore::open(&to.path().join(keeps.to_string()), StoreOptions::default()).unwrap();
            assert_eq!((store.head(), report.base, head.seq), (head, 4, keeps));
            assert_eq!(read_all(store.reader().as_ref()).len() as u64, keeps);
        }
        assert!(matches!(cut(2), Err(JournalError::BeforeBase { seq: 2, base: 4 })));
    }

    #[test]
    fn only_where_a_commit_ended_can_it_be_cut() {
        let dir = journal();
        for (keeps, want) in [(6, "a commit ended at 8"), (13, "record 13")] {
            let to = tempfile::tempdir().unwrap();
            let refused = cut_copy(dir.path(), &to.path().join("cut"), Some(keeps)).unwrap_err();
            assert!(refused.to_string().contains(want), "{refused}");
        }
    }
}
