//! The ledger beside a model that does everything the slow way: what is held is summed anew from all holds, and
//! money is split and given back one minor unit at a time.
//!
//! Start at [`walk`]; a failure names the seed and the step that show it again.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use super::{
    AccountId, AccountKind, Currency, Ledger, Minor, Posting, Postings, Refusal,
    holds::{Hold, HoldId, Leg},
    purse::{complete_from_hold, give_back, split_debit, split_hold},
};

const STEPS: u64 = 50_000;

/// So few that holds, debits and refunds meet on the same accounts all the time.
const CARDS: usize = 3;
const PURSES: usize = 4;
const HOLDS_LIVE_MAX: usize = 24;
const DEBITS_KEPT_MAX: usize = 40;

/// Numbers that come again from their seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    fn amount(&mut self, limit: u64) -> Minor {
        Minor::try_from(self.below(limit)).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        (!of.is_empty()).then(|| &of[usize::try_from(self.below(of.len() as u64)).unwrap()])
    }
}

/// An account of the model.
struct Row {
    currency: Currency,
    floor: i128,
    balance: i128,
}

/// What should be. It knows each hold as it was placed, and nothing that follows from it.
#[derive(Default)]
struct Model {
    rows: Vec<Row>,
    holds: BTreeMap<u64, Hold>,
}

impl Model {
    fn row(&self, id: AccountId) -> Option<&Row> {
        self.rows.get(id.0 as usize)
    }

    fn held(&self, id: AccountId, without: Option<u64>) -> i128 {
        let holds = self.holds.iter().filter(|(hold, _)| Some(**hold) != without);
        let legs = holds.flat_map(|(_, hold)| &hold.legs).filter(|leg| leg.account == id);
        legs.map(|leg| i128::from(leg.amount)).sum()
    }

    fn available(&self, id: AccountId) -> i128 {
        let row = self.row(id).unwrap();
        (row.balance - self.held(id, None) - row.floor).clamp(0, i128::from(Minor::MAX))
    }

    /// Whether a set of postings is allowed, once the hold `without` is gone.
    fn allows(&self, postings: &[Posting], without: Option<u64>) -> bool {
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        let mut changes: BTreeMap<AccountId, i128> = BTreeMap::new();
        for posting in postings {
            let Some(row) = self.row(posting.account) else { return false };
            *sums.entry(row.currency).or_default() += i128::from(posting.amount);
            *changes.entry(posting.account).or_default() += i128::from(posting.amount);
        }
        let fits = |(id, change): (&AccountId, &i128)| {
            let row = self.row(*id).unwrap();
            let after = row.balance + change;
            *change >= 0 || after - self.held(*id, without) >= row.floor
        };
        sums.values().all(|sum| *sum == 0) && changes.iter().all(fits)
    }

    fn post(&mut self, postings: &[Posting]) {
        for posting in postings {
            self.rows[posting.account.0 as usize].balance += i128::from(posting.amount);
        }
    }

    fn allows_hold(&self, hold: &Hold) -> bool {
        let mut taken: BTreeMap<AccountId, i128> = BTreeMap::new();
        for leg in &hold.legs {
            let right = self.row(leg.account).is_some_and(|row| row.currency == hold.currency);
            if !right || leg.amount <= 0 {
                return false;
            }
            *taken.entry(leg.account).or_default() += i128::from(leg.amount);
        }
        let there = taken.iter().all(|(id, taken)| *taken <= self.available(*id));
        !taken.is_empty() && there && !self.holds.contains_key(&hold.id.0)
    }

    /// Unit by unit: each comes from the first purse that still has one.
    fn split(&self, purses: &[AccountId], amount: Minor) -> Option<Vec<AccountId>> {
        let mut free: Vec<i128> = purses.iter().map(|purse| self.available(*purse)).collect();
        let mut units = Vec::new();
        for _ in 0..amount {
            let at = free.iter().position(|free| *free > 0)?;
            free[at] -= 1;
            units.push(purses[at]);
        }
        Some(units)
    }
}

/// The account of each single unit, in order.
fn units(amounts: impl IntoIterator<Item = (AccountId, Minor)>) -> Vec<AccountId> {
    let repeat = |(account, amount): (AccountId, Minor)| {
        std::iter::repeat_n(account, usize::try_from(amount.unsigned_abs()).unwrap())
    };
    amounts.into_iter().flat_map(repeat).collect()
}

fn of_postings(postings: &[Posting]) -> Vec<AccountId> {
    units(postings.iter().map(|posting| (posting.account, posting.amount)))
}

/// A debit that was posted, and the units that have not been given back, the next one last.
struct Debit {
    postings: Vec<Posting>,
    left: Vec<AccountId>,
    already: Minor,
}

struct Walk {
    ledger: Ledger,
    model: Model,
    random: Random,
    bank: AccountId,
    merchant: AccountId,
    cards: [[AccountId; PURSES]; CARDS],
    euro: AccountId,
    debits: Vec<Debit>,
    next_hold: u64,
    /// How often each operation went through, so that a walk that is always refused does not pass.
    done: BTreeMap<&'static str, u64>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let (mut ledger, mut model) = (Ledger::default(), Model::default());
        let mut open = |kind, currency, floor| {
            model.rows.push(Row { currency, floor: i128::from(floor), balance: 0 });
            ledger.open(kind, currency, floor)
        };
        let bank = open(AccountKind::Bank, 156, Minor::MIN);
        let merchant = open(AccountKind::MerchantPayable { merchant: 0 }, 156, Minor::MIN);
        let cards = [0, 1, 2].map(|card| {
            // One purse of four may be overdrawn by 20.
            [0, 0, -20, 0].map(|floor| open(AccountKind::Purse { card, purse: 0 }, 156, floor))
        });
        let euro = open(AccountKind::Purse { card: 0, purse: 1 }, 978, 0);
        Self {
            ledger,
            model,
            random: Random(seed),
            bank,
            merchant,
            cards,
            euro,
            debits: Vec::new(),
            next_hold: 1,
            done: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0 => self.load(),
            1 => self.post_anything(),
            2 | 3 => self.purchase(),
            4 | 5 => self.hold(),
            6 => self.hold_anything(),
            7 | 8 => self.complete(),
            9 => self.release(),
            10 => self.expire(),
            _ => self.refund(),
        }
    }

    fn did(&mut self, what: &'static str, done: bool) {
        *self.done.entry(what).or_default() += u64::from(done);
    }

    /// Any account, now and then one of another currency or one that does not exist.
    fn any_account(&mut self) -> AccountId {
        match self.random.below(20) {
            0 => AccountId(1_000),
            1 => self.euro,
            2 => self.bank,
            _ => {
                let purses = self.cards.concat();
                *self.random.pick(&purses).unwrap()
            }
        }
    }

    fn any_card(&mut self) -> [AccountId; PURSES] {
        let cards = self.cards;
        *self.random.pick(&cards).unwrap()
    }

    /// Posts on both sides; they must agree on whether it may be.
    fn post(&mut self, postings: &[Posting]) -> bool {
        let allowed = self.model.allows(postings, None);
        assert_eq!(self.ledger.check(postings).is_ok(), allowed, "{postings:?}");
        assert_eq!(self.ledger.post(postings).is_ok(), allowed, "{postings:?}");
        if allowed {
            self.model.post(postings);
        }
        allowed
    }

    fn load(&mut self) {
        let (account, amount) = (self.any_account(), self.random.amount(80));
        let bank = self.bank;
        let done = self.post(&[Posting { account: bank, amount: -amount }, Posting { account, amount }]);
        self.did("load", done);
    }

    fn post_anything(&mut self) {
        let postings =
            [(); 3].map(|()| Posting { account: self.any_account(), amount: self.random.amount(60) - 30 });
        let [first, second, _] = postings;
        let rest = Posting { account: self.merchant, amount: -first.amount - second.amount };
        let third = if self.random.below(10) == 0 { postings[2] } else { rest };
        let done = self.post(&[first, second, third]);
        self.did("post", done);
    }

    fn purchase(&mut self) {
        let (purses, amount) = (self.any_card(), self.random.amount(50));
        let split = split_debit(&self.ledger, purses.into_iter(), amount);
        let want = self.model.split(&purses, amount);
        assert_eq!(split.as_ref().map(|debits| of_postings(debits)), want, "{amount} of {purses:?}");
        let Some(debits) = split else { return };
        let done = self.post(&self.paid(&debits));
        assert!(done, "a split is always possible: {debits:?}");
        self.keep(&debits);
        self.did("purchase", amount > 0);
    }

    /// These debits with the merchant's credit.
    fn paid(&self, debits: &[Posting]) -> Vec<Posting> {
        let sum: Minor = debits.iter().map(|debit| debit.amount).sum();
        debits.iter().copied().chain([Posting { account: self.merchant, amount: -sum }]).collect()
    }

    fn keep(&mut self, debits: &[Posting]) {
        if self.debits.len() == DEBITS_KEPT_MAX {
            self.debits.swap_remove(0);
        }
        self.debits.push(Debit { postings: debits.to_vec(), left: of_postings(debits), already: 0 });
    }

    fn place(&mut self, hold: Hold) -> bool {
        if self.model.holds.len() >= HOLDS_LIVE_MAX {
            return false;
        }
        let allowed = self.model.allows_hold(&hold);
        assert_eq!(self.ledger.place_hold(hold.clone()).is_ok(), allowed, "{hold:?}");
        if allowed {
            self.next_hold = self.next_hold.max(hold.id.0 + 1);
            self.model.holds.insert(hold.id.0, hold);
        }
        allowed
    }

    fn hold(&mut self) {
        let (purses, amount) = (self.any_card(), self.random.amount(50));
        let legs = split_hold(&self.ledger, purses.into_iter(), amount);
        let got = legs.as_ref().map(|legs| units(legs.iter().map(|leg| (leg.account, leg.amount))));
        assert_eq!(got, self.model.split(&purses, amount), "{amount} of {purses:?}");
        let Some(legs) = legs else { return };
        assert_eq!(self.ledger.check_place(&legs).is_ok(), amount > 0, "{legs:?}");
        let expires_ms = self.random.amount(1_000);
        let done = self.place(Hold { id: HoldId(self.next_hold), legs, currency: 156, expires_ms });
        self.did("hold", done);
    }

    fn hold_anything(&mut self) {
        let count = self.random.below(4);
        let mut leg = || Leg { account: self.any_account(), amount: self.random.amount(24) - 1 };
        let legs = (0..count).map(|_| leg()).collect();
        let currency = if self.random.below(10) == 0 { 978 } else { 156 };
        // Ids need not ascend, and may be taken.
        let id = HoldId(self.next_hold + 5 - self.random.below(10).min(self.next_hold));
        let expires_ms = self.random.amount(1_000) - 500;
        let done = self.place(Hold { id, legs, currency, expires_ms });
        self.did("hold of anything", done);
    }

    /// A live hold nearly always, else one that was resolved or never was.
    fn any_hold(&mut self) -> u64 {
        let live: Vec<u64> = self.model.holds.keys().copied().collect();
        let other = self.random.below(self.next_hold + 3);
        if self.random.below(10) == 0 { other } else { self.random.pick(&live).copied().unwrap_or(other) }
    }

    fn complete(&mut self) {
        let id = self.any_hold();
        let Some(hold) = self.model.holds.get(&id).cloned() else {
            let refused = self.ledger.post_releasing(HoldId(id), &[]);
            assert_eq!(refused, Err(Refusal::NoSuchHold(HoldId(id))));
            return;
        };
        let (amount, extra) = (self.random.amount(60), self.random.amount(3) * 10);
        let debits = complete_from_hold(&hold, amount);
        let mut want = units(hold.legs.iter().map(|leg| (leg.account, leg.amount)));
        want.truncate(usize::try_from(amount).unwrap());
        assert_eq!(of_postings(&debits), want, "{amount} of {hold:?}");

        // Sometimes more than the hold, so that it is the others' holds that may stand in the way.
        let mut debits: Vec<Posting> = debits.to_vec();
        if extra > 0 {
            debits.push(Posting { account: self.any_account(), amount: -extra });
        }
        let postings = self.paid(&debits);
        let allowed = self.model.allows(&postings, Some(id));
        assert!(allowed || extra > 0, "a completion within its hold is always possible: {hold:?}");
        assert_eq!(self.ledger.check_with_release(HoldId(id), &postings).is_ok(), allowed, "{postings:?}");
        assert_eq!(self.ledger.post_releasing(HoldId(id), &postings).is_ok(), allowed, "{postings:?}");
        if allowed {
            self.model.holds.remove(&id);
            self.model.post(&postings);
            self.keep(&debits);
        }
        self.did(if extra > 0 { "completion above the hold" } else { "completion" }, allowed);
    }

    fn release(&mut self) {
        let id = self.any_hold();
        let want = self.model.holds.remove(&id).ok_or(Refusal::NoSuchHold(HoldId(id)));
        let done = want.is_ok();
        assert_eq!(self.ledger.release_hold(HoldId(id)), want);
        self.did("release", done);
    }

    fn expire(&mut self) {
        let Some((_, id)) = self.ledger.holds().next_expiry() else { return };
        assert_eq!(self.ledger.release_hold(id).ok(), self.model.holds.remove(&id.0));
        self.did("expiry", true);
    }

    fn refund(&mut self) {
        if self.debits.is_empty() {
            return;
        }
        let at = usize::try_from(self.random.below(self.debits.len() as u64)).unwrap();
        let asked = self.random.amount(40);
        let debit = &mut self.debits[at];
        let mut credits = Postings::new();
        give_back(&debit.postings, asked, debit.already, &mut credits);
        let returned = usize::try_from(asked).unwrap().min(debit.left.len());
        let mut want = debit.left.split_off(debit.left.len() - returned);
        want.reverse();
        assert_eq!(of_postings(&credits), want, "{asked} after {} of {:?}", debit.already, debit.postings);
        debit.already += Minor::try_from(returned).unwrap();
        let done = self.post(&self.paid(&credits));
        assert!(done, "giving back is always possible: {credits:?}");
        self.did("give back", returned > 0);
    }

    /// Everything that can be seen of the ledger is as the model has it.
    fn compare(&self) {
        assert_eq!(self.ledger.verify(), Ok(()));
        for (account, at) in self.ledger.accounts().iter().zip(0..) {
            let id = AccountId(at);
            let seen = [account.balance, self.ledger.held(id), self.ledger.available(id)].map(i128::from);
            let balance = self.model.row(id).unwrap().balance;
            let want = [balance, self.model.held(id, None), self.model.available(id)];
            assert_eq!(seen, want, "balance, held and available of {id:?}");
        }
        assert!(self.ledger.holds().iter().eq(self.model.holds.values()), "the live holds, in order");
        let first = self.model.holds.values().map(|hold| (hold.expires_ms, hold.id)).min();
        assert_eq!(self.ledger.holds().next_expiry(), first);
    }
}

fn walk(seed: u64) {
    let mut walk = Walk::new(seed);
    for step in 0..STEPS {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            walk.step();
            walk.compare();
        }));
        assert!(outcome.is_ok(), "seed {seed}, step {step}: see above");
    }
    let every = [
        "load",
        "post",
        "purchase",
        "hold",
        "hold of anything",
        "completion",
        "completion above the hold",
        "release",
        "expiry",
        "give back",
    ];
    for what in every {
        let count = walk.done.get(what).copied().unwrap_or(0);
        assert!(count >= STEPS / 500, "seed {seed}: only {count} of {what} in {STEPS} steps");
    }
}

#[test]
fn a_long_walk_agrees_with_the_model_from_any_seed() {
    [1, 2, 0xC0FFEE, u64::MAX].into_iter().for_each(walk);
}
