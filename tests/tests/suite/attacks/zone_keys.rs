//! New zone keys that are none, are weak, or were there before.

use hsm_sim::{KeyUsage, emulator::Zone};
use switch_tests::{clients::assert_approved, forge::Tap, watch::Watch};

use super::{ACQUIRER, NEW, RICH, draw, key_change, key_change_with, new_blocks, scene};

/// A block for 31060110 that is right in everything but that its key has eight bytes: made by the recipe of
/// `docs/dialect-atm.md`, from a payload of 0040, AEFE8CC18FA82657 and filling.
const SINGLE_LENGTH: &str = "D0112M3TC00N00004EC37508D5C0843041EE3F24ED7EE23AE35CE403F83DC1573AB14F65CE780225D0BBF13E3BEFF9FB74A6206934D2FCF2";

#[test]
fn zone_keys_that_are_no_good_are_refused_and_change_nothing() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let zone = clients.zone(ACQUIRER);
    let keys = clients.zone_keys(ACQUIRER);
    let in_use =
        [&keys.pin, &keys.mac_to_switch, &keys.mac_from_switch].map(|key| u128::from_be_bytes(*key.expose()));
    let block =
        |zone: &Zone, usage, key: u128| zone.key_block(usage, &key.to_be_bytes(), clients.entropy().as_mut());
    let blocks = |keys: &[u128; 3]| new_blocks(&clients, &zone, keys);
    let with = |place: usize, block: String| {
        let mut blocks = blocks(&NEW);
        blocks[place] = block;
        blocks
    };
    let exportable = {
        // The twelfth character of the header says whether the key may be exported.
        let mut block = block(&zone, KeyUsage::MacX919, NEW[1]);
        block.replace_range(11..12, "E");
        block
    };
    let mut other_master = *keys.zmk.expose();
    other_master[31] ^= 1;
    let other_zone = clients.zone_of(ACQUIRER, &other_master, NEW.map(u128::to_be_bytes));
    let half = NEW[1] >> 64;
    let rows = [
        ("a header that says another thing", with(1, exportable)),
        ("the keys in use", blocks(&in_use)),
        ("a key in use in another place", blocks(&[NEW[0], in_use[2], NEW[2]])),
        ("the PIN key in use as a MAC key", blocks(&[NEW[0], NEW[1], in_use[0]])),
        ("equal halves", blocks(&[NEW[0], half << 64 | half, NEW[2]])),
        ("one key for both directions", blocks(&[NEW[0], NEW[1], NEW[1]])),
        ("a single-length key", with(1, SINGLE_LENGTH.to_owned())),
        ("a PIN key in the place of a MAC key", with(1, block(&zone, KeyUsage::PinEncryption, NEW[1]))),
        ("a key for another MAC", with(1, block(&zone, KeyUsage::MacCbc3Des, NEW[1]))),
        ("a block under another master key", with(1, block(&other_zone, KeyUsage::MacX919, NEW[1]))),
        ("no block at all", with(1, "D0112".to_owned())),
        ("a PIN key alone", blocks(&NEW)[..1].to_vec()),
    ];
    let mut line = Tap::atm(switch.atm_address());
    let watch = Watch::begin(&switch);
    for (stan, (name, blocks)) in (900..).zip(&rows) {
        assert_eq!(line.code(&key_change(&zone, stan, blocks)), "12", "{name}");
        assert_approved(&host.echo().expect("an answer"));
    }
    watch.ends(("atm", "key_refused", rows.len() as u64), &[]);
    assert_approved(&draw(&mut host, &machine, &clients.card(RICH), 100));
    let good = key_change(&zone, 950, &blocks(&NEW));
    assert_eq!(line.code(&good), "00", "good ones are taken");
}

#[test]
fn a_key_block_with_any_character_changed_is_refused() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let zone = clients.zone(ACQUIRER);
    let whole = new_blocks(&clients, &zone, &NEW);
    let mut line = Tap::atm(switch.atm_address());
    let watch = Watch::begin(&switch);
    for at in 0..whole[1].len() {
        let mut block = whole[1].clone().into_bytes();
        block[at] = if block[at] == b'0' { b'1' } else { b'0' };
        let mut blocks = whole.clone();
        blocks[1] = String::from_utf8(block).expect("characters");
        assert_eq!(line.code(&key_change(&zone, 900 + at as u64, &blocks)), "12", "character {at}");
    }
    watch.ends(("atm", "key_refused", whole[1].len() as u64), &[]);
    assert_approved(&draw(&mut host, &machine, &clients.card(RICH), 100));
}

#[test]
fn a_field_that_cannot_be_cut_into_key_blocks_is_a_format_error() {
    let (switch, clients) = scene();
    let _signed_on = clients.atm("51000001");
    let zone = clients.zone(ACQUIRER);
    let block = new_blocks(&clients, &zone, &NEW)[1].clone();
    let rows = [
        ("cut short", format!("02112{}", &block[..100])),
        ("a place that does not exist", format!("04112{block}")),
        ("a place twice", format!("02112{block}02112{block}")),
        ("no number", format!("02x12{block}")),
    ];
    let mut line = Tap::atm(switch.atm_address());
    let watch = Watch::begin(&switch);
    for (stan, (name, field)) in (900..).zip(&rows) {
        assert_eq!(line.code(&key_change_with(&zone, stan, field)), "30", "{name}");
    }
    watch.ends(("atm", "format_error", 4), &[]);
}

#[test]
fn earlier_zone_keys_never_come_back() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let card = clients.card(RICH);
    let zone = clients.zone(ACQUIRER);
    let keys = clients.zone_keys(ACQUIRER);
    let first =
        [&keys.pin, &keys.mac_to_switch, &keys.mac_from_switch].map(|key| u128::from_be_bytes(*key.expose()));
    let changed = host.key_change().expect("an answer");
    assert_approved(&changed);
    assert_approved(&draw(&mut host, &machine, &card, 100));

    // The old zone still speaks, within the overlap; it cannot bring its keys back.
    let mut line = Tap::atm(switch.atm_address());
    let watch = Watch::begin(&switch);
    assert_eq!(line.code(&key_change(&zone, 900, &new_blocks(&clients, &zone, &first))), "12");
    watch.ends(("atm", "key_refused", 1), &[]);
    let watch = Watch::begin(&switch);
    assert_eq!(line.code(changed.request.as_bytes()), "94", "nor does the recorded change come again");
    watch.ends(("atm", "replay", 1), &[]);
    assert_approved(&draw(&mut host, &machine, &card, 100));
}
