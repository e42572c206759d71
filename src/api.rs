//! HTTP APIs for integrators (`docs/api.md`): what a key opens, and the side that the platform of the agents uses.

/// The Agents API.
pub mod agents;
/// The calls of the Conversations API that name the same conversations in camelCase.
pub mod conversations_v1;
/// The Conversations API.
pub mod conversations_v3;
/// The OpenAPI document and the pages to browse it by.
pub mod docs;
/// The External Events API.
pub mod external_events;
/// The Handoff API.
pub mod handoff;
/// The OpenAPI document.
pub mod openapi;
/// The runtime side: the platform that runs the agents feeds conversations in and picks events up.
pub mod runtime;
