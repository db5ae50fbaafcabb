//! Plays known secrets through a switch and looks for them in all that it leaves behind, and in its memory.
//!
//! The switch is `cardswitch` itself, built into this program so that it is always today's: given one of its commands
//! (`leaks serve …`), this program is it. The search is in [`switch_tests::leaks`].

use std::{io::Write, path::PathBuf, process::ExitCode};

use switch_tests::leaks::{Plan, run};

const HELP: &str = "\
Plays two days of known secrets through a switch and looks for them in its logs (level trace, as text and as JSON), in
its admin pages, in what its commands print, in its data folder and settlement files, in the journal's mirror, backup and
export, in officers' orders, and, when it is quiet, in its memory.

Usage: leaks [--json] [--program PATH] [--keep DIR]

  --json          a report for machines on standard output; the table goes to standard error
  --program PATH  the cardswitch to search [the one built with this program]
  --keep DIR      leave logs, pages and data in this new folder, for a closer look

Looked for are card numbers, tracks, PINs, clear PIN blocks and every key, as text, packed, in binary, hexadecimal, base64
and lists, keys in halves and as expanded schedules too. The memory is gcore's core dump. Exempt there are the
published test LMK, PIN blocks that are encrypted, and the keys in the HSM's own caches; they are counted.
The memory of the first start, which imports the city's files, is for information.

Exit code 1 if anything is found, or if the search cannot be trusted.

Example:
  cargo run --release -p switch-tests --bin leaks";

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| !first.starts_with('-')) {
        return cardswitch::cli::main();
    }
    let (plan, json) = match arguments(std::env::args().skip(1)) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            say(&mut std::io::stdout(), HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            switch_tests::tell(&format!("leaks: {problem}; see --help"));
            return ExitCode::from(64);
        }
    };
    let report = run(&plan, switch_tests::tell);
    if json {
        switch_tests::tell(&report.text());
        say(&mut std::io::stdout(), &report.json().to_string());
    } else {
        say(&mut std::io::stdout(), &report.text());
    }
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(to: &mut dyn Write, text: &str) {
    // Nobody may be listening.
    let _closed = writeln!(to, "{text}");
}

/// The plan, and whether the report is for machines; `None` if help is wanted.
fn arguments(mut given: impl Iterator<Item = String>) -> Result<Option<(Plan, bool)>, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    let (mut plan, mut json) = (Plan { program, keep: None }, false);
    while let Some(option) = given.next() {
        let mut value = || given.next().map(PathBuf::from).ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => json = true,
            "--program" => plan.program = value()?,
            "--keep" => {
                let folder = value()?;
                std::fs::create_dir(&folder)
                    .map_err(|error| format!("--keep needs a new folder: {error}"))?;
                plan.keep = Some(folder);
            }
            other => return Err(format!("{other} is not an option")),
        }
    }
    Ok(Some((plan, json)))
}
