//! A believable workspace to look around in: 3 agents, 500 conversations, two keys, one admin.

/// The conversations.
mod conversations;

use crate::agents;
use crate::api_keys::service::{self, Created, NewKey};
use crate::api_keys::{AgentScope, KeyName, Permissions};
use crate::base::actor::Actor;
use crate::base::error::Error;
use crate::configuration::{self, Configuration, Metrics};
use crate::conversations::document::Document;
use crate::conversations::import::Importer;
use crate::server::state::App;
use crate::users::password::Password;
use crate::users::{self, Email, Role};
use crate::workspaces::{self, Workspace};
use conversations::{Topic, generate};

/// The same conversations in every demo workspace.
const SEED: u64 = 2026;
const AGENTS: [(&str, Topic, usize); 3] = [
    ("Hotel reservations", Topic::HotelReservations, 220),
    ("Retail orders", Topic::RetailOrders, 170),
    ("Utility billing", Topic::UtilityBilling, 110),
];

/// What was made, for who asked for it.
#[derive(Debug)]
pub struct Demo {
    pub workspace: Workspace,
    pub email: String,
    pub password: String,
    pub keys: Vec<Created>,
}

/// Makes the demo workspace and an admin for it, whose e-mail and password are new each time.
pub async fn load(app: &App) -> Result<Demo, Error> {
    let actor = Actor::command_line();
    let mut tx = app.db.begin().await?;
    let workspace = workspaces::service::create(&mut tx, app, &actor, "Acme UK", None).await?;
    tx.commit().await?;

    let mut ids = Vec::new();
    for (at, (name, topic, count)) in AGENTS.into_iter().enumerate() {
        let (agent, _) = agents::service::create(app, &workspace.id, &actor, name, None).await?;
        let mut importer = Importer::new(app, &workspace.id, &agent.id);
        for conversation in generate(topic, SEED + at as u64, count, app.clock.now()) {
            let document = Document::parse(conversation.to_string().as_bytes()).map_err(|reason| {
                tracing::error!(reason, "a demo conversation is not one");
                Error::Internal
            })?;
            importer.push(document).await?;
        }
        importer.flush().await?;
        ids.push(agent.id);
    }
    let everything = Configuration { metrics: Metrics::All, transcript: true };
    configuration::service::set(app, &workspace.id, &actor, ids[0].as_str(), &everything).await?;

    let crm = ("CRM sync", AgentScope::All, "conversations,handoff", 365);
    let payments = ("Payments webhook", AgentScope::Chosen(ids[1..2].to_vec()), "external-events", 5);
    let mut keys = Vec::new();
    for (name, scope, permissions, days) in [crm, payments] {
        let new = NewKey {
            name: KeyName::parse(name)?,
            scope,
            permissions: Permissions::parse(permissions.split(','))?,
            expires_at: app.clock.now().plus_days(days),
        };
        keys.push(service::create(app, &workspace.id, &actor, &new).await?);
    }

    // Last: who finds no users finds the demo not loaded, and may load it.
    let taken = users::store::credentials(&app.db, &Email::parse("admin@example.com")?).await?.is_some();
    let name = if taken { app.random.text(b"0123456789", 6) } else { String::new() };
    let email = Email::parse(&format!("admin{name}@example.com"))?;
    let password = app.random.text(b"23456789abcdefghjkmnpqrstuvwxyz", 16);
    let hashed = Password::parse(password.clone())?;
    users::service::create(app, &workspace.id, &actor, &email, Role::Admin, hashed).await?;
    Ok(Demo { workspace, email: email.as_str().to_owned(), password, keys })
}
