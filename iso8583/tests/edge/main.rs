//! What stands around a message, from outside: framing, headers, guessing; and the fuzzer's seeds, replayed.

mod corpus;
mod framing;
mod guess;
mod headers;
