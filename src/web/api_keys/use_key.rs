//! "Use this key": ready requests with this workspace's real ids, for what the key opens.

use crate::base::error::Error;
use crate::web::api_keys::addresses::Addresses;
use crate::web::components::copy_text::CopyText;
use crate::web::components::dialog::{Dialog, DialogKind};
use crate::web::frame::use_slug;
use crate::web::transport::load::{PageArea, awaited, load};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

/// The languages, with their names in the address and for people.
const LANGUAGES: [(&str, &str); 3] = [("curl", "curl"), ("python", "Python"), ("typescript", "TypeScript")];

/// Requests for what a key opens: what each does, and its text.
#[server(endpoint = "get_requests", input = Json)]
pub async fn get_requests(workspace: String, key: String, language: String) -> Result<Vec<(String, String)>, Error> {
    use crate::web::api_keys::requests::{Language, RequestTarget, requests};
    use crate::web::guard;
    let member = guard::member(&workspace).await?;
    let (services, workspace) = (member.services(), &member.workspace().id);
    let id = crate::base::id::ApiKeyId::parse(&key).ok_or_else(guard::not_found)?;
    let key = services.api_keys.find(workspace, &id).await?.ok_or_else(guard::not_found)?;
    let agents = match &key.agents {
        Some(agents) => agents.clone(),
        None => services.agents.names(workspace).await?,
    };
    let agent = agents.into_iter().next().map(|agent| agent.id);
    // Who a conversation is with may show in its id: for those who could read it with this key.
    let may_see = member.visit.is_admin() && key.permissions.contain(crate::api_keys::Permission::Conversations);
    let conversation = match &agent {
        Some(agent) if may_see => services.conversations.latest(workspace, agent).await?,
        _ => None,
    };
    let place = RequestTarget { origin: guard::origin(services), workspace: workspace.clone(), agent, conversation };
    Ok(requests(&key, &place, Language::parse(&language)))
}

/// Dialog with ready requests for a key.
#[component]
pub fn UseDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let addresses = Addresses::current();
    let key = use_params_map().with_untracked(|p| p.get("key")).unwrap_or_default();
    let query = use_query_map();
    let language = Memo::new(move |_| query.with(|q| q.get("language")).unwrap_or_else(|| LANGUAGES[0].0.to_owned()));
    let here = addresses.to(&format!("/{key}/use"));
    let choice = move |(id, label): (&'static str, &'static str)| {
        let joint = if here.contains('?') { '&' } else { '?' };
        let current = move || (*language.read() == id).then_some("true");
        view! { <a href=format!("{here}{joint}language={id}") aria-current=current data-noscroll="true">{label}</a> }
    };
    let requests = load(move || GetRequests { workspace: slug.clone(), key: key.clone(), language: language.get() });
    let content = move || async move { Ok(requests.await?.into_iter().map(request).collect_view().into_any()) };
    view! {
        <Title text="Use this key" />
        <Dialog title="Use this key" close_href=addresses.list() kind=DialogKind::Sheet>
            <div class="dialog-body">
                <nav class="choice-links" aria-label="Language">{LANGUAGES.map(choice).collect_view()}</nav>
                <p class="hint">"The requests take the key from the environment variable " <code>"API_KEY"</code> "."</p>
                {awaited(PageArea::Section, content)}
                <p><a class="text-link" href="/docs/" rel="external">"All calls, parameters and answers"</a></p>
            </div>
            <footer class="dialog-footer">
                <a class="button primary" href=addresses.list() data-noscroll="true">"Done"</a>
            </footer>
        </Dialog>
    }
}

fn request((title, code): (String, String)) -> impl IntoView {
    view! {
        <div class="code-header">
            <h3>{title.clone()}</h3>
            <CopyText text=code.clone() />
        </div>
        <pre class="code" tabindex="0" role="region" aria-label=title><code>{code}</code></pre>
    }
}
