//! `cardswitch top`: a running switch, watched live on a terminal, or reported once as text.
//!
//! The way of a figure: `poll` asks for a page, `page` reads it, `interval` compares it with the one before, `watch`
//! remembers, `words` and `units` say it, `view` draws it or `plain` prints it. Here are the arguments, the terminal
//! and its keys. Nothing is asked of the switch but its page of metrics.

mod interval;
mod page;
mod plain;
mod poll;
#[cfg(test)]
mod testing;
mod units;
mod view;
mod watch;
mod words;

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::mpsc::{TryRecvError, sync_channel},
    time::{Duration, Instant},
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor,
        event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        execute, terminal,
    },
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::{
    interval::Figures,
    poll::{Place, PollError, Polled, Poller},
    view::Looking,
    watch::Watch,
};
use super::Failure;
use crate::clock::{UnknownZone, stopwatch};

/// Shortest and longest interval, seconds.
const INTERVAL_S: std::ops::RangeInclusive<f64> = 0.1..=60.0;

/// How often the view is drawn, and so how long a key may wait.
const TICK: Duration = Duration::from_millis(100);

/// Where to look.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The data folder of a running switch; its ports.json says where to ask
    #[arg(long)]
    data: Option<PathBuf>,
    /// A running switch's admin port, such as http://127.0.0.1:18580
    #[arg(long)]
    admin: Option<String>,
}

/// Arguments of `top`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch top --admin http://127.0.0.1:18580\n  cardswitch top --data \
                  fixtures/city/data --interval 5\n  cardswitch top --admin http://127.0.0.1:18580 --once > ticket.txt\n\n\
                  Keys: q, Esc or Ctrl-C quit; p or space stops the view and lets it go on. A switch that goes away is \
                  asked until it is back.\n\nQuantiles are interpolated in the buckets of the switch's histograms. A dash \
                  is a figure that this switch does not tell."
)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Seconds between two looks, 0.1 to 60
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    interval: Duration,
    /// Print one report over one interval as text, and end; needs no terminal
    #[arg(long)]
    once: bool,
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
enum TopError {
    #[error("standard output is no terminal to draw on; --once prints one report as text")]
    NoTerminal,
    #[error("the terminal cannot be used")]
    Terminal(#[source] io::Error),
    #[error("the system gives no thread or runtime")]
    System(#[source] io::Error),
    #[error("the report cannot be written")]
    Report(#[source] io::Error),
    #[error("the two samples were taken at the same moment")]
    NoTime,
    #[error("the thread that asks the switch has ended")]
    Asking,
    #[error(transparent)]
    Poll(#[from] PollError),
    #[error(transparent)]
    Zone(#[from] UnknownZone),
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let done = if args.once { once(args, out) } else { live(args) };
    done.map_err(|error| match error {
        TopError::NoTerminal => Failure::usage(&error),
        _ => Failure::of(&error),
    })
}

impl Args {
    fn place(&self) -> Place {
        match (&self.source.data, &self.source.admin) {
            (Some(data), _) => Place::Data(data.clone()),
            (None, admin) => Place::Admin(admin.clone().unwrap_or_default()),
        }
    }
}

/// A number of seconds within the limits.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| INTERVAL_S.contains(seconds));
    let wrong = || format!("seconds, {} to {}", INTERVAL_S.start(), INTERVAL_S.end());
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(wrong)
}

fn once(args: &Args, out: &mut dyn Write) -> Result<(), TopError> {
    let place = args.place();
    let mut poller = Poller::new(place.clone())?;
    let before = poller.sample()?;
    // Nobody ends the wait, so it takes its time.
    let (_end, ended) = sync_channel(0);
    poll::wait(&ended, args.interval);
    let after = poller.sample()?;
    let figures = Figures::between(&before, &after).ok_or(TopError::NoTime)?;
    plain::print(&place.to_string(), &figures, out).map_err(TopError::Report)
}

fn live(args: &Args) -> Result<(), TopError> {
    if !io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    let place = args.place();
    let mut seen = Seen { watch: Watch::new(place.to_string()), paused: None };
    let polled = poll::start(Poller::new(place)?, args.interval).map_err(TopError::System)?;
    let mut signals = Signals::register().map_err(TopError::System)?;
    let mut screen = Screen::open().map_err(TopError::Terminal)?;
    while !signals.ask_to_end() {
        seen.take_from(&polled)?;
        seen.draw(&mut screen, args.interval).map_err(TopError::Terminal)?;
        match next_key(TICK).map_err(TopError::Terminal)? {
            Some(Key::Quit) => break,
            Some(Key::Pause) => seen.toggle_pause(),
            None => (),
        }
    }
    Ok(())
}

/// What is watched, and what is shown of it.
struct Seen {
    watch: Watch,
    /// What stays on the screen while watching goes on behind it.
    paused: Option<(Watch, Instant)>,
}

impl Seen {
    fn take_from(&mut self, polled: &Polled) -> Result<(), TopError> {
        loop {
            match polled.samples.try_recv() {
                Ok(Ok(sample)) => self.watch.take(sample),
                Ok(Err(error)) => self.watch.miss(error.problem(), stopwatch()),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(TopError::Asking),
            }
        }
    }

    fn draw(&self, screen: &mut Screen, interval: Duration) -> io::Result<()> {
        let (watch, paused) = match &self.paused {
            Some((watch, since)) => (watch, Some(*since)),
            None => (&self.watch, None),
        };
        let looking = Looking { interval, now: stopwatch(), paused };
        screen.terminal.draw(|frame| view::draw(frame, watch, &looking))?;
        Ok(())
    }

    fn toggle_pause(&mut self) {
        self.paused = match self.paused.take() {
            Some(_) => None,
            None => Some((self.watch.clone(), stopwatch())),
        };
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Key {
    Quit,
    Pause,
}

/// The next key that means something, if one comes in time.
fn next_key(time: Duration) -> io::Result<Option<Key>> {
    if !event::poll(time)? {
        return Ok(None);
    }
    match event::read()? {
        Event::Key(key) => Ok(meaning(&key)),
        _ => Ok(None),
    }
}

fn meaning(key: &KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        _ if key.kind == KeyEventKind::Release => None,
        KeyCode::Char('c') if control => Some(Key::Quit),
        KeyCode::Esc | KeyCode::Char('q') => Some(Key::Quit),
        KeyCode::Char('p' | ' ') => Some(Key::Pause),
        _ => None,
    }
}

/// The terminal while it is drawn on; given back as it was when dropped, and before a panic is reported.
struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
}

impl Screen {
    fn open() -> io::Result<Self> {
        give_back_on_panic();
        terminal::enable_raw_mode()?;
        let screen = Terminal::new(CrosstermBackend::new(io::stdout())).map(|terminal| Self { terminal });
        if screen.is_err() {
            give_back();
        }
        // From here on the drop gives it back.
        let screen = screen?;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // If the terminal is gone there is nothing to give back.
    let _gone = terminal::disable_raw_mode();
    let _gone = execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show);
}

/// A report on the screen that is about to go would be lost. Only this thread may write to standard output, which it
/// has locked; should the one that asks panic, this one notices and ends.
fn give_back_on_panic() {
    let (report, here) = (std::panic::take_hook(), std::thread::current().id());
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == here {
            give_back();
        }
        report(panic);
    }));
}

/// Signals that end the view. Unheard, they would leave the terminal as it is drawn on.
struct Signals {
    runtime: tokio::runtime::Runtime,
    signals: [Signal; 3],
}

impl Signals {
    fn register() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let context = runtime.enter();
        let signals = [
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        ];
        drop(context);
        Ok(Self { runtime, signals })
    }

    /// Whether one has come.
    fn ask_to_end(&mut self) -> bool {
        let Self { runtime, signals: [terminate, interrupt, hangup] } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => true,
                _ = interrupt.recv() => true,
                _ = hangup.recv() => true,
                // A moment, so that the runtime looks for signals at all.
                () = tokio::time::sleep(Duration::from_millis(1)) => false,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_limits() {
        let rows = [
            ("1", Some(1000)),
            ("0.1", Some(100)),
            ("60", Some(60_000)),
            ("0.09", None),
            ("60.1", None),
            ("-1", None),
            ("NaN", None),
            ("one", None),
        ];
        for (text, want) in rows {
            assert_eq!(interval(text).ok().map(|time| time.as_millis()), want, "{text}");
        }
        assert_eq!(interval("0"), Err("seconds, 0.1 to 60".into()));
    }

    #[test]
    fn keys_mean_what_the_help_says() {
        let plain = KeyModifiers::NONE;
        let rows = [
            (KeyCode::Char('q'), plain, Some(Key::Quit)),
            (KeyCode::Esc, plain, Some(Key::Quit)),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Key::Quit)),
            (KeyCode::Char('c'), plain, None),
            (KeyCode::Char('p'), plain, Some(Key::Pause)),
            (KeyCode::Char(' '), plain, Some(Key::Pause)),
            (KeyCode::Enter, plain, None),
        ];
        for (code, modifiers, want) in rows {
            assert_eq!(meaning(&KeyEvent::new(code, modifiers)), want, "{code:?}");
        }
        let released = KeyEvent::new_with_kind(KeyCode::Char('q'), plain, KeyEventKind::Release);
        assert_eq!(meaning(&released), None, "terminals that tell both would toggle twice");
    }
}
