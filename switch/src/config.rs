//! The configuration: one TOML file, overridden by the environment, checked before a port opens.
//!
//! A setting that is unknown, missing, of the wrong kind or out of range is an error that begins with its dotted
//! name. Nothing here opens a port or makes a folder; which keys the key file holds is for [`crate::city`] to say.
//!
//! Start at [`Config::load`]. Every setting, with its default, stands in `fixtures/city/cardswitch.toml`.

mod listeners;
mod notices;
mod settings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use listeners::{AtmListener, BitmapForm, CONNECT_MAX, EposListener, LengthForm};
pub use notices::{Audience, NoticeFile, Notices, Smtp, Webhook};
pub use settings::{ConfigError, ConfigProblem, Place};
use settings::{Count, Settings, count, dotted};

/// Exit code of a process whose configuration is wrong: `EX_USAGE` of BSD's sysexits.
pub const EXIT_USAGE: u8 = 64;

/// What the name of an environment variable that overrides a setting begins with.
pub const ENV_PREFIX: &str = "CARDSWITCH__";

/// All settings, checked. Holds no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// `[data]`: where the journal lives.
    pub data: Data,
    /// `[city]`: what an empty journal imports.
    pub city: CitySource,
    /// `[admin]`: the admin interface.
    pub admin: Admin,
    /// `[pos]`: the listener for `pos` terminals.
    pub pos: Pos,
    /// `[epos]`: the listener for `epos` terminals.
    pub epos: EposListener,
    /// `[atm]`: the listener for ATM hosts, and the hosts to dial.
    pub atm: AtmListener,
    /// `[limits]`: of connections and requests.
    pub limits: Limits,
    /// `[journal]`: how it is written.
    pub journal: Journal,
    /// `[orders]`: whose orders count.
    pub orders: Orders,
    /// `[books]`: limits that shape state.
    pub books: Books,
    /// `[notices]`: who is told of what leaves the outbox.
    pub notices: Notices,
    /// `[settlement]`: the business day.
    pub settlement: Settlement,
    /// `[time]`: the zone.
    pub time: Time,
    /// `[hsm]`: which one, with which keys.
    pub hsm: Hsm,
    /// `[log]`: how much and in which form.
    pub log: Log,
}

/// `[data]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Data {
    /// Folder of the journal and its checkpoints; may not exist yet.
    pub dir: PathBuf,
}

/// `[city]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CitySource {
    /// Folder of the city's files; read only when the journal is empty.
    pub dir: PathBuf,
}

/// `[admin]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    /// Address and port.
    pub listen: SocketAddr,
}

/// `[pos]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pos {
    /// Address and port.
    pub listen: SocketAddr,
    /// Connections open at once.
    pub connections: usize,
    /// The network in front of the listener is private, so terminals with the forgeable MAC are served.
    pub private: bool,
}

/// `[limits]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections of one source open at once.
    pub connections_per_source: usize,
    /// Time a new connection has for its first frame that makes sense.
    pub first_frame: Duration,
    /// Longest frame, bytes, without its length header.
    pub frame_bytes: usize,
    /// Time a peer has to finish a frame it began.
    pub frame_finish: Duration,
    /// Requests under way in the whole switch.
    pub permits: usize,
    /// Requests of one source under way.
    pub permits_per_source: usize,
    /// Requests under way of all connections that have proved nothing.
    pub unproven_permits: usize,
    /// Requests of one connection under way before its socket is no longer read.
    pub connection_window: usize,
    /// Bytes of unread answers after which a peer is disconnected.
    pub outbox_bytes: usize,
    /// Time without a frame after which a connection is closed.
    pub idle: Duration,
}

/// `[journal]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Journal {
    /// Milliseconds by which the anchor may be synced behind its commit.
    pub anchor_lag_ms: u32,
    /// Records from one checkpoint to the next.
    pub checkpoint_records: u64,
    /// Longest extent, bytes.
    pub extent_bytes: usize,
    /// Folder of the archive; without one it is `archive` in the data folder.
    pub archive: Option<PathBuf>,
    /// Days after which a segment leaves the archive; 0 is never.
    pub archive_days: u32,
    /// File outside the data folder that the head is told to, if it is told.
    pub head_copy: Option<PathBuf>,
    /// Folder of the mirror, if there is one.
    pub mirror: Option<PathBuf>,
    /// How long an answer waits for the mirror; zero is not at all.
    pub mirror_wait: Duration,
}

/// `[orders]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Orders {
    /// The file of officers; without it, nobody's order counts.
    pub officers: Option<PathBuf>,
}

/// `[books]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Books {
    /// How long an answered request is remembered.
    pub duplicate_window: Duration,
    /// Answered requests remembered in all.
    pub duplicates_max: u32,
    /// Answered requests remembered for one terminal.
    pub duplicates_per_terminal: u32,
    /// Wrong PINs in a row after which the PIN is blocked.
    pub pin_tries_max: u8,
    /// Sign-ins of one terminal in a minute.
    pub sign_ins_per_minute: u16,
    /// How long a terminal's previous MAC key still verifies.
    pub key_overlap: Duration,
    /// Days after a purchase in which it may be refunded.
    pub refund_days: u16,
    /// Approved transactions kept for voids, refunds and completions.
    pub originals_max: u32,
    /// Notices to cardholders and to card management kept for delivery.
    pub notices_max: u32,
}

/// `[settlement]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settlement {
    /// Minute of the day, 0 to 1439 in the zone of [`Time`], at which the business day changes by itself.
    pub cut_over_minute: u16,
}

/// `[time]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Time {
    /// Name in the IANA time zone database; it was found there.
    pub zone: String,
}

/// `[hsm]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hsm {
    /// Which HSM.
    pub mode: HsmMode,
    /// File of keys; it could be opened.
    pub keys: PathBuf,
    /// Component files of the local master key; two to nine with [`HsmMode::Live`], none else.
    pub components: Vec<PathBuf>,
    /// Component files of the local master key before it, whose key blocks are still opened and wrapped anew at the
    /// start; may be none.
    pub previous_components: Vec<PathBuf>,
}

/// Most component files of a key.
pub const COMPONENTS_MAX: usize = 9;

/// Which HSM the switch uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HsmMode {
    /// The software HSM in this process under the well-known test LMK.
    Test,
    /// The software HSM in this process under a local master key of components.
    Live,
}

/// `[log]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    /// Least important level written.
    pub level: LogLevel,
    /// Form of a line.
    pub format: LogFormat,
}

/// Importance of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Someone may have to act.
    Warn,
    /// Something happened.
    Info,
    /// For finding faults.
    Debug,
    /// Everything.
    Trace,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const POS_CONNECTIONS: Count = count("pos.connections", 4096, 1, 65_536);
const CONNECTIONS_PER_SOURCE: Count = count("limits.connections_per_source", 1024, 1, 65_536);
const FIRST_FRAME_S: Count = count("limits.first_frame_s", 60, 1, 7 * 86_400);
// The length header of the `pos` frame has two bytes.
const FRAME_BYTES: Count = count("limits.frame_bytes", 4096, 256, 65_535);
const FRAME_FINISH_S: Count = count("limits.frame_finish_s", 10, 1, 600);
const PERMITS: Count = count("limits.permits", 16_384, 1, 1 << 20);
const PERMITS_PER_SOURCE: Count = count("limits.permits_per_source", 8192, 1, 1 << 20);
const UNPROVEN_PERMITS: Count = count("limits.unproven_permits", 64, 1, 1 << 20);
const CONNECTION_WINDOW: Count = count("limits.connection_window", 128, 1, 65_536);
const OUTBOX_BYTES: Count = count("limits.outbox_bytes", 1 << 18, 4096, 1 << 24);
const IDLE_S: Count = count("limits.idle_s", 3600, 1, 7 * 86_400);
const ANCHOR_LAG_MS: Count = count("journal.anchor_lag_ms", 10, 0, 60_000);
const CHECKPOINT_RECORDS: Count = count("journal.checkpoint_records", 10_000_000, 1, 1 << 40);
// The store moves larger values to files it never synchronises.
const EXTENT_BYTES: Count = count("journal.extent_bytes", 65_536, 16_456, 65_536);
const ARCHIVE_DAYS: Count = count("journal.archive_days", 0, 0, 36_500);
const MIRROR_WAIT_MS: Count = count("journal.mirror_wait_ms", 1_000, 0, 60_000);
const DUPLICATE_WINDOW_H: Count = count("books.duplicate_window_h", 24, 2, 168);
const DUPLICATES_MAX: Count = count("books.duplicates_max", 1 << 20, 1, 1 << 24);
const DUPLICATES_PER_TERMINAL: Count = count("books.duplicates_per_terminal", 4096, 16, 1 << 20);
const PIN_TRIES_MAX: Count = count("books.pin_tries_max", 3, 1, 10);
const SIGN_INS_PER_MINUTE: Count = count("books.sign_ins_per_minute", 30, 1, 6000);
const KEY_OVERLAP_MIN: Count = count("books.key_overlap_min", 60, 0, 1440);
const REFUND_DAYS: Count = count("books.refund_days", 30, 1, 366);
const ORIGINALS_MAX: Count = count("books.originals_max", 1 << 20, 16, 1 << 24);
const NOTICES_MAX: Count = count("books.notices_max", 65_536, 16, 1 << 20);

impl Config {
    /// Reads `path` with the overrides of this process's environment.
    ///
    /// # Errors
    /// As [`Config::load`]; also an override that is not UTF-8.
    pub fn from_file_and_env(path: &Path) -> Result<Self, ConfigError> {
        // Not `vars()`, which panics when any variable, ours or not, is not UTF-8.
        let mut overrides = Vec::new();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if !name.starts_with(ENV_PREFIX) {
                continue;
            }
            let value = value.into_string().map_err(|_| ConfigError {
                key: dotted(&name),
                problem: ConfigProblem::NotA("UTF-8 text"),
                place: Place::Environment(name.clone()),
            })?;
            overrides.push((name, value));
        }
        Self::load(path, overrides.into_iter())
    }

    /// Reads `path`, then applies those overrides whose name begins with [`ENV_PREFIX`]; others are not looked at.
    ///
    /// Relative paths count from the folder of `path`.
    ///
    /// # Errors
    /// The first setting that is missing or breaks its rule, else the first that is unknown.
    pub fn load(path: &Path, overrides: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut settings = Settings::read(path, overrides)?;
        let config = Self::from_settings(&mut settings)?;
        settings.refuse_unknown()?;
        Ok(config)
    }

    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            data: Data { dir: settings.path("data.dir", "the folder of the journal")? },
            city: CitySource { dir: settings.path("city.dir", "the folder of the city's files")? },
            admin: Admin { listen: settings.address("admin.listen", "127.0.0.1:18580")? },
            pos: Pos {
                listen: settings.address("pos.listen", "127.0.0.1:18583")?,
                connections: settings.count(POS_CONNECTIONS)?,
                private: settings.flag("pos.private", true)?,
            },
            epos: EposListener::from_settings(settings)?,
            atm: AtmListener::from_settings(settings)?,
            limits: Limits::from_settings(settings)?,
            journal: Journal {
                anchor_lag_ms: settings.count(ANCHOR_LAG_MS)?,
                checkpoint_records: settings.count(CHECKPOINT_RECORDS)?,
                extent_bytes: settings.count(EXTENT_BYTES)?,
                head_copy: settings.path_if_given("journal.head_copy")?,
                mirror: settings.path_if_given("journal.mirror")?,
                mirror_wait: Duration::from_millis(settings.count(MIRROR_WAIT_MS)?),
                archive: settings.path_if_given("journal.archive")?,
                archive_days: settings.count(ARCHIVE_DAYS)?,
            },
            orders: Orders { officers: settings.path_if_given("orders.officers")? },
            books: Books::from_settings(settings)?,
            notices: Notices::from_settings(settings)?,
            settlement: Settlement {
                cut_over_minute: settings.minute_of_day("settlement.cut_over", "00:00")?,
            },
            time: Time { zone: settings.zone("time.zone", "Asia/Shanghai")? },
            hsm: Hsm::from_settings(settings)?,
            log: Log::from_settings(settings)?,
        })
    }
}

impl Config {
    /// Connections that may be open at once, on all listeners and to dialled hosts.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.pos.connections + self.epos.connections + self.atm.connections + self.atm.connect.len()
    }
}

impl Limits {
    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            connections_per_source: settings.count(CONNECTIONS_PER_SOURCE)?,
            first_frame: Duration::from_secs(settings.count(FIRST_FRAME_S)?),
            frame_bytes: settings.count(FRAME_BYTES)?,
            frame_finish: Duration::from_secs(settings.count(FRAME_FINISH_S)?),
            permits: settings.count(PERMITS)?,
            permits_per_source: settings.count(PERMITS_PER_SOURCE)?,
            unproven_permits: settings.count(UNPROVEN_PERMITS)?,
            connection_window: settings.count(CONNECTION_WINDOW)?,
            outbox_bytes: settings.count(OUTBOX_BYTES)?,
            idle: Duration::from_secs(settings.count(IDLE_S)?),
        })
    }
}

impl Books {
    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            duplicate_window: Duration::from_secs(3600 * settings.count::<u64>(DUPLICATE_WINDOW_H)?),
            duplicates_max: settings.count(DUPLICATES_MAX)?,
            duplicates_per_terminal: settings.count(DUPLICATES_PER_TERMINAL)?,
            pin_tries_max: settings.count(PIN_TRIES_MAX)?,
            sign_ins_per_minute: settings.count(SIGN_INS_PER_MINUTE)?,
            key_overlap: Duration::from_secs(60 * settings.count::<u64>(KEY_OVERLAP_MIN)?),
            refund_days: settings.count(REFUND_DAYS)?,
            originals_max: settings.count(ORIGINALS_MAX)?,
            notices_max: settings.count(NOTICES_MAX)?,
        })
    }
}

impl Hsm {
    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        const RULE: &str = "\"test\" or \"live\"";
        const LIVE: &str =
            "two to nine component files in quotes, such as [\"1.component\", \"2.component\"]";
        const TEST: &str = "an empty list with hsm.mode = \"test\", whose LMK has no components";
        const PREVIOUS: &str = "two to nine component files in quotes, or an empty list";
        let mode = settings.word("hsm.mode", &[("test", HsmMode::Test), ("live", HsmMode::Live)], RULE)?;
        let mode = settings.required("hsm.mode", RULE, mode)?;
        let keys = settings.readable_file("hsm.keys", "the file of keys")?;
        let (present, previous) = match mode {
            HsmMode::Test => ((0..=0, TEST), (0..=0, TEST)),
            HsmMode::Live => ((2..=COMPONENTS_MAX, LIVE), (0..=COMPONENTS_MAX, PREVIOUS)),
        };
        let components = settings.paths("hsm.components", present.0, present.1)?;
        let previous_components = settings.paths("hsm.previous_components", previous.0, previous.1)?;
        Ok(Self { mode, keys, components, previous_components })
    }
}

impl Log {
    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        let levels = [
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
            ("trace", LogLevel::Trace),
        ];
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let level =
            settings.word("log.level", &levels, "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"")?;
        let format = settings.word("log.format", &formats, "\"text\" or \"json\"")?;
        Ok(Self { level: level.unwrap_or(LogLevel::Info), format: format.unwrap_or(LogFormat::Text) })
    }
}

#[cfg(test)]
mod tests;
