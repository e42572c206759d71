-- Values that are shown once wait here, sealed, for the one request that takes them.
CREATE TABLE shown_once (
    workspace_id  TEXT   NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    -- Who may see it.
    user_id       TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A key's id, or `invitation`.
    subject       TEXT   NOT NULL,
    sealed        BLOB   NOT NULL,
    master_key_id TEXT   NOT NULL,
    expires_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, user_id, subject)
);
CREATE INDEX shown_once_by_expiry ON shown_once (expires_at);

-- What somebody who is signed in typed into a form that was refused, until its page shows it again.
CREATE TABLE form_drafts (
    user_id    TEXT   NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- JSON: names and values, never a secret.
    fields     TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX form_drafts_by_expiry ON form_drafts (expires_at);
