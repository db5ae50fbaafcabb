//! The load generator: asks a running switch for authorizations, from outside and as its terminals do, and measures its
//! answers.
//!
//! Everything that takes time is done before and after the timed part: messages are prepared with their MACs and PIN
//! blocks, answers are kept and their MACs verified later. In between one thread moves bytes. It shares with the switch
//! the message codec and the terminals' side of the keys, nothing else. What it measures and how to read it is in
//! `docs/load.md`. Start at [`measure`].

pub mod arguments;
pub mod check;
pub mod choice;
pub mod echo;
pub mod error;
pub mod idle;
pub mod numbers;
pub mod pace;
pub mod prepare;
pub mod random;
pub mod report;
pub mod run;
pub mod scan;
pub mod scrape;
pub mod sender;
pub mod slices;
pub mod sync;
pub mod tally;
pub mod timer;

mod descriptors;
mod session;

#[cfg(test)]
mod tests;

use std::{error::Error, io::Write, process::ExitCode};

use cardswitch::terminal::Sample;
use clap::Parser;

use self::{
    arguments::Arguments,
    error::LoadError,
    report::{Latency, Report},
    session::{Case, Session},
};

/// The runs of `--table`: connections and window.
const TABLE: [(usize, usize); 5] = [(1, 1), (8, 1), (8, 8), (64, 1), (64, 16)];

/// Exit codes beside 0.
const EXIT_WRONG: u8 = 1;
const EXIT_USAGE: u8 = 64;

/// Runs the program with this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help is no failure.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            let _closed_pipe = error.print();
            return ExitCode::from(code);
        }
    };
    let report = match measure(&arguments) {
        Ok(report) => report,
        Err(error) => {
            let _closed_pipe = writeln!(std::io::stderr(), "loadgen: {}", chain(&error));
            return ExitCode::from(error.exit_code());
        }
    };
    let text = match arguments.json {
        // INVARIANT: the report has no map with keys that are no strings, and its figures are finite.
        true => serde_json::to_string_pretty(&report).expect("a report is JSON") + "\n",
        false => report.text(),
    };
    let _closed_pipe = std::io::stdout().write_all(text.as_bytes());
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_WRONG) }
}

/// Does what the arguments ask for.
///
/// # Errors
/// Whatever kept it from measuring. Wrong answers are none of these; they are in the report.
pub fn measure(arguments: &Arguments) -> Result<Report, LoadError> {
    arguments.check()?;
    let sample = Sample::open(&arguments.city)?;
    let payers = choice::cards(sample.city(), arguments.cards)?;
    let cases: Vec<Case> = match (arguments.table, arguments.rate) {
        (true, _) => TABLE.map(|(connections, window)| Case::closed(connections, window)).into(),
        (false, None) => vec![Case::closed(arguments.connections, arguments.window)],
        (false, Some(rate)) => vec![Case::open(arguments.connections, rate)],
    };
    let folder = arguments.data.as_ref().unwrap_or(&arguments.city);
    let sync_us = match sync::measure(folder) {
        Ok(latency) => Latency::of(&latency),
        // A city may be read-only; a folder that was named should be there.
        Err(_) if arguments.data.is_none() => None,
        Err(source) => return Err(LoadError::System { what: "--data: cannot write there", source }),
    };
    let most = cases.iter().map(|case| case.connections).max().unwrap_or_default();
    descriptors::provide(most, arguments.idle)?;
    let session = Session { arguments, sample: &sample, payers: &payers };
    let mut report = Report {
        arguments: arguments.clone(),
        cards: payers.len(),
        sync_us,
        runs: Vec::new(),
        left_out: Vec::new(),
    };
    for case in &cases {
        match session.run(case) {
            Ok(run) => report.runs.push(run),
            // The other rows of a table are worth having.
            Err(error @ LoadError::TooFewTerminals { .. }) if arguments.table && !report.runs.is_empty() => {
                report.left_out.push(format!("left out: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

/// An error with its causes, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
