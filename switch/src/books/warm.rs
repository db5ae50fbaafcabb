//! Fetching what requests will need before they are decided, many at once.
//!
//! Most of what deciding costs is waiting for memory: a card's counters and purses, the slots of tables with a million
//! entries. One request after the other waits for each of them. Looked at for many requests first, with nothing that
//! depends on what is found, the waits run side by side. It changes nothing: a request that was not warmed for is decided
//! alike. What does depend is looked at in a second round: a card's purse and counters are where the card and its place
//! among the counters say, and where the index knows a request that leaves says that request.
//!
//! Start at [`Books::warm`].

use std::hint::black_box;

use super::{
    Books,
    request::{Facts, Request},
    transactions::{Leaving, TransactionKey},
};

impl Books {
    /// Has the memory fetched that deciding these requests, next and in this order, will look at. A few dozen at a time:
    /// what is fetched must still be near when its turn comes.
    pub fn warm<'a>(&self, requests: impl Iterator<Item = (&'a Request, &'a Facts)> + Clone) {
        let (mut count, mut leaving) = (0_usize, Leaving::default());
        for (request, facts) in requests.clone() {
            let (Some(terminal), Some(card)) = (facts.terminal, facts.card) else { continue };
            count += 1;
            black_box(self.cards.warm(card.0));
            black_box(self.counters.is_used(card.0));
            let key = TransactionKey {
                terminal: terminal.0,
                batch: request.batch,
                stan: request.stan,
                class: request.class,
            };
            self.transactions.warm(&key, &mut leaving, &self.policy);
            self.originals.warm(&key);
        }
        self.transactions.warm_oldest(count, &mut leaving, &self.policy);
        for (_, facts) in requests {
            let (Some(terminal), Some(card)) = (facts.terminal, facts.card) else { continue };
            let merchant = self.terminal(terminal).merchant;
            black_box(self.counters.warm(card.0));
            black_box(self.counters.visits(card.0, merchant, self.counters.visits_day()));
            black_box(self.cards.first_purse(card.0).map(|purse| self.ledger.balance(purse)));
        }
        self.transactions.warm_leaving(&leaving);
    }
}
