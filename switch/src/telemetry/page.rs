//! The page of metrics: the counters, the histograms, and what only the moment of asking can tell.

use std::fmt::Write;

use metrics_exporter_prometheus::PrometheusHandle;

use super::{
    histogram::Histogram,
    metrics::{PROCESS_CPU, RESIDENT, START_TIME},
};
use crate::clock::{process_cpu_ns, unix_seconds};

/// The page of one switch. Cloning shares what is behind it.
#[derive(Clone)]
pub struct Page {
    counters: PrometheusHandle,
    histograms: Vec<Histogram>,
    started: i64,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Page")
    }
}

impl Page {
    pub(super) fn new(counters: PrometheusHandle, histograms: Vec<Histogram>) -> Self {
        Self { counters, histograms, started: unix_seconds() }
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = self.counters.render();
        for histogram in &self.histograms {
            histogram.write(&mut page);
        }
        let mut figure = |name: &str, kind: &str, value: &dyn std::fmt::Display| {
            // INVARIANT: writing to a string does not fail.
            write!(page, "# TYPE {name} {kind}\n{name} {value}\n\n").expect("a string takes all");
        };
        figure(START_TIME, "gauge", &self.started);
        figure(PROCESS_CPU, "counter", &process_cpu_ns());
        if let Some(bytes) = resident_bytes() {
            figure(RESIDENT, "gauge", &bytes);
        }
        page
    }

    /// What must be done now and then whether or not anybody looks.
    pub fn run_upkeep(&self) {
        self.counters.run_upkeep();
    }
}

/// Memory of this process that is in use, from Linux's `/proc/self/statm`: its second number, in pages. `None` where
/// there is no such file.
fn resident_bytes() -> Option<u64> {
    let pages: u64 =
        std::fs::read_to_string("/proc/self/statm").ok()?.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    pages.checked_mul(page)
}
