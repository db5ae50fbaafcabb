//! Pages that look something up in the books: notices, a card, a terminal. Cards are asked for by BIN and last four
//! digits, so that no card number stands in a URL.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{Admin, look, question::Question, stopping};
use crate::audit::{
    card::{self, CardMask},
    notices, terminal,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticesQuery {
    after: Option<u64>,
}

pub(super) async fn notices(State(admin): State<Admin>, Question(query): Question<NoticesQuery>) -> Response {
    match look(&admin, move |books| notices::notices(books, query.after.unwrap_or(0))).await {
        Some(list) => Json(list).into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardsQuery {
    bin: u32,
    last_four: u16,
}

pub(super) async fn cards(State(admin): State<Admin>, Question(query): Question<CardsQuery>) -> Response {
    let mask = CardMask { bin: query.bin, last_four: query.last_four };
    match look(&admin, move |books| card::cards(books, mask)).await {
        Some(cards) => Json(cards).into_response(),
        None => stopping(),
    }
}

pub(super) async fn terminal(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    match look(&admin, move |books| terminal::terminal(books, &id)).await {
        Some(Some(terminal)) => Json(terminal).into_response(),
        Some(None) => (StatusCode::NOT_FOUND, "no such terminal\n").into_response(),
        None => stopping(),
    }
}
