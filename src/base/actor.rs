use super::id::UserId;
use std::net::IpAddr;

/// The person or program that performs an action, as the audit entries record it.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user's id; `None` for the command line.
    pub id: Option<UserId>,
    /// The user's e-mail, or `command line`.
    pub name: String,
    /// The client's address; `None` for the command line.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// The operator who runs a command on the server.
    pub fn command_line() -> Self {
        Self { id: None, name: "command line".to_owned(), address: None }
    }

    /// The server itself, for background work and for the platform that runs the agents.
    pub fn server() -> Self {
        Self { id: None, name: "server".to_owned(), address: None }
    }
}
