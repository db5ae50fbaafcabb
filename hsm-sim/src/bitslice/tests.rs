//! Every engine against the crate `des` and against the single-message code.
#![expect(clippy::unwrap_used, reason = "tests")]
#![cfg_attr(
    target_arch = "x86_64",
    expect(clippy::print_stdout, reason = "an engine that is skipped is named")
)]

use super::{
    Bitslice, Chain, FEW, Lane,
    block::{Block, Half, Rows, transpose},
    des::{Way, des},
    kernel::Kernel,
    lanes::Lanes,
    sboxes::{three, two},
    word::Word,
};
use crate::{
    MacAlgorithm,
    des_key::{DesKey, set_odd_parity},
    mac,
    psam::diversify,
};
use ::des::Des;
use cipher::{BlockCipherEncrypt, KeyInit};

#[path = "../../tools/sboxes/boxes.rs"]
mod boxes;

/// The portable word with circuits of three inputs: what AVX-512VL does, evaluated
/// bit by bit.
#[derive(Clone, Copy)]
struct Ternary<const N: usize>([u64; N]);

impl<const N: usize> Word<N> for Ternary<N> {
    const TERNARY: bool = true;

    fn load(from: &[u64; N]) -> Self {
        Self(*from)
    }

    fn store(self, to: &mut [u64; N]) {
        *to = self.0;
    }

    fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0))
    }

    fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    fn xor(self, other: Self) -> Self {
        Self(self.0.xor(other.0))
    }

    fn and_not(self, other: Self) -> Self {
        Self(self.0.and_not(other.0))
    }

    fn not(self) -> Self {
        Self(self.0.not())
    }

    fn up<const BY: i32>(self) -> Self {
        Self(self.0.up::<BY>())
    }

    fn down<const BY: i32>(self) -> Self {
        Self(self.0.down::<BY>())
    }
}

/// Portable logic of three inputs, as an engine.
pub(crate) fn ternary() -> Kernel<1> {
    Kernel { name: "ternary", des: des::<1, Ternary<1>>, transpose: transpose::<1, Ternary<1>> }
}

/// Numbers that differ from call to call and from run to run never (xorshift).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A double-length key that is not weak.
    fn key(&mut self) -> [u64; 2] {
        loop {
            let halves = [self.next(), self.next()];
            if DesKey::from_halves(halves).is_ok() {
                return halves;
            }
        }
    }
}

/// Runs `narrow` and `wide` with every engine there is, and names those there are not.
fn in_every_engine(narrow: impl Fn(Kernel<1>), wide: impl Fn(Kernel<4>)) {
    narrow(Kernel::portable());
    // Miri takes minutes for these two, which have nothing that the others have not.
    if !cfg!(miri) {
        narrow(ternary());
        wide(Kernel::portable());
    }
    #[cfg(target_arch = "x86_64")]
    {
        use super::x86;
        x86::bmi1().map_or_else(|| println!("skipped: this processor has no BMI1"), &narrow);
        x86::avx2().map_or_else(|| println!("skipped: this processor has no AVX2"), &wide);
        x86::avx512vl().map_or_else(|| println!("skipped: this processor has no AVX-512VL"), &wide);
    }
}

#[test]
fn every_circuit_of_both_kinds_is_its_box_for_all_inputs() {
    type Circuit = fn([[u64; 1]; 6]) -> [[u64; 1]; 4];
    let circuits: [[Circuit; 2]; 8] = [
        [two::s1, three::s1],
        [two::s2, three::s2],
        [two::s3, three::s3],
        [two::s4, three::s4],
        [two::s5, three::s5],
        [two::s6, three::s6],
        [two::s7, three::s7],
        [two::s8, three::s8],
    ];
    // Lane x, counted from the lowest bit, gets the six bits of x.
    let inputs = std::array::from_fn(|bit| [boxes::input(bit)]);
    for (sbox, kinds) in circuits.iter().enumerate() {
        for (kind, circuit) in ["two", "three"].iter().zip(kinds) {
            let printed = std::array::from_fn(|bit| [boxes::output(sbox, bit)]);
            assert_eq!(circuit(inputs), printed, "S{} of {kind}", sbox + 1);
        }
    }
}

#[test]
fn transposition_moves_every_bit_to_its_place() {
    fn check<const N: usize>(kernel: Kernel<N>) {
        let mut random = Seeded(9);
        let rows: Rows<N> = std::array::from_fn(|_| std::array::from_fn(|_| random.next()));
        let mut transposed = rows;
        (kernel.transpose)(&mut transposed);
        for (row, bit, group) in (0..64 * 64 * N).map(|at| (at % 64, at / 64 % 64, at / 4096)) {
            let there = transposed[bit][group] >> (63 - row) & 1;
            assert_eq!(there, rows[row][group] >> (63 - bit) & 1, "{}: row {row} bit {bit}", kernel.name);
        }
    }
    in_every_engine(check, check);
}

#[test]
fn every_lane_of_every_engine_is_the_des_of_the_library() {
    fn check<const N: usize>(kernel: Kernel<N>) {
        let mut random = Seeded(1);
        let mut rows = || -> Rows<N> { std::array::from_fn(|_| std::array::from_fn(|_| random.next())) };
        let (clear, keys) = (rows(), rows());
        let transposed = |mut rows: Rows<N>| {
            (kernel.transpose)(&mut rows);
            rows
        };
        let (mut block, mut half) = (Block::ZERO, Half::ZERO);
        block.set(&transposed(clear));
        half.set(&transposed(keys));
        (kernel.des)(&mut block, &half, Way::Encrypt);
        let mut encrypted = [[0; N]; 64];
        block.rows(&mut encrypted);
        let encrypted = transposed(encrypted);
        // Under Miri a few lanes, because the crate `des` takes its time there.
        let every = if cfg!(miri) { 37 } else { 1 };
        for (lane, group) in (0..64 * N).step_by(every).map(|at| (at % 64, at / 64)) {
            let mut expected = clear[lane][group].to_be_bytes();
            Des::new(&keys[lane][group].to_be_bytes().into()).encrypt_block((&mut expected).into());
            assert_eq!(encrypted[lane][group].to_be_bytes(), expected, "{} {lane}", kernel.name);
        }
        (kernel.des)(&mut block, &half, Way::Decrypt);
        let mut back = [[0; N]; 64];
        block.rows(&mut back);
        assert!(transposed(back) == clear, "{}: decryption is the inverse", kernel.name);
    }
    in_every_engine(check, check);
}

/// Lanes with random keys, every third derived.
fn lanes(random: &mut Seeded, count: usize) -> Vec<Lane> {
    let lane = |item| {
        let factor = (item % 3 == 1).then(|| random.next());
        Lane {
            item,
            key: random.key(),
            factor,
            value: [random.next(), random.next(), random.next()],
            ..Lane::default()
        }
    };
    (0..u32::try_from(count).unwrap()).map(lane).collect()
}

/// The key under which a lane works.
fn key(lane: &Lane) -> DesKey {
    let key = DesKey::from_halves(lane.key).unwrap();
    lane.factor.map_or(key, |factor| {
        diversify(&DesKey::from_halves(lane.key).unwrap(), factor.to_be_bytes()).unwrap()
    })
}

#[test]
fn macs_of_mixed_lengths_are_those_of_single_messages() {
    fn check<const N: usize>(kernel: Kernel<N>) {
        let mut random = Seeded(3);
        let mut engine = Lanes::new(kernel);
        for count in [1, 2, 63, 64, 65, 255, 256].into_iter().filter(|count| *count <= Lanes::<N>::COUNT) {
            for (chain, algorithm) in [
                (Chain::Retail, MacAlgorithm::X919),
                (Chain::Retail, MacAlgorithm::Psam),
                (Chain::Triple, MacAlgorithm::Cbc3Des),
                (Chain::Triple, MacAlgorithm::Cbc3DesPadded),
            ] {
                let longest = 1 + random.below(60);
                let data: Vec<Vec<u8>> = (0..count)
                    .map(|_| (0..1 + random.below(longest)).map(|_| random.next().to_be_bytes()[0]).collect())
                    .collect();
                let mut work = lanes(&mut random, count);
                for (lane, data) in work.iter_mut().zip(&data) {
                    lane.blocks = u32::try_from(mac::padded(algorithm, data).blocks.len() + 1).unwrap();
                }
                let messages: Vec<_> = data.iter().map(|data| mac::padded(algorithm, data)).collect();
                engine.macs(chain, &mut work, &messages);
                for (lane, data) in work.iter().zip(&data) {
                    let expected = mac::compute(&key(lane), algorithm, data).unwrap();
                    assert_eq!(lane.value[0].to_be_bytes(), expected, "{} {algorithm:?}", kernel.name);
                    assert!(!lane.unusual);
                }
            }
        }
    }
    in_every_engine(check, check);
}

#[test]
fn blocks_and_keys_come_out_as_those_of_single_messages() {
    fn check<const N: usize>(kernel: Kernel<N>) {
        let mut random = Seeded(4);
        let mut engine = Lanes::new(kernel);
        for count in [1, 64, 100, 256].into_iter().filter(|count| *count <= Lanes::<N>::COUNT) {
            let before = lanes(&mut random, count);
            let mut work = before.clone();
            engine.crypt(Way::Decrypt, 3, &mut work);
            for (lane, before) in work.iter().zip(&before) {
                let clear =
                    before.value.map(|block| u64::from_be_bytes(key(before).decrypt(block.to_be_bytes())));
                assert_eq!(lane.value, clear, "{}", kernel.name);
            }
            engine.crypt(Way::Encrypt, 3, &mut work);
            assert!(work.iter().zip(&before).all(|(lane, before)| lane.value == before.value));
            engine.union_pay(&mut work);
            for (lane, before) in work.iter().zip(&before) {
                let folded = before.value[0].to_be_bytes();
                let mac = mac::compute(&key(before), MacAlgorithm::UnionPayEcb, &folded).unwrap();
                assert_eq!(lane.value[0].to_be_bytes(), mac, "{}", kernel.name);
            }
            let mut work = before.clone();
            engine.retail_pairs(&mut work);
            for (lane, before) in work.iter().zip(&before) {
                let data = [before.value[0].to_be_bytes(), before.value[1].to_be_bytes()].concat();
                assert_eq!(lane.value[0].to_be_bytes(), mac::x919(&key(before), &data), "{}", kernel.name);
            }
            let mut work = before.clone();
            engine.diversify(&mut work);
            for (lane, before) in work.iter().zip(&before) {
                let master = DesKey::from_halves(before.key).unwrap();
                let derived = diversify(&master, before.value[0].to_be_bytes()).unwrap();
                assert_eq!([lane.value[0], lane.value[1]], derived.halves(), "{}", kernel.name);
            }
        }
    }
    in_every_engine(check, check);
}

#[test]
fn lanes_whose_derived_key_is_weak_are_found_and_hardly_any_other() {
    // Weak, semi-weak and possibly weak keys, and halves that are equal but for their parity.
    let weak = [
        0x0101_0101_0101_0101_u64,
        0x1F1F_1F1F_0E0E_0E0E,
        0x01FE_01FE_01FE_01FE,
        0xE001_E001_F101_F101,
        0x1F1F_0101_0E0E_0101,
        0xFE1F_E001_FE0E_F101,
    ];
    fn check<const N: usize>(kernel: Kernel<N>, weak: &[u64]) {
        let mut random = Seeded(5);
        let mut work = lanes(&mut random, 40);
        for (at, lane) in work.iter_mut().enumerate() {
            let key = DesKey::from_halves(lane.key).unwrap();
            // The factor whose encryption, or whose complement's, is the weak half.
            let factor = |half: u64| u64::from_be_bytes(key.decrypt(half.to_be_bytes()));
            let half = weak[at % weak.len()] ^ random.next() & 0x0101_0101_0101_0101;
            lane.value[0] = match at % 4 {
                0 => factor(half),
                1 => !factor(half),
                _ => lane.value[0],
            };
        }
        Lanes::new(kernel).diversify(&mut work);
        for (at, lane) in work.iter().enumerate() {
            let refused = DesKey::from_halves([lane.value[0], lane.value[1]]).is_err();
            assert_eq!(refused, at % 4 < 2, "{}: the test's own keys, {at}", kernel.name);
            assert_eq!(lane.unusual, refused, "{}: lane {at}", kernel.name);
        }
    }
    in_every_engine(|kernel| check(kernel, &weak), |kernel| check(kernel, &weak));
}

#[test]
fn too_little_company_is_left_alone() {
    let mut random = Seeded(6);
    for (count, alone) in [(FEW - 1, FEW - 1), (FEW, 0), (64, 0)] {
        let mut work = lanes(&mut random, count);
        Bitslice::default().encrypt(&mut work);
        assert_eq!(work.iter().filter(|lane| lane.unusual).count(), alone, "{count} lanes");
    }
}

#[test]
fn nothing_is_left_in_the_working_memory() {
    fn check<const N: usize>(kernel: Kernel<N>) {
        let mut engine = Lanes::new(kernel);
        engine.diversify(&mut lanes(&mut Seeded(7), 64));
        assert!(!engine.is_wiped(), "{}: there was something", kernel.name);
        engine.wipe();
        assert!(engine.is_wiped(), "{}", kernel.name);
    }
    in_every_engine(check, check);
}

#[test]
fn a_parity_bit_changes_nothing() {
    let mut random = Seeded(8);
    let mut work = lanes(&mut random, 64);
    let mut odd = work.clone();
    for lane in &mut odd {
        for half in &mut lane.key {
            let mut bytes = half.to_be_bytes();
            set_odd_parity(&mut bytes);
            *half = u64::from_be_bytes(bytes);
        }
    }
    let mut engine = Lanes::<1>::new(Kernel::portable());
    engine.crypt(Way::Encrypt, 1, &mut work);
    engine.crypt(Way::Encrypt, 1, &mut odd);
    assert!(work.iter().zip(&odd).all(|(lane, odd)| lane.value == odd.value));
}
