//! The demo workspace: 3 agents, 500 realistic conversations, keys with two weeks of requests,
//! one that is being rotated, one paused, one idle, and one admin.

/// Generating the requests.
mod calls;
/// Generating the conversations.
mod conversations;

use crate::api_keys::service::{CreatedKey, NewKey, Rotation};
use crate::api_keys::{AgentScope, KeyName, KeySettings, Permissions};
use crate::base::actor::Actor;
use crate::base::id::AgentId;
use crate::configuration::AllowedMetrics;
use crate::configuration::service::NewConfiguration;
use crate::conversations::document::Document;
use crate::server::state::Services;
use crate::users::password::Password;
use crate::users::{Email, Role};
use crate::workspaces::Workspace;
use conversations::{Topic, generate};
use std::error::Error;
use std::sync::Arc;

/// Fixed seed, so that every demo workspace has the same conversations.
const SEED: u64 = 2026;
const AGENTS: [(&str, Topic, usize); 3] = [
    ("Hotel reservations", Topic::HotelReservations, 220),
    ("Retail orders", Topic::RetailOrders, 170),
    ("Utility billing", Topic::UtilityBilling, 110),
];

/// The demo workspace with its sign-in and the values of its keys.
#[derive(Debug)]
pub struct DemoWorkspace {
    pub workspace: Workspace,
    pub email: String,
    pub password: String,
    pub keys: Vec<CreatedKey>,
}

/// A key that is being rotated, one that is paused, and one that nobody uses.
async fn add_keys_of_every_kind(
    services: &Services,
    workspace: &Workspace,
    agent: &AgentId,
) -> Result<(), Box<dyn Error>> {
    let (actor, now) = (Actor::command_line(), services.now());
    let settings = |owner: &str, tag: &str| KeySettings {
        owner: owner.to_owned(),
        tags: vec![tag.to_owned()],
        ..KeySettings::default()
    };
    let mut ids = Vec::new();
    for (name, settings) in [
        ("Warehouse export", settings("Data team", "analytics")),
        ("Contact centre", settings("Support", "voice")),
        ("Old importer", KeySettings::default()),
    ] {
        let new = NewKey {
            name: KeyName::parse(name)?,
            scope: AgentScope::Chosen(vec![agent.clone()]),
            permissions: Permissions::parse(["conversations"])?,
            expires_at: now.plus_days(200),
            settings,
        };
        ids.push(services.api_keys.create(&workspace.id, &actor, &new).await?.id);
    }
    let rotation = Rotation { overlap_end: now.plus_days(7), expires_at: now.plus_days(365) };
    services.api_keys.rotate(&workspace.id, &actor, &ids[0], rotation).await?;
    Ok(services.api_keys.pause(&workspace.id, &actor, &ids[1], "The provider moves to a new system").await?)
}

/// Creates the demo workspace and an admin. The password is random; the e-mail address gets random digits if it is
/// taken.
pub async fn load(services: &Services) -> Result<DemoWorkspace, Box<dyn Error>> {
    let actor = Actor::command_line();
    let workspace = services.workspaces.create(&actor, "Acme UK", None).await?;

    let mut agents = Vec::new();
    for (at, (name, topic, count)) in AGENTS.into_iter().enumerate() {
        let (agent, _) = services.agents.create(&workspace.id, &actor, name, None).await?;
        let mut importer = services.conversations.importer(&workspace.id, &agent.id);
        for conversation in generate(topic, SEED + at as u64, count, services.now()) {
            let document = Document::parse(conversation.to_string().as_bytes())?;
            importer.push(document).await?;
        }
        importer.flush().await?;
        agents.push(Arc::new(agent));
    }
    let everything = NewConfiguration { metrics: AllowedMetrics::All, transcript: true, caller_numbers: None };
    services.configurations.set(&workspace.id, &actor, agents[0].id.as_str(), &everything).await?;

    let crm = ("CRM sync", AgentScope::All, "conversations,handoff", 365);
    let payments = ("Payments webhook", AgentScope::Chosen(vec![agents[1].id.clone()]), "external-events", 5);
    let mut keys = Vec::new();
    for (name, scope, permissions, days) in [crm, payments] {
        let new = NewKey {
            name: KeyName::parse(name)?,
            scope,
            permissions: Permissions::parse(permissions.split(','))?,
            expires_at: services.now().plus_days(days),
            settings: KeySettings::default(),
        };
        keys.push(services.api_keys.create(&workspace.id, &actor, &new).await?);
    }
    add_keys_of_every_kind(services, &workspace, &agents[2].id).await?;
    let past = calls::generate(&keys[0].id, &keys[1].id, &workspace.slug, &agents, services.now());
    services.reports.add_past(&workspace.id, &past).await?;

    // The user is created last, so that an interrupted load can be repeated: `demo_if_empty` checks for users.
    let taken = services.users.find(&Email::parse("admin@example.com")?).await?.is_some();
    let name = if taken { services.db.random().text(b"0123456789", 6) } else { String::new() };
    let email = Email::parse(&format!("admin{name}@example.com"))?;
    let password = services.db.random().text(b"23456789abcdefghjkmnpqrstuvwxyz", 16);
    let hashed = Password::parse(password.clone())?;
    services.users.create(&workspace.id, &actor, &email, Role::Admin, hashed).await?;
    Ok(DemoWorkspace { workspace, email: email.as_str().to_owned(), password, keys })
}
