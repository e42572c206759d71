//! Commands for operators and scripts: `serve`, and commands for workspaces, agents, users, keys and runtime tokens.
//! Results go to standard output. An error goes to standard error as one sentence, with an exit status other than 0.

/// The commands `workspace`, `agent` and `user`.
mod admin;
/// The commands `backup` and `restore`.
mod backup;
/// The commands that load conversations: import and demo.
mod data;
/// The demo workspace.
pub mod demo;
/// The command `doctor`.
mod doctor;
/// The command `key`.
mod key;
/// Finding workspaces and agents by id or slug.
mod lookup;
/// Commands about many keys.
mod many_keys;
/// The command `master-key`.
mod master_key;
/// Printing results.
mod output;
/// Man pages, shell completions and the settings file of packages.
mod package_files;
/// The command `workspace set-policy`.
mod policy;
/// The command `runtime-token`.
mod runtime_token;

use crate::gate;
use crate::server::log;
use crate::server::serve::serve;
use crate::server::settings::Settings;
use clap::{CommandFactory as _, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// API keys for the conversation data of voice agents.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten, next_help_heading = "Settings of the server")]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server
    Serve {
        /// If the database is empty, load the demo workspace first and print a sign-in for it
        #[arg(long)]
        demo_if_empty: bool,
    },
    /// Load the demo workspace: 3 agents, 500 conversations, five keys
    Demo(data::DemoCommand),
    /// Import conversations from JSON Lines
    Import(data::Import),
    /// Create, list and rename workspaces, set how long they keep conversations and deleted keys
    #[command(subcommand)]
    Workspace(admin::WorkspaceCommand),
    /// Create and list agents
    #[command(subcommand)]
    Agent(admin::AgentCommand),
    /// Add, list and remove users, set roles and passwords
    #[command(subcommand)]
    User(admin::UserCommand),
    /// Create, rotate, pause, limit, find, list and delete API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Create, list and revoke runtime tokens
    #[command(subcommand)]
    RuntimeToken(runtime_token::RuntimeTokenCommand),
    /// Change the master key, under which the values of keys are encrypted
    #[command(subcommand)]
    MasterKey(master_key::MasterKeyCommand),
    /// Write the whole database to a file, also while the server runs
    Backup(backup::BackupCommand),
    /// Fill an empty database, SQLite or PostgreSQL, with a backup
    Restore(backup::RestoreCommand),
    /// Check settings, files, database, server and backups, and say what to do
    Doctor(doctor::DoctorCommand),
    /// Ask the running server whether it is ready, for health checks: the exit status tells
    Ready,
    /// Print the OpenAPI document of the APIs
    Openapi,
    /// Write man pages, shell completions and the settings file of packages into a folder
    #[command(hide = true)]
    PackageFiles {
        /// The folder
        folder: PathBuf,
    },
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // At least 4 workers: rendering pages beside blocking work has been observed to hang on a single worker.
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
    // These need neither settings nor a database.
    match &cli.command {
        Command::Openapi => return print_openapi(),
        Command::PackageFiles { folder } => {
            return package_files::write(Cli::command(), folder).map_err(|e| format!("{}: {e}", folder.display()));
        }
        _ => {}
    }
    let settings = cli.settings.with_file()?;
    let _log = log::start(&settings)?;
    // These do not open the database as others do, which would run the migrations.
    match &cli.command {
        Command::Backup(command) => return command.run(&settings).await,
        Command::Restore(command) => return command.run(&settings).await,
        Command::Doctor(command) => return command.run(&settings).await,
        Command::Ready => return doctor::ready(&settings).await,
        _ => {}
    }
    // A server locks before it opens: a restore replaces the file under the same lock.
    let is_server = matches!(cli.command, Command::Serve { .. });
    let _lock = if is_server { settings.lock_data_dir()? } else { None };
    let services = if is_server { settings.open_locked().await? } else { settings.open().await? };
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
        Command::Demo(command) => command.run(&services).await,
        Command::Import(command) => command.run(&services).await,
        Command::Workspace(command) => command.run(&services).await,
        Command::Agent(command) => command.run(&services).await,
        Command::User(command) => command.run(&services).await,
        Command::Key(command) => command.run(&services).await,
        Command::RuntimeToken(command) => command.run(&services).await,
        Command::MasterKey(command) => command.run(&settings, &services).await,
        Command::Backup(_)
        | Command::Restore(_)
        | Command::Doctor(_)
        | Command::Ready
        | Command::Openapi
        | Command::PackageFiles { .. } => Ok(()),
    }
}

fn print_openapi() -> Result<(), String> {
    output::line(&crate::server::openapi().to_pretty_json().map_err(|e| e.to_string())?);
    Ok(())
}
