//! A test city's clear keys in key blocks under an own local master key: how a city comes to be one without a secret in
//! its files. The keys are the same ones, so who knows the test city knows them; those that matter are replaced after.
//!
//! Start at [`wrap`].

use std::path::{Path, PathBuf};

use hsm_sim::{Entropy, Hsm, KeyBlock, Lmk};

use super::{
    blocks::{self, KeyFault, in_file},
    files::{self, CARDS, FilesError, KEYS, Rewriting, TERMINALS, TableError},
    hsm_of,
};
use crate::city::{CardValues, City, KeyFile, KeyRole, LmkKind, TestKeys};

/// The city's files that have no secret, and are copied as they are. Not all need be there.
const COPIED: [&str; 11] = [
    "acquirers.csv",
    "blacklist.csv",
    "chart.toml",
    "currencies.csv",
    "fees.toml",
    "links.toml",
    "merchants.csv",
    "orderers.csv",
    "products.toml",
    "psams.csv",
    "rules.toml",
];

/// The columns of secrets that a test card has.
const SECRETS: [&str; 4] = ["pin", "cvv", "cvv2", "track2"];

/// What was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wrapped {
    /// Check value of the local master key.
    pub lmk: [u8; 3],
    /// Keys of the key file.
    pub keys: u64,
    /// Terminals, each with a master key.
    pub terminals: u64,
    /// Cards, each with the verification value of its PIN.
    pub cards: u64,
}

/// Writes the city in `from` into the new folder `to`, under the local master key of `components`.
///
/// # Errors
/// See [`FilesError`].
pub fn wrap(
    components: &[PathBuf],
    from: &Path,
    to: &Path,
    entropy: &mut dyn Entropy,
) -> Result<Wrapped, FilesError> {
    let mut wrapping = Wrapping { test: Hsm::new(Lmk::test()), live: hsm_of(components)?, entropy };
    let clear = TestKeys::open(&from.join(KEYS))?;
    let city = City::open(from)?;
    city.check_keys(&KeyFile::Test(clear.clone()))?;
    files::new_folder(to)?;
    for file in COPIED {
        copy(&from.join(file), &to.join(file))?;
    }
    let terminals = wrapping.terminals(&city, from, to)?;
    let (blocks, mut keys) = (blocks::of_test(&clear, &city, &mut wrapping.test, wrapping.entropy)?, 0);
    let cards = wrapping.cards(&city, from, to, &blocks.pvk, blocks.pvki)?;
    let mut live = blocks.map_keys(&mut |place, held| {
        keys += 1;
        wrapping.key(&in_file(place), place.roles, held.either())
    })?;
    let lmk = wrapping.live.lmk_check_value();
    live.lmk = LmkKind::Live(lmk);
    // Last, so that a folder without it is not whole.
    files::write_keys(&to.join(KEYS), &live)?;
    Ok(Wrapped { lmk, keys, terminals, cards })
}

/// The HSM that has the test keys, and the one that is to have them.
struct Wrapping<'a> {
    test: Hsm,
    live: Hsm,
    entropy: &'a mut dyn Entropy,
}

impl Wrapping<'_> {
    /// A key's block under the local master key, with the check value it had.
    fn key(&mut self, name: &str, roles: &[KeyRole], test: &KeyBlock) -> Result<KeyBlock, FilesError> {
        let before = blocks::look(&mut self.test, name, roles, test)?;
        let live = self.live.adopt_test_key(test, self.entropy);
        let live = live.map_err(|source| KeyFault::Refused { name: name.to_owned(), source })?;
        let after = blocks::look(&mut self.live, name, roles, &live)?;
        if before == after { Ok(live) } else { Err(FilesError::Changed(name.to_owned())) }
    }

    fn terminals(&mut self, city: &City, from: &Path, to: &Path) -> Result<u64, FilesError> {
        let mut table = Rewriting::open(&from.join(TERMINALS), &to.join(TERMINALS), Clone::clone)?;
        let tmk = table.place("tmk")?;
        let mut count = 0;
        for row in &city.terminals {
            let test = blocks::of_terminal(row, &mut self.test, self.entropy)?;
            let name = blocks::terminal_name(&row.terminal_id);
            let block = self.key(&name, &[KeyRole::Tmk], &test)?;
            let Some(fields) = table.next_row()? else { break };
            let fields = fields.clone();
            let with_block = |(at, field)| if at == tmk { block.as_str() } else { field };
            table.write(fields.iter().enumerate().map(with_block))?;
            count += 1;
        }
        table.finish()?;
        Ok(count)
    }

    /// The cards with the verification values of their PINs in place of all that only a test card has.
    fn cards(
        &mut self,
        city: &City,
        from: &Path,
        to: &Path,
        pvk: &KeyBlock,
        pvki: u8,
    ) -> Result<u64, FilesError> {
        let refused = |source| KeyFault::Refused { name: "keys.toml, pvk".to_owned(), source };
        let pvk = self.test.load_key(pvk).map_err(refused)?;
        let without_secrets = |name: &&str| !SECRETS[1..].contains(name);
        let mut table = Rewriting::open(&from.join(CARDS), &to.join(CARDS), |header| {
            header
                .iter()
                .filter(without_secrets)
                .map(|name| if name == "pin" { "pvv" } else { name })
                .collect()
        })?;
        let (pin, cvv, cvv2, track2) =
            (table.place("pin")?, table.place("cvv")?, table.place("cvv2")?, table.place("track2")?);
        let mut count = 0;
        for card in city.cards()? {
            let card = card?;
            let CardValues::Test(values) = &card.values else {
                return Err(FilesError::Table {
                    path: from.join(CARDS),
                    source: TableError::NoColumn("pin"),
                });
            };
            let pvv = self.test.test_pvv(pvk, pvki, &card.pan, values.pin.expose()).map_err(|source| {
                KeyFault::Refused { name: format!("cards.csv line {}", card.line), source }
            })?;
            let pvv: String = pvv.iter().map(|digit| char::from(*digit)).collect();
            let Some(fields) = table.next_row()? else { break };
            let fields = fields.clone();
            let kept = fields.iter().enumerate().filter(|(at, _)| ![cvv, cvv2, track2].contains(at));
            table.write(kept.map(|(at, field)| if at == pin { pvv.as_str() } else { field }))?;
            count += 1;
        }
        table.finish()?;
        Ok(count)
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), FilesError> {
    match std::fs::copy(from, to) {
        Ok(_) => Ok(()),
        // Rules need not be there; of the others the city was read a moment ago.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(FilesError::Write { path: to.to_owned(), source }),
    }
}
