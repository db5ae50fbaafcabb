//! The limits that shape state. They come from the configuration, but live in the journal: a replay must evict
//! what the books evicted, whatever the configuration says by then.

use serde::{Deserialize, Serialize};

/// Limits of the books.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Policy {
    /// How long a request is remembered, milliseconds.
    pub duplicate_window_ms: i64,
    /// How many requests are remembered in all.
    pub duplicates_max: u32,
    /// How many of one terminal.
    pub duplicates_per_terminal: u32,
    /// Wrong PINs until the card answers "tries exceeded".
    pub pin_tries_max: u8,
    /// Sign-ins of one terminal within a minute.
    pub sign_ins_per_minute: u16,
    /// How long replaced working keys still verify, milliseconds.
    pub key_overlap_ms: i64,
    /// How long an approved transaction can be refunded, milliseconds.
    pub refund_ms: i64,
    /// How many approved transactions are kept for voids, refunds and completions.
    pub originals_max: u32,
    /// How many notices wait for whoever reads them.
    pub notices_max: u32,
    /// Minute of the day, in the configured zone, at which the business day changes.
    pub cut_over_minute: u16,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            duplicate_window_ms: 24 * 3_600_000,
            duplicates_max: 1 << 20,
            duplicates_per_terminal: 4096,
            pin_tries_max: 3,
            sign_ins_per_minute: 30,
            key_overlap_ms: 3_600_000,
            refund_ms: 30 * 24 * 3_600_000,
            originals_max: 1 << 20,
            notices_max: 1 << 16,
            cut_over_minute: 0,
        }
    }
}
