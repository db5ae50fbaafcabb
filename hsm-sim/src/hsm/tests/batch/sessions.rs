//! Sessions that are derived in lanes.

use super::*;
use crate::{SessionHandle, SessionPurpose, SessionRequest};

#[test]
fn sessions_of_a_mixed_batch_are_derived_as_alone() {
    let (mut city, mut other) = (city(64), city(1024));
    let mut choose = choices(9);
    let mac = SessionPurpose::Mac(MacAlgorithm::Psam);
    for size in SIZES {
        let items: Vec<SessionRequest> = (0..size)
            .map(|_| match choose(12) {
                0 => SessionRequest { key: city.pin[0].into(), purpose: SessionPurpose::Pin },
                1 => SessionRequest { key: one_time(city.psam[0], &mut choose), purpose: mac },
                2 => SessionRequest { key: one_time(city.stale, &mut choose), purpose: mac },
                _ => SessionRequest { key: one_time(city.psam[1], &mut choose), purpose: mac },
            })
            .collect();
        let derived = |hsm: &mut Hsm, items: &[SessionRequest], out: &mut Vec<Result<[u8; 8], HsmError>>| {
            let mut sessions = Vec::new();
            hsm.derive_sessions(items, &mut sessions);
            out.clear();
            out.extend(sessions.iter().map(|session| mac_under(hsm, *session)));
            let sessions: Vec<SessionHandle> = sessions.into_iter().flatten().collect();
            hsm.end_sessions(&sessions);
        };
        let macs = agree((&mut city.hsm, &mut other.hsm), &items, derived);
        if size > 250 {
            let (have, need) = (KeyUsage::PsamPin, KeyUsage::PsamMac);
            for want in [
                HsmError::StanRange,
                HsmError::NoSuchKey,
                HsmError::WrongUsage { have, need },
                HsmError::WrongDerivation(KeyUsage::PinEncryption),
            ] {
                assert!(macs.contains(&Err(want)), "{want:?} among {size}");
            }
        }
    }
}

fn mac_under(hsm: &mut Hsm, session: Result<SessionHandle, HsmError>) -> Result<[u8; 8], HsmError> {
    generate_mac(hsm, KeyRef::Session(session?), MacAlgorithm::Psam)
}

#[test]
fn a_weak_session_in_a_batch_is_refused_and_spoils_no_other() {
    let mut city = city(64);
    let master = city.hsm.keys.des_key(&city.hsm.lmk, city.psam[1], KeyUsage::PsamMac).unwrap();
    let psam_key = diversify(master, *number(1).as_bcd()).unwrap();
    let weak = psam_key.decrypt([0xFE; 8]);
    let purpose = SessionPurpose::Mac(MacAlgorithm::Psam);
    let request = |random| SessionRequest {
        key: KeyRef::OneTime { master: city.psam[1], psam: number(1), random, stan: 0 },
        purpose,
    };
    let mut items = vec![request([7; 8]); 64];
    items[40] = request(weak);
    let mut out = Vec::new();
    city.hsm.derive_sessions(&items, &mut out);
    assert_eq!(out[40], Err(HsmError::WeakDerivedKey));
    assert_eq!(out.iter().filter(|session| session.is_ok()).count(), 63);
}
