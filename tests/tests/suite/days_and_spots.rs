//! What a city's files may say beside the rest, and rules ask for: when cards were issued and telephones linked, and where
//! terminals stand.

use std::{fs, path::Path, process::Command};

use cardswitch::clock::{Clock, date_of_day};
use switch_tests::{ask::Ask, city::City, process::Launch};

use super::{
    officers::{Scene, copy, succeeds},
    rulebooks::{Desk, RICH, admin},
};
use crate::PROGRAM;

const ELSEWHERE: &str = "32050001";
/// Issued long ago, its telephone linked lately.
const LINKED: u64 = 3;
/// Nothing is known of it.
const UNKNOWN: u64 = 4;

const RULES: &str = r#"
[[rule]]
id = "fresh-card"
text = "much on a card that was issued lately"
when = 'age.card_days <= 2 && amount > money("100.00", "CNY")'
outcome = "decline_and_notify"
priority = 100
reason = "suspected_fraud"
notice = "{amount} {currency} declined"
owner = "fraud desk"
state = "live"

[[rule]]
id = "fresh-phone"
text = "much where the telephone was linked lately"
when = 'age.link_days <= 2 && amount > money("100.00", "CNY")'
outcome = "decline_and_notify"
priority = 110
reason = "restricted"
notice = "{amount} {currency} declined"
owner = "fraud desk"
state = "live"

[[rule]]
id = "flies"
text = "faster than an aeroplane"
when = 'last.speed > 1000'
outcome = "decline_and_notify"
priority = 120
reason = "count_limit"
notice = "{amount} {currency} declined"
owner = "fraud desk"
state = "live"
"#;

/// The sample city with these columns behind its cards and terminals.
fn write_city(folder: &Path, days: impl Fn(u64) -> String, spots: impl Fn(&str) -> &'static str) {
    copy(&City::folder(), folder);
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file of the city");
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file of the city");
    let card = |(at, line): (u64, &str)| match at {
        1 => format!("{line},issued,linked\n"),
        at => format!("{line},{}\n", days(at)),
    };
    write("cards.csv", (1..).zip(read("cards.csv").lines()).map(card).collect());
    let terminal = |line: &str| format!("{line},{}\n", spots(&line[..8]));
    write("terminals.csv", read("terminals.csv").lines().map(terminal).collect());
}

fn spot(terminal: &str) -> &'static str {
    match terminal {
        "terminal" => "north,east",
        "31000002" => "31.2304,121.4737",
        ELSEWHERE => "39.9042,116.4074",
        _ => ",",
    }
}

/// As the city's calendar says.
fn yesterday() -> String {
    let today = Clock::new("Asia/Shanghai").expect("a zone").now().business_day(0);
    date_of_day(today - 1).to_string()
}

#[test]
fn rules_ask_how_old_cards_and_links_are_and_how_fast_a_card_travels() {
    let (scene, city) = (Scene::new(), City::open());
    let (folder, yesterday) = (scene.path("city"), yesterday());
    let days = |at| match at {
        RICH => format!("{yesterday},"),
        LINKED => format!("2020-01-01,{yesterday}"),
        _ => ",".to_owned(),
    };
    write_city(&folder, days, spot);
    let launch = scene.launch.clone().in_city(&folder);
    let desk = Desk { scene, city };
    let process = launch.start();
    desk.publish(RULES, &process);
    let mut market = desk.terminal(&process);
    let mut far_away = desk.city.terminal(ELSEWHERE);
    far_away.sign_in(&mut process.connect());
    let pay = |card, amount| Ask::purchase(&desk.city.card(card), amount);
    let mut line = process.connect();
    for (name, card, amount, want) in [
        ("a little on a fresh card", RICH, 10_000, "00"),
        ("much on it", RICH, 10_001, "59"),
        ("a little, linked lately", LINKED, 10_000, "00"),
        ("much, linked lately", LINKED, 10_001, "62"),
        ("much, and nothing is known", UNKNOWN, 10_001, "00"),
    ] {
        assert_eq!(market.ask(&mut line, pay(card, amount)).code, want, "{name}");
    }
    assert_eq!(far_away.ask(&mut line, pay(RICH, 100)).code, "65", "a thousand kilometres in a moment");
    process.kill9();

    let process = launch.start();
    let mut line = process.connect();
    assert_eq!(market.ask(&mut line, pay(RICH, 10_001)).code, "59", "also after a restart");
    let pan = String::from_utf8_lossy(desk.city.card(LINKED).pan.expose()).into_owned();
    let mask = format!("{}*{}", &pan[..6], &pan[pan.len() - 4..]);
    let mut show = Command::new(PROGRAM);
    show.args(["card", "show", &mask, "--admin", &admin(&process)]);
    let shown = succeeds(show);
    assert!(shown.contains("issued 2020-01-01") && shown.contains(&format!("linked {yesterday}")), "{shown}");
    desk.scene.stop(process);
    desk.scene.launch.verify();
}

#[test]
fn days_and_spots_that_are_none_are_refused_at_the_import() {
    let scene = Scene::new();
    let good = |at: u64| if at == RICH { "2026-11-01,2026-11-02" } else { "," };
    let rows = [
        ("a day that is none", "2026-02-30,", ",", "cards.csv line 2, issued: must be empty or a date"),
        ("a link without a phone", "", "", "cards.csv line 4, linked: there is no phone"),
        ("half a spot", ",", "31.2304,", "terminals.csv line 3, north: north and east stand together"),
        ("beyond the pole", ",", "91,0", "terminals.csv line 3, north: must be degrees"),
    ];
    for (at, (name, days, place, want)) in rows.into_iter().enumerate() {
        let folder = scene.path(&format!("city-{at}"));
        write_city(
            &folder,
            |line| match (line, days) {
                (4, "") => ",2026-11-02".to_owned(),
                (2, days) if !days.is_empty() => days.to_owned(),
                _ => good(line).to_owned(),
            },
            |terminal| match (terminal, place) {
                ("31000002", "31.2304,") => "31.2304,",
                ("31000002", "91,0") => "91,0",
                (other, _) => spot(other),
            },
        );
        let launch = Launch::new(PROGRAM, &scene.path(&format!("data-{at}"))).in_city(&folder);
        let output = launch.run_to_end(&folder.join("cardswitch.toml"));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(want), "{name}: {told}");
    }
}
