//! A day in which everything happens that could leave a secret behind, in all three dialects.
//!
//! What comes to be secret on the way is added to the search. The connections stay open, as those of real terminals
//! do. Start at [`Day::play`].

use cardswitch::{
    app::Ports,
    city::{HostMac, TestKeys},
    terminal::{AtmHost, Entry, EposTerminal, Exchange, NewZoneKeys, PosTerminal, Sample, TestCard},
};
use hsm_sim::{MacAlgorithm, emulator::Zone};
use iso8583::{Message, Spec};

use super::secrets::{self, NEW_PIN};
use crate::{
    ask::{Ask, Card, Receipt},
    city::City,
    forge::Tap,
    line::{Line, PATIENCE},
    random::Random,
    terminal::{Answer, MESSAGE_AT, Terminal, framed},
};

/// POS terminals of the day: one with each MAC, one that loads.
const POS: [&str; 3] = ["31000001", "31000003", "31000004"];
/// The POS terminal at which PINs are changed.
const POS_OF_PINS: &str = "31000002";
/// Telephone terminals of the day, with PSAMs of both key versions.
const TELEPHONES: [&str; 2] = ["41000001", "41000003"];
/// The cash machine of the day.
pub const CASH_MACHINE: &str = "51000001";
/// Lines of cards that are used at telephones and cash machines: ordinary ones.
const ORDINARY: std::ops::Range<u64> = 18..38;
/// Requests sent in one write, so that every buffer grows.
const BURST: usize = 60;

/// What is played with.
#[derive(Debug)]
pub struct Day<'a> {
    /// The city.
    pub city: &'a City,
    /// Its terminals and cards.
    pub sample: &'a Sample,
    /// Its keys.
    pub keys: &'a TestKeys,
    /// Where the switch listens.
    pub ports: Ports,
    /// From which STAN on terminals count, so that a second day repeats nothing of the first.
    pub first_stan: u32,
    /// The keys of the cash machine's zone: for PINs, for MACs to the switch and from it.
    pub zone: [[u8; 16]; 3],
}

/// What came of a day. While it is there, its connections are open.
#[derive(Debug)]
pub struct Played {
    /// Requests sent, damaged and half ones included.
    pub sent: usize,
    /// Approved among them.
    pub approved: usize,
    /// The zone's keys from now on.
    pub zone: [[u8; 16]; 3],
    _lines: Vec<Line>,
    _others: Vec<PosTerminal>,
    _telephones: Vec<EposTerminal>,
    _host: AtmHost,
}

/// What is counted and learned as the day goes on.
struct Notes<'a> {
    search: &'a mut crate::search::Search,
    keys: &'a TestKeys,
    sent: usize,
    approved: usize,
}

impl Day<'_> {
    /// Plays it.
    ///
    /// # Panics
    /// The switch does not answer where it must.
    pub fn play(&self, search: &mut crate::search::Search) -> Played {
        let mut notes = Notes { search, keys: self.keys, sent: 0, approved: 0 };
        // The last card is kept for the admin port, see `Stage::asked_for`.
        let rows = self.city.cards();
        let cards: Vec<Card> = rows[..rows.len() - 1].iter().map(Card::of).collect();
        let lines = POS.iter().map(|id| self.at_a_till(id, &cards, &mut notes)).collect();
        let others = vec![self.pins_at_a_till(&mut notes)];
        let telephones = TELEPHONES.iter().map(|id| self.at_a_telephone(id, &mut notes)).collect();
        let (host, zone) = self.at_a_cash_machine(&mut notes);
        self.rubbish(&cards, &mut notes);
        let Notes { sent, approved, .. } = notes;
        Played { sent, approved, zone, _lines: lines, _others: others, _telephones: telephones, _host: host }
    }

    fn at_a_till(&self, id: &str, cards: &[Card], notes: &mut Notes<'_>) -> Line {
        let mut till = Till {
            terminal: self.city.terminal(id),
            line: Line::connect(self.ports.pos),
            stan: self.first_stan,
        };
        let answer = till.ask(Ask::sign_in(), notes).expect("an answer");
        till.terminal.accept(&answer);
        let keys = till.terminal.clear_keys(&answer);
        secrets::add_working_keys(notes.search, id, &keys.pin, &keys.mac);
        for card in cards {
            till.everything_with(card, notes);
        }
        for card in &cards[..8] {
            till.taken_back(card, notes);
        }
        till.damaged(cards, notes);
        till.in_one_write(cards, notes);
        till.in_pieces(&cards[0], notes);
        till.ask(Ask::echo(), notes);
        till.line
    }

    fn pins_at_a_till(&self, notes: &mut Notes<'_>) -> PosTerminal {
        let terminal = self.sample.terminal(Some(POS_OF_PINS)).expect("a pos terminal");
        let mut terminal = terminal.counting_from(self.first_stan).waiting(PATIENCE);
        terminal.connect(self.ports.pos).expect("a connection");
        let signed_in = terminal.sign_in().expect("signed in");
        let field = signed_in.answer.as_ref().and_then(|answer| answer.message().ok()?.fixed::<40>(62));
        let tmk = self.city.terminal_row(POS_OF_PINS).tmk.clear().expect("a test key");
        let keys = Terminal::keys_under(tmk, &field.expect("working keys"));
        secrets::add_working_keys(notes.search, POS_OF_PINS, &keys.pin, &keys.mac);
        for card in ORDINARY.map(|line| self.card(line)) {
            let pin = card.pin.expose();
            notes.note(&terminal.pin_change(&card.card, pin, NEW_PIN, Entry::Stripe).expect("an answer"));
            notes.note(&terminal.purchase(&card.card, 100, Some(NEW_PIN), Entry::Stripe).expect("an answer"));
            notes.note(&terminal.pin_change(&card.card, NEW_PIN, pin, Entry::Stripe).expect("an answer"));
        }
        terminal
    }

    fn at_a_telephone(&self, id: &str, notes: &mut Notes<'_>) -> EposTerminal {
        let entropy = Box::new(crate::recording::counting(u64::from(self.first_stan) + 5));
        let telephone = self.sample.epos_terminal(Some(id), entropy).expect("a telephone terminal");
        let mut telephone = telephone.counting_from(self.first_stan).waiting(PATIENCE);
        telephone.connect(self.ports.epos).expect("a connection");
        notes.note(&telephone.sign_in().expect("signed in"));
        let entry = Entry::Stripe;
        for card in ORDINARY.map(|line| self.card(line)) {
            let pin = Some(card.pin.expose().as_slice());
            let wrong = Some(b"000000".as_slice());
            let bought = telephone.purchase(&card.card, 100, pin, entry).expect("an answer");
            let exchanges = [
                telephone.balance(&card.card, pin, entry),
                telephone.purchase(&card.card, 100, wrong, entry),
                telephone.purchase(&card.card, 100, pin, Entry::Manual),
                telephone.load(&card.card, 100, entry),
                telephone.refund(&card.card, 50, pin, entry, &bought.original()),
                telephone.tampered(&bought, 4),
                telephone.repeat(&bought),
                telephone.reverse(&bought),
                telephone.pin_change(&card.card, card.pin.expose(), NEW_PIN, entry),
                telephone.pin_change(&card.card, NEW_PIN, card.pin.expose(), entry),
            ];
            exchanges.iter().flatten().chain([&bought]).for_each(|exchange| notes.note(exchange));
        }
        telephone
    }

    fn at_a_cash_machine(&self, notes: &mut Notes<'_>) -> (AtmHost, [[u8; 16]; 3]) {
        let row = self.city.terminal_row(CASH_MACHINE);
        let (mut host, machine) = (self.host(), row.terminal_id);
        host.connect(self.ports.atm).expect("a connection");
        notes.note(&host.sign_on().expect("signed on"));
        for card in ORDINARY.map(|line| self.card(line)) {
            let pin = Some(card.pin.expose().as_slice());
            let wrong = Some(b"000000".as_slice());
            let drawn = host.withdrawal(&machine, &card.card, pin, 100, None).expect("an answer");
            let exchanges = [
                host.withdrawal(&machine, &card.card, wrong, 100, None),
                host.balance(&machine, &card.card, pin),
                host.repeat(&drawn),
                host.reverse(&drawn, None),
                host.pin_change(&machine, &card.card, card.pin.expose(), NEW_PIN),
                host.pin_change(&machine, &card.card, NEW_PIN, card.pin.expose()),
            ];
            exchanges.iter().flatten().chain([&drawn]).for_each(|exchange| notes.note(exchange));
        }
        let zone = self.new_zone();
        secrets::add_zone_keys(notes.search, &format!("{} (new)", host.acquirer()), &zone);
        let [pin, mac_to_switch, mac_from_switch] = zone;
        let changed = host.change_keys(&NewZoneKeys { pin, mac_to_switch, mac_from_switch });
        let changed = changed.expect("an answer");
        assert!(changed.approved(), "new zone keys: {}", changed.code_text());
        notes.note(&changed);
        let card = self.card(ORDINARY.start);
        let pin = Some(card.pin.expose().as_slice());
        let drawn = host.withdrawal(&machine, &card.card, pin, 100, None).expect("an answer");
        assert!(drawn.approved(), "under the new zone keys: {}", drawn.code_text());
        notes.note(&drawn);
        (host, zone)
    }

    fn host(&self) -> AtmHost {
        let row = self.city.terminal_row(CASH_MACHINE);
        let mut acquirers = self.city.files().acquirers.iter();
        let acquirer = acquirers.find(|acquirer| acquirer.merchant == row.merchant).expect("its acquirer");
        let zmk = self.keys.zone(&acquirer.id).expect("its zone").zmk.expose();
        let algorithm = match acquirer.mac {
            HostMac::X919 => MacAlgorithm::X919,
            HostMac::Cbc3Des => MacAlgorithm::Cbc3Des,
        };
        let [pin, to_switch, from_switch] = self.zone;
        let zone = Zone::new(zmk, pin, to_switch, from_switch, algorithm).expect("zone keys");
        let entropy = Box::new(crate::recording::counting(u64::from(self.first_stan) + 6));
        let host = AtmHost::new(acquirer.id, zone, algorithm, entropy);
        host.counting_from(self.first_stan).waiting(PATIENCE)
    }

    /// Three keys of odd parity that no other day has.
    fn new_zone(&self) -> [[u8; 16]; 3] {
        let mut random = Random::new(u64::from(self.first_stan) ^ 0x5A);
        [0; 3].map(|_: u8| {
            let mut key = [0; 16];
            random.fill(&mut key);
            key.map(|byte| byte ^ u8::from(byte.count_ones() % 2 == 0))
        })
    }

    /// What no honest client sends, each with a card number in it, on connections of its own.
    fn rubbish(&self, cards: &[Card], notes: &mut Notes<'_>) {
        for (stan, card) in (self.first_stan + 90_000..).zip(&cards[..20]) {
            let terminal = self.city.terminal(POS[0]);
            let whole = terminal.build(&Ask { stan, ..Ask::tap(card, 100) });
            let cut = framed(&whole[MESSAGE_AT..whole.len() - 30]);
            let spelled = framed(&[&b"\x02\x00"[..], card.pan.expose()].concat());
            let half = whole[..whole.len() - 12].to_vec();
            for bytes in [cut, spelled, half] {
                Tap::pos(self.ports.pos).send(&bytes);
                Tap::pos(self.ports.epos).send(&bytes);
                notes.sent += 2;
            }
            let counted = [format!("{:04}", card.track.len()).as_bytes(), &card.track].concat();
            let beginning = [b"0400", card.track.as_slice()].concat();
            for bytes in [counted, beginning, card.track.clone()] {
                Tap::atm(self.ports.atm).send(&bytes);
                notes.sent += 1;
            }
        }
    }

    fn card(&self, line: u64) -> TestCard {
        self.sample.card_in_line(line).expect("an ordinary card")
    }
}

impl Notes<'_> {
    fn note(&mut self, exchange: &Exchange) {
        if let Ok(message) = exchange.request.message() {
            secrets::add_request(self.search, &message, self.keys);
        }
        self.sent += 1;
        self.approved += usize::from(exchange.approved());
    }
}

/// A POS terminal, its connection, and its next STAN.
struct Till {
    terminal: Terminal,
    line: Line,
    stan: u32,
}

impl Till {
    fn frame(&mut self, mut ask: Ask, notes: &mut Notes<'_>) -> (Ask, Vec<u8>) {
        if ask.stan == 0 {
            ask.stan = self.stan;
            self.stan += 1;
        }
        let frame = self.terminal.build(&ask);
        let message = Message::decode(Spec::pos(), &frame[MESSAGE_AT..]).expect("it decodes");
        secrets::add_request(notes.search, &message, notes.keys);
        notes.sent += 1;
        (ask, frame)
    }

    fn ask(&mut self, ask: Ask, notes: &mut Notes<'_>) -> Option<Answer> {
        let (_, frame) = self.frame(ask, notes);
        self.line.send(&frame);
        let answer = self.line.receive_within(PATIENCE);
        notes.approved += usize::from(answer.as_ref().is_some_and(|answer| answer.code == "00"));
        answer
    }

    /// Everything that may come of a card: approved, declined, reversed, loaded, typed in.
    fn everything_with(&mut self, card: &Card, notes: &mut Notes<'_>) {
        let asks = [
            Ask::purchase(card, 100),
            Ask::purchase(card, 100).with_pin(&card.wrong_pin(), card),
            typed(card, 200),
            Ask::tap(card, 300),
            Ask::balance(card),
            Ask::load(card, 400),
            Ask::pre_authorization(card, 100),
            Ask::purchase(card, 999_999_999),
        ];
        for ask in asks {
            self.ask(ask, notes);
        }
        let (kept, frame) = self.frame(Ask::purchase(card, 500), notes);
        self.line.send(&frame);
        self.line.receive_within(PATIENCE);
        let naming = Ask { pan: Some(card.pan.expose().to_vec()), ..kept.reversal() };
        self.ask(naming, notes);
    }

    /// A purchase that is voided, and one of which a part is refunded.
    fn taken_back(&mut self, card: &Card, notes: &mut Notes<'_>) {
        for refunded in [false, true] {
            let Some(answer) = self.ask(Ask::purchase(card, 100), notes) else { continue };
            if answer.code != "00" {
                continue;
            }
            let receipt = Receipt::of(&answer);
            let ask = match refunded {
                false => Ask::void(card, 100, &receipt),
                true => Ask::refund(card, 40, &receipt),
            };
            self.ask(ask, notes);
        }
    }

    /// A byte of each frame is turned round: wrong MACs, and messages that cannot be read.
    fn damaged(&mut self, cards: &[Card], notes: &mut Notes<'_>) {
        let mut random = Random::new(u64::from(self.stan));
        for card in cards {
            let (_, mut frame) = self.frame(Ask::purchase(card, 100), notes);
            frame[MESSAGE_AT + random.index(100)] ^= 0xFF;
            self.line.send(&frame);
            self.line.receive_within(PATIENCE / 200);
        }
    }

    fn in_one_write(&mut self, cards: &[Card], notes: &mut Notes<'_>) {
        let asks = cards.iter().cycle().take(BURST).map(|card| typed(card, 100));
        let frames: Vec<u8> = asks.flat_map(|ask| self.frame(ask, notes).1).collect();
        self.line.send(&frames);
        self.line.receive_many(BURST);
    }

    fn in_pieces(&mut self, card: &Card, notes: &mut Notes<'_>) {
        let (_, frame) = self.frame(Ask::purchase(card, 100), notes);
        for piece in frame.chunks(40) {
            self.line.send(piece);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        self.line.receive_within(PATIENCE);
    }
}

/// A purchase by a number that was typed in, with the PIN.
fn typed(card: &Card, amount: u64) -> Ask {
    Ask {
        pan: Some(card.pan.expose().to_vec()),
        track: None,
        expiry: Some(card.expiry),
        entry: Some(11),
        ..Ask::purchase(card, amount)
    }
}
