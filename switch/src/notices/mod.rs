//! What people should be told leaves the switch: each sender takes the outbox's notices, in their order, to where it sends
//! them.
//!
//! The outbox is made of records alone ([`crate::books::notices`]), so nothing is kept of a notice but a sender's *place*: the
//! number of the last one it has sent, durable beside the journal. A notice is sent once its record is durable, and its place is
//! written once whoever receives it has it: whatever ends the switch in between, it is sent again under the same key, never
//! left out. Each sender has a thread; one that fails holds up what is behind it and nobody else, least of all an answer.
//!
//! Start at [`Senders::open`] and [`Senders::start`]. [`delivery`] is what such a thread does, [`source`] where it finds notices,
//! [`mod@file`], [`smtp`] and [`webhook`] where they go, [`contacts`] what is known of cardholders outside the journal.

pub mod contacts;
pub mod delivery;
pub mod file;
pub mod letter;
pub mod place;
pub mod smtp;
pub mod source;
pub mod status;
pub mod text;
pub mod webhook;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use crossbeam::channel::{Sender as Bell, bounded};
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use crate::{
    app::Control,
    books::{Books, notices::Recipient},
    config::{Audience, Config, Notices},
    journal::Store,
    telemetry::metrics::Metrics,
};

use self::{
    contacts::{ContactBook, ContactsError},
    delivery::{Delivery, Pace},
    file::FileSender,
    letter::Letter,
    place::{Place, PlaceError},
    smtp::SmtpSender,
    source::{CatchingUp, Source},
    status::{SenderState, Status},
    webhook::{KeyError, WebhookSender},
};

/// The ways that notices go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// Lines of a file.
    File,
    /// Mail to cardholders.
    Smtp,
    /// Posts to a server.
    Webhook,
}

impl Way {
    /// All of them, in the order of their type.
    pub const ALL: [Self; 3] = [Self::File, Self::Smtp, Self::Webhook];

    /// The word for it in files, tables and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Smtp => "smtp",
            Self::Webhook => "webhook",
        }
    }
}

/// Whether a sender sends a notice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// It does.
    Yes,
    /// It is somebody else's affair.
    No,
    /// It would, but nobody knows the cardholder's address.
    NoAddress,
}

/// Why notices could not be sent. Says nothing of what is in them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// It may work later; until then, nothing behind it goes.
    #[error("{0}")]
    Later(String),
    /// Whoever receives does not want this one.
    #[error("{0}")]
    Refused(String),
}

/// Takes notices somewhere.
pub trait Sender: Send {
    /// Which way.
    fn way(&self) -> Way;

    /// Whether it sends this one.
    fn wants(&self, letter: &Letter) -> Wanted;

    /// How many it takes at once.
    fn batch_max(&self) -> usize;

    /// How often a notice is tried that is refused.
    fn attempts(&self) -> u32;

    /// Sends these. They have arrived when this returns `Ok`; if not, all of them are sent again.
    ///
    /// # Errors
    /// Why not.
    fn send(&mut self, letters: &[&Letter]) -> Result<(), Trouble>;
}

/// Why senders cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum NoticesError {
    /// The file of contacts is at fault.
    #[error("notices.contacts: {}", path.display())]
    Contacts {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ContactsError,
    },
    /// The key that signs is no key.
    #[error("notices.webhook_key")]
    Key(#[from] KeyError),
    /// The file of notices cannot be written.
    #[error("notices.file: {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A sender's place cannot be read or written.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The system gives no thread.
    #[error("a sender's thread cannot be started")]
    Thread(#[source] io::Error),
}

/// Senders as they are configured.
pub struct Senders {
    senders: Vec<Box<dyn Sender>>,
    contacts: Arc<ContactBook>,
    zone: TimeZone,
    folder: PathBuf,
    retry: Duration,
}

impl std::fmt::Debug for Senders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ways: Vec<Way> = self.senders.iter().map(|sender| sender.way()).collect();
        f.debug_struct("Senders").field("ways", &ways).field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What senders work with.
pub struct Surroundings<'a> {
    /// By which the books are asked.
    pub control: mpsc::Sender<Control>,
    /// The journal.
    pub store: &'a dyn Store,
    /// The books as they are before the switch serves.
    pub books: &'a Books,
    /// Counters.
    pub metrics: &'a Metrics,
    /// Random bytes: senders that failed together are not to come back together.
    pub entropy: fn(&mut [u8]),
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Surroundings")
    }
}

impl Senders {
    /// Reads what the configured senders need, and opens nothing that another machine would notice.
    ///
    /// # Errors
    /// See [`NoticesError`].
    pub fn open(config: &Config) -> Result<Self, NoticesError> {
        let notices = &config.notices;
        let contacts = contacts_of(notices)?;
        let mut senders: Vec<Box<dyn Sender>> = Vec::new();
        if let Some(file) = &notices.file {
            let opened = FileSender::open(file);
            let failed = |source| NoticesError::File { path: file.path.clone(), source };
            senders.push(Box::new(opened.map_err(failed)?));
        }
        if let Some(smtp) = &notices.smtp {
            senders.push(Box::new(SmtpSender::new(smtp, notices.timeout)));
        }
        if let Some(webhook) = &notices.webhook {
            senders.push(Box::new(WebhookSender::open(webhook, notices.timeout, notices.attempts)?));
        }
        // The configuration has proved that there is such a zone.
        let zone = TimeZone::get(&config.time.zone).unwrap_or(TimeZone::UTC);
        let folder = folder(&config.data.dir);
        Ok(Self { senders, contacts: Arc::new(contacts), zone, folder, retry: notices.retry })
    }

    /// Starts a thread for each sender, from where it was. One that is new begins with what is new.
    ///
    /// # Errors
    /// A place cannot be read; the system gives no thread.
    pub fn start(self, around: &Surroundings<'_>) -> Result<Outbox, NoticesError> {
        let mut outbox = Outbox { status: Arc::default(), threads: Vec::new(), zone: self.zone.clone() };
        if self.senders.is_empty() {
            return Ok(outbox);
        }
        std::fs::create_dir_all(&self.folder).map_err(|source| PlaceError::of(&self.folder, source))?;
        let catching_up = Arc::new(CatchingUp::default());
        let mut deliveries = Vec::new();
        for sender in self.senders {
            let way = sender.way();
            let path = self.folder.join(format!("{}.place", way.name()));
            let place = match Place::read(&path)? {
                Some(place) => place.in_epoch_of(around.books),
                None => Place::now(around.books),
            };
            place.write(&path)?;
            let state = Arc::new(SenderState::new(way, place));
            deliveries.push(Delivery {
                source: Source {
                    control: around.control.clone(),
                    reader: around.store.reader(),
                    checkpoints: around.store.checkpoints(),
                    contacts: Arc::clone(&self.contacts),
                    zone: self.zone.clone(),
                    catching_up: Arc::clone(&catching_up),
                    behind: None,
                },
                sender,
                place,
                path,
                parked: self.folder.join(format!("{}.parked.jsonl", way.name())),
                pace: Pace::new(self.retry, around.entropy),
                metrics: around.metrics.clone(),
                state,
                idle_at: None,
                refusals: 0,
                singly: 0,
            });
        }
        outbox.status =
            Arc::new(Status::new(deliveries.iter().map(|delivery| Arc::clone(&delivery.state)).collect()));
        for delivery in deliveries {
            let (bell, rung) = bounded(0);
            let name = format!("notices-{}", delivery.sender.way().name());
            let thread = std::thread::Builder::new().name(name);
            let thread = thread.spawn(move || delivery.run(&rung)).map_err(NoticesError::Thread)?;
            outbox.threads.push((bell, thread));
        }
        Ok(outbox)
    }
}

fn contacts_of(notices: &Notices) -> Result<ContactBook, NoticesError> {
    let path = || notices.contacts.clone().unwrap_or_default();
    ContactBook::open(notices.contacts.clone())
        .map_err(|source| NoticesError::Contacts { path: path(), source })
}

/// What a start would find wrong with contacts and key, without touching a file that is written.
///
/// # Errors
/// See [`NoticesError`].
pub fn check(notices: &Notices) -> Result<(), NoticesError> {
    contacts_of(notices)?;
    match &notices.webhook {
        Some(webhook) => Ok(WebhookSender::open(webhook, notices.timeout, notices.attempts).map(drop)?),
        None => Ok(()),
    }
}

/// Where in a data folder senders keep their places.
#[must_use]
pub fn folder(data: &Path) -> PathBuf {
    data.join("notices")
}

/// The running senders.
#[derive(Debug)]
pub struct Outbox {
    /// How far each of them is.
    pub status: Arc<Status>,
    /// In which times are told.
    pub zone: TimeZone,
    /// Each with what is dropped to wake it.
    threads: Vec<(Bell<()>, JoinHandle<()>)>,
}

impl Outbox {
    /// Ends the threads; what is under way is awaited, as long as `notices.timeout_s` at most. Whether all ended without a
    /// panic.
    #[must_use]
    pub fn stop(self) -> bool {
        let (bells, threads): (Vec<_>, Vec<_>) = self.threads.into_iter().unzip();
        drop(bells);
        threads.into_iter().map(JoinHandle::join).fold(true, |well, ended| well & ended.is_ok())
    }
}

/// Whether a sender for these recipients sends a letter.
fn wanted_by(audience: Audience, letter: &Letter) -> Wanted {
    let wanted = match audience {
        Audience::All => true,
        Audience::Cardholder => letter.to == Recipient::Cardholder,
        Audience::CardManagement => letter.to == Recipient::CardManagement,
    };
    if wanted { Wanted::Yes } else { Wanted::No }
}

/// Whether a text is an e-mail address that may stand in a command to a mail server: local part and domain, nothing quoted.
#[must_use]
pub fn is_mail_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let of = |part: &str, more: &[u8]| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    text.len() <= 254
        && local.len() <= 64
        && of(local, b".!#$%&'*+-/=?^_`{|}~")
        && of(domain, b".-")
        && !domain.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_command_is_no_address() {
        let rows = [
            ("wang@mail.example", true),
            ("w.ang+cards@mail.example", true),
            ("wang", false),
            ("@mail.example", false),
            ("wang@", false),
            ("wang@mail.example>\r\nRCPT TO:<x@y.example", false),
            ("wang@mail@example", false),
            ("wang hu@mail.example", false),
            ("王@mail.example", false),
        ];
        for (text, want) in rows {
            assert_eq!(is_mail_address(text), want, "{text:?}");
        }
        let long = format!("{}@mail.example", "a".repeat(65));
        assert!(!is_mail_address(&long));
    }
}
