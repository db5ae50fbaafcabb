//! The set of rules that the books decide by: texts of files that two officers published, compiled.
//!
//! A set is an event; a later one is a later event and replaces it. Nothing of a published set is ever changed, and its
//! number, from 1 on, names it in every decision. It is compiled when its event is applied, between two requests, so no
//! decision is made by parts of two sets. What does not compile, or asks for what these books do not keep, is refused before
//! there is an event.
//!
//! What happened before is counted for the set in force alone, by its own windows: from the first set on, from its
//! record; a later set takes over what both count, and begins its other windows with what is kept. Beside that the books
//! keep how often each rule fired, for people; no rule asks for that.
//!
//! Start at [`Books::check_rules`] and [`RulesInForce`].

use risk::{
    Day,
    language::{Code, Explained, Key, NamedList, Past, Request, RuleBits},
    past::{Happened, History, Keep, Marks, Place, Whose},
    rulebook::{
        BookError, Outcome, Reason as RuleReason, RuleState, Rulebook, SetHash, Verdict, WrittenRule,
    },
};
use serde::{Deserialize, Serialize};

use super::{
    Books, Seq, Terminal,
    apply::ApplyError,
    event::{Decided, Event},
    judged::{Asking, Hits},
    order::{OfficerName, SignedOrder, What},
    packed_rules::{TEXT_BYTES_MAX, Texts},
    reason::Reason,
};

/// The text of one file of rules.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// The file's name, for people.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Most files of a set.
const FILES_MAX: usize = 32;

/// Longest name of a file, bytes.
const NAME_BYTES_MAX: usize = 64;

/// A published set, as its event says it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PublishedRules {
    /// Its number: one more than that of the set before.
    pub number: u32,
    /// What it is known by, SHA-256.
    pub hash: [u8; 32],
    /// Its files; none where the order has them.
    pub files: Vec<RuleText>,
}

/// Why texts are no set that can be put in force.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RulesFault {
    /// No files, too many, or a name that is none.
    #[error(
        "a set of rules has 1 to 32 files with names of 1 to 64 letters, digits, points, hyphens and underscores"
    )]
    Files,
    /// The order has none, packed or not.
    #[error("the order has no texts of rules, or more than {TEXT_BYTES_MAX} bytes of them; make it again")]
    Packed,
    /// The texts are at fault, each fault with file and place on a line of its own.
    #[error("the rules cannot be used\n{0}")]
    Texts(String),
    /// Sums are kept in the city's currency alone.
    #[error(
        "the rules count in {named:03}, and these books keep sums in {kept:03} alone; name that currency"
    )]
    Currency {
        /// What the files name, ISO 4217 number.
        named: u16,
        /// What is kept.
        kept: u16,
    },
    /// A list that nobody has begun, or of something else.
    #[error(
        "the rules look a {of} up in list(\"{name}\"), and this switch has no such list of that; begin it with `cardswitch order list add {name}`"
    )]
    List {
        /// Its name.
        name: String,
        /// What it would be a list of.
        of: &'static str,
    },
}

/// Entries that are kept for windows that slide, and for `distinct()`: some hundred bytes each, so that they stay under half
/// a gigabyte. What would be more goes before its time, oldest first, and then such windows begin later.
const ENTRIES_MAX: u64 = 4 << 20;

/// The set in force.
#[derive(Clone, Debug)]
pub struct RulesInForce {
    published: Published,
    book: Rulebook,
    past: History,
}

/// A set in force, as a snapshot holds it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Published {
    /// Its number.
    pub number: u32,
    /// What it is known by, SHA-256, as it was published.
    pub hash: SetHash,
    /// Its files.
    pub texts: Texts,
    /// The record that brought it.
    pub seq: Seq,
    /// When that was, milliseconds since 1970 UTC.
    pub since_ms: i64,
    /// Who wrote it, and who approved it; none where no order was needed.
    pub officers: Option<(OfficerName, OfficerName)>,
    /// How often each of its rules that are evaluated fired, in their order.
    pub fired: Vec<u64>,
    /// How often each did not apply, because a fact was missing.
    pub not_applicable: Vec<u64>,
}

/// Texts to a set.
///
/// # Errors
/// Everything that is wrong with them.
pub fn compile(files: &[RuleText]) -> Result<Rulebook, RulesFault> {
    let named = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
    };
    if !(1..=FILES_MAX).contains(&files.len()) || !files.iter().all(|file| named(&file.name)) {
        return Err(RulesFault::Files);
    }
    let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
    Rulebook::read(&texts).map_err(|error| RulesFault::Texts(faults(&error, files)))
}

fn faults(error: &BookError, files: &[RuleText]) -> String {
    let BookError::Faults(faults) = error else { return error.to_string() };
    let line = |(file, fault): &(usize, risk::rulebook::FileFault)| {
        format!("{}:{fault}", files.get(*file).map_or("", |file| file.name.as_str()))
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl RulesInForce {
    /// A set of a snapshot.
    pub(super) fn restore(published: Published, currency: u16) -> Result<Self, RulesFault> {
        let book = compile(&published.texts.files().ok_or(RulesFault::Packed)?)?;
        let rules = book.evaluated().count();
        let counted = published.fired.len() == rules && published.not_applicable.len() == rules;
        let past = History::new(book.code(), currency, KEEP);
        if counted { Ok(Self { published, book, past }) } else { Err(RulesFault::Files) }
    }

    /// What was published, and what came of it so far.
    #[must_use]
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// The compiled set.
    #[must_use]
    pub fn book(&self) -> &Rulebook {
        &self.book
    }

    /// What it is known by.
    #[must_use]
    pub fn hash(&self) -> SetHash {
        self.published.hash
    }

    /// Of each rule that is evaluated its id, the word for its state, and how often it fired since it was published.
    pub fn hits(&self) -> impl Iterator<Item = (&str, &'static str, u64)> + Clone {
        let word = |rule: &WrittenRule| if rule.state == RuleState::Live { "live" } else { "shadow" };
        let rules = self.book.evaluated().zip(&self.published.fired);
        rules.map(move |(rule, fired)| (rule.id.as_str(), word(rule), *fired))
    }

    /// What happened before, as far as the set asks.
    #[must_use]
    pub fn past(&self) -> &History {
        &self.past
    }

    pub(super) fn past_mut(&mut self) -> &mut History {
        &mut self.past
    }

    /// The rule that a verdict rests on.
    fn ruling(&self, verdict: &Verdict) -> Option<&WrittenRule> {
        self.book.rule(verdict.rule?)
    }

    pub(super) fn count(&mut self, hits: &Hits) {
        let Published { number, fired, not_applicable, .. } = &mut self.published;
        if hits.set != *number {
            return;
        }
        count(fired, &hits.fired);
        count(not_applicable, &hits.not_applicable);
    }
}

fn count(counts: &mut [u64], rules: &RuleBits) {
    if rules.is_empty() {
        return;
    }
    counts
        .iter_mut()
        .enumerate()
        .filter(|(place, _)| rules.contains(*place))
        .for_each(|(_, count)| *count += 1);
}

/// What the set in force wants done with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ruling {
    /// What the record says of it; none where nothing fired and nothing was missing.
    pub(super) hits: Option<Hits>,
    /// Decline, because of this.
    pub(super) decline: Option<Reason>,
    /// Tell people, if it is approved or declined as the set says.
    pub(super) tells: bool,
}

impl Books {
    /// The set in force, if one was published.
    #[must_use]
    pub fn rules_in_force(&self) -> Option<&RulesInForce> {
        self.rulebook.as_deref()
    }

    /// Whether texts can be put in force in these books; the compiled set if so.
    ///
    /// # Errors
    /// Everything that is wrong with the texts, or the first thing they ask for that is not kept here.
    pub fn check_rules(&self, files: &[RuleText]) -> Result<Rulebook, RulesFault> {
        let book = compile(files)?;
        self.check_currency(&book)?;
        let is_kept = |named: &NamedList| {
            self.lists.named(&named.name).is_some_and(|list| list.kind().fact() == named.of)
        };
        let mut lists = book.code().lists().iter().enumerate();
        match lists.find(|(number, list)| book.code().asks_list(*number) && !is_kept(list)) {
            Some((_, list)) => Err(RulesFault::List { name: list.name.clone(), of: list.of.row().name }),
            None => Ok(book),
        }
    }

    /// Whether a set counts in the currency in which sums are kept here.
    ///
    /// # Errors
    /// It names another.
    pub fn check_currency(&self, book: &Rulebook) -> Result<(), RulesFault> {
        let kept = self.counters.currency();
        match book.currency().map(|currency| currency.number).filter(|named| *named != kept) {
            Some(named) => Err(RulesFault::Currency { named, kept }),
            None => Ok(()),
        }
    }

    /// What follows if these texts are ordered to be in force.
    pub(super) fn decide_rules(&self, files: &[RuleText]) -> Result<Event, RulesFault> {
        let book = self.check_rules(files)?;
        let number = self.rules_in_force().map_or(0, |rules| rules.published.number) + 1;
        Ok(Event::RulebookPublished(PublishedRules { number, hash: book.hash().0, files: Vec::new() }))
    }

    /// Puts a set in force. Its texts are the order's, or its own where there is none.
    pub(super) fn publish_rules(
        &mut self,
        published: &PublishedRules,
        order: Option<&SignedOrder>,
    ) -> Result<(), ApplyError> {
        let seq = self.seq;
        let wrong = ApplyError::NoSuch { seq, what: "way to put these rules in force" };
        let texts = match order.map(|signed| &signed.order.what) {
            Some(What::PublishRules(files) | What::PublishRulesIn { files, .. }) => {
                Texts::Plain(files.clone())
            }
            Some(What::PublishPackedRulesIn { files, .. }) => Texts::Packed(files.clone()),
            _ => Texts::Plain(published.files.clone()),
        };
        let book = texts.files().and_then(|files| compile(&files).ok()).ok_or(wrong)?;
        let officers = order.and_then(|signed| match signed.signatures.as_slice() {
            [author, approver] => Some((author.officer, approver.officer)),
            _ => None,
        });
        let rules = book.evaluated().count();
        let published = Published {
            number: published.number,
            hash: SetHash(published.hash),
            texts,
            seq,
            since_ms: self.time_ms,
            officers,
            fired: vec![0; rules],
            not_applicable: vec![0; rules],
        };
        let currency = self.counters.currency();
        let mut past = match self.rulebook.take() {
            Some(before) => before.past,
            None => self.begun(currency),
        };
        past.adopt(book.code(), currency);
        self.alerts.reserve();
        self.rulebook = Some(Box::new(RulesInForce { published, book, past }));
        Ok(())
    }

    /// What the set in force says of a request. Allocates nothing.
    pub(super) fn ruling(&self, asking: &Asking<'_>, now_ms: i64) -> Option<Ruling> {
        let rules = self.rules_in_force()?;
        let (asked, past) = self.with_past(rules, asking, now_ms);
        let verdict = rules.book.evaluate(&asked, &past);
        let card = u32::try_from(asking.whose.card).unwrap_or(u32::MAX);
        let verdict = self.awake(rules, card, now_ms, verdict);
        let silent = verdict.hits.fired.is_empty() && verdict.hits.not_applicable.is_empty();
        let hits = (!silent).then_some(Hits {
            set: rules.published.number,
            fired: verdict.hits.fired,
            not_applicable: verdict.hits.not_applicable,
            ruled: false,
        });
        let rule = rules.ruling(&verdict);
        let reason = rule.and_then(|rule| rule.reason).filter(|_| verdict.outcome.declines());
        Some(Ruling {
            hits,
            decline: reason.map(|reason| answered(reason, verdict.outcome)),
            tells: rule.is_some_and(|rule| rule.notice.is_some()),
        })
    }

    /// Each rule of the set in force with its pieces and what they came to, if these books stand at the record before.
    #[must_use]
    pub fn explained_then(&self, decided: &Decided, time_ms: i64) -> Option<Vec<Explained>> {
        let rules = self.rules_in_force()?;
        self.asking_then(decided, |asking| {
            let (asked, past) = self.with_past(rules, asking, time_ms);
            rules.book.evaluated().map(|rule| rules.book.explain(rule, &asked, &past)).collect()
        })
    }

    /// A history for the first set. It was not told what was before, and says so.
    fn begun(&self, currency: u16) -> History {
        let mut past = History::new(&Code::default(), currency, KEEP);
        let whose = Whose { card: 0, terminal: 0, merchant: 0, product: 0, bin: 0 };
        past.record(&Happened {
            number: self.seq,
            at_ms: self.time_ms,
            day: Day(self.business_day),
            whose,
            amount: 0,
            approved: 0,
            currency,
            marks: Marks::default(),
            place: Place::default(),
        });
        past
    }

    /// A request with what came before it, by the lists of this moment.
    fn with_past<'a>(
        &'a self,
        rules: &'a RulesInForce,
        asking: &Asking<'a>,
        now_ms: i64,
    ) -> (Request<'a>, impl Past + 'a) {
        let mut asked = self.asked(asking);
        let lists = move |named: &NamedList, key: Key<'_>| self.lists.holds(named, key, now_ms);
        let before = rules.past.before(&asking.whose, now_ms, Day(self.business_day), lists);
        before.tell(&place_of(asking.terminal), &mut asked);
        (asked, before)
    }

    /// The rule of the set in force because of which a recorded request was declined, or somebody told.
    pub(super) fn ruled_by(&self, decided: &Decided, hits: &Hits) -> Option<&WrittenRule> {
        let rules = self.rules_in_force().filter(|rules| hits.ruled && hits.set == rules.published.number)?;
        let fired = risk::language::Hits { fired: hits.fired, not_applicable: hits.not_applicable };
        let verdict = self.awake(rules, decided.card?, self.time_ms, rules.book.verdict(fired));
        rules.ruling(&verdict)
    }
}

/// How a rule's reason is answered; where the card is to be kept, by a reason that says so.
fn answered(reason: RuleReason, outcome: Outcome) -> Reason {
    let keeps = outcome == Outcome::DeclineAndCapture;
    match reason {
        // Both are codes at which a card is kept.
        RuleReason::Lost => Reason::Lost,
        RuleReason::Stolen => Reason::Stolen,
        RuleReason::SuspectedFraud if keeps => Reason::CaptureFraud,
        _ if keeps => Reason::Capture,
        RuleReason::SuspectedFraud => Reason::SuspectedFraud,
        RuleReason::AmountLimit => Reason::AmountLimit,
        RuleReason::CountLimit => Reason::CountLimit,
        RuleReason::Restricted => Reason::Restricted,
    }
}

/// What the books keep of the time before for windows of rules.
pub const KEEP: Keep = Keep { entries_max: ENTRIES_MAX, at_least_ms: 0 };

/// Where a request was made. There is a speed between two terminals if the city's files say where both stand.
pub(super) fn place_of(terminal: &Terminal) -> Place {
    Place { region: terminal.region, spot: terminal.spot }
}
