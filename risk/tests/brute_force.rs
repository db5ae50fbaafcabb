//! The counters against a list of everything that happened, added up anew for every question.

use proptest::{prelude::*, sample::Index};
use risk::{
    Action, AmountMax, CounterRow, Counters, Counts, Day, Facts, Limit, LimitOf, Line, Period, Rule, RuleId,
    RuleSet, Rules, Tally, Test, Who,
};

const CARDS: u32 = 3;
const TERMINALS: u32 = 2;
const MERCHANTS: u32 = 2;
const PRODUCTS: u16 = 2;
const OWN: u16 = 156;

/// One thing that happens, some days after the one before it.
#[derive(Clone, Debug)]
struct Step {
    days: i32,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Request {
        who: Who,
        amount: i64,
        currency: u16,
        approved: bool,
    },
    /// A share of what is left of an approval, or all of it.
    TakeBack {
        of: Index,
        share: Option<Index>,
    },
}

fn who() -> impl Strategy<Value = Who> {
    (0..CARDS, 0..TERMINALS, 0..MERCHANTS, 0..PRODUCTS).prop_map(|(card, terminal, merchant, product)| Who {
        card,
        terminal,
        merchant,
        product,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let days = prop_oneof![6 => Just(0), 4 => 1..3, 2 => 3..40, 1 => 40..800];
    let currency = prop_oneof![4 => Just(OWN), 1 => Just(840)];
    let request = (who(), 0_i64..1_000, currency, any::<bool>())
        .prop_map(|(who, amount, currency, approved)| What::Request { who, amount, currency, approved });
    let take_back =
        (any::<Index>(), any::<Option<Index>>()).prop_map(|(of, share)| What::TakeBack { of, share });
    (days, prop_oneof![3 => request, 1 => take_back]).prop_map(|(days, what)| Step { days, what })
}

/// A request as the brute force remembers it.
#[derive(Clone, Debug)]
struct Happened {
    who: Who,
    day: Day,
    amount: i64,
    currency: u16,
    /// Of an approved one: what is left of its amount.
    left: Option<i64>,
}

#[derive(Debug)]
struct Both {
    counters: Counters,
    history: Vec<Happened>,
}

impl Both {
    fn new() -> Self {
        let mut counters = Counters::new(OWN);
        (0..CARDS).for_each(|_| counters.add_card());
        (0..TERMINALS).for_each(|_| counters.add_terminal());
        (0..PRODUCTS).for_each(|_| counters.add_product());
        Self { counters, history: Vec::new() }
    }

    fn happen(&mut self, what: &What, day: Day) {
        match what {
            What::Request { who, amount, currency, approved } => {
                self.counters.attempt(who, day, *amount, *currency);
                if *approved {
                    self.counters.approve(who, day, *amount, *currency);
                }
                let left = (*approved && *amount > 0).then_some(*amount);
                self.history.push(Happened { who: *who, day, amount: *amount, currency: *currency, left });
            }
            What::TakeBack { of, share } => {
                let mut approved: Vec<_> =
                    self.history.iter_mut().filter(|happened| happened.left.is_some()).collect();
                if approved.is_empty() {
                    return;
                }
                let at = of.index(approved.len());
                let original = &mut *approved[at];
                let left = original.left.expect("only approvals are taken back");
                let part =
                    share.map(|share| i64::try_from(share.index(1_000)).expect("below 1,000") * left / 1_000);
                let (who, amount) = (original.who, part.unwrap_or(left));
                self.counters.take_back(&who, original.day, amount, original.currency, part.is_none());
                original.left = part.map(|part| left - part);
            }
        }
    }

    /// Adds up one period of whoever `mine` is.
    fn tally(&self, mine: impl Fn(&Who) -> bool, counts: Counts, period: Period, as_of: Day) -> Tally {
        let mut tally = Tally::default();
        let in_period = |happened: &&Happened| period.number(happened.day) == period.number(as_of);
        for happened in self.history.iter().filter(in_period).filter(|happened| mine(&happened.who)) {
            let amount = match counts {
                Counts::Approved => happened.left,
                Counts::Attempts => Some(happened.amount),
            };
            let Some(amount) = amount else { continue };
            tally.count += 1;
            tally.sum += if happened.currency == OWN { amount } else { 0 };
        }
        tally
    }

    fn check(&self, as_of: Day) -> Result<(), TestCaseError> {
        for card in 0..CARDS {
            self.check_line(self.counters.card_line(card), |who| who.card == card, as_of)?;
            for merchant in 0..MERCHANTS {
                let mine = |who: &Who| who.card == card && who.merchant == merchant;
                let want = self.tally(mine, Counts::Approved, Period::Day, as_of).count;
                prop_assert_eq!(self.counters.visits(card, merchant, as_of), want);
            }
        }
        for terminal in 0..TERMINALS {
            self.check_line(self.counters.terminal_line(terminal), |who| who.terminal == terminal, as_of)?;
        }
        for product in 0..PRODUCTS {
            self.check_line(self.counters.product_line(product), |who| who.product == product, as_of)?;
        }
        Ok(())
    }

    fn check_line(&self, line: &Line, mine: impl Fn(&Who) -> bool, as_of: Day) -> Result<(), TestCaseError> {
        for period in Period::ALL {
            for counts in [Counts::Approved, Counts::Attempts] {
                let want = self.tally(&mine, counts, period, as_of);
                prop_assert_eq!(
                    line.tally(counts, period, as_of),
                    want,
                    "{:?} {:?} {:?}",
                    counts,
                    period,
                    as_of
                );
            }
        }
        Ok(())
    }
}

/// Writes every row and reads it back.
fn saved_and_restored(counters: &Counters) -> Counters {
    let mut restored = Counters::default();
    for row in counters.rows() {
        let bytes = postcard::to_allocvec(&row).expect("rows serialise");
        restored.restore(postcard::from_bytes(&bytes).expect("a row reads back"));
    }
    restored
}

fn rules() -> RuleSet {
    let limit = |of, period| {
        let amount = Some(AmountMax { minor: i64::MAX - 1, currency: OWN });
        Test::Limit(Limit { of, period, counts: Counts::Attempts, count: Some(u32::MAX), amount })
    };
    let tests = [
        Test::NthAtMerchant { n: u32::MAX },
        limit(LimitOf::Card, Period::Year),
        limit(LimitOf::Product, Period::Week),
    ];
    let rule = |(place, test): (usize, &Test)| Rule {
        id: RuleId::new(&format!("r{place}")).expect("a word"),
        text: String::new(),
        on: true,
        action: Action::Notify,
        products: vec![],
        categories: vec![],
        terminals: vec![],
        test: *test,
    };
    let rules = Rules::new(tests.iter().enumerate().map(rule).collect(), OWN).expect("a set");
    RuleSet { rules, ..RuleSet::default() }
}

proptest! {
    #[test]
    fn counters_agree_with_adding_up_everything(
        start in -1_000_000..1_000_000,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let (mut both, mut today) = (Both::new(), Day(start));
        for step in &steps {
            today.0 += step.days;
            both.happen(&step.what, today);
            both.check(today)?;
        }
        for later in [1, 7, 31, 366] {
            both.check(Day(today.0 + later))?;
        }
        let restored = saved_and_restored(&both.counters);
        prop_assert_eq!(&restored, &both.counters);
        let rows: Vec<CounterRow> = restored.rows().collect();
        prop_assert_eq!(rows, both.counters.rows().collect::<Vec<_>>());
    }

    #[test]
    fn nothing_overflows_and_no_sum_is_negative(
        calls in prop::collection::vec((0_u8..3, any::<i32>(), any::<i64>(), any::<bool>(), 0_u32..5), 1..40),
        as_of in any::<i32>(),
    ) {
        let (mut counters, rules) = (Both::new().counters, rules());
        for (call, day, amount, whole, position) in calls {
            let who = Who { card: position, terminal: position, merchant: u32::MAX, product: u16::MAX };
            match call {
                0 => counters.attempt(&who, Day(day), amount, OWN),
                1 => counters.approve(&who, Day(day), amount, OWN),
                _ => counters.take_back(&who, Day(day), amount, OWN, whole),
            }
            let facts = Facts {
                card: [0; 16], bin: 0, terminal: [0; 8], merchant: [0; 15], now_ms: 0, day: Day(as_of),
                card_index: position, terminal_index: position, merchant_index: u32::MAX, product: u16::MAX,
                category: 0, amount, currency: OWN, region: u32::MAX, card_regions: &[], product_regions: &[],
            };
            let _total = rules.evaluate(&facts, &counters);
            for as_of in [day, as_of] {
                for period in Period::ALL {
                    for counts in [Counts::Approved, Counts::Attempts] {
                        prop_assert!(counters.card_line(position).tally(counts, period, Day(as_of)).sum >= 0);
                    }
                }
            }
        }
    }
}
