//! Verifying the MACs of answers that were kept, after the timed part, on all cores.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{
    error::LoadError,
    prepare::{Bar, Load, on_all_cores},
    sender::Sender,
    tally::Kept,
};

/// What was found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Checked {
    /// Answers whose MACs were verified.
    pub checked: u64,
    /// Those with a wrong MAC, or without one where one is due.
    pub wrong: u64,
}

/// Verifies all answers that were kept.
///
/// # Errors
/// None of its own; the signature is that of the work on all cores.
pub fn check(senders: &mut [Sender], loads: &[Load], kept: &Kept) -> Result<Checked, LoadError> {
    let mut by_connection = vec![Vec::new(); senders.len()];
    for at in 0..kept.len() {
        if let Some((connection, ..)) = kept.answer(at) {
            by_connection[connection].push(at);
        }
    }
    let (done, wrong) = (AtomicU64::new(0), AtomicU64::new(0));
    on_all_cores(senders, Bar::new("checking", kept.len() as u64), &done, |place, sender| {
        for at in &by_connection[place] {
            let Some((_, message, answer)) = kept.answer(*at) else { continue };
            if !sender.is_right(loads[place].message(message), answer) {
                wrong.fetch_add(1, Ordering::Relaxed);
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok(Checked { checked: done.into_inner(), wrong: wrong.into_inner() })
}
