//! Notices leave the switch: in order, at least once, over kills and refusals, to a server, a relay and a file that are really
//! there.

use std::{
    collections::HashSet,
    fs,
    net::TcpListener,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use switch_tests::{
    city::City,
    line::PATIENCE,
    process::{Launch, Process},
    receivers::{Posted, Relay, WebServer},
    terminal::Terminal,
};

use super::{
    officers::{Scene, complaint, succeeds},
    rulebooks::{Desk, admin},
};
use crate::PROGRAM;

const KEY: &str = "a key that both sides have";

/// One rule that tells from 1.00 on, and one that declines from 200.00 on.
const RULES: &str = r#"
[[rule]]
id = "some"
text = "whatever is not small"
when = 'amount > money("1.00", "CNY")'
outcome = "approve_and_notify"
priority = 200
notice = "{card}: {amount} {currency} at {merchant}, {time}"
owner = "fraud desk"
state = "live"

[[rule]]
id = "much"
text = "more than anybody needs"
when = 'amount > money("200.00", "CNY")'
outcome = "decline_and_notify"
priority = 100
reason = "suspected_fraud"
notice = "{amount} {currency} declined"
owner = "fraud desk"
state = "live"
"#;

/// A desk whose switch sends as these settings say.
fn desk(settings: impl FnOnce(&Scene, Launch) -> Launch) -> (Desk, Process) {
    let mut scene = Scene::new();
    fs::write(scene.path("key"), format!("{KEY}\n")).expect("the key");
    let quick = scene.launch.clone().set("NOTICES__RETRY_MS", "10");
    scene.launch = settings(&scene, quick);
    let desk = Desk { scene, city: City::open() };
    let process = desk.scene.launch.start();
    desk.publish(RULES, &process);
    (desk, process)
}

fn to_server(scene: &Scene, launch: Launch, server: &WebServer) -> Launch {
    launch.set("NOTICES__WEBHOOK", &server.url()).set("NOTICES__WEBHOOK_KEY", &scene.text("key"))
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn notices(args: &[&str]) -> Value {
    let mut command = Command::new(PROGRAM);
    command.arg("notices").args(args).arg("--json");
    serde_json::from_str(&succeeds(command)).expect("JSON")
}

/// Keys of all notices to card management, in the order of the outbox.
fn to_management(process: &Process) -> Vec<String> {
    let list = notices(&["list", "--admin", &admin(process)]);
    let all = list["notices"].as_array().expect("notices").clone();
    all.iter().filter(|notice| notice["to"] == "card_management").map(key_of).collect()
}

fn key_of(notice: &Value) -> String {
    notice["key"].as_str().expect("a key").to_owned()
}

/// What is known of one sender.
fn sender(process: &Process, name: &str) -> Value {
    let status = notices(&["status", "--admin", &admin(process)]);
    let senders = status["senders"].as_array().expect("senders").clone();
    senders.into_iter().find(|sender| sender["sender"] == name).expect("the sender")
}

/// Keys of a post; its signature must be right.
fn keys(post: &Posted) -> Vec<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("a key");
    mac.update(post.header("cardswitch-timestamp").as_bytes());
    mac.update(b".");
    mac.update(&post.body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(post.header("cardswitch-signature"), format!("v1={hex}"));
    let body: Value = serde_json::from_slice(&post.body).expect("JSON");
    let keys: Vec<String> = body["notices"].as_array().expect("notices").iter().map(key_of).collect();
    assert_eq!(post.header("idempotency-key"), format!("{}..{}", keys[0], keys[keys.len() - 1]));
    keys
}

/// Keys that were taken, each where it was taken first.
fn taken(posts: &[Posted]) -> Vec<String> {
    let good = posts.iter().filter(|post| post.answered == Some(200));
    let mut seen = HashSet::new();
    good.flat_map(keys).filter(|key| seen.insert(key.clone())).collect()
}

fn paid(desk: &Desk, terminal: &mut Terminal, process: &Process, times: u64) {
    for amount in 0..times {
        assert_eq!(desk.pays(terminal, process, 150 + amount), "00");
    }
}

#[test]
fn a_server_gets_every_notice_in_order_over_its_own_failures_and_kills_of_the_switch() {
    let posts = AtomicU64::new(0);
    // An overload, no answer at all, and now and then one that was taken and not acknowledged.
    let server = WebServer::start(move |_| match posts.fetch_add(1, Ordering::SeqCst) {
        0 => Some(503),
        1 => None,
        many if many % 4 == 3 => Some(429),
        _ => Some(200),
    });
    let (desk, mut process) = desk(|scene, launch| to_server(scene, launch, &server));
    let mut terminal = desk.terminal(&process);
    for _ in 0..3 {
        paid(&desk, &mut terminal, &process, 6);
        // At some moment; where the sender is by then does not matter.
        process.kill9();
        process = desk.scene.launch.start();
    }
    paid(&desk, &mut terminal, &process, 1);
    let want = to_management(&process);
    assert_eq!(want.len(), 19);
    until("all of them", || taken(&server.posted()).len() == want.len());
    assert_eq!(taken(&server.posted()), want, "none is left out, none overtakes");
    until("its place", || sender(&process, "webhook")["waiting"] == 0);
    desk.scene.stop(process);
    assert!(!desk.scene.launch.log_text().contains(KEY));
}

#[test]
fn what_a_server_refuses_again_and_again_is_put_aside_and_the_others_go_on() {
    let first = Arc::new(AtomicBool::new(true));
    let server = WebServer::start(move |body| {
        // The declined one is not wanted, alone or among others.
        let unwanted = String::from_utf8_lossy(body).contains("declined\"");
        let overloaded = first.swap(false, Ordering::SeqCst);
        Some(if overloaded {
            500
        } else if unwanted {
            422
        } else {
            200
        })
    });
    let (desk, process) = desk(|scene, launch| {
        to_server(scene, launch, &server).set("NOTICES__ATTEMPTS", "3").set("NOTICES__RETRY_MS", "100")
    });
    let mut terminal = desk.terminal(&process);
    for (amount, want) in [(150, "00"), (25_000, "59"), (151, "00"), (152, "00")] {
        assert_eq!(desk.pays(&mut terminal, &process, amount), want);
    }
    let mut want = to_management(&process);
    let parked = want.remove(1);
    until("the others", || taken(&server.posted()).len() == want.len());
    assert_eq!(taken(&server.posted()), want);
    let alone = |post: &&Posted| post.answered == Some(422) && keys(post) == [parked.clone()];
    assert_eq!(server.posted().iter().filter(alone).count(), 3, "as often as is configured");

    let aside = desk.scene.launch.data().join("notices/webhook.parked.jsonl");
    let aside = fs::read_to_string(aside).expect("what is put aside");
    assert!(aside.lines().count() == 1 && aside.contains(&parked), "{aside}");
    until("its place", || sender(&process, "webhook")["waiting"] == 0);
    let state = sender(&process, "webhook");
    assert_eq!((&state["parked"], &state["sent"], &state["failures"]), (&1.into(), &3.into(), &0.into()));
    let page = process.page("/metrics");
    for line in [
        "cardswitch_notices_parked_total{sender=\"webhook\"} 1",
        "cardswitch_notices_sent_total{sender=\"webhook\"} 3",
        "cardswitch_notices_waiting{sender=\"webhook\"} 0",
        "cardswitch_notices_lost_total{sender=\"webhook\"} 0",
    ] {
        assert!(page.contains(line), "{line}:\n{page}");
    }
    let log = desk.scene.launch.log_text();
    assert!(log.contains(&parked) && !log.contains("250.00"), "its key, nothing of what it says: {log}");
}

#[test]
fn what_left_the_outbox_while_a_server_was_away_is_made_again_from_the_journal() {
    let away = Arc::new(AtomicBool::new(true));
    let is_away = Arc::clone(&away);
    let server = WebServer::start(move |_| Some(if is_away.load(Ordering::SeqCst) { 503 } else { 200 }));
    // Room for sixteen, which is eight purchases.
    let (desk, process) = desk(|scene, launch| {
        to_server(scene, launch, &server)
            .set("BOOKS__NOTICES_MAX", "16")
            .set("JOURNAL__CHECKPOINT_RECORDS", "20")
            .set("NOTICES__FILE", &scene.text("all.jsonl"))
    });
    paid(&desk, &mut desk.terminal(&process), &process, 40);
    // The file had them all in time.
    let lines = || fs::read_to_string(desk.scene.path("all.jsonl")).unwrap_or_default();
    until("the file", || lines().lines().count() == 80);
    until("a try", || sender(&process, "webhook")["failures"].as_u64() > Some(1));
    let waiting = sender(&process, "webhook");
    assert_eq!((&waiting["cursor"], &waiting["waiting"]), (&0.into(), &80.into()));
    assert_eq!(waiting["why"], "the server answered 503");
    away.store(false, Ordering::SeqCst);
    until("all of them", || taken(&server.posted()).len() == 40);
    let all: Vec<Value> = lines().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<u64> = all.iter().map(|notice| notice["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids, (1..=80).collect::<Vec<u64>>());
    let management = all.iter().filter(|notice| notice["to"] == "card_management").map(key_of);
    assert_eq!(taken(&server.posted()), management.collect::<Vec<_>>());
    assert_eq!(sender(&process, "webhook")["lost"], 0);
    let text = all[0]["text"].as_str().expect("a text");
    assert!(text.starts_with("****0010: 1.50 CNY at ") && !text.contains('{'), "{text}");
    check_pages(&process);
    desk.scene.stop(process);
    let phones = [lines(), desk.scene.launch.log_text()].concat();
    assert!(!phones.contains("10000000001"), "no telephone number in clear");
}

/// A reader that keeps the last number has everything that is kept, page by page.
fn check_pages(process: &Process) {
    let at = admin(process);
    let page = |after: &str, limit: &str| {
        notices(&["list", "--after", after, "--limit", limit, "--admin", &at])["notices"]
            .as_array()
            .expect("notices")
            .iter()
            .map(|notice| notice["id"].as_u64().expect("an id"))
            .collect::<Vec<_>>()
    };
    assert_eq!(page("70", "4"), [71, 72, 73, 74]);
    assert_eq!(page("74", "100"), (75..=80).collect::<Vec<u64>>());
    assert_eq!(page("80", "1"), [0_u64; 0]);
}

#[test]
fn mail_goes_to_the_holder_whose_address_is_known_and_verified() {
    let tries = AtomicU64::new(0);
    // Busy for the first recipient, and one address that is none.
    let relay = Relay::start(move |line| match line {
        line if line.contains("gone@") => Some(550),
        line if line.starts_with("RCPT") => (tries.fetch_add(1, Ordering::SeqCst) == 0).then_some(451),
        _ => None,
    });
    let (desk, process) = desk(|scene, launch| {
        contacts(scene, "wang@mail.example,yes");
        launch
            .set("NOTICES__CONTACTS", &scene.text("contacts.csv"))
            .set("NOTICES__SMTP", &relay.address())
            .set("NOTICES__SMTP_FROM", "cards@city.example")
    });
    let mut terminal = desk.terminal(&process);
    paid(&desk, &mut terminal, &process, 2);
    until("two mails", || relay.mails().len() == 2);
    let mail = &relay.mails()[0];
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("cards@city.example", "wang@mail.example"));
    assert!(mail.text.contains("\r\nMessage-ID: <1-") && mail.text.contains(".cardswitch@city.example>"));
    let body = mail.text.split_once("\r\n\r\n").expect("a head and a body").1;
    // "****0010: 1.50 CNY at", in base64.
    assert!(body.starts_with("KioqKjAwMTA6IDEuNTAgQ05ZIGF0"), "{body}");
    assert_ne!(relay.mails()[0].text, relay.mails()[1].text);

    // The file is read again when it changes: one address that the relay refuses, then one that nobody verified.
    contacts(&desk.scene, "gone@mail.example,yes");
    until("it is read", || desk.scene.launch.log_text().contains("contacts read again"));
    paid(&desk, &mut terminal, &process, 1);
    until("it is put aside", || sender(&process, "smtp")["parked"] == 1);
    contacts(&desk.scene, "wang@mail.example,no");
    until("it is read", || desk.scene.launch.log_text().matches("contacts read again").count() == 2);
    paid(&desk, &mut terminal, &process, 1);
    until("it is counted", || sender(&process, "smtp")["unaddressed"] == 1);
    assert_eq!(relay.mails().len(), 2);
    let page = process.page("/metrics");
    assert!(page.contains("cardswitch_notices_unaddressed_total{sender=\"smtp\"} 1"), "{page}");
    desk.scene.stop(process);
    assert!(!desk.scene.launch.log_text().contains("@mail.example"), "no address in the log");
}

/// The holder of the card that pays has this address.
fn contacts(scene: &Scene, email_verified: &str) {
    // Line 2 of the sample city.
    let text = format!("card,email,verified,phone,language\n9156009224100010,{email_verified},,en\n");
    fs::write(scene.path("people.csv"), text).expect("contacts");
    let mut command = Command::new(PROGRAM);
    command.args(["notices", "contacts", &scene.text("people.csv"), "--out", &scene.text("contacts.csv")]);
    command.arg("--config").arg(City::folder().join("cardswitch.toml"));
    assert!(succeeds(command).ends_with("1 contacts\n"));
    let made = fs::read_to_string(scene.path("contacts.csv")).expect("the file");
    assert!(made.contains(email_verified) && !made.contains("9156009224100010"), "{made}");
}

#[test]
fn a_receiver_that_says_nothing_holds_up_neither_answers_nor_a_stop() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let (desk, process) = desk(|scene, launch| {
        contacts(scene, "wang@mail.example,yes");
        launch
            .set("NOTICES__WEBHOOK", &format!("http://{address}/"))
            .set("NOTICES__WEBHOOK_KEY", &scene.text("key"))
            .set("NOTICES__CONTACTS", &scene.text("contacts.csv"))
            .set("NOTICES__SMTP", &address)
            .set("NOTICES__SMTP_FROM", "cards@city.example")
            .set("NOTICES__TIMEOUT_S", "1")
    });
    paid(&desk, &mut desk.terminal(&process), &process, 2);
    let why = |name| sender(&process, name)["why"].clone();
    until("both have waited", || {
        why("webhook") == "the server took too long" && why("smtp") == "the relay took too long"
    });
    desk.scene.stop(process);
}

#[test]
fn a_switch_that_could_not_send_does_not_start() {
    let scene = Scene::new();
    fs::write(scene.path("short"), "short").expect("a key");
    fs::write(scene.path("contacts.csv"), "card,email,verified,phone,language\n1,,,,\n").expect("contacts");
    let server = "http://127.0.0.1:1/";
    let rows: [(&[(&str, &str)], &str); 5] = [
        (&[("WEBHOOK", server)], "name the file of the key that signs"),
        (&[("WEBHOOK", server), ("WEBHOOK_KEY", &scene.text("short"))], "the key must have 16 to 1024 bytes"),
        (
            &[("WEBHOOK", "https://127.0.0.1/")],
            "notices.webhook: must be an address that begins with http://",
        ),
        (&[("SMTP", "127.0.0.1:25")], "notices.smtp_from: is required"),
        (&[("CONTACTS", &scene.text("contacts.csv"))], "line 2: card: must be the 32 hexadecimal"),
    ];
    let config = City::folder().join("cardswitch.toml");
    for (settings, want) in rows {
        let launch = settings
            .iter()
            .fold(scene.launch.clone(), |launch, (key, value)| launch.set(&format!("NOTICES__{key}"), value));
        let output = launch.run_to_end(&config);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(64) && text.contains(want), "{settings:?}: {text}");
        let mut check = Command::new(PROGRAM);
        check.arg("check-config").arg(&config);
        check.envs(settings.iter().map(|(key, value)| (format!("CARDSWITCH__NOTICES__{key}"), value)));
        let text = complaint(check);
        assert!(text.contains(want), "{settings:?}: {text}");
    }
    let mut command = Command::new(PROGRAM);
    command.args(["notices", "list", "--limit", "1001", "--admin", server]);
    assert!(complaint(command).contains("1001 is not in 1..=1000"));
}
