//! Blocks and keys over lanes, and the way in and out of lanes.
//!
//! A [`Block`] is kept as DES works on it, after its initial permutation: moving
//! bits about costs nothing where a bit is a word, so the permutations of DES are
//! nothing but the order in which words are read here.

use super::word::Word;

/// Sixty-four words: one for each lane before [`transpose`] (of all groups of 64
/// lanes), one for each bit after it, the highest first.
pub(super) type Rows<const N: usize> = [[u64; N]; 64];

/// One block of every lane: the halves that the first round reads.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct Block<const N: usize> {
    pub(super) left: [[u64; N]; 32],
    pub(super) right: [[u64; N]; 32],
}

/// One DES key of every lane: its two registers of 28 bits.
///
/// Each is there twice in a row, so that a register rotated by any amount is 28
/// consecutive words of it: a round's key is a place to begin reading.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct Half<const N: usize> {
    pub(super) c: [[u64; N]; 56],
    pub(super) d: [[u64; N]; 56],
}

/// The two halves of a triple DES key of every lane.
#[derive(Clone)]
pub(super) struct Keys<const N: usize> {
    pub(super) left: Half<N>,
    pub(super) right: Half<N>,
}

/// FIPS 46-3, IP, counting from 0: which bit of the block each bit of the halves is.
pub(super) const INITIAL: [usize; 64] = {
    let mut table = [0; 64];
    let mut place = 0;
    while place < 64 {
        // Rows 58, 60, 62, 64, 57, 59, 61, 63, each descending by 8.
        let row = place / 8;
        let first = if row < 4 { 58 + 2 * row } else { 57 + 2 * (row - 4) };
        table[place] = first - 8 * (place % 8) - 1;
        place += 1;
    }
    table
};

/// FIPS 46-3, PC-1, counting from 0: which bit of the key each bit of C, then of D is.
const CHOICE_1: [usize; 56] = [
    56, 48, 40, 32, 24, 16, 8, 0, 57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43,
    35, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 60, 52, 44, 36, 28, 20, 12, 4, 27, 19,
    11, 3,
];

/// Where each bit of a block is in its halves: the inverse of [`INITIAL`].
const PLACE: [usize; 64] = {
    let mut table = [0; 64];
    let mut place = 0;
    while place < 64 {
        table[INITIAL[place]] = place;
        place += 1;
    }
    table
};

impl<const N: usize> Block<N> {
    pub(super) const ZERO: Self = Self { left: [[0; N]; 32], right: [[0; N]; 32] };

    /// Adds transposed rows.
    pub(super) fn add(&mut self, rows: &Rows<N>) {
        for (word, bit) in self.words_mut().zip(INITIAL) {
            *word = Word::xor(*word, rows[bit]);
        }
    }

    /// Becomes transposed rows.
    pub(super) fn set(&mut self, rows: &Rows<N>) {
        for (word, bit) in self.words_mut().zip(INITIAL) {
            *word = rows[bit];
        }
    }

    /// The block as rows to be transposed.
    pub(super) fn rows(&self, rows: &mut Rows<N>) {
        for (word, bit) in self.left.iter().chain(&self.right).zip(INITIAL) {
            rows[bit] = *word;
        }
    }

    /// Sets every lane that is not in `lanes` to zero.
    pub(super) fn keep(&mut self, lanes: &[u64; N]) {
        for word in self.words_mut() {
            *word = Word::and(*word, *lanes);
        }
    }

    /// Becomes its complement.
    pub(super) fn complement(&mut self) {
        for word in self.words_mut() {
            *word = Word::not(*word);
        }
    }

    /// One bit of the block, counting from 0 at the highest.
    pub(super) fn bit(&self, bit: usize) -> &[u64; N] {
        let place = PLACE[bit];
        if place < 32 { &self.left[place] } else { &self.right[place - 32] }
    }

    fn words_mut(&mut self) -> impl Iterator<Item = &mut [u64; N]> {
        self.left.iter_mut().chain(&mut self.right)
    }
}

impl<const N: usize> Half<N> {
    pub(super) const ZERO: Self = Self { c: [[0; N]; 56], d: [[0; N]; 56] };

    /// Takes the key out of transposed rows; parity bits stay behind.
    pub(super) fn set(&mut self, rows: &Rows<N>) {
        self.fill(|bit| rows[bit]);
    }

    /// Takes the block as a key, in the lanes `of`.
    pub(super) fn set_from(&mut self, block: &Block<N>, of: &[u64; N]) {
        let old = |word: &[u64; N]| Word::and_not(*word, *of);
        let new = |bit: usize| Word::and(*block.bit(bit), *of);
        for (place, bit) in CHOICE_1.into_iter().enumerate() {
            let (register, at) = if place < 28 { (&mut self.c, place) } else { (&mut self.d, place - 28) };
            let word = Word::or(old(&register[at]), new(bit));
            (register[at], register[at + 28]) = (word, word);
        }
    }

    fn fill(&mut self, word: impl Fn(usize) -> [u64; N]) {
        for (place, bit) in CHOICE_1.into_iter().enumerate() {
            let (register, at) = if place < 28 { (&mut self.c, place) } else { (&mut self.d, place - 28) };
            (register[at], register[at + 28]) = (word(bit), word(bit));
        }
    }
}

impl<const N: usize> Keys<N> {
    pub(super) const ZERO: Self = Self { left: Half::ZERO, right: Half::ZERO };
}

/// Turns lanes into bits or bits into lanes: row `i`'s bit `63 - j` changes places
/// with row `j`'s bit `63 - i`, in every group of 64 lanes.
///
/// Six rounds, each of which exchanges two of the four quarters of ever smaller
/// squares (H. S. Warren, "Hacker's Delight", 7-3).
#[inline(always)]
pub(super) fn transpose<const N: usize, W: Word<N>>(rows: &mut Rows<N>) {
    exchange::<N, W, 32>(rows, 0x0000_0000_FFFF_FFFF);
    exchange::<N, W, 16>(rows, 0x0000_FFFF_0000_FFFF);
    exchange::<N, W, 8>(rows, 0x00FF_00FF_00FF_00FF);
    exchange::<N, W, 4>(rows, 0x0F0F_0F0F_0F0F_0F0F);
    exchange::<N, W, 2>(rows, 0x3333_3333_3333_3333);
    exchange::<N, W, 1>(rows, 0x5555_5555_5555_5555);
}

#[inline(always)]
fn exchange<const N: usize, W: Word<N>, const BY: i32>(rows: &mut Rows<N>, low: u64) {
    let (low, by) = (W::load(&[low; N]), BY.unsigned_abs() as usize);
    for square in rows.chunks_exact_mut(2 * by) {
        let (upper, lower) = square.split_at_mut(by);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            let (above, below) = (W::load(upper), W::load(lower));
            let change = above.xor(below.down::<BY>()).and(low);
            above.xor(change).store(upper);
            below.xor(change.up::<BY>()).store(lower);
        }
    }
}
