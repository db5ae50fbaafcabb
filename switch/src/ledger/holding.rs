//! Placing and resolving holds: what a hold may promise, and that each is resolved once.
//!
//! A held amount stays in the balance but is no longer available, so no posting can take it before the hold is
//! resolved. A hold is resolved by releasing it, alone or in one step with postings ([`Ledger::post_releasing`]).
//! When holds expire is for the caller to decide; nothing here knows the time.
//!
//! Start at [`Ledger::place_hold`].

use super::{
    AccountId, Currency, Ledger, Minor, Posting, Refusal,
    holds::{Hold, HoldId, Holds, Leg},
};

impl Ledger {
    /// The live holds.
    #[must_use]
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Whether a hold with these legs may be placed: each above zero, all in one currency, and the money there.
    ///
    /// # Errors
    /// The first rule that would be broken.
    pub fn check_place(&self, legs: &[Leg]) -> Result<(), Refusal> {
        let first = legs.first().ok_or(Refusal::NoLegs)?;
        let account = self.funds(first.account).ok_or(Refusal::NoSuchAccount(first.account))?;
        self.check_legs(legs, account.currency)
    }

    /// Places a hold.
    ///
    /// # Errors
    /// As [`Ledger::check_place`]; or there is a live hold of this id, or the legs are in another currency than the
    /// hold. Nothing changes then.
    pub fn place_hold(&mut self, hold: Hold) -> Result<(), Refusal> {
        if self.holds.find(hold.id).is_some() {
            return Err(Refusal::HoldExists(hold.id));
        }
        self.check_legs(&hold.legs, hold.currency)?;
        for leg in &hold.legs {
            let held = self.accounts.held(leg.account);
            self.accounts.hold(leg.account, held + leg.amount);
        }
        self.holds.insert(hold);
        Ok(())
    }

    /// Puts a hold back as a checkpoint saved it, and its money back on the accounts' `held`. The caller restores
    /// all accounts first.
    ///
    /// # Errors
    /// As [`Ledger::place_hold`]: accounts and holds that were saved together satisfy all of its rules, in any
    /// order.
    pub fn restore_hold(&mut self, hold: Hold) -> Result<(), Refusal> {
        self.place_hold(hold)
    }

    /// Ends a hold: its money is available again.
    ///
    /// # Errors
    /// No hold of this id is live: there never was one, or it was resolved before.
    pub fn release_hold(&mut self, id: HoldId) -> Result<Hold, Refusal> {
        let hold = self.holds.remove(id).ok_or(Refusal::NoSuchHold(id))?;
        for leg in &hold.legs {
            let held = self.accounts.held(leg.account);
            self.accounts.hold(leg.account, held - leg.amount);
        }
        Ok(hold)
    }

    /// Whether these postings could be made once this hold is released.
    ///
    /// # Errors
    /// No hold of this id is live, or as [`Ledger::check`].
    pub fn check_with_release(&self, release: HoldId, postings: &[Posting]) -> Result<(), Refusal> {
        let hold = self.holds.find(release).ok_or(Refusal::NoSuchHold(release))?;
        self.check_given(&hold.legs, postings)
    }

    /// Releases a hold and makes these postings, in one step. Returns the hold that was resolved.
    ///
    /// # Errors
    /// As [`Ledger::check_with_release`]; the hold stays and nothing is posted then.
    pub fn post_releasing(&mut self, release: HoldId, postings: &[Posting]) -> Result<Hold, Refusal> {
        self.check_with_release(release, postings)?;
        let hold = self.release_hold(release)?;
        self.add(postings);
        Ok(hold)
    }

    fn check_legs(&self, legs: &[Leg], currency: Currency) -> Result<(), Refusal> {
        if legs.is_empty() {
            return Err(Refusal::NoLegs);
        }
        let mut total: Minor = 0;
        for leg in legs {
            let account = self.funds(leg.account).ok_or(Refusal::NoSuchAccount(leg.account))?;
            if leg.amount <= 0 {
                return Err(Refusal::NotPositive(leg.account));
            }
            if account.currency != currency {
                return Err(Refusal::WrongCurrency(leg.account));
            }
            total = total.checked_add(leg.amount).ok_or(Refusal::Overflow(leg.account))?;
            let together = sum_on(legs, leg.account).ok_or(Refusal::Overflow(leg.account))?;
            if together > account.available() {
                return Err(Refusal::BelowFloor(leg.account));
            }
            // Where there is no floor, more may be available than the range of one amount.
            account.held.checked_add(together).ok_or(Refusal::Overflow(leg.account))?;
        }
        Ok(())
    }
}

/// What these legs hold on one account; `None` beyond the range.
pub(super) fn sum_on(legs: &[Leg], account: AccountId) -> Option<Minor> {
    let on_account = legs.iter().filter(|leg| leg.account == account);
    on_account.map(|leg| leg.amount).try_fold(0, Minor::checked_add)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::{Account, AccountKind};
    use super::*;

    const CNY: Currency = 156;

    /// A bank without floor, two purses with 100 and 50, and a purse in euro with 10.
    fn ledger() -> (Ledger, [AccountId; 4]) {
        let mut ledger = Ledger::default();
        let bank = ledger.open(AccountKind::Bank, CNY, Minor::MIN);
        let euro_bank = ledger.open(AccountKind::Bank, 978, Minor::MIN);
        let purses =
            [(CNY, 100, bank), (CNY, 50, bank), (978, 10, euro_bank)].map(|(currency, amount, bank)| {
                let purse = ledger.open(AccountKind::Purse { card: 0, purse: 0 }, currency, 0);
                ledger.post(&[posting(bank, -amount), posting(purse, amount)]).unwrap();
                purse
            });
        (ledger, [bank, purses[0], purses[1], purses[2]])
    }

    fn posting(account: AccountId, amount: Minor) -> Posting {
        Posting { account, amount }
    }

    fn leg(account: AccountId, amount: Minor) -> Leg {
        Leg { account, amount }
    }

    fn hold(id: u64, legs: &[Leg]) -> Hold {
        Hold { id: HoldId(id), legs: legs.iter().copied().collect(), currency: CNY, expires_ms: 1 }
    }

    fn state(ledger: &Ledger) -> (Vec<Account>, Vec<Hold>) {
        (ledger.accounts().to_vec(), ledger.holds().iter().cloned().collect())
    }

    #[test]
    fn holds_are_refused_whole() {
        let (mut ledger, [bank, first, second, euro]) = ledger();
        ledger.place_hold(hold(1, &[leg(first, 60), leg(second, 50)])).unwrap();
        type Row<'a> = (&'a str, Hold, Refusal);
        let nowhere = AccountId(99);
        let in_euro = Hold { currency: 978, ..hold(2, &[leg(first, 1)]) };
        let rows: [Row<'_>; 11] = [
            ("no legs", hold(2, &[]), Refusal::NoLegs),
            ("a leg of nothing", hold(2, &[leg(first, 0)]), Refusal::NotPositive(first)),
            ("a leg below nothing", hold(2, &[leg(first, Minor::MIN)]), Refusal::NotPositive(first)),
            ("one more than is left", hold(2, &[leg(first, 41)]), Refusal::BelowFloor(first)),
            ("the second leg", hold(2, &[leg(first, 1), leg(second, 1)]), Refusal::BelowFloor(second)),
            ("an account twice", hold(2, &[leg(first, 40), leg(first, 1)]), Refusal::BelowFloor(first)),
            ("an account that is not there", hold(2, &[leg(nowhere, 1)]), Refusal::NoSuchAccount(nowhere)),
            ("two currencies", hold(2, &[leg(first, 1), leg(euro, 1)]), Refusal::WrongCurrency(euro)),
            ("another currency than its own", in_euro, Refusal::WrongCurrency(first)),
            ("an id that is live", hold(1, &[leg(first, 1)]), Refusal::HoldExists(HoldId(1))),
            ("beyond the range", hold(2, &[leg(bank, 1), leg(bank, Minor::MAX)]), Refusal::Overflow(bank)),
        ];
        let before = state(&ledger);
        for (name, hold, want) in rows {
            assert_eq!(ledger.place_hold(hold), Err(want), "{name}");
            assert_eq!(state(&ledger), before, "{name}: nothing may change");
        }
        assert_eq!(ledger.check_place(&[]), Err(Refusal::NoLegs));
        assert_eq!(ledger.check_place(&[leg(nowhere, 1)]), Err(Refusal::NoSuchAccount(nowhere)));
        assert_eq!(ledger.check_place(&[leg(first, 1), leg(euro, 1)]), Err(Refusal::WrongCurrency(euro)));
        assert_eq!(ledger.check_place(&[leg(first, 41)]), Err(Refusal::BelowFloor(first)));
        assert_eq!(ledger.check_place(&[leg(first, 40)]), Ok(()));
        ledger.place_hold(hold(2, &[leg(first, 40)])).unwrap();
        assert_eq!((ledger.available(first), ledger.available(second)), (0, 0));
        assert_eq!(ledger.verify(), Ok(()));
    }

    #[test]
    fn without_a_floor_what_is_held_stays_in_range() {
        let (mut ledger, [bank, ..]) = ledger();
        ledger.place_hold(hold(1, &[leg(bank, Minor::MAX - 150)])).unwrap();
        assert_eq!(ledger.available(bank), 1, "a balance of -150 over the lowest, less what is held");
        ledger.post(&[posting(bank, 100), posting(AccountId(2), -100)]).unwrap();
        ledger.place_hold(hold(2, &[leg(bank, 101)])).unwrap();
        assert_eq!(ledger.available(bank), 0);
        assert_eq!(ledger.verify(), Ok(()));

        let mut ledger = Ledger::default();
        let bank = ledger.open(AccountKind::Bank, CNY, Minor::MIN);
        ledger.place_hold(hold(1, &[leg(bank, Minor::MAX)])).unwrap();
        assert_eq!(ledger.available(bank), 1);
        assert_eq!(ledger.check_place(&[leg(bank, 1)]), Err(Refusal::Overflow(bank)));
    }

    #[test]
    fn held_money_is_not_taken_by_others() {
        let (mut ledger, [bank, first, ..]) = ledger();
        ledger.place_hold(hold(1, &[leg(first, 60)])).unwrap();
        let take = |amount: Minor| [posting(first, -amount), posting(bank, amount)];
        assert_eq!((ledger.balance(first), ledger.available(first)), (100, 40));
        assert_eq!(ledger.check(&take(41)), Err(Refusal::BelowFloor(first)));
        assert_eq!(ledger.post(&take(41)), Err(Refusal::BelowFloor(first)));
        assert_eq!(ledger.post(&take(40)), Ok(()));
        assert_eq!(ledger.available(first), 0);
        assert_eq!(ledger.post(&take(-5)), Ok(()), "a credit is never in the way of a hold");
        assert_eq!(ledger.release_hold(HoldId(1)), Ok(hold(1, &[leg(first, 60)])));
        assert_eq!((ledger.balance(first), ledger.available(first)), (65, 65));
        assert_eq!(ledger.verify(), Ok(()));
    }

    #[test]
    fn a_hold_is_resolved_once() {
        let (mut ledger, [bank, first, ..]) = ledger();
        let unknown = Err(Refusal::NoSuchHold(HoldId(1)));
        let postings = [posting(first, -60), posting(bank, 60)];
        assert_eq!(ledger.release_hold(HoldId(1)), unknown, "never placed");
        ledger.place_hold(hold(1, &[leg(first, 60)])).unwrap();
        assert_eq!(ledger.post_releasing(HoldId(1), &postings), Ok(hold(1, &[leg(first, 60)])));
        assert_eq!(ledger.release_hold(HoldId(1)), unknown, "completed before");
        assert_eq!(ledger.post_releasing(HoldId(1), &postings[..0]), unknown, "completed before");
        assert_eq!(ledger.check_with_release(HoldId(1), &[]), Err(Refusal::NoSuchHold(HoldId(1))));
        assert_eq!((ledger.balance(first), ledger.available(first)), (40, 40));
    }

    #[test]
    fn a_completion_posts_and_releases_in_one_step_or_not_at_all() {
        let (mut ledger, [bank, first, second, _]) = ledger();
        ledger.place_hold(hold(1, &[leg(first, 30), leg(first, 30), leg(second, 20)])).unwrap();
        ledger.place_hold(hold(2, &[leg(first, 30)])).unwrap();
        type Row<'a> = (&'a str, &'a [Posting], Refusal);
        let rows: [Row<'_>; 3] = [
            // 100 on the purse, 30 held for another: 70 is the most, of which 60 were held for this.
            ("another hold's money", &[posting(first, -71), posting(bank, 71)], Refusal::BelowFloor(first)),
            ("unbalanced", &[posting(first, -70), posting(bank, 71)], Refusal::Unbalanced(CNY)),
            ("one account too many", &[posting(AccountId(9), 0)], Refusal::NoSuchAccount(AccountId(9))),
        ];
        let before = state(&ledger);
        for (name, postings, want) in rows {
            assert_eq!(ledger.check_with_release(HoldId(1), postings), Err(want), "{name}");
            assert_eq!(ledger.post_releasing(HoldId(1), postings), Err(want), "{name}");
            assert_eq!(state(&ledger), before, "{name}: nothing may change");
        }
        let postings = [posting(first, -70), posting(bank, 70)];
        assert_eq!(ledger.check(&postings), Err(Refusal::BelowFloor(first)), "only its own hold gives way");
        assert_eq!(ledger.check_with_release(HoldId(1), &postings), Ok(()));
        assert_eq!(state(&ledger), before, "a check changes nothing");
        ledger.post_releasing(HoldId(1), &postings).unwrap();
        let left = [first, second].map(|purse| (ledger.balance(purse), ledger.available(purse)));
        assert_eq!(left, [(30, 0), (50, 50)], "what the completion left of the hold is free");
        assert_eq!(ledger.verify(), Ok(()));
    }

    #[test]
    fn rows_saved_and_restored_make_the_same_ledger() {
        let (mut ledger, [_, first, second, _]) = ledger();
        ledger.place_hold(hold(9, &[leg(first, 60), leg(second, 1)])).unwrap();
        ledger.place_hold(hold(3, &[leg(first, 40)])).unwrap();
        let accounts = postcard::to_stdvec(&ledger.accounts().to_vec()).unwrap();
        let holds: Vec<Vec<u8>> =
            ledger.holds().iter().map(|hold| postcard::to_stdvec(hold).unwrap()).collect();

        let mut restored = Ledger::default();
        for account in postcard::from_bytes::<Vec<Account>>(&accounts).unwrap() {
            assert_eq!(account.held, 0, "what is held is not saved with the account");
            restored.restore(Account { held: 7, ..account }); // And would not be believed.
        }
        for row in &holds {
            restored.restore_hold(postcard::from_bytes(row).unwrap()).unwrap();
        }
        assert_eq!(state(&restored), state(&ledger));
        assert_eq!(restored.verify(), Ok(()));
        let again = restored.restore_hold(hold(3, &[leg(second, 1)]));
        assert_eq!(again, Err(Refusal::HoldExists(HoldId(3))), "a damaged checkpoint is refused");
    }
}
