//! From trees to code that answers for all rules of a set at once.
//!
//! Start at [`Compiler`]; what comes out is [`Code`].

use super::ast::Expr;
use super::check::{Checker, Names};
use super::emit::emit;
use super::facts::Fact;
use super::fault::Fault;
use super::graph::{Graph, NamedList, NodeId};
use super::machine::{Hits, Op, Program, SLOTS_MAX, Slot};
use super::request::{Past, Request};
use super::sieve::Root;
use super::window::Window;
use crate::Day;

/// Takes rules one by one, and makes code of them.
#[derive(Debug, Default)]
pub struct Compiler {
    names: Names,
    graph: Graph,
    roots: Vec<Root>,
}

/// A rule that was checked.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    node: NodeId,
    /// Nanoseconds, about, if every part of it is looked at and nothing is known from another rule.
    pub cost: u32,
}

/// Rules as code.
#[derive(Clone, Debug, Default)]
pub struct Code {
    program: Program,
    cost: u32,
}

/// The rules together need more constants and shared values than there is room for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the rules together name too many different constants (room for {SLOTS_MAX}); use lists, or fewer rules"
)]
pub struct TooLarge;

impl Compiler {
    /// A compiler of rules that may name these lists.
    #[must_use]
    pub fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    /// Checks a rule.
    ///
    /// # Errors
    /// The first name that nothing has, or type that does not fit.
    pub fn check(&mut self, expr: &Expr) -> Result<Checked, Fault> {
        let node = Checker { names: &self.names, graph: &mut self.graph }.rule(expr)?;
        Ok(Checked { node, cost: self.graph.cost(node) })
    }

    /// Takes a rule of this compiler into the set, behind those before; it is in force from the first of the days to
    /// the last, or always.
    pub fn add(&mut self, rule: Checked, days: Option<(Day, Day)>) {
        self.roots.push(Root { node: rule.node, days });
    }

    /// The code of all rules that were added. A rule's place is its number in [`Hits`].
    ///
    /// # Errors
    /// They are too large together.
    pub fn finish(self) -> Result<Code, TooLarge> {
        let program = emit(&self.graph, &self.roots).map_err(|_| TooLarge)?;
        Ok(Code { program, cost: self.graph.cost_together(self.roots.iter().map(|root| root.node)) })
    }
}

impl Code {
    /// Runs all rules on one request. Allocates nothing, cannot fail.
    #[must_use]
    pub fn run<P: Past>(&self, request: &Request<'_>, past: &P) -> Hits {
        self.program.run(request, past)
    }

    /// What the rules ask about the past; a window's place is its number in [`Past::window`].
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.program.tables.windows
    }

    /// Whether a rule of the set asks for a window; those of drafts are listed too.
    #[must_use]
    pub fn asks_window(&self, number: usize) -> bool {
        let asks = |op: &Op| matches!(op, Op::Window { window, .. } if usize::from(*window) == number);
        self.program.ops.iter().any(asks)
    }

    /// Whether a rule of the set looks something up in a list, by its place; those of drafts are listed too.
    #[must_use]
    pub fn asks_list(&self, number: usize) -> bool {
        let asks = |op: &Op| matches!(op, Op::Listed { list, .. } if usize::from(*list) == number);
        self.program.ops.iter().any(asks)
    }

    /// Whether a rule of the set looks at a number, a word or a flag of a request.
    #[must_use]
    pub fn asks_fact(&self, fact: Fact) -> bool {
        self.program.ops.iter().any(|op| op.reads(fact)) || self.program.sieve.asks(fact as Slot)
    }

    /// The lists that the rules look things up in.
    #[must_use]
    pub fn lists(&self) -> &[NamedList] {
        &self.program.tables.lists
    }

    /// Nanoseconds, about, if every part of every rule is looked at, each once.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost
    }
}
