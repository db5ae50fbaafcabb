//! Settings by their dotted names: what the file and the environment say, read one kind at a time.
//!
//! Which settings there are, and what they mean, is for [`super`] to say. Start at [`Settings::read`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use arrayvec::ArrayString;
use toml::Value;

use super::ENV_PREFIX;

/// Which setting is wrong, which rule it breaks, and where to correct it.
///
/// Its text begins with the dotted name of the setting, or with the file's name if the file as a whole is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {problem}; correct it in {place}")]
pub struct ConfigError {
    /// The setting, `section.key`; the file if it could not be read at all.
    pub key: String,
    /// The rule.
    pub problem: ConfigProblem,
    /// Where the value came from, or would have to stand.
    pub place: Place,
}

/// The rule a setting breaks.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// No such setting.
    #[error("is not a setting; there are {0}")]
    Unknown(String),
    /// A required setting is not there.
    #[error("is required and missing; it is {0}")]
    Missing(&'static str),
    /// A value of another kind, or text that does not read as one.
    #[error("must be {0}")]
    NotA(&'static str),
    /// A number too low or too high.
    #[error("must be a whole number from {min} to {max}")]
    OutOfRange {
        /// Lowest allowed.
        min: i64,
        /// Highest allowed.
        max: i64,
    },
    /// The file itself, or one that a setting names.
    #[error("the file cannot be read ({0})")]
    Unreadable(std::io::ErrorKind),
    /// The file is not TOML.
    #[error("is not TOML at line {0}")]
    Syntax(usize),
}

/// Where a value is set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// In the configuration file.
    File(PathBuf),
    /// In this environment variable.
    Environment(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// A whole-number setting: its name, its default, and the lowest and highest value allowed.
#[derive(Clone, Copy)]
pub(super) struct Count {
    pub(super) key: &'static str,
    default: i64,
    pub(super) min: i64,
    pub(super) max: i64,
}

/// A setting that is checked, when compiled, to have its default in its range.
pub(super) const fn count(key: &'static str, default: i64, min: i64, max: i64) -> Count {
    assert!(min <= default && default <= max);
    Count { key, default, min, max }
}

/// A value as it was given.
enum Given {
    File(Value),
    /// Text that may be a TOML value; it is one unless a plain string was asked for.
    Environment(String),
}

/// What the file and the environment say, by dotted name. Reading a setting takes it out.
pub(super) struct Settings {
    file: PathBuf,
    given: BTreeMap<String, (Given, Place)>,
    /// Sections without a setting; only their name can be wrong.
    empty: Vec<String>,
    known: Vec<&'static str>,
}

impl Settings {
    pub(super) fn read(
        path: &Path,
        overrides: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let place = || Place::File(path.to_owned());
        let whole_file = |problem| ConfigError { key: path.display().to_string(), problem, place: place() };
        let text =
            std::fs::read_to_string(path).map_err(|err| whole_file(ConfigProblem::Unreadable(err.kind())))?;
        let table: toml::Table = text.parse().map_err(|err: toml::de::Error| {
            let start = err.span().map_or(0, |span| span.start.min(text.len()));
            let line = 1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
            whole_file(ConfigProblem::Syntax(line))
        })?;
        let (mut given, mut empty) = (BTreeMap::new(), Vec::new());
        for (section, settings) in table {
            let Value::Table(settings) = settings else {
                // A setting outside any section is unknown under its bare name.
                given.insert(section, (Given::File(settings), place()));
                continue;
            };
            if settings.is_empty() {
                empty.push(section.clone());
            }
            for (key, value) in settings {
                given.insert(format!("{section}.{key}"), (Given::File(value), place()));
            }
        }
        for (name, value) in overrides.filter(|(name, _)| name.starts_with(ENV_PREFIX)) {
            given.insert(dotted(&name), (Given::Environment(value), Place::Environment(name)));
        }
        Ok(Self { file: path.to_owned(), given, empty, known: Vec::new() })
    }

    fn take(&mut self, key: &'static str) -> Option<(Given, Place)> {
        self.known.push(key);
        self.given.remove(key)
    }

    /// Reads a setting of one kind: `parse` sees the value and says whether it is of that kind.
    fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(Given) -> Result<T, ConfigProblem>,
    ) -> Result<Option<T>, ConfigError> {
        let Some((given, place)) = self.take(key) else { return Ok(None) };
        parse(given).map(Some).map_err(|problem| ConfigError { key: key.to_owned(), problem, place })
    }

    pub(super) fn required<T>(
        &self,
        key: &'static str,
        what: &'static str,
        value: Option<T>,
    ) -> Result<T, ConfigError> {
        value.ok_or_else(|| ConfigError {
            key: key.to_owned(),
            problem: ConfigProblem::Missing(what),
            place: Place::File(self.file.clone()),
        })
    }

    pub(super) fn count<T: TryFrom<i64>>(&mut self, count: Count) -> Result<T, ConfigError> {
        let Count { key, default, min, max } = count;
        let parsed = self.parsed(key, |given| match given.value() {
            Value::Integer(number) if (min..=max).contains(&number) => {
                T::try_from(number).map_err(|_| ConfigProblem::OutOfRange { min, max })
            }
            _ => Err(ConfigProblem::OutOfRange { min, max }),
        })?;
        // INVARIANT: every default lies in its range (asserted where it is declared) and every range in its type.
        Ok(parsed.unwrap_or_else(|| T::try_from(default).ok().expect("a default fits its type")))
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, ConfigError> {
        let parsed =
            self.parsed(key, |given| given.value().as_bool().ok_or(ConfigProblem::NotA("true or false")))?;
        Ok(parsed.unwrap_or(default))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        rule: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        self.parsed(key, |given| {
            let text = given.text(rule)?;
            words.iter().find(|(word, _)| *word == text).map(|(_, t)| *t).ok_or(ConfigProblem::NotA(rule))
        })
    }

    pub(super) fn address(
        &mut self,
        key: &'static str,
        default: &'static str,
    ) -> Result<SocketAddr, ConfigError> {
        const RULE: &str = "an address and a port in quotes, such as \"127.0.0.1:18583\"";
        let parse = |text: &str| text.parse().map_err(|_| ConfigProblem::NotA(RULE));
        let parsed = self.parsed(key, |given| parse(&given.text(RULE)?))?;
        // INVARIANT: every default is an address; the test of defaults reads them.
        Ok(parsed.unwrap_or_else(|| parse(default).expect("a default address is one")))
    }

    /// Addresses to dial, none unless given; `rule` names `max` in words.
    pub(super) fn addresses(
        &mut self,
        key: &'static str,
        max: usize,
        rule: &'static str,
    ) -> Result<Vec<SocketAddr>, ConfigError> {
        // Port 0 is for listening: it stands for any free port, and no host is there.
        let dialled = |value: &Value| -> Option<SocketAddr> {
            value.as_str()?.parse().ok().filter(|address: &SocketAddr| address.port() != 0)
        };
        let parsed = self.parsed(key, |given| {
            let value = given.value();
            let list = value.as_array().filter(|list| list.len() <= max);
            list.and_then(|list| list.iter().map(dialled).collect()).ok_or(ConfigProblem::NotA(rule))
        })?;
        Ok(parsed.unwrap_or_default())
    }

    /// An institution as F32 and F33 name it.
    pub(super) fn institution(
        &mut self,
        key: &'static str,
        default: &'static str,
    ) -> Result<ArrayString<11>, ConfigError> {
        const RULE: &str = "1 to 11 digits in quotes, such as \"31000000\"";
        let parse = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            ArrayString::from(text).ok().filter(|_| digits).ok_or(ConfigProblem::NotA(RULE))
        };
        let parsed = self.parsed(key, |given| parse(&given.text(RULE)?))?;
        // INVARIANT: the default is an institution; the test of defaults reads it.
        Ok(parsed.unwrap_or_else(|| parse(default).expect("a default institution is one")))
    }

    /// A time of day, as minutes from midnight.
    pub(super) fn minute_of_day(
        &mut self,
        key: &'static str,
        default: &'static str,
    ) -> Result<u16, ConfigError> {
        const RULE: &str = "a time of day as \"HH:MM\", from \"00:00\" to \"23:59\"";
        let parsed =
            self.parsed(key, |given| minutes(&given.text(RULE)?).ok_or(ConfigProblem::NotA(RULE)))?;
        // INVARIANT: the default is a time of day; the test of defaults reads it.
        Ok(parsed.unwrap_or_else(|| minutes(default).expect("a default time of day is one")))
    }

    /// A required path, counted from the folder of the configuration file.
    pub(super) fn path(&mut self, key: &'static str, what: &'static str) -> Result<PathBuf, ConfigError> {
        let parsed = self.parsed(key, |given| match given.text("a path in quotes")? {
            empty if empty.is_empty() => Err(ConfigProblem::NotA("a path in quotes")),
            path => Ok(path),
        })?;
        let path = self.required(key, what, parsed)?;
        Ok(self.file.parent().unwrap_or(Path::new("")).join(path))
    }

    /// A path, counted from the folder of the configuration file; none if it is left out or empty.
    pub(super) fn path_if_given(&mut self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        let parsed = self.parsed(key, |given| given.text("a path in quotes"))?;
        let path = parsed.filter(|path| !path.is_empty());
        Ok(path.map(|path| self.file.parent().unwrap_or(Path::new("")).join(path)))
    }

    /// A text of a form; none if it is left out or empty.
    pub(super) fn text_if_given(
        &mut self,
        key: &'static str,
        rule: &'static str,
        has_form: impl FnOnce(&str) -> bool,
    ) -> Result<Option<String>, ConfigError> {
        let parsed = self.parsed(key, |given| match given.text(rule)? {
            text if text.is_empty() || has_form(&text) => Ok(text),
            _ => Err(ConfigProblem::NotA(rule)),
        })?;
        Ok(parsed.filter(|text| !text.is_empty()))
    }

    /// A list of paths, counted from the folder of the configuration file; empty unless given.
    pub(super) fn paths(
        &mut self,
        key: &'static str,
        counts: RangeInclusive<usize>,
        rule: &'static str,
    ) -> Result<Vec<PathBuf>, ConfigError> {
        let place = self.given.get(key).map(|(_, place)| place.clone());
        let folder = self.file.parent().unwrap_or(Path::new("")).to_owned();
        let path =
            |value: &Value| value.as_str().filter(|path| !path.is_empty()).map(|path| folder.join(path));
        let parsed = self.parsed(key, |given| {
            let value = given.value();
            value.as_array().and_then(|list| list.iter().map(path).collect()).ok_or(ConfigProblem::NotA(rule))
        })?;
        let paths: Vec<PathBuf> = parsed.unwrap_or_default();
        if counts.contains(&paths.len()) {
            return Ok(paths);
        }
        let problem = if place.is_some() { ConfigProblem::NotA(rule) } else { ConfigProblem::Missing(rule) };
        let place = place.unwrap_or_else(|| Place::File(self.file.clone()));
        Err(ConfigError { key: key.to_owned(), problem, place })
    }

    pub(super) fn readable_file(
        &mut self,
        key: &'static str,
        what: &'static str,
    ) -> Result<PathBuf, ConfigError> {
        let place = self.given.get(key).map(|(_, place)| place.clone());
        let path = self.path(key, what)?;
        let opened = std::fs::File::open(&path).and_then(|file| file.metadata());
        let problem = match opened {
            Ok(metadata) if metadata.is_file() => return Ok(path),
            Ok(_) => ConfigProblem::NotA("a file"),
            Err(err) => ConfigProblem::Unreadable(err.kind()),
        };
        let place = place.unwrap_or_else(|| Place::File(self.file.clone()));
        Err(ConfigError { key: key.to_owned(), problem, place })
    }

    pub(super) fn zone(&mut self, key: &'static str, default: &str) -> Result<String, ConfigError> {
        const RULE: &str = "a zone of the IANA time zone database, such as \"Asia/Shanghai\"";
        let parsed = self.parsed(key, |given| {
            let zone = given.text(RULE)?;
            jiff::tz::TimeZone::get(&zone).map(|_| zone).map_err(|_| ConfigProblem::NotA(RULE))
        })?;
        Ok(parsed.unwrap_or_else(|| default.to_owned()))
    }

    /// The settings asked for so far.
    #[cfg(test)]
    pub(super) fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// Every known setting has been taken by now, so what is left is unknown.
    pub(super) fn refuse_unknown(mut self) -> Result<(), ConfigError> {
        let of = |section: &str| -> Vec<&str> {
            self.known.iter().filter(|key| section_of(key) == section).copied().collect()
        };
        let misnamed = self.empty.iter().find(|section| of(section).is_empty()).cloned();
        let (key, place) = match self.given.pop_first() {
            Some((key, (_, place))) => (key, place),
            None => match misnamed {
                Some(section) => (section, Place::File(self.file.clone())),
                None => return Ok(()),
            },
        };
        let mut there = of(section_of(&key));
        if there.is_empty() {
            there.clone_from(&self.known);
        }
        Err(ConfigError { key, problem: ConfigProblem::Unknown(there.join(", ")), place })
    }
}

impl Given {
    fn value(self) -> Value {
        match self {
            Self::File(value) => value,
            Self::Environment(text) => text.parse().unwrap_or(Value::String(text)),
        }
    }

    /// The text of a string setting. In the environment its quotes may be left out.
    fn text(self, rule: &'static str) -> Result<String, ConfigProblem> {
        match self {
            Self::File(Value::String(text)) => Ok(text),
            Self::File(_) => Err(ConfigProblem::NotA(rule)),
            Self::Environment(text) => match text.parse() {
                Ok(Value::String(unquoted)) => Ok(unquoted),
                _ => Ok(text),
            },
        }
    }
}

/// `CARDSWITCH__LIMITS__IDLE_S` → `limits.idle_s`. Only upper case names a setting.
pub(super) fn dotted(variable: &str) -> String {
    let name = variable.strip_prefix(ENV_PREFIX).unwrap_or(variable);
    if name.chars().any(char::is_lowercase) {
        return variable.to_owned();
    }
    name.to_lowercase().replacen("__", ".", 1)
}

/// `04:30` → 270.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let part = |text: &str, below: u16| -> Option<u16> {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| digits && *number < below)
    };
    Some(60 * part(hour, 24)? + part(minute, 60)?)
}

fn section_of(key: &str) -> &str {
    key.split_once('.').map_or("", |(section, _)| section)
}
