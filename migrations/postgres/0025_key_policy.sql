-- What a workspace demands of its keys. NULL for no default and no limit.
ALTER TABLE workspaces ADD COLUMN default_lifetime_days INTEGER;
ALTER TABLE workspaces ADD COLUMN max_lifetime_days INTEGER;
-- Whether the longest lifetime also binds keys that were made before.
ALTER TABLE workspaces ADD COLUMN binds_existing BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE workspaces ADD COLUMN all_agents_allowed BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE workspaces ADD COLUMN owner_required BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE workspaces ADD COLUMN networks_required BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE workspaces ADD COLUMN members_may_request BOOLEAN NOT NULL DEFAULT FALSE;

-- The expiry that was chosen. `expires_at` is the one that holds: it is earlier where the policy binds the key.
ALTER TABLE api_keys ADD COLUMN chosen_expires_at BIGINT NOT NULL DEFAULT 0;
UPDATE api_keys SET chosen_expires_at = expires_at;

-- Keys that members ask for, until an admin approves or declines.
CREATE TABLE key_requests (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id TEXT COLLATE "C" NOT NULL,
    requested_at BIGINT NOT NULL,
    -- E-mail address.
    requested_by TEXT COLLATE "C" NOT NULL,
    reason TEXT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    all_agents BOOLEAN NOT NULL,
    -- Ids, separated by commas; empty for all agents.
    agents TEXT COLLATE "C" NOT NULL,
    permissions TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    -- In CIDR notation, separated by commas.
    networks TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX key_requests_by_time ON key_requests (workspace_id, requested_at, id);

-- The gate is told of every column that it keeps in memory.
DROP TRIGGER gate_workspace_changed ON workspaces;
CREATE TRIGGER gate_workspace_changed
    AFTER INSERT OR DELETE OR UPDATE OF id, slug, name, keys_copyable, retention_days, undo_days, members_may_request
    ON workspaces FOR EACH ROW EXECUTE FUNCTION gate_workspace_changed();
