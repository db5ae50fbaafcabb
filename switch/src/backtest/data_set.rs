//! A data set, row by row: a CSV file whose columns a [`Map`] names.
//!
//! A row is read, checked and forgotten; what stays is a number for each name of a card, a terminal or a merchant. The
//! first thing that is wrong ends it. Start at [`DataSet::advance`].

use std::{cell::Cell, io, io::Read, rc::Rc};

use csv::ByteRecord;
use jiff::tz::TimeZone;
use risk::language::{Currency, Fact, Request, facts::Sort};
use risk::past::{Happened, Marks, Place, Spot, Whose};

use super::{
    DataError, Label, Map, Row,
    calendar::{Calendar, Local},
    map::AmountForm,
    names::{NAMES_MAX, Names},
};

/// The longest row, bytes: more is a quote that somebody forgot to close.
const ROW_BYTES_MAX: usize = 1 << 20;

/// The largest amount, minor units: more than field 4 of a message can say.
const AMOUNT_MAX: i64 = 100_000_000_000_000;

/// So many digits may hide a card number, whatever stands beside it (ISO/IEC 7812: 13 digits are the fewest in use).
const PAN_DIGITS_MIN: usize = 13;

/// Where a fact stands: its column, from 0.
#[derive(Clone, Copy, Debug)]
struct Places {
    time: usize,
    card: usize,
    amount: usize,
    merchant: Option<usize>,
    terminal: Option<usize>,
    label: Option<usize>,
    label_delay_days: Option<usize>,
    reference: Option<usize>,
    currency: Option<usize>,
    decision: Option<usize>,
    product: Option<usize>,
    bin: Option<usize>,
    mcc: Option<usize>,
    region: Option<usize>,
    north: Option<usize>,
    east: Option<usize>,
    channel: Option<usize>,
    entry_mode: Option<usize>,
}

/// See the module.
#[derive(Debug)]
pub struct DataSet<R> {
    csv: csv::Reader<Bounded<R>>,
    left: Rc<Cell<usize>>,
    map: Map,
    header: ByteRecord,
    places: Places,
    record: ByteRecord,
    calendar: Calendar,
    cards: Names,
    terminals: Names,
    merchants: Names,
    products: Names,
    rows: u64,
    now: Now,
    row: Row,
}

/// What of the current row is not in [`Row`].
#[derive(Clone, Copy, Debug, Default)]
struct Now {
    local: Local,
    card: [u8; 8],
    mcc: Option<i64>,
    channel: Option<&'static str>,
    entry_mode: Option<&'static str>,
    declined: bool,
}

impl<R: Read> DataSet<R> {
    /// Reads the head of a file.
    ///
    /// # Errors
    /// It has not the columns that the map names.
    pub fn open(file: R, map: Map) -> Result<Self, DataError> {
        let left = Rc::new(Cell::new(ROW_BYTES_MAX));
        let bounded = Bounded { file, left: Rc::clone(&left) };
        let mut csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(map.delimiter)
            .buffer_capacity(1 << 16)
            .from_reader(bounded);
        let mut header = ByteRecord::new();
        csv.read_byte_record(&mut header).map_err(|source| DataError::Read { line: 1, source })?;
        let places = Places::find(&header, &map)?;
        Ok(Self {
            csv,
            left,
            calendar: Calendar::new(map.zone.clone()),
            header,
            places,
            record: ByteRecord::new(),
            cards: Names::default(),
            terminals: Names::default(),
            merchants: Names::default(),
            products: Names::default(),
            rows: 0,
            now: Now::default(),
            row: nothing(map.currency),
            map,
        })
    }

    /// By which key rules know the card of this name; none if there is no room for another name.
    pub fn card(&mut self, name: &[u8]) -> Option<[u8; 8]> {
        self.cards.number(name).map(|number| u64::from(number).to_be_bytes())
    }

    /// In which zone its days end.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.map.zone
    }

    /// Goes to the next row; no if there is none.
    ///
    /// # Errors
    /// What is wrong with the row, and where.
    pub fn advance(&mut self) -> Result<bool, DataError> {
        self.left.set(ROW_BYTES_MAX);
        let line = self.csv.position().line();
        let more = self.csv.read_byte_record(&mut self.record);
        if !more.map_err(|source| DataError::Read { line, source })? {
            return if self.rows == 0 { Err(DataError::Empty) } else { Ok(false) };
        }
        self.rows += 1;
        self.read_when()?;
        self.read_who()?;
        self.read_what()?;
        self.read_label()?;
        self.refer();
        Ok(true)
    }

    /// The current row.
    #[must_use]
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// What rules can ask about the current row. What the file does not say is missing.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        let (happened, now) = (&self.row.happened, &self.now);
        let mut request = Request::new(now.local.day);
        request.text(Fact::Card, &now.card);
        request.number(Fact::Amount, happened.amount);
        request.currency(happened.currency);
        request.number(Fact::Hour, i64::from(now.local.hour));
        request.number(Fact::Weekday, i64::from(now.local.weekday));
        request.number(Fact::DayOfMonth, i64::from(now.local.day_of_month));
        let Places { terminal, merchant, product, bin, region, .. } = self.places;
        for (fact, column) in
            [(Fact::Terminal, terminal), (Fact::Merchant, merchant), (Fact::Product, product)]
        {
            if let Some(text) = column.and_then(|column| self.record.get(column)) {
                request.text(fact, text);
            }
        }
        if bin.is_some() {
            request.number(Fact::Bin, i64::from(happened.whose.bin));
        }
        if region.is_some() {
            request.number(Fact::Region, i64::from(happened.place.region));
        }
        if let Some(mcc) = now.mcc {
            request.number(Fact::Category, mcc);
        }
        for (fact, word) in [(Fact::Channel, now.channel), (Fact::EntryMode, now.entry_mode)] {
            if let Some(word) = word {
                request.word(fact, word);
            }
        }
        request
    }

    /// Whether the current row was declined when it happened.
    #[must_use]
    pub fn declined(&self) -> bool {
        self.now.declined
    }

    /// Bytes of the file that were read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.csv.position().byte()
    }

    fn read_when(&mut self) -> Result<(), DataError> {
        let at = self.places.time;
        let Self { record, calendar, map, .. } = self;
        let time = calendar.moment(record.get(at).unwrap_or_default().trim_ascii(), map.time);
        let time = time.zip(time.and_then(|time| calendar.local(time)));
        let Some((at_ms, local)) = time else {
            return Err(self.wrong(at, "a time such as 2026-11-22 12:00:00, or as `time` in the map says"));
        };
        if self.rows > 1 && at_ms < self.row.happened.at_ms {
            let (line, name) = (self.line(), self.name(at));
            return Err(DataError::Order { line, column: at + 1, name });
        }
        self.now.local = local;
        self.row.happened = Happened { number: self.rows, at_ms, day: local.day, ..self.row.happened };
        Ok(())
    }

    fn read_who(&mut self) -> Result<(), DataError> {
        let Places { card, merchant, terminal, product, bin, .. } = self.places;
        let line = self.line();
        let Self { record, cards, merchants, terminals, products, .. } = self;
        let number = |names: &mut Names, column: Option<usize>| match column {
            Some(column) => names.number(record.get(column).unwrap_or_default().trim_ascii()),
            None => Some(0),
        };
        let numbers = (
            number(cards, Some(card)),
            number(merchants, merchant),
            number(terminals, terminal),
            number(products, product).and_then(|product| u16::try_from(product).ok()),
        );
        let (Some(card_number), Some(merchant), Some(terminal), Some(product)) = numbers else {
            return Err(DataError::TooMany { line, most: NAMES_MAX });
        };
        if self.cards.len() + self.merchants.len() + self.terminals.len() > NAMES_MAX {
            return Err(DataError::TooMany { line, most: NAMES_MAX });
        }
        if self.text(card).is_empty() {
            return Err(self.wrong(card, "the card, in whatever way it is known; nothing is not a card"));
        }
        let bin = match bin {
            Some(column) => self.number(column, 999_999, "the first six digits of the card number")?,
            None => 0,
        };
        self.now.card = u64::from(card_number).to_be_bytes();
        self.row.happened.whose = Whose {
            card: u64::from(card_number),
            terminal,
            merchant,
            product,
            bin: u32::try_from(bin).unwrap_or_default(),
        };
        Ok(())
    }

    fn read_what(&mut self) -> Result<(), DataError> {
        let Places { amount, currency, decision, mcc, channel, entry_mode, .. } = self.places;
        let currency = match currency {
            Some(column) => std::str::from_utf8(self.text(column))
                .ok()
                .and_then(Currency::named)
                .ok_or_else(|| self.wrong(column, "an alphabetic code of ISO 4217 that is known here"))?,
            None => self.map.currency,
        };
        let decimals = if self.map.amount == AmountForm::Minor { 0 } else { currency.decimals };
        let minor = minor(self.text(amount), decimals).ok_or_else(|| {
            self.wrong(amount, "an amount, not negative, with no more decimals than its currency has")
        })?;
        let is_one_of = |column: Option<usize>, words: &[String]| {
            let text = column.map(|column| self.text(column)).unwrap_or_default();
            words.iter().any(|word| word.as_bytes() == text)
        };
        let declined = is_one_of(decision, &self.map.declined);
        let category = mcc.map(|column| self.category(column)).transpose()?.flatten();
        let channel = channel.map(|column| self.word(column, Fact::Channel)).transpose()?;
        let entry_mode = entry_mode.map(|column| self.word(column, Fact::EntryMode)).transpose()?;
        let place = self.place()?;
        (self.now.mcc, self.now.channel, self.now.entry_mode) = (category, channel, entry_mode);
        self.now.declined = declined;
        let happened = &mut self.row.happened;
        (happened.amount, happened.currency, happened.place) = (minor, currency.number, place);
        (happened.marks, happened.approved) = match (declined, minor) {
            (true, _) => (Marks::DECLINED, 0),
            (false, 0) => (Marks::ATTEMPT, 0),
            (false, _) => (Marks::APPROVED, minor),
        };
        Ok(())
    }

    /// A category code, or a word that the map gives one; none where there is nothing.
    fn category(&self, column: usize) -> Result<Option<i64>, DataError> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        let words = Some(&self.map.mcc).filter(|words| !words.is_empty());
        let named = words.and_then(|words| words.get(std::str::from_utf8(text).ok()?));
        match named {
            Some(code) => Ok(Some(i64::from(*code))),
            None => self
                .number(
                    column,
                    9_999,
                    "a category code of four digits, or a word that [mcc] in the map gives one",
                )
                .map(Some),
        }
    }

    fn word(&self, column: usize, fact: Fact) -> Result<&'static str, DataError> {
        let Sort::Word(words) = fact.row().sort else { return Err(self.wrong(column, "a word")) };
        let text = self.text(column);
        let rule = if fact == Fact::Channel { "pos, epos or atm" } else { "a word of `entry_mode`" };
        words.iter().find(|word| word.as_bytes() == text).copied().ok_or_else(|| self.wrong(column, rule))
    }

    fn place(&self) -> Result<Place, DataError> {
        let Places { region, north, east, .. } = self.places;
        let region = match region {
            Some(column) => self.number(column, 999_999, "a region of six digits (GB/T 2260)")?,
            None => 0,
        };
        let spot = match (north, east) {
            (Some(north), Some(east)) if !self.text(north).is_empty() || !self.text(east).is_empty() => {
                let degrees = |column, most| {
                    degrees_e4(self.text(column), most)
                        .ok_or_else(|| self.wrong(column, "degrees, such as 31.2304 or -121.47"))
                };
                Some(Spot { north_e4: degrees(north, 90)?, east_e4: degrees(east, 180)? })
            }
            _ => None,
        };
        Ok(Place { region: u32::try_from(region).unwrap_or_default(), spot })
    }

    fn read_label(&mut self) -> Result<(), DataError> {
        let Places { label, label_delay_days, .. } = self.places;
        let text = label.map(|column| self.text(column)).unwrap_or_default();
        if text.is_empty() {
            self.row.label = None;
            return Ok(());
        }
        let fraud = self.map.fraud.iter().any(|word| word.as_bytes() == text);
        let delay_ms = match label_delay_days {
            Some(column) => {
                self.number(column, 3_650, "days until the label was known, at most 3650")? * 86_400_000
            }
            None => self.map.label_delay_ms,
        };
        self.row.label = Some(Label { fraud, known_ms: self.row.happened.at_ms.saturating_add(delay_ms) });
        Ok(())
    }

    /// What people know the row by. What could be a card's number is not taken over.
    fn refer(&mut self) {
        let text = self.places.reference.and_then(|column| self.record.get(column)).unwrap_or_default();
        let readable = (1..=40).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
        let line = self.record.position().map_or(0, csv::Position::line);
        self.row.reference.clear();
        match std::str::from_utf8(text) {
            Ok(text) if readable && digits < PAN_DIGITS_MIN => self.row.reference.push_str(text),
            _ => self.row.reference.push_str(&format!("line {line}")),
        }
    }

    fn number(&self, column: usize, most: i64, rule: &'static str) -> Result<i64, DataError> {
        let text = self.text(column);
        let number = if text.is_empty() { None } else { with_digits(0, text) };
        number.filter(|number| *number <= most).ok_or_else(|| self.wrong(column, rule))
    }

    fn text(&self, column: usize) -> &[u8] {
        self.record.get(column).unwrap_or_default().trim_ascii()
    }

    fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    fn name(&self, column: usize) -> String {
        String::from_utf8_lossy(self.header.get(column).unwrap_or_default()).chars().take(40).collect()
    }

    fn wrong(&self, column: usize, rule: &'static str) -> DataError {
        DataError::Value { line: self.line(), column: column + 1, name: self.name(column), rule }
    }
}

impl Places {
    fn find(header: &ByteRecord, map: &Map) -> Result<Self, DataError> {
        let columns = &map.columns;
        let must = |name: &String, role: &'static str| {
            let found = header.iter().position(|column| {
                column.trim_ascii().strip_prefix(b"\xef\xbb\xbf").unwrap_or(column.trim_ascii())
                    == name.as_bytes()
            });
            let columns = header.len();
            found.ok_or_else(|| DataError::NoColumn { name: name.clone(), role, columns })
        };
        let may = |name: &Option<String>, role| name.as_ref().map(|name| must(name, role)).transpose();
        Ok(Self {
            time: must(&columns.time, "time")?,
            card: must(&columns.card, "card")?,
            amount: must(&columns.amount, "amount")?,
            merchant: may(&columns.merchant, "merchant")?,
            terminal: may(&columns.terminal, "terminal")?,
            label: may(&columns.label, "label")?,
            label_delay_days: may(&columns.label_delay_days, "label_delay_days")?,
            reference: may(&columns.reference, "reference")?,
            currency: may(&columns.currency, "currency")?,
            decision: may(&columns.decision, "decision")?,
            product: may(&columns.product, "product")?,
            bin: may(&columns.bin, "bin")?,
            mcc: may(&columns.mcc, "mcc")?,
            region: may(&columns.region, "region")?,
            north: may(&columns.north, "north")?,
            east: may(&columns.east, "east")?,
            channel: may(&columns.channel, "channel")?,
            entry_mode: may(&columns.entry_mode, "entry_mode")?,
        })
    }
}

fn nothing(currency: Currency) -> Row {
    let whose = Whose { card: 0, terminal: 0, merchant: 0, product: 0, bin: 0 };
    let happened = Happened {
        number: 0,
        at_ms: 0,
        day: risk::Day(0),
        whose,
        amount: 0,
        approved: 0,
        currency: currency.number,
        marks: Marks::ATTEMPT,
        place: Place::default(),
    };
    Row { reference: String::new(), happened, label: None }
}

/// An amount in minor units. Zeros behind the last decimal of the currency are let pass.
fn minor(text: &[u8], decimals: u8) -> Option<i64> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &[][..]),
    };
    let decimals = usize::from(decimals);
    let beyond = fraction.get(decimals..).unwrap_or_default();
    if whole.is_empty() || beyond.iter().any(|byte| *byte != b'0') {
        return None;
    }
    let kept = &fraction[..fraction.len().min(decimals)];
    let zeros = &[b'0'; u8::MAX as usize][..decimals - kept.len()];
    let minor = with_digits(with_digits(with_digits(0, whole)?, kept)?, zeros)?;
    (minor <= AMOUNT_MAX).then_some(minor)
}

/// A number with more digits behind it; none if one of them is no digit, or there are too many.
fn with_digits(number: i64, digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(number, |number, digit| {
        let value = digit.checked_sub(b'0').filter(|value| *value < 10)?;
        number.checked_mul(10)?.checked_add(i64::from(value))
    })
}

/// Degrees in ten-thousandths; what is finer is left out.
fn degrees_e4(text: &[u8], most: i64) -> Option<i32> {
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let point = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let fine = text.get(point + 1..).unwrap_or_default();
    if !fine.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let short = &text[..text.len().min(point + 5)];
    let value = minor(short, 4).filter(|value| *value <= most * 10_000)?;
    i32::try_from(if negative { -value } else { value }).ok()
}

/// A file of which no more is read for one row than a row may have.
#[derive(Debug)]
struct Bounded<R> {
    file: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            let rule = "a row is longer than 1 MiB; is a quote not closed?";
            return Err(io::Error::new(io::ErrorKind::InvalidData, rule));
        }
        let most = buffer.len().min(left);
        let read = self.file.read(&mut buffer[..most])?;
        self.left.set(left - read);
        Ok(read)
    }
}
