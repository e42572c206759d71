-- As everywhere else: where collations differ, a join between tables cannot use an index.
ALTER TABLE transcripts
    ALTER workspace_id TYPE TEXT COLLATE "C",
    ALTER agent_id TYPE TEXT COLLATE "C",
    ALTER conversation_id TYPE TEXT COLLATE "C";
ALTER TABLE runtime_tokens
    ALTER workspace_id TYPE TEXT COLLATE "C",
    ALTER id TYPE TEXT COLLATE "C";
ALTER TABLE handoff_states
    ALTER workspace_id TYPE TEXT COLLATE "C",
    ALTER agent_id TYPE TEXT COLLATE "C",
    ALTER conversation_id TYPE TEXT COLLATE "C",
    ALTER shared_id TYPE TEXT COLLATE "C";
ALTER TABLE awaited_events
    ALTER workspace_id TYPE TEXT COLLATE "C",
    ALTER agent_id TYPE TEXT COLLATE "C",
    ALTER event_id TYPE TEXT COLLATE "C",
    ALTER conversation_id TYPE TEXT COLLATE "C";
ALTER TABLE external_events
    ALTER workspace_id TYPE TEXT COLLATE "C",
    ALTER agent_id TYPE TEXT COLLATE "C",
    ALTER conversation_id TYPE TEXT COLLATE "C",
    ALTER event_id TYPE TEXT COLLATE "C";
ALTER TABLE audit_entries
    ALTER actor_id TYPE TEXT COLLATE "C";
