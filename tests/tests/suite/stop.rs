//! SIGTERM: what was read is answered, what was answered is on record, and the next start replays nothing.

use cardswitch::{
    app::{PORTS_FILE, journal_dir},
    journal::{SledStore, Store, StoreOptions},
};
use switch_tests::{
    ask::Ask,
    city::City,
    load::{Told, check, load},
    process::{Launch, Process},
    random::Random,
};

use crate::PROGRAM;

fn stop_well(process: Process) {
    process.sigterm();
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn sigterm_under_load_answers_everything_it_recorded() {
    let mut random = Random::seeded("SIGTERM");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data")).set("BOOKS__PIN_TRIES_MAX", "10");
    let mut told = Told::new();
    for round in 1..=5 {
        load(launch.start(), round, &mut random, &mut told, stop_well);
        let when = format!("stop {round}, seed {}", random.seed());
        assert!(!launch.data().join(PORTS_FILE).exists(), "{when}: ports.json would lead to closed ports");
        let history = check(&launch, &told, &when);
        let untold: Vec<_> = history.answers().into_keys().filter(|name| !told.contains_key(name)).collect();
        assert!(untold.is_empty(), "{when}: recorded and not told: {untold:?}");
        check_checkpoint(&launch, &when);
    }
    assert!(told.len() > 200, "{} answers are too few to prove much", told.len());
}

/// The checkpoint stands at the journal's end, so that the next start replays nothing.
fn check_checkpoint(launch: &Launch, when: &str) {
    let (store, report) =
        SledStore::open(&journal_dir(launch.data()), StoreOptions::default()).expect("the journal opens");
    let checkpoints = store.checkpoints();
    let newest = checkpoints.saved().expect("they are listed")[0];
    assert_eq!(checkpoints.load(newest).expect("it reads").at, store.head(), "{when}");
    assert_eq!(report.ahead_of_anchor, 0, "{when}: the anchor is at the end too");
    Box::new(store).close().expect("it closes");
}

#[test]
fn sigterm_right_after_the_start_stops_well() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data"));
    // It once was deaf for a moment between writing ports.json and listening for the signal.
    for _ in 0..15 {
        stop_well(launch.start());
    }
    launch.verify();
}

#[test]
fn sigterm_closes_connections_that_have_nothing_under_way() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = Launch::new(PROGRAM, &folder.path().join("data")).start();
    let (mut idle, mut begun) = (process.connect(), process.connect());
    let mut terminal = City::open().terminal("31000001");
    terminal.sign_in(&mut idle);
    begun.send(&terminal.frame(&mut Ask::echo())[..9]);
    let asked = std::time::Instant::now();
    stop_well(process);
    assert!(asked.elapsed() < std::time::Duration::from_secs(5), "nobody was to be waited for");
    assert!(idle.is_closed_within(switch_tests::line::PATIENCE));
    assert!(begun.is_closed_within(switch_tests::line::PATIENCE));
}

#[test]
fn a_second_switch_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data"));
    let process = launch.start();
    let mut terminal = City::open().terminal("31000001");
    let mut line = process.connect();
    terminal.sign_in(&mut line);
    let second = launch.run_to_end(&City::folder().join("cardswitch.toml"));
    assert_eq!(second.status.code(), Some(1), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(terminal.ask(&mut line, Ask::balance(&City::open().card(2))).code, "00");
    assert!(launch.data().join(PORTS_FILE).exists(), "the first one's");
    stop_well(process);
    launch.verify();
}
