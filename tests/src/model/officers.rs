//! What officers order next, carried out on both sides.

use arrayvec::ArrayVec;
use cardswitch::books::{
    decide::operations::Operation,
    event::{CardState, TerminalDialect},
    holder_limits::{Beyond, HolderLimits},
    order::{JournalPlace, Order, SignedOrder, What},
    ordered::OrderRefusal,
};

use super::{
    naive::Refused,
    start::{HOUR_MS, KINDS, issue, new_card},
    tale::Step,
    walk::Walk,
};

impl Walk<'_> {
    /// One order: a new one, or now and then one that came before.
    pub(super) fn officers_order(&mut self) -> Result<(), String> {
        if self.orders.is_empty() || !self.one_in(20) {
            let operation = self.draw_operation();
            let number = u128::from(self.orders.len() as u64) + 1;
            let expires_ms = self.now_ms + if self.one_in(30) { -1 } else { 24 * HOUR_MS };
            let order = Order {
                id: number.to_be_bytes(),
                made_ms: self.now_ms,
                expires_ms,
                what: What::OperateIn { journal: JournalPlace { record: 1, hash: [0; 32] }, operation },
                why: String::new(),
            };
            self.orders.push(order);
        }
        let at = if self.one_in(20) { self.random.index(self.orders.len()) } else { self.orders.len() - 1 };
        let order = self.orders[at].clone();
        self.carry_out(order)
    }

    fn carry_out(&mut self, order: Order) -> Result<(), String> {
        let What::OperateIn { operation, .. } = &order.what else { return Ok(()) };
        let want = self.naive.order(order.id, order.expires_ms, operation, self.now_ms);
        let now = self.clock.at(self.now_ms);
        let signed = SignedOrder { order: order.clone(), signatures: ArrayVec::new() };
        let got = self.books.decide_order(&signed, &now);
        let step = Step::Order { operation: operation.clone(), refused: want.as_ref().err().copied() };
        self.tale.add(self.now_ms, step);
        self.tally.order(operation, want.is_ok());
        let refused = got.as_ref().err().map(|refusal| match refusal {
            OrderRefusal::Done => Refused::Done,
            OrderRefusal::Expired => Refused::Expired,
            OrderRefusal::Stopped | OrderRefusal::EarlierEpoch => unreachable!("no epoch is ordered here"),
            OrderRefusal::AnyJournal => unreachable!("all of them name a journal"),
            OrderRefusal::TooLongGood | OrderRefusal::TooLong { .. } => {
                unreachable!("orders here are short and good for a day")
            }
            OrderRefusal::Rules(_) => unreachable!("no rules are ordered here"),
            OrderRefusal::List(_) => unreachable!("no lists are ordered here"),
            OrderRefusal::Alert(_) => unreachable!("nobody looks at alerts here"),
            OrderRefusal::Operation(error) => Refused::Operation(*error),
        });
        if want.as_ref().err() != refused.as_ref() {
            return Err(format!("the model says {want:?}, the books {got:?}"));
        }
        if let Ok(event) = &got {
            self.record(event);
            let cards = concerned(operation);
            self.compare_touched(event, &want.unwrap_or_default(), &cards)?;
        }
        Ok(())
    }

    fn draw_operation(&mut self) -> Operation {
        let deck_at = self.random.index(self.deck.len());
        // Now and then one that ended, and may still have money.
        let at = if self.one_in(5) { self.random.index(self.naive.cards.len()) } else { self.deck[deck_at] };
        let other_at = self.random.index(self.deck.len());
        let other = if self.one_in(3) { self.alike(at) } else { self.deck[other_at] };
        let [card, by] = [at, other].map(|at| u32::try_from(at).expect("few cards"));
        let (state, owes) = (self.naive.cards[at].state, !self.naive.cards[at].owed.is_empty());
        let ended = matches!(state, CardState::Lost | CardState::Stolen | CardState::Blocked);
        match self.random.below(27) {
            0 => Operation::TakeDeposit { card },
            1 | 2 => Operation::Cancel { card },
            3 => Operation::ReportLost { card },
            4..=7 if ended && !owes => {
                Operation::Replace { card, by: u32::try_from(self.alike(at)).expect("few cards") }
            }
            4 => Operation::Replace { card, by },
            8..=13 => {
                let available = self.naive.shown(at, self.load_currency(at)).0;
                Operation::Transfer { from: card, to: by, amount: self.amount_below(available + 50) - 2 }
            }
            14..=16 => {
                let terminal = self.random.index(7);
                let merchant = self.naive.terminals[terminal].merchant as usize;
                let currency = self.naive.merchants[merchant].currency;
                let available = self.naive.shown(at, currency).0;
                Operation::ForcePost {
                    card,
                    terminal: u32::try_from(terminal).expect("few terminals"),
                    amount: self.amount_below(available + available / 8 + 40),
                    currency,
                }
            }
            17 => {
                let at = self.random.index(self.start.schedules.len());
                Operation::PublishFees(self.start.schedules[at].clone())
            }
            18..=20 => Operation::ResetPinTries { card },
            21..=23 => Operation::SetHolderLimits { card, limits: self.draw_limits() },
            _ => Operation::Unblock { card },
        }
    }

    /// What a holder asks for; half of the time to have no limits any more. What is counted by day is left to the tests of the
    /// counters.
    fn draw_limits(&mut self) -> HolderLimits {
        if self.one_in(2) {
            return HolderLimits::default();
        }
        let amount_max = self.one_in(2).then(|| 1 + self.amount_below(30_000));
        let shut = match self.random.below(6) {
            0 => vec![TerminalDialect::Atm],
            1 => vec![TerminalDialect::Pos],
            _ => Vec::new(),
        };
        HolderLimits {
            shut: shut.as_slice().try_into().expect("one channel"),
            amount_max,
            beyond: if self.one_in(4) { Beyond::Notify } else { Beyond::Decline },
            ..HolderLimits::default()
        }
    }

    /// A card of the same kind, if there is one that may be given money.
    fn alike(&mut self, at: usize) -> usize {
        let card = &self.naive.cards[at];
        let mut alike = self.deck.iter().filter(|other| {
            let next = &self.naive.cards[**other];
            let receives = matches!(next.state, CardState::Active | CardState::Inactive);
            (next.product, next.orderer) == (card.product, card.orderer) && **other != at && receives
        });
        alike.next().copied().unwrap_or(at)
    }

    /// A card that has ended for good gives its place to a new one; now and then one whose special purses are used up.
    pub(super) fn deal(&mut self) {
        let deck_at = self.random.index(self.deck.len());
        let card = &self.naive.cards[self.deck[deck_at]];
        let ended = matches!(card.state, CardState::Lost | CardState::Stolen | CardState::Closed);
        let (expired, blocked) = (self.has_expired(self.deck[deck_at]), card.state == CardState::Blocked);
        let may_go = ended || expired || (blocked && self.one_in(20));
        let goes = (may_go && self.one_in(4)) || self.one_in(300);
        if !goes {
            return;
        }
        let (kind, opening) = (self.random.index(KINDS), 100 + self.amount_below(80_000));
        let issued = new_card(&self.naive, kind, opening);
        self.deck[deck_at] = self.naive.cards.len();
        issue(&mut self.books, &mut self.naive, &mut self.accounts, &issued, self.now_ms);
        self.index_accounts();
        self.tally.cards += 1;
        self.tale.add(self.now_ms, Step::Card { at: self.naive.cards.len() - 1, kind });
    }

    fn has_expired(&self, card: usize) -> bool {
        self.naive.cards[card].expiry_yymm < self.clock.at(self.now_ms).year_month()
    }
}

/// The cards that an order is about.
pub(super) fn concerned(operation: &Operation) -> Vec<usize> {
    let cards = match *operation {
        Operation::TakeDeposit { card }
        | Operation::Cancel { card }
        | Operation::ReportLost { card }
        | Operation::ForcePost { card, .. }
        | Operation::ResetPinTries { card }
        | Operation::SetHolderLimits { card, .. }
        | Operation::Unblock { card } => vec![card],
        Operation::Replace { card, by } => vec![card, by],
        Operation::Transfer { from, to, .. } => vec![from, to],
        Operation::PublishFees(_) | Operation::PublishChart(_) => Vec::new(),
    };
    cards.into_iter().map(|card| card as usize).collect()
}
