//! A restart has the state that was left, bit for bit, and goes on from it.

use cardswitch::{
    app::{archive_dir, journal_dir},
    books::event::Event,
    journal::{Reader, SledStore, Store, StoreOptions},
};
use switch_tests::{
    ask::Ask, city::City, history::History, in_process::InProcess, line::PATIENCE, process::Launch,
};

use crate::PROGRAM;

const RICH: u64 = 2;

/// The position, hash and balances of the books.
fn state(switch: &InProcess) -> (u64, [u8; 32], Vec<i64>) {
    switch.look(|books| {
        let balances = books.ledger().accounts().iter().map(|account| account.balance).collect();
        (books.seq(), books.state_hash(), balances)
    })
}

#[test]
fn a_stop_and_a_start_change_nothing_and_replay_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let switch = InProcess::start_on_disk(folder.path(), |_| ());
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let mut paid = Ask::purchase(&card, 1_234);
    let frame = terminal.frame(&mut paid);
    line.send(&frame);
    let first = line.receive().expect("an answer");
    assert_eq!(first.code, "00");
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00");
    let wrong = Ask::purchase(&card, 1).with_pin(&card.wrong_pin(), &card);
    assert_eq!(terminal.ask(&mut line, wrong.clone()).code, "55");
    let before = state(&switch);
    switch.stop().expect("a good stop");

    let (store, _) = SledStore::open(folder.path(), StoreOptions::default()).expect("the journal opens");
    let mut replayed = 0;
    let switch = InProcess::start_on(Box::new(store), |_| (), &mut |_| replayed += 1);
    assert_eq!(replayed, 0, "the checkpoint stands at the end");
    assert_eq!(state(&switch), before);
    let mut line = switch.connect();
    line.send(&frame);
    assert_eq!(
        line.receive().expect("an answer").frame,
        first.frame,
        "a repeat over the restart, byte for byte"
    );
    assert_eq!(
        terminal.ask(&mut line, paid.reversal()).code,
        "00",
        "working keys are kept, originals are found"
    );
    assert_eq!(switch.held(RICH), switch.city().opening(RICH) - 1);
    assert_eq!(terminal.ask(&mut line, wrong.clone()).code, "55", "the second try");
    assert_eq!(terminal.ask(&mut line, wrong).code, "75", "and the third: tries are kept");
    switch.check_ledger();
    switch.stop().expect("a good stop");
}

#[test]
fn a_checkpoint_of_another_version_is_passed_over_for_the_journal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let switch = InProcess::start_on_disk(folder.path(), |_| ());
    let (mut terminal, mut line) = switch.signed_in("31000002");
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&switch.city().card(RICH), 1_234)).code, "00");
    let before = state(&switch);
    switch.stop().expect("a good stop");

    let (store, _) = SledStore::open(folder.path(), StoreOptions::default()).expect("the journal opens");
    let of_a_later_program = [255, 1, 2, 3];
    store.checkpoints().save(&store.head(), &mut |emit| emit(&of_a_later_program)).expect("it is saved");
    let mut replayed = 0;
    let switch = InProcess::start_on(Box::new(store), |_| (), &mut |_| replayed += 1);
    assert_eq!(replayed, before.0, "every record, from the first");
    assert_eq!(state(&switch), before);
    switch.stop().expect("a good stop");
}

#[test]
fn behind_a_checkpoint_made_under_way_a_kill_leaves_little_to_replay() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data")).set("JOURNAL__CHECKPOINT_RECORDS", "20");
    let process = launch.start();
    let city = City::open();
    let (mut terminal, mut line) = (city.terminal("31000002"), process.connect());
    terminal.sign_in(&mut line);
    let checkpoints = journal_dir(launch.data()).join("checkpoints");
    // One for the import; the next two stand behind purchases.
    for round in 0..3 {
        let names =
            || std::fs::read_dir(&checkpoints).expect("a folder").flatten().map(|entry| entry.file_name());
        let newest = || names().filter(|name| name.to_string_lossy().ends_with(".checkpoint")).max();
        let before = newest();
        for _ in 0..25 {
            assert_eq!(terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 1)).code, "00");
        }
        let begun = std::time::Instant::now();
        while newest() == before {
            assert!(begun.elapsed() < PATIENCE, "round {round}: no checkpoint");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 1)).code, "00");
    process.kill9();
    launch.verify();
    let balances = History::read(launch.data()).balances();
    assert_eq!(balances[0], city.opening(RICH) - 76);
    let data = launch.data().to_string_lossy().into_owned();
    let of_folder = statement(&city, &["--data", &data]);
    assert_eq!(of_folder, (city.opening(RICH), vec![-1; 76], balances[0]));

    let archive = archive_dir(launch.data(), None);
    let opened =
        SledStore::open_archived(&journal_dir(launch.data()), &archive, StoreOptions::default(), &mut |_| ());
    let (store, report) = opened.expect("the journal opens");
    assert!(report.base > 0, "what was read above came from the archive: {report:?}");
    assert_eq!(report.checkpoints.len(), 2, "the newest and the one before: {report:?}");
    let mut replayed = 0;
    let switch = InProcess::start_on(Box::new(store), |_| (), &mut |_| replayed += 1);
    assert!((1..=60).contains(&replayed), "{replayed} replayed of {}", report.head.seq);
    assert_eq!(switch.held(RICH), balances[0]);
    switch.check_ledger();
    let admin = format!("http://{}", switch.admin());
    assert_eq!(statement(&city, &["--admin", &admin]), of_folder, "the running switch says the same");
    switch.stop().expect("a good stop");
}

/// What `cardswitch statement` says of the rich card since the import's day: all purses' opening balances together, what
/// moved them, and their closing balances.
fn statement(city: &City, at: &[&str]) -> (i64, Vec<i64>, i64) {
    let pan = String::from_utf8_lossy(city.card(RICH).pan.expose()).into_owned();
    let masked = format!("{}{}", &pan[..6], &pan[pan.len() - 4..]);
    let mut command = std::process::Command::new(PROGRAM);
    command.args(["statement", &masked, "--first", "2020-01-01", "--last", "2099-12-31", "--json"]).args(at);
    let output = command.output().expect("the program runs");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let purses = found.as_array().expect("statements");
    let sum = |name| purses.iter().map(|purse| purse[name].as_i64().expect("a balance")).sum();
    let entries = purses.iter().flat_map(|purse| purse["entries"].as_array().expect("entries"));
    let moved = entries.filter(|entry| entry["what"] == "purchase").map(|entry| entry["amount"].as_i64());
    (sum("opening"), moved.map(|amount| amount.expect("an amount")).collect(), sum("closing"))
}

#[test]
fn what_a_kill_cut_off_is_answered_once_by_its_repeat() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data"));
    let city = City::open();
    let mut terminal = city.terminal("31000002");
    let mut sent = 0;
    for kill in 0..5 {
        let process = launch.start();
        let mut line = process.connect();
        if kill == 0 {
            terminal.sign_in(&mut line);
        }
        let frame = terminal.frame(&mut Ask::purchase(&city.card(RICH), 100));
        line.send(&frame);
        process.kill9();
        let process = launch.start();
        let mut line = process.connect();
        line.send(&frame.repeat(2));
        let answers = line.receive_many(2);
        // Whether the first sending was recorded or not: one approval, told twice.
        assert_eq!((answers[0].code.as_str(), &answers[1].frame), ("00", &answers[0].frame), "kill {kill}");
        process.kill9();
        sent += 1;
        let history = History::read(launch.data());
        assert_eq!(history.answers().len(), sent, "kill {kill}: each on record once");
        assert_eq!(history.balances()[0], city.opening(RICH) - 100 * i64::try_from(sent).expect("few"));
    }
    launch.verify();
}

#[test]
fn changed_limits_of_the_books_are_recorded_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    InProcess::start_on_disk(folder.path(), |_| ()).stop().expect("a good stop");
    let seq = |switch: &InProcess| switch.seq();
    let strict = |config: &mut cardswitch::config::Config| config.books.pin_tries_max = 1;
    let switch = InProcess::start_on_disk(folder.path(), strict);
    let after = seq(&switch);
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let wrong = Ask::purchase(&card, 1).with_pin(&card.wrong_pin(), &card);
    assert_eq!(terminal.ask(&mut line, wrong).code, "75", "the new limit is in force");
    switch.stop().expect("a good stop");

    let (store, _) = SledStore::open(folder.path(), StoreOptions::default()).expect("the journal opens");
    let last = cardswitch::audit::read_events(store.reader().as_ref(), Some(after), 1).expect("it reads");
    assert!(matches!(&last[0].2, Event::PolicySet(policy) if policy.pin_tries_max == 1), "{last:?}");
    let head = store.head().seq;
    Box::new(store).close().expect("it closes");
    let switch = InProcess::start_on_disk(folder.path(), strict);
    assert_eq!(seq(&switch), head, "the same limits again are no event");
    switch.stop().expect("a good stop");
}

#[test]
fn recorded_time_never_goes_back_and_every_record_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for _ in 0..3 {
        let switch = InProcess::start_on_disk(folder.path(), |_| ());
        let (mut terminal, mut line) = switch.signed_in("31000002");
        assert_eq!(terminal.ask(&mut line, Ask::balance(&switch.city().card(RICH))).code, "00");
        switch.stop().expect("a good stop");
    }
    let (store, _) = SledStore::open(folder.path(), StoreOptions::default()).expect("the journal opens");
    let reader: Box<dyn Reader> = store.reader();
    let events = cardswitch::audit::read_events(reader.as_ref(), Some(1), usize::MAX).expect("it reads");
    assert!(events.iter().zip(1..).all(|((seq, ..), want)| *seq == want));
    assert!(events.windows(2).all(|pair| pair[0].1 <= pair[1].1));
}
