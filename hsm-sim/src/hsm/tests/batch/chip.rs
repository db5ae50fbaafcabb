//! Application cryptograms in lanes.

use super::*;
use crate::{Arpc, ArpcRequest, ArqcCheck, CryptogramVersion, IssuerResponse, emv};

#[test]
fn cryptograms_of_both_versions_are_checked_and_answered_as_alone() {
    let (mut city, mut other) = (city(64), city(1024));
    let imk = generate(&mut city.hsm, KeyUsage::EmvCryptogram, 304);
    assert_eq!(generate(&mut other.hsm, KeyUsage::EmvCryptogram, 304), imk, "handles are given out in order");
    let mut choose = choices(8);
    let data: Vec<u8> = (0..400_u32).map(|at| (at * 7 % 251) as u8).collect();
    for size in SIZES {
        let pans = city.pans.clone();
        let items: Vec<ArpcRequest<'_>> = (0..size)
            .map(|_| {
                let version = [CryptogramVersion::Cvn10, CryptogramVersion::Cvn18][choose(2)];
                let (pan, sequence, atc) = (&pans[choose(pans.len())], byte(choose(100)), byte(choose(256)));
                let length = if choose(20) == 0 { 0 } else { 29 + choose(40) };
                let mut request = ArqcCheck {
                    imk,
                    version,
                    pan,
                    sequence,
                    atc: 0x0100 | u16::from(atc),
                    data: &data[choose(300)..][..length],
                    arqc: [0; 8],
                };
                if let (Ok(key), true) = (cryptogram_key(&mut city.hsm, &request), length > 0) {
                    request.arqc = emv::arqc(version, &key, request.data).unwrap();
                }
                match choose(12) {
                    0 => request.arqc[choose(8)] ^= 1,
                    1 => request.sequence = 100,
                    2 => request.imk = city.cvk,
                    3 => request.imk = city.stale,
                    _ => {}
                }
                let response = match choose(2) {
                    0 => IssuerResponse::ResponseCode(*b"00"),
                    _ => IssuerResponse::CardStatus([0, byte(choose(256)), 0, 3]),
                };
                ArpcRequest { request, response }
            })
            .collect();
        let hsms = (&mut city.hsm, &mut other.hsm);
        let answered: Vec<Result<Arpc, HsmError>> =
            agree(hsms, &items, |hsm, items, out| hsm.generate_arpcs(items, out));
        let requests: Vec<ArqcCheck<'_>> = items.iter().map(|item| item.request).collect();
        let hsms = (&mut city.hsm, &mut other.hsm);
        let checked = agree(hsms, &requests, |hsm, items, out| hsm.verify_arqcs(items, out));
        assert!(answered.iter().map(|answer| answer.map(drop)).eq(checked.iter().copied()));
        if size > 250 {
            let (have, need) = (KeyUsage::CardVerification, KeyUsage::EmvCryptogram);
            for want in [
                Ok(()),
                Err(HsmError::VerificationFailed),
                Err(HsmError::CardSequence),
                Err(HsmError::EmptyMessage),
                Err(HsmError::NoSuchKey),
                Err(HsmError::WrongUsage { have, need }),
            ] {
                assert!(checked.contains(&want), "{want:?} among {size}");
            }
        }
    }
}

fn cryptogram_key(hsm: &mut Hsm, request: &ArqcCheck<'_>) -> Result<DesKey, HsmError> {
    let imk = hsm.keys.des_key(&hsm.lmk, request.imk, KeyUsage::EmvCryptogram)?;
    emv::cryptogram_key(request.version, imk, request.pan.expose(), request.sequence, request.atc)
}
