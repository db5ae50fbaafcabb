//! From the graph of a set to flat code.
//!
//! What several rules ask is computed where it is first needed, kept in a slot of its own, and passed over from then
//! on: the slot is marked for each request, so what no rule comes to is never computed.
//!
//! Start at [`emit`].

use hashbrown::HashMap;

use super::graph::{Graph, Node, NodeId, RegionsOf};
use super::machine::{DAY, FREE, Op, Piece, Program, SHARED_MAX, SLOTS_MAX, Slot};
use super::sieve::{self, Root, Sieve, Value};

/// The set needs more slots than there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooLarge;

struct Emitter<'g> {
    graph: &'g Graph,
    ops: Vec<Op>,
    constants: Vec<i64>,
    constant_slots: HashMap<NodeId, Slot>,
    /// Slot and mark of what is shared.
    shared: HashMap<NodeId, (Slot, u16)>,
    next: usize,
    most: usize,
}

/// The code of some rules, whose places are their numbers.
pub(super) fn emit(graph: &Graph, rules: &[Root]) -> Result<Program, TooLarge> {
    let planned = sieve::plan(graph, rules);
    let values: Vec<Value> = planned.iter().map(|planned| planned.value).collect();
    let (mut program, pieces) = emit_values(graph, &values)?;
    program.sieve = Sieve::new(graph, &planned, &pieces, rules.len());
    Ok(program)
}

/// The code of one value.
pub(super) fn emit_value(graph: &Graph, node: NodeId) -> Result<(Program, Vec<Piece>), TooLarge> {
    emit_values(graph, &[Value::Node(node)])
}

/// The code of some values, a piece for each, to be run in this order or some of them not at all.
fn emit_values(graph: &Graph, values: &[Value]) -> Result<(Program, Vec<Piece>), TooLarge> {
    let (order, uses) = uses(graph, values);
    let mut emitter = Emitter {
        graph,
        ops: Vec::new(),
        constants: Vec::new(),
        constant_slots: HashMap::new(),
        shared: HashMap::new(),
        next: FREE,
        most: FREE,
    };
    emitter.fix_slots(&order, &uses)?;
    let pieces = values.iter().map(|value| emitter.piece(*value)).collect::<Result<_, _>>()?;
    let Emitter { ops, constants, most, .. } = emitter;
    let tables = graph.tables.clone();
    Ok((Program { ops, constants, slots: most, tables, sieve: Sieve::default() }, pieces))
}

/// Every node that a value comes to, and by how many it is used.
fn uses(graph: &Graph, values: &[Value]) -> (Vec<NodeId>, HashMap<NodeId, u32>) {
    let (mut order, mut uses) = (Vec::new(), HashMap::new());
    let node = |value: &Value| if let Value::Node(node) = value { Some(*node) } else { None };
    let mut waiting: Vec<NodeId> = values.iter().rev().filter_map(node).collect();
    while let Some(node) = waiting.pop() {
        let count = uses.entry(node).or_insert(0_u32);
        *count += 1;
        if *count == 1 {
            order.push(node);
            waiting.extend(graph.below(node));
        }
    }
    (order, uses)
}

impl Emitter<'_> {
    /// Constants, then what is shared: if there is more than fits, what costs most.
    fn fix_slots(&mut self, order: &[NodeId], uses: &HashMap<NodeId, u32>) -> Result<(), TooLarge> {
        for node in order {
            if let Some(value) = self.graph.constant_of(*node) {
                self.constants.push(value);
                let slot = self.slot()?;
                self.constant_slots.insert(*node, slot);
            }
        }
        let worth = |node: &NodeId| self.graph.cost(*node);
        let mut shared: Vec<NodeId> =
            order.iter().copied().filter(|node| uses[node] > 1 && worth(node) > 1).collect();
        shared.sort_by_key(|node| std::cmp::Reverse(worth(node)));
        shared.truncate(SHARED_MAX);
        for (mark, node) in (0..).zip(shared) {
            let slot = self.slot()?;
            self.shared.insert(node, (slot, mark));
        }
        Ok(())
    }

    /// The next slot. Slots are given back by setting `next` back.
    fn slot(&mut self) -> Result<Slot, TooLarge> {
        if self.next == SLOTS_MAX {
            return Err(TooLarge);
        }
        self.next += 1;
        self.most = self.most.max(self.next);
        Slot::try_from(self.next - 1).map_err(|_| TooLarge)
    }

    fn piece(&mut self, value: Value) -> Result<Piece, TooLarge> {
        let (before, begin) = (self.next, self.ops.len());
        let from = match value {
            Value::Day => DAY,
            Value::Node(node) => self.operand(node)?,
        };
        self.next = before;
        Ok(Piece { begin, end: self.ops.len(), from })
    }

    /// The slot that holds a node's value once the code so far has run.
    fn operand(&mut self, node: NodeId) -> Result<Slot, TooLarge> {
        if let Node::Fact(fact) = self.graph.node(node) {
            return narrow(*fact as usize);
        }
        if let Some(slot) = self.constant_slots.get(&node) {
            return Ok(*slot);
        }
        if let Some((slot, shared)) = self.shared.get(&node).copied() {
            let jump = self.ops.len();
            self.ops.push(Op::JumpIfKnown { shared, target: 0 });
            self.compute(node, slot)?;
            self.ops.push(Op::Known { shared });
            self.land(jump)?;
            return Ok(slot);
        }
        let slot = self.slot()?;
        self.compute(node, slot)?;
        Ok(slot)
    }

    /// Code that puts a node's value into a slot.
    fn into(&mut self, node: NodeId, to: Slot) -> Result<(), TooLarge> {
        let has_slot = matches!(self.graph.node(node), Node::Fact(_) | Node::Constant(_));
        if !has_slot && !self.shared.contains_key(&node) {
            return self.compute(node, to);
        }
        let from = self.operand(node)?;
        self.ops.push(Op::Copy { from, to });
        Ok(())
    }

    /// Code that computes a node into a slot.
    fn compute(&mut self, node: NodeId, to: Slot) -> Result<(), TooLarge> {
        let before = self.next;
        let graph = self.graph;
        let op = match graph.node(node) {
            Node::All(parts) => return self.chain(parts, to, false),
            Node::Any(parts) => return self.chain(parts, to, true),
            Node::Fact(_) | Node::Constant(_) => return self.into(node, to),
            Node::Has(fact) => Op::Has { fact: *fact, to },
            Node::TextIs(fact, text) => Op::TextIs { fact: *fact, text: narrow(*text)?, to },
            Node::TextSame(left, right) => Op::TextSame { left: *left, right: *right, to },
            Node::TextIn(fact, set) => Op::TextIn { fact: *fact, set: narrow(*set)?, to },
            Node::NumberIn(from, set) => Op::NumberIn { from: self.operand(*from)?, set: narrow(*set)?, to },
            Node::Listed(list, fact) => Op::Listed { list: narrow(*list)?, fact: *fact, to },
            Node::Within(from, RegionsOf::Fact(fact)) => {
                Op::WithinFact { from: self.operand(*from)?, fact: *fact, to }
            }
            Node::Within(from, RegionsOf::Set(set)) => {
                Op::WithinSet { from: self.operand(*from)?, set: narrow(*set)?, to }
            }
            Node::OnlyIn(from, word) => {
                let word = u16::try_from(*word).map_err(|_| TooLarge)?;
                Op::OnlyIn { from: self.operand(*from)?, word, to }
            }
            Node::Compare(compare, left, right) => {
                let (left, right) = (self.operand(*left)?, self.operand(*right)?);
                Op::Compare { compare: *compare, left, right, to }
            }
            Node::Calc(calc, left, right) => {
                let (left, right) = (self.operand(*left)?, self.operand(*right)?);
                Op::Calc { calc: *calc, left, right, to }
            }
            Node::Not(from) => Op::Not { from: self.operand(*from)?, to },
            Node::Window(window) => Op::Window { window: narrow(*window)?, to },
        };
        self.ops.push(op);
        self.next = before;
        Ok(())
    }

    /// A chain is left at the first part that decides it: a flag of `decides`.
    fn chain(&mut self, parts: &[NodeId], to: Slot, decides: bool) -> Result<(), TooLarge> {
        let (before, mut jumps) = (self.next, Vec::new());
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                jumps.push(self.ops.len());
                self.ops.push(Op::JumpIf { from: to, flag: decides, target: 0 });
            }
            if place == 0 {
                self.into(*part, to)?;
            } else {
                let from = self.operand(*part)?;
                self.ops.push(if decides { Op::Or { from, to } } else { Op::And { from, to } });
            }
            self.next = before;
        }
        jumps.into_iter().try_for_each(|jump| self.land(jump))
    }

    /// Lets a jump land behind the code so far.
    fn land(&mut self, jump: usize) -> Result<(), TooLarge> {
        let here = u32::try_from(self.ops.len()).map_err(|_| TooLarge)?;
        match &mut self.ops[jump] {
            Op::JumpIf { target, .. } | Op::JumpIfKnown { target, .. } => *target = here,
            _ => {}
        }
        Ok(())
    }
}

fn narrow(place: usize) -> Result<u16, TooLarge> {
    u16::try_from(place).map_err(|_| TooLarge)
}
