-- The gate is told of every column that it keeps in memory.
CREATE OR REPLACE FUNCTION gate_key_agent_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('agent_studio_gate', 'key ' || encode(hash, 'hex')) FROM api_keys
            WHERE workspace_id = OLD.workspace_id AND id = OLD.key_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('agent_studio_gate', 'key ' || encode(hash, 'hex')) FROM api_keys
            WHERE workspace_id = NEW.workspace_id AND id = NEW.key_id;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION gate_workspace_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('agent_studio_gate', 'workspace ' || OLD.id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('agent_studio_gate', 'workspace ' || NEW.id);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION gate_agent_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('agent_studio_gate', 'workspace ' || OLD.workspace_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('agent_studio_gate', 'workspace ' || NEW.workspace_id);
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER gate_key_changed ON api_keys;
CREATE TRIGGER gate_key_changed
    AFTER INSERT OR DELETE OR UPDATE OF workspace_id, id, name, hash, all_agents, permissions, expires_at ON api_keys
    FOR EACH ROW EXECUTE FUNCTION gate_key_changed();
DROP TRIGGER gate_key_agent_changed ON api_key_agents;
CREATE TRIGGER gate_key_agent_changed
    AFTER INSERT OR DELETE OR UPDATE OF workspace_id, key_id, agent_id ON api_key_agents
    FOR EACH ROW EXECUTE FUNCTION gate_key_agent_changed();
DROP TRIGGER gate_workspace_changed ON workspaces;
CREATE TRIGGER gate_workspace_changed
    AFTER INSERT OR DELETE OR UPDATE OF id, slug, name, keys_copyable, retention_days ON workspaces
    FOR EACH ROW EXECUTE FUNCTION gate_workspace_changed();
DROP TRIGGER gate_agent_changed ON agents;
CREATE TRIGGER gate_agent_changed
    AFTER INSERT OR DELETE OR UPDATE OF workspace_id, id, slug, name ON agents
    FOR EACH ROW EXECUTE FUNCTION gate_agent_changed();
DROP TRIGGER gate_configuration_changed ON configurations;
CREATE TRIGGER gate_configuration_changed
    AFTER INSERT OR DELETE OR UPDATE OF workspace_id, agent_id, all_metrics, metrics, transcript ON configurations
    FOR EACH ROW EXECUTE FUNCTION gate_agent_changed();
