//! Looking for secrets in bytes: all of them, in every form in which one might have got there, in one pass.
//!
//! It knows forms as bytes with a name; which forms a secret has stands in [`crate::leaks::forms`]. Start at
//! [`Search::add`], then [`Search::ready`]. What is found says where and what kind, never what.

use aho_corasick::AhoCorasick;

/// The shortest needle: anything shorter turns up in random bytes.
const SHORTEST: usize = 6;

/// What a secret is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A card number.
    CardNumber,
    /// Track 2, or all of it behind the card number.
    Track,
    /// A PIN with enough around it, or long enough, to be told from chance.
    Pin,
    /// A PIN block in clear, or what a block is made of.
    PinBlock,
    /// A PIN block as it was sent, encrypted.
    SealedPin,
    /// Verification key, card verification key, token key.
    IssuerKey,
    /// A terminal master key.
    TerminalMaster,
    /// A terminal's PIN or MAC key.
    WorkingKey,
    /// A master of PSAM keys.
    PsamMaster,
    /// A PSAM's own key.
    PsamKey,
    /// The key of one transaction of a PSAM.
    SessionKey,
    /// A zone master key.
    ZoneMaster,
    /// A key under a zone master key.
    ZoneKey,
    /// The local master key.
    Lmk,
    /// The key with which an officer signs orders.
    OfficerKey,
}

impl Kind {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CardNumber => "card number",
            Self::Track => "track 2",
            Self::Pin => "PIN",
            Self::PinBlock => "clear PIN block",
            Self::SealedPin => "encrypted PIN block",
            Self::IssuerKey => "issuer key",
            Self::TerminalMaster => "terminal master key",
            Self::WorkingKey => "working key",
            Self::PsamMaster => "PSAM master",
            Self::PsamKey => "key of a PSAM",
            Self::SessionKey => "PSAM session key",
            Self::ZoneMaster => "zone master key",
            Self::ZoneKey => "zone key",
            Self::Lmk => "local master key",
            Self::OfficerKey => "officer's key",
        }
    }
}

/// What is looked for. `Debug` and everything else shows the name only.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret {
    /// What it is.
    pub kind: Kind,
    /// Whose, or which.
    pub name: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.kind.name(), self.name)
    }
}

/// One way to write one secret, or a part of it.
#[derive(Clone, Eq, PartialEq)]
pub struct Form {
    /// Which part, and how it is written.
    pub name: &'static str,
    /// What to look for.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.bytes.len())
    }
}

struct Needle {
    secret: usize,
    form: Form,
}

/// Secrets as they are collected.
#[derive(Default)]
pub struct Search {
    secrets: Vec<Secret>,
    needles: Vec<Needle>,
}

/// A search that looks.
pub struct Ready {
    search: Search,
    automaton: AhoCorasick,
}

/// A place where a secret stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hit {
    /// Offset of the first byte.
    pub at: usize,
    /// How many bytes of it, over all forms that overlap.
    pub length: usize,
    /// Which secret, for [`Ready::secret`].
    pub secret: usize,
    /// The longest form found there.
    pub form: &'static str,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Search({} secrets, {} needles)", self.secrets.len(), self.needles.len())
    }
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ready({:?})", self.search)
    }
}

impl Search {
    /// Adds a secret in these forms. Forms that are too short to mean anything are left out.
    pub fn add(&mut self, kind: Kind, name: impl Into<String>, forms: impl IntoIterator<Item = Form>) {
        let secret = self.secrets.len();
        let long = forms.into_iter().filter(|form| form.bytes.len() >= SHORTEST);
        self.needles.extend(long.map(|form| Needle { secret, form }));
        self.secrets.push(Secret { kind, name: name.into() });
    }

    /// How many secrets.
    #[must_use]
    pub fn secrets(&self) -> usize {
        self.secrets.len()
    }

    /// How many forms of them.
    #[must_use]
    pub fn needles(&self) -> usize {
        self.needles.len()
    }

    /// Ready to look.
    ///
    /// # Panics
    /// There are more needles than an automaton takes, which is billions.
    #[must_use]
    pub fn ready(self) -> Ready {
        let bytes = self.needles.iter().map(|needle| &needle.form.bytes);
        let automaton = AhoCorasick::new(bytes).expect("fewer than billions of needles");
        Ready { search: self, automaton }
    }
}

impl Ready {
    /// Every place in these bytes. What overlaps and is of one secret is one place.
    #[must_use]
    pub fn hits(&self, bytes: &[u8]) -> Vec<Hit> {
        let mut single: Vec<(Hit, usize)> = self
            .automaton
            .find_overlapping_iter(bytes)
            .map(|found| {
                let Needle { secret, form } = &self.search.needles[found.pattern().as_usize()];
                let hit = Hit { at: found.start(), length: found.len(), secret: *secret, form: form.name };
                (hit, found.len())
            })
            .collect();
        single.sort_by_key(|(hit, _)| (hit.secret, hit.at));
        let mut merged: Vec<(Hit, usize)> = Vec::new();
        for (hit, longest) in single {
            match merged.last_mut() {
                Some((last, longest_of_last))
                    if last.secret == hit.secret && hit.at <= last.at + last.length =>
                {
                    last.length = last.length.max(hit.at + hit.length - last.at);
                    if longest > *longest_of_last {
                        last.form = hit.form;
                        *longest_of_last = longest;
                    }
                }
                _ => merged.push((hit, longest)),
            }
        }
        let mut hits: Vec<Hit> = merged.into_iter().map(|(hit, _)| hit).collect();
        hits.sort_by_key(|hit| hit.at);
        hits
    }

    /// A secret of a hit.
    #[must_use]
    pub fn secret(&self, hit: &Hit) -> &Secret {
        &self.search.secrets[hit.secret]
    }

    /// How many secrets are looked for.
    #[must_use]
    pub fn secrets(&self) -> usize {
        self.search.secrets()
    }

    /// How many forms are looked for.
    #[must_use]
    pub fn needles(&self) -> usize {
        self.search.needles()
    }

    /// The control: plants every needle by itself in noise, and names those that are not found there.
    #[must_use]
    pub fn blind_spots(&self) -> Vec<String> {
        const BEFORE: usize = 61;
        let blind = |needle: &&Needle| {
            let noise = [&[0x5A; BEFORE][..], &needle.form.bytes, &[0xA5; 40]].concat();
            !self.hits(&noise).iter().any(|hit| {
                // A neighbour in the noise may make it longer, never miss it.
                hit.secret == needle.secret
                    && hit.at <= BEFORE
                    && hit.at + hit.length >= BEFORE + needle.form.bytes.len()
            })
        };
        let told = |needle: &Needle| format!("{:?} {}", self.search.secrets[needle.secret], needle.form.name);
        self.search.needles.iter().filter(blind).map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &'static str, bytes: &[u8]) -> Form {
        Form { name, bytes: bytes.to_vec() }
    }

    fn search() -> Ready {
        let mut search = Search::default();
        search.add(
            Kind::ZoneKey,
            "zone",
            [form("whole", b"abcdefghijkl"), form("left half", b"abcdef"), form("right half", b"ghijkl")],
        );
        search.add(Kind::CardNumber, "card", [form("whole", b"9156009224"), form("short", b"91560")]);
        search.ready()
    }

    #[test]
    fn what_overlaps_is_one_place_and_what_is_too_short_is_not_looked_for() {
        let search = search();
        assert_eq!((search.secrets(), search.needles()), (2, 4));
        let rows = [
            ("..abcdefghijkl..", "2+12 whole"),
            ("abcdef..ghijkl", "0+6 left half, 8+6 right half"),
            ("..9156009224", "2+10 whole"),
            ("91560 abcde", ""),
        ];
        for (bytes, want) in rows {
            let hits = search.hits(bytes.as_bytes());
            let told: Vec<String> =
                hits.iter().map(|hit| format!("{}+{} {}", hit.at, hit.length, hit.form)).collect();
            assert_eq!(told.join(", "), want, "{bytes}");
        }
    }

    #[test]
    fn a_search_that_sees_everything_has_no_blind_spot() {
        assert_eq!(search().blind_spots(), Vec::<String>::new());
    }
}
