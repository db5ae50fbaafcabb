//! What is asked next: something new, something again, or something about what was asked before.

use cardswitch::books::request::Kind;

use super::{
    naive::{Ask, Name, Pin},
    start::{ABROAD, AGENT, DESK, HOME, MACHINE, SHOP_ABROAD},
    walk::Walk,
};

/// Records in a batch.
const BATCH: u64 = 2_000;

impl Walk<'_> {
    pub(super) fn amount_below(&mut self, limit: i64) -> i64 {
        let limit = u64::try_from(limit.max(1)).expect("above zero");
        i64::try_from(self.random.below(limit)).expect("an amount")
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.random.below(many) == 0
    }

    fn name(&mut self, terminal: usize, class: u8) -> Name {
        self.stan = self.stan % 999_999 + 1;
        let batch = match self.naive.terminals[terminal].acquirer {
            None => 1 + u32::try_from(self.naive.seq / BATCH).expect("few records"),
            Some(_) => {
                let sent = self.utc.at(self.now_ms);
                u32::try_from(sent.mmdd() * 1_000_000 + sent.hhmmss()).expect("ten digits")
            }
        };
        (terminal, batch, self.stan, class)
    }

    /// A request that says nothing yet. Field 7 knows seconds.
    fn blank(&mut self, kind: Kind, terminal: usize, class: u8) -> Ask {
        Ask {
            kind,
            name: self.name(terminal, class),
            sent: self.now_ms - self.now_ms.rem_euclid(1_000),
            card: None,
            amount: 0,
            currency: self.naive.merchants[self.naive.terminals[terminal].merchant as usize].currency,
            acquirer_fee: 0,
            partial_allowed: false,
            replacement: 0,
            contactless: false,
            pin: Pin::Absent,
            reverses: None,
            original_batch: None,
            original_stan: None,
            approval: None,
        }
    }

    /// What is asked next.
    pub(super) fn draw(&mut self) -> Ask {
        if !self.kept.is_empty() {
            let at = self.random.index(self.kept.len());
            let (earlier, seq) = self.kept[at].clone();
            match self.random.below(20) {
                0 => return earlier,
                1 => return self.spoiled(earlier),
                2..=4 => return self.reversal(&earlier),
                5..=11 => {
                    if let Some(ask) = self.following(&earlier, seq) {
                        return ask;
                    }
                }
                _ => {}
            }
        }
        self.fresh()
    }

    fn fresh(&mut self) -> Ask {
        let deck_at = self.random.index(self.deck.len());
        let card = self.deck[deck_at];
        let (kind, terminal) = self.kind_and_terminal(card);
        let class = if kind == Kind::PreAuthorization { 1 } else { 2 };
        let mut ask = self.blank(kind, terminal, class);
        ask.card = Some(card);
        if kind == Kind::Load || kind == Kind::Withdrawal {
            ask.currency = if kind == Kind::Load { self.load_currency(card) } else { HOME };
        }
        if self.one_in(60) {
            ask.currency = if ask.currency == HOME { ABROAD } else { HOME };
        }
        ask.amount = if kind == Kind::Balance { 0 } else { self.amount(card, ask.currency) };
        if kind == Kind::Load {
            ask.amount = self.amount_below(60_000);
        }
        ask.acquirer_fee = if kind == Kind::Withdrawal { self.amount_below(8) } else { 0 };
        ask.partial_allowed = kind == Kind::Purchase && self.one_in(4);
        ask.contactless = self.one_in(3);
        ask.pin = self.pin();
        ask
    }

    fn kind_and_terminal(&mut self, card: usize) -> (Kind, usize) {
        let (abroad, is_abroad) = (SHOP_ABROAD, self.load_currency(card) == ABROAD);
        let at_shop = |random: usize| if is_abroad && random < 6 { abroad } else { random };
        let shop = self.random.index(8);
        match self.random.below(16) {
            0 => (Kind::Balance, at_shop(shop)),
            1..=3 if is_abroad => (Kind::Load, abroad),
            1..=3 => {
                let desks = [AGENT, DESK, DESK, DESK];
                let at = self.random.index(desks.len());
                (Kind::Load, if self.one_in(16) { 0 } else { desks[at] })
            }
            4 => (Kind::Withdrawal, MACHINE),
            5..=8 => (Kind::PreAuthorization, at_shop(shop.min(6))),
            _ => (Kind::Purchase, at_shop(shop.min(6))),
        }
    }

    pub(super) fn load_currency(&self, card: usize) -> u16 {
        if self.naive.cards[card].product == 2 { ABROAD } else { HOME }
    }

    /// From very little to more than there is.
    fn amount(&mut self, card: usize, currency: u16) -> i64 {
        let (available, _) = self.naive.shown(card, currency);
        let most = match self.random.below(8) {
            0 => available * 2 + 100,
            1 | 2 => available / 2,
            3 => return available,
            _ => available / 10,
        };
        self.amount_below(most + 30)
    }

    fn pin(&mut self) -> Pin {
        match self.random.below(60) {
            0 => Pin::Wrong,
            1..=8 => Pin::Absent,
            _ => Pin::Right,
        }
    }

    /// The name of an earlier request with something else in it.
    fn spoiled(&mut self, mut ask: Ask) -> Ask {
        match self.random.below(6) {
            0 => ask.amount += 1,
            1 => ask.replacement += 1,
            2 | 3 => ask.card = Some(self.random.index(self.naive.cards.len())),
            4 => ask.partial_allowed = !ask.partial_allowed,
            _ => ask.original_stan = Some(7),
        }
        ask
    }

    fn reversal(&mut self, of: &Ask) -> Ask {
        // Taking back what was spent since blocks a card; were it done often, soon none would be in use.
        let rare = matches!(of.kind, Kind::Load | Kind::Void | Kind::CompletionVoid);
        if rare && !self.one_in(7) {
            return self.fresh();
        }
        // Now and then of a request that is still to come: then that comes, too.
        if self.one_in(6) {
            let coming = self.fresh();
            let mut ask = self.reversal_of(&coming);
            ask.name.0 = coming.name.0;
            self.coming.push(coming);
            return ask;
        }
        self.reversal_of(of)
    }

    fn reversal_of(&mut self, of: &Ask) -> Ask {
        let mut ask = self.blank(Kind::Reversal, of.name.0, 4);
        ask.card = match self.random.below(8) {
            0 => Some(self.random.index(self.naive.cards.len())),
            1..=3 => of.card,
            _ => None,
        };
        ask.amount = if self.one_in(30) { of.amount + 1 } else { of.amount };
        ask.currency = of.currency;
        ask.replacement = match self.random.below(12) {
            0 => of.amount / 2,
            1 => of.amount + 1,
            _ => 0,
        };
        ask.reverses = Some(if self.one_in(30) { Kind::Refund } else { of.kind });
        ask.original_batch = Some(of.name.1);
        ask.original_stan = Some(of.name.2);
        ask
    }

    /// What may follow an earlier request, if anything may.
    fn following(&mut self, of: &Ask, seq: Option<u64>) -> Option<Ask> {
        let kind = match (of.kind, self.random.below(6)) {
            (Kind::Purchase, 0..=3) => Kind::Refund,
            (Kind::Purchase, _) => Kind::Void,
            (Kind::Completion, 0..=2) => Kind::CompletionVoid,
            (Kind::Completion, _) => Kind::Refund,
            (Kind::PreAuthorization, 0) => Kind::PreAuthorizationVoid,
            (Kind::PreAuthorization, 1 | 2) => Kind::PreAuthorizationAddition,
            (Kind::PreAuthorization, _) => Kind::Completion,
            _ => return None,
        };
        // Mostly at the same terminal, else at another that may share its merchant.
        let terminal = if self.one_in(8) { self.random.index(3) } else { of.name.0 };
        let is_of_holds = matches!(kind, Kind::PreAuthorizationVoid | Kind::PreAuthorizationAddition);
        let mut ask = self.blank(kind, terminal, if is_of_holds { 1 } else { 2 });
        ask.card = of.card;
        ask.currency = of.currency;
        // An addition may have made it more, an approval in part less.
        let approved = seq.and_then(|seq| self.naive.approvals.get(&seq)).map(|approval| approval.amount);
        let amount = approved.unwrap_or(of.amount);
        ask.amount = match kind {
            Kind::PreAuthorizationAddition => 1 + self.amount_below(amount),
            Kind::Refund | Kind::Completion if self.one_in(4) => amount / 2 + 1,
            Kind::Completion if self.one_in(3) => amount + amount / 10,
            _ if self.one_in(20) => amount + 1,
            _ => amount,
        };
        if matches!(kind, Kind::Void | Kind::CompletionVoid) && !self.one_in(4) {
            ask.name.1 = of.name.1;
        }
        let needs_pin = kind == Kind::PreAuthorizationAddition;
        ask.pin = if needs_pin || self.one_in(10) { self.pin() } else { Pin::Absent };
        ask.original_batch = self.one_in(2).then_some(of.name.1);
        ask.original_stan = self.one_in(2).then_some(of.name.2);
        ask.approval = seq.map(|seq| u32::try_from(seq % 1_000_000).expect("six digits"));
        Some(ask)
    }
}
