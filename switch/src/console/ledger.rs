//! Pages that replay the journal for a day or a period: the trial balance, and an orderer's statement.

use std::sync::{Arc, PoisonError};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::civil::Date;
use serde::Deserialize;

use super::{Admin, busy, failed, joined, look_through, question::Question, stopping};
use crate::{
    audit::{AuditError, chart::chart_view, orderer, trial},
    journal::Reader,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrialQuery {
    day: Option<String>,
}

/// The trial balance of a day; of the open one, without a day.
pub(super) async fn trial(State(admin): State<Admin>, Question(query): Question<TrialQuery>) -> Response {
    let Ok(day) = query.day.map(|day| day.parse::<Date>()).transpose() else { return not_a_day() };
    let made = replaying(&admin, move |reader| trial::trial(reader, reader.head().seq, day, &mut |_| ()));
    match made.await {
        Some(Ok(trial)) => Json(trial).into_response(),
        Some(Err(error @ AuditError::NoSuchDay)) => {
            (StatusCode::CONFLICT, format!("{error}\n")).into_response()
        }
        Some(Err(error)) => failed(&error),
        None => busy(),
    }
}

/// The chart of accounts.
pub(super) async fn chart(State(admin): State<Admin>) -> Response {
    match look_through(&admin, chart_view).await {
        Some(chart) => Json(chart).into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeriodQuery {
    first: String,
    last: String,
}

/// The statement of an orderer.
pub(super) async fn orderer_statement(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    Question(query): Question<PeriodQuery>,
) -> Response {
    let (Ok(first), Ok(last)) = (query.first.parse::<Date>(), query.last.parse::<Date>()) else {
        return not_a_day();
    };
    let made = replaying(&admin, move |reader| {
        orderer::orderer_statement(reader, reader.head().seq, &name, (first, last), &mut |_| ())
    });
    match made.await {
        Some(Ok(Some(statement))) => Json(statement).into_response(),
        Some(Ok(None)) => (StatusCode::NOT_FOUND, "no such orderer\n").into_response(),
        Some(Err(error)) => failed(&error),
        None => busy(),
    }
}

/// Replays on a thread of its own; nothing if somebody's replay is under way.
async fn replaying<T: Send + 'static>(
    admin: &Admin,
    replay: impl FnOnce(&dyn Reader) -> Result<T, AuditError> + Send + 'static,
) -> Option<Result<T, AuditError>> {
    let replaying = admin.replaying.clone().try_acquire_owned().ok()?;
    let reader = Arc::clone(&admin.reader);
    let made = tokio::task::spawn_blocking(move || {
        // Kept here, not beside: whoever asked may hang up, and the replay goes on.
        let _replaying = replaying;
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        replay(reader.as_ref())
    });
    Some(joined(made).await)
}

fn not_a_day() -> Response {
    (StatusCode::BAD_REQUEST, "a day is written like 2026-11-21\n").into_response()
}
