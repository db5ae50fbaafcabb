//! Changes of lists by name: the rows of an order, which come with it, go into the journal piece by piece, and then the order
//! itself. The stages' thread has one piece at a time, with a rest behind it, so that requests go in between.
//!
//! A body is an order's length (four bytes, big-endian), the order, and its rows packed.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{
    Admin, failed, joined, look,
    orders::{accept, carry_out_accepted, refused},
    question::Question,
    stopping,
};
use crate::{
    app::Control,
    audit::await_durable,
    books::{
        lists::{
            change::{How, ListRow, PIECE_ROWS, ROW_BYTES, list_name},
            key::ListKind,
        },
        order::{Order, What},
    },
    hex,
    journal::Seq,
    lists::beside::{ROWS_BYTES_MAX, are_of},
    orders::file,
};

/// Most bytes of a body.
const BODY_BYTES_MAX: usize = 4 + ORDER_BYTES_MAX + ROWS_BYTES_MAX;

/// Most bytes of the order in it.
const ORDER_BYTES_MAX: usize = 64 << 10;

const _: () = assert!(ORDER_BYTES_MAX as u64 == file::FILE_BYTES_MAX);

/// How long a body may take to arrive.
const BODY_WAIT: Duration = Duration::from_secs(60);

/// Rest of the stages' thread behind a piece.
const REST: Duration = Duration::from_millis(1);

/// Pieces that may be on their way to the disk: what is decided meanwhile stands behind them.
const PIECES_ON_THE_WAY: usize = 8;

/// What a change would find, for whoever tries it without an order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Found {
    /// Whether there is such a list; it is then of this kind.
    pub is_there: bool,
    /// Rows that are on it, by their places, the first [`PLACES_MAX`].
    pub places: Vec<u32>,
    /// How many that are.
    pub on_it: u32,
    /// Of a list of cards, how many are cards of this switch.
    pub ours: Option<u32>,
}

/// Most places that are told.
pub const PLACES_MAX: usize = 100;

/// A question what a change would find.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trying {
    /// The list.
    pub list: String,
    /// What it is a list of.
    pub kind: ListKind,
    /// What would be done.
    pub how: How,
}

/// Has the change of a list carried out; answers once that is durable.
pub(super) async fn change(State(admin): State<Admin>, request: Request) -> Response {
    // One at a time: each has megabytes, and two of one list would take each other's place.
    let Ok(_changing) = admin.changing.clone().try_acquire_owned() else { return busy() };
    let body = match body(request).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Some((json, rows)) = split(&body) else { return no_body() };
    let order = match file::parse(json) {
        Ok(order) => order,
        Err(why) => return refused(StatusCode::UNPROCESSABLE_ENTITY, format!("it is no order: {why}")),
    };
    if let Err(answer) = accept(&admin, &order).await {
        return answer;
    }
    match &order.order.what {
        What::ChangeListIn { change, .. } if are_of(change, rows) => {}
        What::ChangeListIn { .. } => {
            let why = "the rows are not those that the order was signed for".to_owned();
            return refused(StatusCode::CONFLICT, why);
        }
        _ => return refused(StatusCode::CONFLICT, "the order changes no list".to_owned()),
    }
    match stage(&admin, &order.order, rows).await {
        Ok(()) => carry_out_accepted(&admin, order).await,
        Err(answer) => answer,
    }
}

/// Has the rows recorded that are not yet.
async fn stage(admin: &Admin, order: &Order, rows: &[u8]) -> Result<(), Response> {
    let order = Arc::new(order.clone());
    let asked = Arc::clone(&order);
    let staged = look(admin, move |books| books.rows_staged(&asked)).await.ok_or_else(stopping)?;
    // A change that was broken off goes on behind its last whole piece.
    let rest = rows.get(staged as usize * ROW_BYTES..).unwrap_or_default();
    for (number, piece) in rest.chunks(PIECE_ROWS * ROW_BYTES).enumerate() {
        let seq = record(admin, Arc::clone(&order), piece.to_vec()).await?;
        if number % PIECES_ON_THE_WAY == PIECES_ON_THE_WAY - 1 {
            durable(admin, seq).await?;
        }
        tokio::time::sleep(REST).await;
    }
    Ok(())
}

async fn record(admin: &Admin, order: Arc<Order>, piece: Vec<u8>) -> Result<Seq, Response> {
    let (tell, told) = oneshot::channel();
    let record = Control::Record(Box::new(move |books, now| {
        let (decided, seq) = (books.decide_order_rows(&order, &piece, now), books.seq() + 1);
        let (outcome, event) = match decided {
            Ok(event) => (Ok(seq), Some(event)),
            Err(refusal) => (Err(refusal), None),
        };
        let _asker_gone = tell.send(outcome);
        event
    }));
    admin.control.send(record).await.map_err(|_| stopping())?;
    match told.await {
        Ok(Ok(seq)) => Ok(seq),
        Ok(Err(refusal)) => Err(refused(StatusCode::CONFLICT, refusal.to_string())),
        Err(_) => Err(stopping()),
    }
}

async fn durable(admin: &Admin, seq: Seq) -> Result<(), Response> {
    let reader = Arc::clone(&admin.reader);
    let durable = tokio::task::spawn_blocking(move || {
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        await_durable(reader.as_ref(), seq)
    });
    joined(durable).await.map_err(|error| failed(&error))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StagedQuery {
    order: String,
}

/// How many rows of an order are staged.
pub(super) async fn staged(State(admin): State<Admin>, Question(query): Question<StagedQuery>) -> Response {
    let Some(order) = hex::bytes::<16>(&query.order) else {
        return refused(StatusCode::BAD_REQUEST, "an order's number has 32 hex digits".to_owned());
    };
    match look(&admin, move |books| books.lists().staged(&order)).await {
        Some(staged) => Json(staged).into_response(),
        None => stopping(),
    }
}

/// What a change would find now. Rows are looked up a piece at a time.
pub(super) async fn trying(State(admin): State<Admin>, request: Request) -> Response {
    let Ok(_changing) = admin.changing.clone().try_acquire_owned() else { return busy() };
    let body = match body(request).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Some((json, rows)) = split(&body) else { return no_body() };
    let Ok(trying) = serde_json::from_slice::<Trying>(json) else { return no_body() };
    let (Some(name), true) = (list_name(&trying.list), rows.len() % ROW_BYTES == 0) else { return no_body() };
    let mut found = Found { is_there: false, places: Vec::new(), on_it: 0, ours: None };
    let (kind, mut first) = (trying.kind, 0);
    for piece in rows.chunks(PIECE_ROWS * ROW_BYTES) {
        let piece = piece.to_vec();
        let looked = look(&admin, move |books| {
            let list = books.lists().named(&name).filter(|list| list.kind() == kind);
            let mut places = Vec::new();
            let mut ours = 0;
            for (place, row) in (first..).zip(ListRow::unpack(&piece).into_iter().flatten()) {
                if list.is_some_and(|list| list.holds(&row.key, books.time_ms())) {
                    places.push(place);
                }
                ours += u32::from(kind == ListKind::Card && books.find_card(&row.key.0).is_some());
            }
            (places, ours)
        });
        let Some((places, ours)) = looked.await else { return stopping() };
        found.on_it += u32::try_from(places.len()).unwrap_or(0);
        let room = PLACES_MAX - found.places.len();
        found.places.extend(places.into_iter().take(room));
        if kind == ListKind::Card {
            found.ours = Some(found.ours.unwrap_or(0) + ours);
        }
        first += u32::try_from(PIECE_ROWS).unwrap_or(0);
        tokio::time::sleep(REST).await;
    }
    let fits = look(&admin, move |books| match books.lists().named(&name) {
        None => Ok(false),
        Some(list) if list.kind() == kind => Ok(true),
        Some(list) => Err(format!("list {name} is a list of {}, not of {}", list.kind().name(), kind.name())),
    });
    match fits.await {
        Some(Ok(is_there)) => Json(Found { is_there, ..found }).into_response(),
        Some(Err(why)) => refused(StatusCode::CONFLICT, why),
        None => stopping(),
    }
}

async fn body(request: Request) -> Result<axum::body::Bytes, Response> {
    let read = tokio::time::timeout(BODY_WAIT, to_bytes(request.into_body(), BODY_BYTES_MAX));
    let why = "it does not arrive, or is longer than an order and its rows may be".to_owned();
    let read = read.await.ok().and_then(Result::ok);
    read.ok_or_else(|| refused(StatusCode::PAYLOAD_TOO_LARGE, why))
}

/// A body's order and rows.
fn split(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// A body of an order, or of a question, and rows.
#[must_use]
pub fn join(json: &[u8], rows: &[u8]) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), json, rows].concat()
}

fn no_body() -> Response {
    let why = "the body is no length, order and rows".to_owned();
    refused(StatusCode::UNPROCESSABLE_ENTITY, why)
}

fn busy() -> Response {
    let why = "a list is being changed for somebody else; try again later".to_owned();
    refused(StatusCode::TOO_MANY_REQUESTS, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_split_into_what_it_was_joined_of() {
        assert_eq!(split(&join(b"{}", b"rows")), Some((&b"{}"[..], &b"rows"[..])));
        for torn in [&b""[..], b"\0\0\0", b"\0\0\0\x03{}", b"\xFF\xFF\xFF\xFF"] {
            assert_eq!(split(torn), None, "{torn:?}");
        }
    }
}
