//! Integration tests. Most run through the real router, on SQLite and on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says where")]

mod support;

/// Deletion of agents.
mod agents;
/// The Conversations API.
mod api;
/// Delivery of audit entries to other systems.
mod audit_delivery;
/// Backups of a whole database.
mod backups;
/// The command line.
mod command_line;
/// The Configuration page.
mod configuration;
/// Variants, attributes and deployments.
mod deployments;
/// Full and failing disks.
#[cfg(target_os = "linux")]
mod disks;
/// Failures during writes.
mod failures;
/// Filters of lists, and numbers of concurrent conversations.
mod filters;
/// Forward auth with real proxies.
mod forward_auth;
/// The reverse proxies of `packaging` in front of the server.
mod front;
/// The gate.
mod gate;
/// Requests and connections in general.
mod http;
/// Rotating, pausing, deleting and restoring keys.
mod key_life;
/// Networks, rates and quotas of keys.
mod key_limits;
/// The list of keys, its filters, and changes of many keys.
mod key_list;
/// What a workspace demands of its keys.
mod key_policy;
/// Keys that should be looked at.
mod key_review;
/// Conversations in the live service's form.
mod live_form;
/// Load.
mod load;
/// Changing the master key.
mod master_key;
/// Migrations from every earlier schema.
mod migrations;
/// The alert rules and the dashboard.
mod monitoring;
/// The OpenAPI document and the published contract, compared with the server's behaviour.
mod openapi;
/// Pages and server functions.
mod pages;
/// Recordings of conversations.
mod recordings;
/// The runtime side, and the APIs that return its data.
mod runtime;
/// Snapshots of answers.
mod snapshots;
/// Stopping and killing the server.
mod stopping;
/// Equal behaviour of the two databases.
mod storage;
/// Data that unauthenticated requests can leave in the database.
mod strangers;
/// Round trips of text, numbers and names.
mod text;
/// Traces for an OpenTelemetry collector.
mod traces;
/// Isolation of workspaces.
mod two_workspaces;
/// Usage of keys, and activity.
mod usage;
