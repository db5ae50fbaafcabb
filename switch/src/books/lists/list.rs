//! One list: its rows, where they come from, and the change under way.
//!
//! A change is staged row by row, unseen, and then comes into force at once: its origins are marked, nothing is moved. One
//! change of a list is under way at a time; another that begins takes its place.

use serde::{Deserialize, Serialize};

use super::{
    change::{Grounds, How, ListChange, ListChanged, ListName, ListRow, NO_ROWS, StagedRows, hash_on},
    key::{ListKey, ListKind},
    rows::{Cursor, Row, Rows, Value},
};
use crate::books::{Seq, order::OfficerName};

/// Rows looked at for what is over, for each row that is staged: more than come in, so what is over goes in time.
const SWEPT_PER_ROW: usize = 2;

/// And so many at each change, however small.
const SWEPT_MIN: usize = 256;

/// Where rows of a change come from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(in crate::books) struct Origin {
    /// The change, by its place; none until it is in force.
    change: Option<u32>,
    /// Why, and who says so; none of a removal.
    grounds: Option<Grounds>,
}

/// A change in force, for people.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Change {
    /// Its record.
    pub seq: Seq,
    /// When that was, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// What was done.
    pub how: How,
    /// Who made it, and who approved it.
    pub officers: Option<(OfficerName, OfficerName)>,
    /// How many rows came on the list.
    pub added: u32,
    /// How many were on it and have a new reason or end.
    pub changed: u32,
    /// How many entries are not on it any more.
    pub removed: u32,
}

/// The change under way.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Open {
    order: [u8; 16],
    how: How,
    /// Its first origin, and how many it has.
    first: u32,
    origins: u32,
    /// Rows so far, and what they hash to.
    rows: u32,
    hash: [u8; 32],
    added: u32,
    changed: u32,
    /// Entries that it takes off.
    removed: u32,
    /// Rows that had no entry, not even one that is over.
    new: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct List {
    head: Head,
    changes: Vec<Change>,
    origins: Vec<Origin>,
    /// Of each origin what it says, follows from the others: all that a decision looks at.
    says: Vec<Says>,
    rows: Rows,
}

/// What a row of an origin says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Says {
    /// Nothing: its change is not in force.
    Nothing,
    /// It is on the list.
    Listed,
    /// It is not.
    Removed,
}

/// What of a list is one row of a snapshot.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(in crate::books) struct Head {
    name: ListName,
    kind: ListKind,
    /// Only origins from here on count: what was before was replaced.
    from: u32,
    /// Entries on it, with those that are over and not swept out yet.
    listed: u32,
    open: Option<Open>,
    cursor: Cursor,
    changes: u64,
    origins: u64,
    rows: u64,
}

/// A part of a list in a snapshot, behind its head.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(in crate::books) enum Part {
    Change(Change),
    Origin(Origin),
    Row(Row),
}

/// An entry of a list, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'l> {
    /// Why, and who says so.
    pub grounds: &'l Grounds,
    /// The change that brought it.
    pub change: &'l Change,
    /// When it ends, seconds since 1970 UTC; 0 is never.
    pub until_s: u32,
}

impl List {
    pub(super) fn new(name: ListName, kind: ListKind) -> Self {
        let head = Head {
            name,
            kind,
            from: 1,
            listed: 0,
            open: None,
            cursor: Cursor::default(),
            changes: 0,
            origins: 0,
            rows: 0,
        };
        Self { head, changes: Vec::new(), origins: Vec::new(), says: Vec::new(), rows: Rows::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.head.name
    }

    /// What it is a list of.
    #[must_use]
    pub fn kind(&self) -> ListKind {
        self.head.kind
    }

    /// How many changes are in force. Before the first there is no list.
    #[must_use]
    pub fn version(&self) -> u32 {
        u32::try_from(self.changes.len()).unwrap_or(u32::MAX)
    }

    /// How many entries it has; some of them may be over.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.listed as usize
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.listed == 0
    }

    /// The changes in force, the first first.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Rows that take room, those of a change under way among them.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Whether an entry is in force at a time, milliseconds since 1970 UTC. Allocates nothing.
    #[must_use]
    pub fn holds(&self, key: &ListKey, now_ms: i64) -> bool {
        let entry = self.rows.find(key).and_then(|row| self.in_force(row));
        entry.is_some_and(|value| !is_over(value, now_ms))
    }

    /// The entry of a key that is in force at a time.
    #[must_use]
    pub fn entry(&self, key: &ListKey, now_ms: i64) -> Option<Entry<'_>> {
        let value = self.in_force(self.rows.find(key)?).filter(|value| !is_over(*value, now_ms))?;
        let origin = self.origins.get(place(value.origin)?)?;
        let change = self.changes.get(origin.change? as usize)?;
        Some(Entry { grounds: origin.grounds.as_ref()?, change, until_s: value.until_s })
    }

    fn says(&self, value: Value) -> Says {
        let says = place(value.origin).and_then(|place| self.says.get(place));
        says.copied().unwrap_or(Says::Nothing)
    }

    /// What counts of a row, whether it is over or not.
    fn in_force(&self, row: &Row) -> Option<Value> {
        let (value, says) = match self.says(row.next) {
            Says::Nothing => (row.now, self.says(row.now)),
            says => (row.next, says),
        };
        (says == Says::Listed && value.origin >= self.head.from).then_some(value)
    }

    /// How many rows of an order are staged, and what they hash to.
    pub(super) fn staged(&self, order: &[u8; 16]) -> Option<(u32, [u8; 32])> {
        self.head.open.as_ref().filter(|open| open.order == *order).map(|open| (open.rows, open.hash))
    }

    /// Takes rows of a change. Those that do not fit are left out by nobody but a journal that is damaged.
    pub(super) fn stage(&mut self, staged: &StagedRows, now_ms: i64) -> Option<()> {
        if staged.first == 0 {
            self.open(staged.order, staged.how, staged.grounds);
        }
        let mut open = self.head.open.take().filter(|open| open.order == staged.order)?;
        let mut rows = 0;
        for row in ListRow::unpack(&staged.rows)? {
            self.stage_row(&row, &mut open, now_ms);
            rows += 1;
        }
        let fits = open.rows == staged.first;
        open.rows += rows;
        open.hash = hash_on(&open.hash, &staged.rows);
        self.head.open = Some(open);
        self.sweep(rows as usize * SWEPT_PER_ROW, now_ms);
        fits.then_some(())
    }

    /// Begins a change; one that was under way is none any more.
    fn open(&mut self, order: [u8; 16], how: How, grounds: u8) {
        let origins = u32::from(grounds).max(1);
        // INVARIANT: `CHANGES_MAX` changes have far fewer than 2^32 origins.
        let first = u32::try_from(self.origins.len()).expect("fewer than 2^32 origins") + 1;
        for _ in 0..origins {
            self.origins.push(Origin { change: None, grounds: None });
            self.says.push(Says::Nothing);
        }
        self.head.open = Some(Open {
            order,
            how,
            first,
            origins,
            rows: 0,
            hash: NO_ROWS,
            added: 0,
            changed: 0,
            removed: 0,
            new: 0,
        });
    }

    fn stage_row(&mut self, staged: &ListRow, open: &mut Open, now_ms: i64) {
        let before = self.rows.find(&staged.key).copied();
        let entry = before.and_then(|row| self.in_force(&row));
        if open.how == How::Remove && entry.is_none() {
            return;
        }
        let ground = u32::from(staged.ground).min(open.origins - 1);
        let value = Value { origin: open.first + ground, until_s: staged.until_s };
        let moves_up = before.is_some_and(|row| self.says(row.next) != Says::Nothing);
        let row = self.rows.row_mut(&staged.key);
        if row.next.origin >= open.first {
            // A second time in one change: the last word counts.
            row.next = value;
            return;
        }
        if moves_up {
            row.now = row.next;
        }
        row.next = value;
        match (open.how, entry) {
            (How::Remove, _) => open.removed += 1,
            (_, Some(entry)) if !is_over(entry, now_ms) => open.changed += 1,
            _ => open.added += 1,
        }
        open.new += u32::from(entry.is_none());
    }

    /// Puts a change in force; what it came to.
    pub(super) fn publish(
        &mut self,
        change: &ListChange,
        order: [u8; 16],
        (seq, at_ms): (Seq, i64),
        officers: Option<(OfficerName, OfficerName)>,
    ) -> ListChanged {
        let came = self.would_come(change, &order);
        if self.staged(&order).is_none() {
            self.open(order, change.how, u8::try_from(change.grounds.len()).unwrap_or(u8::MAX));
        }
        // INVARIANT: it was opened a line above, if not before.
        let open = self.head.open.take().expect("a change under way");
        let number = self.version();
        for at in 0..open.origins {
            let place = (open.first - 1 + at) as usize;
            self.origins[place] =
                Origin { change: Some(number), grounds: change.grounds.get(at as usize).cloned() };
            self.says[place] = if open.how == How::Remove { Says::Removed } else { Says::Listed };
        }
        let ListChanged { added, changed, removed, .. } = came;
        match open.how {
            How::Add => self.head.listed += open.new,
            How::Remove => self.head.listed -= open.removed.min(self.head.listed),
            How::Replace => {
                self.head.from = open.first;
                self.head.listed = open.added + open.changed;
            }
        }
        self.changes.push(Change { seq, at_ms, how: open.how, officers, added, changed, removed });
        self.sweep(SWEPT_MIN, at_ms);
        came
    }

    /// What a change comes to if it is put in force now.
    pub(super) fn would_come(&self, change: &ListChange, order: &[u8; 16]) -> ListChanged {
        let open = self.head.open.as_ref().filter(|open| open.order == *order);
        let (added, changed, removed, new) =
            open.map_or((0, 0, 0, 0), |open| (open.added, open.changed, open.removed, open.new));
        let removed = match change.how {
            How::Add => 0,
            How::Remove => removed,
            // What stays is what the change found there.
            How::Replace => self.head.listed.saturating_sub(added + changed - new),
        };
        ListChanged { list: self.head.name, version: self.version() + 1, added, changed, removed }
    }

    /// Takes out some of the rows that never say anything again.
    fn sweep(&mut self, rows: usize, now_ms: i64) {
        let (mut table, mut cursor) = (std::mem::take(&mut self.rows), self.head.cursor);
        let under_way = self.head.open.as_ref().map_or(u32::MAX, |open| open.first);
        let mut over = 0;
        table.sweep(&mut cursor, rows, |row| {
            if row.next.origin >= under_way {
                return false;
            }
            match self.in_force(row) {
                None => true,
                Some(value) => {
                    over += u32::from(is_over(value, now_ms));
                    is_over(value, now_ms)
                }
            }
        });
        self.head.listed -= over.min(self.head.listed);
        (self.rows, self.head.cursor) = (table, cursor);
    }

    /// What a snapshot holds of it.
    pub(super) fn head(&self) -> Head {
        Head {
            changes: self.changes.len() as u64,
            origins: self.origins.len() as u64,
            rows: self.rows.len() as u64,
            ..self.head.clone()
        }
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let changes = self.changes.iter().cloned().map(Part::Change);
        let origins = self.origins.iter().cloned().map(Part::Origin);
        changes.chain(origins).chain(self.rows.iter().copied().map(Part::Row))
    }

    pub(super) fn of_head(head: Head) -> Self {
        Self { head, ..Self::new(ListName::new(), ListKind::Card) }
    }

    pub(super) fn restore(&mut self, part: Part) {
        match part {
            Part::Change(change) => self.changes.push(change),
            Part::Origin(origin) => {
                let how = origin.change.and_then(|at| self.changes.get(at as usize)).map(|change| change.how);
                self.says.push(match how {
                    None => Says::Nothing,
                    Some(How::Remove) => Says::Removed,
                    Some(How::Add | How::Replace) => Says::Listed,
                });
                self.origins.push(origin);
            }
            Part::Row(row) => self.rows.restore(row),
        }
    }
}

impl Head {
    /// How many parts follow it.
    pub(super) fn parts(&self) -> u64 {
        self.changes.saturating_add(self.origins).saturating_add(self.rows)
    }
}

fn place(origin: u32) -> Option<usize> {
    origin.checked_sub(1).map(|place| place as usize)
}

fn is_over(value: Value, now_ms: i64) -> bool {
    value.until_s != 0 && now_ms >= i64::from(value.until_s) * 1_000
}
