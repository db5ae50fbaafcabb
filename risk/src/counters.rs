//! The counters that rules look at: a line for each terminal, product and card that was used, and how often each card
//! was approved at each merchant today.
//!
//! They are part of the books: written when a record is applied, saved row by row in a fixed order, and the same
//! after a replay. Subjects are positions, given out in the order in which they are opened. Nothing is allocated
//! after that, except at a card's first use and when today's table of cards and merchants grows.
//!
//! Start at [`Counters::attempt`] and [`Counters::approve`]; [`Counters::rows`] is what a snapshot holds.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::{
    Counts, Day,
    cards::CardLines,
    line::{self, Line},
};

/// Whose counters a request moves, by position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Who {
    /// The card.
    pub card: u32,
    /// The terminal.
    pub terminal: u32,
    /// The merchant.
    pub merchant: u32,
    /// The card's product.
    pub product: u16,
}

/// All counters.
///
/// Sums are of one currency, the city's. A request in another currency counts in every count and in no sum: adding
/// it would need a rate, and leaving it out of the counts would give a card fresh limits abroad.
///
/// A position that was never opened has no line: what happens to it counts on the other lines only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    currency: u16,
    cards: CardLines,
    terminals: Vec<Line>,
    products: Vec<Line>,
    visits: Visits,
}

/// One row of the counters as a snapshot holds them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum CounterRow {
    /// The first row.
    Head {
        /// ISO 4217 number of the sums.
        currency: u16,
        /// The day that the rows of visits are about.
        visits_day: Day,
        /// How many cards were opened.
        cards: u32,
    },
    /// The line of a card that was used; lower positions first.
    Card {
        /// The card.
        card: u32,
        /// Its line.
        line: Line,
    },
    /// The line of the next terminal.
    Terminal(Line),
    /// The line of the next product.
    Product(Line),
    /// Approved authorizations of a card at a merchant today.
    Visits {
        /// The card.
        card: u32,
        /// The merchant.
        merchant: u32,
        /// How many.
        count: u32,
    },
}

impl Counters {
    /// Counters without subjects, whose sums are of this currency (ISO 4217 number).
    #[must_use]
    pub fn new(currency: u16) -> Self {
        Self { currency, ..Self::default() }
    }

    /// The currency of the sums, ISO 4217 number.
    #[must_use]
    pub fn currency(&self) -> u16 {
        self.currency
    }

    /// Opens the next card. It has a line from its first use on.
    pub fn add_card(&mut self) {
        self.cards.open();
    }

    /// Opens the line of the next terminal.
    pub fn add_terminal(&mut self) {
        self.terminals.push(line::EMPTY.clone());
    }

    /// Opens the line of the next product.
    pub fn add_product(&mut self) {
        self.products.push(line::EMPTY.clone());
    }

    /// Makes room for this many pairs of card and merchant in one day.
    pub fn reserve_visits(&mut self, pairs: usize) {
        self.visits.counts.reserve(pairs.saturating_sub(self.visits.counts.len()));
    }

    /// Counts a request, whatever became of it. An inquiry has the amount 0.
    pub fn attempt(&mut self, who: &Who, day: Day, amount: i64, currency: u16) {
        let amount = self.summed(amount, currency);
        self.each_line(who, FirstUse::TakesALine, |line| line.add(Counts::Attempts, day, amount));
    }

    /// Counts an approved authorization of an amount above zero, minor units. An inquiry (amount 0) authorizes
    /// nothing and counts nothing here.
    pub fn approve(&mut self, who: &Who, day: Day, amount: i64, currency: u16) {
        if amount <= 0 {
            return;
        }
        let amount = self.summed(amount, currency);
        self.each_line(who, FirstUse::TakesALine, |line| line.add(Counts::Approved, day, amount));
        self.visits.add(who, day);
    }

    /// Counts a request, and the authorization of `approved` that it became if that is above zero: as
    /// [`Counters::attempt`] and then [`Counters::approve`] do, with one look for each line.
    pub fn count(&mut self, who: &Who, day: Day, asked: i64, approved: i64, currency: u16) {
        let authorizes = approved > 0;
        let (asked, approved) = (self.summed(asked, currency), self.summed(approved, currency));
        let approved = authorizes.then_some(approved);
        self.each_line(who, FirstUse::TakesALine, |line| line.count(day, asked, approved));
        if authorizes {
            self.visits.add(who, day);
        }
    }

    /// Takes back an amount of an authorization approved on `original_day`: all that is left of it (`whole`: it no
    /// longer counts as one) or a part. It leaves the day, week, month and year of that day as far as they are still
    /// going on for a line, and never the attempts. Only for what [`Counters::approve`] counted: the counters cannot
    /// tell whose approval it was, they only stop at zero.
    pub fn take_back(&mut self, who: &Who, original_day: Day, amount: i64, currency: u16, whole: bool) {
        let amount = self.summed(amount, currency);
        // From a line on which nothing was counted nothing can be taken back.
        self.each_line(who, FirstUse::IsNone, |line| line.take_back(original_day, amount, whole));
        if whole {
            self.visits.take_back(who, original_day);
        }
    }

    /// The line of a card; an empty one if it was never used.
    #[must_use]
    pub fn card_line(&self, card: u32) -> &Line {
        self.cards.line(card)
    }

    /// Has the memory of a card's line fetched. What comes back means nothing.
    #[must_use]
    pub fn warm(&self, card: u32) -> i64 {
        self.cards.line(card).ends()
    }

    /// Whether a card has a line, because something was counted on it.
    #[must_use]
    pub fn is_used(&self, card: u32) -> bool {
        self.cards.is_used(card)
    }

    /// How many cards have a line, because something was counted on them.
    #[must_use]
    pub fn cards_used(&self) -> usize {
        self.cards.used()
    }

    /// Bytes owned for cards: what all of them cost, and what those that were used cost on top.
    #[must_use]
    pub fn card_bytes(&self) -> (usize, usize) {
        self.cards.bytes()
    }

    /// The line of a terminal; an empty one if it was never opened.
    #[must_use]
    pub fn terminal_line(&self, terminal: u32) -> &Line {
        self.terminals.get(terminal as usize).unwrap_or(&line::EMPTY)
    }

    /// The line of a product; an empty one if it was never opened.
    #[must_use]
    pub fn product_line(&self, product: u16) -> &Line {
        self.products.get(usize::from(product)).unwrap_or(&line::EMPTY)
    }

    /// The day that [`Self::visits`] knows of.
    #[must_use]
    pub fn visits_day(&self) -> Day {
        self.visits.day
    }

    /// Approved authorizations of a card at a merchant on a day: 0 for any day but the latest.
    #[must_use]
    pub fn visits(&self, card: u32, merchant: u32, day: Day) -> u32 {
        if day != self.visits.day {
            return 0;
        }
        self.visits.counts.get(&(card, merchant)).copied().unwrap_or(0)
    }

    /// Everything, in an order that depends on nothing but what was counted.
    pub fn rows(&self) -> impl Iterator<Item = CounterRow> + '_ {
        let (currency, visits_day, cards) = (self.currency, self.visits.day, self.cards.opened());
        let head = CounterRow::Head { currency, visits_day, cards };
        let used = self.cards.iter().map(|(card, line)| CounterRow::Card { card, line: line.clone() });
        std::iter::once(head)
            .chain(used)
            .chain(self.terminals.iter().cloned().map(CounterRow::Terminal))
            .chain(self.products.iter().cloned().map(CounterRow::Product))
            .chain(self.visits.rows())
    }

    /// How many rows [`Counters::rows`] has.
    #[must_use]
    pub fn row_count(&self) -> usize {
        1 + self.cards.used() + self.terminals.len() + self.products.len() + self.visits.counts.len()
    }

    /// Takes a row of [`Counters::rows`] into new counters; all of them in their order give the same counters again.
    pub fn restore(&mut self, row: CounterRow) {
        match row {
            CounterRow::Head { currency, visits_day, cards } => {
                self.currency = currency;
                self.visits.day = visits_day;
                self.cards.open_up_to(cards);
            }
            CounterRow::Card { card, line } => {
                if let Some(restored) = self.cards.line_to_use(card) {
                    *restored = line;
                }
            }
            CounterRow::Terminal(line) => self.terminals.push(line),
            CounterRow::Product(line) => self.products.push(line),
            CounterRow::Visits { card, merchant, count } => {
                self.visits.counts.insert((card, merchant), count);
            }
        }
    }

    /// The part of an amount that goes into the sums.
    fn summed(&self, amount: i64, currency: u16) -> i64 {
        if currency == self.currency { amount.max(0) } else { 0 }
    }

    fn each_line(&mut self, who: &Who, first: FirstUse, change: impl Fn(&mut Line)) {
        let lines = [
            match first {
                FirstUse::TakesALine => self.cards.line_to_use(who.card),
                FirstUse::IsNone => self.cards.used_line(who.card),
            },
            self.terminals.get_mut(who.terminal as usize),
            self.products.get_mut(usize::from(who.product)),
        ];
        lines.into_iter().flatten().for_each(change);
    }
}

/// What a change does to a card without a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum FirstUse {
    TakesALine,
    IsNone,
}

/// Approved authorizations by card and merchant on the latest day; the days before are forgotten.
#[derive(Clone, Debug, PartialEq)]
struct Visits {
    day: Day,
    counts: HashMap<(u32, u32), u32>,
}

impl Default for Visits {
    fn default() -> Self {
        Self { day: Day(i32::MIN), counts: HashMap::new() }
    }
}

impl Visits {
    fn add(&mut self, who: &Who, day: Day) {
        if day > self.day {
            // Keeps its room: tomorrow will need about as much as today.
            self.counts.clear();
            self.day = day;
        }
        if day == self.day {
            let count = self.counts.entry((who.card, who.merchant)).or_insert(0);
            *count = count.saturating_add(1);
        }
    }

    fn take_back(&mut self, who: &Who, day: Day) {
        let pair = (who.card, who.merchant);
        if day != self.day {
            return;
        }
        if let Some(count) = self.counts.get_mut(&pair) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&pair);
            }
        }
    }

    /// By card, then merchant: the table's own order changes from run to run.
    fn rows(&self) -> impl Iterator<Item = CounterRow> + use<> {
        let mut pairs: Vec<_> = self.counts.iter().map(|(pair, count)| (*pair, *count)).collect();
        pairs.sort_unstable();
        pairs.into_iter().map(|((card, merchant), count)| CounterRow::Visits { card, merchant, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Period, Tally};

    const WHO: Who = Who { card: 1, terminal: 0, merchant: 9, product: 0 };
    const TODAY: Day = Day(20_779);

    fn opened() -> Counters {
        let mut counters = Counters::new(156);
        counters.add_card();
        counters.add_card();
        counters.add_terminal();
        counters.add_product();
        counters
    }

    fn approved_today(line: &Line) -> Tally {
        line.tally(Counts::Approved, Period::Day, TODAY)
    }

    #[test]
    fn an_approval_counts_for_its_card_terminal_and_product_alone() {
        let mut counters = opened();
        counters.approve(&WHO, TODAY, 500, 156);
        let one = Tally { count: 1, sum: 500 };
        assert_eq!(approved_today(counters.card_line(1)), one);
        assert_eq!(approved_today(counters.terminal_line(0)), one);
        assert_eq!(approved_today(counters.product_line(0)), one);
        assert_eq!(approved_today(counters.card_line(0)), Tally::default(), "the other card");
        assert_eq!(counters.card_line(1).tally(Counts::Attempts, Period::Day, TODAY), Tally::default());
    }

    #[test]
    fn another_currency_counts_and_is_not_summed() {
        let mut counters = opened();
        counters.attempt(&WHO, TODAY, 500, 840);
        counters.approve(&WHO, TODAY, 500, 840);
        counters.approve(&WHO, TODAY, 70, 156);
        assert_eq!(approved_today(counters.card_line(1)), Tally { count: 2, sum: 70 });
        counters.take_back(&WHO, TODAY, 500, 840, true);
        assert_eq!(approved_today(counters.card_line(1)), Tally { count: 1, sum: 70 });
        let attempts = counters.card_line(1).tally(Counts::Attempts, Period::Day, TODAY);
        assert_eq!(attempts, Tally { count: 1, sum: 0 });
    }

    #[test]
    fn an_inquiry_counts_as_an_attempt_alone() {
        let mut counters = opened();
        counters.attempt(&WHO, TODAY, 0, 156);
        counters.approve(&WHO, TODAY, 0, 156);
        assert_eq!(approved_today(counters.card_line(1)), Tally::default());
        assert_eq!(counters.card_line(1).tally(Counts::Attempts, Period::Day, TODAY).count, 1);
        assert_eq!(counters.visits(1, 9, TODAY), 0);
    }

    #[test]
    fn counted_at_once_is_counted_as_one_after_the_other() {
        let (mut one, mut other) = (opened(), opened());
        let rows = [(500, 500, 156), (70, 30, 156), (5, 0, 156), (0, 0, 156), (-5, -5, 156), (9, 9, 840)];
        for (days, (asked, approved, currency)) in (0..).zip(rows) {
            for day in [Day(TODAY.0 + days * 9), TODAY] {
                one.count(&WHO, day, asked, approved, currency);
                other.attempt(&WHO, day, asked, currency);
                other.approve(&WHO, day, approved, currency);
                assert_eq!(one, other, "{asked} and {approved} of {currency} on {day:?}");
            }
        }
    }

    #[test]
    fn visits_are_forgotten_with_their_day() {
        let mut counters = opened();
        let tomorrow = Day(TODAY.0 + 1);
        counters.approve(&WHO, TODAY, 5, 156);
        counters.approve(&WHO, TODAY, 5, 156);
        counters.take_back(&WHO, TODAY, 2, 156, false);
        assert_eq!(counters.visits(1, 9, TODAY), 2, "a part taken back leaves the visit");
        counters.take_back(&WHO, TODAY, 3, 156, true);
        assert_eq!(counters.visits(1, 9, TODAY), 1, "the whole takes it away");
        assert_eq!(counters.visits(1, 8, TODAY), 0, "another merchant");
        assert_eq!(counters.visits(1, 9, tomorrow), 0, "tomorrow");
        counters.approve(&WHO, tomorrow, 5, 156);
        counters.take_back(&WHO, TODAY, 5, 156, true);
        assert_eq!(counters.visits(1, 9, tomorrow), 1, "yesterday's is not taken from today");
        assert_eq!(counters.visits(1, 9, TODAY), 0, "yesterday is gone");
    }

    #[test]
    fn rows_of_visits_are_in_order_whatever_the_order_of_the_visits() {
        let mut counters = opened();
        for card in [1, 0] {
            for merchant in [7, 300, 2] {
                counters.approve(&Who { card, merchant, ..WHO }, TODAY, 1, 156);
            }
        }
        let pairs: Vec<(u32, u32)> = counters
            .rows()
            .filter_map(|row| match row {
                CounterRow::Visits { card, merchant, .. } => Some((card, merchant)),
                _ => None,
            })
            .collect();
        assert_eq!(pairs, [(0, 2), (0, 7), (0, 300), (1, 2), (1, 7), (1, 300)]);
        assert_eq!(counters.rows().count(), counters.row_count());
    }

    #[test]
    fn a_position_that_was_never_opened_has_an_empty_line() {
        let mut counters = opened();
        counters.approve(&Who { card: 77, ..WHO }, TODAY, 500, 156);
        assert_eq!(counters.card_line(77), &line::EMPTY);
        assert_eq!(approved_today(counters.terminal_line(0)).count, 1, "the others count");
    }
}
