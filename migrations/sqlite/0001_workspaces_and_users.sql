-- Times are microseconds since 1970-01-01T00:00:00Z. Ids are text with a prefix that names their kind.

CREATE TABLE workspaces (
    id            TEXT    NOT NULL PRIMARY KEY,
    slug          TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    -- Whether an API key's full value is kept, sealed, so that admins can copy it later.
    keys_copyable BOOLEAN NOT NULL DEFAULT TRUE,
    created_at    BIGINT  NOT NULL
);

CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    -- Lower case.
    email         TEXT   NOT NULL UNIQUE,
    -- Argon2id, in PHC string format.
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE memberships (
    workspace_id TEXT   NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    user_id      TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role         TEXT   NOT NULL CHECK (role IN ('admin', 'viewer')),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id, workspace_id);

CREATE TABLE invitations (
    workspace_id TEXT   NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT   NOT NULL,
    email        TEXT   NOT NULL,
    role         TEXT   NOT NULL CHECK (role IN ('admin', 'viewer')),
    -- SHA-256 of the token in the invitation link.
    token_hash   BLOB   NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, email)
);

CREATE TABLE sessions (
    -- SHA-256 of the id in the cookie.
    id_hash    BLOB   NOT NULL PRIMARY KEY,
    -- NULL until someone has signed in.
    user_id    TEXT   REFERENCES users (id) ON DELETE CASCADE,
    data       TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE sign_in_attempts (
    -- SHA-256 of what is counted: an account at an address, or an address.
    subject_hash BLOB   NOT NULL PRIMARY KEY,
    attempts     BIGINT NOT NULL,
    -- When the count starts again from nothing.
    resets_at    BIGINT NOT NULL
);

CREATE TABLE audit_entries (
    workspace_id TEXT   NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    -- The user's e-mail at that time, or `command line`.
    actor        TEXT   NOT NULL,
    actor_id     TEXT,
    action       TEXT   NOT NULL,
    -- What was acted upon: a key's, an agent's or a user's id and its name at that time.
    subject_id   TEXT   NOT NULL,
    subject      TEXT   NOT NULL,
    -- JSON: what changed, never a secret.
    details      TEXT   NOT NULL,
    -- The client's IP address; empty for the command line.
    address      TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX audit_entries_by_time ON audit_entries (workspace_id, at, id);
