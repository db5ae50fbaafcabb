//! Which secrets there are: those of the city's files, and those that come to be while the day is played.
//!
//! Start at [`of_city`]; the rest is called as the day goes on.

use cardswitch::city::{CardRow, PsamMaster, Secret, TestKeys};
use cipher::{BlockCipherEncrypt, KeyInit};
use des::TdesEde2;
use iso8583::Message;

use super::forms::{self, PinOf};
use crate::{
    city::City,
    search::{Form, Kind, Search},
};

/// The PIN that cards of the day get and lose again: long enough to be looked for by itself.
pub const NEW_PIN: &[u8] = b"982451653";

/// Ends the name of the card that is named to the admin port and the commands, and used nowhere else.
pub const ASKED_FOR: &str = ", asked for";

/// The published local master key of test HSMs. Everybody knows it, so it is looked for and exempt.
const TEST_LMK: [u8; 32] = [
    0x9B, 0x71, 0x33, 0x3A, 0x13, 0xF9, 0xFA, 0xE7, 0x2F, 0x9D, 0x0E, 0x2D, 0xAB, 0x4A, 0xD6, 0x78, //
    0x47, 0x18, 0x01, 0x2F, 0x92, 0x44, 0x03, 0x3F, 0x3F, 0x26, 0xA2, 0xDE, 0x0C, 0x8A, 0xA1, 0x1A,
];

/// Tags of field 57: the PSAM's number, its random number, the version of its masters.
const PSAM: u32 = 1;
const RANDOM: u32 = 2;
const KEY_VERSION: u32 = 3;

/// Everything secret in the city's files, and the keys of its PSAMs.
#[must_use]
pub fn of_city(city: &City, keys: &TestKeys) -> Search {
    let mut search = Search::default();
    let last = city.cards().last().map(|row| row.line);
    for row in city.cards() {
        let name = format!("line {}{}", row.line, if Some(row.line) == last { ASKED_FOR } else { "" });
        add_card(&mut search, row, &name, keys.pvki);
    }
    for row in &city.files().terminals {
        let id = row.terminal_id.escape_ascii().to_string();
        search.add(Kind::TerminalMaster, id, forms::of_key(row.tmk.clear().expect("a test key")));
    }
    search.add(Kind::IssuerKey, "PIN verification", forms::of_key(keys.pvk.expose()));
    search.add(Kind::IssuerKey, "card verification", forms::of_key(keys.cvk.expose()));
    search.add(Kind::IssuerKey, "token", forms::of_key(keys.token.expose()));
    for masters in &keys.psam_masters {
        for (name, key) in named(masters) {
            let name = format!("for {name}, version {}", masters.version);
            search.add(Kind::PsamMaster, name, forms::of_key(key.expose()));
        }
    }
    for psam in &city.files().psams {
        let masters = keys.psam_masters.iter().find(|masters| masters.version == psam.key_version);
        for (name, key) in masters.into_iter().flat_map(named) {
            let derived = diversified(key.expose(), psam.psam_no);
            let name = format!("{name} of …{:02X}{:02X}", psam.psam_no[6], psam.psam_no[7]);
            search.add(Kind::PsamKey, name, forms::of_key(&derived));
        }
    }
    for zone in &keys.zones {
        search.add(Kind::ZoneMaster, zone.acquirer.as_str(), forms::of_key(zone.zmk.expose()));
        let known = [&zone.pin, &zone.mac_to_switch, &zone.mac_from_switch].map(|key| *key.expose());
        add_zone_keys(&mut search, &zone.acquirer, &known);
    }
    search.add(Kind::Lmk, "published for tests", forms::of_key(&TEST_LMK));
    search
}

fn add_card(search: &mut Search, row: &CardRow, name: &str, pvki: u8) {
    let pan = row.pan.expose();
    let values = row.test().expect("a test card");
    search.add(Kind::CardNumber, name, forms::of_card_number(pan));
    search.add(Kind::Track, name, forms::of_track(values.track2.expose()));
    let service_code = &row.service_code[..];
    let in_its_line =
        [service_code, values.pin.expose(), values.cvv.expose(), values.cvv2.expose(), b""].join(&b","[..]);
    search.add(Kind::Pin, name, [Form { name: "in its line of the file", bytes: in_its_line }]);
    let wrong = crate::ask::Card::of(row).wrong_pin();
    for (which, pin) in [("", values.pin.expose().as_slice()), (", wrong", &wrong), (", new", NEW_PIN)] {
        let of = PinOf { pan, pin, pvki };
        search.add(Kind::Pin, format!("{name}{which}"), forms::of_pin(of));
        search.add(Kind::PinBlock, format!("{name}{which}"), forms::of_pin_block(of));
    }
}

fn named(masters: &PsamMaster) -> [(&'static str, &Secret<[u8; 16]>); 4] {
    [
        ("PINs", &masters.pin),
        ("MACs", &masters.mac),
        ("tracks", &masters.track),
        ("authenticators", &masters.auth),
    ]
}

/// Adds keys under a zone master key: PIN key, and a MAC key for either direction.
pub fn add_zone_keys(search: &mut Search, acquirer: &str, keys: &[[u8; 16]; 3]) {
    for (name, key) in ["PIN", "MAC to the switch", "MAC from the switch"].into_iter().zip(keys) {
        search.add(Kind::ZoneKey, format!("{name} of {acquirer}"), forms::of_key(key));
    }
}

/// Adds the working keys of a sign-in.
pub fn add_working_keys(search: &mut Search, terminal: &str, pin: &[u8; 16], mac: &[u8; 16]) {
    search.add(Kind::WorkingKey, format!("PIN of {terminal}"), forms::of_key(pin));
    search.add(Kind::WorkingKey, format!("MAC of {terminal}"), forms::of_key(mac));
}

/// Adds what a request carries encrypted: its PIN block, and the keys that its PSAM made for it alone.
pub fn add_request(search: &mut Search, message: &Message<'_>, keys: &TestKeys) {
    if let Some(block) = message.fixed::<8>(52) {
        search.add(Kind::SealedPin, "", forms::of_bytes(&block));
    }
    let object = |wanted: u32| {
        let mut objects = message.simple_tlvs(57)?.filter_map(Result::ok);
        Some(objects.find(|object| object.tag == wanted)?.value)
    };
    let eight = |tag| object(tag).and_then(|value| <[u8; 8]>::try_from(value).ok());
    let (Some(psam), Some(random)) = (eight(PSAM), eight(RANDOM)) else { return };
    let version = object(KEY_VERSION).and_then(|value| value.first());
    let masters = keys.psam_masters.iter().find(|masters| Some(&masters.version) == version);
    let stan = message.number(11).unwrap_or_default();
    let factor = with_stan(random, stan);
    for (name, key) in masters.into_iter().flat_map(named) {
        let once = diversified(&diversified(key.expose(), psam), factor);
        search.add(Kind::SessionKey, format!("{name}, STAN {stan:06}"), forms::of_short_lived_key(&once));
    }
}

/// What makes a transaction's key its own: the random number, its last bytes XORed with the STAN in BCD.
fn with_stan(mut random: [u8; 8], stan: u64) -> [u8; 8] {
    for (byte, pair) in random[5..].iter_mut().zip([stan / 10_000, stan / 100, stan]) {
        // INVARIANT: two decimal digits fit a byte.
        *byte ^= u8::try_from(pair / 10 % 10 * 16 + pair % 10).expect("two digits");
    }
    random
}

/// `DIV(K, F) = E(K, F) ‖ E(K, ¬F)` of PSAM scheme v1, computed here by itself.
fn diversified(key: &[u8; 16], factor: [u8; 8]) -> [u8; 16] {
    let cipher = TdesEde2::new(&(*key).into());
    let mut derived = [0; 16];
    for (half, factor) in derived.as_chunks_mut::<8>().0.iter_mut().zip([factor, factor.map(|byte| !byte)]) {
        let mut block = factor.into();
        cipher.encrypt_block(&mut block);
        *half = block.into();
    }
    derived
}
