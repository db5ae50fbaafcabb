//! Hundreds of restarts: stages and commit thread of the switch over a store that fails a sync, and that leaves what was not
//! synced whole, in part or not at all. What was answered is on record, once; what was not may be, and is then answered as
//! it is recorded when it is asked again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::BytesMut;
use cardswitch::{
    app,
    audit::read_events,
    batch::{Batch, Line},
    books::event::{Event, TerminalDialect},
    channel::{ConnectionId, framing},
    city::CITY_CURRENCY,
    clock::stopwatch,
    commit::{self, Commit, Released},
    config::Config,
    journal::{AfterFault, Disk, FaultyStore, MemoryStore, Store},
    stages::Stages,
    telemetry::metrics,
};
use crossbeam::channel::unbounded;
use switch_tests::{
    ask::{Ask, Card},
    city::City,
    in_process::configuration,
    random::Random,
    terminal::{Answer, Terminal},
};

const RESTARTS: u64 = 300;
const RICH: u64 = 2;
/// Appends until the one that fails, at most.
const APPENDS_MAX: u64 = 6;
/// Batches that wait for their sync at a time, at most: they are joined into one commit.
const WAITING_MAX: u64 = 3;
/// Requests in a batch, at most.
const FRAMES_MAX: u64 = 8;
/// Restarts between two checkpoints.
const CHECKPOINT_EVERY: u64 = 20;
const LINE: Line = Line { dialect: TerminalDialect::Pos, private: true, concentrator: false };

/// A terminal, what it asked of the card, and what it was told; and what was found on record.
struct Till {
    terminal: Terminal,
    card: Card,
    at: usize,
    opening: i64,
    /// By STAN.
    asked: BTreeMap<u32, Asked>,
    /// By STAN: the amount.
    recorded: BTreeMap<u32, i64>,
    /// The last record that was looked at.
    looked_at: u64,
}

struct Asked {
    amount: i64,
    frame: Vec<u8>,
    /// The answer's bytes, if one came.
    told: Option<Vec<u8>>,
}

impl Till {
    fn purchase(&mut self, random: &mut Random) -> Vec<u8> {
        let amount = 1 + random.below(90);
        let mut ask = Ask::purchase(&self.card, amount);
        let frame = self.terminal.frame(&mut ask);
        let amount = i64::try_from(amount).expect("small");
        self.asked.insert(ask.stan, Asked { amount, frame: frame.clone(), told: None });
        frame
    }

    fn hear(&mut self, answer: &Answer) {
        let told = &mut self.asked.get_mut(&answer.stan).expect("a STAN that was sent").told;
        assert_eq!(answer.code, "00", "STAN {}", answer.stan);
        let first = told.get_or_insert_with(|| answer.frame.clone());
        assert_eq!(*first, answer.frame, "STAN {}: an answer changed", answer.stan);
    }

    /// What is asked again after a restart: everything that was not answered, and a few that were.
    fn again(&self, random: &mut Random) -> Vec<Vec<u8>> {
        let newest = self.asked.len().saturating_sub(40);
        let asked = self.asked.values().enumerate();
        let again = asked.filter(|(at, ask)| ask.told.is_none() || (*at > newest && random.below(8) == 0));
        again.map(|(_, ask)| ask.frame.clone()).collect()
    }

    fn unanswered(&self) -> usize {
        self.asked.values().filter(|ask| ask.told.is_none()).count()
    }

    /// Looks at what came on record since, STAN by STAN.
    fn look(&mut self, store: &MemoryStore) {
        let events =
            read_events(store.reader().as_ref(), Some(self.looked_at + 1), usize::MAX).expect("it reads");
        for (seq, _, event) in events {
            self.looked_at = seq;
            if let Event::Decided(decided) = event {
                let again = self.recorded.insert(decided.key.stan, decided.amount);
                assert_eq!(again, None, "STAN {} is on record twice", decided.key.stan);
            }
        }
    }
}

fn batch_of(frames: &[Vec<u8>]) -> Box<Batch> {
    let mut batch = Box::<Batch>::default();
    for frame in frames {
        batch.push(ConnectionId { place: 0, generation: 1 }, stopwatch(), LINE, &frame[2..]);
    }
    batch
}

fn answers(batch: &Batch) -> Vec<Answer> {
    let frames = batch.jobs.iter().map(|job| &batch.output[job.encoded.frame.clone()]);
    let framed = frames.map(|frame| {
        let mut wire = BytesMut::new();
        framing::put(framing::LengthForm::Binary, frame, &mut wire);
        Answer::read(&wire)
    });
    framed.collect()
}

fn prepared(config: &Config, store: &mut MemoryStore) -> Stages {
    app::prepare(config, store, metrics::recorder().0, &mut |_| ()).expect("a start")
}

/// The city, imported, with a terminal that has signed in.
fn begun(config: &Config) -> (MemoryStore, Till) {
    let mut store = MemoryStore::new();
    let mut stages = prepared(config, &mut store);
    let city = City::open();
    let mut terminal = city.terminal("31000002");
    let mut batch = batch_of(&[terminal.frame(&mut Ask::sign_in())]);
    stages.run(&mut batch);
    // How often and how much is asked here no rule allows.
    let now = stages.clock.now();
    assert!(stages.record(&mut batch.records, &Event::RulesPublished(Vec::new()), &now));
    store.append(store.head().seq + 1, &batch.records).expect("memory takes everything");
    terminal.accept(&answers(&batch)[0]);
    let at = city.cards().iter().position(|row| row.line == RICH).expect("a line of cards.csv");
    let till = Till {
        terminal,
        card: city.card(RICH),
        at,
        opening: city.opening(RICH),
        asked: BTreeMap::new(),
        recorded: BTreeMap::new(),
        looked_at: store.head().seq,
    };
    (store, till)
}

/// Serves until a sync fails, and past that. Returns the disk as it was left, and how many answers came.
fn serve_until_a_sync_fails(
    stages: &mut Stages,
    store: MemoryStore,
    till: &mut Till,
    random: &mut Random,
) -> (Disk<MemoryStore>, usize) {
    let failing = 1 + random.below(APPENDS_MAX);
    let store = FaultyStore::new(store, failing, AfterFault::Scatter(random.next_u64()));
    let (disk, reader) = (store.disk(), store.reader());
    let released = Arc::new(Released::default());
    let failures = Arc::new(AtomicU32::new(0));
    let heard = Arc::clone(&failures);
    let fatal = Arc::new(move |_: &_| _ = heard.fetch_add(1, Ordering::SeqCst));
    let (to_commit, work) = unbounded();
    let metrics = stages.metrics.clone();
    let thread =
        commit::start(Box::new(store), work, Arc::clone(&released), None, metrics, fatal).expect("a thread");

    let (mut again, mut given) = (till.again(random), 0);
    while failures.load(Ordering::SeqCst) == 0 {
        let new = (0..1 + random.below(FRAMES_MAX)).map(|_| till.purchase(random));
        let mut batch = batch_of(&new.chain(again.drain(..)).collect::<Vec<_>>());
        stages.run(&mut batch);
        if to_commit.send(Commit::Batch(batch)).is_err() {
            break;
        }
        given += 1;
        let in_flight = 1 + usize::try_from(random.below(WAITING_MAX)).expect("few");
        while failures.load(Ordering::SeqCst) == 0 && released.batches.len() + in_flight <= given {
            std::thread::yield_now();
        }
    }
    // The stages do not know of it yet, and whatever they give over now is lost.
    let mut late = batch_of(&[till.purchase(random)]);
    stages.run(&mut late);
    let _nobody_may_be_there = to_commit.send(Commit::Batch(late));
    drop(to_commit);
    assert!(thread.join().expect("no panic").is_err(), "a failed sync ends the thread");
    assert_eq!(failures.load(Ordering::SeqCst), 1, "whoever runs the switch hears of it once");

    let durable = reader.head().seq;
    let mut count = 0;
    while let Some(batch) = released.batches.pop() {
        assert!(batch.records.last_seq().is_none_or(|last| last <= durable), "answered, and not durable");
        answers(&batch).iter().for_each(|answer| till.hear(answer));
        count += batch.jobs.len();
    }
    (disk, count)
}

/// What is on record against what the terminal asked and was told, and what the card holds.
fn check(stages: &Stages, store: &MemoryStore, till: &mut Till, restart: u64) {
    till.look(store);
    for (stan, Asked { amount, told, .. }) in &till.asked {
        let on_record = till.recorded.get(stan);
        assert!(on_record.is_none_or(|recorded| recorded == amount), "restart {restart}: STAN {stan}");
        let is_lost = told.is_some() && on_record.is_none();
        assert!(!is_lost, "restart {restart}: STAN {stan} was answered and is lost");
    }
    let taken: i64 = till.recorded.values().sum();
    let card = stages.books.cards().get(till.at).expect("a card of the city");
    let balance = stages.books.card_balance(&card, CITY_CURRENCY);
    assert_eq!(balance, till.opening - taken, "restart {restart}");
    assert_eq!(stages.books.verify(), Ok(()), "restart {restart}");
    if restart.is_multiple_of(CHECKPOINT_EVERY) {
        let saved = store.checkpoints().save(&store.head(), &mut |emit| stages.books.snapshot(emit));
        assert_eq!(saved.expect("it is saved").state_hash, stages.books.state_hash());
    }
}

#[test]
fn over_hundreds_of_failed_syncs_nothing_answered_is_lost_and_nothing_is_booked_twice() {
    let mut random = Random::seeded("restarts");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = configuration(folder.path());
    config.books.duplicates_per_terminal = 1 << 16;
    let (mut store, mut till) = begun(&config);
    let (mut answered, mut kept_untold) = (0, 0);
    for restart in 1..=RESTARTS {
        let mut stages = prepared(&config, &mut store);
        check(&stages, &store, &mut till, restart);
        // Nobody was told of these, and they were booked all the same: their repeats will be answered from the record.
        kept_untold += till.recorded.len() + till.unanswered() - till.asked.len();
        let (disk, count) = serve_until_a_sync_fails(&mut stages, store, &mut till, &mut random);
        answered += count;
        store = disk.take().expect("the faulty store is gone");
        assert!(store.head().seq < stages.books.seq(), "the batch behind the failure is lost every time");
    }
    let mut stages = prepared(&config, &mut store);
    check(&stages, &store, &mut till, RESTARTS + 1);
    // Whoever was told nothing asks until there is an answer, and then everything was booked once.
    let unanswered = till.asked.values().filter(|ask| ask.told.is_none());
    let mut batch = batch_of(&unanswered.map(|ask| ask.frame.clone()).collect::<Vec<_>>());
    stages.run(&mut batch);
    store.append(store.head().seq + 1, &batch.records).expect("memory takes everything");
    answers(&batch).iter().for_each(|answer| till.hear(answer));
    check(&stages, &store, &mut till, RESTARTS + 2);
    assert_eq!(till.recorded.len(), till.asked.len(), "each purchase once");
    assert!(answered > 500, "{answered} answers");
    assert!(kept_untold > 50, "some were booked that nobody had been told of: {kept_untold}");
}
