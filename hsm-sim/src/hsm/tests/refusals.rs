//! What must never be accepted, each with the reason that it is refused for.

use super::*;
use crate::{
    ComponentError, ComponentForm, DecimalisationTable, DecimalisationTableError, Factor, KeyComponent, Ksn,
    ReplayError, ReplayGuard, hsm::exchange::KeyOptions,
};

/// What loading a block with other characters at a place answers.
fn load_changed(hsm: &mut Hsm, block: &KeyBlock, place: usize, other: &str) -> Result<KeyHandle, HsmError> {
    let mut text = block.as_str().to_owned();
    text.replace_range(place..place + other.len(), other);
    assert_ne!(text, block.as_str());
    KeyBlock::parse(&text).map_err(HsmError::from).and_then(|block| hsm.load_key(&block))
}

#[test]
fn a_changed_byte_of_a_key_block_is_refused_for_the_rule_of_its_place() {
    use KeyBlockError::{Authentication, Character, Length, Version};
    let mut hsm = test_hsm();
    let block = hsm.generate_key(KeyUsage::MacX919, &mut seeded(9)).unwrap();
    assert_eq!(&block.as_str()[..16], "D0112M3TC00N0000");
    for (name, place, other, want) in [
        ("another version", 0, "A", Version),
        ("the version under triple DES", 0, "B", Version),
        ("another length", 4, "0", Length),
        ("a length that is no number", 1, "x", Length),
        ("another usage", 5, "P0", Authentication),
        ("another algorithm", 7, "A", Authentication),
        ("another mode", 8, "G", Authentication),
        ("another key version", 10, "1", Authentication),
        ("exportable", 11, "E", Authentication),
        ("no exportability", 11, "X", Character),
        ("reserved characters in use", 15, "1", Character),
    ] {
        let refused = load_changed(&mut hsm, &block, place, other);
        assert_eq!(refused, Err(HsmError::KeyBlock(want)), "{name}");
    }
    for place in 16..block.as_str().len() {
        let other = if block.as_str().as_bytes()[place] == b'5' { "A" } else { "5" };
        let refused = load_changed(&mut hsm, &block, place, other);
        assert_eq!(refused, Err(HsmError::KeyBlock(Authentication)), "another digit at {place}");
        let refused = load_changed(&mut hsm, &block, place, "a");
        assert_eq!(refused, Err(HsmError::KeyBlock(Character)), "lower case at {place}");
    }
}

#[test]
fn each_way_to_cheat_is_refused_with_its_reason() {
    let (mut hsm, pan) = (test_hsm(), pan());
    let mac_key = good_key(&mut hsm, KeyUsage::MacX919);
    let (have, need) = (KeyUsage::MacX919, KeyUsage::PinEncryption);
    assert_eq!(
        use_as(&mut hsm, mac_key, need),
        Err(HsmError::WrongUsage { have, need }),
        "a key of another usage"
    );

    let pin_key = good_key(&mut hsm, KeyUsage::PinEncryption).into();
    let pvk = good_key(&mut hsm, KeyUsage::PinVerification);
    let item = PinCheck { pin_key, block: [0; 8], pan: &pan, pvk, pvki: 1, pvv: *b"0000" };
    let mut out = Vec::new();
    hsm.verify_pins(&[item; 10], &mut out);
    assert_eq!(out, [Err(HsmError::PinBlock); 10], "a bad PIN block, not a wrong PIN");

    let weak = DecimalisationTable::parse(b"0000000100000000");
    assert_eq!(weak.map(drop), Err(DecimalisationTableError::Weak), "a table that gives PINs away");

    let mut guard = ReplayGuard::new(10);
    let once = Factor::Dukpt(Ksn::parse(&vectors::array("FFFF9876543210E00001")).unwrap());
    assert_eq!((guard.accept(&once), guard.accept(&once)), (Ok(()), Err(ReplayError::Used)), "a replay");

    let mut bytes = Zeroizing::new(vec![0; 16]);
    seeded(4).fill(&mut bytes);
    set_odd_parity(&mut bytes);
    let component = KeyComponent::new("one", ComponentForm::Des, bytes, None).unwrap();
    let formed = hsm.form_key(KeyUsage::ZoneMasterTdes, &[component], KeyOptions::default(), &mut seeded(5));
    assert_eq!(formed, Err(HsmError::Components(ComponentError::TooFew)), "a set of one component");
}
