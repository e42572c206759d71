-- How callers' numbers appear in API responses: `shown`, `last-four` or `hidden`.
ALTER TABLE configurations ADD COLUMN caller_numbers TEXT COLLATE "C" NOT NULL DEFAULT 'shown';
-- The gate is told of it too.
DROP TRIGGER gate_configuration_changed ON configurations;
CREATE TRIGGER gate_configuration_changed
    AFTER INSERT OR DELETE OR UPDATE OF workspace_id, agent_id, all_metrics, metrics, transcript, caller_numbers
    ON configurations FOR EACH ROW EXECUTE FUNCTION gate_agent_changed();
