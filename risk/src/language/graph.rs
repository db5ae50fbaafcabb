//! Checked rules as a graph: what is the same stands once, across all rules of a set.
//!
//! Nodes are made by functions that simplify first: constants are computed, what cannot matter is left out, the parts
//! of a chain are sorted so that the cheapest comes first. That changes no answer, because chains have none that
//! depends on the order of their parts (see [`super::machine`] for what a missing fact does).
//!
//! Start at [`Graph`]; costs are in [`cost_of`].

use hashbrown::{HashMap, HashSet};

use super::ast::{Calc, Compare};
use super::facts::Fact;
use super::machine::{self, MISSING};
use super::window::{Measure, TimeSpan, Window};

/// A node's place in the graph.
pub(super) type NodeId = usize;

/// What is computed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Node {
    Constant(i64),
    Fact(Fact),
    Has(Fact),
    TextIs(Fact, usize),
    TextSame(Fact, Fact),
    TextIn(Fact, usize),
    NumberIn(NodeId, usize),
    Listed(usize, Fact),
    Within(NodeId, RegionsOf),
    /// The amount, if the request is in this currency (its place among the words).
    OnlyIn(NodeId, i64),
    Compare(Compare, NodeId, NodeId),
    Calc(Calc, NodeId, NodeId),
    Not(NodeId),
    All(Vec<NodeId>),
    Any(Vec<NodeId>),
    Window(usize),
}

/// Which regions.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum RegionsOf {
    Fact(Fact),
    /// Those of a rule, by their place among the sets of numbers.
    Set(usize),
}

/// A list that rules look things up in.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct NamedList {
    /// Its name.
    pub name: String,
    /// What it is a list of: cards, terminals, merchants, BINs, PSAMs or telephones.
    pub of: Fact,
}

/// All rules of a set.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    costs: Vec<u32>,
    known: HashMap<Node, NodeId>,
    pub(super) tables: Tables,
}

/// What nodes name by its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub(super) texts: Vec<Box<[u8]>>,
    pub(super) text_sets: Vec<Vec<Box<[u8]>>>,
    pub(super) number_sets: Vec<Vec<i64>>,
    pub(super) windows: Vec<Window>,
    pub(super) lists: Vec<NamedList>,
}

/// The place of an entry of a table; a new one if it is not there yet.
pub(super) fn place<T: PartialEq>(table: &mut Vec<T>, entry: T) -> usize {
    table.iter().position(|known| *known == entry).unwrap_or_else(|| {
        table.push(entry);
        table.len() - 1
    })
}

/// What an operation costs by itself, nanoseconds, about; its operands come on top. What the books are asked for costs
/// a wait for memory or several, everything else some instructions.
pub(super) fn cost_of(node: &Node, tables: &Tables) -> u32 {
    let search = |length: usize| 1 + length.checked_ilog2().unwrap_or(0);
    match node {
        Node::Constant(_) | Node::Fact(_) => 0,
        Node::Has(_) | Node::OnlyIn(..) | Node::Compare(..) | Node::Calc(..) | Node::Not(_) => 1,
        Node::TextIs(..) | Node::TextSame(..) => 3,
        Node::TextIn(_, set) => 3 * search(tables.text_sets[*set].len()),
        Node::NumberIn(_, set) => search(tables.number_sets[*set].len()),
        Node::Within(_, RegionsOf::Fact(_)) => 6,
        Node::Within(_, RegionsOf::Set(set)) => {
            u32::try_from(tables.number_sets[*set].len()).unwrap_or(u32::MAX)
        }
        Node::All(parts) | Node::Any(parts) => u32::try_from(parts.len()).unwrap_or(u32::MAX),
        Node::Listed(..) => 40,
        Node::Window(window) => window_cost(&tables.windows[*window]),
    }
}

fn window_cost(window: &Window) -> u32 {
    match (window.span, window.measure) {
        (_, Measure::Distinct(_)) => 120,
        (TimeSpan::Calendar(_), _) => 30,
        (TimeSpan::Sliding(_), _) => 60,
    }
}

impl Graph {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// What a node and everything below it costs if all of it is computed.
    pub(super) fn cost(&self, id: NodeId) -> u32 {
        self.costs[id]
    }

    /// What some nodes and everything below them cost if all of it is computed once.
    pub(super) fn cost_together(&self, roots: impl Iterator<Item = NodeId>) -> u32 {
        let (mut waiting, mut seen) = (roots.collect::<Vec<_>>(), HashSet::new());
        let mut sum = 0_u32;
        while let Some(node) = waiting.pop() {
            if seen.insert(node) {
                sum = sum.saturating_add(cost_of(&self.nodes[node], &self.tables));
                waiting.extend(self.below(node));
            }
        }
        sum
    }

    /// A node's value, if it is the same for every request.
    pub(super) fn constant_of(&self, id: NodeId) -> Option<i64> {
        if let Node::Constant(value) = self.nodes[id] { Some(value) } else { None }
    }

    /// The nodes right below one.
    pub(super) fn below(&self, id: NodeId) -> Vec<NodeId> {
        match &self.nodes[id] {
            Node::NumberIn(node, _) | Node::Within(node, _) | Node::OnlyIn(node, _) | Node::Not(node) => {
                vec![*node]
            }
            Node::Compare(_, left, right) | Node::Calc(_, left, right) => vec![*left, *right],
            Node::All(parts) | Node::Any(parts) => parts.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn add(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.known.get(&node) {
            return *id;
        }
        let id = self.nodes.len();
        self.nodes.push(node.clone());
        let below: u32 = self.below(id).iter().fold(0, |sum, part| sum.saturating_add(self.costs[*part]));
        self.costs.push(cost_of(&node, &self.tables).saturating_add(below));
        self.known.insert(node, id);
        id
    }

    pub(super) fn constant(&mut self, value: i64) -> NodeId {
        self.add(Node::Constant(value))
    }

    pub(super) fn flag(&mut self, value: bool) -> NodeId {
        self.constant(i64::from(value))
    }

    pub(super) fn compare(&mut self, compare: Compare, left: NodeId, right: NodeId) -> NodeId {
        match (self.constant_of(left), self.constant_of(right)) {
            (Some(a), Some(b)) => self.flag(compare.holds(a, b)),
            // Constants stand on the right, so that `5 < a` and `a > 5` are the same.
            (Some(_), None) => self.add(Node::Compare(compare.exchanged(), right, left)),
            _ => self.add(Node::Compare(compare, left, right)),
        }
    }

    pub(super) fn calc(&mut self, calc: Calc, left: NodeId, right: NodeId) -> NodeId {
        match (calc, self.constant_of(left), self.constant_of(right)) {
            (_, Some(a), Some(b)) => self.constant(machine::calculated(calc, a, b)),
            (Calc::Add | Calc::Subtract, None, Some(0)) => left,
            (Calc::Multiply | Calc::Divide, None, Some(1)) => left,
            (Calc::Add | Calc::Multiply, Some(_), None) => self.calc(calc, right, left),
            _ => self.add(Node::Calc(calc, left, right)),
        }
    }

    pub(super) fn not(&mut self, inner: NodeId) -> NodeId {
        match self.nodes[inner] {
            Node::Constant(value) => self.flag(value == 0),
            Node::Not(inner) => inner,
            Node::Compare(compare, left, right) => self.add(Node::Compare(compare.inverse(), left, right)),
            _ => self.add(Node::Not(inner)),
        }
    }

    pub(super) fn number_in(&mut self, node: NodeId, mut numbers: Vec<i64>) -> NodeId {
        numbers.sort_unstable();
        numbers.dedup();
        match (self.constant_of(node), numbers.as_slice()) {
            (Some(value), _) => self.flag(numbers.binary_search(&value).is_ok()),
            (None, [one]) => {
                let one = self.constant(*one);
                self.compare(Compare::Equal, node, one)
            }
            _ => {
                let set = place(&mut self.tables.number_sets, numbers);
                self.add(Node::NumberIn(node, set))
            }
        }
    }

    pub(super) fn text_is(&mut self, fact: Fact, text: &str) -> NodeId {
        let text = place(&mut self.tables.texts, text.as_bytes().into());
        self.add(Node::TextIs(fact, text))
    }

    pub(super) fn text_in(&mut self, fact: Fact, texts: &[&str]) -> NodeId {
        if let [one] = texts {
            return self.text_is(fact, one);
        }
        let mut texts: Vec<Box<[u8]>> = texts.iter().map(|text| text.as_bytes().into()).collect();
        texts.sort_unstable();
        texts.dedup();
        let set = place(&mut self.tables.text_sets, texts);
        self.add(Node::TextIn(fact, set))
    }

    pub(super) fn all(&mut self, parts: Vec<NodeId>) -> NodeId {
        self.chain(parts, 0)
    }

    pub(super) fn any(&mut self, parts: Vec<NodeId>) -> NodeId {
        self.chain(parts, 1)
    }

    /// A chain that is decided by one part of the value `decides`.
    fn chain(&mut self, parts: Vec<NodeId>, decides: i64) -> NodeId {
        let mut flat = Vec::new();
        for part in parts {
            match (&self.nodes[part], decides) {
                (Node::Constant(value), _) if *value == decides => return part,
                (Node::Constant(_), _) => {}
                (Node::All(inner), 0) | (Node::Any(inner), 1) => flat.extend(inner.iter().copied()),
                _ => flat.push(part),
            }
        }
        // By cost, then by place: two chains of the same parts are the same chain.
        flat.sort_unstable_by_key(|part| (self.costs[*part], *part));
        flat.dedup();
        match flat.as_slice() {
            [] => self.constant(1 - decides),
            [one] => *one,
            _ if decides == 0 => self.add(Node::All(flat)),
            _ => self.add(Node::Any(flat)),
        }
    }
}

// A constant that was computed must not look like a fact that is missing.
const _: () = assert!(MISSING == i64::MIN);
