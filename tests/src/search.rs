//! Looking for secrets in files: every form in which one might have got there.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The shortest needle: anything shorter turns up in random bytes.
const SHORTEST: usize = 6;

/// How a needle is looked up: by its first bytes.
const KEY: usize = 4;

/// What is looked for.
#[derive(Default)]
pub struct Search {
    needles: HashMap<[u8; KEY], Vec<(String, Vec<u8>)>>,
    count: usize,
}

/// A needle found. It says where and what kind, not what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The file.
    pub file: PathBuf,
    /// Offset of the first byte.
    pub offset: usize,
    /// What was found, and in which form.
    pub what: String,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Search({} needles)", self.count)
    }
}

impl Search {
    /// Adds digits (or a track, whose separator is `=`): as text and as packed digits, whichever nibble they begin at.
    pub fn add_digits(&mut self, what: &str, digits: &[u8]) {
        self.add(format!("{what} as text"), digits);
        for (skip, form) in [(0, "packed"), (1, "packed, shifted")] {
            let nibbles: Vec<u8> =
                digits[skip..].iter().map(|digit| if *digit == b'=' { 0xD } else { digit & 0x0F }).collect();
            let packed: Vec<u8> = nibbles.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
            self.add(format!("{what} {form}"), &packed);
        }
    }

    /// Adds bytes: as they are and as hexadecimal text of either case.
    pub fn add_bytes(&mut self, what: &str, bytes: &[u8]) {
        let lower: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.add(format!("{what} in binary"), bytes);
        self.add(format!("{what} in upper-case hex"), lower.to_uppercase().as_bytes());
        self.add(format!("{what} in lower-case hex"), lower.as_bytes());
    }

    /// How many forms are looked for.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Every needle found in a file, or in the files of a folder and the folders below it; and how many bytes were
    /// looked at.
    #[must_use]
    pub fn through(&self, path: &Path) -> (Vec<Found>, usize) {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).expect("a folder");
            let found = entries.map(|entry| self.through(&entry.expect("an entry").path()));
            return found.fold((Vec::new(), 0), |(mut all, bytes), (found, more)| {
                all.extend(found);
                (all, bytes + more)
            });
        }
        let bytes = std::fs::read(path).expect("a file");
        let found = self.in_bytes(&bytes).map(|(offset, what)| Found { file: path.to_owned(), offset, what });
        (found.collect(), bytes.len())
    }

    fn in_bytes<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (usize, String)> + 'a {
        bytes.windows(KEY).enumerate().flat_map(move |(at, key)| {
            let candidates = key.try_into().ok().and_then(|key: [u8; KEY]| self.needles.get(&key));
            let matches = move |(_, needle): &&(String, Vec<u8>)| bytes[at..].starts_with(needle);
            candidates.into_iter().flatten().filter(matches).map(move |(what, _)| (at, what.clone()))
        })
    }

    fn add(&mut self, what: String, needle: &[u8]) {
        if needle.len() < SHORTEST {
            return;
        }
        if let Some(key) = needle.first_chunk() {
            self.count += 1;
            self.needles.entry(*key).or_default().push((what, needle.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_needle_is_found_in_every_form() {
        let mut search = Search::default();
        search.add_digits("PAN", b"9156009224100010");
        search.add_digits("odd PAN", b"91560023572900234");
        search.add_digits("track", b"9156009224100010=340252041400000");
        search.add_bytes("key", &[0xEA, 0x26, 0xA2, 0xE0, 0x31, 0x5B, 0xFD, 0x19]);
        search.add_digits("a PIN too short to look for", b"1234");
        let rows: [(&str, &[u8], &str); 9] = [
            ("text", b"9156009224100010", "PAN as text"),
            ("packed", b"\x91\x56\x00\x92\x24\x10\x00\x10", "PAN packed"),
            ("behind a nibble", b"\x09\x15\x60\x09\x22\x41\x00\x01\x0F", "PAN packed, shifted"),
            ("odd, left-aligned", b"\x91\x56\x00\x23\x57\x29\x00\x23\x4F", "odd PAN packed"),
            ("odd, right-aligned", b"\x09\x15\x60\x02\x35\x72\x90\x02\x34", "odd PAN packed, shifted"),
            ("a track", b"\x91\x56\x00\x92\x24\x10\x00\x10\xD3\x40\x25\x20\x41\x40\x00\x00", "track packed"),
            ("binary", b"\xEA\x26\xA2\xE0\x31\x5B\xFD\x19", "key in binary"),
            ("upper", b"EA26A2E0315BFD19", "key in upper-case hex"),
            ("lower", b"ea26a2e0315bfd19", "key in lower-case hex"),
        ];
        for (name, planted, want) in rows {
            let noise = [&[0x17; 300][..], planted, &[0x91; 40][..]].concat();
            let found = |(at, what): (usize, String)| (300..302).contains(&at) && what == want;
            assert!(search.in_bytes(&noise).any(found), "{name}");
        }
        assert_eq!(search.in_bytes(&[0x12; 1000]).count(), 0);
    }
}
