//! The page with the keys that members ask for. Rendered on the server.

use crate::agents::AgentName;
use crate::api_keys::AgentScope;
use crate::base::error::Error;
use crate::base::time::Timestamp;
use crate::key_requests::{KeyRequest, NewKeyRequest};
use crate::web::api_keys::approve::{ApproveKeyRequest, DeclineKeyRequest};
use crate::web::components::button::{BUTTON_ROW, Button, ButtonLook};
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
    let requests = services.key_requests.list(&workspace.id).await?;
    let agents = services.agents.names(&workspace.id).await?;
    let (now, slug) = (services.now(), workspace.slug.clone());
    let cards = match requests.is_empty() {
        true => {
            let nothing = view! { <p>"What viewers ask for appears here, if the policy lets them ask."</p> };
            view! { <Empty icon="key" heading="No requests">{nothing}</Empty> }.into_any()
        }
        false => {
            let card = move |request| view! { <RequestCard request agents=agents.clone() slug=slug.clone() now /> };
            view! { <CardList>{requests.into_iter().map(card).collect_view()}</CardList> }.into_any()
        }
    };
    let below = view! {
        <p class="text-sm text-faint">"Who approves a request sees the key's value, and hands it over. Who asked becomes its owner."</p>
    };
    Ok(render(view! {
        <BackLink href=format!("/{}/api-keys", workspace.slug) text="API keys" />
        <PageHeader heading="Requests" below=below.into_any() />
        {cards}
    }))
}

#[component]
fn RequestCard(request: KeyRequest, agents: Vec<AgentName>, slug: String, now: Timestamp) -> impl IntoView {
    let NewKeyRequest { name, scope, permissions, expires_at, networks, reason } = request.asked;
    let scope = match scope {
        AgentScope::All => "All agents".to_owned(),
        AgentScope::Chosen(ids) => {
            let name = |id| agents.iter().find(|agent| agent.id == id).map_or("a deleted agent", |agent| &agent.name);
            ids.into_iter().map(|id| name(id).to_owned()).collect::<Vec<_>>().join(", ")
        }
    };
    let permissions = permissions.iter().map(|p| p.label()).collect::<Vec<_>>().join(", ");
    let name = name.as_str().to_owned();
    let (id, named) = (request.id.to_string(), name.clone());
    let form = move |path: &'static str, look: ButtonLook, text: &'static str| {
        let (slug, id, name) = (slug.clone(), id.clone(), named.clone());
        view! {
            <form method="post" action=path>
                <input type="hidden" name="workspace" value=slug />
                <input type="hidden" name="request" value=id />
                <Button look>{text} <span class="sr-only">" " {name}</span></Button>
            </form>
        }
    };
    let approve = form.clone()(ApproveKeyRequest::url(), ButtonLook::Primary, "Approve");
    let decline = form(DeclineKeyRequest::url(), ButtonLook::Plain, "Decline");
    let reason = (!reason.is_empty()).then(|| view! { <p class="wrap-anywhere">{reason}</p> });
    let networks = (!networks.is_empty()).then(|| view! { <Secondary>{networks.join(", ")}</Secondary> });
    view! {
        <Card columns="grid-cols-1 md:grid-cols-[minmax(0,1fr)_minmax(0,1.2fr)_auto]">
            <CardTitle heading=name.clone().into_any()>
                <Secondary>{format!("Asked {} by {}", request.at.ago(now), request.by)}</Secondary>
                <Secondary>{format!("Expires {}", expires_at.short_utc())}</Secondary>
            </CardTitle>
            <div class="min-w-0 wrap-anywhere">
                <p>{scope}</p>
                <Secondary>{permissions}</Secondary>
                {networks}
                {reason}
            </div>
            <div class=BUTTON_ROW>{approve}{decline}</div>
        </Card>
    }
}
