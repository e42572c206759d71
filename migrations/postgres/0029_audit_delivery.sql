-- Delivery of audit entries to another system. While there is a sink, each entry waits here until it was delivered.
CREATE TABLE audit_sinks (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    -- The server that delivers, until this time.
    holder TEXT COLLATE "C" NOT NULL,
    until  BIGINT  NOT NULL
);
CREATE TABLE audit_unsent (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE FUNCTION audit_entry_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM audit_sinks) THEN
        INSERT INTO audit_unsent (workspace_id, id) VALUES (NEW.workspace_id, NEW.id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_entry_waits AFTER INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION audit_entry_waits();
