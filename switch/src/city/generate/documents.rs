//! The TOML files: keys from the seed, and products, rules, links and settings that are the same for every city.

use super::{CONFIG, Folder, Plan, RowResult, draw::Draws, places::BANKS};
use crate::city::{LINKS, RULES, products};

/// The file that [`CONFIG`] names as `hsm.keys`.
const KEYS: &str = "keys.toml";

const PRODUCTS_TEXT: &str = include_str!("products.toml");
const RULES_TEXT: &str = include_str!("rules.toml");
/// Every setting with its default and its meaning: those of the sample city.
const CONFIG_TEXT: &str = include_str!("../../../../fixtures/city/cardswitch.toml");

/// Versions of PSAM masters.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=2;

/// The test keys of a city.
pub(super) struct Keys {
    text: String,
    cvk: [u8; 16],
}

impl Keys {
    pub(super) fn new(draws: &Draws) -> Self {
        let cvk = draws.des_key("cvk");
        let mut text = KEYS_HEAD.to_owned();
        let mut add = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        add("lmk = \"test\"".to_owned());
        add(format!("pvk = \"{}\"", draws.des_key("pvk")));
        add("pvki = 1".to_owned());
        add(format!("cvk = \"{cvk}\""));
        add(format!("token = \"{}\"", draws.long_key("token")));
        for version in VERSIONS {
            add(format!("\n[[psam_master]]\nversion = {version}"));
            for name in ["pin", "mac", "track", "auth"] {
                add(format!("{name} = \"{}\"", draws.des_key(&format!("psam master {version} {name}"))));
            }
        }
        for (acquirer, ..) in BANKS {
            add(format!("\n[[zone]]\nacquirer = \"{acquirer}\""));
            add(format!("zmk = \"{}\"", draws.long_key(&format!("zone {acquirer} zmk"))));
            for name in ["pin", "mac_to_switch", "mac_from_switch"] {
                add(format!("{name} = \"{}\"", draws.des_key(&format!("zone {acquirer} {name}"))));
            }
        }
        // INVARIANT: 32 hex digits were written a moment ago.
        Self { text, cvk: crate::hex::bytes(&cvk).expect("a key in hex") }
    }

    pub(super) fn cvk(&self) -> &[u8; 16] {
        &self.cvk
    }
}

const KEYS_HEAD: &str = "\
# ######################################################################################################
# #                                                                                                    #
# #   TEST KEYS, IN CLEAR.  NEVER USE THEM, OR THIS FORMAT, FOR ANYTHING BUT A GENERATED CITY.         #
# #                                                                                                    #
# #   Whoever knows the seed has them. Real keys exist outside an HSM only as key blocks.              #
# #                                                                                                    #
# ######################################################################################################
#
# With cards.csv (PINs, verification values) and terminals.csv (terminal master keys) this is the only
# place where a secret of this city is readable. What each key is for: docs/city-files.md.

";

pub(super) fn write(plan: &Plan, keys: &Keys, folder: &mut Folder<'_>) -> RowResult {
    folder.text(KEYS, &keys.text)?;
    folder.text(products::FILE, PRODUCTS_TEXT)?;
    folder.text(RULES, RULES_TEXT)?;
    folder.text(LINKS, LINKS_TEXT)?;
    folder.text(CONFIG, &config(plan))
}

const LINKS_TEXT: &str = "# Upstream links: none in this version, so the list must be empty.\nlink = []\n";

/// The sample city's settings under another head, which says how the folder came to be.
fn config(plan: &Plan) -> String {
    let Plan { cards, terminals, psams, seed } = plan;
    let (_, settings) = CONFIG_TEXT.split_once('\n').unwrap_or_default();
    format!(
        "# cardswitch, configured for a generated city. Every setting stands here with its default. Written by\n#     \
         cardswitch city generate --cards {cards} --terminals {terminals} --psams {psams} --seed {seed}\n{settings}"
    )
}
