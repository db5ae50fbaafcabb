//! File descriptors: every connection takes one, and the usual soft limit is below the usual number of connections.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors beside those of connections: the journal, listeners, the admin port, runtimes.
const RESERVE: u64 = 128;

/// The system does not let the process have as many descriptors as its connections need.
#[derive(Debug, thiserror::Error)]
#[error(
    "pos.connections, epos.connections, atm.connections: {connections} connections need {needed} file descriptors and the hard limit is {hard}; \
     lower the settings, or raise the limit (ulimit -Hn, LimitNOFILE=)"
)]
pub(super) struct TooFew {
    connections: usize,
    needed: u64,
    hard: u64,
}

/// Raises the soft limit as far as `connections` need.
pub(super) fn provide(connections: usize) -> Result<(), TooFew> {
    let needed = connections as u64 + RESERVE;
    let mut limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    let hard = limit.maximum;
    limit.current = Some(needed);
    if enough(hard) && setrlimit(Resource::Nofile, limit).is_ok() {
        return Ok(());
    }
    Err(TooFew { connections, needed, hard: hard.unwrap_or(u64::MAX) })
}
