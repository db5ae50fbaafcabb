//! Bitsliced DES: many items of a batch at a time, each under its own key.
//!
//! # How it works
//!
//! DES was made for wires. In software it is mostly the moving about of single
//! bits, and its S-boxes become tables, which is slow (some 16 rounds of 8 look-ups
//! a block) and lets whoever shares the processor's caches see which entries were
//! read. A CBC-MAC makes it worse: each block waits for the one before it, so one
//! message keeps one core busy with nothing to overlap.
//!
//! So we go across messages. Take 64 blocks of 64 messages and turn the square: the
//! first word then holds the first bit of every block, the second word the second
//! bit, and so on (`transpose`). A word is now a wire, and each of its 64 bit
//! positions, called a *lane*, is one message. One AND of two words is an AND gate
//! in 64 circuits at once. Of DES remains:
//!
//! - its permutations: which word is read where, settled at compile time;
//! - its key schedule: the same. A lane's key is transposed once, and each round
//!   reads 48 of its 56 words, beginning at another place (`block::Half`);
//! - its S-boxes: circuits of about 50 gates each, or 27 with gates of three inputs
//!   (`sboxes`).
//!
//! A pass over 64 lanes so costs about as much as five blocks do one by one, a pass
//! over 256 lanes in vector registers no more than that.
//!
//! Every lane has a key of its own, and keys may stay in lanes: diversification
//! (PSAM scheme v1) encrypts two blocks, and the words that come out are the key's
//! words in another order (`lanes::Lanes::load_keys`).
//!
//! Messages of different lengths share a pass: they begin at different steps and end
//! together, because a lane whose message has not begun is kept at zero. Items are
//! sorted by length before, so that neighbours waste little.
//!
//! # Where the circuits come from
//!
//! From our own search, `tools/sboxes`, which starts from the printed tables, builds
//! circuits by an old and simple method and improves them by random steps. It writes
//! `sboxes.rs`; no published circuit went in. Better ones are known to exist (44
//! gates on average where we have 50).
//!
//! # What is constant time, and what is not
//!
//! The passes are: no table, no branch and no address depends on a key or a clear
//! bit, by construction. What depends on data that is no secret: the number of
//! steps (message lengths), which items share a pass (algorithms, whether a key is
//! derived). Not constant time: single messages with the crate `des`, which uses
//! tables and serves batches smaller than [`FEW`], what is left over after passes,
//! and every item about which something is unusual. An item is unusual for an
//! attacker as for us: its key is missing, its PIN block is malformed, or the key
//! derived for it looks like a weak one.
//!
//! # What stays where
//!
//! Working memory is allocated once and overwritten after each batch: keys, clear
//! blocks, chains ([`Bitslice::wipe`]). Registers that did not find room spill to the
//! stack, which the batch calls overwrite when they are done (`stack`). `tests/memory`
//! looks into a process that has verified 10,000 PINs and finds nothing of them, lane
//! by lane neither.
//!
//! Start at [`Bitslice`]; `des` is the cipher, `lanes` what is done with it,
//! `x86` the engines with vectors and all `unsafe` there is.

mod block;
mod des;
mod kernel;
mod lanes;
mod sboxes;
#[cfg(test)]
mod tests;
mod word;
#[cfg(target_arch = "x86_64")]
mod x86;

use arrayvec::ArrayVec;
use des::Way;
use kernel::Kernel;
use lanes::Lanes;
pub(crate) use lanes::{Chain, Lane, Message};

/// How DES is computed for the items of a batch.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DesEngine {
    /// One item after the other with the crate `des`.
    Single,
    /// 64 items at a time, on any processor.
    Portable,
    /// The same compiled for BMI1 (x86-64).
    Bmi1,
    /// 256 items at a time (x86-64).
    Avx2,
    /// 256 items at a time in logic of three inputs (x86-64).
    Avx512Vl,
}

impl DesEngine {
    /// Every engine, for tables and tests.
    pub const ALL: [Self; 5] = [Self::Single, Self::Portable, Self::Bmi1, Self::Avx2, Self::Avx512Vl];

    fn narrow(self) -> Option<Kernel<1>> {
        match self {
            Self::Portable => Some(Kernel::portable()),
            #[cfg(target_arch = "x86_64")]
            Self::Bmi1 => x86::bmi1(),
            _ => None,
        }
    }

    fn wide(self) -> Option<Kernel<4>> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::avx2(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vl => x86::avx512vl(),
            _ => None,
        }
    }
}

/// With fewer items than this each is looked at alone.
///
/// Nanoseconds an item, retail MACs over 250 bytes, the fastest of 200 calls on a
/// virtual AMD EPYC (Zen 3), as the table that `benches/batch.rs` prints first
/// (`cargo bench -p hsm-sim --features emulator,test-keys --bench batch`):
///
/// | items | `des` alone | portable | BMI1 | AVX2 |
/// |---|---|---|---|---|
/// | 1 | 8916 | 42158 | 38812 | 46005 |
/// | 2 | 8901 | 21109 | 19732 | 22717 |
/// | 4 | 8896 | 10632 | 9768 | 11423 |
/// | 8 | 8892 | 5373 | 4958 | 5855 |
/// | 16 | 8889 | 2748 | 2522 | 2966 |
/// | 64 | 8893 | 759 | 702 | 807 |
/// | 128 | 8890 | 758 | 708 | 442 |
/// | 256 | 8913 | 758 | 703 | 268 |
///
/// So a pass costs as much as 4.4 to 5.2 items alone if all are equally long; six,
/// because lengths differ.
const FEW: usize = 6;

/// With fewer items than this the narrow engine takes them, if there is one: a pass
/// of it is the cheapest that holds them (same table).
const WIDE_FROM: usize = 65;

/// The engines this processor has, and their working memory.
pub(crate) struct Bitslice {
    narrow: Option<Lanes<1>>,
    wide: Option<Lanes<4>>,
    few: usize,
}

impl Default for Bitslice {
    fn default() -> Self {
        let narrow = DesEngine::Bmi1.narrow().unwrap_or_else(Kernel::portable);
        let wide = DesEngine::Avx512Vl.wide().or_else(|| DesEngine::Avx2.wide());
        Self { narrow: Some(Lanes::new(narrow)), wide: wide.map(Lanes::new), few: FEW }
    }
}

impl Bitslice {
    /// One engine only, for any number of items; `None` if this processor does not
    /// have it.
    #[cfg(any(test, feature = "test-keys"))]
    pub(crate) fn only(engine: DesEngine) -> Option<Self> {
        let (narrow, wide) = (engine.narrow().map(Lanes::new), engine.wide().map(Lanes::new));
        let few = match engine {
            DesEngine::Single => usize::MAX,
            _ => 1,
        };
        (few > 1 || narrow.is_some() || wide.is_some()).then_some(Self { narrow, wide, few })
    }

    /// The smallest number of items that is worth a pass.
    pub(crate) fn few(&self) -> usize {
        self.few
    }

    /// Overwrites keys and clear blocks.
    pub(crate) fn wipe(&mut self) {
        if let Some(narrow) = &mut self.narrow {
            narrow.wipe();
        }
        if let Some(wide) = &mut self.wide {
            wide.wipe();
        }
    }

    #[cfg(test)]
    pub(crate) fn is_wiped(&self) -> bool {
        self.narrow.as_ref().is_none_or(Lanes::is_wiped) && self.wide.as_ref().is_none_or(Lanes::is_wiped)
    }

    /// MACs over messages of [`Lane::blocks`] blocks each.
    pub(crate) fn macs<'a>(
        &mut self,
        chain: Chain,
        lanes: &mut [Lane],
        message: &dyn Fn(&Lane) -> Message<'a>,
    ) {
        self.run(lanes, &Macs { chain, message });
    }

    /// UnionPay's MAC of what the messages are folded into.
    pub(crate) fn union_pay(&mut self, lanes: &mut [Lane]) {
        self.run(lanes, &UnionPay);
    }

    /// Retail MACs of the first two blocks of each lane.
    pub(crate) fn retail_pairs(&mut self, lanes: &mut [Lane]) {
        self.run(lanes, &RetailPairs);
    }

    /// Encrypts the first block of each lane in triple DES.
    pub(crate) fn encrypt(&mut self, lanes: &mut [Lane]) {
        self.encrypt_blocks(1, lanes);
    }

    /// Encrypts the first `count` blocks of each lane, each by itself.
    pub(crate) fn encrypt_blocks(&mut self, count: usize, lanes: &mut [Lane]) {
        self.run(lanes, &Crypt(Way::Encrypt, count));
    }

    /// Decrypts the first `count` blocks of each lane, each by itself.
    pub(crate) fn decrypt(&mut self, count: usize, lanes: &mut [Lane]) {
        self.run(lanes, &Crypt(Way::Decrypt, count));
    }

    /// The halves of the keys that [`Lane::key`] diversifies into with the first value.
    pub(crate) fn diversify(&mut self, lanes: &mut [Lane]) {
        self.run(lanes, &Diversify);
    }

    fn run(&mut self, mut lanes: &mut [Lane], program: &impl Program) {
        while !lanes.is_empty() && lanes.len() >= self.few {
            match (&mut self.narrow, &mut self.wide) {
                (Some(narrow), None) => program.run(narrow, take(&mut lanes, Lanes::<1>::COUNT)),
                (Some(narrow), Some(_)) if lanes.len() < WIDE_FROM => {
                    program.run(narrow, take(&mut lanes, Lanes::<1>::COUNT));
                }
                (_, Some(wide)) => program.run(wide, take(&mut lanes, Lanes::<4>::COUNT)),
                (None, None) => break,
            }
        }
        for lane in lanes {
            lane.unusual = true;
        }
    }
}

fn take<'a>(lanes: &mut &'a mut [Lane], count: usize) -> &'a mut [Lane] {
    let count = count.min(lanes.len());
    let (now, later) = std::mem::take(lanes).split_at_mut(count);
    *lanes = later;
    now
}

/// What is done with one pass full of lanes, however wide the pass.
trait Program {
    fn run<const N: usize>(&self, engine: &mut Lanes<N>, lanes: &mut [Lane]);
}

struct Macs<'f, 'a> {
    chain: Chain,
    message: &'f dyn Fn(&Lane) -> Message<'a>,
}
struct UnionPay;
struct RetailPairs;
struct Crypt(Way, usize);
struct Diversify;

impl Program for Macs<'_, '_> {
    fn run<const N: usize>(&self, engine: &mut Lanes<N>, lanes: &mut [Lane]) {
        let messages: ArrayVec<Message<'_>, 256> = lanes.iter().map(self.message).collect();
        engine.macs(self.chain, lanes, &messages);
    }
}

impl Program for UnionPay {
    fn run<const N: usize>(&self, engine: &mut Lanes<N>, lanes: &mut [Lane]) {
        engine.union_pay(lanes);
    }
}

impl Program for RetailPairs {
    fn run<const N: usize>(&self, engine: &mut Lanes<N>, lanes: &mut [Lane]) {
        engine.retail_pairs(lanes);
    }
}

impl Program for Crypt {
    fn run<const N: usize>(&self, engine: &mut Lanes<N>, lanes: &mut [Lane]) {
        engine.crypt(self.0, self.1, lanes);
    }
}

impl Program for Diversify {
    fn run<const N: usize>(&self, engine: &mut Lanes<N>, lanes: &mut [Lane]) {
        engine.diversify(lanes);
    }
}
