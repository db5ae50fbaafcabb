//! Lists by name: what rules look things up in, and what two officers change.
//!
//! A list is made of events alone, so a replay has the same. A change of many rows is staged in records that change nothing
//! anybody sees, as many as it takes, and the record of its order puts all of it in force between two requests
//! ([`change`]). What a list says of something is looked up without allocating, by the time of the record ([`List`]).
//!
//! Start at [`Books::lists`] and [`Books::decide_order_rows`].

pub mod change;
pub mod key;
mod list;
mod rows;
#[cfg(test)]
mod tests;

use risk::language::{Key, NamedList};

use self::{
    change::{
        CHANGE_ROWS_MAX, How, ListChange, ListChanged, ListRow, PIECE_ROWS, ROW_BYTES, StagedRows, list_name,
    },
    key::{ListKey, ListKind},
    list::{Head, Part},
};
use super::{
    Books,
    apply::ApplyError,
    event::Event,
    order::{Order, SignedOrder, What},
};

pub use self::list::{Change, Entry, List};

/// Most lists.
pub const LISTS_MAX: usize = 256;

/// Most rows of all lists together: some forty bytes each, so that they stay under half a gigabyte.
pub const ROWS_MAX: usize = 8 << 20;

/// Most changes of one list in the life of a journal: what is remembered of each is some hundred bytes.
pub const CHANGES_MAX: u32 = 1 << 20;

/// Why a change of a list is not staged, or not put in force. Nothing happens.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ListFault {
    /// It says what no change may say.
    #[error(
        "the change of a list must name it with 1 to 32 letters, digits, hyphens and underscores, have at most {CHANGE_ROWS_MAX} rows, and 1 to 64 reasons and sources of 1 to 64 bytes with no card number in them"
    )]
    Form,
    /// The order is for something else.
    #[error("the order changes no list")]
    NoList,
    /// A list has one kind for ever.
    #[error("list {list} is a list of {is}, not of {named}; use another name")]
    OtherKind {
        /// The list.
        list: String,
        /// Its kind.
        is: &'static str,
        /// The order's.
        named: &'static str,
    },
    /// A removal from nothing.
    #[error("there is no list {0}; its first change must be one that adds or replaces")]
    NoSuch(String),
    /// There are as many lists, rows or changes as there may be.
    #[error("there is no room for more than {0}")]
    Full(&'static str),
    /// The rows came in another order, or not all.
    #[error("{staged} of {rows} rows of the change have come; send them from there on")]
    Incomplete {
        /// How many have come.
        staged: u32,
        /// How many there are.
        rows: u32,
    },
    /// They are no rows, or others than those that were signed.
    #[error("the rows are not those that the order was signed for")]
    OtherRows,
}

/// All lists.
#[derive(Clone, Debug, Default)]
pub struct Lists(Vec<List>);

impl Lists {
    /// The lists that there are, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &List> {
        self.0.iter().filter(|list| list.version() > 0)
    }

    /// A list by its name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&List> {
        self.iter().find(|list| list.name() == name)
    }

    /// Whether a list that a rule names has an entry in force. Allocates nothing.
    #[must_use]
    pub fn holds(&self, named: &NamedList, key: Key<'_>, now_ms: i64) -> bool {
        let list = self.named(&named.name).filter(|list| list.kind().fact() == named.of);
        let key = |list: &List| ListKey::of(list.kind(), key);
        list.and_then(|list| Some((list, key(list)?))).is_some_and(|(list, key)| list.holds(&key, now_ms))
    }

    /// How many rows of the change of an order are staged.
    #[must_use]
    pub fn staged(&self, order: &[u8; 16]) -> u32 {
        self.0.iter().find_map(|list| list.staged(order)).map_or(0, |(rows, _)| rows)
    }

    /// Rows that take room.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.iter().map(List::rows).sum()
    }

    /// Changes in force of all lists together, by which people see that something changed.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.iter().map(|list| u64::from(list.version())).sum()
    }

    /// One of these, or one whose first change is under way.
    fn any(&self, name: &str) -> Option<&List> {
        self.0.iter().find(|list| list.name() == name)
    }

    fn any_mut(&mut self, name: change::ListName, kind: ListKind) -> &mut List {
        let at = self.0.iter().position(|list| list.name() == &name[..]).unwrap_or_else(|| {
            self.0.push(List::new(name, kind));
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// Whether there is room for a change, and it fits the list that there is.
    fn check(&self, change: &ListChange) -> Result<(), ListFault> {
        let full = |what| Err(ListFault::Full(what));
        if !change.is_well_formed() {
            return Err(ListFault::Form);
        }
        let Some(list) = self.any(&change.list) else {
            return if self.0.len() < LISTS_MAX { Ok(()) } else { full("256 lists") };
        };
        if list.kind() != change.kind {
            let (is, named) = (list.kind().name(), change.kind.name());
            return Err(ListFault::OtherKind { list: change.list.to_string(), is, named });
        }
        if list.version() >= CHANGES_MAX { full("1,048,576 changes of one list") } else { Ok(()) }
    }
}

/// A change that an order is for.
fn change_of(order: &Order) -> Option<&ListChange> {
    match &order.what {
        What::ChangeListIn { change, .. } => Some(change),
        _ => None,
    }
}

impl Books {
    /// The lists by name.
    #[must_use]
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// How many rows of an order are staged.
    #[must_use]
    pub fn rows_staged(&self, order: &Order) -> u32 {
        let list = change_of(order).and_then(|change| self.lists.any(&change.list));
        list.and_then(|list| list.staged(&order.id)).map_or(0, |(rows, _)| rows)
    }

    /// What follows if the next piece of an order's rows is staged: `rows` are packed, and as many as a piece has.
    ///
    /// # Errors
    /// It cannot be; whether two officers signed the order is asked before.
    pub fn decide_rows(&self, order: &Order, rows: &[u8]) -> Result<Event, ListFault> {
        let change = change_of(order).ok_or(ListFault::NoList)?;
        self.lists.check(change)?;
        let staged = self.rows_staged(order);
        let more = u32::try_from(rows.len() / ROW_BYTES).unwrap_or(u32::MAX);
        let last = staged.checked_add(more) == Some(change.rows);
        let whole = more as usize == PIECE_ROWS || last && more > 0 && (more as usize) < PIECE_ROWS;
        let grounds = u8::try_from(change.grounds.len()).unwrap_or(u8::MAX);
        let known = ListRow::unpack(rows)
            .is_some_and(|mut rows| rows.all(|row| row.ground < grounds || change.how == How::Remove));
        if !whole || !known || staged.saturating_add(more) > change.rows {
            return Err(ListFault::OtherRows);
        }
        if self.lists.rows() + rows.len() / ROW_BYTES > ROWS_MAX {
            return Err(ListFault::Full("8,388,608 rows of all lists together"));
        }
        Ok(Event::ListRowsStaged(StagedRows {
            order: order.id,
            list: change.list,
            kind: change.kind,
            how: change.how,
            grounds,
            first: staged,
            rows: rows.to_vec(),
        }))
    }

    /// What follows if a change is put in force.
    pub(super) fn decide_list(&self, order: &Order) -> Result<Event, ListFault> {
        let change = change_of(order).ok_or(ListFault::NoList)?;
        self.lists.check(change)?;
        let list = self.lists.any(&change.list);
        if change.how == How::Remove && self.lists.named(&change.list).is_none() {
            return Err(ListFault::NoSuch(change.list.to_string()));
        }
        let (staged, hash) = list.and_then(|list| list.staged(&order.id)).unwrap_or((0, change::NO_ROWS));
        if staged != change.rows {
            return Err(ListFault::Incomplete { staged, rows: change.rows });
        }
        if hash != change.hash {
            return Err(ListFault::OtherRows);
        }
        let none = List::new(change.list, change.kind);
        Ok(Event::ListChanged(list.unwrap_or(&none).would_come(change, &order.id)))
    }

    pub(super) fn stage_rows(&mut self, staged: &StagedRows) -> Result<(), ApplyError> {
        let (seq, now_ms) = (self.seq, self.time_ms);
        let wrong = ApplyError::NoSuch { seq, what: "change of a list, as far as these rows go on," };
        if list_name(&staged.list).is_none() {
            return Err(wrong);
        }
        let list = self.lists.any_mut(staged.list, staged.kind);
        if list.kind() != staged.kind {
            return Err(wrong);
        }
        list.stage(staged, now_ms).ok_or(wrong)
    }

    pub(super) fn change_list(
        &mut self,
        changed: &ListChanged,
        signed: &SignedOrder,
    ) -> Result<(), ApplyError> {
        let (seq, at_ms) = (self.seq, self.time_ms);
        let wrong = ApplyError::NoSuch { seq, what: "change of a list" };
        // The same question as before the record was written: what it says must follow from what was staged.
        match self.decide_list(&signed.order) {
            Ok(Event::ListChanged(would)) if would == *changed => {}
            _ => return Err(wrong),
        }
        let change = change_of(&signed.order).ok_or(wrong)?;
        let officers = match signed.signatures.as_slice() {
            [author, approver] => Some((author.officer, approver.officer)),
            _ => None,
        };
        let list = self.lists.any_mut(change.list, change.kind);
        list.publish(change, signed.order.id, (seq, at_ms), officers);
        Ok(())
    }

    /// The lists as rows of a snapshot: of each a head, then its parts.
    pub(super) fn list_rows(&self) -> impl Iterator<Item = ListRowOfSnapshot> + '_ {
        self.lists.0.iter().flat_map(|list| {
            let head = std::iter::once(ListRowOfSnapshot::Head(list.head()));
            head.chain(list.parts().map(ListRowOfSnapshot::Part))
        })
    }

    pub(super) fn lists_len(&self) -> u64 {
        self.lists.0.len() as u64
    }

    /// Puts one list of a snapshot back, row by row.
    pub(super) fn restore_list<E>(
        &mut self,
        mut next: impl FnMut() -> Result<ListRowOfSnapshot, E>,
        wrong: impl Fn() -> E,
    ) -> Result<(), E> {
        let ListRowOfSnapshot::Head(head) = next()? else { return Err(wrong()) };
        let parts = head.parts();
        let mut list = List::of_head(head);
        for _ in 0..parts {
            let ListRowOfSnapshot::Part(part) = next()? else { return Err(wrong()) };
            list.restore(part);
        }
        self.lists.0.push(list);
        Ok(())
    }
}

/// A row of a snapshot.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub(super) enum ListRowOfSnapshot {
    /// A list begins.
    Head(Head),
    /// What belongs to it.
    Part(Part),
}
