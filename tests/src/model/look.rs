//! The comparison: after each step what either side touched, now and then everything.

use cardswitch::{
    books::{Books, CardId, event::Event},
    ledger::AccountId,
};

use super::{
    naive::{Naive, Place},
    walk::{LOOK_EVERY, RESTORE_EVERY, Walk},
};

impl Walk<'_> {
    /// Every account that an event posts to or that the model moved money at, the purses of the cards concerned with what is
    /// held of them, and what has gone back of the transaction that it is about.
    pub(super) fn compare_touched(
        &self,
        event: &Event,
        moved: &[Place],
        cards: &[usize],
    ) -> Result<(), String> {
        for place in moved {
            self.compare(*place, self.account_of[place])?;
        }
        let (postings, card, originals) = match event.done() {
            Event::Decided(decided) => {
                let about = decided.original.map(|on| on.seq);
                (&decided.postings[..], decided.card, [about, Some(self.books.seq())])
            }
            Event::Operated(operated) => (&operated.postings[..], None, [None, None]),
            _ => (&[][..], None, [None, None]),
        };
        for posting in postings {
            let place = self.places.get(posting.account.0 as usize).copied().flatten();
            let place = place.ok_or_else(|| format!("nobody knows of {:?}", posting.account))?;
            self.compare(place, posting.account)?;
        }
        for card in cards.iter().copied().chain(card.map(|card| card as usize)) {
            self.compare_card(card)?;
        }
        originals.into_iter().flatten().try_for_each(|seq| self.compare_original(seq))
    }

    fn compare(&self, place: Place, account: AccountId) -> Result<(), String> {
        let (want, got) = (self.naive.balance(place), self.books.ledger().balance(account));
        if want == got { Ok(()) } else { Err(format!("{place:?}: the model has {want}, the books {got}")) }
    }

    fn compare_card(&self, at: usize) -> Result<(), String> {
        let (id, naive) = (CardId(u32::try_from(at).expect("few cards")), &self.naive.cards[at]);
        let card = self.books.card(id);
        let accounts = self.books.card_purses(&card).map(|(account, _)| account);
        for (purse, account) in accounts.enumerate() {
            self.compare(Place::Purse(at, purse), account)?;
            let (want, got) = (self.naive.held(at, purse), self.books.ledger().held(account));
            if want != got {
                return Err(format!("card {at}, purse {purse}: the model holds {want}, the books {got}"));
            }
        }
        let want = (naive.state, naive.wrong_pins, naive.deposit);
        let got = (card.state, card.pin_tries, self.books.deposit(id));
        if want != got {
            return Err(format!("card {at}: the model has {want:?}, the books {got:?}"));
        }
        let currencies = [super::start::HOME, super::start::ABROAD];
        let [want, got] = [
            currencies.map(|currency| self.naive.owed(at, currency)),
            currencies.map(|currency| self.books.owed(id, currency)),
        ];
        if want == got {
            Ok(())
        } else {
            Err(format!("card {at} owes {want:?} in the model, {got:?} in the books"))
        }
    }

    fn compare_original(&self, seq: u64) -> Result<(), String> {
        let got = self.books.originals().at(seq);
        let got = got.map(|of| (of.amount, of.returned, of.hold.map(|hold| hold.0), of.lapsed, of.reversed));
        let want = self.naive.approvals.get(&seq);
        let want = want.map(|of| (of.amount, of.returned, of.hold, of.lapsed, of.reversed));
        if want == got {
            return Ok(());
        }
        Err(format!(
            "amount, returned, hold, lapsed, reversed of record {seq}: {want:?} in the model, {got:?} in the books"
        ))
    }

    /// Now and then, and at the end of a walk: everything.
    pub(super) fn look(&mut self, step: u64, is_last: bool) -> Result<(), String> {
        if step.is_multiple_of(LOOK_EVERY) || is_last {
            self.look_at_everything()?;
        }
        if step.is_multiple_of(RESTORE_EVERY) || is_last {
            self.restore()?;
        }
        Ok(())
    }

    fn look_at_everything(&self) -> Result<(), String> {
        self.books.verify().map_err(|broken| broken.to_string())?;
        if self.books.seq() != self.naive.seq {
            let (want, got) = (self.naive.seq, self.books.seq());
            return Err(format!("the model is at record {want}, the books at {got}"));
        }
        for (place, account) in &self.accounts {
            self.compare(*place, *account)?;
        }
        for card in 0..self.naive.cards.len() {
            self.compare_card(card)?;
        }
        let kept = self.books.originals().len();
        if kept != self.naive.approvals.len() {
            return Err(format!("the model keeps {}, the books {kept}", self.naive.approvals.len()));
        }
        self.naive.approvals.keys().try_for_each(|seq| self.compare_original(*seq))
    }

    /// A checkpoint, written and read back; the walk goes on with the books that were read.
    fn restore(&mut self) -> Result<(), String> {
        let mut chunks = Vec::new();
        self.books.snapshot(&mut |chunk| chunks.push(chunk.to_vec()));
        let read = Books::from_snapshot(chunks).map_err(|error| error.to_string())?;
        if read.state_hash() != self.books.state_hash() {
            return Err("a checkpoint reads back as other books".to_owned());
        }
        self.books = read;
        Ok(())
    }
}

impl Naive {
    /// Where money was moved by a request that was answered with this record.
    pub(super) fn moved_by(&self, ask: &super::naive::Ask, seq: Option<u64>) -> Vec<Place> {
        self.moves_of(ask, seq).iter().filter(|(_, amount)| *amount != 0).map(|(place, _)| *place).collect()
    }
}
