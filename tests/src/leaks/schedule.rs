//! Keys as ciphers keep them: expanded into round keys.
//!
//! DES as the crate `des` lays it out: sixteen numbers of 64 bits in the machine's byte order, the 48 bits of a round
//! key on the left. It keeps one schedule for both directions and walks it backwards to decrypt. AES-256 as in FIPS
//! 197, which is how processors' instructions want it; the first two round keys are the key itself.
//!
//! Looked for are any two round keys that follow each other, so that half a schedule on a stack is found too.

use crate::search::Form;

/// The name of the schedule of a key's first eight bytes.
pub const LEFT: &str = "expanded, left half";
/// The name of the schedule of a key's second eight bytes.
pub const RIGHT: &str = "expanded, right half";
/// Bytes of a DES schedule.
pub const DES_SCHEDULE: usize = 16 * 8;

/// Permuted choice 1 of FIPS 46-3: bits of the key, counted from 1 on the left.
const PC_1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44,
    36, //
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12,
    4,
];

/// Permuted choice 2 of FIPS 46-3.
const PC_2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, //
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

/// By how many places each round turns the halves.
const TURNS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

/// The round keys of eight bytes of a DES key, each on the left of 64 bits.
#[must_use]
pub fn des_round_keys(key: &[u8]) -> [u64; 16] {
    let key = key.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let chosen = PC_1.iter().fold(0_u64, |value, bit| value << 1 | key >> (64 - bit) & 1);
    let (mut left, mut right) = (chosen >> 28, chosen & 0x0FFF_FFFF);
    TURNS.map(|turn| {
        let turned = |half: u64| (half << turn | half >> (28 - turn)) & 0x0FFF_FFFF;
        (left, right) = (turned(left), turned(right));
        let both = left << 28 | right;
        PC_2.iter().fold(0_u64, |value, bit| value << 1 | both >> (56 - bit) & 1) << 16
    })
}

/// Every two round keys that follow each other in a schedule.
pub(super) fn des_windows(key: &[u8], name: &'static str) -> Vec<Form> {
    let bytes: Vec<u8> = des_round_keys(key).iter().flat_map(|round| round.to_ne_bytes()).collect();
    windows(&bytes, 8, name)
}

/// Every two round keys that follow each other in the schedule of an AES-256 key, from the second on: the first two
/// are the key.
pub(super) fn aes_256_windows(key: &[u8]) -> Vec<Form> {
    let Ok(key) = key.try_into() else { return Vec::new() };
    windows(&aes_256_schedule(key)[16..], 16, "expanded")
}

fn windows(schedule: &[u8], round: usize, name: &'static str) -> Vec<Form> {
    let starts = (0..).step_by(round).take_while(|start| start + 2 * round <= schedule.len());
    starts.map(|start| Form { name, bytes: schedule[start..start + 2 * round].to_vec() }).collect()
}

/// FIPS 197, key expansion, 15 round keys.
fn aes_256_schedule(key: &[u8; 32]) -> Vec<u8> {
    let mut words: Vec<[u8; 4]> = key.as_chunks().0.to_vec();
    let mut constant = 1;
    while words.len() < 60 {
        let mut word = words[words.len() - 1];
        match words.len() % 8 {
            0 => {
                word.rotate_left(1);
                word = word.map(substituted);
                word[0] ^= constant;
                constant = doubled(constant);
            }
            4 => word = word.map(substituted),
            _ => {}
        }
        let earlier = words[words.len() - 8];
        words.push(std::array::from_fn(|at| word[at] ^ earlier[at]));
    }
    words.concat()
}

/// The S-box of FIPS 197: the inverse in the field, and an affine map of it.
fn substituted(byte: u8) -> u8 {
    let inverse = (0..=u8::MAX).find(|other| multiplied(byte, *other) == 1).unwrap_or(0);
    (0..5).fold(0x63, |value, turn| value ^ inverse.rotate_left(turn))
}

fn doubled(byte: u8) -> u8 {
    byte << 1 ^ if byte & 0x80 == 0 { 0 } else { 0x1B }
}

fn multiplied(mut left: u8, mut right: u8) -> u8 {
    let mut product = 0;
    while right != 0 {
        if right & 1 == 1 {
            product ^= left;
        }
        left = doubled(left);
        right >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::FileExt};

    use cipher::KeyInit;
    use des::Des;

    use super::*;

    const KEY: [u8; 8] = [0x13, 0x34, 0x57, 0x79, 0x9B, 0xBC, 0xDF, 0xF1];

    #[test]
    fn the_round_keys_are_those_of_the_well_known_example() {
        // J. Orlin Grabbe, "The DES Algorithm Illustrated": K1 and K16.
        let keys = des_round_keys(&KEY);
        assert_eq!(keys[0] >> 16, 0b000110_110000_001011_101111_111111_000111_000001_110010);
        assert_eq!(keys[15] >> 16, 0b110010_110011_110110_001011_000011_100001_011111_110101);
    }

    #[test]
    fn the_schedule_stands_in_memory_as_it_is_looked_for() {
        let expanded = Box::new(Des::new(&KEY.into()));
        let address = (&raw const *expanded) as u64;
        let mut bytes = [0; DES_SCHEDULE];
        let memory = File::open("/proc/self/mem").expect("this process's memory");
        memory.read_exact_at(&mut bytes, address).expect("its own bytes");
        let want: Vec<u8> = des_round_keys(&KEY).iter().flat_map(|round| round.to_ne_bytes()).collect();
        assert_eq!(bytes[..], want);
    }

    #[test]
    fn the_aes_schedule_is_that_of_fips_197() {
        let key = [
            0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77,
            0x81, //
            0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4,
        ];
        let schedule = aes_256_schedule(&key);
        assert_eq!(schedule.len(), 15 * 16);
        // Appendix A.3, w8 and w59.
        assert_eq!(
            (&schedule[32..36], &schedule[236..]),
            (&[0x9b, 0xa3, 0x54, 0x11][..], &[0x70, 0x6c, 0x63, 0x1e][..])
        );
    }
}
