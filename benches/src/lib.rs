//! What the groups share: a [`rig`] of the stages and a client whose requests they approve, and [`proof`] of what was
//! measured. The load generator, which asks a running switch from outside, is [`loadgen`].

pub mod loadgen;
pub mod proof;
pub mod rig;

use std::path::{Path, PathBuf};

/// A file or folder of `fixtures`.
#[must_use]
pub fn fixture(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures")).join(path)
}
