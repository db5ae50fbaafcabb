//! Accepting connections. A full table, an exhausted process or a failing `accept` refuses one connection, never the
//! next.

use std::{fs::File, io, rc::Rc, time::Duration};

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};

use super::{Form, Origin, Refused, connection, hub::Hub};

/// Pause after an `accept` that failed for no reason of the peer's.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Accepts until the switch stops.
pub async fn accept(hub: Rc<Hub>, listener: TcpListener, form: Form) {
    let mut spare = Spare::take();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = hub.stop_requested() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                admit(&hub, stream, Origin::Accepted(peer.ip()), form);
                // A flood of connections leaves the thread to those that stand, after each one.
                tokio::task::yield_now().await;
            }
            Err(error) if out_of_descriptors(&error) && spare.refuse(&listener) => {
                hub.metrics.refused(Refused::Descriptors);
            }
            Err(_) => {
                hub.metrics.refused(Refused::AcceptFailed);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(hub: &Rc<Hub>, stream: TcpStream, origin: Origin, form: Form) {
    // Answers are written whole, so waiting to fill a segment could only delay them. A socket that does not take the
    // option works all the same.
    let _no_option = stream.set_nodelay(true);
    if let Some(connection) = hub.open(origin, form, stream) {
        tokio::task::spawn_local(connection::serve(Rc::clone(hub), connection));
    }
}

fn out_of_descriptors(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno == Some(Errno::MFILE) || errno == Some(Errno::NFILE)
}

/// A file descriptor kept for the day when there is no other: it is given up to accept one connection and close it.
/// Otherwise that connection would wait in the system's queue, told nothing, and everyone behind it.
struct Spare(Option<File>);

impl Spare {
    fn take() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Accepts one connection only to close it; whether that was possible.
    fn refuse(&mut self, listener: &TcpListener) -> bool {
        if self.0.take().is_none() {
            *self = Self::take();
            return false;
        }
        // Straight from the system: the runtime has just been told that there is a connection, and would forget it.
        let refused = rustix::net::accept(listener).is_ok();
        *self = Self::take();
        refused
    }
}
