//! Rotating, pausing, deleting and restoring a key, its settings, and the policy. The server describes each form, and one
//! dialog shows them all.

use crate::base::error::Error;
use crate::web::api_keys::addresses::KeyAddresses;
use crate::web::api_keys::filters::FilterApiKeys;
use crate::web::api_keys::policy::SetKeyPolicy;
use crate::web::components::described_form::{FormDescription, described_form};
use crate::web::components::dialog::DialogKind;
use crate::web::components::form_dialog::FormDialog;
use crate::web::frame::use_slug;
use crate::web::transport::form::FormAction;
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;
use leptos::server_fn::codec::Json;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::api_keys::{KeySettings, TypedSettings};

/// What a form does, as in the address; its title, and whether its button is coloured as one that ends something.
const FORMS: [(&str, &str, &str, bool); 10] = [
    ("delete", "Delete API key?", DeleteApiKey::PATH, true),
    ("rotate", "Rotate API key", RotateApiKey::PATH, false),
    ("end-old-value", "End the old value?", EndOldValue::PATH, true),
    ("cancel-rotation", "Cancel the rotation?", CancelRotation::PATH, true),
    ("pause", "Pause API key?", PauseApiKey::PATH, true),
    ("resume", "Resume API key?", ResumeApiKey::PATH, false),
    ("settings", "Key settings", SetKeySettings::PATH, false),
    ("undo-days", "Undoing deletions", SetUndoDays::PATH, false),
    ("rules", "Rules for keys", SetKeyPolicy::PATH, false),
    ("filters", "Filter keys", FilterApiKeys::PATH, false),
];

/// Describes a form.
#[server(endpoint = "get_key_form", input = Json)]
pub async fn get_key_form(workspace: String, key: String, action: String) -> Result<FormDescription, Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    crate::web::api_keys::life_forms::describe(&admin, &key, &action).await
}

/// Deletes a key. Where this cannot be undone, its name must have been typed exactly.
#[server(endpoint = "delete_api_key")]
pub async fn delete_api_key(
    workspace: String,
    key: String,
    #[server(default)] name: String,
    #[server(default)] list: String,
) -> Result<(), Error> {
    use crate::base::error::Problem;
    use crate::web::{api_keys::life_forms, guard};
    let (admin, key) = life_forms::key_of(&workspace, &key).await?;
    let undo_days = admin.workspace().undo_days;
    if undo_days == 0 && name.trim() != key.name.as_str() {
        return Err(Problem::NameMismatch.into());
    }
    admin.services().api_keys.delete(&admin.workspace().id, &admin.actor(), &key.id).await?;
    let notice = if undo_days == 0 { "key-deleted" } else { "key-deleted-undo" };
    leptos_axum::redirect(&guard::list_address(&admin, &list, notice));
    Ok(())
}

/// Undoes the deletion of a key.
#[server(endpoint = "restore_api_key")]
pub async fn restore_api_key(workspace: String, key: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    let id = crate::base::id::ApiKeyId::parse(&key).ok_or(Error::NotFound)?;
    let done = admin.services().api_keys.restore(&admin.workspace().id, &admin.actor(), &id).await;
    let list = format!("/{}/api-keys", admin.workspace().slug);
    let address = if done.is_ok() { format!("{list}/{id}") } else { format!("{list}/deleted") };
    crate::web::guard::lead_on(done.map_err(Error::from), &address, "key-restored")
}

/// Gives a key another value, which the next page shows once.
#[server(endpoint = "rotate_api_key")]
pub async fn rotate_api_key(
    workspace: String,
    key: String,
    overlap: String,
    #[server(default)] overlap_date: String,
    expiry: String,
    #[server(default)] expiry_date: String,
    #[server(default)] seen: String,
) -> Result<(), Error> {
    use crate::api_keys::service::{FormCreator, Rotation, SeenValue};
    use crate::api_keys::{Expiry, Overlap};
    use crate::web::api_keys::life_forms;
    let (admin, key) = life_forms::key_of(&workspace, &key).await?;
    let services = admin.services();
    let now = services.now();
    let overlap_end = Overlap::parse(&overlap, &overlap_date).and_then(|overlap| overlap.end(now));
    let expires_at = Expiry::parse(&expiry, &expiry_date, "").and_then(|expiry| expiry.from(now));
    let rotation = match (overlap_end, expires_at) {
        (Ok(overlap_end), Ok(expires_at)) => Rotation { overlap_end, expires_at },
        (overlap_end, expires_at) => {
            return Err(Error::Invalid([overlap_end.err(), expires_at.err()].into_iter().flatten().collect()));
        }
    };
    let (actor, user, shown_once) = (&admin.actor(), &admin.visitor.user, &services.shown_once);
    let creator = FormCreator { actor, user, shown_once };
    services.api_keys.rotate_from_form(&admin.workspace().id, creator, &key.id, rotation, SeenValue(&seen)).await?;
    leptos_axum::redirect(&format!("/{}/api-keys/{}/rotated", admin.workspace().slug, key.id));
    Ok(())
}

#[server(endpoint = "end_old_value")]
pub async fn end_old_value(workspace: String, key: String) -> Result<(), Error> {
    use crate::web::api_keys::life_forms;
    let (admin, key) = life_forms::key_of(&workspace, &key).await?;
    admin.services().api_keys.end_old_value(&admin.workspace().id, &admin.actor(), &key.id).await?;
    life_forms::done(&admin, &key, "old-value-ended")
}

#[server(endpoint = "cancel_rotation")]
pub async fn cancel_rotation(workspace: String, key: String) -> Result<(), Error> {
    use crate::web::api_keys::life_forms;
    let (admin, key) = life_forms::key_of(&workspace, &key).await?;
    admin.services().api_keys.cancel_rotation(&admin.workspace().id, &admin.actor(), &key.id).await?;
    life_forms::done(&admin, &key, "rotation-cancelled")
}

#[server(endpoint = "pause_api_key")]
pub async fn pause_api_key(workspace: String, key: String, #[server(default)] reason: String) -> Result<(), Error> {
    use crate::web::api_keys::life_forms;
    let (admin, key) = life_forms::key_of(&workspace, &key).await?;
    admin.services().api_keys.pause(&admin.workspace().id, &admin.actor(), &key.id, &reason).await?;
    life_forms::done(&admin, &key, "key-paused")
}

#[server(endpoint = "resume_api_key")]
pub async fn resume_api_key(workspace: String, key: String) -> Result<(), Error> {
    use crate::web::api_keys::life_forms;
    let (admin, key) = life_forms::key_of(&workspace, &key).await?;
    admin.services().api_keys.resume(&admin.workspace().id, &admin.actor(), &key.id).await?;
    life_forms::done(&admin, &key, "key-resumed")
}

/// The settings as they were typed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SettingsFields {
    owner: String,
    note: String,
    tags: String,
    networks: String,
    rate: String,
    burst: String,
    quota: String,
    /// Addresses that are added to the networks.
    seen: Vec<String>,
}

#[cfg(feature = "ssr")]
impl SettingsFields {
    /// Reads and normalises the settings.
    pub fn parse(&self) -> Result<KeySettings, Error> {
        let networks = format!("{} {}", self.networks, self.seen.join(" "));
        let typed = TypedSettings {
            owner: &self.owner,
            note: &self.note,
            tags: &self.tags,
            networks: &networks,
            rate: &self.rate,
            burst: &self.burst,
            quota: &self.quota,
        };
        KeySettings::parse(&typed).map_err(Error::Invalid)
    }
}

/// Sets a key's owner, note, tags, networks and limits. `seen` is the version of the settings that the form was made from.
/// Networks that cut off an address of the last 30 days must be confirmed.
#[server(endpoint = "set_key_settings")]
pub async fn set_key_settings(
    workspace: String,
    key: String,
    #[server(default)] settings: SettingsFields,
    #[server(default)] seen: String,
    #[server(default)] cut_off: String,
) -> Result<(), Error> {
    use crate::web::api_keys::life_forms;
    let (admin, key) = life_forms::key_of(&workspace, &key).await?;
    let settings = settings.parse()?;
    if cut_off != "true" && settings.networks != key.settings.networks {
        life_forms::cuts_nobody_off(&admin, &key, &settings).await?;
    }
    admin.services().api_keys.set(&admin.workspace().id, &admin.actor(), &key.id, &settings, Some(&seen)).await?;
    life_forms::done(&admin, &key, "key-saved")
}

/// Sets for how many days a deleted key can be restored.
#[server(endpoint = "set_undo_days")]
pub async fn set_undo_days(workspace: String, undo_days: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    let days = undo_days.trim().parse().map_err(|_| crate::base::error::Problem::UndoDaysInvalid)?;
    admin.services().workspaces.set_undo_days(&admin.workspace().id, &admin.actor(), days).await?;
    leptos_axum::redirect(&format!("/{}/api-keys/deleted?notice=settings-saved", admin.workspace().slug));
    Ok(())
}

/// Dialog on a key's page, with the form that the address names.
#[component]
pub fn KeyFormDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let params = use_params_map().get_untracked();
    let [key, action] = ["key", "action"].map(|name| params.get(name).unwrap_or_default());
    let close_href = format!("/{slug}/api-keys/{key}");
    key_form(slug, key, action, close_href, String::new())
}

/// Dialog on the list that filters it. In place of a key the form is about the list's query string.
#[component]
pub fn FiltersDialog() -> impl IntoView {
    let addresses = KeyAddresses::current();
    let list = addresses.query_string();
    key_form(use_slug().get_untracked(), list.clone(), "filters".to_owned(), addresses.list(), list)
}

/// Dialog on the list that deletes a key.
#[component]
pub fn DeleteDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let key = use_params_map().get_untracked().get("key").unwrap_or_default();
    let addresses = KeyAddresses::current();
    key_form(slug, key, "delete".to_owned(), addresses.list(), addresses.query_string())
}

fn key_form(slug: String, key: String, action: String, close_href: String, list: String) -> AnyView {
    let known = FORMS.into_iter().find(|(does, ..)| *does == action);
    let (_, title, path, danger) = known.unwrap_or(("", "Not found", "", false));
    let sent = FormAction::to(path);
    let kind = if title.ends_with('?') { DialogKind::Question } else { DialogKind::Sheet };
    let hidden = vec![("workspace", slug.clone()), ("key", key.clone()), ("list", list)];
    let described = load(move || GetKeyForm { workspace: slug.clone(), key: key.clone(), action: action.clone() });
    let form = move || {
        let hidden = hidden.clone();
        async move {
            let form = described_form(described, sent, hidden, &[]).await?;
            Ok(if danger { form.danger() } else { form })
        }
    };
    view! { <FormDialog title close_href kind form /> }.into_any()
}
