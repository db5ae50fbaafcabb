//! What is asked of a page behind its `?`. Mistakes are answered without quoting them: somebody may have put a card
//! number there.

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

const REFUSED: &str =
    "the question has a name that this page does not know, or a value that it cannot read\n";

/// The values of a query.
pub(super) struct Question<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Question<T> {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let asked = Query::from_request_parts(parts, state).await;
        let Query(values) = asked.map_err(|_| (StatusCode::BAD_REQUEST, REFUSED))?;
        Ok(Self(values))
    }
}
