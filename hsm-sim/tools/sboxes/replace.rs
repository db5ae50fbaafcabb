//! Other ways to compute what is needed of one node.

use crate::{
    circuit::{AND, AND_NOT, Circuit, Gate, INPUTS, Kind, OR, XOR},
    random::Random,
};

/// Buffers of [`step`].
#[derive(Default)]
pub(crate) struct Scratch {
    flipped: Vec<u64>,
    after: Vec<bool>,
}

/// Replaces one random gate by one or two others, or by a node that is there.
pub(crate) fn step(at: &Circuit, kind: Kind, random: &mut Random, scratch: &mut Scratch) -> Option<Circuit> {
    let node = INPUTS + random.below(at.size());
    let care = at.care(node, &mut scratch.flipped, &mut scratch.after);
    // A gate that reads the node, directly or not, cannot be read by it.
    let may = |candidate: usize| !scratch.after[candidate];
    let want = at.tables[node];
    let nodes = &at.tables;
    let start = random.below(nodes.len());
    let equal = (0..nodes.len()).map(|turn| (start + turn) % nodes.len());
    let equal = { equal }.find(|candidate| may(*candidate) && (nodes[*candidate] ^ want) & care == 0);
    if let Some(equal) = equal {
        return Some(at.with(node, &[], equal));
    }
    let old = at.gates[node - INPUTS];
    if random.once_in(2) {
        let gate = match kind {
            Kind::Two => pair(nodes, &may, want, care, Some(old), random)?,
            Kind::Three => triple(nodes, &may, want, care, Some(old), random)?,
        };
        return Some(at.with(node, &[gate], 0));
    }
    let gates = match kind {
        Kind::Two => two_pairs(nodes, &may, want, care, random)?,
        Kind::Three => two_triples(nodes, &may, want, care, random)?,
    };
    Some(at.with(node, &gates, 0))
}

/// One of the gates of two inputs that are `want` wherever `care` is set, by lot.
pub(crate) fn pair(
    nodes: &[u64],
    may: &dyn Fn(usize) -> bool,
    want: u64,
    care: u64,
    but: Option<Gate>,
    random: &mut Random,
) -> Option<Gate> {
    let (ones, zeros) = (want & care, !want & care);
    let mut seen = 0;
    let mut chosen = None;
    let mut found = |gate: Gate| {
        if Some(gate) != but {
            seen += 1;
            if random.once_in(seen) {
                chosen = Some(gate);
            }
        }
    };
    for a in (0..nodes.len()).filter(|a| may(*a)) {
        let x = nodes[a];
        // What the other input must be for each gate; where a conflict is certain no partner is looked for.
        let (covers, within, covers_not) = (ones & !x == 0, zeros & x == 0, ones & x == 0);
        let change = (x ^ want) & care;
        for b in (0..a).filter(|b| may(*b)) {
            let y = nodes[b];
            if covers && ones & !y == 0 && zeros & x & y == 0 {
                found(Gate::two(AND, b, a));
            }
            if within && zeros & y == 0 && ones & !(x | y) == 0 {
                found(Gate::two(OR, b, a));
            }
            if (y ^ change) & care == 0 {
                found(Gate::two(XOR, b, a));
            }
            if covers && ones & y == 0 && zeros & x & !y == 0 {
                found(Gate::two(AND_NOT, a, b));
            }
            if covers_not && ones & !y == 0 && zeros & y & !x == 0 {
                found(Gate::two(AND_NOT, b, a));
            }
        }
    }
    chosen
}

/// Two gates: one node and a form of the second gate by lot, the first gate
/// whatever fits.
fn two_pairs(
    nodes: &[u64],
    may: &dyn Fn(usize) -> bool,
    want: u64,
    care: u64,
    random: &mut Random,
) -> Option<[Gate; 2]> {
    let a = by_lot(nodes.len(), may, random)?;
    let form = random.below(FORMS);
    let (gate, inner_want, inner_care) = outer(nodes, a, form, want, care)?;
    Some([pair(nodes, may, inner_want, inner_care, None, random)?, gate])
}

/// The same, with every node and form until one fits.
pub(crate) fn every_two_pairs(nodes: &[u64], want: u64, care: u64, random: &mut Random) -> Option<[Gate; 2]> {
    let (count, start) = (nodes.len(), random.below(nodes.len()));
    for a in (0..count).map(|turn| (start + turn) % count) {
        for form in 0..FORMS {
            let Some((gate, inner_want, inner_care)) = outer(nodes, a, form, want, care) else { continue };
            if let Some(inner) = pair(nodes, &|_| true, inner_want, inner_care, None, random) {
                return Some([inner, gate]);
            }
        }
    }
    None
}

const FORMS: usize = 5;

/// A gate of one form that reads node `a` and the next node there will be, with what
/// that one has to be and where.
fn outer(nodes: &[u64], a: usize, form: usize, want: u64, care: u64) -> Option<(Gate, u64, u64)> {
    let (x, inner) = (nodes[a], nodes.len());
    let (ones, zeros) = (want & care, !want & care);
    Some(match form {
        0 => (Gate::two(XOR, a, inner), want ^ x, care),
        1 if ones & !x == 0 => (Gate::two(AND, a, inner), want, ones | zeros & x),
        2 if ones & !x == 0 => (Gate::two(AND_NOT, a, inner), !want, ones | zeros & x),
        3 if zeros & x == 0 => (Gate::two(OR, a, inner), want, zeros | ones & !x),
        4 if ones & x == 0 => (Gate::two(AND_NOT, inner, a), want, ones | zeros & !x),
        _ => return None,
    })
}

/// One of the functions of three nodes that are `want` wherever `care` is set.
pub(crate) fn triple(
    nodes: &[u64],
    may: &dyn Fn(usize) -> bool,
    want: u64,
    care: u64,
    but: Option<Gate>,
    random: &mut Random,
) -> Option<Gate> {
    let (ones, zeros) = (want & care, !want & care);
    let mut seen = 0;
    let mut chosen = None;
    for a in (0..nodes.len()).filter(|a| may(*a)) {
        let x = nodes[a];
        for b in (0..a).filter(|b| may(*b)) {
            let y = nodes[b];
            let cells = [x & y, x & !y, !x & y, !x & !y];
            // Only where both values are wanted does the third input have to tell them apart.
            let mixed = cells.map(|cell| {
                let mixed = 0_u64.wrapping_sub(u64::from(cell & ones != 0 && cell & zeros != 0));
                (cell & ones & mixed, cell & zeros & mixed)
            });
            for c in (0..b).filter(|c| may(*c)) {
                let z = nodes[c];
                let fits = mixed.iter().all(|(ones, zeros)| {
                    ones & z == 0 && zeros & !z == 0 || ones & !z == 0 && zeros & z == 0
                });
                if fits && but.is_none_or(|but| but.inputs != [a, b, c]) {
                    seen += 1;
                    if random.once_in(seen) {
                        chosen = Some([a, b, c]);
                    }
                }
            }
        }
    }
    let inputs = chosen?;
    Some(Gate { function: function_of(inputs.map(|input| nodes[input]), ones, random), inputs })
}

/// The function that is one exactly where it has to be, or by lot also where
/// nobody cares.
fn function_of([x, y, z]: [u64; 3], ones: u64, _random: &mut Random) -> u8 {
    let mut function = 0;
    for place in 0..8 {
        let pick = |table: u64, bit: u8| if place >> bit & 1 == 1 { table } else { !table };
        if pick(x, 2) & pick(y, 1) & pick(z, 0) & ones != 0 {
            function |= 1 << place;
        }
    }
    function
}

/// Two gates of three inputs: two nodes of the second by lot, and what its third
/// input has to be follows, in each of their four cells up to a complement.
fn two_triples(
    nodes: &[u64],
    may: &dyn Fn(usize) -> bool,
    want: u64,
    care: u64,
    random: &mut Random,
) -> Option<[Gate; 2]> {
    let (a, b) = (by_lot(nodes.len(), may, random)?, by_lot(nodes.len(), may, random)?);
    around(nodes, may, want, care, [a, b], random)
}

/// The same, with so many pairs of nodes by lot until one fits.
pub(crate) fn some_two_triples(
    nodes: &[u64],
    want: u64,
    care: u64,
    random: &mut Random,
) -> Option<[Gate; 2]> {
    (0..PAIRS_TRIED).find_map(|_| two_triples(nodes, &|_| true, want, care, random))
}

const PAIRS_TRIED: usize = 100;

fn around(
    nodes: &[u64],
    may: &dyn Fn(usize) -> bool,
    want: u64,
    care: u64,
    [a, b]: [usize; 2],
    random: &mut Random,
) -> Option<[Gate; 2]> {
    let (ones, zeros, inner) = (want & care, !want & care, nodes.len());
    let (mut inner_want, mut inner_care) = (0, 0);
    for cell in [(false, false), (false, true), (true, false), (true, true)] {
        let pick = |table: u64, is: bool| if is { table } else { !table };
        let cell = pick(nodes[a], cell.0) & pick(nodes[b], cell.1);
        if cell & ones != 0 && cell & zeros != 0 {
            inner_care |= cell & care;
            inner_want |= cell & if random.once_in(2) { want } else { !want };
        }
    }
    let first = triple(nodes, may, inner_want, inner_care, None, random)?;
    let table = first.table(nodes);
    let function = function_of([nodes[a], nodes[b], table], ones, random);
    Some([first, Gate { function, inputs: [a, b, inner] }])
}

fn by_lot(count: usize, may: &dyn Fn(usize) -> bool, random: &mut Random) -> Option<usize> {
    let candidate = random.below(count);
    may(candidate).then_some(candidate)
}
