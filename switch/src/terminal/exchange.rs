//! What came of a request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use iso8583::{DecodeError, Message};

use super::CURRENCY;
use super::compose::Draft;
use super::frame::Frame;
use super::service::Original;

/// A request and its answer, if one came in time. `Debug` masks both.
#[derive(Clone)]
pub struct Exchange {
    /// What was sent.
    pub request: Frame,
    /// What came back; `None` if nothing did in time.
    pub answer: Option<Frame>,
    /// Field 11 of the request.
    pub stan: u32,
    /// Field 39 of the answer.
    pub code: Option<[u8; 2]>,
    /// Field 54 of the answer: what is available on the card, minor units.
    pub balance: Option<i64>,
    /// Field 4 of the answer, or of the request without one, minor units.
    pub amount: Option<i64>,
    /// Field 37 of the answer: its retrieval reference number.
    pub rrn: Option<[u8; 12]>,
    /// Field 38 of the answer: its approval code.
    pub approval: Option<[u8; 6]>,
    /// From the first byte sent to the last byte received, or to giving up.
    pub took: Duration,
    /// Whether the answer's MAC is right. `None` where none is due: the request had none, there is no answer, or its
    /// code says that the switch could not make one (A0, 30, 97, 77). `Some(false)` means: no answer, reverse it.
    pub mac_ok: Option<bool>,
    /// The request before keys were used on it, to repeat it under others.
    pub(super) draft: Option<Arc<Draft>>,
}

/// Codes whose answers carry no MAC: it failed, or there is no key to make one with.
const UNSEALED: [&[u8; 2]; 4] = [b"A0", b"30", b"97", b"77"];

impl Exchange {
    /// Whether it was answered 00, and authentically where the request was.
    #[must_use]
    pub fn approved(&self) -> bool {
        self.code == Some(*b"00") && self.mac_ok != Some(false)
    }

    /// Field 39 for people; `--` if no answer came.
    #[must_use]
    pub fn code_text(&self) -> String {
        self.code.map_or_else(|| "--".to_owned(), |code| code.escape_ascii().to_string())
    }

    /// What a request that follows this one calls it.
    #[must_use]
    pub fn original(&self) -> Original {
        let message = self.request.message().ok();
        let batch = message.and_then(|message| {
            let digits = message.digits(60)?.iter().skip(2).take(6);
            Some(digits.fold(0, |batch, digit| batch * 10 + u32::from(digit)))
        });
        Original { rrn: self.rrn, approval: self.approval, number: batch.map(|batch| (batch, self.stan)) }
    }

    /// Field 7 of the request, `MMDDhhmmss` UTC: with the STAN it names a request of `atm`.
    #[must_use]
    pub fn transmitted(&self) -> Option<u32> {
        self.request.message().ok()?.number(7)?.try_into().ok()
    }

    /// Whether another exchange was answered the same. MACs are left out: each is made with the keys of its own
    /// request.
    #[must_use]
    pub fn answered_as(&self, other: &Self) -> bool {
        let told = |exchange: &Self| {
            let message = exchange.answer.as_ref()?.message().ok()?;
            let end = message.start(mac_field(&message)).unwrap_or(message.bytes().len());
            message.bytes().get(..end).map(<[u8]>::to_vec)
        };
        told(self) == told(other)
    }

    /// The exchange that `sent` opened and no answer closed.
    pub(super) fn unanswered(request: Frame, sent: &Message<'_>, took: Duration) -> Self {
        Self {
            stan: stan(sent),
            amount: amount(sent),
            request,
            answer: None,
            code: None,
            balance: None,
            rrn: None,
            approval: None,
            took,
            mac_ok: None,
            draft: None,
        }
    }

    /// Reads an answer into the exchange it closes. `verify` is given what a MAC covers, and the MAC.
    pub(super) fn answered(
        self,
        answer: Frame,
        verify: impl FnOnce(&[u8], &[u8; 8]) -> bool,
    ) -> Result<Self, DecodeError> {
        let message = answer.message()?;
        let code = message.fixed(39);
        let field = mac_field(&message);
        let mac_ok = match (message.fixed(field), message.start(field)) {
            (Some(mac), Some(end)) => Some(verify(&message.bytes()[..end], &mac)),
            _ => {
                let request = self.request.message()?;
                let due = request.has(mac_field(&request));
                let excused = code.is_some_and(|code| UNSEALED.contains(&&code));
                (due && !excused).then_some(false)
            }
        };
        let (balance, rrn) = (message.text(54).and_then(available), message.fixed(37));
        let (amount, approval) = (amount(&message).or(self.amount), message.fixed(38));
        Ok(Self { code, balance, amount, rrn, approval, mac_ok, answer: Some(answer), ..self })
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("request", &self.request)
            .field("answer", &self.answer)
            .field("mac_ok", &self.mac_ok)
            .field("took", &self.took)
            .finish_non_exhaustive()
    }
}

/// Where the MAC stands: 128 if any field above 64 is there, as it must cover them all.
pub(super) fn mac_field(message: &Message<'_>) -> u8 {
    if message.fields().any(|field| field > 64) { 128 } else { 64 }
}

/// Field 11; it has six digits, so it always fits.
pub(super) fn stan(message: &Message<'_>) -> u32 {
    message.number(11).and_then(|stan| u32::try_from(stan).ok()).unwrap_or_default()
}

fn amount(message: &Message<'_>) -> Option<i64> {
    message.number(4).and_then(|amount| i64::try_from(amount).ok())
}

/// The available amount in field 54: account type (2), amount type 02, currency (3), sign `C` or `D`, amount (12).
fn available(items: &[u8]) -> Option<i64> {
    let mut items = items.chunks_exact(20);
    let item = items.find(|item| item[2..4] == *b"02" && item[4..7] == *CURRENCY)?;
    let amount = item[8..].iter().try_fold(0_i64, |amount, digit| {
        digit.is_ascii_digit().then(|| amount * 10 + i64::from(digit - b'0'))
    })?;
    match item[7] {
        b'C' => Some(amount),
        b'D' => Some(-amount),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_available_amount_is_read_with_its_sign() {
        for (name, items, want) in [
            ("credit", &b"0002156C000000012345"[..], Some(12_345)),
            ("debit", b"0002156D000000000007", Some(-7)),
            ("second of two", b"0001156C0000000000990002156C000000000011", Some(11)),
            ("another currency", b"0002840C000000012345", None),
            ("no sign", b"0002156 000000012345", None),
            ("no digit", b"0002156C00000001234X", None),
            ("cut short", b"0002156C00000001234", None),
        ] {
            assert_eq!(available(items), want, "{name}");
        }
    }
}
