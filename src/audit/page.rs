//! The Activity page: who did what in the workspace, newest first.

use super::Action;
use crate::error::Error;
use crate::ui::filter::{FilterForm, FilterSelect, FilterText};
use crate::ui::icon::Icon;
use crate::ui::load::{Place, awaited, load};
use crate::ui::page::Empty;
use crate::ui::query_value;
use crate::ui::table::{Table, TableView};
use crate::workspaces::frame::{Tabs, use_slug, use_visit};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

/// A page of entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    pub table: Table,
    /// Everyone who has done something.
    pub people: Vec<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// What was done in the workspace.
#[server(endpoint = "list_activity", input = Json)]
pub async fn list_activity(
    workspace: String,
    person: String,
    action: String,
    key: String,
    after: String,
) -> Result<Activity, Error> {
    let admin = crate::sessions::guard::admin(&workspace).await?;
    let filter = super::export::filter(&person, &action, &key);
    super::export::page(admin.app(), &admin.workspace().id, &filter, &after).await
}

/// The page.
#[component]
pub fn ActivityPage() -> impl IntoView {
    let (slug, visit, query) = (use_slug(), use_visit(), use_query_map());
    let asked = move |name: &'static str| Memo::new(move |_| query.with(|q| q.get(name)).unwrap_or_default());
    let (person, action, key, after) = (asked("person"), asked("action"), asked("key"), asked("after"));
    let activity = load(move || ListActivity {
        workspace: slug.get(),
        person: person.get(),
        action: action.get(),
        key: key.get(),
        after: after.get(),
    });
    let content = move || async move {
        visit.await?;
        let activity = activity.await?;
        let asked = [person, action, key].map(|asked| asked.get_untracked());
        Ok(view! { <Entries activity slug=slug.get_untracked() asked /> }.into_any())
    };
    view! {
        <Title text="Activity" />
        <Tabs current="activity" />
        {awaited(Place::Page, content)}
    }
}

#[component]
fn Entries(activity: Activity, slug: String, asked: [String; 3]) -> impl IntoView {
    let [person, action, key] = asked;
    let here = format!("/{slug}/activity");
    let filter = [("person", &person), ("action", &action), ("key", &key)]
        .map(|(name, value)| format!("{name}={}", query_value(value)))
        .join("&");
    let export = |format: &str, label: &'static str| {
        let address = format!("{here}/export?format={format}&{filter}");
        view! { <a class="button" href=address rel="external" download="">{label}</a> }
    };
    let exports = [export("csv", "CSV"), export("jsonl", "JSON Lines")].collect_view();
    let all = |words: &str| (String::new(), words.to_owned());
    let people = [all("Everyone")].into_iter().chain(activity.people.into_iter().map(|name| (name.clone(), name)));
    let actions = [all("Everything")].into_iter().chain(Action::ALL.map(|(_, id, label)| (id.to_owned(), label.to_owned())));
    let next = activity.next.map(|next| {
        let address = format!("{here}?{filter}&after={}", query_value(&next));
        view! { <nav class="pages" aria-label="Pages"><a class="button" href=address rel="next">"Earlier"<Icon name="arrow-right" /></a></nav> }
    });
    let all_entries = here.clone();
    let entries = match activity.table.rows.is_empty() {
        true => view! {
            <Empty icon="search" heading="Nothing here">
                <p>"Nothing that was done fits this filter."</p>
                <a class="button" href=all_entries>"Show all activity"</a>
            </Empty>
        }
        .into_any(),
        false => view! { <section class="card section"><TableView table=activity.table caption="Activity" /></section> }.into_any(),
    };
    view! {
        <div class="page-header">
            <h1 tabindex="-1">"Activity"</h1>
            <div class="button-row" role="group" aria-label="Export">{exports}</div>
        </div>
        <FilterForm action=here class="filters">
            <FilterSelect name="person" label="Person" options=people.collect() chosen=person />
            <FilterSelect name="action" label="Action" options=actions.collect() chosen=action />
            <FilterText name="key" label="Key (name or id)" value=key />
            <button class="button small" type="submit">"Filter"</button>
        </FilterForm>
        {entries}
        {next}
    }
}
