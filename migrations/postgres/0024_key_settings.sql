-- What an admin says about a key, and how it is limited.
ALTER TABLE api_keys ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN note TEXT NOT NULL DEFAULT '';
-- Separated by commas, in alphabetical order.
ALTER TABLE api_keys ADD COLUMN tags TEXT NOT NULL DEFAULT '';
-- Networks in CIDR notation, separated by commas; empty for all.
ALTER TABLE api_keys ADD COLUMN networks TEXT NOT NULL DEFAULT '';
-- Calls in this many seconds, and calls that may come at once; NULL for no limit.
ALTER TABLE api_keys ADD COLUMN rate_calls BIGINT;
ALTER TABLE api_keys ADD COLUMN rate_seconds BIGINT;
ALTER TABLE api_keys ADD COLUMN burst BIGINT;
-- Calls in a month (UTC); NULL for no limit.
ALTER TABLE api_keys ADD COLUMN quota BIGINT;
CREATE INDEX api_keys_with_quota ON api_keys (workspace_id, id) WHERE quota IS NOT NULL;

-- The gate is told of every column that it keeps in memory.
DROP TRIGGER gate_key_changed ON api_keys;
CREATE TRIGGER gate_key_changed
    AFTER INSERT OR DELETE OR UPDATE OF workspace_id, id, name, hash, old_hash, all_agents, permissions, expires_at,
        old_until, paused_at, deleted_at, networks, rate_calls, rate_seconds, burst, quota ON api_keys
    FOR EACH ROW EXECUTE FUNCTION gate_key_changed();
