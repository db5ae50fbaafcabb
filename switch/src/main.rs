//! The program `cardswitch`. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    cardswitch::cli::main()
}
