//! Whatever obeys the table can be built, and decodes to the values that were put.

use bytes::BytesMut;
use iso8583::{Builder, Class, Length, Message, Mti, Spec};
use proptest::prelude::*;

use crate::samples::rebuild;

/// A field with a value, in the form its `Builder` method takes.
type Put = (u8, Vec<u8>);

/// Any selection of fields with any values the table allows.
fn message() -> impl Strategy<Value = Vec<Put>> {
    let fields: Vec<_> = (2..=128).filter(|&number| Spec::pos().field(number).is_some()).map(value).collect();
    fields.prop_map(|fields| fields.into_iter().flatten().collect())
}

fn value(number: u8) -> impl Strategy<Value = Option<Put>> {
    let field = Spec::pos().field(number).expect("in the table");
    let item = match field.class() {
        Class::Numeric => (b'0'..=b'9').boxed(),
        Class::Track => prop_oneof![9 => b'0'..=b'9', 1 => Just(b'=')].boxed(),
        Class::Alphanumeric => prop_oneof![b'0'..=b'9', b'a'..=b'z', b'A'..=b'Z', Just(b' ')].boxed(),
        // Filler between objects is the one content that is good at any length.
        Class::Tlv => Just(0).boxed(),
        Class::Text | Class::Binary => any::<u8>().boxed(),
    };
    let length = match field.length() {
        Length::Fixed(length) => usize::from(length)..=length.into(),
        Length::Variable { max, .. } => 0..=usize::from(max),
    };
    prop::option::of(prop::collection::vec(item, length).prop_map(move |value| (number, value)))
}

fn build(fields: &[Put]) -> BytesMut {
    let mut out = BytesMut::new();
    let mut builder = Builder::new(Spec::pos(), &mut out, Mti::new(0x0200));
    for (number, value) in fields {
        let put = match Spec::pos().field(*number).expect("in the table").class() {
            Class::Numeric | Class::Track => builder.digits(*number, value),
            Class::Alphanumeric | Class::Text => builder.text(*number, value),
            Class::Binary | Class::Tlv => builder.bytes(*number, value),
        };
        put.expect("it obeys the table");
    }
    builder.finish().expect("it obeys the table");
    out
}

proptest! {
    #[test]
    fn what_is_built_decodes_to_what_was_put(fields in message()) {
        let bytes = build(&fields);
        let message = Message::decode(Spec::pos(), &bytes).expect("what was built decodes");
        let numbers: Vec<u8> = fields.iter().map(|(number, _)| *number).collect();
        prop_assert_eq!(message.fields().collect::<Vec<_>>(), numbers);
        for (number, value) in &fields {
            let mut room = [0; 999];
            let found = match message.digits(*number) {
                Some(digits) => digits.copy_ascii(&mut room).expect("enough room"),
                None => message.raw(*number).expect("there"),
            };
            prop_assert_eq!(found, &value[..], "DE {}", number);
        }
        prop_assert_eq!(rebuild(&message), bytes);
    }

    #[test]
    fn a_copy_of_every_field_is_the_message(fields in message()) {
        let bytes = build(&fields);
        let message = Message::decode(Spec::pos(), &bytes).expect("what was built decodes");
        let mut out = BytesMut::new();
        let mut builder = Builder::new(Spec::pos(), &mut out, message.mti());
        for number in 2..=128 {
            builder.copy(number, &message).expect("it obeys the table");
        }
        builder.finish().expect("it obeys the table");
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn a_wrong_length_is_refused_and_leaves_nothing(number in 2..=128u8, given in 0..1200usize) {
        let Some(field) = Spec::pos().field(number) else { return Ok(()) };
        let mut out = BytesMut::new();
        let mut builder = Builder::new(Spec::pos(), &mut out, Mti::new(0x0200));
        let zeros = vec![if field.class() == Class::Binary || field.class() == Class::Tlv { 0 } else { b'0' }; given];
        let put = match field.class() {
            Class::Numeric | Class::Track => builder.digits(number, &zeros).map(drop),
            Class::Alphanumeric | Class::Text => builder.text(number, &zeros).map(drop),
            Class::Binary | Class::Tlv => builder.bytes(number, &zeros).map(drop),
        };
        let allowed = match field.length() {
            Length::Fixed(length) => given == usize::from(length),
            Length::Variable { max, .. } => given <= usize::from(max),
        };
        prop_assert_eq!(put.is_ok(), allowed);
        prop_assert_eq!(builder.finish().is_ok(), allowed);
        prop_assert_eq!(out.is_empty(), !allowed);
    }
}
