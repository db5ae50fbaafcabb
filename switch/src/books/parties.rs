//! Who speaks for terminals: PSAMs in telephone POS, and acquirers whose hosts carry the messages of many ATMs.

use arrayvec::{ArrayString, ArrayVec};
use serde::{Deserialize, Serialize};

use super::{
    event::{KeyText, MacScheme, ZoneKeyTexts},
    policy::Policy,
};
use crate::ledger::AccountId;

/// Position of a PSAM.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct PsamId(pub u32);

/// Position of an acquirer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct AcquirerId(pub u16);

/// How long a PSAM's nonce is good, milliseconds.
pub const NONCE_MS: i64 = 24 * 3_600_000;

/// The most earlier zone keys of an acquirer that are known again.
pub const EARLIER_KEYS_MAX: usize = 256;

/// A PSAM.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Psam {
    /// Its number, BCD.
    pub number: [u8; 8],
    /// Version of the masters its keys come from.
    pub key_version: u8,
    /// Not to be served.
    pub revoked: bool,
    /// The nonce its messages carry, since its last sign-in.
    pub nonce: Option<[u8; 8]>,
    /// When that was, milliseconds since 1970 UTC.
    pub nonce_since_ms: i64,
    /// Start of the minute in which its sign-ins are counted.
    pub sign_in_minute_ms: i64,
    /// Sign-ins in that minute.
    pub sign_ins: u16,
    /// The STANs seen under the nonce, for authorizations, financial messages and reversals.
    pub seen: [StanWindow; 3],
}

impl Psam {
    /// The window for a message class (second digit of the MTI), if such messages carry one-time keys.
    #[must_use]
    pub fn window(&self, class: u8) -> Option<&StanWindow> {
        self.seen.get(window_place(class)?)
    }

    pub(super) fn window_mut(&mut self, class: u8) -> Option<&mut StanWindow> {
        self.seen.get_mut(window_place(class)?)
    }

    /// Whether this is the nonce of its last sign-in, and still good.
    #[must_use]
    pub fn nonce_is_current(&self, nonce: Option<[u8; 8]>, now_ms: i64) -> bool {
        self.nonce.is_some() && self.nonce == nonce && now_ms - self.nonce_since_ms < NONCE_MS
    }
}

fn window_place(class: u8) -> Option<usize> {
    [1, 2, 4].iter().position(|with_keys| *with_keys == class)
}

/// Which of the newest 64 STANs were seen: constant memory that no number of messages outgrows.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct StanWindow {
    /// The highest seen.
    newest: u32,
    /// Bit n stands for `newest - n`.
    seen: u64,
}

/// How a STAN stands to a window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StanStanding {
    /// Not seen.
    Fresh,
    /// Seen.
    Seen,
    /// Too old to tell.
    TooOld,
}

impl StanWindow {
    /// Looks without marking.
    #[must_use]
    pub fn standing(&self, stan: u32) -> StanStanding {
        match self.newest.checked_sub(stan) {
            None => StanStanding::Fresh,
            Some(back) if back >= 64 => StanStanding::TooOld,
            Some(back) if self.seen & (1 << back) != 0 => StanStanding::Seen,
            Some(_) => StanStanding::Fresh,
        }
    }

    pub(super) fn mark(&mut self, stan: u32) {
        if let Some(ahead) = stan.checked_sub(self.newest) {
            self.seen = if ahead >= 64 { 0 } else { self.seen << ahead };
            self.seen |= 1;
            self.newest = stan;
        } else if self.newest - stan < 64 {
            self.seen |= 1 << (self.newest - stan);
        }
    }
}

/// Zone keys with their version.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ZoneKeys {
    /// Counts the key changes of the acquirer.
    pub version: u32,
    /// The keys.
    pub texts: ZoneKeyTexts,
}

/// An acquirer whose hosts send for ATMs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Acquirer {
    /// Field 32.
    pub id: ArrayString<11>,
    /// Its name.
    pub name: String,
    /// The MAC of its messages.
    pub mac: MacScheme,
    /// Whether it may speak.
    pub active: bool,
    /// What it is owed.
    pub payable: AccountId,
    /// Its zone master key.
    pub zmk: KeyText,
    /// Whether it has signed on, and not off since.
    pub signed_on: bool,
    /// Keys in use.
    pub current: ZoneKeys,
    /// Keys of the last change, not used yet.
    pub pending: Option<ZoneKeys>,
    /// Keys in use before, good until `previous_until_ms`.
    pub previous: Option<ZoneKeys>,
    /// End of the overlap, milliseconds since 1970 UTC.
    pub previous_until_ms: i64,
    /// Field 7 (as milliseconds since 1970 UTC) and STAN of the last management message that changed something; the
    /// next is later, so none can be sent again.
    pub managed: (i64, u32),
    /// Check values of earlier keys: none of them may come back.
    pub earlier: ArrayVec<[u8; 3], EARLIER_KEYS_MAX>,
}

impl Acquirer {
    /// Keys that may verify a message at this time: current, pending, previous.
    pub fn keys_at(&self, now_ms: i64) -> impl Iterator<Item = &ZoneKeys> {
        let previous = self.previous.as_ref().filter(|_| now_ms < self.previous_until_ms);
        [Some(&self.current), self.pending.as_ref(), previous].into_iter().flatten()
    }

    /// The version that the next key change brings.
    #[must_use]
    pub fn next_version(&self) -> u32 {
        self.pending.as_ref().unwrap_or(&self.current).version + 1
    }

    /// Whether a key with this check value was ever one of its own.
    #[must_use]
    pub fn had(&self, check_value: [u8; 3]) -> bool {
        self.earlier.contains(&check_value)
    }

    pub(super) fn remember_keys(&mut self, keys: &ZoneKeyTexts) {
        for check_value in keys.check_values {
            if self.earlier.is_full() {
                self.earlier.remove(0);
            }
            self.earlier.push(check_value);
        }
    }

    pub(super) fn adopt(&mut self, version: u32, now_ms: i64, policy: &Policy) {
        if let Some(keys) = self.pending.take_if(|keys| keys.version == version) {
            self.previous = Some(std::mem::replace(&mut self.current, keys));
            self.previous_until_ms = now_ms + policy.key_overlap_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_a_day_and_only_the_last_one() {
        let psam = Psam {
            number: [0x31; 8],
            key_version: 1,
            revoked: false,
            nonce: Some([5; 8]),
            nonce_since_ms: 1_000,
            sign_in_minute_ms: 0,
            sign_ins: 0,
            seen: Default::default(),
        };
        let rows = [
            ("the last one", Some([5; 8]), 1_000, true),
            ("a moment before its day is over", Some([5; 8]), 1_000 + NONCE_MS - 1, true),
            ("a day old", Some([5; 8]), 1_000 + NONCE_MS, false),
            ("another", Some([6; 8]), 1_000, false),
            ("none", None, 1_000, false),
        ];
        for (name, nonce, now_ms, good) in rows {
            assert_eq!(psam.nonce_is_current(nonce, now_ms), good, "{name}");
        }
        let never = Psam { nonce: None, ..psam };
        assert!(!never.nonce_is_current(None, 1_000), "no nonce is not a nonce in common");
    }

    #[test]
    fn a_window_knows_the_newest_sixty_four() {
        let mut window = StanWindow::default();
        assert_eq!(window.standing(1), StanStanding::Fresh);
        window.mark(1);
        window.mark(64);
        window.mark(3);
        let rows = [
            (1, StanStanding::Seen),
            (2, StanStanding::Fresh),
            (3, StanStanding::Seen),
            (64, StanStanding::Seen),
            (65, StanStanding::Fresh),
        ];
        for (stan, want) in rows {
            assert_eq!(window.standing(stan), want, "{stan}");
        }
        window.mark(65);
        assert_eq!(window.standing(1), StanStanding::TooOld);
        assert_eq!(window.standing(2), StanStanding::Fresh);
        window.mark(900_000);
        assert_eq!(window.standing(65), StanStanding::TooOld);
        assert_eq!(window.standing(900_000), StanStanding::Seen);
    }

    #[test]
    fn a_window_agrees_with_a_set_of_all_that_was_seen() {
        let mut window = StanWindow::default();
        let mut seen = std::collections::BTreeSet::new();
        let mut seed = 7_u32;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let newest: u32 = seen.last().copied().unwrap_or(100);
            let stan = (newest + 4).saturating_sub((seed >> 16) % 80).max(1);
            let want = match newest.checked_sub(stan) {
                Some(back) if back >= 64 && !seen.is_empty() => StanStanding::TooOld,
                _ if seen.contains(&stan) => StanStanding::Seen,
                _ => StanStanding::Fresh,
            };
            assert_eq!(window.standing(stan), want, "{stan} after {newest}");
            if want == StanStanding::Fresh {
                window.mark(stan);
                seen.insert(stan);
            }
        }
    }
}
