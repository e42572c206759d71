//! "Use this key": ready requests with this workspace's real ids, for what the key opens.

use crate::base::error::Error;
use crate::web::api_keys::addresses::KeyAddresses;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{ButtonLink, ButtonLook};
use crate::web::components::code_block::CodeBlock;
use crate::web::components::copy_text::CopyText;
use crate::web::components::dialog::{Dialog, DialogBody, DialogFooter, DialogKind};
use crate::web::components::field::HINT;
use crate::web::components::page::{ChoiceLink, ChoiceLinks, TEXT_LINK};
use crate::web::frame::use_slug;
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_router::hooks::{use_params_map, use_query_map};

/// Languages: the value in the address, and the name shown.
const LANGUAGES: [(&str, &str); 3] = [("curl", "curl"), ("python", "Python"), ("typescript", "TypeScript")];

/// Titles and texts of requests for what a key opens.
#[server(endpoint = "get_requests", input = Json)]
pub async fn get_requests(workspace: String, key: String, language: String) -> Result<Vec<(String, String)>, Error> {
    use crate::web::api_keys::requests::{Language, requests_for};
    use crate::web::guard;
    let member = guard::member(&workspace).await?;
    let id = crate::base::id::ApiKeyId::parse(&key).ok_or_else(guard::not_found)?;
    let key = member.services().api_keys.find(&member.workspace().id, &id).await?.ok_or_else(guard::not_found)?;
    requests_for(&member, &key, Language::parse(&language)).await
}

/// Dialog with ready requests for a key.
#[component]
pub fn UseDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let addresses = KeyAddresses::current();
    let key = use_params_map().with_untracked(|p| p.get("key")).unwrap_or_default();
    let query = use_query_map();
    let language = Memo::new(move |_| query.with(|q| q.get("language")).unwrap_or_else(|| LANGUAGES[0].0.to_owned()));
    let here = addresses.to(&format!("/{key}/use"));
    let choice = move |(id, text): (&'static str, &'static str)| {
        let joint = if here.contains('?') { '&' } else { '?' };
        let href = format!("{here}{joint}language={id}");
        view! { <ChoiceLink href chosen=move || *language.read() == id text /> }
    };
    let requests = load(move || GetRequests { workspace: slug.clone(), key: key.clone(), language: language.get() });
    let content = move || async move { Ok(requests.await?.into_iter().map(request).collect_view().into_any()) };
    view! {
        <Dialog title="Use this key" close_href=addresses.list() kind=DialogKind::Sheet>
            <DialogBody>
                <div class="mb-4">
                    <ChoiceLinks label="Language">{LANGUAGES.map(choice).collect_view()}</ChoiceLinks>
                </div>
                <p class=HINT>"The requests take the key from the environment variable " <code>"API_KEY"</code> "."</p>
                {awaited(PageArea::Section, content)}
                <p><a class=TEXT_LINK href="/docs/" rel="external">"All calls, parameters and answers"</a></p>
            </DialogBody>
            <DialogFooter>
                <ButtonLink look=ButtonLook::Primary href=addresses.list() noscroll=true>"Done"</ButtonLink>
            </DialogFooter>
        </Dialog>
    }
}

/// A request, with its title and a copy button.
pub fn request((title, code): (String, String)) -> impl IntoView {
    view! {
        <div class="mt-6 flex items-center justify-between gap-3">
            <h3>{title.clone()}</h3>
            <CopyText text=code.clone() what=title.clone() />
        </div>
        <CodeBlock label=title code />
    }
}
