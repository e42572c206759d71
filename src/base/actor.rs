use super::id::UserId;
use std::net::IpAddr;

/// Who is behind an action, for the audit entries.
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
    /// Somebody with a shell on the server.
    pub fn command_line() -> Self {
        Self { id: None, name: "command line".to_owned(), address: None }
    }

    /// The server by itself.
    pub fn server() -> Self {
        Self { id: None, name: "server".to_owned(), address: None }
    }
}
