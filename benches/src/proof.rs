//! What the groups tell their reader beside times, and which of them a run is about.
//!
//! A group proves that what it measures succeeds, then prints a hash of the result: two runs whose hashes differ did
//! not do the same work. Start at [`result`].

use std::env;

/// Prints a hash of what a group worked out: FNV-1a of 64 bits, the same on every machine.
#[expect(clippy::print_stdout, reason = "the hash is for the reader of the run")]
pub fn result(name: &str, bytes: impl AsRef<[u8]>) {
    println!("{name}: result {:016x}", fnv_1a(bytes.as_ref()));
}

/// Prints one more line about a group.
#[expect(clippy::print_stdout, reason = "as above")]
pub fn told(name: &str, what: &str) {
    println!("{name}: {what}");
}

/// Whether this run measures, as under `cargo bench`; under `cargo test` each benchmark runs once, on small data.
#[must_use]
pub fn measuring() -> bool {
    env::args().any(|argument| argument == "--bench") && env::args().all(|argument| argument != "--test")
}

/// Whether a run is about this one of `groups`: all are wanted unless an argument names one, as `books` or
/// `mac/verify` do. Criterion's own filter leaves out benchmarks, but not what is built for them.
#[must_use]
pub fn wanted(group: &str, groups: &[&str]) -> bool {
    is_wanted(group, groups, env::args().skip(1))
}

fn is_wanted(group: &str, groups: &[&str], arguments: impl Iterator<Item = String>) -> bool {
    let first = |argument: &String| argument.split('/').next().map(str::to_owned);
    let mut named = arguments.filter_map(|argument| first(&argument));
    named.find(|word| groups.contains(&word.as_str())).is_none_or(|word| word == group)
}

fn fnv_1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_names_a_group_leaves_out_the_others() {
        let groups = ["mac", "books"];
        let rows: [(&[&str], bool, bool); 5] = [
            (&["--bench"], true, true),
            (&["--bench", "books"], false, true),
            (&["mac/verify/x9.19", "--bench"], true, false),
            (&["--bench", "purchase"], true, true),
            (&["--save-baseline", "before", "books/purchase"], false, true),
        ];
        for (arguments, mac, books) in rows {
            let about = |group| is_wanted(group, &groups, arguments.iter().map(|word| (*word).to_owned()));
            assert_eq!((about("mac"), about("books")), (mac, books), "{arguments:?}");
        }
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // Noll's published values for the empty string and for "foobar".
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
