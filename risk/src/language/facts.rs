//! The catalogue of facts: everything a rule can ask about a request, in one table.
//!
//! Type, unit, ISO 8583 field and meaning stand here once; the type checker, the slots of a [`super::Request`], the
//! command that lists the fields and `docs/rules.md` are made of this table. Facts of a name with a dot may be missing.
//!
//! Start at [`FACTS`].

/// What a fact can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sort {
    /// True or false.
    Flag,
    /// A whole number, with the least and the greatest that it can be.
    Number(Unit, i64, i64),
    /// An amount in minor units of the request's currency.
    Money,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text, compared as it is.
    Text,
    /// Something that has no value a rule could name: it is looked up in lists and counted by.
    Key,
    /// Six-digit codes of regions (GB/T 2260); none: everywhere.
    Regions,
}

/// What a number counts. Numbers of two units are not compared or added.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Unit {
    /// Nothing, as a constant: it goes with every unit.
    Plain,
    /// How many.
    Times,
    /// Seconds.
    Seconds,
    /// Days.
    Days,
    /// Hours of the day.
    Hours,
    /// Kilometres an hour.
    KilometresAnHour,
    /// Merchant category codes (ISO 18245).
    Category,
    /// First six digits of a card number.
    Bin,
    /// Codes of regions (GB/T 2260).
    Region,
}

/// What becomes of a rule that looks at a fact which a request does not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// Every request has it.
    Never,
    /// It counts as this value.
    Counts(i64),
    /// What is asked of it has no answer; see the module [`super`] about rules that do not apply.
    NoAnswer,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct FactRow {
    /// Which fact it is.
    pub fact: Fact,
    /// As rules call it.
    pub name: &'static str,
    /// What it can be.
    pub sort: Sort,
    /// Where a message has it: its ISO 8583 field, or what else it is taken from.
    pub source: &'static str,
    /// What if it is missing.
    pub missing: Missing,
    /// What it says.
    pub meaning: &'static str,
}

macro_rules! catalogue {
    ($($fact:ident $name:literal, $sort:expr, $source:literal, $missing:expr, $meaning:literal;)*) => {
        /// Everything a rule can ask about a request.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Fact {
            $(#[doc = $meaning] $fact,)*
        }

        /// The catalogue, one row for each fact, in the order of [`Fact`].
        pub static FACTS: &[FactRow] = &[
            $(FactRow {
                fact: Fact::$fact, name: $name, sort: $sort, source: $source, missing: $missing, meaning: $meaning,
            },)*
        ];
    };
}

const YES_OR_NO: Sort = Sort::Flag;
const CHANNELS: &[&str] = &["pos", "epos", "atm"];
const ENTRY_MODES: &[&str] = &["unknown", "manual", "stripe", "chip", "contactless", "online"];
const WEEKDAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const DEVICES: &[&str] = &["none", "known", "unknown"];

// Texts and keys first, then regions: `Request` keeps them apart from the numbers by their place.
catalogue! {
    Card "card", Sort::Key, "2, 35", Missing::Never, "The card, by its keyed token.";
    Terminal "terminal", Sort::Text, "41", Missing::Never, "The terminal's number.";
    Merchant "merchant", Sort::Text, "42", Missing::Never, "The merchant's number.";
    Product "product", Sort::Text, "the card", Missing::Never, "The card's product, by its name in `products.toml`.";
    Psam "device.psam", Sort::Key, "the PSAM's data", Missing::NoAnswer, "The PSAM behind a telephone terminal.";
    Phone "device.phone", Sort::Key, "the line", Missing::NoAnswer, "The telephone line of a telephone terminal.";
    CardRegions "allowed.card", Sort::Regions, "the card", Missing::Never, "Regions that the card may be used in; none: everywhere.";
    ProductRegions "allowed.product", Sort::Regions, "the card", Missing::Never, "Regions that the card's product may be used in; none: everywhere.";
    Amount "amount", Sort::Money, "4", Missing::Never, "What the request would spend; nothing for an inquiry.";
    Currency "currency", Sort::Word(super::currency::CODES), "49", Missing::Never, "The currency of the amount.";
    Category "mcc", Sort::Number(Unit::Category, 0, 9_999), "18", Missing::Never, "The merchant's category code (ISO 18245).";
    Bin "bin", Sort::Number(Unit::Bin, 0, 999_999), "2, 35", Missing::Never, "The first six digits of the card number.";
    Channel "channel", Sort::Word(CHANNELS), "the listener", Missing::Never, "By what the request came: a till, a telephone terminal, a cash machine.";
    EntryMode "entry_mode", Sort::Word(ENTRY_MODES), "22", Missing::Never, "How the card number came into the terminal.";
    Region "region", Sort::Number(Unit::Region, 0, 999_999), "41", Missing::Never, "The terminal's region (GB/T 2260); 0 if it has none.";
    Hour "hour", Sort::Number(Unit::Hours, 0, 23), "the recorded time", Missing::Never, "The hour of the request in the city's zone.";
    Weekday "weekday", Sort::Word(WEEKDAYS), "the recorded time", Missing::Never, "The weekday of the request in the city's zone.";
    DayOfMonth "day_of_month", Sort::Number(Unit::Plain, 1, 31), "the recorded time", Missing::Never, "The day of the month of the request in the city's zone.";
    PinPresent "pin_present", YES_OR_NO, "52", Missing::Never, "Whether a PIN came with the request.";
    PinFailed "pin_failed", Sort::Number(Unit::Times, 0, 255), "the card", Missing::Counts(0), "Wrong PINs in a row, before this request.";
    CardDays "age.card_days", Sort::Number(Unit::Days, 0, 100_000), "the card", Missing::NoAnswer, "Days since the card was issued.";
    LinkDays "age.link_days", Sort::Number(Unit::Days, 0, 100_000), "the card", Missing::NoAnswer, "Days since a telephone was linked to the card.";
    MacRight "verified.mac", YES_OR_NO, "64, 128", Missing::NoAnswer, "Whether the MAC is right; missing where the channel has none.";
    CvvRight "verified.cvv", YES_OR_NO, "35, 45", Missing::NoAnswer, "Whether the stripe's card value is right; missing without a stripe.";
    Cvv2Right "verified.cvv2", YES_OR_NO, "the printed value", Missing::NoAnswer, "Whether the printed card value is right; missing if none was given.";
    TrackRight "verified.track", YES_OR_NO, "35, 45", Missing::NoAnswer, "Whether number, expiry and service code of the track are the card's; missing without a track.";
    LuhnRight "verified.luhn", YES_OR_NO, "2, 35", Missing::Counts(1), "Whether the card number's check digit is right.";
    PsamBinding "device.psam_binding", Sort::Word(DEVICES), "the PSAM's data", Missing::NoAnswer, "Whether the PSAM is the one that the terminal is known with.";
    PhoneBinding "device.phone_binding", Sort::Word(DEVICES), "the line", Missing::NoAnswer, "Whether the telephone line is the one that the terminal is known with.";
    LastRegion "last.region", Sort::Number(Unit::Region, 0, 999_999), "events before", Missing::NoAnswer, "The region of the card's last approved request.";
    LastSeconds "last.seconds", Sort::Number(Unit::Seconds, 0, i64::MAX), "events before", Missing::NoAnswer, "Seconds since the card's last approved request.";
    LastSpeed "last.speed", Sort::Number(Unit::KilometresAnHour, 0, i64::MAX), "events before", Missing::NoAnswer, "How fast the card would have travelled since its last approved request; missing where no spots are known.";
    FirstSeconds "first.seconds", Sort::Number(Unit::Seconds, 0, i64::MAX), "events before", Missing::NoAnswer, "Seconds since the card's first approved request that is known.";
}

/// How many facts there are.
pub(super) const COUNT: usize = Fact::FirstSeconds as usize + 1;

/// How many of them are texts or keys; they come first.
pub(super) const TEXTS: usize = Fact::CardRegions as usize;

/// How many of them are regions; they come next.
pub(super) const REGIONS: usize = Fact::Amount as usize - TEXTS;

impl Fact {
    /// Its row.
    #[must_use]
    pub fn row(self) -> &'static FactRow {
        &FACTS[self as usize]
    }

    /// The fact of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FACTS.iter().find(|row| row.name == name).map(|row| row.fact)
    }
}

impl Unit {
    /// As it is told to people, in the plural.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "a number",
            Self::Times => "a count",
            Self::Seconds => "seconds",
            Self::Days => "days",
            Self::Hours => "hours",
            Self::KilometresAnHour => "km/h",
            Self::Category => "a category code",
            Self::Bin => "a BIN",
            Self::Region => "a region",
        }
    }
}

impl Sort {
    /// As it is told to people.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Flag => "yes or no".to_owned(),
            Self::Number(Unit::Plain, least, most) => format!("a number, {least} to {most}"),
            Self::Number(unit, _, i64::MAX) => unit.name().to_owned(),
            Self::Number(unit, least, most) => format!("{}, {least} to {most}", unit.name()),
            Self::Money => "money".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Text => "a text".to_owned(),
            Self::Key => "a key".to_owned(),
            Self::Regions => "regions".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_in_the_order_of_its_slots() {
        assert_eq!(FACTS.len(), COUNT);
        for (place, row) in FACTS.iter().enumerate() {
            assert_eq!(row.fact as usize, place, "{}", row.name);
            assert_eq!(Fact::named(row.name), Some(row.fact), "no name stands twice: {}", row.name);
            let is_text = matches!(row.sort, Sort::Text | Sort::Key);
            assert_eq!(is_text, place < TEXTS, "{}", row.name);
            assert_eq!(row.sort == Sort::Regions, (TEXTS..TEXTS + REGIONS).contains(&place), "{}", row.name);
            let may_be_missing = row.missing == Missing::NoAnswer;
            assert!(!may_be_missing || row.name.contains('.'), "has() needs a dot: {}", row.name);
        }
    }
}
