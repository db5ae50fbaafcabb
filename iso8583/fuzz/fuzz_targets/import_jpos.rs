//! A packager file of jPOS; what must hold is in `import`.
#![no_main]

use iso8583::import::jpos;

#[path = "../src/import.rs"]
mod import;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| import::obeys(jpos::import("fuzz", bytes), bytes));
