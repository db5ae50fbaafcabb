//! ISO 8583 messages as values: bytes in, [`Message`] out, and back by a [`Builder`].
//!
//! This crate performs no I/O, reads no clock, starts no thread and logs
//! nothing. The meaning of fields lives in the switch; keys and MACs in the HSM.
//! What stands in front of a message is in [`header`] and [`framing`]; what bytes
//! of unknown origin may be, [`guess`] tells.
//!
//! Start at [`Message::decode`]. What a field looks like on the wire is data,
//! not code: a [`Spec`] compiled from a field table. `Spec::pos` packs digits
//! two to a byte, `Spec::atm` writes characters; values read alike from both.
//!
//! ```
//! use bytes::BytesMut;
//! use iso8583::{Builder, Message, Mti, Spec};
//!
//! // A terminal asks for a balance ...
//! let mut wire = BytesMut::new();
//! let mut builder = Builder::new(Spec::pos(), &mut wire, Mti::new(0x0200));
//! builder.digits(2, b"6200000000000005")?.number(3, 310_000)?.number(11, 42)?.text(41, b"77000001")?;
//! builder.finish()?;
//!
//! // ... and this is how its message is read and answered.
//! let request = Message::decode(Spec::pos(), &wire)?;
//! assert_eq!(request.number(11), Some(42));
//! assert_eq!(
//!     request.describe().to_string(),
//!     "MTI 0200\n\
//!      DE 2 primary account number: 620000******0005\n\
//!      DE 3 processing code: 310000\n\
//!      DE 11 STAN: 000042\n\
//!      DE 41 terminal: \"77000001\"",
//! );
//! let mut reply = BytesMut::new();
//! let mut builder = Builder::new(Spec::pos(), &mut reply, request.mti().answer());
//! builder.copy(3, &request)?.copy(11, &request)?.text(39, b"00")?.copy(41, &request)?;
//! let mac_at = builder.mac_placeholder(64)?;
//! let message = builder.finish()?;
//! // The MAC over `covered` goes to the 8 bytes behind it.
//! let covered = &reply[message.start..message.start + mac_at];
//! # assert_eq!(covered.len() + 8, reply.len());
//!
//! // An error says where and which rule, never what the bytes were.
//! let error = Message::decode(Spec::pos(), &wire[..14]).unwrap_err();
//! assert_eq!(error.to_string(), "DE 2 at byte 11: needs 8 bytes, 3 left");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Specifications
//!
//! A table is data: a TOML file, or a [`SpecFile`] that a program or [`import`]
//! made. Its format is described in `SPEC-FORMAT.md` beside this crate and,
//! member by member, at [`SpecFile`]; `Spec::shipped_names` has examples, and
//! the editions of the standard to begin from. A field may be made up of parts,
//! which have paths of their own.
//!
//! ```
//! use bytes::BytesMut;
//! use iso8583::{Builder, Message, Mti, Rules, Spec};
//!
//! let spec = Spec::from_toml(r#"
//!     name = "toy"
//!     mti = "ascii"
//!     bitmap = "hex"
//!     encoding = "ascii"
//!     field = [
//!         { number = 13, name = "local date", class = "n", length = 4, format = "MMDD", show = "clear" },
//!         { number = 48, name = "extras", class = "ans", prefix = "lll", max = 999, composite = {
//!             kind = "tags", tag = { encoding = "ascii", length = 2 }, size = { encoding = "ascii", length = 2 },
//!             part = [{ tag = "07", name = "table", class = "n", max = 3, show = "clear" }] } },
//!     ]
//!     message = [{ mti = "02x0", required = [13] }]
//! "#)?;
//! let mut wire = BytesMut::new();
//! let mut builder = Builder::new(&spec, &mut wire, Mti::new(0x0200));
//! builder.parts(48, |parts| parts.digits("07", b"12")?.bytes("99", b"unheard of").map(drop))?;
//! builder.finish()?;
//! assert_eq!(&wire[20..], b"0200702129910unheard of");
//!
//! let message = Message::decode(&spec, &wire)?;
//! assert_eq!(message.part(&"48.07".parse()?).and_then(|part| part.number()), Some(12));
//! assert_eq!(message.unknown().map(|part| part.path().to_string()).collect::<Vec<_>>(), ["DE 48.99"]);
//! // It can be read, but it is not what the specification asks of a 0200.
//! assert_eq!(message.validate(&Rules::ALL)[0].to_string(), "DE 13: missing in a message of this type");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What people already have for other libraries becomes such a table too; what
//! has no counterpart here is refused by name, see [`import`].
//!
//! ```
//! use iso8583::{Message, Spec, import::jpos};
//!
//! let packager = br#"<isopackager>
//!   <isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>
//!   <isofield id="1" length="16" name="bitmap" class="org.jpos.iso.IFA_BITMAP"/>
//!   <isofieldpackager id="3" length="6" name="processing code" class="org.jpos.iso.IFA_NUMERIC"
//!       emitBitmap="false" packager="org.jpos.iso.packager.GenericSubFieldPackager">
//!     <isofield id="1" length="2" name="transaction" class="org.jpos.iso.IFA_NUMERIC"/>
//!     <isofield id="2" length="4" name="accounts" class="org.jpos.iso.IFA_NUMERIC"/>
//!   </isofieldpackager>
//! </isopackager>"#;
//! let imported = jpos::import("theirs", packager)?;
//! assert!(imported.notes.is_empty());
//! let spec = Spec::compile(&imported.spec)?;
//! let message = Message::decode(&spec, b"02002000000000000000311000")?;
//! assert_eq!(message.part(&"3.1".parse()?).and_then(|part| part.number()), Some(31));
//! // It is a file like any other from here on: `show`, `format` and rules for messages can be added to it.
//! assert!(imported.spec.to_toml().contains("name = \"transaction\""));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! `toml`, on unless turned off, reads and writes the files of specifications
//! and has those of this crate; without it nothing is needed but nom, bytes and
//! thiserror, and tables are made of a [`SpecFile`] in memory. `import` reads
//! moov-io's JSON and YAML (jPOS's XML is always read). `json` writes messages
//! as JSON and reads them.
//!
//! # Limits
//!
//! A message has at most [`MESSAGE_BYTES_MAX`] bytes. Decoding allocates
//! nothing; building allocates only when the caller's buffer has to grow.

mod build;
mod build_parts;
mod charset;
mod compile;
mod compile_composite;
mod composite;
mod content;
mod cursor;
mod decode;
mod describe;
mod digits;
mod element;
mod error;
mod field;
mod field_set;
pub mod framing;
pub mod guess;
pub mod header;
mod hex;
pub mod import;
#[cfg(feature = "json")]
pub mod json;
mod lens;
mod message;
mod mti;
mod out;
mod pack;
mod part_bitmap;
mod parts;
mod path;
mod plan;
mod quick;
mod repack;
#[cfg(feature = "toml")]
mod shipped;
mod signed;
mod simple_tlv;
mod spec;
mod spec_error;
mod spec_file;
mod swar;
mod tlv;
mod validate;

pub use build::Builder;
pub use build_parts::PartsBuilder;
pub use charset::Text;
pub use digits::Digits;
pub use element::{Element, Octets};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, FieldPath};
pub use field::{Align, Class, Encoding, Field, Length, Prefix, Show};
pub use message::Message;
pub use mti::Mti;
pub use parts::Parts;
pub use path::{BadPath, PATH_STEPS_MAX, Path, Step};
pub use signed::Signed;
pub use simple_tlv::SimpleTlvs;
pub use spec::Spec;
pub use spec_error::{Place, SpecError};
pub use spec_file::{
    BitmapForm, CodePage, CompositeDef, CompositeKind, Counts, ElementDef, Family, FieldDef, Format,
    MessageRule, MtiForm, MtiPattern, PartDef, PartKey, PrefixEncoding, SizeForm, SpecFile, TagForm,
    Tertiary, ValueEncoding, Version,
};
pub use tlv::{Tlv, Tlvs};
pub use validate::{Fault, FaultKind, Rules};

/// The longest message, in bytes from the MTI on: what the 2-byte length of a
/// frame can announce.
pub const MESSAGE_BYTES_MAX: usize = 65_535;

/// The examples of the README are tested with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
