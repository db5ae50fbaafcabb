//! The admin port's connections: few at once, fewer from one address, and none that sits there without asking.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics::Metrics;

/// Connections at once; for one more, another gives way. They are people, scrapers and scripts.
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
pub(super) async fn serve(
    listener: TcpListener,
    pages: Router,
    metrics: Metrics,
    stopped: CancellationToken,
) {
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
        let Some(place) = Places::enter(&places, peer.ip(), &metrics) else { continue };
        let pages = TowerToHyperService::new(pages.clone().layer(Extension(peer)));
        tokio::spawn(async move {
            let gives_way = place.gives_way.clone();
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_MAX)
                .max_buf_size(BUFFER_MAX)
                .serve_connection(TokioIo::new(stream), pages);
            tokio::select! {
                served = connection => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "a connection of the admin port has ended");
                    }
                }
                () = gives_way.cancelled() => {}
            }
            drop(place);
        });
    }
}

/// Why a connection to the admin port was closed without an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closed {
    /// Its address has [`CONNECTIONS_PER_SOURCE`], or all places are taken and no other address has more than its own.
    Refused,
    /// It gave way to a caller from an address that had fewer.
    GaveWay,
}

impl Closed {
    /// Both, for metric labels.
    pub const ALL: [Self; 2] = [Self::Refused, Self::GaveWay];

    /// The word for it in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::GaveWay => "gave_way",
        }
    }
}

/// The connections there are, the oldest first.
#[derive(Default)]
struct Places(Mutex<Vec<Taken>>);

struct Taken {
    source: IpAddr,
    gives_way: CancellationToken,
    number: u64,
}

/// One connection's place, given back when it is dropped.
struct Place {
    places: Arc<Places>,
    gives_way: CancellationToken,
    number: u64,
}

impl Places {
    /// A place for a caller. Where all are taken, the oldest connection of the address that has the most gives way, so
    /// that callers who hold theirs open from many addresses cannot keep an operator out.
    fn enter(places: &Arc<Self>, source: IpAddr, metrics: &Metrics) -> Option<Place> {
        let mut taken = places.taken();
        let count = |taken: &[Taken], source| taken.iter().filter(|one| one.source == source).count();
        let own = count(&taken, source);
        if own >= CONNECTIONS_PER_SOURCE {
            metrics.admin_closed(Closed::Refused);
            return None;
        }
        if taken.len() >= CONNECTIONS_MAX {
            // Few enough to be counted anew for each caller. Of equals the one that has been there longest.
            let most = taken.iter().map(|one| count(&taken, one.source)).max().unwrap_or(0);
            let oldest = taken.iter().position(|one| count(&taken, one.source) == most);
            let Some(oldest) = oldest.filter(|_| own < most) else {
                metrics.admin_closed(Closed::Refused);
                return None;
            };
            taken.remove(oldest).gives_way.cancel();
            metrics.admin_closed(Closed::GaveWay);
        }
        let number = taken.last().map_or(0, |one| one.number + 1);
        let gives_way = CancellationToken::new();
        taken.push(Taken { source, gives_way: gives_way.clone(), number });
        drop(taken);
        Some(Place { places: Arc::clone(places), gives_way, number })
    }

    fn taken(&self) -> MutexGuard<'_, Vec<Taken>> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().retain(|one| one.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn whoever_holds_the_most_gives_way_to_whoever_has_fewer() {
        let (metrics, _page) = crate::telemetry::metrics::recorder();
        let places = Arc::new(Places::default());
        let enter = |last: u8| Places::enter(&places, from(last), &metrics);
        let crowd: Vec<_> = (0..CONNECTIONS_MAX).filter_map(|at| enter([10, 11, 12, 13][at % 4])).collect();
        assert_eq!(crowd.len(), CONNECTIONS_MAX);
        assert!(enter(10).is_none(), "an address has its limit");

        let operator = enter(1).expect("room is made");
        assert!(crowd[0].gives_way.is_cancelled() && !operator.gives_way.is_cancelled());
        assert!(crowd[1..].iter().all(|place| !place.gives_way.is_cancelled()));
        // Its place has been taken out; giving it back again takes nobody else's.
        drop(crowd.into_iter().next());
        assert_eq!(places.taken().len(), 1, "the crowd has gone home");
        drop(operator);
        assert!(places.taken().is_empty());
    }

    #[test]
    fn an_address_with_as_many_as_the_others_is_refused() {
        let (metrics, _page) = crate::telemetry::metrics::recorder();
        let places = Arc::new(Places::default());
        let all: Vec<_> = (0..64).filter_map(|at| Places::enter(&places, from(at), &metrics)).collect();
        assert_eq!(all.len(), CONNECTIONS_MAX);
        assert!(Places::enter(&places, from(7), &metrics).is_none());
        assert!(all.iter().all(|place| !place.gives_way.is_cancelled()));
        let newcomer = Places::enter(&places, from(200), &metrics).expect("it had none");
        assert!(all[0].gives_way.is_cancelled() && !newcomer.gives_way.is_cancelled());
    }
}
