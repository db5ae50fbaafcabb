//! Charts as drawings inside the page. Every figure in them stands in a table, too.
//!
//! Start at [`bars`] and [`columns`].

use super::html::escaped;

const WIDTH: u64 = 960;
const NAMES: u64 = 210;
const FIGURES: u64 = 120;
const ROW: u64 = 26;

/// A bar made of parts, each with the class that colours it and the word for what it counts.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) parts: Vec<(&'static str, &'static str, u64)>,
    pub(super) figure: String,
}

/// Bars beside each other's names, the longest as long as there is room.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    let length = |bar: &Bar| bar.parts.iter().map(|(_, _, part)| *part).sum::<u64>();
    let most = bars.iter().map(length).max().unwrap_or(0).max(1);
    let (room, height) = (WIDTH - NAMES - FIGURES, ROW * bars.len() as u64 + 8);
    let mut out = opening(title, height);
    for (row, bar) in (0_u64..).zip(bars) {
        let y = row * ROW + 4;
        let name = escaped(&bar.name);
        out.push_str(&format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>",
            NAMES - 10,
            y + 16
        ));
        let mut x = NAMES;
        for (class, word, part) in &bar.parts {
            let width = scaled(*part, most, room);
            let height = ROW - 8;
            out.push_str(&format!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{height}\"><title>{name}: {part} \
                 {word}</title></rect>",
                y + 2
            ));
            x += width;
        }
        let figure = escaped(&bar.figure);
        out.push_str(&format!("<text class=\"soft\" x=\"{}\" y=\"{}\">{figure}</text>", x + 8, y + 16));
    }
    out + "</svg>"
}

/// Columns side by side in time, made of parts from below.
pub(super) fn columns(title: &str, columns: &[Bar]) -> String {
    const HEIGHT: u64 = 200;
    let height = |bar: &Bar| bar.parts.iter().map(|(_, _, part)| *part).sum::<u64>();
    let most = columns.iter().map(height).max().unwrap_or(0).max(1);
    let step = (WIDTH / (columns.len() as u64).max(1)).clamp(2, 60);
    let mut out = opening(title, HEIGHT + 30);
    out.push_str(&format!("<line class=\"axis\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/>"));
    let labels = (columns.len() / 8).max(1);
    for (place, column) in columns.iter().enumerate() {
        let (x, mut y, name) = (place as u64 * step, HEIGHT, escaped(&column.name));
        for (class, word, part) in &column.parts {
            let height = scaled(*part, most, HEIGHT - 10);
            y -= height;
            let width = step.saturating_sub(1).max(1);
            out.push_str(&format!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{name}: {part} \
                 {word}</title></rect>"
            ));
        }
        if place.is_multiple_of(labels) {
            out.push_str(&format!("<text class=\"soft\" x=\"{x}\" y=\"{}\">{name}</text>", HEIGHT + 20));
        }
    }
    out + "</svg>"
}

fn opening(title: &str, height: u64) -> String {
    let title = escaped(title);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
    )
}

/// A part of the room; something is never nothing.
fn scaled(part: u64, most: u64, room: u64) -> u64 {
    let length = u128::from(part) * u128::from(room) / u128::from(most.max(1));
    u64::try_from(length).unwrap_or(room).max(u64::from(part > 0))
}
