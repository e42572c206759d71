-- Usage that was written down, by the server's id for it: written once, also where a commit's answer was lost.
CREATE TABLE usage_flushes (id TEXT PRIMARY KEY NOT NULL, at BIGINT NOT NULL);
