//! Asks a running switch for its page of metrics, again and again, on a thread of its own, so that a switch that
//! hangs does not hang the view.
//!
//! Start at [`start`].

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::Duration,
};

use super::{
    interval::Sample,
    page::{Page, PageError},
};
use crate::{
    app::{PORTS_FILE, Ports},
    clock::{Clock, UnknownZone, stopwatch},
};

/// How long an answer may take: a switch in need of longer for its counters is as good as gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest page taken, bytes; the switch's own has some hundred lines.
const PAGE_BYTES_MAX: u64 = 4 << 20;

/// Samples that wait for the view at most.
const WAITING_MAX: usize = 4;

/// Where the running switch is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Its admin port.
    Admin(String),
    /// Its data folder, where it says on which ports it listens; looked up each time, since a start may change them.
    Data(PathBuf),
}

/// Asks one switch.
#[derive(Debug)]
pub(super) struct Poller {
    place: Place,
    agent: ureq::Agent,
    clock: Clock,
}

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub(super) enum PollError {
    /// There is no file with the ports.
    #[error("{}: {problem}; is a switch running on this folder", path.display())]
    Ports {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody answers, or not with a page.
    #[error("{url}: {problem}")]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// What came is not the page of a switch.
    #[error("{url}")]
    Page {
        /// What was asked.
        url: String,
        /// Why.
        #[source]
        source: PageError,
    },
}

impl PollError {
    /// What is wrong, without what was asked, which the view's title says.
    pub(super) fn problem(&self) -> String {
        match self {
            Self::Ports { problem, .. } => format!("{PORTS_FILE}: {problem}"),
            Self::Answer { problem, .. } => problem.clone(),
            Self::Page { source, .. } => source.to_string(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Admin(url) => f.write_str(url.trim_end_matches('/')),
            Self::Data(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl Place {
    /// The admin port's address as it is now.
    fn base(&self) -> Result<String, PollError> {
        match self {
            Self::Admin(url) => Ok(url.trim_end_matches('/').to_owned()),
            Self::Data(folder) => {
                let path = folder.join(PORTS_FILE);
                let ports = std::fs::read(&path).map_err(|error| error.to_string()).and_then(|text| {
                    serde_json::from_slice::<Ports>(&text).map_err(|error| error.to_string())
                });
                match ports {
                    Ok(ports) => Ok(format!("http://{}", ports.admin)),
                    Err(problem) => Err(PollError::Ports { path, problem }),
                }
            }
        }
    }
}

impl Poller {
    /// Asks the switch at this place.
    ///
    /// # Errors
    /// Never, with a time zone database that knows UTC.
    pub(super) fn new(place: Place) -> Result<Self, UnknownZone> {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Ok(Self { place, agent: agent.build().into(), clock: Clock::new("UTC")? })
    }

    /// One sample.
    ///
    /// # Errors
    /// The switch is not there, or what answers is none.
    pub(super) fn sample(&mut self) -> Result<Sample, PollError> {
        let url = format!("{}/metrics", self.place.base()?);
        let failed = |problem: String| PollError::Answer { url: url.clone(), problem };
        let mut answer = self.agent.get(&url).call().map_err(|error| failed(error.to_string()))?;
        if !answer.status().is_success() {
            return Err(failed(format!("answered {}", answer.status())));
        }
        let body = answer.body_mut().with_config().limit(PAGE_BYTES_MAX).read_to_string();
        let text = body.map_err(|error| failed(error.to_string()))?;
        let (at, unix_ms) = (stopwatch(), self.clock.now().unix_ms());
        match Page::parse(&text) {
            Ok(page) => Ok(Sample { at, unix_ms, page }),
            Err(source) => Err(PollError::Page { url, source }),
        }
    }
}

/// What the thread found, and the way to end it: drop this.
#[derive(Debug)]
pub(super) struct Polled {
    pub(super) samples: Receiver<Result<Sample, PollError>>,
    _stop: SyncSender<()>,
}

/// Takes a sample at once and then one every `interval`, until the result is dropped.
///
/// # Errors
/// The system gives no thread.
pub(super) fn start(mut poller: Poller, interval: Duration) -> std::io::Result<Polled> {
    let (found, samples) = sync_channel(WAITING_MAX);
    let (stop, stopped) = sync_channel::<()>(0);
    std::thread::Builder::new().name("poll".into()).spawn(move || {
        loop {
            let begun = stopwatch();
            if found.send(poller.sample()).is_err()
                || !wait(&stopped, interval.saturating_sub(begun.elapsed()))
            {
                return;
            }
        }
    })?;
    Ok(Polled { samples, _stop: stop })
}

/// Waits so long; false if nobody wants more.
pub(super) fn wait(stopped: &Receiver<()>, time: Duration) -> bool {
    matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use super::*;
    use crate::cli::{chain, top::testing::terse};

    /// A port that gives each who asks the next of these answers.
    fn answering(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _request = stream.read(&mut [0; 2048]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        format!("http://{address}")
    }

    fn http(status: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    #[test]
    fn what_is_no_switch_is_told_by_what_it_is() {
        let rows = [
            (http("404 Not Found", ""), "answered 404 Not Found"),
            (http("200 OK", "<html>\n"), "line 1 of the page: a name begins"),
            (http("200 OK", "other_total 1\n"), "the page has no series of cardswitch"),
        ];
        for (answer, want) in rows {
            let mut poller = Poller::new(Place::Admin(answering(vec![answer]) + "/")).unwrap();
            let error = poller.sample().unwrap_err();
            let text = chain(&error);
            assert!(text.contains(want) && text.contains("/metrics: "), "{text}");
            assert!(!text.contains("//metrics"), "{text}");
            let problem = error.problem();
            assert!(!problem.contains("http:") && problem.contains(want), "{problem}");
        }
    }

    #[test]
    fn a_folder_leads_to_the_switch_that_runs_on_it_now() {
        let folder = tempfile::tempdir().unwrap();
        let mut poller = Poller::new(Place::Data(folder.path().to_owned())).unwrap();
        let text = chain(&poller.sample().unwrap_err());
        assert!(
            text.contains("ports.json: ") && text.ends_with("is a switch running on this folder"),
            "{text}"
        );
        for connections in [3, 4] {
            let admin = answering(vec![http("200 OK", &terse(connections))]);
            let admin = admin.trim_start_matches("http://");
            let none = "127.0.0.1:1";
            let ports = serde_json::json!({ "pos": none, "epos": none, "atm": none, "admin": admin });
            std::fs::write(folder.path().join(PORTS_FILE), ports.to_string()).unwrap();
            let page = poller.sample().unwrap().page;
            assert_eq!(page.value("connections"), Some(f64::from(connections)));
        }
    }

    #[test]
    fn it_asks_until_nobody_listens() {
        let page = http("200 OK", &terse(3));
        let poller = Poller::new(Place::Admin(answering(vec![page; 3]))).unwrap();
        let polled = start(poller, Duration::from_millis(1)).unwrap();
        for _ in 0..3 {
            assert_eq!(polled.samples.recv().unwrap().unwrap().page.value("connections"), Some(3.0));
        }
        assert!(polled.samples.recv().unwrap().is_err(), "the port has closed, and it goes on asking");
    }
}
