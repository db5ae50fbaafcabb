//! Published sets of rules through the real program: two officers put one in force while terminals ask, and decisions change
//! at one record.

use std::{fs, process::Command};

use cardswitch::{
    audit::read_events,
    books::{
        Books,
        event::{Decided, Event},
        reason::Reason,
        rulebook::{self, PublishedRules, RuleText},
    },
};
use serde_json::Value;
use switch_tests::{
    ask::Ask, city::City, history::History, process::Process, random::Random, terminal::Terminal,
};

use super::{
    follow::{Done, MARKET, NOTHING, PHARMACY, Shop, Switch, back, pays},
    holds::{HOUR_MS, Timed, check_replay},
    officers::{Scene, complaint, order, succeeds},
};
use crate::PROGRAM;

pub(crate) const RICH: u64 = 2;
pub(crate) const HOSPITAL: &str = "31000010";

/// A rule that declines above 100.00, one in shadow that would above 50.00, and one that never applies.
pub(crate) const RULES: &str = r#"
[[rule]]
id = "much"
text = "more than anybody needs"
when = 'amount > money("100.00", "CNY") && channel == "pos"'
outcome = "decline_and_notify"
priority = 100
reason = "suspected_fraud"
notice = "{amount} {currency} at {merchant} declined"
owner = "fraud desk"
state = "live"

[[rule]]
id = "too-much"
text = "tried out first"
when = 'amount > money("50.00", "CNY")'
outcome = "decline_and_capture"
priority = 10
reason = "suspected_fraud"
owner = "fraud desk"
state = "shadow"

[[rule]]
id = "aged"
text = "hangs on what the switch does not know"
when = 'age.card_days < 3'
outcome = "pass"
priority = 500
owner = "fraud desk"
state = "live"
"#;

pub(crate) struct Desk {
    pub(crate) scene: Scene,
    pub(crate) city: City,
}

impl Desk {
    pub(crate) fn start() -> (Self, Process) {
        let desk = Self { scene: Scene::new(), city: City::open() };
        let process = desk.scene.launch.start();
        (desk, process)
    }

    /// Makes an order of these rules as alice.
    fn ordered(&self, rules: &str, process: &Process) -> String {
        let (alice, file, text) =
            (self.scene.text("alice.officer"), self.scene.text("rules.order"), self.scene.text("mine.toml"));
        fs::write(&text, rules).expect("the rules");
        let why = "tried since October";
        let mut made = order(&["rules", &text, "--admin", &admin(process)]);
        made.args(["--why", why, "--officer", &alice, "--out", &file]);
        succeeds(made);
        file
    }

    pub(crate) fn publish(&self, rules: &str, process: &Process) {
        let file = self.ordered(rules, process);
        succeeds(order(&["sign", &file, "--officer", &self.scene.text("bob.officer")]));
        succeeds(order(&["carry-out", &file, "--admin", &admin(process)]));
    }

    pub(crate) fn pays(&self, terminal: &mut Terminal, process: &Process, amount: u64) -> String {
        terminal.ask(&mut process.connect(), Ask::purchase(&self.city.card(RICH), amount)).code
    }

    pub(crate) fn terminal(&self, process: &Process) -> Terminal {
        let mut terminal = self.city.terminal("31000002");
        terminal.sign_in(&mut process.connect());
        terminal
    }
}

pub(crate) fn admin(process: &Process) -> String {
    format!("http://{}", process.ports.admin)
}

fn in_force(process: &Process) -> Value {
    let mut command = Command::new(PROGRAM);
    command.args(["rules", "list", "--json", "--admin", &admin(process)]);
    serde_json::from_str(&succeeds(command)).expect("JSON")
}

#[test]
fn a_published_set_decides_from_its_record_on_and_over_a_restart() {
    let (desk, process) = Desk::start();
    let mut terminal = desk.terminal(&process);
    assert_eq!(in_force(&process), Value::Null, "no set yet");
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "00");
    desk.publish(RULES, &process);
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "59");
    assert_eq!(desk.pays(&mut terminal, &process, 6_000), "00", "a shadow rule has no effect");
    process.kill9();

    let process = desk.scene.launch.start();
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "59", "also after a restart");
    let set = in_force(&process);
    assert_eq!(
        (&set["number"], &set["author"], &set["approver"]),
        (&1.into(), &"alice".into(), &"bob".into())
    );
    let rule = |place: usize| {
        let rule = &set["rules"][place];
        let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        (
            text("id"),
            text("state"),
            rule["enforced"] == true,
            rule["fired"].as_u64(),
            rule["not_applicable"].as_u64(),
        )
    };
    assert_eq!(rule(0), ("too-much".to_owned(), "shadow".to_owned(), false, Some(3), Some(0)));
    assert_eq!(rule(1), ("much".to_owned(), "live".to_owned(), true, Some(2), Some(0)));
    assert_eq!(rule(2), ("aged".to_owned(), "live".to_owned(), true, Some(0), Some(3)));
    let page = process.page("/metrics");
    for line in [
        "cardswitch_rule_set_number 1",
        "cardswitch_rule_hits_total{rule=\"too-much\",state=\"shadow\"} 3",
        "cardswitch_rule_hits_total{rule=\"much\",state=\"live\"} 2",
    ] {
        assert!(page.contains(line), "{line}:\n{page}");
    }

    let captures = RULES.replace("state = \"shadow\"", "state = \"live\"");
    desk.publish(&captures, &process);
    assert_eq!(desk.pays(&mut terminal, &process, 6_000), "34", "capture comes before decline");
    let declined = record_of(&process, Reason::CaptureFraud);
    let asked = explained(&declined, &["--admin", &admin(&process)]);
    desk.scene.stop(process);
    desk.scene.launch.verify();
    let data = desk.scene.launch.data().to_string_lossy().into_owned();
    let history = History::read(desk.scene.launch.data());
    check_history(&history);
    assert_eq!(explained(&declined, &["--data", &data]), asked, "the stopped folder says the same");
    let want = "too-much (live) fired\n  amount > money(\"50.00\", \"CNY\")  true\n    amount  60.00 CNY\n";
    assert!(asked.contains("set 2, whose word it was") && asked.contains(want), "{asked}");
    assert!(asked.contains("aged (live) did not apply\n  age.card_days < 3  missing\n"), "{asked}");
    let answers = history.answers();
    let first = answers.values().find(|answer| answer.code == "59").expect("a decline").rrn.clone();
    let by_rrn = explained(&[first], &["--data", &data]);
    assert!(by_rrn.contains("much (live) fired") && by_rrn.contains("channel  pos"), "{by_rrn}");
    let pan = String::from_utf8_lossy(desk.city.card(RICH).pan.expose()).into_owned();
    assert!(![asked, by_rrn].iter().any(|text| text.contains(&pan)), "no card number is shown");
}

#[test]
fn a_set_of_two_hundred_rules_is_published_and_survives_a_restart() {
    let rule = |place: u32| {
        format!(
            "[[rule]]\nid = \"odd-{place}\"\ntext = \"an amount that somebody was defrauded of, case {place}\"\n\
             when = 'channel == \"pos\" && amount == money(\"{place}.37\", \"CNY\") && mcc in [{place}, 6051]'\n\
             outcome = \"decline_and_notify\"\npriority = {place}\nreason = \"suspected_fraud\"\n\
             notice = \"{{amount}} {{currency}} at {{merchant}} declined\"\nowner = \"fraud desk\"\nstate = \"live\"\n\n"
        )
    };
    let rules: String = (200..397).map(rule).chain([RULES.to_owned()]).collect();
    assert!(rules.len() > 48 << 10, "more than a record of the journal holds: {}", rules.len());
    let (desk, process) = Desk::start();
    desk.publish(&rules, &process);
    let mut terminal = desk.terminal(&process);
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "59");
    process.kill9();
    let process = desk.scene.launch.start();
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "59", "also after a restart");
    assert_eq!(desk.pays(&mut terminal, &process, 6_000), "00");
    let set = in_force(&process);
    assert_eq!(set["rules"].as_array().map(Vec::len), Some(200));
    desk.scene.stop(process);
    desk.scene.launch.verify();
}

/// How the record of a decision with this reason is named to a command.
fn record_of(process: &Process, reason: Reason) -> [String; 2] {
    let mut command = Command::new(PROGRAM);
    command.args(["ledger", "entries", "--json", "--count", "50", "--admin", &admin(process)]);
    let entries: Value = serde_json::from_str(&succeeds(command)).expect("JSON");
    let is_it = |entry: &&Value| entry["outcome"].as_str().is_some_and(|said| said.ends_with(reason.name()));
    let entry = entries.as_array().expect("a list").iter().find(is_it).expect("the decision");
    ["--record".to_owned(), entry["seq"].to_string()]
}

pub(crate) fn explained(which: &[String], at: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(["rules", "explain"]).args(which).args(at);
    succeeds(command)
}

/// Rules that count: an hour's sum and a day's number of a card, and wrong PINs.
pub(crate) const COUNTING: &str = r#"
currency = "CNY"

[[rule]]
id = "hour"
text = "an hour: 3.00"
when = 'sum(approved, "1h", card) + amount > money("3.00", "CNY")'
outcome = "decline_and_notify"
priority = 1
reason = "amount_limit"
notice = "too much"
owner = "tests"
state = "live"

[[rule]]
id = "day"
text = "a day: three at a merchant"
when = 'nth("day", card, merchant) > 3'
outcome = "decline_and_notify"
priority = 2
reason = "count_limit"
notice = "too many"
owner = "tests"
state = "live"

[[rule]]
id = "guesses"
text = "somebody tries out PINs"
when = 'count(wrong_pin, "1h", card) >= 2'
outcome = "decline_and_notify"
priority = 3
reason = "suspected_fraud"
notice = "PINs"
owner = "tests"
state = "live"
"#;

pub(crate) fn put_in_force(shop: &mut Shop<Timed>, number: u32, rules: &str) {
    let files = vec![RuleText { name: "mine.toml".to_owned(), text: rules.to_owned() }];
    let hash = rulebook::compile(&files).expect("good rules").hash().0;
    shop.switch.record(&Event::RulebookPublished(PublishedRules { number, hash, files }));
}

/// A purchase at the hospital, which pays no fee.
fn buys(shop: &mut Shop<Timed>, name: &str, amount: u64, want: &str) -> Done {
    let ask = Ask::purchase(&shop.card(RICH), amount);
    let moved = i64::try_from(amount).expect("a small amount");
    let moves = if want == "00" { pays([0, moved, 0], 0) } else { NOTHING };
    shop.step(name, HOSPITAL, RICH, ask, want, moves)
}

#[test]
fn windows_count_what_was_approved_less_what_went_back_in_its_own_time() {
    let mut shop = Shop::at(Timed::start());
    let card = shop.card(RICH);
    put_in_force(&mut shop, 1, COUNTING);
    buys(&mut shop, "the first", 100, "00");
    let second = buys(&mut shop, "the second", 100, "00");
    buys(&mut shop, "a cent too much for the hour", 101, "61");
    let reversal = second.ask.reversal();
    shop.step("the second is reversed", HOSPITAL, RICH, reversal, "00", back([0, 100, 0], 0));
    buys(&mut shop, "its amount is free again", 200, "00");
    buys(&mut shop, "and no more than that", 1, "61");
    shop.switch.wait(HOUR_MS);
    let third = buys(&mut shop, "an hour later all of it is", 300, "00");
    shop.switch.wait(HOUR_MS);
    buys(&mut shop, "the fourth at the merchant", 100, "65");
    let void = Ask::void(&card, 300, &third.receipt());
    let void = shop.step("the third is voided", HOSPITAL, RICH, void, "00", back([0, 300, 0], 0));
    shop.switch.save_checkpoint();
    let saved = shop.switch.look(Books::seq);
    let reversal = void.ask.reversal();
    shop.step("and the void reversed: it counts again", HOSPITAL, RICH, reversal, "00", pays([0, 300, 0], 0));
    buys(&mut shop, "so this is still the fourth", 100, "65");
    let day = shop.switch.look(|books| books.business_day());
    shop.switch.wait(12 * HOUR_MS);
    buys(&mut shop, "the next day counts anew", 100, "00");
    assert_eq!(shop.switch.look(|books| books.business_day()), day + 1);
    for _ in 0..2 {
        let wrong = Ask::purchase(&card, 100).with_pin(&card.wrong_pin(), &card);
        shop.refused("a wrong PIN", HOSPITAL, RICH, wrong, "55");
    }
    buys(&mut shop, "after two wrong PINs", 100, "59");
    check_replay(&shop.switch, saved);
}

#[test]
fn a_new_set_goes_on_with_what_was_counted() {
    let mut shop = Shop::at(Timed::start());
    put_in_force(&mut shop, 1, COUNTING);
    let first = shop.switch.look(Books::seq);
    buys(&mut shop, "under the first set", 200, "00");
    let wider = COUNTING.replace("\"3.00\"", "\"4.00\"");
    let wider =
        wider.replace("count(wrong_pin, \"1h\", card) >= 2", "count(attempts, \"week\", terminal) >= 3");
    put_in_force(&mut shop, 2, &wider);
    buys(&mut shop, "what was spent before counts", 201, "61");
    buys(&mut shop, "up to the new limit", 200, "00");
    shop.switch.wait(HOUR_MS);
    buys(&mut shop, "a window that is new begins with what was kept", 100, "59");
    let since = shop.switch.look(|books| {
        let rules = books.rules_in_force().expect("a set");
        let windows = 0..rules.book().code().windows().len();
        windows.filter_map(|window| rules.past().since(window)).map(|since| since.number).collect::<Vec<_>>()
    });
    assert_eq!(since, [first + 1; 3], "nothing is known of what was before the first set");
    check_replay(&shop.switch, 0);
}

/// What the journal says of it: which set, which rules, who ruled.
fn check_history(history: &History) {
    let said = |decided: &Decided| {
        let hits = decided.judged.and_then(|judged| judged.hits);
        hits.map(|hits| (hits.set, hits.fired.iter().collect::<Vec<_>>(), hits.ruled))
    };
    let decisions: Vec<_> =
        history.decided().map(|(_, _, decided)| (decided.reason, said(decided))).collect();
    let want = [
        (Reason::Approved, None),
        (Reason::SuspectedFraud, Some((1, vec![0, 1], true))),
        (Reason::Approved, Some((1, vec![0], false))),
        (Reason::SuspectedFraud, Some((1, vec![0, 1], true))),
        (Reason::CaptureFraud, Some((2, vec![0], true))),
    ];
    assert_eq!(decisions, want);
}

#[test]
fn a_set_needs_two_officers_and_texts_without_a_fault() {
    let (desk, process) = Desk::start();
    let mut terminal = desk.terminal(&process);
    let file = desk.ordered(RULES, &process);
    let carry_out = || order(&["carry-out", &file, "--admin", &admin(&process)]);
    assert!(complaint(carry_out()).contains("1 of 2 signatures"), "the author alone");
    let sign = |officer: &str| order(&["sign", &file, "--officer", &desk.scene.text(officer)]);
    assert!(complaint(sign("alice.officer")).contains("alice has signed this order before"));
    let shown = succeeds(sign("bob.officer"));
    assert!(
        shown.contains("--- mine.toml") && shown.contains("1 in shadow"),
        "the approver sees it: {shown}"
    );

    let signed = fs::read_to_string(&file).expect("the order");
    // The last digit of the packed texts. Whether they can still be read is not asked before the signatures are.
    let (head, tail) = signed.split_at(signed.find("\"files\"").expect("the texts"));
    let end = tail.find(['}', ',']).expect("their end");
    let last = tail[..end].rfind(|digit: char| digit.is_ascii_hexdigit()).expect("a digit");
    let other = if &tail[last..=last] == "0" { "1" } else { "0" };
    fs::write(&file, [head, &tail[..last], other, &tail[last + 1..]].concat()).expect("other texts");
    assert!(complaint(carry_out()).contains("the signature of alice is not of this order"));
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "00", "nothing was published");

    let text = desk.scene.text("mine.toml");
    let ordered = || {
        let (alice, out) = (desk.scene.text("alice.officer"), desk.scene.text("bad.order"));
        let mut made = order(&["rules", &text, "--admin", &admin(&process)]);
        made.args(["--why", "a try", "--officer", &alice, "--out", &out]);
        made
    };
    fs::write(&text, RULES.replace("channel", "chanel")).expect("the rules");
    let told = complaint(ordered());
    assert!(told.contains("mine.toml:5:44: rule much, when: `chanel` is no field"), "{told}");
    let long = |comment: String| RULES.replace("text = \"tried", &format!("# {comment}\ntext = \"tried"));
    fs::write(&text, long("x".repeat(262_144))).expect("the rules");
    let told = complaint(ordered());
    assert!(told.contains("and a set that is published at most 262144, packed 15360"), "{told}");
    // What cannot be packed.
    let mut random = Random::new(7);
    let letters = b"abcdefghijklmnopqrstuvwxyz";
    let noise = (0..30_000).map(|_| char::from(letters[random.index(letters.len())])).collect();
    fs::write(&text, long(noise)).expect("the rules");
    let told = complaint(ordered());
    assert!(told.contains("and a set that is published at most 262144, packed 15360"), "{told}");
    let listed =
        RULES.replace("[[rule]]\nid = \"much\"", "[lists]\nseen = \"card\"\n\n[[rule]]\nid = \"much\"");
    let rows = [
        (
            listed.replace("channel == \"pos\"", "card in list(\"seen\")"),
            "in list(\"seen\"), and this switch has no such list of that",
        ),
        (
            format!("currency = \"USD\"\n{RULES}"),
            "the rules count in 840, and these books keep sums in 156 alone",
        ),
    ];
    for (rules, want) in rows {
        let file = desk.ordered(&rules, &process);
        succeeds(order(&["sign", &file, "--officer", &desk.scene.text("bob.officer")]));
        let told = complaint(order(&["carry-out", &file, "--admin", &admin(&process)]));
        assert!(told.contains(want), "{told}");
    }
    assert_eq!(in_force(&process), Value::Null, "none of them is in force");
    desk.scene.stop(process);
}

#[test]
fn a_set_is_swapped_between_two_requests_while_terminals_ask() {
    let (desk, process) = Desk::start();
    let admin = admin(&process);
    let file = desk.ordered(RULES, &process);
    succeeds(order(&["sign", &file, "--officer", &desk.scene.text("bob.officer")]));
    std::thread::scope(|scope| {
        let busy: Vec<_> = ["31000002", "31000010"]
            .into_iter()
            .map(|id| {
                let (desk, process) = (&desk, &process);
                scope.spawn(move || {
                    let mut terminal = desk.city.terminal(id);
                    terminal.sign_in(&mut process.connect());
                    let mut line = process.connect();
                    let ask = || Ask::purchase(&desk.city.card(RICH), 10_001);
                    (0..60).map(|_| terminal.ask(&mut line, ask()).code).collect::<Vec<_>>()
                })
            })
            .collect();
        succeeds(order(&["carry-out", &file, "--admin", &admin]));
        for codes in busy {
            let codes = codes.join().expect("no panic");
            let changed = codes.iter().position(|code| code != "00").unwrap_or(codes.len());
            assert!(codes[changed..].iter().all(|code| code == "59"), "{codes:?}");
        }
    });
    desk.scene.stop(process);
    desk.scene.launch.verify();
    let history = History::read(desk.scene.launch.data());
    let published = history
        .events
        .iter()
        .find(|(_, _, event)| matches!(event.done(), Event::RulebookPublished(_)))
        .map(|(seq, ..)| *seq);
    let published = published.expect("the set");
    for (seq, _, decided) in history.decided() {
        assert_eq!(
            decided.reason.is_approval(),
            seq < published,
            "record {seq}, the set came with {published}"
        );
    }
}

/// The rules of the sample city, with smaller numbers so that a short walk comes to them.
pub(crate) fn rules_of_the_city() -> String {
    let rules = fs::read_to_string(switch_tests::fixture("rules/city.toml")).expect("the rules of the city");
    let smaller =
        [("\"20000.00\"", "\"200.00\""), (">= 200'", ">= 6'"), ("> 20 ||", "> 2 ||"), ("> 30'", "> 3'")];
    smaller.into_iter().fold(rules, |rules, (from, to)| {
        assert!(rules.contains(from), "{from}");
        rules.replace(from, to)
    })
}

#[test]
fn a_replay_asks_the_same_and_gets_the_same_answers() {
    let mut random = Random::seeded("rulebooks");
    let mut shop = Shop::at(Timed::start());
    put_in_force(&mut shop, 1, &rules_of_the_city());
    let cards = City::open().ordinary_cards();
    for _ in 0..300 {
        let card = &cards[random.index(cards.len().min(3))];
        let at = [HOSPITAL, MARKET, PHARMACY][random.index(3)];
        let mut ask = Ask::purchase(card, 1 + random.below(6_000));
        if random.below(8) == 0 {
            ask = ask.with_pin(&card.wrong_pin(), card);
        }
        let answer = shop.send(at, &mut ask);
        if answer.code == "00" && random.below(4) == 0 {
            let mut reversal = ask.reversal();
            shop.send(at, &mut reversal);
        }
        shop.switch.wait(i64::try_from(random.below(6 * 60_000)).expect("a short time"));
    }
    check_replay(&shop.switch, 0);
    let (mut books, mut fired) = (Books::default(), [0; 12]);
    for (seq, time_ms, event) in
        read_events(shop.switch.reader().as_ref(), Some(1), usize::MAX).expect("it reads")
    {
        if let Event::Decided(decided) = &event
            && let Some(trees) = books.explained_then(decided, time_ms)
        {
            let hits = decided.judged.and_then(|judged| judged.hits);
            for (place, tree) in trees.iter().enumerate() {
                let recorded = hits.map_or((false, false), |hits| {
                    (hits.fired.contains(place), hits.not_applicable.contains(place))
                });
                let again = (tree.value == "true", tree.value == "missing");
                assert_eq!(again, recorded, "record {seq}, {}", tree.text);
                fired[place] += u32::from(recorded.0);
            }
        }
        books.apply(seq, time_ms, &event).expect("it applies");
    }
    assert!(fired.iter().filter(|times| **times > 0).count() >= 3, "seed {}: {fired:?}", random.seed());
}
