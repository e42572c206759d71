-- How keys are used: counted by the hour, and each request for a while.
ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX api_keys_by_use ON api_keys (workspace_id, last_used_at, id);

CREATE TABLE key_usage (
    workspace_id TEXT COLLATE "C" NOT NULL,
    key_id       TEXT COLLATE "C" NOT NULL,
    -- Hours since 1970-01-01T00:00:00Z.
    hour         BIGINT           NOT NULL,
    -- What became of the requests, or `left-out`: how many of them the log left out.
    outcome      TEXT COLLATE "C" NOT NULL,
    requests     BIGINT           NOT NULL,
    PRIMARY KEY (workspace_id, key_id, hour, outcome),
    FOREIGN KEY (workspace_id, key_id) REFERENCES api_keys (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX key_usage_by_hour ON key_usage (hour);

-- The request log. A key's requests outlive it: what a leaked key did is looked for after its end.
CREATE TABLE requests (
    workspace_id   TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id             TEXT COLLATE "C" NOT NULL,
    at             BIGINT           NOT NULL,
    key_id         TEXT COLLATE "C" NOT NULL,
    api            TEXT COLLATE "C" NOT NULL,
    method         TEXT COLLATE "C" NOT NULL,
    -- Without its query; what looks like a key is not kept.
    path           TEXT COLLATE "C" NOT NULL,
    -- 499 where the client was gone before the answer.
    status         BIGINT           NOT NULL,
    outcome        TEXT COLLATE "C" NOT NULL,
    -- Microseconds until the answer began.
    duration       BIGINT           NOT NULL,
    correlation_id TEXT COLLATE "C" NOT NULL,
    -- The client's IP address; empty where it is not known.
    address        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX requests_by_time ON requests (workspace_id, at, id);
CREATE INDEX requests_by_key ON requests (workspace_id, key_id, at, id);
CREATE INDEX requests_refused ON requests (workspace_id, key_id, at, id) WHERE outcome <> 'accepted';
CREATE INDEX requests_by_correlation ON requests (workspace_id, correlation_id, at);

-- The Activity page chooses among those who did something.
CREATE INDEX audit_entries_by_actor ON audit_entries (workspace_id, actor, at, id);

-- The gate knows keys' names too.
DROP TRIGGER gate_key_changed ON api_keys;
CREATE TRIGGER gate_key_changed
    AFTER INSERT OR DELETE OR UPDATE OF hash, name, all_agents, permissions, expires_at ON api_keys
    FOR EACH ROW EXECUTE FUNCTION gate_key_changed();
