//! What is done with blocks and keys over lanes: loading, triple DES, diversification,
//! and the programs made of them.

use super::{
    block::{Block, Keys, Rows},
    des::Way,
    kernel::Kernel,
};
use crate::hex;
use zeroize::Zeroize;

/// One item of a batch: its key, and one to three blocks that go in and come out.
///
/// The keys here are clear: whoever fills a list of these wipes it.
#[derive(Clone, Default)]
pub(crate) struct Lane {
    /// Which item of the batch it is.
    pub(crate) item: u32,
    /// Blocks of its message, at least one: lanes run side by side longest where
    /// neighbours have equally many.
    pub(crate) blocks: u32,
    /// The halves of its key, highest byte first; of a single-length key twice the same.
    pub(crate) key: [u64; 2],
    /// If set the key is the one that `key` diversifies into with this factor.
    pub(crate) factor: Option<u64>,
    /// Input and output.
    pub(crate) value: [u64; 3],
    /// Set if the item must be looked at alone, and the output is worth nothing: the
    /// derived key may be a weak one, or there was too little company.
    pub(crate) unusual: bool,
}

impl Zeroize for Lane {
    fn zeroize(&mut self) {
        self.key.zeroize();
        self.factor.zeroize();
        self.value.zeroize();
    }
}

/// How a MAC goes through its blocks.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Chain {
    /// Single DES under the left half; the last block is finished as triple DES
    /// (ISO 9797-1 algorithm 3).
    Retail,
    /// Triple DES (ISO 9797-1 algorithm 1).
    Triple,
}

/// Where a message's blocks are: its last one is padded and comes by itself.
pub(crate) struct Message<'a> {
    pub(crate) blocks: &'a [[u8; 8]],
    pub(crate) last: u64,
}

/// The working memory of one engine: keys and clear blocks, wiped by
/// [`Lanes::wipe`].
pub(super) struct Lanes<const N: usize> {
    kernel: Kernel<N>,
    work: Box<Work<N>>,
}

struct Work<const N: usize> {
    rows: Rows<N>,
    block: Block<N>,
    other: Block<N>,
    keys: Keys<N>,
}

impl<const N: usize> Lanes<N> {
    /// How many lanes there are.
    pub(super) const COUNT: usize = 64 * N;

    pub(super) fn new(kernel: Kernel<N>) -> Self {
        let work = Work { rows: [[0; N]; 64], block: Block::ZERO, other: Block::ZERO, keys: Keys::ZERO };
        Self { kernel, work: Box::new(work) }
    }

    pub(super) fn wipe(&mut self) {
        let Work { rows, block, other, keys } = &mut *self.work;
        rows.as_flattened_mut().zeroize();
        for block in [block, other] {
            block.left.as_flattened_mut().zeroize();
            block.right.as_flattened_mut().zeroize();
        }
        for half in [&mut keys.left, &mut keys.right] {
            half.c.as_flattened_mut().zeroize();
            half.d.as_flattened_mut().zeroize();
        }
    }

    #[cfg(test)]
    pub(super) fn is_wiped(&self) -> bool {
        let Work { rows, block, other, keys } = &*self.work;
        let mut words =
            rows.iter().chain(&block.left).chain(&block.right).chain(&other.left).chain(&other.right);
        let mut keys = [&keys.left, &keys.right].into_iter().flat_map(|half| half.c.iter().chain(&half.d));
        words.all(|word| *word == [0; N]) && keys.all(|word| *word == [0; N])
    }

    /// MACs of messages, into the lanes' values. Messages of fewer blocks than the
    /// longest begin later, so that all end together.
    pub(super) fn macs(&mut self, chain: Chain, lanes: &mut [Lane], messages: &[Message<'_>]) {
        self.load_keys(lanes);
        let steps = lanes.iter().map(|lane| lane.blocks as usize).max().unwrap_or(0);
        let shortest = lanes.iter().map(|lane| lane.blocks as usize).min().unwrap_or(0);
        self.work.block = Block::ZERO;
        for step in 0..steps {
            if step + 1 == steps {
                self.fill(messages, |message| message.last);
            } else {
                let waits = |message: &Message<'_>| steps - 1 - message.blocks.len();
                self.fill(messages, |message| {
                    let block = message.blocks.get(step.wrapping_sub(waits(message)));
                    block.map_or(0, |block| u64::from_be_bytes(*block))
                });
            }
            self.work.block.add(&self.work.rows);
            match chain {
                Chain::Retail => self.single(),
                Chain::Triple => self.triple(Way::Encrypt),
            }
            if step + shortest < steps {
                self.work.block.keep(&mask(lanes, |lane| lane.blocks as usize + step >= steps));
            }
        }
        if chain == Chain::Retail {
            self.finish(Way::Encrypt);
        }
        self.unload(lanes, |lane, mac| lane.value[0] = mac);
    }

    /// UnionPay's MAC over messages that are folded into the values: hexadecimal
    /// digits, the first eight encrypted, the last eight added, encrypted again, and
    /// the first digits of that.
    pub(super) fn union_pay(&mut self, lanes: &mut [Lane]) {
        self.load_keys(lanes);
        for lane in &mut *lanes {
            let digits = hex::upper(&lane.value[0].to_be_bytes());
            let [first, last] = [0, 8].map(|at| {
                // INVARIANT: there are sixteen digits.
                u64::from_be_bytes(*digits[at..].first_chunk().expect("eight digits are left"))
            });
            (lane.value[0], lane.value[1]) = (first, last);
        }
        for half in 0..2 {
            self.fill(lanes, |lane| lane.value[half]);
            if half == 0 {
                self.work.block = Block::ZERO;
            }
            self.work.block.add(&self.work.rows);
            self.triple(Way::Encrypt);
        }
        self.unload(lanes, |lane, block| {
            let digits = hex::upper(&block.to_be_bytes());
            // INVARIANT: there are sixteen digits.
            lane.value[0] = u64::from_be_bytes(*digits.first_chunk().expect("sixteen digits"));
        });
    }

    /// Retail MACs of the first two values, into the first.
    pub(super) fn retail_pairs(&mut self, lanes: &mut [Lane]) {
        self.load_keys(lanes);
        self.work.block = Block::ZERO;
        for at in 0..2 {
            self.fill(lanes, |lane| lane.value[at]);
            self.work.block.add(&self.work.rows);
            self.single();
        }
        self.finish(Way::Encrypt);
        self.unload(lanes, |lane, mac| lane.value[0] = mac);
    }

    /// Encrypts or decrypts the first `count` blocks of each lane, each by itself.
    pub(super) fn crypt(&mut self, way: Way, count: usize, lanes: &mut [Lane]) {
        self.load_keys(lanes);
        for at in 0..count {
            self.fill(lanes, |lane| lane.value[at]);
            self.work.block.set(&self.work.rows);
            self.triple(way);
            self.unload(lanes, |lane, block| lane.value[at] = block);
        }
    }

    /// The keys that the lanes' keys diversify into with their first values, as
    /// halves in the first two.
    pub(super) fn diversify(&mut self, lanes: &mut [Lane]) {
        for lane in &mut *lanes {
            lane.factor = Some(lane.value[0]);
        }
        self.load_master_keys(lanes);
        self.derive(lanes);
        self.unload(lanes, |lane, right| lane.value[1] = right);
        std::mem::swap(&mut self.work.block, &mut self.work.other);
        self.unload(lanes, |lane, left| lane.value[0] = left);
    }

    /// The keys under which the lanes work: their own, or derived.
    fn load_keys(&mut self, lanes: &mut [Lane]) {
        self.load_master_keys(lanes);
        if lanes.iter().all(|lane| lane.factor.is_none()) {
            return;
        }
        self.derive(lanes);
        let derived = mask(lanes, |lane| lane.factor.is_some());
        let Work { keys, block, other, .. } = &mut *self.work;
        keys.left.set_from(other, &derived);
        keys.right.set_from(block, &derived);
    }

    fn load_master_keys(&mut self, lanes: &[Lane]) {
        for half in 0..2 {
            self.fill(lanes, |lane| lane.key[half]);
            let Work { keys, rows, .. } = &mut *self.work;
            if half == 0 { keys.left.set(rows) } else { keys.right.set(rows) }
        }
    }

    /// Diversification: the left half into `other`, the right one into `block`.
    fn derive(&mut self, lanes: &mut [Lane]) {
        self.fill(lanes, |lane| lane.factor.unwrap_or(0));
        self.work.block.set(&self.work.rows);
        self.triple(Way::Encrypt);
        std::mem::swap(&mut self.work.block, &mut self.work.other);
        self.work.block.set(&self.work.rows);
        self.work.block.complement();
        self.triple(Way::Encrypt);
        let Work { block, other, .. } = &*self.work;
        let unsuspected = unsuspected(other, block);
        for (at, lane) in lanes.iter_mut().enumerate() {
            lane.unusual |= lane.factor.is_some() && unsuspected[at / 64] << (at % 64) >> 63 == 0;
        }
    }

    fn triple(&mut self, way: Way) {
        let Work { block, keys, .. } = &mut *self.work;
        (self.kernel.des)(block, &keys.left, way);
        self.finish(way);
    }

    fn single(&mut self) {
        let Work { block, keys, .. } = &mut *self.work;
        (self.kernel.des)(block, &keys.left, Way::Encrypt);
    }

    /// What triple DES adds to single DES.
    fn finish(&mut self, way: Way) {
        let back = if way == Way::Encrypt { Way::Decrypt } else { Way::Encrypt };
        let Work { block, keys, .. } = &mut *self.work;
        (self.kernel.des)(block, &keys.right, back);
        (self.kernel.des)(block, &keys.left, way);
    }

    /// One word of each lane into the rows, transposed. Lanes that nobody uses are zero.
    fn fill<T>(&mut self, lanes: &[T], mut word: impl FnMut(&T) -> u64) {
        let rows = &mut self.work.rows;
        for (group, lanes) in lanes.chunks(64).enumerate() {
            for (row, lane) in rows.iter_mut().zip(lanes) {
                row[group] = word(lane);
            }
            for row in &mut rows[lanes.len()..] {
                row[group] = 0;
            }
        }
        for group in lanes.len().div_ceil(64)..N {
            for row in &mut *rows {
                row[group] = 0;
            }
        }
        (self.kernel.transpose)(rows);
    }

    /// The block of each lane.
    fn unload(&mut self, lanes: &mut [Lane], mut take: impl FnMut(&mut Lane, u64)) {
        let Work { rows, block, .. } = &mut *self.work;
        block.rows(rows);
        (self.kernel.transpose)(rows);
        for (group, lanes) in lanes.chunks_mut(64).enumerate() {
            for (row, lane) in rows.iter().zip(lanes) {
                take(lane, row[group]);
            }
        }
    }
}

/// The lanes that are so.
fn mask<const N: usize>(lanes: &[Lane], is: impl Fn(&Lane) -> bool) -> [u64; N] {
    let mut mask = [0; N];
    for (at, lane) in lanes.iter().enumerate() {
        mask[at / 64] |= u64::from(is(lane)) << (63 - at % 64);
    }
    mask
}

/// The lanes in which two halves surely make a good key.
///
/// In every byte of a weak, semi-weak or possibly weak key the first three bits are
/// equal, and so are the last three before the parity bit. So a half with a byte
/// where they are not is good, and of the others (one in 2³² by chance) each is
/// looked at by itself. Halves must differ in more than parity, too.
fn unsuspected<const N: usize>(left: &Block<N>, right: &Block<N>) -> [u64; N] {
    std::array::from_fn(|group| {
        let mixed = |block: &Block<N>| {
            [0, 1, 4, 5].into_iter().fold(0, |mixed, at| {
                let byte = |first: usize| block.bit(first + at)[group] ^ block.bit(first + at + 1)[group];
                (0..64).step_by(8).fold(mixed, |mixed, first| mixed | byte(first))
            })
        };
        let key_bits = (0..64).filter(|bit| bit % 8 != 7);
        let different =
            key_bits.fold(0, |different, bit| different | left.bit(bit)[group] ^ right.bit(bit)[group]);
        mixed(left) & mixed(right) & different
    })
}
