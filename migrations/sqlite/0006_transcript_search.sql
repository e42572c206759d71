-- The words of each conversation's transcript, for full-text search. The two databases have their own ways for this; the
-- words are the same: see src/conversations/words.rs.
CREATE TABLE transcripts (
    number          INTEGER NOT NULL PRIMARY KEY,
    workspace_id    TEXT    NOT NULL,
    agent_id        TEXT    NOT NULL,
    conversation_id TEXT    NOT NULL,
    UNIQUE (workspace_id, agent_id, conversation_id),
    FOREIGN KEY (workspace_id, agent_id, conversation_id)
        REFERENCES conversations (workspace_id, agent_id, id) ON DELETE CASCADE
);
-- `scope` is one word that names the agent. Everything that is not an ASCII separator belongs to a word.
CREATE VIRTUAL TABLE transcript_words USING fts5(
    scope, user_words, agent_words, content = '', contentless_delete = 1, tokenize = 'ascii'
);
CREATE TRIGGER transcripts_deleted AFTER DELETE ON transcripts BEGIN
    DELETE FROM transcript_words WHERE rowid = OLD.number;
END;
