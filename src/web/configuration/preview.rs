//! What an API response has under a configuration: an agent's latest conversation as an integrator would get it.

use crate::base::error::Error;
use crate::configuration::CallerNumbers;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::code_block::CodeBlock;
use crate::web::components::field::HINT;
use crate::web::frame::use_slug;
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

/// Longest preview, in characters.
#[cfg(feature = "ssr")]
const MAX_SHOWN: usize = 20_000;

/// An agent's latest conversation in JSON under these settings, whether they are saved or not; `None` if the agent has
/// none.
#[server(endpoint = "get_preview", input = Json)]
pub async fn get_preview(
    workspace: String,
    agent: String,
    metrics: Vec<String>,
    transcript: bool,
    caller_numbers: CallerNumbers,
) -> Result<Option<String>, Error> {
    use crate::configuration::{AllowedMetrics, Configuration};
    let admin = crate::web::guard::admin(&workspace).await?;
    let (services, workspace) = (admin.services(), &admin.workspace().id);
    let agent = services.agents.find(workspace, &agent).await?.ok_or(Error::NotFound)?;
    let metrics = AllowedMetrics::chosen(metrics);
    let configuration = Configuration { metrics, transcript, caller_numbers };
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

/// Preview that follows the switches.
#[component]
pub fn Preview(
    agent: String,
    metrics: RwSignal<Vec<String>>,
    transcript: RwSignal<bool>,
    caller_numbers: RwSignal<CallerNumbers>,
) -> impl IntoView {
    let slug = use_slug();
    let response = load(move || GetPreview {
        workspace: slug.get(),
        agent: agent.clone(),
        metrics: metrics.get(),
        transcript: transcript.get(),
        caller_numbers: caller_numbers.get(),
    });
    let content = move || async move {
        Ok(match response.await? {
            Some(code) => view! {
                <div class="max-h-96 overflow-y-auto"><CodeBlock label="Latest conversation in API responses" code /></div>
            }
            .into_any(),
            None => view! { <p class=HINT>"This agent has no conversations in the environment live yet."</p> }.into_any(),
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
