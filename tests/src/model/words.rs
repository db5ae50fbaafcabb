//! A step's request in the books' words.

use cardswitch::books::{
    CardId,
    event::TerminalDialect,
    request::{
        CardInput, Check, EntryMode, Facts, Line, MacFact, OriginalName, PinBlock, Request, TrackValue,
    },
};

use super::{
    naive::{Ask, Pin},
    start::terminal_id,
    walk::Walk,
};

impl Walk<'_> {
    pub(super) fn in_their_words(&self, ask: &Ask) -> (Request, Facts) {
        let id = terminal_id(ask.name.0);
        let terminal = self.books.terminal(id);
        let card = ask.card.map(|at| CardId(u32::try_from(at).expect("few cards")));
        let acquirer = terminal.acquirer;
        let version = match acquirer {
            Some(acquirer) => self.books.acquirer(acquirer).current.version,
            None => self.version,
        };
        let request = Request {
            kind: ask.kind,
            terminal: terminal.id,
            merchant: Some(self.books.merchants()[terminal.merchant as usize].id),
            stan: ask.name.2,
            batch: ask.name.1,
            class: ask.name.3,
            amount: ask.amount,
            currency: ask.currency,
            acquirer_fee: ask.acquirer_fee,
            partial_allowed: ask.partial_allowed,
            replacement: ask.replacement,
            reverses: ask.reverses,
            original: OriginalName {
                batch: ask.original_batch,
                stan: ask.original_stan,
                rrn: None,
                approval: ask.approval,
            },
            card: match card {
                // Which one it is was found out before: the number itself is looked at by nobody here.
                Some(_) => {
                    CardInput::Read { pan: self.pan.clone(), expiry_yymm: None, value: TrackValue::NotRead }
                }
                None => CardInput::None,
            },
            entry: if ask.contactless { EntryMode::Contactless } else { EntryMode::Stripe },
            pin_block: (ask.pin != Pin::Absent).then_some(PinBlock([0; 8])),
            line: Line { dialect: terminal.dialect, private: true, concentrator: false },
            ..Request::default()
        };
        debug_assert!(terminal.dialect != TerminalDialect::Epos, "the city has no telephone POS");
        let facts = Facts {
            terminal: Some(id),
            acquirer,
            mac: MacFact::Right { version },
            card,
            pin: match ask.pin {
                Pin::Absent => Check::NotGiven,
                Pin::Right => Check::Right,
                Pin::Wrong => Check::Wrong,
            },
            pin_version: 0,
            ..Facts::default()
        };
        (request, facts)
    }
}
