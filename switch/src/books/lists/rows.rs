//! The rows of one list: keys, each with what counts now and what would count after the change under way.
//!
//! A list may have millions, and it grows while requests wait: so rows lie in many small tables, of which one at a time
//! grows. A row has 32 bytes, and its place in an index takes four to eight more. The order of the rows follows from what was put in and
//! taken out alone, so a snapshot of them is the same wherever it is made.

use serde::{Deserialize, Serialize};

use super::key::ListKey;
use crate::books::index::{Index, Key};

/// So many tables: with a million rows one of them has sixteen thousand, and grows in a fraction of a millisecond.
const TABLES: usize = 64;

/// What a list says of a key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::books) struct Value {
    /// Where it comes from, from 1 on; 0 where there is nothing.
    pub(super) origin: u32,
    /// When it ends, seconds since 1970 UTC; 0 is never.
    pub(super) until_s: u32,
}

/// One key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::books) struct Row {
    pub(super) key: ListKey,
    /// What counted before the change that `next` belongs to.
    pub(super) now: Value,
    /// What counts once that change is in force.
    pub(super) next: Value,
}

impl Key for ListKey {}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// None before the first row.
    tables: Vec<Table>,
    len: usize,
}

#[derive(Clone, Debug, Default)]
struct Table {
    rows: Vec<Row>,
    places: Index,
}

/// A place to go on from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::books) struct Cursor {
    table: u32,
    row: u32,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn find(&self, key: &ListKey) -> Option<&Row> {
        let table = self.tables.get(table_of(key))?;
        table.rows.get(table.place(key)? as usize)
    }

    /// The row of a key; one that says nothing if there is none yet.
    pub(super) fn row_mut(&mut self, key: &ListKey) -> &mut Row {
        if self.tables.is_empty() {
            self.tables.resize_with(TABLES, Table::default);
        }
        let table = &mut self.tables[table_of(key)];
        let place = match table.place(key) {
            Some(place) => place as usize,
            None => {
                self.len += 1;
                table.push(Row { key: *key, now: Value::default(), next: Value::default() })
            }
        };
        &mut table.rows[place]
    }

    /// Looks at the next so many rows, round and round, and takes out those of which `is_over` says so.
    pub(super) fn sweep(&mut self, at: &mut Cursor, rows: usize, mut is_over: impl FnMut(&Row) -> bool) {
        // A table without rows is passed, too, and costs as much.
        for _ in 0..rows {
            let Some(table) = self.tables.get_mut(at.table as usize) else {
                *at = Cursor::default();
                continue;
            };
            match table.rows.get(at.row as usize) {
                None => *at = Cursor { table: at.table + 1, row: 0 },
                Some(row) if is_over(row) => {
                    table.remove(at.row);
                    self.len -= 1;
                }
                Some(_) => at.row += 1,
            }
        }
    }

    /// All rows, table by table.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.tables.iter().flat_map(|table| &table.rows)
    }

    /// Puts a row of a snapshot back, behind those before it.
    pub(super) fn restore(&mut self, row: Row) {
        let Row { now, next, .. } = row;
        let place = self.row_mut(&row.key);
        (place.now, place.next) = (now, next);
    }
}

impl Table {
    fn place(&self, key: &ListKey) -> Option<u32> {
        self.places.find(key, |place| self.rows[place as usize].key)
    }

    fn push(&mut self, row: Row) -> usize {
        let place = self.rows.len();
        self.rows.push(row);
        self.index(&row.key, place);
        place
    }

    fn index(&mut self, key: &ListKey, place: usize) {
        // INVARIANT: `ROWS_MAX` is far below 2^32.
        let place = u32::try_from(place).expect("a place of 32 bits");
        let rows = &self.rows;
        self.places.insert(key, place, |place| rows[place as usize].key);
    }

    /// Takes a row out; the last one comes in its place.
    fn remove(&mut self, place: u32) {
        let rows = &self.rows;
        let key = rows[place as usize].key;
        self.places.remove(&key, place, |place| rows[place as usize].key);
        let last = rows.len() - 1;
        if place as usize != last {
            let moved = rows[last].key;
            self.index(&moved, place as usize);
        }
        self.rows.swap_remove(place as usize);
    }
}

/// Keys may be texts that are nearly alike, so all their bytes have a say. The same in every process: it orders snapshots.
fn table_of(key: &ListKey) -> usize {
    let (one, other) = key.0.split_at(8);
    let word = |half: &[u8]| half.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let mixed = (word(one) ^ word(other).rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 58).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn key(number: u64) -> ListKey {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_be_bytes());
        ListKey(key)
    }

    #[test]
    fn rows_are_those_of_a_plain_map_and_a_snapshot_is_the_same() {
        let (mut rows, mut naive, mut cursor) = (Rows::default(), BTreeMap::new(), Cursor::default());
        let mut random = 88_172_645_463_325_252_u64;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        for step in 0..60_000_u32 {
            let number = draw(5_000);
            let row = rows.row_mut(&key(number));
            row.next.origin = step;
            naive.insert(key(number), step);
            if step % 7 == 0 {
                rows.sweep(&mut cursor, 9, |row| {
                    let over = row.next.origin % 3 == 0;
                    if over {
                        assert_eq!(naive.remove(&row.key), Some(row.next.origin));
                    }
                    over
                });
            }
        }
        assert_eq!(rows.len(), naive.len());
        assert!(rows.len() > 100, "{} rows are left", rows.len());
        for number in 0..5_000 {
            let found = rows.find(&key(number)).map(|row| row.next.origin);
            assert_eq!(found, naive.get(&key(number)).copied(), "{number}");
        }
        let mut restored = Rows::default();
        rows.iter().for_each(|row| restored.restore(*row));
        assert!(rows.iter().eq(restored.iter()));
        let largest = rows.tables.iter().map(|table| table.rows.len()).max().unwrap_or(0);
        assert!(largest < rows.len() / 20, "{largest} of {} in one table", rows.len());
    }
}
