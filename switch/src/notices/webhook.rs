//! Notices posted to a server, in order and signed.
//!
//! Each post is a JSON object with `notices`, oldest first. It is signed by HMAC-SHA256 over the time, a point, and the body,
//! under a key that both sides have, so whoever receives knows who sent it and that it is not an old one sent again by somebody
//! else. An answer of 200 to 299 says that all of them have arrived.
//!
//! Start at [`WebhookSender::open`].

use std::{fs, io, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::{
    Sender, Trouble, Wanted, Way,
    letter::{Letter, Written},
    wanted_by,
};
use crate::{
    clock,
    config::{Audience, Webhook},
    hex,
};

/// Notices in one post.
const BATCH: usize = 32;

/// Where the key is looked for if no file is named.
pub const KEY_VARIABLE: &str = "CARDSWITCH_NOTICES_KEY";

/// Shortest and longest key, bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;

/// Why a key is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// There is none.
    #[error("name the file of the key that signs, or put the key into the environment as {KEY_VARIABLE}")]
    Missing,
    /// The file cannot be read.
    #[error("the file of the key cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// It is too short or too long.
    #[error("the key must have 16 to 1024 bytes, an end of line aside")]
    Length,
}

/// Posts to the server.
pub struct WebhookSender {
    url: String,
    key: Hmac<Sha256>,
    to: Audience,
    addresses: bool,
    attempts: u32,
    agent: ureq::Agent,
}

impl std::fmt::Debug for WebhookSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSender").field("to", &self.to).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Post<'a> {
    notices: Vec<Written<'a>>,
}

impl WebhookSender {
    /// Reads the key.
    ///
    /// # Errors
    /// There is none.
    pub fn open(config: &Webhook, timeout: Duration, attempts: u32) -> Result<Self, KeyError> {
        let bytes = match &config.key {
            Some(path) => fs::read(path).map_err(|error| KeyError::Unreadable(error.kind()))?,
            None => std::env::var(KEY_VARIABLE).map_err(|_| KeyError::Missing)?.into_bytes(),
        };
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(timeout))
            .proxy(None)
            .user_agent("cardswitch")
            .build();
        Ok(Self {
            url: config.url.clone(),
            key: key(&bytes)?,
            to: config.to,
            addresses: config.addresses,
            attempts,
            agent: agent.into(),
        })
    }

    fn signature(&self, time: &str, body: &[u8]) -> String {
        let mut mac = self.key.clone();
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        hex::digits(&mac.finalize().into_bytes())
    }
}

fn key(bytes: &[u8]) -> Result<Hmac<Sha256>, KeyError> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if !KEY_BYTES.contains(&bytes.len()) {
        return Err(KeyError::Length);
    }
    Hmac::new_from_slice(bytes).map_err(|_| KeyError::Length)
}

impl Sender for WebhookSender {
    fn way(&self) -> Way {
        Way::Webhook
    }

    fn wants(&self, letter: &Letter) -> Wanted {
        wanted_by(self.to, letter)
    }

    fn batch_max(&self) -> usize {
        BATCH
    }

    fn attempts(&self) -> u32 {
        self.attempts
    }

    fn send(&mut self, letters: &[&Letter]) -> Result<(), Trouble> {
        let notices = letters.iter().map(|letter| letter.written(self.addresses)).collect();
        let body =
            serde_json::to_vec(&Post { notices }).map_err(|error| Trouble::Later(error.to_string()))?;
        let time = clock::unix_seconds().to_string();
        let [first, last] = [letters.first(), letters.last()]
            .map(|letter| letter.map_or("", |letter| letter.entry.key.as_str()));
        let post = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("cardswitch-timestamp", &time)
            .header("cardswitch-signature", format!("v1={}", self.signature(&time, &body)))
            .header("idempotency-key", format!("{first}..{last}"));
        // What a server says beside its status may be anything; it is not read.
        let answer = post.send(&body[..]).map_err(|error| Trouble::Later(problem(&error).to_owned()))?;
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            status @ (408 | 425 | 429) => Err(Trouble::Later(format!("the server answered {status}"))),
            status @ 400..=499 => Err(Trouble::Refused(format!("the server answered {status}"))),
            status => Err(Trouble::Later(format!("the server answered {status}"))),
        }
    }
}

/// What was wrong, without the address: it may have a password in it.
fn problem(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "the server took too long",
        ureq::Error::HostNotFound => "there is no such host",
        ureq::Error::ConnectionFailed => "the server cannot be reached",
        ureq::Error::Io(_) => "the connection failed",
        _ => "the server does not speak HTTP as it should",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_key_has_a_length_and_its_end_of_line_is_none_of_it() {
        let rows = [(15, false), (16, true), (1024, true), (1025, false)];
        for (length, good) in rows {
            assert_eq!(key(&vec![b'k'; length]).is_ok(), good, "{length}");
        }
        let tagged = |bytes: &[u8]| key(bytes).unwrap().chain_update(b"x").finalize().into_bytes();
        assert_eq!(tagged(&[b'k'; 16]), tagged(b"kkkkkkkkkkkkkkkk\r\n"));
        assert_ne!(tagged(&[b'k'; 16]), tagged(&[b'k'; 17]));
    }
}
