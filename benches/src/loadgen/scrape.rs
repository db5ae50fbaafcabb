//! The switch's own figures, from its Prometheus page before and after the timed part.
//!
//! A series that the page does not have is left out, so that the load generator can be run against other versions.
//! Start at [`Page::read`] and [`figures`].

#![expect(clippy::float_arithmetic, reason = "figures for people, not money")]

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long the page is awaited, and the most that is read of it.
const TIMEOUT: Duration = Duration::from_secs(5);
const PAGE_MAX: u64 = 4 << 20;

/// The stages that are counted one by one, in the order of a request's way.
pub const STAGES: [&str; 8] = ["channel", "parse", "verify", "decide", "encode", "seal", "commit", "sync"];

/// All series of a page with their values.
#[derive(Clone, Debug, Default)]
pub struct Page(BTreeMap<String, f64>);

impl Page {
    /// Asks the admin port.
    ///
    /// # Errors
    /// Nobody there, or an answer that is no page.
    pub fn read(address: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(stream, "GET /metrics HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(PAGE_MAX).read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        if head.split(' ').nth(1) != Some("200") {
            return Err(io::Error::other("the answer is no page of metrics"));
        }
        Ok(Self::parse(body))
    }

    fn parse(text: &str) -> Self {
        let series = text.lines().filter(|line| !line.starts_with('#'));
        let series = series.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(series.collect())
    }

    /// A series of the switch, named without its common prefix.
    fn value(&self, name: &str) -> Option<f64> {
        self.0.get(&format!("cardswitch_{name}")).copied()
    }
}

/// What happened between two pages, by name; the unit is the name's end.
#[must_use]
pub fn figures(before: &Page, after: &Page) -> BTreeMap<String, f64> {
    let grown = |name: &str| Some(after.value(name)? - before.value(name).unwrap_or_default());
    let mean = |name: &str| {
        let (sum, count) = (grown(&format!("{name}_sum"))?, grown(&format!("{name}_count"))?);
        (count > 0.0).then_some(sum / count)
    };
    let mut figures = BTreeMap::new();
    let mut put = |name: &str, value: Option<f64>| {
        if let Some(value) = value {
            figures.insert(name.to_owned(), value);
        }
    };
    put("answer_us", mean("answer_seconds").map(|seconds| seconds * 1e6));
    put("sync_us", mean("sync_seconds").map(|seconds| seconds * 1e6));
    put("commit_us", mean("commit_seconds").map(|seconds| seconds * 1e6));
    put("records_a_commit", mean("commit_records"));
    put("frames_a_batch", mean("batch_frames"));
    put("commits", grown("commits_total"));
    put("turned_away", grown("turned_away_total"));
    put("repeats", grown("repeats_total"));
    let frames = grown("stage_frames_total").filter(|frames| *frames > 0.0);
    let mut total = None;
    for stage in STAGES {
        let spent = grown(&format!("stage_cpu_nanoseconds_total{{stage=\"{stage}\"}}"));
        let a_frame = spent.zip(frames).map(|(spent, frames)| spent / frames);
        put(&format!("{stage}_cpu_ns_a_frame"), a_frame);
        total = total.map_or(a_frame, |total: f64| Some(total + a_frame.unwrap_or_default()));
    }
    put("all_stages_cpu_ns_a_frame", total);
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_what_happened_in_between() {
        let before = "# HELP x\n# TYPE cardswitch_commits_total counter\ncardswitch_commits_total 10\n\
                      cardswitch_sync_seconds_sum 1.5\ncardswitch_sync_seconds_count 10\n\
                      cardswitch_stage_frames_total 100\n\
                      cardswitch_stage_cpu_nanoseconds_total{stage=\"verify\"} 1000\n";
        let after = "cardswitch_commits_total 30\ncardswitch_sync_seconds_sum 1.504\n\
                     cardswitch_sync_seconds_count 30\ncardswitch_stage_frames_total 300\n\
                     cardswitch_stage_cpu_nanoseconds_total{stage=\"verify\"} 5000\n\
                     cardswitch_batch_frames_sum 0\ncardswitch_batch_frames_count 0\n";
        let figures = figures(&Page::parse(before), &Page::parse(after));
        let near =
            |name: &str, want: f64| figures.get(name).is_some_and(|value| (value - want).abs() < 0.001);
        assert!(near("commits", 20.0) && near("sync_us", 200.0), "{figures:?}");
        assert!(
            near("verify_cpu_ns_a_frame", 20.0) && near("all_stages_cpu_ns_a_frame", 20.0),
            "{figures:?}"
        );
        for absent in ["commit_us", "frames_a_batch", "parse_cpu_ns_a_frame", "turned_away"] {
            assert!(!figures.contains_key(absent), "{absent}");
        }
    }
}
