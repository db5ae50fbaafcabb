//! What a terminal asks, field by field, so that a scenario can leave one out or make it wrong.

use arrayvec::ArrayVec;
use bytes::BytesMut;
use cardswitch::city::CardRow;
use hsm_sim::Pan;
use iso8583::{Builder, Mti, Spec};

use crate::terminal::Answer;

/// A card in a customer's hand.
#[derive(Clone)]
pub struct Card {
    /// Its number.
    pub pan: Pan,
    /// Its track 2, `=` as separator.
    pub track: Vec<u8>,
    /// Last month it is valid, `YYMM`.
    pub expiry: u16,
    /// Its PIN.
    pub pin: Vec<u8>,
    /// Its line in `cards.csv`.
    pub line: u64,
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Card(line {}, {:?})", self.line, self.pan)
    }
}

impl Card {
    /// The card of a row.
    #[must_use]
    pub fn of(row: &CardRow) -> Self {
        let values = row.test().expect("a card of a test city");
        Self {
            pan: row.pan.clone(),
            track: values.track2.expose().to_vec(),
            expiry: row.expiry_yymm,
            pin: values.pin.expose().to_vec(),
            line: row.line,
        }
    }

    /// A PIN of the same length that is not this card's.
    #[must_use]
    pub fn wrong_pin(&self) -> Vec<u8> {
        self.pin.iter().map(|digit| if *digit == b'9' { b'0' } else { digit + 1 }).collect()
    }
}

/// What stands on a receipt, by which a later request names the transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// Field 37 of the answer.
    pub rrn: String,
    /// Batch number.
    pub batch: u32,
    /// System trace audit number.
    pub stan: u32,
}

impl Receipt {
    /// The receipt of an answer, which must be on record.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let rrn = answer.rrn.clone().expect("an answer that is on record");
        Self { rrn, batch: answer.batch, stan: answer.stan }
    }

    /// Field 38: the last six digits of the RRN.
    #[must_use]
    pub fn approval(&self) -> String {
        self.rrn[6..].to_owned()
    }
}

/// A message to be: `None` leaves a field out.
#[derive(Clone)]
pub struct Ask {
    /// Message type as BCD, such as 0x0200.
    pub mti: u16,
    /// Field 2.
    pub pan: Option<Vec<u8>>,
    /// Field 3.
    pub code: Option<u32>,
    /// Field 4, minor units.
    pub amount: Option<u64>,
    /// Field 11; the terminal gives one when it is 0.
    pub stan: u32,
    /// Field 14.
    pub expiry: Option<u16>,
    /// Field 22.
    pub entry: Option<u16>,
    /// Field 25.
    pub condition: Option<u8>,
    /// Field 35.
    pub track: Option<Vec<u8>>,
    /// Field 37, of the transaction it is about.
    pub rrn: Option<String>,
    /// Field 38, of the transaction it is about.
    pub approval: Option<String>,
    /// Field 39.
    pub reason: Option<&'static str>,
    /// Field 41 instead of the terminal's own.
    pub terminal: Option<[u8; 8]>,
    /// Field 42 instead of the terminal's own.
    pub merchant: Option<[u8; 15]>,
    /// Field 49.
    pub currency: Option<u16>,
    /// The PIN that becomes field 52.
    pub pin: Option<(Vec<u8>, Pan)>,
    /// Field 52 as it is, instead of a PIN's block.
    pub pin_block: Option<[u8; 8]>,
    /// Field 53.
    pub pin_format: Option<&'static [u8; 16]>,
    /// Field 55.
    pub chip: Option<Vec<u8>>,
    /// Field 59.
    pub remark: Option<Vec<u8>>,
    /// Field 60.1.
    pub kind: u32,
    /// Field 60.2 instead of the terminal's own.
    pub batch: Option<u32>,
    /// Field 60.3.
    pub management: u32,
    /// Field 60.6: whether a part may be approved; without it field 60 ends behind 60.3.
    pub partial: Option<bool>,
    /// Field 61.1 and 61.2: batch number and STAN of the transaction it is about.
    pub original: Option<(u32, u32)>,
    /// Whether it carries a MAC.
    pub sealed: bool,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ask({:04x}, STAN {:06}, amount {:?})", self.mti, self.stan, self.amount)
    }
}

/// Field 53: a block of ISO format 0 under a double-length key.
const ISO_0: &[u8; 16] = b"2600000000000000";

impl Ask {
    fn blank(mti: u16, kind: u32, management: u32) -> Self {
        Self {
            mti,
            pan: None,
            code: None,
            amount: None,
            stan: 0,
            expiry: None,
            entry: None,
            condition: None,
            track: None,
            rrn: None,
            approval: None,
            reason: None,
            terminal: None,
            merchant: None,
            currency: None,
            pin: None,
            pin_block: None,
            pin_format: None,
            chip: None,
            remark: None,
            kind,
            batch: None,
            management,
            partial: None,
            original: None,
            sealed: false,
        }
    }

    fn of_card(card: &Card, code: u32, condition: u8, kind: u32) -> Self {
        Self {
            code: Some(code),
            condition: Some(condition),
            entry: Some(21),
            track: Some(card.track.clone()),
            currency: Some(156),
            sealed: true,
            ..Self::blank(0x0200, kind, 0)
        }
    }

    /// A purchase by stripe and PIN.
    #[must_use]
    pub fn purchase(card: &Card, amount: u64) -> Self {
        let ask = Self { amount: Some(amount), ..Self::of_card(card, 0, 0, 22) };
        ask.with_pin(&card.pin.clone(), card)
    }

    /// At a terminal that can take the rest by other means.
    #[must_use]
    pub fn or_part(self) -> Self {
        Self { partial: Some(true), ..self }
    }

    /// A contactless purchase without PIN.
    #[must_use]
    pub fn tap(card: &Card, amount: u64) -> Self {
        Self { amount: Some(amount), entry: Some(72), ..Self::of_card(card, 0, 0, 22) }
    }

    /// A balance inquiry with PIN.
    #[must_use]
    pub fn balance(card: &Card) -> Self {
        Self::of_card(card, 310_000, 0, 1).with_pin(&card.pin.clone(), card)
    }

    /// A cash load by stripe.
    #[must_use]
    pub fn load(card: &Card, amount: u64) -> Self {
        Self { amount: Some(amount), entry: Some(22), ..Self::of_card(card, 630_000, 91, 46) }
    }

    /// A void of all of a purchase, without PIN.
    #[must_use]
    pub fn void(card: &Card, amount: u64, of: &Receipt) -> Self {
        Self { rrn: Some(of.rrn.clone()), ..Self::following(card, 200_000, 0, 23, amount, of) }
    }

    /// A refund of all or part of a purchase, without PIN.
    #[must_use]
    pub fn refund(card: &Card, amount: u64, of: &Receipt) -> Self {
        let refund = Self::following(card, 200_000, 0, 25, amount, of);
        Self { mti: 0x0220, rrn: Some(of.rrn.clone()), ..refund }
    }

    /// A pre-authorization by stripe and PIN.
    #[must_use]
    pub fn pre_authorization(card: &Card, amount: u64) -> Self {
        let ask = Self { mti: 0x0100, amount: Some(amount), ..Self::of_card(card, 30_000, 6, 10) };
        ask.with_pin(&card.pin.clone(), card)
    }

    /// More to be held for a pre-authorization, by stripe and PIN.
    #[must_use]
    pub fn addition(card: &Card, amount: u64, of: &Receipt) -> Self {
        let addition = Self::following(card, 30_000, 60, 10, amount, of).with_pin(&card.pin.clone(), card);
        Self { mti: 0x0100, approval: Some(of.approval()), ..addition }
    }

    /// A void of a pre-authorization, without PIN.
    #[must_use]
    pub fn pre_authorization_void(card: &Card, amount: u64, of: &Receipt) -> Self {
        let void = Self::following(card, 200_000, 6, 11, amount, of);
        Self { mti: 0x0100, approval: Some(of.approval()), ..void }
    }

    /// A completion of a pre-authorization, without PIN.
    #[must_use]
    pub fn completion(card: &Card, amount: u64, of: &Receipt) -> Self {
        Self { approval: Some(of.approval()), ..Self::following(card, 0, 6, 20, amount, of) }
    }

    /// The same as an advice.
    #[must_use]
    pub fn completion_advice(card: &Card, amount: u64, of: &Receipt) -> Self {
        Self { mti: 0x0220, kind: 24, ..Self::completion(card, amount, of) }
    }

    /// A void of all of a completion, without PIN.
    #[must_use]
    pub fn completion_void(card: &Card, amount: u64, of: &Receipt) -> Self {
        Self { rrn: Some(of.rrn.clone()), ..Self::following(card, 200_000, 6, 21, amount, of) }
    }

    /// What follows a transaction and names it in field 61, but not yet in field 37 or 38.
    fn following(card: &Card, code: u32, condition: u8, kind: u32, amount: u64, of: &Receipt) -> Self {
        let ask = Self::of_card(card, code, condition, kind).without_pin();
        Self { amount: Some(amount), original: Some((of.batch, of.stan)), ..ask }
    }

    /// A sign-in for double-length working keys.
    #[must_use]
    pub fn sign_in() -> Self {
        Self::blank(0x0800, 0, 3)
    }

    /// The end of a shift.
    #[must_use]
    pub fn sign_off() -> Self {
        Self::blank(0x0820, 0, 2)
    }

    /// An echo test.
    #[must_use]
    pub fn echo() -> Self {
        Self::blank(0x0820, 0, 301)
    }

    /// The reversal of what was asked, whose STAN must be known by now: no track, no PIN, no RRN.
    #[must_use]
    pub fn reversal(&self) -> Self {
        Self {
            mti: 0x0400,
            reason: Some("98"),
            track: None,
            rrn: None,
            pin: None,
            pin_block: None,
            pin_format: None,
            entry: None,
            ..self.clone()
        }
    }

    /// With this PIN, in field 52 and 53, and field 22 saying so.
    #[must_use]
    pub fn with_pin(self, pin: &[u8], card: &Card) -> Self {
        let entry = self.entry.map(|entry| entry / 10 * 10 + 1);
        Self { pin: Some((pin.to_vec(), card.pan.clone())), pin_format: Some(ISO_0), entry, ..self }
    }

    /// Without a PIN, and field 22 saying so.
    #[must_use]
    pub fn without_pin(self) -> Self {
        let entry = self.entry.map(|entry| entry / 10 * 10 + 2);
        Self { pin: None, pin_block: None, pin_format: None, entry, ..self }
    }

    /// Writes the message behind `out`; field 64, if sealed, is still zero. Returns where the MAC's place is.
    pub(crate) fn write(&self, own: &Own, pin_block: Option<[u8; 8]>, out: &mut BytesMut) -> Option<usize> {
        let start = out.len();
        let mut message = Builder::new(Spec::pos(), out, Mti::new(self.mti));
        self.write_fields(own, pin_block, &mut message).expect("the harness builds what the table allows");
        let mac_at = self.sealed.then(|| message.mac_placeholder(64).expect("room for a MAC"));
        message.finish().expect("the harness builds what the table allows");
        mac_at.map(|at| start + at)
    }

    fn write_fields(
        &self,
        own: &Own,
        pin_block: Option<[u8; 8]>,
        message: &mut Builder<'_, '_>,
    ) -> Result<(), iso8583::EncodeError> {
        let number = |message: &mut Builder<'_, '_>, field, value: Option<u64>| match value {
            Some(value) => message.number(field, value).map(drop),
            None => Ok(()),
        };
        if let Some(pan) = &self.pan {
            message.digits(2, pan)?;
        }
        number(message, 3, self.code.map(u64::from))?;
        number(message, 4, self.amount)?;
        message.number(11, u64::from(self.stan))?;
        number(message, 14, self.expiry.map(u64::from))?;
        number(message, 22, self.entry.map(u64::from))?;
        number(message, 25, self.condition.map(u64::from))?;
        if pin_block.is_some() {
            message.number(26, 12)?;
        }
        if let Some(track) = &self.track {
            message.digits(35, track)?;
        }
        if let Some(rrn) = &self.rrn {
            message.text(37, rrn.as_bytes())?;
        }
        if let Some(approval) = &self.approval {
            message.text(38, approval.as_bytes())?;
        }
        if let Some(reason) = self.reason {
            message.text(39, reason.as_bytes())?;
        }
        message.text(41, &self.terminal.unwrap_or(own.terminal))?;
        message.text(42, &self.merchant.unwrap_or(own.merchant))?;
        if let Some(currency) = self.currency {
            message.text(49, format!("{currency:03}").as_bytes())?;
        }
        if let Some(block) = &pin_block {
            message.bytes(52, block)?;
        }
        if let Some(format) = self.pin_format {
            message.digits(53, format)?;
        }
        if let Some(chip) = &self.chip {
            message.bytes(55, chip)?;
        }
        if let Some(remark) = &self.remark {
            message.text(59, remark)?;
        }
        let partial = self.partial.map_or_else(String::new, |partial| format!("50{}", u8::from(partial)));
        let private: ArrayVec<u8, 16> =
            format!("{:02}{:06}{:03}{partial}", self.kind, self.batch.unwrap_or(own.batch), self.management)
                .bytes()
                .collect();
        message.digits(60, &private)?;
        if let Some((batch, stan)) = self.original {
            message.digits(61, format!("{batch:06}{stan:06}").as_bytes())?;
        }
        Ok(())
    }
}

/// What a terminal puts in by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) terminal: [u8; 8],
    pub(crate) merchant: [u8; 15],
    pub(crate) batch: u32,
}
