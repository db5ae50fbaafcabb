//! What stands on the screen, drawn on a terminal that is none.

#![expect(clippy::unwrap_used, reason = "tests")]

use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

use super::*;
use crate::{
    cli::top::testing::{busy, sample},
    clock::stopwatch,
};

/// A watch over a busy switch, and the second at which its last sample came.
fn watched(first: Instant) -> (Watch, u64) {
    let mut watch = Watch::new("http://127.0.0.1:18580".into());
    for second in 0..=60 {
        watch.take(sample(first, second, &busy(100 + 5 * second + second * second / 10)));
    }
    (watch, 60)
}

fn drawn(watch: &Watch, looking: &Looking, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, watch, looking)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let line = |row| (0..buffer.area.width).map(|column| buffer[(column, row)].symbol()).collect::<String>();
    (0..buffer.area.height).map(|row| line(row).trim_end().to_owned()).collect()
}

/// The colour in which a text is written; it stands somewhere, or the test fails.
fn colour(buffer: &Buffer, text: &str) -> Color {
    let found = lines(buffer).into_iter().enumerate().find_map(|(row, line)| {
        let at = line.find(text)?;
        Some((u16::try_from(line[..at].chars().count()).unwrap(), u16::try_from(row).unwrap()))
    });
    let (column, row) = found.unwrap_or_else(|| panic!("{text:?} is not in\n{}", lines(buffer).join("\n")));
    buffer[(column, row)].fg
}

fn looking(now: Instant) -> Looking {
    Looking { interval: Duration::from_secs(1), now, paused: None }
}

#[test]
fn the_smallest_screen_has_all_of_it() {
    let first = stopwatch();
    let (watch, seconds) = watched(first);
    let looking = looking(first + Duration::from_secs(seconds));
    let buffer = drawn(&watch, &looking, 80, 24);
    let text = lines(&buffer).join("\n");
    for want in [
        " 127.0.0.1:18580  up 2 h 04 min  memory 48 MiB  cpu 3.4 %",
        "record 196 000",
        "HSM TEST MODE: the published key, never for production",
        " answers/s, 3 min 20 s, highest 1 717 ",
        " p99 ≈, 3 min 15 s, highest 2.00 ms ",
        " requests/s 1 717 ─",
        " atm                         17 ",
        " pos                      1 700 ███",
        " approved                 1 530 ███",
        " system_error                17 ",
        " lost                         0 ",
        " time ≈       p50      p99    p99.9     mean",
        " answer    625 µs  2.00 ms >2.00 ms  10.0 ms",
        " sync ",
        " cpu 22.0 µs a frame, 3.7 % of a core ",
        " verify      9.3 µs    1.6 %  █████",
        " commit      0.4 µs    0.1 %",
        " connections ─",
        " open, atm 3 of 64  open, epos 20 of 10 000  open, pos 100 of 10 000",
        " ended by idle 760 (17/s)  peer 20",
        " inside ─",
        "permits 3 900 of 4 096",
        "turned away 760 (17/s)",
        "dropped, undecodable 7",
    ] {
        assert!(text.contains(want), "{want:?} is missing in\n{text}");
    }
}

#[test]
fn colours_say_what_needs_somebody() {
    let first = stopwatch();
    let (watch, seconds) = watched(first);
    let buffer = drawn(&watch, &looking(first + Duration::from_secs(seconds)), 100, 30);
    let rows = [
        ("approved", Color::Reset),
        ("wrong_pin", Color::Yellow),
        ("system_error", Color::Red),
        ("3 900 of 4 096", Color::Red),
        ("760 (17/s)", Color::Red),
        ("100 of 10 000", Color::Reset),
        ("HSM TEST MODE", Color::Black),
    ];
    for (text, want) in rows {
        assert_eq!(colour(&buffer, text), want, "{text}");
    }
}

#[test]
fn the_minutes_grow_from_the_right_and_gaps_are_dots() {
    let first = stopwatch();
    let (mut watch, seconds) = watched(first);
    for more in 1..=9 {
        watch.miss("connection refused".into(), first + Duration::from_secs(seconds + more));
    }
    let looking = looking(first + Duration::from_secs(seconds + 10));
    let text = lines(&drawn(&watch, &looking, 80, 24));
    assert!(text[1].starts_with("  NO ANSWER for 9 s, still asking: connection refused  "), "{}", text[1]);
    let line: String = text[3].chars().take(40).collect();
    // Five seconds a column: twelve with answers, of which the later are higher, then two without.
    assert!(line.ends_with('·') && line.starts_with("      "), "{line:?}");
    let bars: Vec<char> = line.trim().trim_end_matches('·').chars().collect();
    assert!(bars.is_sorted() && bars.len() >= 12 && bars.last() == Some(&'█'), "{bars:?}");
    assert!(text[2].contains("answers/s, 3 min 20 s, highest 1 717"), "{}", text[2]);
}

#[test]
fn a_column_keeps_its_points_as_time_goes_on() {
    let first = stopwatch();
    let mut watch = Watch::new("here".into());
    let mut total = 1;
    watch.take(sample(first, 0, &busy(total)));
    for second in 1..=40 {
        total += if second == 23 { 50 } else { 1 };
        watch.take(sample(first, second, &busy(total)));
        let columns = columns(&watch, 100, 5, |point| Some(point.answers));
        let peak = columns.iter().position(|value| value.is_some_and(|value| value > 1000.0));
        // Points count from 0, so the 23rd is number 22 and in column 4.
        let column = usize::try_from((second - 1) / 5).unwrap();
        assert_eq!(peak, (second >= 23).then(|| column.saturating_sub(4)), "second {second}");
    }
}

#[test]
fn what_is_not_known_yet_is_said() {
    let first = stopwatch();
    let mut watch = Watch::new("data".into());
    let text = lines(&drawn(&watch, &looking(first), 80, 24)).join("\n");
    assert!(text.contains("two samples make the first figures"), "{text}");
    watch.take(sample(first, 0, "cardswitch_connections 3\n"));
    watch.take(sample(first, 1, "cardswitch_connections 3\n"));
    let text = lines(&drawn(&watch, &looking(first), 80, 24)).join("\n");
    for want in [
        "up –  memory –  cpu –  record –",
        "open 3  opened –  refused –",
        " cpu by stage ─",
        " answer         –",
    ] {
        assert!(text.contains(want), "{want:?} is missing in\n{text}");
    }
}

#[test]
fn a_restart_and_a_pause_are_told() {
    let first = stopwatch();
    let (mut watch, seconds) = watched(first);
    watch.take(sample(first, seconds + 1, &busy(1)));
    let now = first + Duration::from_secs(seconds + 11);
    let paused = Looking { paused: Some(now - Duration::from_secs(3)), ..looking(now) };
    let text = lines(&drawn(&watch, &paused, 140, 40)).join("\n");
    assert!(text.contains(" PAUSED for 3 s ") && text.contains(" STARTED ANEW 10 s ago "), "{text}");
    let later = looking(now + RESTART_TOLD);
    assert!(!lines(&drawn(&watch, &later, 140, 40)).join("\n").contains("STARTED ANEW"));
}

#[test]
fn no_size_panics_and_a_small_one_says_so() {
    let first = stopwatch();
    let (watch, _) = watched(first);
    for (width, height) in [(1, 1), (20, 5), (79, 24), (80, 23), (81, 24), (300, 100)] {
        let text = lines(&drawn(&watch, &looking(first), width, height)).join(" ");
        let small = width < 80 || height < 24;
        assert_eq!(text.contains("this takes") || width == 1, small, "{width} × {height}: {text}");
    }
}
