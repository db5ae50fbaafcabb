//! Rules in files: who wrote which condition, what comes of it, from when until when.
//!
//! A set is made of one file or several; its rules are put in order by priority, then by id, so that it does not
//! matter where they stand. Shadow and live rules are compiled together; drafts are only checked. A set has a hash of
//! everything that can change a decision or what is told of it, and of nothing else: comments and layout are not in it.
//!
//! There is no I/O here: texts come in, texts and faults go out.
//!
//! Start at [`Rulebook::read`]; the form of a file is in [`mod@file`], its one layout in [`format_file`].

mod digest;
mod faults;
pub mod file;
mod layout;
mod notice;
mod outcome;
mod place;
mod read;

pub use digest::SetHash;
pub use faults::{FileFault, FileProblem};
pub use layout::format_file;
pub use notice::{Notice, Piece};
pub use outcome::{Outcome, Reason, RuleState, Verdict};
pub use read::{BookError, FILE_BYTES_MAX, RULES_IN_FILES_MAX, Rulebook, WrittenRule};
