//! What rules looked at and what they said, as a decision records it, and the same facts put together again from the books
//! and a record: so a live decision, a replay and an explanation ask the same request.
//!
//! Most facts of a request stand in the books or in its record anyway. What only the message or the city's zone said is
//! [`Seen`], in one number. What the switch does not know is missing to every rule: the printed value, which no
//! dialect carries, and days and spots that the city's files do not say.
//!
//! Start at [`Judged`] and `Books::asked`.

use std::num::NonZeroU16;

use risk::{
    Day,
    language::{Fact, Request as Asked, RuleBits},
    past::{Place, Whose},
};
use serde::{Deserialize, Serialize};

use super::{
    Books, Card, Terminal, TerminalId,
    cards::CardDays,
    event::{Decided, Token},
    request::{CardInput, Check, Facts, Phone, Request, TrackValue},
    rulebook::place_of,
};
use crate::{
    clock::Moment,
    ledger::{Currency, Minor},
};

/// What the rules were told and what became of it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Judged {
    /// What only the message said.
    pub seen: Seen,
    /// What the rules were told beyond the amount: the acquirer's fee, minor units.
    pub surcharge: Minor,
    /// What the set in force said; none if no rule fired and none was short of a fact.
    pub hits: Option<Hits>,
}

/// Rules of a published set that fired.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Hits {
    /// The set's number, by which the journal knows its texts and its hash.
    pub set: u32,
    /// Those that fired, shadow ones included, by their places.
    pub fired: RuleBits,
    /// Those that did not apply because a fact was missing.
    pub not_applicable: RuleBits,
    /// Whether the set's verdict is why the request was declined or somebody is told.
    pub ruled: bool,
}

/// A card that is none of ours, as far as rules count with it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Stranger {
    /// First six digits of the number.
    pub bin: u32,
    /// Stands for the number.
    pub token: Token,
}

/// Facts that only the message and the city's zone said, packed. From the lowest bit on: hour (5), weekday from Monday
/// (3), day of the month (5), entry mode (3), a PIN came (1), the stripe's value is right (1), a track was read (1).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Seen(pub u32);

const WEEKDAY: u32 = 5;
const DAY_OF_MONTH: u32 = 8;
const ENTRY: u32 = 13;
const PIN: u32 = 16;
const STRIPE: u32 = 17;
const TRACK: u32 = 18;

impl Seen {
    /// What a request said.
    #[must_use]
    pub fn of(request: &Request, facts: &Facts, now: &Moment) -> Self {
        let track =
            matches!(&request.card, CardInput::Read { value, .. } if !matches!(value, TrackValue::NotRead));
        let parts = [
            (u32::from(now.hour()), 0),
            (u32::from(now.weekday()), WEEKDAY),
            (u32::from(now.day_of_month()), DAY_OF_MONTH),
            (request.entry as u32, ENTRY),
            (u32::from(request.pin_block.is_some()), PIN),
            (u32::from(facts.cvv == Check::Right), STRIPE),
            (u32::from(track), TRACK),
        ];
        Self(parts.into_iter().fold(0, |packed, (value, place)| packed | value << place))
    }

    fn part(self, place: u32, bits: u32) -> i64 {
        i64::from(self.0 >> place & ((1 << bits) - 1))
    }

    fn tell(self, asked: &mut Asked<'_>) {
        asked.number(Fact::Hour, self.part(0, 5));
        asked.number(Fact::Weekday, self.part(WEEKDAY, 3));
        asked.number(Fact::DayOfMonth, self.part(DAY_OF_MONTH, 5));
        asked.number(Fact::EntryMode, self.part(ENTRY, 3));
        asked.number(Fact::PinPresent, self.part(PIN, 1));
        // Whatever is wrong was declined before any rule.
        if self.part(STRIPE, 1) == 1 {
            asked.number(Fact::CvvRight, 1);
        }
        if self.part(TRACK, 1) == 1 {
            asked.number(Fact::TrackRight, 1);
        }
    }
}

/// What a request to rules is put together from.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Whose it is, as windows count.
    pub whose: Whose,
    /// The card.
    pub card: &'a Card,
    /// The terminal.
    pub terminal: &'a Terminal,
    /// What the card would spend, minor units.
    pub amount: Minor,
    /// ISO 4217 number.
    pub currency: Currency,
    /// What only the message said.
    pub seen: Seen,
    /// The number that was called from.
    pub calling: Option<&'a Phone>,
}

impl Books {
    /// The request that rules are asked about, with what the books know at this moment. Allocates nothing.
    pub(super) fn asked<'a>(&'a self, from: &Asking<'a>) -> Asked<'a> {
        let Asking { card, terminal, .. } = *from;
        let product = &self.products[usize::from(card.product)];
        let mut asked = Asked::new(Day(self.business_day));
        asked.text(Fact::Card, &card.token.0);
        asked.text(Fact::Terminal, &terminal.id);
        asked.text(Fact::Merchant, &self.merchants[terminal.merchant as usize].id);
        asked.text(Fact::Product, product.name.as_bytes());
        asked.regions(Fact::CardRegions, &card.regions);
        asked.regions(Fact::ProductRegions, &product.regions);
        asked.number(Fact::Amount, from.amount);
        asked.currency(from.currency);
        asked.number(Fact::Category, i64::from(terminal.category));
        asked.number(Fact::Bin, i64::from(card.bin));
        asked.number(Fact::Channel, terminal.dialect as i64);
        asked.number(Fact::Region, i64::from(terminal.region));
        asked.number(Fact::PinFailed, i64::from(card.pin_tries));
        // Without a right MAC and a good check digit nobody asks the rules.
        asked.number(Fact::MacRight, 1);
        asked.number(Fact::LuhnRight, 1);
        from.seen.tell(&mut asked);
        self.tell_ages(from, &mut asked);
        self.tell_devices(from, &mut asked);
        asked
    }

    fn tell_ages(&self, from: &Asking<'_>, asked: &mut Asked<'_>) {
        let CardDays { issued, linked } =
            u32::try_from(from.whose.card).map_or_else(|_| CardDays::default(), |at| self.cards.days(at));
        let age = |day: NonZeroU16| i64::from(self.business_day - i32::from(day.get())).max(0);
        if let Some(issued) = issued {
            asked.number(Fact::CardDays, age(issued));
        }
        if let Some(linked) = linked {
            asked.number(Fact::LinkDays, age(linked));
        }
    }

    /// What does not belong together was refused before any rule, so a device is the known one or there is none.
    fn tell_devices<'a>(&'a self, from: &Asking<'a>, asked: &mut Asked<'a>) {
        if let Some(psam) = from.terminal.psam {
            asked.text(Fact::Psam, &self.psam(psam).number);
        }
        if let Some(calling) = from.calling {
            asked.text(Fact::Phone, calling.as_bytes());
        }
        asked.number(Fact::PsamBinding, i64::from(from.terminal.psam.is_some()));
        asked.number(Fact::PhoneBinding, i64::from(from.calling.is_some()));
    }

    /// What the rules were told of a recorded decision, but for what windows and `last.*` say; whose it was, and where. These
    /// books stand at the record before it. None if no rule was asked.
    pub fn asked_then<T>(
        &self,
        decided: &Decided,
        look: impl FnOnce(&mut Asked<'_>, &Whose, &Place) -> T,
    ) -> Option<T> {
        self.asking_then(decided, |asking| {
            look(&mut self.asked(asking), &asking.whose, &place_of(asking.terminal))
        })
    }

    /// Whose a request of a card at a terminal is.
    pub(super) fn whose(&self, at: u32, card: &Card, terminal: TerminalId) -> Whose {
        Whose {
            card: u64::from(at),
            terminal: terminal.0,
            merchant: self.terminal(terminal).merchant,
            product: card.product,
            bin: card.bin,
        }
    }

    /// The same from a record, for `look`: what the rules were asked when it was decided, if these books stand at the
    /// record before it. None if no rule was asked.
    pub(super) fn asking_then<T>(&self, decided: &Decided, look: impl FnOnce(&Asking<'_>) -> T) -> Option<T> {
        let judged = decided.judged.as_ref()?;
        let card = self.cards.get(decided.card?)?;
        let terminal = self.terminals.get(decided.key.terminal as usize)?;
        let asking = Asking {
            whose: self.whose(decided.card?, &card, TerminalId(decided.key.terminal)),
            card: &card,
            terminal,
            amount: decided.amount.saturating_add(judged.surcharge),
            currency: decided.currency,
            seen: judged.seen,
            calling: decided.calling.as_ref(),
        };
        Some(look(&asking))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{books::request::EntryMode, clock::Clock};

    #[test]
    fn what_was_seen_is_told_as_it_was() {
        // 2026-12-31 23:59:59 in Shanghai, a Thursday.
        let now = Clock::new("Asia/Shanghai").unwrap().at(1_798_732_799_000);
        let request = Request { entry: EntryMode::Contactless, ..Request::default() };
        let facts = Facts { cvv: Check::Right, ..Facts::default() };
        let mut asked = Asked::new(Day(0));
        Seen::of(&request, &facts, &now).tell(&mut asked);
        let rows = [
            (Fact::Hour, Some(23)),
            (Fact::Weekday, Some(3)),
            (Fact::DayOfMonth, Some(31)),
            (Fact::EntryMode, Some(4)),
            (Fact::PinPresent, Some(0)),
            (Fact::CvvRight, Some(1)),
            (Fact::TrackRight, None),
        ];
        for (fact, want) in rows {
            assert_eq!(asked.number_of(fact), want, "{fact:?}");
        }
    }
}
