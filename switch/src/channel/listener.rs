//! Accepting connections. A full table or a failing `accept` refuses one connection, never the next.

use std::{rc::Rc, time::Duration};

use tokio::net::TcpListener;

use super::{Form, Refused, connection, connection::Connection, hub::Hub};

/// Pause after a failed `accept`, which usually means that the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Accepts until the switch stops.
pub async fn accept(hub: Rc<Hub>, listener: TcpListener, form: Form) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = hub.stop_requested() => return,
        };
        let Ok((stream, _)) = accepted else {
            hub.metrics.refused(Refused::AcceptFailed);
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Answers are written whole, so waiting to fill a segment could only delay them. A socket that does not
        // take the option works all the same.
        let _no_option = stream.set_nodelay(true);
        if let Some(connection) = hub.open(|id| Connection::new(id, stream, form)) {
            tokio::task::spawn_local(connection::serve(Rc::clone(&hub), connection));
        }
    }
}
