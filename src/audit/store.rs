//! SQL for audit entries. An entry is written in the transaction of the change that it records, so that neither exists
//! without the other.

use crate::audit::model::Action;
use crate::base::id::{UserId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::rows::run;
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, row_statements, rows, statements};
use serde_json::json;

statements! {
    INSERT = "INSERT INTO audit_entries
        (workspace_id, id, at, actor, actor_id, action, subject_id, subject, details, address)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    INSERT_FOR_MEMBER = "INSERT INTO audit_entries
        (workspace_id, id, at, actor, actor_id, action, subject_id, subject, details, address)
        SELECT workspace_id, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM memberships WHERE user_id = $1";
    LIST = "SELECT id, at, actor, action, subject_id, subject, details, address FROM audit_entries
        WHERE workspace_id = $1 AND (at, id) < ($2, $3) AND ($4 = '' OR actor = $4) AND ($5 = '' OR action = $5)
            AND ($6 = '' OR (action LIKE 'key-%' AND (subject_id = $6 OR subject = $6)))
        ORDER BY at DESC, id DESC LIMIT $7";
    // These cover all workspaces: the server delivers the entries of all.
    LEASE_SINK = "INSERT INTO audit_sinks (one, holder, until) VALUES (1, $1, $2)
        ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, until = excluded.until
        WHERE audit_sinks.holder = $1 OR audit_sinks.until < $3";
    UNSENT = "SELECT e.workspace_id, e.id, e.at, e.actor, e.action, e.subject_id, e.subject, e.details, e.address
        FROM audit_unsent u JOIN audit_entries e ON e.workspace_id = u.workspace_id AND e.id = u.id
        ORDER BY e.at, e.id LIMIT $1";
    FORGET_SINK = "DELETE FROM audit_sinks WHERE until < $1";
    FORGET_UNSENT = "DELETE FROM audit_unsent WHERE NOT EXISTS (SELECT 1 FROM audit_sinks)";
    PEOPLE = "SELECT DISTINCT actor FROM audit_entries WHERE workspace_id = $1 ORDER BY actor LIMIT 500";
}

/// A new audit entry: one action on one subject.
#[derive(Debug)]
pub struct NewAuditEntry<'a> {
    pub action: Action,
    /// Id of the subject, such as a key, agent or user.
    pub subject_id: &'a str,
    /// Name of the subject at that time.
    pub subject: &'a str,
    /// What changed, as JSON. Never contains a secret.
    pub details: serde_json::Value,
}

macro_rules! insert_many {
    ($engine:ident) => {
        concat!(
            "INSERT INTO audit_entries
                (workspace_id, id, at, actor, actor_id, action, subject_id, subject, details, address)
            SELECT r.value ->> 0, r.value ->> 1, CAST(r.value ->> 2 AS BIGINT), r.value ->> 3, r.value ->> 4,
                r.value ->> 5, r.value ->> 6, r.value ->> 7, r.value ->> 8, r.value ->> 9 FROM ",
            rows!($engine)
        )
    };
}

macro_rules! delete_sent {
    ($engine:ident) => {
        concat!(
            "DELETE FROM audit_unsent WHERE (workspace_id, id) IN (SELECT r.value ->> 0, r.value ->> 1 FROM ",
            rows!($engine),
            ")"
        )
    };
}

row_statements! {
    INSERT_MANY = insert_many;
    DELETE_SENT = delete_sent;
}

/// An entry that was not delivered yet.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UnsentEntry {
    pub workspace_id: String,
    #[sqlx(flatten)]
    pub entry: AuditEntry,
}

/// Makes this server the one that delivers until then. False if another server is.
pub async fn lease_sink(change: &mut Change, server: &str, until: Timestamp) -> Result<bool, DbError> {
    let now = change.now();
    Ok(on_change!(change, |c| sqlx::query(LEASE_SINK)
        .bind(server)
        .bind(until)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected() == 1))?)
}

/// The oldest entries, of all workspaces, that were not delivered.
pub async fn unsent(db: &Db, limit: i64) -> Result<Vec<UnsentEntry>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(UNSENT).bind(limit).fetch_all(pool).await)?)
}

/// Forgets that these entries wait.
pub async fn sent(change: &mut Change, entries: &[UnsentEntry]) -> Result<(), DbError> {
    let rows: Vec<_> = entries.iter().map(|entry| json!([entry.workspace_id, entry.entry.id])).collect();
    run(change, DELETE_SENT, &rows).await
}

/// Forgets a sink that no server has used since then, and what waits for it.
pub async fn forget_sink(change: &mut Change, since: Timestamp) -> Result<(), DbError> {
    on_change!(change, |c| sqlx::query(FORGET_SINK).bind(since).execute(c).await.map(|_| ()))?;
    Ok(on_change!(change, |c| sqlx::query(FORGET_UNSENT).execute(c).await.map(|_| ()))?)
}

/// Writes several entries of one workspace.
pub async fn record_many(
    change: &mut Change,
    workspace: &WorkspaceId,
    entries: &[NewAuditEntry<'_>],
) -> Result<(), DbError> {
    let (actor, now, random) = (change.actor().clone(), change.now(), change.random().clone());
    let address = actor.address.map(|address| address.to_string()).unwrap_or_default();
    let row = |entry: &NewAuditEntry<'_>| {
        let id = random.text(b"0123456789abcdefghijklmnopqrstuvwxyz", 20);
        let details = entry.details.to_string();
        let (action, subject_id, subject) = (entry.action.id(), entry.subject_id, entry.subject);
        json!([workspace, id, now, actor.name, actor.id, action, subject_id, subject, details, address])
    };
    run(change, INSERT_MANY, &entries.iter().map(row).collect::<Vec<_>>()).await
}

/// Writes an entry of one workspace.
pub async fn record(change: &mut Change, workspace: &WorkspaceId, entry: NewAuditEntry<'_>) -> Result<(), DbError> {
    insert(change, INSERT, workspace.as_str(), entry).await
}

/// Writes an entry about a user's account to each workspace that the user is a member of.
pub async fn record_for_member(change: &mut Change, user: &UserId, entry: NewAuditEntry<'_>) -> Result<(), DbError> {
    insert(change, INSERT_FOR_MEMBER, user.as_str(), entry).await
}

async fn insert(change: &mut Change, sql: &'static str, owner: &str, entry: NewAuditEntry<'_>) -> Result<(), DbError> {
    let (actor, now) = (change.actor().clone(), change.now());
    let id = change.random().text(b"0123456789abcdefghijklmnopqrstuvwxyz", 20);
    on_change!(change, |c| sqlx::query(sql)
        .bind(owner)
        .bind(id)
        .bind(now)
        .bind(actor.name)
        .bind(actor.id)
        .bind(entry.action.id())
        .bind(entry.subject_id)
        .bind(entry.subject)
        .bind(entry.details.to_string())
        .bind(actor.address.map(|a| a.to_string()).unwrap_or_default())
        .execute(c)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// A stored audit entry.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AuditEntry {
    pub id: String,
    pub at: Timestamp,
    /// The actor's e-mail address at that time, `command line`, or `API key` and the key's id.
    pub actor: String,
    pub action: String,
    pub subject_id: String,
    pub subject: String,
    /// JSON text.
    pub details: String,
    /// Empty for the command line.
    pub address: String,
}

/// Filter for a workspace's entries. An empty field does not filter.
#[derive(Clone, Debug, Default)]
pub struct ActivityFilter {
    pub person: String,
    pub action: Option<Action>,
    /// A key's id, or its name at the time of the entry.
    pub key: String,
}

/// A page of entries, newest first, after the entry with this time and id.
pub async fn list(
    db: &Db,
    workspace: &WorkspaceId,
    filter: &ActivityFilter,
    after: Option<&(Timestamp, String)>,
    limit: i64,
) -> Result<Vec<AuditEntry>, DbError> {
    let (at, id) = after.cloned().unwrap_or((Timestamp(i64::MAX), String::new()));
    Ok(on_db!(db, |pool| sqlx::query_as(LIST)
        .bind(workspace)
        .bind(at)
        .bind(id)
        .bind(&filter.person)
        .bind(filter.action.map(Action::id).unwrap_or_default())
        .bind(&filter.key)
        .bind(limit)
        .fetch_all(pool)
        .await)?)
}

/// The names of all actors, in alphabetical order; at most 500.
pub async fn people(db: &Db, workspace: &WorkspaceId) -> Result<Vec<String>, DbError> {
    let rows: Vec<(String,)> = on_db!(db, |pool| sqlx::query_as(PEOPLE).bind(workspace).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|(actor,)| actor).collect())
}
