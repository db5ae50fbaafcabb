//! All cards: forty bytes each and five to six in the index of tokens, because there may be ten million of them.
//!
//! What many cards have in common (BIN, product, orderer) stands once, in a kind; what few have (regions of their own)
//! stands apart; everything else is packed into bits. Outside, a [`Card`] is whole: it is put together when it is looked
//! at, and changed by `CardTable::change`.
//!
//! Start at `CardTable`; [`Cards`] is how others see all of it.

use std::num::NonZeroU16;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{
    CardId,
    card::{Card, LinkedPhone},
    event::{CardState, Pvv, Token},
    product::Regions,
    tokens::TokenIndex,
};
use crate::ledger::{AccountId, rows::Rows};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct CardTable {
    rows: Rows<Row>,
    kinds: Vec<Kind>,
    kind_of: HashMap<Kind, u32>,
    /// Of the cards whose row says so.
    regions: HashMap<u32, Regions>,
    by_token: TokenIndex,
    /// Days on which telephones were linked, [`NO_DAY`] where none is known; shorter than the rows where none is known behind it.
    linked: Vec<u16>,
}

/// Stands for no day: none is known.
const NO_DAY: u16 = 0;

/// When a card was issued and its telephone was linked, as far as that is known: days since 1970-01-01 in the city's zone.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CardDays {
    /// When it was issued.
    pub issued: Option<NonZeroU16>,
    /// When its telephone was linked.
    pub linked: Option<NonZeroU16>,
}

/// A card.
#[derive(Clone, Copy, Debug)]
struct Row {
    token: Token,
    /// From the lowest bit: phone, key index, whether there are regions of its own.
    first: u64,
    /// Kind, last four, PIN verification value, wrong PINs, state.
    second: u64,
    /// First purse, version of the PIN verification value, expiry; in the highest bit [`LIMITED`].
    third: u64,
}

// There is one for every card that was ever issued.
const _: () = assert!(size_of::<Row>() == 40);

/// What cards have in common.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Kind {
    bin: u32,
    product: u16,
    orderer: u16,
    /// The day of its issue, or [`NO_DAY`]: cards are issued by the batch.
    issued: u16,
}

/// A card has a value for which its row has no bits: the files of a city and the HSM give none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooWide;

/// Widths in bits.
const PHONE: u32 = LinkedPhone::BITS;
const KEY_INDEX: u32 = 8;
const KIND: u32 = 24;
const FOUR_DIGITS: u32 = 14;
const TRIES: u32 = 8;
const STATE: u32 = 4;
const PURSE: u32 = 32;
const PIN_VERSION: u32 = 16;

/// In the third word, above all that a [`Card`] has: its holder has set limits.
const LIMITED: u64 = 1 << 63;

const STATES: [CardState; 6] = [
    CardState::Inactive,
    CardState::Active,
    CardState::Lost,
    CardState::Stolen,
    CardState::Blocked,
    CardState::Closed,
];

/// Values side by side in 64 bits, each put above those before it.
#[derive(Default)]
struct Bits {
    word: u64,
    used: u32,
}

impl Bits {
    fn of(word: u64) -> Self {
        Self { word, used: 0 }
    }

    fn put(&mut self, width: u32, value: impl Into<u64>) -> Result<(), TooWide> {
        let value = value.into();
        if value >> width != 0 {
            return Err(TooWide);
        }
        self.word |= value << self.used;
        self.used += width;
        Ok(())
    }

    fn take(&mut self, width: u32) -> u64 {
        let value = self.word & ((1 << width) - 1);
        self.word >>= width;
        value
    }

    /// As [`Bits::take`], of 8 bits at most.
    fn take_8(&mut self, width: u32) -> u8 {
        (self.take(width) & 0xFF) as u8
    }

    /// As [`Bits::take`], of 16 bits at most.
    fn take_16(&mut self, width: u32) -> u16 {
        (self.take(width) & 0xFFFF) as u16
    }

    /// As [`Bits::take`], of 32 bits at most.
    fn take_32(&mut self, width: u32) -> u32 {
        (self.take(width) & 0xFFFF_FFFF) as u32
    }
}

impl CardTable {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn view(&self) -> Cards<'_> {
        Cards { table: self }
    }

    /// A card, put together.
    pub(super) fn get(&self, at: u32) -> Option<Card> {
        self.rows.get(at as usize).map(|row| self.whole(at, row))
    }

    /// Its state, without the rest of it.
    pub(super) fn state(&self, at: u32) -> Option<CardState> {
        let row = self.rows.get(at as usize)?;
        Some(STATES[usize::from(Bits::of(row.second >> (KIND + 2 * FOUR_DIGITS + TRIES)).take_8(STATE))])
    }

    /// The position of its product, without the rest of it.
    pub(super) fn product(&self, at: u32) -> Option<u16> {
        let row = self.rows.get(at as usize)?;
        Some(self.kinds[Bits::of(row.second).take_32(KIND) as usize].product)
    }

    /// The version of its PIN verification value, without the rest of it.
    pub(super) fn pin_version(&self, at: u32) -> Option<u16> {
        self.rows.get(at as usize).map(|row| Bits::of(row.third >> PURSE).take_16(PIN_VERSION))
    }

    /// Its first purse, without the rest of it.
    pub(super) fn first_purse(&self, at: u32) -> Option<AccountId> {
        self.rows.get(at as usize).map(|row| AccountId(Bits::of(row.third).take_32(PURSE)))
    }

    /// Whether a phone is linked to it, without the rest of it.
    pub(super) fn has_phone(&self, at: u32) -> bool {
        self.rows.get(at as usize).is_some_and(|row| Bits::of(row.first).take(PHONE) != 0)
    }

    /// Whether its holder has set limits.
    pub(super) fn is_limited(&self, at: u32) -> bool {
        self.rows.get(at as usize).is_some_and(|row| row.third & LIMITED != 0)
    }

    /// Notes whether its holder has set limits; no if there is no such card.
    pub(super) fn set_limited(&mut self, at: u32, limited: bool) -> bool {
        if at as usize >= self.rows.len() {
            return false;
        }
        let row = &mut self.rows[at as usize];
        row.third = row.third & !LIMITED | if limited { LIMITED } else { 0 };
        true
    }

    /// When it was issued and its telephone was linked.
    pub(super) fn days(&self, at: u32) -> CardDays {
        let Some(row) = self.rows.get(at as usize) else { return CardDays::default() };
        let issued = self.kinds[Bits::of(row.second).take_32(KIND) as usize].issued;
        let linked = self.linked.get(at as usize).copied().unwrap_or(NO_DAY);
        CardDays { issued: NonZeroU16::new(issued), linked: NonZeroU16::new(linked) }
    }

    /// Notes when it was issued and its telephone was linked; no if there is no such card, or it has no more room.
    pub(super) fn set_days(&mut self, at: u32, days: CardDays) -> bool {
        let Some(card) = self.get(at) else { return false };
        let issued = days.issued.map_or(NO_DAY, NonZeroU16::get);
        let Ok(packed) = self.packed(at, &card, issued) else { return false };
        let row = &mut self.rows[at as usize];
        *row = Row { third: packed.third | row.third & LIMITED, ..packed };
        let linked = days.linked.map_or(NO_DAY, NonZeroU16::get);
        if linked != NO_DAY && self.linked.len() <= at as usize {
            self.linked.resize(at as usize + 1, NO_DAY);
        }
        if let Some(day) = self.linked.get_mut(at as usize) {
            *day = linked;
        }
        true
    }

    /// Whether anything is known of when cards were issued or telephones linked.
    pub(super) fn are_dated(&self) -> bool {
        !self.linked.is_empty() || self.kinds.iter().any(|kind| kind.issued != NO_DAY)
    }

    /// The place of the card that a token stands for.
    pub(super) fn find(&self, token: &Token) -> Option<CardId> {
        self.by_token.find(token, token_at(&self.rows)).map(CardId)
    }

    /// Adds a card whose token nobody has yet.
    pub(super) fn push(&mut self, card: &Card) -> Result<(), TooWide> {
        self.restore(card)?;
        self.by_token.push(token_at(&self.rows));
        Ok(())
    }

    /// Adds a card as a checkpoint saved it. It is found by its token once [`CardTable::index`] was called.
    pub(super) fn restore(&mut self, card: &Card) -> Result<(), TooWide> {
        // INVARIANT: positions of cards are 32 bits; the limits on files keep them far below.
        let at = u32::try_from(self.rows.len()).expect("fewer than 2^32 cards");
        let row = self.packed(at, card, NO_DAY)?;
        self.rows.push(row);
        Ok(())
    }

    /// Lets restored cards be found. Returns whether they all have different tokens.
    pub(super) fn index(&mut self) -> bool {
        self.by_token.fill(self.rows.len(), token_at(&self.rows))
    }

    /// Has the memory of a card fetched. What comes back means nothing.
    pub(super) fn warm(&self, at: u32) -> u64 {
        // Its beginning and its end: it may lie in two lines.
        self.rows.get(at as usize).map_or(0, |row| u64::from(row.token.0[0]) ^ row.third)
    }

    /// Changes a card that is there, all but its token.
    #[inline(never)]
    pub(super) fn change<T>(&mut self, at: u32, change: impl FnOnce(&mut Card) -> T) -> Result<T, TooWide> {
        let mut card = self.get(at).ok_or(TooWide)?;
        let outcome = change(&mut card);
        let issued = self.kinds[Bits::of(self.rows[at as usize].second).take_32(KIND) as usize].issued;
        let packed = self.packed(at, &card, issued)?;
        let row = &mut self.rows[at as usize];
        *row = Row { third: packed.third | row.third & LIMITED, ..packed };
        Ok(outcome)
    }

    /// Bytes that cards and index own.
    pub(super) fn bytes(&self) -> usize {
        let regions = self.regions.capacity() * size_of::<(u32, Regions)>();
        let linked = self.linked.capacity() * size_of::<u16>();
        self.rows.bytes() + self.by_token.bytes() + regions + linked
    }

    fn packed(&mut self, at: u32, card: &Card, issued: u16) -> Result<Row, TooWide> {
        let Card { bin, product, orderer, .. } = *card;
        let kind = self.kind(Kind { bin, product, orderer, issued });
        let [mut first, mut second, mut third] = [Bits::default(), Bits::default(), Bits::default()];
        first.put(PHONE, card.phone.bits())?;
        first.put(KEY_INDEX, card.pvki)?;
        first.put(1, !card.regions.is_empty())?;
        second.put(KIND, kind)?;
        second.put(FOUR_DIGITS, card.last_four)?;
        second.put(FOUR_DIGITS, number_of(card.pvv)?)?;
        second.put(TRIES, card.pin_tries)?;
        second.put(STATE, card.state as u8)?;
        third.put(PURSE, card.first_purse.0)?;
        third.put(PIN_VERSION, card.pin_version)?;
        third.put(FOUR_DIGITS, card.expiry_yymm)?;
        if card.regions.is_empty() {
            self.regions.remove(&at);
        } else {
            self.regions.insert(at, card.regions.clone());
        }
        Ok(Row { token: card.token, first: first.word, second: second.word, third: third.word })
    }

    fn whole(&self, at: u32, row: &Row) -> Card {
        let [mut first, mut second, mut third] = [row.first, row.second, row.third].map(Bits::of);
        let phone = LinkedPhone::of_bits(first.take(PHONE));
        let (pvki, has_regions) = (first.take_8(KEY_INDEX), first.take(1) == 1);
        let Kind { bin, product, orderer, .. } = self.kinds[second.take_32(KIND) as usize];
        let (last_four, pvv) = (second.take_16(FOUR_DIGITS), pvv_of(second.take_16(FOUR_DIGITS)));
        let (pin_tries, state) = (second.take_8(TRIES), STATES[usize::from(second.take_8(STATE))]);
        let mut card = Card {
            token: row.token,
            bin,
            last_four,
            product,
            orderer,
            state,
            first_purse: AccountId(third.take_32(PURSE)),
            pin_version: third.take_16(PIN_VERSION),
            expiry_yymm: third.take_16(FOUR_DIGITS),
            pvki,
            pvv,
            pin_tries,
            phone,
            regions: Regions::new(),
        };
        if has_regions {
            self.add_regions(at, &mut card);
        }
        card
    }

    #[cold]
    #[inline(never)]
    fn add_regions(&self, at: u32, card: &mut Card) {
        if let Some(regions) = self.regions.get(&at) {
            card.regions.clone_from(regions);
        }
    }

    /// The place of a kind, which is new if no card is of it yet.
    fn kind(&mut self, kind: Kind) -> u32 {
        if let Some(place) = self.kind_of.get(&kind) {
            return *place;
        }
        // INVARIANT: there are no more kinds than cards.
        let place = u32::try_from(self.kinds.len()).expect("fewer than 2^32 kinds of cards");
        self.kinds.push(kind);
        self.kind_of.insert(kind, place);
        place
    }
}

fn token_at(rows: &[Row]) -> impl Fn(u32) -> Token {
    |place| rows[place as usize].token
}

fn number_of(Pvv(digits): Pvv) -> Result<u16, TooWide> {
    let number = |digits: [u8; 4]| digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    digits.iter().all(u8::is_ascii_digit).then(|| number(digits)).ok_or(TooWide)
}

fn pvv_of(number: u16) -> Pvv {
    let [[a, b], [c, d]] = [number / 100, number % 100].map(|two| PAIRS[usize::from(two) % 100]);
    Pvv([a, b, c, d])
}

/// Two digits each: a card is put together for every request.
const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut at) = ([*b"00"; 100], 0_u8);
    while at < 100 {
        pairs[at as usize] = [b'0' + at / 10, b'0' + at % 10];
        at += 1;
    }
    pairs
};

/// All cards of the books, in the order of their positions.
#[derive(Clone, Copy, Debug)]
pub struct Cards<'a> {
    table: &'a CardTable,
}

impl<'a> Cards<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The card at a position.
    #[must_use]
    pub fn get(self, at: usize) -> Option<Card> {
        u32::try_from(at).ok().and_then(|at| self.table.get(at))
    }

    /// Each of them, put together.
    pub fn iter(self) -> impl Iterator<Item = Card> + use<'a> {
        self.behind(0).map(|(_, card)| card)
    }

    /// Those behind the first so many, with their positions.
    pub fn behind(self, seen: usize) -> impl Iterator<Item = (CardId, Card)> + use<'a> {
        let table = self.table;
        let seen = seen.min(table.len());
        // INVARIANT: positions of cards are 32 bits.
        let first = u32::try_from(seen).expect("fewer than 2^32 cards");
        (first..).zip(table.rows[seen..].iter()).map(|(at, row)| (CardId(at), table.whole(at, row)))
    }

    /// A copy of all.
    #[must_use]
    pub fn to_vec(self) -> Vec<Card> {
        self.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn card(at: u8) -> Card {
        Card {
            token: Token([at; 16]),
            bin: 915_600,
            last_four: u16::from(at),
            product: 0,
            orderer: 0,
            state: CardState::Active,
            expiry_yymm: 3402,
            pvki: 1,
            pvv: Pvv(*b"0123"),
            pin_version: 0,
            pin_tries: 0,
            first_purse: AccountId(u32::from(at) * 3),
            phone: LinkedPhone::default(),
            regions: Regions::new(),
        }
    }

    /// Each value at its end, so that one that ran into its neighbour would show.
    fn wide(at: u8) -> Card {
        Card {
            bin: 999_999,
            last_four: 9_999,
            product: u16::MAX,
            orderer: u16::MAX,
            state: CardState::Closed,
            expiry_yymm: 9_912,
            pvki: u8::MAX,
            pvv: Pvv(*b"9999"),
            pin_version: u16::MAX,
            pin_tries: u8::MAX,
            first_purse: AccountId(u32::MAX),
            phone: LinkedPhone::pack("9999999999999999").unwrap(),
            regions: [310_000, 320_500].into_iter().collect(),
            ..card(at)
        }
    }

    #[test]
    fn every_card_comes_out_as_it_went_in() {
        let mut table = CardTable::default();
        let mut cards: Vec<Card> =
            STATES.into_iter().zip(0..).map(|(state, at)| Card { state, ..card(at) }).collect();
        cards.extend([wide(100), card(101), wide(102)]);
        for card in &cards {
            table.push(card).unwrap();
        }
        assert_eq!(table.view().to_vec(), cards);
        for (card, at) in cards.iter().zip(0..) {
            assert_eq!(table.find(&card.token), Some(CardId(at)));
            let parts = (table.state(at), table.product(at), table.pin_version(at), table.first_purse(at));
            let want = (card.state, card.product, card.pin_version, card.first_purse);
            assert_eq!(parts, (Some(want.0), Some(want.1), Some(want.2), Some(want.3)));
            assert_eq!(table.has_phone(at), !card.phone.is_empty());
        }
        assert_eq!((table.get(9), table.find(&Token([9; 16]))), (None, None));
        assert_eq!((table.kinds.len(), table.regions.len()), (2, 2));
    }

    #[test]
    fn a_change_is_of_one_card_and_of_what_was_changed() {
        let mut table = CardTable::default();
        let mut cards = [card(0), wide(1), card(2)];
        cards.iter().for_each(|card| table.push(card).unwrap());
        let before = table.change(1, |card| std::mem::replace(&mut card.pvv, Pvv(*b"0001")));
        assert_eq!(before, Ok(Pvv(*b"9999")));
        cards[1].pvv = Pvv(*b"0001");
        assert_eq!(table.view().to_vec(), cards);
        table.change(1, |card| (card.regions.clear(), card.state = CardState::Blocked)).unwrap();
        (cards[1].regions, cards[1].state) = (Regions::new(), CardState::Blocked);
        assert_eq!((table.view().to_vec(), table.regions.len()), (cards.to_vec(), 0));
    }

    #[test]
    fn days_of_cards_stay_when_something_else_changes() {
        let mut table = CardTable::default();
        for card in [card(0), wide(1), card(2)] {
            table.push(&card).unwrap();
        }
        assert!(!table.are_dated());
        let days =
            |issued, linked| CardDays { issued: NonZeroU16::new(issued), linked: NonZeroU16::new(linked) };
        assert!(table.set_days(1, days(20_780, 20_781)) && table.set_days(0, days(u16::MAX, 0)));
        assert!(table.set_limited(1, true));
        table.change(1, |card| card.pin_tries = 2).unwrap();
        let all = [days(u16::MAX, 0), days(20_780, 20_781), days(0, 0)];
        assert_eq!([0, 1, 2].map(|at| table.days(at)), all);
        assert!(table.set_days(1, days(0, 0)) && table.are_dated());
        assert_eq!((table.days(1), table.is_limited(1)), (days(0, 0), true));
        assert_eq!(table.get(1), Some(Card { pin_tries: 2, ..wide(1) }));
        assert!(!table.set_days(3, days(1, 1)), "a card that is not there");
    }

    #[test]
    fn what_has_no_bits_is_refused_and_changes_nothing() {
        let mut table = CardTable::default();
        table.push(&card(0)).unwrap();
        let rows = [
            ("four digits of a number", Card { last_four: 1 << 14, ..card(1) }),
            ("an expiry", Card { expiry_yymm: 1 << 14, ..card(1) }),
            ("a PIN verification value", Card { pvv: Pvv(*b"12A4"), ..card(1) }),
        ];
        for (name, card) in rows {
            assert_eq!(table.push(&card), Err(TooWide), "{name}");
        }
        assert_eq!(table.change(0, |card| card.pvv = Pvv([0; 4])), Err(TooWide));
        assert_eq!(table.view().to_vec(), [card(0)]);
        assert_eq!(table.change(1, |_| ()), Err(TooWide), "a card that is not there");
    }
}
