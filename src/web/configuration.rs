//! The Configuration page: what API responses have, agent by agent.

/// Addresses of the page and its dialogs.
pub mod addresses;
/// The open card: an agent's switches, which are saved as they are changed.
pub mod card;
/// Copying the configuration of an agent to others.
pub mod dialogs;
/// The list of agents, with its search.
pub mod list;
/// What an API response has under a configuration.
pub mod preview;
