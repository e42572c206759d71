-- A transaction that has told the gate of something knows it when it commits, and waits until every server follows.
CREATE FUNCTION gate_notify(what TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('agent_studio_gate', what);
    PERFORM set_config('agent_studio.gate_changed', 'yes', true);
END $$;
CREATE OR REPLACE FUNCTION gate_key_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM gate_notify('key ' || encode(OLD.hash, 'hex'));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM gate_notify('key ' || encode(NEW.hash, 'hex'));
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION gate_key_agent_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM gate_notify('key ' || encode(hash, 'hex')) FROM api_keys
            WHERE workspace_id = OLD.workspace_id AND id = OLD.key_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM gate_notify('key ' || encode(hash, 'hex')) FROM api_keys
            WHERE workspace_id = NEW.workspace_id AND id = NEW.key_id;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION gate_workspace_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM gate_notify('workspace ' || OLD.id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM gate_notify('workspace ' || NEW.id);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION gate_agent_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM gate_notify('workspace ' || OLD.workspace_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM gate_notify('workspace ' || NEW.workspace_id);
    END IF;
    RETURN NULL;
END $$;
-- Usage that was written down, by the server's id for it: written once, also where a commit's answer was lost.
CREATE TABLE usage_flushes (id TEXT COLLATE "C" PRIMARY KEY NOT NULL, at BIGINT NOT NULL);
