-- What conversations are filtered by, and how long they took, which the number of concurrent calls needs.
ALTER TABLE conversations ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN direction TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN from_number TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN to_number TEXT NOT NULL DEFAULT '';
-- In seconds.
ALTER TABLE conversations ADD COLUMN total_duration BIGINT NOT NULL DEFAULT 0;
UPDATE conversations SET
    language = CASE json_type(extras, '$.language') WHEN 'text' THEN json_extract(extras, '$.language') ELSE '' END,
    direction = CASE json_type(extras, '$.direction') WHEN 'text' THEN json_extract(extras, '$.direction') ELSE '' END,
    from_number = COALESCE(json_extract(document, '$.from_number'), ''),
    to_number = COALESCE(json_extract(document, '$.to_number'), ''),
    total_duration = COALESCE(json_extract(document, '$.total_duration'), 0);

CREATE TABLE conversation_tags (
    workspace_id    TEXT   NOT NULL,
    agent_id        TEXT   NOT NULL,
    conversation_id TEXT   NOT NULL,
    tag             TEXT   NOT NULL,
    -- Those of the conversation, so that a page of a tag's conversations is read from the index.
    environment     TEXT   NOT NULL,
    started_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, conversation_id, tag),
    FOREIGN KEY (workspace_id, agent_id, conversation_id)
        REFERENCES conversations (workspace_id, agent_id, id) ON DELETE CASCADE
);
INSERT INTO conversation_tags (workspace_id, agent_id, conversation_id, tag, environment, started_at)
    SELECT workspace_id, agent_id, conversations.id, tags.value, environment, started_at
    FROM conversations, json_each(CASE json_type(extras, '$.tags') WHEN 'array' THEN json_extract(extras, '$.tags') ELSE '[]' END) AS tags
    WHERE tags.type = 'text' AND LENGTH(tags.value) BETWEEN 1 AND 200
    ON CONFLICT DO NOTHING;
CREATE INDEX conversation_tags_newest_first
    ON conversation_tags (workspace_id, agent_id, environment, tag, started_at, conversation_id);

-- The numbers of concurrent calls are read from this index alone.
DROP INDEX conversations_newest_first;
CREATE INDEX conversations_newest_first
    ON conversations (workspace_id, agent_id, environment, started_at, id, total_duration, in_progress);
-- Each filter has an index in the order of pages. Longer texts are not in it: no filter is longer, and PostgreSQL's
-- indexes cannot hold texts of any length.
CREATE INDEX conversations_by_variant_id
    ON conversations (workspace_id, agent_id, environment, variant_id, started_at, id)
    WHERE variant_id <> '' AND LENGTH(variant_id) <= 200;
CREATE INDEX conversations_by_variant_name
    ON conversations (workspace_id, agent_id, environment, variant_name, started_at, id)
    WHERE variant_name <> '' AND LENGTH(variant_name) <= 200;
CREATE INDEX conversations_by_language
    ON conversations (workspace_id, agent_id, environment, language, started_at, id)
    WHERE language <> '' AND LENGTH(language) <= 200;
CREATE INDEX conversations_by_direction
    ON conversations (workspace_id, agent_id, environment, direction, started_at, id)
    WHERE direction <> '' AND LENGTH(direction) <= 200;
CREATE INDEX conversations_by_channel
    ON conversations (workspace_id, agent_id, environment, UPPER(channel), started_at, id)
    WHERE LENGTH(channel) <= 200;
CREATE INDEX conversations_by_channel_family
    ON conversations (workspace_id, agent_id, environment, channel_family, started_at, id)
    WHERE LENGTH(channel_family) <= 200;
CREATE INDEX conversations_in_progress
    ON conversations (workspace_id, agent_id, environment, started_at, id, total_duration, in_progress)
    WHERE in_progress;
-- By their ends. Few conversations take so long. Those of the others that reach into a span of time began within an hour
-- before it.
CREATE INDEX conversations_longer_than_an_hour
    ON conversations (
        workspace_id, agent_id, environment, (started_at + total_duration * 1000000), started_at, total_duration, in_progress
    )
    WHERE total_duration > 3600;
