-- Variants of an agent, and attributes, of which each variant can have a value.
CREATE TABLE attributes (
    workspace_id TEXT COLLATE "C"   NOT NULL,
    agent_id     TEXT COLLATE "C"   NOT NULL,
    id           TEXT COLLATE "C"   NOT NULL,
    name         TEXT COLLATE "C"   NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, id),
    UNIQUE (workspace_id, agent_id, name),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE variants (
    workspace_id TEXT COLLATE "C"    NOT NULL,
    agent_id     TEXT COLLATE "C"    NOT NULL,
    id           TEXT COLLATE "C"    NOT NULL,
    name         TEXT COLLATE "C"    NOT NULL,
    is_default   BOOLEAN NOT NULL,
    created_at   BIGINT  NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, id),
    UNIQUE (workspace_id, agent_id, name),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX variants_default ON variants (workspace_id, agent_id) WHERE is_default;

CREATE TABLE variant_values (
    workspace_id TEXT COLLATE "C" NOT NULL,
    agent_id     TEXT COLLATE "C" NOT NULL,
    variant_id   TEXT COLLATE "C" NOT NULL,
    attribute_id TEXT COLLATE "C" NOT NULL,
    value        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, variant_id, attribute_id),
    FOREIGN KEY (workspace_id, agent_id, variant_id)
        REFERENCES variants (workspace_id, agent_id, id) ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, agent_id, attribute_id)
        REFERENCES attributes (workspace_id, agent_id, id) ON DELETE CASCADE
);
CREATE INDEX variant_values_by_attribute ON variant_values (workspace_id, agent_id, attribute_id);

-- A record of what an agent was when it was published.
CREATE TABLE deployments (
    workspace_id     TEXT COLLATE "C"   NOT NULL,
    agent_id         TEXT COLLATE "C"   NOT NULL,
    id               TEXT COLLATE "C"   NOT NULL,
    -- `sandbox`, `pre-release` or `live`.
    environment      TEXT COLLATE "C"   NOT NULL,
    -- The same for deployments of the same content.
    version          TEXT COLLATE "C"   NOT NULL,
    artifact_version TEXT COLLATE "C"   NOT NULL,
    message          TEXT COLLATE "C"   NOT NULL,
    created_by       TEXT COLLATE "C"   NOT NULL,
    created_at       BIGINT NOT NULL,
    -- JSON: the agent's configuration, attributes and variants.
    content          TEXT COLLATE "C"   NOT NULL,
    -- Counts an agent's deployments from 1.
    number           BIGINT NOT NULL,
    -- Counts activations. The deployment of an environment with the highest number is its active one.
    activation       BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, id),
    UNIQUE (workspace_id, agent_id, number),
    UNIQUE (workspace_id, agent_id, activation),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX deployments_of_environment ON deployments (workspace_id, agent_id, environment, number);
CREATE INDEX deployments_active ON deployments (workspace_id, agent_id, environment, activation);
