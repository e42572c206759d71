-- Recordings of conversations. The audio is in the storage for recordings, under the name `object`.
CREATE TABLE recordings (
    workspace_id    TEXT NOT NULL,
    agent_id        TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    -- Whose voice it has: combined, user or agent.
    side            TEXT NOT NULL,
    redacted        BOOLEAN NOT NULL,
    object          TEXT NOT NULL UNIQUE,
    -- In bytes.
    size            BIGINT NOT NULL,
    stored_at       BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, conversation_id, side, redacted),
    FOREIGN KEY (workspace_id, agent_id, conversation_id)
        REFERENCES conversations (workspace_id, agent_id, id) ON DELETE CASCADE
);

-- Objects that no recording refers to: those that are being uploaded, and those of recordings that were replaced or
-- deleted.
CREATE TABLE loose_objects (
    object    TEXT NOT NULL PRIMARY KEY,
    -- From this time on the object is deleted, in microseconds since 1970.
    delete_at BIGINT NOT NULL
);
CREATE INDEX loose_objects_by_time ON loose_objects (delete_at, object);

CREATE TRIGGER recording_deleted AFTER DELETE ON recordings BEGIN
    INSERT INTO loose_objects (object, delete_at) VALUES (OLD.object, 0);
END;
CREATE TRIGGER recording_replaced AFTER UPDATE OF object ON recordings WHEN OLD.object <> NEW.object BEGIN
    INSERT INTO loose_objects (object, delete_at) VALUES (OLD.object, 0);
END;
