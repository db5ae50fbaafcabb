//! `cardswitch demo`: a day at the terminals of a sample city, against the real program in a process of its own.
//!
//! It starts `cardswitch serve` on the city embedded here, pays, errs, forges and takes back over TCP in three
//! dialects, kills the switch, proves its ledger, starts it again, compares every balance with its own sums, and the
//! files of the day with what its terminals counted. It knows nothing of the switch's state but what terminals are
//! told and what the commands `ledger verify`, `notices` and `settle` say.
//!
//! Start at [`run`]; what is played stands in `play`.

mod cash;
mod cast;
mod city;
mod clearing;
mod counter;
mod day;
mod play;
mod process;
mod report;
mod rules;
mod tally;
mod telephone;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::interrupt::Interrupt;
use crate::terminal::{SampleError, TerminalError};
use play::Play;
use process::{Program, Switch};
use report::Report;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cardswitch demo
  cardswitch demo --stay

Exit code 0 only if every expectation held.")]
pub struct Args {
    /// Leave a switch running afterwards, until Ctrl-C
    #[arg(long)]
    stay: bool,
    /// Keep the folder with the city, the journal and the switch's log
    #[arg(long)]
    keep_data: bool,
}

/// Why the demo did not end well.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Expectations failed; the tables mark them.
    #[error("{failed} of {total} expectations failed; run it again with --keep-data to look at the journal")]
    Expectations {
        /// How many did not hold.
        failed: usize,
        /// How many there were.
        total: usize,
    },
    /// A file, a process or standard output.
    #[error("cannot {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The switch was not ready in time, or ended.
    #[error("the switch {what}; the end of its log:\n{log}")]
    Switch {
        /// What it did.
        what: &'static str,
        /// Its last lines.
        log: String,
    },
    /// A terminal could not go on.
    #[error("a terminal could not go on")]
    Terminal(#[from] TerminalError),
    /// The city does not have what is played with.
    #[error("the embedded city does not fit the play")]
    Sample(#[from] SampleError),
    /// SIGINT or SIGTERM came.
    #[error("interrupted; the switch was stopped")]
    Interrupted,
}

impl DemoError {
    /// For `map_err`: names what was being done.
    fn system(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }
}

/// Plays the demo and prints it to `out`.
///
/// # Errors
/// An expectation that did not hold, or a failure on the way. No process is left behind.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<(), DemoError> {
    let interrupt = Interrupt::watch().map_err(DemoError::system("watch for signals"))?;
    let dir = tempfile::Builder::new()
        .prefix("cardswitch-demo-")
        .tempdir()
        .map_err(DemoError::system("make a temporary folder"))?;
    city::unpack(dir.path()).map_err(DemoError::system("unpack the city"))?;
    let program = Program::in_folder(dir.path()).map_err(DemoError::system("find this program's file"))?;
    let played = play_and_stay(args, &program, &interrupt, out);
    keep_or_remove(dir, args.keep_data, out)?;
    // Whatever broke, broke because of it.
    if interrupt.came() && played.is_err() { Err(DemoError::Interrupted) } else { played }
}

fn play_and_stay(
    args: &Args,
    program: &Program,
    interrupt: &Interrupt,
    out: &mut dyn Write,
) -> Result<(), DemoError> {
    let mut report = Report::default();
    let played = play_all(program, interrupt, &mut report, out);
    // What was seen before a failure tells most about it.
    report.flush(out).and_then(|()| report.summary(out)).map_err(DemoError::system(PRINT))?;
    played?;
    let (failed, total) = (report.failed(), report.total());
    if args.stay {
        stay(program, interrupt, out)?;
    }
    if failed == 0 { Ok(()) } else { Err(DemoError::Expectations { failed, total }) }
}

const PRINT: &str = "print";

/// Three lives of one data folder: played with and killed, proved, played with and stopped.
fn play_all(
    program: &Program,
    interrupt: &Interrupt,
    report: &mut Report,
    out: &mut dyn Write,
) -> Result<(), DemoError> {
    heading("A switch starts on an empty folder; terminals sign in, cards are used.", out)?;
    let switch = Switch::start(program, interrupt)?;
    let mut play = Play::open(program.dir(), interrupt, report)?;
    play.first_day(switch.ports())?;
    play.told(&program.notices(switch.ports().admin)?);
    play.report.flush(out).map_err(DemoError::system(PRINT))?;
    heading("It is killed with SIGKILL, its ledger proved, and started again.", out)?;
    switch.kill()?;
    play.report.fact("ledger verify on the dead folder", "exit code 0", program.ledger_holds()?);
    let switch = Switch::start(program, interrupt)?;
    play.after_the_crash(switch.ports())?;
    play.report.flush(out).map_err(DemoError::system(PRINT))?;
    heading("The business day is ended, and its files are made.", out)?;
    let settled = program.settle(switch.ports().admin)?;
    play.report.fact(&format!("settle --day {}", program.day().date), "exit code 0", settled);
    if settled {
        play.clearing(&program.settled(), program.day().date)?;
    }
    play.report.flush(out).map_err(DemoError::system(PRINT))?;
    heading("It is stopped with SIGTERM and its ledger proved once more.", out)?;
    play.report.fact("stop by SIGTERM", "exit code 0", switch.stop()?);
    play.report.fact("ledger verify on the stopped folder", "exit code 0", program.ledger_holds()?);
    Ok(())
}

fn heading(text: &str, out: &mut dyn Write) -> Result<(), DemoError> {
    writeln!(out, "\n{text}").and_then(|()| out.flush()).map_err(DemoError::system(PRINT))
}

/// Leaves a switch running on the folder that was played with, until a signal comes.
fn stay(program: &Program, interrupt: &Interrupt, out: &mut dyn Write) -> Result<(), DemoError> {
    let mut switch = Switch::start(program, interrupt)?;
    print_hints(program, &switch, out).map_err(DemoError::system(PRINT))?;
    while !interrupt.came() {
        switch.check_alive()?;
        process::pause();
    }
    switch.stop()?;
    Ok(())
}

fn print_hints(program: &Program, switch: &Switch, out: &mut dyn Write) -> io::Result<()> {
    let (name, city, ports) = (program.file().display(), program.dir().display(), switch.ports());
    let at = format!("--to {} --city {city}", ports.pos);
    writeln!(
        out,
        "\nA switch is running: pos on {}, epos on {}, atm on {}, admin on {}. Ctrl-C stops it. Try:",
        ports.pos, ports.epos, ports.atm, ports.admin
    )?;
    writeln!(out, "  {name} terminal pos purchase {at} --amount 12.50")?;
    writeln!(out, "  {name} terminal pos load {at} --terminal 31000003 --amount 50.00")?;
    writeln!(out, "  {name} notices list --admin {}", process::url(ports.admin))?;
    writeln!(out, "  {name} ledger entries --admin {}", process::url(ports.admin))?;
    out.flush()
}

fn keep_or_remove(dir: TempDir, keep: bool, out: &mut dyn Write) -> Result<(), DemoError> {
    if keep {
        let path: PathBuf = dir.keep();
        let data = path.join(process::DATA);
        let printed = writeln!(
            out,
            "kept: {}; see: cardswitch ledger entries --data {}",
            path.display(),
            data.display()
        );
        return printed.map_err(DemoError::system(PRINT));
    }
    dir.close().map_err(DemoError::system("remove the temporary folder"))
}

/// The end of a text file, at most this many lines; empty if it cannot be read.
fn last_lines(path: &Path, lines: usize) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let skipped = text.lines().count().saturating_sub(lines);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}
