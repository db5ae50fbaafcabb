//! Every limit of the channel and of the memory for repeats, one past it.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use cardswitch::journal::{DelayedStore, MemoryStore};
use switch_tests::{
    ask::Ask,
    in_process::InProcess,
    line::{Line, PATIENCE, SILENCE},
    terminal::Terminal,
};

const RICH: u64 = 2;
const DISCONNECTS: &str = "cardswitch_disconnects_total";

fn works(terminal: &mut Terminal, line: &mut Line) {
    assert_eq!(terminal.ask(line, Ask::echo()).code, "00");
}

/// By a MAC, so that its connection has the whole window.
fn proves_itself(terminal: &mut Terminal, line: &mut Line) {
    let card = switch_tests::city::City::open().card(RICH);
    assert_eq!(terminal.ask(line, Ask::purchase(&card, 1)).code, "00");
}

#[test]
fn one_connection_past_the_limit_is_refused_and_the_next_is_let_in_when_one_has_gone() {
    let switch = InProcess::start_with(|config| config.pos.connections = 2);
    let mut terminal = switch.city().terminal("31000001");
    let (mut first, mut second) = (switch.connect(), switch.connect());
    works(&mut terminal, &mut first);
    works(&mut terminal, &mut second);
    assert!(switch.connect().is_closed_within(PATIENCE), "the third is closed at once");
    assert_eq!(switch.metric("cardswitch_connections_refused_total", &[("why", "limit")]), 1);
    works(&mut terminal, &mut first);
    drop(second);
    switch.wait_for_metric(DISCONNECTS, &[("why", "peer")], 1);
    works(&mut terminal, &mut switch.connect());
}

#[test]
fn a_frame_begun_and_not_finished_in_time_ends_its_connection() {
    let time = Duration::from_millis(300);
    let switch = InProcess::start_with(|config| config.limits.frame_finish = time);
    let mut terminal = switch.city().terminal("31000001");
    let (mut slow, mut other) = (switch.connect(), switch.connect());
    let frame = terminal.frame(&mut Ask::echo());
    slow.send(&frame);
    slow.send(&frame[..5]);
    assert_eq!(slow.receive().expect("an answer").code, "00", "what was whole is answered");
    works(&mut terminal, &mut other);
    let begun = Instant::now();
    assert!(slow.is_closed_within(PATIENCE));
    assert!(begun.elapsed() < PATIENCE / 4, "it took {:?}", begun.elapsed());
    assert_eq!(switch.metric(DISCONNECTS, &[("why", "frame_timeout")]), 1);
    works(&mut terminal, &mut other);
}

#[test]
fn bytes_that_drip_do_not_win_a_frame_more_time() {
    let switch = InProcess::start_with(|config| config.limits.frame_finish = Duration::from_millis(300));
    let mut terminal = switch.city().terminal("31000001");
    let mut slow = switch.connect();
    let frame = terminal.frame(&mut Ask::echo());
    let begun = Instant::now();
    for byte in &frame {
        if !slow.try_send(&[*byte]) || begun.elapsed() > Duration::from_secs(3) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(slow.is_closed_within(PATIENCE), "never answered");
    assert_eq!(switch.metric(DISCONNECTS, &[("why", "frame_timeout")]), 1);
}

#[test]
fn a_connection_without_a_byte_for_too_long_is_closed() {
    let switch = InProcess::start_with(|config| config.limits.idle = Duration::from_secs(1));
    let mut terminal = switch.city().terminal("31000001");
    let (mut silent, mut busy) = (switch.connect(), switch.connect());
    works(&mut terminal, &mut silent);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1_500) {
        works(&mut terminal, &mut busy);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(silent.is_closed_within(PATIENCE));
    assert_eq!(switch.metric(DISCONNECTS, &[("why", "idle")]), 1);
    works(&mut terminal, &mut busy);
}

#[test]
fn one_request_past_the_permits_is_turned_away_and_served_afterwards() {
    const PERMITS: usize = 4;
    let (store, gate) = DelayedStore::gated(MemoryStore::new());
    (0..3).for_each(|_| gate.let_one_through());
    let switch = InProcess::start_on(Box::new(store), |config| config.limits.permits = PERMITS, &mut |_| ());
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    proves_itself(&mut terminal, &mut line);
    let frames: Vec<Vec<u8>> =
        (0..=PERMITS).map(|_| terminal.frame(&mut Ask::purchase(&card, 100))).collect();
    line.send(&frames.concat());
    let away = line.receive().expect("an answer at once");
    assert_eq!(
        (away.code.as_str(), away.stan, away.mac),
        ("96", 1 + 1 + 1 + 4, None),
        "the last one is turned away"
    );
    assert_eq!(switch.metric("cardswitch_turned_away_total", &[]), 1);
    let mut other = switch.connect();
    other.send(&switch.city().terminal("31000001").frame(&mut Ask::sign_in()));
    assert_eq!(other.receive().expect("an answer at once").code, "96", "whoever asks");
    drop(gate);
    assert!(line.receive_many(PERMITS).iter().all(|answer| answer.code == "00"));
    line.send(&frames[PERMITS]);
    assert_eq!(line.receive().expect("an answer").code, "00", "sent again, it is served");
    assert_eq!(switch.held(RICH), switch.city().opening(RICH) - 501, "turned away is not posted");
    switch.check_ledger();
}

#[test]
fn more_than_a_connections_window_waits_in_its_socket_and_is_answered() {
    const WINDOW: usize = 8;
    const SENT: u32 = 100;
    let (store, gate) = DelayedStore::gated(MemoryStore::new());
    (0..3).for_each(|_| gate.let_one_through());
    let change = |config: &mut cardswitch::config::Config| config.limits.connection_window = WINDOW;
    let switch = InProcess::start_on(Box::new(store), change, &mut |_| ());
    let (mut terminal, mut line) = switch.signed_in("31000002");
    proves_itself(&mut terminal, &mut line);
    let card = switch.city().card(RICH);
    let frames: Vec<u8> = (0..SENT).flat_map(|_| terminal.frame(&mut Ask::purchase(&card, 1))).collect();
    line.send(&frames);
    switch.wait_for_metric("cardswitch_permits_in_use", &[], WINDOW as u64);
    assert_eq!(line.receive_within(SILENCE), None);
    assert_eq!(switch.metric("cardswitch_permits_in_use", &[]), WINDOW as u64, "the window and no more");
    drop(gate);
    let answers = line.receive_many(SENT as usize);
    let stans: Vec<u32> = answers.iter().map(|answer| answer.stan).collect();
    assert_eq!(stans, (3..SENT + 3).collect::<Vec<_>>(), "in order, each once");
    assert!(answers.iter().all(|answer| answer.code == "00"));
}

#[test]
fn a_peer_that_says_no_more_is_still_answered() {
    const SENT: usize = 100;
    let switch = InProcess::start_with(|config| config.limits.connection_window = 8);
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let frames: Vec<u8> = (0..SENT).flat_map(|_| terminal.frame(&mut Ask::purchase(&card, 1))).collect();
    line.send(&frames);
    line.finish();
    assert!(line.receive_many(SENT).iter().all(|answer| answer.code == "00"));
    assert!(line.is_closed_within(PATIENCE));
    assert_eq!(switch.metric(DISCONNECTS, &[("why", "peer")]), 1);
}

#[test]
fn a_peer_that_never_reads_its_answers_is_disconnected() {
    let switch = InProcess::start_with(|config| config.limits.outbox_bytes = 4096);
    let (mut neighbour, mut other) = switch.signed_in("31000001");
    let mut terminal = switch.city().terminal("31000002");
    let mut deaf = Line::over(with_small_receive_buffer(switch.address()));
    let frames: Vec<u8> = (0..500).flat_map(|_| terminal.frame(&mut Ask::echo())).collect();
    let begun = Instant::now();
    while switch.metric(DISCONNECTS, &[("why", "outbox_full")]) == 0 {
        assert!(begun.elapsed() < PATIENCE, "it is still connected");
        // Refused once the switch has closed the connection, which the metric then shows.
        let _closed = deaf.try_send(&frames);
        assert_eq!(neighbour.ask(&mut other, Ask::echo()).code, "00", "the neighbour is answered meanwhile");
    }
    assert_eq!(neighbour.ask(&mut other, Ask::purchase(&switch.city().card(RICH), 1)).code, "00");
}

/// The kernel would take megabytes of answers otherwise.
fn with_small_receive_buffer(to: std::net::SocketAddr) -> std::net::TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a TCP option");
        socket.connect(to).await.expect("the switch accepts").into_std().expect("a stream")
    });
    stream.set_nonblocking(false).expect("a blocking stream");
    stream
}

#[test]
fn one_request_past_a_terminals_quota_pushes_out_its_own_oldest() {
    let switch = InProcess::start_with(|config| config.books.duplicates_per_terminal = 3);
    let (mut neighbour, mut other) = switch.signed_in("31000001");
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let send = |terminal: &mut Terminal, line: &mut Line| {
        let frame = terminal.frame(&mut Ask::purchase(&card, 100));
        line.send(&frame);
        (line.receive().expect("an answer"), frame)
    };
    let (neighbours, neighbours_frame) = send(&mut neighbour, &mut other);
    let own: Vec<_> = (0..4).map(|_| send(&mut terminal, &mut line)).collect();
    assert_eq!(switch.look(|books| books.transactions().evicted()), 1);
    let held = switch.held(RICH);
    let again = |line: &mut Line, frame: &[u8]| {
        line.send(frame);
        line.receive().expect("an answer").rrn
    };
    assert_eq!(again(&mut line, &own[1].1), own[1].0.rrn, "the second is remembered");
    assert_eq!(again(&mut other, &neighbours_frame), neighbours.rrn, "and the neighbour's is untouched");
    assert_eq!(switch.held(RICH), held);
    line.send(&own[0].1);
    let forgotten = line.receive().expect("an answer");
    assert_eq!(forgotten.code, "77", "the first is forgotten: it may be a recording");
    assert_eq!(switch.held(RICH), held);

    // Its reversal cannot be told from one that came first; "understood" could be a lie about money.
    let mut forgotten = Ask::purchase(&card, 100);
    let frames = terminal.frame(&mut forgotten);
    line.send(&frames);
    assert_eq!(line.receive().expect("an answer").code, "00");
    (0..4).for_each(|_| drop(send(&mut terminal, &mut line)));
    assert_eq!(terminal.ask(&mut line, forgotten.reversal()).code, "25");
    let mut unseen = Ask::purchase(&card, 100);
    let _not_sent = neighbour.frame(&mut unseen);
    other.send(&neighbour.build(&unseen.reversal()));
    assert_eq!(other.receive().expect("an answer").code, "00", "the neighbour lacks nothing");
}

#[test]
fn floods_do_not_keep_the_answers_of_others() {
    // Windows that leave permits over: everybody else is served. Windows that take them all: everybody is answered.
    for (window, wanted) in [(2, &["00"][..]), (128, &["00", "96"][..])] {
        let switch = InProcess::start_with(|config| {
            config.limits.permits = 16;
            config.limits.connection_window = window;
        });
        let (mut terminal, mut line) = switch.signed_in("31000002");
        let card = switch.city().card(RICH);
        let stop = Arc::new(AtomicBool::new(false));
        let floods = [(); 4].map(|()| flood(switch.address(), &stop));
        for _ in 0..100 {
            let code = terminal.ask(&mut line, Ask::purchase(&card, 1)).code;
            assert!(wanted.contains(&code.as_str()), "{code} with a window of {window}");
        }
        stop.store(true, Ordering::Relaxed);
        floods.into_iter().for_each(|flood| flood.join().expect("the flood ends"));
        let mut served = || terminal.ask(&mut line, Ask::purchase(&card, 1)).code == "00";
        let begun = Instant::now();
        // What the floods left in their sockets is worked off in between.
        while !served() {
            assert!(begun.elapsed() < PATIENCE, "the floods are over and nobody is served");
        }
    }
}

/// Sends empty frames by the thousand, over and over: the cheapest there is to send.
fn flood(address: SocketAddr, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut socket = TcpStream::connect(address).expect("a connection");
        while !stop.load(Ordering::Relaxed) && socket.write_all(&[0; 65_536]).is_ok() {}
    })
}
