//! What is known of cardholders outside the journal: a file of e-mail addresses, telephone numbers and languages.
//!
//! The journal is for ever and people move, so addresses are in a file of their own, which is read again when it changes. Cards
//! stand in it by their tokens, so that no card number is ever in the switch's memory for it; a command makes such a file of
//! one with card numbers. Faults are told by line, never with what stands there.
//!
//! Start at [`ContactBook::open`], and at [`with_tokens`] for that command.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use hsm_sim::Pan;

use super::is_mail_address;
use crate::{
    clock::stopwatch,
    config, hex,
    lists::tokens::{Tokens, TokensError},
};

/// How often it is looked whether the file has changed.
const LOOK: Duration = Duration::from_secs(1);

/// Most rows.
pub const ROWS_MAX: usize = 16 << 20;

/// Lines that are told one by one.
const TOLD_MAX: usize = 20;

const HEAD: [&str; 5] = ["card", "email", "verified", "phone", "language"];

/// A language that people are told in where a rule has no text of its own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Language {
    /// Chinese.
    Chinese,
    /// English.
    #[default]
    English,
}

impl Language {
    /// The word for it in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chinese => "zh",
            Self::English => "en",
        }
    }
}

/// Where a cardholder can be reached.
#[derive(Clone, Default)]
pub struct Contact {
    /// By mail; only an address that was found to be theirs.
    pub email: Option<Box<str>>,
    /// By telephone.
    pub phone: Option<Box<str>>,
    /// In which language.
    pub language: Language,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(…)")
    }
}

/// Contacts by the tokens of cards.
#[derive(Debug, Default)]
pub struct Contacts(HashMap<[u8; 16], Contact>);

impl Contacts {
    /// What is known of a card's holder.
    #[must_use]
    pub fn get(&self, token: &[u8; 16]) -> Option<&Contact> {
        self.0.get(token)
    }
}

/// Why a file is no file of contacts.
#[derive(Debug, thiserror::Error)]
pub enum ContactsError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// It is no CSV file with that head.
    #[error("must be a CSV file with the head card,email,verified,phone,language")]
    Head,
    /// Too many rows.
    #[error("has more than {ROWS_MAX} rows")]
    TooMany,
    /// Some of its lines are wrong.
    #[error("{}", .0.join("; "))]
    Lines(Vec<String>),
    /// No tokens can be made.
    #[error(transparent)]
    Tokens(#[from] TokensError),
}

/// The file, and what it last said.
#[derive(Debug)]
pub struct ContactBook {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    contacts: Arc<Contacts>,
    looked: Instant,
    stamp: Option<(SystemTime, u64)>,
}

impl ContactBook {
    /// Reads the file, if there is to be one.
    ///
    /// # Errors
    /// See [`ContactsError`].
    pub fn open(path: Option<PathBuf>) -> Result<Self, ContactsError> {
        let mut state = State { contacts: Arc::default(), looked: stopwatch(), stamp: None };
        if let Some(path) = &path {
            state.stamp = stamp(path);
            state.contacts = Arc::new(read(path)?);
        }
        Ok(Self { path, state: Mutex::new(state) })
    }

    /// What the file says now. What it said before, if it is no longer a file of contacts: that is told in the log.
    #[must_use]
    pub fn now(&self) -> Arc<Contacts> {
        // Whatever became of another thread, the contacts are whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { contacts, looked, stamp: last } = &mut *state;
        if let Some(path) = &self.path
            && looked.elapsed() >= LOOK
        {
            *looked = stopwatch();
            let found = stamp(path);
            if found != *last {
                *last = found;
                match read(path) {
                    Ok(read) => {
                        tracing::info!(contacts = read.0.len(), "contacts read again");
                        *contacts = Arc::new(read);
                    }
                    Err(error) => {
                        tracing::error!(%error, path = %path.display(), "the file of contacts is wrong; it counts as it was");
                    }
                }
            }
        }
        Arc::clone(contacts)
    }
}

/// By which a change is noticed.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(path: &Path) -> Result<Contacts, ContactsError> {
    let mut contacts = HashMap::new();
    rows(path, None, &mut |token, contact, _| contacts.insert(token, contact).is_none())?;
    Ok(Contacts(contacts))
}

/// Reads a file in which cards stand by their numbers, or by their tokens, and gives one in which all stand by their tokens.
///
/// # Errors
/// See [`ContactsError`].
pub fn with_tokens(path: &Path, hsm: &config::Hsm) -> Result<String, ContactsError> {
    let (mut text, mut seen, mut tokens) = (HEAD.join(","), HashSet::new(), Tokens::open(hsm)?);
    text.push('\n');
    rows(path, Some(&mut tokens), &mut |token, _, record| {
        // What was checked has no comma, quote or end of line in it.
        let rest: Vec<&str> = record.iter().skip(1).collect();
        text += &format!("{},{}\n", hex::digits(&token), rest.join(","));
        seen.insert(token)
    })?;
    Ok(text)
}

/// Goes through the rows of a file; `take` says whether a card is new.
fn rows(
    path: &Path,
    mut tokens: Option<&mut Tokens>,
    take: &mut dyn FnMut([u8; 16], Contact, &csv::StringRecord) -> bool,
) -> Result<(), ContactsError> {
    let file = fs::File::open(path).map_err(|error| ContactsError::Unreadable(error.kind()))?;
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    if !rows.headers().is_ok_and(|head| head.iter().eq(HEAD)) {
        return Err(ContactsError::Head);
    }
    let (mut count, mut faults, mut record) = (0, Vec::new(), csv::StringRecord::new());
    loop {
        let line = rows.position().line();
        match rows.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(line, csv::Position::line);
                match row(&record, tokens.as_deref_mut())? {
                    Ok((token, contact)) => {
                        count += 1;
                        if !take(token, contact, &record) {
                            faults.push(format!("line {line}: card: stands in the file twice"));
                        }
                    }
                    Err(fault) => faults.push(format!("line {line}: {fault}")),
                }
            }
            Err(error) if matches!(error.kind(), csv::ErrorKind::Io(_)) => {
                return Err(ContactsError::Unreadable(io::ErrorKind::Other));
            }
            Err(_) => faults.push(format!("line {line}: is no UTF-8 text")),
        }
        if faults.len() >= TOLD_MAX {
            break;
        }
        if count > ROWS_MAX {
            return Err(ContactsError::TooMany);
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(ContactsError::Lines(faults)) }
}

type Fault = &'static str;

fn row(
    record: &csv::StringRecord,
    tokens: Option<&mut Tokens>,
) -> Result<Result<([u8; 16], Contact), Fault>, TokensError> {
    const TOKEN: Fault = "card: must be the 32 hexadecimal digits of a token; `cardswitch notices contacts` makes them of card numbers";
    const CARD: Fault = "card: must be a card number, or the 32 hexadecimal digits of a token";
    if record.len() != HEAD.len() {
        return Ok(Err("must have as many fields as the head"));
    }
    let [card, email, verified, phone, language] =
        [0, 1, 2, 3, 4].map(|at| record.get(at).unwrap_or_default());
    // A token has 32 digits, a card number 19 at most.
    let token = match (hex::bytes::<16>(card), tokens) {
        (Some(token), _) => token,
        (None, None) => return Ok(Err(TOKEN)),
        (None, Some(tokens)) => match Pan::parse(card.as_bytes()) {
            Ok(pan) => tokens.token(&pan)?,
            Err(_) => return Ok(Err(CARD)),
        },
    };
    Ok(contact(email, verified, phone, language).map(|contact| (token, contact)))
}

fn contact(email: &str, verified: &str, phone: &str, language: &str) -> Result<Contact, Fault> {
    if !email.is_empty() && !is_mail_address(email) {
        return Err("email: must be empty or an e-mail address of ASCII characters");
    }
    let verified = match verified {
        "yes" => true,
        "no" | "" => false,
        _ => return Err("verified: must be yes or no"),
    };
    let digits = phone.strip_prefix('+').unwrap_or(phone);
    let is_phone = (3..=16).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !phone.is_empty() && !is_phone {
        return Err("phone: must be empty or 3 to 16 digits, with or without a + in front");
    }
    let language = match language {
        "zh" => Language::Chinese,
        "en" | "" => Language::English,
        _ => return Err("language: must be zh or en"),
    };
    let given = |text: &str| (!text.is_empty()).then(|| Box::from(text));
    Ok(Contact { email: given(email).filter(|_| verified), phone: given(phone), language })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const PAN: &str = "9156009224100010";

    fn hsm() -> config::Hsm {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/city/keys.toml");
        config::Hsm {
            mode: config::HsmMode::Test,
            keys,
            components: Vec::new(),
            previous_components: Vec::new(),
        }
    }

    /// What a file with card numbers becomes, and what that says.
    fn opened(text: &str) -> Result<Contacts, ContactsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contacts.csv");
        fs::write(&path, text).unwrap();
        fs::write(&path, with_tokens(&path, &hsm())?).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains(PAN));
        read(&path)
    }

    #[test]
    fn a_card_is_found_by_its_number_or_its_token_and_mail_goes_to_verified_addresses_only() {
        let head = "card,email,verified,phone,language\n";
        let token = Tokens::open(&hsm()).unwrap().token(&Pan::parse(PAN.as_bytes()).unwrap()).unwrap();
        for card in [PAN.to_owned(), hex::digits(&token)] {
            let contacts =
                opened(&format!("{head}{card},wang@mail.example,yes,+8610000000001,zh\n")).unwrap();
            let found = contacts.get(&token).unwrap();
            assert_eq!(found.email.as_deref(), Some("wang@mail.example"));
            assert_eq!((found.phone.as_deref(), found.language), (Some("+8610000000001"), Language::Chinese));
            assert!(!format!("{contacts:?}").contains("wang"));
        }
        let contacts = opened(&format!("{head}{PAN},wang@mail.example,no,,\n")).unwrap();
        let found = contacts.get(&token).unwrap();
        assert!(found.email.is_none() && found.phone.is_none());
    }

    #[test]
    fn the_switch_itself_takes_no_card_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contacts.csv");
        fs::write(&path, format!("card,email,verified,phone,language\n{PAN},,,,\n")).unwrap();
        let error = ContactBook::open(Some(path)).unwrap_err().to_string();
        assert!(error.contains("line 2: card: must be the 32") && !error.contains(PAN), "{error}");
    }

    #[test]
    fn everything_that_is_wrong_is_told_by_line_and_not_what_stands_there() {
        let head = "card,email,verified,phone,language\n";
        let rows = [
            ("another head", "card,email\n".to_owned(), "must be a CSV file with the head"),
            ("no card", format!("{head}9156009224100011,,,,\n"), "line 2: card: must be"),
            ("no address", format!("{head}{PAN},wang,yes,,\n"), "line 2: email: must be"),
            ("another word", format!("{head}{PAN},,maybe,,\n"), "line 2: verified: must be yes or no"),
            ("letters", format!("{head}{PAN},,,10-20,\n"), "line 2: phone: must be"),
            ("a language", format!("{head}{PAN},,,,de\n"), "line 2: language: must be zh or en"),
            ("too few fields", format!("{head}{PAN}\n"), "line 2: must have as many fields"),
            ("twice", format!("{head}{PAN},,,,\n{PAN},,,,\n"), "line 3: card: stands in the file twice"),
            ("both", format!("{head}{PAN},,,,de\n1,,,,\n"), "line 3: card: must be"),
        ];
        for (name, text, want) in rows {
            let error = opened(&text).unwrap_err().to_string();
            assert!(error.contains(want), "{name}: {error}");
            assert!(!error.contains(PAN) && !error.contains("wang"), "{name}: {error}");
        }
    }
}
