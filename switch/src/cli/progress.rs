//! A progress bar for long work on records or rows: on standard error where a person sees it, else now and then a
//! line in the log.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock::stopwatch;

/// Work shorter than this shows nothing; a bar that flashes by tells nobody anything.
const QUIET: Duration = Duration::from_millis(500);

/// How far apart lines in the log are.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// Steps between two looks at the clock.
const STEP: u64 = 64;

/// A bar that appears when the work takes long, and goes when it is done.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
    seen: u64,
    /// The last line in the log; none where a person watches the bar, or the work has no log.
    line: Option<Line>,
}

/// When a line was written, and how far the work was.
#[derive(Clone, Copy, Debug)]
struct Line {
    time: Instant,
    at: u64,
}

impl Progress {
    /// A bar counting this.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        let template = format!("{{spinner}} {{human_pos}} {what}, {{per_sec}}, {{elapsed}}");
        Self::with(ProgressBar::new_spinner(), &template, what)
    }

    /// A bar counting up to `total` of this.
    #[must_use]
    pub fn of(total: u64, what: &'static str) -> Self {
        let template = format!("{{bar:40}} {{human_pos}}/{{human_len}} {what}, {{per_sec}}, {{eta}} left");
        Self::with(ProgressBar::new(total), &template, what)
    }

    /// The same, which tells the log how far it is where no person sees a bar.
    #[must_use]
    pub fn logged(mut self) -> Self {
        if !std::io::stderr().is_terminal() {
            self.line = Some(Line { time: stopwatch(), at: 0 });
        }
        self
    }

    fn with(bar: ProgressBar, template: &str, what: &'static str) -> Self {
        // The templates above are the only ones, and they are valid; the plain style would do as well.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.set_draw_target(ProgressDrawTarget::hidden());
        Self { bar, what, seen: 0, line: None }
    }

    /// What the work calls with each number it reaches.
    pub fn callback(&mut self) -> impl FnMut(u64) + '_ {
        move |at| {
            self.seen += 1;
            if self.seen.is_multiple_of(STEP) {
                self.show(at);
            }
        }
    }

    /// The same for work that calls now and then, each time to be shown.
    pub fn shown(&mut self) -> impl FnMut(u64) + '_ {
        move |at| self.show(at)
    }

    fn show(&mut self, at: u64) {
        if self.bar.is_hidden() && self.bar.elapsed() > QUIET {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(at);
        let Some(last) = self.line else { return };
        let now = stopwatch();
        let took = now.duration_since(last.time);
        // A start goes through the records more than once, so where it is may go back.
        if took >= LOG_EVERY {
            let per_second = u128::from(at.saturating_sub(last.at)) * 1000 / took.as_millis().max(1);
            tracing::info!(at, per_second, "working through {}", self.what);
            self.line = Some(Line { time: now, at });
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
