//! The admin port's connections: few at once, fewer from one address, and none that sits there without asking.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Connections at once; one more is closed. They are people, scrapers and scripts.
pub const CONNECTIONS_MAX: usize = 64;

/// Connections of one address at once.
pub const CONNECTIONS_PER_SOURCE: usize = 16;

/// How long the head of a request may take, from the connection's beginning or the answer before.
pub const HEAD_MAX: Duration = Duration::from_secs(10);

/// Bytes kept of a request at most.
const BUFFER_MAX: usize = 32 << 10;

/// Pause after a failed `accept`, which usually means that the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves the pages until it is stopped. Connections that stand end with the runtime.
pub(super) async fn serve(listener: TcpListener, pages: Router, stopped: CancellationToken) {
    let places = Arc::new(Places::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped.cancelled() => return,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(place) = Places::enter(&places, peer.ip()) else { continue };
        let pages = TowerToHyperService::new(pages.clone());
        tokio::spawn(async move {
            let _place = place;
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_MAX)
                .max_buf_size(BUFFER_MAX)
                .serve_connection(TokioIo::new(stream), pages)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection of the admin port has ended");
            }
        });
    }
}

/// How many connections there are, by address.
#[derive(Default)]
struct Places(Mutex<HashMap<IpAddr, usize>>);

/// One connection's place, given back when it is dropped.
struct Place {
    places: Arc<Places>,
    source: IpAddr,
}

impl Places {
    fn enter(places: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let mut taken = places.taken();
        let all: usize = taken.values().sum();
        let own = taken.get(&source).copied().unwrap_or(0);
        if all >= CONNECTIONS_MAX || own >= CONNECTIONS_PER_SOURCE {
            tracing::debug!(
                all,
                own,
                "the admin port has as many connections as it takes; one more was closed"
            );
            return None;
        }
        taken.insert(source, own + 1);
        drop(taken);
        Some(Place { places: Arc::clone(places), source })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let own = taken.get(&self.source).copied().unwrap_or(0);
        if own <= 1 {
            taken.remove(&self.source);
        } else {
            taken.insert(self.source, own - 1);
        }
    }
}
