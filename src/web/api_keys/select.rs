//! The page on which many keys are chosen and changed, and what was done lately. Rendered on the server.

use crate::agents::AgentName;
use crate::api_keys::service::MAX_CHANGED;
use crate::api_keys::{ApiKey, KeyListQuery, Status};
use crate::base::error::Error;
use crate::base::time::Timestamp;
use crate::http::parameters::Parameters;
use crate::web::api_keys::bulk::{ChangeApiKeys, UndoBulkChange};
use crate::web::api_keys::list::{StatusBadge, permissions_in_words};
use crate::web::components::button::{BUTTON_ROW, Button, ButtonLook};
use crate::web::components::field::{CONTROL, ChoiceInput, Field};
use crate::web::components::page::{BackLink, Empty, PageHeader, PageLinks, Section};
use crate::web::components::table::render;
use crate::web::guard::SignedInMember;
use crate::web::transport::fragment::Html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;

/// Pages of the list that one page shows, each of 25 keys.
const PAGES: usize = 8;

/// Renders the page for the search and the filter in the query.
pub async fn page(admin: &SignedInMember, asked: &Parameters) -> Result<Html, Error> {
    let (services, workspace) = (admin.services(), admin.workspace());
    let get = |name: &str| Some(asked.first(name).to_owned()).filter(|text| !text.is_empty());
    let query = KeyListQuery::from_address(get);
    let here = format!("/{}/api-keys/select", workspace.slug);
    let list = KeyListQuery { after: None, before: None, ..query.clone() }.to_address();
    let mut keys = Vec::new();
    let mut next = query.after.clone();
    for _ in 0..PAGES {
        let part = KeyListQuery { after: next.take(), before: None, ..query.clone() };
        let page = services.api_keys.page(&workspace.id, &part).await?;
        keys.extend(page.keys);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    let total = services.api_keys.count_matches(&workspace.id, &query, MAX_CHANGED as u64 + 1).await?;
    let done = done(admin, asked.first("done")).await?;
    let next = next.map(|place| {
        let query = KeyListQuery { after: Some(place), ..query.clone() };
        (format!("{here}{}", query.to_address()), "Next")
    });
    let (slug, now) = (workspace.slug.clone(), services.now());
    let can_be_undone = workspace.undo_days > 0;
    let content = match keys.is_empty() {
        true => view! { <Empty icon="search" heading="No keys here"><p>"No key matches the search and the filter."</p></Empty> }
            .into_any(),
        false => view! { <Chosen keys total list=list.clone() slug can_be_undone now /> }.into_any(),
    };
    Ok(render(view! {
        <BackLink href=format!("/{}/api-keys{list}", workspace.slug) text="API keys" />
        <PageHeader heading="Change many keys" />
        {done}
        {content}
        <PageLinks next />
    }))
}

/// What was done a moment ago, with a button that undoes it.
pub async fn done(admin: &SignedInMember, id: &str) -> Result<Option<AnyView>, Error> {
    if id.is_empty() {
        return Ok(None);
    }
    let workspace = admin.workspace();
    let Some(change) = admin.services().api_keys.bulk_change(&workspace.id, id).await? else { return Ok(None) };
    let keys = if change.keys == 1 { "1 key".to_owned() } else { format!("{} keys", change.keys) };
    let done = match change.action.as_str() {
        "pause" => "Paused",
        "resume" => "Resumed",
        "delete" => "Deleted",
        "add-tags" => "Added tags to",
        "remove-tags" => "Took tags from",
        "set-owner" => "Set the owner of",
        "remove-unused" => "Took unused permissions from",
        _ => "Changed",
    };
    let (slug, change_id, text) = (workspace.slug.clone(), id.to_owned(), format!("{done} {keys}."));
    let undo = (!change.is_undone).then(|| {
        view! {
            <form method="post" action=UndoBulkChange::url()>
                <input type="hidden" name="workspace" value=slug />
                <input type="hidden" name="change" value=change_id />
                <Button small=true>"Undo"</Button>
            </form>
        }
    });
    Ok(Some(
        view! {
            <div class="mb-4 flex flex-wrap items-center justify-between gap-3 rounded-lg bg-surface px-4 py-3" role="status">
                <p>{text}</p>
                {undo}
            </div>
        }
        .into_any(),
    ))
}

#[component]
fn Chosen(
    keys: Vec<ApiKey>,
    total: u64,
    /// The list's search and filter, as a query string.
    list: String,
    slug: String,
    can_be_undone: bool,
    now: Timestamp,
) -> impl IntoView {
    let shown = keys.len() as u64;
    let number = match total {
        total if total > MAX_CHANGED as u64 => "more than 10,000".to_owned(),
        total => total.to_string(),
    };
    let all = (total <= MAX_CHANGED as u64).then(|| {
        let label = format!("All {number} keys that match, not only those below");
        view! { <ChoiceInput kind="checkbox" name="all" value="true" label strong=true /> }
    });
    let row = move |key| view! { <li><KeyRow key now /></li> };
    let delete = can_be_undone.then(|| view! { <Button look=ButtonLook::Danger action="delete">"Delete"</Button> });
    view! {
        <form method="post" action=ChangeApiKeys::url()>
            <input type="hidden" name="workspace" value=slug />
            <input type="hidden" name="list" value=list />
            <input type="hidden" name="seen" value=total.to_string() />
            <Section labelled_by="what-heading">
                <h2 id="what-heading">"What to do with the chosen keys"</h2>
                <Field id="text" label="Tags, separated by commas; an owner; or a reason to pause them" optional=true>
                    <input id="text" class=CONTROL name="text" type="text" maxlength="1000" />
                </Field>
                <div class=BUTTON_ROW>
                    <Button action="pause">"Pause"</Button>
                    <Button action="resume">"Resume"</Button>
                    <Button action="add-tags">"Add tags"</Button>
                    <Button action="remove-tags">"Remove tags"</Button>
                    <Button action="set-owner">"Set owner"</Button>
                    {delete}
                </div>
                <p class="text-sm text-faint">"Each change can be undone for 7 days on the page that follows it, a deletion as long as keys can be restored."</p>
            </Section>
            <Section labelled_by="which-heading">
                <h2 id="which-heading">{format!("Keys: {shown} of {number}")}</h2>
                {all}
                <ul class="flex flex-col divide-y divide-hairline">{keys.into_iter().map(row).collect_view()}</ul>
            </Section>
        </form>
    }
}

#[component]
fn KeyRow(key: ApiKey, now: Timestamp) -> impl IntoView {
    let agents = match &key.agents {
        None => "All agents".to_owned(),
        Some(agents) => names(agents),
    };
    let used = key.last_used_at.map_or("never used".to_owned(), |at| format!("last used {}", at.ago(now)));
    let owner = if key.settings.owner.is_empty() { String::new() } else { format!(", owner {}", key.settings.owner) };
    let tags =
        if key.settings.tags.is_empty() { String::new() } else { format!(", tags {}", key.settings.tags.join(", ")) };
    let permissions = permissions_in_words(&key);
    let facts = format!("{agents}, {permissions}, {used}, expires {}{owner}{tags}", key.expires_at.short_utc());
    let name = key.name.as_str().to_owned();
    view! {
        <div class="flex flex-wrap items-center justify-between gap-x-6 gap-y-1 py-2">
            <div class="min-w-0 flex-1 basis-60">
                <ChoiceInput kind="checkbox" name="keys[]" value=key.id.to_string() label=name />
                <p class="text-[13px] wrap-anywhere text-faint">{facts}</p>
            </div>
            <StatusBadge status=Status::of(key.expires_at, now) paused=key.pause.is_some() />
        </div>
    }
}

fn names(agents: &[AgentName]) -> String {
    match agents {
        [] => "no agents left".to_owned(),
        [one] => one.name.clone(),
        [first, others @ ..] => format!("{} and {} more", first.name, others.len()),
    }
}
