-- What the platform that runs the agents feeds in: `docs/api.md`, "The runtime side".

-- Let that platform in; a workspace's own, and no API keys.
CREATE TABLE runtime_tokens (
    workspace_id TEXT   NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    -- SHA-256.
    hash         BLOB  NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE handoff_states (
    workspace_id    TEXT   NOT NULL,
    agent_id        TEXT   NOT NULL,
    conversation_id TEXT   NOT NULL,
    shared_id       TEXT,
    -- JSON object, as it was sent.
    data            TEXT   NOT NULL,
    stored_at       BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, conversation_id),
    FOREIGN KEY (workspace_id, agent_id, conversation_id)
        REFERENCES conversations (workspace_id, agent_id, id) ON DELETE CASCADE
);
CREATE INDEX handoff_states_by_shared_id ON handoff_states (workspace_id, agent_id, shared_id, stored_at);

-- Which conversation waits for which event.
CREATE TABLE awaited_events (
    workspace_id    TEXT   NOT NULL,
    agent_id        TEXT   NOT NULL,
    event_id        TEXT   NOT NULL,
    conversation_id TEXT   NOT NULL,
    since           BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, event_id),
    FOREIGN KEY (workspace_id, agent_id, conversation_id)
        REFERENCES conversations (workspace_id, agent_id, id) ON DELETE CASCADE
);
CREATE INDEX awaited_events_by_conversation ON awaited_events (workspace_id, agent_id, conversation_id);

-- Events received, numbered from 1 within each conversation.
CREATE TABLE external_events (
    workspace_id    TEXT   NOT NULL,
    agent_id        TEXT   NOT NULL,
    conversation_id TEXT   NOT NULL,
    position        BIGINT NOT NULL,
    event_id        TEXT   NOT NULL,
    content_type    TEXT   NOT NULL,
    body            TEXT   NOT NULL,
    -- SHA-256 of content type and body: the same event sent again is known by it.
    digest          BLOB  NOT NULL,
    received_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, conversation_id, position),
    UNIQUE (workspace_id, agent_id, conversation_id, event_id, digest),
    FOREIGN KEY (workspace_id, agent_id, conversation_id)
        REFERENCES conversations (workspace_id, agent_id, id) ON DELETE CASCADE
);
ALTER TABLE conversations ADD COLUMN events_received BIGINT NOT NULL DEFAULT 0;
