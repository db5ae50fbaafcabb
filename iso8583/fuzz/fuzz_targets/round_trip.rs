//! Bytes for `iso8583_fuzz::round_trip`, which says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| iso8583_fuzz::round_trip(bytes));
