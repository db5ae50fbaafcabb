//! What one sees of a running switch: the log, every metric and its page, and what the stages cost. Masking is by
//! type, not here: what must not be seen has no `Debug` that shows it.

pub mod cost;
pub mod histogram;
pub mod logging;
pub mod metrics;
pub mod page;
