//! An entry of the table in forty bytes, with its place in its terminal's list.
//!
//! Forty bytes are enough for what nearly all requests are: purchases, withdrawals, holds, reversals, and whatever was
//! declined. What few have (a record that they are about, the random number of a telephone POS, what a load moved) stands
//! apart, in as many bytes again and once more. An entry with a value for which there are no bits is kept whole.
//!
//! Nothing is lost: what comes out is what went in. Start at [`Rows::put`] and [`Rows::get`].

use hashbrown::HashMap;

use super::{Standing, Transaction, TransactionKey};
use crate::{
    books::{
        Seq,
        event::Pvv,
        reason::Reason,
        request::{Kind, NO_PARTICULARS, Shown},
    },
    ledger::{AccountId, Currency, Minor, Posting, Postings, holds::HoldId},
};

/// No entry, where a place is expected.
pub(super) const NONE: u32 = u32::MAX;

/// All entries, each in a place that it keeps.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    rows: Vec<Row>,
    /// The first place that has become free; its row names the next.
    free: u32,
    more: Vec<More>,
    /// Places in `more` that have become free.
    more_free: Vec<u32>,
    whole: HashMap<u32, Box<Transaction>>,
    /// Of which an entry keeps the place.
    currencies: Vec<Currency>,
}

/// An entry, in words of bits. From the highest: `name` is the record's number and the STAN, `when` the recorded time and
/// the terminal, `what` the batch, the card and the kind, `how` the amount and the rest.
#[derive(Clone, Copy, Debug)]
struct Row {
    name: u64,
    when: u64,
    what: u64,
    how: u64,
    /// The lower bits of what was shown, or the place in `more`.
    shown: u32,
    /// The next entry of the same terminal, or the next free place.
    next: u32,
}

// There may be a million of them, and each is waited for when its terminal or its time is up.
const _: () = assert!(size_of::<Row>() == 40);

/// What few entries have.
#[derive(Clone, Copy, Debug)]
struct More {
    shown: Option<Shown>,
    particulars: u64,
    original: Option<Seq>,
    returned: Minor,
    released: Option<HoldId>,
    random: Option<[u8; 8]>,
    pin_change: Option<(Pvv, u16)>,
    partial: Option<Minor>,
    /// What gave its amount to what.
    moved: Option<[AccountId; 2]>,
}

const _: () = assert!(size_of::<More>() <= 120);

/// Widths in bits. Record numbers are enough for five years of a hundred thousand a second, times until 2109.
const STAN: u32 = 20;
const SEQ: u32 = 44;
const TERMINAL: u32 = 22;
const TIME: u32 = 42;
const KIND: u32 = 5;
const CARD: u32 = 28;
const BATCH: u32 = 31;
const SHOWN_ABOVE: u32 = 6;
const FORM: u32 = 2;
const DAY: u32 = 4;
const CURRENCY: u32 = 4;
const CLASS: u32 = 4;
const STANDING: u32 = 2;
const REASON: u32 = 6;
const AMOUNT: u32 = 36;

/// What a card's place is where there is none.
const NO_CARD: u64 = (1 << CARD) - 1;
/// What was shown, where nothing was.
const NOT_SHOWN: u64 = (1 << (SHOWN_ABOVE + 32)) - 1;
/// The business day is at most so many days before the day of the recorded time in UTC.
const DAYS_BEFORE: i64 = 8;
const DAY_MS: i64 = 86_400_000;

/// Where the rest of an entry is.
const ALONE: u64 = 0;
const WITH_MORE: u64 = 1;
const WHOLE: u64 = 2;

const STANDINGS: [Standing; 3] = [Standing::Answered, Standing::Reversed, Standing::Tombstone];

/// Bits put side by side, each value above those before it.
struct Word {
    word: u64,
    used: u32,
    /// What was too large for its place.
    over: u64,
}

impl Word {
    fn new() -> Self {
        Self { word: 0, used: 0, over: 0 }
    }

    fn put(&mut self, width: u32, value: u64) {
        self.over |= value >> width;
        self.word |= value << self.used;
        self.used += width;
    }
}

/// The bits of a word from one place on.
fn bits(word: u64, from: u32, width: u32) -> u64 {
    word >> from & ((1 << width) - 1)
}

/// Bits that are no more than 32 wide.
fn bits_32(word: u64, from: u32, width: u32) -> u32 {
    (bits(word, from, width) & 0xFFFF_FFFF) as u32
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            free: NONE,
            more: Vec::new(),
            more_free: Vec::new(),
            whole: HashMap::new(),
            currencies: Vec::new(),
        }
    }
}

impl Rows {
    /// Makes room for so many entries in all.
    pub(super) fn reserve(&mut self, max: usize) {
        self.rows.reserve_exact(max.saturating_sub(self.rows.len()));
    }

    /// Whether there is a row at this place; not whether an entry is in it.
    pub(super) fn has(&self, at: u32) -> bool {
        (at as usize) < self.rows.len()
    }

    /// Puts an entry in and returns its place.
    pub(super) fn put(&mut self, entry: &Transaction) -> u32 {
        let row = self.packed(entry);
        let at = match self.free {
            NONE => {
                // INVARIANT: the policy's maximum is 32 bits and `remember` keeps to it.
                let at = u32::try_from(self.rows.len()).expect("fewer than 2^32 places");
                self.push(row.unwrap_or(Row::WHOLE));
                at
            }
            at => {
                self.free = self.rows[at as usize].next;
                self.rows[at as usize] = row.unwrap_or(Row::WHOLE);
                at
            }
        };
        if row.is_none() {
            self.keep_whole(at, entry);
        }
        at
    }

    #[cold]
    #[inline(never)]
    fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Takes an entry out. Its place is the next that is used.
    pub(super) fn take(&mut self, at: u32) {
        let row = &mut self.rows[at as usize];
        match row.form() {
            WITH_MORE => self.more_free.push(row.shown),
            WHOLE => self.drop_whole(at),
            _ => {}
        }
        let row = &mut self.rows[at as usize];
        row.next = self.free;
        self.free = at;
    }

    /// The entry at a place, put together.
    pub(super) fn get(&self, at: u32) -> Transaction {
        let row = &self.rows[at as usize];
        let form = row.form();
        if form == WHOLE {
            return self.kept_whole(at).clone();
        }
        let time_ms = row.time_ms();
        let card = bits(row.what, KIND, CARD);
        let base = Transaction {
            key: row.key(),
            seq: row.name >> STAN,
            time_ms,
            kind: Kind::ALL[bits_32(row.what, 0, KIND) as usize],
            card: (card != NO_CARD).then_some(bits_32(row.what, KIND, CARD)),
            amount: bits(row.how, 64 - AMOUNT, AMOUNT).cast_signed(),
            currency: self.currencies[bits_32(row.how, SHOWN_ABOVE + FORM + DAY, CURRENCY) as usize],
            reason: Reason::ALL[bits_32(row.how, 64 - AMOUNT - REASON, REASON) as usize],
            shown: None,
            day: day_of(time_ms, bits(row.how, SHOWN_ABOVE + FORM, DAY)),
            random: None,
            pin_change: None,
            original: None,
            returned: 0,
            released: None,
            particulars: NO_PARTICULARS,
            standing: row.standing(),
            partial: None,
            moved: Postings::new(),
        };
        if form == WITH_MORE { self.more[row.shown as usize].beside(base) } else { row.shown_in(base) }
    }

    /// An entry that has no bits.
    #[cold]
    #[inline(never)]
    fn kept_whole(&self, at: u32) -> &Transaction {
        &self.whole[&at]
    }

    #[cold]
    #[inline(never)]
    fn keep_whole(&mut self, at: u32, entry: &Transaction) {
        self.whole.insert(at, Box::new(entry.clone()));
    }

    #[cold]
    #[inline(never)]
    fn drop_whole(&mut self, at: u32) {
        self.whole.remove(&at);
    }

    /// What an entry is known by.
    #[inline]
    pub(super) fn key(&self, at: u32) -> TransactionKey {
        let row = &self.rows[at as usize];
        if row.form() == WHOLE { self.kept_whole(at).key } else { row.key() }
    }

    /// What was asked.
    pub(super) fn kind(&self, at: u32) -> Kind {
        let row = &self.rows[at as usize];
        if row.form() == WHOLE {
            self.kept_whole(at).kind
        } else {
            Kind::ALL[bits_32(row.what, 0, KIND) as usize]
        }
    }

    /// Its record.
    pub(super) fn seq(&self, at: u32) -> Seq {
        let row = &self.rows[at as usize];
        if row.form() == WHOLE { self.kept_whole(at).seq } else { row.name >> STAN }
    }

    /// Its recorded time, milliseconds since 1970 UTC.
    pub(super) fn time_ms(&self, at: u32) -> i64 {
        let row = &self.rows[at as usize];
        if row.form() == WHOLE { self.kept_whole(at).time_ms } else { row.time_ms() }
    }

    /// Notes where it stands.
    pub(super) fn set_standing(&mut self, at: u32, standing: Standing) {
        let from = 64 - AMOUNT - REASON - STANDING;
        let row = &mut self.rows[at as usize];
        if row.form() == WHOLE {
            return self.set_standing_whole(at, standing);
        }
        row.how &= !(((1 << STANDING) - 1) << from);
        row.how |= (standing as u64) << from;
    }

    #[cold]
    #[inline(never)]
    fn set_standing_whole(&mut self, at: u32, standing: Standing) {
        self.whole.entry(at).and_modify(|entry| entry.standing = standing);
    }

    /// The next entry of its terminal, or [`NONE`].
    pub(super) fn next(&self, at: u32) -> u32 {
        self.rows[at as usize].next
    }

    pub(super) fn set_next(&mut self, at: u32, next: u32) {
        self.rows[at as usize].next = next;
    }

    /// An entry in bits, if it has no value that is too large for them.
    fn packed(&mut self, entry: &Transaction) -> Option<Row> {
        let key = &entry.key;
        let number = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
        let [mut name, mut when, mut what, mut how] = [(); 4].map(|()| Word::new());
        name.put(STAN, key.stan.into());
        name.put(SEQ, entry.seq);
        when.put(TERMINAL, key.terminal.into());
        when.put(TIME, number(entry.time_ms));
        what.put(KIND, entry.kind as u64);
        // A card whose place is the same as none stands elsewhere.
        let card =
            entry.card.map_or(NO_CARD, |card| if card < (1 << CARD) - 1 { card.into() } else { 1 << CARD });
        what.put(CARD, card);
        what.put(BATCH, key.batch.into());
        let day = day_bits(entry.time_ms, entry.day);
        let shown = shown_bits(entry.shown);
        let alone = shown.is_some() && More::is_empty(entry);
        let (above, form) = if alone { (shown.unwrap_or(0) >> 32, ALONE) } else { (0, WITH_MORE) };
        how.put(SHOWN_ABOVE, above);
        how.put(FORM, form);
        how.put(DAY, day);
        how.put(CURRENCY, self.currency(entry.currency)?);
        how.put(CLASS, key.class.into());
        how.put(STANDING, entry.standing as u64);
        how.put(REASON, entry.reason as u64);
        how.put(AMOUNT, number(entry.amount));
        if name.over | when.over | what.over | how.over != 0 {
            return None;
        }
        let shown = if alone { (shown.unwrap_or(0) & 0xFFFF_FFFF) as u32 } else { self.put_more_of(entry)? };
        Some(Row { name: name.word, when: when.word, what: what.word, how: how.word, shown, next: NONE })
    }

    /// The place of a currency, which is new if no entry had it yet; none once there are more than have bits.
    fn currency(&mut self, currency: Currency) -> Option<u64> {
        match self.currencies.iter().position(|known| *known == currency) {
            Some(place) => Some(place as u64),
            None => self.new_currency(currency),
        }
    }

    #[cold]
    #[inline(never)]
    fn new_currency(&mut self, currency: Currency) -> Option<u64> {
        let place = self.currencies.len();
        (place < 1 << CURRENCY).then(|| {
            self.currencies.push(currency);
            place as u64
        })
    }

    /// Apart, so that the many that have nothing of it do without its code.
    #[inline(never)]
    fn put_more_of(&mut self, entry: &Transaction) -> Option<u32> {
        More::of(entry).map(|more| self.put_more(more))
    }

    #[inline]
    fn put_more(&mut self, more: More) -> u32 {
        if let Some(at) = self.more_free.pop() {
            self.more[at as usize] = more;
            return at;
        }
        self.push_more(more)
    }

    #[cold]
    #[inline(never)]
    fn push_more(&mut self, more: More) -> u32 {
        self.more.push(more);
        // INVARIANT: there are no more of them than places.
        u32::try_from(self.more.len() - 1).expect("fewer than 2^32 places")
    }

    /// Bytes that the entries own, those aside that are kept whole.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.more.capacity() * size_of::<More>()
    }
}

impl Row {
    /// Stands for an entry that is kept whole.
    const WHOLE: Self = Self { name: 0, when: 0, what: 0, how: WHOLE << SHOWN_ABOVE, shown: 0, next: NONE };

    fn form(&self) -> u64 {
        bits(self.how, SHOWN_ABOVE, FORM)
    }

    fn key(&self) -> TransactionKey {
        let class = bits_32(self.how, SHOWN_ABOVE + FORM + DAY + CURRENCY, CLASS);
        TransactionKey {
            terminal: bits_32(self.when, 0, TERMINAL),
            batch: bits_32(self.what, KIND + CARD, BATCH),
            stan: bits_32(self.name, 0, STAN),
            class: (class & 0xF) as u8,
        }
    }

    fn time_ms(&self) -> i64 {
        (self.when >> TERMINAL).cast_signed()
    }

    fn standing(&self) -> Standing {
        STANDINGS[bits_32(self.how, 64 - AMOUNT - REASON - STANDING, STANDING) as usize]
    }

    fn shown_in(&self, base: Transaction) -> Transaction {
        let shown = bits(self.how, 0, SHOWN_ABOVE) << 32 | u64::from(self.shown);
        let shown = (shown != NOT_SHOWN).then(|| Shown { available: shown.cast_signed(), held: 0 });
        Transaction { shown, ..base }
    }
}

impl More {
    /// Whether an entry has nothing of it, what was shown aside.
    fn is_empty(entry: &Transaction) -> bool {
        let is_about = entry.original.is_some() || entry.returned != 0 || entry.released.is_some();
        let is_rare = entry.random.is_some() || entry.pin_change.is_some() || entry.partial.is_some();
        entry.particulars == NO_PARTICULARS && !is_about && !is_rare && entry.moved.is_empty()
    }

    /// What an entry has of it; nothing if it moved money in another way than most.
    fn of(entry: &Transaction) -> Option<Self> {
        let moved = match entry.moved.as_slice() {
            [] => None,
            [from, to] if from.amount == -entry.amount && to.amount == entry.amount => {
                Some([from.account, to.account])
            }
            _ => return None,
        };
        let Transaction { shown, particulars, original, returned, released, .. } = *entry;
        let Transaction { random, pin_change, partial, .. } = *entry;
        Some(Self { shown, particulars, original, returned, released, random, pin_change, partial, moved })
    }

    fn beside(&self, base: Transaction) -> Transaction {
        let amount = base.amount;
        let moved = self
            .moved
            .map(|[from, to]| [Posting { account: from, amount: -amount }, Posting { account: to, amount }]);
        let Self { shown, particulars, original, returned, released, random, pin_change, partial, .. } =
            *self;
        let moved = moved.into_iter().flatten().collect();
        Transaction {
            shown,
            particulars,
            original,
            returned,
            released,
            random,
            pin_change,
            partial,
            moved,
            ..base
        }
    }
}

/// A balance in 38 bits; nothing if it is below zero, or something is held beside it.
fn shown_bits(shown: Option<Shown>) -> Option<u64> {
    let Some(Shown { available, held }) = shown else { return Some(NOT_SHOWN) };
    let available = u64::try_from(available).ok()?;
    (held == 0 && available < NOT_SHOWN).then_some(available)
}

/// A business day, as days from [`DAYS_BEFORE`] the day of the recorded time; what does not fit is too large to put.
fn day_bits(time_ms: i64, day: i32) -> u64 {
    // A time before 1970 is too large itself.
    let from = (time_ms.cast_unsigned() / DAY_MS.cast_unsigned()).cast_signed() - DAYS_BEFORE;
    (i64::from(day) - from).cast_unsigned()
}

fn day_of(time_ms: i64, bits: u64) -> i32 {
    let day = time_ms.div_euclid(DAY_MS) - DAYS_BEFORE + bits.cast_signed();
    // What went in was a day in 32 bits.
    i32::try_from(day).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
