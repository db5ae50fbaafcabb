//! Specifications as files: what they may say, and that they say it both ways.

mod rules;
mod shipped;
