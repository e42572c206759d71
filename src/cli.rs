//! Commands for operators and scripts: `serve`, and what can be done to workspaces, agents, users, keys and runtime tokens. Results
//! go to standard output; an error goes to standard error as one sentence, with an exit status other than 0.

/// `workspace`, `agent`, `user`: the things around keys.
mod admin;
/// `import` and `demo`.
mod data;
/// A believable workspace to look around in.
pub mod demo;
/// `key`.
mod key;
/// Finding what a command names.
mod lookup;
/// What commands print.
mod output;
/// `runtime-token`.
mod runtime_token;

use crate::gate;
use crate::server::serve::{serve, start_log};
use crate::server::settings::Settings;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// API keys for the conversation data of voice agents.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server
    Serve {
        /// Load the demo workspace first, where the database is empty, and print a sign-in for it
        #[arg(long)]
        demo_if_empty: bool,
    },
    /// Load the demo workspace: 3 agents, 500 conversations, two keys
    DemoCommand(data::DemoCommand),
    /// Bring conversations in from JSON Lines
    Import(data::Import),
    /// Make and list workspaces
    #[command(subcommand)]
    Workspace(admin::WorkspaceCommand),
    /// Make and list agents
    #[command(subcommand)]
    Agent(admin::AgentCommand),
    /// Make and list users, set passwords
    #[command(subcommand)]
    User(admin::UserCommand),
    /// Make, list, show and delete API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Make, list and revoke runtime tokens
    #[command(subcommand)]
    RuntimeToken(runtime_token::RuntimeTokenCommand),
    /// Print the OpenAPI document of the APIs
    Openapi,
}

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Rendering pages next to blocking work has been seen to hang on a single worker.
    let workers = std::thread::available_parallelism().map_or(4, |n| n.get().max(4));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(format!("the runtime could not be started: {error}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("agent-studio: {sentence}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), String> {
    if let Command::Openapi = cli.command {
        return print_openapi();
    }
    let settings = cli.settings.with_file()?;
    let _log = start_log(settings.log_format.unwrap_or_default());
    let services = settings.open().await?;
    if !matches!(cli.command, Command::Serve { .. }) {
        gate::follower::hear_followers(&services.gate).await;
    }
    match cli.command {
        Command::Serve { demo_if_empty } => {
            if demo_if_empty {
                data::demo_if_empty(&services).await?;
            }
            serve(&settings, services).await
        }
        Command::DemoCommand(command) => command.run(&services).await,
        Command::Import(command) => command.run(&services).await,
        Command::Workspace(command) => command.run(&services).await,
        Command::Agent(command) => command.run(&services).await,
        Command::User(command) => command.run(&services).await,
        Command::Key(command) => command.run(&services).await,
        Command::RuntimeToken(command) => command.run(&services).await,
        Command::Openapi => print_openapi(),
    }
}

/// Needs no settings and no database.
fn print_openapi() -> Result<(), String> {
    println!("{}", crate::server::openapi().to_pretty_json().map_err(|e| e.to_string())?);
    Ok(())
}
