//! Orders that two officers have signed, carried out by a running switch. Who sends one does not matter: the signatures do.

use std::sync::{Arc, PoisonError};

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
    books::ordered::ORDER_BYTES_MAX,
    journal::{RECORD_BODY_MAX, Seq},
    orders::file,
};

// What the books let pass fits into a record; else an order would be called carried out that is not.
const _: () = assert!(ORDER_BYTES_MAX <= RECORD_BODY_MAX);

/// Where an order stands in the journal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CarriedOut {
    /// The record with the order and what was done.
    pub seq: Seq,
}

/// Carries out an order; answers once that is durable.
pub(super) async fn carry_out(State(admin): State<Admin>, body: Bytes) -> Response {
    let refused = |status: StatusCode, why: String| (status, format!("{why}\n")).into_response();
    let Some(officers) = admin.officers.clone() else {
        let why = "nobody's order counts: orders.officers names no file of officers".to_owned();
        return refused(StatusCode::FORBIDDEN, why);
    };
    if body.len() as u64 > file::FILE_BYTES_MAX {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "it is longer than an order may be".to_owned());
    }
    let order = match file::parse(&body) {
        Ok(order) => order,
        Err(why) => return refused(StatusCode::UNPROCESSABLE_ENTITY, format!("it is no order: {why}")),
    };
    if let Err(error) = officers.check_signatures(&order) {
        tracing::warn!(%error, "an order was refused");
        return refused(StatusCode::FORBIDDEN, error.to_string());
    }
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
