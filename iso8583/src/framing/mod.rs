//! Frames: a length in front of each message, and cutting a stream where it says.
//!
//! Start at [`Framer`]; what a length looks like is a [`LengthHeader`], made from a word such as `binary2`. There is
//! no I/O here, no buffer and no allocation: the caller holds the bytes and is told where a frame lies in them. Left
//! out are trailers behind a frame, and lengths that leave out some of the headers behind them.
//!
//! ```
//! use bytes::BytesMut;
//! use iso8583::framing::{Framer, LengthHeader, Next};
//!
//! let framer = Framer::new("ascii4".parse::<LengthHeader>()?, 8192);
//! let mut stream = BytesMut::new();
//! framer.put(b"0800...", &mut stream)?;
//! assert_eq!(&stream[..], b"00070800...");
//!
//! // A reader that asks for no more than it is told it needs never reads past a frame.
//! assert_eq!(framer.next(&stream[..4]), Next::Incomplete { needs: 7 });
//! assert_eq!(framer.next(&stream), Next::Frame(4..11));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod framer;
mod length;

pub use framer::{Framer, FramingError, Next};
pub use length::{Counts, LengthForm, LengthHeader, LengthHeaderError, LengthOverflow};
