//! `cardswitch rules generate`: an invented data set, for a backtest.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use crate::{
    backtest::{Plan, generate},
    cli::{Failure, progress::Progress},
};

/// Arguments of `rules generate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch rules generate --out data.csv\n  cardswitch rules generate --transactions 1750000 --cards \
                  20000 --seed 7 --out big.csv\n  cardswitch rules backtest --rules fixtures/rules/velocity.toml --against \
                  data.csv --map fixtures/rules/generated-map.toml\n\nThe same arguments give the same file. Everything in it \
                  is invented; a million rows take about 70 MB."
)]
pub(super) struct Args {
    /// Transactions
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    transactions: u64,
    /// Cards
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    cards: u64,
    /// Terminals; every merchant has four
    #[arg(long, value_name = "N", default_value_t = 800, value_parser = clap::value_parser!(u64).range(4..=1_000_000))]
    terminals: u64,
    /// Days that they are spread over
    #[arg(long, value_name = "N", default_value_t = 180, value_parser = clap::value_parser!(u64).range(1..=3_650))]
    days: u64,
    /// What everything is drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The file; nothing is overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let Args { transactions, cards, terminals, days, seed, .. } = *args;
    let plan = Plan { transactions, cards, terminals, days, seed };
    let failed = |error: std::io::Error| super::at(&args.out, &error);
    let mut file = BufWriter::new(File::create_new(&args.out).map_err(failed)?);
    generate(&plan, &mut file, &mut Progress::of(transactions, "rows").callback()).map_err(failed)?;
    file.flush().map_err(failed)?;
    super::tell(out, &format!("{transactions} transactions of {cards} cards in {}", args.out.display()))
}
