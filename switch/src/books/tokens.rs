//! Places of cards by their tokens: five to six bytes for each card.
//!
//! A slot has 32 bits: a card's place in as many of the lower ones as the places need, and above them a part of its
//! token's hash. The slots of tokens that meet follow one another (linear probing). A card is looked at only where that
//! part is right, so that finding one waits for memory twice: for its slot and for the card itself. Nothing is ever taken
//! out, since cards stay.
//!
//! Start at [`TokenIndex::find`].

use super::event::Token;

/// See the module. `token_at` gives the token of the card at a place.
#[derive(Clone, Default)]
pub(super) struct TokenIndex {
    slots: Vec<u32>,
    len: usize,
    /// How many of a slot's lower bits are the place.
    place_bits: u32,
}

/// No place has all its bits set, so no slot that is taken looks like this.
const FREE: u32 = u32::MAX;

/// The fewest slots there are, if there are any.
const SLOTS_MIN: usize = 16;

/// How many tokens may stand in so many slots: five in six are taken at most.
fn room(slots: usize) -> usize {
    slots - slots / 6
}

/// A token is a MAC under a secret key, so its bytes are as good as any hash of them, and nobody can choose card numbers
/// that meet. The upper half says where a search begins, the lower half is what a slot keeps a part of.
fn hash_of(token: &Token) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h, ..] = token.0;
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

impl std::fmt::Debug for TokenIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenIndex").field("len", &self.len).finish_non_exhaustive()
    }
}

impl TokenIndex {
    /// The place of the card with this token.
    pub(super) fn find(&self, token: &Token, token_at: impl Fn(u32) -> Token) -> Option<u32> {
        let (home, tag) = hash_of(token);
        let mut at = self.home(home);
        loop {
            // There are none at all before the first card.
            let slot = *self.slots.get(at)?;
            if slot == FREE {
                return None;
            }
            let place = slot & self.place_mask();
            if (slot ^ tag) & !self.place_mask() == 0 && token_at(place) == *token {
                return Some(place);
            }
            at = self.after(at);
        }
    }

    /// Puts in the card at the next place: places come in their order.
    pub(super) fn push(&mut self, token_at: impl Fn(u32) -> Token) {
        if self.len == room(self.slots.len()) {
            self.grow(self.len + (self.len / 6).max(SLOTS_MIN), &token_at);
        }
        self.insert(self.len, &token_at);
    }

    /// Puts in the cards at all places below this one, into an index that is empty. Returns whether they all have
    /// different tokens.
    pub(super) fn fill(&mut self, cards: usize, token_at: impl Fn(u32) -> Token) -> bool {
        self.grow(cards, &token_at);
        (0..cards).all(|place| self.insert(place, &token_at))
    }

    /// Bytes that it owns.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    /// Puts in the card at a place; `false`, and nothing, if there is one with its token.
    fn insert(&mut self, place: usize, token_at: &impl Fn(u32) -> Token) -> bool {
        // INVARIANT: the table of cards has positions of 32 bits.
        let place = u32::try_from(place).expect("fewer than 2^32 cards");
        let token = token_at(place);
        let ((home, tag), mask) = (hash_of(&token), self.place_mask());
        let mut at = self.home(home);
        while self.slots[at] != FREE {
            if (self.slots[at] ^ tag) & !mask == 0 && token_at(self.slots[at] & mask) == token {
                return false;
            }
            at = self.after(at);
        }
        self.slots[at] = tag & !mask | place;
        self.len = self.len.max(place as usize + 1);
        true
    }

    /// Puts all of them into new slots, of which there are enough for `cards`.
    fn grow(&mut self, cards: usize, token_at: &impl Fn(u32) -> Token) {
        let slots = (cards + cards.div_ceil(5) + 1).max(SLOTS_MIN);
        self.place_bits = usize::BITS - slots.leading_zeros();
        // Freed before the new ones are there: what they hold, the cards hold too.
        self.slots = Vec::new();
        self.slots = vec![FREE; slots];
        for place in 0..self.len {
            self.insert(place, token_at);
        }
    }

    fn place_mask(&self) -> u32 {
        u32::MAX.checked_shr(u32::BITS.saturating_sub(self.place_bits)).unwrap_or(0)
    }

    /// Where the search for a hash begins: its share of the slots.
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens like those of cards: bytes without a pattern.
    fn token(at: u32) -> Token {
        let mut bytes = [0; 16];
        let mut state = u64::from(at) + 1;
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        Token(bytes)
    }

    #[test]
    fn every_token_is_found_and_no_other() {
        let mut index = TokenIndex::default();
        assert_eq!(index.find(&token(0), token), None, "before there is room");
        for _ in 0..50_000 {
            index.push(token);
        }
        for place in 0..50_000 {
            assert_eq!(index.find(&token(place), token), Some(place));
        }
        assert!((50_000..60_000).all(|other| index.find(&token(other), token).is_none()));
    }

    #[test]
    fn tokens_that_meet_are_told_apart() {
        let same_hash = |place: u32| {
            let mut bytes = [0xFF; 16];
            bytes[12..].copy_from_slice(&place.to_le_bytes());
            Token(bytes)
        };
        let mut index = TokenIndex::default();
        (0..300).for_each(|_| index.push(same_hash));
        assert!((0..300).all(|place| index.find(&same_hash(place), same_hash) == Some(place)));
        assert_eq!(index.find(&same_hash(300), same_hash), None);
    }

    #[test]
    fn it_costs_five_to_six_bytes_a_card() {
        let (mut grown, mut filled) = (TokenIndex::default(), TokenIndex::default());
        assert!(filled.fill(100_000, token));
        assert!(filled.bytes() <= 481_000, "{}", filled.bytes());
        assert_eq!(filled.find(&token(99_999), token), Some(99_999));
        for card in 1..=100_000 {
            grown.push(token);
            assert!(card < 1_000 || grown.bytes() <= card * 57 / 10, "{card}: {}", grown.bytes());
        }
    }

    #[test]
    fn a_token_that_comes_twice_is_seen() {
        let twice = |place: u32| token(place % 999);
        assert!(!TokenIndex::default().fill(1_000, twice));
        assert!(TokenIndex::default().fill(999, twice));
        assert!(TokenIndex::default().fill(0, twice));
    }
}
