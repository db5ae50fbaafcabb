//! Logs: one event per thing that happened, fields not prose, to standard error.

use tracing_subscriber::{EnvFilter, fmt};

/// How a log line looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging for the whole process. Later calls change nothing.
pub fn start(level: &str, format: Format) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let base = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second call in one process (tests) finds the first in place, which is what is wanted.
    let _already_started = match format {
        Format::Text => base.try_init(),
        Format::Json => base.json().try_init(),
    };
}
