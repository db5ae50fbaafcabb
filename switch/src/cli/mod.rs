//! The command `cardswitch`: arguments in, exit code out. What a command does stands in its own file.

mod alerts;
mod card;
mod check_config;
mod city;
mod decode;
mod descriptors;
mod journal;
mod keys;
mod ledger;
mod lists;
mod masked;
mod notices;
mod order;
pub mod progress;
mod rules;
mod serve;
mod settle;
mod show_terminal;
mod source;
mod spec;
mod statement;
mod terminal;
mod top;

use std::{error::Error, io::Write, process::ExitCode};

use clap::{Parser, Subcommand};
use rustix::{fs::Mode, process::umask};

use crate::{config::EXIT_USAGE, journal::JournalError};

/// A card authorization switch: terminals connect, cards are debited, nothing approved is lost.
#[derive(Debug, Parser)]
#[command(name = "cardswitch", version, about, long_about = None, max_term_width = 110)]
#[command(
    after_help = "Start with:\n  cardswitch demo\n  cardswitch serve --config fixtures/city/cardswitch.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a day at the terminals against a switch that is killed and recovers
    Demo(crate::demo::Args),
    /// Run the switch
    Serve(serve::Args),
    /// Watch a running switch live: rates, latency, cost, what goes wrong
    Top(top::Args),
    /// Check a configuration, its key file and its city, and open nothing
    CheckConfig(check_config::Args),
    /// Be a terminal: sign in, pay, load, ask, reverse
    Terminal(terminal::Args),
    /// Show a message: its fields, masked, or where it is wrong
    Decode(decode::Args),
    /// Specifications of messages: show, check, import other people's
    Spec(spec::Args),
    /// Files of rules in the language of docs/rules.md: check them, lay them out, list the fields
    Rules(rules::Args),
    /// The lists that rules look things up in: how large they are, who changed them last
    Lists(lists::Args),
    /// The journal: prove it, watch it, back it up, restore it
    Journal(journal::Args),
    /// Look at the ledger: prove it, its balances, its entries
    Ledger(ledger::Args),
    /// Clear a business day: end it if it is open, and write its files
    Settle(settle::Args),
    /// Show who is to be told of what: cardholders and card management
    Notices(notices::Args),
    /// What rules want somebody to look at: list it, take it up, say what it was
    Alerts(alerts::Args),
    /// Look at a card
    Card(card::Args),
    /// What moved a card's purses in a period: opening balance, entries, closing balance
    Statement(statement::Args),
    /// Make a city of any size, or check one
    City(city::Args),
    /// What two officers sign: a new epoch, what is done for a card, fees
    Order(order::Args),
    /// Keys: components of an LMK, key blocks, their change and exchange
    Keys(keys::Args),
}

/// How a command ended when it did not end well.
#[derive(Debug)]
pub struct Failure {
    /// What to tell, on standard error.
    pub message: String,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// A failure with exit code 1, told with all its causes.
    #[must_use]
    pub fn of(error: &dyn Error) -> Self {
        Self { message: chain(error), code: 1 }
    }

    /// A mistake in arguments, configuration or key file: exit code 64.
    #[must_use]
    pub fn usage(error: &dyn Error) -> Self {
        Self { message: chain(error), code: EXIT_USAGE }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::of(&error)
    }
}

/// An error with its causes, on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Runs the command in this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    // What it writes is for its owner, and for a group if the system says so: journals, backups and orders are confidential.
    let given = umask(Mode::RWXO);
    umask(given | Mode::RWXO);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no failure.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            let _closed_pipe = complain(&error);
            return ExitCode::from(code);
        }
    };
    let mut out = std::io::stdout().lock();
    let result = match &cli.command {
        Command::Demo(args) => crate::demo::run(args, &mut out).map_err(|error| Failure::of(&error)),
        Command::Serve(args) => serve::run(args),
        Command::Top(args) => top::run(args, &mut out),
        Command::CheckConfig(args) => check_config::run(args, &mut out),
        Command::Terminal(args) => terminal::run(args, &mut out),
        Command::Decode(args) => decode::run(args, &mut out),
        Command::Spec(args) => spec::run(args, &mut out),
        Command::Rules(args) => rules::run(args, &mut out),
        Command::Lists(args) => lists::run(args, &mut out),
        Command::Journal(args) => journal::run(args, &mut out),
        Command::Ledger(args) => ledger::run(args, &mut out),
        Command::Settle(args) => settle::run(args, &mut out),
        Command::Notices(args) => notices::run(args, &mut out),
        Command::Alerts(args) => alerts::run(args, &mut out),
        Command::Card(args) => card::run(args, &mut out),
        Command::Statement(args) => statement::run(args, &mut out),
        Command::City(args) => city::run(args, &mut out),
        Command::Order(args) => order::run(args, &mut out),
        Command::Keys(args) => keys::run(args, &mut out),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                let message = masked::digits(&failure.message);
                let _closed_pipe = writeln!(std::io::stderr(), "cardswitch: {message}");
            }
            ExitCode::from(failure.code)
        }
    }
}

/// Prints a complaint about arguments, or the help that was asked for.
fn complain(error: &clap::Error) -> std::io::Result<()> {
    let text = error.render().to_string();
    let masked = masked::typed(&text);
    if error.use_stderr() && masked != text {
        return write!(std::io::stderr(), "{masked}");
    }
    error.print()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn without_examples(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let path = format!("{path} {}", sub.get_name());
            let help = sub.clone().render_long_help().to_string();
            if !help.contains("Example") {
                found.push(path.clone());
            }
            without_examples(sub, &path, found);
        }
    }

    #[test]
    fn every_command_has_examples_in_its_help() {
        let mut found = Vec::new();
        without_examples(&Cli::command(), "cardswitch", &mut found);
        assert!(found.is_empty(), "no example: {found:?}");
    }

    #[test]
    fn arguments_are_sound() {
        Cli::command().debug_assert();
    }
}
