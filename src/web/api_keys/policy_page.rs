//! The page with the policy for keys, and whom a longest lifetime would hit. Rendered on the server.

use crate::api_keys::KeyBeyondPolicy;
use crate::base::error::Error;
use crate::base::text::days_in_words;
use crate::base::time::Timestamp;
use crate::http::parameters::Parameters;
use crate::web::components::button::{BUTTON_ROW, ButtonLink, ButtonLook};
use crate::web::components::filter_fields::{FilterText, Filters};
use crate::web::components::page::{BackLink, Empty, PageHeader, Section, TEXT_LINK};
use crate::web::components::table::{Cell, Facts, Table, TableView, render};
use crate::web::guard::SignedInMember;
use crate::web::transport::fragment::Html;
use crate::workspaces::{KeyPolicy, Workspace};
use leptos::prelude::*;

/// Longest list of keys that a lifetime would hit.
const SHOWN: i64 = 200;

/// Renders the page. `days` in the query is the longest lifetime to look at.
pub async fn page(admin: &SignedInMember, asked: &Parameters) -> Result<Html, Error> {
    let (services, workspace) = (admin.services(), admin.workspace());
    let policy = services.api_keys.policy(&workspace.id).await?;
    let here = format!("/{}/api-keys/policy", workspace.slug);
    let change = format!("{here}/rules");
    let typed = asked.first("days").to_owned();
    let days = typed.trim().parse().ok().filter(|days| (1..=KeyPolicy::MAX_DAYS).contains(days));
    let days: Option<i32> = days.or(policy.max_lifetime_days);
    let hit = match days {
        Some(days) => Some((days, services.api_keys.beyond_lifetime(&workspace.id, days, SHOWN).await?)),
        None => None,
    };
    let now = services.now();
    let list = format!("/{}/api-keys", workspace.slug);
    let shown = hit.map(|(days, (total, keys))| view! { <Hit days total keys list=list.clone() now /> });
    let typed = if typed.is_empty() { days.map(|days| days.to_string()).unwrap_or_default() } else { typed };
    Ok(render(view! {
        <BackLink href=list.clone() text="API keys" />
        <PageHeader heading="Policy">
            <div class=BUTTON_ROW>
                <ButtonLink look=ButtonLook::Primary icon="pencil" href=change noscroll=true>"Change"</ButtonLink>
            </div>
        </PageHeader>
        <Section>
            <h2>"Rules for keys"</h2>
            <p class="text-soft">"They hold for the dashboard, the command line and rotation alike."</p>
            <Facts facts=rules(&policy) />
        </Section>
        <Others workspace=workspace.clone() list />
        <Section labelled_by="hit-heading">
            <h2 id="hit-heading">"Whom a longest lifetime would hit"</h2>
            <p class="text-soft">"Keys that expire later than this, counted from when their value was made. Look before the policy binds keys that exist."</p>
            <Filters action=here button="Show">
                <FilterText name="days" label="Longest lifetime, in days" value=typed />
            </Filters>
            {shown}
        </Section>
    }))
}

fn rules(policy: &KeyPolicy) -> Vec<(&'static str, Cell)> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let yes_or_no = |is_set: bool| text(if is_set { "Yes" } else { "No" });
    let days = |days: Option<i32>, none: &str| Cell::Text(days.map_or_else(|| none.to_owned(), days_in_words));
    vec![
        ("Usual lifetime", days(policy.default_lifetime_days, "90 days")),
        ("Longest lifetime", days(policy.max_lifetime_days, "No limit")),
        ("Binds keys that exist", yes_or_no(policy.binds_existing)),
        ("New keys may cover all agents", yes_or_no(policy.all_agents_allowed)),
        ("Owner needed", yes_or_no(policy.owner_required)),
        ("Networks needed", yes_or_no(policy.networks_required)),
        ("Viewers may ask for keys", yes_or_no(policy.members_may_request)),
    ]
}

/// The rules that have forms of their own.
#[component]
fn Others(workspace: Workspace, list: String) -> impl IntoView {
    let undo = match workspace.undo_days {
        0 => "Deletions are for good.".to_owned(),
        days => format!("Deletions can be undone for {}.", days_in_words(days)),
    };
    let copying = match workspace.keys_copyable {
        true => "Keys can be copied after their creation.",
        false => "Keys are shown once, when they are created.",
    };
    view! {
        <Section>
            <h2>"Deleting and copying"</h2>
            <p>{undo} " " <a class=TEXT_LINK href=format!("{list}/deleted/undo-days")>"Change" <span class="sr-only">" for how long"</span></a></p>
            <p>{copying} " " <a class=TEXT_LINK href=format!("{list}/settings")>"Change" <span class="sr-only">" whether keys can be copied"</span></a></p>
        </Section>
    }
}

#[component]
fn Hit(days: i32, total: u64, keys: Vec<KeyBeyondPolicy>, list: String, now: Timestamp) -> impl IntoView {
    if keys.is_empty() {
        return view! {
            <Empty icon="check" heading="Nobody"><p>{format!("No key expires later than {} after its value was made.", days_in_words(days))}</p></Empty>
        }
        .into_any();
    }
    let rows = keys.into_iter().map(|key| {
        let expiry = match key.bound <= now {
            true => Cell::Text("At once".to_owned()),
            false => Cell::Time(key.bound),
        };
        let value = if key.by_expiry { "" } else { ", its old value" };
        let name = Cell::Link(format!("{}{value}", key.name.as_str()), format!("{list}/{}", key.id));
        vec![name, Cell::Name(key.owner), Cell::Time(key.expires_at), expiry]
    });
    let rows: Vec<_> = rows.collect();
    let more = (total > rows.len() as u64).then(|| {
        view! { <p class="text-sm text-faint">{format!("The first {} of {total}.", rows.len())}</p> }
    });
    let columns = ["Key", "Owner", "Expires", "Would expire"].map(str::to_owned).to_vec();
    view! {
        <p>{format!("{total} {}", if total == 1 { "key" } else { "keys" })}</p>
        <TableView table=Table { columns, rows } caption="Keys that would expire earlier" />
        {more}
    }
    .into_any()
}
