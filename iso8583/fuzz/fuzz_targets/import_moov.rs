//! A document of moov, read both as JSON and as YAML; what must hold is in `import`.
#![no_main]

use iso8583::import::moov;

#[path = "../src/import.rs"]
mod import;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    import::obeys(moov::import_json(bytes), bytes);
    import::obeys(moov::import_yaml(bytes), bytes);
});
