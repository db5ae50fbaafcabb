//! From one local master key to the next, through the engine.

use super::*;

fn lmk(seed: u8) -> Lmk {
    Lmk::from_bytes(Zeroizing::new([seed; 32]))
}

/// An HSM under a real key with two keys loaded, and their blocks.
fn before() -> (Hsm, [KeyBlock; 2], [KeyHandle; 2]) {
    let mut hsm = Hsm::with_limits(lmk(1), HsmLimits { key_slots: 8, unwrapped_keys: 1 });
    let options = crate::KeyOptions { version: 3, exportable: true };
    let blocks = [KeyUsage::MacX919, KeyUsage::ZoneMaster]
        .map(|usage| hsm.generate_key_with(usage, options, &mut seeded(31)).unwrap());
    let handles = [0, 1].map(|number: usize| hsm.load_key(&blocks[number]).unwrap());
    (hsm, blocks, handles)
}

#[test]
fn blocks_of_both_keys_are_good_until_the_rotation_ends() {
    let (mut hsm, [old, _], handles) = before();
    let check_values = handles.map(|handle| hsm.check_value(handle).unwrap());
    let mac = generate_mac(&mut hsm, handles[0], MacAlgorithm::X919);
    let old_check = hsm.lmk_check_value();
    hsm.begin_rotation(lmk(2)).unwrap();
    assert_eq!(hsm.previous_lmk_check_value(), Some(old_check));
    assert_eq!(format!("{:?}", hsm.lmk).matches("rotating").count(), 1);

    let new = hsm.rewrap(&old, &mut seeded(32)).unwrap();
    assert_ne!(new, old);
    assert_eq!((new.key_version(), new.is_exportable()), (3, true));
    assert_eq!(hsm.rewrap(&new, &mut seeded(33)), Ok(new.clone()), "it is through already");
    for block in [&old, &new] {
        let loaded = hsm.load_key(block).unwrap();
        assert_eq!(generate_mac(&mut hsm, loaded, MacAlgorithm::X919), mac);
        hsm.unload_key(loaded);
    }
    let fresh = hsm.generate_key(KeyUsage::Token, &mut seeded(34)).unwrap();
    assert!(hsm.load_key(&fresh).is_ok());

    assert_eq!(hsm.end_rotation(&mut seeded(35)), Ok(2));
    assert_eq!(hsm.previous_lmk_check_value(), None);
    let refused = Err(HsmError::KeyBlock(KeyBlockError::Authentication));
    assert_eq!(hsm.load_key(&old), refused);
    assert_eq!(hsm.rewrap(&old, &mut seeded(36)).map(drop), refused.map(drop));
    assert!(hsm.load_key(&new).is_ok());
    // With room for one unwrapped key each of these is unwrapped anew.
    assert_eq!(handles.map(|handle| hsm.check_value(handle).unwrap()), check_values);
    assert_eq!(generate_mac(&mut hsm, handles[0], MacAlgorithm::X919), mac);

    let mut after = Hsm::new(lmk(2));
    assert!(after.load_key(&new).is_ok() && after.load_key(&fresh).is_ok());
}

#[test]
fn many_blocks_are_rewrapped_and_a_bad_one_spoils_no_other() {
    let (mut hsm, [first, second], _) = before();
    hsm.begin_rotation(lmk(2)).unwrap();
    let foreign = Hsm::new(lmk(9)).generate_key(KeyUsage::MacX919, &mut seeded(1)).unwrap();
    let mut out = Vec::new();
    hsm.rewrap_keys(&[first, foreign, second], &mut seeded(2), &mut out);
    assert!(out[0].is_ok() && out[2].is_ok());
    assert_eq!(out[1], Err(HsmError::KeyBlock(KeyBlockError::Authentication)));
    assert_eq!(hsm.end_rotation(&mut seeded(3)), Ok(2), "the loaded copies were still under the old key");
}

#[test]
fn a_rotation_that_makes_no_sense_is_refused() {
    let (mut hsm, ..) = before();
    assert_eq!(hsm.end_rotation(&mut seeded(1)), Err(HsmError::NoRotation));
    assert_eq!(hsm.begin_rotation(lmk(1)), Err(HsmError::SameLmk));
    assert_eq!(hsm.begin_rotation(Lmk::test()), Err(HsmError::TestLmk));
    hsm.begin_rotation(lmk(2)).unwrap();
    assert_eq!(hsm.begin_rotation(lmk(3)), Err(HsmError::RotationUnderWay));
    assert_eq!(test_hsm().begin_rotation(lmk(2)), Err(HsmError::TestLmk));
}

#[test]
fn keys_of_sample_data_are_taken_over_with_their_headers_and_nothing_else_is() {
    let mut test = test_hsm();
    let options = crate::KeyOptions { version: 2, exportable: true };
    let sample = test.generate_key_with(KeyUsage::MacX919, options, &mut seeded(41)).unwrap();
    let known = test.load_key(&sample).unwrap();
    let mac = generate_mac(&mut test, known, MacAlgorithm::X919);

    let mut hsm = Hsm::new(lmk(1));
    let refused = HsmError::KeyBlock(KeyBlockError::Authentication);
    assert_eq!(hsm.load_key(&sample), Err(refused), "under the test key it is worth nothing here");
    let taken = hsm.adopt_test_key(&sample, &mut seeded(42)).unwrap();
    assert_eq!((taken.key_version(), taken.mode_of_use(), taken.exportability()), (2, 'C', 'E'));
    let handle = hsm.load_key(&taken).unwrap();
    assert_eq!(generate_mac(&mut hsm, handle, MacAlgorithm::X919), mac);
    assert_eq!(
        hsm.adopt_test_key(&taken, &mut seeded(43)),
        Err(refused),
        "a real key is none of the sample's"
    );
}
