//! Circuits as Rust, laid out as `rustfmt` would.

use crate::circuit::{AND, AND_NOT, Circuit, Gate, INPUTS, Kind, OR, XOR};
use std::fmt::Write as _;

/// The node that is constantly one.
const ONES: usize = INPUTS - 1;

/// The whole module.
pub(crate) fn module(found: &[(Kind, Vec<Circuit>)]) -> String {
    let mut text = String::from(HEAD);
    for (kind, circuits) in found {
        let sizes: Vec<usize> = circuits.iter().map(Circuit::size).collect();
        let sum: usize = sizes.iter().sum();
        let (gates, letter) = match kind {
            Kind::Two => ("AND, OR, XOR, AND NOT and NOT", "two"),
            Kind::Three => ("any function of three inputs", "three"),
        };
        let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
        let _ = write!(
            text,
            "\n/// The boxes in {gates}: {} gates, {sum} in all.\npub(super) mod {letter} {{\n    use super::Word;\n",
            sizes.join(", "),
        );
        for (sbox, circuit) in circuits.iter().enumerate() {
            function(&mut text, sbox, circuit);
        }
        text.push_str("}\n");
    }
    text
}

const HEAD: &str = "\
//! The S-boxes of DES as logic circuits, written by `tools/sboxes`; not edited by hand.
//!
//! ```text
//! cargo run --release -p hsm-sim --example sboxes > hsm-sim/src/bitslice/sboxes.rs
//! ```
//!
//! Input 1 is the highest of the six bits and output 1 the highest of the four, as
//! FIPS 46-3 counts. That every circuit is its box is tested in `des`.

use super::word::Word;
";

fn function(text: &mut String, sbox: usize, circuit: &Circuit) {
    let _ = write!(
        text,
        "\n    #[inline(always)]\n    pub(in super::super) fn s{}<const N: usize, W: Word<N>>(x: [W; 6]) -> [W; 4] {{\n        let [a1, a2, a3, a4, a5, a6] = x;\n",
        sbox + 1,
    );
    for (at, gate) in circuit.gates.iter().enumerate() {
        let _ = writeln!(text, "        let {} = {};", name(at + INPUTS), expression(gate));
    }
    let outputs = circuit.outputs.map(name).join(", ");
    let _ = write!(text, "        [{outputs}]\n    }}\n");
}

fn name(node: usize) -> String {
    match node.checked_sub(INPUTS) {
        Some(gate) => format!("g{}", gate + 1),
        None => format!("a{}", node + 1),
    }
}

fn expression(gate: &Gate) -> String {
    let [a, b, _] = gate.inputs.map(name);
    match (gate.function, gate.inputs) {
        (XOR, [ONES, ..]) | (AND_NOT, [ONES, ..]) => format!("{b}.not()"),
        (XOR, [_, ONES, _]) => format!("{a}.not()"),
        (AND, _) => format!("{a}.and({b})"),
        (OR, _) => format!("{a}.or({b})"),
        (XOR, _) => format!("{a}.xor({b})"),
        (AND_NOT, _) => format!("{a}.and_not({b})"),
        (function, inputs) => {
            let (function, inputs) = without_ones(function, inputs);
            let [a, b, c] = inputs.map(name);
            format!("W::ternary::<0x{function:02X}>({a}, {b}, {c})")
        }
    }
}

/// The same gate without the constant among its inputs: another input stands in its
/// place and is not looked at there.
fn without_ones(function: u8, mut inputs: [usize; 3]) -> (u8, [usize; 3]) {
    let Some(place) = inputs.iter().position(|input| *input == ONES) else { return (function, inputs) };
    let bit = 4 >> place;
    let fixed =
        (0..8).filter(|cell| function >> (cell | bit) & 1 == 1).fold(0, |fixed, cell| fixed | 1 << cell);
    inputs[place] = inputs[(place + 1) % 3];
    without_ones(fixed, inputs)
}
