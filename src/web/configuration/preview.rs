//! What an API response has under the saved configuration: an agent's latest conversation as an integrator gets it.

use crate::base::error::Error;
#[cfg(feature = "ssr")]
use crate::configuration::AgentConfiguration;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::code_block::CodeBlock;
use crate::web::components::field::HINT;
use crate::web::configuration::addresses::ConfigurationQuery;
use crate::web::transport::load::Loaded;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

/// Longest preview, in characters.
#[cfg(feature = "ssr")]
const MAX_SHOWN: usize = 20_000;

/// The latest conversation of the agent whose configuration is open, in JSON; `None` if there is none, and for viewers.
#[server(endpoint = "get_preview", input = Json)]
pub async fn get_preview(workspace: String, query: ConfigurationQuery) -> Result<Option<String>, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    if !member.visit.is_admin() {
        return Ok(None);
    }
    let (services, workspace) = (member.services(), &member.workspace().id);
    let search = query.checked_search()?;
    let open = services.configurations.open(workspace, search, query.agent.as_deref()).await?;
    let Some(AgentConfiguration { agent, configuration, .. }) = open else { return Ok(None) };
    let response = services.conversations.preview(workspace, &agent.id, &configuration).await?;
    Ok(response.map(|response| readable(&response)))
}

/// JSON with line breaks, cut where it becomes too long.
#[cfg(feature = "ssr")]
fn readable(response: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(response).ok();
    let mut text = value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_default();
    if let Some((at, _)) = text.char_indices().nth(MAX_SHOWN) {
        text.truncate(at);
        text.push_str(" …");
    }
    text
}

/// The preview, which is loaded again after each change that was saved.
#[component]
pub fn Preview(response: Loaded<Option<String>>) -> impl IntoView {
    let content = move || async move {
        Ok(match response.await? {
            Some(code) => view! {
                <div class="max-h-96 overflow-y-auto"><CodeBlock label="Latest conversation in API responses" code /></div>
            }
            .into_any(),
            None => view! { <p class=HINT>"This agent has no conversations in the live environment yet."</p> }.into_any(),
        })
    };
    view! {
        <section class="pb-7" aria-label="Preview">
            <h3 class="font-semibold">"Preview"</h3>
            <p class=HINT>"The latest conversation, as the Conversations API returns it with these settings."</p>
            {awaited(PageArea::Section, content)}
        </section>
    }
}
