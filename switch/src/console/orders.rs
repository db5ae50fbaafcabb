//! Orders that two officers have signed, carried out by a running switch. Who sends one does not matter: the signatures do.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{Admin, failed, joined, stopping};
use crate::{
    app::Control,
    audit,
    books::{order::SignedOrder, ordered::ORDER_BYTES_MAX},
    clock::stopwatch,
    journal::{RECORD_BODY_MAX, Seq},
    orders::{OrderError, file},
};

const SECOND: Duration = Duration::from_secs(1);

const OTHER_JOURNAL: &str =
    "the order is for another journal: the record that it names is not there, or has another hash";

// What the books let pass fits into a record; else an order would be called carried out that is not.
const _: () = assert!(ORDER_BYTES_MAX <= RECORD_BODY_MAX);

/// Where an order stands in the journal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CarriedOut {
    /// The record with the order and what was done.
    pub seq: Seq,
}

/// Refused orders told of in the log within a second.
const TOLD_PER_SECOND: u32 = 10;

/// Tells of refused orders, up to [`TOLD_PER_SECOND`]: anyone can send one, and nobody may fill the disk with them. What it
/// tells has a limit as well, an officer's name at most.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    /// When the second began, how many it has told of, and how many it has not.
    second: Option<(Instant, u32)>,
    untold: u64,
}

impl RefusalLog {
    fn tell(&mut self, error: &OrderError) {
        if self.counts_at(stopwatch()) {
            let untold = std::mem::take(&mut self.untold);
            tracing::warn!(%error, untold, "an order was refused");
        }
    }

    /// Whether one more is told of now.
    fn counts_at(&mut self, now: Instant) -> bool {
        let (began, told) = self.second.filter(|(began, _)| now - *began < SECOND).unwrap_or((now, 0));
        self.second = Some((began, told.saturating_add(1)));
        let tells = told < TOLD_PER_SECOND;
        self.untold += u64::from(!tells);
        tells
    }
}

/// Carries out an order; answers once that is durable.
pub(super) async fn carry_out(State(admin): State<Admin>, body: Bytes) -> Response {
    if body.len() as u64 > file::FILE_BYTES_MAX {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "it is longer than an order may be".to_owned());
    }
    let order = match file::parse(&body) {
        Ok(order) => order,
        Err(why) => return refused(StatusCode::UNPROCESSABLE_ENTITY, format!("it is no order: {why}")),
    };
    match accept(&admin, &order).await {
        Ok(()) => carry_out_accepted(&admin, order).await,
        Err(answer) => answer,
    }
}

/// Whether two officers signed an order, for this journal.
pub(super) async fn accept(admin: &Admin, order: &SignedOrder) -> Result<(), Response> {
    let Some(officers) = &admin.officers else {
        let why = "nobody's order counts: orders.officers names no file of officers".to_owned();
        return Err(refused(StatusCode::FORBIDDEN, why));
    };
    if let Err(error) = officers.check_signatures(order) {
        admin.refusals.lock().unwrap_or_else(PoisonError::into_inner).tell(&error);
        return Err(refused(StatusCode::FORBIDDEN, error.to_string()));
    }
    let Some(journal) = order.order.what.journal() else { return Ok(()) };
    let ours = Arc::clone(&admin.journal);
    match joined(tokio::task::spawn_blocking(move || ours.has(journal))).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused(StatusCode::CONFLICT, OTHER_JOURNAL.to_owned())),
        Err(error) => Err(failed(&error)),
    }
}

/// Carries out an order that was accepted; answers once that is durable.
pub(super) async fn carry_out_accepted(admin: &Admin, order: SignedOrder) -> Response {
    let (tell, told) = oneshot::channel();
    let record = Control::Record(Box::new(move |books, now| {
        let (decided, seq) = (books.decide_order(&order, now), books.seq() + 1);
        let (outcome, event) = match decided {
            Ok(event) => (Ok(seq), Some(event)),
            Err(refusal) => (Err(refusal), None),
        };
        let _asker_gone = tell.send(outcome);
        event
    }));
    if admin.control.send(record).await.is_err() {
        return stopping();
    }
    let seq = match told.await {
        Ok(Ok(seq)) => seq,
        Ok(Err(refusal)) => return refused(StatusCode::CONFLICT, refusal.to_string()),
        Err(_) => return stopping(),
    };
    let reader = Arc::clone(&admin.reader);
    let durable = tokio::task::spawn_blocking(move || {
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        audit::await_durable(reader.as_ref(), seq)
    });
    match joined(durable).await {
        Ok(()) => Json(CarriedOut { seq }).into_response(),
        Err(error) => failed(&error),
    }
}

pub(super) fn refused(status: StatusCode, why: String) -> Response {
    (status, format!("{why}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refused_orders_is_told_of_ten_times_a_second() {
        let (mut log, begun) = (RefusalLog::default(), stopwatch());
        let told = |log: &mut RefusalLog, at_ms| log.counts_at(begun + Duration::from_millis(at_ms));
        let first = (0..500).filter(|at| told(&mut log, *at)).count();
        assert_eq!((first, log.untold), (10, 490));
        assert!(told(&mut log, 1_000), "the next second has ten of its own");
    }
}
