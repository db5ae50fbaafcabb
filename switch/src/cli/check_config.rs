//! `cardswitch check-config`: everything a start would check, without opening a port or touching the data folder.

use std::{io::Write, path::PathBuf};

use super::Failure;
use crate::{
    city::{City, CityError, KeyFile},
    config::Config,
    keys, notices,
};

/// Arguments of `check-config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cardswitch check-config fixtures/city/cardswitch.toml")]
pub(super) struct Args {
    /// The configuration file
    file: PathBuf,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let config = Config::from_file_and_env(&args.file).map_err(|error| Failure::usage(&error))?;
    let (_, keys) = keys::open(&config.hsm).map_err(|error| Failure::usage(&error))?;
    notices::check(&config.notices).map_err(|error| Failure::usage(&error))?;
    let (terminals, cards) = read_city(&config, &keys).map_err(|error| Failure::usage(&error))?;
    let listen = config.pos.listen;
    let dir = config.data.dir.display();
    writeln!(
        out,
        "{} is good: {terminals} terminals, {cards} cards; pos on {listen}, data in {dir}",
        args.file.display()
    )
    .map_err(|error| Failure::of(&error))
}

fn read_city(config: &Config, keys: &KeyFile) -> Result<(usize, usize), CityError> {
    let city = City::open(&config.city.dir)?;
    city.check_keys(keys)?;
    let rows = city.cards()?;
    if let KeyFile::Live(_) = keys {
        rows.refuse_test_cards()?;
    }
    let mut cards = 0;
    for card in rows {
        card?;
        cards += 1;
    }
    Ok((city.terminals.len(), cards))
}
