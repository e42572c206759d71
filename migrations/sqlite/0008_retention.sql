-- Conversations older than this are erased; NULL keeps them.
ALTER TABLE workspaces ADD COLUMN retention_days INTEGER;
CREATE INDEX conversations_oldest_first ON conversations (workspace_id, started_at);
