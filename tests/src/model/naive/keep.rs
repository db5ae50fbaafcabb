//! Carrying out: money, holds, cards, and what is remembered of a request.

use cardswitch::books::{event::CardState, reason::Reason, request::Kind};

use super::{
    Ask, Due, Naive, Name, Place, Rule, Told,
    state::{Approval, Hold, Outcome, Remembered, Standing},
};

const HOUR_MS: i64 = 3_600_000;

impl Naive {
    /// The next thing that is due, carried out. Days begin at midnight, eight hours east.
    pub(in crate::model) fn due(&mut self, now: i64) -> Option<Due> {
        let day = i32::try_from((now + 8 * HOUR_MS).div_euclid(24 * HOUR_MS)).expect("a day of this century");
        if day > self.day {
            self.day = day;
            self.seq += 1;
            return Some(Due::Day(day));
        }
        let (_, hold) = self.ends.first().filter(|(expires, _)| *expires <= now).copied()?;
        self.seq += 1;
        let ended = self.end_hold(hold);
        if let Some(approval) = self.approvals.get_mut(&ended.of) {
            approval.hold = None;
            approval.lapsed = true;
        }
        Some(Due::Expiry { hold, amount: ended.total() })
    }

    fn end_hold(&mut self, number: u64) -> Hold {
        let hold = self.holds.remove(&number).expect("a hold that is live");
        self.ends.remove(&(hold.expires, number));
        self.cards[hold.card].holds.retain(|live| *live != number);
        hold
    }

    fn begin_hold(&mut self, hold: Hold) {
        self.ends.insert((hold.expires, self.seq));
        self.cards[hold.card].holds.push(self.seq);
        self.holds.insert(self.seq, hold);
    }

    /// What is remembered under a name, within the time for it.
    pub(super) fn find(&self, name: &Name, now: i64) -> Option<&Remembered> {
        let window = self.policy.duplicate_window_ms;
        self.remembered.get(name).filter(|earlier| now - earlier.time < window)
    }

    pub(super) fn move_money(&mut self, card: Option<usize>, moved: &[(Place, i64)], blocks: bool) {
        let was_active = card.is_some_and(|card| self.cards[card].state == CardState::Active);
        for (place, amount) in moved.iter().filter(|(_, amount)| *amount != 0) {
            self.put(*place, *amount);
            if let (Place::Receivable(currency), Some(card)) = (place, card) {
                self.owe(card, *currency, -amount, blocks && was_active);
            }
        }
    }

    /// Moves the money, changes the card, and remembers the request.
    pub(super) fn carry_out(&mut self, ask: &Ask, card: Option<usize>, outcome: &Outcome, now: i64) -> Told {
        self.seq += 1;
        self.move_money(card, &outcome.moved, outcome.blocks);
        if let Some(hold) = outcome.releases {
            self.end_hold(hold);
        }
        if let (Some((legs, expires)), Some(card)) = (&outcome.places, card) {
            let of = outcome.hold_of.unwrap_or(self.seq);
            self.begin_hold(Hold { card, legs: legs.clone(), expires: *expires, of });
        }
        if let Some(about) = outcome.hold_of.and_then(|about| self.approvals.get_mut(&about)) {
            about.hold = outcome.places.is_some().then_some(self.seq);
        }
        if let Some(about) = outcome.about.and_then(|about| self.approvals.get_mut(&about)) {
            about.returned += outcome.returned;
            about.amount += outcome.added;
            about.lapsed = outcome.lapsed.unwrap_or(about.lapsed);
        }
        if let Some(card) = card.map(|card| &mut self.cards[card]) {
            if outcome.activates {
                card.state = CardState::Active;
            }
            if outcome.blocks && card.state == CardState::Active {
                card.state = CardState::Blocked;
            }
        }
        let Outcome { reason, shown, partial, .. } = *outcome;
        let told = Told { reason, shown, partial, repeat: false, seq: Some(self.seq) };
        let entry = Remembered {
            ask: ask.clone(),
            card,
            seq: self.seq,
            time: now,
            told,
            standing: Standing::Answered,
            moved: outcome.moved.clone(),
            about: outcome.about,
            returned: outcome.returned,
        };
        self.remember(ask.name, entry);
        told
    }

    /// What is still to come under this name was reversed.
    pub(super) fn bury(&mut self, ask: &Ask, name: Name, now: i64) {
        let entry = Remembered {
            ask: ask.clone(),
            card: ask.card,
            seq: self.seq + 1,
            time: now,
            told: Told::unrecorded(Reason::Approved),
            standing: Standing::Tombstone,
            moved: Vec::new(),
            about: None,
            returned: 0,
        };
        self.remember(name, entry);
    }

    fn remember(&mut self, name: Name, entry: Remembered) {
        let oldest = entry.time - self.policy.duplicate_window_ms;
        while let Some((time, name)) = self.ages.front().filter(|(time, _)| *time <= oldest).copied() {
            self.ages.pop_front();
            if self.remembered.get(&name).is_some_and(|entry| entry.time == time) {
                self.remembered.remove(&name);
            }
        }
        self.ages.push_back((entry.time, name));
        self.remembered.insert(name, entry);
    }

    /// Keeps an approved transaction for what may follow it.
    pub(super) fn keep(&mut self, ask: &Ask, outcome: &Outcome, now: i64) {
        let kept = [Kind::Purchase, Kind::PreAuthorization, Kind::Completion, Kind::Withdrawal];
        let approved = matches!(outcome.reason, Reason::Approved | Reason::PartlyApproved);
        let (true, true, Some(card)) = (kept.contains(&ask.kind), approved, ask.card) else { return };
        self.forget_approvals(now);
        let took = outcome.moved.iter().filter(|(place, amount)| {
            *amount < 0 && matches!(place, Place::Purse(..) | Place::Receivable(_))
        });
        let mut payees = outcome.moved.iter().map(|(place, _)| *place);
        let approval = Approval {
            time: now,
            name: ask.name,
            kind: ask.kind,
            merchant: self.terminals[ask.name.0].merchant as usize,
            card,
            amount: outcome.partial.unwrap_or(ask.amount),
            currency: ask.currency,
            fee: outcome.fee,
            took: took.map(|(place, amount)| (*place, -amount)).collect(),
            payee: payees.find(|place| matches!(place, Place::Merchant(_) | Place::Acquirer(_))),
            returned: 0,
            // What a completion places anew stands for its pre-authorization.
            hold: (outcome.places.is_some() && outcome.hold_of.is_none()).then_some(self.seq),
            lapsed: false,
            reversed: false,
        };
        self.approved_as.insert(ask.name, self.seq);
        self.approvals.insert(self.seq, approval);
    }

    /// What can no longer be refunded leaves as something new comes.
    fn forget_approvals(&mut self, now: i64) {
        while let Some(oldest) = self.approvals.first_entry() {
            if now - oldest.get().time < self.policy.refund_ms {
                return;
            }
            let (seq, approval) = oldest.remove_entry();
            if self.approved_as.get(&approval.name) == Some(&seq) {
                self.approved_as.remove(&approval.name);
            }
        }
    }

    pub(super) fn order_is_known(&self, id: &[u8; 16]) -> bool {
        !self.is_flipped(Rule::OrdersOnce) && self.orders_done.iter().any(|done| done.0 == *id)
    }
}

impl Naive {
    /// What a request moved, if this record is its answer.
    pub(in crate::model) fn moves_of(&self, ask: &Ask, seq: Option<u64>) -> &[(Place, i64)] {
        let entry = self.remembered.get(&ask.name).filter(|entry| Some(entry.seq) == seq);
        entry.map_or(&[], |entry| &entry.moved)
    }
}
