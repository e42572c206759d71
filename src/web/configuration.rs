//! The Configuration page: one folding card per agent. After hydration each change is saved as it is made, and undone in
//! sight where saving fails. Without JavaScript each card is a form with a button.

use crate::base::error::Error;
use crate::configuration::{AgentConfiguration, AllowedMetrics, CallerNumbers, Configuration};
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{BUTTON_ROW, Button, ButtonLook, IconLink};
use crate::web::components::card::CardList;
use crate::web::components::field::{CONTROL, DASHED, Field, FieldPlace, FormError, SelectFrame};
use crate::web::components::icon::Icon;
use crate::web::components::multi_select::{Choice, MultiSelect};
use crate::web::components::page::{Empty, LiveSearch};
use crate::web::components::{lower_case, use_hydrated};
use crate::web::frame::{use_slug, use_visit};
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;

/// Value of the choice that stands for every metric.
const ALL: &str = "*";
/// From this many agents on, there is a search.
const SEARCHED_FROM: usize = 6;

/// Every agent's configuration.
#[server(endpoint = "list_configurations", input = Json)]
pub async fn list_configurations(workspace: String) -> Result<Vec<AgentConfiguration>, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    Ok(member.services().configurations.list(&member.workspace().id).await?)
}

/// Sets which metrics of an agent API keys can read, whether they can read its transcripts, and how they see callers'
/// numbers. These stay as they are where the field is missing.
#[server(endpoint = "set_configuration")]
pub async fn set_configuration(
    workspace: String,
    agent: String,
    #[server(default)] metrics: Vec<String>,
    #[server(default)] transcript: String,
    #[server(default)] caller_numbers: String,
) -> Result<(), Error> {
    use crate::configuration::service::NewConfiguration;
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let metrics = if metrics.iter().any(|m| m == ALL) {
        AllowedMetrics::All
    } else {
        AllowedMetrics::Only(metrics.into_iter().collect())
    };
    let caller_numbers = CallerNumbers::parse(&caller_numbers);
    let new = NewConfiguration { metrics, transcript: transcript == "true", caller_numbers };
    admin.services().configurations.set(&admin.workspace().id, &admin.actor(), &agent, &new).await?;
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
        <div class="mb-6 flex flex-wrap items-center gap-4 pt-4">
            <IconLink href=format!("/{}/api-keys", slug.get_untracked()) label="Back to API keys" tip="Back"><Icon name="arrow-left" /></IconLink>
            <h1 tabindex="-1">"Configuration"</h1>
        </div>
        {awaited(PageArea::Section, content)}
    }
}

#[component]
fn Cards(cards: Vec<AgentConfiguration>, admin: bool) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let search = (cards.len() >= SEARCHED_FROM).then(|| view! { <LiveSearch label="Search agents" typed /> });
    let card = move |(at, card): (usize, AgentConfiguration)| {
        let name = lower_case(&card.agent.name);
        view! {
            <li hidden=move || !name.contains(&lower_case(&typed.read()))>
                <ConfigurationCard card open=at == 0 admin />
            </li>
        }
    };
    view! {
        <p class="mb-6 max-w-3xl text-base text-faint">
            "What each agent lets through to every key with the permission Conversations data. Nothing appears in API responses unless it is enabled here."
        </p>
        {search}
        <CardList>{cards.into_iter().enumerate().map(card).collect_view()}</CardList>
    }
}

/// Checkbox that looks like a switch: its knob moves when it is checked.
const SWITCH: &str = "relative h-5 w-10 shrink-0 cursor-pointer appearance-none rounded-full border border-control bg-surface \
                      transition-colors checked:border-primary checked:bg-primary disabled:cursor-default disabled:opacity-60 \
                      before:absolute before:top-px before:left-px before:size-4 before:rounded-full before:bg-control \
                      before:transition-transform checked:before:translate-x-5 checked:before:bg-on-primary";

/// A configuration as a card shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ShownConfiguration {
    metrics: Vec<String>,
    transcript: bool,
    caller_numbers: CallerNumbers,
}

fn shown(configuration: &Configuration) -> ShownConfiguration {
    let metrics = match &configuration.metrics {
        AllowedMetrics::All => vec![ALL.to_owned()],
        AllowedMetrics::Only(names) => names.iter().cloned().collect(),
    };
    ShownConfiguration { metrics, transcript: configuration.transcript, caller_numbers: configuration.caller_numbers }
}

#[component]
fn ConfigurationCard(card: AgentConfiguration, open: bool, admin: bool) -> impl IntoView {
    let hydrated = use_hydrated();
    let action = FormAction::of::<SetConfiguration>();
    let refusal = action.refusal();
    let slug = StoredValue::new(use_slug().get_untracked());
    let agent = StoredValue::new(card.agent.id.to_string());
    let first = shown(&card.configuration);
    let (saved, sent) = (StoredValue::new(first.clone()), StoredValue::new(first.clone()));
    let metrics = RwSignal::new(first.metrics);
    let transcript = RwSignal::new(first.transcript);
    let caller_numbers = RwSignal::new(first.caller_numbers);
    let current = move || ShownConfiguration {
        metrics: metrics.get_untracked(),
        transcript: transcript.get_untracked(),
        caller_numbers: caller_numbers.get_untracked(),
    };

    let save = move || {
        let new = current();
        let (slug, agent, on) = (slug.get_value(), agent.get_value(), new.transcript.to_string());
        let numbers = ("caller_numbers", new.caller_numbers.id());
        let fixed = [("workspace", slug.as_str()), ("agent", &agent), ("transcript", &on), numbers];
        let fields: Vec<_> =
            fixed.into_iter().chain(new.metrics.iter().map(|metric| ("metrics[]", metric.as_str()))).collect();
        if action.send(&fields) {
            sent.set_value(new);
        }
    };
    Effect::new(move |_| match action.outcome() {
        Some(Ok(())) => {
            saved.set_value(sent.get_value());
            // Save what was changed in the meantime.
            if sent.get_value() != current() {
                save();
            }
        }
        Some(Err(_)) => {
            let before = saved.get_value();
            metrics.set(before.metrics);
            transcript.set(before.transcript);
            caller_numbers.set(before.caller_numbers);
        }
        None => {}
    });
    let choose = Callback::new(move |()| {
        // All metrics, or some of them: the last choice decides.
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
    let option = move |(choice, id, label): (CallerNumbers, &'static str, &'static str)| {
        let selected = caller_numbers.get_untracked() == choice;
        view! {
            <option value=id selected=selected prop:selected=move || caller_numbers.get() == choice>
                {label}
            </option>
        }
    };
    let metrics_id = format!("metrics-{}", agent.get_value());
    let numbers_id = format!("caller-numbers-{}", agent.get_value());
    let clear_id = format!("clear-{}", agent.get_value());
    let clear_form = clear_id.clone();
    view! {
        <details class="group rounded-xl bg-surface px-4 md:px-8 [&>form:first-of-type]:pb-7" open=open>
            <summary class="flex min-h-[72px] list-none items-center gap-4 [&::-webkit-details-marker]:hidden">
                <h2 class="min-w-0 flex-1">{card.agent.name}</h2>
                <span
                    class="text-sm"
                    class:text-good=move || refusal.read().is_none()
                    class:text-danger=move || refusal.read().is_some()
                    role="status"
                >
                    {state}
                </span>
                <Icon name="chevron-down" class="size-5 transition-transform group-open:rotate-180" />
            </summary>
            <ActionForm action=action>
                <input type="hidden" name="workspace" value=slug.get_value() />
                <input type="hidden" name="agent" value=agent.get_value() />
                <Field id=metrics_id.clone() label="Response metrics" optional=true place=FieldPlace::Card>
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
                </Field>
                <label class="mb-6 flex cursor-pointer items-center gap-3">
                    <input
                        class=SWITCH
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
                    <span class=DASHED>"Conversation transcript"</span>
                </label>
                <Field id=numbers_id.clone() label="Caller numbers" place=FieldPlace::Card>
                    <SelectFrame>
                        <select
                            id=numbers_id
                            class=CONTROL
                            name="caller_numbers"
                            disabled=!admin
                            on:change=move |event| {
                                if let Some(choice) = CallerNumbers::parse(&event_target_value(&event)) {
                                    caller_numbers.set(choice);
                                    save();
                                }
                            }
                        >
                            {CallerNumbers::ALL.map(option).collect_view()}
                        </select>
                    </SelectFrame>
                </Field>
                <FormError refusal=refusal />
                {admin.then(|| view! {
                    <div class=BUTTON_ROW>
                        <Button look=ButtonLook::Primary hidden=move || hydrated.get()>"Save"</Button>
                        <Button form=clear_id.clone() on_click=clear>"Clear configuration settings"</Button>
                    </div>
                })}
            </ActionForm>
            // Sent by the button above where there is no JavaScript.
            <form id=clear_form method="post" action=SetConfiguration::url()>
                <input type="hidden" name="workspace" value=slug.get_value() />
                <input type="hidden" name="agent" value=agent.get_value() />
            </form>
        </details>
    }
}
