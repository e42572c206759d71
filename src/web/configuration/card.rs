//! An agent's switches.

use crate::base::error::Error;
use crate::configuration::{AgentConfiguration, AllowedMetrics, CallerNumbers, Configuration, ConfigurationSummary};
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{BUTTON_ROW, Button, ButtonLook};
use crate::web::components::field::{CONTROL, DASHED, Field, FieldPlace, FormError, SelectFrame};
use crate::web::components::multi_select::{Choice, MultiSelect};
use crate::web::components::page::{Loading, TEXT_LINK};
use crate::web::components::use_hydrated;
use crate::web::configuration::addresses::{ConfigurationQuery, use_configuration_query};
use crate::web::configuration::preview::Preview;
use crate::web::frame::use_slug;
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::Loaded;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;
use leptos::server_fn::codec::Json;

/// An agent's configuration, with what the page offers.
#[server(endpoint = "get_configuration", input = Json)]
pub async fn get_configuration(workspace: String, agent: String) -> Result<AgentConfiguration, Error> {
    use crate::configuration::service::ConfigurationError;
    use crate::web::guard;
    let member = guard::member(&workspace).await?;
    match member.services().configurations.find(&member.workspace().id, &agent).await {
        Err(ConfigurationError::NoSuchAgent) => Err(guard::not_found()),
        found => Ok(found?),
    }
}

/// The configuration that is open; `None` if none is.
#[server(endpoint = "get_open_configuration", input = Json)]
pub async fn get_open_configuration(
    workspace: String,
    query: ConfigurationQuery,
) -> Result<Option<AgentConfiguration>, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    let search = query.checked_search()?;
    Ok(member.services().configurations.open(&member.workspace().id, search, query.agent.as_deref()).await?)
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
    let metrics = AllowedMetrics::chosen(metrics);
    let caller_numbers = CallerNumbers::parse(&caller_numbers);
    let new = NewConfiguration { metrics, transcript: transcript == "true", caller_numbers };
    admin.services().configurations.set(&admin.workspace().id, &admin.actor(), &agent, &new).await?;
    if guard::is_plain_form() {
        let address = ConfigurationQuery::of_agent(agent).address(&admin.workspace().slug, "");
        leptos_axum::redirect(&format!("{address}&notice=configuration-saved"));
    }
    Ok(())
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

impl ShownConfiguration {
    /// Writes this configuration into an agent's summary.
    fn summarize(&self, summary: &mut ConfigurationSummary) {
        summary.all_metrics = self.metrics.iter().any(|metric| metric == AllowedMetrics::EVERY);
        summary.some_metrics = !summary.all_metrics && !self.metrics.is_empty();
        summary.transcript = self.transcript;
        summary.caller_numbers = self.caller_numbers;
    }
}

fn shown(configuration: &Configuration) -> ShownConfiguration {
    let metrics = match &configuration.metrics {
        AllowedMetrics::All => vec![AllowedMetrics::EVERY.to_owned()],
        AllowedMetrics::Only(names) => names.iter().cloned().collect(),
    };
    ShownConfiguration { metrics, transcript: configuration.transcript, caller_numbers: configuration.caller_numbers }
}

/// The configuration in the open card, and its preview.
#[derive(Clone, Copy)]
pub struct OpenConfiguration {
    pub configuration: Loaded<Option<AgentConfiguration>>,
    pub preview: Loaded<Option<String>>,
}

/// An agent's switches and, for admins, a preview beside them. After hydration each change is saved as it is made, and
/// undone in sight where saving fails. Without JavaScript it is a form with a button.
#[component]
pub fn OpenCard(
    agent: String,
    /// What the card says when it is closed. Changed by each saved change.
    summary: RwSignal<ConfigurationSummary>,
    open: OpenConfiguration,
    admin: bool,
) -> impl IntoView {
    awaited(PageArea::Section, move || {
        let agent = agent.clone();
        async move {
            Ok(match open.configuration.await? {
                Some(card) if card.agent.id.as_str() == agent => {
                    view! { <Switches card summary preview=open.preview admin /> }.into_any()
                }
                // The loaded configuration still belongs to the card that was open before.
                _ => view! { <Loading /> }.into_any(),
            })
        }
    })
}

#[component]
fn Switches(
    card: AgentConfiguration,
    summary: RwSignal<ConfigurationSummary>,
    preview: Loaded<Option<String>>,
    admin: bool,
) -> impl IntoView {
    let (hydrated, query) = (use_hydrated(), use_configuration_query());
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
            summary.update(|summary| sent.with_value(|sent| sent.summarize(summary)));
            preview.again();
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
            if chosen.last().is_some_and(|last| last == AllowedMetrics::EVERY) {
                *chosen = vec![AllowedMetrics::EVERY.to_owned()];
            } else {
                chosen.retain(|m| m != AllowedMetrics::EVERY);
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
    let all = Choice { value: AllowedMetrics::EVERY.to_owned(), label: "All metrics".to_owned() };
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
    let dialog = move |name: &str| {
        let agent = Some(agent.get_value());
        ConfigurationQuery { agent, ..query.get_untracked() }.address(&slug.get_value(), name)
    };
    let preview = admin.then(|| view! { <Preview response=preview /> });
    view! {
        <div class="grid gap-x-8 lg:grid-cols-2 [&>*]:min-w-0">
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
                        // Without this, a value that the browser restores after a reload would be saved.
                        autocomplete="off"
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
                            autocomplete="off"
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
                <p
                    class="min-h-5 text-sm"
                    class:text-good=move || refusal.read().is_none()
                    class:text-danger=move || refusal.read().is_some()
                    role="status"
                >
                    {state}
                </p>
                {admin.then(|| view! {
                    <div class=BUTTON_ROW>
                        <Button look=ButtonLook::Primary hidden=move || hydrated.get()>"Save"</Button>
                        <Button form=clear_id.clone() on_click=clear>"Clear configuration settings"</Button>
                    </div>
                    <p class="flex flex-wrap gap-x-6 gap-y-2 pt-4 pb-7">
                        <a class=TEXT_LINK href=dialog("/copy") data-noscroll="true">"Copy from another agent"</a>
                        <a class=TEXT_LINK href=dialog("/apply") data-noscroll="true">"Apply to all agents"</a>
                    </p>
                })}
            </ActionForm>
            {preview}
            // Sent by the button above where there is no JavaScript.
            <form id=clear_form method="post" action=SetConfiguration::url()>
                <input type="hidden" name="workspace" value=slug.get_value() />
                <input type="hidden" name="agent" value=agent.get_value() />
            </form>
        </div>
    }
}
