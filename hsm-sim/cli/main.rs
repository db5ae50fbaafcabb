//! The program `hsm-sim`: the engine's commands for people.
//!
//! It does I/O, which the library does not, and is built only with the feature
//! `cli`. Start at [`main`].

use clap::{Parser, Subcommand};
use hsm_sim::check::{self, FamilyReport, made};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// A file that cannot be read, or is none of vectors.
const UNREADABLE: u8 = 2;

/// A software HSM for test and development. Never FIPS 140, never PCI HSM.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run known answers through the engine.
    ///
    /// Prints a line for each family of vectors, and each value that differs with the vector's id; never a computed
    /// value, which may be a key. Ends with 0 if everything agrees, with 1 if anything differs or a family is
    /// unknown, with 2 if a file cannot be read.
    #[command(after_help = "A file is JSON: {\"vectors\": [{\"id\": …, \"family\": …, \"inputs\": {…}, \
                            \"expected\": {…}}]}, bytes in upper-case hexadecimal.\n\
                            fixtures/vectors/hsm.json has all families that are known.")]
    CheckVectors {
        /// Also print what the file expects where something differs. Only for test keys.
        #[arg(long)]
        show: bool,
        /// Files of vectors.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Make vectors for other implementations to check.
    ///
    /// Key blocks and PIN blocks that hold random parts of this engine's, with the clear keys and PINs in them, all
    /// drawn from the seed and good for nothing else. Prints a file of the form that check-vectors reads.
    MakeVectors {
        /// How many for each family.
        #[arg(long, default_value_t = 1000)]
        count: usize,
        /// From the same seed come the same vectors.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    let out = &mut io::stdout().lock();
    let done = match Arguments::parse().command {
        Command::CheckVectors { show, files } => check_vectors(&files, show, out),
        Command::MakeVectors { count, seed } => {
            writeln!(out, "{}", made::vectors(count, seed)).map(|()| ExitCode::SUCCESS)
        }
    };
    // A reader that goes away early, as `head` does, leaves work undone.
    done.unwrap_or(ExitCode::FAILURE)
}

fn check_vectors(files: &[PathBuf], show: bool, out: &mut dyn Write) -> io::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match read(file) {
            Ok(report) => {
                for family in &report.families {
                    print(family, show, out)?;
                }
                if report.families.is_empty() {
                    writeln!(out, "{}: no vectors", file.display())?;
                }
                if !report.is_good() {
                    code = ExitCode::FAILURE;
                }
            }
            Err(error) => {
                writeln!(io::stderr().lock(), "hsm-sim: {}: {error}", file.display())?;
                return Ok(ExitCode::from(UNREADABLE));
            }
        }
    }
    Ok(code)
}

fn read(file: &Path) -> Result<check::Report, Box<dyn std::error::Error>> {
    Ok(check::check(&fs::read_to_string(file)?)?)
}

fn print(family: &FamilyReport, show: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:<20} {} of {}", family.name, family.agreed, family.total)?;
    for mismatch in &family.mismatches {
        write!(out, "  {}: {}", mismatch.id, mismatch.reason)?;
        match &mismatch.expected {
            Some(expected) if show => writeln!(out, ", expected {expected}")?,
            _ => writeln!(out)?,
        }
    }
    Ok(())
}
