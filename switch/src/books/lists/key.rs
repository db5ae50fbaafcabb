//! What stands on a list, as sixteen bytes: the same whether it comes from a file or from a request.
//!
//! A card is its keyed token. A telephone is a piece of a hash, so that no line stands in a journal or a snapshot.
//! Everything else fits as it is. Lists of two kinds never meet, so a key does not say its kind.

use std::fmt;

use risk::language::{Fact, Key};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a list is a list of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// Cards, by their tokens.
    Card,
    /// Terminals, by field 41.
    Terminal,
    /// Merchants, by field 42.
    Merchant,
    /// First six digits of card numbers.
    Bin,
    /// PSAMs, by their numbers.
    Psam,
    /// Telephone lines.
    Phone,
}

impl ListKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Card, Self::Terminal, Self::Merchant, Self::Bin, Self::Psam, Self::Phone];

    /// The fact of a request that is looked up.
    #[must_use]
    pub fn fact(self) -> Fact {
        match self {
            Self::Card => Fact::Card,
            Self::Terminal => Fact::Terminal,
            Self::Merchant => Fact::Merchant,
            Self::Bin => Fact::Bin,
            Self::Psam => Fact::Psam,
            Self::Phone => Fact::Phone,
        }
    }

    /// Its word, as files of rules have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.fact().row().name
    }
}

/// See the module. `Debug` does not show it.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ListKey(pub [u8; 16]);

impl fmt::Debug for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ListKey(…)")
    }
}

/// Hashed in front of a telephone, so that the hash is good for nothing else.
const PHONE: &[u8] = b"cardswitch list of telephones\x01";

impl ListKey {
    /// What a request has; none if lists of this kind have no such thing.
    #[must_use]
    pub fn of(kind: ListKind, key: Key<'_>) -> Option<Self> {
        match (kind, key) {
            (ListKind::Bin, Key::Number(bin)) => Some(Self::bin(u32::try_from(bin).ok()?)),
            // Facts end before their spaces, and a token or a packed number may end with such a byte.
            (ListKind::Card, Key::Text(token)) => filled::<16>(token).map(Self),
            (ListKind::Psam, Key::Text(number)) => Some(Self::text(&filled::<8>(number)?)),
            (ListKind::Terminal | ListKind::Merchant, Key::Text(id)) if id.len() < 16 => Some(Self::text(id)),
            (ListKind::Phone, Key::Text(line)) => Some(Self::phone(line)),
            _ => None,
        }
    }

    fn bin(bin: u32) -> Self {
        let mut key = [0; 16];
        key[12..].copy_from_slice(&bin.to_be_bytes());
        Self(key)
    }

    /// Its length in front, so that no two texts are alike.
    fn text(text: &[u8]) -> Self {
        let mut key = [0; 16];
        let length = text.len().min(15);
        key[0] = u8::try_from(length).unwrap_or(0);
        key[1..=length].copy_from_slice(&text[..length]);
        Self(key)
    }

    /// Lines are compared without the zeros in front.
    fn phone(line: &[u8]) -> Self {
        let zeros = line.iter().take_while(|digit| **digit == b'0').count();
        let hash = Sha256::new().chain_update(PHONE).chain_update(&line[zeros..]).finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self(key)
    }

    /// It as people may see it, where it hides nobody: terminals, merchants, BINs and PSAMs.
    #[must_use]
    pub fn shown(&self, kind: ListKind) -> Option<String> {
        let text = &self.0[1..=usize::from(self.0[0]).min(15)];
        match kind {
            ListKind::Card | ListKind::Phone => None,
            ListKind::Bin => {
                let [.., a, b, c, d] = self.0;
                Some(format!("{:06}", u32::from_be_bytes([a, b, c, d])))
            }
            ListKind::Psam => Some(text.iter().map(|byte| format!("{byte:02x}")).collect()),
            ListKind::Terminal | ListKind::Merchant => Some(String::from_utf8_lossy(text).into_owned()),
        }
    }
}

fn filled<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut whole = [b' '; N];
    whole.get_mut(..text.len())?.copy_from_slice(text);
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_has_and_what_a_file_has_are_one_key() {
        let of = |kind, text: &[u8]| ListKey::of(kind, Key::Text(text));
        assert_eq!(of(ListKind::Card, &[7; 15]), of(ListKind::Card, &[[7; 15].as_slice(), b" "].concat()));
        assert_eq!(of(ListKind::Psam, &[1, 2, 3]), of(ListKind::Psam, &[1, 2, 3, 32, 32, 32, 32, 32]));
        assert_eq!(of(ListKind::Phone, b"02112345678"), of(ListKind::Phone, b"2112345678"));
        assert_ne!(of(ListKind::Phone, b"2112345670"), of(ListKind::Phone, b"211234567"));
        assert_ne!(of(ListKind::Terminal, b"T1"), of(ListKind::Terminal, b"T1\0"));
        for (kind, key) in [
            (ListKind::Bin, Key::Text(b"915600")),
            (ListKind::Bin, Key::Number(-1)),
            (ListKind::Card, Key::Text(&[0; 17])),
            (ListKind::Terminal, Key::Number(1)),
            (ListKind::Merchant, Key::Text(&[b'M'; 16])),
        ] {
            assert_eq!(ListKey::of(kind, key), None, "{kind:?}");
        }
    }

    #[test]
    fn only_what_hides_nobody_is_shown() {
        let shown = |kind, key| ListKey::of(kind, key).and_then(|key| key.shown(kind));
        assert_eq!(shown(ListKind::Bin, Key::Number(1_234)).as_deref(), Some("001234"));
        assert_eq!(shown(ListKind::Terminal, Key::Text(b"31000002")).as_deref(), Some("31000002"));
        assert_eq!(shown(ListKind::Psam, Key::Text(&[0x12; 8])).as_deref(), Some("1212121212121212"));
        assert_eq!(shown(ListKind::Phone, Key::Text(b"2112345678")), None);
        assert_eq!(shown(ListKind::Card, Key::Text(&[7; 16])), None);
    }
}
