//! The page with the deleted agents that can be restored.

use crate::agents::DeletedAgent;
use crate::base::error::Error;
use crate::base::text::days_in_words;
use crate::base::time::Timestamp;
use crate::web::agents::delete::RestoreAgent;
use crate::web::components::button::Button;
use crate::web::components::card::{Card, CardList, CardTitle, Secondary};
use crate::web::components::page::{BackLink, Empty, PageHeader};
use crate::web::components::table::render;
use crate::web::guard::SignedInMember;
use crate::web::transport::fragment::Html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;

/// Renders the page.
pub async fn page(admin: &SignedInMember) -> Result<Html, Error> {
    let (services, workspace) = (admin.services(), admin.workspace());
    let agents = services.agents.deleted(&workspace.id, workspace.undo_days).await?;
    let (now, undo_days, slug) = (services.now(), workspace.undo_days, workspace.slug.clone());
    let kept = match undo_days {
        0 => "Deletions in this workspace are for good.".to_owned(),
        days => format!("Deleted agents can be restored, with their conversations, for {}.", days_in_words(days)),
    };
    let cards = match agents.is_empty() {
        true => {
            let nothing = view! { <p>"Agents that are deleted appear here."</p> };
            view! { <Empty icon="trash" heading="No deleted agents">{nothing}</Empty> }.into_any()
        }
        false => {
            let card = move |agent| view! { <DeletedCard agent slug=slug.clone() undo_days now /> };
            view! { <CardList>{agents.into_iter().map(card).collect_view()}</CardList> }.into_any()
        }
    };
    Ok(render(view! {
        <BackLink href=format!("/{}/agents", workspace.slug) text="Agents" />
        <PageHeader heading="Recently deleted" below=view! { <p class="text-sm text-faint">{kept}</p> }.into_any() />
        {cards}
    }))
}

#[component]
fn DeletedCard(agent: DeletedAgent, slug: String, undo_days: i32, now: Timestamp) -> impl IntoView {
    let end = agent.deleted_at.plus_days(undo_days.into());
    view! {
        <Card columns="grid-cols-1 sm:grid-cols-[minmax(0,1fr)_auto]">
            <CardTitle heading=agent.name.clone().into_any()>
                <Secondary>{format!("Deleted {} by {}", agent.deleted_at.ago(now), agent.deleted_by)}</Secondary>
                <Secondary>{format!("Erased on {}", end.short_utc())}</Secondary>
            </CardTitle>
            <form method="post" action=RestoreAgent::url()>
                <input type="hidden" name="workspace" value=slug />
                <input type="hidden" name="agent" value=agent.id.to_string() />
                <Button>"Restore" <span class="sr-only">{agent.name}</span></Button>
            </form>
        </Card>
    }
}
