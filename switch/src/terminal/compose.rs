//! What the terminal sends: each request's fields, its MAC, its frame.
//!
//! Which fields a request has is in [`Composer`]'s methods; the order and the form of fields is the field table's.

use bytes::BytesMut;
use hsm_sim::MacAlgorithm;
use hsm_sim::emulator::TerminalKeys;
use iso8583::{Builder, EncodeError, Message, Mti, Spec};

use super::CURRENCY;
use super::amount::AMOUNT_MAX;
use super::card::{CardInHand, Entry};
use super::error::TerminalError;
use super::frame::Frame;

/// Longest PIN the terminal's pad takes, field 26.
const PIN_DIGITS_MAX: u64 = 12;
/// Field 53: ISO format 0 with the card number, double-length key.
const PIN_SECURITY: &[u8; 16] = b"2600000000000000";
/// Field 39 of a reversal: no answer came.
const NO_REPLY: &[u8; 2] = b"98";

/// What a card can be used for here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// Pay the merchant.
    Purchase,
    /// Ask what is on the card.
    Balance,
    /// Put money on the card.
    Load,
}

impl Service {
    /// Processing code (field 3), condition code (field 25) and message type code (field 60.1).
    fn codes(self) -> (u64, u64, u8) {
        match self {
            Self::Purchase => (0, 0, 22),
            Self::Balance => (310_000, 0, 1),
            Self::Load => (630_000, 91, 46),
        }
    }
}

/// A message about the line itself, not about a card.
#[derive(Clone, Copy)]
pub(super) enum Management {
    SignIn,
    SignOff,
    Echo,
}

impl Management {
    /// Message type and network-management code (field 60.3).
    fn codes(self) -> (u16, u16) {
        match self {
            Self::SignIn => (0x0800, 3),
            Self::SignOff => (0x0820, 2),
            Self::Echo => (0x0820, 301),
        }
    }
}

/// A card, how it is read, and the PIN typed for it.
pub(super) struct Presented<'a> {
    pub(super) card: &'a CardInHand,
    pub(super) entry: Entry,
    pub(super) pin: Option<&'a [u8]>,
}

/// Who sends, and with which keys.
pub(super) struct Composer<'a> {
    pub(super) terminal_id: &'a [u8; 8],
    pub(super) merchant_id: &'a [u8; 15],
    pub(super) algorithm: MacAlgorithm,
    pub(super) keys: &'a TerminalKeys,
    pub(super) batch: u32,
}

impl Composer<'_> {
    /// 0800 or 0820, without a MAC.
    pub(super) fn management(&self, what: Management, stan: u32) -> Result<Frame, TerminalError> {
        let (mti, code) = what.codes();
        let mut wire = BytesMut::new();
        let mut message = Builder::new(Spec::pos(), &mut wire, Mti::new(mti));
        let built = (|| {
            message.number(11, stan.into())?;
            message.text(41, self.terminal_id)?.text(42, self.merchant_id)?;
            message.digits(60, &self.field_60(0, code))?;
            message.finish()
        })();
        built.map_err(TerminalError::Compose)?;
        Ok(Frame::around(&wire))
    }

    /// 0200 about a card. `amount` is `None` for a balance.
    pub(super) fn service(
        &self,
        service: Service,
        stan: u32,
        amount: Option<i64>,
        presented: &Presented<'_>,
    ) -> Result<Frame, TerminalError> {
        let Presented { card, entry, pin } = *presented;
        let (processing, condition, kind) = service.codes();
        let amount = amount.map(amount_field).transpose()?;
        let pin_block = pin.map(|pin| self.keys.pin_block(pin, card.pan())).transpose();
        let pin_block = pin_block.map_err(TerminalError::Keys)?;
        let typed = entry == Entry::Manual;
        let track = if typed { None } else { Some(card.track2().ok_or(TerminalError::NoTrack)?) };
        self.sealed(0x0200, |message| {
            if typed {
                message.digits(2, card.pan().expose())?;
            }
            message.number(3, processing)?;
            if let Some(amount) = amount {
                message.number(4, amount)?;
            }
            message.number(11, stan.into())?;
            if let (true, Some(expiry)) = (typed, card.expiry_yymm()) {
                message.number(14, expiry.into())?;
            }
            message.digits(22, entry.field_22(pin_block.is_some()))?.number(25, condition)?;
            if pin_block.is_some() {
                message.number(26, PIN_DIGITS_MAX)?;
            }
            if let Some(track) = track {
                message.digits(35, track)?;
            }
            message.text(41, self.terminal_id)?.text(42, self.merchant_id)?.text(49, CURRENCY)?;
            if let Some(block) = &pin_block {
                message.bytes(52, block)?.digits(53, PIN_SECURITY)?;
            }
            message.digits(60, &self.field_60(kind, 0)).map(drop)
        })
    }

    /// 0400 for a 0200 that was sent before, which it names by the same field 11.
    pub(super) fn reversal(&self, original: &Message<'_>) -> Result<Frame, TerminalError> {
        if original.mti() != Mti::new(0x0200) || !original.has(4) {
            return Err(TerminalError::NotReversible);
        }
        self.sealed(0x0400, |message| {
            message.copy(3, original)?.copy(4, original)?.copy(11, original)?.copy(25, original)?;
            message.text(39, NO_REPLY)?.copy(41, original)?.copy(42, original)?;
            message.copy(49, original)?.copy(60, original).map(drop)
        })
    }

    /// 0400 for a request of which only number and amount are left.
    pub(super) fn reversal_of(
        &self,
        service: Service,
        stan: u32,
        amount: i64,
    ) -> Result<Frame, TerminalError> {
        if service == Service::Balance {
            return Err(TerminalError::NotReversible);
        }
        let (processing, condition, kind) = service.codes();
        let amount = amount_field(amount)?;
        self.sealed(0x0400, |message| {
            message.number(3, processing)?.number(4, amount)?.number(11, stan.into())?;
            message.number(25, condition)?.text(39, NO_REPLY)?;
            message.text(41, self.terminal_id)?.text(42, self.merchant_id)?.text(49, CURRENCY)?;
            message.digits(60, &self.field_60(kind, 0)).map(drop)
        })
    }

    /// A message of these fields with its MAC behind them.
    fn sealed(
        &self,
        mti: u16,
        put: impl FnOnce(&mut Builder<'_, '_>) -> Result<(), EncodeError>,
    ) -> Result<Frame, TerminalError> {
        let mut wire = BytesMut::new();
        let mut message = Builder::new(Spec::pos(), &mut wire, Mti::new(mti));
        let mac_at = put(&mut message).and_then(|()| message.mac_placeholder(64));
        let mac_at = mac_at.map_err(TerminalError::Compose)?;
        message.finish().map_err(TerminalError::Compose)?;
        let (covered, place) = wire.split_at_mut(mac_at);
        place.copy_from_slice(&self.keys.mac(self.algorithm, covered).map_err(TerminalError::Keys)?);
        Ok(Frame::around(&wire))
    }

    /// Field 60: message type code (2), batch (6), network-management code (3).
    fn field_60(&self, kind: u8, management: u16) -> Vec<u8> {
        format!("{kind:02}{:06}{management:03}", self.batch).into_bytes()
    }
}

fn amount_field(amount: i64) -> Result<u64, TerminalError> {
    u64::try_from(amount).ok().filter(|_| amount <= AMOUNT_MAX).ok_or(TerminalError::Amount)
}
