//! API keys for the conversation data of voice agents: the dashboard in which admins manage the keys, and the APIs that
//! require them. Start reading at `docs/architecture.md`.
//!
//! Imports run downward: doors → gate, usage, nouns → ground. Modules without a `cfg` attribute are compiled for both
//! browser and server, the others for the server only.
#![recursion_limit = "256"]

// The doors

/// HTTP APIs for integrators.
#[cfg(feature = "ssr")]
pub mod api;
/// Commands for operators.
#[cfg(feature = "ssr")]
pub mod cli;
/// Forward authentication: endpoints that reverse proxies ask whether a client's key is valid.
#[cfg(feature = "ssr")]
pub mod forward_auth;
/// Settings; building, running and stopping the application; metrics and health.
#[cfg(feature = "ssr")]
pub mod server;
/// Pages for admins.
pub mod web;

// What decides and counts

/// Decides whether a key may make a call.
#[cfg(feature = "ssr")]
pub mod gate;
/// Usage of keys: counts, request log, reports.
pub mod usage;

// The nouns

/// The agents of a workspace. Conversations belong to agents, and keys can be limited to agents.
pub mod agents;
/// API keys: names, permissions, agent scope, expiry and secret values.
pub mod api_keys;
/// The audit log: who did what, when, and from which address.
pub mod audit;
/// Backups of a whole database, and restoring them.
#[cfg(feature = "ssr")]
pub mod backups;
/// Per agent: which metrics and transcripts the APIs return.
pub mod configuration;
/// Storing, reading and searching conversations.
#[cfg(feature = "ssr")]
pub mod conversations;
/// Records of what an agent was when it was published.
#[cfg(feature = "ssr")]
pub mod deployments;
/// Events that external systems send into a running conversation.
#[cfg(feature = "ssr")]
pub mod external_events;
/// The state that an agent stores when it transfers a call.
#[cfg(feature = "ssr")]
pub mod handoff;
/// Keys that members ask for.
#[cfg(feature = "ssr")]
pub mod key_requests;
/// Recordings of conversations.
#[cfg(feature = "ssr")]
pub mod recordings;
/// Tokens with which the platform that runs the agents authenticates.
#[cfg(feature = "ssr")]
pub mod runtime_tokens;
/// Sessions of signed-in users, values shown once, and the throttle for sign-in attempts.
#[cfg(feature = "ssr")]
pub mod sessions;
/// The users of a workspace: roles, passwords and invitations.
pub mod users;
/// Variants of agents, and their attributes.
#[cfg(feature = "ssr")]
pub mod variants;
/// Workspaces. Each customer's data is isolated in a workspace.
pub mod workspaces;

// The ground

/// Ids, time, text, secrets, errors.
pub mod base;
/// Access to SQLite or PostgreSQL through one type.
#[cfg(feature = "ssr")]
pub mod db;
/// Shared by all HTTP doors: error envelope, security headers, limits, origin check.
#[cfg(feature = "ssr")]
pub mod http;

/// Entry point in the browser: hydrates the server-rendered page. Returns when the page is interactive.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn hydrate() {
    std::panic::set_hook(Box::new(|panic| leptos::logging::error!("{panic}")));
    let early = web::early_input::EarlyInput::collect();
    // Waits for the page's chunk.
    leptos::mount::hydrate_from_async(leptos::tachys::dom::body(), web::app::App).await.forget();
    early.replay();
}
