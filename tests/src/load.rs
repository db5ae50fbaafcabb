//! Random load on a real process from several terminals at once, and the comparison of what they were told with what
//! is on record.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    ask::{Ask, Card},
    city::City,
    history::{History, Name},
    line::Line,
    process::{Launch, Process},
    random::Random,
    terminal::{Answer, Terminal},
};

/// What the terminals were told, by name.
pub type Told = HashMap<Name, Answer>;

/// Loads the process for a random while, ends it by `end` under full load, and adds what the terminals were told to
/// `told`. Each load of one folder has a batch number of its own.
///
/// # Panics
/// A terminal is told something that no switch may say.
pub fn load(process: Process, batch: u32, random: &mut Random, told: &mut Told, end: impl FnOnce(Process)) {
    let city = City::open();
    let stop = Arc::new(AtomicBool::new(false));
    let tills: Vec<JoinHandle<Till>> = TERMINALS
        .iter()
        .map(|id| {
            let (till, line) = Till::open(&city, &process, id, batch, random);
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || till.work(line, &stop))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(20 + random.below(280)));
    end(process);
    stop.store(true, Ordering::Relaxed);
    for answer in tills.into_iter().flat_map(|till| till.join().expect("a till").seen) {
        let name = (answer.terminal.clone(), answer.batch, answer.stan, class(&answer));
        assert!(told.insert(name, answer).is_none(), "one answer to one request");
    }
}

/// Terminals that load the switch, each on its own connection; the last two may load cards.
const TERMINALS: [&str; 6] = ["31000001", "31000002", "31000005", "31000008", "31000003", "31000010"];
/// Requests a terminal has under way at most.
const WINDOW: u64 = 6;

/// A terminal at work until its connection breaks.
struct Till {
    terminal: Terminal,
    random: Random,
    may_load: bool,
    cards: Vec<Card>,
    /// Approvals of this round that may be reversed.
    reversible: Vec<Ask>,
    seen: Vec<Answer>,
}

impl Till {
    fn open(city: &City, process: &Process, id: &str, batch: u32, random: &mut Random) -> (Self, Line) {
        let (mut terminal, mut line) = (city.terminal(id), process.connect());
        terminal.set_batch(batch);
        terminal.sign_in(&mut line);
        let till = Self {
            terminal,
            random: Random::new(random.next_u64()),
            may_load: city.terminal_row(id).may_load,
            cards: city.ordinary_cards(),
            reversible: Vec::new(),
            seen: Vec::new(),
        };
        (till, line)
    }

    fn work(mut self, mut line: Line, stop: &AtomicBool) -> Self {
        let mut under_way: HashMap<(u16, u32), Ask> = HashMap::new();
        while !stop.load(Ordering::Relaxed) {
            let (mut frames, mut sent) = (Vec::new(), 0);
            let burst = 1 + self.random.below(WINDOW);
            for _ in 0..burst {
                let mut ask = self.next();
                frames.extend(self.terminal.frame(&mut ask));
                under_way.insert((ask.mti | 0x10, ask.stan), ask);
                sent += 1;
            }
            if !line.try_send(&frames) {
                break;
            }
            while sent > 0 {
                let Some(answer) = line.receive() else { return self.collect(line) };
                self.take(&answer, &mut under_way);
                self.seen.push(answer);
                sent -= 1;
            }
        }
        self.collect(line)
    }

    /// Answers that had arrived when the connection broke count as seen.
    fn collect(mut self, mut line: Line) -> Self {
        while let Some(answer) = line.take() {
            self.seen.push(answer);
        }
        for answer in &self.seen {
            self.terminal.check_seal(answer);
        }
        self
    }

    fn next(&mut self) -> Ask {
        let card = self.cards[self.random.index(self.cards.len())].clone();
        match self.random.below(10) {
            0 if !self.reversible.is_empty() => {
                let at = self.random.index(self.reversible.len());
                self.reversible.swap_remove(at).reversal()
            }
            1 if self.may_load => Ask::load(&card, 1 + self.random.below(50)),
            2 => Ask::purchase(&card, 1 + self.random.below(50)).with_pin(&card.wrong_pin(), &card),
            3 => Ask::balance(&card),
            // Small, so that no card runs dry: taking back a load that was spent has a test of its own.
            _ => Ask::purchase(&card, 1 + self.random.below(20)),
        }
    }

    fn take(&mut self, answer: &Answer, under_way: &mut HashMap<(u16, u32), Ask>) {
        let ask = under_way.remove(&(answer.mti, answer.stan)).expect("an answer to something asked");
        if answer.code == "00" && ask.mti == 0x0200 && ask.amount.is_some() {
            self.reversible.push(ask);
        }
    }
}

fn class(answer: &Answer) -> u8 {
    answer.mti.to_be_bytes()[0] & 0x0F
}

/// The stopped folder against everything the terminals were told so far. Returns what was recorded.
///
/// # Panics
/// Something that was told is not on record, or not once, or the books do not add up.
pub fn check(launch: &Launch, told: &Told, when: &str) -> History {
    // The program's own proof: checksums, chain, anchor, replay from the first record, invariants.
    launch.verify();
    let history = History::read(launch.data());
    let recorded = history.answers();
    for (name, answer) in told {
        let record =
            recorded.get(name).unwrap_or_else(|| panic!("{when}: {name:?} was answered and is lost"));
        assert_eq!(answer.code, record.code, "{when}: {name:?}");
        assert_eq!(answer.rrn.as_ref(), Some(&record.rrn), "{when}: {name:?}");
        assert_eq!(answer.amount.unwrap_or(0), record.amount, "{when}: {name:?}");
    }
    assert_eq!(history.balances(), history.expected_balances(&City::open()), "{when}: balances");
    assert_eq!(history.books.ledger().verify(), Ok(()), "{when}");
    history
}
