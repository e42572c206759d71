//! API keys for the conversation data of voice agents: the dashboard in which admins make them, and the APIs
//! that they open. `docs/architecture.md` is the way in.
//!
//! Modules without `cfg` are compiled for browser and server, the others for the server only.
#![recursion_limit = "256"]

/// The document shell and every page's route.
pub mod app;
/// What everything else stands on.
pub mod base;
/// The one error type of pages and server functions.
pub mod error;
/// Newtypes for every kind of id.
pub mod id;
/// Pages that are only read.
pub mod reading;
/// A secret on its way to the one page that shows it.
pub mod revealed;
/// Instants, and how they are shown.
pub mod time;
/// Buttons, fields, dialogs, pickers, toasts: nothing here knows the domain.
pub mod ui;

/// The agents of a workspace.
pub mod agents;
/// API keys: what they are, and one file for each thing that is done with them.
pub mod api_keys;
/// Who did what, when, from where, and the Activity page.
pub mod audit;
/// Which metrics and transcripts each agent lets through.
pub mod configuration;
/// Signing in and out, setting up, and who is asking.
pub mod sessions;
/// How keys are used: counts, the request log, and their pages.
pub mod usage;
/// The people of a workspace: roles and invitations.
pub mod users;
/// Workspaces, and the frame around their pages.
pub mod workspaces;

/// The command line.
#[cfg(feature = "ssr")]
pub mod cli;
/// The Conversations API and the conversations behind it.
#[cfg(feature = "ssr")]
pub mod conversations;
/// SQLite or PostgreSQL behind one type.
#[cfg(feature = "ssr")]
pub mod db;
/// A believable workspace to look around in.
#[cfg(feature = "ssr")]
pub mod demo;
/// The External Events API: a webhook into a conversation that waits.
#[cfg(feature = "ssr")]
pub mod external_events;
/// Forward auth: proxies ask about keys for places that are not ours.
#[cfg(feature = "ssr")]
pub mod forward_auth;
/// The one decision: may this key make this call?
#[cfg(feature = "ssr")]
pub mod gate;
/// The Handoff API: the state stored when a call was passed on.
#[cfg(feature = "ssr")]
pub mod handoff;
/// What every HTTP door shares: connections, limits, JSON.
#[cfg(feature = "ssr")]
pub mod http;
/// The runtime side: the platform that runs the agents feeds conversations in and picks events up.
#[cfg(feature = "ssr")]
pub mod runtime;
/// Settings, database, router: everything around the features.
#[cfg(feature = "ssr")]
pub mod server;
/// What all APIs behind the keys answer alike: the error envelope and the correlation id.
#[cfg(feature = "ssr")]
pub mod wire;

/// Wakes the server-rendered page up in the browser.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
}
