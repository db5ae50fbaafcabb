//! `cardswitch city`: a city folder of any size, for load tests and benchmarks.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{Failure, progress::Progress};
use crate::{
    city::{
        City, CityError, KeyFile,
        generate::{CARDS_MAX, CONFIG, GenerateError, Plan, TERMINALS_MAX, generate},
    },
    clock::stopwatch,
};

/// Arguments of `city`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch city generate --cards 1000000 --terminals 1000 --out big\n  \
                        cardswitch city check big"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Write a city of this size: cards, terminals, PSAMs, keys, rules and a configuration
    Generate(Generate),
    /// Read everything in a city folder, check it, and count it
    Check(Check),
}

/// Arguments of `city generate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch city generate --cards 10000 --terminals 64 --psams 16 --out town\n  cardswitch city \
                  generate --cards 10000000 --terminals 100000 --psams 100000 --seed 7 --out metropolis\n  cardswitch serve \
                  --config town/cardswitch.toml\n\nThe same arguments give the same files. The keys are derived from the seed: \
                  test keys, like everything else in the folder invented. cardswitch.toml is written last; a folder without \
                  it is not whole. Ten million cards take about 1.2 GB."
)]
struct Generate {
    /// Cards, 1 to 50000000
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=CARDS_MAX))]
    cards: u64,
    /// POS terminals and cash machines, up to 500000: of every 16, 14 and 2, one of each of two acquirers
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(0..=TERMINALS_MAX))]
    terminals: u64,
    /// PSAMs, up to 500000, each in a telephone terminal of its own
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(0..=TERMINALS_MAX))]
    psams: u64,
    /// What everything is drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The folder, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Arguments of `city check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch city check fixtures/city\n  cardswitch city check town\n\nSettings are checked by \
                  `cardswitch check-config`."
)]
struct Check {
    /// The city's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.action {
        Action::Generate(args) => write_city(args, out),
        Action::Check(args) => check(&args.dir, out),
    }
}

fn write_city(args: &Generate, out: &mut dyn Write) -> Result<(), Failure> {
    let Generate { cards, terminals, psams, seed, .. } = *args;
    let plan = Plan { cards, terminals, psams, seed };
    let begun = stopwatch();
    generate(&plan, &args.out, &mut Progress::of(plan.rows(), "rows").callback()).map_err(
        |error| match error {
            GenerateError::Write { .. } => Failure::of(&error),
            _ => Failure::usage(&error),
        },
    )?;
    let rate = rate(plan.rows(), begun.elapsed());
    let config = args.out.join(CONFIG);
    writeln!(out, "{cards} cards, {terminals} terminals, {psams} PSAMs{rate}\nStart the switch on them with:")
        .and_then(|()| writeln!(out, "  cardswitch serve --config {}", config.display()))
        .map_err(|error| Failure::of(&error))
}

fn check(dir: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let begun = stopwatch();
    let (city, cards) = read(dir).map_err(|error| Failure::usage(&error))?;
    let (terminals, psams) = (city.terminals.len(), city.psams.len());
    let rate = rate(cards + (terminals + psams) as u64, begun.elapsed());
    writeln!(out, "{} is good: {cards} cards, {terminals} terminals, {psams} PSAMs{rate}", dir.display())
        .map_err(|error| Failure::of(&error))
}

fn read(dir: &Path) -> Result<(City, u64), CityError> {
    let keys = KeyFile::open(&dir.join("keys.toml"))?;
    let city = City::open(dir)?;
    city.check_keys(&keys)?;
    city.rules()?;
    let mut progress = Progress::new("cards");
    let mut read = progress.callback();
    let rows = city.cards()?;
    if let KeyFile::Live(_) = keys {
        rows.refuse_test_cards()?;
    }
    let mut cards = 0;
    for card in rows {
        card?;
        cards += 1;
        read(cards);
    }
    drop(read);
    Ok((city, cards))
}

/// How long something took and how fast it was, for the end of a line.
fn rate(rows: u64, took: std::time::Duration) -> String {
    let per_second = u128::from(rows) * 1000 / took.as_millis().max(1);
    format!("; {}.{} s, {per_second} rows/s", took.as_secs(), took.subsec_millis() / 100)
}
