//! Tidiness: what a reader may rely on everywhere, checked on the text of the repository under plain `cargo test`.
//!
//! Each rule is a function from files to complaints; every one is also shown a made-up file that breaks it, so none
//! can pass by not looking. Rules about what the compiler sees (lints, banned calls) are in `Cargo.toml` and
//! `clippy.toml`; here are those about arrows between crates and modules, names, files and documents.
//!
//! Left out: formatting, and anything under `target`. Start at [`RULES`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hsm_sim::MacAlgorithm;
use hsm_sim::emulator::TerminalKeys;
use iso8583::{Message, Spec};

/// The most lines a file may have: beyond that it holds more than one idea.
const LINES_MAX: usize = 900;

/// A text file: its path from the workspace's root, with `/`, and what is in it.
#[derive(Clone, Debug)]
struct Text {
    path: String,
    body: String,
}

/// Looks at all files and says what is wrong, one sentence each.
type Rule = fn(&[Text]) -> Vec<String>;

/// A rule's name, the rule, and a file that it must not let pass.
const RULES: &[(&str, Rule, &str, &str)] = &[
    ("crate arrows", crate_arrows, "risk/Cargo.toml", "[dependencies]\ntokio.workspace = true\n"),
    ("library arrows", library_arrows, "iso8583/src/lib.rs", "use hsm_sim::Pan;\n"),
    ("ledger and journal know nobody", alone, "switch/src/ledger/mod.rs", "use crate::books::Books;\n"),
    (
        "books know little",
        books_know_little,
        "switch/src/books/x.rs",
        "use crate::{clock::Moment, journal::Store};\n",
    ),
    ("the channel knows no money", channel_knows_no_money, "switch/src/channel/x.rs", "crate::books::Books"),
    (
        "terminals share nothing",
        terminals_share_nothing,
        "switch/src/terminal/x.rs",
        "use crate::dialect::pos;",
    ),
    (
        "the store is behind its port",
        store_behind_port,
        "switch/src/app.rs",
        concat!("let db = sl", "ed::open(path);\n"),
    ),
    ("one clock", one_clock, "switch/src/app.rs", "let now = Timestamp::now();\n"),
    ("metric names in one file", metric_names, "switch/src/app.rs", "counter!(\"cardswitch_x_total\")"),
    ("nothing unfinished", nothing_unfinished, "risk/src/x.rs", concat!("fn f() { to", "do!() }")),
    ("no machine's paths", no_machine_paths, "docs/x.md", concat!("see /ho", "me/me/notes")),
    ("names say something", names_say_something, "switch/src/utils.rs", "\n"),
    ("files are short", files_are_short, "switch/src/long.rs", "LONG"),
    ("links lead somewhere", links_lead_somewhere, "README.md", "[here](no-such-file.md)"),
];

#[test]
fn the_repository_is_tidy() {
    let files = texts();
    let mut complaints = Vec::new();
    for (name, rule, ..) in RULES {
        complaints.extend(rule(&files).into_iter().map(|complaint| format!("{name}: {complaint}")));
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_rule_can_fail() {
    let files = texts();
    for (name, rule, path, body) in RULES {
        let body = if *body == "LONG" { "\n".repeat(LINES_MAX) } else { (*body).to_owned() };
        let mut with_bad = files.clone();
        with_bad.retain(|file| file.path != *path);
        with_bad.push(Text { path: (*path).to_owned(), body });
        let found = rule(&with_bad).iter().any(|complaint| complaint.contains(path));
        assert!(found, "{name} does not see what is wrong with its bad {path}");
    }
}

#[test]
fn every_folder_of_fixtures_names_its_origin() {
    let fixtures = root().join("fixtures");
    let readme = fs::read_to_string(fixtures.join("README.md")).expect("fixtures have a README");
    let folders: Vec<PathBuf> = children(&fixtures).into_iter().filter(|path| path.is_dir()).collect();
    assert!(folders.len() >= 3, "city, corpus and vectors at least");
    for folder in folders {
        assert!(origin_is_named(&folder, &readme), "{} does not say where it comes from", folder.display());
    }
    let nameless = tempfile::tempdir().expect("a temporary folder");
    fs::write(nameless.path().join("x.bin"), [1, 2, 3]).expect("a file in it");
    assert!(!origin_is_named(nameless.path(), &readme), "the check can fail");
}

/// The folder's name heads a chapter of the README, or it has a README of its own, or each file says so at its head.
fn origin_is_named(folder: &Path, readme: &str) -> bool {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let chapter = readme.lines().any(|line| line.starts_with(&format!("## {name}")));
    let says_so = |path: &PathBuf| {
        let head: String = fs::read_to_string(path).unwrap_or_default().chars().take(400).collect();
        ["about", "_note", "source", "origin"].iter().any(|word| head.contains(word))
    };
    chapter || folder.join("README.md").is_file() || children(folder).iter().all(says_so)
}

/// The frames that the manual of the dialect shows are real: they decode, and their MACs verify under the keys that
/// the sign-in answers among them carry for the terminals of the sample city.
#[test]
fn the_frames_in_the_manual_decode_and_their_macs_are_right() {
    let manual = fs::read_to_string(root().join("docs/dialect-pos.md")).expect("the manual");
    let frames = fenced(&manual, "frame");
    let mut keys: Option<(MacAlgorithm, TerminalKeys)> = None;
    let mut verified = 0;
    for text in &frames {
        let frame = from_hex(text);
        let length = usize::from(u16::from_be_bytes([frame[0], frame[1]]));
        assert_eq!(length, frame.len() - 2, "length of {text}");
        let message = Message::decode(Spec::pos(), &frame[13..]).expect(text);
        if let Some(field) = message.fixed::<40>(62) {
            keys = Some(signed_in(&message, &field));
        }
        if let (Some(mac), Some(end)) = (message.fixed(64), message.start(64)) {
            let (algorithm, keys) = keys.as_ref().expect("a sign-in answer stands before");
            assert!(keys.verify(*algorithm, &frame[13..13 + end], &mac), "MAC of {text}");
            let mut other = frame[13..13 + end].to_vec();
            other[3] ^= 1;
            assert!(!keys.verify(*algorithm, &other, &mac), "the check can fail");
            verified += 1;
        }
    }
    assert!(frames.len() >= 8 && verified >= 5, "{} frames, {verified} of them with a MAC", frames.len());
}

/// The terminal of a sign-in answer, with the working keys that it brings.
fn signed_in(message: &Message<'_>, field: &[u8; 40]) -> (MacAlgorithm, TerminalKeys) {
    let id = String::from_utf8(message.fixed::<8>(41).expect("a terminal").to_vec()).expect("ASCII");
    let city = fs::read_to_string(root().join("fixtures/city/terminals.csv")).expect("the city");
    let row = city.lines().find(|row| row.starts_with(&id)).expect("a terminal of the city");
    let columns: Vec<&str> = row.split(',').collect();
    let algorithm = if columns[5] == "ecb" { MacAlgorithm::UnionPayEcb } else { MacAlgorithm::X919 };
    let part = |from: usize| -> [u8; 16] { field[from..from + 16].try_into().expect("sixteen bytes") };
    let check = |from: usize| -> [u8; 4] { field[from..from + 4].try_into().expect("four bytes") };
    let mut keys = TerminalKeys::new(from_hex(columns[6]).try_into().expect("a double-length key"));
    keys.accept(&part(0), &check(16), &part(20), &check(36)).expect("keys of this terminal");
    (algorithm, keys)
}

/// The blocks fenced as ```` ```kind ````.
fn fenced(text: &str, kind: &str) -> Vec<String> {
    let open = format!("```{kind}\n");
    text.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> =
        text.chars().filter(|c| !c.is_whitespace()).filter_map(|c| c.to_digit(16)).collect();
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).expect("two hex digits");
    digits.chunks_exact(2).map(byte).collect()
}

// The rules.

/// The three libraries depend neither on each other, nor on the switch, nor on anything that touches the world.
const LIBRARIES: [&str; 3] = ["iso8583", "hsm-sim", "risk"];
const WORLDLY: [&str; 6] = ["cardswitch", "tokio", "sled", "axum", "metrics", "tracing"];

fn crate_arrows(files: &[Text]) -> Vec<String> {
    let mut complaints = Vec::new();
    for library in LIBRARIES {
        let manifest = files.iter().find(|file| file.path == format!("{library}/Cargo.toml"));
        let manifest = manifest.expect("every library has a manifest");
        let others = LIBRARIES.iter().filter(|other| **other != library).chain(&WORLDLY);
        let dependencies = dependencies(&manifest.body);
        for other in others.filter(|other| dependencies.contains(**other)) {
            complaints.push(format!("{} depends on {other}", manifest.path));
        }
    }
    complaints
}

/// The crates named in any section of dependencies.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim_end().ends_with("dependencies]");
        } else if inside {
            let name: String =
                line.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
            found.insert(name);
        }
    }
    found
}

fn library_arrows(files: &[Text]) -> Vec<String> {
    let banned = LIBRARIES.iter().chain(&WORLDLY).map(|name| name.replace('-', "_"));
    let banned: Vec<String> = banned.chain(["std::net".into(), "std::fs".into()]).collect();
    let mut complaints = Vec::new();
    for library in LIBRARIES {
        for file in files.iter().filter(|file| is_product(&file.path, &format!("{library}/src/"))) {
            let text = product(&file.body);
            let own = library.replace('-', "_");
            // The vectors of hsm-sim are read by its tests only, and its module of them exists only there.
            let foreign = banned.iter().filter(|name| **name != own && file.path != "hsm-sim/src/vectors.rs");
            for name in foreign.filter(|name| names_path(&text, name)) {
                complaints.push(format!("{} uses {name}", file.path));
            }
        }
    }
    complaints
}

fn alone(files: &[Text]) -> Vec<String> {
    let mut complaints = only_uses(files, "ledger", &["ledger"]);
    complaints.extend(only_uses(files, "journal", &["journal"]));
    complaints
}

fn books_know_little(files: &[Text]) -> Vec<String> {
    const HSM: [&str; 2] = ["Pan", "PsamNumber"];
    let mut complaints = only_uses(files, "books", &["books", "ledger", "clock", "journal"]);
    for file in module(files, "books") {
        let text = product(&file.body);
        let of =
            |path: &str| text.match_indices(path).map(|(at, _)| word(&text[at + path.len()..])).collect();
        let journal: Vec<&str> = of("journal::");
        let hsm: Vec<&str> = of("hsm_sim::");
        for name in
            journal.iter().filter(|name| **name != "Seq").chain(hsm.iter().filter(|name| !HSM.contains(name)))
        {
            complaints.push(format!(
                "{} may know Seq of the journal and numbers of hsm_sim, not {name}",
                file.path
            ));
        }
    }
    complaints
}

fn channel_knows_no_money(files: &[Text]) -> Vec<String> {
    never_uses(files, "channel", &["books", "ledger", "journal", "verify", "dialect"])
}

fn terminals_share_nothing(files: &[Text]) -> Vec<String> {
    let inside =
        ["app", "batch", "books", "channel", "commit", "dialect", "journal", "ledger", "stages", "verify"];
    never_uses(files, "terminal", &inside)
}

fn store_behind_port(files: &[Text]) -> Vec<String> {
    rust(files)
        .filter(|file| !file.path.starts_with("switch/src/journal/"))
        .filter(|file| names_path(&uncommented(&file.body), "sled"))
        .map(|file| format!("{} names the engine under the journal", file.path))
        .collect()
}

fn one_clock(files: &[Text]) -> Vec<String> {
    let wall = ["Timestamp::now", "SystemTime::now", "Zoned::now", "UNIX_EPOCH"];
    let mut complaints = Vec::new();
    for file in rust(files).filter(|file| is_product(&file.path, "") && file.path != "switch/src/clock.rs") {
        let text = product(&file.body);
        for call in wall.iter().filter(|call| text.contains(**call)) {
            complaints.push(format!("{} reads the wall clock with {call}", file.path));
        }
        if text.contains("Instant::now") && file.path != "switch/src/journal/sled_store.rs" {
            complaints.push(format!("{} reads the monotonic clock itself", file.path));
        }
    }
    complaints
}

const METRICS: &str = "switch/src/telemetry/metrics.rs";
const MANUAL: &str = "docs/operations.md";

/// Names stand in one file, and the manual has every one of them and no other.
fn metric_names(files: &[Text]) -> Vec<String> {
    let literal = concat!("\"cardswitch", "_");
    let mut complaints: Vec<String> = rust(files)
        .filter(|file| is_product(&file.path, "") && file.path != METRICS)
        .filter(|file| file.body.contains(literal))
        .map(|file| format!("{} names a metric", file.path))
        .collect();
    let of = |path: &str, before: &str| -> BTreeSet<String> {
        let body = files.iter().find(|file| file.path == path).map_or("", |file| file.body.as_str());
        let names = body.match_indices(before).map(|(at, _)| word(&body[at + 1..]).to_owned());
        names.filter(|name| name.starts_with("cardswitch_")).collect()
    };
    let (written, told) = (of(METRICS, "\"cardswitch_"), of(MANUAL, "`cardswitch_"));
    complaints.extend(written.difference(&told).map(|name| format!("{MANUAL} does not explain {name}")));
    complaints
        .extend(told.difference(&written).map(|name| format!("{MANUAL} explains {name}, which is not")));
    if written.is_empty() {
        complaints.push(format!("{METRICS} holds no name"));
    }
    complaints
}

fn nothing_unfinished(files: &[Text]) -> Vec<String> {
    let calls =
        [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("db", "g!("), concat!("FIX", "ME")];
    let mut complaints = containing(rust(files), &calls);
    let note = [concat!("TO", "DO")];
    complaints.extend(containing(files.iter(), &note));
    complaints
}

fn no_machine_paths(files: &[Text]) -> Vec<String> {
    let paths = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/tm", "p/")];
    containing(files.iter(), &paths)
}

fn names_say_something(files: &[Text]) -> Vec<String> {
    let empty = ["utils.rs", "util.rs", "common.rs", "helpers.rs", "misc.rs", "manager.rs"];
    let mut complaints = Vec::new();
    for file in rust(files) {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if empty.contains(&name) {
            complaints.push(format!("{} could hold anything", file.path));
        }
        if uncommented(&file.body).contains(concat!("fn ge", "t_")) {
            complaints.push(format!("{} has a getter that says get", file.path));
        }
    }
    complaints
}

fn files_are_short(files: &[Text]) -> Vec<String> {
    let endings = [".rs", ".md", ".toml", ".py", "/run"];
    files
        .iter()
        .filter(|file| endings.iter().any(|ending| file.path.ends_with(ending)))
        .map(|file| (file, file.body.lines().count()))
        .filter(|(_, lines)| *lines >= LINES_MAX)
        .map(|(file, lines)| format!("{} has {lines} lines", file.path))
        .collect()
}

fn links_lead_somewhere(files: &[Text]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = root().join(Path::new(&file.path).parent().unwrap_or(Path::new("")));
        for (at, _) in file.body.match_indices("](") {
            let target = file.body[at + 2..].split([')', '#']).next().unwrap_or_default();
            let local = !target.is_empty() && !target.contains("://");
            if local && !folder.join(target).exists() {
                complaints.push(format!("{} links to {target}, which is not there", file.path));
            }
        }
    }
    complaints
}

// What the rules are made of.

/// Files of one module of the switch: its file and its folder, tests in files of their own left out.
fn module<'a>(files: &'a [Text], name: &str) -> impl Iterator<Item = &'a Text> {
    let (one, many) = (format!("switch/src/{name}.rs"), format!("switch/src/{name}/"));
    files.iter().filter(move |file| file.path == one || is_product(&file.path, &many))
}

fn only_uses(files: &[Text], name: &str, allowed: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in module(files, name) {
        for used in modules_used(&product(&file.body)).iter().filter(|used| !allowed.contains(&used.as_str()))
        {
            complaints.push(format!("{} uses crate::{used}", file.path));
        }
    }
    complaints
}

fn never_uses(files: &[Text], name: &str, banned: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in module(files, name) {
        for used in modules_used(&product(&file.body)).iter().filter(|used| banned.contains(&used.as_str())) {
            complaints.push(format!("{} uses crate::{used}", file.path));
        }
    }
    complaints
}

/// The modules named behind `crate::`, alone or in braces.
fn modules_used(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, path) in text.match_indices("crate::") {
        let rest = &text[at + path.len()..];
        match rest.strip_prefix('{') {
            None => _ = found.insert(word(rest).to_owned()),
            Some(group) => found.extend(first_words(group)),
        }
    }
    found
}

/// The first word of each item of a `use` group, up to its closing brace.
fn first_words(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut found) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && depth == 0 && !c.is_whitespace() => {
                found.push(word(&group[at..]).to_owned());
                start = false;
            }
            _ => {}
        }
    }
    found
}

#[test]
fn modules_are_found_alone_and_in_groups() {
    let text = "use crate::{\n    a::{b, c::{d}},\n    e,\n};\nlet x = crate::f::g();";
    assert_eq!(modules_used(text).into_iter().collect::<Vec<_>>(), ["a", "e", "f"]);
}

/// The identifier that `text` begins with.
fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Whether `name::` stands in the text as a path's beginning.
fn names_path(text: &str, name: &str) -> bool {
    text.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '"')
    })
}

fn containing<'a>(files: impl Iterator<Item = &'a Text>, needles: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        for needle in needles.iter().filter(|needle| file.body.contains(**needle)) {
            let line = file.body.lines().position(|line| line.contains(needle)).unwrap_or(0) + 1;
            complaints.push(format!("{}:{line} contains {needle:?}", file.path));
        }
    }
    complaints
}

fn rust(files: &[Text]) -> impl Iterator<Item = &Text> {
    files.iter().filter(|file| file.path.ends_with(".rs"))
}

/// Rust below `folder` that goes into the program: no package of tests, no file of tests, nothing for testing.
fn is_product(path: &str, folder: &str) -> bool {
    let below = |folder: &str| path.starts_with(&folder[1..]) || path.contains(folder);
    let for_tests = below("/tests/") || below("/benches/");
    let of_tests = path.ends_with("tests.rs") || path.ends_with("/testing.rs");
    path.starts_with(folder) && path.ends_with(".rs") && !for_tests && !of_tests
}

/// The text without comments and without the tests at its end.
fn product(body: &str) -> String {
    uncommented(body.split("#[cfg(test)]\nmod tests {").next().unwrap_or(body))
}

fn uncommented(body: &str) -> String {
    let code = body.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies in the workspace").to_owned()
}

/// Every text file of the workspace; what is built, versioned or made by a running switch is not looked at.
fn texts() -> Vec<Text> {
    let (root, mut found) = (root(), Vec::new());
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for path in children(&folder) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                let skipped = ["target", ".git", "__pycache__"].contains(&name.as_str());
                if !skipped && path != root.join("fixtures/city/data") {
                    folders.push(path);
                }
            } else if let Ok(body) = fs::read_to_string(&path) {
                let path =
                    path.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push(Text { path, body });
            }
        }
    }
    assert!(found.len() > 100, "only {} files: is this the workspace?", found.len());
    found
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the workspace can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}
