//! The same values by the crate `des` alone: the yardstick of what the HSM's commands cost, and their proof, since
//! nothing here comes from `hsm-sim`.

use des::{
    Des,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};

/// Bytes of a message.
pub(crate) const MESSAGE: usize = 250;

/// A double-length key, expanded.
pub(crate) struct Key {
    left: Des,
    right: Des,
}

impl Key {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        let half = |bytes| Des::new_from_slice(bytes).expect("eight bytes");
        Self { left: half(&key[..8]), right: half(&key[8..]) }
    }

    /// Two-key triple DES, FIPS 46-3.
    pub(crate) fn encrypt(&self, mut block: [u8; 8]) -> [u8; 8] {
        self.left.encrypt_block((&mut block).into());
        self.finish(block)
    }

    fn finish(&self, mut block: [u8; 8]) -> [u8; 8] {
        self.right.decrypt_block((&mut block).into());
        self.left.encrypt_block((&mut block).into());
        block
    }

    /// ANSI X9.19: CBC under the left half, the last block in triple DES; zeros fill the last block.
    pub(crate) fn x919(&self, data: &[u8]) -> [u8; 8] {
        let chain = data.chunks(8).fold([0; 8], |chain, chunk| {
            let mut block = mixed(chain, chunk);
            self.left.encrypt_block((&mut block).into());
            block
        });
        self.finish(chain)
    }

    /// The same over the data, a one bit, and zeros.
    pub(crate) fn psam(&self, data: &[u8; MESSAGE]) -> [u8; 8] {
        let mut padded = [0; MESSAGE + 1];
        padded[..MESSAGE].copy_from_slice(data);
        padded[MESSAGE] = 0x80;
        self.x919(&padded)
    }

    /// CBC in triple DES; zeros fill the last block.
    pub(crate) fn cbc(&self, data: &[u8]) -> [u8; 8] {
        data.chunks(8).fold([0; 8], |chain, chunk| self.encrypt(mixed(chain, chunk)))
    }

    /// UnionPay's: all blocks together, in hexadecimal, the halves one behind the other.
    pub(crate) fn union_pay(&self, data: &[u8]) -> [u8; 8] {
        let (first, last) = hexadecimal(data.chunks(8).fold([0; 8], mixed));
        hexadecimal(self.encrypt(mixed(self.encrypt(first), &last))).0
    }

    /// A key diversified from this one: the factor under it, then the factor's complement.
    pub(crate) fn diversified(&self, factor: [u8; 8]) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.encrypt(factor));
        key[8..].copy_from_slice(&self.encrypt(factor.map(|byte| !byte)));
        key
    }

    /// A PIN of four digits as an ISO 9564-1 format 0 block under this key.
    pub(crate) fn pin_block(&self, pin: &[u8; 4], pan: &[u8]) -> [u8; 8] {
        let pair = |high: u8, low: u8| (high - b'0') << 4 | (low - b'0');
        // The twelve digits before the check digit.
        let digits = &pan[pan.len() - 13..];
        let mut block = [0x04, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        block[1] = pair(pin[0], pin[1]);
        block[2] = pair(pin[2], pin[3]);
        for (byte, two) in block[2..].iter_mut().zip(digits.chunks_exact(2)) {
            *byte ^= pair(two[0], two[1]);
        }
        self.encrypt(block)
    }
}

/// What makes a transaction's key from its PSAM's: the random number, its last three bytes XOR the STAN in BCD.
pub(crate) fn transaction_factor(random: [u8; 8], stan: u32) -> [u8; 8] {
    let bcd = (0..6).fold(0, |bcd, place| bcd | u64::from(stan / 10_u32.pow(place) % 10) << (4 * place));
    (u64::from_be_bytes(random) ^ bcd).to_be_bytes()
}

/// The `at`-th of a fixed row of random blocks (splitmix64).
pub(crate) fn random(at: u64) -> [u8; 8] {
    let mixed = (at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ mixed >> 31).to_be_bytes()
}

/// The `at`-th of a fixed row of double-length keys.
pub(crate) fn random_key(at: u64) -> [u8; 16] {
    (u128::from(u64::from_be_bytes(random(2 * at))) << 64
        | u128::from(u64::from_be_bytes(random(2 * at + 1))))
    .to_be_bytes()
}

fn mixed(mut block: [u8; 8], chunk: &[u8]) -> [u8; 8] {
    for (byte, other) in block.iter_mut().zip(chunk) {
        *byte ^= other;
    }
    block
}

fn hexadecimal(block: [u8; 8]) -> ([u8; 8], [u8; 8]) {
    let half = |from: usize| {
        std::array::from_fn(|at| {
            let byte = block[from + at / 2];
            b"0123456789ABCDEF"[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 15 })]
        })
    };
    (half(0), half(4))
}
