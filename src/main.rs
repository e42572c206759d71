//! The command line, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent_studio::cli::main()
}
