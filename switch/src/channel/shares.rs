//! Who may have how much: connections and permits of a source, and the few permits of connections that have proved
//! nothing.
//!
//! A *source* is where connections come from: an IPv4 address, or the first 64 bits of an IPv6 address, which is what
//! one customer of a network gets. A connection is *proven* while more of its frames came under a right MAC than were
//! refused; until then it is served, but from a small share, so that whoever has no key cannot keep the HSM or the
//! queue from those who have.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::IpAddr,
    rc::Rc,
};

use hashbrown::HashMap;

use super::ConnectionId;
use crate::batch::Standing;

/// Frames under way at most of one connection that has proved nothing.
pub(super) const UNPROVEN_WINDOW: usize = 4;

/// Right MACs that count for a connection at most: so many refused frames later it has proved nothing again.
const CREDIT_MAX: u8 = 16;

/// The part of an address that names a source.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Name {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl From<IpAddr> for Name {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// What one source has now.
#[derive(Debug)]
pub(super) struct Source {
    name: Name,
    connections: Cell<usize>,
    /// Its requests under way.
    pub(super) permits: Cell<usize>,
}

/// All sources that have a connection.
#[derive(Debug, Default)]
pub(super) struct Sources(RefCell<HashMap<Name, Rc<Source>>>);

impl Sources {
    /// The source of a new connection, counted to it; `None` if it has as many as it may.
    pub(super) fn enter(&self, address: IpAddr, connections_max: usize) -> Option<Rc<Source>> {
        let name = Name::from(address);
        let mut sources = self.0.borrow_mut();
        let fresh = || Rc::new(Source { name, connections: Cell::new(0), permits: Cell::new(0) });
        let source = sources.entry(name).or_insert_with(fresh);
        if source.connections.get() >= connections_max {
            return None;
        }
        source.connections.set(source.connections.get() + 1);
        Some(Rc::clone(source))
    }

    /// One connection of the source has gone, with so many of its requests under way.
    pub(super) fn leave(&self, source: &Source, under_way: usize) {
        source.permits.set(source.permits.get() - under_way);
        source.connections.set(source.connections.get() - 1);
        if source.connections.get() == 0 {
            self.0.borrow_mut().remove(&source.name);
        }
    }
}

/// Whether a connection has proved who it is.
#[derive(Debug, Default)]
pub(super) struct Proof {
    credit: Cell<u8>,
    /// Whether any frame of it made sense so far.
    pub(super) greeted: Cell<bool>,
    /// Its frames that were admitted before it had proved anything.
    pub(super) under_way: Cell<usize>,
    /// Waits for a permit of the unproven.
    queued: Cell<bool>,
}

impl Proof {
    /// Counts what became of a frame.
    pub(super) fn count(&self, standing: Standing) {
        let credit = self.credit.get();
        match standing {
            Standing::Proved => self.credit.set((credit + 1).min(CREDIT_MAX)),
            Standing::Refused => self.credit.set(credit.saturating_sub(1)),
            Standing::Understood => {}
        }
        if standing != Standing::Refused {
            self.greeted.set(true);
        }
    }

    /// See the module.
    pub(super) fn is_proven(&self) -> bool {
        self.credit.get() > 0
    }
}

/// The permits of connections that have proved nothing.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    in_use: Cell<usize>,
    /// Connections that have something to read and no permit for it, in order.
    waiting: RefCell<VecDeque<ConnectionId>>,
}

impl Unproven {
    /// Whether a frame of this connection may be taken now. If not for want of a permit, the connection is told by
    /// [`Unproven::give_back`] when there is one.
    pub(super) fn has_room(&self, id: ConnectionId, proof: &Proof, permits: usize) -> bool {
        if proof.under_way.get() >= UNPROVEN_WINDOW {
            return false;
        }
        if self.in_use.get() < permits {
            return true;
        }
        if !proof.queued.replace(true) {
            self.waiting.borrow_mut().push_back(id);
        }
        false
    }

    /// A frame was admitted.
    pub(super) fn take(&self, proof: &Proof) {
        self.in_use.set(self.in_use.get() + 1);
        proof.under_way.set(proof.under_way.get() + 1);
    }

    /// So many frames of a connection are no longer under way.
    pub(super) fn give_back(&self, proof: &Proof, frames: usize) {
        let frames = frames.min(proof.under_way.get());
        proof.under_way.set(proof.under_way.get() - frames);
        self.in_use.set(self.in_use.get() - frames);
    }

    /// How many of those that wait may be told now: one for each permit that is free.
    pub(super) fn may_be_told(&self, permits: usize) -> usize {
        permits.saturating_sub(self.in_use.get()).min(self.waiting.borrow().len())
    }

    /// The connection that has waited longest.
    pub(super) fn next_waiting(&self) -> Option<ConnectionId> {
        self.waiting.borrow_mut().pop_front()
    }

    /// The connection is no longer among those that wait.
    pub(super) fn told(&self, proof: &Proof) {
        proof.queued.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_so_many_connections_and_no_more_until_one_goes() {
        let sources = Sources::default();
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let first = sources.enter(address("192.0.2.1"), 2).expect("the first");
        let mapped = sources.enter(address("::ffff:192.0.2.1"), 2).expect("the same source, written in IPv6");
        assert!(Rc::ptr_eq(&first, &mapped));
        assert!(sources.enter(address("192.0.2.1"), 2).is_none(), "one past the limit");
        assert!(sources.enter(address("192.0.2.2"), 2).is_some(), "another source has its own share");
        first.permits.set(3);
        sources.leave(&first, 3);
        assert!(sources.enter(address("192.0.2.1"), 2).is_some());
        assert_eq!(first.permits.get(), 0);

        let near = sources.enter(address("2001:db8::1"), 1);
        assert!(
            near.is_some() && sources.enter(address("2001:db8::2"), 1).is_none(),
            "one network of 64 bits"
        );
        assert!(sources.enter(address("2001:db8:0:1::1"), 1).is_some(), "the next network");
    }

    #[test]
    fn a_source_without_connections_is_forgotten() {
        let sources = Sources::default();
        let source = sources.enter(IpAddr::from([192, 0, 2, 1]), 1).expect("a place");
        sources.leave(&source, 0);
        assert!(sources.0.borrow().is_empty());
    }

    #[test]
    fn right_macs_prove_and_refusals_take_the_proof_away() {
        let proof = Proof::default();
        proof.count(Standing::Refused);
        assert!(!proof.is_proven() && !proof.greeted.get());
        proof.count(Standing::Understood);
        assert!(!proof.is_proven() && proof.greeted.get(), "an echo proves nothing, but it makes sense");
        for _ in 0..100 {
            proof.count(Standing::Proved);
        }
        for refused in 0..CREDIT_MAX {
            assert!(proof.is_proven(), "{refused}");
            proof.count(Standing::Refused);
        }
        assert!(!proof.is_proven());
    }

    #[test]
    fn the_unproven_wait_in_order_for_their_few_permits() {
        let unproven = Unproven::default();
        let id = |place| ConnectionId { place, generation: 1 };
        let [a, b] = [Proof::default(), Proof::default()];
        for _ in 0..2 {
            assert!(unproven.has_room(id(0), &a, 2));
            unproven.take(&a);
        }
        assert!(!unproven.has_room(id(1), &b, 2) && !unproven.has_room(id(1), &b, 2), "queued once");
        assert_eq!(unproven.may_be_told(2), 0, "no permit has come back");
        unproven.give_back(&a, 5);
        assert_eq!((unproven.may_be_told(2), unproven.next_waiting()), (1, Some(id(1))));
        unproven.told(&b);
        assert_eq!(unproven.next_waiting(), None);
        for _ in 0..UNPROVEN_WINDOW {
            unproven.take(&b);
        }
        assert!(!unproven.has_room(id(1), &b, 100), "its own window is full");
        assert_eq!(unproven.next_waiting(), None, "its own answers wake it, not the others'");
    }
}
