//! The books as bytes: what a checkpoint holds, and the hash that proves two books equal.
//!
//! State is written table by table, row by row, so that neither side ever needs it in one piece twice. The hash
//! is SHA-256 over the same bytes; indexes and everything else that follows from the tables is left out.

use risk::past::PastRow;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    Acquirer, Books, Card, IssuerKey, Merchant, Orderer, Psam, Seq, Terminal,
    alerts::{AlertCounts, Alerts},
    apply::Listed,
    cards::CardDays,
    event::PsamMasters,
    holder_limits::LimitedCard,
    notices::{Notice, Notices},
    order::{DoneOrder, Epoch},
    originals::Original,
    policy::Policy,
    product::Product,
    rulebook::RulesInForce,
    transactions::Transaction,
};
use crate::ledger::{Account, holds::Hold, purse::PurseType};

/// Version of the snapshot's layout.
const SNAPSHOT_VERSION: u8 = 15;

/// Bytes after which a chunk is handed out. Rows are not split, so a chunk may be a row longer.
const CHUNK_BYTES: usize = 32 << 10;

#[derive(Debug, Deserialize, Serialize)]
struct Header {
    seq: Seq,
    time_ms: i64,
    genesis_done: bool,
    policy: Policy,
    business_day: i32,
    evicted: u64,
    originals_evicted: u64,
    notices_evicted: u64,
    notices_last_id: u64,
    issuer_keys: u64,
    purses: u64,
    products: u64,
    orderers: u64,
    merchants: u64,
    terminals: u64,
    cards: u64,
    accounts: u64,
    transactions: u64,
    listed: u64,
    psam_masters: u64,
    psams: u64,
    acquirers: u64,
    holds: u64,
    originals: u64,
    rules: u64,
    counters: u64,
    notices: u64,
    epochs: u64,
    orders_done: u64,
    fee_rules: u64,
    owed: u64,
    deposits: u64,
    chart_version: u32,
    income_names: u64,
    rulebooks: u64,
    lists: u64,
    alerts: u64,
    snoozed: u64,
    alert_counts: AlertCounts,
    limited: u64,
    dated: u64,
}

/// The bytes are no snapshot of this version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the checkpoint cannot be read as books of version {SNAPSHOT_VERSION}")]
pub struct SnapshotError;

impl Books {
    /// Writes the state in chunks.
    pub fn snapshot(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer { buffer: Vec::with_capacity(CHUNK_BYTES * 2), emit };
        writer.row(&SNAPSHOT_VERSION);
        writer.row(&self.header());
        writer.rows(&self.issuer_keys);
        writer.rows(&self.purses);
        writer.rows(&self.products);
        writer.rows(&self.orderers);
        writer.rows(&self.merchants);
        writer.rows(&self.terminals);
        for card in self.cards.view().iter() {
            writer.row(&card);
        }
        for account in self.ledger.accounts() {
            writer.row(&account);
        }
        writer.rows(self.transactions.lacks());
        for entry in self.transactions.iter() {
            writer.row(&entry);
        }
        writer.rows(&self.listed);
        writer.rows(&self.fee_schedule);
        writer.row(&self.chart.chart);
        writer.rows(&self.chart.names);
        self.side.rows().for_each(|row| writer.row(&row));
        self.side.deposit_rows().for_each(|row| writer.row(&row));
        writer.rows(&self.psam_masters);
        writer.rows(&self.psams);
        writer.rows(&self.acquirers);
        writer.rows(self.ledger.holds().iter());
        writer.rows(self.originals.iter());
        writer.rows(self.rules.rules.as_slice());
        writer.rows(self.notices.iter());
        for row in self.counters.rows() {
            writer.row(&row);
        }
        writer.rows(&self.epochs);
        writer.rows(&self.orders_done);
        self.list_rows().for_each(|row| writer.row(&row));
        if let Some(rules) = self.rules_in_force() {
            writer.row(rules.published());
            rules.past().rows().for_each(|row| writer.row(&Some(row)));
            writer.row(&None::<PastRow>);
        }
        writer.rows(self.alerts.after(0));
        writer.rows(self.alerts.snoozed());
        self.limited_rows().for_each(|row| writer.row(&row));
        (0..self.dated()).for_each(|at| writer.row(&self.cards.days(at)));
        writer.finish();
    }

    /// SHA-256 over the snapshot. Two books with this in common are the same, bit for bit.
    #[must_use]
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        self.snapshot(&mut |chunk| hash.update(chunk));
        hash.finalize().into()
    }

    /// Reads the state back from its chunks, each of which ends with a row. Chunks are let go of as they are read.
    ///
    /// # Errors
    /// The chunks are no snapshot of this version, or have bytes left over.
    pub fn from_snapshot(chunks: impl IntoIterator<Item: AsRef<[u8]>>) -> Result<Self, SnapshotError> {
        let mut reader = Reader { chunks: chunks.into_iter(), chunk: None, at: 0 };
        // The version comes first and alone, so that it can be read whatever follows it.
        if reader.row::<u8>()? != SNAPSHOT_VERSION {
            return Err(SnapshotError);
        }
        let header: Header = reader.row()?;
        let mut books = Self {
            seq: header.seq,
            time_ms: header.time_ms,
            genesis_done: header.genesis_done,
            policy: header.policy,
            business_day: header.business_day,
            ..Self::default()
        };
        books.issuer_keys = reader.rows::<IssuerKey>(header.issuer_keys)?;
        books.purses = reader.rows::<PurseType>(header.purses)?;
        books.products = reader.rows::<Product>(header.products)?;
        books.orderers = reader.rows::<Orderer>(header.orderers)?;
        books.merchants = reader.rows::<Merchant>(header.merchants)?;
        books.terminals = reader.rows::<Terminal>(header.terminals)?;
        books.restore_cards(&mut reader, header.cards)?;
        for _ in 0..header.accounts {
            books.ledger.restore(reader.row::<Account>()?);
        }
        for _ in 0..header.terminals {
            books.transactions.restore_terminal(reader.row()?);
        }
        books.transactions.reserve(&header.policy);
        for _ in 0..header.transactions {
            let entry: Transaction = reader.row()?;
            if entry.key.terminal as usize >= books.terminals.len() {
                return Err(SnapshotError);
            }
            books.transactions.restore(&entry);
        }
        books.transactions.restore_evicted(header.evicted);
        books.listed = reader.rows::<Listed>(header.listed)?;
        books.fee_schedule = reader.rows(header.fee_rules)?;
        books.chart.chart = reader.row()?;
        books.chart.version = header.chart_version;
        books.chart.names = reader.rows(header.income_names)?;
        for _ in 0..header.owed {
            books.side.restore(reader.row()?);
        }
        for _ in 0..header.deposits {
            let (card, amount) = reader.row()?;
            books.side.set_deposit(card, amount);
        }
        books.psam_masters = reader.rows::<PsamMasters>(header.psam_masters)?;
        books.psams = reader.rows::<Psam>(header.psams)?;
        books.acquirers = reader.rows::<Acquirer>(header.acquirers)?;
        for _ in 0..header.holds {
            books.ledger.restore_hold(reader.row::<Hold>()?).map_err(|_| SnapshotError)?;
        }
        books.originals.reserve(&header.policy);
        for _ in 0..header.originals {
            books.originals.restore(reader.row::<Original>()?);
        }
        books.originals.restore_evicted(header.originals_evicted);
        let rules = reader.rows::<risk::Rule>(header.rules)?;
        let notices = reader.rows::<Notice>(header.notices)?;
        books.notices = Notices::restore(notices, header.notices_last_id, header.notices_evicted);
        for _ in 0..header.counters {
            let row: risk::CounterRow = reader.row()?;
            // Room for cards is not made before they are there.
            if matches!(row, risk::CounterRow::Head { cards, .. } if cards as usize != books.cards.len()) {
                return Err(SnapshotError);
            }
            books.counters.restore(row);
        }
        books.epochs = reader.rows::<Epoch>(header.epochs)?;
        books.orders_done = reader.rows::<DoneOrder>(header.orders_done)?;
        for _ in 0..header.lists {
            books.restore_list(|| reader.row(), || SnapshotError)?;
        }
        for _ in 0..header.rulebooks {
            let currency = books.counters.currency();
            let mut rules = RulesInForce::restore(reader.row()?, currency).map_err(|_| SnapshotError)?;
            while let Some(row) = reader.row::<Option<PastRow>>()? {
                rules.past_mut().restore(row);
            }
            books.rulebook = Some(Box::new(rules));
        }
        let (alerts, snoozed) = (reader.rows(header.alerts)?, reader.rows(header.snoozed)?);
        books.alerts = Alerts::restore(alerts, snoozed, header.alert_counts);
        if books.rulebook.is_some() {
            books.alerts.reserve();
        }
        for _ in 0..header.limited {
            let known = books.restore_limits(&reader.row::<LimitedCard>()?);
            known.then_some(()).ok_or(SnapshotError)?;
        }
        for at in 0..header.dated {
            let days = reader.row::<CardDays>()?;
            let known = u32::try_from(at).is_ok_and(|at| books.cards.set_days(at, days));
            known.then_some(()).ok_or(SnapshotError)?;
        }
        let currency = books.counters.currency();
        books.rules.rules = risk::Rules::new(rules, currency).map_err(|_| SnapshotError)?;
        if !reader.is_at_end() {
            return Err(SnapshotError);
        }
        books.rebuild_indexes();
        Ok(books)
    }

    fn restore_cards<I: Iterator<Item: AsRef<[u8]>>>(
        &mut self,
        reader: &mut Reader<I>,
        count: u64,
    ) -> Result<(), SnapshotError> {
        for _ in 0..count {
            self.cards.restore(&reader.row::<Card>()?).map_err(|_| SnapshotError)?;
        }
        if self.cards.index() { Ok(()) } else { Err(SnapshotError) }
    }

    /// How many cards' days are written: all, or none where none is known.
    fn dated(&self) -> u32 {
        if self.cards.are_dated() { u32::try_from(self.cards.len()).unwrap_or(u32::MAX) } else { 0 }
    }

    fn header(&self) -> Header {
        Header {
            seq: self.seq,
            time_ms: self.time_ms,
            genesis_done: self.genesis_done,
            policy: self.policy,
            business_day: self.business_day,
            evicted: self.transactions.evicted(),
            originals_evicted: self.originals.evicted(),
            notices_evicted: self.notices.evicted(),
            notices_last_id: self.notices.last_id(),
            issuer_keys: self.issuer_keys.len() as u64,
            purses: self.purses.len() as u64,
            products: self.products.len() as u64,
            orderers: self.orderers.len() as u64,
            merchants: self.merchants.len() as u64,
            terminals: self.terminals.len() as u64,
            cards: self.cards.len() as u64,
            accounts: self.ledger.accounts().len() as u64,
            transactions: self.transactions.len() as u64,
            listed: self.listed.len() as u64,
            psam_masters: self.psam_masters.len() as u64,
            psams: self.psams.len() as u64,
            acquirers: self.acquirers.len() as u64,
            holds: self.ledger.holds().len() as u64,
            originals: self.originals.len() as u64,
            rules: self.rules.rules.as_slice().len() as u64,
            counters: self.counters.row_count() as u64,
            notices: self.notices.iter().count() as u64,
            epochs: self.epochs.len() as u64,
            orders_done: self.orders_done.len() as u64,
            fee_rules: self.fee_schedule.len() as u64,
            owed: self.side.lengths().0,
            deposits: self.side.lengths().1,
            chart_version: self.chart.version,
            income_names: self.chart.names.len() as u64,
            rulebooks: u64::from(self.rulebook.is_some()),
            lists: self.lists_len(),
            alerts: self.alerts.after(0).count() as u64,
            snoozed: self.alerts.snoozed().len() as u64,
            alert_counts: *self.alerts.counts(),
            limited: self.limited.len() as u64,
            dated: u64::from(self.dated()),
        }
    }
}

struct Writer<'a> {
    buffer: Vec<u8>,
    emit: &'a mut dyn FnMut(&[u8]),
}

impl Writer<'_> {
    fn row(&mut self, row: &impl Serialize) {
        // INVARIANT: the flavour writes to a Vec and no row has a type without a serial form.
        postcard::to_io(row, &mut self.buffer).expect("rows serialise to memory");
        if self.buffer.len() >= CHUNK_BYTES {
            (self.emit)(&self.buffer);
            self.buffer.clear();
        }
    }

    fn rows<'r, T: Serialize + 'r>(&mut self, rows: impl IntoIterator<Item = &'r T>) {
        rows.into_iter().for_each(|row| self.row(row));
    }

    fn finish(self) {
        if !self.buffer.is_empty() {
            (self.emit)(&self.buffer);
        }
    }
}

/// Rows out of chunks, of which it holds one at a time.
struct Reader<I: Iterator> {
    chunks: I,
    chunk: Option<I::Item>,
    /// How much of the chunk has been read.
    at: usize,
}

impl<I: Iterator<Item: AsRef<[u8]>>> Reader<I> {
    fn row<T: DeserializeOwned>(&mut self) -> Result<T, SnapshotError> {
        if self.is_at_end() {
            return Err(SnapshotError);
        }
        let left = self.left();
        let (row, rest) = postcard::take_from_bytes(left).map_err(|_| SnapshotError)?;
        self.at += left.len() - rest.len();
        Ok(row)
    }

    fn rows<T: DeserializeOwned>(&mut self, count: u64) -> Result<Vec<T>, SnapshotError> {
        // The count is not believed before the rows are there.
        (0..count).map(|_| self.row()).collect()
    }

    /// Whether nothing is left; takes the next chunk if nothing is left of this one.
    fn is_at_end(&mut self) -> bool {
        while self.left().is_empty() {
            self.chunk = self.chunks.next();
            self.at = 0;
            if self.chunk.is_none() {
                return true;
            }
        }
        false
    }

    fn left(&self) -> &[u8] {
        self.chunk.as_ref().map_or(&[], |chunk| &chunk.as_ref()[self.at..])
    }
}
