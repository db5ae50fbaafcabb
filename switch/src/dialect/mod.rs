//! Dialects: which field means what, and which response code says what.
//!
//! A dialect turns a frame into a [`crate::books::request::Request`] and an [`crate::books::request::Answer`]
//! into a frame. It decides nothing and knows no keys. How frames are cut from the stream is the channel's
//! business, how MACs are checked the verify stage's.

pub mod pos;
