//! Draws the watch on a terminal of 80 columns and 24 lines or more: state and warnings on top, the minutes behind
//! it, requests and answers on the left, time and cost on the right, what is counted below.
//!
//! Left out: everything that decides; what is shown is in `watch`, how it reads in `words`. Start at [`draw`].

#![expect(clippy::float_arithmetic, reason = "lengths of bars and heights of lines; no money comes here")]

use std::time::{Duration, Instant};

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, RenderDirection, Sparkline, Wrap},
};

use super::{
    interval::{Figures, Part, Stage},
    units::{UNKNOWN, age, microseconds, or_unknown, rate, seconds, share},
    watch::{Point, Watch},
    words::{self, Item, LATENCY_COLUMNS, Tone},
};

/// The smallest terminal on which everything has its place.
const SMALLEST: (u16, u16) = (80, 24);

/// From this height on there is room for every line below the halves.
const ROOMY: u16 = 28;

/// The time that the lines of minutes show at least.
const MINUTES_SHOWN: Duration = Duration::from_secs(180);

/// How long a restart is told.
const RESTART_TOLD: Duration = Duration::from_secs(300);

/// Columns for a name at the left of a row; the longest reason has 22 letters.
const NAME: usize = 23;

/// Width of the right half, which holds five columns.
const RIGHT: (u16, u16) = (44, 60);

/// What is not of the switch but of the looking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looking {
    pub(super) interval: Duration,
    pub(super) now: Instant,
    /// Since when the view stands still.
    pub(super) paused: Option<Instant>,
}

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, watch: &Watch, looking: &Looking) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let (width, height) = SMALLEST;
        let text = format!("this takes {width} columns and {height} lines; --once prints a report");
        return frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
    }
    let figures = watch.figures.as_ref();
    let below = figures.map(|figures| Below::of(figures, area)).unwrap_or_default();
    let minutes = 2 + ((area.height - SMALLEST.1) / 3).min(5);
    let [head, minutes, middle, connections, inside] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(minutes),
        Constraint::Fill(1),
        Constraint::Length(height(&below.connections)),
        Constraint::Length(height(&below.inside)),
    ])
    .areas(area);
    draw_head(frame, head, watch, looking);
    let Some(figures) = figures else {
        let text = "two samples make the first figures";
        return frame.render_widget(Paragraph::new(text).style(DIM), middle);
    };
    draw_minutes(frame, minutes, watch, looking.interval);
    let right = (area.width * 11 / 20).clamp(RIGHT.0, RIGHT.1);
    let [left, _, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(1), Constraint::Length(right)])
            .areas(middle);
    draw_left(frame, left, figures);
    draw_right(frame, right, figures);
    draw_block(frame, connections, "connections".into(), below.connections);
    draw_block(frame, inside, "inside".into(), below.inside);
    let keys = Line::styled(" q quit  p pause ", DIM).alignment(Alignment::Right);
    frame.render_widget(keys, Rect { height: 1, ..inside });
}

/// The lines below the halves, broken to the width.
#[derive(Default)]
struct Below {
    connections: Vec<Line<'static>>,
    inside: Vec<Line<'static>>,
}

impl Below {
    fn of(figures: &Figures, area: Rect) -> Self {
        let width = area.width;
        let ended = words::ended(figures);
        let mut connections = flow("", &words::connections(figures), width);
        if !ended.is_empty() {
            connections.extend(flow(" ended by", &ended, width));
        }
        let mut inside = flow("", &[words::load(figures), words::troubles(figures)].concat(), width);
        // On a low terminal what is above needs the lines more; the last items matter least.
        if area.height < ROOMY {
            connections.truncate(3);
            inside.truncate(3);
        }
        Self { connections, inside }
    }
}

/// Lines of a block, and its title.
fn height(lines: &[Line<'_>]) -> u16 {
    u16::try_from(lines.len()).map_or(u16::MAX, |lines| lines.saturating_add(1))
}

/// Items behind each other, broken where the line ends.
fn flow(lead: &str, items: &[Item], width: u16) -> Vec<Line<'static>> {
    let (mut lines, mut line) = (Vec::new(), vec![Span::styled(lead.to_owned(), DIM)]);
    let mut taken = lead.len();
    for item in items {
        let length = item.label.chars().count() + item.words.chars().count() + 3;
        // The blank behind the last item may fall off the edge.
        if taken + length > usize::from(width) + 1 && taken > lead.len() {
            lines.push(Line::from(std::mem::take(&mut line)));
            taken = 0;
        }
        line.push(Span::styled(format!(" {} ", item.label), DIM));
        line.push(Span::styled(format!("{} ", item.words), style(item.tone)));
        taken += length;
    }
    lines.push(Line::from(line));
    lines
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, watch: &Watch, looking: &Looking) {
    let [first, second] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let process = watch.figures.as_ref().map(words::process).unwrap_or_default();
    let mut title = vec![Span::styled(format!(" {} ", watch.place.trim_start_matches("http://")), BOLD)];
    title.extend(flow("", &process, u16::MAX).into_iter().flatten());
    frame.render_widget(Line::from(title), first);
    frame.render_widget(Line::from(warnings(watch, looking)), second);
}

/// What must not be overlooked, the worst first.
fn warnings(watch: &Watch, looking: &Looking) -> Vec<Span<'static>> {
    let since = |at: Instant| age(looking.now.saturating_duration_since(at).as_secs_f64());
    let mut spans = Vec::new();
    let mut warn = |text: String, color| {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(format!(" {text} "), Style::new().fg(Color::Black).bg(color)));
    };
    if let Some(at) = looking.paused {
        warn(format!("PAUSED for {}", since(at)), Color::Cyan);
    }
    if let Some(gone) = &watch.gone {
        warn(format!("NO ANSWER for {}, still asking: {}", since(gone.since), gone.why), Color::Red);
    }
    let restarted = watch.restarted.filter(|at| looking.now.saturating_duration_since(*at) < RESTART_TOLD);
    if let Some(at) = restarted {
        warn(format!("STARTED ANEW {} ago", since(at)), Color::Magenta);
    }
    if watch.figures.as_ref().is_some_and(|figures| figures.hsm_test_mode == Some(true)) {
        warn(words::TEST_MODE.into(), Color::Yellow);
    }
    spans
}

fn draw_minutes(frame: &mut Frame<'_>, area: Rect, watch: &Watch, interval: Duration) {
    let [left, _, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let answers = |point: &Point| Some(point.answers);
    draw_minute_line(frame, left, watch, interval, ("answers/s", answers, rate, 10.0, Color::Green));
    let p99 = |point: &Point| point.p99;
    draw_minute_line(frame, right, watch, interval, ("p99 ≈", p99, seconds, 1e6, Color::Cyan));
}

/// A title, what it takes of a point, how that reads, how many steps a unit has, and its colour.
type Minutes = (&'static str, fn(&Point) -> Option<f64>, fn(f64) -> String, f64, Color);

fn draw_minute_line(frame: &mut Frame<'_>, area: Rect, watch: &Watch, interval: Duration, of: Minutes) {
    let (title, take, read, steps, color) = of;
    let per_column = points_per_column(area.width, interval);
    let columns = columns(watch, usize::from(area.width), per_column, take);
    let highest = columns
        .iter()
        .flatten()
        .copied()
        .fold(None, |most: Option<f64>, value| Some(most.map_or(value, |most| most.max(value))));
    let points = u32::try_from(per_column * usize::from(area.width)).unwrap_or(u32::MAX);
    let span = age(interval.saturating_mul(points).as_secs_f64());
    let title = format!(" {title}, {span}, highest {} ", or_unknown(highest, read));
    // What is little beside the highest is still not nothing, and is drawn at the lowest of eight heights.
    let lowest = highest.unwrap_or(0.0) / 8.0;
    let height = |value: f64| if value > 0.0 { whole(value.max(lowest) * steps).max(1) } else { 0 };
    let bars: Vec<Option<u64>> = columns.iter().map(|value| value.map(height)).collect();
    let line = Sparkline::default()
        .block(rule(title))
        .data(bars)
        .absent_value_symbol("·")
        .absent_value_style(DIM)
        .style(Style::new().fg(color))
        .direction(RenderDirection::RightToLeft);
    frame.render_widget(line, area);
}

/// So many that the line shows the minutes it must.
fn points_per_column(width: u16, interval: Duration) -> usize {
    let points = MINUTES_SHOWN.as_millis().div_ceil(interval.as_millis().max(1));
    usize::try_from(points.div_ceil(u128::from(width.max(1)))).unwrap_or(1).max(1)
}

/// Columns, newest first, each the highest of its points. A point stays in its column as long as it is seen, so
/// that the line moves and does not flicker.
fn columns(
    watch: &Watch,
    width: usize,
    per_column: usize,
    take: fn(&Point) -> Option<f64>,
) -> Vec<Option<f64>> {
    let mut columns: Vec<Option<f64>> = Vec::new();
    let mut column = usize::MAX;
    for (back, point) in watch.points.iter().rev().enumerate() {
        let here = (watch.points_total - 1 - back) / per_column;
        if here != column {
            if columns.len() == width {
                break;
            }
            columns.push(None);
            column = here;
        }
        if let (Some(value), Some(highest)) = (point.as_ref().and_then(take), columns.last_mut()) {
            *highest = Some(highest.map_or(value, |highest| highest.max(value)));
        }
    }
    columns
}

fn draw_left(frame: &mut Frame<'_>, area: Rect, figures: &Figures) {
    let lines = figures.requests.len().max(1);
    let requests = Constraint::Length(u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(1));
    let [requests, answers] = Layout::vertical([requests, Constraint::Fill(1)]).areas(area);
    let title = format!(" requests/s {} ", rate(figures.requests_per_second()));
    draw_block(frame, requests, title, rows(&figures.requests, area.width, |_| Tone::Calm));
    let answered: Vec<Part> = figures.answers.iter().filter(|part| part.count.total > 0.0).cloned().collect();
    let title = format!(" answers/s {} ", rate(figures.answers_per_second()));
    draw_block(frame, answers, title, rows(&answered, area.width, words::tone_of_reason));
}

/// A row for each part: its name, its rate, a bar; what does not happen now says how often it did.
fn rows(parts: &[Part], width: u16, tone: fn(&str) -> Tone) -> Vec<Line<'static>> {
    if parts.is_empty() {
        return vec![Line::styled(format!(" {UNKNOWN}"), DIM)];
    }
    let most = parts.iter().map(|part| part.count.per_second).fold(0.0, f64::max);
    let space = usize::from(width).saturating_sub(NAME + 9);
    let row = |part: &Part| {
        let (now, is_now) = (part.count.per_second, part.count.increase > 0.0);
        let behind = if is_now { bar(now / most, space) } else { String::new() };
        let style = if is_now { style(tone(&part.name)) } else { DIM };
        let text = format!(" {:22}{:>8} {behind}", part.name, rate(now));
        Line::styled(text, style)
    };
    parts.iter().map(row).collect()
}

fn draw_right(frame: &mut Frame<'_>, area: Rect, figures: &Figures) {
    let [time, cost] = Layout::vertical([Constraint::Length(4), Constraint::Fill(1)]).areas(area);
    let row = |name: &str, columns: &[&str]| {
        let columns: String = columns.iter().map(|column| format!("{column:>9}")).collect();
        format!(" {name:7}{columns} ")
    };
    let lines = words::latency(figures)
        .map(|(name, columns)| Line::raw(row(name, &columns.each_ref().map(String::as_str))));
    draw_block(frame, time, row("time ≈", &LATENCY_COLUMNS), lines.to_vec());
    let title = figures.all_stages().map_or_else(
        || " cpu by stage ".into(),
        |all| {
            let cost = or_unknown(all.nanoseconds_a_frame, microseconds);
            format!(" cpu {cost} a frame, {} of a core ", share(all.cores))
        },
    );
    draw_block(frame, cost, title, stages(figures, area.width));
}

fn stages(figures: &Figures, width: u16) -> Vec<Line<'static>> {
    if figures.stages.is_empty() {
        return vec![Line::styled(format!(" {UNKNOWN}"), DIM)];
    }
    let space = usize::from(width).saturating_sub(30);
    let most = figures.stages.iter().map(|stage| stage.cores).fold(0.0, f64::max);
    let row = |stage: &Stage| {
        let cost = or_unknown(stage.nanoseconds_a_frame, microseconds);
        let part = if most > 0.0 { stage.cores / most } else { 0.0 };
        let text = format!(" {:8}{cost:>10}{:>9}  ", stage.name, share(stage.cores));
        Line::from(vec![Span::raw(text), Span::styled(bar(part, space), Style::new().fg(Color::Blue))])
    };
    figures.stages.iter().map(row).collect()
}

fn draw_block(frame: &mut Frame<'_>, area: Rect, title: String, lines: Vec<Line<'static>>) {
    let title = if title.starts_with(' ') { title } else { format!(" {title} ") };
    frame.render_widget(Paragraph::new(lines).block(rule(title)), area);
}

/// A line with a title.
fn rule(title: String) -> Block<'static> {
    Block::new().borders(Borders::TOP).border_style(DIM).title(Span::styled(title, BOLD))
}

/// A bar of this part (0 to 1) of the space, in eighths of a column.
fn bar(part: f64, space: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let space = u32::try_from(space).unwrap_or(u32::MAX);
    let eighths = usize::try_from(whole(part.clamp(0.0, 1.0) * f64::from(space) * 8.0)).unwrap_or(0);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// To the nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float stops at the ends of the range, and so may a bar"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Calm => Style::new(),
        Tone::Notice => Style::new().fg(Color::Yellow),
        Tone::Alarm => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

#[cfg(test)]
mod tests;
