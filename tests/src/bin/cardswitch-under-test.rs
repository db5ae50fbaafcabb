//! The program under test: exactly `cardswitch`, built with the tests so that they always run today's.

use std::process::ExitCode;

fn main() -> ExitCode {
    cardswitch::cli::main()
}
