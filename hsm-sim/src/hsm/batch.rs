//! Batch calls: which items share a pass of bitsliced DES, and which are looked at
//! one by one.
//!
//! An item goes into a lane only if nothing about it is unusual. Whatever is wrong
//! with another (its key, its form, a derived key that may be weak), and whatever
//! has too little company, goes the way of the single message, so that there is
//! one place that decides what is refused and why: [`super::Hsm`]'s own commands.

use super::{Hsm, matches};
use crate::{
    CvvCheck, HsmError, KeyUsage, Lmk, MacAlgorithm, MacRequest, PvvRequest, Track2, TrackRequest,
    bitslice::{Bitslice, Chain, Lane},
    cvv,
    key_table::{KeyTable, LaneKey, Purpose},
    mac,
    pin::{Pin, pvv_of},
    stack,
    track::SEALED_MAX,
};
use zeroize::{Zeroize, Zeroizing};

#[cfg(any(test, feature = "test-keys"))]
use crate::DesEngine;

/// Items looked at together. A longer batch is done in portions, so that its
/// working memory is bounded.
const PORTION: usize = 1024;

/// What batches work with; nothing of an item stays in it after the call.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) bitslice: Bitslice,
    /// Items with their keys.
    ready: Vec<Lane>,
    /// Items under a key of a PSAM that is not in the cache.
    underived: Vec<Lane>,
}

/// What goes through the lanes for a MAC.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Program {
    Chain(Chain),
    /// The message folded into one block, encrypted.
    Fold,
    /// The same in hexadecimal steps.
    UnionPay,
}

fn program(algorithm: MacAlgorithm) -> Option<Program> {
    Some(match algorithm {
        MacAlgorithm::X919 | MacAlgorithm::X919Padded | MacAlgorithm::Psam => Program::Chain(Chain::Retail),
        // A single-length key is in its lane twice, which makes triple DES single DES.
        MacAlgorithm::Cbc3Des
        | MacAlgorithm::Cbc3DesPadded
        | MacAlgorithm::CbcDes
        | MacAlgorithm::CbcDesPadded => Program::Chain(Chain::Triple),
        MacAlgorithm::XorFold => Program::Fold,
        MacAlgorithm::UnionPayEcb => Program::UnionPay,
        MacAlgorithm::CmacTdes | MacAlgorithm::CmacAes => return None,
    })
}

impl Hsm {
    /// MACs of `count` messages, what `finish` makes of each behind `out`.
    pub(super) fn macs<'a, T>(
        &mut self,
        count: usize,
        request: impl Fn(usize) -> MacRequest<'a>,
        finish: impl Fn(usize, [u8; 8]) -> Result<T, HsmError>,
        out: &mut Vec<Result<T, HsmError>>,
    ) {
        let alone = |hsm: &mut Self, at: usize| {
            let MacRequest { key, algorithm, data } = request(at);
            finish(at, hsm.mac(key, algorithm, data)?)
        };
        let enter = |keys: &mut KeyTable, lmk: &Lmk, at: usize, lane: &mut Lane| {
            let MacRequest { key, algorithm, data } = request(at);
            if data.is_empty() {
                return None;
            }
            match program(algorithm)? {
                Program::Chain(_) => {
                    let blocks = mac::padded(algorithm, data).blocks.len() + 1;
                    lane.blocks = u32::try_from(blocks).ok()?;
                }
                Program::Fold | Program::UnionPay => lane.value[0] = u64::from_be_bytes(mac::fold(data)),
            }
            keys.lane_key(lmk, key, Purpose::Mac(algorithm), lane).ok()
        };
        self.in_portions(count, out, &alone, &enter, |hsm, ready, out, start| {
            let of = |lane: &Lane| request(start + lane.item as usize);
            let order = |lane: &Lane| (program(of(lane).algorithm), lane.factor.is_some(), lane.blocks);
            ready.sort_unstable_by_key(order);
            let shared = |a: &Lane, b: &Lane| program(of(a).algorithm) == program(of(b).algorithm);
            for lanes in ready.chunk_by_mut(shared) {
                let bitslice = &mut hsm.batch.bitslice;
                match program(of(&lanes[0]).algorithm) {
                    Some(Program::Chain(chain)) => bitslice.macs(chain, lanes, &|lane| {
                        let MacRequest { algorithm, data, .. } = of(lane);
                        mac::padded(algorithm, data)
                    }),
                    Some(Program::UnionPay) => bitslice.union_pay(lanes),
                    Some(Program::Fold) | None => bitslice.encrypt(lanes),
                }
            }
            let result = |at: usize, lane: &Lane| finish(at, lane.value[0].to_be_bytes());
            settle(hsm, ready, out, start, &alone, result);
        });
    }

    /// PIN verification values of `count` PIN blocks, what `finish` makes of each
    /// behind `out`.
    pub(super) fn pvvs<'a, T>(
        &mut self,
        count: usize,
        request: impl Fn(usize) -> PvvRequest<'a>,
        finish: impl Fn(usize, [u8; 4]) -> Result<T, HsmError>,
        out: &mut Vec<Result<T, HsmError>>,
    ) {
        let alone = |hsm: &mut Self, at: usize| finish(at, hsm.pvv(&request(at))?);
        let enter = |keys: &mut KeyTable, lmk: &Lmk, at: usize, lane: &mut Lane| {
            let item = request(at);
            lane.value[0] = u64::from_be_bytes(item.block);
            keys.lane_key(lmk, item.pin_key, Purpose::Pin, lane).ok()
        };
        self.in_portions(count, out, &alone, &enter, |hsm, ready, out, start| {
            hsm.pins_anew(ready, |hsm, at, clear| {
                let item = request(start + at);
                let parameter = Pin::from_iso0(clear, item.pan)?.pvv_parameter(item.pvki, item.pan)?;
                let pvk = hsm.keys.des_key(&hsm.lmk, item.pvk, KeyUsage::PinVerification)?;
                Ok((pvk.halves(), parameter))
            });
            settle(hsm, ready, out, start, &alone, |at, lane| {
                finish(at, pvv_of(&lane.value[0].to_be_bytes()))
            });
        });
    }

    /// Decrypts the lanes' PIN blocks, which stay in their second values, and encrypts
    /// anew what `next` makes of each, under the key that it says.
    pub(super) fn pins_anew(
        &mut self,
        lanes: &mut [Lane],
        mut next: impl FnMut(&mut Self, usize, [u8; 8]) -> Result<([u64; 2], [u8; 8]), HsmError>,
    ) {
        self.batch.bitslice.decrypt(1, lanes);
        for lane in lanes.iter_mut().filter(|lane| !lane.unusual) {
            let clear = Zeroizing::new(lane.value[0].to_be_bytes());
            lane.value[1] = lane.value[0];
            lane.factor = None;
            match next(self, lane.item as usize, *clear) {
                Ok((key, block)) => {
                    lane.key = key;
                    lane.value[0] = u64::from_be_bytes(block);
                }
                // A bad block and a bad key alike: which comes first is not decided here.
                Err(_) => lane.unusual = true,
            }
        }
        self.batch.bitslice.encrypt(lanes);
    }

    /// The tracks of `items`, behind `out`.
    pub(super) fn tracks(&mut self, items: &[TrackRequest<'_>], out: &mut Vec<Result<Track2, HsmError>>) {
        let alone = |hsm: &mut Self, at: usize| hsm.track(&items[at]);
        let enter = |keys: &mut KeyTable, lmk: &Lmk, at: usize, lane: &mut Lane| {
            let TrackRequest { key, data } = items[at];
            let (blocks, rest) = data.as_chunks();
            if !rest.is_empty() || blocks.is_empty() || data.len() > SEALED_MAX {
                return None;
            }
            for (value, block) in lane.value.iter_mut().zip(blocks) {
                *value = u64::from_be_bytes(*block);
            }
            keys.lane_key(lmk, key, Purpose::Track, lane).ok()
        };
        self.in_portions(items.len(), out, &alone, &enter, |hsm, ready, out, start| {
            hsm.batch.bitslice.decrypt(SEALED_MAX / 8, ready);
            settle(hsm, ready, out, start, &alone, |at, lane| {
                let mut clear = Zeroizing::new([0; SEALED_MAX]);
                let (mut previous, sealed) = (0, items[at].data.as_chunks().0);
                for ((bytes, value), block) in clear.as_chunks_mut().0.iter_mut().zip(lane.value).zip(sealed)
                {
                    *bytes = (value ^ previous).to_be_bytes();
                    previous = u64::from_be_bytes(*block);
                }
                Track2::from_bcd(&clear[..items[at].data.len()])
            });
        });
    }

    /// Whether the card verification values of `items` match, behind `out`.
    pub(super) fn cvvs(&mut self, items: &[CvvCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        let alone = |hsm: &mut Self, at: usize| hsm.verify_cvv(&items[at]);
        let enter = |keys: &mut KeyTable, lmk: &Lmk, at: usize, lane: &mut Lane| {
            let CvvCheck { cvk, pan, expiry, service_code, .. } = items[at];
            if !expiry.iter().chain(&service_code).all(u8::is_ascii_digit) {
                return None;
            }
            let packed = cvv::packed(pan.expose(), &expiry, &service_code);
            for (value, block) in lane.value.iter_mut().zip(packed.as_chunks().0) {
                *value = u64::from_be_bytes(*block);
            }
            lane.key = keys.des_key(lmk, cvk, KeyUsage::CardVerification).ok()?.halves();
            Some(LaneKey::Ready)
        };
        self.in_portions(items.len(), out, &alone, &enter, |hsm, ready, out, start| {
            hsm.batch.bitslice.retail_pairs(ready);
            settle(hsm, ready, out, start, &alone, |at, lane| {
                matches(&cvv::value_of(&lane.value[0].to_be_bytes()), &items[at].cvv)
            });
        });
    }

    /// Computes DES with one engine only from now on, so that engines can be
    /// compared, or with `None` again with those that suit each batch. False, and
    /// nothing changes, if this processor does not have the engine.
    #[cfg(any(test, feature = "test-keys"))]
    pub fn use_des_engine(&mut self, engine: Option<DesEngine>) -> bool {
        let chosen = engine.map_or_else(|| Some(Bitslice::default()), Bitslice::only);
        let exists = chosen.is_some();
        if let Some(bitslice) = chosen {
            self.batch.bitslice = bitslice;
        }
        exists
    }

    /// Gives each item a lane by `enter` or its result by `alone`, and the lanes of
    /// each portion to `work`, which leaves their results in `out`. Nothing of the items
    /// stays behind, on the stack neither.
    pub(super) fn in_portions<T>(
        &mut self,
        count: usize,
        out: &mut Vec<Result<T, HsmError>>,
        alone: &impl Fn(&mut Self, usize) -> Result<T, HsmError>,
        enter: &impl Enter,
        work: impl Fn(&mut Self, &mut Vec<Lane>, &mut Vec<Result<T, HsmError>>, usize),
    ) {
        if count < self.batch.bitslice.few() {
            self.one_by_one(count, out, alone);
        } else {
            stack::wiped_after_lanes(|| self.portions(count, out, alone, enter, work));
        }
    }

    /// Answers each item by itself, and overwrites the stack that was used.
    pub(super) fn one_by_one<T>(
        &mut self,
        count: usize,
        out: &mut Vec<Result<T, HsmError>>,
        alone: &impl Fn(&mut Self, usize) -> Result<T, HsmError>,
    ) {
        stack::wiped_after_few(|| {
            out.clear();
            out.extend((0..count).map(|at| alone(self, at)));
        });
    }

    fn portions<T>(
        &mut self,
        count: usize,
        out: &mut Vec<Result<T, HsmError>>,
        alone: &impl Fn(&mut Self, usize) -> Result<T, HsmError>,
        enter: &impl Enter,
        work: impl Fn(&mut Self, &mut Vec<Lane>, &mut Vec<Result<T, HsmError>>, usize),
    ) {
        out.clear();
        for start in (0..count).step_by(PORTION) {
            let portion = start..count.min(start + PORTION);
            if portion.len() < self.batch.bitslice.few() {
                out.extend(portion.map(|at| alone(self, at)));
                return;
            }
            // Taken out, because work on them needs the rest of the HSM too.
            let mut ready = std::mem::take(&mut self.batch.ready);
            let mut underived = std::mem::take(&mut self.batch.underived);
            // While they are empty: a list that grew later would leave keys in the memory that it gives back.
            ready.reserve(portion.len());
            underived.reserve(portion.len());
            for (item, at) in (0..).zip(portion) {
                let mut lane = Lane { item, ..Lane::default() };
                out.push(match enter(&mut self.keys, &self.lmk, at, &mut lane) {
                    Some(LaneKey::Ready) => {
                        ready.push(lane);
                        Err(HsmError::VerificationFailed) // Until the lane is done.
                    }
                    Some(LaneKey::Master { psam, .. }) => {
                        let value = [u64::from_be_bytes(*psam.as_bcd()), 0, 0];
                        underived.push(Lane { value, factor: None, ..lane });
                        Err(HsmError::VerificationFailed) // Likewise.
                    }
                    None => alone(self, at),
                });
            }
            self.derive_psam_keys(&mut underived, start, out, alone, enter, &mut ready);
            work(self, &mut ready, out, start);
            for lanes in [&mut ready, &mut underived] {
                wipe(lanes);
            }
            self.batch.bitslice.wipe();
            (self.batch.ready, self.batch.underived) = (ready, underived);
        }
    }

    /// Diversifies the keys of PSAMs that are not in the cache, keeps them there, and
    /// gives their items a lane.
    fn derive_psam_keys<T>(
        &mut self,
        underived: &mut [Lane],
        start: usize,
        out: &mut [Result<T, HsmError>],
        alone: &impl Fn(&mut Self, usize) -> Result<T, HsmError>,
        enter: &impl Enter,
        ready: &mut Vec<Lane>,
    ) {
        self.batch.bitslice.diversify(underived);
        for derived in underived {
            let (item, at) = (derived.item, start + derived.item as usize);
            let mut lane = Lane { item, ..Lane::default() };
            let mut entered = enter(&mut self.keys, &self.lmk, at, &mut lane);
            if let (Some(LaneKey::Master { master, psam }), false) = (entered, derived.unusual) {
                let halves = [derived.value[0], derived.value[1]];
                let kept = self.keys.keep_psam_key(master, psam, halves);
                entered = kept.ok().and_then(|()| {
                    lane = Lane { item, ..Lane::default() };
                    enter(&mut self.keys, &self.lmk, at, &mut lane)
                });
            }
            // Also ready at once if an item before it has the same PSAM.
            if entered == Some(LaneKey::Ready) {
                ready.push(lane);
            } else {
                out[at] = alone(self, at);
            }
        }
    }
}

/// Puts what an item gives into a lane; `None` if it is not for lanes.
pub(super) trait Enter: Fn(&mut KeyTable, &Lmk, usize, &mut Lane) -> Option<LaneKey> {}

impl<F: Fn(&mut KeyTable, &Lmk, usize, &mut Lane) -> Option<LaneKey>> Enter for F {}

/// The results of lanes: what `result` makes of each, or of an unusual one what it
/// gets alone.
pub(super) fn settle<T>(
    hsm: &mut Hsm,
    lanes: &[Lane],
    out: &mut [Result<T, HsmError>],
    start: usize,
    alone: &impl Fn(&mut Hsm, usize) -> Result<T, HsmError>,
    result: impl Fn(usize, &Lane) -> Result<T, HsmError>,
) {
    for lane in lanes {
        let at = start + lane.item as usize;
        out[at] = if lane.unusual { alone(hsm, at) } else { result(at, lane) };
    }
}

/// Overwrites lanes, and keeps the room.
fn wipe(lanes: &mut Vec<Lane>) {
    lanes.iter_mut().for_each(Zeroize::zeroize);
    lanes.clear();
}

#[cfg(test)]
impl Batch {
    /// Whether nothing is left of a batch, so far as lists can be looked into.
    pub(super) fn is_wiped(&self) -> bool {
        self.ready.is_empty() && self.underived.is_empty() && self.bitslice.is_wiped()
    }
}
