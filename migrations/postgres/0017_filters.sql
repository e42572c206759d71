-- What conversations are filtered by, and how long they took, which the number of concurrent calls needs.
ALTER TABLE conversations ADD COLUMN language TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN direction TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN from_number TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN to_number TEXT COLLATE "C" NOT NULL DEFAULT '';
-- In seconds.
ALTER TABLE conversations ADD COLUMN total_duration BIGINT NOT NULL DEFAULT 0;
UPDATE conversations SET
    language = CASE json_typeof(extras::json -> 'language') WHEN 'string' THEN extras::json ->> 'language' ELSE '' END,
    direction = CASE json_typeof(extras::json -> 'direction') WHEN 'string' THEN extras::json ->> 'direction' ELSE '' END,
    from_number = COALESCE(document::json ->> 'from_number', ''),
    to_number = COALESCE(document::json ->> 'to_number', ''),
    total_duration = COALESCE((document::json ->> 'total_duration')::bigint, 0);

CREATE TABLE conversation_tags (
    workspace_id    TEXT COLLATE "C" NOT NULL,
    agent_id        TEXT COLLATE "C" NOT NULL,
    conversation_id TEXT COLLATE "C" NOT NULL,
    tag             TEXT COLLATE "C" NOT NULL,
    -- Those of the conversation, so that a page of a tag's conversations is read from the index.
    environment     TEXT COLLATE "C" NOT NULL,
    started_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, conversation_id, tag),
    FOREIGN KEY (workspace_id, agent_id, conversation_id)
        REFERENCES conversations (workspace_id, agent_id, id) ON DELETE CASCADE
);
INSERT INTO conversation_tags (workspace_id, agent_id, conversation_id, tag, environment, started_at)
    SELECT workspace_id, agent_id, id, tags.value #>> '{}', environment, started_at
    FROM conversations, json_array_elements(
        CASE json_typeof(extras::json -> 'tags') WHEN 'array' THEN extras::json -> 'tags' ELSE '[]' END
    ) AS tags
    WHERE json_typeof(tags.value) = 'string' AND LENGTH(tags.value #>> '{}') BETWEEN 1 AND 200
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
