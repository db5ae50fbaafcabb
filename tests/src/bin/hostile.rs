//! Attacks a switch and says what broke: `hostile --seconds 120`.
//!
//! The switch is `cardswitch` itself, built into this program so that it is always today's: given one of its commands
//! (`hostile serve …`), this program is it. The attack is in [`switch_tests::hostile`].

use std::{
    io::Write,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use switch_tests::hostile::{Plan, kind::Kind, limit_descriptors, report::Report, run};

const HELP: &str = "\
Attacks a switch on loopback while honest terminals work, kind by kind, and says what broke.

Usage: hostile [--seconds S] [--seed N] [--only KIND,…] [--json] [--program PATH]

  --seconds S     time of all phases, a quarter of it quiet [120]
  --seed N        what the attackers' chance begins with [the clock]
  --only KIND,…   these kinds, in this order [all]
  --json          a report for machines on standard output; the table goes to standard error
  --program PATH  the cardswitch to attack [the one built with this program]

Columns: connections opened by attackers, those the switch ended, frames and pieces thrown, answers that attackers got,
frames the switch dropped, KiB thrown; requests of the honest with p50, p99 and longest, p99 against the quiet phase, all from
the time at which a request was due, and p99 from the time at which it was sent, which leaves out what the one before it
was late; honest newcomers that got in, of all; the switch's memory; its threads' share of a core.

Exit code 1 if anything broke. The honest's p99 may be twice that of the quiet phase, or 5 ms longer, whichever is more.

Examples:
  cargo run --release -p switch-tests --bin hostile -- --seconds 120
  cargo run --release -p switch-tests --bin hostile -- --seconds 20 --only replays,connect-and-hold --seed 7";

/// Descriptors that a process has from an ordinary login shell. The switch raises them as far as it thinks it must.
const USUAL_DESCRIPTORS: u64 = 1_024;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| !first.starts_with('-')) {
        limit_descriptors(USUAL_DESCRIPTORS);
        return cardswitch::cli::main();
    }
    let (plan, json) = match arguments(std::env::args().skip(1)) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            say(&mut std::io::stdout(), HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            switch_tests::tell(&format!("hostile: {problem}; see --help"));
            return ExitCode::from(64);
        }
    };
    limit_descriptors(u64::MAX);
    switch_tests::tell(&Report::heading());
    let report = run(&plan, switch_tests::tell);
    match json {
        true => {
            switch_tests::tell(&report.text());
            say(&mut std::io::stdout(), &report.json().to_string());
        }
        false => say(&mut std::io::stdout(), &report.text()),
    }
    if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(to: &mut dyn Write, text: &str) {
    // Nobody may be listening.
    let _closed = writeln!(to, "{text}");
}

/// The plan, and whether the report is for machines; `None` if help is wanted.
fn arguments(mut given: impl Iterator<Item = String>) -> Result<Option<(Plan, bool)>, String> {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let program = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    let mut plan =
        Plan { program, time: Duration::from_secs(120), seed: clock.as_secs(), kinds: Kind::ALL.to_vec() };
    let mut json = false;
    while let Some(option) = given.next() {
        let mut value = || given.next().ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => json = true,
            "--program" => plan.program = PathBuf::from(value()?),
            "--seed" => plan.seed = value()?.parse().map_err(|_| "--seed needs a number")?,
            "--seconds" => {
                let seconds = value()?.parse().ok().filter(|seconds| (4..=86_400).contains(seconds));
                plan.time = Duration::from_secs(seconds.ok_or("--seconds needs a number from 4 to 86400")?);
            }
            "--only" => {
                let kinds = value()?;
                let kind =
                    |name| Kind::named(name).ok_or(format!("{name} is no kind; there are {}", names()));
                plan.kinds = kinds.split(',').map(kind).collect::<Result<_, _>>()?;
            }
            other => return Err(format!("{other} is not an option")),
        }
    }
    Ok(Some((plan, json)))
}

fn names() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}
