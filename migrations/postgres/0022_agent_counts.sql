-- Counts of an agent stand side by side in the index, so that the counts of all agents are summed up without sorting.
ALTER TABLE agent_usage DROP CONSTRAINT agent_usage_pkey, ADD PRIMARY KEY (workspace_id, agent_id, hour, outcome);
DROP INDEX agent_usage_by_agent;
