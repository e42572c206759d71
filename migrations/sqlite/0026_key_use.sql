-- What is known about a key's use: who made the last accepted call, and what was used when.
ALTER TABLE api_keys ADD COLUMN last_address TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN last_program TEXT NOT NULL DEFAULT '';
-- The last accepted call with each permission; 0 if there was none.
ALTER TABLE api_keys ADD COLUMN conversations_used_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN handoff_used_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN external_events_used_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN agents_used_at BIGINT NOT NULL DEFAULT 0;
-- The only agent that was called; empty if none was, `*` if several were.
ALTER TABLE api_keys ADD COLUMN agent_called TEXT NOT NULL DEFAULT '';
-- Since when this is known: the key's creation, this migration, or the last time that permissions were added.
ALTER TABLE api_keys ADD COLUMN use_counted_since BIGINT NOT NULL DEFAULT 0;
UPDATE api_keys SET use_counted_since = CAST(strftime('%s', 'now') AS INTEGER) * 1000000;

-- The agent that the call named; empty if it named none.
ALTER TABLE requests ADD COLUMN agent_id TEXT NOT NULL DEFAULT '';
