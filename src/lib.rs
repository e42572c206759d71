//! API keys for the conversation data of voice agents: the dashboard in which admins make them, and the APIs
//! that they open. `docs/architecture.md` is the way in.
//!
//! Imports run downward: doors → gate, usage, nouns → ground. Modules without `cfg` are compiled for browser and server, the
//! others for the server only.
#![recursion_limit = "256"]

// The doors

/// HTTP APIs for integrators.
#[cfg(feature = "ssr")]
pub mod api;
/// Commands for operators.
#[cfg(feature = "ssr")]
pub mod cli;
/// Answers for reverse proxies that ask about the keys of their own clients.
#[cfg(feature = "ssr")]
pub mod forward_auth;
/// Settings, and building, running and stopping the application.
#[cfg(feature = "ssr")]
pub mod server;
/// Pages for admins.
pub mod web;

// What decides and counts

/// May this key make this call?
#[cfg(feature = "ssr")]
pub mod gate;
/// How keys are used: counts, request log, reports.
pub mod usage;

// The nouns

/// The agents of a workspace: each handles conversations, and is what keys are scoped to.
pub mod agents;
/// API keys: their parts, and the rules on them.
pub mod api_keys;
/// Who did what, when, from where.
pub mod audit;
/// Which metrics and transcripts each agent lets through.
pub mod configuration;
/// Conversations as they are kept, read and searched.
#[cfg(feature = "ssr")]
pub mod conversations;
/// Events that a provider sends into a conversation.
#[cfg(feature = "ssr")]
pub mod external_events;
/// The state that an agent stores when it passes a call on.
#[cfg(feature = "ssr")]
pub mod handoff;
/// Tokens of the platform that runs the agents.
#[cfg(feature = "ssr")]
pub mod runtime_tokens;
/// Sessions of signed-in users, and how often a password may be tried.
#[cfg(feature = "ssr")]
pub mod sessions;
/// The people of a workspace: roles and invitations.
pub mod users;
/// Workspaces: the walls between customers.
pub mod workspaces;

// The ground

/// Ids, time, text, secrets, errors.
pub mod base;
/// SQLite or PostgreSQL behind one type.
#[cfg(feature = "ssr")]
pub mod db;
/// What every HTTP door shares.
#[cfg(feature = "ssr")]
pub mod http;

/// Wakes the server-rendered page up in the browser.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    std::panic::set_hook(Box::new(|panic| leptos::logging::error!("{panic}")));
    leptos::mount::hydrate_body(web::app::App);
}
