-- What the Agents API was sent beside the name: kept for duplicates, read by nothing else here. A JSON object.
ALTER TABLE agents ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
