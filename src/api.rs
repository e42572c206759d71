//! HTTP APIs (`docs/api.md`): those for integrators, which require API keys, and the runtime side, which the platform
//! that runs the agents uses.

/// The first questions of the vendor's client.
pub mod adk;
/// The Agents API.
pub mod agents;
/// The Concurrent Calls API.
pub mod concurrency;
/// Pages of conversations.
pub mod conversation_page;
/// Version 1 of the Conversations API: the same conversations with camelCase fields.
pub mod conversations_v1;
/// Version 3 of the Conversations API.
pub mod conversations_v3;
/// The Agents API: deployments.
pub mod deployments;
/// Endpoints of the OpenAPI document and of the pages that show it.
pub mod docs;
/// The External Events API.
pub mod external_events;
/// The Handoff API.
pub mod handoff;
/// Header that names the query parameters that were passed over.
pub mod ignored_parameters;
/// Building the OpenAPI document.
pub mod openapi;
/// Recordings of conversations.
pub mod recordings;
/// The runtime side: the platform that runs the agents stores conversations and receives events.
pub mod runtime;
/// The Agents API: variants and attributes.
pub mod variants;
