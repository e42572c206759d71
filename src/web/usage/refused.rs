//! The page that asks for a correlation id and says what happened to the calls that had it.

use crate::base::error::Error;
use crate::http::parameters::Parameters;
use crate::web::components::button::{Button, ButtonLook};
use crate::web::components::field::{CONTROL, Field};
use crate::web::components::page::{BackLink, PageHeader, Section};
use crate::web::components::table::{Facts, render};
use crate::web::guard::SignedInMember;
use crate::web::transport::fragment::Html;
use crate::web::usage::summary::{self, Explanation};
use leptos::prelude::*;

/// Renders the page.
pub async fn page(member: &SignedInMember, asked: &Parameters) -> Result<Html, Error> {
    let id = asked.first("id").to_owned();
    let explained = summary::explain(member.services(), member.workspace(), &id).await?;
    let explained = explained.into_iter().map(|Explanation { text, facts }| {
        let facts = (!facts.is_empty()).then(|| view! { <Facts facts /> });
        view! {
            <p>{text}</p>
            {facts}
        }
    });
    let list = format!("/{}/api-keys", member.workspace().slug);
    let here = format!("{list}/refused");
    Ok(render(view! {
        <BackLink href=list text="API keys" />
        <PageHeader heading="Why was a call refused?" />
        <Section>
            <form method="get" action=here class="max-w-xl [&>div]:mb-2" role="search">
                <Field id="correlation-id" label="Correlation id" hint="From the answer's header X-PolyAI-Correlation-Id, or error_id in its body.">
                    <input id="correlation-id" class=CONTROL name="id" type="text" maxlength="128" autocomplete="off" spellcheck="false" value=id aria-describedby="correlation-id-hint" />
                </Field>
                <Button look=ButtonLook::Primary>"Look it up"</Button>
            </form>
            {explained.collect_view()}
        </Section>
    }))
}
