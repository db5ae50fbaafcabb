//! Who gets how much: connections of a listener and of a source, time for a first frame, permits for those who have
//! proved nothing, and what is left when the process has no file descriptor more.

use std::{
    io::Read,
    net::{IpAddr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::PROGRAM;
use cardswitch::journal::{DelayedStore, MemoryStore};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use switch_tests::{
    ask::Ask,
    city::City,
    in_process::InProcess,
    line::{Line, PATIENCE},
    process::Launch,
    terminal::Terminal,
};

const RICH: u64 = 2;
const REFUSED: &str = "cardswitch_connections_refused_total";
const DISCONNECTS: &str = "cardswitch_disconnects_total";

fn works(terminal: &mut Terminal, line: &mut Line) {
    assert_eq!(terminal.ask(line, Ask::echo()).code, "00");
}

/// A connection from another address of the loopback network.
fn connect_from(source: [u8; 4], to: SocketAddr) -> Line {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((IpAddr::from(source), 0))).expect("a loopback address");
        socket.connect(to).await.expect("the system accepts").into_std().expect("a stream")
    });
    stream.set_nonblocking(false).expect("a blocking stream");
    Line::over(stream)
}

#[test]
fn one_source_has_its_share_of_connections_and_others_theirs() {
    let switch = InProcess::start_with(|config| config.limits.connections_per_source = 2);
    let mut terminal = switch.city().terminal("31000001");
    let mut held: Vec<Line> = (0..2).map(|_| connect_from([127, 0, 0, 2], switch.address())).collect();
    held.iter_mut().for_each(|line| works(&mut terminal, line));
    let mut third = connect_from([127, 0, 0, 2], switch.epos_address());
    assert!(third.is_closed_within(PATIENCE), "on whatever listener");
    assert_eq!(switch.metric(REFUSED, &[("why", "source")]), 1);
    works(&mut terminal, &mut connect_from([127, 0, 0, 3], switch.address()));
    held.clear();
    switch.wait_for_metric(DISCONNECTS, &[("why", "peer")], 2);
    works(&mut terminal, &mut connect_from([127, 0, 0, 2], switch.address()));
}

#[test]
fn a_full_listener_leaves_the_others_alone() {
    let switch = InProcess::start_with(|config| config.pos.connections = 1);
    let mut terminal = switch.city().terminal("31000001");
    let mut only = switch.connect();
    works(&mut terminal, &mut only);
    assert!(switch.connect().is_closed_within(PATIENCE));
    let _host = Line::connect(switch.atm_address());
    switch.wait_for_metric("cardswitch_connections", &[("dialect", "atm")], 1);
    assert_eq!(switch.metric(REFUSED, &[("why", "limit")]), 1);
    assert_eq!(switch.metric("cardswitch_connections", &[("dialect", "pos")]), 1);
    works(&mut terminal, &mut only);
}

#[test]
fn who_says_nothing_that_makes_sense_is_gone_after_the_time_for_a_first_frame() {
    let switch = InProcess::start_with(|config| config.limits.first_frame = Duration::from_millis(400));
    let mut terminal = switch.city().terminal("31000001");
    let (mut silent, mut rambling, mut sensible) = (switch.connect(), switch.connect(), switch.connect());
    works(&mut terminal, &mut sensible);
    let begun = Instant::now();
    // Frames, and no sense in them: a terminal's, with another MAC.
    let (mut forger, _) = switch.signed_in("31000002");
    let mut forged = forger.frame(&mut Ask::purchase(&switch.city().card(RICH), 1));
    *forged.last_mut().expect("a frame") ^= 1;
    while rambling.try_send(&forged) {
        assert!(begun.elapsed() < PATIENCE, "it rambles on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(silent.is_closed_within(PATIENCE));
    switch.wait_for_metric(DISCONNECTS, &[("why", "first_frame")], 2);
    works(&mut terminal, &mut sensible);
}

#[test]
fn strangers_wait_for_their_few_permits_and_every_frame_is_answered_once() {
    const STRANGERS: usize = 40;
    const FRAMES: usize = 25;
    let store = DelayedStore::sleeping(MemoryStore::new(), Duration::from_millis(1));
    let few = |config: &mut cardswitch::config::Config| config.limits.unproven_permits = 3;
    let switch = InProcess::start_on(Box::new(store), few, &mut |_| ());
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00");
    let mut strangers: Vec<(Terminal, Line)> = (0..STRANGERS)
        .map(|at| (switch.city().terminal(["31000001", "31000003"][at % 2]), switch.connect()))
        .collect();
    for (stranger, theirs) in &mut strangers {
        let frames: Vec<u8> = (0..FRAMES).flat_map(|_| stranger.frame(&mut Ask::echo())).collect();
        theirs.send(&frames);
    }
    let mut most = 0;
    for _ in 0..50 {
        assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00", "the proven go on");
        most = most.max(switch.metric("cardswitch_permits_in_use", &[]));
    }
    assert!(most <= 3 + 1, "{most} permits in use at once");
    for (_, theirs) in &mut strangers {
        let answers = theirs.receive_many(FRAMES);
        let stans: Vec<u32> = answers.iter().map(|answer| answer.stan).collect();
        assert!(stans.windows(2).all(|pair| pair[1] == pair[0] + 1), "in order, each once: {stans:?}");
    }
    assert_eq!(switch.metric("cardswitch_turned_away_total", &[]), 0);
    // One who leaves in the queue leaves nothing behind.
    let (mut stranger, mut theirs) = strangers.pop().expect("a stranger");
    theirs.send(&(0..FRAMES).flat_map(|_| stranger.frame(&mut Ask::echo())).collect::<Vec<_>>());
    drop(theirs);
    for (stranger, theirs) in &mut strangers {
        works(stranger, theirs);
    }
}

#[test]
fn a_source_with_all_its_permits_is_turned_away_and_others_are_served() {
    let (store, gate) = DelayedStore::gated(MemoryStore::new());
    // The genesis, two sign-ins and their first purchases.
    (0..5).for_each(|_| gate.let_one_through());
    let few = |config: &mut cardswitch::config::Config| config.limits.permits_per_source = 3;
    let switch = InProcess::start_on(Box::new(store), few, &mut |_| ());
    let card = switch.city().card(RICH);
    let mut greedy = switch.city().terminal("31000002");
    let mut theirs = connect_from([127, 0, 0, 2], switch.address());
    greedy.sign_in(&mut theirs);
    assert_eq!(greedy.ask(&mut theirs, Ask::purchase(&card, 1)).code, "00");
    let (mut terminal, mut line) = switch.signed_in("31000001");
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00");

    let frames: Vec<u8> = (0..4).flat_map(|_| greedy.frame(&mut Ask::purchase(&card, 1))).collect();
    theirs.send(&frames);
    assert_eq!(theirs.receive().expect("an answer at once").code, "96", "the fourth");
    line.send(&terminal.frame(&mut Ask::purchase(&card, 1)));
    switch.wait_for_metric("cardswitch_permits_in_use", &[], 4);
    drop(gate);
    assert_eq!(line.receive().expect("an answer").code, "00");
    assert!(theirs.receive_many(3).iter().all(|answer| answer.code == "00"));
}

#[test]
fn without_a_file_descriptor_one_is_refused_and_counted_and_the_listener_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data"));
    let process = launch.start();
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process");
    let (mut terminal, mut line) = (City::open().terminal("31000001"), process.connect());
    works(&mut terminal, &mut line);

    let open = std::fs::read_dir(format!("/proc/{}/fd", process.id())).expect("Linux").count() as u64;
    let before = prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(open + 4), maximum: None })
        .or_else(|_| {
            let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
            prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(open + 4), maximum: hard })
        })
        .expect("the limit of a child may be lowered");
    let mut lines: Vec<Line> = (0..12).map(|_| process.connect()).collect();
    let refused = lines
        .iter_mut()
        .map(|line| line.is_closed_within(Duration::from_millis(500)))
        .filter(|closed| *closed)
        .count();
    // The limit is on a descriptor's number, so gaps below it are filled too.
    assert!(
        (4..12).contains(&refused),
        "{refused} of 12 refused with room for four descriptors and a few gaps"
    );
    works(&mut terminal, &mut line);
    drop(lines);

    prlimit(Some(pid), Resource::Nofile, before).expect("the limit as it was");
    works(&mut terminal, &mut process.connect());
    let page = admin_page(process.ports.admin);
    let counted = page.lines().find(|line| line.starts_with(REFUSED) && line.contains("descriptors"));
    let counted: usize = counted.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("a counter");
    assert!(counted >= refused, "{counted} counted, {refused} refused");
    process.sigterm();
    assert!(process.wait().success());
}

fn admin_page(admin: SocketAddr) -> String {
    let mut stream = TcpStream::connect(admin).expect("the admin port");
    std::io::Write::write_all(
        &mut stream,
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .expect("a request");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("a page");
    page
}

#[test]
fn the_admin_port_takes_so_many_connections_of_one_address_and_one_more_is_closed() {
    let switch = InProcess::start();
    let admin = switch.admin();
    let mut held: Vec<TcpStream> = (0..cardswitch::console::door::CONNECTIONS_PER_SOURCE)
        .map(|_| TcpStream::connect(admin).expect("a place"))
        .collect();
    let closed = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.read(&mut [0]).is_ok_and(|count| count == 0)
    };
    assert!(closed(&mut TcpStream::connect(admin).expect("the system accepts")));
    held.pop();
    let begun = Instant::now();
    while !std::panic::catch_unwind(|| admin_page(admin))
        .is_ok_and(|page| page.contains("cardswitch_answers_total"))
    {
        assert!(begun.elapsed() < PATIENCE, "a place that was left is not given to the next");
    }
    assert!(!held.is_empty());
}
