-- The words of each conversation's transcript, for full-text search. The two databases have their own ways for this; the
-- words are the same: see src/conversations/words.rs.
CREATE TABLE transcripts (
    workspace_id    TEXT     NOT NULL,
    agent_id        TEXT     NOT NULL,
    conversation_id TEXT     NOT NULL,
    user_words      TSVECTOR NOT NULL,
    agent_words     TSVECTOR NOT NULL,
    -- Both together.
    words           TSVECTOR NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, conversation_id),
    FOREIGN KEY (workspace_id, agent_id, conversation_id)
        REFERENCES conversations (workspace_id, agent_id, id) ON DELETE CASCADE
);
CREATE INDEX transcripts_by_user_words ON transcripts USING GIN (user_words);
CREATE INDEX transcripts_by_agent_words ON transcripts USING GIN (agent_words);
CREATE INDEX transcripts_by_words ON transcripts USING GIN (words);
