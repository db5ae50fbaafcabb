//! The flat code that rules become, and what runs it.
//!
//! Every value is a 64-bit number in a slot: first the facts and the day, then the constants, then what rules share,
//! then what they work with. A flag is 0 or 1. A fact that is missing, and everything that cannot be known without it, is
//! [`MISSING`]: `false && missing` is false, `true || missing` is true, everything else of it is missing. So no answer
//! depends on the order in which things are looked at, and nothing can fail. Arithmetic stops at the ends of its range.
//!
//! The code comes in pieces, one for each value that rules ask about; what the values mean for the rules stands in
//! [`super::sieve`]. Start at [`Program::run`]. Nothing here allocates.

use super::ast::{Calc, Compare};
use super::bits::RuleBits;
use super::facts::{self, Fact, Sort};
use super::graph::Tables;
use super::request::{Key, Past, Request};
use super::sieve::Sieve;
use crate::region;

/// What is not known. No number is as small: arithmetic stops one above.
pub(super) const MISSING: i64 = i64::MIN;

/// Most slots of a program; a set that needs more is refused.
pub(super) const SLOTS_MAX: usize = 2_048;

/// Most values that rules share; what is shared beyond that is computed again.
pub(super) const SHARED_MAX: usize = 256;

/// A slot's number.
pub(super) type Slot = u16;

/// The slot of the business day, behind those of the facts.
#[expect(clippy::cast_possible_truncation, reason = "there are some thirty facts")]
pub(super) const DAY: Slot = facts::COUNT as Slot;

/// The first slot that a set may use.
pub(super) const FREE: usize = facts::COUNT + 1;

/// One step. `to` is the slot that it writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    Copy {
        from: Slot,
        to: Slot,
    },
    Has {
        fact: Fact,
        to: Slot,
    },
    TextIs {
        fact: Fact,
        text: u16,
        to: Slot,
    },
    TextSame {
        left: Fact,
        right: Fact,
        to: Slot,
    },
    TextIn {
        fact: Fact,
        set: u16,
        to: Slot,
    },
    NumberIn {
        from: Slot,
        set: u16,
        to: Slot,
    },
    Listed {
        list: u16,
        fact: Fact,
        to: Slot,
    },
    WithinFact {
        from: Slot,
        fact: Fact,
        to: Slot,
    },
    WithinSet {
        from: Slot,
        set: u16,
        to: Slot,
    },
    OnlyIn {
        from: Slot,
        word: u16,
        to: Slot,
    },
    Compare {
        compare: Compare,
        left: Slot,
        right: Slot,
        to: Slot,
    },
    Calc {
        calc: Calc,
        left: Slot,
        right: Slot,
        to: Slot,
    },
    Not {
        from: Slot,
        to: Slot,
    },
    And {
        from: Slot,
        to: Slot,
    },
    Or {
        from: Slot,
        to: Slot,
    },
    Window {
        window: u16,
        to: Slot,
    },
    /// Goes on at `target` if the slot holds this flag.
    JumpIf {
        from: Slot,
        flag: bool,
        target: u32,
    },
    /// Goes on at `target` if this shared value has been computed for this request.
    JumpIfKnown {
        shared: u16,
        target: u32,
    },
    Known {
        shared: u16,
    },
}

/// The steps that compute a value, none where it is there already, and the slot that it is in then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) from: Slot,
}

/// A set of rules as code.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    pub(super) constants: Vec<i64>,
    pub(super) slots: usize,
    pub(super) tables: Tables,
    pub(super) sieve: Sieve,
}

/// What became of the rules of a set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Hits {
    /// Those that fired.
    pub fired: RuleBits,
    /// Those that did not apply, because a fact they depend on is missing.
    pub not_applicable: RuleBits,
}

impl Op {
    /// Whether it looks at the slot of a fact.
    pub(super) fn reads(&self, fact: Fact) -> bool {
        let slot = |slot: Slot| usize::from(slot) == fact as usize;
        match *self {
            Self::Has { fact: asked, .. } => asked == fact,
            Self::Compare { left, right, .. } | Self::Calc { left, right, .. } => slot(left) || slot(right),
            Self::Copy { from, .. }
            | Self::NumberIn { from, .. }
            | Self::WithinFact { from, .. }
            | Self::WithinSet { from, .. }
            | Self::OnlyIn { from, .. }
            | Self::Not { from, .. }
            | Self::And { from, .. }
            | Self::Or { from, .. }
            | Self::JumpIf { from, .. } => slot(from),
            _ => false,
        }
    }
}

/// What a program works with at one request.
struct Work<const SLOTS: usize> {
    slots: [i64; SLOTS],
    known: [u64; SHARED_MAX / 64],
}

impl<const SLOTS: usize> Work<SLOTS> {
    fn new(program: &Program, request: &Request<'_>) -> Self {
        // So an access needs no look whether there is such a slot.
        const { assert!(SLOTS.is_power_of_two()) };
        let mut slots = [0_i64; SLOTS];
        slots[..facts::COUNT].copy_from_slice(&request.numbers);
        slots[facts::COUNT] = i64::from(request.day.0);
        slots[FREE..FREE + program.constants.len()].copy_from_slice(&program.constants);
        Self { slots, known: [0; SHARED_MAX / 64] }
    }

    fn slot(&self, slot: Slot) -> i64 {
        self.slots[usize::from(slot) % SLOTS]
    }
}

impl Program {
    /// Runs all rules on one request.
    pub(super) fn run<P: Past>(&self, request: &Request<'_>, past: &P) -> Hits {
        // Slots are cleared for every request; most sets need few.
        match self.slots {
            ..=128 => self.run_in::<128, P>(request, past),
            129..=512 => self.run_in::<512, P>(request, past),
            _ => self.run_in::<SLOTS_MAX, P>(request, past),
        }
    }

    fn run_in<const SLOTS: usize, P: Past>(&self, request: &Request<'_>, past: &P) -> Hits {
        let mut work = Work::<SLOTS>::new(self, request);
        self.sieve.sift(|piece| self.compute(piece, &mut work, request, past))
    }

    /// What a piece of the program comes to.
    pub(super) fn answer<P: Past>(&self, piece: &Piece, request: &Request<'_>, past: &P) -> i64 {
        self.compute(piece, &mut Work::<SLOTS_MAX>::new(self, request), request, past)
    }

    #[inline(always)]
    fn compute<const SLOTS: usize, P: Past>(
        &self,
        piece: &Piece,
        work: &mut Work<SLOTS>,
        request: &Request<'_>,
        past: &P,
    ) -> i64 {
        let mut at = piece.begin;
        while at < piece.end {
            let op = self.ops[at];
            at += 1;
            match op {
                Op::JumpIf { from, flag, target } => {
                    if work.slot(from) == i64::from(flag) {
                        at = target as usize;
                    }
                }
                Op::JumpIfKnown { shared, target } => {
                    if work.known[usize::from(shared) / 64] >> (shared % 64) & 1 == 1 {
                        at = target as usize;
                    }
                }
                Op::Known { shared } => work.known[usize::from(shared) / 64] |= 1 << (shared % 64),
                op => {
                    let (to, value) = self.value(op, work, request, past);
                    work.slots[usize::from(to) % SLOTS] = value;
                }
            }
        }
        work.slot(piece.from)
    }

    /// What a step that computes something computes, and for which slot.
    #[inline(always)]
    fn value<const SLOTS: usize, P: Past>(
        &self,
        op: Op,
        work: &Work<SLOTS>,
        request: &Request<'_>,
        past: &P,
    ) -> (Slot, i64) {
        let slot = |slot: Slot| work.slot(slot);
        match op {
            Op::Copy { from, to } => (to, slot(from)),
            Op::Has { fact, to } => (to, i64::from(request.has(fact))),
            Op::TextIs { fact, text, to } => {
                let wanted = &*self.tables.texts[usize::from(text)];
                (to, answer(request.text_of(fact).map(|text| text == wanted)))
            }
            Op::TextSame { left, right, to } => {
                let same =
                    request.text_of(left).zip(request.text_of(right)).map(|(left, right)| left == right);
                (to, answer(same))
            }
            Op::TextIn { fact, set, to } => {
                let set = &self.tables.text_sets[usize::from(set)];
                let search = |text: &[u8]| set.binary_search_by(|known| (**known).cmp(text)).is_ok();
                (to, answer(request.text_of(fact).map(search)))
            }
            Op::NumberIn { from, set, to } => {
                (to, is_in(slot(from), &self.tables.number_sets[usize::from(set)]))
            }
            Op::Listed { list, fact, to } => {
                let list = &self.tables.lists[usize::from(list)];
                (to, answer(key(request, fact).map(|key| past.listed(list, key))))
            }
            Op::WithinFact { from, fact, to } => {
                (to, known(slot(from), |code| within(request.regions_of(fact), code)))
            }
            Op::WithinSet { from, set, to } => {
                let set = &self.tables.number_sets[usize::from(set)];
                let covered = |code: i64| set.iter().any(|allowed| covers(*allowed, code));
                (to, known(slot(from), covered))
            }
            Op::OnlyIn { from, word, to } => {
                let same = slot(Fact::Currency as Slot) == i64::from(word);
                (to, if same { slot(from) } else { MISSING })
            }
            Op::Compare { compare, left, right, to } => (to, compared(compare, slot(left), slot(right))),
            Op::Calc { calc, left, right, to } => (to, calculated(calc, slot(left), slot(right))),
            Op::Not { from, to } => (to, known(slot(from), |flag| flag == 0)),
            Op::And { from, to } => (to, and(slot(to), slot(from))),
            Op::Or { from, to } => (to, or(slot(to), slot(from))),
            Op::Window { window, to } => {
                let window = usize::from(window);
                (to, past.window(window, &self.tables.windows[window], request).max(0))
            }
            // INVARIANT: the caller keeps the steps that compute nothing.
            _ => (0, slot(0)),
        }
    }
}

fn answer(flag: Option<bool>) -> i64 {
    flag.map_or(MISSING, i64::from)
}

fn known(value: i64, ask: impl FnOnce(i64) -> bool) -> i64 {
    if value == MISSING { MISSING } else { i64::from(ask(value)) }
}

/// A comparison of two numbers, either of which may be missing.
pub(super) fn compared(compare: Compare, left: i64, right: i64) -> i64 {
    let missing = left == MISSING || right == MISSING;
    if missing { MISSING } else { i64::from(compare.holds(left, right)) }
}

/// Whether a number is one of these, which are sorted.
pub(super) fn is_in(number: i64, set: &[i64]) -> i64 {
    known(number, |number| set.binary_search(&number).is_ok())
}

/// Both, where what is missing gives way to false.
pub(super) fn and(one: i64, other: i64) -> i64 {
    match (one, other) {
        (0, _) | (_, 0) => 0,
        (MISSING, _) | (_, MISSING) => MISSING,
        _ => 1,
    }
}

/// Either, where what is missing gives way to true.
pub(super) fn or(one: i64, other: i64) -> i64 {
    match (one, other) {
        (1, _) | (_, 1) => 1,
        (MISSING, _) | (_, MISSING) => MISSING,
        _ => 0,
    }
}

/// Arithmetic that stops at the ends. What is divided by is never zero: the checker refuses it.
pub(super) fn calculated(calc: Calc, left: i64, right: i64) -> i64 {
    if left == MISSING || right == MISSING {
        return MISSING;
    }
    let value = match calc {
        Calc::Add => left.saturating_add(right),
        Calc::Subtract => left.saturating_sub(right),
        Calc::Multiply => left.saturating_mul(right),
        Calc::Divide => left.checked_div(right).unwrap_or(0),
        Calc::Remainder => left.checked_rem(right).unwrap_or(0),
    };
    value.max(MISSING + 1)
}

fn key<'r>(request: &Request<'r>, fact: Fact) -> Option<Key<'r>> {
    match fact.row().sort {
        Sort::Number(..) => {
            Some(request.numbers[fact as usize]).filter(|number| *number != MISSING).map(Key::Number)
        }
        _ => request.text_of(fact).map(Key::Text),
    }
}

fn within(allowed: &[u32], code: i64) -> bool {
    u32::try_from(code).is_ok_and(|code| region::allows(allowed, code))
}

fn covers(allowed: i64, code: i64) -> bool {
    let codes = u32::try_from(allowed).ok().zip(u32::try_from(code).ok());
    codes.is_some_and(|(allowed, code)| region::covers(allowed, code))
}
