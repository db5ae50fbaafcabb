//! What a day leaves behind shows no card number, PIN, track, PIN block or key: data folder, log, metrics, pages.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
};

use cardswitch::{
    app::Ports,
    clock::{Clock, date_of_day},
    terminal::{Entry, Exchange, Sample},
};
use switch_tests::{
    ask::{Ask, Card},
    city::City,
    line::{Line, PATIENCE},
    process::Launch,
    random::Random,
    recording::counting,
    search::Search,
    terminal::{MESSAGE_AT, Terminal},
};

use crate::PROGRAM;

/// Pages of the admin port.
const PAGES: [&str; 8] = [
    "/metrics",
    "/health/ready",
    "/ledger/balance",
    "/ledger/entries?count=1000",
    "/notices?after=0",
    "/cards?bin=915600&last_four=0010",
    "/terminals/41000001",
    "/terminals/51000001",
];

/// Signs in and adds the keys that it was given to the search.
fn sign_in(city: &City, id: &str, line: &mut Line, search: &mut Search) -> Terminal {
    let mut terminal = city.terminal(id);
    let answer = terminal.ask(line, Ask::sign_in());
    terminal.accept(&answer);
    let keys = terminal.clear_keys(&answer);
    search.add_bytes(&format!("PIN key of {id}"), &keys.pin);
    search.add_bytes(&format!("MAC key of {id}"), &keys.mac);
    terminal
}

/// Sends an ask, adds its encrypted PIN block to the search, and takes what is answered, if anything is.
fn send(
    terminal: &mut Terminal,
    line: &mut Line,
    ask: Ask,
    search: &mut Search,
    damage: Option<usize>,
) -> String {
    let mut ask = ask;
    let mut frame = terminal.frame(&mut ask);
    let message = iso8583::Message::decode(iso8583::Spec::pos(), &frame[MESSAGE_AT..]).expect("it decodes");
    if let Some(block) = message.fixed::<8>(52) {
        search.add_bytes("an encrypted PIN block", &block);
    }
    if let Some(at) = damage {
        frame[MESSAGE_AT + at] ^= 0xFF;
    }
    line.send(&frame);
    let whole = line.receive_within(if damage.is_some() { PATIENCE / 100 } else { PATIENCE });
    whole.map(|answer| answer.code).unwrap_or_default()
}

/// Everything that may come of a card: approved, declined, malformed, forged, reversed, loaded, typed in.
fn a_day(terminal: &mut Terminal, line: &mut Line, cards: &[Card], search: &mut Search) -> usize {
    let mut approved = 0;
    for card in cards {
        let typed = |ask: Ask| Ask {
            pan: Some(card.pan.expose().to_vec()),
            track: None,
            expiry: Some(card.expiry),
            entry: Some(11),
            ..ask
        };
        let asks = [
            Ask::purchase(card, 100),
            Ask::purchase(card, 100).with_pin(&card.wrong_pin(), card),
            typed(Ask::purchase(card, 200)),
            Ask::tap(card, 300),
            Ask::balance(card),
            Ask::load(card, 400),
            Ask::purchase(card, 999_999_999),
        ];
        for ask in asks {
            approved += usize::from(send(terminal, line, ask, search, None) == "00");
        }
        let mut kept = Ask::purchase(card, 500);
        let _stan = terminal.frame(&mut kept);
        send(terminal, line, kept.clone(), search, None);
        let naming = Ask { pan: Some(card.pan.expose().to_vec()), ..kept.reversal() };
        send(terminal, line, naming, search, None);
    }
    let mut random = Random::seeded("leaks");
    for card in cards.iter().cycle().take(40) {
        let damage = Some(random.index(100));
        send(terminal, line, Ask::purchase(card, 100), search, damage);
    }
    approved
}

fn secrets(city: &City) -> Search {
    let mut search = Search::default();
    for row in city.cards() {
        let line = row.line;
        search.add_digits(&format!("PAN of line {line}"), row.pan.expose());
        search.add_digits(&format!("track of line {line}"), row.track2.expose());
        // Shorter ones turn up by chance; the run uses long ones too.
        if row.pin.expose().len() == 12 {
            search.add_digits(&format!("PIN of line {line}"), row.pin.expose());
        }
    }
    for row in &city.files().terminals {
        let id = String::from_utf8_lossy(&row.terminal_id).into_owned();
        search.add_bytes(&format!("master key of {id}"), row.tmk.expose());
    }
    let keys = cardswitch::city::TestKeys::open(&City::folder().join("keys.toml")).expect("the test keys");
    search.add_bytes("PIN verification key", keys.pvk.expose());
    search.add_bytes("card verification key", keys.cvk.expose());
    search.add_bytes("token key", keys.token.expose());
    for masters in &keys.psam_masters {
        for (use_of, key) in [
            ("PIN", &masters.pin),
            ("MAC", &masters.mac),
            ("track", &masters.track),
            ("authentication", &masters.auth),
        ] {
            search.add_bytes(&format!("PSAM master for {use_of}, version {}", masters.version), key.expose());
        }
    }
    for zone in &keys.zones {
        search.add_bytes(&format!("zone master key of {}", zone.acquirer), zone.zmk.expose());
        for key in [&zone.pin, &zone.mac_to_switch, &zone.mac_from_switch] {
            search.add_bytes(&format!("a zone key of {}", zone.acquirer), key.expose());
        }
    }
    search
}

/// A telephone POS and an ATM host, with everything that their messages carry encrypted. Returns the approvals.
fn elsewhere(ports: &Ports) -> usize {
    let sample = Sample::open(&City::folder()).expect("the sample city");
    let mut telephone = sample.epos_terminal(None, Box::new(counting(5))).expect("a terminal");
    telephone.connect(ports.epos).expect("a connection");
    telephone.sign_in().expect("signed in");
    let (mut host, machine) = sample.atm_host(None, Box::new(counting(6))).expect("a host");
    host.connect(ports.atm).expect("a connection");
    host.sign_on().expect("signed on");
    let mut approved = 0;
    for line in 18..40 {
        let card = sample.card_in_line(line).expect("an ordinary card");
        let pin = Some(card.pin.expose().as_slice());
        let entry = Entry::Stripe;
        let exchanges = [
            telephone.purchase(&card.card, 100, pin, entry),
            telephone.balance(&card.card, pin, entry),
            telephone.pin_change(&card.card, card.pin.expose(), b"982451653", entry),
            host.withdrawal(&machine, &card.card, Some(b"982451653"), 100, None),
            host.pin_change(&machine, &card.card, b"982451653", card.pin.expose()),
        ];
        approved +=
            exchanges.iter().filter(|exchange| exchange.as_ref().is_ok_and(Exchange::approved)).count();
    }
    host.key_change().expect("new keys");
    approved
}

fn page(admin: SocketAddr, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(admin).expect("the admin port");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("a request");
    let mut page = Vec::new();
    stream.read_to_end(&mut page).expect("a page");
    assert!(page.starts_with(b"HTTP/1.0 200") || page.starts_with(b"HTTP/1.1 200"), "{path}");
    page
}

/// Clears the day, so that its files are searched, too.
fn settle(launch: &Launch, folder: &Path) {
    let mut clock = Clock::new("Asia/Shanghai").expect("the city's zone");
    let day = date_of_day(clock.now().business_day(0)).to_string();
    let out = folder.join("settled");
    let mut command = Command::new(PROGRAM);
    command.args(["settle", "--day", &day, "--data"]).arg(launch.data()).arg("--out").arg(&out);
    assert!(command.output().expect("it runs").status.success(), "{command:?}");
    let files = std::fs::read_dir(out).expect("its files").count();
    assert!(files >= 5, "{files} files: issuers, merchants, acquirers");
}

#[test]
fn a_day_leaves_no_secret_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data"))
        .set("LOG__LEVEL", "debug")
        .set("BOOKS__PIN_TRIES_MAX", "10");
    let city = City::open();
    let mut search = secrets(&city);
    let process = launch.start();
    let cards: Vec<Card> = city.cards().iter().map(Card::of).collect();
    assert!(cards.iter().any(|card| card.pin.len() == 12), "PINs long enough to be told from noise");
    let mut approved = 0;
    for id in ["31000001", "31000003"] {
        let mut line = process.connect();
        let mut terminal = sign_in(&city, id, &mut line, &mut search);
        approved += a_day(&mut terminal, &mut line, &cards, &mut search);
    }
    assert!(approved > 100, "{approved} approvals are too few to prove much");
    let approved = elsewhere(&process.ports);
    assert!(approved > 60, "{approved} approvals elsewhere are too few to prove much");
    let ports = std::fs::read(launch.data().join(cardswitch::app::PORTS_FILE)).expect("ports.json");
    std::fs::write(folder.path().join("ports"), ports).expect("a file");
    for (at, path) in PAGES.iter().enumerate() {
        std::fs::write(folder.path().join(format!("page-{at}")), page(process.ports.admin, path))
            .expect("a file");
    }
    process.sigterm();
    assert_eq!(process.wait().code(), Some(0));

    settle(&launch, folder.path());
    let (found, bytes) = search.through(folder.path());
    switch_tests::tell(&format!("leaks: {} forms of secrets looked for in {bytes} bytes", search.count()));
    assert_eq!(found, []);
    assert!(launch.log_text().contains("DEBUG"), "the log was to be at its most talkative");
    check_the_search(&search, folder.path(), &cards);
}

/// The same search finds what is planted among the same files.
fn check_the_search(search: &Search, folder: &Path, cards: &[Card]) {
    let journal = folder.join("data/journal/db");
    let mut bytes = std::fs::read(&journal).expect("the journal's file");
    let middle = bytes.len() / 2;
    bytes.splice(middle..middle, cards[0].pan.expose().iter().copied());
    std::fs::write(&journal, bytes).expect("a file");
    let (found, _) = search.through(folder);
    assert!(
        found.iter().any(|found| found.file == journal && found.what.starts_with("PAN of line 2")),
        "{found:?}"
    );
}
