//! MACs: of requests under the keys that may have made them, and of answers under the keys their requests came with.

use std::ops::Range;

use arrayvec::ArrayVec;
use hsm_sim::{KeyRef, MacAlgorithm, MacCheck, MacRequest};

use super::{CHUNK, Seal, Verifier, keys::algorithm};
use crate::{
    batch::{Job, State},
    books::{
        Books, Terminal, TerminalId,
        event::TerminalDialect,
        request::{Facts, Kind, MacFact, Request},
    },
    clock::Moment,
};

/// Keys that may have made a message's MAC.
enum Candidate {
    /// There are no keys at all.
    NoKeys,
    /// All that there are have been tried, or the HSM does not take them.
    NoMore,
    /// These.
    Keys {
        /// Verifies the request.
        check: KeyRef,
        /// Seals the answer.
        seal: Seal,
        /// Their version.
        version: u32,
    },
}

impl Verifier {
    /// One pass over the MACs not yet found right, with the `attempt`-th keys of each sender. Nearly all are right in
    /// the first pass; the second finds keys just given out, the third keys just replaced.
    pub(super) fn verify_macs(
        &mut self,
        books: &Books,
        jobs: &mut [Job],
        input: &[u8],
        attempt: usize,
        now: &Moment,
    ) {
        let mut items: ArrayVec<MacCheck<'_>, CHUNK> = ArrayVec::new();
        let mut of: ArrayVec<(usize, u32), CHUNK> = ArrayVec::new();
        for (index, job) in jobs.iter_mut().enumerate() {
            if !is_unsettled(job) {
                continue;
            }
            let (check, seal, version) = match self.candidate(books, &job.request, &job.facts, attempt, now) {
                Candidate::NoKeys if attempt == 0 => {
                    job.facts.mac = MacFact::NoKeys;
                    continue;
                }
                Candidate::NoKeys | Candidate::NoMore => continue,
                Candidate::Keys { check, seal, version } => (check, seal, version),
            };
            let Some((mac, covers)) = job.envelope.mac.clone() else { continue };
            job.facts.mac = MacFact::Wrong;
            job.seal = Some(seal);
            let data = input.get(job.frame.start + covers.start..job.frame.start + covers.end).unwrap_or(&[]);
            items.push(MacCheck { key: check, algorithm: seal.algorithm, data, mac });
            of.push((index, version));
        }
        self.hsm.verify_macs(&items, &mut self.checks);
        for ((index, version), check) in of.iter().zip(&self.checks) {
            if check.is_ok() {
                jobs[*index].facts.mac = MacFact::Right { version: *version };
            }
        }
        for job in jobs.iter_mut().filter(|job| job.facts.mac == MacFact::Wrong && attempt == 2) {
            // An answer to a message whose MAC failed carries none, or the switch would make MACs for anyone.
            job.seal = None;
        }
    }

    fn candidate(
        &mut self,
        books: &Books,
        request: &Request,
        facts: &Facts,
        attempt: usize,
        now: &Moment,
    ) -> Candidate {
        if request.line.dialect == TerminalDialect::Atm {
            return self.zone_candidate(books, facts, attempt, now);
        }
        let Some(id) = facts.terminal else { return Candidate::NoMore };
        let terminal = books.terminal(id);
        match terminal.dialect {
            TerminalDialect::Pos => self.working_candidate(books, id, terminal, attempt, now),
            TerminalDialect::Epos if attempt == 0 => self.one_time_candidate(books, request, facts),
            TerminalDialect::Epos | TerminalDialect::Atm => Candidate::NoMore,
        }
    }

    fn working_candidate(
        &mut self,
        books: &Books,
        id: TerminalId,
        terminal: &Terminal,
        attempt: usize,
        now: &Moment,
    ) -> Candidate {
        let Some(working) = terminal.keys_at(now.unix_ms(), books.policy()).nth(attempt) else {
            return if attempt == 0 { Candidate::NoKeys } else { Candidate::NoMore };
        };
        // Keys that the HSM does not take cannot have made this MAC.
        let Ok(handles) = self.keys.working(&mut self.hsm, id, terminal, working) else {
            return Candidate::NoMore;
        };
        let (mac, pin) = (handles.mac.into(), handles.pin.into());
        let seal = Seal { mac, pin, track: None, algorithm: algorithm(terminal.mac) };
        Candidate::Keys { check: mac, seal, version: working.version }
    }

    fn one_time_candidate(&mut self, books: &Books, request: &Request, facts: &Facts) -> Candidate {
        let (Some(id), Some(input)) = (facts.psam, request.psam.as_ref()) else { return Candidate::NoMore };
        let version = books.psam(id).key_version;
        // The version comes from the record; a message that says another was not made by this PSAM.
        let agrees = input.key_version.is_none_or(|said| said == version);
        let (Some(masters), Some(random), true) = (self.keys.masters(version), input.random, agrees) else {
            return Candidate::NoMore;
        };
        let psam = input.number;
        let one_time = |master| KeyRef::OneTime { master, psam, random, stan: request.stan };
        let (mac, pin) = (one_time(masters.mac), one_time(masters.pin));
        let seal = Seal { mac, pin, track: Some(one_time(masters.track)), algorithm: MacAlgorithm::Psam };
        Candidate::Keys { check: mac, seal, version: version.into() }
    }

    fn zone_candidate(&mut self, books: &Books, facts: &Facts, attempt: usize, now: &Moment) -> Candidate {
        let Some(id) = facts.acquirer else { return Candidate::NoMore };
        let acquirer = books.acquirer(id);
        let Some(keys) = acquirer.keys_at(now.unix_ms()).nth(attempt) else { return Candidate::NoMore };
        let Ok(handles) = self.keys.zone(&mut self.hsm, id, acquirer, keys) else { return Candidate::NoMore };
        let seal = Seal {
            mac: handles.mac_from_switch.into(),
            pin: handles.pin.into(),
            track: None,
            algorithm: algorithm(acquirer.mac),
        };
        Candidate::Keys { check: handles.mac_to_switch.into(), seal, version: keys.version }
    }

    /// Makes the MACs of the answers in `output` that carry one, in place. An answer whose MAC cannot be made is
    /// reported by its index in `jobs`.
    pub fn seal(&mut self, jobs: &[Job], output: &mut [u8], failed: &mut dyn FnMut(usize)) {
        for (chunk_at, chunk) in jobs.chunks(CHUNK).enumerate() {
            let mut items: ArrayVec<MacRequest<'_>, CHUNK> = ArrayVec::new();
            let mut of: ArrayVec<(usize, Range<usize>), CHUNK> = ArrayVec::new();
            for (index, job) in chunk.iter().enumerate() {
                let covers = job.encoded.mac_covers.clone();
                if let (false, Some(seal)) = (covers.is_empty(), job.seal.as_ref()) {
                    let data = &output[covers.clone()];
                    items.push(MacRequest { key: seal.mac, algorithm: seal.algorithm, data });
                    of.push((index, covers));
                }
            }
            self.hsm.generate_macs(&items, &mut self.macs);
            drop(items);
            for ((index, covers), mac) in of.iter().zip(&self.macs) {
                match mac {
                    Ok(mac) if chunk[*index].encoded.mac_in_hex => {
                        output[covers.end..covers.end + 16].copy_from_slice(&hex(*mac));
                    }
                    Ok(mac) => output[covers.end..covers.end + 8].copy_from_slice(mac),
                    Err(_) => failed(chunk_at * CHUNK + index),
                }
            }
        }
    }
}

/// Whether a request's MAC matters and is not known to be right.
fn is_unsettled(job: &Job) -> bool {
    let settled = matches!(job.facts.mac, MacFact::Right { .. } | MacFact::NoKeys);
    // An acquirer's messages all carry a MAC; a terminal has no key before it signs in.
    let is_open = job.request.line.dialect != TerminalDialect::Atm
        && matches!(job.request.kind, Kind::SignIn | Kind::SignOff | Kind::Echo);
    job.state == State::Request && !settled && !is_open
}

fn hex(mac: [u8; 8]) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(mac) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0F)];
    }
    text
}
