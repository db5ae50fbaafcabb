//! Files of entries: good ones, bad ones by line, and ones that were changed at random.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use jiff::tz::TimeZone;

use super::{
    Draft,
    file::{FileError, Reading},
};
use crate::books::lists::{
    change::{GROUNDS_MAX, How, ListRow, ground},
    key::ListKind,
};

fn read_bytes(kind: ListKind, how: How, file: &[u8]) -> Result<Draft, FileError> {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let mut reading = Reading { kind, how, zone: &zone, reason: None, source: Some("desk"), tokens: None };
    reading.read(file, &mut |_| ())
}

fn read(kind: ListKind, file: &str) -> Draft {
    read_bytes(kind, How::Add, file.as_bytes()).unwrap()
}

fn shown(kind: ListKind, draft: &Draft) -> Vec<String> {
    ListRow::unpack(&draft.rows).unwrap().filter_map(|row| row.key.shown(kind)).collect()
}

/// A draft is sound whatever the file was, which may have returns in it.
fn check(draft: &Draft, how: How, returns: bool) {
    let rows: Vec<ListRow> = ListRow::unpack(&draft.rows).unwrap().collect();
    let tally = &draft.tally;
    assert_eq!((rows.len(), rows.len() as u64), (draft.line_of.len(), tally.rows));
    assert_eq!(rows.iter().map(|row| row.key).collect::<HashSet<_>>().len(), rows.len(), "no key twice");
    assert!(draft.grounds.len() <= GROUNDS_MAX);
    assert!(rows.iter().all(|row| usize::from(row.ground) < draft.grounds.len() || how == How::Remove));
    let texts = draft.grounds.iter().flat_map(|of| [&of.reason, &of.source]);
    texts.for_each(|text| assert!(ground(text).is_some()));
    let with_rows = draft.line_of.iter().collect::<HashSet<_>>().len() as u64;
    let told = with_rows + tally.duplicates + tally.invalid;
    // A return alone ends an entry and no line, so two may be on one line.
    assert!(told == tally.lines || returns && told < tally.lines, "every line is told of");
}

#[test]
fn values_are_those_of_their_kind() {
    let rows = [
        (ListKind::Terminal, "31000002", Some(1)),
        (ListKind::Terminal, "3100002", None),
        (ListKind::Merchant, "898310054110001", Some(1)),
        (ListKind::Merchant, "8983100541100012", None),
        (ListKind::Bin, "915600", Some(1)),
        (ListKind::Bin, "915600-915609", Some(10)),
        (ListKind::Bin, "915609-915600", None),
        (ListKind::Bin, "91560-915609", None),
        (ListKind::Psam, "3100000000000101", Some(1)),
        (ListKind::Psam, "310000000000010A", None),
        (ListKind::Phone, "02112345678", Some(1)),
        (ListKind::Phone, "+862112345678", None),
        (ListKind::Phone, "21", None),
    ];
    for (kind, value, want) in rows {
        let draft = read(kind, &format!("value,reason\n{value},seen\n"));
        check(&draft, How::Add, false);
        let got = (draft.tally.invalid == 0).then_some(draft.line_of.len());
        assert_eq!(got, want, "{value}");
        let told = format!(
            "{:?} {}",
            draft.tally,
            draft.tally.faults.iter().map(|(_, fault)| fault.to_string()).collect::<String>()
        );
        assert!(!told.contains(value), "{told}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_by_its_line() {
    let long = "x".repeat(200);
    let file = format!(
        "value,source,expires,reason\n31000001,,,seen\n31000001,,,again\n3,,,seen\n31000002,,,\n31000003,,2026-2-1,seen\n\
         31000004,,2999-01-01,seen\n31000005,,\n31000006,915600112233,,seen\n31000007,{long},,seen\n31000008,\"two\nlines\",,seen\n\
         31000009,,2026-11-22,seen\n"
    );
    let draft = read(ListKind::Terminal, &file);
    check(&draft, How::Add, false);
    let told: Vec<String> =
        draft.tally.faults.iter().map(|(line, problem)| format!("{line} {problem}")).collect();
    let want = [
        "4 value: must be 8 letters and digits",
        "5 reason: must be 1 to 64 bytes with no card number in them",
        "6 expires: must be empty or a day as yyyy-mm-dd, from 1970 to 2105",
        "7 expires: must be empty or a day as yyyy-mm-dd, from 1970 to 2105",
        "8 must have as many fields as the head",
        "9 source: must be 1 to 64 bytes with no card number in them",
        "10 source: is no UTF-8 text of at most 128 bytes",
        "11 source: must be 1 to 64 bytes with no card number in them",
    ];
    assert_eq!(told, want);
    assert_eq!(draft.tally.repeated, [(3, 2)]);
    assert_eq!(shown(ListKind::Terminal, &draft), ["31000001", "31000009"]);
    // The last day counts whole, in the city's zone.
    let ends: Vec<u32> = ListRow::unpack(&draft.rows).unwrap().map(|row| row.until_s).collect();
    assert_eq!(ends, [0, 1_795_363_200]);
}

#[test]
fn a_file_without_a_head_or_without_the_key_of_tokens_is_none() {
    for head in ["", "values\n", "value,value\n", "value,phone\n", "31000002\n"] {
        let read = read_bytes(ListKind::Terminal, How::Add, head.as_bytes());
        assert!(matches!(read, Err(FileError::Head)), "{head}");
    }
    let cards = read_bytes(ListKind::Card, How::Add, b"value,reason\n9156000000000000,seen\n");
    assert!(matches!(cards, Err(FileError::NoTokens)));
}

#[test]
fn a_range_says_only_what_was_not_said() {
    let draft = read(ListKind::Bin, "value,reason\n915600-915609,seen\n915605,seen\n915608-915611,seen\n");
    check(&draft, How::Add, false);
    assert_eq!((draft.tally.rows, draft.tally.duplicates), (12, 1));
    assert_eq!(draft.tally.repeated, [(3, 2)]);
}

#[test]
fn a_change_has_64_pairs_of_reason_and_source_and_not_one_more() {
    let lines =
        |pairs: usize| (0..pairs).map(|pair| format!("W{pair:07},reason {pair}\n")).collect::<String>();
    assert_eq!(read(ListKind::Terminal, &format!("value,reason\n{}", lines(64))).tally.invalid, 0);
    let draft = read(ListKind::Terminal, &format!("value,reason\n{}", lines(65)));
    assert_eq!((draft.tally.rows, draft.tally.invalid), (64, 1));
}

#[test]
fn a_file_changed_at_random_is_read_or_refused_and_what_is_read_is_sound() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let values = |kind: ListKind, at: usize| match kind {
        ListKind::Terminal => format!("T{at:07}"),
        ListKind::Merchant => format!("M{at}"),
        ListKind::Bin => format!("{:06}-{:06}", 100_000 + at * 10, 100_009 + at * 10),
        ListKind::Psam => format!("{at:016}"),
        _ => format!("021{at:08}"),
    };
    let alphabet = b"0123456789-,\"\n\r ;abcTM\xC3\xA9\xFF\0";
    let (mut sound, mut refused) = (0, 0);
    for round in 0..3_000 {
        let kind = ListKind::ALL[1 + round % 5];
        let how = [How::Add, How::Remove, How::Replace][draw(3)];
        let mut file = b"value,reason,source,expires\n".to_vec();
        for at in 0..12 {
            let end = ["", "2026-12-31"][at % 2];
            file.extend(format!("{},reason {},desk,{end}\n", values(kind, at), at % 3).bytes());
        }
        for _ in 0..=draw(6) {
            let at = draw(file.len());
            match draw(4) {
                0 => file[at] = alphabet[draw(alphabet.len())],
                1 => file.insert(at, alphabet[draw(alphabet.len())]),
                2 => drop(file.drain(at..(at + draw(20)).min(file.len()))),
                _ => {
                    let piece = file[at..(at + draw(60)).min(file.len())].to_vec();
                    file.splice(at..at, piece);
                }
            }
        }
        match read_bytes(kind, how, &file) {
            Ok(draft) => {
                check(&draft, how, file.contains(&b'\r'));
                let lines = file.iter().filter(|byte| **byte == b'\n' || **byte == b'\r').count() as u64 + 1;
                assert!(
                    draft.tally.faults.iter().all(|(line, _)| (2..=lines).contains(line)),
                    "round {round}"
                );
                sound += 1;
            }
            Err(FileError::Head | FileError::Io(_)) => refused += 1,
            Err(other) => panic!("round {round}: {other}"),
        }
    }
    assert!(sound > 1_000 && refused > 50, "{sound} were read, {refused} refused");
}
