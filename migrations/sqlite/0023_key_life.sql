-- A key's life: a second value while it is rotated, pauses, and deletion that can be undone.
ALTER TABLE api_keys ADD COLUMN value_created_at BIGINT NOT NULL DEFAULT 0;
UPDATE api_keys SET value_created_at = created_at;
-- The value that the last rotation replaced; NULL if there was none. It opens until `old_until`.
ALTER TABLE api_keys ADD COLUMN old_masked TEXT;
ALTER TABLE api_keys ADD COLUMN old_hash BLOB;
ALTER TABLE api_keys ADD COLUMN old_sealed BLOB;
ALTER TABLE api_keys ADD COLUMN old_sealed_with TEXT;
ALTER TABLE api_keys ADD COLUMN old_created_at BIGINT;
-- Its own expiry, which it has again if the rotation is cancelled.
ALTER TABLE api_keys ADD COLUMN old_expires_at BIGINT;
ALTER TABLE api_keys ADD COLUMN old_until BIGINT;
CREATE INDEX api_keys_with_old_value ON api_keys (old_until) WHERE old_sealed IS NOT NULL;
CREATE UNIQUE INDEX api_keys_by_old_hash ON api_keys (old_hash) WHERE old_hash IS NOT NULL;

-- 0 if the key is not paused.
ALTER TABLE api_keys ADD COLUMN paused_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN pause_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN paused_by TEXT NOT NULL DEFAULT '';

-- 0 if the key is not deleted.
ALTER TABLE api_keys ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
-- Days in which a deletion can be undone; 0 if deletions are for good.
ALTER TABLE workspaces ADD COLUMN undo_days INTEGER NOT NULL DEFAULT 7;

DROP INDEX api_keys_by_creation;
DROP INDEX api_keys_by_name;
DROP INDEX api_keys_by_expiry;
DROP INDEX api_keys_by_use;
DROP INDEX api_keys_never_used;
CREATE INDEX api_keys_by_creation ON api_keys (workspace_id, created_at, id) WHERE deleted_at = 0;
CREATE INDEX api_keys_by_name ON api_keys (workspace_id, name_key, id) WHERE deleted_at = 0;
CREATE INDEX api_keys_by_expiry ON api_keys (workspace_id, expires_at, id) WHERE deleted_at = 0;
CREATE INDEX api_keys_by_use ON api_keys (workspace_id, last_used_at, id) WHERE deleted_at = 0;
CREATE INDEX api_keys_never_used ON api_keys (workspace_id, created_at, id) WHERE last_used_at = 0 AND deleted_at = 0;
CREATE INDEX api_keys_deleted ON api_keys (workspace_id, deleted_at, id) WHERE deleted_at > 0;

-- The program that called (`User-Agent`), and whether it did so with the old value.
ALTER TABLE requests ADD COLUMN program TEXT NOT NULL DEFAULT '';
ALTER TABLE requests ADD COLUMN old_value BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX requests_by_old_value ON requests (workspace_id, key_id, at, id) WHERE old_value;

-- The gate is told of both values, and of every column that it keeps in memory.
DROP TRIGGER gate_key_updated;
CREATE TRIGGER gate_key_updated
AFTER UPDATE OF workspace_id, id, name, hash, old_hash, all_agents, permissions, expires_at, old_until, paused_at, deleted_at ON api_keys BEGIN
    INSERT INTO gate_changes (kind, what)
        SELECT 'key', lower(hex(OLD.hash)) UNION SELECT 'key', lower(hex(NEW.hash))
        UNION SELECT 'key', lower(hex(OLD.old_hash)) WHERE OLD.old_hash IS NOT NULL
        UNION SELECT 'key', lower(hex(NEW.old_hash)) WHERE NEW.old_hash IS NOT NULL;
END;
DROP TRIGGER gate_key_deleted;
CREATE TRIGGER gate_key_deleted AFTER DELETE ON api_keys BEGIN
    INSERT INTO gate_changes (kind, what)
        SELECT 'key', lower(hex(OLD.hash))
        UNION SELECT 'key', lower(hex(OLD.old_hash)) WHERE OLD.old_hash IS NOT NULL;
END;
DROP TRIGGER gate_key_agent_inserted;
CREATE TRIGGER gate_key_agent_inserted AFTER INSERT ON api_key_agents BEGIN
    INSERT INTO gate_changes (kind, what) SELECT 'key', lower(hex(hash)) FROM api_keys
        WHERE workspace_id = NEW.workspace_id AND id = NEW.key_id
        UNION ALL SELECT 'key', lower(hex(old_hash)) FROM api_keys
        WHERE workspace_id = NEW.workspace_id AND id = NEW.key_id AND old_hash IS NOT NULL;
END;
DROP TRIGGER gate_key_agent_deleted;
CREATE TRIGGER gate_key_agent_deleted AFTER DELETE ON api_key_agents BEGIN
    INSERT INTO gate_changes (kind, what) SELECT 'key', lower(hex(hash)) FROM api_keys
        WHERE workspace_id = OLD.workspace_id AND id = OLD.key_id
        UNION ALL SELECT 'key', lower(hex(old_hash)) FROM api_keys
        WHERE workspace_id = OLD.workspace_id AND id = OLD.key_id AND old_hash IS NOT NULL;
END;
DROP TRIGGER gate_key_agent_updated;
CREATE TRIGGER gate_key_agent_updated AFTER UPDATE OF workspace_id, key_id, agent_id ON api_key_agents BEGIN
    INSERT INTO gate_changes (kind, what) SELECT 'key', lower(hex(hash)) FROM api_keys
        WHERE (workspace_id = OLD.workspace_id AND id = OLD.key_id) OR (workspace_id = NEW.workspace_id AND id = NEW.key_id)
        UNION ALL SELECT 'key', lower(hex(old_hash)) FROM api_keys
        WHERE ((workspace_id = OLD.workspace_id AND id = OLD.key_id)
            OR (workspace_id = NEW.workspace_id AND id = NEW.key_id)) AND old_hash IS NOT NULL;
END;
DROP TRIGGER gate_workspace_updated;
CREATE TRIGGER gate_workspace_updated
AFTER UPDATE OF id, slug, name, keys_copyable, retention_days, undo_days ON workspaces BEGIN
    INSERT INTO gate_changes (kind, what) VALUES ('workspace', OLD.id), ('workspace', NEW.id);
END;
