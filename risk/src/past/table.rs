//! The rows of one way of counting: by card, by terminal, by card at a merchant.
//!
//! A row is some words in a piece that is never moved; rows of subjects that no window can reach any more are given to
//! others, a few at each record, so that no moment pays for all of them.
//!
//! Start at [`Table::count`] and [`Table::enter`].

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::hash::BuildHasher;

use super::happened::{Key, Place, Spot, TakenBack, Whose};
use super::log::{Entry, Log, NONE};
use super::plan::{Cell, Layout, Now, goes_on, low, words};
use crate::language::{Fact, Measure, Of, TimeSpan};
use crate::{Day, Period};

/// Rows of a piece.
const PIECE: u32 = 1_024;

/// At one record in so many rows are looked at, whether anything can still reach them.
const EVERY: u32 = 16;

/// How many then, one behind the other: memory brings those behind the first before they are asked for.
const LOOKED_AT: u32 = 32;

/// The day of a row that is nobody's.
const NOBODY: Day = Day(i32::MIN);

/// When a card was approved first and last, and where last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Visits {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) place: Place,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) layout: Layout,
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    pieces: Vec<Box<[u32]>>,
    rows: u32,
    free: Vec<u32>,
    looked_at: u32,
    /// Records since rows were looked at.
    waited: u32,
    /// Latest entry of each different one, in the order of the layout's.
    latest: Vec<HashMap<(u32, u64), u32>>,
}

impl Table {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            latest: vec![HashMap::new(); layout.different.len()],
            layout,
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            pieces: Vec::new(),
            rows: 0,
            free: Vec::new(),
            looked_at: 0,
            waited: 0,
        }
    }

    /// Whether anything is counted in this way.
    pub(super) fn is_used(&self) -> bool {
        self.layout.words > 0
    }

    /// Subjects that have a row.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Makes room for this many subjects.
    pub(super) fn reserve(&mut self, subjects: usize) {
        if self.is_used() {
            let Self { index, hasher, pieces, layout, .. } = self;
            let more = subjects.saturating_sub(index.len());
            index.reserve(more, |row| hasher.hash_one(key_of(row_in(pieces, layout.words, *row))));
        }
    }

    pub(super) fn row(&self, row: u32) -> &[u32] {
        row_in(&self.pieces, self.layout.words, row)
    }

    pub(super) fn row_mut(&mut self, row: u32) -> &mut [u32] {
        self.layout_and_row(row).1
    }

    pub(super) fn find(&self, key: Key) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |row| key_of(self.row(*row)) == key).copied()
    }

    /// A subject's row, a new one if it has none.
    pub(super) fn row_of(&mut self, key: Key, day: Day) -> u32 {
        let hash = self.hasher.hash_one(key);
        if let Some(row) = self.index.find(hash, |row| key_of(self.row(*row)) == key) {
            return *row;
        }
        let number = self.free.pop().unwrap_or_else(|| self.new_row());
        let (layout, row) = self.layout_and_row(number);
        row.fill(0);
        let first = key.0.cast_signed();
        (row[words::KEY], row[words::KEY + 1], row[words::KEY + 2]) = (low(first), low(first >> 32), key.1);
        row[words::DAY] = day_word(day);
        if layout.link.is_some() {
            row[words::LATEST] = NONE;
        }
        layout.giving.iter().filter_map(|cell| cell.oldest).for_each(|at| row[at] = NONE);
        let Self { index, hasher, pieces, layout, .. } = self;
        index.insert_unique(hash, number, |row| hasher.hash_one(key_of(row_in(pieces, layout.words, *row))));
        number
    }

    fn new_row(&mut self) -> u32 {
        if self.rows.is_multiple_of(PIECE) {
            self.pieces.push(vec![0; PIECE as usize * self.layout.words].into_boxed_slice());
        }
        self.rows += 1;
        self.rows - 1
    }

    /// Counts an entry in windows of the calendar: in all, or in those that say so.
    pub(super) fn count(&mut self, row: u32, entry: &Entry, currency: u16, which: impl Fn(usize) -> bool) {
        let (layout, words) = self.layout_and_row(row);
        roll(layout, words, entry.day);
        let latest = day_of(words);
        for cell in layout.beginning.iter().filter(|cell| which(cell.window)) {
            if let TimeSpan::Calendar(period) = cell.span
                && goes_on(period, latest, entry.day)
            {
                cell.put(words, cell.value(words).saturating_add(cell.brings(entry, currency)));
            }
        }
    }

    /// Takes back from windows of the calendar that still hold the original's day, where they counted it.
    pub(super) fn uncount(
        &mut self,
        row: u32,
        back: &TakenBack,
        in_sums: bool,
        knew: impl Fn(usize) -> bool,
    ) {
        let (layout, words) = self.layout_and_row(row);
        let latest = day_of(words);
        for cell in layout.beginning.iter().filter(|cell| knew(cell.window)) {
            let TimeSpan::Calendar(period) = cell.span else { continue };
            let less = match cell.measure {
                Measure::Count(Of::Approved) if back.whole => {
                    if back.amount < 0 {
                        -1
                    } else {
                        1
                    }
                }
                Measure::Sum(Of::Approved) if in_sums => back.amount,
                _ => continue,
            };
            if goes_on(period, latest, back.day) {
                cell.put(words, cell.value(words).saturating_sub(less).max(0));
            }
        }
    }

    /// Links an entry of the log to its subject, and counts it in the windows that give back.
    pub(super) fn enter(&mut self, log: &mut Log, place: u64, row: u32, now: &Now) {
        let Some(link) = self.layout.link else { return };
        if !self.layout.different.is_empty() {
            self.came_again(log, place, row, now.currency);
        }
        let short = Log::short(place);
        log.link_mut(place, link).row = row;
        let entry = log.entry(place);
        let (layout, words) = self.layout_and_row(row);
        for cell in &layout.giving {
            let Some(at) = cell.oldest else { continue };
            let (value, oldest) = left(cell, words, log, link, now);
            words[at] = if oldest == NONE { short } else { oldest };
            cell.put(words, value.wrapping_add(cell.brings(entry, now.currency)));
        }
        let latest = words[words::LATEST];
        words[words::LATEST] = short;
        words[words::ENTRIES] += 1;
        if latest != NONE {
            let before = log.long(latest);
            log.link_mut(before, link).next = short;
        }
    }

    /// A different one that came before no longer counts at its earlier entry.
    fn came_again(&mut self, log: &mut Log, place: u64, row: u32, currency: u16) {
        let entry = *log.entry(place);
        if !entry.marks.contains(Of::Attempts) {
            return;
        }
        for at in 0..self.layout.different.len() {
            let (fact, bit) = self.layout.different[at];
            let earlier = self.latest[at].insert((row, who(fact, &entry.whose)), Log::short(place));
            let Some(earlier) = earlier.map(|short| log.long(short)) else { continue };
            let before = *log.entry(earlier);
            let (layout, words) = self.layout_and_row(row);
            for cell in layout.giving.iter().filter(|cell| cell.bit == bit) {
                let Some(oldest) = cell.oldest else { continue };
                if words[oldest] != NONE && log.long(words[oldest]) <= earlier {
                    cell.put(words, cell.value(words).wrapping_sub(cell.brings(&before, currency)));
                }
            }
            log.entry_mut(earlier).came_again |= bit;
        }
    }

    /// A window's value at a moment, without changing anything.
    pub(super) fn value(&self, cell: &Cell, row: u32, log: &Log, now: &Now) -> i64 {
        let words = self.row(row);
        match (cell.oldest, self.layout.link, cell.span) {
            (Some(_), Some(link), _) => left(cell, words, log, link, now).0,
            (_, _, TimeSpan::Calendar(period)) if now.shares(period, day_of(words)) => cell.value(words),
            _ => 0,
        }
    }

    /// Takes back from an entry, which still stands as it was.
    pub(super) fn take_back(&mut self, log: &Log, place: u64, now: &Entry, currency: u16) {
        let Some(link) = self.layout.link else { return };
        let (row, before) = (log.link(place, link).row, log.entry(place));
        let (layout, words) = self.layout_and_row(row);
        for cell in &layout.giving {
            let Some(oldest) = cell.oldest else { continue };
            if words[oldest] != NONE && log.long(words[oldest]) <= place {
                let less = cell.brings(before, currency).wrapping_sub(cell.brings(now, currency));
                cell.put(words, cell.value(words).wrapping_sub(less));
            }
        }
    }

    /// Lets go of the oldest entry of the log, which is its subject's oldest too.
    pub(super) fn forget(&mut self, log: &Log, place: u64, currency: u16) {
        let Some(link) = self.layout.link else { return };
        let (at, entry, short) = (log.link(place, link), log.entry(place), Log::short(place));
        for ((fact, _), latest) in self.layout.different.iter().zip(&mut self.latest) {
            let who = (at.row, who(*fact, &entry.whose));
            if latest.get(&who) == Some(&short) {
                latest.remove(&who);
            }
        }
        let (layout, words) = self.layout_and_row(at.row);
        for cell in &layout.giving {
            let Some(oldest) = cell.oldest else { continue };
            if words[oldest] == short {
                cell.put(words, cell.value(words).wrapping_sub(cell.brings(entry, currency)));
                words[oldest] = at.next;
            }
        }
        if words[words::LATEST] == short {
            words[words::LATEST] = NONE;
        }
        words[words::ENTRIES] -= 1;
    }

    /// Gives away some rows that nothing can reach any more.
    pub(super) fn clear_some(&mut self, now: &Now) {
        self.waited += 1;
        if self.waited < EVERY {
            return;
        }
        self.waited = 0;
        let begin = self.looked_at;
        // No further than the piece goes.
        let end = (begin + LOOKED_AT).min(self.rows).min((begin / PIECE + 1) * PIECE);
        for row in begin..end {
            let words = self.row(row);
            if day_of(words) == NOBODY || self.is_reachable(words, now) {
                continue;
            }
            let hash = self.hasher.hash_one(key_of(words));
            if let Ok(found) = self.index.find_entry(hash, |known| *known == row) {
                found.remove();
            }
            self.row_mut(row)[words::DAY] = day_word(NOBODY);
            self.free.push(row);
        }
        self.looked_at = if end < self.rows { end } else { 0 };
    }

    /// Whether any window can still see something in a row.
    fn is_reachable(&self, words: &[u32], now: &Now) -> bool {
        self.layout.link.is_some() && words[words::ENTRIES] > 0 || self.has_kept(words, now)
    }

    /// Whether a row has something that does not follow from the log.
    pub(super) fn has_kept(&self, words: &[u32], now: &Now) -> bool {
        let counts = |cell: &Cell| match cell.span {
            TimeSpan::Calendar(period) => cell.value(words) > 0 && now.shares(period, day_of(words)),
            TimeSpan::Sliding(_) => false,
        };
        self.visits_in(words).is_some() || self.layout.beginning.iter().any(counts)
    }

    /// The rows that have somebody, by who it is.
    pub(super) fn in_order(&self) -> Vec<(Key, u32)> {
        let mut rows: Vec<(Key, u32)> = self.index.iter().map(|row| (key_of(self.row(*row)), *row)).collect();
        rows.sort_unstable();
        rows
    }

    /// When and where a card was approved first and last.
    pub(super) fn visits(&self, row: u32) -> Option<Visits> {
        self.visits_in(self.row(row))
    }

    fn visits_in(&self, words: &[u32]) -> Option<Visits> {
        let at = self.layout.visits?;
        let words = &words[at..at + words::VISITS];
        let number = |at: usize| (u64::from(words[at]) | u64::from(words[at + 1]) << 32).cast_signed();
        let spot = Spot { north_e4: words[5].cast_signed(), east_e4: words[6].cast_signed() };
        let place = Place { region: words[4], spot: (spot.north_e4 != i32::MIN).then_some(spot) };
        let visits = Visits { first_ms: number(0), last_ms: number(2), place };
        (visits.last_ms != 0).then_some(visits)
    }

    /// Notes where and when a card was approved.
    pub(super) fn visit(&mut self, row: u32, at_ms: i64, place: &Place) {
        let Some(at) = self.layout.visits else { return };
        let first_ms = self.visits(row).map_or(at_ms, |visits| visits.first_ms);
        let spot = place.spot.unwrap_or(Spot { north_e4: i32::MIN, east_e4: 0 });
        self.row_mut(row)[at..at + words::VISITS].copy_from_slice(&[
            low(first_ms),
            low(first_ms >> 32),
            low(at_ms),
            low(at_ms >> 32),
            place.region,
            spot.north_e4.cast_unsigned(),
            spot.east_e4.cast_unsigned(),
        ]);
    }

    /// Bytes owned.
    pub(super) fn bytes(&self) -> usize {
        let latest = self.latest.iter().map(HashMap::allocation_size).sum::<usize>();
        self.pieces.len() * PIECE as usize * self.layout.words * 4 + self.index.allocation_size() + latest
    }

    fn layout_and_row(&mut self, row: u32) -> (&Layout, &mut [u32]) {
        let first = (row % PIECE) as usize * self.layout.words;
        let words = &mut self.pieces[(row / PIECE) as usize][first..first + self.layout.words];
        (&self.layout, words)
    }
}

/// A window's value without what has left it, and the oldest entry of what is still in it.
fn left(cell: &Cell, words: &[u32], log: &Log, link: usize, now: &Now) -> (i64, u32) {
    let (mut value, mut oldest) = (cell.value(words), cell.oldest.map_or(NONE, |at| words[at]));
    while oldest != NONE {
        let place = log.long(oldest);
        let entry = log.entry(place);
        if !cell.has_left(entry, now) {
            break;
        }
        value = value.wrapping_sub(cell.brings(entry, now.currency));
        oldest = log.link(place, link).next;
    }
    (value, oldest)
}

/// Begins the periods of a later day.
fn roll(layout: &Layout, words: &mut [u32], day: Day) {
    let latest = day_of(words);
    if day <= latest {
        return;
    }
    let goes_on = Period::shared(latest, day);
    for cell in &layout.beginning {
        if matches!(cell.span, TimeSpan::Calendar(period) if !goes_on[period as usize]) {
            cell.put(words, 0);
        }
    }
    words[words::DAY] = day_word(day);
}

fn row_in(pieces: &[Box<[u32]>], words: usize, row: u32) -> &[u32] {
    let first = (row % PIECE) as usize * words;
    &pieces[(row / PIECE) as usize][first..first + words]
}

fn key_of(row: &[u32]) -> Key {
    (u64::from(row[words::KEY]) | u64::from(row[words::KEY + 1]) << 32, row[words::KEY + 2])
}

pub(super) fn day_of(row: &[u32]) -> Day {
    Day(row[words::DAY].cast_signed())
}

pub(super) fn day_word(day: Day) -> u32 {
    day.0.cast_unsigned()
}

/// The number of one of which different ones are counted.
fn who(fact: Fact, whose: &Whose) -> u64 {
    match fact {
        Fact::Card => whose.card,
        Fact::Terminal => u64::from(whose.terminal),
        _ => u64::from(whose.merchant),
    }
}
