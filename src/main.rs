//! Starts: parses what was typed, runs it, shows what went wrong, and sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    foresail::cli::main(std::env::args_os())
}
