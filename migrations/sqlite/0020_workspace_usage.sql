-- Calls of a workspace by API and by agent. As in key_usage, rows of earlier days are summed up: their hour is the first
-- of their day.
CREATE TABLE api_usage (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    -- Empty for calls that were counted before this table was made.
    api          TEXT NOT NULL,
    -- Hours since 1970-01-01T00:00:00Z.
    hour         BIGINT NOT NULL,
    outcome      TEXT NOT NULL,
    requests     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, hour, api, outcome)
);

CREATE TABLE agent_usage (
    workspace_id TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    hour         BIGINT NOT NULL,
    outcome      TEXT NOT NULL,
    requests     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, hour, agent_id, outcome),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX agent_usage_by_agent ON agent_usage (workspace_id, agent_id);

-- The hours that can be summed up.
CREATE INDEX key_usage_hours ON key_usage (hour) WHERE hour % 24 <> 0;
CREATE INDEX api_usage_hours ON api_usage (hour) WHERE hour % 24 <> 0;
CREATE INDEX agent_usage_hours ON agent_usage (hour) WHERE hour % 24 <> 0;
CREATE INDEX api_usage_by_hour ON api_usage (hour);
CREATE INDEX agent_usage_by_hour ON agent_usage (hour);

INSERT INTO api_usage (workspace_id, api, hour, outcome, requests)
    SELECT workspace_id, '', hour, outcome, CAST(SUM(requests) AS BIGINT) FROM key_usage
    WHERE outcome <> 'left-out' GROUP BY workspace_id, hour, outcome;

-- The keys with the most calls in the last 1, 7, 30 or 90 days, as last computed.
CREATE TABLE top_keys (
    workspace_id TEXT NOT NULL,
    days         BIGINT NOT NULL,
    -- 1 for the key with the most calls.
    place        BIGINT NOT NULL,
    key_id       TEXT NOT NULL,
    accepted     BIGINT NOT NULL,
    refused      BIGINT NOT NULL,
    -- Time of the computation, in microseconds since 1970.
    at           BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, days, place),
    FOREIGN KEY (workspace_id, key_id) REFERENCES api_keys (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX top_keys_by_key ON top_keys (workspace_id, key_id);

-- Keys that were never used, the oldest first.
CREATE INDEX api_keys_never_used ON api_keys (workspace_id, created_at, id) WHERE last_used_at = 0;
