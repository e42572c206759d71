//! The page with the deleted keys that can be restored.

use crate::api_keys::DeletedKey;
use crate::base::error::Error;
use crate::base::text::days_in_words;
use crate::base::time::Timestamp;
use crate::web::api_keys::life::RestoreApiKey;
use crate::web::components::button::Button;
use crate::web::components::card::{Card, CardList, CardTitle, Secondary};
use crate::web::components::page::{BackLink, Empty, PageHeader, TEXT_LINK};
use crate::web::components::table::render;
use crate::web::components::value_box::{ValueBox, ValueText};
use crate::web::guard::SignedInMember;
use crate::web::transport::fragment::Html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;

/// Name, value, action.
const COLUMNS: &str = "grid-cols-1 sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_auto]";

/// Renders the page.
pub async fn page(admin: &SignedInMember) -> Result<Html, Error> {
    let (services, workspace) = (admin.services(), admin.workspace());
    let keys = services.api_keys.deleted(&workspace.id, workspace.undo_days).await?;
    let now = services.now();
    let list = format!("/{}/api-keys", workspace.slug);
    let settings = format!("{list}/deleted/undo-days");
    let kept = match workspace.undo_days {
        0 => "Deletions in this workspace are for good.".to_owned(),
        days => format!("Deleted keys are refused at once, and can be restored for {}.", days_in_words(days)),
    };
    let kept = view! {
        <p class="text-sm text-faint">{kept} " " <a class=TEXT_LINK href=settings data-noscroll="true">"Change"</a></p>
    };
    let slug = workspace.slug.clone();
    let cards = match keys.is_empty() {
        true => {
            view! { <Empty icon="trash" heading="No deleted keys"><p>"Keys that are deleted appear here."</p></Empty> }
                .into_any()
        }
        false => {
            let undo_days = workspace.undo_days;
            let card = move |key| view! { <DeletedCard key slug=slug.clone() undo_days now /> };
            view! { <CardList>{keys.into_iter().map(card).collect_view()}</CardList> }.into_any()
        }
    };
    Ok(render(view! {
        <BackLink href=list text="API keys" />
        <PageHeader heading="Recently deleted" below=kept.into_any() />
        {cards}
    }))
}

#[component]
fn DeletedCard(key: DeletedKey, slug: String, undo_days: i32, now: Timestamp) -> impl IntoView {
    let name = key.name.as_str().to_owned();
    let end = key.deleted_at.plus_days(undo_days.into());
    let used = match key.last_used_at.0 {
        0 => "Never used".to_owned(),
        _ => format!("Last used {}", key.last_used_at.ago(now)),
    };
    view! {
        <Card columns=COLUMNS>
            <CardTitle heading=name.clone().into_any()>
                <Secondary>{format!("Deleted {} by {}. {used}.", key.deleted_at.ago(now), key.deleted_by)}</Secondary>
                <Secondary>{format!("Erased on {}", end.short_utc())}</Secondary>
            </CardTitle>
            <ValueBox><ValueText text=key.masked /></ValueBox>
            <form method="post" action=RestoreApiKey::url()>
                <input type="hidden" name="workspace" value=slug />
                <input type="hidden" name="key" value=key.id.to_string() />
                <Button>"Restore" <span class="sr-only">{name}</span></Button>
            </form>
        </Card>
    }
}
