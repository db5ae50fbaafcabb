//! Searches logic circuits for the eight S-boxes of DES and writes them as
//! `src/bitslice/sboxes.rs`.
//!
//! ```text
//! cargo run --release -p hsm-sim --example sboxes > hsm-sim/src/bitslice/sboxes.rs
//! cargo run --release -p hsm-sim --example sboxes -- search <box 1-8> <two|three> <first seed> <seeds> <moves>
//! ```
//!
//! Without arguments it repeats the searches that gave the committed circuits:
//! the seed and length of each stand in [`KEPT`], and nothing else is random.
//! `search` tries more seeds and prints one line for each.
//!
//! How it works: [`circuit`] starts from the plain decomposition of each output by
//! its inputs and then walks at random among equivalent circuits, replacing one
//! gate at a time by another way to compute what the outputs need of it; what
//! nobody needs any longer is dropped. No published circuit went in.
#![expect(clippy::print_stdout, reason = "a tool whose product goes to stdout")]
#![expect(clippy::unwrap_used, reason = "a tool that a programmer runs")]

mod boxes;
mod circuit;
mod grow;
mod random;
mod replace;
mod write;

use circuit::{Circuit, Kind};

/// Number of moves, and by box the seed that gave the best circuit found so far.
const KEPT: [(Kind, usize, [u64; 8]); 2] = [
    (Kind::Two, 300_000, [1016, 1015, 1014, 1002, 1008, 1022, 1014, 1027]),
    (Kind::Three, 60_000, [1036, 1053, 1030, 1056, 1045, 1040, 1029, 1047]),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments[at].parse::<u64>().unwrap();
    if arguments.first().is_some_and(|word| word == "search") {
        let kind = if arguments[2] == "two" { Kind::Two } else { Kind::Three };
        let sbox = usize::try_from(number(1)).unwrap() - 1;
        for seed in number(3)..number(3) + number(4) {
            let found = circuit::search(sbox, kind, seed, usize::try_from(number(5)).unwrap());
            println!("S{} {kind:?} seed {seed}: {} gates", sbox + 1, found.size());
        }
        return;
    }
    let found: Vec<(Kind, Vec<Circuit>)> = KEPT
        .iter()
        .map(|(kind, moves, seeds)| {
            let one = |(sbox, seed): (usize, &u64)| circuit::search(sbox, *kind, *seed, *moves);
            (*kind, seeds.iter().enumerate().map(one).collect())
        })
        .collect();
    print!("{}", write::module(&found));
}
