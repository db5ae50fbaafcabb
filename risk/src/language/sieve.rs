//! All rules of a set decided together: each value that rules ask about is looked at once, and tells at once of every
//! rule whether it can still fire.
//!
//! A rule is what all its parts say (a rule that is no chain of `&&` is its only part). Most parts hang on one value and
//! constants: `amount > 100.00`, `mcc in [5811, 5812]`, `hour < 5 || hour == 23`. The constants of all rules cut the
//! numbers that such a value can be into pieces, and for each piece it is known beforehand which rules it leaves. So a
//! request costs a search in the constants and a few words of bits for each value, not a step for each part of each rule.
//! Parts of other kinds are values of their own: flags.
//!
//! Values are asked for in the order of their costs, and only while a rule is left that asks. That changes no answer: a
//! part that is false decides, in whatever order parts are looked at, and one that is missing decides if no part is false.
//!
//! Start at [`plan`] and [`Sieve::sift`].

use hashbrown::HashMap;

use super::ast::Compare;
use super::bits::RuleBits;
use super::graph::{Graph, Node, NodeId};
use super::machine::{self, Hits, MISSING, Piece};
use crate::Day;

/// Most cuts of one value: 32 bytes each. A part that would bring more is a value of its own.
const CUTS_MAX: usize = 1_024;

/// A rule to be run: what says whether it fires, and on which days it is in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    pub(super) node: NodeId,
    pub(super) days: Option<(Day, Day)>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Sieve {
    rules: RuleBits,
    questions: Vec<Question>,
    cuts: Vec<i64>,
    /// Rules that a question leaves, a row for each piece between its cuts.
    left: Vec<RuleBits>,
}

/// A value that rules ask about.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// What computes it.
    piece: Piece,
    /// The rules that ask.
    asking: RuleBits,
    /// Rules that are left if it is missing, and those of them that it leaves without an answer.
    left_if_missing: RuleBits,
    unknown: RuleBits,
    /// Its cuts, and the first of its rows.
    cuts: (usize, usize),
    first_row: usize,
}

/// A question before there is code for its value.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) value: Value,
    tests: Vec<(Test, RuleBits)>,
    cuts: Vec<i64>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Value {
    /// The business day.
    Day,
    Node(NodeId),
}

/// What rules want of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Test {
    /// A part of them, which hangs on the value alone.
    Part(NodeId),
    /// To be in force.
    Days(Day, Day),
}

/// What rules ask about, the cheapest first.
pub(super) fn plan(graph: &Graph, roots: &[Root]) -> Vec<Planned> {
    let mut planner = Planner { graph, questions: Vec::new(), places: HashMap::new() };
    for (rule, root) in roots.iter().enumerate() {
        if let Some((from, until)) = root.days {
            let cuts = [i64::from(from.0), i64::from(until.0) + 1];
            planner.ask(Value::Day, Test::Days(from, until), &cuts, rule);
        }
        match graph.node(root.node) {
            Node::All(parts) => parts.iter().for_each(|part| planner.part(*part, rule)),
            _ => planner.part(root.node, rule),
        }
    }
    let cost = |planned: &Planned| match planned.value {
        Value::Day => 0,
        Value::Node(node) => graph.cost(node),
    };
    planner.questions.sort_by_key(cost);
    planner.questions
}

struct Planner<'g> {
    graph: &'g Graph,
    questions: Vec<Planned>,
    places: HashMap<Value, usize>,
}

impl Planner<'_> {
    fn part(&mut self, part: NodeId, rule: usize) {
        let mut cuts = Vec::new();
        let value = hangs_on(self.graph, part, &mut cuts).map(Value::Node);
        let known = |value| self.places.get(&value).map_or(0, |place| self.questions[*place].cuts.len());
        match value.filter(|value| known(*value) + cuts.len() <= CUTS_MAX) {
            Some(value) => self.ask(value, Test::Part(part), &cuts, rule),
            None => self.ask(Value::Node(part), Test::Part(part), &FLAG, rule),
        }
    }

    fn ask(&mut self, value: Value, test: Test, cuts: &[i64], rule: usize) {
        let place = *self.places.entry(value).or_insert(self.questions.len());
        if place == self.questions.len() {
            self.questions.push(Planned { value, tests: Vec::new(), cuts: Vec::new() });
        }
        let Planned { tests, cuts: known, .. } = &mut self.questions[place];
        match tests.iter_mut().find(|(other, _)| *other == test) {
            Some((_, rules)) => rules.set(rule),
            None => {
                let mut rules = RuleBits::default();
                rules.set(rule);
                tests.push((test, rules));
                known.extend(cuts);
                known.sort_unstable();
                known.dedup();
            }
        }
    }
}

/// Where flags change.
const FLAG: [i64; 2] = [0, 1];

/// The one value that a part hangs on, if there is but one, and where its answer may change. What cannot be taken apart
/// hangs on itself.
fn hangs_on(graph: &Graph, part: NodeId, cuts: &mut Vec<i64>) -> Option<NodeId> {
    let cut = |cuts: &mut Vec<i64>, number: i64| {
        cuts.extend([Some(number), number.checked_add(1)].iter().flatten())
    };
    match graph.node(part) {
        Node::Compare(_, value, constant) if graph.constant_of(*constant).is_some() => {
            graph.constant_of(*constant).into_iter().for_each(|number| cut(cuts, number));
            Some(*value)
        }
        Node::NumberIn(value, set) => {
            graph.tables.number_sets[*set].iter().for_each(|number| cut(cuts, *number));
            Some(*value)
        }
        Node::Not(inner) => hangs_on(graph, *inner, cuts),
        Node::All(parts) | Node::Any(parts) => {
            let first = hangs_on(graph, *parts.first()?, cuts)?;
            parts[1..].iter().all(|part| hangs_on(graph, *part, cuts) == Some(first)).then_some(first)
        }
        _ => {
            cuts.extend(FLAG);
            Some(part)
        }
    }
}

/// What a part comes to if the value that it hangs on is this number.
fn part_at(graph: &Graph, part: NodeId, value: NodeId, number: i64) -> i64 {
    let at = |part: &NodeId| part_at(graph, *part, value, number);
    if part == value {
        return number;
    }
    match graph.node(part) {
        Node::Compare(compare, left, right) => machine::compared(*compare, at(left), at(right)),
        Node::NumberIn(inner, set) => machine::is_in(at(inner), &graph.tables.number_sets[*set]),
        Node::Not(inner) => machine::compared(Compare::Equal, at(inner), 0),
        Node::All(parts) => parts.iter().fold(1, |all, part| machine::and(all, at(part))),
        Node::Any(parts) => parts.iter().fold(0, |any, part| machine::or(any, at(part))),
        // INVARIANT: of what else there is, only constants are below a part that hangs on another value.
        _ => graph.constant_of(part).unwrap_or(MISSING),
    }
}

impl Planned {
    /// The rules that stand their tests at a number, and those that have no answer there.
    fn at(&self, graph: &Graph, all: &RuleBits, number: i64) -> (RuleBits, RuleBits) {
        let (mut left, mut unknown) = (*all, RuleBits::default());
        for (test, rules) in &self.tests {
            let answer = match (test, self.value) {
                (Test::Part(part), Value::Node(value)) => part_at(graph, *part, value, number),
                (Test::Days(from, until), _) => {
                    i64::from((i64::from(from.0)..=i64::from(until.0)).contains(&number))
                }
                (Test::Part(_), Value::Day) => 1,
            };
            match answer {
                0 => left = left.without(rules),
                MISSING => unknown = unknown.or(rules),
                _ => {}
            }
        }
        (left, unknown)
    }
}

impl Sieve {
    /// The sieve of what was planned for so many rules, each question with the code of its value.
    pub(super) fn new(graph: &Graph, planned: &[Planned], pieces: &[Piece], rules: usize) -> Self {
        let mut sieve = Self::default();
        (0..rules).for_each(|rule| sieve.rules.set(rule));
        for (planned, piece) in planned.iter().zip(pieces) {
            sieve.add(graph, planned, *piece);
        }
        sieve
    }

    fn add(&mut self, graph: &Graph, planned: &Planned, piece: Piece) {
        let (first_cut, first_row) = (self.cuts.len(), self.left.len());
        let below = planned.cuts.first().map_or(0, |cut| cut.saturating_sub(1).max(MISSING + 1));
        self.left.push(planned.at(graph, &self.rules, below).0);
        for cut in &planned.cuts {
            let (left, _) = planned.at(graph, &self.rules, *cut);
            // Where nothing changes there is no cut.
            if self.left.last() != Some(&left) {
                self.cuts.push(*cut);
                self.left.push(left);
            }
        }
        let (left_if_missing, unknown) = planned.at(graph, &self.rules, MISSING);
        let asking = planned.tests.iter().fold(RuleBits::default(), |all, (_, rules)| all.or(rules));
        let cuts = (first_cut, self.cuts.len());
        self.questions.push(Question { piece, asking, left_if_missing, unknown, cuts, first_row });
    }

    /// What becomes of the rules; `value` computes what is asked for.
    #[inline(always)]
    pub(super) fn sift(&self, mut value: impl FnMut(&Piece) -> i64) -> Hits {
        let (mut left, mut unknown) = (self.rules, RuleBits::default());
        for question in &self.questions {
            if left.and(&question.asking).is_empty() {
                continue;
            }
            match value(&question.piece) {
                MISSING => {
                    left = left.and(&question.left_if_missing);
                    unknown = unknown.or(&question.unknown);
                }
                value => {
                    let cuts = &self.cuts[question.cuts.0..question.cuts.1];
                    let row = question.first_row + cuts.partition_point(|cut| *cut <= value);
                    left = left.and(&self.left[row]);
                }
            }
        }
        Hits { fired: left.without(&unknown), not_applicable: left.and(&unknown) }
    }

    /// Whether rules ask about the value of a slot itself.
    pub(super) fn asks(&self, slot: machine::Slot) -> bool {
        self.questions.iter().any(|question| question.piece.from == slot)
    }
}
