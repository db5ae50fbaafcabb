//! Telephone POS: sign-in by nonce, what belongs together, and which messages are new.

use super::Verdict;
use crate::{
    books::{
        Books, Terminal, TerminalId,
        event::{Event, TerminalDialect},
        parties::StanStanding,
        reason::Reason,
        request::{Answer, Check, Facts, Request},
    },
    clock::Moment,
};

impl Books {
    /// First a nonce is asked for, then answered. Only the right answer changes anything, so a forged sign-in cuts
    /// nobody off.
    #[inline(never)]
    pub(super) fn decide_psam_sign_in(
        &self,
        request: &Request,
        facts: &Facts,
        id: TerminalId,
        terminal: &Terminal,
        now: &Moment,
    ) -> Verdict {
        let refuse = |reason| Verdict::Answer(self.answer(reason, now));
        if let Err(reason) = self.check_merchant(request, terminal) {
            return refuse(reason);
        }
        let Some(psam_id) = facts.psam else { return refuse(Reason::PsamNotPermitted) };
        let psam = self.psam(psam_id);
        if terminal.psam != Some(psam_id) {
            // Nothing has shown yet that a PSAM is there at all, so nobody is alerted: anyone could keep people busy.
            return refuse(Reason::BindingMismatch);
        }
        let Some(nonce) = facts.nonce else { return refuse(Reason::SignInAgain) };
        match facts.authenticator {
            // Nothing was answered yet: here is the nonce.
            Check::NotGiven => {
                Verdict::Answer(Answer { nonce: Some(nonce), ..self.answer(Reason::Approved, now) })
            }
            Check::Right => {
                if self.check_binding(request, facts, terminal).is_err() {
                    return self.alert(super::Cause::BindingMismatch, request, facts, id, now);
                }
                let minute_is_full = now.unix_ms() - psam.sign_in_minute_ms < 60_000
                    && psam.sign_ins >= self.policy.sign_ins_per_minute;
                if minute_is_full {
                    return refuse(Reason::TooManySignIns);
                }
                let event =
                    Event::PsamSignedIn { psam: psam_id.0, terminal: id.0, stan: request.stan, nonce };
                Verdict::Record(event, self.recorded(Reason::Approved, now))
            }
            Check::Wrong | Check::Malformed => refuse(Reason::MacFailed),
            Check::Failed => refuse(Reason::SystemError),
        }
    }

    /// Whether telephone number, PSAM and terminal are the ones that were installed together.
    pub(super) fn check_binding(
        &self,
        request: &Request,
        facts: &Facts,
        terminal: &Terminal,
    ) -> Result<(), Reason> {
        if terminal.dialect != TerminalDialect::Epos {
            return Ok(());
        }
        let said = request.psam.as_ref().and_then(|psam| psam.calling);
        let numbers = [request.dialled_from, said];
        let all_right =
            numbers.iter().flatten().all(|number| same_number(number.as_str(), terminal.phone.as_str()));
        let some_number = numbers.iter().any(Option::is_some);
        if facts.psam.is_some() && facts.psam == terminal.psam && some_number && all_right {
            Ok(())
        } else {
            Err(Reason::BindingMismatch)
        }
    }

    /// Whether a message under a one-time key is new: it carries the nonce of the last sign-in, and its STAN was not
    /// seen under it.
    pub(super) fn check_freshness(
        &self,
        request: &Request,
        facts: &Facts,
        now: &Moment,
    ) -> Result<(), Reason> {
        let (Some(id), Some(input)) = (facts.psam, request.psam.as_ref()) else { return Ok(()) };
        let psam = self.psam(id);
        if !psam.nonce_is_current(input.nonce, now.unix_ms()) {
            return Err(Reason::SignInAgain);
        }
        match psam.window(request.class).map(|window| window.standing(request.stan)) {
            Some(StanStanding::Fresh) => Ok(()),
            Some(StanStanding::Seen) => Err(Reason::Replay),
            // It may be a terminal whose STANs have begun anew: signing in again begins the window anew, too.
            Some(StanStanding::TooOld) => Err(Reason::SignInAgain),
            None => Err(Reason::Unsupported),
        }
    }
}

/// Telephone numbers are the same whatever zeros fill them up.
fn same_number(one: &str, other: &str) -> bool {
    one.trim_start_matches('0') == other.trim_start_matches('0')
}
