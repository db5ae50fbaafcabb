//! A progress bar for long work on records, on standard error and only where a person sees it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::journal::Seq;

/// Work shorter than this shows nothing; a bar that flashes by tells nobody anything.
const QUIET: Duration = Duration::from_millis(500);

/// Records between two looks at the clock.
const STEP: u64 = 4096;

/// A bar that appears when the work takes long, and goes when it is done.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    seen: u64,
}

impl Progress {
    /// A bar counting this.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template(&format!(
            "{{spinner}} {{human_pos}} {what}, {{per_sec}}, {{elapsed}}"
        ));
        // The template above is the only one, and it is valid; the plain style would do as well.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        Self { bar, seen: 0 }
    }

    /// What the work calls with each sequence number it reaches.
    pub fn callback(&mut self) -> impl FnMut(Seq) + '_ {
        move |seq| {
            self.seen += 1;
            if self.seen.is_multiple_of(STEP) {
                if self.bar.is_hidden() && self.bar.elapsed() > QUIET {
                    self.bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
                }
                self.bar.set_position(seq);
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
