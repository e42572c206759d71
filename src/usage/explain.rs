//! "Why was a call refused?", by the correlation id that its answer had.

use crate::api_keys::list::Addresses;
use crate::error::Error;
use crate::ui::dialog::{Dialog, Kind};
use crate::ui::filter::FilterForm;
use crate::ui::load::{Place, awaited, load};
use crate::ui::table::{Table, TableView};
use crate::workspaces::frame::use_slug;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

/// A call, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What happened and what to do, in a few sentences.
    pub text: String,
    pub facts: Table,
}

/// What became of the calls with this correlation id, the latest first; nothing where none is asked for.
#[server(endpoint = "get_explanation", input = Json)]
pub async fn get_explanation(workspace: String, correlation_id: String) -> Result<Vec<Explanation>, Error> {
    let admin = crate::sessions::guard::admin(&workspace).await?;
    super::summary::explain(admin.app(), admin.workspace(), &correlation_id).await
}

/// The sheet.
#[component]
pub fn ExplainDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let addresses = Addresses::current();
    let query = use_query_map();
    let wanted = Memo::new(move |_| query.with(|q| q.get("id")).unwrap_or_default());
    let here = format!("/{slug}/api-keys/refused");
    let found = load(move || GetExplanation { workspace: slug.clone(), correlation_id: wanted.get() });
    let answer = move || async move {
        let answers = found.await?.into_iter().map(|Explanation { text, facts }| view! {
            <p class="question-text">{text}</p>
            {(!facts.rows.is_empty()).then(|| view! { <TableView table=facts caption="The call" /> })}
        });
        Ok(answers.collect_view().into_any())
    };
    view! {
        <Title text="Why was a call refused?" />
        <Dialog title="Why was a call refused?" close_href=addresses.list() kind=Kind::Sheet>
            <div class="dialog-body">
                <FilterForm action=here class="field">
                    <label for="correlation-id">"Correlation id"</label>
                    <input id="correlation-id" name="id" type="text" maxlength="128" autocomplete="off" spellcheck="false" value=wanted.get_untracked() aria-describedby="correlation-id-hint" />
                    <p class="hint" id="correlation-id-hint">"From the answer's header " <code>"X-PolyAI-Correlation-Id"</code> ", or " <code>"error_id"</code> " in its body."</p>
                    <button class="button" type="submit">"Look it up"</button>
                </FilterForm>
                {awaited(Place::Section, answer)}
            </div>
            <footer class="dialog-footer">
                <a class="button primary" href=addresses.list() data-noscroll="true">"Done"</a>
            </footer>
        </Dialog>
    }
}
