//! Changes of lists by name on their way to an order: from a file of people's own to rows that hold no card number.
//!
//! What stands in such a file is in [`mod@file`]. Card numbers become tokens in [`mod@tokens`], before anything else is done with
//! them. The rows of a change lie in a file beside its order, see [`mod@beside`].

pub mod beside;
pub mod file;
#[cfg(test)]
mod tests;
pub mod tokens;

pub use file::{Draft, Tally};
