//! ISO 8583 messages as values: bytes in, [`Message`] out, and back by a [`Builder`].
//!
//! This crate performs no I/O, reads no clock, starts no thread and logs
//! nothing. Framing (the length and the headers in front of a message) and the
//! meaning of fields live in the switch; keys and MACs in the HSM.
//!
//! Start at [`Message::decode`]. What a field looks like on the wire is data,
//! not code: a [`Spec`] compiled from a field table. [`Spec::pos`] packs digits
//! two to a byte, [`Spec::atm`] writes characters; values read alike from both.
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
//! # Field tables
//!
//! A table is a TOML file; `specs/pos.toml` (packed) and `specs/atm.toml`
//! (ASCII) in this crate are two. Keys that are not listed here are refused. The
//! head says how the envelope is written, and whether fields are packed:
//!
//! | key | value |
//! |---|---|
//! | `name` | the dialect's name |
//! | `mti` | `"bcd"`: two bytes · `"ascii"`: four digits |
//! | `bitmap` | `"binary"`: 8 bytes, 16 if bit 1 is set · `"hex"`: 16 or 32 hex characters |
//! | `encoding` | of the fields: `"packed"`, also if left out: digits two to a byte, prefixes BCD, bytes as they are · `"ascii"`: digits and prefixes as characters, bytes as two hex characters each |
//!
//! Hex characters are `0`–`9` and `A`–`F`; lower case is refused.
//!
//! Each `[[field]]` is one data element:
//!
//! | key | value |
//! |---|---|
//! | `number` | 2 to 128, each at most once |
//! | `name` | what people call it |
//! | `class` | `"n"` digits · `"z"` track digits, the separator `D` if packed, `=` or `D` in ASCII · `"an"` letters, digits, space · `"ans"` any text · `"b"` bytes, in ASCII of fixed length only · `"tlv"` BER-TLV objects, packed only |
//! | `length` | of a fixed field, 1 to 999, in digits (`n`, `z`) or bytes (a byte in hex counts once) |
//! | `prefix`, `max` | of a variable field: `"ll"` (one BCD byte, or two characters) or `"lll"` (two, or three), and the longest value, in the same unit |
//! | `align` | `"left"` or `"right"`, needed for a fixed odd count of packed digits and refused elsewhere; behind a prefix digits are left-aligned |
//! | `show` | `"clear"` · `"pan"` first six and last four digits · `"track"` or `"secret"` length only; left out, it is `"secret"` |
//!
//! # Limits
//!
//! A message has at most [`MESSAGE_BYTES_MAX`] bytes. Decoding allocates
//! nothing; building allocates only when the caller's buffer has to grow.

mod build;
mod content;
mod decode;
mod describe;
mod digits;
mod error;
mod field_set;
mod hex;
mod message;
mod mti;
mod pack;
mod simple_tlv;
mod spec;
mod table_file;
mod tlv;

pub use build::Builder;
pub use digits::Digits;
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, FieldPath};
pub use message::Message;
pub use mti::Mti;
pub use simple_tlv::SimpleTlvs;
pub use spec::{Align, Class, Encoding, Field, Length, Prefix, Show, Spec};
pub use table_file::{Place, SpecError};
pub use tlv::{Tlv, Tlvs};

/// The longest message, in bytes from the MTI on: what the 2-byte length of a
/// frame can announce.
pub const MESSAGE_BYTES_MAX: usize = 65_535;
