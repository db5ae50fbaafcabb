//! Verification: what the HSM can say about a batch of requests before the books look at them, and the MACs of
//! the answers.
//!
//! Everything here works on whole batches, each item under its own key. It touches no state: it reads the books
//! and leaves [`Facts`]; facts name the versions they rest on, and the books check those again. What fails early
//! is not looked at later: no card is looked up behind a wrong MAC, and nothing is decrypted.
//!
//! Start at [`Verifier::verify`] and [`Verifier::seal`].

mod challenges;
mod keys;
mod macs;
mod new_keys;
mod psam;

use arrayvec::ArrayVec;
use hsm_sim::{
    CvvCheck, Entropy, Hsm, HsmError, KeyRef, MacAlgorithm, PanToken, PinCheck, PvvRequest, TokenRequest,
    Track2,
};

pub use self::keys::KeysError;
use self::{challenges::Challenges, keys::KeyRing};
use crate::{
    batch::{Job, State},
    books::{
        Books,
        event::{Pvv, Token},
        request::{CardInput, Check, Facts, MacFact, NewKeys, PinBlock, TrackValue},
    },
    clock::Moment,
};

/// Items handed to the HSM at once. Enough for its batches to be worth while, and a stack frame's worth.
const CHUNK: usize = 256;

/// The verify and the answer stage.
pub struct Verifier {
    hsm: Hsm,
    entropy: Box<dyn Entropy + Send>,
    keys: KeyRing,
    challenges: Challenges,
    checks: Vec<Result<(), HsmError>>,
    macs: Vec<Result<[u8; 8], HsmError>>,
    tokens: Vec<Result<PanToken, HsmError>>,
    tracks: Vec<Result<Track2, HsmError>>,
    pvvs: Vec<Result<[u8; 4], HsmError>>,
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
            challenges: Challenges::default(),
            checks: Vec::with_capacity(CHUNK),
            macs: Vec::with_capacity(CHUNK),
            tokens: Vec::with_capacity(CHUNK),
            tracks: Vec::with_capacity(CHUNK),
            pvvs: Vec::with_capacity(CHUNK),
            made: Vec::with_capacity(CHUNK),
        })
    }

    /// Whether the HSM works under the published test LMK.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.hsm.is_test()
    }

    /// The check value of the HSM's LMK.
    #[must_use]
    pub fn lmk_check_value(&self) -> [u8; 3] {
        self.hsm.lmk_check_value()
    }

    /// Finds out the facts of every request in `jobs`, whose frames lie in `input`. Keys that come to be are put
    /// behind `new_keys`.
    #[inline(never)] // So that its caller can overwrite the stack it has used.
    pub fn verify(
        &mut self,
        books: &Books,
        jobs: &mut [Job],
        input: &[u8],
        new_keys: &mut Vec<NewKeys>,
        now: &Moment,
    ) {
        for chunk in jobs.chunks_mut(CHUNK) {
            for job in chunk.iter_mut().filter(|job| job.state == State::Request) {
                let request = &job.request;
                let psam = request.psam.as_ref();
                job.facts = Facts {
                    terminal: books.find_terminal(&request.terminal),
                    psam: psam.and_then(|psam| books.find_psam(psam.number.as_bcd())),
                    acquirer: request.acquirer.and_then(|acquirer| books.find_acquirer(&acquirer)),
                    ..Facts::default()
                };
                job.seal = None;
            }
            for attempt in 0..3 {
                self.verify_macs(books, chunk, input, attempt, now);
            }
            self.open_tracks(chunk);
            self.find_cards(books, chunk);
            self.verify_cvvs(chunk);
            self.verify_pins(books, chunk);
            self.derive_new_pins(books, chunk);
            self.challenge(books, chunk, now);
            self.make_keys(books, chunk, new_keys, now);
            self.import_zone_keys(books, chunk, new_keys);
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
            let Ok(token) = token else { continue };
            facts.card = books.find_card(&token.0);
            facts.stranger = facts.card.is_none().then_some(Token(token.0));
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

    /// Verification values of new PINs, where the old one was right.
    fn derive_new_pins(&mut self, books: &Books, jobs: &mut [Job]) {
        let mut items: ArrayVec<PvvRequest<'_>, CHUNK> = ArrayVec::new();
        let mut of: ArrayVec<&mut Facts, CHUNK> = ArrayVec::new();
        for job in jobs.iter_mut() {
            let Job { state: State::Request, request, facts, seal, .. } = job else { continue };
            let (Check::Right, Some(PinBlock(block)), Some(pan), Some(card), Some(seal)) =
                (facts.pin, request.new_pin_block, request.card.pan(), facts.card, seal.as_ref())
            else {
                continue;
            };
            let card = books.card(card);
            let Some(pvk) = self.keys.pvk(card.pvki) else { continue };
            items.push(PvvRequest { pin_key: seal.pin, block, pan, pvk, pvki: card.pvki });
            of.push(facts);
        }
        if items.is_empty() {
            return;
        }
        self.hsm.derive_pvvs(&items, &mut self.pvvs);
        for (facts, pvv) in of.iter_mut().zip(&self.pvvs) {
            facts.new_pvv = pvv.as_ref().ok().map(|pvv| Pvv(*pvv));
        }
    }
}

/// The keys under which a request came, and under which its answer goes out.
#[derive(Clone, Copy, Debug)]
pub struct Seal {
    /// Of the answer.
    mac: KeyRef,
    pin: KeyRef,
    /// Of an encrypted track.
    track: Option<KeyRef>,
    algorithm: MacAlgorithm,
}
