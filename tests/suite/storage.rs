//! Tests that both databases behave alike.

use crate::support::{NOW, PASSWORD, TestApp, conversation, new_key, on_both_engines, postgres};
use agent_studio::api_keys::service::ApiKeyError;
use agent_studio::api_keys::{KeyListQuery, KeyOrder};
use agent_studio::api_keys::{KeyName, store};
use agent_studio::base::actor::Actor;
use agent_studio::base::clock::Clock;
use agent_studio::base::error::Problem;
use agent_studio::base::randomness::Random;
use agent_studio::conversations::query::ListQuery;
use agent_studio::db::{Db, Reader};
use agent_studio::users::Email;
use agent_studio::users::password::Password;
use agent_studio::users::service::UserError;
use agent_studio::workspaces::RetentionDays;
use agent_studio::{
    agents, api_keys, audit, configuration, conversations, deployments, external_events, gate, handoff, key_requests,
    on_change, on_db, recordings, runtime_tokens as runtime, sessions, usage, users, variants, workspaces,
};
use sqlx::{Executor as _, Row as _, SqlStr};
use std::collections::{BTreeMap, BTreeSet};

const STORES: [&[(&str, &str)]; 24] = [
    agents::store::STATEMENTS,
    api_keys::store::STATEMENTS,
    api_keys::store::bulk::STATEMENTS,
    audit::store::STATEMENTS,
    configuration::store::STATEMENTS,
    conversations::store::STATEMENTS,
    conversations::store::concurrency::STATEMENTS,
    conversations::store::lists::STATEMENTS,
    deployments::store::STATEMENTS,
    external_events::store::STATEMENTS,
    gate::store::STATEMENTS,
    handoff::store::STATEMENTS,
    key_requests::store::STATEMENTS,
    recordings::store::STATEMENTS,
    runtime::store::STATEMENTS,
    sessions::store::STATEMENTS,
    sessions::form_drafts::STATEMENTS,
    sessions::shown_once::STATEMENTS,
    sessions::throttle::STATEMENTS,
    usage::store::STATEMENTS,
    usage::store::totals::STATEMENTS,
    users::store::STATEMENTS,
    variants::store::STATEMENTS,
    workspaces::store::STATEMENTS,
];

on_both_engines! {
    every_statement_prepares,
    a_key_lives_and_dies,
    pages_hold_every_key_once_in_order,
    search_takes_text_literally,
    what_was_rolled_back_left_nothing,
    a_server_is_set_up_once,
    conversations_from_before_the_index_are_found_too,
    conversations_are_erased_when_their_time_is_over,
    an_audit_entry_goes_with_each_change,
}

async fn every_statement_prepares(test: TestApp) {
    for (name, sql) in STORES.into_iter().flatten() {
        let prepared = on_db!(&test.app.db, |pool| pool.prepare(SqlStr::from_static(sql)).await.map(|_| ()));
        assert!(prepared.is_ok(), "{name}: {prepared:?}");
    }
    let of_one_engine: Vec<&'static str> = match test.app.db.is_sqlite() {
        true => [
            &conversations::store::SQLITE_STATEMENTS[..],
            &conversations::store::concurrency::SQLITE_STATEMENTS,
            &conversations::store::lists::SQLITE_STATEMENTS,
            &gate::follower::SQLITE_STATEMENTS,
            api_keys::store::bulk::SQLITE_STATEMENTS,
            audit::store::SQLITE_STATEMENTS,
            usage::store::SQLITE_STATEMENTS,
        ]
        .concat(),
        false => [
            &conversations::store::POSTGRES_STATEMENTS[..],
            &conversations::store::concurrency::POSTGRES_STATEMENTS,
            &conversations::store::lists::POSTGRES_STATEMENTS,
            &gate::follower::POSTGRES_STATEMENTS,
            api_keys::store::bulk::POSTGRES_STATEMENTS,
            audit::store::POSTGRES_STATEMENTS,
            usage::store::POSTGRES_STATEMENTS,
        ]
        .concat(),
    };
    assert!(of_one_engine.len() > 10);
    for sql in of_one_engine {
        let prepared = on_db!(&test.app.db, |pool| pool.prepare(SqlStr::from_static(sql)).await.map(|_| ()));
        assert!(prepared.is_ok(), "{sql}: {prepared:?}");
    }
}

/// Conversations that an earlier version stored are not in the full-text index.
async fn conversations_from_before_the_index_are_found_too(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let lines: String = (0..300).map(|n| conversation(&format!("CA{n}"), n)).collect();
    test.import(&workspace, &agent, &lines).await;
    let mut change = test.app.db.begin_unattended().await.unwrap();
    on_change!(&mut change, |c| sqlx::query("DELETE FROM transcripts").execute(c).await.map(|_| ())).unwrap();
    change.commit().await.unwrap();

    let range = "start_time=2020-01-01T00:00:00Z&end_time=2030-01-01T00:00:00Z";
    let query = ListQuery::parse(&format!("query_type=transcript&query=room&{range}")).unwrap();
    let found =
        async || conversations::store::lists::places(&test.app.db, &workspace.id, &agent, &query).await.unwrap().len();
    assert_eq!(found().await, 0);
    assert_eq!(test.app.conversations.index_missing().await.unwrap(), 300);
    assert_eq!(found().await, 300);
    assert_eq!(test.app.conversations.index_missing().await.unwrap(), 0);
}

async fn conversations_are_erased_when_their_time_is_over(test: TestApp) {
    let (short, endless) = (test.workspace("Short").await, test.workspace("Endless").await);
    let mut agents = Vec::new();
    for (workspace, name) in [(&short, "Hotel"), (&short, "Spa"), (&endless, "Bar")] {
        let agent = test.agent(workspace, name).await;
        // One conversation per hour for ten days.
        let lines: String = (0..240).map(|n| conversation(&format!("CA{n}"), n * 3_600)).collect();
        test.import(workspace, &agent, &lines).await;
        agents.push((workspace.id.clone(), agent));
    }
    let left = async || {
        let mut counts = Vec::new();
        for (workspace, agent) in &agents {
            let query = ListQuery::parse("").unwrap();
            counts.push(conversations::store::lists::count(&test.app.db, workspace, agent, &query).await.unwrap());
        }
        counts
    };
    let erase = async || test.app.conversations.erase_old().await.unwrap();
    assert_eq!((erase().await, left().await), (0, vec![240, 240, 240]), "off by default");

    let set = async |days: &str| {
        let days = RetentionDays::parse(days).unwrap();
        test.app.workspaces.set_retention(&short.id, &Actor::command_line(), days).await.unwrap();
    };
    set("2").await;
    // A conversation that is exactly two days old remains.
    assert_eq!((erase().await, left().await), (2 * (240 - 49), vec![49, 49, 240]));
    assert_eq!(erase().await, 0);
    test.app.clock.advance_seconds(3_600);
    assert_eq!(erase().await, 2);
    set("").await;
    test.app.clock.advance_seconds(365 * 86_400);
    assert_eq!((erase().await, left().await), (0, vec![48, 48, 240]));
    // The transcripts' index entries are deleted too.
    let words = "SELECT COUNT(*) FROM transcripts";
    let (left,): (i64,) = on_db!(&test.app.db, |pool| sqlx::query_as(words).fetch_one(pool).await).unwrap();
    assert_eq!(left, 48 + 48 + 240);
    if test.app.db.is_sqlite() {
        let indexed = "SELECT COUNT(*) FROM transcript_words WHERE transcript_words MATCH 'room'";
        let (left,): (i64,) = on_db!(&test.app.db, |c| sqlx::query_as(indexed).fetch_one(c).await).unwrap();
        assert_eq!(left, 48 + 48 + 240);
    }
}

async fn a_server_is_set_up_once(test: TestApp) {
    let set_up = async |email: &str| {
        let (email, password) = (Email::parse(email).unwrap(), Password::parse(PASSWORD.to_owned()).unwrap());
        test.app.users.set_up(&Actor::command_line(), "Acme", &email, password).await
    };
    let (ada, bob) = tokio::join!(set_up("ada@example.com"), set_up("bob@example.com"));
    assert_eq!([&ada, &bob].iter().filter(|done| done.is_ok()).count(), 1, "{ada:?} {bob:?}");
    assert_eq!(users::store::list_all(&test.app.db).await.unwrap().len(), 1);
    assert_eq!(set_up("cleo@example.com").await.unwrap_err(), UserError::AlreadySetUp);
}

/// By table and column: the type, and whether it may be null.
type Schema = BTreeMap<(String, String), (String, bool)>;

/// Except for full-text search and the gate's change log, which differ between the engines.
#[tokio::test]
async fn both_schemas_are_the_same() {
    let sqlite = TestApp::on_sqlite().await;
    let Ok(Reader::Sqlite(mut held)) = sqlite.app.db.read().await else { unreachable!() };
    let rows = sqlx::query(
        "SELECT m.name AS t, c.name AS c, c.type AS ty, c.\"notnull\" = 0 AS n FROM sqlite_master m, \
         pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'transcript%' AND m.name NOT LIKE 'gate%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'",
    );
    let in_sqlite: Schema = rows
        .fetch_all(held.begin_statement())
        .await
        .unwrap()
        .iter()
        .map(|r| {
            ((r.get("t"), r.get("c")), (r.get::<String, _>("ty").to_lowercase().replace("blob", "bytea"), r.get("n")))
        })
        .collect();

    let pool = sqlx::PgPool::connect(&{
        let url = postgres::new_database().await;
        Db::postgres(&url, Clock::System, Random::System).await.unwrap().close().await;
        url
    })
    .await
    .unwrap();
    let rows = sqlx::query(
        "SELECT table_name AS t, column_name AS c, data_type AS ty, is_nullable = 'YES' AS n \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' \
         AND table_name NOT LIKE 'transcript%' AND table_name NOT LIKE 'gate%'",
    );
    let in_postgres: Schema = rows
        .fetch_all(&pool)
        .await
        .unwrap()
        .iter()
        .map(|r| ((r.get("t"), r.get("c")), (r.get("ty"), r.get("n"))))
        .collect();
    assert!(in_sqlite.len() > 60, "the query finds the columns: {}", in_sqlite.len());
    assert_eq!(in_sqlite, in_postgres);

    // Columns of joins must compare byte by byte (collation C), or the join cannot use their indexes.
    let otherwise: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public' \
         AND data_type = 'text' AND (column_name = 'id' OR column_name LIKE '%\\_id') \
         AND column_name NOT IN ('variant_id', 'subject_id', 'master_key_id') \
         AND collation_name IS DISTINCT FROM 'C'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(otherwise, []);
}

async fn a_key_lives_and_dies(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let mut new = new_key("CRM");
    new.scope = api_keys::AgentScope::Chosen(vec![agent.clone()]);
    let made = test.key(&workspace, new).await;

    let key = store::find(&test.app.db, &workspace.id, &made.id).await.unwrap().unwrap();
    assert_eq!(key.name.as_str(), "CRM");
    assert_eq!(key.masked, made.value.masked());
    assert_eq!(key.agents.unwrap()[0].id, agent);
    assert!(key.copyable);
    let known = gate::store::key(&test.app.db, &gate::limits::Limiters::default(), &made.value.hashed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (known.id, known.workspace, known.expires_at),
        (made.id.clone(), workspace.id.clone(), NOW.plus_days(30))
    );

    let actor = Actor::command_line();
    let copied = test.app.api_keys.copy(&workspace.id, &actor, &made.id).await.unwrap();
    assert_eq!(copied.expose(), made.value.expose());

    test.app.api_keys.delete(&workspace.id, &actor, &made.id).await.unwrap();
    assert!(
        gate::store::key(&test.app.db, &gate::limits::Limiters::default(), &made.value.hashed())
            .await
            .unwrap()
            .is_none()
    );
    let again = test.app.api_keys.delete(&workspace.id, &actor, &made.id).await;
    assert_eq!(again.unwrap_err(), ApiKeyError::NotFound);
}

async fn pages_hold_every_key_once_in_order(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut made = BTreeSet::new();
    for n in 0..60_i64 {
        // Many keys share names and times, so that the id determines the order.
        let mut new = new_key(["Beta", "alpha", "Ärger", "beta"][n as usize % 4]);
        new.expires_at = NOW.plus_days(1 + n % 3);
        if n % 20 == 0 {
            test.app.clock.advance_seconds(1);
        }
        made.insert(test.key(&workspace, new).await.id);
    }
    // Two thirds of the keys were used.
    let used = "UPDATE api_keys SET last_used_at = created_at WHERE expires_at > $1";
    let mut change = test.app.db.begin_unattended().await.unwrap();
    on_change!(&mut change, |c| sqlx::query(used).bind(NOW.plus_days(1).plus_seconds(60)).execute(c).await.map(|_| ()))
        .unwrap();
    change.commit().await.unwrap();
    for sort in [KeyOrder::Newest, KeyOrder::Oldest, KeyOrder::Name, KeyOrder::Expiry, KeyOrder::LastUsed] {
        let mut query = KeyListQuery { sort, ..KeyListQuery::default() };
        let mut pages = Vec::new();
        loop {
            let page = test.app.api_keys.page(&workspace.id, &query).await.unwrap();
            assert_eq!(page.previous.is_some(), !pages.is_empty());
            let next = page.next.clone();
            pages.push(page);
            match next {
                Some(next) => query = KeyListQuery { sort, after: Some(next), ..KeyListQuery::default() },
                None => break,
            }
        }
        assert_eq!(pages.iter().map(|p| p.keys.len()).collect::<Vec<_>>(), [25, 25, 10], "{sort:?}");
        let keys: Vec<_> = pages.iter().flat_map(|p| &p.keys).collect();
        assert_eq!(keys.iter().map(|k| k.id.clone()).collect::<BTreeSet<_>>(), made, "{sort:?}");
        let in_order = keys.is_sorted_by(|a, b| match sort {
            KeyOrder::Newest => a.created_at >= b.created_at,
            KeyOrder::Oldest => a.created_at <= b.created_at,
            KeyOrder::Name => store::name_key(a.name.as_str()) <= store::name_key(b.name.as_str()),
            KeyOrder::Expiry => a.expires_at <= b.expires_at,
            KeyOrder::LastUsed => a.last_used_at >= b.last_used_at,
        });
        assert!(in_order, "{sort:?}");
        // Pages backwards.
        let back = KeyListQuery { sort, before: pages[2].previous.clone(), ..KeyListQuery::default() };
        assert_eq!(test.app.api_keys.page(&workspace.id, &back).await.unwrap().keys, pages[1].keys, "{sort:?}");
        let back = KeyListQuery { sort, before: pages[1].previous.clone(), ..KeyListQuery::default() };
        let first = test.app.api_keys.page(&workspace.id, &back).await.unwrap();
        assert_eq!((first.keys, first.previous), (pages[0].keys.clone(), None), "{sort:?}");
    }
    for broken in ["", "x", "key-1~x", "~5", "key-1~\0"] {
        let query = KeyListQuery { after: Some(broken.to_owned()), ..KeyListQuery::default() };
        assert_eq!(
            test.app.api_keys.page(&workspace.id, &query).await.unwrap_err(),
            ApiKeyError::BadCursor,
            "{broken}"
        );
    }
}

async fn search_takes_text_literally(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    for name in ["100% safe", "100 safe", "under_score", "underscore", "back\\slash", "ÜBER", "it's"] {
        test.key(&workspace, new_key(name)).await;
    }
    for (search, found) in [
        ("100%", vec!["100% safe"]),
        ("r_s", vec!["under_score"]),
        ("k\\s", vec!["back\\slash"]),
        ("über", vec!["ÜBER"]),
        ("SAFE", vec!["100 safe", "100% safe"]),
        ("'", vec!["it's"]),
        ("nothing", vec![]),
    ] {
        let query = KeyListQuery { search: search.to_owned(), sort: KeyOrder::Name, ..KeyListQuery::default() };
        let page = test.app.api_keys.page(&workspace.id, &query).await.unwrap();
        let names: Vec<_> = page.keys.iter().map(|k| k.name.as_str()).collect();
        assert_eq!(names, found, "{search}");
    }
}

async fn what_was_rolled_back_left_nothing(test: TestApp) {
    let (workspace, other) = (test.workspace("Acme").await, test.workspace("Other").await);
    let foreign = test.agent(&other, "Theirs").await;
    let mut new = new_key("CRM");
    new.scope = api_keys::AgentScope::Chosen(vec![foreign]);
    let refused = test.app.api_keys.create(&workspace.id, &Actor::command_line(), &new).await;
    assert_eq!(refused.unwrap_err(), Problem::AgentsUnknown.into());
    let page = test.app.api_keys.page(&workspace.id, &KeyListQuery::default()).await.unwrap();
    assert_eq!(page.keys, []);
    assert_eq!(audit_actions(&test, workspace.id.as_str()).await, ["workspace-created"]);
}

async fn an_audit_entry_goes_with_each_change(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let made = test.key(&workspace, new_key("CRM")).await;
    let actor = Actor::command_line();
    let id = &workspace.id;
    test.app.api_keys.copy(id, &actor, &made.id).await.unwrap();
    let name = KeyName::parse("CRM 2").unwrap();
    test.app.api_keys.edit(id, &actor, &made.id, &name, &new_key("x").permissions).await.unwrap();
    test.app.api_keys.set_copyable(id, &actor, false).await.unwrap();
    let refused = test.app.api_keys.copy(id, &actor, &made.id).await;
    assert_eq!(refused.unwrap_err(), ApiKeyError::NotCopyable);
    test.app.api_keys.delete(id, &actor, &made.id).await.unwrap();
    let expected = ["key-copied", "key-created", "key-deleted", "key-edited", "workspace-changed", "workspace-created"];
    assert_eq!(audit_actions(&test, id.as_str()).await, expected);
}

/// The audited actions of a workspace, in alphabetical order.
async fn audit_actions(test: &TestApp, workspace: &str) -> Vec<String> {
    const ACTIONS: &str = "SELECT action FROM audit_entries WHERE workspace_id = $1 ORDER BY action";
    let rows: Vec<(String,)> =
        on_db!(&test.app.db, |pool| sqlx::query_as(ACTIONS).bind(workspace).fetch_all(pool).await).unwrap();
    rows.into_iter().map(|(action,)| action).collect()
}
