//! One card for people: its state, purses, holds, counters and last transactions. Found by what may be shown of its
//! number, never by the number.

mod search;

use std::{num::NonZeroU16, str::FromStr};

use risk::{Counts, Day, Period};
use serde::{Deserialize, Serialize};

use super::{masked_phone, terminal_name, utc};
use crate::{
    books::{Books, Card, CardId, event::CardState, holder_limits::HolderLimits, originals::approval_code},
    clock::date_of_day,
    journal::Seq,
    ledger::{Currency, Minor, holds::HoldId},
};

use search::Found;
pub use search::Search;

/// The most cards shown at once: few cards of one BIN share their last four digits.
pub const CARDS_MAX: usize = 10;

/// What may be shown of a card number: BIN and last four digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CardMask {
    /// First six digits.
    pub bin: u32,
    /// Last four digits.
    pub last_four: u16,
}

/// Why a text is no [`CardMask`]. It does not repeat the text, which may be a card number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotACardMask {
    /// All digits of a card number.
    #[error(
        "a whole card number does not belong on a command line, where histories and process lists keep it; give its \
         first six and last four digits, such as 915600…0010 or 9156000010"
    )]
    WholeNumber,
    /// Neither form.
    #[error(
        "a card is named by its first six and last four digits, such as 915600…0010, 915600*0010 or 9156000010"
    )]
    Form,
}

impl FromStr for CardMask {
    type Err = NotACardMask;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
        if (12..=19).contains(&digits.len()) {
            return Err(NotACardMask::WholeNumber);
        }
        let masking = text.trim_matches(|c: char| c.is_ascii_digit());
        let apart = text.find(masking).unwrap_or(0);
        let is_mask = masking.is_empty() || (apart == 6 && masking.chars().all(|c| "…*.xX•".contains(c)));
        let (10, true) = (digits.len(), is_mask) else { return Err(NotACardMask::Form) };
        let number = |digits: &[u32]| digits.iter().fold(0, |number, digit| number * 10 + digit);
        // Four digits.
        let last_four = u16::try_from(number(&digits[6..])).map_err(|_| NotACardMask::Form)?;
        Ok(Self { bin: number(&digits[..6]), last_four })
    }
}

/// A card.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CardView {
    /// BIN and last four.
    pub card: String,
    /// Its position in the books, by which orders name it.
    pub position: u32,
    /// Its state.
    pub state: String,
    /// Its product.
    pub product: String,
    /// Its orderer.
    pub orderer: String,
    /// Month and year of expiry, `MM/YY`.
    pub expiry: String,
    /// The day of its issue, if it is known.
    pub issued: Option<String>,
    /// The last three digits of the linked telephone number.
    pub phone: Option<String>,
    /// The day on which it was linked, if it is known.
    pub linked: Option<String>,
    /// Regions that its holder allows; none is everywhere.
    pub regions: Vec<u32>,
    /// What else its holder allows, if anything was set.
    pub limits: Option<HolderLimits>,
    /// Wrong PINs since the last right one.
    pub pin_tries: u8,
    /// Wrong PINs until it answers "tries exceeded".
    pub pin_tries_max: u8,
    /// Its purses in order of use.
    pub purses: Vec<PurseView>,
    /// Its live holds, the oldest first.
    pub holds: Vec<HoldView>,
    /// What counts for limits in the periods of the open business day.
    pub approved: Vec<CounterView>,
    /// Its last approved transactions, the newest first.
    pub last: Vec<OriginalView>,
}

/// A purse of a card. Amounts in minor units.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PurseView {
    /// Its name.
    pub purse: String,
    /// ISO 4217 number.
    pub currency: Currency,
    /// What lies in it.
    pub balance: Minor,
    /// What of it is promised to merchants.
    pub held: Minor,
    /// What may be used.
    pub available: Minor,
}

/// A live hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HoldView {
    /// The record that placed it.
    pub record: Seq,
    /// What it promises, minor units.
    pub amount: Minor,
    /// ISO 4217 number.
    pub currency: Currency,
    /// When it ends, RFC 3339 in UTC.
    pub expires: String,
    /// The terminal of its pre-authorization.
    pub terminal: Option<String>,
}

/// Approved transactions of a period.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CounterView {
    /// Day, week, month or year.
    pub period: String,
    /// How many.
    pub count: u32,
    /// How much together, minor units of the city's currency.
    pub sum: Minor,
}

/// An approved transaction.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OriginalView {
    /// Its record.
    pub record: Seq,
    /// Approval code, field 38.
    pub approval_code: String,
    /// Its time, RFC 3339 in UTC.
    pub time: String,
    /// What it was.
    pub kind: String,
    /// Field 41.
    pub terminal: Option<String>,
    /// Amount, minor units.
    pub amount: Minor,
    /// ISO 4217 number.
    pub currency: Currency,
    /// How much of it has gone back, minor units.
    pub returned: Minor,
}

/// The cards of which this may be shown, at most [`CARDS_MAX`].
#[must_use]
pub fn cards(books: &Books, mask: CardMask) -> Vec<CardView> {
    let mut search = Search::new(mask);
    while !search.step(books) {}
    search.views(books)
}

fn view(books: &Books, Found { card: id, last, holds }: &Found) -> CardView {
    let (id, card) = (*id, &books.card(*id));
    let product = books.products().get(usize::from(card.product));
    let orderer = books.orderers().get(usize::from(card.orderer));
    let days = books.card_days(id);
    CardView {
        card: card.masked(),
        position: id.0,
        state: state(card.state).to_owned(),
        product: product.map_or_else(String::new, |product| product.name.clone()),
        orderer: orderer.map_or_else(String::new, |orderer| orderer.name.clone()),
        expiry: format!("{:02}/{:02}", card.expiry_yymm % 100, card.expiry_yymm / 100),
        issued: date(days.issued),
        linked: date(days.linked),
        phone: (!card.phone.is_empty()).then(|| masked_phone(&card.phone.digits())),
        regions: card.regions.to_vec(),
        limits: books.holder_limits(id.0).cloned(),
        pin_tries: card.pin_tries,
        pin_tries_max: books.policy().pin_tries_max,
        purses: purses(books, card),
        holds: holds.iter().filter_map(|hold| hold_view(books, *hold)).collect(),
        approved: approved(books, id),
        last: last.iter().filter_map(|seq| original_view(books, *seq)).collect(),
    }
}

fn date(day: Option<NonZeroU16>) -> Option<String> {
    day.map(|day| date_of_day(i32::from(day.get())).to_string())
}

pub(super) fn state(state: CardState) -> &'static str {
    match state {
        CardState::Inactive => "inactive",
        CardState::Active => "active",
        CardState::Lost => "lost",
        CardState::Stolen => "stolen",
        CardState::Blocked => "blocked",
        CardState::Closed => "closed",
    }
}

fn purses(books: &Books, card: &Card) -> Vec<PurseView> {
    let ledger = books.ledger();
    let purse = |(account, purse): (_, &crate::ledger::purse::PurseType)| PurseView {
        purse: purse.name.clone(),
        currency: purse.currency,
        balance: ledger.balance(account),
        held: ledger.held(account),
        available: ledger.available(account),
    };
    books.card_purses(card).map(purse).collect()
}

fn hold_view(books: &Books, id: HoldId) -> Option<HoldView> {
    let hold = books.ledger().holds().find(id)?;
    let original = books.originals().holding(id).and_then(|seq| books.originals().at(seq));
    Some(HoldView {
        record: id.0,
        amount: hold.total(),
        currency: hold.currency,
        expires: utc(hold.expires_ms),
        terminal: original.and_then(|original| terminal_name(books, original.key.terminal)),
    })
}

fn approved(books: &Books, id: CardId) -> Vec<CounterView> {
    let line = books.counters().card_line(id.0);
    let today = Day(books.business_day());
    let names = Period::ALL.iter().zip(["day", "week", "month", "year"]);
    let tally = names.map(|(period, name)| (name, line.tally(Counts::Approved, *period, today)));
    tally
        .map(|(name, tally)| CounterView { period: name.to_owned(), count: tally.count, sum: tally.sum })
        .collect()
}

fn original_view(books: &Books, seq: Seq) -> Option<OriginalView> {
    let original = books.originals().at(seq)?;
    Some(OriginalView {
        record: original.seq,
        approval_code: format!("{:06}", approval_code(original.seq)),
        time: utc(original.time_ms),
        kind: original.kind.name().to_owned(),
        terminal: terminal_name(books, original.key.terminal),
        amount: original.amount,
        currency: original.currency,
        returned: original.returned,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::settlement::testing::{History, PHONE};

    #[test]
    fn a_card_is_named_by_ten_digits_and_never_by_all_of_them() {
        let mask = Ok(CardMask { bin: 915_600, last_four: 10 });
        let rows = [
            ("915600…0010", mask),
            ("915600*0010", mask),
            ("915600******0010", mask),
            ("9156000010", mask),
            ("9156003355800035", Err(NotACardMask::WholeNumber)),
            ("9156 0033 5580 0035", Err(NotACardMask::WholeNumber)),
            ("915600335580", Err(NotACardMask::WholeNumber)),
            ("9156003355800035123", Err(NotACardMask::WholeNumber)),
            ("91560033558000351234", Err(NotACardMask::Form)),
            ("91560…00010", Err(NotACardMask::Form)),
            ("915600-0010", Err(NotACardMask::Form)),
            ("…9156000010", Err(NotACardMask::Form)),
            ("9156000010…", Err(NotACardMask::Form)),
            ("915600…001", Err(NotACardMask::Form)),
            ("", Err(NotACardMask::Form)),
        ];
        for (text, want) in rows {
            assert_eq!(text.parse(), want, "{text:?}");
        }
    }

    #[test]
    fn a_card_shows_what_it_has_and_what_happened_to_it() {
        let history = History::of_two_days();
        let found = cards(&history.books, "915600…0010".parse().unwrap());
        let [card] = found.as_slice() else { panic!("{} cards", found.len()) };
        assert_eq!(
            (card.state.as_str(), card.orderer.as_str(), card.expiry.as_str()),
            ("active", "CITY", "11/29")
        );
        assert_eq!(card.phone.as_deref(), Some("…123"));
        let general = card.purses.last().unwrap();
        assert_eq!(
            (general.balance, general.held, general.available),
            (history.left(0), 700, history.left(0) - 700)
        );
        assert_eq!(card.holds.len(), 1);
        assert_eq!((card.holds[0].amount, card.holds[0].terminal.as_deref()), (700, Some("31000001")));
        assert_eq!(card.last[0].kind, "pre_authorization", "the newest first");
        let purchase = card.last.iter().find(|original| original.returned != 0).unwrap();
        assert_eq!((purchase.amount, purchase.returned), (10_000, 4_000));
        assert_eq!(card.approved[0].period, "day");
        assert!(!serde_json::to_string(card).unwrap().contains(PHONE));
    }

    #[test]
    fn no_card_is_no_card() {
        assert!(cards(&History::of_two_days().books, CardMask { bin: 1, last_four: 10 }).is_empty());
    }
}
