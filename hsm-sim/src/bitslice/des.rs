//! DES over lanes: sixteen rounds of logic, without a table and without a branch
//! that depends on data.

use super::{
    block::{Block, Half},
    sboxes::{three, two},
    word::Word,
};

/// Which way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    Encrypt,
    Decrypt,
}

/// How far the key's registers are rotated in each round (FIPS 46-3, the left
/// shifts added up). Decryption takes the rounds in the other order.
const ROTATIONS: [usize; 16] = [1, 2, 4, 6, 8, 10, 12, 14, 15, 17, 19, 21, 23, 25, 27, 28];
const ROTATIONS_BACK: [usize; 16] = [28, 27, 25, 23, 21, 19, 17, 15, 14, 12, 10, 8, 6, 4, 2, 1];

/// FIPS 46-3, PC-2, counting from 0 in each register: the first 24 bits of a
/// round's key come out of C, the others out of D.
const CHOICE_2: [usize; 48] = [
    13, 16, 10, 23, 0, 4, 2, 27, 14, 5, 20, 9, 22, 18, 11, 3, 25, 7, 15, 6, 26, 19, 12, 1, 12, 23, 2, 8, 18,
    26, 1, 11, 22, 16, 4, 19, 15, 20, 10, 27, 5, 24, 17, 13, 21, 7, 0, 3,
];

/// FIPS 46-3, P, inverted and counting from 0: where each bit that leaves the
/// S-boxes goes.
const GOES_TO: [usize; 32] = {
    const P: [usize; 32] = [
        16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30,
        6, 22, 11, 4, 25,
    ];
    let mut table = [0; 32];
    let mut place = 0;
    while place < 32 {
        table[P[place] - 1] = place;
        place += 1;
    }
    table
};

/// Encrypts or decrypts one block of every lane, each under its own key.
///
/// Two rounds a turn, because the halves then are where they were; all sixteen in
/// a row would not stay in the instruction cache.
#[inline(always)]
pub(super) fn des<const N: usize, W: Word<N>>(block: &mut Block<N>, key: &Half<N>, way: Way) {
    let rotations = match way {
        Way::Encrypt => &ROTATIONS,
        Way::Decrypt => &ROTATIONS_BACK,
    };
    let Block { left, right } = block;
    for [first, second] in rotations.as_chunks().0 {
        round::<N, W>(left, right, key, *first);
        round::<N, W>(right, left, key, *second);
    }
    std::mem::swap(left, right);
}

/// Adds to `target` what the S-boxes make of `source` and the key.
#[inline(always)]
fn round<const N: usize, W: Word<N>>(
    target: &mut [[u64; N]; 32],
    source: &[[u64; N]; 32],
    key: &Half<N>,
    rotation: usize,
) {
    // INVARIANT: rotations are at most 28, and each register is there twice.
    let c: &[[u64; N]; 28] = key.c[rotation..].first_chunk().expect("28 words are left");
    let d: &[[u64; N]; 28] = key.d[rotation..].first_chunk().expect("28 words are left");
    macro_rules! sbox {
        ($number:literal, $register:ident, $name:ident) => {
            let input = input::<N, W, $number>(source, $register);
            let output = if W::TERNARY { three::$name(input) } else { two::$name(input) };
            add::<N, W, $number>(target, output);
        };
    }
    sbox!(0, c, s1);
    sbox!(1, c, s2);
    sbox!(2, c, s3);
    sbox!(3, c, s4);
    sbox!(4, d, s5);
    sbox!(5, d, s6);
    sbox!(6, d, s7);
    sbox!(7, d, s8);
}

/// Six neighbouring bits, of which the outer two are also the neighbours' (FIPS
/// 46-3, E), with their key bits added.
#[inline(always)]
fn input<const N: usize, W: Word<N>, const BOX: usize>(
    source: &[[u64; N]; 32],
    register: &[[u64; N]; 28],
) -> [W; 6] {
    std::array::from_fn(|bit| {
        let word = W::load(&source[(BOX * 4 + bit + 31) % 32]);
        word.xor(W::load(&register[CHOICE_2[BOX * 6 + bit]]))
    })
}

#[inline(always)]
fn add<const N: usize, W: Word<N>, const BOX: usize>(target: &mut [[u64; N]; 32], output: [W; 4]) {
    for (bit, word) in output.into_iter().enumerate() {
        let place = &mut target[GOES_TO[BOX * 4 + bit]];
        W::load(place).xor(word).store(place);
    }
}
