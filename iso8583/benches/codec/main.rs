//! The codec beside its floors: one message of 20 fields, in characters and packed, read and written by the crate and
//! by hand-written code that knows this message and no other.
//!
//! ```text
//! cargo bench -p iso8583 --bench codec
//! ```
//!
//! It first proves that each of them does its work, and prints a hash of the result. Before criterion measures, a
//! table compares the fastest of many calls, taken in turns: on a machine that others use too, ratios out of that
//! table mean more than times of different minutes. Without `--bench` everything runs once.
//!
//! With `--count NAME` the one so named runs [`COUNTED`] times in [`counted`], for a profiler that counts
//! instructions; `README.md` has the command.

mod floor;
mod purchase;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::{Criterion, Throughput};
use iso8583::Message;

use crate::floor::{Formatted, Places};
use crate::purchase::Form;

/// Calls of a run that counts instructions.
const COUNTED: usize = 1000;

/// Rounds of the table, and calls of each in a round.
const ROUNDS: usize = 200;
const CALLS: usize = 200;

/// One thing to measure: its name, the bytes of its message, and a call of it.
struct Case {
    name: String,
    bytes: usize,
    call: Box<dyn FnMut()>,
}

fn main() {
    let mut cases: Vec<Case> = Form::ALL.into_iter().flat_map(cases).collect();
    let mut arguments = std::env::args().skip_while(|argument| argument != "--count");
    if let Some(name) = arguments.nth(1) {
        let case = cases.iter_mut().find(|case| case.name == name).expect("one of the names");
        counted(&mut case.call);
        return;
    }
    if std::env::args().any(|argument| argument == "--bench") {
        table(&mut cases);
    }
    let mut criterion = settings().configure_from_args();
    for Case { name, bytes, mut call } in cases {
        let (group, function) = name.rsplit_once('/').expect("a group and a function");
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(function, |bencher| bencher.iter(&mut call));
        group.finish();
    }
    criterion.final_summary();
}

/// The four of a form: the crate and its floor, reading and writing. Each has done its work once, and rightly.
fn cases(form: Form) -> [Case; 4] {
    let wire = form.message();
    let (chip, spec) = (form.chip(), form.spec());
    let message = Message::decode(spec, &wire).expect("it decodes");
    purchase::prove(&message, &chip);
    told(&format!("{} of {} bytes: result {:016x}", form.name(), wire.len(), hash(&wire)));

    let scan = match form {
        Form::Ascii => floor::scan_ascii,
        Form::Packed => floor::scan_packed,
    };
    let mut places: Places = [(0, 0); 65];
    assert!(scan(&wire, &mut places).is_some(), "the floor reads it");
    for field in message.fields() {
        let (start, length) = places[usize::from(field)];
        let (start, length) = (usize::from(start), usize::from(length));
        assert_eq!(
            message.span(field),
            Some(start..start + length),
            "DE {field} is where the floor finds it"
        );
    }

    let hex = matches!(form, Form::Ascii);
    let mti = wire[..if hex { 4 } else { 2 }].to_vec();
    let values = formatted(&message);
    let mut out = BytesMut::with_capacity(1024);
    floor::copy(&mti, &values, hex, &mut out);
    assert_eq!(out, wire, "the floor writes it");

    let (bytes, case) = (wire.len(), |what: &str, whose: &str| format!("{what}/{}/{whose}", form.name()));
    let (read, scanned, mut written) = (wire.clone(), wire, BytesMut::with_capacity(1024));
    [
        Case {
            name: case("decode", "crate"),
            bytes,
            call: Box::new(move || {
                let message = Message::decode(spec, black_box(&read));
                assert!(black_box(&message).is_ok());
            }),
        },
        Case {
            name: case("decode", "floor"),
            bytes,
            call: Box::new(move || {
                let found = scan(black_box(&scanned), black_box(&mut places));
                assert!(black_box(&found).is_some());
            }),
        },
        Case {
            name: case("encode", "crate"),
            bytes,
            call: Box::new(move || {
                written.clear();
                let length = purchase::write(spec, black_box(&chip), &mut written);
                assert!(length == Ok(bytes));
                black_box(&written);
            }),
        },
        Case {
            name: case("encode", "floor"),
            bytes,
            call: Box::new(move || {
                out.clear();
                floor::copy(black_box(&mti), black_box(&values), hex, &mut out);
                assert!(out.len() == bytes);
                black_box(&out);
            }),
        },
    ]
}

/// The fields of a message as they are on the wire.
fn formatted(message: &Message<'_>) -> Vec<Formatted> {
    let field = |number| {
        let (wire, value) = (message.wire(number)?, message.raw(number)?);
        let prefix = wire[..wire.len() - value.len()].to_vec();
        Some(Formatted { number, prefix, value: value.to_vec() })
    };
    message.fields().filter_map(field).collect()
}

/// Nanoseconds a call, the fastest round of many, and how many times its floor's that is.
fn table(cases: &mut [Case]) {
    let mut fastest = vec![u64::MAX; cases.len()];
    for _ in 0..ROUNDS {
        for (case, fastest) in cases.iter_mut().zip(&mut fastest) {
            *fastest = (*fastest).min(timed(&mut case.call));
        }
    }
    for (pair, fastest) in cases.chunks_exact(2).zip(fastest.chunks_exact(2)) {
        let [own, floor] = [fastest[0], fastest[1]].map(|round| round / CALLS as u64);
        let hundredths = own * 100 / floor.max(1);
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        told(&format!("{:<20} {own:>4} ns, floor {floor:>4} ns, ratio {whole}.{rest:02}", pair[0].name));
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn timed(call: &mut dyn FnMut()) -> u64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What a profiler is told to look at.
#[inline(never)]
fn counted(call: &mut dyn FnMut()) {
    for _ in 0..COUNTED {
        call();
    }
}

#[expect(clippy::print_stdout, reason = "for the reader of the run")]
fn told(line: &str) {
    println!("{line}");
}

/// FNV-1a of 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}

/// Short, so that the whole run is a matter of a minute.
fn settings() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}
