//! What must hold of the switch, scenario by scenario. One binary, so that it is linked once.

mod additions;
mod alerts;
mod allocation;
mod atm;
mod attacks;
mod backtests;
mod bad_input;
mod bad_settings;
mod charted;
mod crash;
mod currencies;
mod days_and_spots;
mod decisions;
mod durability;

mod epos;
mod follow;
mod golden_events;
mod golden_frames;
mod holder_limits;
mod holds;
mod hostile;
mod journal;
mod key_life;
mod keys;
mod leaks;
mod limits;
mod lists;
mod model;
mod money;
mod notices;
mod officers;
mod partial;
mod power;
mod race;
mod recovery;
mod restarts;
mod rule_files;
mod rulebooks;
mod rules;
mod shares;
mod socket_writes;
mod stop;
mod top;
mod trace;
mod undone;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_cardswitch-under-test");
