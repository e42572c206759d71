//! Starts the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent_studio::cli::main()
}
