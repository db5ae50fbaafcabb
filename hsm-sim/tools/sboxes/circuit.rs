//! Circuits, and the walk among them.

use crate::{boxes, grow, random::Random, replace};

/// Which gates there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// AND, OR, XOR, AND NOT: what every processor has.
    Two,
    /// Any function of three inputs: `vpternlog`.
    Three,
}

/// One gate: the inputs' nodes and the function, bit `4a + 2b + c` of which is the
/// value for `a`, `b`, `c`. A gate of two inputs has the second as its third too.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Gate {
    pub(crate) function: u8,
    pub(crate) inputs: [usize; 3],
}

/// Functions of two inputs, as functions of three that do not look at the third.
pub(crate) const AND: u8 = 0xC0;
pub(crate) const OR: u8 = 0xFC;
pub(crate) const XOR: u8 = 0x3C;
/// The first and not the second.
pub(crate) const AND_NOT: u8 = 0x30;
/// The six inputs are nodes 0 to 5; node 6 is constantly one, because no gate of
/// two inputs makes a one out of nothing but zeros.
pub(crate) const INPUTS: usize = 7;
/// Gates that the walk may be above the best.
const UPHILL_MAX: usize = 2;

/// Nodes: six inputs, then gates, each after those it reads.
#[derive(Clone)]
pub(crate) struct Circuit {
    pub(crate) tables: Vec<u64>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) outputs: [usize; 4],
}

impl Gate {
    pub(crate) fn two(function: u8, a: usize, b: usize) -> Self {
        Self { function, inputs: [a, b, b] }
    }

    pub(crate) fn table(&self, tables: &[u64]) -> u64 {
        let [a, b, c] = self.inputs.map(|input| tables[input]);
        match self.function {
            AND => a & b,
            OR => a | b,
            XOR => a ^ b,
            AND_NOT => a & !b,
            function => any_of_three(function, a, b, c),
        }
    }
}

fn any_of_three(function: u8, a: u64, b: u64, c: u64) -> u64 {
    let bit = |place: u8| 0_u64.wrapping_sub(u64::from(function >> place & 1));
    let by_c = |place: u8| bit(place) & !c | bit(place + 1) & c;
    let by_b = |place: u8| by_c(place) & !b | by_c(place + 2) & b;
    by_b(0) & !a | by_b(4) & a
}

impl Circuit {
    pub(crate) fn size(&self) -> usize {
        self.gates.len()
    }

    fn add(&mut self, gate: Gate) -> usize {
        let table = gate.table(&self.tables);
        if let Some(same) = self.tables.iter().position(|other| *other == table) {
            return same;
        }
        self.tables.push(table);
        self.gates.push(gate);
        self.tables.len() - 1
    }

    /// Where `node` matters: the inputs for which some output changes when it does.
    pub(crate) fn care(&self, node: usize, flipped: &mut Vec<u64>, after: &mut Vec<bool>) -> u64 {
        flipped.clone_from(&self.tables);
        after.clear();
        after.resize(self.tables.len(), false);
        flipped[node] = !flipped[node];
        after[node] = true;
        for (at, gate) in self.gates.iter().enumerate().skip(node + 1 - INPUTS) {
            if gate.inputs.iter().any(|input| after[*input]) {
                after[at + INPUTS] = true;
                flipped[at + INPUTS] = gate.table(flipped);
            }
        }
        self.outputs.iter().fold(0, |care, output| care | self.tables[*output] ^ flipped[*output])
    }

    /// The same circuit with `node` computed by the last of `new` (each may read the
    /// one before it as the node after all there are), or equal to another node if
    /// `new` is empty. What nobody reads is gone, what is computed twice is one.
    pub(crate) fn with(&self, node: usize, new: &[Gate], equal: usize) -> Self {
        let count = self.tables.len();
        let stand_in = if new.is_empty() { equal } else { count + new.len() - 1 };
        let mut rebuilt = Self {
            tables: self.tables[..INPUTS].to_vec(),
            gates: Vec::with_capacity(self.gates.len() + 1),
            outputs: [0; 4],
        };
        let mut places = vec![usize::MAX; count + new.len()];
        for (input, place) in places.iter_mut().take(INPUTS).enumerate() {
            *place = input;
        }
        for (bit, output) in self.outputs.iter().enumerate() {
            rebuilt.outputs[bit] = rebuilt.copy(self, new, (node, stand_in), *output, &mut places);
        }
        rebuilt
    }

    fn copy(
        &mut self,
        from: &Self,
        new: &[Gate],
        stand_in: (usize, usize),
        node: usize,
        places: &mut [usize],
    ) -> usize {
        let node = if node == stand_in.0 { stand_in.1 } else { node };
        if places[node] == usize::MAX {
            let count = from.tables.len();
            let mut gate = if node < count { from.gates[node - INPUTS] } else { new[node - count] };
            gate.inputs = gate.inputs.map(|input| self.copy(from, new, stand_in, input, places));
            places[node] = self.add(gate);
        }
        places[node]
    }
}

/// The best circuit met when `moves` moves are tried from a circuit built at random.
pub(crate) fn search(sbox: usize, kind: Kind, seed: u64, moves: usize) -> Circuit {
    let mut random = Random(seed);
    let mut at = grow::build(sbox, kind, &mut random);
    let mut best = at.clone();
    let mut scratch = replace::Scratch::default();
    for done in 0..moves {
        let Some(next) = replace::step(&at, kind, &mut random, &mut scratch) else { continue };
        let goes = match next.size().checked_sub(at.size()) {
            None | Some(0) => true,
            Some(1) => next.size() <= best.size() + UPHILL_MAX && random.once_in(uphill_once_in(done, moves)),
            Some(_) => false,
        };
        if goes {
            at = next;
        }
        if at.size() < best.size() {
            best = at.clone();
        }
    }
    for bit in 0..4 {
        assert_eq!(best.tables[best.outputs[bit]], boxes::output(sbox, bit), "the walk keeps every output");
    }
    best
}

/// A gate more than before is taken ever more rarely: the walk cools.
fn uphill_once_in(done: usize, moves: usize) -> usize {
    const FIRST: usize = 50;
    const LAST: usize = 1000;
    FIRST + (LAST - FIRST) * done / moves
}
