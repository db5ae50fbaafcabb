//! `[notices]`: who is told of what leaves the outbox, and how.

use std::{path::PathBuf, time::Duration};

use super::settings::{ConfigError, Count, Settings, count};

/// `[notices]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notices {
    /// The file of contacts, if there is one.
    pub contacts: Option<PathBuf>,
    /// The file that notices are appended to, if they are.
    pub file: Option<NoticeFile>,
    /// Where notices are posted to, if they are.
    pub webhook: Option<Webhook>,
    /// The mail server, if cardholders get mail.
    pub smtp: Option<Smtp>,
    /// How long a sender rests after its first failure; twice as long after each further one.
    pub retry: Duration,
    /// How long whoever receives may take.
    pub timeout: Duration,
    /// How often a notice is sent to somebody who refuses it.
    pub attempts: u32,
}

/// Whose notices a sender sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Audience {
    /// Everybody's.
    All,
    /// Those to cardholders.
    Cardholder,
    /// Those to card management.
    CardManagement,
}

/// The file sender.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NoticeFile {
    /// Where.
    pub path: PathBuf,
    /// Bytes after which another file is begun.
    pub bytes: u64,
    /// Whose notices.
    pub to: Audience,
    /// With telephone numbers and e-mail addresses.
    pub addresses: bool,
}

/// The webhook.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Webhook {
    /// Where notices are posted to.
    pub url: String,
    /// The file of the key that signs; without one it is in the environment.
    pub key: Option<PathBuf>,
    /// Whose notices.
    pub to: Audience,
    /// With telephone numbers and e-mail addresses.
    pub addresses: bool,
}

/// The mail server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Smtp {
    /// Host and port.
    pub server: String,
    /// Whom mail is from.
    pub from: String,
}

pub(super) const FILE_MIB: Count = count("notices.file_mib", 64, 1, 65_536);
pub(super) const RETRY_MS: Count = count("notices.retry_ms", 500, 10, 60_000);
pub(super) const TIMEOUT_S: Count = count("notices.timeout_s", 10, 1, 60);
pub(super) const ATTEMPTS: Count = count("notices.attempts", 5, 1, 1000);

impl Notices {
    pub(super) fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            contacts: settings.path_if_given("notices.contacts")?,
            file: NoticeFile::from_settings(settings)?,
            webhook: Webhook::from_settings(settings)?,
            smtp: Smtp::from_settings(settings)?,
            retry: Duration::from_millis(settings.count(RETRY_MS)?),
            timeout: Duration::from_secs(settings.count(TIMEOUT_S)?),
            attempts: settings.count(ATTEMPTS)?,
        })
    }
}

impl NoticeFile {
    fn from_settings(settings: &mut Settings) -> Result<Option<Self>, ConfigError> {
        let path = settings.path_if_given("notices.file")?;
        let bytes = settings.count::<u64>(FILE_MIB)? << 20;
        let to = audience(settings, "notices.file_to", Audience::All)?;
        let addresses = settings.flag("notices.file_addresses", false)?;
        Ok(path.map(|path| Self { path, bytes, to, addresses }))
    }
}

impl Webhook {
    fn from_settings(settings: &mut Settings) -> Result<Option<Self>, ConfigError> {
        const RULE: &str =
            "an address that begins with http://, such as \"http://127.0.0.1:9000/notices\", or empty";
        let is_url =
            |url: &str| url.strip_prefix("http://").is_some_and(|rest| !rest.is_empty() && is_plain(rest));
        let url = settings.text_if_given("notices.webhook", RULE, is_url)?;
        let key = settings.path_if_given("notices.webhook_key")?;
        let to = audience(settings, "notices.webhook_to", Audience::CardManagement)?;
        let addresses = settings.flag("notices.webhook_addresses", false)?;
        Ok(url.map(|url| Self { url, key, to, addresses }))
    }
}

impl Smtp {
    fn from_settings(settings: &mut Settings) -> Result<Option<Self>, ConfigError> {
        const SERVER: &str = "a host and a port in quotes, such as \"127.0.0.1:25\", or empty";
        const FROM: &str = "an e-mail address in quotes, such as \"cards@city.example\"";
        let is_server = |server: &str| {
            let parts = server.rsplit_once(':');
            is_plain(server)
                && parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        let server = settings.text_if_given("notices.smtp", SERVER, is_server)?;
        let from = settings.text_if_given("notices.smtp_from", FROM, crate::notices::is_mail_address)?;
        let Some(server) = server else { return Ok(None) };
        Ok(Some(Self { server, from: settings.required("notices.smtp_from", FROM, from)? }))
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn audience(settings: &mut Settings, key: &'static str, default: Audience) -> Result<Audience, ConfigError> {
    const WORDS: [(&str, Audience); 3] = [
        ("all", Audience::All),
        ("cardholder", Audience::Cardholder),
        ("card_management", Audience::CardManagement),
    ];
    let word = settings.word(key, &WORDS, "\"all\", \"cardholder\" or \"card_management\"")?;
    Ok(word.unwrap_or(default))
}
