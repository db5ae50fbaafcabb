//! Guesses in words.

use std::fmt;

use super::{Fault, FaultKind, Guess, SCORE_MAX};

/// Guesses that are told in full, if they fit.
const IN_FULL: usize = 3;

/// All guesses in words: those that fit in full, or else the best one; then why the others do not, those with the
/// same reason together.
#[must_use]
pub fn explain<'g>(guesses: &'g [Guess<'g>]) -> impl fmt::Display + use<'g> {
    Explanation(guesses)
}

struct Explanation<'g>(&'g [Guess<'g>]);

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation(guesses) = *self;
        let fitting = guesses.iter().filter(|guess| guess.fits()).count();
        match (guesses.is_empty(), fitting) {
            (true, _) => return f.write_str("there is nothing to guess from"),
            (_, 0) => f.write_str("Nothing fits whole. The nearest:\n")?,
            (_, 1) => f.write_str("One reading fits:\n")?,
            (_, fitting) => writeln!(f, "{fitting} readings fit, the likeliest first:")?,
        }
        let told: Vec<&Guess<'_>> = match fitting {
            0 => guesses.iter().take(1).collect(),
            _ => guesses.iter().filter(|guess| guess.fits()).take(IN_FULL).collect(),
        };
        told.iter().try_for_each(|guess| writeln!(f, "{guess}"))?;
        let is_told = |guess: &Guess<'_>| told.iter().any(|told| std::ptr::eq(*told, guess));
        let others: Vec<&Guess<'_>> = guesses.iter().filter(|guess| !is_told(guess)).collect();
        if others.is_empty() {
            return Ok(());
        }
        f.write_str("Why not otherwise:\n")?;
        write_grouped(f, &others)
    }
}

/// A line for each reason, and all it was given for.
fn write_grouped(f: &mut fmt::Formatter<'_>, guesses: &[&Guess<'_>]) -> fmt::Result {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for guess in guesses {
        let (why, what) = short(guess);
        match lines.iter_mut().find(|(known, _)| *known == why) {
            Some((_, labels)) => labels.push(what),
            None => lines.push((why, vec![what])),
        }
    }
    lines.iter().try_for_each(|(why, labels)| writeln!(f, "  {why}: {}", labels.join("; ")))
}

/// Why a guess was refused and which it is. Lengths that say a wrong number have one reason, whatever they say.
fn short(guess: &Guess<'_>) -> (String, String) {
    let what = Label(guess).to_string();
    match &guess.fault {
        None => ("fits as well".to_owned(), what),
        Some(Fault { kind: FaultKind::LengthDiffers { says, follow, .. }, .. }) => (
            "the length says something else than what follows".to_owned(),
            format!("{what} ({says}, {follow} follow)"),
        ),
        Some(fault) => (fault.to_string(), what),
    }
}

/// The guess in full: what it is, what speaks for it and against it.
impl fmt::Display for Guess<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.fits() { "fits" } else { "does not fit" };
        write!(f, "{}: {verdict}, score {} of {SCORE_MAX}", Label(self), self.score)?;
        if !self.message.is_empty() {
            write!(f, "; the message begins at byte {}", self.message.start)?;
        }
        for reason in &self.reasons {
            write!(f, "\n  {} {reason}", if reason.is_good() { '+' } else { '-' })?;
        }
        let Some(fault) = &self.fault else { return Ok(()) };
        write!(f, "\n  - {fault}")?;
        fault.hint().map_or(Ok(()), |hint| write!(f, "\n    ({hint})"))
    }
}

/// What was tried, in a few words.
struct Label<'g>(&'g Guess<'g>);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Label(guess) = self;
        match guess.length {
            Some(length) => write!(f, "length {length}")?,
            None => f.write_str("no length")?,
        }
        if !guess.headers.forms().is_empty() {
            write!(f, ", headers {}", guess.headers)?;
        }
        guess.spec.map_or(Ok(()), |spec| write!(f, ", {spec}"))
    }
}
