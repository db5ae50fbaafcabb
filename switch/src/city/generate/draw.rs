//! Invented values: each is drawn from SHA-256 over the seed and the value's own name or number, so that a row keeps
//! its values whatever else the city has.
//!
//! Start at [`Draws`]; [`Numbers`] gives every card its own number.

use sha2::{Digest, Sha256};

/// Names the way values are drawn; another way would need another name, or old cities would come out anew.
const EDITION: &[u8] = b"cardswitch generated city, edition 1";

/// How many account numbers a BIN has: nine digits.
const ACCOUNTS: u64 = 1_000_000_000;

/// Half the bits of the smallest even width that holds every account number.
const HALF_BITS: u32 = 15;
const HALF_MASK: u64 = (1 << HALF_BITS) - 1;
const ROUNDS: usize = 6;

// Few numbers lie outside, so the walk in `Numbers::account` is short.
const _: () = assert!(ACCOUNTS <= 1 << (2 * HALF_BITS) && ACCOUNTS * 8 > 7 << (2 * HALF_BITS));

/// What is drawn from one seed.
#[derive(Clone)]
pub(super) struct Draws {
    seeded: Sha256,
}

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self { seeded: Sha256::new().chain_update(EDITION).chain_update(seed.to_be_bytes()) }
    }

    /// The 32 bytes of a value with a name.
    pub(super) fn named(&self, name: &str) -> [u8; 32] {
        self.seeded.clone().chain_update(b"|").chain_update(name).finalize().into()
    }

    /// The 32 bytes of a card.
    pub(super) fn card(&self, index: u64) -> [u8; 32] {
        self.seeded.clone().chain_update(b"#").chain_update(index.to_be_bytes()).finalize().into()
    }

    /// A double-length DES test key in hex: odd parity in each byte. That both halves are equal, or one of them weak,
    /// has the probability of guessing a key.
    pub(super) fn des_key(&self, name: &str) -> String {
        let drawn = self.named(name);
        let odd = drawn[..16].iter().map(|byte| if byte.count_ones() % 2 == 1 { *byte } else { byte ^ 1 });
        hex(odd)
    }

    /// A key of 32 bytes in hex.
    pub(super) fn long_key(&self, name: &str) -> String {
        hex(self.named(name).into_iter())
    }
}

fn hex(bytes: impl Iterator<Item = u8>) -> String {
    bytes.map(|byte| format!("{byte:02X}")).collect()
}

/// The first eight bytes as a number.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Account numbers of nine digits: a permutation, so that different cards have different ones.
///
/// A Feistel network over 30 bits is a permutation whatever its round function; what falls outside the nine digits
/// is sent through again, which stays one (cycle walking: Black and Rogaway, "Ciphers with arbitrary finite domains").
pub(super) struct Numbers {
    rounds: [u64; ROUNDS],
}

impl Numbers {
    pub(super) fn new(draws: &Draws) -> Self {
        Self { rounds: std::array::from_fn(|round| number(&draws.named(&format!("account round {round}")))) }
    }

    /// The account number of a card, below 10⁹, as `index` must be.
    pub(super) fn account(&self, index: u64) -> u64 {
        let mut account = index;
        loop {
            account = self.permuted(account);
            if account < ACCOUNTS {
                return account;
            }
        }
    }

    fn permuted(&self, number: u64) -> u64 {
        let (mut left, mut right) = (number >> HALF_BITS & HALF_MASK, number & HALF_MASK);
        for key in self.rounds {
            (left, right) = (right, left ^ (mixed(key ^ right) & HALF_MASK));
        }
        left << HALF_BITS | right
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood): every bit of the result depends on every bit of the number.
fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::city::table::des_key;

    #[test]
    fn account_numbers_are_a_permutation_and_not_a_counter() {
        let numbers = Numbers::new(&Draws::new(1));
        let accounts: Vec<u64> = (0..50_000).map(|index| numbers.account(index)).collect();
        assert!(accounts.iter().all(|account| *account < ACCOUNTS));
        assert_eq!(accounts.iter().collect::<HashSet<_>>().len(), accounts.len(), "no two are equal");
        let follow = accounts.windows(2).filter(|pair| pair[1].abs_diff(pair[0]) < 1000).count();
        assert!(follow < 5, "{follow} neighbours have numbers side by side");
        let others = Numbers::new(&Draws::new(2));
        assert_ne!(accounts[..10], (0..10).map(|index| others.account(index)).collect::<Vec<_>>());
    }

    #[test]
    fn every_round_can_be_undone() {
        let numbers = Numbers::new(&Draws::new(3));
        for number in [0, 1, ACCOUNTS - 1, ACCOUNTS, (1 << (2 * HALF_BITS)) - 1] {
            let permuted = numbers.permuted(number);
            let (mut left, mut right) = (permuted >> HALF_BITS, permuted & HALF_MASK);
            for key in numbers.rounds.iter().rev() {
                (left, right) = (right ^ (mixed(key ^ left) & HALF_MASK), left);
            }
            assert_eq!(left << HALF_BITS | right, number);
        }
    }

    #[test]
    fn keys_depend_on_seed_and_name_and_are_good_keys() {
        let draws = Draws::new(7);
        let keys = [draws.des_key("a"), draws.des_key("b"), Draws::new(8).des_key("a")];
        assert!(keys.iter().all(|key| des_key(key).is_some()), "parity and halves");
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 3);
        assert_eq!(draws.des_key("a"), keys[0]);
        assert_eq!(draws.long_key("a").len(), 64);
    }
}
