-- Deletions of agents that can be undone. 0 if the agent is not deleted.
ALTER TABLE agents ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
CREATE INDEX agents_deleted ON agents (workspace_id, deleted_at, id) WHERE deleted_at > 0;

-- The gate is told of every column that it keeps in memory.
DROP TRIGGER gate_agent_updated;
CREATE TRIGGER gate_agent_updated AFTER UPDATE OF workspace_id, id, slug, name, deleted_at ON agents BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', OLD.workspace_id), ('workspace', NEW.workspace_id);
END;
