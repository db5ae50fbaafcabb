//! Specifications as files: what they may say, and that they say it both ways.

mod any;
mod everything;
mod hostile;
mod on_the_wire;
mod rules;
mod schema;
mod shipped;
mod views;
