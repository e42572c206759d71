//! The tables that a backup contains. A test compares both lists with the schema.

/// Each table stands behind those that it refers to.
pub const KEPT: [&str; 31] = [
    "workspaces",
    "users",
    "memberships",
    "invitations",
    "agents",
    "api_keys",
    "api_key_agents",
    "runtime_tokens",
    "configurations",
    "set_up",
    "conversations",
    "metric_names",
    "conversation_tags",
    "handoff_states",
    "awaited_events",
    "external_events",
    "recordings",
    "attributes",
    "variants",
    "variant_values",
    "deployments",
    "key_usage",
    "api_usage",
    "agent_usage",
    "top_keys",
    "requests",
    "audit_entries",
    "audit_unsent",
    "key_requests",
    "bulk_changes",
    "bulk_change_keys",
];

/// Tables that no backup contains, with the reason.
pub const LEFT_OUT: [(&str, &str); 12] = [
    ("sessions", "users sign in again"),
    ("sign_in_attempts", "they count for minutes"),
    ("shown_once", "its values are shown within minutes"),
    ("form_drafts", "they are kept for minutes"),
    ("transcripts", "the full-text index is made again, by each engine in its way"),
    ("gate_changes", "it tells running servers what has changed"),
    ("gate_servers", "it lists running servers"),
    ("audit_sinks", "it names a running server"),
    ("usage_flushes", "they tell a running server what it has written"),
    ("write_check", "each migrated database has its row"),
    // Another server could still use the audio that a restored database would delete.
    ("loose_objects", "they are audio without a recording"),
    ("_sqlx_migrations", "the schema's version stands in the header"),
];
