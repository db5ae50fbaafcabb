//! Settling a day on a running switch: one order ends the day if it is still open, one question makes its files.

use std::sync::{Arc, PoisonError};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::civil::Date;
use tokio::sync::oneshot;

use super::{Admin, busy, failed, joined, stopping};
use crate::{
    app::Control,
    audit,
    journal::{Reader, Seq},
    settlement::{self, Settled, SettlementError, closing, file},
};

/// Whether this is an order: JSON, and nothing in it. A page in a browser cannot send JSON elsewhere without asking
/// first, so none can end a day behind its reader's back. No reader of JSON looks at the body: it would quote what it did
/// not expect, and that may be a card number.
fn is_order(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    is_json && body.iter().filter(|byte| !byte.is_ascii_whitespace()).eq(b"{}")
}

/// Ends the day if it is open; answers once that is durable.
pub(super) async fn cut_over(
    State(admin): State<Admin>,
    Path(day): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_order(&headers, &body) {
        return (StatusCode::UNPROCESSABLE_ENTITY, "the body of an order is {}, as application/json\n")
            .into_response();
    }
    let Ok(day) = day.parse::<Date>() else { return not_a_day() };
    let (tell, told) = oneshot::channel();
    let order = Control::Record(Box::new(move |books, _| {
        let (ends, seq) = (closing::cut_over(books, day), books.seq());
        let (outcome, event) = match ends {
            Ok(Some(event)) => (Ok(seq + 1), Some(event)),
            Ok(None) => (Ok(seq), None),
            Err(error) => (Err(error), None),
        };
        let _asker_gone = tell.send(outcome);
        event
    }));
    if admin.control.send(order).await.is_err() {
        return stopping();
    }
    let seq: Seq = match told.await {
        Ok(Ok(seq)) => seq,
        Ok(Err(error)) => return refused(&error),
        Err(_) => return stopping(),
    };
    let reader = Arc::clone(&admin.reader);
    let durable = tokio::task::spawn_blocking(move || {
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        audit::await_durable(reader.as_ref(), seq)
    });
    match joined(durable).await {
        Ok(()) => Json(serde_json::json!({ "closed": day.to_string() })).into_response(),
        Err(error) => failed(&error),
    }
}

/// Makes the files of a closed day.
pub(super) async fn settle(State(admin): State<Admin>, Path(day): Path<String>) -> Response {
    let Ok(day) = day.parse::<Date>() else { return not_a_day() };
    let Ok(replaying) = admin.replaying.clone().try_acquire_owned() else { return busy() };
    let reader = Arc::clone(&admin.reader);
    let settled = tokio::task::spawn_blocking(move || {
        let _replaying = replaying;
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        settled(reader.as_ref(), day)
    });
    match joined(settled).await {
        Ok(settled) => Json(settled).into_response(),
        Err(error) => refused(&error),
    }
}

/// The rows go through a temporary folder, so that only the finished text is held in memory.
fn settled(reader: &dyn Reader, day: Date) -> Result<Settled, SettlementError> {
    let folder = tempfile::tempdir()?;
    let summary = settlement::settle(reader, day, folder.path(), &mut |_| ())?;
    let files = file::texts(folder.path(), &summary.files)?;
    Ok(Settled { summary, files })
}

fn not_a_day() -> Response {
    (StatusCode::BAD_REQUEST, "a day is written as 2026-11-21\n").into_response()
}

/// A day that has not begun, or is not over, is the asker's mistake; all else is the switch's.
fn refused(error: &SettlementError) -> Response {
    use SettlementError::{Ahead, BeforeFirst, Future, NotBegun, Open};
    match error {
        NotBegun | Ahead(_) | Future { .. } | Open { .. } | BeforeFirst { .. } => {
            (StatusCode::CONFLICT, format!("{error}\n")).into_response()
        }
        _ => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn an_order_is_json_and_says_nothing() {
        let rows = [
            ("application/json", "{}", true),
            ("application/json; charset=utf-8", " { }\n", true),
            ("Application/JSON", "{}", true),
            ("application/json", "", false),
            ("application/json", "{\"day\":1}", false),
            ("application/json", "9156009224100010", false),
            ("text/plain", "{}", false),
            ("application/x-www-form-urlencoded", "{}", false),
        ];
        for (kind, body, want) in rows {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert_eq!(is_order(&headers, body.as_bytes()), want, "{kind}: {body}");
        }
        assert!(!is_order(&HeaderMap::new(), b"{}"), "a form in a browser sends no such header");
    }
}
