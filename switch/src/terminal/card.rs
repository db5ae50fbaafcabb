//! A card as a terminal meets it: swiped, tapped, or its number typed in; and the PIN that is typed for it.

use std::fmt;

use arrayvec::ArrayVec;
use hsm_sim::Pan;
use hsm_sim::emulator::EmulatorError;

use super::error::TerminalError;

/// What can be read off a card. `Debug` shows the masked number only.
#[derive(Clone)]
pub struct CardInHand {
    pan: Pan,
    expiry_yymm: Option<u16>,
    /// As on the stripe, with `=` as separator.
    track2: Option<ArrayVec<u8, 37>>,
}

/// How the card is read, the first two digits of field 22.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// 01: number and expiry typed in.
    Manual,
    /// 02: swiped.
    Stripe,
    /// 07: tapped. Without chip data: the track only.
    Contactless,
}

impl CardInHand {
    /// A card with a readable track 2 (ASCII, `=` as separator, no sentinels).
    #[must_use]
    pub fn with_track(pan: Pan, expiry_yymm: u16, track2: ArrayVec<u8, 37>) -> Self {
        Self { pan, expiry_yymm: Some(expiry_yymm), track2: Some(track2) }
    }

    /// A card of which only the number, and perhaps the expiry as `YYMM`, is known.
    #[must_use]
    pub fn typed(pan: Pan, expiry_yymm: Option<u16>) -> Self {
        Self { pan, expiry_yymm, track2: None }
    }

    /// The card number.
    #[must_use]
    pub fn pan(&self) -> &Pan {
        &self.pan
    }

    /// Whether there is a track to swipe or tap.
    #[must_use]
    pub fn has_track(&self) -> bool {
        self.track2.is_some()
    }

    pub(super) fn expiry_yymm(&self) -> Option<u16> {
        self.expiry_yymm
    }

    pub(super) fn track2(&self) -> Option<&[u8]> {
        self.track2.as_deref()
    }
}

impl fmt::Debug for CardInHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardInHand").field("pan", &self.pan).finish_non_exhaustive()
    }
}

impl Drop for CardInHand {
    fn drop(&mut self) {
        if let Some(track) = &mut self.track2 {
            track.fill(0);
            // Without a reader the compiler may leave the writes out.
            std::hint::black_box(track);
        }
    }
}

/// A PIN as typed: ASCII digits, at most as many as any PIN has. Overwritten when dropped, and never printed.
#[derive(Clone)]
pub(super) struct Pin(ArrayVec<u8, 12>);

impl Pin {
    /// Whether its digits are digits is looked at when a PIN block is made of them.
    pub(super) fn typed(digits: &[u8]) -> Result<Self, TerminalError> {
        let too_long = |_| TerminalError::Keys(EmulatorError::PinLength);
        ArrayVec::try_from(digits).map(Self).map_err(too_long)
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without a reader the compiler may leave the writes out.
        std::hint::black_box(&mut self.0);
    }
}

impl Entry {
    /// Field 22: how the card was read, then 1 with a PIN and 2 without.
    pub(super) fn field_22(self, with_pin: bool) -> &'static [u8; 3] {
        match (self, with_pin) {
            (Self::Manual, true) => b"011",
            (Self::Manual, false) => b"012",
            (Self::Stripe, true) => b"021",
            (Self::Stripe, false) => b"022",
            (Self::Contactless, true) => b"071",
            (Self::Contactless, false) => b"072",
        }
    }
}
