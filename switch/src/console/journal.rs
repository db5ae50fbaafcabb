//! Pages from which a backup is made while the switch serves: where the journal ends, its extents, its newest checkpoint, in
//! bounded pieces. They are read on a thread of their own, by a reader of their own; no stage and no commit waits.
//!
//! What a journal holds is confidential, and this port has no accounts: only callers on this machine are answered.
//! Whoever backs up from elsewhere comes through a tunnel, which also encrypts.

use std::{
    net::{IpAddr, SocketAddr},
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{Admin, failed, joined, question::Question};
use crate::{
    audit::AuditError,
    books::order::JournalPlace,
    hex,
    journal::{Checkpoints, JournalError, Reader, Seq},
};

/// Bytes of extents, or of a checkpoint, in one answer; one extent more may be in it. An archived segment is verified from its
/// beginning for each answer, so small pieces would have the same bytes hashed again and again.
const PIECE_BYTES: usize = 8 << 20;

/// What is read for backups.
pub struct Journal {
    /// A reader that no proof and no settlement waits for.
    pub reader: Mutex<Box<dyn Reader>>,
    /// The checkpoints.
    pub checkpoints: Arc<dyn Checkpoints>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Journal")
    }
}

impl Journal {
    /// How far it is durable.
    pub(super) fn durable(&self) -> Seq {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).head().seq
    }

    /// Whether a place is one of this journal. One whose records were deleted is not known any more.
    pub(super) fn has(&self, place: JournalPlace) -> Result<bool, AuditError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // In front of the first record all journals are alike.
        let is_there = (1..=reader.head().seq).contains(&place.record);
        match reader.hash_at(place.record) {
            Ok(hash) => Ok(is_there && hash == Some(place.hash)),
            Err(JournalError::NotArchived { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Where a journal ends.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HeadView {
    /// The last durable record.
    pub record: Seq,
    /// The chain's hash there, hex.
    pub hash: String,
}

/// Where the journal ends, for whoever makes an order; that is told in the log and in settlement files as well.
pub(super) async fn head(State(admin): State<Admin>) -> Response {
    let journal = Arc::clone(&admin.journal);
    // Not here: whoever makes a backup has the reader for as long as a piece takes.
    let read = move || Ok(journal.reader.lock().unwrap_or_else(PoisonError::into_inner).head());
    match joined::<_, AuditError>(tokio::task::spawn_blocking(read)).await {
        Ok(head) => Json(HeadView { record: head.seq, hash: hex::digits(&head.hash) }).into_response(),
        Err(error) => failed(&error),
    }
}

/// Where a journal begins and ends.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ends {
    /// The first record that can be read, from the archive or the journal.
    pub first: Seq,
    /// The last durable record.
    pub last: Seq,
    /// The chain's hash there, hex.
    pub hash: String,
    /// The newest checkpoint's record.
    pub checkpoint: Option<Seq>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    from: Seq,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Offset {
    offset: u64,
}

/// Who asks.
pub(super) type Caller = Extension<SocketAddr>;

pub(super) async fn ends(State(admin): State<Admin>, Extension(caller): Caller) -> Response {
    let read = |journal: &Journal| {
        let reader = journal.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let checkpoint = journal.checkpoints.saved()?.first().copied();
        let (first, head) = (reader.first()?, reader.head());
        Ok(Ends { first, last: head.seq, hash: hex::digits(&head.hash), checkpoint })
    };
    match local(&admin, caller, read).await {
        Ok(ends) => Json(ends).into_response(),
        Err(refused) => refused,
    }
}

/// Extents from the one that holds a record on, each as `length u32 | bytes`, little endian; none behind the last record.
pub(super) async fn extents(
    State(admin): State<Admin>,
    Extension(caller): Caller,
    Question(From { from }): Question<From>,
) -> Response {
    let read = move |journal: &Journal| {
        let reader = journal.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        reader.extents(from, &mut |extent| {
            piece.extend_from_slice(&u32::try_from(extent.len()).unwrap_or(u32::MAX).to_le_bytes());
            piece.extend_from_slice(extent);
            if piece.len() < PIECE_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(piece)
    };
    bytes(local(&admin, caller, read).await)
}

/// Bytes of a checkpoint's file from an offset on; none behind its end.
pub(super) async fn checkpoint(
    State(admin): State<Admin>,
    Extension(caller): Caller,
    Path(seq): Path<Seq>,
    Question(Offset { offset }): Question<Offset>,
) -> Response {
    let read = move |journal: &Journal| Ok(journal.checkpoints.piece(seq, offset, PIECE_BYTES)?);
    bytes(local(&admin, caller, read).await)
}

/// Splits what `extents` answers; `None` where a length does not fit.
#[must_use]
pub fn split(piece: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut rest, mut extents) = (piece, Vec::new());
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (extent, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        extents.push(extent);
        rest = behind;
    }
    Some(extents)
}

/// Reads for a caller on this machine, beside everything else.
async fn local<T: Send + 'static>(
    admin: &Admin,
    caller: SocketAddr,
    read: impl FnOnce(&Journal) -> Result<T, AuditError> + Send + 'static,
) -> Result<T, Response> {
    if !is_local(caller.ip()) {
        let why = "the journal is given to callers on this machine only; come through a tunnel\n";
        return Err((StatusCode::FORBIDDEN, why).into_response());
    }
    let journal = Arc::clone(&admin.journal);
    let read = tokio::task::spawn_blocking(move || read(&journal));
    joined(read).await.map_err(|error: AuditError| failed(&error))
}

fn is_local(caller: IpAddr) -> bool {
    caller.to_canonical().is_loopback()
}

fn bytes(read: Result<Vec<u8>, Response>) -> Response {
    match read {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Err(refused) => refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_split_into_what_was_put_in_and_nothing_else() {
        assert_eq!(split(b"\x02\0\0\0ab\x01\0\0\0c"), Some(vec![b"ab".as_slice(), b"c"]));
        assert_eq!(split(b""), Some(vec![]));
        for torn in [b"\x02\0\0\0a".as_slice(), b"\x02\0\0", b"\xff\xff\xff\xffab"] {
            assert_eq!(split(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn only_callers_on_this_machine_are_answered() {
        let rows = [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.7", false),
            ("::", false),
        ];
        for (caller, want) in rows {
            assert_eq!(caller.parse().map(is_local), Ok(want), "{caller}");
        }
    }
}
