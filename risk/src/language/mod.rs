//! The language of rules: a rule's text is a condition on the facts of one request and on what happened before.
//!
//! The text is a subset of CEL, the Common Expression Language. It is checked against one catalogue of facts
//! ([`facts`]), compiled with all other rules of its set, and run without allocating and without an error to handle:
//! arithmetic stops at its ends, and a rule whose answer hangs on a fact that is missing does not apply. Where CEL
//! would fail for want of a value, this language says so beforehand or says "does not apply"; where CEL has an answer,
//! the answers are the same. The tests hold it against an implementation of CEL.
//!
//! There is no I/O here, no clock, and nothing that counts: what happened before is asked of a [`Past`]. Rule files are
//! in [`crate::rulebook`].
//!
//! ```text
//! text ─lex─► tokens ─parse─► tree ─check─► graph ─emit─► code ─run─► hits
//!                              └─format─► text
//! ```
//!
//! Start at [`parse`] and [`Compiler`].

pub mod ast;
mod bits;
mod call;
mod check;
mod compile;
mod currency;
mod emit;
mod explain;
pub mod facts;
mod fault;
mod format;
mod graph;
mod lex;
mod machine;
pub(crate) mod nearest;
mod parse;
pub mod reference;
mod request;
mod sieve;
mod window;

pub use bits::{RULES_MAX, RuleBits};
pub use call::{FUNCTIONS, Function};
pub use check::{LISTED, Names};
pub use compile::{Checked, Code, Compiler, TooLarge};
pub use currency::Currency;
pub use explain::{Explained, explain};
pub use facts::{FACTS, Fact, FactRow};
pub use fault::{Fault, Place, Problem};
pub use format::{format, on_one_line};
pub use graph::NamedList;
pub use lex::TEXT_BYTES_MAX;
pub use machine::Hits;
pub use parse::{DEPTH_MAX, SIDES_MAX, parse};
pub use request::{Key, Past, Request};
pub use window::{By, Measure, Of, SLIDING_DAYS_MAX, TimeSpan, Window};
