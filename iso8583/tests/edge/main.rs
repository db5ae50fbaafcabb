//! What stands around a message, from outside: framing, headers, guessing; and the fuzzer's seeds, replayed.

mod framing;
mod guess;
mod headers;
