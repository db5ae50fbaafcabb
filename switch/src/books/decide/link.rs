//! Link management of an acquirer: sign-on, sign-off, echo, cut-over, new zone keys. All of it carries a MAC.

use super::Verdict;
use crate::{
    books::{
        Acquirer, AcquirerId, Books, Terminal,
        event::{Event, TerminalDialect},
        reason::Reason,
        request::{Answer, Facts, Kind, MacFact, NewKeys, Request},
    },
    clock::Moment,
};

/// How far ahead of the switch an acquirer's clock may be, milliseconds.
const AHEAD_MS: i64 = 3_600_000;

/// After how long a sign-on while signed on is recorded again, milliseconds, so that no sign-off of before ends the
/// session.
const AGAIN_MS: i64 = 60_000;

impl Books {
    #[inline(never)]
    pub(super) fn decide_link(
        &self,
        request: &Request,
        facts: &Facts,
        new_keys: Option<&NewKeys>,
        now: &Moment,
    ) -> Verdict {
        let refuse = |reason| Verdict::Answer(self.answer(reason, now));
        if request.reflected {
            return refuse(Reason::Reflected);
        }
        let Some(id) = facts.acquirer.filter(|id| self.acquirer(*id).active) else {
            return refuse(Reason::TerminalNotPermitted);
        };
        let acquirer = self.acquirer(id);
        let MacFact::Right { version } = facts.mac else { return refuse(Reason::MacFailed) };
        if !acquirer.keys_at(now.unix_ms()).any(|keys| keys.version == version) {
            return Verdict::VerifyAgain;
        }
        let sent_ms = match self.sent_at(request, now) {
            Ok(sent_ms) => sent_ms,
            Err(reason) => return refuse(reason),
        };
        let adopts = acquirer.pending.as_ref().map(|keys| keys.version).filter(|pending| *pending == version);
        let sent = (sent_ms, request.stan);
        match request.kind {
            Kind::SignOn => self.sign(id, acquirer, true, sent, adopts, now),
            Kind::SignOff => self.sign(id, acquirer, false, sent, adopts, now),
            Kind::KeyChange => self.change_keys(id, acquirer, new_keys, sent, adopts, now),
            // Told and acknowledged; the switch has a business day of its own, which the answer names.
            Kind::Echo | Kind::CutOverNotice => refuse(Reason::Approved),
            _ => refuse(Reason::Unsupported),
        }
    }

    fn sign(
        &self,
        id: AcquirerId,
        acquirer: &Acquirer,
        on: bool,
        sent: (i64, u32),
        adopts: Option<u32>,
        now: &Moment,
    ) -> Verdict {
        if sent < acquirer.managed {
            // An old sign-off must not end a session that began after it.
            return Verdict::Answer(self.answer(Reason::Replay, now));
        }
        let soon = sent.0.saturating_sub(acquirer.managed.0) < AGAIN_MS;
        if sent == acquirer.managed || (acquirer.signed_on == on && adopts.is_none() && soon) {
            return Verdict::Answer(self.answer(Reason::Approved, now));
        }
        let event = Event::AcquirerSigned { acquirer: id.0, on, sent, adopts };
        Verdict::Record(event, self.recorded(Reason::Approved, now))
    }

    fn change_keys(
        &self,
        id: AcquirerId,
        acquirer: &Acquirer,
        new_keys: Option<&NewKeys>,
        sent: (i64, u32),
        adopts: Option<u32>,
        now: &Moment,
    ) -> Verdict {
        let refuse = |reason| Verdict::Answer(self.answer(reason, now));
        if let (true, Some(pending)) = (sent == acquirer.managed, &acquirer.pending) {
            let check_values = Some(pending.texts.check_values);
            return Verdict::Answer(Answer { check_values, ..self.answer(Reason::Approved, now) });
        }
        if sent <= acquirer.managed {
            return refuse(Reason::Replay);
        }
        let keys = match new_keys {
            Some(NewKeys::Zone(keys)) => keys,
            Some(NewKeys::Refused) => return refuse(Reason::KeyRefused),
            Some(NewKeys::Working(_)) | None => return refuse(Reason::SystemError),
        };
        if keys.version != acquirer.next_version() {
            return Verdict::VerifyAgain;
        }
        let [pin, to_switch, from_switch] = keys.texts.check_values;
        let check_values = Some(keys.texts.check_values);
        if acquirer.pending.as_ref().is_some_and(|pending| Some(pending.texts.check_values) == check_values) {
            // The host did not hear that it has them already; they are still unused.
            return Verdict::Answer(Answer { check_values, ..self.answer(Reason::Approved, now) });
        }
        let in_use = acquirer.pending.as_ref().unwrap_or(&acquirer.current).texts.check_values;
        let mut changes = keys.texts.check_values.iter().zip(in_use).filter(|(new, old)| *new != old);
        // Which keys a message came under is told by its MAC, so that key must be new. A key that stays is no earlier
        // key; a key that comes back is. One key for both directions would let a message of the switch be sent back.
        let [_, to_switch_in_use, _] = in_use;
        let told_apart = to_switch != to_switch_in_use && to_switch != from_switch;
        // A key has one use.
        let told_apart = told_apart && pin != to_switch && pin != from_switch;
        if !told_apart || changes.any(|(new, _)| acquirer.had(*new)) {
            return refuse(Reason::KeyRefused);
        }
        let event = Event::ZoneKeysChanged {
            acquirer: id.0,
            version: keys.version,
            keys: keys.texts.clone(),
            sent,
            adopts,
        };
        Verdict::Record(event, Answer { check_values, ..self.recorded(Reason::Approved, now) })
    }

    /// Whether an acquirer's terminal may ask for anything now: the acquirer is signed on, and field 7 is near enough
    /// for a recording to be told from a new request by the memory for repeats.
    pub(super) fn check_session(
        &self,
        request: &Request,
        terminal: &Terminal,
        now: &Moment,
    ) -> Result<(), Reason> {
        if terminal.dialect != TerminalDialect::Atm {
            return Ok(());
        }
        let signed_on = terminal.acquirer.is_some_and(|id| self.acquirer(id).signed_on);
        // What was begun must come to its end: a reversal is taken without a session, too.
        if !signed_on && request.kind != Kind::Reversal {
            return Err(Reason::NotSignedOn);
        }
        self.sent_at(request, now).map(drop)
    }

    /// Field 7 in milliseconds since 1970 UTC.
    fn sent_at(&self, request: &Request, now: &Moment) -> Result<i64, Reason> {
        let sent_ms = now.transmitted_at(request.batch).ok_or(Reason::FormatError)?;
        let age_ms = now.unix_ms() - sent_ms;
        // A little less than the memory for repeats, whose time begins when the request is recorded.
        let oldest_ms = self.policy.duplicate_window_ms - AHEAD_MS;
        if age_ms > oldest_ms || age_ms < -AHEAD_MS || sent_ms < self.epoch_began_ms() {
            return Err(Reason::TimeOutOfRange);
        }
        Ok(sent_ms)
    }
}
