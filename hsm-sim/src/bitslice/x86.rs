//! The engines with 256-bit vectors, and all of this crate's `unsafe`.
//!
//! Two reasons for it, each with its proof where it stands: a function compiled
//! for vectors may be called only where the processor has them, and loads and
//! stores of vectors take pointers. Everything else is the code that the portable
//! engine runs. Miri runs all of it, AVX-512VL included:
//!
//! ```text
//! RUSTFLAGS="-Ctarget-feature=+bmi1,+avx2,+avx512f,+avx512vl" \
//!     cargo +nightly miri test -p hsm-sim --lib every_lane_of_every_engine
//! ```
#![expect(unsafe_code, reason = "vector instructions: see above")]

use super::{
    block::{Block, Half, Rows, transpose},
    des::{Way, des},
    kernel::Kernel,
    word::Word,
};
use std::arch::{is_x86_feature_detected, x86_64::*};

/// 64 lanes in general registers with `andn` of BMI1, if the processor has it.
pub(super) fn bmi1() -> Option<Kernel<1>> {
    #[target_feature(enable = "bmi1")]
    fn des_bmi1(block: &mut Block<1>, key: &Half<1>, way: Way) {
        des::<1, [u64; 1]>(block, key, way);
    }
    is_x86_feature_detected!("bmi1").then_some(Kernel {
        name: "u64+bmi1",
        // SAFETY: the pointer leaves this function only if the processor has BMI1.
        des: |block, key, way| unsafe { des_bmi1(block, key, way) },
        transpose: transpose::<1, [u64; 1]>,
    })
}

/// 256 lanes with AVX2, if the processor has it.
pub(super) fn avx2() -> Option<Kernel<4>> {
    #[target_feature(enable = "avx2")]
    fn des_avx2(block: &mut Block<4>, key: &Half<4>, way: Way) {
        des::<4, Avx2>(block, key, way);
    }
    #[target_feature(enable = "avx2")]
    fn transpose_avx2(rows: &mut Rows<4>) {
        transpose::<4, Avx2>(rows);
    }
    is_x86_feature_detected!("avx2").then_some(Kernel {
        name: "avx2",
        // SAFETY: the pointer leaves this function only if the processor has AVX2.
        des: |block, key, way| unsafe { des_avx2(block, key, way) },
        // SAFETY: the same.
        transpose: |rows| unsafe { transpose_avx2(rows) },
    })
}

/// 256 lanes with the three-input logic of AVX-512VL, if the processor has it.
pub(super) fn avx512vl() -> Option<Kernel<4>> {
    #[target_feature(enable = "avx2,avx512f,avx512vl")]
    fn des_avx512vl(block: &mut Block<4>, key: &Half<4>, way: Way) {
        des::<4, Avx512vl>(block, key, way);
    }
    #[target_feature(enable = "avx2,avx512f,avx512vl")]
    fn transpose_avx512vl(rows: &mut Rows<4>) {
        transpose::<4, Avx512vl>(rows);
    }
    let has = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl");
    has.then_some(Kernel {
        name: "avx512vl",
        // SAFETY: the pointer leaves this function only if the processor has all three.
        des: |block, key, way| unsafe { des_avx512vl(block, key, way) },
        // SAFETY: the same.
        transpose: |rows| unsafe { transpose_avx512vl(rows) },
    })
}

/// A vector of AVX2. Private to this module, where only functions compiled for
/// AVX2 make one: that is the proof of every `unsafe` below.
#[derive(Clone, Copy)]
struct Avx2(__m256i);

/// The same with `vpternlogd`; made only by functions compiled for AVX-512VL.
#[derive(Clone, Copy)]
struct Avx512vl(__m256i);

macro_rules! vector {
    ($type:ident, $ternary:literal, { $($more:item)* }) => {
        impl Word<4> for $type {
            const TERNARY: bool = $ternary;

            #[inline(always)]
            fn load(from: &[u64; 4]) -> Self {
                // SAFETY: the pointer is that of 32 readable bytes; alignment is not asked for. AVX as above.
                Self(unsafe { _mm256_loadu_si256(from.as_ptr().cast()) })
            }

            #[inline(always)]
            fn store(self, to: &mut [u64; 4]) {
                // SAFETY: the pointer is that of 32 writable bytes; alignment is not asked for. AVX as above.
                unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), self.0) }
            }

            #[inline(always)]
            fn and(self, other: Self) -> Self {
                // SAFETY: AVX2 as above.
                Self(unsafe { _mm256_and_si256(self.0, other.0) })
            }

            #[inline(always)]
            fn or(self, other: Self) -> Self {
                // SAFETY: AVX2 as above.
                Self(unsafe { _mm256_or_si256(self.0, other.0) })
            }

            #[inline(always)]
            fn xor(self, other: Self) -> Self {
                // SAFETY: AVX2 as above.
                Self(unsafe { _mm256_xor_si256(self.0, other.0) })
            }

            #[inline(always)]
            fn and_not(self, other: Self) -> Self {
                // SAFETY: AVX2 as above. The instruction negates its first operand.
                Self(unsafe { _mm256_andnot_si256(other.0, self.0) })
            }

            #[inline(always)]
            fn not(self) -> Self {
                // SAFETY: AVX2 as above.
                Self(unsafe { _mm256_xor_si256(self.0, _mm256_set1_epi64x(-1)) })
            }

            #[inline(always)]
            fn up<const BY: i32>(self) -> Self {
                // SAFETY: AVX2 as above.
                Self(unsafe { _mm256_slli_epi64::<BY>(self.0) })
            }

            #[inline(always)]
            fn down<const BY: i32>(self) -> Self {
                // SAFETY: AVX2 as above.
                Self(unsafe { _mm256_srli_epi64::<BY>(self.0) })
            }

            $($more)*
        }
    };
}

vector!(Avx2, false, {});
vector!(Avx512vl, true, {
    #[inline(always)]
    fn ternary<const FUNCTION: i32>(a: Self, b: Self, c: Self) -> Self {
        // SAFETY: AVX-512VL as above. Double or quad words is the same without a mask; Miri knows only the former.
        Self(unsafe { _mm256_ternarylogic_epi32::<FUNCTION>(a.0, b.0, c.0) })
    }
});
