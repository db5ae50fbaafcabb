//! cardswitch: an ISO 8583 card authorization switch.
//!
//! This is the only crate of the workspace that touches the world: sockets, disk, clock, random bytes. What a
//! message looks like is `iso8583`'s affair, keys and PINs are `hsm-sim`'s, rules are `risk`'s.
//!
//! Start at [`app`], which wires the stages to threads, and follow one request: [`channel`] cuts a frame from a
//! connection, [`dialect`] makes a request of it, [`verify`] finds out what the HSM can say, [`books`] decide and
//! record an event, [`journal`] makes it durable, and the answer goes back the way it came. [`stages`] has that
//! path in one page. `ARCHITECTURE.md` says why it is so.

pub mod app;
pub mod audit;
pub mod backtest;
pub mod batch;
pub mod books;
pub mod channel;
pub mod checkpointer;
pub mod city;
pub mod cli;
pub mod clock;
pub mod commit;
pub mod config;
pub mod console;
pub mod demo;
pub mod dialect;
pub mod epoch;
pub mod genesis;
pub mod head_copy;
pub mod hex;
pub mod interrupt;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod lists;
pub mod mirror;
pub mod notices;
pub mod orders;
pub mod recovery;
pub mod restore;
pub mod settlement;
pub mod stages;
pub mod telemetry;
pub mod terminal;
pub mod verify;
pub mod wipe;
