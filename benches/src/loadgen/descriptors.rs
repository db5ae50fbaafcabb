//! File descriptors: every connection takes one, and the usual soft limit is below the usual number of connections.

use rustix::process::{Resource, getrlimit, setrlimit};

use super::error::LoadError;

/// Descriptors beside those of connections: both ends of an echo, runtimes, files.
const RESERVE: u64 = 256;

/// Raises the soft limit to the hard one, and sees that it is enough.
pub(super) fn provide(working: usize, idle: usize) -> Result<(), LoadError> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it cannot be raised, what there is must do.
    let _refused = setrlimit(Resource::Nofile, limit);
    // The other end of an echo is in this process, too; idle connections have none.
    let connections = working + idle;
    let needed = (2 * working + idle) as u64 + RESERVE;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < needed => Err(LoadError::Usage(format!(
            "{connections} connections need {needed} file descriptors and the limit is {limit}; take fewer, or raise \
             it (ulimit -Hn)"
        ))),
        _ => Ok(()),
    }
}
