-- Counts of an agent stand side by side, so that the counts of all agents are summed up without sorting.
CREATE TABLE agent_counts (
    workspace_id TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    -- Hours since 1970-01-01T00:00:00Z.
    hour         BIGINT NOT NULL,
    outcome      TEXT NOT NULL,
    requests     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, hour, outcome),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id) ON DELETE CASCADE
) WITHOUT ROWID;

INSERT INTO agent_counts (workspace_id, agent_id, hour, outcome, requests)
    SELECT workspace_id, agent_id, hour, outcome, requests FROM agent_usage;
DROP TABLE agent_usage;
ALTER TABLE agent_counts RENAME TO agent_usage;

CREATE INDEX agent_usage_hours ON agent_usage (hour) WHERE hour % 24 <> 0;
CREATE INDEX agent_usage_by_hour ON agent_usage (hour);
