-- What the gate keeps in memory has changed: told by triggers, with the commit of the change, whoever makes it.
CREATE FUNCTION gate_key_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('agent_studio_gate', 'key ' || encode(OLD.hash, 'hex'));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('agent_studio_gate', 'key ' || encode(NEW.hash, 'hex'));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION gate_key_agent_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('agent_studio_gate', 'key ' || encode(hash, 'hex')) FROM api_keys
        WHERE workspace_id = COALESCE(NEW.workspace_id, OLD.workspace_id) AND id = COALESCE(NEW.key_id, OLD.key_id);
    RETURN NULL;
END $$;
CREATE FUNCTION gate_workspace_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('agent_studio_gate', 'workspace ' || COALESCE(NEW.id, OLD.id));
    RETURN NULL;
END $$;
CREATE FUNCTION gate_agent_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('agent_studio_gate', 'workspace ' || COALESCE(NEW.workspace_id, OLD.workspace_id));
    RETURN NULL;
END $$;
CREATE TRIGGER gate_key_changed AFTER INSERT OR DELETE OR UPDATE OF hash, all_agents, permissions, expires_at ON api_keys
    FOR EACH ROW EXECUTE FUNCTION gate_key_changed();
CREATE TRIGGER gate_key_agent_changed AFTER INSERT OR DELETE OR UPDATE ON api_key_agents
    FOR EACH ROW EXECUTE FUNCTION gate_key_agent_changed();
CREATE TRIGGER gate_workspace_changed AFTER INSERT OR DELETE OR UPDATE OF slug, name ON workspaces
    FOR EACH ROW EXECUTE FUNCTION gate_workspace_changed();
CREATE TRIGGER gate_agent_changed AFTER INSERT OR DELETE OR UPDATE OF slug, name ON agents
    FOR EACH ROW EXECUTE FUNCTION gate_agent_changed();
CREATE TRIGGER gate_configuration_changed AFTER INSERT OR DELETE OR UPDATE ON configurations
    FOR EACH ROW EXECUTE FUNCTION gate_agent_changed();

-- The servers that decide by what they have in memory, and until when: whoever changes something waits for them.
CREATE TABLE gate_servers (
    id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    until TIMESTAMPTZ      NOT NULL
);
