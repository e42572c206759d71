//! The Configuration page: one folding card per agent. With the page awake, each change is saved as it is made, and
//! undone in sight where saving fails; without JavaScript each card is a form with a button.

use crate::base::error::Error;
use crate::configuration::{AgentConfiguration, AllowedMetrics, Configuration};
use crate::web::components::field::FormError;
use crate::web::components::icon::Icon;
use crate::web::components::multi_select::{Choice, MultiSelect};
use crate::web::components::page::Empty;
use crate::web::components::{lower_case, use_hydrated};
use crate::web::frame::{use_slug, use_visit};
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::{PageArea, awaited, load};
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;

/// The choice that stands for every metric.
const ALL: &str = "*";
/// With more agents than this, there is a search.
const SEARCHED_FROM: usize = 6;

/// Every agent's card.
#[server(endpoint = "list_configurations", input = Json)]
pub async fn list_configurations(workspace: String) -> Result<Vec<AgentConfiguration>, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    Ok(member.services().configurations.list(&member.workspace().id).await?)
}

/// Sets what an agent lets through.
#[server(endpoint = "set_configuration")]
pub async fn set_configuration(
    workspace: String,
    agent: String,
    #[server(default)] metrics: Vec<String>,
    #[server(default)] transcript: String,
) -> Result<(), Error> {
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let metrics = if metrics.iter().any(|m| m == ALL) {
        AllowedMetrics::All
    } else {
        AllowedMetrics::Only(metrics.into_iter().collect())
    };
    let configuration = Configuration { metrics, transcript: transcript == "true" };
    admin.services().configurations.set(&admin.workspace().id, &admin.actor(), &agent, &configuration).await?;
    if guard::is_plain_form() {
        let slug = &admin.workspace().slug;
        leptos_axum::redirect(&format!("/{slug}/api-keys/configuration?notice=configuration-saved"));
    }
    Ok(())
}

/// Page with one card for each agent.
#[component]
pub fn ConfigurationPage() -> impl IntoView {
    let (slug, visit) = (use_slug(), use_visit());
    let cards = load(move || ListConfigurations { workspace: slug.get() });
    let content = move || async move {
        let (visit, cards) = (visit.await?, cards.await?);
        Ok(if cards.is_empty() {
            view! { <Empty icon="agent" heading="No agents yet"><p>"Create an agent first. It appears here."</p></Empty> }.into_any()
        } else {
            view! { <Cards cards admin=visit.is_admin() /> }.into_any()
        })
    };
    view! {
        <Title text="Configuration" />
        <div class="page-header with-back">
            <a class="icon-button" href=move || format!("/{}/api-keys", slug.read()) aria-label="Back to API keys"><Icon name="arrow-left" /></a>
            <h1 tabindex="-1">"Configuration"</h1>
        </div>
        {awaited(PageArea::Section, content)}
    }
}

#[component]
fn Cards(cards: Vec<AgentConfiguration>, admin: bool) -> impl IntoView {
    let wanted = RwSignal::new(String::new());
    let hydrated = use_hydrated();
    let search = (cards.len() >= SEARCHED_FROM).then(|| view! {
        <div class="toolbar" hidden=move || !hydrated.get()>
            <label class="search">
                <Icon name="search" />
                <input type="search" aria-label="Search agents" placeholder="Search agents" prop:value=wanted on:input=move |event| wanted.set(event_target_value(&event)) />
            </label>
        </div>
    });
    let card = |(at, card): (usize, AgentConfiguration)| {
        let name = lower_case(&card.agent.name);
        view! {
            <li hidden=move || !name.contains(&lower_case(&wanted.read()))>
                <Card card open=at == 0 admin />
            </li>
        }
    };
    view! {
        <p class="lead">
            "What each agent lets through to every key with the permission Conversations data. Nothing appears in API responses unless it is enabled here."
        </p>
        {search}
        <ul class="cards">{cards.into_iter().enumerate().map(card).collect_view()}</ul>
    }
}

/// What a card shows, to go back to where saving fails.
type ShownConfiguration = (Vec<String>, bool);

fn shown(configuration: &Configuration) -> ShownConfiguration {
    let metrics = match &configuration.metrics {
        AllowedMetrics::All => vec![ALL.to_owned()],
        AllowedMetrics::Only(names) => names.iter().cloned().collect(),
    };
    (metrics, configuration.transcript)
}

#[component]
fn Card(card: AgentConfiguration, open: bool, admin: bool) -> impl IntoView {
    let hydrated = use_hydrated();
    let action = FormAction::of::<SetConfiguration>();
    let refusal = action.refusal();
    let slug = StoredValue::new(use_slug().get_untracked());
    let agent = StoredValue::new(card.agent.id.to_string());
    let (metrics, transcript) = shown(&card.configuration);
    let saved = StoredValue::new((metrics.clone(), transcript));
    let sent = StoredValue::new((metrics.clone(), transcript));
    let metrics = RwSignal::new(metrics);
    let transcript = RwSignal::new(transcript);

    let save = move || {
        let (chosen, on) = (metrics.get_untracked(), transcript.get_untracked());
        let (slug, agent, on_text) = (slug.get_value(), agent.get_value(), on.to_string());
        let fixed = [("workspace", slug.as_str()), ("agent", &agent), ("transcript", &on_text)];
        let fields: Vec<_> =
            fixed.into_iter().chain(chosen.iter().map(|metric| ("metrics[]", metric.as_str()))).collect();
        if action.send(&fields) {
            sent.set_value((chosen, on));
        }
    };
    Effect::new(move |_| match action.outcome() {
        Some(Ok(())) => {
            saved.set_value(sent.get_value());
            // What was changed in the meantime follows.
            if sent.get_value() != (metrics.get_untracked(), transcript.get_untracked()) {
                save();
            }
        }
        Some(Err(_)) => {
            let (before, was_on) = saved.get_value();
            metrics.set(before);
            transcript.set(was_on);
        }
        None => {}
    });
    let choose = Callback::new(move |()| {
        // All metrics, or some: the one chosen last decides.
        metrics.update(|chosen| {
            if chosen.last().is_some_and(|last| last == ALL) {
                *chosen = vec![ALL.to_owned()];
            } else {
                chosen.retain(|m| m != ALL);
            }
        });
        save();
    });
    let clear = move |event: leptos::ev::MouseEvent| {
        if hydrated.get_untracked() {
            event.prevent_default();
            metrics.set(Vec::new());
            transcript.set(false);
            save();
        }
    };
    let state = move || {
        if action.pending() {
            "Saving …"
        } else {
            match action.outcome() {
                Some(Ok(())) => "Saved",
                Some(Err(_)) => "Not saved. The last change was undone.",
                None => "",
            }
        }
    };
    let all = Choice { value: ALL.to_owned(), label: "All metrics".to_owned() };
    let named = card.offered.into_iter().map(|name| Choice { value: name.clone(), label: name });
    let choices: Vec<Choice> = std::iter::once(all).chain(named).collect();
    let metrics_id = format!("metrics-{}", agent.get_value());
    let clear_id = format!("clear-{}", agent.get_value());
    let clear_form = clear_id.clone();
    view! {
        <details class="card folding" open=open>
            <summary>
                <h2>{card.agent.name}</h2>
                <span class="save-state" class:failed=move || refusal.read().is_some() role="status">{state}</span>
                <Icon name="chevron-down" />
            </summary>
            <ActionForm action=action>
                <input type="hidden" name="workspace" value=slug.get_value() />
                <input type="hidden" name="agent" value=agent.get_value() />
                <div class="field">
                    <label for=metrics_id.clone() class="dotted">"Response metrics" <span class="optional">" (optional)"</span></label>
                    <MultiSelect
                        id=metrics_id
                        name="metrics[]"
                        label="Response metrics"
                        placeholder="No metrics"
                        choices=choices
                        chosen=metrics
                        on_change=choose
                        disabled=!admin
                    />
                </div>
                <label class="switch">
                    <input
                        type="checkbox"
                        role="switch"
                        name="transcript"
                        value="true"
                        disabled=!admin
                        prop:checked=transcript
                        checked=transcript.get_untracked()
                        on:change=move |event| {
                            transcript.set(event_target_checked(&event));
                            save();
                        }
                    />
                    <span class="dotted">"Conversation transcript"</span>
                </label>
                <FormError refusal=refusal />
                {admin.then(|| view! {
                    <div class="button-row">
                        <button type="submit" class="button primary" hidden=move || hydrated.get()>"Save"</button>
                        <button type="submit" class="button" form=clear_id.clone() on:click=clear>"Clear configuration settings"</button>
                    </div>
                })}
            </ActionForm>
            // The button above sends this one where there is no JavaScript.
            <form id=clear_form method="post" action=SetConfiguration::url()>
                <input type="hidden" name="workspace" value=slug.get_value() />
                <input type="hidden" name="agent" value=agent.get_value() />
            </form>
        </details>
    }
}
