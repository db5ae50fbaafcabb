//! What the program is asked to do: its arguments, and the mix of requests.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use serde::{Serialize, Serializer};

use super::error::LoadError;

const EXAMPLES: &str = "\
Examples:
  loadgen --city fixtures/city --to 127.0.0.1:18583 --connections 8 --window 8
  loadgen --city fixtures/city --to 127.0.0.1:18583 --rate 2000 --seconds 30 --admin 127.0.0.1:18580
  loadgen --city fixtures/city --to 127.0.0.1:18585 --dialect atm --connections 4 --baseline --json
  loadgen --city DIR --to 127.0.0.1:18583 --table --baseline

Without --rate the loop is closed: each connection keeps --window requests under way and sends the next when an \
answer comes. With --rate it is open: requests are due at even distances whatever becomes of the answers, and latency \
counts from the moment a request was due.

No message is ever sent twice: numbers begin where the clock stands (pos: batch and STAN, \
200 for each millisecond; epos: a batch for each second; atm: field 7), so a later run's are above an earlier one's.

Exit codes: 0 good; 1 wrong answers (a MAC, an answer nobody asked for, a lost connection); 64 arguments or a city \
that does not fit them; 69 a switch that is not there or refuses to sign in.

How to read the figures: docs/load.md.";

/// Asks a running switch for authorizations and measures its answers.
#[derive(Clone, Debug, clap::Parser, Serialize)]
#[command(name = "loadgen", max_term_width = 110, after_help = EXAMPLES)]
pub struct Arguments {
    /// The city's folder, as the switch imported it
    #[arg(long)]
    pub city: PathBuf,
    /// The switch's port for the dialect
    #[arg(long, value_name = "ADDR")]
    pub to: SocketAddr,
    /// What is spoken
    #[arg(long, value_enum, default_value_t = Dialect::Pos)]
    pub dialect: Dialect,
    /// Connections that work, each with a terminal (atm: with one or more cash machines) of its own
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub connections: usize,
    /// Closed loop: requests under way on each connection
    #[arg(long, value_name = "W", default_value_t = 8, conflicts_with = "rate")]
    pub window: usize,
    /// How long the timed part takes
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub seconds: f64,
    /// Open loop: requests a second, all connections together
    #[arg(long, value_name = "R")]
    pub rate: Option<u64>,
    /// Further connections that send nothing
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub idle: usize,
    /// Terminals of one MAC algorithm only
    #[arg(long, value_enum)]
    pub mac: Option<Mac>,
    /// What is asked, with weights: purchase, tap (contactless without PIN), balance; atm: withdrawal, balance
    #[arg(long, value_name = "KIND=WEIGHT,…")]
    pub mix: Option<Mix>,
    /// Cards of cards.csv to look at, from the first
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub cards: usize,
    /// Room for prepared messages, MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub memory: usize,
    /// First echo the same frames without a switch, and compare
    #[arg(long)]
    pub baseline: bool,
    /// A folder on the disk of the switch's journal, to measure its sync latency; else the city's
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The switch's admin port, to read its metrics before and after
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<SocketAddr>,
    /// Run 1×1, 8×1, 8×8, 64×1 and 64×16 one after the other
    #[arg(long, conflicts_with_all = ["connections", "window", "rate", "idle"])]
    pub table: bool,
    /// Also tell latencies by when a request was sent, or due, in slices of so many milliseconds
    #[arg(long, value_name = "MS", conflicts_with = "table", value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    pub slices: Option<u64>,
    /// JSON instead of tables
    #[arg(long)]
    pub json: bool,
}

impl Arguments {
    /// Checks what no single argument shows.
    ///
    /// # Errors
    /// [`LoadError::Usage`].
    pub fn check(&self) -> Result<(), LoadError> {
        let usage = |text: &str| Err(LoadError::Usage(text.to_owned()));
        if self.connections == 0 || self.window == 0 || self.cards == 0 || self.memory == 0 {
            return usage("--connections, --window, --cards and --memory must be at least 1");
        }
        if !(0.05..=86_400.0).contains(&self.seconds) {
            return usage("--seconds must lie between 0.05 and 86400");
        }
        if self.rate.is_some_and(|rate| !(1..=10_000_000).contains(&rate)) {
            return usage("--rate must lie between 1 and 10000000");
        }
        if self.mac == Some(Mac::Ecb) && self.dialect != Dialect::Pos {
            return usage("--mac ecb is spoken by pos terminals only");
        }
        if self.mac == Some(Mac::Cbc3Des) && self.dialect != Dialect::Atm {
            return usage("--mac cbc-3des is spoken by hosts of atm only");
        }
        let mix = self.mix();
        if let Some(kind) = mix.0.iter().map(|(kind, _)| *kind).find(|kind| !kind.is_spoken(self.dialect)) {
            return usage(&format!("--mix: {} has no {kind}", self.dialect));
        }
        Ok(())
    }

    /// The mix that was asked for, or the dialect's usual one.
    #[must_use]
    pub fn mix(&self) -> Mix {
        self.mix.clone().unwrap_or_else(|| match self.dialect {
            Dialect::Pos | Dialect::Epos => Mix(vec![(Kind::Purchase, 1)]),
            Dialect::Atm => Mix(vec![(Kind::Withdrawal, 1)]),
        })
    }
}

/// What is spoken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// POS terminals.
    Pos,
    /// Telephone terminals with a PSAM.
    Epos,
    /// Hosts of cash machines.
    Atm,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pos => "pos",
            Self::Epos => "epos",
            Self::Atm => "atm",
        })
    }
}

/// How messages are authenticated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum, Serialize)]
pub enum Mac {
    /// UnionPay's XOR fold, of `pos`.
    #[value(name = "ecb")]
    #[serde(rename = "ecb")]
    Ecb,
    /// ANSI X9.19, of all dialects.
    #[value(name = "x9.19")]
    #[serde(rename = "x9.19")]
    X919,
    /// Chained triple DES, of `atm`.
    #[value(name = "cbc-3des")]
    #[serde(rename = "cbc-3des")]
    Cbc3Des,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// By stripe and PIN.
    Purchase,
    /// Contactless, without PIN.
    Tap,
    /// By stripe and PIN.
    Balance,
    /// Cash.
    Withdrawal,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Purchase, Self::Tap, Self::Balance, Self::Withdrawal];

    fn is_spoken(self, dialect: Dialect) -> bool {
        match self {
            Self::Balance => true,
            Self::Purchase | Self::Tap => dialect != Dialect::Atm,
            Self::Withdrawal => dialect == Dialect::Atm,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Purchase => "purchase",
            Self::Tap => "tap",
            Self::Balance => "balance",
            Self::Withdrawal => "withdrawal",
        })
    }
}

/// Kinds of requests with their weights.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mix(Vec<(Kind, usize)>);

/// Largest weight; a mix repeats after all its weights.
const WEIGHT_MAX: usize = 1000;

impl Mix {
    /// The kinds in the order in which they are asked, round and round; each as often as its weight, spread evenly.
    #[must_use]
    pub fn round(&self) -> Vec<Kind> {
        let total: usize = self.0.iter().map(|(_, weight)| weight).sum();
        let mut given = vec![0; self.0.len()];
        (1..=total)
            .map(|turn| {
                // The kind that is furthest behind its share of the turns so far.
                let behind = |at: usize| (turn * self.0[at].1).abs_diff(given[at] * total);
                let may = |at: &usize| turn * self.0[*at].1 >= given[*at] * total;
                let at = (0..self.0.len()).filter(may).max_by_key(|at| (behind(*at), usize::MAX - at));
                let at = at.unwrap_or_default();
                given[at] += 1;
                self.0[at].0
            })
            .collect()
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = |name: &str| Kind::ALL.into_iter().find(|kind| kind.to_string() == name);
        let part = |part: &str| {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let kind = kind(name.trim())
                .ok_or_else(|| "kinds are purchase, tap, balance and withdrawal".to_owned())?;
            let weight = weight.trim().parse().ok().filter(|weight| (1..=WEIGHT_MAX).contains(weight));
            Ok((kind, weight.ok_or_else(|| format!("a weight is a number from 1 to {WEIGHT_MAX}"))?))
        };
        text.split(',').map(part).collect::<Result<_, String>>().map(Self)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (kind, weight)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{kind}={weight}")?;
        }
        Ok(())
    }
}

impl Serialize for Mix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use clap::{CommandFactory, Parser};

    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        let all = format!("loadgen --city c --to 127.0.0.1:1 {line}");
        let arguments =
            Arguments::try_parse_from(all.split_whitespace()).map_err(|error| error.to_string())?;
        arguments.check().map_err(|error| error.to_string())?;
        Ok(arguments)
    }

    #[test]
    fn arguments_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (line, named) in [
            ("--connections 0", "--connections"),
            ("--window 0", "--window"),
            ("--seconds 0", "--seconds"),
            ("--rate 0", "--rate"),
            ("--rate 10 --window 2", "--window"),
            ("--table --connections 2", "--connections"),
            ("--mac cbc-3des", "--mac"),
            ("--dialect epos --mac ecb", "--mac"),
            ("--mix withdrawal", "--mix"),
            ("--dialect atm --mix tap=1", "--mix"),
            ("--mix loan=1", "--mix"),
            ("--mix tap=0", "--mix"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn a_mix_is_spread_evenly() {
        let round = |line: &str| {
            let kinds = parsed(line).unwrap().mix().round();
            kinds.iter().map(|kind| kind.to_string()[..1].to_owned()).collect::<String>()
        };
        assert_eq!(round(""), "p");
        assert_eq!(round("--dialect atm"), "w");
        assert_eq!(round("--mix purchase=2,balance=2"), "pbpb");
        assert_eq!(round("--mix purchase=4,tap=2,balance"), "ptpbptp");
        let long = round("--mix purchase=90,balance=10");
        assert_eq!(long.matches('b').count(), 10);
        assert!(long.split('b').all(|run| run.len() <= 9), "{long}");
    }
}
