//! Zone keys through the engine: what is imported, what is refused, what leaves.

use super::*;
use crate::{ImportedKey, tr31::Attributes, zone_master::ZoneMaster};

const PIN: &str = "11223344556677888877665544332211";
const MAC_OUT: &str = "0123456789ABCDEFFEDCBA9876543210";
const MAC_IN: &str = "CA5D92598DCA48CE8A4C76361A9269E9";
const ZMK: [u8; 32] = [0x5C; 32];

/// A host under [`ZMK`], and the HSM's handle of it.
fn host(hsm: &mut Hsm, algorithm: MacAlgorithm) -> (Zone, KeyHandle) {
    let [pin, mac_out, mac_in] = [PIN, MAC_OUT, MAC_IN].map(vectors::array);
    let zone = Zone::new(&ZMK, pin, mac_out, mac_in, algorithm).unwrap();
    (zone, import(hsm, KeyUsage::ZoneMaster, &ZMK))
}

/// Imports a PIN key from a host whose zone master key is [`KEY`], of the version
/// that fits `zmk`'s usage.
pub(super) fn import_one(hsm: &mut Hsm, zmk: KeyHandle) -> Result<ImportedKey, HsmError> {
    let [pin, mac_out, mac_in, key] = [PIN, MAC_OUT, MAC_IN, KEY].map(vectors::array);
    let x919 = MacAlgorithm::X919;
    let host = match hsm.key_usage(zmk)? {
        KeyUsage::ZoneMasterTdes => Zone::with_tdes_master(&key, pin, mac_out, mac_in, x919),
        _ => Zone::new(&key, pin, mac_out, mac_in, x919),
    };
    let block = host.unwrap().key_block(KeyUsage::PinEncryption, &pin, &mut seeded(1));
    hsm.import_zone_key(zmk, &block, KeyUsage::PinEncryption, &mut seeded(2))
}

/// Wraps under [`ZMK`] whatever the header says.
fn wrapped(attributes: Attributes, key: &[u8]) -> String {
    let master = ZoneMaster::new(KeyUsage::ZoneMaster, &ZMK).unwrap();
    master.wrap(attributes, key, &mut seeded(1)).as_str().to_owned()
}

#[test]
fn new_zone_keys_are_taken_over_and_used() {
    for (length, version) in [(16, 'D'), (32, 'D'), (0, 'B')] {
        let mut hsm = test_hsm();
        let [pin, mac_out, mac_in, master] = [PIN, MAC_OUT, MAC_IN, KEY].map(vectors::array);
        let algorithm = MacAlgorithm::Cbc3Des;
        let (host, zmk) = match version {
            'D' => (
                Zone::new(&ZMK[..length], pin, mac_out, mac_in, algorithm).unwrap(),
                import(&mut hsm, KeyUsage::ZoneMaster, &ZMK[..length]),
            ),
            _ => (
                Zone::with_tdes_master(&master, pin, mac_out, mac_in, algorithm).unwrap(),
                import(&mut hsm, KeyUsage::ZoneMasterTdes, &master),
            ),
        };
        let mut taken = |usage, key: &[u8; 16]| {
            let block = host.key_block(usage, key, &mut seeded(4));
            assert!(block.starts_with(version));
            let imported = hsm.import_zone_key(zmk, &block, usage, &mut seeded(5)).unwrap();
            assert_eq!(imported.check_value, DesKey::new(key).unwrap().check_value());
            let handle = hsm.load_key(&imported.block).unwrap();
            assert_eq!(hsm.key_usage(handle), Ok(usage));
            handle
        };
        let pin_key = taken(KeyUsage::PinEncryption, &pin);
        let to_switch = taken(KeyUsage::MacCbc3Des, &mac_out);
        let from_switch = taken(KeyUsage::MacCbc3Des, &mac_in);

        let (mut checked, pan) = (Vec::new(), pan());
        let mac = host.mac(MESSAGE).unwrap();
        let good = MacCheck { key: to_switch.into(), algorithm, data: MESSAGE, mac };
        hsm.verify_macs(&[good, MacCheck { key: from_switch.into(), ..good }], &mut checked);
        assert_eq!(checked, [Ok(()), Err(HsmError::VerificationFailed)]);
        assert!(host.verify(MESSAGE, &generate_mac(&mut hsm, from_switch, algorithm).unwrap()));

        let pvk = import(&mut hsm, KeyUsage::PinVerification, &vectors::bytes(KEY));
        let pvv = hsm.test_pvv(pvk, 1, &pan, b"123456").unwrap();
        let block = host.pin_block(b"123456", &pan).unwrap();
        hsm.verify_pins(
            &[PinCheck { pin_key: pin_key.into(), block, pan: &pan, pvk, pvki: 1, pvv }],
            &mut checked,
        );
        assert_eq!(checked, [Ok(())]);
    }
}

#[test]
fn each_fault_of_a_zone_key_block_has_its_own_error() {
    let mut hsm = test_hsm();
    let (_, zmk) = host(&mut hsm, MacAlgorithm::X919);
    let key = vectors::bytes(PIN);
    let good = Attributes::of(KeyUsage::MacX919, 16);
    let block = |error| Err(HsmError::KeyBlock(error));
    for (name, attributes, key, want) in [
        ("a PIN key", Attributes::of(KeyUsage::PinEncryption, 16), &key[..], block(KeyBlockError::Usage)),
        ("another MAC key", Attributes::of(KeyUsage::MacCbc3Des, 16), &key, block(KeyBlockError::Usage)),
        ("a usage nobody knows", Attributes { usage: "B0", ..good }, &key, block(KeyBlockError::Usage)),
        ("a mode without restrictions", Attributes { mode: 'N', ..good }, &key, block(KeyBlockError::Mode)),
        ("a mode that only verifies", Attributes { mode: 'V', ..good }, &key, block(KeyBlockError::Mode)),
        ("AES", Attributes { algorithm: 'A', ..good }, &key, block(KeyBlockError::Algorithm)),
        ("single length", Attributes::of(KeyUsage::MacX919, 8), &key[..8], Err(HsmError::KeyLength)),
        ("single length that says triple", good, &key[..8], Err(HsmError::KeyLength)),
        ("triple length", good, &[&key[..], &[0x31; 8]].concat(), Err(HsmError::KeyLength)),
        ("equal halves", good, &[&key[..8], &key[..8]].concat(), Err(HsmError::WeakKey)),
    ] {
        let text = wrapped(attributes, key);
        let refused = hsm.import_zone_key(zmk, &text, KeyUsage::MacX919, &mut seeded(1));
        assert_eq!(refused, want, "{name}");
    }
    assert!(hsm.import_zone_key(zmk, &wrapped(good, &key), KeyUsage::MacX919, &mut seeded(1)).is_ok());
    for (name, text) in [("nothing", String::new()), ("one character too many", "D".repeat(145))] {
        let refused = hsm.import_zone_key(zmk, &text, KeyUsage::MacX919, &mut seeded(1));
        assert_eq!(refused, block(KeyBlockError::Length), "{name}");
    }
}

#[test]
fn a_zone_key_block_with_any_character_changed_is_refused() {
    let mut hsm = test_hsm();
    let (host, zmk) = host(&mut hsm, MacAlgorithm::X919);
    let block = host.key_block(KeyUsage::MacX919, &vectors::array(MAC_OUT), &mut seeded(1));
    for place in 0..block.len() {
        for other in ["0", "1", "7", "A", "B", "C", "E", "N", "T", "a", "é"] {
            let mut text = block.clone();
            text.replace_range(place..=place, other);
            if text != block {
                let refused = hsm.import_zone_key(zmk, &text, KeyUsage::MacX919, &mut seeded(1));
                assert!(matches!(refused, Err(HsmError::KeyBlock(_))), "{place} {other}");
            }
        }
    }
    assert!(hsm.import_zone_key(zmk, &block, KeyUsage::MacX919, &mut seeded(1)).is_ok());
}

#[test]
fn a_block_for_another_zone_is_refused() {
    let mut hsm = test_hsm();
    let (host, _) = host(&mut hsm, MacAlgorithm::X919);
    let block = host.key_block(KeyUsage::MacX919, &vectors::array(MAC_OUT), &mut seeded(1));
    for (name, usage, key, want) in [
        ("another zone", KeyUsage::ZoneMaster, &[0x5D; 32][..], KeyBlockError::Authentication),
        ("another length", KeyUsage::ZoneMaster, &ZMK[..16], KeyBlockError::Authentication),
        ("another cipher", KeyUsage::ZoneMasterTdes, &vectors::bytes(KEY), KeyBlockError::Version),
    ] {
        let zmk = import(&mut hsm, usage, key);
        let refused = hsm.import_zone_key(zmk, &block, KeyUsage::MacX919, &mut seeded(1));
        assert_eq!(refused, Err(HsmError::KeyBlock(want)), "{name}");
    }
}

#[test]
fn only_pin_and_mac_keys_are_zone_keys() {
    let mut hsm = test_hsm();
    let (host, zmk) = host(&mut hsm, MacAlgorithm::X919);
    let zone_usages = [KeyUsage::PinEncryption, KeyUsage::MacX919, KeyUsage::MacCbc3Des];
    for usage in KeyUsage::ALL {
        let block = host.key_block(usage, &vectors::array(PIN), &mut seeded(1));
        let imported = hsm.import_zone_key(zmk, &block, usage, &mut seeded(1));
        let key = good_key(&mut hsm, usage);
        let exported = hsm.export_zone_key(zmk, key, &mut seeded(1));
        if zone_usages.contains(&usage) {
            assert!(imported.is_ok(), "{usage}");
            assert_eq!(exported, Err(HsmError::NotExportable), "{usage}");
        } else {
            assert_eq!(imported, Err(HsmError::NotZoneUsage(usage)));
            assert_eq!(exported, Err(HsmError::NotZoneUsage(usage)));
        }
    }
}

#[test]
fn a_key_leaves_only_if_its_own_block_says_so_and_then_no_further() {
    let mut hsm = test_hsm();
    let (_, zmk) = host(&mut hsm, MacAlgorithm::X919);
    let other = import(&mut hsm, KeyUsage::ZoneMasterTdes, &vectors::bytes(KEY));
    let no_zone_master = import(&mut hsm, KeyUsage::KeyEncryption, &vectors::bytes(KEY));
    for (exportability, leaves) in [('E', true), ('N', false), ('S', false)] {
        let attributes = Attributes { exportability, ..Attributes::of(KeyUsage::MacX919, 16) };
        let text = wrapped(attributes, &vectors::bytes(PIN));
        let imported = hsm.import_zone_key(zmk, &text, KeyUsage::MacX919, &mut seeded(1)).unwrap();
        let key = hsm.load_key(&imported.block).unwrap();
        let exported = hsm.export_zone_key(other, key, &mut seeded(2));
        if !leaves {
            assert_eq!(exported, Err(HsmError::NotExportable), "{exportability}");
            continue;
        }
        let again = hsm
            .import_zone_key(other, exported.unwrap().as_str(), KeyUsage::MacX919, &mut seeded(3))
            .unwrap();
        assert_eq!(again.check_value, imported.check_value);
        let second = hsm.load_key(&again.block).unwrap();
        assert_eq!(hsm.export_zone_key(zmk, second, &mut seeded(4)), Err(HsmError::NotExportable));
        let refused = hsm.export_zone_key(no_zone_master, key, &mut seeded(2));
        let (have, need) = (KeyUsage::KeyEncryption, KeyUsage::ZoneMaster);
        assert_eq!(refused, Err(HsmError::WrongUsage { have, need }));
    }
}

proptest! {
    #[test]
    fn no_text_is_imported_or_panics(text in "[BD]?[0-9]{0,4}[ -~]{0,140}") {
        let mut hsm = test_hsm();
        let zmk = import(&mut hsm, KeyUsage::ZoneMaster, &ZMK);
        let refused = hsm.import_zone_key(zmk, &text, KeyUsage::MacX919, &mut seeded(1));
        prop_assert!(matches!(refused, Err(HsmError::KeyBlock(_))));
    }
}
