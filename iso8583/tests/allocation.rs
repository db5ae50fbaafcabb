//! What a warm codec takes from the heap: nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::BytesMut;
use iso8583::{Builder, EncodeError, Message, Mti, Path, Spec};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The system's allocator, which also counts what each thread takes.
struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes to the system's allocator with what it was given; counting touches no memory of it and
// allocates none, because the counter is a `const` thread-local without a destructor. Growing and zeroing come here
// too, through the trait's own methods.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// What something takes from the heap, in calls.
fn taken<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = TAKEN.get();
    let result = work();
    (TAKEN.get() - before, result)
}

#[test]
fn the_counter_sees_an_allocation() {
    assert_eq!(taken(|| vec![0; 100].len()), (1, 100));
}

#[test]
fn a_warm_buffer_is_built_into_without_the_heap() {
    for (name, write) in MESSAGES {
        let spec = Spec::shipped(name).expect("shipped");
        let mut out = BytesMut::new();
        write(spec, &mut out).expect("it can be built");
        for _ in 0..3 {
            out.clear();
            let (calls, result) = taken(|| write(spec, &mut out));
            assert_eq!((calls, result), (0, Ok(())), "{name}");
        }
        // A message that is refused costs nothing either.
        out.clear();
        let refused = || Builder::new(spec, &mut out, Mti::new(0x02F0)).finish().is_err() && out.is_empty();
        assert_eq!(taken(refused), (0, true), "{name}");
    }
}

#[test]
fn decoding_and_every_view_do_without_the_heap() {
    for (name, write) in MESSAGES {
        let spec = Spec::shipped(name).expect("shipped");
        let mut wire = BytesMut::new();
        write(spec, &mut wire).expect("it can be built");
        let (calls, seen) = taken(|| look(&Message::decode(spec, &wire).expect("it decodes")));
        assert_eq!(calls, 0, "{name}");
        assert!(seen > 100, "{name}: only {seen} bytes and digits were seen");
        let cut = &wire[..wire.len() - 1];
        let (calls, error) = taken(|| Message::decode(spec, cut).err());
        assert!(calls == 0 && error.is_some(), "{name} cut short");
        let (calls, seen) = taken(|| look(&Message::decode_partial(spec, cut).0));
        assert!(calls == 0 && seen > 50, "{name} cut short");
    }
}

/// Asks every view of every field and part; how many bytes and digits they had.
fn look(message: &Message<'_>) -> usize {
    let mut seen = 0;
    for field in message.fields() {
        seen += message.raw(field).map_or(0, <[u8]>::len) + message.wire(field).map_or(0, <[u8]>::len);
        seen += message.digits(field).map_or(0, |digits| digits.iter().count());
        seen += message.text(field).map_or(0, <[u8]>::len);
        seen += message.tlvs(field).into_iter().flatten().map(|object| object.value.len()).sum::<usize>();
        let facts = (message.has(field), message.number(field), message.start(field), message.span(field));
        seen += usize::from(facts.0 && facts.2.is_some() && facts.3.is_some());
        seen += usize::from(message.fixed::<8>(field).is_some());
        seen += message.part(&Path::new(field)).map_or(0, |element| element.raw().len());
    }
    for element in message.elements().chain(message.unknown()) {
        seen += element.digits().map_or(0, |digits| digits.to_u64().map_or(1, |_| digits.len()));
        seen += element.text().map_or(0, |text| text.iter().count());
        seen += element.octets().map_or(0, |octets| octets.iter().count());
        seen += usize::from(element.number().is_some() || element.signed().is_some());
        seen += element.parts().into_iter().flatten().map(|part| part.wire().len()).sum::<usize>();
    }
    seen + usize::from(*message == message.clone())
}

type Write = fn(&Spec, &mut BytesMut) -> Result<(), EncodeError>;

const MESSAGES: [(&str, Write); 4] =
    [("iso1987-ascii", edition), ("iso1987-binary", edition), ("pos", chip), ("ipm", clearing)];

/// A purchase as the editions of the standard have it.
fn edition(spec: &Spec, out: &mut BytesMut) -> Result<(), EncodeError> {
    let mut builder = Builder::new(spec, out, Mti::new(0x0200));
    builder.digits(2, b"6200009876543214")?.number(3, 0)?.number(4, 12_345)?.number(7, 1_122_093_100)?;
    builder.number(11, 42)?.digits(22, b"051")?.text(28, b"D00000200")?.digits(32, b"48010000")?;
    builder.digits(35, b"6200009876543214=30122010000012300000")?.text(37, b"532617000042")?;
    builder.text(41, b"77000001")?.text(42, b"888000000000001")?.bytes(52, &[0xA5; 8])?;
    builder.text(103, b"other side")?.mac_placeholder(128)?;
    builder.finish().map(drop)
}

/// A purchase with a chip.
fn chip(spec: &Spec, out: &mut BytesMut) -> Result<(), EncodeError> {
    let mut builder = Builder::new(spec, out, Mti::new(0x0200));
    builder.digits(2, b"6200009876543214")?.number(4, 12_345)?.digits(22, b"051")?.digits(23, b"001")?;
    builder.bytes(52, &[0xA5; 8])?.bytes(55, b"\x9F\x26\x02\xAA\xBB\x95\x05\x00\x80\x04\xE0\x00")?;
    builder.digits(60, b"22000001000501")?.mac_placeholder(64)?;
    builder.finish().map(drop)
}

/// A clearing record whose private data are made up of parts.
fn clearing(spec: &Spec, out: &mut BytesMut) -> Result<(), EncodeError> {
    let mut builder = Builder::new(spec, out, Mti::new(0x1240));
    builder.digits(2, b"6200009876543214")?.parts(48, |parts| {
        parts.text("PDS0052", b"210")?.text("PDS0158", b"CIR2200001  01")?.bytes("PDS9999", b"unheard of")?;
        Ok(())
    })?;
    builder.number(71, 1)?;
    builder.finish().map(drop)
}
