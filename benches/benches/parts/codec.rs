//! Messages of the golden frames, requests and answers alike: decoding, decoding what was cut short, and writing them
//! anew field by field. The yardstick is `scan`: looking once at every byte of the same messages.

use std::{fs, hint::black_box};

use bytes::BytesMut;
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use iso8583::{Builder, Message, Spec};
use switch_benches::{fixture, proof};

/// Bytes of TPDU and header before a message of `pos` and `epos`.
const HEADERS: usize = 11;

/// Fewest messages that a dialect's file must have.
const LEAST: usize = 30;

/// Messages of one dialect.
struct Golden {
    spec: &'static Spec,
    messages: Vec<Vec<u8>>,
}

pub(crate) fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    for (name, spec, headers) in
        [("pos", Spec::pos(), HEADERS), ("epos", Spec::pos(), HEADERS), ("atm", Spec::atm(), 0)]
    {
        let golden = Golden { spec, messages: messages(name, headers) };
        prove(name, &golden);
        measure(&mut group, name, &golden);
    }
    group.finish();
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, golden: &Golden) {
    let Golden { spec, messages } = golden;
    let bytes = messages.iter().map(Vec::len).sum::<usize>() as u64;
    group.throughput(Throughput::ElementsAndBytes { elements: messages.len() as u64, bytes });
    group.bench_function(format!("decode/{name}"), |bencher| {
        bencher.iter(|| {
            for wire in messages {
                black_box(Message::decode(spec, black_box(wire)).map(|message| message.number(11)).ok());
            }
        });
    });
    group.bench_function(format!("decode-partial/{name}"), |bencher| {
        bencher.iter(|| {
            for wire in messages {
                let (message, error) = Message::decode_partial(spec, black_box(cut(wire)));
                black_box((message.number(11), error));
            }
        });
    });
    let decoded: Vec<_> =
        messages.iter().map(|wire| Message::decode(spec, wire).expect("proved before")).collect();
    group.bench_function(format!("encode/{name}"), |bencher| {
        let mut out = BytesMut::with_capacity(1024);
        bencher.iter(|| {
            for message in &decoded {
                out.clear();
                write(message, &mut out);
                black_box(&out);
            }
        });
    });
    group.bench_function(format!("scan/{name}"), |bencher| {
        bencher.iter(|| {
            for wire in messages {
                black_box(black_box(wire).iter().fold(0, |all, byte| all ^ byte));
            }
        });
    });
}

/// Every message decodes, is written anew byte for byte, and is known to be cut short when it is.
fn prove(name: &str, golden: &Golden) {
    let Golden { spec, messages } = golden;
    assert!(messages.len() >= LEAST, "only {} messages of {name}", messages.len());
    let mut all = BytesMut::new();
    for wire in messages {
        let message = Message::decode(spec, wire).expect("a golden message decodes");
        assert!(message.number(11).is_some(), "it has a STAN");
        let written = all.len();
        write(&message, &mut all);
        assert_eq!(&all[written..], &wire[..], "{}", message.describe());
        let (partial, error) = Message::decode_partial(spec, cut(wire));
        assert!(error.is_some(), "the cut is seen");
        assert_eq!(partial.number(11), message.number(11), "what stands before it is read");
    }
    proof::result(&format!("codec {name}"), &all);
    proof::told(&format!("codec {name}"), &format!("{} messages, {} bytes", messages.len(), all.len()));
}

/// A message whose last byte is missing.
fn cut(wire: &[u8]) -> &[u8] {
    &wire[..wire.len() - 1]
}

fn write(message: &Message<'_>, out: &mut BytesMut) {
    let mut builder = Builder::new(message.spec(), out, message.mti());
    for field in message.fields() {
        builder.copy(field, message).expect("it was of this table");
    }
    builder.finish().expect("it was a message");
}

/// What stands in the lines of a recording, without headers.
fn messages(name: &str, headers: usize) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(fixture(&format!("golden/{name}.txt"))).expect("golden frames");
    let frames = text.lines().filter_map(|line| line.strip_prefix("> ").or(line.strip_prefix("< ")));
    let frames = frames.filter(|hex| !hex.is_empty());
    frames.map(|hex| hex.as_bytes().chunks(2).skip(headers).map(byte).collect()).collect()
}

fn byte(hex: &[u8]) -> u8 {
    hex.iter().fold(0, |byte, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'F' => digit - b'A' + 10,
            _ => panic!("golden frames are hexadecimal"),
        };
        byte << 4 | digit
    })
}
