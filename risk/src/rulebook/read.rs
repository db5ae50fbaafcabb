//! From the texts of files to a set of rules, or to everything that is wrong with them.
//!
//! Start at [`Rulebook::read`].

use std::sync::Arc;

use toml::{Spanned, value::Datetime};

use super::digest::{self, SetHash};
use super::faults::{FileFault, FileProblem};
use super::file::{Document, Row};
use super::layout::of_text;
use super::notice::{Notice, Refused, tellable};
use super::outcome::{Outcome, Reason, RuleState, Verdict, Wishes};
use crate::Day;
use crate::language::ast::Expr;
use crate::language::{
    Code, Compiler, Currency, Explained, Hits, LISTED, NamedList, Names, Past, Place, RULES_MAX, Request,
    explain, parse,
};
use crate::rule::RuleId;

/// The longest file, bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Most rules of a set, drafts and rules that are off included.
pub const RULES_IN_FILES_MAX: usize = 4_096;

/// A rule of a set.
#[derive(Clone, Debug)]
pub struct WrittenRule {
    /// Its name.
    pub id: String,
    /// What it is for.
    pub text: String,
    /// When it fires.
    pub when: Expr,
    /// What it wants done.
    pub outcome: Outcome,
    /// Its place in the order, 0 first.
    pub priority: u16,
    /// Why it declines, if it does.
    pub reason: Option<Reason>,
    /// What people are told, if they are.
    pub notice: Option<Notice>,
    /// The same, as it is written.
    pub notice_text: Option<Arc<str>>,
    /// Who answers for it.
    pub owner: String,
    /// The first day on which it is in force.
    pub from: Option<Day>,
    /// The last day on which it is in force.
    pub until: Option<Day>,
    /// How far it has come.
    pub state: RuleState,
    /// Nanoseconds, about, if every part of it is looked at.
    pub cost: u32,
}

/// A set of rules, compiled.
#[derive(Clone, Debug)]
pub struct Rulebook {
    currency: Option<Currency>,
    lists: Vec<NamedList>,
    rules: Vec<WrittenRule>,
    code: Code,
    wishes: Wishes,
    hash: SetHash,
    /// Drafts are evaluated, too.
    rehearsal: bool,
}

/// Why files are no set of rules.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BookError {
    /// The faults of the files, each with the place of its file among those that were given.
    #[error("{} faults in the rules", .0.len())]
    Faults(Vec<(usize, FileFault)>),
    /// Too many rules.
    #[error("there are {found} rules, and room for {most}")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// The code would be too large.
    #[error(transparent)]
    TooLarge(#[from] crate::language::TooLarge),
}

impl Rulebook {
    /// Reads the texts of the files of one set.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(files: &[&str]) -> Result<Self, BookError> {
        Self::read_as(files, false)
    }

    /// The same, for a rehearsal: drafts, and rules in shadow, are evaluated as if they were live.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn rehearse(files: &[&str]) -> Result<Self, BookError> {
        Self::read_as(files, true)
    }

    fn read_as(files: &[&str], rehearsal: bool) -> Result<Self, BookError> {
        let mut faults = Vec::new();
        let mut documents = Vec::new();
        for (number, text) in files.iter().enumerate() {
            match document(text) {
                Ok(document) => documents.push((number, *text, document)),
                Err(fault) => faults.push((number, fault)),
            }
        }
        let currency = currency(&documents, &mut faults);
        let lists = lists(&documents, &mut faults);
        let found = documents.iter().map(|(.., document)| document.rule.len()).sum();
        if found > RULES_IN_FILES_MAX {
            return Err(BookError::TooMany { found, most: RULES_IN_FILES_MAX });
        }
        let mut rules = rules(&documents, &mut faults);
        let mut compiler = Compiler::new(Names { currency, lists: lists.clone() });
        let (mut checked, mut kept) = (Vec::new(), Vec::new());
        rules.sort_by(|one, other| {
            (one.rule.priority, &one.rule.id).cmp(&(other.rule.priority, &other.rule.id))
        });
        for mut read in rules {
            match compiler.check(&read.rule.when) {
                Ok(rule) => {
                    read.rule.cost = rule.cost;
                    checked.push(rule);
                    kept.push(read.rule);
                }
                Err(error) => faults.push((read.file, of_text(read.text, &read.rule.id, read.when, error))),
            }
        }
        if !faults.is_empty() {
            faults.sort_by_key(|(file, fault)| (*file, fault.place));
            return Err(BookError::Faults(faults));
        }
        Self::compiled(currency, lists, kept, compiler, &checked, rehearsal)
    }

    fn compiled(
        currency: Option<Currency>,
        lists: Vec<NamedList>,
        rules: Vec<WrittenRule>,
        mut compiler: Compiler,
        checked: &[crate::language::Checked],
        rehearsal: bool,
    ) -> Result<Self, BookError> {
        let mut wishes = Wishes::default();
        let is_evaluated =
            |rule: &WrittenRule| rule.state.is_evaluated() || rehearsal && rule.state == RuleState::Draft;
        let evaluated = rules.iter().zip(checked).filter(|(rule, _)| is_evaluated(rule));
        let found = evaluated.clone().count();
        if found > RULES_MAX {
            return Err(BookError::TooMany { found, most: RULES_MAX });
        }
        for (place, (rule, checked)) in evaluated.enumerate() {
            let limited = rule.from.is_some() || rule.until.is_some();
            let days = (rule.from.unwrap_or(Day(i32::MIN)), rule.until.unwrap_or(Day(i32::MAX)));
            compiler.add(*checked, limited.then_some(days));
            if rule.state == RuleState::Live || rehearsal {
                wishes.add(place, rule.outcome);
            }
        }
        let code = compiler.finish()?;
        let mut book = Self { currency, lists, rules, code, wishes, hash: SetHash([0; 32]), rehearsal };
        book.hash = digest::of(&book);
        Ok(book)
    }

    /// All rules, in their order.
    #[must_use]
    pub fn rules(&self) -> &[WrittenRule] {
        &self.rules
    }

    /// The rules that are evaluated, in their order: a rule's place here is its place in a [`Verdict`].
    pub fn evaluated(&self) -> impl Iterator<Item = &WrittenRule> + Clone {
        let drafts = self.rehearsal;
        self.rules
            .iter()
            .filter(move |rule| rule.state.is_evaluated() || drafts && rule.state == RuleState::Draft)
    }

    /// The currency in which sums are kept, if the files name one.
    #[must_use]
    pub fn currency(&self) -> Option<Currency> {
        self.currency
    }

    /// The lists of the files, by name.
    #[must_use]
    pub fn lists(&self) -> &[NamedList] {
        &self.lists
    }

    /// The code of the rules that are evaluated.
    #[must_use]
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// What the set is known by.
    #[must_use]
    pub fn hash(&self) -> SetHash {
        self.hash
    }

    /// Evaluates the set on one request. Allocates nothing, cannot fail.
    #[must_use]
    pub fn evaluate<P: Past>(&self, request: &Request<'_>, past: &P) -> Verdict {
        self.verdict(self.code.run(request, past))
    }

    /// What a rule of the set and its pieces come to for one request.
    #[must_use]
    pub fn explain<P: Past>(&self, rule: &WrittenRule, request: &Request<'_>, past: &P) -> Explained {
        let names = Names { currency: self.currency, lists: self.lists.clone() };
        explain(&rule.when, &names, self.code.windows(), request, past)
    }

    /// What the set says where these rules fired.
    #[must_use]
    pub fn verdict(&self, hits: Hits) -> Verdict {
        self.wishes.verdict(hits)
    }

    /// A rule by its place in a [`Verdict`].
    #[must_use]
    pub fn rule(&self, place: usize) -> Option<&WrittenRule> {
        self.evaluated().nth(place)
    }
}

/// A rule and where it was written.
struct Read<'f> {
    file: usize,
    text: &'f str,
    when: &'f Spanned<String>,
    rule: WrittenRule,
}

type Documents<'f> = [(usize, &'f str, Document)];
type Faults = Vec<(usize, FileFault)>;

/// The file's keys and values, before anything is known about them.
pub(super) fn document(text: &str) -> Result<Document, FileFault> {
    if text.len() > FILE_BYTES_MAX {
        return Err(fault(text, 0, FileProblem::TooLong(FILE_BYTES_MAX)));
    }
    toml::from_str(text).map_err(|error| {
        let byte = error.span().map_or(0, |span| span.start);
        fault(text, byte, FileProblem::Toml(error.message().replace('\n', "; ")))
    })
}

pub(super) fn fault(text: &str, byte: usize, problem: FileProblem) -> FileFault {
    FileFault { place: Place::of(text, byte), rule: None, key: None, problem }
}

fn currency(documents: &Documents<'_>, faults: &mut Faults) -> Option<Currency> {
    let mut first = None;
    for (number, text, document) in documents {
        let Some(code) = &document.currency else { continue };
        let problem = match (Currency::named(code.get_ref()), first) {
            (None, _) => {
                FileProblem::Form("an alphabetic code of ISO 4217 that is known here, such as \"CNY\"")
            }
            (Some(named), Some(known)) if named != known => FileProblem::OtherCurrency,
            (named, _) => {
                first = named;
                continue;
            }
        };
        faults
            .push((*number, FileFault { key: Some("currency"), ..fault(text, code.span().start, problem) }));
    }
    first
}

fn lists(documents: &Documents<'_>, faults: &mut Faults) -> Vec<NamedList> {
    let mut lists: Vec<NamedList> = Vec::new();
    for (number, text, document) in documents {
        for (name, of) in &document.lists {
            let known = LISTED.into_iter().find(|fact| fact.row().name == of.get_ref());
            let wrong = |byte, problem| FileFault { key: Some("lists"), ..fault(text, byte, problem) };
            match known {
                None => {
                    let names: Vec<&str> = LISTED.iter().map(|fact| fact.row().name).collect();
                    faults.push((*number, wrong(of.span().start, FileProblem::Words(names.join(", ")))));
                }
                Some(_) if RuleId::new(name.get_ref()).is_err() => {
                    faults.push((*number, wrong(name.span().start, FileProblem::Form(WORD))));
                }
                Some(_) if lists.iter().any(|list| list.name == *name.get_ref()) => {
                    faults.push((*number, wrong(name.span().start, FileProblem::Twice)));
                }
                Some(fact) => lists.push(NamedList { name: name.get_ref().clone(), of: fact }),
            }
        }
    }
    lists.sort_by(|one, other| one.name.cmp(&other.name));
    lists
}

const WORD: &str = "1 to 32 letters, digits, hyphens and underscores";

fn rules<'f>(documents: &'f Documents<'f>, faults: &mut Faults) -> Vec<Read<'f>> {
    let mut rules: Vec<Read<'f>> = Vec::new();
    for (file, text, document) in documents {
        for row in &document.rule {
            let mut reader = RowReader { text, row, faults: Vec::new() };
            let rule = reader.rule();
            if rules.iter().any(|read| read.rule.id == *row.id.get_ref()) {
                reader.wrong("id", row.id.span().start, FileProblem::Twice);
            }
            let clean = reader.faults.is_empty();
            faults.extend(reader.faults.into_iter().map(|fault| (*file, fault)));
            if let Some(rule) = rule.filter(|_| clean) {
                rules.push(Read { file: *file, text, when: &row.when, rule });
            }
        }
    }
    rules
}

/// Reads one row, and gathers all that is wrong with it.
struct RowReader<'f> {
    text: &'f str,
    row: &'f Row,
    faults: Vec<FileFault>,
}

impl RowReader<'_> {
    fn rule(&mut self) -> Option<WrittenRule> {
        let row = self.row;
        let when = match parse(row.when.get_ref()) {
            Ok(parsed) => Some(parsed.expr),
            Err(error) => {
                self.faults.push(of_text(self.text, &self.id(), &row.when, error));
                None
            }
        };
        self.require(RuleId::new(row.id.get_ref()).is_ok(), "id", row.id.span().start, WORD);
        self.line("text", &row.text, 200, "one line of 1 to 200 bytes");
        self.line("owner", &row.owner, 64, "one line of 1 to 64 bytes");
        let priority = u16::try_from(*row.priority.get_ref()).ok().filter(|priority| *priority <= 999);
        self.require(priority.is_some(), "priority", row.priority.span().start, "0, for the first, to 999");
        let outcome = self.word("outcome", &row.outcome, &Outcome::WORDS);
        let state = self.word("state", &row.state, &RuleState::WORDS);
        let (from, until) = (self.day("from", row.from.as_ref()), self.day("until", row.until.as_ref()));
        if let (Some(from), Some(until), Some(written)) = (from, until, &row.until) {
            self.require(from <= until, "until", written.span().start, "no earlier than from");
        }
        let outcome = outcome?;
        let (reason, notice) = (self.reason(outcome), self.notice(outcome));
        Some(WrittenRule {
            id: row.id.get_ref().clone(),
            text: row.text.get_ref().clone(),
            when: when?,
            outcome,
            priority: priority?,
            reason,
            notice,
            notice_text: row.notice.as_ref().map(|notice| notice.get_ref().as_str().into()),
            owner: row.owner.get_ref().clone(),
            from,
            until,
            state: state?,
            cost: 0,
        })
    }

    /// The id as far as it can be told.
    fn id(&self) -> String {
        let told = self.row.id.get_ref().chars().filter(|c| !c.is_control()).take(32).collect::<String>();
        if told.is_empty() { "without an id".to_owned() } else { told }
    }

    fn wrong(&mut self, key: &'static str, byte: usize, problem: FileProblem) {
        let (rule, key) = (Some(self.id()), Some(key));
        self.faults.push(FileFault { rule, key, ..fault(self.text, byte, problem) });
    }

    fn require(&mut self, holds: bool, key: &'static str, byte: usize, form: &'static str) {
        if !holds {
            self.wrong(key, byte, FileProblem::Form(form));
        }
    }

    fn line(&mut self, key: &'static str, value: &Spanned<String>, most: usize, form: &'static str) {
        let text = value.get_ref();
        let readable = (1..=most).contains(&text.len()) && !text.contains(char::is_control);
        self.require(readable, key, value.span().start, form);
    }

    fn word<T: Copy>(
        &mut self,
        key: &'static str,
        value: &Spanned<String>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == value.get_ref()).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.wrong(key, value.span().start, FileProblem::Words(all.join(", ")));
        }
        found
    }

    fn day(&mut self, key: &'static str, value: Option<&Spanned<Datetime>>) -> Option<Day> {
        let value = value?;
        match value.get_ref() {
            Datetime { date: Some(date), time: None, offset: None } => {
                Some(Day::of(i32::from(date.year), date.month, date.day))
            }
            _ => {
                self.wrong(
                    key,
                    value.span().start,
                    FileProblem::Form("a day, such as 2026-12-31, without quotes"),
                );
                None
            }
        }
    }

    fn reason(&mut self, outcome: Outcome) -> Option<Reason> {
        let Some(reason) = &self.row.reason else {
            let at = self.row.outcome.span().start;
            self.require(!outcome.declines(), "reason", at, "given: this outcome declines");
            return None;
        };
        let form = "left out: this outcome does not decline";
        self.require(outcome.declines(), "reason", reason.span().start, form);
        self.word("reason", reason, &Reason::WORDS)
    }

    fn notice(&mut self, outcome: Outcome) -> Option<Notice> {
        let Some(notice) = &self.row.notice else {
            let told = matches!(outcome, Outcome::ApproveAndNotify | Outcome::DeclineAndNotify);
            self.require(
                !told,
                "notice",
                self.row.outcome.span().start,
                "given: this outcome tells somebody",
            );
            return None;
        };
        let at = notice.span().start;
        self.require(outcome != Outcome::Pass, "notice", at, "left out: this outcome tells nobody");
        match Notice::read(notice.get_ref()) {
            Ok(notice) => Some(notice),
            Err(refused) => {
                let (at, problem) = match refused {
                    Refused::Form => (
                        at,
                        FileProblem::Form("one line of 1 to 400 bytes, with names of fields in {braces}"),
                    ),
                    Refused::Placeholder(name) => {
                        // Its own place, unless an escape hides it.
                        let written = self.text.get(notice.span()).unwrap_or_default();
                        let place = written.find(&format!("{{{name}}}")).unwrap_or_default();
                        let name = name.chars().filter(|c| !c.is_ascii_digit()).take(32).collect();
                        (at + place, FileProblem::Placeholder(name, tellable()))
                    }
                };
                self.wrong("notice", at, problem);
                None
            }
        }
    }
}
