-- The gate is told of every column that it keeps in memory.
DROP TRIGGER gate_key_updated;
CREATE TRIGGER gate_key_updated
AFTER UPDATE OF workspace_id, id, name, hash, all_agents, permissions, expires_at ON api_keys BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('key', lower(hex(OLD.hash))), ('key', lower(hex(NEW.hash)));
END;
CREATE TRIGGER gate_key_agent_updated AFTER UPDATE OF workspace_id, key_id, agent_id ON api_key_agents BEGIN
    INSERT INTO gate_changes (kind, what) SELECT 'key', lower(hex(hash)) FROM api_keys
        WHERE (workspace_id = OLD.workspace_id AND id = OLD.key_id) OR (workspace_id = NEW.workspace_id AND id = NEW.key_id);
END;
DROP TRIGGER gate_workspace_updated;
CREATE TRIGGER gate_workspace_updated AFTER UPDATE OF id, slug, name, keys_copyable, retention_days ON workspaces BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', OLD.id), ('workspace', NEW.id);
END;
DROP TRIGGER gate_agent_updated;
CREATE TRIGGER gate_agent_updated AFTER UPDATE OF workspace_id, id, slug, name ON agents BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', OLD.workspace_id), ('workspace', NEW.workspace_id);
END;
DROP TRIGGER gate_configuration_updated;
CREATE TRIGGER gate_configuration_updated
AFTER UPDATE OF workspace_id, agent_id, all_metrics, metrics, transcript ON configurations BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', OLD.workspace_id), ('workspace', NEW.workspace_id);
END;
