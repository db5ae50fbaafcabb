//! Events as version 3 wrote them, before decisions said what rules were told and which of a published set fired. Read,
//! never written.
//!
//! Of all events only the decision has another form now, and no order ever decided a request, so everything else is read as
//! it is written today. Start at [`read`].

use serde::Deserialize;

use super::{Decided, Event, OnOriginal, PlacedHold, Pvv, ReversalEffect};
use crate::{
    books::{
        notices::Cause,
        reason::Reason,
        request::{Kind, Phone, Shown},
        transactions::TransactionKey,
    },
    ledger::{Currency, Minor, Postings, holds::HoldId},
};

/// The place of the decision among the events.
const DECIDED: u32 = 12;

/// Reads an event behind its version byte.
pub(super) fn read(bytes: &[u8]) -> Result<Event, postcard::Error> {
    match postcard::take_from_bytes::<u32>(bytes)? {
        (DECIDED, rest) => {
            postcard::from_bytes::<DecidedV3>(rest).map(|decided| Event::Decided(decided.into()))
        }
        _ => postcard::from_bytes(bytes),
    }
}

#[derive(Deserialize)]
struct DecidedV3 {
    key: TransactionKey,
    kind: Kind,
    card: Option<u32>,
    amount: Minor,
    partial: Option<Minor>,
    currency: Currency,
    fee: Minor,
    fee_rule: Option<u16>,
    reason: Reason,
    shown: Option<Shown>,
    pin_tries: Option<u8>,
    pvv: Option<Pvv>,
    activates: bool,
    blocks: bool,
    forced: bool,
    adopts: Option<u32>,
    random: Option<[u8; 8]>,
    calling: Option<Phone>,
    reversal: Option<(TransactionKey, ReversalEffect)>,
    original: Option<OnOriginal>,
    particulars: u64,
    releases: Option<HoldId>,
    places: Option<PlacedHold>,
    hold_of: Option<u64>,
    fired: u64,
    notice: Option<Cause>,
    postings: Postings,
}

impl From<DecidedV3> for Decided {
    fn from(decided: DecidedV3) -> Self {
        Self {
            key: decided.key,
            kind: decided.kind,
            card: decided.card,
            amount: decided.amount,
            partial: decided.partial,
            currency: decided.currency,
            fee: decided.fee,
            fee_rule: decided.fee_rule,
            reason: decided.reason,
            shown: decided.shown,
            pin_tries: decided.pin_tries,
            pvv: decided.pvv,
            activates: decided.activates,
            blocks: decided.blocks,
            forced: decided.forced,
            adopts: decided.adopts,
            random: decided.random,
            calling: decided.calling,
            reversal: decided.reversal,
            original: decided.original,
            particulars: decided.particulars,
            releases: decided.releases,
            places: decided.places,
            hold_of: decided.hold_of,
            fired: decided.fired,
            judged: None,
            stranger: None,
            notice: decided.notice,
            postings: decided.postings,
        }
    }
}
