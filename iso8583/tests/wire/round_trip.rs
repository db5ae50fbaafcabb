//! Whatever obeys a table can be built, and decodes to the values that were put.

use bytes::BytesMut;
use iso8583::{Builder, Class, Length, Message, Mti, Spec};
use proptest::prelude::*;

use crate::samples::{self, put, rebuild, specs};

/// A field with a value, in the form its `Builder` method takes.
type Put = (u8, Vec<u8>);

fn spec() -> impl Strategy<Value = &'static Spec> {
    prop::sample::select(specs().to_vec())
}

/// Any selection of fields of any table, with any values the table allows.
fn message() -> impl Strategy<Value = (&'static Spec, Vec<Put>)> {
    spec().prop_flat_map(|spec| {
        let numbers = (2..=128).filter(|&number| spec.field(number).is_some());
        let fields: Vec<_> = numbers.map(|number| value(spec, number)).collect();
        fields.prop_map(move |fields| (spec, fields.into_iter().flatten().collect()))
    })
}

fn value(spec: &Spec, number: u8) -> impl Strategy<Value = Option<Put>> + use<> {
    let field = spec.field(number).expect("in the table");
    let item = match field.class() {
        Class::Numeric => (b'0'..=b'9').boxed(),
        Class::Track => prop_oneof![9 => b'0'..=b'9', 1 => Just(b'=')].boxed(),
        Class::Signed => unreachable!("no table here has one"),
        Class::Alphanumeric => prop_oneof![b'0'..=b'9', b'a'..=b'z', b'A'..=b'Z', Just(b' ')].boxed(),
        // Filler between objects is the one content that is good at any length.
        Class::Tlv => Just(0).boxed(),
        Class::Text | Class::Binary => any::<u8>().boxed(),
    };
    let length = match field.length() {
        Length::Fixed(length) => usize::from(length)..=length.into(),
        Length::Variable { max, .. } => 0..=usize::from(max),
    };
    // The fields that the standard reserves are many and long; a few at a time will do.
    let likely = if number > 64 && length.end() > &100 { 0.1 } else { 0.5 };
    prop::option::weighted(likely, prop::collection::vec(item, length).prop_map(move |value| (number, value)))
}

fn build(mut builder: Builder<'_, '_>, spec: &Spec, fields: &[Put]) {
    for (number, value) in fields {
        let class = spec.field(*number).expect("in the table").class();
        put(&mut builder, class, *number, value).expect("it obeys the table");
    }
    builder.finish().expect("it obeys the table");
}

fn built(spec: &Spec, fields: &[Put]) -> BytesMut {
    let mut out = BytesMut::new();
    build(Builder::new(spec, &mut out, Mti::new(0x0200)), spec, fields);
    out
}

proptest! {
    #[test]
    fn what_is_built_decodes_to_what_was_put((spec, fields) in message()) {
        let bytes = built(spec, &fields);
        let message = Message::decode(spec, &bytes).expect("what was built decodes");
        let numbers: Vec<u8> = fields.iter().map(|(number, _)| *number).collect();
        prop_assert_eq!(message.fields().collect::<Vec<_>>(), numbers);
        for (number, value) in &fields {
            prop_assert_eq!(&samples::value(&message, *number), value, "DE {}", number);
        }
        prop_assert_eq!(rebuild(&message), bytes);
    }

    #[test]
    fn a_secondary_bitmap_from_the_start_changes_only_the_bitmap((spec, fields) in message()) {
        let mut out = BytesMut::new();
        build(Builder::with_secondary(spec, &mut out, Mti::new(0x0200)), spec, &fields);
        let message = Message::decode(spec, &out).expect("what was built decodes");
        let plain = built(spec, &fields);
        prop_assert_eq!(rebuild(&message), &plain);
        let wide = fields.iter().any(|(number, _)| *number > 64);
        prop_assert_eq!(wide, out == plain);
    }

    #[test]
    fn a_copy_of_every_field_is_the_message((spec, fields) in message()) {
        let bytes = built(spec, &fields);
        let message = Message::decode(spec, &bytes).expect("what was built decodes");
        let mut out = BytesMut::new();
        let mut builder = Builder::new(spec, &mut out, message.mti());
        for number in 2..=128 {
            builder.copy(number, &message).expect("it obeys the table");
        }
        builder.finish().expect("it obeys the table");
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn a_wrong_length_is_refused_and_leaves_nothing(spec in spec(), number in 2..=128u8, given in 0..1200usize) {
        let Some(field) = spec.field(number) else { return Ok(()) };
        let mut out = BytesMut::new();
        let mut builder = Builder::new(spec, &mut out, Mti::new(0x0200));
        let zero = if matches!(field.class(), Class::Binary | Class::Tlv) { 0 } else { b'0' };
        let put = put(&mut builder, field.class(), number, &vec![zero; given]);
        let allowed = match field.length() {
            Length::Fixed(length) => given == usize::from(length),
            Length::Variable { max, .. } => given <= usize::from(max),
        };
        prop_assert_eq!(put.is_ok(), allowed);
        prop_assert_eq!(builder.finish().is_ok(), allowed);
        prop_assert_eq!(out.is_empty(), !allowed);
    }
}
