//! Every secret of a job in every form in which it may lie in memory, and the search for them.
//!
//! Forms are looked up by their first eight bytes, at every offset. How keys are derived, expanded and sliced is
//! written down here once more, over the crate `des`.

use crate::{batches, job::Item, job::Job, job::PSAMS};
use cipher::{BlockCipherEncrypt, KeyInit};
use des::TdesEde2;
use std::collections::{BTreeMap, HashMap};

/// What a form is of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// A PIN block of format 0 in clear.
    ClearBlock,
    /// What is left of it without the card number.
    PinField,
    /// The same, a nibble a byte.
    Nibbles,
    /// A PIN, a digit a byte, and its length.
    Digits,
    /// What a PIN verification value is computed from.
    PvvParameter,
    /// Half a session key.
    SessionKey,
    /// A round key of it, as the crate `des` keeps it.
    RoundKey,
    /// Half a key that is not loaded any more, or a round key of it.
    UnloadedKey,
    /// One bit of the session keys, blocks or parameters of 64 items that share a pass.
    LaneRow,
}

const KINDS: [Kind; 9] = [
    Kind::ClearBlock,
    Kind::PinField,
    Kind::Nibbles,
    Kind::Digits,
    Kind::PvvParameter,
    Kind::SessionKey,
    Kind::RoundKey,
    Kind::UnloadedKey,
    Kind::LaneRow,
];

/// The forms of a job's secrets.
pub(crate) struct Secrets {
    forms: Vec<(Kind, Vec<u8>)>,
    /// By their first eight bytes.
    by_start: HashMap<u64, Vec<usize>>,
    /// One bit for each hash of such eight bytes, so that most places need no look-up.
    seen: Vec<u64>,
}

const SEEN_BITS: u32 = 24;

fn place(start: u64) -> usize {
    usize::try_from(start.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SEEN_BITS)).unwrap()
}

/// What a lane holds of an item, one after another.
struct Words {
    clear: u64,
    parameter: u64,
    key: [u64; 2],
}

impl Secrets {
    pub(crate) fn of(job: &Job) -> Self {
        let mut secrets =
            Self { forms: Vec::new(), by_start: HashMap::new(), seen: vec![0; 1 << (SEEN_BITS - 6)] };
        let words: Vec<Words> = job.items.iter().map(|item| secrets.add_item(job, item)).collect();
        for (_, key) in &job.others {
            secrets.add_key(Kind::UnloadedKey, Kind::UnloadedKey, halves(key));
        }
        // Before every PSAM's key was seen the lanes are in another order.
        for batch in batches(job.items.len()).filter(|batch| batch.start >= 2 * PSAMS && batch.len() >= 64) {
            words[batch].as_chunks().0.iter().for_each(|lanes| secrets.add_rows(lanes));
        }
        secrets
    }

    fn add_item(&mut self, job: &Job, item: &Item) -> Words {
        let key = session_key(job, item);
        let (field, account) = (pin_field(&item.pin), account_field(&item.pan));
        let clear = packed(&field) ^ packed(&account);
        let parameter = packed(&pvv_parameter(item));
        self.add_number(Kind::ClearBlock, clear);
        self.add_number(Kind::PvvParameter, parameter);
        // By themselves short PINs, or PINs of zeros, are in any memory.
        if item.pin.len() >= 6 && item.pin.iter().filter(|digit| **digit != b'0').count() >= 5 {
            self.add_number(Kind::PinField, packed(&field));
            self.add(Kind::Nibbles, &field);
            self.add(Kind::Digits, &digits(&item.pin));
        }
        self.add_key(Kind::SessionKey, Kind::RoundKey, key);
        Words { clear, parameter, key }
    }

    fn add_key(&mut self, itself: Kind, expanded: Kind, key: [u64; 2]) {
        for half in key {
            self.add_number(itself, half);
            for round_key in round_keys(half) {
                self.add(expanded, &round_key.to_ne_bytes());
            }
        }
    }

    /// The rows of 64 lanes: all first bits, all second bits, and so on. Rows of nearly equal bits say nothing.
    fn add_rows(&mut self, lanes: &[Words; 64]) {
        let mut add = |word: fn(&Words) -> u64| {
            for bit in (0..64).rev() {
                let row = lanes.iter().fold(0, |row, lane| row << 1 | word(lane) >> bit & 1);
                if (12..=52).contains(&row.count_ones()) {
                    self.add(Kind::LaneRow, &row.to_ne_bytes());
                }
            }
        };
        add(|words| words.clear);
        add(|words| words.parameter);
        add(|words| words.key[0]);
        add(|words| words.key[1]);
    }

    fn add_number(&mut self, kind: Kind, number: u64) {
        self.add(kind, &number.to_be_bytes());
        self.add(kind, &number.to_le_bytes());
    }

    fn add(&mut self, kind: Kind, bytes: &[u8]) {
        let start = u64::from_le_bytes(*bytes.first_chunk().unwrap());
        let places = self.by_start.entry(start).or_default();
        if places.iter().all(|form| self.forms[*form].1 != bytes) {
            places.push(self.forms.len());
            self.forms.push((kind, bytes.to_vec()));
            self.seen[place(start) / 64] |= 1 << (place(start) % 64);
        }
    }

    /// How many places hold a form of each kind.
    pub(crate) fn count_in(&self, memory: &[u8]) -> BTreeMap<Kind, usize> {
        let mut found = BTreeMap::new();
        for at in 0..memory.len().saturating_sub(7) {
            let start = u64::from_le_bytes(*memory[at..].first_chunk().unwrap());
            if self.seen[place(start) / 64] >> (place(start) % 64) & 1 == 0 {
                continue;
            }
            for form in self.by_start.get(&start).into_iter().flatten() {
                let (kind, bytes) = &self.forms[*form];
                if memory[at..].starts_with(bytes) {
                    *found.entry(*kind).or_default() += 1;
                }
            }
        }
        found
    }

    /// A form of each kind, none of them a part of another.
    pub(crate) fn one_of_each(&self) -> Vec<(Kind, Vec<u8>)> {
        let one = |kind| self.forms.iter().rev().find(|form| form.0 == kind).unwrap().clone();
        KINDS.map(one).to_vec()
    }
}

/// `DIV(DIV(master, PSAM number), random ⊕ STAN)`, its halves.
fn session_key(job: &Job, item: &Item) -> [u64; 2] {
    let mut factor = u64::from_be_bytes(item.random);
    // Six decimal digits are a number in BCD.
    factor ^= u64::from_str_radix(&format!("{:06}", item.stan), 16).unwrap();
    let psam_key = diversified(&job.master, u64::from_be_bytes(item.psam));
    halves(&diversified(&psam_key, factor))
}

fn halves(key: &[u8; 16]) -> [u64; 2] {
    [0, 8].map(|at| u64::from_be_bytes(*key[at..].first_chunk().unwrap()))
}

fn diversified(key: &[u8; 16], factor: u64) -> [u8; 16] {
    let mut halves = [factor.to_be_bytes(), (!factor).to_be_bytes()];
    for half in &mut halves {
        TdesEde2::new(key.into()).encrypt_block(half.into());
    }
    *halves.as_flattened().first_chunk().unwrap()
}

/// ISO 9564-1 format 0 without the card number, sixteen nibbles.
fn pin_field(pin: &[u8]) -> [u8; 16] {
    let mut nibbles = [15; 16];
    nibbles[0] = 0;
    nibbles[1] = u8::try_from(pin.len()).unwrap();
    nibbles[2..2 + pin.len()].copy_from_slice(&pin.iter().map(|digit| digit & 15).collect::<Vec<_>>());
    nibbles
}

/// Twelve digits of the card number without its check digit, on the right.
fn account_field(pan: &[u8]) -> [u8; 16] {
    let mut nibbles = [0; 16];
    let account = pan[..pan.len() - 1].iter().rev().take(12);
    nibbles.iter_mut().rev().zip(account).for_each(|(nibble, digit)| *nibble = digit & 15);
    nibbles
}

/// Eleven digits of the card number, the key's index, four digits of the PIN.
fn pvv_parameter(item: &Item) -> [u8; 16] {
    let account = &item.pan[item.pan.len() - 12..item.pan.len() - 1];
    let nibbles = account.iter().chain(&[crate::job::PVKI]).chain(&item.pin[..4]).map(|digit| digit & 15);
    *nibbles.collect::<Vec<_>>().first_chunk().unwrap()
}

fn digits(pin: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = pin.iter().map(|digit| digit & 15).collect();
    bytes.resize(12, 0);
    bytes.push(u8::try_from(pin.len()).unwrap());
    bytes
}

fn packed(nibbles: &[u8; 16]) -> u64 {
    nibbles.iter().fold(0, |number, nibble| number << 4 | u64::from(*nibble))
}

/// The round keys of a DES key, each on the left of 64 bits (FIPS 46-3).
fn round_keys(key: u64) -> [u64; 16] {
    const PC_1: [u8; 56] = [
        57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52,
        44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5,
        28, 20, 12, 4,
    ];
    const PC_2: [u8; 48] = [
        14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31,
        37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
    ];
    const TURNS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];
    let chosen = PC_1.iter().fold(0, |value, bit| value << 1 | key >> (64 - bit) & 1);
    let (mut left, mut right) = (chosen >> 28, chosen & 0x0FFF_FFFF);
    TURNS.map(|turn| {
        let turned = |half: u64| (half << turn | half >> (28 - turn)) & 0x0FFF_FFFF;
        (left, right) = (turned(left), turned(right));
        let both = left << 28 | right;
        PC_2.iter().fold(0, |value, bit| value << 1 | both >> (56 - bit) & 1) << 16
    })
}
