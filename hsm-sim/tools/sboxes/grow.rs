//! Building a circuit output by output (the way of M. Kwan, "Reducing the gate count
//! of bitslice DES", 2000): take a node that is there, or one more gate, or two,
//! and only then divide by an input, trying every input and keeping the cheapest.

use crate::{
    boxes,
    circuit::{AND, AND_NOT, Circuit, Gate, INPUTS, Kind, XOR},
    random::Random,
    replace,
};

/// A circuit for a whole box, its outputs and the inputs to divide by in a random order.
pub(crate) fn build(sbox: usize, kind: Kind, random: &mut Random) -> Circuit {
    let tables = (0..6).map(boxes::input).chain([u64::MAX]).collect();
    let mut builder =
        Builder { circuit: Circuit { tables, gates: Vec::new(), outputs: [0; 4] }, kind, random };
    let mut order = [0, 1, 2, 3];
    builder.random.shuffle(&mut order);
    for bit in order {
        let node = builder.node(boxes::output(sbox, bit), u64::MAX, 0, BUDGET);
        builder.circuit.outputs[bit] = node.unwrap();
    }
    builder.circuit
}

/// More gates than any output takes.
const BUDGET: usize = 64;

struct Builder<'a> {
    circuit: Circuit,
    kind: Kind,
    random: &'a mut Random,
}

impl Builder<'_> {
    /// A node that is `want` wherever `care` is set, with at most `budget` new gates.
    /// The inputs in `divided` are constant there.
    fn node(&mut self, want: u64, care: u64, divided: u8, budget: usize) -> Option<usize> {
        let nodes = &self.circuit.tables;
        let (count, start) = (nodes.len(), self.random.below(nodes.len()));
        let fits = |node: &usize| (nodes[*node] ^ want) & care == 0;
        if let Some(node) = (0..count).map(|turn| (start + turn) % count).find(fits) {
            return Some(node);
        }
        if budget == 0 {
            return None;
        }
        let all = &|_: usize| true;
        let one = match self.kind {
            Kind::Two => replace::pair(nodes, all, want, care, None, self.random),
            Kind::Three => replace::triple(nodes, all, want, care, None, self.random),
        };
        if let Some(gate) = one {
            return Some(self.push(gate));
        }
        if budget == 1 {
            return None;
        }
        let two = match self.kind {
            Kind::Two => replace::every_two_pairs(nodes, want, care, self.random),
            Kind::Three => replace::some_two_triples(nodes, want, care, self.random),
        };
        if let Some([first, second]) = two {
            self.push(first);
            return Some(self.push(second));
        }
        self.divide(want, care, divided, budget)
    }

    fn divide(&mut self, want: u64, care: u64, divided: u8, budget: usize) -> Option<usize> {
        let before = self.circuit.gates.len();
        let mut best: Option<(Vec<Gate>, usize)> = None;
        let mut ways: Vec<(usize, bool)> = (0..6).flat_map(|input| [(input, false), (input, true)]).collect();
        self.random.shuffle(&mut ways);
        for (input, high_first) in ways {
            if divided >> input & 1 == 1 || (self.kind == Kind::Three && high_first) {
                continue;
            }
            let left = best.as_ref().map_or(budget, |(gates, _)| gates.len().saturating_sub(1).min(budget));
            if let Some(node) = self.halves(want, care, divided, input, high_first, left) {
                best = Some((self.circuit.gates[before..].to_vec(), node));
            }
            self.circuit.gates.truncate(before);
            self.circuit.tables.truncate(before + INPUTS);
        }
        let (gates, node) = best?;
        for gate in gates {
            self.push(gate);
        }
        Some(node)
    }

    fn halves(
        &mut self,
        want: u64,
        care: u64,
        divided: u8,
        input: usize,
        high_first: bool,
        budget: usize,
    ) -> Option<usize> {
        let join = match self.kind {
            Kind::Two => 2,
            Kind::Three => 1,
        };
        let budget = budget.checked_sub(join + usize::from(self.kind == Kind::Two))?;
        let before = self.circuit.gates.len();
        let (x, divided) = (self.circuit.tables[input], divided | 1 << input);
        let (here, there) = if high_first { (care & x, care & !x) } else { (care & !x, care & x) };
        let first = self.node(want, here, divided, budget)?;
        let left =
            budget.checked_sub(self.circuit.gates.len() - before)? + usize::from(self.kind == Kind::Two);
        if self.kind == Kind::Three {
            let second = self.node(want, there, divided, left)?;
            // Input ? second : first.
            return Some(self.push(Gate { function: 0xCA, inputs: [input, second, first] }));
        }
        // first xor (other half and (first xor wanted)).
        let change = self.node(want ^ self.circuit.tables[first], there, divided, left)?;
        let gate = if high_first { Gate::two(AND_NOT, change, input) } else { Gate::two(AND, change, input) };
        let masked = self.push(gate);
        Some(self.push(Gate::two(XOR, first, masked)))
    }

    fn push(&mut self, gate: Gate) -> usize {
        self.circuit.tables.push(gate.table(&self.circuit.tables));
        self.circuit.gates.push(gate);
        self.circuit.tables.len() - 1
    }
}
