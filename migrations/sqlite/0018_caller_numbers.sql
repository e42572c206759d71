-- How callers' numbers appear in API responses: `shown`, `last-four` or `hidden`.
ALTER TABLE configurations ADD COLUMN caller_numbers TEXT NOT NULL DEFAULT 'shown';
-- The gate is told of it too.
DROP TRIGGER gate_configuration_updated;
CREATE TRIGGER gate_configuration_updated
AFTER UPDATE OF workspace_id, agent_id, all_metrics, metrics, transcript, caller_numbers ON configurations BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', OLD.workspace_id), ('workspace', NEW.workspace_id);
END;
