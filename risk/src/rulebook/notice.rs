//! What people are told when a rule fires: a text with names of facts in braces.
//!
//! Only facts that may be told stand in a notice: of the card its last four digits, no telephone line, nothing of a PIN.
//! Start at [`Notice::of`].

use crate::language::Fact;

/// The longest notice, bytes: three short messages.
pub(super) const BYTES_MAX: usize = 400;

/// The facts that a notice may tell.
const TELLABLE: [Fact; 6] =
    [Fact::Amount, Fact::Currency, Fact::Merchant, Fact::Terminal, Fact::Product, Fact::Region];

/// What it may tell that no rule asks for in this form.
const ONLY_TOLD: [(&str, Piece); 2] = [("card", Piece::Card), ("time", Piece::Time)];

/// A notice's text, taken apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// Its pieces in order.
    pub pieces: Vec<Piece>,
}

/// A piece of a notice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Words as they are.
    Words(String),
    /// The value of a fact.
    Fact(Fact),
    /// The last four digits of the card's number, behind asterisks.
    Card,
    /// The time of the request in the city's zone.
    Time,
}

/// Why a text is no notice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    Form,
    Placeholder(String),
}

impl Notice {
    /// Takes a notice of a published set apart; nothing if it is none.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::read(text).ok()
    }

    /// The text with every piece that is not words said by `say`.
    pub fn said(&self, say: impl Fn(&Piece) -> String) -> String {
        let word = |piece: &Piece| match piece {
            Piece::Words(words) => words.clone(),
            piece => say(piece),
        };
        self.pieces.iter().map(word).collect()
    }

    pub(super) fn read(text: &str) -> Result<Self, Refused> {
        let one_line = (1..=BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
        if !one_line {
            return Err(Refused::Form);
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((words, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').ok_or(Refused::Form)?;
            let told = ONLY_TOLD.iter().find(|(known, _)| *known == name).map(|(_, piece)| piece.clone());
            let fact = || Fact::named(name).filter(|fact| TELLABLE.contains(fact)).map(Piece::Fact);
            if !words.is_empty() {
                pieces.push(Piece::Words(words.to_owned()));
            }
            pieces.push(told.or_else(fact).ok_or_else(|| Refused::Placeholder(name.to_owned()))?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Words(rest.to_owned()));
        }
        let stray = |piece: &Piece| matches!(piece, Piece::Words(words) if words.contains('}'));
        if pieces.iter().any(stray) { Err(Refused::Form) } else { Ok(Self { pieces }) }
    }
}

/// The names that a notice may have in braces.
pub(super) fn tellable() -> String {
    let facts = TELLABLE.iter().map(|fact| fact.row().name);
    facts.chain(ONLY_TOLD.iter().map(|(name, _)| *name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_notice_names_facts_that_may_be_told() {
        let notice = Notice::read("{amount} {currency} at {merchant}.").unwrap();
        let words = |words: &str| Piece::Words(words.to_owned());
        let want = [
            Piece::Fact(Fact::Amount),
            words(" "),
            Piece::Fact(Fact::Currency),
            words(" at "),
            Piece::Fact(Fact::Merchant),
            words("."),
        ];
        assert_eq!(notice.pieces, want);
        let refused = [
            ("the line", "from {device.phone}", Refused::Placeholder("device.phone".to_owned())),
            ("nothing there is", "at {shop}", Refused::Placeholder("shop".to_owned())),
            ("no end", "at {merchant", Refused::Form),
            ("an end alone", "at merchant}", Refused::Form),
            ("two lines", "one\ntwo", Refused::Form),
            ("nothing", "", Refused::Form),
        ];
        for (name, text, want) in refused {
            assert_eq!(Notice::read(text), Err(want), "{name}");
        }
        let said = Notice::of("card {card} at {time}").unwrap().said(|piece| match piece {
            Piece::Card => "****0010".to_owned(),
            Piece::Time => "11:04".to_owned(),
            _ => String::new(),
        });
        assert_eq!(said, "card ****0010 at 11:04");
    }
}
