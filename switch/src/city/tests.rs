//! The sample city opens as documented, and a fault anywhere in it is named by file, line and column.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::*;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/city");

const FILES: [&str; 9] = [
    "acquirers.csv",
    "blacklist.csv",
    "cards.csv",
    "links.toml",
    "merchants.csv",
    "orderers.csv",
    "products.toml",
    "psams.csv",
    "terminals.csv",
];

/// A copy of the sample city.
fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in FILES {
        std::fs::copy(Path::new(SAMPLE).join(file), dir.path().join(file)).unwrap();
    }
    dir
}

/// Opens the city and reads all its cards.
fn read(dir: &Path) -> Result<(City, Vec<CardRow>), CityError> {
    let city = City::open(dir)?;
    let cards = city.cards()?.collect::<Result<Vec<_>, _>>()?;
    Ok((city, cards))
}

fn lines(dir: &Path, file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(dir.join(file)).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Writes `value` into one field of a copy of the sample city and returns the fault this makes. `^2` writes what line
/// 2 has in that column.
fn fault(file: &str, line: usize, column: &str, value: &str) -> Option<CityError> {
    let dir = copy();
    let mut rows = lines(dir.path(), file);
    let place = rows[0].iter().position(|name| name == column).unwrap();
    rows[line - 1][place] = match value.strip_prefix('^') {
        Some(other) => rows[other.parse::<usize>().unwrap() - 1][place].clone(),
        None => value.to_owned(),
    };
    let text: Vec<String> = rows.iter().map(|row| row.join(",") + "\n").collect();
    std::fs::write(dir.path().join(file), text.concat()).unwrap();
    read(dir.path()).err()
}

#[test]
fn the_sample_city_is_as_its_readme_says() {
    let (city, cards) = read(Path::new(SAMPLE)).unwrap();
    assert_eq!(cards.len(), 66);
    let of = |dialect| city.terminals.iter().filter(|terminal| terminal.dialect == dialect).count();
    assert_eq!((of(Dialect::Pos), of(Dialect::Epos), of(Dialect::Atm)), (13, 4, 7));
    assert_eq!(city.terminals.iter().filter(|terminal| terminal.mac == MacKind::UnionPayEcb).count(), 6);
    assert_eq!(city.terminals.iter().filter(|terminal| terminal.may_load).count(), 2);
    assert!(cards.iter().filter(|card| card.test().unwrap().pin.expose().len() == 12).count() >= 6);

    let listed = |kind| city.blacklist.iter().filter(|entry| entry.listed.kind() == kind).count();
    assert_eq!((listed(ListKind::Card), listed(ListKind::Terminal), listed(ListKind::Bin)), (2, 1, 1));
    assert_eq!(city.blacklist[0].listed, Listed::Card(cards[5].pan.clone()));

    // Line, state, opening balances in the product's order of use.
    let stories: [(u64, CardState, &[i64]); 16] = [
        (2, CardState::Active, &[20_000, 1_000_000]),
        (5, CardState::Active, &[0, 500]),
        (8, CardState::Inactive, &[0]),
        (9, CardState::Lost, &[0, 60_000]),
        (10, CardState::Stolen, &[0, 60_000]),
        (11, CardState::Blocked, &[0, 60_000]),
        (12, CardState::Active, &[0, 60_000]),
        (13, CardState::Active, &[3000, 0, 5000]),
        (14, CardState::Active, &[0, 2000, 1000]),
        (15, CardState::Closed, &[0, 0]),
        (62, CardState::Active, &[300_000]),
        (63, CardState::Active, &[0, 50_000]),
        (64, CardState::Active, &[0, 50_000]),
        (65, CardState::Active, &[5000, 500_000]),
        (66, CardState::Active, &[0, 200_000]),
        (67, CardState::Active, &[2000, 100_000]),
    ];
    for (line, state, opening) in stories {
        let card = cards.iter().find(|card| card.line == line).unwrap();
        assert_eq!((card.state, card.opening.as_slice()), (state, opening), "line {line}");
    }
    assert_eq!(cards.iter().filter(|card| card.expiry_yymm < 2911).count(), 1, "one card has expired");
    let phones: Vec<u64> = [62, 63, 64].into_iter().filter(|line| has_phone(&cards, *line)).collect();
    assert_eq!(phones, [62, 63], "the velocity story and one of the two for notices have a phone");
    let bound = cards.iter().filter(|card| !card.regions.is_empty());
    let bound: Vec<(u64, &[u32])> = bound.map(|card| (card.line, card.regions.as_slice())).collect();
    assert_eq!(bound, [(67, [310_100].as_slice())]);
}

fn has_phone(cards: &[CardRow], line: u64) -> bool {
    cards.iter().any(|card| card.line == line && card.phone.is_some())
}

#[test]
fn each_cash_machine_stands_at_the_merchant_of_one_acquirer() {
    let city = City::open(Path::new(SAMPLE)).unwrap();
    let merchant = |id: &str| {
        let mut merchants = city.merchants.iter();
        let place = merchants.position(|row| row.merchant_id == table::padded_id(id).unwrap()).unwrap();
        u32::try_from(place).unwrap()
    };
    let rows = [
        ("31060110", "898310060110001", HostMac::X919, true, "51000001 51000002 51000003 51000004"),
        ("31060220", "898310060110002", HostMac::Cbc3Des, true, "51000005 51000006"),
        ("31060330", "898310060110003", HostMac::X919, false, "51000007"),
    ];
    assert_eq!(city.acquirers.len(), rows.len());
    for (acquirer, (id, at, mac, active, machines)) in city.acquirers.iter().zip(rows) {
        assert_eq!(
            (acquirer.id.as_str(), acquirer.merchant, acquirer.mac, acquirer.active),
            (id, merchant(at), mac, active)
        );
        let there = city.terminals.iter().filter(|terminal| terminal.merchant == acquirer.merchant);
        let ids: Vec<String> =
            there.map(|terminal| String::from_utf8_lossy(&terminal.terminal_id).into_owned()).collect();
        assert_eq!(ids.join(" "), machines, "{id}");
    }
}

#[test]
fn a_telephone_terminal_names_the_place_of_its_psam() {
    let city = City::open(Path::new(SAMPLE)).unwrap();
    let telephones = city.terminals.iter().filter(|terminal| terminal.dialect == Dialect::Epos);
    let psams: Vec<Option<u32>> = telephones.map(|terminal| terminal.psam).collect();
    assert_eq!(psams, [Some(0), Some(1), Some(2), Some(3)]);
    let [.., revoked, spare] = city.psams.as_slice() else { panic!("psams.csv has rows") };
    assert_eq!((revoked.state, spare.state), (PsamState::Revoked, PsamState::Active));
    assert_eq!((spare.psam_no, spare.key_version), ([0x31, 0, 0, 0, 0, 0, 1, 5], 2));
}

#[test]
fn rules_are_text_and_need_not_be_there() {
    let dir = copy();
    assert_eq!(City::open(dir.path()).unwrap().rules, None);
    let path = dir.path().join(RULES);
    std::fs::write(&path, "not TOML, which is for another to say").unwrap();
    let rules = City::open(dir.path()).unwrap().rules;
    assert_eq!(rules.as_deref(), Some("not TOML, which is for another to say"));
    std::fs::write(&path, b"\xff").unwrap();
    assert_eq!(City::open(dir.path()).unwrap_err().to_string(), "rules.toml: the text is not UTF-8");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let err = City::open(dir.path()).unwrap_err().to_string();
    assert!(err.starts_with("rules.toml: the file cannot be read ("), "{err}");
}

#[test]
fn products_are_resolved_to_positions() {
    let products = City::open(Path::new(SAMPLE)).unwrap().products;
    let names: Vec<&str> = products.purses.iter().map(|purse| purse.name.as_str()).collect();
    assert_eq!(names, ["general", "transit", "medical", "welfare"]);
    assert_eq!(products.purses[1].mcc.as_slice(), [4111, 4131]);
    let rows: [(&str, u32, &[u16], u8, PinRule); 3] = [
        ("city", 915_600, &[1, 0], 1, PinRule::Above(10_000)),
        ("prepaid", 915_610, &[0], 0, PinRule::Always),
        ("medical", 915_620, &[2, 3, 0], 2, PinRule::Always),
    ];
    let cash: Vec<bool> = products.purses.iter().map(|purse| purse.cash).collect();
    assert_eq!(cash, [true, false, false, false]);
    let regions: Vec<&[u32]> = products.products.iter().map(|product| product.regions.as_slice()).collect();
    assert_eq!(regions, [[].as_slice(), &[310_000], &[]]);
    assert!(
        products.products.iter().all(|product| product.hold_h == 168),
        "a week unless the file says else"
    );
    let medical = &products.products[2];
    assert_eq!(medical.hold_h_by_mcc.as_slice(), [(7011, 720), (7512, 336)]);
    assert_eq!((medical.completion_over_pct, medical.late_completion, medical.deposit_minor), (15, true, 0));
    for (product, (name, bin, purses, load_purse, pin)) in products.products.iter().zip(rows) {
        assert_eq!(product.name, name);
        assert_eq!(product.bins, [bin], "{name}");
        assert_eq!((product.purses.as_slice(), product.load_purse), (purses, load_purse), "{name}");
        assert_eq!(product.pin, pin, "{name}");
    }
}

#[test]
fn a_wrong_field_is_named_by_file_line_and_column() {
    // The last field is how the error goes on behind the file and the line.
    let rows = [
        ("cards.csv", 7, "pan", "4111111111111112", "pan: the check digit is wrong"),
        ("cards.csv", 7, "pan", "41111111111", "pan: must have 12 to 19 digits"),
        ("cards.csv", 7, "pan", "411111111111111O", "pan: has a character that is no digit"),
        ("cards.csv", 3, "pan", "4111111111111111", "track2: must be PAN=YYMM"),
        ("cards.csv", 3, "expiry_yymm", "3013", "expiry_yymm: must be 4 digits, year and month"),
        ("cards.csv", 3, "service_code", "521", "track2: must be PAN=YYMM"),
        ("cards.csv", 3, "cvv", "362", "track2: must be PAN=YYMM"),
        ("cards.csv", 3, "pin", "123", "pin: must be 4 to 12 digits"),
        ("cards.csv", 3, "pin", "1234567890123", "pin: must be 4 to 12 digits"),
        ("cards.csv", 3, "product", "gold", "product: is not in products.toml"),
        ("cards.csv", 3, "product", "medical", "balance_transit: its product has no such purse"),
        ("cards.csv", 5, "product", "medical", "pan: no BIN of its product begins it"),
        ("cards.csv", 3, "orderer", "NOBODY", "orderer: is not in orderers.csv"),
        ("cards.csv", 3, "state", "asleep", "state: must be active, inactive"),
        ("cards.csv", 3, "state", "closed", "state: an inactive or closed card holds no money"),
        ("cards.csv", 3, "phone", "+100", "phone: must be empty or 3 to 15 digits"),
        ("cards.csv", 3, "balance_general", "2000001", "balance_general: above the most the purse"),
        ("cards.csv", 3, "balance_general", "1999999", "product: the balances are above its"),
        ("cards.csv", 3, "balance_general", "-1", "balance_general: must be an amount"),
        ("cards.csv", 3, "regions", "310000;", "regions: must be empty or at most 8 different"),
        ("cards.csv", 3, "regions", "31000", "regions: must be empty or at most 8 different"),
        ("acquirers.csv", 2, "acquirer_id", "310601100001", "acquirer_id: must be 1 to 11 digits"),
        ("acquirers.csv", 2, "acquirer_id", "3106O110", "acquirer_id: must be 1 to 11 digits"),
        ("acquirers.csv", 2, "acquirer_id", "", "acquirer_id: must be 1 to 11 digits"),
        ("acquirers.csv", 3, "acquirer_id", "^2", "acquirer_id: stands here a second time"),
        ("acquirers.csv", 3, "merchant_id", "^2", "merchant_id: stands here a second time"),
        ("acquirers.csv", 3, "merchant_id", "898310060119999", "merchant_id: is not in merch"),
        ("acquirers.csv", 3, "mac", "ecb", "mac: must be x9.19 or cbc-3des"),
        ("acquirers.csv", 3, "state", "revoked", "state: must be active or suspended"),
        ("orderers.csv", 3, "float", "1", "float: the float does not cover the opening balances"),
        ("orderers.csv", 3, "orderer", "^2", "orderer: stands here a second time"),
        ("merchants.csv", 3, "merchant_id", "^2", "merchant_id: stands here a"),
        ("merchants.csv", 3, "merchant_id", "1234567890123456", "merchant_id: must be 1 to 15"),
        ("merchants.csv", 3, "mcc", "411", "mcc: must be 4 digits"),
        ("merchants.csv", 3, "fee_bp", "10001", "fee_bp: must be hundredths of a percent"),
        ("merchants.csv", 3, "fee_min", "501", "fee_max: fee_max is below fee_min"),
        ("merchants.csv", 3, "state", "open", "state: must be active or suspended"),
        ("terminals.csv", 3, "terminal_id", "^2", "terminal_id: stands here a second"),
        ("terminals.csv", 3, "terminal_id", "3100001", "terminal_id: must be 8 letters"),
        ("terminals.csv", 3, "merchant_id", "898310054110002", "merchant_id: is not in merch"),
        ("terminals.csv", 3, "region", "31010", "region: must be 6 digits"),
        ("terminals.csv", 3, "dialect", "fax", "dialect: must be pos, epos or atm"),
        ("terminals.csv", 3, "dialect", "epos", "psam_no: terminals of the dialect epos have"),
        ("terminals.csv", 14, "mac", "ecb", "mac: ecb is for terminals of the dialect pos"),
        ("terminals.csv", 14, "phone", "", "phone: a terminal of the dialect epos needs"),
        ("terminals.csv", 15, "phone", "^14", "phone: stands here a second time"),
        ("terminals.csv", 15, "psam_no", "^14", "psam_no: stands here a second"),
        ("terminals.csv", 14, "psam_no", "3100000000000199", "psam_no: is not in psams.csv"),
        ("terminals.csv", 14, "psam_no", "", "psam_no: terminals of the dialect epos have"),
        ("terminals.csv", 18, "merchant_id", "^2", "merchant_id: is not in acquirers.csv"),
        ("terminals.csv", 3, "tmk", "^2", "tmk: stands here a"),
        ("terminals.csv", 3, "tmk", "0123456789ABCDEF0123456789ABCDEF", "tmk: must be 32 hex"),
        ("terminals.csv", 3, "may_load", "maybe", "may_load: must be yes or no"),
        ("psams.csv", 3, "psam_no", "6666777788889999", "psam_no: must be 16 digits, not all"),
        ("psams.csv", 3, "key_version", "256", "key_version: must be a number from 0 to 255"),
        ("psams.csv", 3, "state", "lost", "state: must be active or revoked"),
        ("blacklist.csv", 2, "kind", "phone", "kind: must be card, terminal, merchant or bin"),
        ("blacklist.csv", 2, "value", "4111111111111112", "value: the check digit is wrong"),
        ("blacklist.csv", 3, "value", "^2", "value: stands here a second time"),
        ("blacklist.csv", 2, "reason", "spite", "reason: must be lost, stolen, fraud or"),
        ("blacklist.csv", 2, "source", "", "source: must be 1 to 40 characters"),
        ("blacklist.csv", 2, "expires", "2034-02-30", "expires: must be empty or a day"),
    ];
    for (file, line, column, value, want) in rows {
        let err = fault(file, line, column, value).map(|err| err.to_string()).unwrap_or_default();
        assert!(err.starts_with(&format!("{file} line {line}, {want}")), "{column}: {err}");
    }
}

#[test]
fn a_card_that_stands_twice_is_refused() {
    let dir = copy();
    let text = std::fs::read_to_string(dir.path().join("cards.csv")).unwrap();
    let again = text.lines().nth(4).unwrap();
    std::fs::write(dir.path().join("cards.csv"), format!("{text}{again}\n")).unwrap();
    let city = City::open(dir.path()).unwrap();
    let mut cards = city.cards().unwrap();
    let err = cards.find_map(Result::err).unwrap().to_string();
    assert_eq!(err, "cards.csv line 68, pan: stands here a second time");
    assert!(cards.next().is_none(), "the first fault ends the cards");
}

#[test]
fn a_field_may_have_256_bytes_and_not_one_more() {
    for (length, want) in [(256, "must be 1 to 40 characters"), (257, "the field is longer than 256 bytes")] {
        let err = fault("merchants.csv", 2, "name", &"x".repeat(length)).unwrap().to_string();
        assert_eq!(err, format!("merchants.csv line 2, name: {want}"));
    }
}

#[test]
fn a_table_in_memory_and_a_document_have_a_largest_size() {
    let dir = copy();
    let mut orderers = "orderer,name,float\n".to_owned();
    for number in 0..=table::SHORT_ROWS_MAX {
        orderers += &format!("O{number},Orderer,1\n");
    }
    std::fs::write(dir.path().join("orderers.csv"), orderers).unwrap();
    assert_eq!(read(dir.path()).err().unwrap().to_string(), "orderers.csv: there are more than 65535 rows");

    let dir = copy();
    let long = "#".repeat(usize::try_from(document::FILE_BYTES_MAX).unwrap() + 1);
    std::fs::write(dir.path().join("links.toml"), long).unwrap();
    assert_eq!(
        read(dir.path()).err().unwrap().to_string(),
        "links.toml: the file is longer than 1048576 bytes"
    );
}

#[test]
fn a_file_that_is_missing_or_ragged_is_named() {
    for file in FILES {
        let dir = copy();
        std::fs::remove_file(dir.path().join(file)).unwrap();
        let err = read(dir.path()).err().unwrap().to_string();
        assert_eq!(err, format!("{file}: the file cannot be read (entity not found)"));
    }
    let err = fault("cards.csv", 1, "balance_general", "balance_gold").unwrap().to_string();
    assert!(err.starts_with("cards.csv line 1: the header must be pan,expiry_yymm,"), "{err}");

    let dir = copy();
    std::fs::write(dir.path().join("psams.csv"), "psam_no,key_version,state\n3100000000000101,1\n").unwrap();
    let err = read(dir.path()).err().unwrap().to_string();
    assert_eq!(err, "psams.csv line 2: the row has 2 fields and the header 3");
    std::fs::write(dir.path().join("psams.csv"), b"psam_no,key_version,state\n3100000000000101,1,\xff\n")
        .unwrap();
    assert_eq!(read(dir.path()).err().unwrap().to_string(), "psams.csv line 2: the text is not UTF-8");
}

#[test]
fn a_wrong_document_is_named_by_its_key() {
    // What stands in products.toml, what is put there, and how the error goes on behind the file's name.
    let rows = [
        ("balance_max = 500000\n", "", " line 73: missing field `balance_max`"),
        ("floor = 0", "flor = 0", " line 36: unknown field `flor`"),
        ("floor = 0", "floor = 1", ", purse[0].floor: must not be above zero"),
        ("max = 2000000", "max = 0", ", purse[0].max: must be an amount above zero"),
        ("currency = 156", "currency = 1000", ", purse[0].currency: must be an ISO"),
        ("[5411]", "[54110]", ", purse[3].mcc: must be at most 16 codes"),
        ("\"transit\"\n", "\"general\"\n", ", purse[1].name: stands here a second time"),
        ("\"prepaid\"", "\"city\"", ", product[1].name: stands here a second time"),
        ("[\"915610\"]", "[\"915600\"]", ", product[1].bins: stands here a second"),
        ("[\"915610\"]", "[\"91561\"]", ", product[1].bins: must be one or more BINs"),
        ("[\"915610\"]", "[]", ", product[1].bins: must be one or more BINs"),
        ("[\"general\"]", "[\"gold\"]", ", product[1].purses: is not in [[purse]]"),
        ("[\"general\"]", "[]", ", product[1].purses: must be 1 to 4 purses"),
        ("[\"general\"]", "[\"medical\"]", ", product[1].load_purse: is not in purses"),
        ("no_pin_max = 10000", "no_pin_max = 0", ", product[0].no_pin_max: must be above"),
        ("pin = \"above\"", "pin = \"always\"", ", product[0].no_pin_max: must be 0"),
        ("pin = \"above\"", "pin = \"never\"", " line 66: not TOML, or a value of"),
        ("cash = true", "cash = 1", " line 37: not TOML, or a value of"),
        ("[310000]", "[31000]", ", product[1].regions: must be at most 8 different codes"),
        ("[310000]", "[310000, 310000]", ", product[1].regions: must be at most 8 different"),
        ("hold_h = 168", "hold_h = 0", ", product[0].hold_h: must be 1 to 1440 hours"),
        ("hold_h = 168", "hold_h = 1441", ", product[0].hold_h: must be 1 to 1440 hours"),
        (
            "\"7011\" = 720, \"7512\"",
            "\"7011\" = 0, \"7512\"",
            ", product[2].hold_h: must be 1 to 1440 hours",
        ),
        ("\"7512\" = 336", "\"751\" = 336", ", product[2].hold_h: must be \"default\" or 4 digits"),
        ("_pct = 15", "_pct = 101", ", product[2].completion_over_pct: must be at most 100"),
        ("hold_h = 168", "deposit = -1", ", product[0].deposit: must not be below zero"),
        ("cash = true", "last_day = \"2026-02-30\"", ", purse[0].last_day: must be a date"),
    ];
    let dir = copy();
    let path = dir.path().join("products.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to, want) in rows {
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let err = read(dir.path()).err().unwrap().to_string();
        assert!(err.starts_with(&format!("products.toml{want}")), "{to}: {err}");
    }
    std::fs::write(dir.path().join("links.toml"), "[[link]]\nname = \"x\"\n").unwrap();
    let err = read(dir.path()).err().unwrap().to_string();
    assert!(err.starts_with("links.toml, link: there are no upstream links"), "{err}");
}

#[test]
fn no_error_shows_what_stood_in_the_field() {
    const INTRUDER: &str = "99817263549981726354";
    let (mut columns, mut faults) = (0, 0);
    for file in FILES.iter().filter(|file| file.ends_with(".csv")) {
        for column in &lines(Path::new(SAMPLE), file)[0] {
            columns += 1;
            if let Some(err) = fault(file, 2, column, INTRUDER) {
                assert!(!format!("{err} {err:?}").contains(INTRUDER), "{file}, {column}");
                faults += 1;
            }
        }
    }
    assert_eq!(faults, columns - 4, "only names and sources, which are for people, may be digits");
}

#[test]
fn debug_shows_no_card_number_pin_track_or_key() {
    let (city, cards) = read(Path::new(SAMPLE)).unwrap();
    let shown = format!("{city:?} {cards:?}").to_uppercase();
    for row in lines(Path::new(SAMPLE), "cards.csv").iter().skip(1) {
        assert!(!shown.contains(&row[0]) && !shown.contains(&row[6]));
    }
    for card in &cards {
        let TestValues { pin, cvv, cvv2, track2 } = card.test().unwrap();
        for secret in [pin.expose().as_slice(), track2.expose(), cvv.expose(), cvv2.expose()] {
            assert!(!shown.contains(&format!("{secret:?}")));
        }
    }
    for row in lines(Path::new(SAMPLE), "terminals.csv").iter().skip(1) {
        assert!(!shown.contains(&row[6]));
    }
    for terminal in &city.terminals {
        assert!(!shown.contains(&format!("{:?}", terminal.tmk.clear().unwrap())));
    }
}
