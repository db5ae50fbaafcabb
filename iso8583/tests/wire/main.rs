//! The crate from outside: vectors, hostile bytes, and there and back again.

mod atm;
mod corpus;
mod hostile;
mod round_trip;
mod samples;
mod vectors;
