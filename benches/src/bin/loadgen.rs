//! The program `loadgen`. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    switch_benches::loadgen::main()
}
