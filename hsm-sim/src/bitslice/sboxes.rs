//! The S-boxes of DES as logic circuits, written by `tools/sboxes`; not edited by hand.
//!
//! ```text
//! cargo run --release -p hsm-sim --example sboxes > hsm-sim/src/bitslice/sboxes.rs
//! ```
//!
//! Input 1 is the highest of the six bits and output 1 the highest of the four, as
//! FIPS 46-3 counts. That every circuit is its box is tested in `des`.

use super::word::Word;

/// The boxes in AND, OR, XOR, AND NOT and NOT: 56, 50, 49, 40, 54, 48, 53, 47 gates, 397 in all.
pub(super) mod two {
    use super::Word;

    #[inline(always)]
    pub(in super::super) fn s1<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = a1.xor(a4);
        let g2 = g1.not();
        let g3 = a6.or(g2);
        let g4 = a5.xor(a6);
        let g5 = g3.and(g4);
        let g6 = g2.xor(g5);
        let g7 = a6.xor(g1);
        let g8 = a4.and_not(g6);
        let g9 = g7.and(g8);
        let g10 = g4.xor(g9);
        let g11 = a3.and(g10);
        let g12 = g6.xor(g11);
        let g13 = a3.xor(g12);
        let g14 = a3.and(g13);
        let g15 = a2.and(a5);
        let g16 = a1.or(g1);
        let g17 = g3.xor(g13);
        let g18 = g16.and_not(g17);
        let g19 = a3.or(g18);
        let g20 = g2.xor(g19);
        let g21 = g15.and_not(g20);
        let g22 = g14.xor(g21);
        let g23 = a4.and(g22);
        let g24 = a1.and_not(a3);
        let g25 = g18.and_not(a5);
        let g26 = g17.or(g25);
        let g27 = g24.and(g26);
        let g28 = g20.and_not(a2);
        let g29 = g4.xor(g28);
        let g30 = g27.xor(g29);
        let g31 = g23.xor(g30);
        let g32 = g7.xor(g25);
        let g33 = g5.xor(g32);
        let g34 = g23.xor(g33);
        let g35 = a1.and(g34);
        let g36 = g7.and_not(g30);
        let g37 = g9.xor(g36);
        let g38 = g17.xor(g37);
        let g39 = g38.and_not(a3);
        let g40 = g35.xor(g39);
        let g41 = g6.xor(g40);
        let g42 = a2.and(g26);
        let g43 = g12.xor(g42);
        let g44 = g43.and_not(g28);
        let g45 = g41.xor(g44);
        let g46 = g31.xor(g41);
        let g47 = g18.xor(g46);
        let g48 = a1.or(g47);
        let g49 = g48.and_not(a2);
        let g50 = g45.and_not(g41);
        let g51 = g14.xor(g46);
        let g52 = a6.and_not(g51);
        let g53 = g50.xor(g52);
        let g54 = a5.and(g53);
        let g55 = g46.xor(g54);
        let g56 = g49.xor(g55);
        [g31, g45, g43, g56]
    }

    #[inline(always)]
    pub(in super::super) fn s2<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = a1.xor(a5);
        let g2 = a6.xor(g1);
        let g3 = a4.xor(g2);
        let g4 = a6.or(g1);
        let g5 = a5.and(g4);
        let g6 = a4.and_not(g5);
        let g7 = g3.xor(g6);
        let g8 = g7.not();
        let g9 = g5.and_not(g1);
        let g10 = a3.or(g9);
        let g11 = g8.xor(g10);
        let g12 = a2.or(g11);
        let g13 = a3.or(a6);
        let g14 = g1.xor(g13);
        let g15 = g14.and_not(a1);
        let g16 = a2.xor(g15);
        let g17 = g11.xor(g16);
        let g18 = g6.xor(g17);
        let g19 = g5.xor(g18);
        let g20 = a2.and(g19);
        let g21 = g12.xor(g20);
        let g22 = a1.or(g21);
        let g23 = g2.xor(g22);
        let g24 = g23.and_not(a5);
        let g25 = a3.xor(g24);
        let g26 = g19.xor(g23);
        let g27 = g26.and_not(a2);
        let g28 = g7.and_not(g20);
        let g29 = a6.or(g28);
        let g30 = g27.xor(g29);
        let g31 = g25.xor(g30);
        let g32 = g4.xor(g31);
        let g33 = g20.xor(g32);
        let g34 = g3.or(g33);
        let g35 = a5.xor(g34);
        let g36 = g25.xor(g35);
        let g37 = a6.and(g36);
        let g38 = a1.xor(g32);
        let g39 = g37.xor(g38);
        let g40 = g17.xor(g39);
        let g41 = g40.and_not(g30);
        let g42 = g17.and_not(a3);
        let g43 = a6.and_not(g42);
        let g44 = g41.or(g43);
        let g45 = g3.xor(g44);
        let g46 = g45.not();
        let g47 = a4.xor(g32);
        let g48 = a3.and(g47);
        let g49 = g40.xor(g48);
        let g50 = g35.xor(g49);
        [g21, g46, g50, g32]
    }

    #[inline(always)]
    pub(in super::super) fn s3<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = a3.xor(a4);
        let g2 = a5.xor(g1);
        let g3 = a1.xor(g2);
        let g4 = a3.xor(a6);
        let g5 = a1.or(g3);
        let g6 = a4.or(a6);
        let g7 = a1.and(g6);
        let g8 = a5.xor(g7);
        let g9 = g5.and_not(g8);
        let g10 = g4.xor(g9);
        let g11 = a4.xor(g10);
        let g12 = g11.and_not(g4);
        let g13 = g1.xor(g12);
        let g14 = a1.or(g13);
        let g15 = a6.and(g14);
        let g16 = a2.not();
        let g17 = g11.and_not(g15);
        let g18 = a3.and_not(g17);
        let g19 = g14.and_not(g18);
        let g20 = g16.and_not(g19);
        let g21 = g15.xor(g20);
        let g22 = g3.xor(g21);
        let g23 = g10.xor(g12);
        let g24 = g15.and(g23);
        let g25 = g1.xor(g24);
        let g26 = a5.and_not(g25);
        let g27 = g6.xor(g26);
        let g28 = g3.xor(g27);
        let g29 = g17.xor(g28);
        let g30 = g2.or(g29);
        let g31 = g10.or(g30);
        let g32 = g24.and(g30);
        let g33 = g16.or(g32);
        let g34 = g31.and_not(g33);
        let g35 = g28.xor(g34);
        let g36 = a4.and(g14);
        let g37 = g16.and_not(g30);
        let g38 = g36.xor(g37);
        let g39 = g35.xor(g38);
        let g40 = a5.and(g39);
        let g41 = g34.and_not(g21);
        let g42 = g41.and_not(g29);
        let g43 = g40.xor(g42);
        let g44 = a1.and(g12);
        let g45 = a2.and_not(g44);
        let g46 = g10.xor(g45);
        let g47 = g22.and_not(g46);
        let g48 = g43.xor(g47);
        let g49 = a3.xor(g48);
        [g22, g35, g49, g46]
    }

    #[inline(always)]
    pub(in super::super) fn s4<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = a2.not();
        let g2 = a1.and(a3);
        let g3 = a4.xor(g2);
        let g4 = a1.or(a5);
        let g5 = a4.xor(g4);
        let g6 = g5.and_not(g3);
        let g7 = a3.xor(g6);
        let g8 = g7.and_not(g1);
        let g9 = g3.and_not(a5);
        let g10 = a3.xor(g9);
        let g11 = g8.xor(g10);
        let g12 = a1.xor(g11);
        let g13 = a5.or(g12);
        let g14 = g3.xor(g13);
        let g15 = g1.and_not(g14);
        let g16 = g5.and(g8);
        let g17 = g15.xor(g16);
        let g18 = a5.xor(g17);
        let g19 = g12.xor(g18);
        let g20 = a2.and(g19);
        let g21 = a4.and_not(g19);
        let g22 = g20.or(g21);
        let g23 = g3.or(g13);
        let g24 = g1.xor(g23);
        let g25 = g7.xor(g24);
        let g26 = a5.or(g7);
        let g27 = a6.xor(g26);
        let g28 = a3.or(g11);
        let g29 = g28.and_not(a4);
        let g30 = g27.xor(g29);
        let g31 = g25.xor(g30);
        let g32 = a6.and(g31);
        let g33 = g12.xor(g32);
        let g34 = g31.xor(g33);
        let g35 = g22.xor(g34);
        let g36 = g35.and_not(a6);
        let g37 = g18.xor(g36);
        let g38 = g35.xor(g37);
        let g39 = g32.xor(g38);
        let g40 = g33.not();
        [g37, g39, g34, g40]
    }

    #[inline(always)]
    pub(in super::super) fn s5<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = a6.and_not(a4);
        let g2 = a4.and_not(a2);
        let g3 = a5.xor(g2);
        let g4 = a3.xor(g3);
        let g5 = a2.xor(g4);
        let g6 = a3.and(g5);
        let g7 = a3.or(g5);
        let g8 = g7.and_not(g1);
        let g9 = g2.xor(g1);
        let g10 = g4.xor(g9);
        let g11 = a4.xor(g10);
        let g12 = g11.and_not(g3);
        let g13 = g8.and_not(g12);
        let g14 = g6.xor(g13);
        let g15 = a4.or(g14);
        let g16 = g1.xor(g15);
        let g17 = g16.not();
        let g18 = a6.or(g17);
        let g19 = g4.xor(g17);
        let g20 = g18.xor(g19);
        let g21 = a6.and_not(g10);
        let g22 = a5.xor(g11);
        let g23 = g18.and_not(g22);
        let g24 = a2.or(g21);
        let g25 = a5.or(g24);
        let g26 = g23.xor(g25);
        let g27 = g21.or(g26);
        let g28 = g20.xor(g27);
        let g29 = g15.and_not(g28);
        let g30 = a6.and_not(g29);
        let g31 = g10.or(g30);
        let g32 = g19.and_not(g31);
        let g33 = g28.xor(g32);
        let g34 = g8.and_not(g29);
        let g35 = a6.xor(g34);
        let g36 = g35.and_not(a1);
        let g37 = g26.xor(g31);
        let g38 = g37.and_not(a4);
        let g39 = g26.xor(g38);
        let g40 = g36.xor(g39);
        let g41 = g7.xor(g40);
        let g42 = a5.and(g41);
        let g43 = g30.and_not(g42);
        let g44 = g10.or(g12);
        let g45 = g43.xor(g44);
        let g46 = g45.and_not(a1);
        let g47 = g33.xor(g46);
        let g48 = g7.xor(g15);
        let g49 = a1.and_not(g48);
        let g50 = g20.xor(g49);
        let g51 = a2.and_not(g12);
        let g52 = g26.and_not(a1);
        let g53 = g10.xor(g52);
        let g54 = g51.xor(g53);
        [g47, g50, g54, g41]
    }

    #[inline(always)]
    pub(in super::super) fn s6<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = a1.xor(a5);
        let g2 = g1.and_not(a3);
        let g3 = a5.and_not(g1);
        let g4 = a2.xor(g3);
        let g5 = g2.xor(g4);
        let g6 = a3.or(g5);
        let g7 = g1.xor(g6);
        let g8 = a4.xor(g7);
        let g9 = a4.or(a5);
        let g10 = a3.or(g9);
        let g11 = g7.and_not(a4);
        let g12 = g5.xor(g11);
        let g13 = a5.and_not(g5);
        let g14 = g12.or(g13);
        let g15 = g8.xor(g14);
        let g16 = a5.and(g15);
        let g17 = g8.or(g12);
        let g18 = g2.or(g13);
        let g19 = g16.xor(g18);
        let g20 = a6.and_not(g19);
        let g21 = a4.and_not(g15);
        let g22 = a1.xor(g6);
        let g23 = a1.and_not(g22);
        let g24 = g21.or(g23);
        let g25 = a6.and(g24);
        let g26 = g20.and(g25);
        let g27 = g17.and_not(g26);
        let g28 = a3.and(g27);
        let g29 = g15.xor(g28);
        let g30 = g29.and_not(g5);
        let g31 = g14.xor(g30);
        let g32 = a3.xor(g31);
        let g33 = g16.or(g32);
        let g34 = a6.and(g33);
        let g35 = g10.xor(g34);
        let g36 = g8.xor(g35);
        let g37 = g36.not();
        let g38 = g3.and(g8);
        let g39 = g29.xor(g38);
        let g40 = g22.or(g37);
        let g41 = g40.and_not(a6);
        let g42 = g39.xor(g41);
        let g43 = g13.xor(g19);
        let g44 = g4.and_not(g43);
        let g45 = g8.xor(g20);
        let g46 = g44.xor(g45);
        let g47 = a3.xor(g46);
        let g48 = g12.xor(g25);
        [g37, g42, g47, g48]
    }

    #[inline(always)]
    pub(in super::super) fn s7<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = a3.or(a5);
        let g2 = a2.or(a3);
        let g3 = g1.xor(g2);
        let g4 = g1.and_not(a4);
        let g5 = a1.xor(g4);
        let g6 = g3.xor(g5);
        let g7 = a5.xor(g6);
        let g8 = a3.xor(g7);
        let g9 = a1.and(g8);
        let g10 = a2.not();
        let g11 = g9.and_not(g10);
        let g12 = a6.xor(g11);
        let g13 = g10.and_not(g9);
        let g14 = a5.or(g13);
        let g15 = a4.and_not(g14);
        let g16 = g12.xor(g15);
        let g17 = a6.not();
        let g18 = g16.and_not(g17);
        let g19 = g7.xor(g18);
        let g20 = g4.and_not(g9);
        let g21 = g19.xor(g20);
        let g22 = a3.or(g21);
        let g23 = a6.and_not(g22);
        let g24 = g16.xor(g23);
        let g25 = g19.xor(g24);
        let g26 = g13.xor(g25);
        let g27 = g26.and_not(a4);
        let g28 = g8.and_not(g27);
        let g29 = a1.or(g28);
        let g30 = g3.xor(g29);
        let g31 = g25.and_not(g5);
        let g32 = g12.and_not(g31);
        let g33 = g30.xor(g32);
        let g34 = a2.or(g33);
        let g35 = g25.xor(g34);
        let g36 = g2.xor(g12);
        let g37 = a5.or(g36);
        let g38 = a1.and_not(g20);
        let g39 = g37.and(g38);
        let g40 = g24.xor(g34);
        let g41 = a3.xor(g40);
        let g42 = g27.xor(g41);
        let g43 = g39.xor(g42);
        let g44 = g40.or(g41);
        let g45 = g15.xor(g44);
        let g46 = a2.and_not(g45);
        let g47 = g25.xor(g46);
        let g48 = g17.or(g47);
        let g49 = g9.or(g43);
        let g50 = g34.xor(g49);
        let g51 = g48.xor(g50);
        let g52 = g44.and_not(a4);
        let g53 = g51.xor(g52);
        [g35, g43, g53, g19]
    }

    #[inline(always)]
    pub(in super::super) fn s8<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = a2.and_not(a4);
        let g2 = a2.or(a3);
        let g3 = a2.xor(a4);
        let g4 = a1.xor(a3);
        let g5 = a4.or(g4);
        let g6 = a2.and(g5);
        let g7 = a1.or(g6);
        let g8 = a5.xor(g7);
        let g9 = a1.or(g1);
        let g10 = g8.and(g9);
        let g11 = g3.xor(g10);
        let g12 = g8.and_not(a3);
        let g13 = g11.xor(g12);
        let g14 = g2.xor(g13);
        let g15 = g14.and_not(a5);
        let g16 = a5.and_not(g4);
        let g17 = g15.or(g16);
        let g18 = g1.xor(g17);
        let g19 = a6.not();
        let g20 = a4.and(g2);
        let g21 = g10.xor(g20);
        let g22 = g21.and_not(g18);
        let g23 = g19.or(g22);
        let g24 = g9.and_not(g23);
        let g25 = a1.xor(g24);
        let g26 = g4.and_not(g11);
        let g27 = g6.xor(g26);
        let g28 = g25.and(g27);
        let g29 = g3.or(g13);
        let g30 = g29.and_not(g27);
        let g31 = g6.or(g30);
        let g32 = g31.and_not(a5);
        let g33 = g30.and(g32);
        let g34 = g28.xor(g33);
        let g35 = g20.xor(g34);
        let g36 = g25.xor(g35);
        let g37 = g19.and_not(g36);
        let g38 = g18.xor(g37);
        let g39 = g19.and_not(g28);
        let g40 = g13.xor(g39);
        let g41 = g25.xor(g32);
        let g42 = g14.xor(g41);
        let g43 = g31.and_not(g3);
        let g44 = g36.or(g43);
        let g45 = a6.and(g44);
        let g46 = g45.not();
        let g47 = g18.xor(g46);
        [g38, g40, g42, g47]
    }
}

/// The boxes in any function of three inputs: 29, 27, 27, 20, 30, 27, 28, 26 gates, 214 in all.
pub(super) mod three {
    use super::Word;

    #[inline(always)]
    pub(in super::super) fn s1<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = W::ternary::<0x65>(a6, a3, a1);
        let g2 = W::ternary::<0x27>(g1, a6, a3);
        let g3 = W::ternary::<0x52>(g2, a4, a3);
        let g4 = W::ternary::<0xE4>(g2, g1, a4);
        let g5 = W::ternary::<0x1F>(g4, g2, a6);
        let g6 = W::ternary::<0x69>(g1, a4, a3);
        let g7 = W::ternary::<0xC9>(g4, g6, a6);
        let g8 = W::ternary::<0x47>(g6, a6, a3);
        let g9 = W::ternary::<0xD8>(g7, g8, a2);
        let g10 = W::ternary::<0x63>(g5, g9, g1);
        let g11 = W::ternary::<0xD8>(g10, g1, a6);
        let g12 = W::ternary::<0xE4>(g3, g11, a2);
        let g13 = W::ternary::<0xE4>(g5, g4, a2);
        let g14 = W::ternary::<0x90>(g2, a4, a2);
        let g15 = W::ternary::<0x57>(g13, g14, a2);
        let g16 = W::ternary::<0x87>(g5, g3, a6);
        let g17 = W::ternary::<0xC2>(g15, g16, a2);
        let g18 = W::ternary::<0xD8>(g12, g17, a5);
        let g19 = W::ternary::<0xD7>(g18, g2, a6);
        let g20 = W::ternary::<0xD7>(g18, g11, g7);
        let g21 = W::ternary::<0x36>(g20, g13, g3);
        let g22 = W::ternary::<0x92>(g17, g7, a4);
        let g23 = W::ternary::<0xD8>(g22, g10, a3);
        let g24 = W::ternary::<0xE4>(g21, g23, a5);
        let g25 = W::ternary::<0xD8>(g13, g9, a5);
        let g26 = W::ternary::<0x69>(g24, g25, g18);
        let g27 = W::ternary::<0x80>(g14, g9, a5);
        let g28 = W::ternary::<0x96>(g26, g27, a2);
        let g29 = W::ternary::<0xC6>(g19, g28, g17);
        [g18, g29, g25, g24]
    }

    #[inline(always)]
    pub(in super::super) fn s2<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = W::ternary::<0xC9>(a6, a3, a1);
        let g2 = W::ternary::<0xB4>(g1, a5, a4);
        let g3 = W::ternary::<0x6A>(g1, a6, a5);
        let g4 = W::ternary::<0x99>(g1, g3, a4);
        let g5 = W::ternary::<0xD8>(g2, g4, a2);
        let g6 = W::ternary::<0x56>(a5, a4, a3);
        let g7 = W::ternary::<0xE6>(g6, g4, a6);
        let g8 = W::ternary::<0x66>(g5, g7, a1);
        let g9 = W::ternary::<0x7A>(g4, a4, a3);
        let g10 = W::ternary::<0x87>(g9, g6, a6);
        let g11 = W::ternary::<0xE4>(g10, g9, a2);
        let g12 = W::ternary::<0xE4>(g11, g6, a4);
        let g13 = W::ternary::<0x78>(g6, a6, a5);
        let g14 = W::ternary::<0x4B>(g13, g7, g2);
        let g15 = W::ternary::<0xE4>(g14, g13, a2);
        let g16 = W::ternary::<0xD8>(g11, g15, a1);
        let g17 = W::ternary::<0xAD>(g12, g16, a5);
        let g18 = W::ternary::<0x78>(g8, g17, a2);
        let g19 = W::ternary::<0x82>(g18, g11, a6);
        let g20 = W::ternary::<0xE4>(g19, g12, a6);
        let g21 = W::ternary::<0xE4>(g20, g5, a1);
        let g22 = W::ternary::<0xB1>(g12, g15, g10);
        let g23 = W::ternary::<0x19>(g19, g7, g3);
        let g24 = W::ternary::<0xD8>(g22, g23, a1);
        let g25 = W::ternary::<0xCA>(g21, g18, g2);
        let g26 = W::ternary::<0x8D>(g25, g1, a5);
        let g27 = W::ternary::<0xD8>(g24, g26, a2);
        [g21, g18, g16, g27]
    }

    #[inline(always)]
    pub(in super::super) fn s3<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = W::ternary::<0x96>(a6, a4, a2);
        let g2 = W::ternary::<0x96>(g1, a5, a3);
        let g3 = W::ternary::<0x4B>(g2, g1, a4);
        let g4 = W::ternary::<0x66>(g3, g2, a5);
        let g5 = W::ternary::<0x85>(g2, a5, a4);
        let g6 = W::ternary::<0x72>(g3, g5, a1);
        let g7 = W::ternary::<0x94>(a6, a5, a4);
        let g8 = W::ternary::<0xA6>(g7, a4, a3);
        let g9 = W::ternary::<0xB4>(g6, g8, a2);
        let g10 = W::ternary::<0x9C>(g4, g9, a2);
        let g11 = W::ternary::<0xD1>(g4, g3, a4);
        let g12 = W::ternary::<0xE4>(g11, g3, a2);
        let g13 = W::ternary::<0x1E>(g7, a5, a3);
        let g14 = W::ternary::<0x92>(g12, g1, g13);
        let g15 = W::ternary::<0xD8>(g14, g9, a1);
        let g16 = W::ternary::<0xE4>(g10, g15, a6);
        let g17 = W::ternary::<0xE4>(g5, g1, a5);
        let g18 = W::ternary::<0x83>(g16, g17, a5);
        let g19 = W::ternary::<0xA7>(g18, g2, a2);
        let g20 = W::ternary::<0x65>(g17, g2, a3);
        let g21 = W::ternary::<0x82>(g20, a4, a2);
        let g22 = W::ternary::<0x98>(g13, g21, a2);
        let g23 = W::ternary::<0x8D>(g22, g8, g17);
        let g24 = W::ternary::<0xE4>(g23, g22, a1);
        let g25 = W::ternary::<0xDE>(g24, g12, g2);
        let g26 = W::ternary::<0x4A>(g19, g25, a1);
        let g27 = W::ternary::<0xE4>(g12, g17, a1);
        [g26, g24, g16, g27]
    }

    #[inline(always)]
    pub(in super::super) fn s4<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = W::ternary::<0x86>(a5, a4, a2);
        let g2 = W::ternary::<0xE1>(g1, a3, a2);
        let g3 = W::ternary::<0x49>(g2, a4, a2);
        let g4 = W::ternary::<0x62>(a5, a3, a2);
        let g5 = W::ternary::<0x69>(g3, g1, g4);
        let g6 = W::ternary::<0x74>(g4, g1, a5);
        let g7 = W::ternary::<0x28>(g5, g6, a4);
        let g8 = W::ternary::<0x26>(g2, a5, a1);
        let g9 = W::ternary::<0xC3>(g8, g3, a5);
        let g10 = W::ternary::<0x9E>(g5, g6, a5);
        let g11 = W::ternary::<0xD8>(g10, g5, a1);
        let g12 = W::ternary::<0x2F>(g9, g11, a5);
        let g13 = W::ternary::<0x86>(g7, g12, g5);
        let g14 = W::ternary::<0x29>(g9, g6, g1);
        let g15 = W::ternary::<0xA4>(g14, g9, a2);
        let g16 = W::ternary::<0x8D>(g13, g15, a6);
        let g17 = W::ternary::<0xD8>(g15, g13, a6);
        let g18 = W::ternary::<0xE4>(g6, g2, a1);
        let g19 = W::ternary::<0x4E>(g18, g11, a6);
        let g20 = W::ternary::<0xD8>(g18, g11, a6);
        [g16, g17, g19, g20]
    }

    #[inline(always)]
    pub(in super::super) fn s5<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = W::ternary::<0x7A>(a5, a3, a1);
        let g2 = W::ternary::<0x19>(g1, a3, a2);
        let g3 = W::ternary::<0x26>(g2, g1, a3);
        let g4 = W::ternary::<0x48>(g3, a4, a1);
        let g5 = W::ternary::<0x96>(g4, a2, a1);
        let g6 = W::ternary::<0x6B>(g5, g4, g3);
        let g7 = W::ternary::<0x4F>(g6, a5, a3);
        let g8 = W::ternary::<0x15>(g2, g7, g5);
        let g9 = W::ternary::<0x5B>(g8, g1, a4);
        let g10 = W::ternary::<0x44>(g8, a4, a1);
        let g11 = W::ternary::<0x86>(g10, a6, a2);
        let g12 = W::ternary::<0xE4>(g7, g3, a4);
        let g13 = W::ternary::<0x86>(g12, g1, a1);
        let g14 = W::ternary::<0xA4>(g13, g5, a5);
        let g15 = W::ternary::<0x21>(g14, g4, g2);
        let g16 = W::ternary::<0xE1>(g15, a6, a4);
        let g17 = W::ternary::<0xF7>(g11, g16, a3);
        let g18 = W::ternary::<0x48>(g9, g17, g8);
        let g19 = W::ternary::<0xA1>(g18, g11, g3);
        let g20 = W::ternary::<0x4D>(g16, g15, g9);
        let g21 = W::ternary::<0x48>(g20, g17, a6);
        let g22 = W::ternary::<0x5E>(g21, g13, g11);
        let g23 = W::ternary::<0xE4>(g22, g11, a5);
        let g24 = W::ternary::<0xE4>(g19, g23, a3);
        let g25 = W::ternary::<0xE4>(g14, g12, a6);
        let g26 = W::ternary::<0xB5>(g25, g19, g1);
        let g27 = W::ternary::<0x96>(g26, g24, g21);
        let g28 = W::ternary::<0x9A>(g24, a5, a1);
        let g29 = W::ternary::<0x65>(g28, g26, g25);
        let g30 = W::ternary::<0xE1>(g27, g29, a2);
        [g24, g21, g30, g25]
    }

    #[inline(always)]
    pub(in super::super) fn s6<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = W::ternary::<0x69>(a4, a2, a1);
        let g2 = W::ternary::<0x87>(g1, a3, a2);
        let g3 = W::ternary::<0x4F>(g2, a2, a1);
        let g4 = W::ternary::<0x95>(g3, a6, a3);
        let g5 = W::ternary::<0xDD>(g4, a3, a1);
        let g6 = W::ternary::<0x96>(g2, a6, a2);
        let g7 = W::ternary::<0x3A>(g5, g6, g2);
        let g8 = W::ternary::<0x29>(g7, g2, a4);
        let g9 = W::ternary::<0x4C>(g8, g3, a6);
        let g10 = W::ternary::<0x99>(a1, g9, a3);
        let g11 = W::ternary::<0x9D>(g4, g10, g6);
        let g12 = W::ternary::<0x70>(g11, g2, a2);
        let g13 = W::ternary::<0xE6>(g8, g2, a6);
        let g14 = W::ternary::<0xD8>(g12, g13, a5);
        let g15 = W::ternary::<0xBE>(g10, g1, a4);
        let g16 = W::ternary::<0x8D>(g7, g10, a5);
        let g17 = W::ternary::<0x09>(g16, g9, a4);
        let g18 = W::ternary::<0x2B>(g17, g13, a3);
        let g19 = W::ternary::<0x4E>(g18, g11, g1);
        let g20 = W::ternary::<0x34>(g15, g19, g12);
        let g21 = W::ternary::<0x4B>(g20, a2, a1);
        let g22 = W::ternary::<0x8D>(g21, g19, a5);
        let g23 = W::ternary::<0x20>(g14, a6, a4);
        let g24 = W::ternary::<0x96>(g23, g6, g4);
        let g25 = W::ternary::<0xD2>(g24, g14, a4);
        let g26 = W::ternary::<0x34>(g25, g17, g6);
        let g27 = W::ternary::<0xB1>(g26, g24, a5);
        [g14, g22, g16, g27]
    }

    #[inline(always)]
    pub(in super::super) fn s7<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = W::ternary::<0x61>(a6, a3, a2);
        let g2 = W::ternary::<0x69>(g1, a5, a2);
        let g3 = W::ternary::<0x0A>(a6, a5, a3);
        let g4 = W::ternary::<0x56>(g2, g3, a2);
        let g5 = W::ternary::<0xE4>(g4, g2, a4);
        let g6 = W::ternary::<0xA5>(a6, a4, a2);
        let g7 = W::ternary::<0xC5>(g6, a4, a3);
        let g8 = W::ternary::<0x96>(g3, a4, a2);
        let g9 = W::ternary::<0xD2>(g8, a3, a1);
        let g10 = W::ternary::<0xE4>(g7, g9, a1);
        let g11 = W::ternary::<0xE4>(g10, g8, a5);
        let g12 = W::ternary::<0xD8>(g5, g11, a1);
        let g13 = W::ternary::<0xBD>(g9, g5, g1);
        let g14 = W::ternary::<0x60>(g13, a5, a4);
        let g15 = W::ternary::<0x3C>(g14, g1, g14);
        let g16 = W::ternary::<0x6C>(g10, g4, a3);
        let g17 = W::ternary::<0x1B>(g16, g5, a6);
        let g18 = W::ternary::<0x3D>(g17, g6, a2);
        let g19 = W::ternary::<0x23>(g15, g18, a4);
        let g20 = W::ternary::<0xC9>(g19, g15, a1);
        let g21 = W::ternary::<0x69>(g20, g7, g4);
        let g22 = W::ternary::<0xE4>(g21, g12, a4);
        let g23 = W::ternary::<0xB1>(g22, g14, g8);
        let g24 = W::ternary::<0x72>(g23, g17, a1);
        let g25 = W::ternary::<0xE4>(g21, g10, a5);
        let g26 = W::ternary::<0x02>(g21, g12, a4);
        let g27 = W::ternary::<0x82>(g26, g9, a6);
        let g28 = W::ternary::<0x32>(g25, g27, a6);
        [g12, g24, g28, g20]
    }

    #[inline(always)]
    pub(in super::super) fn s8<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {
        let [a1, a2, a3, a4, a5, a6] = x;
        let g1 = W::ternary::<0x6B>(a5, a3, a1);
        let g2 = W::ternary::<0xD5>(g1, a5, a1);
        let g3 = W::ternary::<0x6B>(a5, a4, a1);
        let g4 = W::ternary::<0x2D>(g3, a3, a2);
        let g5 = W::ternary::<0xD2>(g1, a5, a4);
        let g6 = W::ternary::<0x4E>(g4, g5, a2);
        let g7 = W::ternary::<0x71>(g6, g3, a2);
        let g8 = W::ternary::<0xC2>(g2, g7, a2);
        let g9 = W::ternary::<0xD8>(g8, g4, a4);
        let g10 = W::ternary::<0xE4>(g9, g6, a6);
        let g11 = W::ternary::<0x12>(g7, g2, a3);
        let g12 = W::ternary::<0x14>(g10, g11, a2);
        let g13 = W::ternary::<0x4B>(g7, g1, a4);
        let g14 = W::ternary::<0x0E>(g13, a5, a1);
        let g15 = W::ternary::<0x36>(g12, g14, g4);
        let g16 = W::ternary::<0x72>(g15, g6, a6);
        let g17 = W::ternary::<0x87>(g9, g5, a3);
        let g18 = W::ternary::<0x1B>(g15, g13, a1);
        let g19 = W::ternary::<0xB1>(g17, g18, a1);
        let g20 = W::ternary::<0xD8>(g19, g18, a6);
        let g21 = W::ternary::<0x96>(g18, a5, a1);
        let g22 = W::ternary::<0x2D>(g21, a6, a1);
        let g23 = W::ternary::<0x2C>(g20, g19, g7);
        let g24 = W::ternary::<0x86>(g23, g21, a6);
        let g25 = W::ternary::<0xB1>(g24, g5, a2);
        let g26 = W::ternary::<0xC9>(g22, g25, a2);
        [g16, g20, g26, g10]
    }
}
