//! Tests of the deletion of agents and its undoing.

use crate::support::{TestApp, on_both_engines, setting};
use agent_studio::agents::service::AgentError;
use agent_studio::base::actor::Actor;
use agent_studio::base::error::Problem;
use agent_studio::base::id::AgentId;
use agent_studio::on_db;
use agent_studio::usage::writer;
use agent_studio::users::Role;

on_both_engines! {
    the_deletion_of_an_agent_can_be_undone,
    an_agent_is_deleted_and_restored_without_a_script,
}

async fn number(test: &TestApp, sql: &'static str) -> i64 {
    on_db!(&test.app.db, |pool| sqlx::query_scalar(sql).fetch_one(pool).await).unwrap()
}

async fn the_deletion_of_an_agent_can_be_undone(test: TestApp) {
    let set = setting(&test).await;
    let (agents, workspace, actor) = (&test.app.agents, &set.workspace.id, Actor::command_line());
    set.runtime(&test, "PUT", "CA1", &crate::support::conversation("CA1", 1)).await;
    let agent = agents.find(workspace, set.agent.as_str()).await.unwrap().unwrap();
    let path = format!("/v3/{}/{}/conversations", set.workspace.id, agent.id);
    let listed = set.get(&test, &path).await;
    assert!(listed.status == 200 && listed.body.contains("CA1"), "{}", listed.body);
    writer::flush(&test.app.usage).await.unwrap();
    assert_eq!(agents.names(workspace).await.unwrap().len(), 1);

    agents.delete(workspace, &actor, &agent).await.unwrap();
    assert_eq!(set.get(&test, &path).await.status, 404, "as if it had never been");
    assert_eq!(set.runtime(&test, "PUT", "CA2", &crate::support::conversation("CA2", 1)).await.status, 404);
    assert_eq!(agents.find(workspace, agent.id.as_str()).await.unwrap(), None);
    assert_eq!((agents.names(workspace).await.unwrap().len(), agents.list(workspace).await.unwrap().len()), (0, 0));
    assert_eq!(agents.delete(workspace, &actor, &agent).await, Err(AgentError::NotFound));
    assert_eq!(agents.rename(workspace, &actor, &agent.id, "x").await, Err(AgentError::NotFound));
    let taken = agents.create(workspace, &actor, "Again", Some(agent.id.as_str())).await;
    assert!(taken.is_err(), "its names are kept for it");
    let deleted = agents.deleted(workspace, 7).await.unwrap();
    assert_eq!((deleted.len(), deleted[0].name.as_str()), (1, agent.name.as_str()));

    let other = test.workspace("Other").await;
    assert_eq!(agents.restore(&other.id, &actor, &agent.id).await, Err(AgentError::NotFound));
    agents.restore(workspace, &actor, &agent.id).await.unwrap();
    let listed = set.get(&test, &path).await;
    assert!(listed.status == 200 && listed.body.contains("CA1"), "{}", listed.body);
    assert_eq!(agents.restore(workspace, &actor, &agent.id).await, Err(AgentError::NotFound), "it is there");

    // After 7 days it is erased with its conversations.
    agents.delete(workspace, &actor, &agent).await.unwrap();
    test.app.clock.advance_seconds(7 * 86_400 - 1);
    agents.erase_deleted().await.unwrap();
    assert_eq!(number(&test, "SELECT COUNT(*) FROM conversations").await, 1);
    test.app.clock.advance_seconds(1);
    assert_eq!(agents.restore(workspace, &actor, &agent.id).await, Err(AgentError::NotFound));
    agents.erase_deleted().await.unwrap();
    assert_eq!(number(&test, "SELECT COUNT(*) FROM conversations").await, 0);
    assert_eq!(number(&test, "SELECT COUNT(*) FROM agents").await, 0);

    let known = AgentId::parse("PROJECT-NONE").unwrap();
    assert_eq!(agents.restore(workspace, &actor, &known).await, Err(AgentError::NotFound));
}

async fn an_agent_is_deleted_and_restored_without_a_script(test: TestApp) {
    let set = setting(&test).await;
    let mut browser = test.signed_in(&set.workspace, "ada@example.com", Role::Admin).await;
    let (path, agent) = (format!("/v3/{}/{}/conversations", set.workspace.id, set.agent), set.agent.as_str());
    assert_eq!(set.get(&test, &path).await.status, 200);
    writer::flush(&test.app.usage).await.unwrap();
    let dialog = format!("/acme/agents/{agent}/delete");
    let page = browser.get(&dialog).await.body;
    assert!(page.contains("You can restore it for 7 days") && page.contains("Its calls: 1 in 7 days"), "{page}");
    assert!(page.contains("from 192.0.2.7"), "{page}");
    let fields = [("workspace", "acme"), ("agent", agent)];
    let deleted = browser.submit(&dialog, "delete_agent", &fields).await;
    assert_eq!(deleted.location(), "/acme/agents?notice=agent-deleted-undo");
    assert_eq!(set.get(&test, &path).await.status, 404);
    assert!(browser.get("/acme/agents/deleted").await.body.contains("Restore"));
    let restored = browser.submit("/acme/agents/deleted", "restore_agent", &fields).await;
    assert_eq!(restored.location(), "/acme/agents?notice=agent-restored");
    assert_eq!(set.get(&test, &path).await.status, 200);

    // Where deletions are for good, the name must be typed.
    test.app.workspaces.set_undo_days(&set.workspace.id, &Actor::command_line(), 0).await.unwrap();
    let refused = browser.call("delete_agent", &fields).await;
    assert!(refused.status == 422 && refused.body.contains("NameMismatch"), "{}", Problem::NameMismatch);
}
