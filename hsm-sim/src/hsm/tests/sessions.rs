//! Sessions through the engine.

use super::*;
use crate::{SessionHandle, SessionPurpose, SessionRequest};

fn derive(hsm: &mut Hsm, key: KeyRef, purpose: SessionPurpose) -> Result<SessionHandle, HsmError> {
    let mut out = Vec::new();
    hsm.derive_sessions(&[SessionRequest { key, purpose }], &mut out);
    assert_eq!(out.len(), 1);
    out[0]
}

#[test]
fn a_session_computes_what_its_derivation_does_until_it_is_ended() {
    let mut hsm = test_hsm();
    let master = good_key(&mut hsm, KeyUsage::PsamMac);
    let bdk = good_key(&mut hsm, KeyUsage::DukptTdes);
    for (key, algorithm) in
        [(psam::one_time(master), MacAlgorithm::Psam), (dukpt::tdes(bdk), MacAlgorithm::X919Padded)]
    {
        let session = derive(&mut hsm, key, SessionPurpose::Mac(algorithm)).unwrap();
        let inline = generate_mac(&mut hsm, key, algorithm);
        let kept = KeyRef::Session(session);
        assert!(inline.is_ok());
        assert_eq!(generate_mac(&mut hsm, kept, algorithm), inline);
        assert_eq!(generate_mac(&mut hsm, kept, algorithm), inline, "it may be used again");
        assert_eq!(generate_mac(&mut hsm, kept, MacAlgorithm::X919), Err(HsmError::WrongSession));
        assert_eq!(psam::derive_pvv(&mut hsm, kept), Err(HsmError::WrongSession), "a MAC key opens no PIN");
        hsm.end_sessions(&[session, session]);
        assert_eq!(generate_mac(&mut hsm, kept, algorithm), Err(HsmError::NoSuchKey));
    }
}

#[test]
fn many_at_a_time_compute_what_one_does() {
    let mut hsm = test_hsm();
    let master = good_key(&mut hsm, KeyUsage::PsamMac);
    let (purpose, mut out) = (SessionPurpose::Mac(MacAlgorithm::Psam), Vec::new());
    let requests = (0..40).map(|stan| {
        let KeyRef::OneTime { master, psam, random, .. } = psam::one_time(master) else {
            unreachable!("it is what it is called")
        };
        SessionRequest { key: KeyRef::OneTime { master, psam, random, stan }, purpose }
    });
    let requests: Vec<_> = requests.collect();
    hsm.derive_sessions(&requests, &mut out);
    let sessions: Vec<_> = out.iter().map(|session| session.unwrap()).collect();
    let request = |key| MacRequest { key, algorithm: MacAlgorithm::Psam, data: MESSAGE };
    let items: Vec<_> = sessions.iter().map(|session| request(KeyRef::Session(*session))).collect();
    let (mut together, mut inline) = (Vec::new(), Vec::new());
    hsm.generate_macs(&items, &mut together);
    let items: Vec<_> = requests.iter().map(|item| request(item.key)).collect();
    hsm.generate_macs(&items, &mut inline);
    assert_eq!(together, inline);
    assert!(together.iter().all(Result::is_ok));
    assert!(together.windows(2).all(|pair| pair[0] != pair[1]), "each is under its own key");
    hsm.end_sessions(&sessions);
    let items: Vec<_> = sessions.iter().map(|session| request(KeyRef::Session(*session))).collect();
    hsm.generate_macs(&items, &mut together);
    assert!(together.iter().all(|mac| *mac == Err(HsmError::NoSuchKey)));
}

#[test]
fn pins_and_tracks_have_sessions_too() {
    let mut hsm = test_hsm();
    let pin = good_key(&mut hsm, KeyUsage::PsamPin);
    let track = good_key(&mut hsm, KeyUsage::PsamTrack);
    let session = derive(&mut hsm, psam::one_time(pin), SessionPurpose::Pin).unwrap();
    let inline = psam::derive_pvv(&mut hsm, psam::one_time(pin));
    assert_eq!(psam::derive_pvv(&mut hsm, KeyRef::Session(session)), inline);
    let session = derive(&mut hsm, psam::one_time(track), SessionPurpose::Track).unwrap();
    assert!(psam::open_track(&mut hsm, KeyRef::Session(session)).is_ok());
    assert_eq!(psam::derive_pvv(&mut hsm, KeyRef::Session(session)), Err(HsmError::WrongSession));
}

#[test]
fn only_keys_of_transactions_have_sessions() {
    let mut hsm = test_hsm();
    let mac = SessionPurpose::Mac(MacAlgorithm::X919);
    let stored = good_key(&mut hsm, KeyUsage::MacX919);
    let wrong = |usage| Err(HsmError::WrongDerivation(usage));
    assert_eq!(derive(&mut hsm, stored.into(), mac), wrong(KeyUsage::MacX919));
    let auth = good_key(&mut hsm, KeyUsage::PsamAuth);
    let psam_mac = SessionPurpose::Mac(MacAlgorithm::Psam);
    assert_eq!(derive(&mut hsm, psam::own(auth), psam_mac), wrong(KeyUsage::PsamAuth));
    let bdk = good_key(&mut hsm, KeyUsage::DukptAes);
    let aes = SessionPurpose::Mac(MacAlgorithm::CmacAes);
    assert_eq!(derive(&mut hsm, dukpt::aes(bdk), aes), wrong(KeyUsage::DukptAes));
    let master = good_key(&mut hsm, KeyUsage::PsamPin);
    let need = KeyUsage::PsamMac;
    let have = KeyUsage::PsamPin;
    assert_eq!(
        derive(&mut hsm, psam::one_time(master), psam_mac),
        Err(HsmError::WrongUsage { have, need }),
        "a PIN master derives no MAC keys"
    );
    let session = derive(&mut hsm, psam::one_time(master), SessionPurpose::Pin).unwrap();
    let again = derive(&mut hsm, KeyRef::Session(session), SessionPurpose::Pin);
    assert_eq!(again, Err(HsmError::WrongSession), "a session is nobody's master");
}
