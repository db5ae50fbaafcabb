//! Who may speak here at all: terminal, PSAM, acquirer, and the listener a message came over.

use crate::{
    books::{
        Books, Terminal, TerminalId,
        event::{MacScheme, TerminalDialect},
        reason::Reason,
        request::{Facts, Request},
        transactions::TransactionKey,
    },
    clock::Moment,
};

impl Books {
    /// The terminal, if it may speak on this listener. What it may do comes from its record, never from the message.
    pub(super) fn admit(
        &self,
        request: &Request,
        facts: &Facts,
        now: &Moment,
    ) -> Result<(TerminalId, &Terminal), Reason> {
        if request.reflected {
            return Err(Reason::Reflected);
        }
        let id = facts.terminal.ok_or(Reason::TerminalUnknown)?;
        let terminal = self.terminal(id);
        let weak_in_public = terminal.mac == MacScheme::UnionPayEcb && !request.line.private;
        let listed = self.rules.lists.listed(&risk::Subject::Terminal(terminal.id), now.unix_ms()).is_some();
        if terminal.dialect != request.line.dialect || weak_in_public || listed {
            return Err(Reason::TerminalNotPermitted);
        }
        match terminal.dialect {
            TerminalDialect::Pos => {}
            TerminalDialect::Epos => {
                // A number alone is enough for messages without a key; everything else is checked behind the MAC.
                let unknown = request.psam.is_some() && facts.psam.is_none();
                let revoked = facts.psam.is_some_and(|psam| self.psam(psam).revoked);
                let needs_one = !matches!(request.kind, super::Kind::SignOff | super::Kind::Echo);
                if unknown || revoked || (needs_one && facts.psam.is_none()) {
                    return Err(Reason::PsamNotPermitted);
                }
            }
            TerminalDialect::Atm => {
                let acquirer = facts.acquirer.filter(|acquirer| terminal.acquirer == Some(*acquirer));
                if !acquirer.is_some_and(|acquirer| self.acquirer(acquirer).active) {
                    return Err(Reason::TerminalNotPermitted);
                }
            }
        }
        Ok((id, terminal))
    }

    /// Whether the keys of this version, under which a MAC was found right, may still be used.
    pub(super) fn keys_are_current(
        &self,
        terminal: &Terminal,
        facts: &Facts,
        version: u32,
        now: &Moment,
    ) -> bool {
        let now_ms = now.unix_ms();
        match terminal.dialect {
            TerminalDialect::Pos => {
                terminal.keys_at(now_ms, &self.policy).any(|keys| keys.version == version)
            }
            TerminalDialect::Epos => {
                facts.psam.is_some_and(|psam| u32::from(self.psam(psam).key_version) == version)
            }
            TerminalDialect::Atm => facts
                .acquirer
                .is_some_and(|id| self.acquirer(id).keys_at(now_ms).any(|keys| keys.version == version)),
        }
    }

    /// Whether a request that is not remembered may be believed to be new. Where something has left the memory for
    /// repeats early, a recording of that would look new; a terminal counts up, so what it has not counted to yet is.
    /// Signing in again helps whoever does not: recordings do not verify under keys that are newer than they.
    pub(super) fn check_remembered(
        &self,
        terminal: &Terminal,
        key: &TransactionKey,
        version: u32,
        now: &Moment,
    ) -> Result<(), Reason> {
        let Some(lacks) = self.transactions.lacking(key.terminal, now.unix_ms()) else { return Ok(()) };
        if !lacks.covers(key) {
            return Ok(());
        }
        let left_ms = lacks.until_ms - self.policy.duplicate_window_ms;
        match terminal.dialect {
            TerminalDialect::Pos => {
                let mut keys = terminal.keys_at(now.unix_ms(), &self.policy);
                let keys = keys.find(|keys| keys.version == version);
                // Keys in use since then, or in use for the first time now, have sealed nothing that left.
                let newer = keys.is_some_and(|keys| keys.used_since_ms.is_none_or(|since| since > left_ms));
                if newer { Ok(()) } else { Err(Reason::SignInAgain) }
            }
            // Its nonce and window outlive the memory for repeats.
            TerminalDialect::Epos => Ok(()),
            TerminalDialect::Atm => Err(Reason::TimeOutOfRange),
        }
    }

    /// The keys of this version, if this message is the first to use them.
    pub(super) fn adopts(&self, terminal: &Terminal, version: u32) -> Option<u32> {
        let pending = match terminal.dialect {
            TerminalDialect::Pos => terminal.pending.as_ref().map(|keys| keys.version),
            TerminalDialect::Epos => None,
            TerminalDialect::Atm => {
                let acquirer = terminal.acquirer.map(|id| self.acquirer(id));
                acquirer.and_then(|acquirer| acquirer.pending.as_ref()).map(|keys| keys.version)
            }
        };
        pending.filter(|pending| *pending == version)
    }
}
