//! Where notices go in a test: a server that takes posts and a relay that takes mail, each answering as it is told.
//!
//! Start at [`WebServer::start`] and [`Relay::start`].

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use crate::line::PATIENCE;

/// A listener whose connections are served one after the other until it is dropped.
#[derive(Debug)]
struct Listening {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    fn start(mut serve: impl FnMut(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.expect("a connection");
                stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
                serve(stream);
            }
        });
        Self { address, ends, thread: Some(thread) }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Wakes it; whether anybody is there does not matter.
        let _woken = TcpStream::connect(self.address);
        let _panicked = self.thread.take().map(JoinHandle::join);
    }
}

/// A post.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The lines above the body, in lower case.
    pub head: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
    /// What was answered; nothing if the connection was closed without an answer.
    pub answered: Option<u16>,
}

impl Posted {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        self.head.iter().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default()
    }
}

/// A server that takes posts.
#[derive(Debug)]
pub struct WebServer {
    listening: Listening,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl WebServer {
    /// One that answers each post's body as `answer` says; with nothing, it closes the connection.
    #[must_use]
    pub fn start(mut answer: impl FnMut(&[u8]) -> Option<u16> + Send + 'static) -> Self {
        let posted = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&posted);
        let listening = Listening::start(move |stream| {
            let mut stream = BufReader::new(stream);
            let Some((head, body)) = post(&mut stream) else { return };
            let answered = answer(&body);
            kept.lock().expect("posts").push(Posted { head, body, answered });
            if let Some(status) = answered {
                let answer =
                    format!("HTTP/1.1 {status} As told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                // The switch may have been killed.
                let _gone = stream.get_mut().write_all(answer.as_bytes());
            }
        });
        Self { listening, posted }
    }

    /// Where posts go.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/notices", self.listening.address)
    }

    /// What has come so far.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().expect("posts").clone()
    }
}

/// Head and body of a post; nothing if it is cut off.
fn post(stream: &mut BufReader<TcpStream>) -> Option<(Vec<String>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_lowercase()),
        }
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// A mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mail {
    /// Of `MAIL FROM`.
    pub from: String,
    /// Of `RCPT TO`.
    pub to: String,
    /// Head and body.
    pub text: String,
}

/// A relay that takes mail.
#[derive(Debug)]
pub struct Relay {
    listening: Listening,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl Relay {
    /// One that answers each line of a conversation by `answer`, where that says something, and else as a relay does.
    #[must_use]
    pub fn start(mut answer: impl FnMut(&str) -> Option<u16> + Send + 'static) -> Self {
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        let listening = Listening::start(move |stream| {
            let mut stream = BufReader::new(stream);
            // Whoever talks may hang up at any time.
            let _hung_up = talk(&mut stream, &mut answer, &mut |mail| kept.lock().expect("mails").push(mail));
        });
        Self { listening, mails }
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> String {
        self.listening.address.to_string()
    }

    /// What it has taken so far.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().expect("mails").clone()
    }
}

fn talk(
    stream: &mut BufReader<TcpStream>,
    answer: &mut impl FnMut(&str) -> Option<u16>,
    take: &mut dyn FnMut(Mail),
) -> std::io::Result<()> {
    let mut say = |stream: &mut BufReader<TcpStream>, line: &str, usual: u16| {
        let status = answer(line).unwrap_or(usual);
        let text = if line.starts_with("EHLO") && status == 250 {
            "250-relay.example\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n".to_owned()
        } else {
            format!("{status} as told\r\n")
        };
        stream.get_mut().write_all(text.as_bytes())?;
        Ok::<bool, std::io::Error>(status == usual)
    };
    let mut mail = Mail { from: String::new(), to: String::new(), text: String::new() };
    say(stream, "", 220)?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        match line.split_once(['<', '>']).map_or(line, |(verb, _)| verb) {
            "MAIL FROM:" => mail.from = line["MAIL FROM:<".len()..line.len() - 1].to_owned(),
            "RCPT TO:" => mail.to = line["RCPT TO:<".len()..line.len() - 1].to_owned(),
            "QUIT" => return say(stream, line, 221).map(drop),
            _ => {}
        }
        let usual = if line == "DATA" { 354 } else { 250 };
        if say(stream, line, usual)? && line == "DATA" {
            mail.text.clear();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line)?;
                if line == ".\r\n" {
                    break;
                }
                mail.text += &line;
            }
            if say(stream, ".", 250)? {
                take(mail.clone());
            }
        }
    }
}
