//! Mail to cardholders, handed to a relay (RFC 5321, RFC 5322).
//!
//! One mail is one connection: a relay on the same machine takes some milliseconds. It speaks without TLS and without a
//! password, so the relay is on this machine or behind a tunnel; it does what mail needs beyond that, and a mail it has taken
//! is its affair. A card has one mail for a decision, whether or not a telephone is linked to it.
//!
//! Start at [`SmtpSender`].

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};

use super::{Sender, Trouble, Wanted, Way, contacts::Language, letter::Letter};
use crate::{books::notices::Recipient, clock::stopwatch, config::Smtp};

/// Longest line of an answer, and most lines of one: a relay has nothing longer to say.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Mails through a relay.
#[derive(Debug)]
pub struct SmtpSender {
    server: String,
    from: String,
    timeout: Duration,
}

impl SmtpSender {
    /// For a relay.
    #[must_use]
    pub fn new(config: &Smtp, timeout: Duration) -> Self {
        Self { server: config.server.clone(), from: config.from.clone(), timeout }
    }

    fn mail(&self, letter: &Letter, to: &str) -> Result<(), Trouble> {
        let mut talk = Talk::open(&self.server, self.timeout)?;
        talk.expect(None, 220)?;
        let here = talk.here();
        talk.expect(Some(&format!("EHLO {here}")), 250)?;
        talk.expect(Some(&format!("MAIL FROM:<{}>", self.from)), 250)?;
        // From here on a permanent refusal is of this mail, not of whatever this switch sends.
        refused(talk.expect(Some(&format!("RCPT TO:<{to}>")), 250))?;
        refused(talk.expect(Some("DATA"), 354))?;
        talk.send(&message(letter, &self.from, to))?;
        refused(talk.expect(Some("."), 250))?;
        // It has been taken, whatever becomes of the farewell.
        let _farewell = talk.send(b"QUIT\r\n");
        Ok(())
    }
}

impl Sender for SmtpSender {
    fn way(&self) -> Way {
        Way::Smtp
    }

    /// What is told to a cardholder stands in the notice to card management, too, which there always is.
    fn wants(&self, letter: &Letter) -> Wanted {
        match (letter.cause.is_for_holder(), letter.to, &letter.contact.email) {
            (true, Recipient::CardManagement, Some(_)) => Wanted::Yes,
            (true, Recipient::CardManagement, None) => Wanted::NoAddress,
            _ => Wanted::No,
        }
    }

    fn batch_max(&self) -> usize {
        1
    }

    /// A relay's permanent refusal is permanent.
    fn attempts(&self) -> u32 {
        1
    }

    fn send(&mut self, letters: &[&Letter]) -> Result<(), Trouble> {
        letters.iter().try_for_each(|letter| match &letter.contact.email {
            Some(to) => self.mail(letter, to),
            None => Ok(()),
        })
    }
}

/// What is wrong with a relay's answer.
enum Wrong {
    Trouble(Trouble),
    Status(u16),
}

impl From<Wrong> for Trouble {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Trouble(trouble) => trouble,
            Wrong::Status(status) => Self::Later(format!("the relay answered {status}")),
        }
    }
}

fn refused(answer: Result<(), Wrong>) -> Result<(), Trouble> {
    answer.map_err(|wrong| match wrong {
        Wrong::Status(status @ 500..=599) => Trouble::Refused(format!("the relay answered {status}")),
        wrong => wrong.into(),
    })
}

fn failed(error: &io::Error) -> Trouble {
    Trouble::Later(match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "the relay took too long".to_owned(),
        kind => format!("the relay cannot be talked to: {kind}"),
    })
}

/// A conversation, which ends after its time whatever the relay does.
struct Talk {
    stream: BufReader<TcpStream>,
    begun: Instant,
    timeout: Duration,
}

impl Talk {
    fn open(server: &str, timeout: Duration) -> Result<Self, Trouble> {
        let begun = stopwatch();
        let mut last = io::ErrorKind::AddrNotAvailable.into();
        for address in server.to_socket_addrs().map_err(|error| failed(&error))? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => return Ok(Self { stream: BufReader::new(stream), begun, timeout }),
                Err(error) => last = error,
            }
        }
        Err(failed(&last))
    }

    /// This machine as the relay sees it, in the form that has no name (RFC 5321, 4.1.3).
    fn here(&self) -> String {
        match self.stream.get_ref().local_addr().map(|address| address.ip()) {
            Ok(std::net::IpAddr::V4(address)) => format!("[{address}]"),
            Ok(std::net::IpAddr::V6(address)) => format!("[IPv6:{address}]"),
            Err(_) => "[127.0.0.1]".to_owned(),
        }
    }

    /// What is left of the time, for the next call to the system.
    fn bound(&self) -> io::Result<()> {
        let left = self.timeout.saturating_sub(self.begun.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let stream = self.stream.get_ref();
        stream.set_read_timeout(Some(left))?;
        stream.set_write_timeout(Some(left))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let sent = self.bound().and_then(|()| self.stream.get_mut().write_all(bytes));
        sent.map_err(|error| failed(&error))
    }

    /// Says something, and waits for an answer of this status.
    fn expect(&mut self, line: Option<&str>, status: u16) -> Result<(), Wrong> {
        if let Some(line) = line {
            self.send(format!("{line}\r\n").as_bytes()).map_err(Wrong::Trouble)?;
        }
        let found = self.answer().map_err(|error| Wrong::Trouble(failed(&error)))?;
        // 251: it will forward; as good.
        if found == status || (status == 250 && found == 251) { Ok(()) } else { Err(Wrong::Status(found)) }
    }

    /// The status of an answer, which may have several lines.
    fn answer(&mut self) -> io::Result<u16> {
        let (mut line, mut left) = (Vec::new(), ANSWER_BYTES_MAX);
        loop {
            self.bound()?;
            line.clear();
            let read = io::Read::take(&mut self.stream, left).read_until(b'\n', &mut line)?;
            left -= read as u64;
            if line.pop() != Some(b'\n') {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let status = line.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
            let status = status.and_then(|digits| digits.parse().ok()).filter(|status| *status >= 200);
            let status = status.ok_or(io::ErrorKind::InvalidData)?;
            if line.get(3) != Some(&b'-') {
                return Ok(status);
            }
        }
    }
}

/// The mail: head and text. The text is in base64, so no line of it begins with a point.
fn message(letter: &Letter, from: &str, to: &str) -> Vec<u8> {
    let domain = from.split_once('@').map_or("localhost", |(_, domain)| domain);
    let subject = match letter.contact.language {
        Language::Chinese => "您的卡片交易提醒",
        Language::English => "A transaction with your card",
    };
    let date = Timestamp::from_millisecond(letter.time_ms).unwrap_or_default().to_zoned(TimeZone::UTC);
    let date = jiff::fmt::rfc2822::to_string(&date).unwrap_or_default();
    let text = letter.entry.text.as_deref().unwrap_or_default();
    let mut lines = vec![
        format!("From: <{from}>"),
        format!("To: <{to}>"),
        format!("Subject: =?utf-8?B?{}?=", base64(subject.as_bytes())),
        format!("Date: {date}"),
        // The same however often it is sent, so that mail programs show it once.
        format!("Message-ID: <{}.cardswitch@{domain}>", letter.entry.key),
        "Auto-Submitted: auto-generated".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        "Content-Transfer-Encoding: base64".to_owned(),
        String::new(),
    ];
    let text = base64(format!("{text}\r\n").as_bytes());
    lines.extend(text.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()));
    let mut message = lines.join("\r\n").into_bytes();
    message.extend(b"\r\n");
    message
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= three.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::letter::testing::letter;

    #[test]
    fn base64_is_that_of_the_standard() {
        let rows = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, want) in rows {
            assert_eq!(base64(text.as_bytes()), want, "RFC 4648, section 10");
        }
    }

    #[test]
    fn no_line_is_too_long_begins_with_a_point_or_is_not_ascii() {
        let mut long = letter(1);
        long.entry.text = Some("。".repeat(400));
        long.contact.language = Language::Chinese;
        let message =
            String::from_utf8_lossy(&message(&long, "cards@city.example", "w@mail.example")).into_owned();
        assert!(message.is_ascii() && message.ends_with("\r\n"), "{message}");
        assert!(message.lines().all(|line| line.len() <= 78 && !line.starts_with('.')), "{message}");
        assert!(message.contains("\r\nDate: Thu, 1 Jan 1970 00:00:00 "), "{message}");
    }
}
