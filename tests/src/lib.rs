//! The switch under test, from outside: what the scenarios need to be terminals, to start a switch in this process
//! or as one of its own, to kill it, and to read back what it recorded.
//!
//! Nothing here knows how the switch works inside; frames are built and answers checked with `iso8583` and the
//! emulators of `hsm-sim` alone, by the harness itself or by the switch's own clients, which share no more with it. A
//! step that fails panics and says which: this is a test's voice.
//!
//! Start at [`in_process::InProcess`] and [`terminal::Terminal`], for `epos` and `atm` at [`clients::Clients`]. The
//! scenarios are in `tests/suite`.

pub mod ask;
pub mod city;
pub mod clients;
pub mod forge;
pub mod history;
pub mod hostile;
pub mod in_process;
pub mod leaks;
pub mod line;
pub mod load;
pub mod model;
pub mod power;
pub mod process;
pub mod random;
pub mod receivers;
pub mod recording;
pub mod search;
pub mod terminal;
pub mod watch;

use std::path::PathBuf;

/// A folder or file of the workspace's `fixtures`.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

/// Says something to whoever watches the tests run, past the capture of the test harness.
pub fn tell(line: &str) {
    use std::io::Write;
    // Nobody may be watching.
    let _closed = writeln!(std::io::stderr(), "{line}");
}
