//! Documents that mean harm: any bytes give an error or a specification that
//! compiles, soon.

use proptest::prelude::*;

use super::{ImportError, Imported, jpos, moov};
use crate::{Spec, SpecFile};

/// A specification that came out compiles and can be written; an error can be
/// printed in lines that do no harm to a terminal.
fn check(imported: Result<Imported, ImportError>) {
    match imported {
        Ok(Imported { spec, notes }) => {
            assert!(Spec::compile(&spec).is_ok());
            assert_eq!(SpecFile::from_toml(&spec.to_toml()).as_ref(), Ok(&spec));
            assert!(notes.iter().all(|note| !note.to_string().contains(char::is_control)));
        }
        Err(error) => {
            assert!(matches!(error.refusals().len(), 1..=100));
            assert!(error.refusals().iter().all(|refusal| !refusal.to_string().contains(char::is_control)));
        }
    }
}

fn all(bytes: &[u8]) {
    check(jpos::import("hostile", bytes));
    check(moov::import_json(bytes));
    check(moov::import_yaml(bytes));
}

const XML: &str = "<isopackager maxValidField='128'>
<isofield id='0' length='4' name='MTI' class='org.jpos.iso.IFA_NUMERIC'/>
<isofield id='1' length='16' name='bitmap' class='org.jpos.iso.IFA_BITMAP'/>
<isofield id='2' length='19' name='PAN' pad='true' class='org.jpos.iso.IFB_LLNUM'/>
<isofieldpackager id='48' length='999' name='x' class='org.jpos.iso.IFE_LLLCHAR' emitBitmap='false'
 packager='org.jpos.iso.packager.GenericSubFieldPackager'>
<isofield id='1' length='5' name='a' class='org.jpos.iso.IF_CHAR'/>
<isofieldpackager id='2' length='99' name='b' class='org.jpos.iso.IFA_LLCHAR'
 packager='org.jpos.iso.packager.EuroSubFieldPackager'>
<isofield id='42' length='9' name='c' class='org.jpos.iso.IFMC_LLCHAR'/></isofieldpackager></isofieldpackager>
</isopackager>";

const JSON: &str = r#"{"name": "x", "fields": {
"0": {"type": "String", "length": 4, "enc": "ASCII", "prefix": "ASCII.Fixed"},
"1": {"type": "Bitmap", "enc": "HexToASCII", "prefix": "Hex.Fixed"},
"3": {"type": "Composite", "length": 6, "prefix": "ASCII.Fixed", "tag": {"sort": "StringsByInt"}, "subfields": {
 "1": {"type": "String", "length": 2, "enc": "BCD", "prefix": "BCD.Fixed"}}},
"55": {"type": "Composite", "length": 255, "prefix": "ASCII.LLL", "tag": {"enc": "BerTLVTag", "sort": "StringsByHex"},
 "subfields": {"9F02": {"type": "Hex", "enc": "Binary", "prefix": "BerTLV"}}}}}"#;

/// A document with one change: a byte put in, taken out or replaced, or a piece
/// of it repeated.
fn changed(document: &'static str) -> impl Strategy<Value = Vec<u8>> {
    (0..document.len(), 0..document.len(), any::<u8>(), 0..4_u8).prop_map(move |(at, to, byte, how)| {
        let mut bytes = document.as_bytes().to_vec();
        match how {
            0 => bytes.insert(at, byte),
            1 => drop(bytes.remove(at)),
            2 => bytes[at] = byte,
            _ => {
                let piece = bytes[at.min(to)..at.max(to)].to_vec();
                drop(bytes.splice(at..at, piece));
            }
        }
        bytes
    })
}

/// Words of all three formats in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "<isopackager>",
        "</isopackager>",
        "<isofield ",
        "<isofieldpackager ",
        "</isofieldpackager>",
        "/>",
        ">",
        "<",
        "id='48'",
        "length='9'",
        "class='org.jpos.iso.IF_CHAR'",
        "packager='org.jpos.iso.packager.GenericSubFieldPackager'",
        "&#65;",
        "&",
        "<!--",
        "-->",
        "<!DOCTYPE ",
        "[",
        "]",
        "<?",
        "?>",
        "{",
        "}",
        "\"fields\":",
        "\"0\":",
        ":",
        ",",
        "- ",
        "\n  ",
        "\t",
        "fields:",
        "? ",
        "| ",
        "&a",
        "*a",
        "!!str",
        "'",
        "\"",
        "---",
        "#",
        "type: String",
        "\u{FEFF}",
        "\u{0}",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_bytes_give_an_error_or_a_specification(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        all(&bytes);
    }

    #[test]
    fn any_words_of_the_formats_do(text in words()) {
        all(text.as_bytes());
    }

    #[test]
    fn a_changed_packager_file_does(bytes in changed(XML)) {
        check(jpos::import("hostile", &bytes));
    }

    #[test]
    fn a_changed_document_does(bytes in changed(JSON)) {
        check(moov::import_json(&bytes));
        check(moov::import_yaml(&bytes));
    }
}

/// The unchanged documents are good, or changing them would show little.
#[test]
fn the_documents_that_are_changed_are_good() {
    assert!(jpos::import("x", XML.as_bytes()).is_ok());
    assert!(moov::import_json(JSON.as_bytes()).is_ok());
    assert_eq!(moov::import_yaml(JSON.as_bytes()), moov::import_json(JSON.as_bytes()));
}

/// Each document of a megabyte is read or refused in time that grows with its
/// length: all of them together take a few seconds unoptimised.
#[test]
fn long_documents_of_one_thing_are_read_in_time() {
    let million = super::DOCUMENT_BYTES_MAX;
    for piece in [
        "<a>",
        "<a/>",
        "<a b='",
        "<!--",
        "<![CDATA[",
        "<?x",
        "<!DOCTYPE [",
        "&amp;",
        "[",
        "{",
        "{\"a\":",
        "- ",
        "? ",
        "a: ",
        "*a ",
        "&a ",
        "\"",
        "'",
        "#",
        "\n",
        " ",
        "\t",
        "|\n",
        "%",
        "a\n",
        "a:\n ",
        "[a, ",
        "{a: ",
    ] {
        let document = piece.repeat(million / piece.len());
        all(document.as_bytes());
        check(jpos::import("long", format!("<isopackager>{document}").as_bytes()));
    }
    let rows = "<isofield id='3'/>".repeat(50_000);
    check(jpos::import("rows", format!("<isopackager>{rows}</isopackager>").as_bytes()));
}
