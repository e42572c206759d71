CREATE TABLE agents (
    workspace_id TEXT COLLATE "C"   NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT COLLATE "C"   NOT NULL,
    slug         TEXT COLLATE "C"   NOT NULL,
    name         TEXT COLLATE "C"   NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, slug)
);

CREATE TABLE api_keys (
    workspace_id TEXT COLLATE "C"    NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT COLLATE "C"    NOT NULL,
    name         TEXT COLLATE "C"    NOT NULL,
    -- The name in lower case: what is searched and sorted by, alike on both engines.
    name_key     TEXT COLLATE "C"    NOT NULL,
    -- What a list may show of the value: its prefix, first four and last four characters.
    masked       TEXT    NOT NULL,
    -- SHA-256 of the whole value.
    hash         BYTEA    NOT NULL UNIQUE,
    -- The value under XChaCha20-Poly1305 and the id of the master key; NULL where it is shown once.
    sealed       BYTEA,
    sealed_with  TEXT,
    -- Whether it covers every agent, those made later too; otherwise the rows of api_key_agents.
    all_agents   BOOLEAN NOT NULL,
    -- Comma-separated: conversations, handoff, external-events.
    permissions  TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    created_by   TEXT    NOT NULL,
    updated_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX api_keys_by_creation ON api_keys (workspace_id, created_at, id);
CREATE INDEX api_keys_by_name ON api_keys (workspace_id, name_key, id);
CREATE INDEX api_keys_by_expiry ON api_keys (workspace_id, expires_at, id);

CREATE TABLE api_key_agents (
    workspace_id TEXT COLLATE "C" NOT NULL,
    key_id       TEXT COLLATE "C" NOT NULL,
    agent_id     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, key_id, agent_id),
    FOREIGN KEY (workspace_id, key_id) REFERENCES api_keys (workspace_id, id) ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX api_key_agents_by_agent ON api_key_agents (workspace_id, agent_id);
