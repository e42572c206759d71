//! Creating a key, and the dialog that shows its value once.

use crate::agents::AgentName;
use crate::api_keys::{ApiKey, Expiry, Permission, Permissions};
use crate::base::error::Error;
use crate::base::id::ApiKeyId;
use crate::base::secret::Revealed;
use crate::base::time::Timestamp;
use crate::web::api_keys::addresses::KeyAddresses;
use crate::web::api_keys::life::SettingsFields;
use crate::web::api_keys::list::{Scope, permissions_in_words};
use crate::web::api_keys::use_key::request;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{ButtonLink, ButtonLook};
use crate::web::components::copy_text::CopyText;
use crate::web::components::described_form::{DescribedField, FieldDescription};
use crate::web::components::dialog::{CloseQuestion, Dialog, DialogBody, DialogFooter, DialogKind};
use crate::web::components::draft::Draft;
use crate::web::components::fact_list::FactList;
use crate::web::components::field::{
    CONTROL, ChoiceInput, Field, FieldPlace, HINT, INDENTED, Refusal, SelectFrame, TextField,
};
use crate::web::components::form_dialog::{DialogForm, FormDialog};
use crate::web::components::multi_select::{Choice, MultiSelect};
use crate::web::components::page::Notice;
use crate::web::components::time::{Moment, long_local, minutes_ahead_at_end_of};
use crate::web::components::use_hydrated;
use crate::web::components::value_box::{ValueBox, ValueField};
use crate::web::frame::use_slug;
use crate::web::transport::form::FormAction;
use crate::web::transport::load::load;
use leptos::ev;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::api_keys::KeySettings;

/// What the form says about the expiry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExpiryFields {
    /// A length of time, or that there is a date.
    choice: String,
    date: String,
    /// How far the browser's clock is ahead of UTC at the end of the date. Empty without JavaScript.
    minutes_ahead: String,
}

/// Creates a key. Its value waits, sealed, in a database row for the page that shows it once. A form that is sent twice
/// makes one key. A member who is no admin asks for the key.
#[server(endpoint = "create_api_key")]
pub async fn create_api_key(
    workspace: String,
    #[server(default)] id: String,
    name: String,
    #[server(default)] all_agents: String,
    #[server(default)] agents: Vec<String>,
    #[server(default)] permissions: Vec<String>,
    #[server(default)] expiry: ExpiryFields,
    #[server(default)] settings: SettingsFields,
    #[server(default)] list: String,
) -> Result<(), Error> {
    use crate::api_keys::service::{FormCreator, NewKey};
    use crate::api_keys::{AgentScope, KeyName};
    use crate::base::error::Problem;
    use crate::base::id::{AgentId, ApiKeyId};
    use crate::key_requests::NewKeyRequest;
    use crate::web::guard;
    use std::collections::BTreeSet;

    let member = guard::member(&workspace).await?;
    if !member.visit.is_admin() && !member.workspace().members_may_request {
        return Err(Error::AdminsOnly);
    }
    let (services, workspace) = (member.services(), member.workspace());
    let now = services.now();
    let scope = match all_agents.as_str() {
        "true" => Ok(AgentScope::All),
        _ if agents.is_empty() => Err(Problem::AgentsMissing),
        _ => agents
            .iter()
            .map(|a| AgentId::parse(a))
            .collect::<Option<Vec<_>>>()
            .map(|agents| AgentScope::Chosen(agents.into_iter().collect::<BTreeSet<_>>().into_iter().collect()))
            .ok_or(Problem::AgentsUnknown),
    };
    let name = KeyName::parse(&name);
    let permissions = Permissions::parse(permissions.iter().map(String::as_str));
    let expires_at = Expiry::parse(&expiry.choice, &expiry.date, &expiry.minutes_ahead).and_then(|e| e.from(now));
    let settings = settings.parse();
    let new = match (name, scope, permissions, expires_at, settings) {
        (Ok(name), Ok(scope), Ok(permissions), Ok(expires_at), Ok(settings)) => {
            NewKey { name, scope, permissions, expires_at, settings }
        }
        (name, scope, permissions, expires_at, settings) => {
            let problems = [name.err(), scope.err(), permissions.err(), expires_at.err()].into_iter().flatten();
            let others =
                settings.err().and_then(|error| if let Error::Invalid(others) = error { Some(others) } else { None });
            return Err(Error::Invalid(problems.chain(others.into_iter().flatten()).collect()));
        }
    };
    let id = ApiKeyId::parse_generated(&id).unwrap_or_else(|| services.api_keys.new_id());
    let list = guard::local_query(&list);
    if !member.visit.is_admin() {
        let NewKey { name, scope, permissions, expires_at, settings } = new;
        let (networks, reason) = (settings.networks, settings.note);
        let asked = NewKeyRequest { name, scope, permissions, expires_at, networks, reason };
        services.key_requests.ask(&workspace.id, &member.actor(), &id, asked).await?;
        leptos_axum::redirect(&guard::list_address(&member, list, "key-requested"));
        return Ok(());
    }
    let creator = FormCreator { actor: &member.actor(), user: &member.visitor.user, shown_once: &services.shown_once };
    let id = services.api_keys.create_from_form(&workspace.id, creator, id, &new).await?;
    leptos_axum::redirect(&format!("/{}/api-keys/{id}/created{list}", workspace.slug));
    Ok(())
}

/// What the form for a new key needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewKeyForm {
    /// The id of the key that the form makes.
    pub id: ApiKeyId,
    pub agents: Vec<AgentName>,
    /// Whether the policy allows keys on all agents.
    pub all_agents_allowed: bool,
    /// Values and labels of the choices for the expiry, but for a date.
    pub expiries: Vec<(String, String)>,
    /// The choice that is preselected.
    pub expiry: String,
    /// Whether the key is made, or asked for.
    pub is_admin: bool,
    /// Owner, networks and limits; whether something of it is needed.
    pub settings: (Vec<FieldDescription>, bool),
}

#[server(endpoint = "get_new_api_key_form", input = Json)]
pub async fn get_new_api_key_form(workspace: String) -> Result<NewKeyForm, Error> {
    use crate::web::api_keys::life_forms::{expiries, settings_fields};
    use crate::web::guard;
    let member = guard::member(&workspace).await?;
    let (services, workspace) = (member.services(), &member.workspace().id);
    let policy = services.api_keys.policy(workspace).await?;
    let is_admin = member.visit.is_admin();
    if !is_admin && !policy.members_may_request {
        return Err(Error::AdminsOnly);
    }
    let agents = services.agents.names(workspace).await?;
    let (expiries, expiry) = expiries(&policy);
    let mut fields = settings_fields(&KeySettings::default(), guard::address().await);
    if !is_admin {
        fields.retain(|field| matches!(field.name.as_str(), "settings[note]" | "settings[networks]"));
    }
    let needed = !is_admin || policy.networks_required || policy.owner_required;
    Ok(NewKeyForm {
        id: services.api_keys.new_id(),
        agents,
        all_agents_allowed: policy.all_agents_allowed,
        expiries,
        expiry,
        is_admin,
        settings: (fields, needed),
    })
}

/// A key just created, with its value the one time that it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewKeyView {
    pub key: ApiKey,
    pub value: Option<Revealed>,
    /// Titles and texts of curl commands for what the key opens.
    pub requests: Vec<(String, String)>,
}

/// The key just created. Only the first call gets its value.
#[server(endpoint = "take_created_api_key", input = Json)]
pub async fn take_created_api_key(workspace: String, key: String) -> Result<NewKeyView, Error> {
    use crate::web::api_keys::requests::{Language, requests_for};
    use crate::web::{guard, shown_once};
    let admin = guard::admin(&workspace).await?;
    let id = crate::base::id::ApiKeyId::parse(&key).ok_or_else(guard::not_found)?;
    let key = admin.services().api_keys.find(&admin.workspace().id, &id).await?.ok_or_else(guard::not_found)?;
    let requests = requests_for(&admin, &key, Language::Curl).await?;
    let value = shown_once::take(&admin, id.as_str()).await?;
    Ok(NewKeyView { key, value, requests })
}

/// Dialog that creates a key.
#[component]
pub fn CreateDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let addresses = KeyAddresses::current();
    let action = FormAction::of::<CreateApiKey>();
    let refusal = action.refusal();
    let workspace = slug.clone();
    let new = load(move || GetNewApiKeyForm { workspace: workspace.clone() });
    let form = move || {
        let mut hidden = vec![("workspace", slug.clone()), ("list", addresses.query_string())];
        async move {
            let NewKeyForm { id, agents, all_agents_allowed, expiries, expiry, is_admin, settings } = new.await?;
            hidden.push(("id", id.to_string()));
            let fresh = all_agents_allowed.to_string();
            let all = RwSignal::new(Draft::current().value("all_agents", &fresh) == "true");
            let fields = view! {
                {(!is_admin).then(|| view! { <p class="mb-4">"An admin of this workspace decides on your request."</p> })}
                <TextField name="name" label="Name" hint="What the key is for, such as “CRM sync”. At most 100 characters." autofocus=true refusal />
                <AgentsField agents all all_agents_allowed refusal />
                <PermissionsField chosen=None all_agents=all refusal />
                <ExpiryField choices=expiries fresh=expiry refusal />
                <MoreSettings settings sent=action />
            };
            let submit = if is_admin { "Create key" } else { "Send request" };
            Ok(DialogForm::new(action, hidden, fields.into_any(), submit).pending("Sending …"))
        }
    };
    view! { <FormDialog title="New API key" close_href=addresses.list() kind=DialogKind::Sheet form /> }
}

/// Said where there is no agent to choose.
const NO_AGENTS: &str = "This workspace has no agents yet. A key for all agents opens each one from its creation on; to \
                         choose agents, create them first, on the Agents page.";

#[component]
fn AgentsField(
    agents: Vec<AgentName>,
    all: RwSignal<bool>,
    all_agents_allowed: bool,
    refusal: Refusal,
) -> impl IntoView {
    let chosen = RwSignal::new(Draft::current().values("agents[]").unwrap_or_default());
    let hydrated = use_hydrated();
    let none_yet = agents.is_empty();
    let choices: Vec<Choice> =
        agents.into_iter().map(|agent| Choice { value: agent.id.to_string(), label: agent.name }).collect();
    let radio = move |value: bool, label: &'static str, hint: &'static str| {
        let checked = all.get_untracked() == value;
        view! {
            <ChoiceInput kind="radio" name="all_agents" value=value.to_string() label hint strong=true checked on_change=move |_| all.set(value) />
        }
    };
    view! {
        <Field id="agents" label="Agents" hint="This cannot be changed after creation." group=true refusal>
            {none_yet.then(|| view! { <p class=HINT>{NO_AGENTS}</p> })}
            {all_agents_allowed.then(|| radio(true, "All agents", "Those created later too."))}
            {radio(false, "Chosen agents", "")}
            <div class=INDENTED hidden=move || hydrated.get() && all.get()>
                <MultiSelect id="agents" name="agents[]" label="Chosen agents" placeholder="Type to find agents" choices chosen />
            </div>
        </Field>
    }
}

/// Permissions to choose from; a fresh form has none chosen.
#[component]
pub fn PermissionsField(
    chosen: Option<Permissions>,
    /// The key covers all agents: some permissions are offered only then.
    all_agents: RwSignal<bool>,
    /// How they were used lately, in words.
    #[prop(optional)]
    uses: Vec<(Permission, String)>,
    refusal: Refusal,
) -> impl IntoView {
    let drafted = Draft::current().values("permissions[]");
    let checked = move |permission: Permission| match &drafted {
        Some(ids) => ids.iter().any(|id| id == permission.id()),
        None => chosen.as_ref().is_some_and(|c| c.contain(permission)),
    };
    let hint = move |permission: Permission| {
        let used = uses.iter().find(|(used, _)| *used == permission);
        used.map_or_else(|| permission.grants().to_owned(), |(_, used)| format!("{} {used}", permission.grants()))
    };
    let choice = move |permission: Permission| {
        view! {
            <ChoiceInput
                kind="checkbox"
                name="permissions[]"
                value=permission.id()
                label=permission.label()
                hint=hint(permission)
                strong=true
                checked=checked(permission)
                withheld=move || permission.needs_all_agents() && !all_agents.get()
            />
        }
    };
    view! {
        <Field id="permissions" label="Permissions" group=true refusal>
            {Permission::ALL.into_iter().map(choice).collect_view()}
        </Field>
    }
}

#[component]
fn ExpiryField(
    /// Values and labels.
    choices: Vec<(String, String)>,
    /// The choice of a fresh form.
    fresh: String,
    refusal: Refusal,
) -> impl IntoView {
    let draft = Draft::current();
    let hydrated = use_hydrated();
    let choice = RwSignal::new(draft.value("expiry[choice]", &fresh));
    let date = RwSignal::new(draft.value("expiry[date]", ""));
    // How far the browser's clock is ahead of UTC when the chosen date ends; empty without a script.
    let minutes_ahead = move || if hydrated.get() { minutes_ahead_at_end_of(&date.read()) } else { String::new() };
    // The exact time needs the viewer's clock.
    let sentence = move || {
        if !hydrated.get() {
            return "The key is refused from the very second of its expiry. A date ends at 23:59:59 UTC.".to_owned();
        }
        let now = Timestamp((js_sys::Date::now() * 1000.0) as i64);
        let at = Expiry::parse(&choice.read(), &date.read(), &minutes_ahead()).and_then(|e| e.from(now));
        match at {
            Ok(at) => format!("The key expires on {}, {}.", long_local(at), at.ahead(now)),
            Err(_) if date.read().is_empty() => "Choose a date up to 100 years ahead.".to_owned(),
            Err(problem) => problem.message().into_owned(),
        }
    };
    let option = move |(value, label): (String, String)| {
        let selected = choice.with_untracked(|c| *c == value);
        view! { <option value=value selected=selected>{label}</option> }
    };
    let options = choices.into_iter().chain([("date".to_owned(), "On a date …".to_owned())]);
    view! {
        <Field id="expiry" label="Expiry" refusal>
            <SelectFrame>
                <select
                    id="expiry"
                    class=CONTROL
                    name="expiry[choice]"
                    aria-describedby="expiry-hint expiry-error"
                    on:change=move |event| choice.set(event_target_value(&event))
                >
                    {options.map(option).collect_view()}
                </select>
            </SelectFrame>
            <Field
                id="expiry_date"
                label="Date"
                place=FieldPlace::Indented
                hidden=move || hydrated.get() && *choice.read() != "date"
            >
                <input
                    id="expiry_date"
                    class=CONTROL
                    type="date"
                    name="expiry[date]"
                    value=date.get_untracked()
                    on:input=move |event| date.set(event_target_value(&event))
                />
                <input type="hidden" name="expiry[minutes_ahead]" prop:value=minutes_ahead />
            </Field>
            <p class=HINT id="expiry-hint" aria-live="polite">{sentence}</p>
        </Field>
    }
}

/// Owner, networks and limits. Folded while nothing of it is needed and nothing is wrong.
#[component]
fn MoreSettings(settings: (Vec<FieldDescription>, bool), sent: FormAction) -> impl IntoView {
    let (fields, needed) = settings;
    let refusal = sent.refusal();
    let fields = fields.into_iter().map(|field| view! { <DescribedField field sent /> }).collect_view();
    view! {
        <details class="mb-6" open=move || needed || refusal.with(Option::is_some)>
            <summary class="cursor-pointer py-1 font-medium">"Owner, networks and limits"</summary>
            <div class="mt-3">{fields}</div>
        </details>
    }
}

/// Dialog with a new key's value.
#[component]
pub fn CreatedDialog() -> impl IntoView {
    let back = KeyAddresses::current().list();
    created_dialog("API key created", back)
}

/// Dialog with the new value of a key that was rotated.
#[component]
pub fn RotatedDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let id = use_params_map().with_untracked(|p| p.get("key")).unwrap_or_default();
    created_dialog("API key rotated", format!("/{slug}/api-keys/{id}"))
}

fn created_dialog(title: &'static str, back: String) -> AnyView {
    let slug = use_slug().get_untracked();
    let params = use_params_map();
    let id = params.with_untracked(|p| p.get("key")).unwrap_or_default();
    let created = load(move || TakeCreatedApiKey { workspace: slug.clone(), key: id.clone() });
    // Safe to close: no value is shown, or it was copied.
    let safe = RwSignal::new(true);
    let asking = RwSignal::new(false);
    let may_close = Callback::new(move |()| {
        let may = safe.get_untracked() || asking.get_untracked();
        asking.set(true);
        may
    });
    warn_before_unload(safe);
    let close_href = back.clone();
    let content = move || {
        let back = back.clone();
        async move {
            let created = created.await?;
            Ok(view! { <Created created safe asking back /> }.into_any())
        }
    };
    view! {
        <Dialog title close_href kind=DialogKind::Sheet may_close=may_close>
            {awaited(PageArea::Dialog, content)}
        </Dialog>
    }
    .into_any()
}

/// The browser's own question before the tab is closed with the value uncopied.
fn warn_before_unload(safe: RwSignal<bool>) {
    Effect::new(move |_| {
        let handle = window_event_listener(ev::beforeunload, move |event| {
            if !safe.try_get_untracked().unwrap_or(true) {
                event.prevent_default();
            }
        });
        on_cleanup(move || handle.remove());
    });
}

#[component]
fn Created(
    created: NewKeyView,
    safe: RwSignal<bool>,
    asking: RwSignal<bool>,
    /// Address that closing the dialog leads to.
    back: String,
) -> impl IntoView {
    let key = created.key;
    let value = created.value.as_ref().map(|value| value.expose().to_owned());
    let requests = created.requests.into_iter().map(|(title, code)| match &value {
        Some(value) => request((title, code.replace("$API_KEY", value))),
        None => request((title, code)),
    });
    let requests = requests.collect_view();
    Effect::new({
        let shown = created.value.is_some();
        move |_| safe.set(!shown)
    });
    let value = match created.value {
        Some(value) => view! { <Value value safe copyable=key.copyable /> }.into_any(),
        None if key.copyable => view! { <p>"The key was shown once. Copy it from the list."</p> }.into_any(),
        None => view! { <p>{Error::NotCopyable.to_string()}</p> }.into_any(),
    };
    let done = move |event: ev::MouseEvent| {
        if !safe.get_untracked() {
            event.prevent_default();
            event.stop_propagation();
            asking.set(true);
        }
    };
    let buttons = move || {
        let back = back.clone();
        if asking.get() && !safe.get() {
            let question = "You have not copied the key. Close all the same?";
            view! { <CloseQuestion question leave="Close without copying" close_href=back asking /> }.into_any()
        } else {
            view! { <ButtonLink look=ButtonLook::Primary href=back noscroll=true on_click=done>"Done"</ButtonLink> }
                .into_any()
        }
    };
    let permissions = permissions_in_words(&key);
    view! {
        <DialogBody>
            {value}
            <FactList>
                <dt>"Name"</dt><dd>{key.name.as_str().to_owned()}</dd>
                <dt>"Agents"</dt><dd><Scope agents=key.agents /></dd>
                <dt>"Permissions"</dt><dd>{permissions}</dd>
                <dt>"Expires"</dt><dd><Moment at=key.expires_at /></dd>
            </FactList>
            <h3 class="mt-6">"Try it"</h3>
            {requests}
        </DialogBody>
        <DialogFooter>{buttons}</DialogFooter>
    }
}

#[component]
fn Value(value: Revealed, safe: RwSignal<bool>, copyable: bool) -> impl IntoView {
    let warning = if copyable {
        "Store it where secrets belong, such as a password manager. Who has this key can read what it grants."
    } else {
        "Store it now, where secrets belong, such as a password manager: this workspace shows keys once."
    };
    view! {
        <Notice text=warning />
        <ValueBox>
            // Copied by hand counts too.
            <ValueField value=value.expose().to_owned() label="API key" on_copy=move |()| safe.set(true) />
            <CopyText text=value.expose().to_owned() copied=safe said="Key copied." focused=true />
        </ValueBox>
    }
}
