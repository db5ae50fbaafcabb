//! The flat code that rules become, and what runs it.
//!
//! Every value is a 64-bit number in a slot: first the facts, then the constants, then what rules share, then what
//! they work with. A flag is 0 or 1. A fact that is missing, and everything that cannot be known without it, is
//! [`MISSING`]: `false && missing` is false, `true || missing` is true, everything else of it is missing. So no answer
//! depends on the order in which things are looked at, and nothing can fail. Arithmetic stops at the ends of its range.
//!
//! Start at [`Program::run`]. Nothing here allocates.

use super::ast::{Calc, Compare};
use super::bits::RuleBits;
use super::facts::{self, Fact, Sort};
use super::graph::Tables;
use super::request::{Key, Past, Request};
use crate::{Day, region};

/// What is not known. No number is as small: arithmetic stops one above.
pub(super) const MISSING: i64 = i64::MIN;

/// Most slots of a program; a set that needs more is refused.
pub(super) const SLOTS_MAX: usize = 2_048;

/// Most values that rules share; what is shared beyond that is computed again.
pub(super) const SHARED_MAX: usize = 256;

/// A slot's number.
pub(super) type Slot = u16;

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
    /// Goes on at `target` on any other day.
    JumpUnless {
        from: Day,
        until: Day,
        target: u32,
    },
    /// What became of a rule.
    Rule {
        from: Slot,
        rule: u16,
    },
}

/// A set of rules as code.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    pub(super) constants: Vec<i64>,
    pub(super) slots: usize,
    pub(super) tables: Tables,
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
            | Self::JumpIf { from, .. }
            | Self::Rule { from, .. } => slot(from),
            _ => false,
        }
    }
}

impl Program {
    /// Runs all rules on one request.
    pub(super) fn run<P: Past>(&self, request: &Request<'_>, past: &P) -> Hits {
        let mut hits = Hits::default();
        self.run_telling(request, past, |rule, value| match value {
            0 => {}
            MISSING => hits.not_applicable.set(rule),
            _ => hits.fired.set(rule),
        });
        hits
    }

    /// What a program of one root comes to, which need not be a flag.
    pub(super) fn answer<P: Past>(&self, request: &Request<'_>, past: &P) -> i64 {
        let mut answer = MISSING;
        self.run_telling(request, past, |_, value| answer = value);
        answer
    }

    /// Runs all rules; `tell` hears of each by its place and what it came to.
    fn run_telling<P: Past>(&self, request: &Request<'_>, past: &P, tell: impl FnMut(usize, i64)) {
        // Slots are cleared for every request; most sets need few.
        match self.slots {
            ..=128 => self.run_in::<128, P, _>(request, past, tell),
            129..=384 => self.run_in::<384, P, _>(request, past, tell),
            _ => self.run_in::<SLOTS_MAX, P, _>(request, past, tell),
        }
    }

    fn run_in<const SLOTS: usize, P: Past, T: FnMut(usize, i64)>(
        &self,
        request: &Request<'_>,
        past: &P,
        mut tell: T,
    ) {
        let mut slots = [0_i64; SLOTS];
        slots[..facts::COUNT].copy_from_slice(&request.numbers);
        slots[facts::COUNT..facts::COUNT + self.constants.len()].copy_from_slice(&self.constants);
        let (mut known, mut at) = ([0_u64; SHARED_MAX / 64], 0);
        while let Some(op) = self.ops.get(at) {
            at += 1;
            match *op {
                Op::JumpIf { from, flag, target } => {
                    if slots[usize::from(from)] == i64::from(flag) {
                        at = target as usize;
                    }
                }
                Op::JumpIfKnown { shared, target } => {
                    if known[usize::from(shared) / 64] >> (shared % 64) & 1 == 1 {
                        at = target as usize;
                    }
                }
                Op::Known { shared } => known[usize::from(shared) / 64] |= 1 << (shared % 64),
                Op::JumpUnless { from, until, target } => {
                    if request.day < from || request.day > until {
                        at = target as usize;
                    }
                }
                Op::Rule { from, rule } => tell(usize::from(rule), slots[usize::from(from)]),
                op => {
                    let (to, value) = self.value(op, &slots, request, past);
                    slots[usize::from(to)] = value;
                }
            }
        }
    }

    /// What a step that computes something computes, and for which slot.
    #[inline(always)]
    fn value<P: Past>(&self, op: Op, slots: &[i64], request: &Request<'_>, past: &P) -> (Slot, i64) {
        let slot = |slot: Slot| slots[usize::from(slot)];
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
                let set = &self.tables.number_sets[usize::from(set)];
                (to, known(slot(from), |number| set.binary_search(&number).is_ok()))
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
            Op::Compare { compare, left, right, to } => {
                let (left, right) = (slot(left), slot(right));
                let missing = left == MISSING || right == MISSING;
                (to, if missing { MISSING } else { i64::from(compare.holds(left, right)) })
            }
            Op::Calc { calc, left, right, to } => (to, calculated(calc, slot(left), slot(right))),
            Op::Not { from, to } => (to, known(slot(from), |flag| flag == 0)),
            Op::And { from, to } => (to, and(slot(to), slot(from))),
            Op::Or { from, to } => (to, or(slot(to), slot(from))),
            Op::Window { window, to } => {
                let window = usize::from(window);
                (to, past.window(window, &self.tables.windows[window], request).max(0))
            }
            // INVARIANT: the caller keeps the steps that compute nothing.
            _ => (0, slots[0]),
        }
    }
}

fn answer(flag: Option<bool>) -> i64 {
    flag.map_or(MISSING, i64::from)
}

fn known(value: i64, ask: impl FnOnce(i64) -> bool) -> i64 {
    if value == MISSING { MISSING } else { i64::from(ask(value)) }
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
