//! Keys that come and go: options, components, protection keys of both ciphers.

use super::*;
use crate::{
    ComponentError, ComponentForm, ExportOptions, ImportedKey, KeyComponent, KeyOptions, hsm::exchange,
    tr31::Attributes, zone_master::ZoneMaster,
};

const EXPORTABLE: KeyOptions = KeyOptions { version: 7, exportable: true };
const ALL: ExportOptions = ExportOptions { check_value: true, protection_check_value: true };

fn protection(hsm: &mut Hsm, usage: KeyUsage, length: usize) -> KeyHandle {
    let key: Vec<u8> = (1..=length).map(|number| u8::try_from(number * 3).unwrap()).collect();
    import(hsm, usage, &key)
}

#[test]
fn a_key_that_was_exported_is_imported_as_it_was_under_every_protection_key() {
    let mut hsm = test_hsm();
    for (kbpk, length) in
        [(KeyUsage::ZoneMaster, 16), (KeyUsage::ZoneMaster, 32), (KeyUsage::ZoneMasterTdes, 16)]
    {
        let kbpk = protection(&mut hsm, kbpk, length);
        for usage in KeyUsage::ALL {
            let block = hsm.generate_key_with(usage, EXPORTABLE, &mut seeded(21)).unwrap();
            let key = hsm.load_key(&block).unwrap();
            let mut sizes = Vec::new();
            for options in [ExportOptions::default(), ALL] {
                let sent = match hsm.export_key(kbpk, key, options, &mut seeded(22)) {
                    Err(HsmError::NotZoneUsage(KeyUsage::Token)) if usage == KeyUsage::Token => continue,
                    // New AES keys have 256 bits.
                    Err(HsmError::WeakProtection) if usage.is_aes() && length == 16 => continue,
                    sent => sent.unwrap(),
                };
                let ImportedKey { block, check_value } =
                    hsm.import_key(kbpk, sent.as_str(), usage, &mut seeded(23)).unwrap();
                assert_eq!(block.key_version(), 7, "{usage}");
                assert!(!block.is_exportable(), "{usage}: the receiver may not export it");
                let again = hsm.load_key(&block).unwrap();
                assert_eq!(hsm.check_value(again), hsm.check_value(key), "{usage}");
                assert_eq!(hsm.check_value(again), Ok(check_value));
                sizes.push(sent.as_str().len());
                hsm.unload_key(again);
            }
            assert!(sizes.len() != 1 && sizes.windows(2).all(|pair| pair[0] < pair[1]), "{usage} {sizes:?}");
        }
    }
}

#[test]
fn a_key_that_may_not_leave_does_not() {
    let mut hsm = test_hsm();
    let kbpk = protection(&mut hsm, KeyUsage::ZoneMaster, 32);
    let stays = generate(&mut hsm, KeyUsage::EmvCryptogram, 3);
    let refused = hsm.export_key(kbpk, stays, ALL, &mut seeded(1));
    assert_eq!(refused, Err(HsmError::NotExportable));
    let mac = generate(&mut hsm, KeyUsage::MacX919, 3);
    let wrong = HsmError::WrongUsage { have: KeyUsage::MacX919, need: KeyUsage::ZoneMaster };
    let block = hsm.generate_key_with(KeyUsage::MacX919, EXPORTABLE, &mut seeded(4)).unwrap();
    let leaves = hsm.load_key(&block).unwrap();
    assert_eq!(hsm.export_key(mac, leaves, ALL, &mut seeded(1)), Err(wrong), "a MAC key protects no keys");
    assert_eq!(hsm.export_key(leaves, kbpk, ALL, &mut seeded(1)), Err(HsmError::NotExportable));
}

#[test]
fn any_changed_character_of_a_block_with_optional_blocks_is_refused() {
    let mut hsm = test_hsm();
    for usage in [KeyUsage::ZoneMaster, KeyUsage::ZoneMasterTdes] {
        let kbpk = protection(&mut hsm, usage, 16);
        let block = hsm.generate_key_with(KeyUsage::PinEncryption, EXPORTABLE, &mut seeded(5)).unwrap();
        let key = hsm.load_key(&block).unwrap();
        let sent = hsm.export_key(kbpk, key, ALL, &mut seeded(6)).unwrap();
        assert!(sent.as_str().contains("KC0C00") && sent.as_str().contains("KP0C"), "{}", sent.as_str());
        for place in 0..sent.as_str().len() {
            for other in ["0", "1", "9", "A", "E", "P", "X"] {
                let mut text = sent.as_str().to_owned();
                text.replace_range(place..=place, other);
                if text != sent.as_str() {
                    let refused = hsm.import_key(kbpk, &text, KeyUsage::PinEncryption, &mut seeded(7));
                    assert!(matches!(refused, Err(HsmError::KeyBlock(_))), "{place} {other} {refused:?}");
                }
            }
        }
    }
}

#[test]
fn each_fault_of_a_block_has_its_own_error() {
    let mut hsm = test_hsm();
    let kbpk = protection(&mut hsm, KeyUsage::ZoneMaster, 16);
    let clear: Vec<u8> = (1..=16).map(|number| number * 3).collect();
    let master = ZoneMaster::new(KeyUsage::ZoneMaster, &clear).unwrap();
    let good = Attributes::of(KeyUsage::DukptTdes, 16);
    let key = vectors::bytes(KEY);
    let block = |error| HsmError::KeyBlock(error);
    for (name, attributes, optional, key, want) in [
        ("good", good, &[("KC", "0008D7B4")][..], &key[..], None),
        ("a longer check value", good, &[("KC", "0008D7B4FB")], &key, None),
        ("a check value computed another way", good, &[("KC", "01AABBCCDDEE")], &key, None),
        ("an optional block nobody knows", good, &[("LB", "hello")], &key, None),
        (
            "another key's check value",
            good,
            &[("LB", "x"), ("KC", "0008D7B5")],
            &key,
            Some(block(KeyBlockError::CheckValue)),
        ),
        ("a check value of nothing", good, &[("KC", "0")], &key, Some(block(KeyBlockError::OptionalBlock))),
        (
            "another usage",
            Attributes::of(KeyUsage::EmvCryptogram, 16),
            &[],
            &key,
            Some(block(KeyBlockError::Usage)),
        ),
        ("another mode", Attributes { mode: 'B', ..good }, &[], &key, Some(block(KeyBlockError::Mode))),
        (
            "another algorithm",
            Attributes { algorithm: 'A', ..good },
            &[],
            &key,
            Some(block(KeyBlockError::Algorithm)),
        ),
        ("a short key", good, &[], &key[..8], Some(HsmError::KeyLength)),
        ("a weak key", good, &[], &[0x23; 16], Some(HsmError::WeakKey)),
    ] {
        let sent = master.wrap_for_transport(attributes, optional, key, &mut seeded(1)).unwrap();
        let imported = hsm.import_key(kbpk, sent.as_str(), KeyUsage::DukptTdes, &mut seeded(1));
        assert_eq!(imported.err(), want, "{name}");
    }
    let long = "D".repeat(crate::TRANSPORT_BLOCK_MAX + 1);
    let refused = hsm.import_key(kbpk, &long, KeyUsage::DukptTdes, &mut seeded(1));
    assert_eq!(refused.err(), Some(block(KeyBlockError::Length)));
    let refused = hsm.import_key(kbpk, "", KeyUsage::Token, &mut seeded(1));
    assert_eq!(refused.err(), Some(HsmError::NotZoneUsage(KeyUsage::Token)));
}

#[test]
fn a_stronger_key_comes_in_under_no_weaker_one() {
    let mut hsm = test_hsm();
    for (usage, length, want) in [
        (KeyUsage::ZoneMasterTdes, 16, Err(HsmError::WeakProtection)),
        (KeyUsage::ZoneMaster, 16, Err(HsmError::WeakProtection)),
        (KeyUsage::ZoneMaster, 32, Ok(())),
    ] {
        let kbpk = protection(&mut hsm, usage, length);
        let clear: Vec<u8> = (1..=length).map(|number| u8::try_from(number * 3).unwrap()).collect();
        let master = ZoneMaster::new(usage, &clear).unwrap();
        let attributes = Attributes::of(KeyUsage::PinEncryptionAes, 32);
        let sent = master.wrap(attributes, &[7; 32], &mut seeded(1));
        let imported = hsm.import_key(kbpk, sent.as_str(), KeyUsage::PinEncryptionAes, &mut seeded(1));
        assert_eq!(imported.map(drop), want, "{usage} {length}");
    }
}

#[test]
fn a_zone_master_is_formed_from_components_and_from_no_short_set() {
    let mut hsm = test_hsm();
    let part = |custodian: &str, hex: &str| {
        KeyComponent::new(custodian, ComponentForm::Des, vectors::bytes(hex).into(), None).unwrap()
    };
    let parts = [part("Alice", KEY), part("Bob", "1A860862082F5D1C3D8C0BA4B5E9F1C7")];
    let usage = KeyUsage::ZoneMasterTdes;
    let formed = hsm.form_key(usage, &parts, EXPORTABLE, &mut seeded(1)).unwrap();
    let key = hsm.load_key(&formed.block).unwrap();
    assert_eq!(hsm.check_value(key), Ok(formed.check_value));
    assert_eq!((hsm.key_usage(key), formed.block.key_version()), (Ok(usage), 7));

    let refused = hsm.form_key(usage, &parts[..1], EXPORTABLE, &mut seeded(1));
    assert_eq!(refused.err(), Some(HsmError::Components(ComponentError::TooFew)));
    let refused = hsm.form_key(KeyUsage::ZoneMaster, &parts, EXPORTABLE, &mut seeded(1));
    assert_eq!(refused.err(), Some(HsmError::Components(ComponentError::Form)));
    let refused = hsm.form_key(KeyUsage::MacCbcDes, &parts, EXPORTABLE, &mut seeded(1));
    assert_eq!(refused.err(), Some(HsmError::KeyLength));
}

#[test]
fn a_version_has_two_digits() {
    let mut hsm = test_hsm();
    let with = |version| KeyOptions { version, exportable: false };
    let block = hsm.generate_key_with(KeyUsage::MacX919, with(99), &mut seeded(1)).unwrap();
    assert_eq!(block.key_version(), 99);
    assert!(hsm.load_key(&block).is_ok());
    let refused = hsm.generate_key_with(KeyUsage::MacX919, with(100), &mut seeded(1));
    assert_eq!(refused, Err(HsmError::KeyVersion));
    assert_eq!(exchange::KeyOptions::default().version, 0);
}
