//! Tests of the gate: its index compared with the database, on one server and on two.

use crate::support::postgres::{self, Cluster};
use crate::support::{TestApp, follow, new_key, on_both_engines, trusted};
use agent_studio::api_keys::KeySettings;
use agent_studio::api_keys::secret::PlainKey;
use agent_studio::api_keys::service::bulk::{BulkAction, Selection};
use agent_studio::api_keys::service::{NewKey, Rotation};
use agent_studio::api_keys::{AgentScope, KeyListQuery, KeyName, Permission, Permissions};
use agent_studio::base::actor::Actor;
use agent_studio::base::id::{AgentId, WorkspaceId};
use agent_studio::base::randomness::Random;
use agent_studio::configuration::AllowedMetrics;
use agent_studio::gate::AccessRequest;
use agent_studio::gate::state::DecisionSource;
use agent_studio::gate::{self, Denial};
use agent_studio::http::envelope::ApiError;
use agent_studio::server::state::Services;
use agent_studio::usage::Outcome;
use agent_studio::workspaces::{KeyPolicy, Workspace};
use agent_studio::{agents, on_change, on_db};
use axum::http::HeaderMap;
use futures_util::future::join_all;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

on_both_engines! {
    a_million_cases_are_decided_as_plain_sql_decides_them,
    the_index_and_the_database_decide_alike,
    a_change_holds_from_its_answer_on,
    what_other_programs_change_is_noticed,
    a_key_that_another_program_has_made_is_known_at_once,
    commits_to_sqlite_leave_marks,
    every_column_that_the_index_holds_is_watched,
    what_the_index_holds_follows_plain_sql,
}

fn headers(key: &PlainKey) -> HeaderMap {
    HeaderMap::from_iter([(gate::header::API_KEY, key.expose().parse().unwrap())])
}

/// The status of a call, and the access that it gets.
async fn decision(
    app: &Services,
    key: &PlainKey,
    permission: Permission,
    account: &str,
    project: &str,
) -> (u16, String) {
    let need = AccessRequest { account_id: Some(account), permission: Some(permission), project_id: Some(project) };
    match app.gate.decide(&headers(key), need).await.map_err(ApiError::from) {
        Ok(pass) => (200, format!("{} {} {:?}", pass.workspace.id, pass.agent.id, pass.configuration)),
        Err(refused) => (refused.status.as_u16(), refused.message),
    }
}

/// Random choices that are the same in each run.
struct Dice(Random);

impl Dice {
    fn below(&self, sides: usize) -> usize {
        u32::from_le_bytes(self.0.bytes::<4>()) as usize % sides
    }

    fn one_of<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Workspaces with agents and keys of every kind.
struct World {
    workspaces: Vec<(Workspace, Vec<AgentId>)>,
    /// Deleted agents, which calls still name.
    gone: BTreeSet<AgentId>,
    keys: Vec<(WorkspaceId, agent_studio::base::id::ApiKeyId, Arc<PlainKey>)>,
    dice: Dice,
}

impl World {
    async fn new(test: &TestApp) -> Self {
        let mut world =
            Self { workspaces: Vec::new(), gone: BTreeSet::new(), keys: Vec::new(), dice: Dice(Random::seeded(11)) };
        for name in ["Acme", "Beta", "Ceta"] {
            let workspace = test.workspace(name).await;
            let mut agents = Vec::new();
            for agent in ["Hotel", "Spa", "Bar", "Taxi"] {
                agents.push(test.agent(&workspace, agent).await);
            }
            world.workspaces.push((workspace, agents));
        }
        for _ in 0..40 {
            world.add_key(test).await;
        }
        world
    }

    async fn add_key(&mut self, test: &TestApp) {
        let (workspace, agents) = self.dice.one_of(&self.workspaces);
        let all = self.dice.below(2) == 0;
        let there = agents.iter().filter(|agent| !self.gone.contains(agent));
        let chosen: Vec<AgentId> = there.filter(|_| self.dice.below(2) == 0).cloned().collect();
        let scope = if all || chosen.is_empty() { AgentScope::All } else { AgentScope::Chosen(chosen) };
        let mut ids: Vec<&str> =
            ["conversations", "handoff", "external-events"].into_iter().filter(|_| self.dice.below(2) == 0).collect();
        if ids.is_empty() {
            ids.push("conversations");
        }
        let new = NewKey {
            name: KeyName::parse("key").unwrap(),
            scope,
            permissions: Permissions::parse(ids).unwrap(),
            expires_at: test.app.clock.now().plus_seconds(1 + self.dice.below(900) as i64),
            settings: agent_studio::api_keys::KeySettings::default(),
        };
        let made = test.key(workspace, new).await;
        self.keys.push((workspace.id.clone(), made.id, Arc::new(made.value)));
    }

    /// Makes a random change of the gate's data and waits until it is answered.
    async fn change(&mut self, test: &TestApp) {
        let actor = Actor::command_line();
        let at = self.dice.below(self.keys.len());
        let keys = &test.app.api_keys;
        match self.dice.below(12) {
            11 => {
                // The calls come from no known address.
                let (workspace, id, _) = &self.keys[at];
                let networks = if self.dice.below(2) == 0 { vec!["10.0.0.0/8".to_owned()] } else { Vec::new() };
                let _ =
                    keys.set(workspace, &actor, id, &KeySettings { networks, ..KeySettings::default() }, None).await;
            }
            6 => {
                let (workspace, id, _) = self.keys[at].clone();
                let now = test.app.clock.now();
                let overlap_end = now.plus_seconds(self.dice.below(300) as i64);
                let expires_at = now.plus_seconds(1 + self.dice.below(900) as i64);
                if let Ok(rotated) = keys.rotate(&workspace, &actor, &id, Rotation { overlap_end, expires_at }).await {
                    self.keys.push((workspace, id, Arc::new(rotated.value)));
                }
            }
            7 => {
                let (workspace, id, _) = &self.keys[at];
                let _ = match self.dice.below(2) {
                    0 => keys.end_old_value(workspace, &actor, id).await,
                    _ => keys.cancel_rotation(workspace, &actor, id).await,
                };
            }
            8 => {
                let (workspace, id, _) = &self.keys[at];
                let _ = keys.pause(workspace, &actor, id, "").await;
            }
            9 => {
                let paused = self.keys.iter().map(|(workspace, id, _)| (workspace, id));
                for (workspace, id) in paused {
                    let _ = keys.resume(workspace, &actor, id).await;
                }
            }
            10 => {
                for (workspace, id, _) in &self.keys {
                    let _ = keys.restore(workspace, &actor, id).await;
                }
            }
            0 => self.add_key(test).await,
            1 => {
                let (workspace, id, _) = &self.keys[at];
                let permission = *self.dice.one_of(&["conversations", "handoff", "external-events"]);
                let permissions = Permissions::parse([permission]).unwrap();
                let name = KeyName::parse("edited").unwrap();
                let _ = test.app.api_keys.edit(workspace, &actor, id, &name, &permissions).await;
            }
            2 => {
                let (workspace, id, _) = &self.keys[at];
                let _ = test.app.api_keys.delete(workspace, &actor, id).await;
            }
            3 => {
                let (workspace, agents) = self.dice.one_of(&self.workspaces);
                let transcript = self.dice.below(2) == 0;
                let agent = self.dice.one_of(agents);
                if agents::store::find(&test.app.db, &workspace.id, agent.as_str()).await.unwrap().is_some() {
                    test.configure(workspace, agent, AllowedMetrics::All, transcript).await;
                }
            }
            5 if self.dice.below(4) == 0 && !self.gone.is_empty() => {
                let at = self.dice.below(self.gone.len());
                let agent = self.gone.iter().nth(at).cloned().unwrap();
                let owner = self.workspaces.iter().find(|(_, agents)| agents.contains(&agent));
                let workspace = owner.map(|(workspace, _)| workspace.id.clone()).unwrap();
                test.app.agents.restore(&workspace, &actor, &agent).await.unwrap();
                self.gone.remove(&agent);
            }
            4 if self.dice.below(8) == 0 => {
                let at = self.dice.below(self.workspaces.len());
                let (workspace, agents) = &mut self.workspaces[at];
                let agent = self.dice.one_of(agents);
                if let Some(agent) = agents::store::find(&test.app.db, &workspace.id, agent.as_str()).await.unwrap() {
                    test.app.agents.delete(&workspace.id, &actor, &agent).await.unwrap();
                    self.gone.insert(agent.id);
                    agents.push(test.agent(workspace, &agent.name).await);
                }
            }
            _ => test.app.clock.advance_seconds(self.dice.below(20) as i64),
        }
    }
}

/// Another server on the same database, with an empty index.
fn without_memory(test: &TestApp) -> TestApp {
    let other = TestApp::with(test.app.db.clone(), None);
    // Reinstalls the commit hook of the gate that follows the database.
    gate::follower::install(&test.app.gate);
    other
}

/// The gate's decision as one SQL statement over many calls. Each call has a key's hash, and the workspace, permission
/// and agent that it names; empty if it names none.
macro_rules! plain_sql {
    ($calls:literal, $hash:literal) => {
        concat!(
            "SELECT CASE
                WHEN k.id IS NULL THEN 'unknown'
                WHEN CASE WHEN k.hash = calls.hash THEN k.expires_at ELSE k.old_until END <= $2 THEN 'expired'
                WHEN k.paused_at > 0 THEN 'paused'
                WHEN k.networks <> '' THEN 'other-network'
                WHEN account <> k.workspace_id AND account <> w.slug THEN 'other-workspace'
                WHEN permission <> '' AND ',' || k.permissions || ',' NOT LIKE '%,' || permission || ',%'
                    THEN 'lacks-permission'
                WHEN project = '' THEN 'accepted'
                WHEN NOT k.all_agents AND NOT EXISTS (SELECT 1 FROM api_key_agents s
                    WHERE s.workspace_id = k.workspace_id AND s.key_id = k.id AND s.agent_id = a.id)
                    THEN 'agent-not-covered'
                WHEN a.id IS NULL THEN 'no-such-agent'
                WHEN COALESCE(f.transcript, FALSE) THEN 'accepted ' || a.id || ' with transcripts'
                ELSE 'accepted ' || a.id
            END
            FROM (SELECT c.value ->> 0 AS number, ",
            $hash,
            " AS hash, c.value ->> 2 AS account, c.value ->> 3 AS permission, c.value ->> 4 AS project FROM ",
            $calls,
            " c) AS calls
            LEFT JOIN api_keys k ON (k.hash = calls.hash OR k.old_hash = calls.hash) AND k.deleted_at = 0
            LEFT JOIN workspaces w ON w.id = k.workspace_id
            LEFT JOIN agents a ON a.workspace_id = k.workspace_id AND (a.id = project OR a.slug = project)
                AND a.deleted_at = 0
            LEFT JOIN configurations f ON f.workspace_id = a.workspace_id AND f.agent_id = a.id
            ORDER BY CAST(number AS BIGINT)"
        )
    };
}
const BY_SQLITE: &str = plain_sql!("json_each($1)", "unhex(c.value ->> 1)");
const BY_POSTGRES: &str = plain_sql!("json_array_elements(CAST($1 AS json))", "decode(c.value ->> 1, 'hex')");

async fn by_plain_sql(app: &Services, calls: &[serde_json::Value]) -> Vec<String> {
    let sql = if app.db.is_sqlite() { BY_SQLITE } else { BY_POSTGRES };
    let calls = serde_json::to_string(calls).unwrap();
    let rows: Vec<(String,)> =
        on_db!(&app.db, |pool| sqlx::query_as(sql).bind(calls).bind(app.clock.now()).fetch_all(pool).await).unwrap();
    rows.into_iter().map(|(decided,)| decided).collect()
}

async fn by_the_gate(app: &Services, key: &HeaderMap, need: AccessRequest<'_>) -> String {
    let decided = match app.gate.identify(key, Instant::now().into_std()).await {
        Ok(holder) => holder.decide(&app.gate, need, app.clock.now(), None, |_| ()).await,
        Err(denied) => Err(denied),
    };
    match decided {
        Ok((_, None)) => "accepted".to_owned(),
        Ok((_, Some(known))) if known.configuration.transcript => {
            format!("accepted {} with transcripts", known.agent.id)
        }
        Ok((_, Some(known))) => format!("accepted {}", known.agent.id),
        Err(Denial::Refused(refusal)) => Outcome::from(refusal).id().to_owned(),
        Err(failed) => panic!("{failed:?}"),
    }
}

/// Random calls between random changes, each decided by the gate and by SQL.
async fn a_million_cases_are_decided_as_plain_sql_decides_them(test: TestApp) {
    const BATCH: usize = 2_000;
    const BATCHES: usize = 500;
    let mut world = World::new(&test).await;
    let _following = follow(&test.app).await;
    let strangers: Vec<PlainKey> = (0..5).map(|_| PlainKey::generate(&world.dice.0)).collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut by_memory = 0;
    for batch in 0..BATCHES {
        world.change(&test).await;
        let keys: Vec<_> = world.keys.iter().map(|(_, _, key)| &**key).chain(&strangers).collect();
        let keys: Vec<_> = keys.into_iter().map(|key| (headers(key), hex::encode(key.hashed().as_bytes()))).collect();
        let (mut calls, mut deciding) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        by_memory += usize::from(test.app.gate.decision_source() == DecisionSource::Index);
        for number in 0..BATCH {
            let (key, hash) = world.dice.one_of(&keys);
            let (workspace, agents) = world.dice.one_of(&world.workspaces);
            let agent = world.dice.one_of(agents).as_str();
            let account = *world.dice.one_of(&[workspace.id.as_str(), workspace.slug.as_str(), "ws-nothing", ""]);
            let project = *world.dice.one_of(&["", agent, agent, "hotel", "spa", "nobody", "%"]);
            let permission = *world.dice.one_of(&[None, Some(0), Some(1), Some(2), Some(3)]);
            let permission = permission.map(|at: usize| Permission::ALL[at]);
            let project_id = (!project.is_empty()).then_some(project);
            deciding.push(by_the_gate(
                &test.app,
                key,
                AccessRequest { account_id: Some(account), permission, project_id },
            ));
            calls.push(json!([number, hash, account, permission.map_or("", Permission::id), project]));
        }
        // Concurrent, because calls with unknown keys share one poll of the database.
        let decided = join_all(deciding).await;
        let expected = by_plain_sql(&test.app, &calls).await;
        assert_eq!(expected.len(), BATCH);
        for (at, (decided, expected)) in decided.iter().zip(&expected).enumerate() {
            assert_eq!(decided, expected, "{batch}: {}", calls[at]);
            let kind = decided.split(' ').next().unwrap_or_default();
            *seen.entry(format!("{kind}{}", if decided.ends_with("transcripts") { "+" } else { "" })).or_default() += 1;
        }
    }
    assert_eq!(seen.values().sum::<usize>(), 1_000_000);
    // Every possible outcome occurred often.
    assert_eq!(seen.len(), 10, "{seen:?}");
    assert!(seen.values().all(|count| *count > 1_000), "{seen:?}");
    assert!(by_memory > BATCHES * 9 / 10, "the index was trusted in {by_memory} batches only");
}

async fn the_index_and_the_database_decide_alike(test: TestApp) {
    let mut world = World::new(&test).await;
    let _following = follow(&test.app).await;
    let (mut seen, mut by_memory) = ([0; 3], 0);
    let mut other = without_memory(&test);
    for case in 0..3_000 {
        if case % 20 == 0 {
            world.change(&test).await;
            other = without_memory(&test);
        }
        let (_, _, key) = world.dice.one_of(&world.keys);
        let (workspace, agents) = world.dice.one_of(&world.workspaces);
        let agent = world.dice.one_of(agents);
        let account = *world.dice.one_of(&[workspace.id.as_str(), workspace.slug.as_str(), "ws-nothing", ""]);
        let project = *world.dice.one_of(&[agent.as_str(), agent.as_str(), "hotel", "spa", "nobody", "%"]);
        let permission = *world.dice.one_of(&Permission::ALL);
        by_memory += usize::from(test.app.gate.decision_source() == DecisionSource::Index);
        let in_memory = decision(&test.app, key, permission, account, project).await;
        let by_database = decision(&other.app, key, permission, account, project).await;
        assert_eq!(in_memory, by_database, "{case}: {account} {project} {permission:?}");
        seen[match in_memory.0 {
            200 => 0,
            401 => 1,
            _ => 2,
        }] += 1;
    }
    assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    assert!(by_memory > 2_500, "the index was trusted {by_memory} times only");
}

/// Calls with one key from several tasks. Counts the calls that were let in although they began after the key became
/// invalid.
struct Load {
    over: Arc<AtomicBool>,
    late: Arc<AtomicUsize>,
    let_in: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn on(apps: &[&Services], key: &PlainKey, account: &str, project: &str) -> Self {
        let load = Self {
            over: Arc::default(),
            late: Arc::default(),
            let_in: Arc::default(),
            ended: Arc::default(),
            tasks: Vec::new(),
        };
        let mut tasks = Vec::new();
        for app in apps {
            for _ in 0..2 {
                let (app, key) = ((*app).clone(), PlainKey::parse(key.expose()).unwrap());
                let (account, project) = (account.to_owned(), project.to_owned());
                let (over, late) = (load.over.clone(), load.late.clone());
                let (let_in, ended) = (load.let_in.clone(), load.ended.clone());
                tasks.push(tokio::spawn(async move {
                    while !ended.load(Ordering::SeqCst) {
                        let began_after = over.load(Ordering::SeqCst);
                        let status = decision(&app, &key, Permission::Handoff, &account, &project).await.0;
                        if status == 200 {
                            let_in.fetch_add(1, Ordering::SeqCst);
                            late.fetch_add(usize::from(began_after), Ordering::SeqCst);
                        }
                        tokio::task::yield_now().await;
                    }
                }));
            }
        }
        Self { tasks, ..load }
    }

    /// Waits until calls are let in.
    async fn begun(&self) {
        while self.let_in.load(Ordering::SeqCst) < 10 {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Marks the key as invalid from now on.
    fn mark_over(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Marks the key as invalid and continues for `longer`. Returns the number of calls let in before and after.
    async fn over(self, longer: Duration) -> (usize, usize) {
        self.mark_over();
        sleep(longer).await;
        self.ended.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
        (self.let_in.load(Ordering::SeqCst), self.late.load(Ordering::SeqCst))
    }
}

async fn a_change_holds_from_its_answer_on(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let _following = follow(&test.app).await;
    for round in 0..10 {
        let made = test.key(&workspace, new_key("CRM")).await;
        let load = Load::on(&[&test.app], &made.value, &workspace.slug, agent.as_str());
        load.begun().await;
        test.app.api_keys.delete(&workspace.id, &Actor::command_line(), &made.id).await.unwrap();
        let (let_in, late) = load.over(Duration::from_millis(50)).await;
        assert!(let_in > 0 && late == 0, "{round}: {late} of {let_in} after the answer");
    }
}

async fn what_other_programs_change_is_noticed(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let made = test.key(&workspace, new_key("CRM")).await;
    let _following = follow(&test.app).await;
    let ask = async || decision(&test.app, &made.value, Permission::Handoff, &workspace.slug, agent.as_str()).await.0;
    assert_eq!(ask().await, 200);
    // Changes the database directly, as the command line or a database console does.
    let mut change = test.app.db.begin_unattended().await.unwrap();
    let sql = "UPDATE api_keys SET permissions = 'conversations'";
    on_change!(&mut change, |c| sqlx::query(sql).execute(c).await.map(|_| ())).unwrap();
    change.commit().await.unwrap();
    let began = Instant::now();
    while ask().await != 403 {
        assert!(began.elapsed() < Duration::from_secs(1), "not noticed within a second");
        sleep(Duration::from_millis(5)).await;
    }
    trusted(&test.app).await;
    assert_eq!(ask().await, 403, "the index says so too");
}

async fn a_key_that_another_program_has_made_is_known_at_once(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let _following = follow(&test.app).await;
    // This one does not follow the database, like the command line.
    let program = TestApp::with(test.app.db.clone(), None);
    gate::follower::hear_followers(&program.app.gate).await;
    let ask =
        async |key: &PlainKey| decision(&test.app, key, Permission::Handoff, &workspace.slug, agent.as_str()).await.0;
    let unknown = PlainKey::generate(&Random::System);
    for round in 0..50 {
        // In every second round, the server has seen for longer than a tick that nothing was committed.
        sleep(Duration::from_millis(round % 2 * 120)).await;
        assert_eq!(ask(&unknown).await, 401, "{round}");
        let made = program.key(&workspace, new_key("CRM")).await;
        assert_eq!(ask(&made.value).await, 200, "{round}");
    }
}

/// Each commit of any connection makes another mark, if the file system's clock has ticked since; reading makes none.
async fn commits_to_sqlite_leave_marks(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let program = TestApp::with(test.app.db.clone(), None);
    if !test.app.db.is_sqlite() {
        return assert_eq!(test.app.db.commit_mark(), None);
    }
    let mut before = test.app.db.commit_mark().unwrap();
    for round in 0..50 {
        program.app.api_keys.page(&workspace.id, &KeyListQuery::default()).await.unwrap();
        assert_eq!(test.app.db.commit_mark(), Some(before), "{round}");
        sleep(Duration::from_millis(20)).await;
        program.key(&workspace, new_key("CRM")).await;
        let now = test.app.db.commit_mark().unwrap();
        assert_ne!(now, before, "{round}");
        before = now;
    }
}

/// Ends values of keys in every way on one server, under load on both, while the servers' connections to PostgreSQL are
/// cut repeatedly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_server_lets_an_ended_value_in() {
    let url = postgres::new_database().await;
    let one = TestApp::on_postgres_at(&url).await;
    let other = TestApp::on_postgres_at(&url).await;
    let workspace = one.workspace("Acme").await;
    let agent = one.agent(&workspace, "Hotel").await;
    let _following = (follow(&one.app).await, follow(&other.app).await);
    let pool = one.app.db.postgres_pool().unwrap();
    let mut total = 0;
    for round in 0..24 {
        let made = one.key(&workspace, new_key("CRM")).await;
        let (keys, actor) = (&one.app.api_keys, Actor::command_line());
        let now = one.app.clock.now();
        let bulk = async |action| {
            let all = Selection::Ids(vec![made.id.clone()]);
            keys.change_many(&workspace.id, &actor, &all, &action).await.unwrap();
        };
        let set_policy = async |policy| keys.set_policy(&workspace.id, &actor, policy, true, None).await.unwrap();
        let rotation = |days| Rotation { overlap_end: now.plus_days(days), expires_at: now.plus_days(90) };
        let way = round % 8;
        let rotated = match way {
            2 | 3 => Some(keys.rotate(&workspace.id, &actor, &made.id, rotation(7)).await.unwrap().value),
            _ => None,
        };
        // Cancelling a rotation ends the new value, all other ways end the first.
        let ended = rotated.as_ref().filter(|_| way == 3).unwrap_or(&made.value);
        if way == 6 {
            // The lifetime that the policy allows is over by then.
            one.app.clock.advance_seconds(86_400);
            other.app.clock.advance_seconds(86_400);
        }
        let load = Load::on(&[&one.app, &other.app], ended, &workspace.slug, agent.as_str());
        load.begun().await;
        if round % 3 == 2 {
            // Cuts the listeners' connections of both servers.
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                AND query LIKE '%LISTEN%' AND pid <> pg_backend_pid()";
            sqlx::query(cut).execute(pool).await.unwrap();
        }
        match way {
            0 => drop(keys.delete(&workspace.id, &actor, &made.id).await.unwrap()),
            1 => keys.pause(&workspace.id, &actor, &made.id, "leaked?").await.unwrap(),
            2 => keys.end_old_value(&workspace.id, &actor, &made.id).await.unwrap(),
            3 => keys.cancel_rotation(&workspace.id, &actor, &made.id).await.unwrap(),
            4 => bulk(BulkAction::Delete).await,
            5 => bulk(BulkAction::Pause { reason: String::new() }).await,
            6 => {
                let policy = KeyPolicy { max_lifetime_days: Some(1), binds_existing: true, ..KeyPolicy::default() };
                set_policy(policy).await;
            }
            _ => drop(keys.rotate(&workspace.id, &actor, &made.id, rotation(0)).await.unwrap()),
        }
        let (let_in, late) = load.over(Duration::from_millis(100)).await;
        assert!(let_in > 0, "{round}");
        assert_eq!(late, 0, "{round}: {late} of {let_in} let in after the answer");
        total += let_in;
        set_policy(KeyPolicy::default()).await;
        trusted(&one.app).await;
        trusted(&other.app).await;
    }
    let agent = one.app.agents.find(&workspace.id, agent.as_str()).await.unwrap().unwrap();
    for round in 0..3 {
        let made = one.key(&workspace, new_key("CRM")).await;
        let load = Load::on(&[&one.app, &other.app], &made.value, &workspace.slug, agent.id.as_str());
        load.begun().await;
        one.app.agents.delete(&workspace.id, &Actor::command_line(), &agent).await.unwrap();
        let (let_in, late) = load.over(Duration::from_millis(100)).await;
        assert!(let_in > 0 && late == 0, "{round}: {late} of {let_in} let in after the agent's deletion");
        one.app.agents.restore(&workspace.id, &Actor::command_line(), &agent.id).await.unwrap();
    }
    assert!(total > 100, "{total} calls are no load");
}

/// While the database is down, no server lets calls in for longer than its lease, and no change is answered as done.
/// Afterwards the servers recover.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_server_refuses() {
    let url = postgres::new_database().await;
    let (server_url, name) = url.rsplit_once('/').unwrap();
    let elsewhere = sqlx::PgPool::connect(&format!("{server_url}/postgres")).await.unwrap();
    let reachable = async |allowed: bool| {
        let sql = format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS {allowed}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&elsewhere).await.unwrap();
        if !allowed {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
            sqlx::query(cut).bind(name).execute(&elsewhere).await.unwrap();
        }
    };
    let test = TestApp::on_postgres_at(&url).await;
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let (kept, ended) = (test.key(&workspace, new_key("CRM")).await, test.key(&workspace, new_key("Old")).await);
    let _following = follow(&test.app).await;
    let ask =
        async |key: &PlainKey| decision(&test.app, key, Permission::Handoff, &workspace.slug, agent.as_str()).await.0;
    assert_eq!((ask(&kept.value).await, ask(&ended.value).await), (200, 200));

    reachable(false).await;
    let delete = async || test.app.api_keys.delete(&workspace.id, &Actor::command_line(), &ended.id).await;
    assert!(delete().await.is_err(), "nothing can be done without the database");
    sleep(Duration::from_secs(2)).await;
    assert!(test.app.gate.decision_source() != DecisionSource::Index);
    assert_eq!(ask(&kept.value).await, 503);

    reachable(true).await;
    trusted(&test.app).await;
    assert_eq!((ask(&kept.value).await, ask(&ended.value).await), (200, 200));
    delete().await.unwrap();
    assert_eq!((ask(&kept.value).await, ask(&ended.value).await), (200, 401));
}

/// Deletes keys under load on two servers, while their listeners are cut and the database crashes and restarts. No call
/// that began after a deletion was answered may be let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_server_lets_a_deleted_key_in_while_the_database_restarts() {
    let cluster = Arc::new(Mutex::new(Cluster::start_new()));
    let url = cluster.lock().unwrap().url.clone();
    let tell = async |command: &'static str| {
        let cluster = cluster.clone();
        tokio::task::spawn_blocking(move || cluster.lock().unwrap().tell(command)).await.unwrap();
    };
    let one = TestApp::on_postgres_at(&url).await;
    let other = TestApp::on_postgres_at(&url).await;
    let workspace = one.workspace("Acme").await;
    let agent = one.agent(&workspace, "Hotel").await;
    let _following = (follow(&one.app).await, follow(&other.app).await);
    let (mut answered_at_once, mut total) = (0, 0);
    for round in 0..4 {
        let made = one.key(&workspace, new_key("CRM")).await;
        let load = Load::on(&[&one.app, &other.app], &made.value, &workspace.slug, agent.as_str());
        load.begun().await;
        let delete = async || one.app.api_keys.delete(&workspace.id, &Actor::command_line(), &made.id).await;
        let (deleted, ()) = tokio::join!(delete(), async {
            // Stops the database before, during and after the deletion.
            sleep(Duration::from_millis([0, 2, 5, 500][round])).await;
            tell("stop").await;
        });
        let mut deleted = deleted.is_ok();
        answered_at_once += usize::from(deleted);
        if deleted {
            load.mark_over();
        }
        sleep(Duration::from_secs(3)).await;
        let ask = async |app: &Services| {
            decision(app, &made.value, Permission::Handoff, &workspace.slug, agent.as_str()).await.0
        };
        assert_eq!((ask(&one.app).await, ask(&other.app).await), (503, 503), "{round}: nothing can be decided");
        let ready = one.browser().get("/readyz").await;
        assert_eq!((ready.status, &ready.json()["gate"]), (503, &json!("nothing")));
        tell("start").await;
        trusted(&one.app).await;
        trusted(&other.app).await;
        if !deleted {
            // A deletion that was not answered may still have been committed.
            deleted = delete().await.is_ok() || ask(&one.app).await == 401;
        }
        assert!(deleted, "{round}");
        let (let_in, late) = load.over(Duration::from_millis(200)).await;
        assert_eq!(late, 0, "{round}: {late} of {let_in} let in after the answer");
        assert_eq!((ask(&one.app).await, ask(&other.app).await), (401, 401));
        assert_eq!(one.browser().get("/readyz").await.status, 200);
        total += let_in;
    }
    assert!(total > 100, "{total} calls are no load");
    assert!(answered_at_once > 0, "no deletion was answered before the stop");
}

/// If the operator allows it, calls are decided by the last known index while the database is down, up to the time
/// limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_server_may_go_by_what_it_last_knew() {
    let cluster = Arc::new(Mutex::new(Cluster::start_new()));
    let url = cluster.lock().unwrap().url.clone();
    let tell = async |command: &'static str| {
        let cluster = cluster.clone();
        tokio::task::spawn_blocking(move || cluster.lock().unwrap().tell(command)).await.unwrap();
    };
    let mut test = TestApp::on_postgres_at(&url).await;
    test.reconfigure(|parts| parts.last_known = Duration::from_secs(5));
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let made = test.key(&workspace, new_key("CRM")).await;
    let _following = follow(&test.app).await;
    let ask = async || decision(&test.app, &made.value, Permission::Handoff, &workspace.slug, agent.as_str()).await.0;
    assert_eq!(ask().await, 200);

    tell("stop").await;
    let stopped = Instant::now();
    sleep(Duration::from_secs(3)).await;
    assert_eq!((test.app.gate.decision_source(), ask().await), (DecisionSource::LastKnown, 200));
    let ready = test.browser().get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["gate"]), (200, &json!("last-known")));
    assert_eq!(ready.json()["database"], "refuses connections");
    // Pages and API reads fail at once, with status 503.
    let asked = Instant::now();
    let page = test.browser().get("/sign-in").await;
    assert_eq!((page.status, page.header("retry-after")), (503, "1"));
    assert!(page.body.contains("The database is not available just now"), "{}", page.body);
    let path = format!("/v3/{}/{agent}/conversations", workspace.slug);
    let list = test.browser().api(&path, made.value.expose()).await;
    assert_eq!((list.status, list.json()["error_code"].as_str()), (503, Some("SERVICE_UNAVAILABLE")));
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    // Meanwhile nothing can be changed, and keys still expire.
    let deleted = test.app.api_keys.delete(&workspace.id, &Actor::command_line(), &made.id).await;
    assert!(deleted.is_err());
    sleep(Duration::from_millis(5_200).saturating_sub(stopped.elapsed())).await;
    assert_eq!((test.app.gate.decision_source(), ask().await), (DecisionSource::Nothing, 503));

    tell("start").await;
    trusted(&test.app).await;
    assert_eq!(ask().await, 200);
    test.app.clock.advance_seconds(31 * 86_400);
    assert_eq!(ask().await, 401);
}

/// The columns that the index holds. A column that is added to the gate's statements must be added here, to the
/// triggers, and to [`what_the_index_holds_follows_plain_sql`].
const HELD: [(&str, &[&str]); 5] = [
    (
        "api_keys",
        &[
            "workspace_id",
            "id",
            "name",
            "hash",
            "old_hash",
            "all_agents",
            "permissions",
            "expires_at",
            "old_until",
            "paused_at",
            "deleted_at",
            "networks",
            "rate_calls",
            "rate_seconds",
            "burst",
            "quota",
        ],
    ),
    ("api_key_agents", &["workspace_id", "key_id", "agent_id"]),
    ("workspaces", &["id", "slug", "name", "keys_copyable", "retention_days", "undo_days", "members_may_request"]),
    ("agents", &["workspace_id", "id", "slug", "name", "deleted_at"]),
    ("configurations", &["workspace_id", "agent_id", "all_metrics", "metrics", "transcript", "caller_numbers"]),
];

/// The gate's statements read exactly the columns above, and the triggers watch all of them.
async fn every_column_that_the_index_holds_is_watched(test: TestApp) {
    let reads = |name: &str| {
        let (_, sql) = gate::store::STATEMENTS.iter().find(|(n, _)| *n == name).unwrap();
        let mut columns = BTreeSet::new();
        for part in sql.split("SELECT ").skip(1) {
            let selected = part.split(" FROM ").next().unwrap().split("\n            FROM ").next().unwrap();
            columns.extend(selected.split(',').map(|column| column.trim().rsplit('.').next().unwrap().to_owned()));
        }
        // A constant, and a condition.
        columns.retain(|column| !column.starts_with("FALSE") && !column.starts_with("TRUE"));
        columns.extend(sql.contains("deleted_at = 0").then(|| "deleted_at".to_owned()));
        columns
    };
    let held = |table: &str| -> BTreeSet<String> {
        let (_, columns) = HELD.iter().find(|(t, _)| *t == table).unwrap();
        columns.iter().map(|column| (*column).to_owned()).collect()
    };
    assert_eq!(reads("KEYS"), held("api_keys"));
    assert_eq!(reads("CHOSEN"), held("api_key_agents"));
    assert_eq!(reads("WORKSPACES"), held("workspaces"));
    for (table, columns) in HELD {
        let (watched,): (String,) = on_db!(
            &test.app.db,
            sqlite |c| sqlx::query_as("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = $1 AND sql LIKE '%AFTER UPDATE OF%'")
                .bind(table)
                .fetch_one(c)
                .await,
            postgres |c| sqlx::query_as("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname LIKE 'gate%'")
                .bind(table)
                .fetch_one(c)
                .await
        )
        .unwrap();
        let watched = watched.split_once("UPDATE OF ").unwrap().1.split_once(" ON ").unwrap().0;
        let watched: BTreeSet<_> = watched.split(", ").map(str::to_owned).collect();
        assert_eq!(watched, held(table), "{table}: {columns:?}");
    }
}

/// Changes each column with plain SQL, as another program could. The index must have the change within 100 ms.
async fn what_the_index_holds_follows_plain_sql(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let hotel = test.agent(&workspace, "Hotel").await;
    let spa = test.agent(&workspace, "Spa").await;
    test.configure(&workspace, &hotel, AllowedMetrics::Only(["A".to_owned()].into()), false).await;
    let chosen = NewKey { scope: AgentScope::Chosen(vec![hotel.clone()]), ..new_key("CRM") };
    let key = test.key(&workspace, chosen).await;
    let _following = follow(&test.app).await;
    let hash = key.value.hashed();
    let held = || format!("{:?}", test.app.gate.index().holder(&hash));
    let chosen_spa = format!("agents: Some([AgentId({:?})])", spa.as_str());
    let changes = [
        ("UPDATE api_keys SET name = 'CRM two'", "CRM two"),
        ("UPDATE api_keys SET permissions = 'agents'", "Agents"),
        ("UPDATE api_keys SET expires_at = 4102444800000001", "4102444800000001"),
        ("UPDATE api_key_agents SET agent_id = (SELECT id FROM agents WHERE slug = 'spa')", chosen_spa.as_str()),
        ("UPDATE api_keys SET all_agents = TRUE", "agents: None"),
        ("UPDATE workspaces SET slug = 'acme-two'", "acme-two"),
        ("UPDATE workspaces SET name = 'Acme the second'", "Acme the second"),
        ("UPDATE workspaces SET keys_copyable = FALSE", "keys_copyable: false"),
        ("UPDATE workspaces SET retention_days = 4711", "4711"),
        ("UPDATE workspaces SET undo_days = 31", "undo_days: 31"),
        ("UPDATE workspaces SET members_may_request = TRUE", "members_may_request: true"),
        ("UPDATE api_keys SET paused_at = 5", "is_paused: true"),
        ("UPDATE api_keys SET networks = '10.1.0.0/16'", "10.1.0.0/16"),
        ("UPDATE api_keys SET quota = 77", "quota: Some(77)"),
        ("UPDATE api_keys SET rate_calls = 5, rate_seconds = 1, burst = 6", "calls: 5, seconds: 1, burst: 6"),
        ("UPDATE agents SET slug = 'grand-hotel' WHERE slug = 'hotel'", "grand-hotel"),
        ("UPDATE agents SET name = 'Grand Hotel' WHERE slug = 'grand-hotel'", "Grand Hotel"),
        ("UPDATE configurations SET metrics = '[\"B_METRIC\"]'", "B_METRIC"),
        ("UPDATE configurations SET transcript = TRUE", "transcript: true"),
        ("UPDATE configurations SET caller_numbers = 'hidden'", "caller_numbers: Hidden"),
        ("UPDATE configurations SET all_metrics = TRUE", "metrics: All"),
        ("UPDATE configurations SET agent_id = (SELECT id FROM agents WHERE slug = 'spa')", "\"B_METRIC"),
    ];
    for (sql, shows) in changes {
        let last = sql.contains("SET agent_id") && sql.contains("configurations");
        assert!(last || !held().contains(shows), "{sql}: it is there already");
        let before = held();
        let mut change = test.app.db.begin_unattended().await.unwrap();
        on_change!(&mut change, |c| sqlx::query(sql).execute(c).await.map(|_| ())).unwrap();
        change.commit().await.unwrap();
        let committed = Instant::now();
        while if last { held() == before } else { !held().contains(shows) } {
            assert!(
                committed.elapsed() < Duration::from_millis(100),
                "{sql}: not seen after {:?}",
                committed.elapsed()
            );
            sleep(Duration::from_millis(2)).await;
        }
    }
    // The hash, by which a key is found.
    let mut change = test.app.db.begin_unattended().await.unwrap();
    let sql = "UPDATE api_keys SET hash = $1";
    on_change!(&mut change, |c| sqlx::query(sql).bind([7_u8; 32].as_slice()).execute(c).await.map(|_| ())).unwrap();
    change.commit().await.unwrap();
    let committed = Instant::now();
    while test.app.gate.index().holder(&hash).is_some() {
        assert!(committed.elapsed() < Duration::from_millis(100), "{sql}");
        sleep(Duration::from_millis(2)).await;
    }
}
