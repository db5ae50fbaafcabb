//! The books beside a model: random histories of purchases, withdrawals, loads, holds and all that follows them, repeated,
//! spoiled, reversed, late and wrong, with officers' orders among them, each step judged by the real books and by
//! `naive`, which shares data with them and no code.
//!
//! After every step these must agree: the answer (reason, what is shown, part, record), what an order came to, every account
//! that either side moved, every purse of the cards concerned, what is held of each, what has gone back of the transaction
//! concerned. Every [`LOOK_EVERY`] steps all accounts, cards, debts, deposits and kept transactions must, and the ledger's
//! and the books' own invariants hold; every [`RESTORE_EVERY`] the books are written as a checkpoint, and the walk goes on with
//! what was read back, which must have the same hash.
//!
//! Rules of velocity have a model of their own (`risk/tests/brute_force.rs`), so there are none here. Left out, too: charts of accounts,
//! cryptography, dialects, the journal, tables that are full; PINs are right or wrong by decree.
//!
//! That a disagreement would be seen is tested with models of which one [`Rule`] is flipped.
//!
//! Start at [`Start::city`], then [`Start::walk`].

mod draw;
mod look;
mod naive;
mod officers;
mod start;
mod tale;
mod tally;
mod walk;
mod words;

pub use self::{
    naive::Rule,
    start::Start,
    tally::Tally,
    walk::{LOOK_EVERY, RESTORE_EVERY},
};
