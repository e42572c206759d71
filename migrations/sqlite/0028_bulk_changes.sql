-- Changes of many keys at once, so that each can be undone.
CREATE TABLE bulk_changes (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    made_by TEXT NOT NULL,
    action TEXT NOT NULL,
    -- 0 if it was not undone.
    undone_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX bulk_changes_by_time ON bulk_changes (at);
-- The keys that it changed, and what they had before, as JSON.
CREATE TABLE bulk_change_keys (
    workspace_id TEXT NOT NULL,
    change_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    before TEXT NOT NULL,
    PRIMARY KEY (workspace_id, change_id, key_id),
    FOREIGN KEY (workspace_id, change_id) REFERENCES bulk_changes (workspace_id, id) ON DELETE CASCADE
);
