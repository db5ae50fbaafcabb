//! The sample city of `fixtures/city`, embedded, so that the demo runs anywhere.

use std::fs;
use std::io;
use std::path::Path;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../fixtures/city/", $name)))),*]
    };
}

/// Every file that `serve` reads, with its text.
const FILES: [(&str, &str); 12] = embedded![
    "cardswitch.toml",
    "keys.toml",
    "links.toml",
    "products.toml",
    "merchants.csv",
    "acquirers.csv",
    "terminals.csv",
    "psams.csv",
    "orderers.csv",
    "blacklist.csv",
    "cards.csv",
    "rules.toml",
];

/// Writes the city into an empty folder.
pub(super) fn unpack(dir: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|(name, text)| fs::write(dir.join(name), text))
}
