//! What only telephone POS have: encrypted tracks, and sign-in by nonce and authenticator.

use arrayvec::ArrayVec;
use hsm_sim::{KeyRef, MacAlgorithm, MacCheck, TrackRequest};

use super::{CHUNK, Verifier};
use crate::{
    batch::{Job, State},
    books::{
        Books, TerminalId,
        event::TerminalDialect,
        request::{CardInput, Check, Kind, MacFact, PsamInput, Request},
    },
    clock::Moment,
    dialect::card::{self, Given},
};

/// Nonce, PSAM number, field 41, field 11 as three BCD bytes.
const AUTHENTICATED: usize = 8 + 8 + 8 + 3;

impl Verifier {
    /// Opens the tracks of requests whose MAC is right; nothing is decrypted before that.
    pub(super) fn open_tracks(&mut self, jobs: &mut [Job]) {
        let mut of: ArrayVec<usize, CHUNK> = ArrayVec::new();
        let mut items: ArrayVec<TrackRequest<'_>, CHUNK> = ArrayVec::new();
        for (index, job) in jobs.iter().enumerate() {
            let Job { state: State::Request, request: Request { psam: Some(psam), .. }, .. } = job else {
                continue;
            };
            let key = job.seal.as_ref().and_then(|seal| seal.track);
            if let (MacFact::Right { .. }, Some(key), false) = (job.facts.mac, key, psam.track.is_empty()) {
                items.push(TrackRequest { key, data: &psam.track });
                of.push(index);
            }
        }
        if items.is_empty() {
            return;
        }
        self.hsm.open_tracks(&items, &mut self.tracks);
        drop(items);
        for (index, track) in of.iter().zip(&self.tracks) {
            let request = &mut jobs[*index].request;
            request.card = match track {
                Ok(track) => card::read(&Given {
                    number: request.card.pan().map(|pan| pan.expose()),
                    expiry: request.expiry_given,
                    track_2: Some(track.expose()),
                    track_3: None,
                }),
                Err(_) => CardInput::NotACard,
            };
        }
        // Dropped where they lie: what is moved out of a vector stays there in clear.
        self.tracks.clear();
    }

    /// Sign-ins: a fresh nonce for who asks, the check of the answer for who answers.
    pub(super) fn challenge(&mut self, books: &Books, jobs: &mut [Job], now: &Moment) {
        let mut authenticated: ArrayVec<(usize, KeyRef, [u8; AUTHENTICATED], [u8; 8]), CHUNK> =
            ArrayVec::new();
        for (index, job) in jobs.iter_mut().enumerate() {
            let Job { state: State::Request, connection, request, facts, .. } = job else { continue };
            let (Kind::SignIn, Some(input), Some(psam)) = (request.kind, &request.psam, facts.psam) else {
                continue;
            };
            if !is_own(books, facts.terminal) {
                continue;
            }
            let Some(authenticator) = input.authenticator else {
                let mut nonce = [0; 8];
                self.entropy.fill(&mut nonce);
                self.challenges.put(*connection, psam, nonce, now.unix_ms());
                facts.nonce = Some(nonce);
                continue;
            };
            facts.nonce = self.challenges.take(*connection, psam, now.unix_ms());
            facts.authenticator = Check::Wrong;
            let masters = self.keys.masters(books.psam(psam).key_version);
            if let (Some(nonce), Some(masters)) = (facts.nonce, masters) {
                let key = KeyRef::Psam { master: masters.auth, psam: input.number };
                authenticated.push((index, key, to_authenticate(nonce, input, request), authenticator));
            }
        }
        if authenticated.is_empty() {
            return;
        }
        let items: ArrayVec<MacCheck<'_>, CHUNK> = authenticated
            .iter()
            .map(|(_, key, data, mac)| MacCheck { key: *key, algorithm: MacAlgorithm::Psam, data, mac: *mac })
            .collect();
        self.hsm.verify_macs(&items, &mut self.checks);
        for ((index, ..), check) in authenticated.iter().zip(&self.checks) {
            if check.is_ok() {
                jobs[*index].facts.authenticator = Check::Right;
            }
        }
    }
}

fn is_own(books: &Books, terminal: Option<TerminalId>) -> bool {
    terminal.is_some_and(|id| books.terminal(id).dialect == TerminalDialect::Epos)
}

fn to_authenticate(nonce: [u8; 8], input: &PsamInput, request: &Request) -> [u8; AUTHENTICATED] {
    let mut data = [0; AUTHENTICATED];
    data[..8].copy_from_slice(&nonce);
    data[8..16].copy_from_slice(input.number.as_bcd());
    data[16..24].copy_from_slice(&request.terminal);
    let mut stan = request.stan;
    for byte in data[24..].iter_mut().rev() {
        let (tens, ones) = ((stan / 10 % 10) as u8, (stan % 10) as u8);
        *byte = tens << 4 | ones;
        stan /= 100;
    }
    data
}
