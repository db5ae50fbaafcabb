//! Words whose bits are lanes, and the logic between them.
//!
//! In memory a word is `[u64; N]`, one bit for each of `64 * N` lanes: lane `i` is
//! bit `63 - i % 64` of element `i / 64`. What a word is in registers is an
//! engine's business.

/// A word in registers.
pub(super) trait Word<const N: usize>: Copy {
    /// Whether the engine's circuits are those of three inputs.
    const TERNARY: bool;

    fn load(from: &[u64; N]) -> Self;
    fn store(self, to: &mut [u64; N]);
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// `self` and not `other`.
    fn and_not(self, other: Self) -> Self;
    fn not(self) -> Self;
    /// Each element moved towards its highest bit.
    fn up<const BY: i32>(self) -> Self;
    /// Each element moved towards its lowest bit.
    fn down<const BY: i32>(self) -> Self;

    /// The function whose value for `a`, `b`, `c` is bit `4a + 2b + c` of
    /// `FUNCTION`, as `vpternlog` counts.
    #[inline(always)]
    fn ternary<const FUNCTION: i32>(a: Self, b: Self, c: Self) -> Self {
        // One term for each of the eight bits that is set. Slow, but the same on every processor.
        let pick = |word: Self, is: bool| if is { word } else { word.not() };
        let mut value = a.and_not(a);
        for cell in 0..8 {
            if FUNCTION >> cell & 1 == 1 {
                let term = pick(a, cell & 4 != 0).and(pick(b, cell & 2 != 0)).and(pick(c, cell & 1 != 0));
                value = value.or(term);
            }
        }
        value
    }
}

impl<const N: usize> Word<N> for [u64; N] {
    const TERNARY: bool = false;

    #[inline(always)]
    fn load(from: &[u64; N]) -> Self {
        *from
    }

    #[inline(always)]
    fn store(self, to: &mut [u64; N]) {
        *to = self;
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        std::array::from_fn(|at| self[at] & other[at])
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        std::array::from_fn(|at| self[at] | other[at])
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        std::array::from_fn(|at| self[at] ^ other[at])
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        std::array::from_fn(|at| self[at] & !other[at])
    }

    #[inline(always)]
    fn not(self) -> Self {
        self.map(|element| !element)
    }

    #[inline(always)]
    fn up<const BY: i32>(self) -> Self {
        self.map(|element| element << BY)
    }

    #[inline(always)]
    fn down<const BY: i32>(self) -> Self {
        self.map(|element| element >> BY)
    }
}
