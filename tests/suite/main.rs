//! What the parts do together: each test on SQLite and on a real PostgreSQL, through the real router.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says where")]

mod support;

/// The Conversations API, as integrators see it.
mod api;
/// The program, as operators and scripts see it.
mod command_line;
/// Disks that are full or fail.
#[cfg(target_os = "linux")]
mod disks;
/// What breaks while something is written.
mod failures;
/// Forward auth, with the proxies themselves.
mod forward_auth;
/// What decides on calls, in memory and by the database.
mod gate;
/// How requests and connections are treated, whatever they are for.
mod http;
/// Much work at once.
mod load;
/// Migrations from every earlier schema.
mod migrations;
/// The OpenAPI document and the published contract, held against what the server does.
mod openapi;
/// Pages and server functions, as browsers see them.
mod pages;
/// The runtime side and what it feeds.
mod runtime;
/// What a stop leaves behind.
mod stopping;
/// What keeps the two databases alike.
mod storage;
/// What somebody who is not signed in can leave behind.
mod strangers;
/// What goes in comes out, or is refused.
mod text;
/// The walls between workspaces.
mod two_workspaces;
/// How keys are used, and what was done.
mod usage;
