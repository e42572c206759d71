//! Pages for admins. Each page is rendered by the server and works without JavaScript.

/// The document shell and every page's route.
pub mod app;
/// Parts of the browser's download.
pub mod chunks;
/// Buttons, fields, dialogs, pickers, toasts: nothing here knows the domain.
pub mod components;
/// The frame around a workspace's pages: the rail of workspaces and the tabs.
pub mod frame;
/// Calls to server functions, pages' data, and forms that work before the page's script does.
pub mod transport;

/// The Activity page.
#[cfg(feature = "ssr")]
pub mod activity;
/// The Agents page.
pub mod agents;
/// The API Keys page and its dialogs.
pub mod api_keys;
/// The Configuration page and its dialogs.
pub mod configuration;
/// Pages that are only read.
pub mod reading;
/// How long a workspace keeps its conversations: the dialog that sets it.
pub mod retention;
/// Signing in and out, setting up, and the visitor's own page.
pub mod sign_in;
/// A key's own page, a workspace's usage, and why a call was refused.
#[cfg(feature = "ssr")]
pub mod usage;
/// The Users page, and where an invitation link leads.
pub mod users;

/// Compression of pages.
#[cfg(feature = "ssr")]
pub mod compression;
/// Files to download.
#[cfg(feature = "ssr")]
pub mod download;
/// What was put into fields before the page's script ran.
#[cfg(feature = "hydrate")]
pub mod early_input;
/// How the errors of the nouns are told on a page.
#[cfg(feature = "ssr")]
pub mod errors;
/// Plain form posts without JavaScript: what was typed survives a refusal.
#[cfg(feature = "ssr")]
pub mod form_drafts;
/// Who is asking, and may they.
#[cfg(feature = "ssr")]
pub mod guard;
/// What holds for pages alone.
#[cfg(feature = "ssr")]
pub mod pages_only;
/// What a failed server function answers.
#[cfg(feature = "ssr")]
pub mod server_functions;
/// What pages, their server functions and their layers use.
#[cfg(feature = "ssr")]
pub mod services;
/// The HTML document around every page.
#[cfg(feature = "ssr")]
pub mod shell;
/// Values that are shown once.
#[cfg(feature = "ssr")]
pub mod shown_once;
/// The files of the pages: scripts, styles, fonts and icons.
#[cfg(feature = "ssr")]
pub mod site;
