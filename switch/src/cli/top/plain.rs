//! One report as plain text, for tickets and scripts: what happened in one interval.

use std::io::{self, Write};

use super::{
    interval::Figures,
    units::{UNKNOWN, microseconds, or_unknown, rate, share, whole},
    words::{self, Item, LATENCY_COLUMNS, Tone},
};

/// Width of the column with the group's name.
const NAME: usize = 16;

/// Writes the report.
///
/// # Errors
/// Nobody takes it.
pub(super) fn print(place: &str, figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "cardswitch at {place}, figures of {:.1} s", figures.seconds)?;
    if figures.hsm_test_mode == Some(true) {
        writeln!(out, "{}", words::TEST_MODE)?;
    }
    if figures.restarted {
        writeln!(out, "the switch was started anew in this time; counted from its start")?;
    }
    writeln!(out)?;
    items(out, "process", &words::process(figures))?;
    items(out, "connections", &words::connections(figures))?;
    items(out, "ended, why", &words::ended(figures))?;
    items(out, "load", &words::load(figures))?;
    items(out, "trouble", &words::troubles(figures))?;
    requests(figures, out)?;
    answers(figures, out)?;
    latency(figures, out)?;
    stages(figures, out)
}

/// A group of items, those that may need somebody marked.
fn items(out: &mut dyn Write, name: &str, items: &[Item]) -> io::Result<()> {
    if items.is_empty() {
        return writeln!(out, "{name:NAME$}{UNKNOWN}");
    }
    for (at, item) in items.iter().enumerate() {
        let name = if at == 0 { name } else { "" };
        let mark = if item.tone == Tone::Alarm { "  !" } else { "" };
        writeln!(out, "{name:NAME$}{:26}{}{mark}", item.label, item.words)?;
    }
    Ok(())
}

fn requests(figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{:NAME$}{}", "requests/s", rate(figures.requests_per_second()))?;
    for part in &figures.requests {
        writeln!(out, "{:NAME$}{:26}{}", "", part.name, rate(part.count.per_second))?;
    }
    Ok(())
}

/// The reasons that there ever were; how many since the start stands behind the rate.
fn answers(figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:NAME$}{}", "answers/s", rate(figures.answers_per_second()))?;
    for part in figures.answers.iter().filter(|part| part.count.total > 0.0) {
        let (now, total) = (rate(part.count.per_second), whole(part.count.total));
        let mark = if words::tone_of_reason(&part.name) == Tone::Alarm { "  !" } else { "" };
        writeln!(out, "{:NAME$}{:26}{now:10}{total} in all{mark}", "", part.name)?;
    }
    Ok(())
}

fn latency(figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    let row = |out: &mut dyn Write, name: &str, columns: &[&str]| {
        write!(out, "{name:NAME$}")?;
        columns.iter().try_for_each(|column| write!(out, "{column:>12}"))?;
        writeln!(out)
    };
    writeln!(out)?;
    row(out, "time", &LATENCY_COLUMNS)?;
    for (name, columns) in words::latency(figures) {
        row(out, name, &columns.each_ref().map(String::as_str))?;
    }
    writeln!(out, "quantiles are interpolated between the bounds of the histogram's buckets; means are exact")
}

fn stages(figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    if figures.stages.is_empty() {
        return writeln!(out, "{:NAME$}{UNKNOWN}", "cpu by stage");
    }
    writeln!(out, "{:NAME$}{:>12}{:>12}", "cpu by stage", "a frame", "of a core")?;
    for stage in &figures.stages {
        let frame = or_unknown(stage.nanoseconds_a_frame, microseconds);
        writeln!(out, "{:NAME$}{frame:>12}{:>12}", stage.name, share(stage.cores))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::cli::top::testing::{busy, figures, terse};

    fn report(before: &str, after: &str) -> String {
        let mut out = Vec::new();
        print("http://127.0.0.1:18580", &figures(before, after), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_report_says_everything_once() {
        let text = report(&busy(10), &busy(30));
        for want in [
            "cardswitch at http://127.0.0.1:18580, figures of 2.0 s\nHSM TEST MODE",
            "process         up                        2 h 03 min\n",
            "                memory                    48 MiB\n",
            "connections     open, atm                 3 of 64\n",
            "                open, pos                 100 of 10 000\n",
            "                cpu                       2.0 %\n",
            "                refused, limit            4\n",
            "ended, why      idle                      30 (10/s)  !\n                peer                      20\n",
            "load            permits                   3 900 of 4 096  !\n",
            "                frames a batch            25\n",
            "trouble         turned away               30 (10/s)  !\n",
            "                dropped, undecodable      7\n",
            "requests/s      1 010\n",
            "                pos                       1 000\n",
            "answers/s       1 010\n                approved                  900       2 700 in all\n",
            "                system_error              10        30 in all  !\n",
            "                lost                      0         5 in all\n",
            "answer                625 µs     2.00 ms    >2.00 ms     10.0 ms\n",
            "quantiles are interpolated",
            "parse                 2.1 µs       0.2 %\nverify                9.3 µs       0.9 %\n",
        ] {
            assert_eq!(text.matches(want).count(), 1, "{want:?} is not there once in\n{text}");
        }
        assert!(!text.contains("started anew"), "{text}");
    }

    #[test]
    fn what_the_switch_does_not_tell_is_a_dash() {
        let text = report(&terse(3), &terse(4));
        for want in [
            "up                        –\n",
            "open                      4\n",
            "cpu by stage    –\n",
            "ended, why      –\n",
        ] {
            assert!(text.contains(want), "{want:?} is missing in\n{text}");
        }
        assert!(!text.contains("TEST MODE"), "{text}");
    }

    #[test]
    fn a_restart_is_told() {
        assert!(report(&busy(30), &busy(3)).contains("started anew in this time"));
    }
}
