//! DUKPT through the engine: PINs and MACs of both kinds, and what a base key does not do.

use super::*;
use crate::{AesKsn, Direction, Ksn};

pub(super) fn tdes(bdk: KeyHandle) -> KeyRef {
    let ksn = Ksn::parse(&vectors::array("FFFF9876543210E00001")).unwrap();
    KeyRef::Dukpt { bdk, ksn, direction: Direction::Request }
}

pub(super) fn aes(bdk: KeyHandle) -> KeyRef {
    let ksn = AesKsn::parse(&vectors::array("123456789012345600000001")).unwrap();
    KeyRef::DukptAes { bdk, ksn, direction: Direction::Request }
}

#[test]
fn published_pin_blocks_and_macs_come_through_the_engine() {
    let mut hsm = test_hsm();
    let pvk = import(&mut hsm, KeyUsage::PinVerification, &vectors::bytes(KEY));
    for vector in vectors::family("dukpt_tdes") {
        let bdk = import(&mut hsm, KeyUsage::DukptTdes, &vector.input_bytes("bdk"));
        let ksn = Ksn::parse(&vectors::array(vector.input("ksn"))).unwrap();
        let key = KeyRef::Dukpt { bdk, ksn, direction: Direction::Request };

        let (mut macs, data) = (Vec::new(), vector.input("mac_data_ascii").as_bytes());
        hsm.generate_macs(&[MacRequest { key, algorithm: MacAlgorithm::X919, data }], &mut macs);
        assert_eq!(macs, [Ok(vectors::array(vector.expected("retail_mac_request")))], "{}", vector.id);

        let pan = Pan::parse(vector.input("pan").as_bytes()).unwrap();
        let pvv = hsm.test_pvv(pvk, 1, &pan, vector.input("pin").as_bytes()).unwrap();
        let block = vectors::array(vector.expected("pin_block_iso0"));
        let mut checks = Vec::new();
        hsm.verify_pins(&[PinCheck { pin_key: key, block, pan: &pan, pvk, pvki: 1, pvv }], &mut checks);
        assert_eq!(checks, [Ok(())], "{}", vector.id);
    }
}

#[test]
fn requests_and_responses_are_under_different_keys() {
    let mut hsm = test_hsm();
    for (usage, algorithm) in
        [(KeyUsage::DukptTdes, MacAlgorithm::X919Padded), (KeyUsage::DukptAes, MacAlgorithm::CmacAes)]
    {
        let bdk = import(&mut hsm, usage, &vectors::bytes(KEY));
        let macs = [Direction::Request, Direction::Response].map(|way| {
            let key = match (tdes(bdk), aes(bdk)) {
                (KeyRef::Dukpt { bdk, ksn, .. }, _) if usage == KeyUsage::DukptTdes => {
                    KeyRef::Dukpt { bdk, ksn, direction: way }
                }
                (_, KeyRef::DukptAes { bdk, ksn, .. }) => KeyRef::DukptAes { bdk, ksn, direction: way },
                _ => unreachable!("they are what they are called"),
            };
            generate_mac(&mut hsm, key, algorithm).unwrap()
        });
        assert_ne!(macs[0], macs[1], "{usage}");
    }
}

#[test]
fn a_transaction_key_makes_no_other_macs_and_no_pin_comes_in_a_response() {
    let mut hsm = test_hsm();
    let bdk = import(&mut hsm, KeyUsage::DukptTdes, &vectors::bytes(KEY));
    let refused = HsmError::WrongDerivation(KeyUsage::DukptTdes);
    for algorithm in [MacAlgorithm::Cbc3Des, MacAlgorithm::UnionPayEcb, MacAlgorithm::Psam] {
        assert_eq!(generate_mac(&mut hsm, tdes(bdk), algorithm), Err(refused), "{algorithm:?}");
    }
    let KeyRef::Dukpt { ksn, .. } = tdes(bdk) else { unreachable!("it is what it is called") };
    let response = KeyRef::Dukpt { bdk, ksn, direction: Direction::Response };
    let (pan, mut out) = (pan(), Vec::new());
    let pvk = import(&mut hsm, KeyUsage::PinVerification, &vectors::bytes(KEY));
    let item = PvvRequest { pin_key: response, block: [0; 8], pan: &pan, pvk, pvki: 1 };
    hsm.derive_pvvs(&[item, PvvRequest { pin_key: aes(bdk), ..item }], &mut out);
    assert_eq!(out[0], Err(refused));
    assert_eq!(out[1], Err(refused), "format 0 is not encrypted in AES");
}
