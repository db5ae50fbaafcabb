//! What an ATM host sends: each message's fields and its MAC.
//!
//! The MAC stands in field 128 if any field above 64 is there, else in 64, and covers the message as it is on the wire.
//! Start at [`Writer`].

use std::fmt;

use bytes::BytesMut;
use hsm_sim::emulator::Zone;
use iso8583::{Builder, EncodeError, Mti};

use super::super::CURRENCY;
use super::super::card::CardInHand;
use super::super::compose::amount_field;
use super::super::error::TerminalError;
use super::super::exchange::{Exchange, mac_field, stan};
use super::super::frame::{AtmForm, Frame, Framing};
use crate::clock::Moment;

/// Field 53: ISO format 0 with the card number, double-length key.
const PIN_SECURITY: &[u8; 16] = b"2600000000000000";
/// The largest fee: field 28 has eight digits behind its sign.
const FEE_MAX: i64 = 99_999_999;

/// What a card can be used for at a cash machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AtmService {
    /// Draw cash.
    Withdrawal,
    /// Ask what is on the card.
    Balance,
    /// Put money on the card.
    Load,
    /// Replace the PIN.
    PinChange,
}

impl AtmService {
    /// Field 3; the accounts, its last four digits, are left to the switch.
    fn code(self) -> u64 {
        match self {
            Self::Withdrawal => 10_000,
            Self::Load => 210_000,
            Self::Balance => 310_000,
            Self::PinChange => 900_000,
        }
    }

    /// Whether field 4 says how much.
    fn has_amount(self) -> bool {
        matches!(self, Self::Withdrawal | Self::Load)
    }
}

/// What is asked of the switch about a card. `Debug` shows no PIN.
#[derive(Clone, Copy)]
pub struct AtmOrder<'a> {
    /// What is asked for.
    pub service: AtmService,
    /// The cash machine, field 41.
    pub terminal: &'a [u8; 8],
    /// The card: swiped if it has a track, else its number is typed in.
    pub card: &'a CardInHand,
    /// The PIN that was typed, ASCII digits.
    pub pin: Option<&'a [u8]>,
    /// The PIN to have from now on, ASCII digits.
    pub new_pin: Option<&'a [u8]>,
    /// Minor units.
    pub amount: Option<i64>,
    /// What the acquirer charges on top, minor units; at most eight digits.
    pub fee: Option<i64>,
}

impl<'a> AtmOrder<'a> {
    /// A service that needs neither amount nor PIN; what it does need is set in the fields.
    #[must_use]
    pub fn new(service: AtmService, terminal: &'a [u8; 8], card: &'a CardInHand) -> Self {
        Self { service, terminal, card, pin: None, new_pin: None, amount: None, fee: None }
    }
}

impl fmt::Debug for AtmOrder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtmOrder")
            .field("service", &self.service)
            .field("card", self.card)
            .field("amount", &self.amount)
            .finish_non_exhaustive()
    }
}

/// What a reversal says of what it takes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AtmOriginal {
    /// What was asked for.
    pub service: AtmService,
    /// The cash machine.
    pub terminal: [u8; 8],
    /// Field 11.
    pub stan: u32,
    /// Field 7, `MMDDhhmmss` UTC.
    pub transmitted: u32,
    /// Field 4, minor units; `None` for a PIN change.
    pub amount: Option<i64>,
    /// Field 37, the host's own number for it.
    pub rrn: Option<[u8; 12]>,
}

impl AtmOriginal {
    /// What names the request of an exchange; `None` if it is none that moves something.
    #[must_use]
    pub fn of(exchange: &Exchange) -> Option<Self> {
        let sent = exchange.request.message().ok()?;
        let services = [AtmService::Withdrawal, AtmService::Load, AtmService::PinChange];
        let code = sent.number(3)?;
        Some(Self {
            service: services
                .into_iter()
                .find(|service| service.code() == code && sent.mti().class() == 2)?,
            terminal: sent.fixed(41)?,
            stan: stan(&sent),
            transmitted: exchange.transmitted()?,
            amount: sent.number(4).and_then(|amount| i64::try_from(amount).ok()),
            rrn: sent.fixed(37),
        })
    }
}

/// A message about the link itself.
#[derive(Clone, Copy)]
pub(super) enum Link<'a> {
    SignOn,
    SignOff,
    Echo,
    CutOver,
    /// With field 48: for each key its place (2 digits), the length of its block (3 digits), and the block.
    KeyChange(&'a str),
}

impl Link<'_> {
    /// Field 70.
    fn code(self) -> u64 {
        match self {
            Self::SignOn => 1,
            Self::SignOff => 2,
            Self::KeyChange(_) => 161,
            Self::CutOver => 201,
            Self::Echo => 301,
        }
    }
}

/// Writes one message.
pub(super) struct Writer<'a> {
    pub(super) acquirer: &'a str,
    pub(super) zone: &'a Zone,
    pub(super) form: AtmForm,
    /// In UTC.
    pub(super) now: Moment,
    pub(super) stan: u32,
}

impl Writer<'_> {
    /// 0800 with field 70.
    pub(super) fn link(&self, link: Link<'_>) -> Result<Frame, TerminalError> {
        self.sealed((0x0800, 128), |message| {
            self.put_number(message)?.digits(32, self.acquirer.as_bytes())?;
            if let Link::KeyChange(blocks) = link {
                message.text(48, blocks.as_bytes())?;
            }
            message.number(70, link.code()).map(drop)
        })
    }

    /// 0200 about a card.
    pub(super) fn order(&self, order: &AtmOrder<'_>) -> Result<Frame, TerminalError> {
        let card = order.card;
        let amount = order.amount.map(amount_field).transpose()?;
        let fee = order.fee.map(fee_field).transpose()?;
        let block = |pin: Option<&[u8]>| {
            let block = pin.map(|pin| self.zone.pin_block(pin, card.pan())).transpose();
            block.map_err(TerminalError::Keys)
        };
        let (pin_block, new_block) = (block(order.pin)?, block(order.new_pin)?);
        let mac_in = if new_block.is_some() { 128 } else { 64 };
        self.sealed((0x0200, mac_in), |message| {
            if card.track2().is_none() {
                message.digits(2, card.pan().expose())?;
            }
            message.number(3, order.service.code())?;
            if let Some(amount) = amount {
                message.number(4, amount)?;
            }
            self.put_number(message)?;
            if let (None, Some(expiry)) = (card.track2(), card.expiry_yymm()) {
                message.number(14, expiry.into())?;
            }
            let entry = if card.track2().is_some() { 20 } else { 10 };
            message.number(22, entry + if pin_block.is_some() { 1 } else { 2 })?;
            if let Some(fee) = &fee {
                message.text(28, fee)?;
            }
            message.digits(32, self.acquirer.as_bytes())?;
            if let Some(track) = card.track2() {
                message.digits(35, track)?;
            }
            message.text(37, self.rrn().as_bytes())?.text(41, order.terminal)?.text(49, CURRENCY)?;
            if let Some(block) = &pin_block {
                message.bytes(52, block)?.digits(53, PIN_SECURITY)?;
            }
            if let Some(block) = &new_block {
                message.text(125, &upper_hex(block))?;
            }
            Ok(())
        })
    }

    /// 0420, whose field 90 is message type (4), STAN (6), field 7 (10), acquirer and forwarder (11 each, zeros first);
    /// field 95 is the amount that stays (12) and 30 zeros.
    pub(super) fn reversal(
        &self,
        original: &AtmOriginal,
        stays: Option<i64>,
    ) -> Result<Frame, TerminalError> {
        let service = original.service;
        if service == AtmService::Balance {
            return Err(TerminalError::NotReversible);
        }
        let amount = original.amount.filter(|_| service.has_amount()).map(amount_field).transpose()?;
        let stays = stays.map(amount_field).transpose()?;
        let elements =
            format!("0200{:06}{:010}{:0>11}{:011}", original.stan, original.transmitted, self.acquirer, 0);
        self.sealed((0x0420, 128), |message| {
            message.number(3, service.code())?;
            if let Some(amount) = amount {
                message.number(4, amount)?;
            }
            self.put_number(message)?.digits(32, self.acquirer.as_bytes())?;
            if let Some(rrn) = &original.rrn {
                message.text(37, rrn)?;
            }
            message.text(41, &original.terminal)?.text(49, CURRENCY)?.digits(90, elements.as_bytes())?;
            if let Some(stays) = stays {
                message.text(95, format!("{stays:012}{:030}", 0).as_bytes())?;
            }
            Ok(())
        })
    }

    /// The same message again, as a repeat: the last digit of its type is 1, and so its MAC another.
    pub(super) fn repeat(&self, earlier: &Frame) -> Result<Frame, TerminalError> {
        let message = earlier.message().map_err(TerminalError::Answer)?;
        let mac_at = message.start(mac_field(&message)).unwrap_or(message.bytes().len());
        let mut wire = message.bytes().to_vec();
        wire[3] = b'1';
        self.put_mac(&mut wire, mac_at)?;
        Ok(Frame::atm(&wire, self.form))
    }

    /// A message of this type and these fields, with its MAC in this field behind them.
    fn sealed(
        &self,
        (mti, mac_in): (u16, u8),
        put: impl FnOnce(&mut Builder<'_, '_>) -> Result<(), EncodeError>,
    ) -> Result<Frame, TerminalError> {
        let mut wire = BytesMut::new();
        let spec = Framing::Atm(self.form).spec();
        let mut message = Builder::new(spec, &mut wire, Mti::new(mti));
        let mac_at = put(&mut message).and_then(|()| message.mac_placeholder(mac_in));
        let mac_at = mac_at.map_err(TerminalError::Compose)?;
        message.finish().map_err(TerminalError::Compose)?;
        self.put_mac(&mut wire, mac_at)?;
        Ok(Frame::atm(&wire, self.form))
    }

    fn put_mac(&self, wire: &mut [u8], mac_at: usize) -> Result<(), TerminalError> {
        let (covered, place) = wire.split_at_mut(mac_at);
        let mac = self.zone.mac(covered).map_err(TerminalError::Keys)?;
        place.copy_from_slice(&upper_hex(&mac));
        Ok(())
    }

    /// Fields 7 and 11.
    fn put_number<'m, 's, 'b>(
        &self,
        message: &'m mut Builder<'s, 'b>,
    ) -> Result<&'m mut Builder<'s, 'b>, EncodeError> {
        message.number(7, self.now.mmdd() * 1_000_000 + self.now.hhmmss())?.number(11, self.stan.into())
    }

    /// Field 37: last digit of the year, day of the year, hour, STAN.
    fn rrn(&self) -> String {
        format!("{:06}{:06}", self.now.rrn_prefix(1), self.stan)
    }
}

/// Field 28: charged on top, and how much.
fn fee_field(fee: i64) -> Result<[u8; 9], TerminalError> {
    let fee = u64::try_from(fee).ok().filter(|_| fee <= FEE_MAX).ok_or(TerminalError::Fee)?;
    let mut field = [b'D'; 9];
    field[1..].copy_from_slice(format!("{fee:08}").as_bytes());
    Ok(field)
}

fn upper_hex(bytes: &[u8; 8]) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}
