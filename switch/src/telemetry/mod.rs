//! What one sees of a running switch: metric names and logs. Masking is by type, not here: what must not be seen
//! has no `Debug` that shows it.

pub mod logging;
pub mod metrics;
