//! Verification: what the HSM can say about a batch of requests before the books look at them, and the MACs of
//! the answers.
//!
//! Everything here works on whole batches, each item under its own key. It touches no state: it reads the books
//! and leaves [`Facts`]; facts name the versions they rest on, and the books check those again. What fails early
//! is not looked at later: no card is looked up behind a wrong MAC, and nothing is decrypted.
//!
//! Start at [`Verifier::verify`] and [`Verifier::seal`].

mod keys;

use std::ops::Range;

use arrayvec::ArrayVec;
use hsm_sim::{
    CvvCheck, Entropy, Hsm, HsmError, KeyHandle, KeyUsage, MacAlgorithm, MacCheck, MacRequest, PanToken,
    PinCheck, TokenRequest, WorkingKeyRequest,
};

pub use self::keys::KeysError;
use self::keys::{KeyRing, algorithm};
use crate::{
    batch::{Job, State},
    books::{
        Books, TerminalId, WorkingKeys,
        event::{KeyText, KeysForTerminal},
        request::{CardInput, Check, Facts, KeyScheme, Kind, MacFact, PinBlock, TrackValue},
    },
    clock::Moment,
};

/// Items handed to the HSM at once. Enough for its batches to be worth while, and a stack frame's worth.
const CHUNK: usize = 128;

/// The verify and the answer stage.
pub struct Verifier {
    hsm: Hsm,
    entropy: Box<dyn Entropy + Send>,
    keys: KeyRing,
    checks: Vec<Result<(), HsmError>>,
    macs: Vec<Result<[u8; 8], HsmError>>,
    tokens: Vec<Result<PanToken, HsmError>>,
    made: Vec<Result<hsm_sim::WorkingKeys, HsmError>>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier over an HSM, with the issuer keys that the books hold.
    ///
    /// # Errors
    /// An issuer key is missing, or is not one under this HSM's LMK.
    pub fn new(mut hsm: Hsm, entropy: Box<dyn Entropy + Send>, books: &Books) -> Result<Self, KeysError> {
        let keys = KeyRing::new(&mut hsm, books)?;
        Ok(Self {
            hsm,
            entropy,
            keys,
            checks: Vec::with_capacity(CHUNK),
            macs: Vec::with_capacity(CHUNK),
            tokens: Vec::with_capacity(CHUNK),
            made: Vec::with_capacity(CHUNK),
        })
    }

    /// Whether the HSM works under the published test LMK.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.hsm.is_test()
    }

    /// Finds out the facts of every request in `jobs`, whose frames lie in `input`. Working keys for sign-ins are
    /// put behind `new_keys`.
    pub fn verify(
        &mut self,
        books: &Books,
        jobs: &mut [Job],
        input: &[u8],
        new_keys: &mut Vec<WorkingKeys>,
        now: &Moment,
    ) {
        for chunk in jobs.chunks_mut(CHUNK) {
            for job in chunk.iter_mut().filter(|job| job.state == State::Request) {
                job.facts =
                    Facts { terminal: books.find_terminal(&job.request.terminal), ..Facts::default() };
                job.seal = None;
            }
            for attempt in 0..3 {
                self.verify_macs(books, chunk, input, attempt, now);
            }
            self.find_cards(books, chunk);
            self.verify_cvvs(chunk);
            self.verify_pins(books, chunk);
            self.make_keys(books, chunk, new_keys, now);
        }
    }

    /// One pass over the MACs not yet found right, with each terminal's `attempt`-th key pair. Nearly all are right
    /// in the first pass; the second finds keys just given out, the third keys just replaced.
    fn verify_macs(&mut self, books: &Books, jobs: &mut [Job], input: &[u8], attempt: usize, now: &Moment) {
        let mut items: ArrayVec<MacCheck<'_>, CHUNK> = ArrayVec::new();
        let mut of: ArrayVec<(usize, u32), CHUNK> = ArrayVec::new();
        for (index, job) in jobs.iter_mut().enumerate() {
            let Some(id) = unsettled(job) else { continue };
            let terminal = books.terminal(id);
            let Some(working) = terminal.keys_at(now.unix_ms(), books.policy()).nth(attempt) else {
                if attempt == 0 {
                    job.facts.mac = MacFact::NoKeys;
                }
                continue;
            };
            let Some((mac, covers)) = job.envelope.mac.clone() else { continue };
            let algorithm = algorithm(terminal.mac);
            // Keys that the HSM does not take cannot have made this MAC.
            let handles = self.keys.working(&mut self.hsm, id, terminal, working);
            let Ok(handles) = handles else { continue };
            job.facts.mac = MacFact::Wrong;
            job.seal = Some(Seal { mac: handles.mac, pin: handles.pin, algorithm });
            let data = input.get(job.frame.start + covers.start..job.frame.start + covers.end).unwrap_or(&[]);
            items.push(MacCheck { key: handles.mac, algorithm, data, mac });
            of.push((index, working.version));
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

    fn find_cards(&mut self, books: &Books, jobs: &mut [Job]) {
        let token = self.keys.token();
        let mut items: ArrayVec<TokenRequest<'_>, CHUNK> = ArrayVec::new();
        let mut of: ArrayVec<&mut Facts, CHUNK> = ArrayVec::new();
        for job in jobs.iter_mut() {
            let Job { state: State::Request, request, facts, .. } = job else { continue };
            if let (MacFact::Right { .. }, Some(pan)) = (facts.mac, request.card.pan()) {
                items.push(TokenRequest { key: token, pan });
                of.push(facts);
            }
        }
        self.hsm.tokenise_pans(&items, &mut self.tokens);
        for (facts, token) in of.iter_mut().zip(&self.tokens) {
            facts.card = token.as_ref().ok().and_then(|token| books.find_card(&token.0));
        }
    }

    fn verify_cvvs(&mut self, jobs: &mut [Job]) {
        let cvk = self.keys.cvk();
        let mut items: ArrayVec<CvvCheck<'_>, CHUNK> = ArrayVec::new();
        let mut of: ArrayVec<&mut Facts, CHUNK> = ArrayVec::new();
        for job in jobs.iter_mut() {
            let Job { state: State::Request, request, facts, .. } = job else { continue };
            let CardInput::Read { pan, value, .. } = &request.card else { continue };
            match value {
                TrackValue::Read(stripe) if facts.card.is_some() => {
                    let (expiry, service_code, cvv) = (stripe.expiry, stripe.service_code, stripe.cvv);
                    items.push(CvvCheck { cvk, pan, expiry, service_code, cvv });
                    of.push(facts);
                }
                TrackValue::Missing => facts.cvv = Check::Malformed,
                TrackValue::Read(_) | TrackValue::NotRead => {}
            }
        }
        self.hsm.verify_cvvs(&items, &mut self.checks);
        for (facts, check) in of.iter_mut().zip(&self.checks) {
            facts.cvv = match check {
                Ok(()) => Check::Right,
                Err(HsmError::VerificationFailed | HsmError::NotDigits) => Check::Wrong,
                Err(_) => Check::Failed,
            };
        }
    }

    fn verify_pins(&mut self, books: &Books, jobs: &mut [Job]) {
        let mut items: ArrayVec<PinCheck<'_>, CHUNK> = ArrayVec::new();
        let mut of: ArrayVec<&mut Facts, CHUNK> = ArrayVec::new();
        for job in jobs.iter_mut() {
            let Job { state: State::Request, request, facts, seal, .. } = job else { continue };
            let (Some(PinBlock(block)), Some(pan), Some(card), Some(seal)) =
                (request.pin_block, request.card.pan(), facts.card, seal.as_ref())
            else {
                continue;
            };
            let card = books.card(card);
            let stripe_wrong = matches!(facts.cvv, Check::Wrong | Check::Malformed);
            // A PIN that will not count is not tried: there is nothing to be learned from the answer then.
            if stripe_wrong || card.pin_tries >= books.policy().pin_tries_max || request.pin_format_refused {
                continue;
            }
            facts.pin_version = card.pin_version;
            let Some(pvk) = self.keys.pvk(card.pvki) else {
                facts.pin = Check::Failed;
                continue;
            };
            items.push(PinCheck { pin_key: seal.pin, block, pan, pvk, pvki: card.pvki, pvv: card.pvv.0 });
            of.push(facts);
        }
        self.hsm.verify_pins(&items, &mut self.checks);
        for (facts, check) in of.iter_mut().zip(&self.checks) {
            facts.pin = match check {
                Ok(()) => Check::Right,
                Err(HsmError::VerificationFailed) => Check::Wrong,
                Err(HsmError::PinBlock | HsmError::PinLength) => Check::Malformed,
                // Our fault, not the cardholder's: it must not cost a try.
                Err(_) => Check::Failed,
            };
        }
    }

    fn make_keys(&mut self, books: &Books, jobs: &mut [Job], new_keys: &mut Vec<WorkingKeys>, now: &Moment) {
        let mut items: ArrayVec<WorkingKeyRequest, CHUNK> = ArrayVec::new();
        let mut of: ArrayVec<(&mut Facts, u32), CHUNK> = ArrayVec::new();
        for job in jobs.iter_mut() {
            let Job { state: State::Request, request, facts, .. } = job else { continue };
            let (Kind::SignIn, KeyScheme::Double, Some(id)) =
                (request.kind, request.key_scheme, facts.terminal)
            else {
                continue;
            };
            let terminal = books.terminal(id);
            if terminal.pending.is_some() || books.sign_ins_used_up(terminal, now) {
                continue;
            }
            let Ok(tmk) = self.keys.tmk(&mut self.hsm, id, terminal) else { continue };
            items.push(WorkingKeyRequest { tmk, mac_usage: usage(algorithm(terminal.mac)) });
            of.push((facts, terminal.newest_version + 1));
        }
        if items.is_empty() {
            return;
        }
        self.hsm.generate_working_keys(&items, self.entropy.as_mut(), &mut self.made);
        for ((facts, version), made) in of.iter_mut().zip(self.made.drain(..)) {
            let Ok(made) = made else { continue };
            facts.new_keys = Some(new_keys.len());
            let text = |block: &hsm_sim::KeyBlock| KeyText(block.as_str().into());
            new_keys.push(WorkingKeys {
                version: *version,
                pin: text(&made.pin),
                mac: text(&made.mac),
                told: KeysForTerminal {
                    pin: made.pin_cryptogram,
                    pin_check: made.pin_check_value,
                    mac: made.mac_cryptogram,
                    mac_check: made.mac_check_value,
                },
                used_since_ms: None,
            });
        }
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
                    of.push((chunk_at * CHUNK + index, covers));
                }
            }
            self.hsm.generate_macs(&items, &mut self.macs);
            drop(items);
            for ((index, covers), mac) in of.iter().zip(&self.macs) {
                match mac {
                    Ok(mac) => output[covers.end..covers.end + 8].copy_from_slice(mac),
                    Err(_) => failed(*index),
                }
            }
        }
    }
}

/// The keys under which a request came, and under which its answer goes out.
#[derive(Clone, Copy, Debug)]
pub struct Seal {
    mac: KeyHandle,
    pin: KeyHandle,
    algorithm: MacAlgorithm,
}

/// The terminal of a request whose MAC matters and is not known to be right.
fn unsettled(job: &Job) -> Option<TerminalId> {
    let settled = matches!(job.facts.mac, MacFact::Right { .. } | MacFact::NoKeys);
    let unsealed_kind = matches!(job.request.kind, Kind::SignIn | Kind::SignOff | Kind::Echo);
    if job.state != State::Request || settled || unsealed_kind { None } else { job.facts.terminal }
}

fn usage(algorithm: MacAlgorithm) -> KeyUsage {
    match algorithm {
        MacAlgorithm::UnionPayEcb => KeyUsage::MacUnionPayEcb,
        MacAlgorithm::X919 => KeyUsage::MacX919,
    }
}
