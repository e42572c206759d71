-- What each agent lets through; an agent without a row lets nothing through.
CREATE TABLE configurations (
    workspace_id TEXT    NOT NULL,
    agent_id     TEXT    NOT NULL,
    all_metrics  BOOLEAN NOT NULL,
    -- JSON array of metric names.
    metrics      TEXT    NOT NULL,
    transcript   BOOLEAN NOT NULL,
    updated_at   BIGINT  NOT NULL,
    PRIMARY KEY (workspace_id, agent_id),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE conversations (
    workspace_id   TEXT    NOT NULL,
    agent_id       TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    environment    TEXT    NOT NULL,
    started_at     BIGINT  NOT NULL,
    in_progress    BOOLEAN NOT NULL,
    channel        TEXT    NOT NULL,
    -- What the channel is one kind of: `voice` for VOICE-SIP, `chat` for WEBCHAT.
    channel_family TEXT    NOT NULL,
    variant_id     TEXT    NOT NULL,
    variant_name   TEXT    NOT NULL,
    -- JSON: the conversation without what Configuration decides about.
    document       TEXT    NOT NULL,
    -- JSON strings.
    handoff_reason TEXT    NOT NULL,
    handoff_destination TEXT NOT NULL,
    -- JSON object and JSON array.
    metrics        TEXT    NOT NULL,
    turns          TEXT    NOT NULL,
    -- JSON array: each turn's latency, kept apart since few callers ask for it.
    latencies      TEXT    NOT NULL,
    updated_at     BIGINT  NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, id),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX conversations_newest_first
    ON conversations (workspace_id, agent_id, environment, started_at, id);

-- Every metric name seen in an agent's conversations, for the Configuration page to offer.
CREATE TABLE metric_names (
    workspace_id TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    name         TEXT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, name),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id) ON DELETE CASCADE
);
