-- What the gate keeps in memory has changed: told by triggers, in the transaction of the change, whoever makes it.
CREATE TABLE gate_changes (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind   TEXT    NOT NULL,
    -- A key's hash in hexadecimal, or a workspace's id.
    what   TEXT    NOT NULL
);
CREATE TRIGGER gate_key_inserted AFTER INSERT ON api_keys BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('key', lower(hex(NEW.hash)));
END;
CREATE TRIGGER gate_key_updated AFTER UPDATE OF hash, all_agents, permissions, expires_at ON api_keys BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('key', lower(hex(OLD.hash))), ('key', lower(hex(NEW.hash)));
END;
CREATE TRIGGER gate_key_deleted AFTER DELETE ON api_keys BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('key', lower(hex(OLD.hash)));
END;
CREATE TRIGGER gate_key_agent_inserted AFTER INSERT ON api_key_agents BEGIN
    INSERT INTO gate_changes (kind, what) SELECT 'key', lower(hex(hash)) FROM api_keys
        WHERE workspace_id = NEW.workspace_id AND id = NEW.key_id;
END;
CREATE TRIGGER gate_key_agent_deleted AFTER DELETE ON api_key_agents BEGIN
    INSERT INTO gate_changes (kind, what) SELECT 'key', lower(hex(hash)) FROM api_keys
        WHERE workspace_id = OLD.workspace_id AND id = OLD.key_id;
END;
CREATE TRIGGER gate_workspace_inserted AFTER INSERT ON workspaces BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', NEW.id);
END;
CREATE TRIGGER gate_workspace_updated AFTER UPDATE OF slug, name ON workspaces BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', NEW.id);
END;
CREATE TRIGGER gate_workspace_deleted AFTER DELETE ON workspaces BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', OLD.id);
END;
CREATE TRIGGER gate_agent_inserted AFTER INSERT ON agents BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', NEW.workspace_id);
END;
CREATE TRIGGER gate_agent_updated AFTER UPDATE OF slug, name ON agents BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', NEW.workspace_id);
END;
CREATE TRIGGER gate_agent_deleted AFTER DELETE ON agents BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', OLD.workspace_id);
END;
CREATE TRIGGER gate_configuration_inserted AFTER INSERT ON configurations BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', NEW.workspace_id);
END;
CREATE TRIGGER gate_configuration_updated AFTER UPDATE ON configurations BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', NEW.workspace_id);
END;
CREATE TRIGGER gate_configuration_deleted AFTER DELETE ON configurations BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', OLD.workspace_id);
END;
