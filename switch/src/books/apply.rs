//! Making it so: the only place where the books change.
//!
//! `apply` never decides. A live event was decided a moment ago and fits; one read from a journal may not, if the
//! journal was damaged in a way its checksums do not see or was written by a program with a fault, so everything
//! is checked again and nothing is applied in part that matters: a replay that meets an error stops for good.

use serde::{Deserialize, Serialize};

use super::{
    Acquirer, AcquirerId, Books, Card, CardId, CommonAccount, IssuerKey, Merchant, Orderer, Psam, PsamId,
    Seq, Terminal, TerminalId, WorkingKeys, ZoneKeys,
    card::LinkedPhone,
    event::{
        Event, InstalledTerminal, IssuedCard, JoinedAcquirer, ListedReason, ListedSubject, OpenedMerchant,
        Token,
    },
    fees,
    product::Product,
};
use crate::ledger::{AccountKind, Currency, Minor, Posting, Refusal};

mod decided;
mod outside;
mod past;

/// A list entry as the books keep it, for checkpoints; the rules hold it in the form they search.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Listed {
    /// What.
    pub subject: ListedSubject,
    /// Why.
    pub reason: ListedReason,
    /// Until when, milliseconds since 1970 UTC.
    pub expires_ms: Option<i64>,
}

/// Why an event does not fit the state it is applied to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// Records must follow one another.
    #[error("record {got} does not follow record {last}")]
    NotNext {
        /// The last applied record.
        last: Seq,
        /// The one given.
        got: Seq,
    },
    /// Recorded time went back.
    #[error("record {seq} is earlier than the one before it")]
    TimeWentBack {
        /// The record.
        seq: Seq,
    },
    /// The event names something that does not exist.
    #[error("record {seq} names a {what} that does not exist")]
    NoSuch {
        /// The record.
        seq: Seq,
        /// What is missing.
        what: &'static str,
    },
    /// The event opens something that exists.
    #[error("record {seq} opens a {what} that exists already")]
    Exists {
        /// The record.
        seq: Seq,
        /// What exists.
        what: &'static str,
    },
    /// The postings break a rule of the ledger.
    #[error("record {seq}: {refusal}")]
    Postings {
        /// The record.
        seq: Seq,
        /// The rule.
        #[source]
        refusal: Refusal,
    },
}

impl Books {
    /// Applies one event as record `seq` with its recorded time.
    ///
    /// # Errors
    /// The event does not fit; the books must not be used any more then.
    pub fn apply(&mut self, seq: Seq, time_ms: i64, event: &Event) -> Result<(), ApplyError> {
        if seq != self.seq + 1 {
            return Err(ApplyError::NotNext { last: self.seq, got: seq });
        }
        if time_ms < self.time_ms {
            return Err(ApplyError::TimeWentBack { seq });
        }
        self.seq = seq;
        self.time_ms = time_ms;
        if let Event::Decided(decided) = event {
            // Nearly all are.
            return self.apply_decided(decided);
        }
        self.apply_other(event)
    }

    #[inline(never)]
    fn apply_other(&mut self, event: &Event) -> Result<(), ApplyError> {
        if let Event::Ordered(ordered) = event {
            self.remember_order(&ordered.order.order);
            if let Event::RulebookPublished(published) = &ordered.done {
                return self.publish_rules(published, Some(&ordered.order));
            }
            if let Event::ListChanged(changed) = &ordered.done {
                return self.change_list(changed, &ordered.order);
            }
        }
        self.apply_done(event.done())
    }

    fn apply_done(&mut self, event: &Event) -> Result<(), ApplyError> {
        match event {
            Event::Decided(decided) => self.apply_decided(decided),
            Event::SignedIn { terminal, version, pin, mac, told, .. } => {
                let (pin, mac) = (pin.clone(), mac.clone());
                let keys = WorkingKeys { version: *version, pin, mac, told: *told, used_since_ms: None };
                self.apply_signed_in(*terminal, keys)
            }
            Event::SignedOff { terminal, .. } => {
                self.terminal_mut(*terminal)?.signed_off = true;
                Ok(())
            }
            Event::PsamSignedIn { psam, terminal, nonce, .. } => {
                self.apply_psam_signed_in(*psam, *terminal, *nonce)
            }
            Event::AcquirerSigned { acquirer, on, sent, adopts } => {
                self.apply_managed(*acquirer, *sent, *adopts)?.signed_on = *on;
                Ok(())
            }
            Event::ZoneKeysChanged { acquirer, version, keys, sent, adopts } => {
                let acquirer = self.apply_managed(*acquirer, *sent, *adopts)?;
                acquirer.remember_keys(keys);
                acquirer.pending = Some(ZoneKeys { version: *version, texts: keys.clone() });
                Ok(())
            }
            Event::HoldExpired { hold, original, amount } => {
                self.apply_hold_expired(*hold, *original, *amount)
            }
            Event::CutOver { opens } => {
                self.business_day = *opens;
                Ok(())
            }
            Event::Alert { terminal, card, kind, cause } => self.apply_alert(*terminal, *card, *kind, *cause),
            Event::KeysRewrapped { keeper, blocks, .. } => self.apply_rewrapped(*keeper, blocks),
            Event::EpochBegun(order) => self.begin_epoch(order),
            Event::PinTriesReset { card } => self.reset_pin_tries(*card),
            Event::Operated(operated) => self.apply_operated(operated),
            Event::RulebookPublished(published) => self.publish_rules(published, None),
            Event::ListRowsStaged(staged) => self.stage_rows(staged),
            Event::AlertHandled(handled) => {
                let (seq, time_ms) = (self.seq, self.time_ms);
                let known = self.alerts.handle(handled, time_ms);
                known.then_some(()).ok_or(ApplyError::NoSuch { seq, what: "alert" })
            }
            Event::RuleSnoozed(snooze) => {
                self.alerts.snooze(snooze, self.time_ms);
                Ok(())
            }
            Event::HolderLimitsSet(limited) => self.limit_card(limited),
            genesis => self.apply_genesis(genesis),
        }
    }

    fn apply_signed_in(&mut self, terminal: u32, keys: WorkingKeys) -> Result<(), ApplyError> {
        let time_ms = self.time_ms;
        let terminal = self.terminal_mut(terminal)?;
        if time_ms - terminal.sign_in_minute_ms >= 60_000 {
            terminal.sign_in_minute_ms = time_ms;
            terminal.sign_ins = 0;
        }
        terminal.sign_ins = terminal.sign_ins.saturating_add(1);
        terminal.newest_version = keys.version;
        terminal.signed_off = false;
        terminal.pending = Some(Box::new(keys));
        Ok(())
    }

    fn apply_genesis(&mut self, event: &Event) -> Result<(), ApplyError> {
        let seq = self.seq;
        match event {
            Event::PolicySet(policy) => {
                self.policy = *policy;
                self.transactions.reserve(policy);
                self.originals.reserve(policy);
                self.notices.reserve(policy.notices_max);
            }
            Event::KeyInstalled { role, index, block } => {
                self.issuer_keys.push(IssuerKey { role: *role, index: *index, block: block.clone() });
            }
            Event::PurseDefined(purse) => {
                self.open_common(purse.currency);
                if self.purses.is_empty() {
                    // What is counted is counted in the city's currency, which its first purse names.
                    self.counters = risk::Counters::new(purse.currency);
                }
                self.purses.push(purse.clone());
            }
            Event::ProductDefined(product) => self.define_product(product)?,
            Event::OrdererOpened { name, currency, float } => self.open_orderer(name, *currency, *float)?,
            Event::MerchantOpened(merchant) => self.open_merchant(merchant)?,
            Event::TerminalInstalled(terminal) => self.install_terminal(terminal)?,
            Event::CardIssued(card) => self.issue_card(card)?,
            Event::Listed { subject, reason, expires_ms, .. } => {
                self.list(Listed { subject: *subject, reason: *reason, expires_ms: *expires_ms });
            }
            Event::GenesisDone => self.genesis_done = true,
            Event::PsamMastersInstalled(masters) => self.psam_masters.push(masters.clone()),
            Event::PsamIssued { number, key_version, revoked } => {
                self.issue_psam(*number, *key_version, *revoked)?;
            }
            Event::AcquirerJoined(acquirer) => self.join_acquirer(acquirer)?,
            Event::RulesPublished(rules) => {
                let currency = self.counters.currency();
                self.rules.rules = risk::Rules::new(rules.clone(), currency)
                    .map_err(|_| ApplyError::NoSuch { seq, what: "way to apply these rules" })?;
            }
            Event::FeesPublished(rules) => {
                fees::check(rules, self.products.len(), self.merchants.len())
                    .map_err(|_| ApplyError::NoSuch { seq, what: "way to charge these fees" })?;
                self.fee_schedule.clone_from(rules);
            }
            Event::ChartPublished(chart) => {
                self.check_chart(chart)
                    .map_err(|_| ApplyError::NoSuch { seq, what: "way to keep this chart of accounts" })?;
                self.put_in_force(chart);
            }
            Event::AccountOpened(opened) => self.open_account(opened)?,
            Event::CardDated { card, days } => {
                let known = self.cards.set_days(*card, *days);
                known.then_some(()).ok_or(ApplyError::NoSuch { seq, what: "card" })?;
            }
            Event::TerminalPlaced { terminal, spot } => self.terminal_mut(*terminal)?.spot = Some(*spot),
            Event::Decided(_)
            | Event::SignedIn { .. }
            | Event::SignedOff { .. }
            | Event::PsamSignedIn { .. }
            | Event::AcquirerSigned { .. }
            | Event::ZoneKeysChanged { .. }
            | Event::HoldExpired { .. }
            | Event::CutOver { .. }
            | Event::Alert { .. }
            | Event::KeysRewrapped { .. }
            | Event::EpochBegun(_)
            | Event::Ordered(_)
            | Event::PinTriesReset { .. }
            | Event::Operated(_)
            | Event::RulebookPublished(_)
            | Event::ListRowsStaged(_)
            | Event::ListChanged(_)
            | Event::AlertHandled(_)
            | Event::RuleSnoozed(_)
            | Event::HolderLimitsSet(_) => {
                return Err(ApplyError::NoSuch { seq, what: "way to apply this event" });
            }
        }
        Ok(())
    }

    fn define_product(&mut self, product: &Product) -> Result<(), ApplyError> {
        let known = product.purses.iter().all(|purse| usize::from(*purse) < self.purses.len());
        if !known || usize::from(product.load_purse) >= product.purses.len() {
            return Err(ApplyError::NoSuch { seq: self.seq, what: "purse type" });
        }
        if product.deposit > 0 {
            let purse = product.purses[usize::from(product.load_purse)];
            self.open_deposits(self.purses[usize::from(purse)].currency);
        }
        self.products.push(product.clone());
        self.counters.add_product();
        Ok(())
    }

    fn open_orderer(&mut self, name: &str, currency: Currency, float: Minor) -> Result<(), ApplyError> {
        self.open_common(currency);
        let orderer = position(self.orderers.len());
        let account = self.ledger.open(AccountKind::OrdererFloat { orderer }, currency, 0);
        self.orderers.push(Orderer { name: name.to_owned(), float: account });
        let bank = self.common[&(CommonAccount::Bank, currency)];
        self.post(&[Posting { account: bank, amount: -float }, Posting { account, amount: float }])
    }

    fn open_merchant(&mut self, opened: &OpenedMerchant) -> Result<(), ApplyError> {
        if self.merchants_by_id.contains_key(&opened.id) {
            return Err(ApplyError::Exists { seq: self.seq, what: "merchant" });
        }
        self.open_common(opened.currency);
        let merchant = position(self.merchants.len());
        let payable =
            self.ledger.open(AccountKind::MerchantPayable { merchant }, opened.currency, Minor::MIN);
        let load_line = (opened.load_line > 0).then(|| {
            self.ledger.open(AccountKind::LoadLine { merchant }, opened.currency, -opened.load_line)
        });
        self.merchants_by_id.insert(opened.id, merchant);
        self.merchants.push(Merchant {
            id: opened.id,
            name: opened.name.clone(),
            active: opened.active,
            fee_bp: opened.fee_bp,
            fee_min: opened.fee_min,
            fee_max: opened.fee_max,
            payable,
            load_line,
        });
        Ok(())
    }

    fn install_terminal(&mut self, installed: &InstalledTerminal) -> Result<(), ApplyError> {
        if self.merchants.get(installed.merchant as usize).is_none() {
            return Err(ApplyError::NoSuch { seq: self.seq, what: "merchant" });
        }
        let position = TerminalId(position(self.terminals.len()));
        if self.terminals_by_id.insert(installed.id, position).is_some() {
            return Err(ApplyError::Exists { seq: self.seq, what: "terminal" });
        }
        let psam = installed.psam.map(PsamId);
        if let Some(psam) = psam {
            let seq = self.seq;
            self.psams.get(psam.0 as usize).ok_or(ApplyError::NoSuch { seq, what: "PSAM" })?;
        }
        let acquirer = installed.acquirer.map(AcquirerId);
        if acquirer.is_some_and(|acquirer| usize::from(acquirer.0) >= self.acquirers.len()) {
            return Err(ApplyError::NoSuch { seq: self.seq, what: "acquirer" });
        }
        self.transactions.add_terminal();
        self.counters.add_terminal();
        self.terminals.push(Terminal {
            id: installed.id,
            merchant: installed.merchant,
            category: installed.category,
            region: installed.region,
            spot: None,
            dialect: installed.dialect,
            mac: installed.mac,
            may_load: installed.may_load,
            psam,
            phone: installed.phone,
            acquirer,
            alerted_ms: [0; super::notices::Cause::COUNT],
            signed_off: false,
            tmk: installed.tmk.clone(),
            current: None,
            pending: None,
            previous: None,
            previous_until_ms: 0,
            newest_version: 0,
            sign_in_minute_ms: 0,
            sign_ins: 0,
        });
        Ok(())
    }

    fn issue_card(&mut self, issued: &IssuedCard) -> Result<(), ApplyError> {
        let seq = self.seq;
        let product = self.products.get(usize::from(issued.product));
        let purses = product.ok_or(ApplyError::NoSuch { seq, what: "product" })?.purses.clone();
        let orderer = self.orderers.get(usize::from(issued.orderer));
        orderer.ok_or(ApplyError::NoSuch { seq, what: "orderer" })?;
        let card = position(self.cards.len());
        if self.find_card(&issued.token.0).is_some() {
            return Err(ApplyError::Exists { seq, what: "card" });
        }
        let phone = LinkedPhone::pack(&issued.phone);
        let phone = phone.ok_or(ApplyError::NoSuch { seq, what: "phone of digits" })?;
        let mut first_purse = None;
        for (index, purse) in purses.iter().enumerate() {
            let kind = &self.purses[usize::from(*purse)];
            let currency = kind.currency;
            let account =
                self.ledger.open(AccountKind::Purse { card, purse: *purse }, kind.currency, kind.floor);
            first_purse.get_or_insert(account);
            let amount = issued.opening.get(index).copied().unwrap_or(0);
            if amount != 0 {
                let float = self.float_of(u32::from(issued.orderer), currency);
                let float = float.ok_or(ApplyError::NoSuch { seq, what: "float in this currency" })?;
                self.post(&[Posting { account: float, amount: -amount }, Posting { account, amount }])?;
            }
        }
        let first_purse = first_purse.ok_or(ApplyError::NoSuch { seq, what: "purse of the product" })?;
        let pushed = self.cards.push(&Card {
            token: issued.token,
            bin: issued.bin,
            last_four: issued.last_four,
            product: issued.product,
            orderer: issued.orderer,
            state: issued.state,
            expiry_yymm: issued.expiry_yymm,
            pvki: issued.pvki,
            pvv: issued.pvv,
            pin_version: 0,
            pin_tries: 0,
            first_purse,
            phone,
            regions: issued.regions.clone(),
        });
        pushed.map_err(|_| ApplyError::NoSuch { seq, what: "way to keep this card" })?;
        self.counters.add_card();
        self.deposit_at_issue(CardId(card), issued.deposit)
    }

    /// The deposit is paid in cash as the card is handed over.
    fn deposit_at_issue(&mut self, id: CardId, amount: Minor) -> Result<(), ApplyError> {
        if amount == 0 {
            return Ok(());
        }
        let currency = self.load_currency(&self.card(id));
        let [bank, deposits] =
            [CommonAccount::Bank, CommonAccount::Deposits].map(|which| self.common_account(which, currency));
        let seq = self.seq;
        let (bank, deposits) =
            bank.zip(deposits).ok_or(ApplyError::NoSuch { seq, what: "account for deposits" })?;
        self.side.set_deposit(id.0, amount);
        self.post(&[Posting { account: bank, amount: -amount }, Posting { account: deposits, amount }])
    }

    fn issue_psam(&mut self, number: [u8; 8], key_version: u8, revoked: bool) -> Result<(), ApplyError> {
        let position = PsamId(position(self.psams.len()));
        if self.psams_by_number.insert(number, position).is_some() {
            return Err(ApplyError::Exists { seq: self.seq, what: "PSAM" });
        }
        self.psams.push(Psam {
            number,
            key_version,
            revoked,
            nonce: None,
            nonce_since_ms: 0,
            sign_in_minute_ms: 0,
            sign_ins: 0,
            seen: Default::default(),
        });
        Ok(())
    }

    fn join_acquirer(&mut self, joined: &JoinedAcquirer) -> Result<(), ApplyError> {
        let (seq, what) = (self.seq, "room for acquirers");
        let position = u16::try_from(self.acquirers.len()).map_err(|_| ApplyError::NoSuch { seq, what })?;
        if self.acquirers_by_id.insert(joined.id, AcquirerId(position)).is_some() {
            return Err(ApplyError::Exists { seq, what: "acquirer" });
        }
        self.open_common(joined.currency);
        let kind = AccountKind::AcquirerPayable { acquirer: position };
        let payable = self.ledger.open(kind, joined.currency, Minor::MIN);
        let mut acquirer = Acquirer {
            id: joined.id,
            name: joined.name.clone(),
            mac: joined.mac,
            active: joined.active,
            payable,
            zmk: joined.zmk.clone(),
            signed_on: false,
            current: ZoneKeys { version: 1, texts: joined.keys.clone() },
            pending: None,
            previous: None,
            previous_until_ms: 0,
            managed: (i64::MIN, 0),
            earlier: Default::default(),
        };
        acquirer.remember_keys(&joined.keys);
        self.acquirers.push(acquirer);
        Ok(())
    }

    fn list(&mut self, entry: Listed) {
        let subject = match entry.subject {
            ListedSubject::Card(Token(token)) => risk::Subject::Card(token),
            ListedSubject::Terminal(id) => risk::Subject::Terminal(id),
            ListedSubject::Merchant(id) => risk::Subject::Merchant(id),
            ListedSubject::Bin(bin) => risk::Subject::Bin(bin),
        };
        let reason = match entry.reason {
            ListedReason::Lost => risk::ListReason::Lost,
            ListedReason::Stolen => risk::ListReason::Stolen,
            ListedReason::Fraud => risk::ListReason::Fraud,
            ListedReason::Restricted => risk::ListReason::Restricted,
        };
        self.rules.lists.put(subject, risk::Entry { reason, expires_ms: entry.expires_ms });
        self.listed.push(entry);
    }

    pub(super) fn open_common(&mut self, currency: Currency) {
        let accounts = [
            (CommonAccount::Bank, AccountKind::Bank, Minor::MIN),
            (CommonAccount::Fees, AccountKind::Fees, Minor::MIN),
            (CommonAccount::Receivable, AccountKind::Receivable, Minor::MIN),
        ];
        let mut joins = false;
        for (which, kind, floor) in accounts {
            if !self.common.contains_key(&(which, currency)) {
                let account = self.ledger.open(kind, currency, floor);
                self.common.insert((which, currency), account);
                if which == CommonAccount::Receivable {
                    self.side.add_receivable(account, currency);
                }
                joins = true;
            }
        }
        if joins {
            self.open_chart_accounts();
        }
    }

    /// Only where deposits are taken: a journal of before they were has none of these accounts, and keeps its numbers.
    fn open_deposits(&mut self, currency: Currency) {
        if !self.common.contains_key(&(CommonAccount::Deposits, currency)) {
            let account = self.ledger.open(AccountKind::CardDeposits, currency, 0);
            self.common.insert((CommonAccount::Deposits, currency), account);
        }
    }

    pub(super) fn post(&mut self, postings: &[Posting]) -> Result<(), ApplyError> {
        let seq = self.seq;
        self.ledger.post(postings).map_err(|refusal| ApplyError::Postings { seq, refusal })
    }

    pub(super) fn terminal_mut(&mut self, terminal: u32) -> Result<&mut Terminal, ApplyError> {
        let seq = self.seq;
        self.terminals.get_mut(terminal as usize).ok_or(ApplyError::NoSuch { seq, what: "terminal" })
    }

    /// Puts what follows from other state back, after a checkpoint was read: indexes, common accounts, rules.
    pub(super) fn rebuild_indexes(&mut self) {
        self.merchants_by_id =
            self.merchants.iter().zip(0..).map(|(merchant, at)| (merchant.id, at)).collect();
        self.terminals_by_id =
            self.terminals.iter().zip(0..).map(|(terminal, at)| (terminal.id, TerminalId(at))).collect();
        self.psams_by_number =
            self.psams.iter().zip(0..).map(|(psam, at)| (psam.number, PsamId(at))).collect();
        self.acquirers_by_id =
            self.acquirers.iter().zip(0..).map(|(acquirer, at)| (acquirer.id, AcquirerId(at))).collect();
        for (account, at) in self.ledger.accounts().iter().zip(0..) {
            let which = match account.kind {
                AccountKind::Bank => CommonAccount::Bank,
                AccountKind::Fees => CommonAccount::Fees,
                AccountKind::Receivable => CommonAccount::Receivable,
                AccountKind::CardDeposits => CommonAccount::Deposits,
                _ => continue,
            };
            let id = crate::ledger::AccountId(at);
            self.common.insert((which, account.currency), id);
            if which == CommonAccount::Receivable {
                self.side.add_receivable(id, account.currency);
            }
        }
        self.rebuild_chart();
        self.rebuild_further();
        for entry in std::mem::take(&mut self.listed) {
            self.list(entry);
        }
    }
}

fn position(len: usize) -> u32 {
    // INVARIANT: tables are positions of 32 bits; the limits on files keep them far below.
    u32::try_from(len).expect("fewer than 2^32 rows")
}
