//! What follows from an order on a serving switch. Who signed it, and whether they may, is asked before
//! ([`crate::orders`]); here it is done once, and only if it can be.

use super::{
    Books,
    alerts::AlertFault,
    apply::ApplyError,
    decide::operations::OperationError,
    event::{Event, Ordered},
    lists::ListFault,
    order::{DoneOrder, Order, SignedOrder, What},
    rulebook::RulesFault,
};
use crate::clock::Moment;

/// Why an order is not carried out. Nothing happens.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OrderRefusal {
    /// It was carried out before.
    #[error("the order was carried out before")]
    Done,
    /// Its time is over.
    #[error("the order's time is over; make a new one")]
    Expired,
    /// It was made before the journal went on from an earlier record, and may have been carried out behind that.
    #[error("the order was made before this epoch began; make a new one")]
    EarlierEpoch,
    /// Nobody's order is good for that long.
    #[error("the order is good for more than 168 hours; make a new one")]
    TooLongGood,
    /// It says nothing of the journal that it is for.
    #[error("the order names no journal, so it would be good in every one; make a new one")]
    AnyJournal,
    /// It does not fit into a record.
    #[error(
        "the order would take {bytes} bytes of the journal, and a record holds {max}; a fee schedule or chart must name less, a set of rules must be shorter"
    )]
    TooLong {
        /// What it would take.
        bytes: usize,
        /// What there is.
        max: usize,
    },
    /// It is about a journal that nobody serves from.
    #[error(
        "this is carried out on the data folder of a stopped switch: cardswitch order carry-out FILE --config CONFIG"
    )]
    Stopped,
    /// It cannot be done.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The rules cannot be put in force.
    #[error(transparent)]
    Rules(#[from] RulesFault),
    /// The list cannot be changed.
    #[error(transparent)]
    List(#[from] ListFault),
    /// Nothing of the kind can be done with the alert.
    #[error(transparent)]
    Alert(#[from] AlertFault),
}

/// Most bytes that the event of an order may take: what a record of the journal holds.
pub const ORDER_BYTES_MAX: usize = 16 * 1024;

/// Longest that an order may be good for, milliseconds: `cardswitch order --valid-h` says the same.
const GOOD_FOR_MS_MAX: i64 = 168 * 3_600_000;

impl Books {
    /// Decides an order at `now`; what to record if it can be carried out. Whether the place that it names is one of this
    /// journal is asked before, because books know no journal.
    ///
    /// # Errors
    /// See [`OrderRefusal`].
    pub fn decide_order(&self, signed: &SignedOrder, now: &Moment) -> Result<Event, OrderRefusal> {
        let order = &signed.order;
        self.check_order(order, now)?;
        let done = match &order.what {
            What::BeginEpoch { .. } => return Err(OrderRefusal::Stopped),
            What::Operate(_) | What::PublishRules(_) => return Err(OrderRefusal::AnyJournal),
            What::OperateIn { operation, .. } => self.decide_operation(operation, now)?,
            What::PublishRulesIn { files, .. } => self.decide_rules(files)?,
            What::PublishPackedRulesIn { files, .. } => {
                self.decide_rules(&files.files().ok_or(RulesFault::Packed)?)?
            }
            What::ChangeListIn { .. } => self.decide_list(order)?,
            What::HandleAlert { alert, step, .. } => {
                let by = signed.signatures.first().map(|signature| signature.officer);
                self.decide_alert(*alert, by, *step)?
            }
            What::SnoozeRule { alert, rule, until_ms, .. } => {
                self.decide_snooze(*alert, rule, *until_ms, now.unix_ms())?
            }
        };
        let event = Event::Ordered(Box::new(Ordered { order: signed.clone(), done }));
        let mut body = Vec::new();
        event.write(&mut body);
        let (bytes, max) = (body.len(), ORDER_BYTES_MAX);
        if bytes > max { Err(OrderRefusal::TooLong { bytes, max }) } else { Ok(event) }
    }

    /// Decides the next piece of the rows that belong to an order.
    ///
    /// # Errors
    /// As [`Books::decide_order`], and see [`ListFault`].
    pub fn decide_order_rows(&self, order: &Order, rows: &[u8], now: &Moment) -> Result<Event, OrderRefusal> {
        self.check_order(order, now)?;
        Ok(self.decide_rows(order, rows)?)
    }

    /// Whether an order can be carried out at all.
    fn check_order(&self, order: &Order, now: &Moment) -> Result<(), OrderRefusal> {
        if now.unix_ms() > order.expires_ms {
            return Err(OrderRefusal::Expired);
        }
        if order.made_ms < self.epoch_began_ms() {
            return Err(OrderRefusal::EarlierEpoch);
        }
        if order.expires_ms.saturating_sub(order.made_ms) > GOOD_FOR_MS_MAX {
            return Err(OrderRefusal::TooLongGood);
        }
        if self.orders_done.iter().any(|done| done.id == order.id) {
            return Err(OrderRefusal::Done);
        }
        Ok(())
    }

    /// An order stays known until it could not be carried out any more.
    pub(super) fn remember_order(&mut self, order: &Order) {
        let now_ms = self.time_ms;
        self.orders_done.retain(|done| done.expires_ms >= now_ms);
        self.orders_done.push(DoneOrder { id: order.id, expires_ms: order.expires_ms });
    }

    pub(super) fn reset_pin_tries(&mut self, card: u32) -> Result<(), ApplyError> {
        let seq = self.seq;
        let reset = self.cards.change(card, |card| card.pin_tries = 0);
        reset.map_err(|_| ApplyError::NoSuch { seq, what: "card" })
    }
}
