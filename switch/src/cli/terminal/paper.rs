//! What a terminal prints: each message masked, then one line of what came of it.

use std::io::{self, Write};

use super::CommandError;
use crate::dialect::response_meaning;
use crate::terminal::{Exchange, Frame, Major, TerminalError};

/// What a request is called beside its STAN, to name it later.
#[derive(Clone, Copy)]
pub(super) enum Named {
    /// By the terminal's batch.
    Batch(u32),
    /// By the host's time.
    Transmitted,
}

pub(super) fn print_exchange(exchange: &Exchange, named: Named, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "request:")?;
    print_frame(&exchange.request, out)?;
    match &exchange.answer {
        Some(answer) => {
            writeln!(out, "answer:")?;
            print_frame(answer, out)?;
        }
        None => writeln!(out, "no answer in time: repeat or reverse the request")?,
    }
    print_result("result", exchange, named, out)
}

fn print_frame(frame: &Frame, out: &mut dyn Write) -> io::Result<()> {
    match frame.describe() {
        Ok(lines) => lines.lines().try_for_each(|line| writeln!(out, "  {line}")),
        Err(error) => writeln!(out, "  does not decode: {error}"),
    }
}

/// One line: the code, what it means, amounts, numbers, time, MAC.
pub(super) fn print_result(
    title: &str,
    exchange: &Exchange,
    named: Named,
    out: &mut dyn Write,
) -> io::Result<()> {
    let meaning = exchange.code.map_or("no answer", |code| response_meaning(&code));
    write!(out, "{title}: {} {meaning}", exchange.code_text())?;
    if let Some(amount) = exchange.amount {
        write!(out, ", amount {}", Major(amount))?;
    }
    if let Some(balance) = exchange.balance {
        write!(out, ", balance {}", Major(balance))?;
    }
    match named {
        Named::Batch(batch) => write!(out, ", batch {batch:06}")?,
        Named::Transmitted => write!(out, ", sent {:010}", exchange.transmitted().unwrap_or_default())?,
    }
    write!(out, ", STAN {:06}", exchange.stan)?;
    if let Some(rrn) = exchange.rrn {
        write!(out, ", RRN {}", rrn.escape_ascii())?;
    }
    if let Some(approval) = exchange.approval {
        write!(out, ", approval {}", approval.escape_ascii())?;
    }
    match exchange.mac_ok {
        Some(true) => write!(out, ", MAC right")?,
        Some(false) => write!(out, ", MAC MISSING OR WRONG: this counts as no answer, reverse the request")?,
        None => {}
    }
    writeln!(out, ", {} µs", exchange.took.as_micros())
}

/// Asks again and again, and says how a run ended.
pub(super) fn conclude(
    done: &Exchange,
    named: Named,
    repeats: u16,
    out: &mut dyn Write,
    mut repeat: impl FnMut(&Exchange) -> Result<Exchange, TerminalError>,
) -> Result<(), CommandError> {
    for count in 1..=repeats {
        let repeated = repeat(done)?;
        print_result(&format!("repeat {count}"), &repeated, named, out)?;
        // What is about the line is done anew each time; everything else has one answer for good.
        if about_a_card(done) && !repeated.answered_as(done) {
            return Err(CommandError::RepeatDiffers);
        }
    }
    if done.approved() { Ok(()) } else { Err(CommandError::Declined) }
}

fn about_a_card(exchange: &Exchange) -> bool {
    exchange.mac_ok.is_some() && exchange.request.message().is_ok_and(|message| message.mti().class() != 8)
}
