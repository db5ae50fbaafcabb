//! Lists held against a plain map, through every way that leads to them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use arrayvec::ArrayVec;

use super::{
    change::{Grounds, hash_of, pieces},
    *,
};
use crate::{
    books::{
        order::{JournalPlace, OfficerSignature},
        ordered::OrderRefusal,
    },
    clock::{Clock, Moment},
};

const DAY_S: u32 = 86_400;

/// Books with a clock of their own, and what their lists should say.
struct Desk {
    books: Books,
    now_ms: i64,
    orders: u8,
    records: Vec<(u64, i64, Vec<u8>)>,
}

fn key(number: u64) -> ListKey {
    ListKey::of(ListKind::Terminal, Key::Text(format!("T{number:07}").as_bytes())).unwrap()
}

fn packed(rows: impl IntoIterator<Item = (u64, u32)>) -> Vec<u8> {
    let mut packed = Vec::new();
    for (number, until_s) in rows {
        ListRow { key: key(number), until_s, ground: 0 }.pack(&mut packed);
    }
    packed
}

impl Desk {
    fn new() -> Self {
        Self { books: Books::default(), now_ms: 1_800_000_000_000, orders: 0, records: Vec::new() }
    }

    fn moment(&self) -> Moment {
        Clock::new("UTC").unwrap().at(self.now_ms)
    }

    fn order(&mut self, how: How, rows: &[u8]) -> SignedOrder {
        self.orders += 1;
        let grounds = Grounds { reason: format!("reason {}", self.orders), source: "desk".into() };
        let change = ListChange {
            list: list_name("watched").unwrap(),
            kind: ListKind::Terminal,
            how,
            grounds: if how == How::Remove { Vec::new() } else { vec![grounds] },
            rows: u32::try_from(rows.len() / ROW_BYTES).unwrap(),
            hash: hash_of(rows),
        };
        let journal = JournalPlace { record: 1, hash: [0; 32] };
        let order = Order {
            id: [self.orders; 16],
            made_ms: self.now_ms,
            expires_ms: self.now_ms + 3_600_000,
            what: What::ChangeListIn { journal, change },
            why: "a test".into(),
        };
        let signature = |name: &str| OfficerSignature {
            officer: name.try_into().unwrap(),
            point: [1; 32],
            scalar: [2; 32],
        };
        let signatures: ArrayVec<_, 2> = [signature("alice"), signature("bob")].into_iter().collect();
        SignedOrder { order, signatures }
    }

    fn record(&mut self, event: &Event) {
        let mut body = Vec::new();
        event.write(&mut body);
        let seq = self.books.seq() + 1;
        self.books.apply(seq, self.now_ms, &Event::read(&body).unwrap()).unwrap();
        self.records.push((seq, self.now_ms, body));
    }

    fn stage(&mut self, order: &SignedOrder, rows: &[u8]) {
        for piece in pieces(rows) {
            let event = self.books.decide_order_rows(&order.order, piece, &self.moment()).unwrap();
            self.record(&event);
        }
    }

    fn carry_out(&mut self, order: &SignedOrder) -> ListChanged {
        let event = self.books.decide_order(order, &self.moment()).unwrap();
        self.record(&event);
        match event.done() {
            Event::ListChanged(changed) => changed.clone(),
            other => panic!("{}", other.name()),
        }
    }

    fn change(&mut self, how: How, rows: &[u8]) -> ListChanged {
        let order = self.order(how, rows);
        self.stage(&order, rows);
        self.carry_out(&order)
    }

    fn holds(&self, number: u64) -> bool {
        let list = self.books.lists().named("watched");
        list.is_some_and(|list| list.holds(&key(number), self.now_ms))
    }

    /// A replay and a snapshot of these books are these books.
    fn prove(&self) {
        let mut replayed = Books::default();
        for (seq, time_ms, body) in &self.records {
            replayed.apply(*seq, *time_ms, &Event::read(body).unwrap()).unwrap();
        }
        assert_eq!(replayed.state_hash(), self.books.state_hash(), "a replay");
        let mut chunks: Vec<Vec<u8>> = Vec::new();
        self.books.snapshot(&mut |chunk| chunks.push(chunk.to_vec()));
        let restored = Books::from_snapshot(&chunks).unwrap();
        assert_eq!(restored.state_hash(), self.books.state_hash(), "a snapshot");
    }
}

#[test]
fn nothing_of_a_change_is_seen_before_its_order_and_all_of_it_after() {
    let mut desk = Desk::new();
    let rows = packed((0..2_000).map(|number| (number, 0)));
    let order = desk.order(How::Add, &rows);
    for piece in pieces(&rows) {
        let event = desk.books.decide_order_rows(&order.order, piece, &desk.moment()).unwrap();
        desk.record(&event);
        assert!((0..2_000).all(|number| !desk.holds(number)));
        assert!(desk.books.lists().named("watched").is_none());
    }
    let changed = desk.carry_out(&order);
    assert_eq!((changed.version, changed.added, changed.changed, changed.removed), (1, 2_000, 0, 0));
    assert!((0..2_000).all(|number| desk.holds(number)) && !desk.holds(2_000));
    let list = desk.books.lists().named("watched").unwrap();
    let entry = list.entry(&key(7), desk.now_ms).unwrap();
    assert_eq!((entry.grounds.reason.as_str(), entry.until_s), ("reason 1", 0));
    let (author, approver) = entry.change.officers.unwrap();
    assert_eq!((author.as_str(), approver.as_str(), entry.change.seq), ("alice", "bob", 4));
    desk.prove();
}

#[test]
fn a_change_that_is_broken_off_goes_on_or_gives_way() {
    let mut desk = Desk::new();
    let rows = packed((0..1_000).map(|number| (number, 0)));
    let order = desk.order(How::Add, &rows);
    let (first, rest) = rows.split_at(PIECE_ROWS * ROW_BYTES);
    desk.stage(&order, first);
    let moment = desk.moment();
    let early = desk.books.decide_order(&order, &moment);
    assert_eq!(early, Err(OrderRefusal::List(ListFault::Incomplete { staged: 720, rows: 1_000 })));
    // Its second half is not what was signed.
    let others = packed((5_000..5_280).map(|number| (number, 0)));
    let mut spoilt = desk.books.clone();
    let event = spoilt.decide_order_rows(&order.order, &others, &moment).unwrap();
    spoilt.apply(2, desk.now_ms, &event).unwrap();
    assert_eq!(spoilt.decide_order(&order, &moment), Err(OrderRefusal::List(ListFault::OtherRows)));
    // Another change takes its place, and its rows are never seen.
    let other = packed([(7_000, 0)]);
    assert_eq!(desk.change(How::Add, &other).added, 1);
    assert!(desk.holds(7_000) && !desk.holds(0));
    desk.prove();
    // It begins again from its first row.
    assert_eq!(desk.books.rows_staged(&order.order), 0);
    desk.stage(&order, &rows);
    assert_eq!(desk.carry_out(&order).added, 1_000);
    assert!(desk.holds(7_000) && desk.holds(999));
    assert_eq!(desk.books.decide_order(&order, &desk.moment()), Err(OrderRefusal::Done));
    let again = desk.books.decide_order_rows(&order.order, rest, &desk.moment());
    assert_eq!(again, Err(OrderRefusal::Done));
    desk.prove();
}

#[test]
fn what_may_not_be_staged_is_refused_and_changes_nothing() {
    let mut desk = Desk::new();
    let rows = packed((0..10).map(|number| (number, 0)));
    desk.change(How::Add, &rows);
    let order = desk.order(How::Add, &rows);
    let before = desk.books.state_hash();
    let refused = |desk: &Desk, order: &SignedOrder, rows: &[u8]| {
        desk.books.decide_order_rows(&order.order, rows, &desk.moment()).unwrap_err()
    };
    let mut unknown_ground = rows.clone();
    unknown_ground[20] = 1;
    for wrong in [&rows[1..], &rows[ROW_BYTES..], &[rows.as_slice(), &rows].concat(), &unknown_ground, &[]] {
        let refusal = refused(&desk, &order, wrong);
        assert_eq!(refusal, OrderRefusal::List(ListFault::OtherRows), "{} bytes", wrong.len());
    }
    let mut of_cards = order.clone();
    let What::ChangeListIn { change, .. } = &mut of_cards.order.what else { unreachable!() };
    change.kind = ListKind::Card;
    let fault = ListFault::OtherKind { list: "watched".into(), is: "terminal", named: "card" };
    assert_eq!(refused(&desk, &of_cards, &rows), OrderRefusal::List(fault.clone()));
    assert_eq!(desk.books.decide_order(&of_cards, &desk.moment()), Err(OrderRefusal::List(fault)));
    let mut of_nothing = desk.order(How::Remove, &[]);
    let What::ChangeListIn { change, .. } = &mut of_nothing.order.what else { unreachable!() };
    change.list = list_name("others").unwrap();
    let fault = ListFault::NoSuch("others".into());
    assert_eq!(desk.books.decide_order(&of_nothing, &desk.moment()), Err(OrderRefusal::List(fault)));
    let mut no_ground = order.clone();
    let What::ChangeListIn { change, .. } = &mut no_ground.order.what else { unreachable!() };
    change.grounds.clear();
    assert_eq!(refused(&desk, &no_ground, &rows), OrderRefusal::List(ListFault::Form));
    desk.now_ms += 3_600_001;
    assert_eq!(refused(&desk, &order, &rows), OrderRefusal::Expired);
    assert_eq!(desk.books.state_hash(), before);
}

#[test]
fn an_entry_ends_by_recorded_time_and_is_swept_out() {
    let mut desk = Desk::new();
    let until_s = u32::try_from(desk.now_ms / 1_000).unwrap() + DAY_S;
    desk.change(How::Add, &packed([(1, until_s), (2, 0)]));
    desk.now_ms += i64::from(DAY_S) * 1_000 - 1;
    assert!(desk.holds(1) && desk.holds(2));
    desk.now_ms += 1;
    assert!(!desk.holds(1) && desk.holds(2));
    assert_eq!(desk.books.lists().named("watched").unwrap().len(), 2, "nothing has looked yet");
    desk.change(How::Add, &packed([(3, 0)]));
    let list = desk.books.lists().named("watched").unwrap();
    assert_eq!((list.len(), desk.books.lists().rows()), (2, 2));
    desk.prove();
}

#[test]
fn a_list_without_an_entry_can_be_begun_and_emptied() {
    let mut desk = Desk::new();
    assert_eq!(desk.change(How::Add, &[]).version, 1);
    assert!(desk.books.lists().named("watched").unwrap().is_empty());
    desk.change(How::Add, &packed([(1, 0), (2, 0), (1, 0)]));
    assert_eq!(desk.books.lists().named("watched").unwrap().len(), 2);
    let emptied = desk.change(How::Replace, &[]);
    assert_eq!((emptied.version, emptied.removed), (3, 2));
    assert!(!desk.holds(1) && desk.books.lists().named("watched").unwrap().is_empty());
    desk.prove();
}

#[test]
fn after_any_changes_a_list_is_what_a_plain_map_is() {
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut draw = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let (mut desk, mut naive) = (Desk::new(), BTreeMap::<u64, u32>::new());
    for step in 0..120 {
        desk.now_ms += i64::try_from(draw(40_000_000)).unwrap();
        let now_s = u32::try_from(desk.now_ms / 1_000).unwrap();
        let count = [0, 1, 3, 200, 800][usize::try_from(draw(5)).unwrap()];
        let rows: Vec<(u64, u32)> = (0..count)
            .map(|_| {
                (draw(1_500), if draw(3) == 0 { 0 } else { now_s + u32::try_from(draw(400_000)).unwrap() })
            })
            .collect();
        let how = match draw(10) {
            0 => How::Replace,
            1..=3 if desk.books.lists().named("watched").is_some() => How::Remove,
            _ => How::Add,
        };
        if draw(6) == 0 {
            // Somebody begins, and never comes to the end.
            let broken_off = packed((0..PIECE_ROWS as u64).map(|number| (number * 2, 0)));
            let order = desk.order(How::Replace, &[broken_off.clone(), broken_off.clone()].concat());
            desk.stage(&order, &broken_off);
        }
        let is_over = |until_s: u32| until_s != 0 && until_s <= now_s;
        naive.retain(|_, until_s| !is_over(*until_s));
        let before = naive.clone();
        let changed = desk.change(how, &packed(rows.iter().copied()));
        match how {
            How::Remove => naive.retain(|number, _| rows.iter().all(|(gone, _)| gone != number)),
            How::Add => naive.extend(rows.iter().copied()),
            How::Replace => naive = rows.iter().copied().collect(),
        }
        naive.retain(|_, until_s| !is_over(*until_s));
        for number in 0..1_500 {
            assert_eq!(desk.holds(number), naive.contains_key(&number), "step {step}, {how:?}, {number}");
        }
        let came = rows.iter().map(|(number, _)| number).collect::<std::collections::BTreeSet<_>>();
        let known = came.iter().filter(|number| before.contains_key(number)).count();
        match how {
            How::Remove => assert!(changed.removed as usize >= known, "step {step}"),
            _ => assert_eq!(
                (changed.added as usize, changed.changed as usize),
                (came.len() - known, known),
                "step {step}"
            ),
        }
        let list = desk.books.lists().named("watched").unwrap();
        assert!(list.len() >= naive.len(), "step {step}: {} of {}", list.len(), naive.len());
        if step % 20 == 0 {
            desk.prove();
        }
    }
    desk.prove();
    // What is over goes: the table is no larger than what could be in it.
    for _ in 0..40 {
        desk.change(How::Add, &[]);
    }
    let list = desk.books.lists().named("watched").unwrap();
    let now_s = u32::try_from(desk.now_ms / 1_000).unwrap();
    naive.retain(|_, until_s| *until_s == 0 || *until_s > now_s);
    assert_eq!((list.len(), desk.books.lists().rows()), (naive.len(), naive.len()));
}
