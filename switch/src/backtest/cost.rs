//! What each rule costs by itself, measured on some of the rows.
//!
//! A rule is compiled alone and run a few times on a row, with windows read from the history of the whole set. Start
//! at [`Meter::measure`].

use std::hint::black_box;

use risk::language::{Code, Compiler, Key, NamedList, Names, Past, Request, Window};
use risk::rulebook::Rulebook;

use crate::clock::stopwatch;

/// One row in so many is measured.
const EVERY: u64 = 499;

/// How often a rule is run on it: the clock alone takes as long as a rule.
const RUNS: u32 = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Meter {
    rules: Vec<Alone>,
    samples: u64,
}

/// A rule by itself.
#[derive(Debug)]
struct Alone {
    code: Code,
    /// Its windows' numbers in the whole set.
    windows: Vec<usize>,
    ns: u64,
}

/// A past whose windows have other numbers.
struct Renumbered<'a, P> {
    past: &'a P,
    windows: &'a [usize],
}

impl<P: Past> Past for Renumbered<'_, P> {
    fn window(&self, number: usize, window: &Window, request: &Request<'_>) -> i64 {
        self.windows.get(number).map_or(0, |number| self.past.window(*number, window, request))
    }

    fn listed(&self, list: &NamedList, key: Key<'_>) -> bool {
        self.past.listed(list, key)
    }
}

impl Meter {
    pub(super) fn new(book: &Rulebook) -> Self {
        let alone = |when| {
            let mut compiler =
                Compiler::new(Names { currency: book.currency(), lists: book.lists().to_vec() });
            let checked = compiler.check(when).ok()?;
            compiler.add(checked, None);
            let code = compiler.finish().ok()?;
            let all = book.code().windows();
            let number = |window: &Window| all.iter().position(|known| known == window).unwrap_or(all.len());
            let windows = code.windows().iter().map(number).collect();
            Some(Alone { code, windows, ns: 0 })
        };
        Self { rules: book.evaluated().filter_map(|rule| alone(&rule.when)).collect(), samples: 0 }
    }

    /// Measures a row if it is its turn.
    pub(super) fn measure<P: Past>(&mut self, row: u64, request: &Request<'_>, past: &P) {
        if !row.is_multiple_of(EVERY) {
            return;
        }
        self.samples += 1;
        for rule in &mut self.rules {
            let renumbered = Renumbered { past, windows: &rule.windows };
            let begun = stopwatch();
            for _ in 0..RUNS {
                black_box(rule.code.run(black_box(request), &renumbered));
            }
            let took = begun.elapsed().as_nanos() / u128::from(RUNS);
            rule.ns = rule.ns.saturating_add(u64::try_from(took).unwrap_or(u64::MAX));
        }
    }

    /// Nanoseconds of a rule by its place, if any row was measured.
    pub(super) fn ns(&self, rule: usize) -> Option<u64> {
        self.rules.get(rule)?.ns.checked_div(self.samples)
    }
}
