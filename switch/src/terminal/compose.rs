//! What a terminal of `pos` or `epos` sends: each request's fields, its MAC, its frame.
//!
//! A [`Draft`] is a request before any key was used on it, so that it can be sent again under other keys. The order and
//! the form of fields is the field table's.

use std::fmt;

use arrayvec::ArrayVec;
use bytes::BytesMut;
use iso8583::{Builder, EncodeError, Message, Mti, Spec};

use super::CURRENCY;
use super::amount::AMOUNT_MAX;
use super::card::{CardInHand, Entry, Pin};
use super::error::TerminalError;
use super::frame::Frame;
use super::private_57::{NEW_PIN_BLOCK, Tags};
use super::security::{Once, SEALED_TRACK_MAX, Security};
use super::service::{Original, Service};

/// Longest PIN the terminal's pad takes, field 26.
const PIN_DIGITS_MAX: u64 = 12;
/// Field 53: ISO format 0 with the card number, double-length key.
const PIN_SECURITY: &[u8; 16] = b"2600000000000000";
/// Field 39 of a reversal: no answer came.
const NO_REPLY: &[u8; 2] = b"98";

/// A message about the line itself, not about a card.
#[derive(Clone, Copy, Eq, PartialEq)]
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

/// Who sends.
pub(super) struct Sender<'a> {
    pub(super) terminal_id: &'a [u8; 8],
    pub(super) merchant_id: &'a [u8; 15],
}

/// What is asked of a terminal about a card. `Debug` shows no PIN.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// What is asked for.
    pub service: Service,
    /// The card.
    pub card: &'a CardInHand,
    /// How it is read.
    pub entry: Entry,
    /// Minor units; `None` for a balance and a PIN change.
    pub amount: Option<i64>,
    /// The PIN that was typed, ASCII digits.
    pub pin: Option<&'a [u8]>,
    /// The PIN to have from now on, ASCII digits.
    pub new_pin: Option<&'a [u8]>,
    /// The transaction that this one is about.
    pub original: Option<Original>,
}

impl<'a> Order<'a> {
    /// A service that needs neither amount nor PIN; what it does need is set in the fields.
    #[must_use]
    pub fn new(service: Service, card: &'a CardInHand, entry: Entry) -> Self {
        Self { service, card, entry, amount: None, pin: None, new_pin: None, original: None }
    }
}

impl fmt::Debug for Order<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("service", &self.service)
            .field("card", self.card)
            .field("amount", &self.amount)
            .finish_non_exhaustive()
    }
}

/// A request before any key was used on it.
#[derive(Clone)]
pub(super) struct Draft {
    mti: u16,
    processing: u64,
    amount: Option<u64>,
    stan: u32,
    condition: u64,
    /// Field 39, in a reversal.
    reason: Option<&'static [u8; 2]>,
    has_currency: bool,
    shown: Option<Shown>,
    original: Original,
    private_60: Vec<u8>,
}

/// A card, how it is read, and what is typed for it.
#[derive(Clone)]
struct Shown {
    card: CardInHand,
    entry: Entry,
    pin: Option<Pin>,
    new_pin: Option<Pin>,
}

impl Draft {
    pub(super) fn of(order: &Order<'_>, batch: u32, stan: u32) -> Result<Self, TerminalError> {
        let typed = |pin: Option<&[u8]>| pin.map(Pin::typed).transpose();
        let shown = Shown {
            card: order.card.clone(),
            entry: order.entry,
            pin: typed(order.pin)?,
            new_pin: typed(order.new_pin)?,
        };
        let original = order.original.unwrap_or_default();
        let draft = Self::coded(order.service, batch, stan, order.amount, original)?;
        Ok(Self { shown: Some(shown), ..draft })
    }

    /// 0400 for a request that was sent before, which it names by the same field 11.
    pub(super) fn reversal_of(sent: &Message<'_>) -> Result<Self, TerminalError> {
        let service = Service::of(sent).ok_or(TerminalError::NotReversible)?;
        let amount = sent.number(4).and_then(|amount| i64::try_from(amount).ok());
        let six = |field, at| {
            let digits = sent.digits(field)?.iter().skip(at).take(6);
            Some(digits.fold(0, |number: u32, digit| number * 10 + u32::from(digit)))
        };
        let (batch, stan) = (six(60, 2).unwrap_or_default(), six(11, 0).unwrap_or_default());
        let number = sent.has(61).then(|| Some((six(61, 0)?, six(61, 6)?))).flatten();
        Self::reversal(service, batch, stan, amount, number)
    }

    /// 0400 for a request of which only this is left. `about` is field 61 of a request that followed another.
    pub(super) fn reversal(
        service: Service,
        batch: u32,
        stan: u32,
        amount: Option<i64>,
        about: Option<(u32, u32)>,
    ) -> Result<Self, TerminalError> {
        if !service.is_reversible() {
            return Err(TerminalError::NotReversible);
        }
        let amount = amount.filter(|_| service.has_amount());
        let original = Original { number: about, ..Original::default() };
        let draft = Self::coded(service, batch, stan, amount, original)?;
        Ok(Self { mti: 0x0400, reason: Some(NO_REPLY), ..draft })
    }

    fn coded(
        service: Service,
        batch: u32,
        stan: u32,
        amount: Option<i64>,
        original: Original,
    ) -> Result<Self, TerminalError> {
        let (mti, processing, condition, kind) = service.codes();
        let amount = amount.map(amount_field).transpose()?;
        Ok(Self {
            mti,
            processing,
            amount,
            stan,
            condition,
            reason: None,
            has_currency: service != Service::PinChange,
            shown: None,
            original,
            private_60: field_60(kind, batch, 0),
        })
    }

    /// Uses keys on it and puts it into a frame.
    pub(super) fn seal<S: Security>(
        &self,
        sender: &Sender<'_>,
        security: &mut S,
    ) -> Result<Frame, TerminalError> {
        let once = security.draw(self.stan);
        let made = Made::of(self.shown.as_ref(), security, &once)?;
        let mut wire = BytesMut::new();
        let mut message = Builder::new(Spec::pos(), &mut wire, Mti::new(self.mti));
        let put = self.put(&mut message, sender, &made);
        let mac_at = put.and_then(|()| message.mac_placeholder(64)).map_err(TerminalError::Compose)?;
        message.finish().map_err(TerminalError::Compose)?;
        let (covered, place) = wire.split_at_mut(mac_at);
        place.copy_from_slice(&security.mac(&once, covered)?);
        Ok(Frame::pos(&wire, security.dial_record()))
    }

    fn put(
        &self,
        message: &mut Builder<'_, '_>,
        sender: &Sender<'_>,
        made: &Made<'_>,
    ) -> Result<(), EncodeError> {
        let typed = self.shown.as_ref().filter(|shown| shown.entry == Entry::Manual);
        if let Some(shown) = typed {
            message.digits(2, shown.card.pan().expose())?;
        }
        message.number(3, self.processing)?;
        if let Some(amount) = self.amount {
            message.number(4, amount)?;
        }
        message.number(11, self.stan.into())?;
        if let Some(expiry) = typed.and_then(|shown| shown.card.expiry_yymm()) {
            message.number(14, expiry.into())?;
        }
        if let Some(shown) = &self.shown {
            message.digits(22, shown.entry.field_22(made.pin_block.is_some()))?;
        }
        message.number(25, self.condition)?;
        if made.pin_block.is_some() {
            message.number(26, PIN_DIGITS_MAX)?;
        }
        if let Some(track) = made.clear_track {
            message.digits(35, track)?;
        }
        self.put_names(message)?;
        message.text(41, sender.terminal_id)?.text(42, sender.merchant_id)?;
        if self.has_currency {
            message.text(49, CURRENCY)?;
        }
        if let Some(block) = &made.pin_block {
            message.bytes(52, block)?.digits(53, PIN_SECURITY)?;
        }
        put_private_57(message, &made.tags)?;
        message.digits(60, &self.private_60)?;
        if let Some((batch, stan)) = self.original.number {
            message.digits(61, format!("{batch:06}{stan:06}").as_bytes())?;
        }
        Ok(())
    }

    /// What the request calls its original, and why it takes it back.
    fn put_names(&self, message: &mut Builder<'_, '_>) -> Result<(), EncodeError> {
        if let Some(rrn) = &self.original.rrn {
            message.text(37, rrn)?;
        }
        if let Some(approval) = &self.original.approval {
            message.text(38, approval)?;
        }
        if let Some(reason) = self.reason {
            message.text(39, reason)?;
        }
        Ok(())
    }
}

/// What keys made of a draft's secrets.
struct Made<'a> {
    clear_track: Option<&'a [u8]>,
    pin_block: Option<[u8; 8]>,
    tags: Tags,
}

impl<'a> Made<'a> {
    fn of<S: Security>(shown: Option<&'a Shown>, security: &S, once: &Once) -> Result<Self, TerminalError> {
        let Some(shown) = shown else {
            return Ok(Self { clear_track: None, pin_block: None, tags: security.tags(once, None) });
        };
        let block = |pin: &Option<Pin>| {
            let block = pin.as_ref().map(|pin| security.pin_block(once, pin.expose(), shown.card.pan()));
            block.transpose()
        };
        let track = match shown.entry {
            Entry::Manual => None,
            Entry::Stripe | Entry::Contactless => Some(shown.card.track2().ok_or(TerminalError::NoTrack)?),
        };
        let sealed: Option<ArrayVec<u8, SEALED_TRACK_MAX>> =
            track.map(|track| security.seal_track(once, track)).transpose()?.flatten();
        let mut tags = security.tags(once, sealed.as_deref());
        if let Some(block) = block(&shown.new_pin)? {
            tags.put(NEW_PIN_BLOCK, &block);
        }
        Ok(Self { clear_track: track.filter(|_| sealed.is_none()), pin_block: block(&shown.pin)?, tags })
    }
}

/// 0800 or 0820, without a MAC.
pub(super) fn management<S: Security>(
    what: Management,
    sender: &Sender<'_>,
    (batch, stan): (u32, u32),
    tags: &Tags,
    security: &S,
) -> Result<Frame, TerminalError> {
    let (mti, code) = what.codes();
    let mut wire = BytesMut::new();
    let mut message = Builder::new(Spec::pos(), &mut wire, Mti::new(mti));
    let built = (|| {
        message.number(11, stan.into())?;
        message.text(41, sender.terminal_id)?.text(42, sender.merchant_id)?;
        put_private_57(&mut message, tags)?;
        message.digits(60, &field_60(0, batch, code))?;
        message.finish()
    })();
    built.map_err(TerminalError::Compose)?;
    Ok(Frame::pos(&wire, security.dial_record()))
}

fn put_private_57(message: &mut Builder<'_, '_>, tags: &Tags) -> Result<(), EncodeError> {
    match tags.as_bytes() {
        [] => Ok(()),
        tags => message.bytes(57, tags).map(drop),
    }
}

/// Field 60: message type code (2), batch (6), network-management code (3).
fn field_60(kind: u8, batch: u32, management: u16) -> Vec<u8> {
    format!("{kind:02}{batch:06}{management:03}").into_bytes()
}

/// Field 4 of an amount in minor units.
pub(super) fn amount_field(amount: i64) -> Result<u64, TerminalError> {
    u64::try_from(amount).ok().filter(|_| amount <= AMOUNT_MAX).ok_or(TerminalError::Amount)
}
