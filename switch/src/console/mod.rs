//! The admin port: health, metrics, and the ledger of a running switch, over HTTP. It listens where `admin.listen`
//! says, has no accounts yet, and so belongs on a loopback or management network.
//!
//! Who may connect, and for how long, stands in [`door`]. Pages on one card, one terminal and the outbox stand in
//! `lookup`, trial balances and statements of orderers in `ledger`, the settlement of a day in `settlement`, what backups are made from in [`journal`],
//! changes of lists in [`lists`].

pub mod door;
pub mod journal;
mod ledger;
pub mod lists;
mod lookup;
mod orders;
mod question;
mod settlement;

pub use journal::HeadView;
pub use lookup::Parties;
pub use orders::CarriedOut;

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::tz::TimeZone;
use serde::Deserialize;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::Control,
    audit::{self, AuditError, ENTRIES_MAX},
    books::Books,
    clock::stopwatch,
    journal::{Reader, Seq},
    keys::CheckValue,
    notices::status::Status,
    orders::Officers,
    telemetry::{metrics::Metrics, page::Page},
};

/// How many times as long as a look through the books took nobody may look through them again.
const RESTS: u32 = 19;

/// What health says of the HSM.
#[derive(Clone, Copy, Debug)]
pub struct HsmState {
    /// It works under the published test LMK.
    pub test: bool,
    /// Check value of its LMK.
    pub lmk: CheckValue,
}

/// The admin thread.
#[derive(Debug)]
pub struct Server {
    stop: CancellationToken,
    thread: JoinHandle<()>,
}

impl Server {
    /// Stops serving and gives the journal's reader back.
    pub fn stop(self) {
        self.stop.cancel();
        // A panic in a page is the page's; the switch has stopped well all the same.
        let _panicked = self.thread.join();
    }
}

/// What is told of the senders of notices.
#[derive(Clone, Debug)]
pub struct OutboxView {
    /// How far they are.
    pub status: Arc<Status>,
    /// In which times are told.
    pub zone: TimeZone,
}

#[derive(Clone)]
struct Admin {
    control: mpsc::Sender<Control>,
    reader: Arc<Mutex<Box<dyn Reader>>>,
    journal: Arc<journal::Journal>,
    page: Page,
    hsm: HsmState,
    /// Whose orders count; without them, nobody's.
    officers: Option<Arc<Officers>>,
    /// Held while the whole journal is being replayed: one replay at a time is work enough.
    replaying: Arc<Semaphore>,
    /// Held while cards are looked for.
    searching: Arc<Semaphore>,
    /// Held while the rows of a list are taken in.
    changing: Arc<Semaphore>,
    /// Until when nobody may look through all of the books again.
    rested: Arc<tokio::sync::Mutex<Instant>>,
    /// How far the senders of notices are.
    outbox: OutboxView,
    /// What the log says of orders that were refused.
    refusals: Arc<Mutex<orders::RefusalLog>>,
}

/// Starts the admin thread on an open listener.
///
/// # Errors
/// The system gives no thread or runtime.
pub fn start(
    listener: std::net::TcpListener,
    control: mpsc::Sender<Control>,
    (reader, journal): (Box<dyn Reader>, journal::Journal),
    (hsm, officers): (HsmState, Option<Officers>),
    outbox: OutboxView,
    metrics: Metrics,
    page: Page,
) -> std::io::Result<Server> {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (reader, replaying) = (Arc::new(Mutex::new(reader)), Arc::new(Semaphore::new(1)));
    let officers = officers.map(Arc::new);
    let admin = Admin {
        control,
        reader,
        journal: Arc::new(journal),
        page,
        hsm,
        officers,
        replaying,
        searching: Arc::new(Semaphore::new(1)),
        changing: Arc::new(Semaphore::new(1)),
        rested: Arc::new(tokio::sync::Mutex::new(stopwatch().into())),
        outbox,
        refusals: Arc::default(),
    };
    let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
        if let Err(error) = runtime.block_on(serve(listener, admin, metrics, stopped)) {
            tracing::error!(%error, "the admin port has closed");
        }
        // A proof under way must not hold up the stop.
        runtime.shutdown_background();
    })?;
    Ok(Server { stop, thread })
}

async fn serve(
    listener: std::net::TcpListener,
    admin: Admin,
    metrics: Metrics,
    stopped: CancellationToken,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let upkeep = admin.page.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    let pages = Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(page))
        .route("/ledger/balance", get(balance))
        .route("/ledger/entries", get(entries))
        .route("/ledger/verify", get(verify))
        .route("/notices", get(lookup::notices))
        .route("/notices/status", get(lookup::senders))
        .route("/alerts", get(lookup::alerts))
        .route("/cards", get(lookup::cards))
        .route("/statements", get(lookup::statements))
        .route("/ledger/trial", get(ledger::trial))
        .route("/ledger/chart", get(ledger::chart))
        .route("/orderers/{name}/statement", get(ledger::orderer_statement))
        .route("/terminals/{id}", get(lookup::terminal))
        .route("/orders", post(orders::carry_out))
        .route("/journal/head", get(journal::head))
        .route("/journal/ends", get(journal::ends))
        .route("/journal/extents", get(journal::extents))
        .route("/journal/checkpoints/{seq}", get(journal::checkpoint))
        .route("/rules", get(lookup::rules))
        .route("/lists", get(lookup::lists))
        .route("/lists/entry", get(lookup::entry))
        .route("/lists/staged", get(lists::staged))
        .route("/lists/try", post(lists::trying))
        .route("/orders/list", post(lists::change))
        .route("/rules/explain", get(lookup::explain))
        .route("/parties", get(lookup::parties))
        .route("/settlement/{day}", get(settlement::settle))
        .route("/settlement/{day}/cut-over", post(settlement::cut_over))
        .with_state(admin);
    door::serve(listener, pages, metrics, stopped).await;
    Ok(())
}

async fn ready(State(admin): State<Admin>) -> Response {
    match look(&admin, |books| books.seq()).await {
        Some(seq) => {
            let HsmState { test, lmk } = admin.hsm;
            let hsm = if test { "test LMK: not for production" } else { "LMK of components" };
            let body = serde_json::json!({ "ready": true, "seq": seq, "hsm": hsm, "lmk": lmk.to_string() });
            Json(body).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
    }
}

async fn page(State(admin): State<Admin>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], admin.page.render()).into_response()
}

async fn balance(State(admin): State<Admin>) -> Response {
    match look_through(&admin, audit::balance_sheet).await {
        Some(sheet) => Json(sheet).into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntriesQuery {
    from: Option<Seq>,
    count: Option<usize>,
}

async fn entries(
    State(admin): State<Admin>,
    question::Question(query): question::Question<EntriesQuery>,
) -> Response {
    let count = query.count.unwrap_or(20);
    if count > ENTRIES_MAX {
        return (StatusCode::BAD_REQUEST, format!("count: at most {ENTRIES_MAX}\n")).into_response();
    }
    let reader = Arc::clone(&admin.reader);
    let read = tokio::task::spawn_blocking(move || {
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        audit::read_events(reader.as_ref(), query.from, count)
    });
    let events = match joined(read).await {
        Ok(events) => events,
        Err(error) => return failed(&error),
    };
    match look(&admin, move |books| audit::entries(books, &events)).await {
        Some(entries) => Json(entries).into_response(),
        None => stopping(),
    }
}

async fn verify(State(admin): State<Admin>) -> Response {
    let Ok(replaying) = admin.replaying.clone().try_acquire_owned() else { return busy() };
    // The hash is taken between two batches; for millions of cards that is a pause, and the manual says so.
    let Some((seq, state_hash)) = look_through(&admin, |books| (books.seq(), books.state_hash())).await
    else {
        return stopping();
    };
    let reader = Arc::clone(&admin.reader);
    let verified = tokio::task::spawn_blocking(move || {
        // Kept here, not beside: whoever asked may hang up, and the replay goes on.
        let _replaying = replaying;
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        audit::verify_running(reader.as_ref(), seq, state_hash)
    });
    match joined(verified).await {
        Ok(verification) => Json(verification).into_response(),
        Err(error) => failed(&error),
    }
}

async fn joined<T, E: From<AuditError>>(
    task: impl Future<Output = Result<Result<T, E>, tokio::task::JoinError>>,
) -> Result<T, E> {
    task.await.unwrap_or_else(|_| Err(AuditError::Interrupted.into()))
}

fn failed(error: &dyn std::error::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", crate::cli::chain(error))).into_response()
}

fn busy() -> Response {
    (StatusCode::TOO_MANY_REQUESTS, "the journal is being replayed for somebody else; ask again later\n")
        .into_response()
}

fn stopping() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the switch is stopping\n").into_response()
}

/// Asks the stages' thread to look at the books between two batches.
async fn look<T: Send + 'static>(
    admin: &Admin,
    look: impl FnOnce(&Books) -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = oneshot::channel();
    let look = Control::Look(Box::new(move |books| {
        let _asker_gone = tell.send(look(books));
    }));
    admin.control.send(look).await.ok()?;
    told.await.ok()
}

/// As [`look`], for what goes through all accounts: one at a time, and each as many times its own length behind the one
/// before as [`RESTS`] says, so that whoever asks again and again has a small part of the stages' time.
async fn look_through<T: Send + 'static>(
    admin: &Admin,
    through: impl FnOnce(&Books) -> T + Send + 'static,
) -> Option<T> {
    let mut rested = admin.rested.lock().await;
    tokio::time::sleep_until(*rested).await;
    let timed = look(admin, move |books| {
        let begun = stopwatch();
        let seen = through(books);
        (seen, begun.elapsed())
    });
    let (seen, took) = timed.await?;
    *rested = Instant::from(stopwatch() + took * RESTS);
    Some(seen)
}
