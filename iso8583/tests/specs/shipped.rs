//! The specifications that come with the crate.

use iso8583::{Spec, SpecFile};

fn file(name: &str) -> SpecFile {
    SpecFile::from_toml(Spec::shipped_toml(name).expect(name)).expect(name)
}

#[test]
fn every_shipped_specification_compiles_and_has_the_name_of_its_file() {
    let names: Vec<&str> = Spec::shipped_names().collect();
    assert_eq!(names.len(), 9);
    for name in names {
        assert_eq!(Spec::shipped(name).expect(name).name(), name);
    }
    assert!(Spec::shipped("iso1999").is_none() && Spec::shipped_toml("").is_none());
    assert!(std::ptr::eq(Spec::pos(), Spec::shipped("pos").expect("shipped")));
}

#[test]
fn what_is_written_reads_back_the_same() {
    for name in Spec::shipped_names() {
        let file = file(name);
        let text = file.to_toml();
        assert_eq!(SpecFile::from_toml(&text).as_ref(), Ok(&file), "{name}");
        assert_eq!(SpecFile::from_toml(&text).expect(name).to_toml(), text, "{name}");
    }
}

#[test]
fn epos_differs_from_pos_in_the_parts_of_field_57_and_the_dial_record() {
    let (mut pos, mut epos) = (file("pos"), file("epos"));
    let psam = epos.fields.iter_mut().find(|field| field.number == 57).expect("there");
    assert!(psam.element.composite.take().is_some());
    assert_eq!(epos.header.as_ref().map(ToString::to_string).as_deref(), Some("dial? + tpdu + application"));
    epos.header.clone_from(&pos.header);
    pos.name.clone_from(&epos.name);
    assert_eq!(pos, epos);
}

#[test]
fn what_may_hold_a_card_number_a_key_or_a_name_is_never_clear() {
    use iso8583::Show::Clear;
    for name in Spec::shipped_names() {
        let spec = Spec::shipped(name).expect(name);
        for number in [2, 34, 35, 36, 43, 45, 46, 47, 48, 52, 53, 55, 59, 64, 96, 102, 103, 128] {
            let field =
                spec.field(number).filter(|field| field.class() != iso8583::Class::Numeric || number == 2);
            assert_ne!(field.map(iso8583::Field::show), Some(Clear), "{name} DE {number}");
        }
    }
}

#[test]
fn the_editions_are_told_by_the_first_digit() {
    use iso8583::{DecodeErrorKind, Message};
    for (name, good, other) in [("iso1987-ascii", b"0800", b"1804"), ("iso1993-ascii", b"1804", b"0800")] {
        let spec = Spec::shipped(name).expect(name);
        let wire = |mti: &[u8]| [mti, b"0000000000000000"].concat();
        assert!(Message::decode(spec, &wire(good)).is_ok(), "{name}");
        let error = Message::decode(spec, &wire(other)).expect_err(name);
        assert_eq!((error.offset, error.kind), (0, DecodeErrorKind::WrongVersion), "{name}");
    }
}
