//! The binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ics_setup::cli::run(std::env::args_os().collect())
}
