//! Connections that the switch dials itself: to ATM hosts that wait for it instead of calling. Once it stands, such a
//! connection is like any other; when it ends, it is dialled again.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use tokio::net::TcpStream;

use super::{Form, Origin, Refused, connection, hub::Hub};

/// Pause before the first attempt to dial again; it doubles with each that fails.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause: a host that comes back is not kept waiting longer.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How long a host may take to accept.
const DIAL_MAX: Duration = Duration::from_secs(10);

/// Dials and serves until the switch stops.
pub async fn keep_connected(hub: Rc<Hub>, host: SocketAddr, form: Form) {
    let mut pause = PAUSE_MIN;
    while !hub.is_stopping() {
        if let Ok(Ok(stream)) = tokio::time::timeout(DIAL_MAX, TcpStream::connect(host)).await {
            // As with accepted connections.
            let _no_option = stream.set_nodelay(true);
            if let Some(connection) = hub.open(Origin::Dialled, form, stream) {
                tracing::info!(%host, "connected to a host");
                pause = PAUSE_MIN;
                connection::serve(Rc::clone(&hub), connection).await;
                tracing::info!(%host, "a host's connection has ended");
            }
        } else {
            hub.metrics.refused(Refused::DialFailed);
            tracing::debug!(%host, "a host does not answer");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            () = hub.stop_requested() => return,
        }
    }
}
