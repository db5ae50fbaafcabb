//! What was found where: in files as it is, in memory with the keys that the HSM must hold left out.
//!
//! Exempt in memory are the published test LMK and the cards of the examples in a command's help, which are no secrets; the
//! one card number that was put into URLs and bodies of the admin port, whose buffers the switch does not own, and for
//! which it never asks; PIN blocks that are still encrypted; and the keys in
//! the two caches of the HSM: `hsm-sim` keeps the keys behind its handles, and those of PSAMs, expanded, in two vectors
//! that are allocated once (its `key_cache` and `derived_cache`). What lies there is told from a stray copy by its place: whole
//! schedules, the key behind them, at the same offset of equally long entries, three at least, each key once. A key by itself,
//! a part of a schedule, a schedule anywhere else, on a stack, twice: all that is a finding.
//!
//! Start at [`in_file`] and [`in_memory`].

use std::collections::{BTreeMap, HashSet};
use std::{fs, path::Path};

use super::memory::{Memory, Part};
use super::schedule::{DES_SCHEDULE, LEFT, RIGHT};
use super::secrets::ASKED_FOR;
use crate::search::{Hit, Kind, Ready};

/// How long an entry of the HSM's caches may be: two schedules and what belongs to them.
const ENTRY: std::ops::RangeInclusive<u64> = 264..=448;
/// Bytes of a key, which a cache keeps behind its schedules: batches need the key itself.
const KEY_BYTES: usize = 16;
/// How many schedules at the same offset of their entries make a cache.
const CACHE_MIN: usize = 3;
/// What stands before the sample city's card numbers in the help of commands, which the process builds when it starts:
/// the end of `--card `, for tables that stand in that memory afterwards leave pieces of its text between their entries.
const EXAMPLE: &[u8] = b"ard ";
/// What stands behind them: the end of the line, or what such a table has cleared.
const EXAMPLE_END: [u8; 2] = *b"\n\0";
/// Bytes shown, masked, on either side of a finding.
const AROUND: usize = 12;

/// A secret where it must not be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Whose, or which.
    pub secret: String,
    /// In which form.
    pub form: &'static str,
    /// File, or part of memory.
    pub place: String,
    /// Offset in the file, address in memory.
    pub at: u64,
    /// How many bytes of it.
    pub length: usize,
    /// What is before and behind it, a character a byte: `0` for zero, `9` digit, `a` letter, `.` other ASCII, `x` any
    /// other byte.
    pub around: String,
}

/// What one place was found to hold.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// For people.
    pub name: String,
    /// How many bytes were looked at.
    pub bytes: usize,
    /// What must not be there.
    pub findings: Vec<Finding>,
    /// What may be, by what it is.
    pub exempt: BTreeMap<String, usize>,
    /// Whether findings here are only told, not held against the switch.
    pub for_information: bool,
}

/// Looks through a file, or all files of a folder and the folders below it.
///
/// # Panics
/// A file cannot be read.
#[must_use]
pub fn in_file(search: &Ready, name: &str, path: &Path) -> Looked {
    let mut looked = Looked { name: name.to_owned(), ..Looked::default() };
    add_file(search, path, &mut looked);
    looked
}

fn add_file(search: &Ready, path: &Path, looked: &mut Looked) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder");
        entries.for_each(|entry| add_file(search, &entry.expect("an entry").path(), looked));
        return;
    }
    let bytes = fs::read(path).expect("a file");
    looked.bytes += bytes.len();
    let place = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let hits = search.hits(&bytes);
    looked.findings.extend(hits.iter().map(|hit| finding(search, hit, &place, 0, &bytes)));
}

/// Looks through a process's memory.
#[must_use]
pub fn in_memory(search: &Ready, name: &str, memory: &Memory) -> Looked {
    let mut looked =
        Looked { name: format!("{name}, by {}", memory.taken), bytes: memory.bytes(), ..Looked::default() };
    for part in &memory.parts {
        let hits = search.hits(&part.bytes);
        let cached = in_caches(search, part, &hits);
        for (place, hit) in hits.iter().enumerate() {
            let kind = search.secret(hit).kind;
            let exempt = match kind {
                Kind::CardNumber if is_example(&part.bytes, hit) => {
                    Some("example in a command's help".to_owned())
                }
                Kind::CardNumber if search.secret(hit).name.ends_with(ASKED_FOR) => {
                    Some("card number that the admin port was asked for".to_owned())
                }
                Kind::Lmk => Some("published test LMK".to_owned()),
                Kind::SealedPin => Some("encrypted PIN block".to_owned()),
                _ => cached.contains(&place).then(|| format!("in the HSM's cache: {}", kind.name())),
            };
            match exempt {
                Some(exempt) => *looked.exempt.entry(exempt).or_default() += 1,
                None => {
                    looked.findings.push(finding(search, hit, &part.name, part.address, &part.bytes));
                }
            }
        }
    }
    looked
}

/// Places in `hits` of the schedules that lie in the HSM's caches.
fn in_caches(search: &Ready, part: &Part, hits: &[Hit]) -> HashSet<usize> {
    let mut cached = HashSet::new();
    if part.name.contains("stack") || part.name == "registers" {
        return cached;
    }
    let whole = |hit: &Hit| {
        let is_schedule = hit.form == LEFT || hit.form == RIGHT;
        let both = 2 * DES_SCHEDULE;
        is_schedule && [DES_SCHEDULE, both, both + KEY_BYTES].contains(&hit.length)
    };
    let mut left: Vec<(usize, &Hit)> =
        hits.iter().enumerate().filter(|(_, hit)| whole(hit) && is_kept(search.secret(hit).kind)).collect();
    // One cache after the other: the handles' and the PSAMs' may stand in one part of memory.
    while let Some(entries) = largest_cache(&left) {
        let mut seen = HashSet::new();
        cached.extend(entries.iter().filter(|(_, secret)| seen.insert(*secret)).map(|(place, _)| *place));
        left.retain(|(place, _)| !entries.iter().any(|(entry, _)| entry == place));
    }
    cached
}

/// The hits that stand at the same offset of equally long entries, for the length that makes most of them do.
fn largest_cache(hits: &[(usize, &Hit)]) -> Option<Vec<(usize, usize)>> {
    let mut best: Vec<(usize, usize)> = Vec::new();
    for length in ENTRY.step_by(8) {
        let mut classes: BTreeMap<u64, Vec<(usize, usize)>> = BTreeMap::new();
        for (place, hit) in hits {
            classes.entry(hit.at as u64 % length).or_default().push((*place, hit.secret));
        }
        let largest = classes.into_values().max_by_key(Vec::len).unwrap_or_default();
        if largest.len() > best.len() {
            best = largest;
        }
    }
    (best.len() >= CACHE_MIN).then_some(best)
}

/// Whether a command's help shows this card number as an example.
fn is_example(bytes: &[u8], hit: &Hit) -> bool {
    let behind = bytes.get(hit.at + hit.length);
    bytes[..hit.at].ends_with(EXAMPLE) && behind.is_some_and(|byte| EXAMPLE_END.contains(byte))
}

/// Whether the HSM keeps keys of this kind behind handles.
fn is_kept(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::IssuerKey
            | Kind::TerminalMaster
            | Kind::WorkingKey
            | Kind::PsamMaster
            | Kind::PsamKey
            | Kind::ZoneKey
    )
}

fn finding(search: &Ready, hit: &Hit, place: &str, address: u64, bytes: &[u8]) -> Finding {
    let secret = search.secret(hit);
    let end = hit.at + hit.length;
    let before = masked(&bytes[hit.at.saturating_sub(AROUND)..hit.at]);
    let behind = masked(&bytes[end..bytes.len().min(end + AROUND)]);
    Finding {
        kind: secret.kind,
        secret: secret.name.clone(),
        form: hit.form,
        place: place.to_owned(),
        at: address + hit.at as u64,
        length: hit.length,
        around: format!("{before}[…]{behind}"),
    }
}

fn masked(bytes: &[u8]) -> String {
    let class = |byte: &u8| match byte {
        0 => '0',
        b'0'..=b'9' => '9',
        b'a'..=b'z' | b'A'..=b'Z' => 'a',
        b' '..=b'~' => '.',
        _ => 'x',
    };
    bytes.iter().map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        leaks::{forms, schedule::des_round_keys},
        search::Search,
    };

    /// Entries of 280 bytes: two schedules, and something else.
    fn entry(key: &[u8; 16]) -> Vec<u8> {
        let expanded = |half: &[u8]| {
            des_round_keys(half).iter().flat_map(|round| round.to_ne_bytes()).collect::<Vec<u8>>()
        };
        [expanded(&key[..8]), expanded(&key[8..]), vec![0x77; 24]].concat()
    }

    #[test]
    fn only_whole_schedules_in_a_row_of_entries_are_the_caches() {
        let keys: [[u8; 16]; 4] = [1_u8, 2, 3, 4].map(|number| {
            std::array::from_fn(|at| (number * 29) ^ u8::try_from(at * 37 % 256).expect("a byte"))
        });
        let mut search = Search::default();
        for (key, kind) in
            keys.iter().zip([Kind::ZoneKey, Kind::WorkingKey, Kind::PsamMaster, Kind::SessionKey])
        {
            search.add(kind, "", forms::of_key(key));
        }
        let search = search.ready();
        let row: Vec<u8> = keys[..3].iter().flat_map(entry).collect();
        let stray = entry(&keys[0])[..128].to_vec();
        let rows: [(&str, Vec<u8>, &str, usize, usize); 7] = [
            ("a cache", row.clone(), "anonymous", 3, 0),
            ("the same on a stack", row.clone(), "stack of io", 0, 3),
            ("too few", row[..2 * 280].to_vec(), "anonymous", 0, 2),
            ("a stray copy behind it", [&row[..], &[0; 5], &stray].concat(), "anonymous", 3, 1),
            ("a part of a schedule", [&row[..], &[0; 8], &stray[16..48]].concat(), "anonymous", 3, 1),
            ("a key itself", [&row[..], &[0; 8], &keys[1]].concat(), "anonymous", 3, 1),
            ("the key of a transaction", [row, entry(&keys[3])].concat(), "anonymous", 3, 1),
        ];
        for (name, bytes, place, exempt, found) in rows {
            let parts = vec![Part { address: 0x1000, name: place.to_owned(), bytes }];
            let looked = in_memory(&search, "", &Memory { taken: "a test", parts });
            let counts = (looked.exempt.values().sum::<usize>(), looked.findings.len());
            assert_eq!(counts, (exempt, found), "{name}: {:?}", looked.findings);
        }
    }

    #[test]
    fn a_card_number_is_an_example_only_in_the_text_of_a_help() {
        let number = b"9156000000000017";
        let mut search = Search::default();
        search.add(Kind::CardNumber, "", forms::of_card_number(number));
        let search = search.ready();
        let rows: [(&[u8], &[u8], usize); 5] = [
            (b"purchase --card ", b"\n  cardswitch", 0),
            (b"\x04\0\0\0ard ", b"\0\0\0\0", 0),
            (b"\x04\0\0\0", b"\0\0\0\0", 1),
            (b"card ", b" has", 1),
            (b"card ", b"", 1),
        ];
        for (before, behind, found) in rows {
            let bytes = [before, number, behind].concat();
            let parts = vec![Part { address: 0x1000, name: "[heap]".to_owned(), bytes }];
            let looked = in_memory(&search, "", &Memory { taken: "a test", parts });
            assert_eq!(looked.findings.len(), found, "{} … {}", before.escape_ascii(), behind.escape_ascii());
        }
    }

    #[test]
    fn what_is_around_a_finding_is_masked() {
        assert_eq!(masked(b"\x00\x01aZ9= \xFF"), "0xaa9..x");
    }
}
