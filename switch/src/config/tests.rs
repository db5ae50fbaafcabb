//! Every setting has its default, its range and its name in an error, whether it comes from the file or the
//! environment.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::listeners::{ATM_CONNECTIONS, EPOS_CONNECTIONS};
use super::*;

const COUNTS: [Count; 31] = [
    POS_CONNECTIONS,
    EPOS_CONNECTIONS,
    ATM_CONNECTIONS,
    CONNECTIONS_PER_SOURCE,
    FIRST_FRAME_S,
    PERMITS_PER_SOURCE,
    UNPROVEN_PERMITS,
    FRAME_BYTES,
    FRAME_FINISH_S,
    PERMITS,
    CONNECTION_WINDOW,
    OUTBOX_BYTES,
    IDLE_S,
    ANCHOR_LAG_MS,
    CHECKPOINT_RECORDS,
    EXTENT_BYTES,
    ARCHIVE_DAYS,
    MIRROR_WAIT_MS,
    DUPLICATE_WINDOW_H,
    DUPLICATES_MAX,
    DUPLICATES_PER_TERMINAL,
    PIN_TRIES_MAX,
    SIGN_INS_PER_MINUTE,
    KEY_OVERLAP_MIN,
    REFUND_DAYS,
    ORIGINALS_MAX,
    NOTICES_MAX,
    notices::FILE_MIB,
    notices::RETRY_MS,
    notices::TIMEOUT_S,
    notices::ATTEMPTS,
];

const MINIMAL: &str =
    "[data]\ndir = \"data\"\n[city]\ndir = \".\"\n[hsm]\nmode = \"test\"\nkeys = \"keys.toml\"\n";

fn sample_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/city/cardswitch.toml")
}

/// A folder with this configuration and an empty key file.
fn folder(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("keys.toml"), "").unwrap();
    let file = dir.path().join("cardswitch.toml");
    std::fs::write(&file, text).unwrap();
    (dir, file)
}

fn load(text: &str, overrides: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let (_dir, file) = folder(text);
    Config::load(&file, overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn variable(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.to_uppercase().replacen('.', "__", 1))
}

#[test]
fn the_sample_file_has_every_setting_at_its_default() {
    let text = std::fs::read_to_string(sample_file()).unwrap();
    let (dir, file) = folder(&text);
    let full = Config::load(&file, std::iter::empty()).unwrap();
    std::fs::write(&file, MINIMAL).unwrap();
    assert_eq!(full, Config::load(&file, std::iter::empty()).unwrap());
    assert_eq!(full.data.dir, dir.path().join("data"));

    let mut settings = Settings::read(&file, std::iter::empty()).unwrap();
    Config::from_settings(&mut settings).unwrap();
    let mut known = settings.known().to_vec();
    known.sort_unstable();
    let table: toml::Table = text.parse().unwrap();
    let mut there: Vec<String> = Vec::new();
    for (section, keys) in &table {
        there.extend(keys.as_table().unwrap().keys().map(|key| format!("{section}.{key}")));
    }
    there.sort();
    assert_eq!(there, known);
    let numbers =
        table.values().flat_map(|keys| keys.as_table().unwrap().values()).filter(|v| v.is_integer());
    assert_eq!(numbers.count(), COUNTS.len(), "every number has a range that the tests below try");
}

#[test]
fn the_sample_file_names_each_range() {
    let text = std::fs::read_to_string(sample_file()).unwrap();
    for Count { key, min, max, .. } in COUNTS {
        let setting = format!("\n{} = ", key.split_once('.').unwrap().1);
        let above = text.split(&setting).next().unwrap().rsplit("\n\n").next().unwrap();
        assert!(above.contains(&format!("{min} to {max}")), "{key}: {min} to {max}");
    }
}

#[test]
fn a_number_may_be_at_its_limits_and_not_one_past_them() {
    for Count { key, min, max, .. } in COUNTS {
        for (value, allowed) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
            let got = load(MINIMAL, &[(&variable(key), &value.to_string())]);
            assert_eq!(got.is_ok(), allowed, "{key} = {value}");
            if let Err(err) = got {
                let text = err.to_string();
                let want = format!("{key}: must be a whole number from {min} to {max}; correct it in");
                assert!(text.starts_with(&want), "{text}");
            }
        }
    }
}

#[test]
fn a_wrong_file_is_refused_by_the_name_of_the_setting() {
    let rows = [
        (
            "an unknown key",
            "[limits]\npermit = 1\n",
            "limits.permit: is not a setting; there are limits.conn",
        ),
        (
            "an unknown section",
            "[limit]\npermits = 1\n",
            "limit.permits: is not a setting; there are data.dir",
        ),
        ("an unknown section without keys", "[limit]\n", "limit: is not a setting; there are data.dir"),
        ("a key outside sections", "permits = 1\n", "permits: is not a setting"),
        (
            "a string for a number",
            "[limits]\npermits = \"9\"\n",
            "limits.permits: must be a whole number from 1",
        ),
        ("a number for a flag", "[pos]\nprivate = 1\n", "pos.private: must be true or false"),
        ("a number for a string", "[log]\nlevel = 1\n", "log.level: must be \"error\", \"warn\""),
        ("an unknown word", "[log]\nformat = \"xml\"\n", "log.format: must be \"text\" or \"json\""),
        ("no port", "[admin]\nlisten = \"127.0.0.1\"\n", "admin.listen: must be an address and a port"),
        ("no zone", "[time]\nzone = \"Asia/Atlantis\"\n", "time.zone: must be a zone of the IANA"),
        ("no port", "[epos]\nlisten = \"127.0.0.1\"\n", "epos.listen: must be an address and a port"),
        ("a number for a flag", "[epos]\nprivate = 0\n", "epos.private: must be true or false"),
        ("a word for a flag", "[epos]\nconcentrator = \"no\"\n", "epos.concentrator: must be true or"),
        ("no address", "[atm]\nlisten = \":18585\"\n", "atm.listen: must be an address and a port"),
        ("a number for a flag", "[atm]\nprivate = 1\n", "atm.private: must be true or false"),
        ("an unknown word", "[atm]\nlength = \"bcd\"\n", "atm.length: must be \"ascii\" or \"binary\""),
        (
            "a word of its neighbour",
            "[atm]\nbitmap = \"ascii\"\n",
            "atm.bitmap: must be \"hex\" or \"binary\"",
        ),
        ("a number for digits", "[atm]\ninstitution = 31000000\n", "atm.institution: must be 1 to 11 digits"),
        ("no digits", "[atm]\ninstitution = \"\"\n", "atm.institution: must be 1 to 11 digits in quotes"),
        ("letters", "[atm]\ninstitution = \"3100000O\"\n", "atm.institution: must be 1 to 11 digits"),
        (
            "one digit too many",
            "[atm]\ninstitution = \"310000000001\"\n",
            "atm.institution: must be 1 to 11 digits",
        ),
        ("an address not in a list", "[atm]\nconnect = \"192.0.2.1:9\"\n", "atm.connect: must be a list"),
        ("a list of numbers", "[atm]\nconnect = [9000]\n", "atm.connect: must be a list of at most 64"),
        ("a host without port", "[atm]\nconnect = [\"192.0.2.1\"]\n", "atm.connect: must be a list of at"),
        (
            "a port nobody can dial",
            "[atm]\nconnect = [\"192.0.2.1:0\"]\n",
            "atm.connect: must be a list of at",
        ),
        (
            "an hour past the last",
            "[settlement]\ncut_over = \"24:00\"\n",
            "settlement.cut_over: must be a time",
        ),
        (
            "a minute past the last",
            "[settlement]\ncut_over = \"23:60\"\n",
            "settlement.cut_over: must be a time",
        ),
        (
            "an hour of one digit",
            "[settlement]\ncut_over = \"9:00\"\n",
            "settlement.cut_over: must be a time",
        ),
        ("a sign", "[settlement]\ncut_over = \"+9:00\"\n", "settlement.cut_over: must be a time of day"),
        ("seconds", "[settlement]\ncut_over = \"09:00:00\"\n", "settlement.cut_over: must be a time of"),
        (
            "a time without quotes",
            "[settlement]\ncut_over = 09:00:00\n",
            "settlement.cut_over: must be a time of",
        ),
        ("a table for a value", "[limits.permits]\nx = 1\n", "limits.permits: must be a whole number"),
    ];
    for (name, text, want) in rows {
        // What stands outside sections has to come first in TOML.
        let err = load(&format!("{text}{MINIMAL}"), &[]).unwrap_err().to_string();
        assert!(err.starts_with(want), "{name}: {err}");
        assert!(err.contains("; correct it in /"), "{name}: {err}");
    }
}

#[test]
fn what_is_required_has_no_default() {
    for (line, key) in [
        ("dir = \"data\"\n", "data.dir"),
        ("dir = \".\"\n", "city.dir"),
        ("mode = \"test\"\n", "hsm.mode"),
        ("keys = \"keys.toml\"\n", "hsm.keys"),
    ] {
        let err = load(&MINIMAL.replace(line, ""), &[]).unwrap_err().to_string();
        assert!(err.starts_with(&format!("{key}: is required and missing; it is ")), "{err}");
    }
}

#[test]
fn an_override_wins_and_is_read_as_its_setting_asks() {
    let config = load(
        MINIMAL,
        &[
            ("CARDSWITCH__LIMITS__PERMITS", "1_024"),
            ("CARDSWITCH__POS__PRIVATE", "false"),
            ("CARDSWITCH__LOG__LEVEL", "debug"),
            ("CARDSWITCH__LOG__FORMAT", "\"json\""),
            ("CARDSWITCH__DATA__DIR", "/srv/2024"),
            ("CARDSWITCH__CITY__DIR", "2024"),
            ("CARDSWITCH_UNRELATED", "1"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.limits.permits, 1024);
    assert!(!config.pos.private);
    assert_eq!(config.log, Log { level: LogLevel::Debug, format: LogFormat::Json });
    assert_eq!(config.data.dir, Path::new("/srv/2024"));
    assert!(config.city.dir.ends_with("2024"), "digits are a path where a path is asked for");
}

#[test]
fn the_listeners_and_the_business_day_are_set_like_everything_else() {
    let config = load(
        &format!(
            "{MINIMAL}[epos]\nlisten = \"127.0.0.1:0\"\nprivate = false\nconcentrator = true\n\
             [atm]\nlisten = \"0.0.0.0:0\"\nprivate = false\nlength = \"binary\"\nbitmap = \"binary\"\n\
             institution = \"31000000001\"\nconnect = [\"192.0.2.1:9000\", \"[2001:db8::1]:9000\"]\n\
             [settlement]\ncut_over = \"23:59\"\n"
        ),
        &[],
    )
    .unwrap();
    let epos = EposListener {
        listen: address("127.0.0.1:0"),
        connections: 4096,
        private: false,
        concentrator: true,
    };
    assert_eq!(config.epos, epos);
    let atm = AtmListener {
        listen: address("0.0.0.0:0"),
        connections: 1024,
        private: false,
        length: LengthForm::Binary,
        bitmap: BitmapForm::Binary,
        institution: "31000000001".parse().unwrap(),
        connect: vec![address("192.0.2.1:9000"), address("[2001:db8::1]:9000")],
    };
    assert_eq!(config.atm, atm);
    assert_eq!(config.settlement.cut_over_minute, 1439);

    let over = [
        ("CARDSWITCH__EPOS__LISTEN", "127.0.0.1:1"),
        ("CARDSWITCH__EPOS__PRIVATE", "false"),
        ("CARDSWITCH__EPOS__CONCENTRATOR", "true"),
        ("CARDSWITCH__ATM__LISTEN", "\"127.0.0.1:2\""),
        ("CARDSWITCH__ATM__PRIVATE", "false"),
        ("CARDSWITCH__ATM__LENGTH", "binary"),
        ("CARDSWITCH__ATM__BITMAP", "\"binary\""),
        ("CARDSWITCH__ATM__INSTITUTION", "31000001"),
        ("CARDSWITCH__ATM__CONNECT", "[\"192.0.2.3:9000\"]"),
        ("CARDSWITCH__SETTLEMENT__CUT_OVER", "04:30"),
    ];
    let config = load(MINIMAL, &over).unwrap();
    assert_eq!(config.epos, EposListener { listen: address("127.0.0.1:1"), ..epos });
    let atm = AtmListener {
        listen: address("127.0.0.1:2"),
        institution: "31000001".parse().unwrap(),
        connect: vec![address("192.0.2.3:9000")],
        ..atm
    };
    assert_eq!(config.atm, atm);
    assert_eq!(config.settlement.cut_over_minute, 270);
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_live_hsm_has_two_to_nine_component_files() {
    let live = MINIMAL.replace("mode = \"test\"", "mode = \"live\"");
    let missing = load(&live, &[]).unwrap_err().to_string();
    let want = "hsm.components: is required and missing; it is two to nine component files in quotes";
    assert!(missing.starts_with(want), "{missing}");
    let list = |count: usize| {
        let files: Vec<String> = (1..=count).map(|number| format!("\"keys/{number}\"")).collect();
        format!("[{}]", files.join(", "))
    };
    for (count, allowed) in
        [(0, false), (1, false), (2, true), (COMPONENTS_MAX, true), (COMPONENTS_MAX + 1, false)]
    {
        let got = load(&live, &[("CARDSWITCH__HSM__COMPONENTS", &list(count))]);
        assert_eq!(got.as_ref().map(|config| config.hsm.components.len()).ok(), allowed.then_some(count));
        if let Ok(config) = got {
            assert!(config.hsm.components[0].is_absolute() && config.hsm.components[0].ends_with("keys/1"));
            assert_eq!(config.hsm.mode, HsmMode::Live);
        }
    }
    for (previous, allowed) in
        [("[]", true), ("[\"a\", \"b\"]", true), ("\"a\"", false), ("[\"\", 1]", false)]
    {
        let over = [
            ("CARDSWITCH__HSM__COMPONENTS", "[\"1\", \"2\"]"),
            ("CARDSWITCH__HSM__PREVIOUS_COMPONENTS", previous),
        ];
        assert_eq!(load(&live, &over).is_ok(), allowed, "{previous}");
    }
}

#[test]
fn at_most_64_hosts_are_dialled() {
    for (hosts, allowed) in [(CONNECT_MAX, true), (CONNECT_MAX + 1, false)] {
        let list: Vec<String> = (1..=hosts).map(|port| format!("\"192.0.2.1:{port}\"")).collect();
        let got = load(MINIMAL, &[("CARDSWITCH__ATM__CONNECT", &format!("[{}]", list.join(", ")))]);
        assert_eq!(got.map(|config| config.atm.connect.len()).ok(), allowed.then_some(hosts));
    }
}

#[test]
fn a_wrong_override_is_refused_by_the_setting_and_the_variable() {
    let rows = [
        ("CARDSWITCH__LIMITS__PERMIT", "1", "limits.permit: is not a setting"),
        ("CARDSWITCH__NOTHING", "1", "nothing: is not a setting"),
        ("CARDSWITCH__limits__permits", "1", "CARDSWITCH__limits__permits: is not a setting"),
        ("CARDSWITCH__LIMITS__PERMITS", "many", "limits.permits: must be a whole number"),
        ("CARDSWITCH__LIMITS__PERMITS", "1\nx = 2", "limits.permits: must be a whole number"),
        ("CARDSWITCH__HSM__MODE", "thales", "hsm.mode: must be \"test\" or \"live\""),
        ("CARDSWITCH__HSM__KEYS", "none.toml", "hsm.keys: the file cannot be read (entity not found)"),
        ("CARDSWITCH__HSM__KEYS", ".", "hsm.keys: must be a file"),
        (
            "CARDSWITCH__HSM__COMPONENTS",
            "[\"1\", \"2\"]",
            "hsm.components: must be an empty list with hsm.mode",
        ),
        ("CARDSWITCH__HSM__PREVIOUS_COMPONENTS", "[\"1\"]", "hsm.previous_components: must be an empty list"),
        ("CARDSWITCH__DATA__DIR", "", "data.dir: must be a path"),
        ("CARDSWITCH__ATM__CONNECT", "192.0.2.1:9000", "atm.connect: must be a list of at most 64"),
        ("CARDSWITCH__SETTLEMENT__CUT_OVER", "noon", "settlement.cut_over: must be a time of day"),
    ];
    for (name, value, want) in rows {
        let err = load(MINIMAL, &[(name, value)]).unwrap_err().to_string();
        assert!(err.starts_with(want), "{name}: {err}");
        assert!(err.ends_with(&format!("correct it in the environment variable {name}")), "{err}");
    }
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_named() {
    let missing = Config::load(Path::new("/nowhere/cardswitch.toml"), std::iter::empty()).unwrap_err();
    assert!(missing.to_string().starts_with("/nowhere/cardswitch.toml: the file cannot be read"));
    let broken = load("[data]\ndir = \n", &[]).unwrap_err().to_string();
    assert!(broken.contains("cardswitch.toml: is not TOML at line 2"), "{broken}");
}
