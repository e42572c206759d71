//! Changing many keys at once, and undoing this.

use crate::base::error::Error;
use leptos::prelude::*;

/// Changes several keys: those whose ids are sent or, with `all`, every key that the list with the query string `list` has;
/// `seen` is their number. `text` is a reason, tags or an owner. `back` is the last part of the page's address.
#[server(endpoint = "change_api_keys")]
pub async fn change_api_keys(
    workspace: String,
    #[server(default)] keys: Vec<String>,
    #[server(default)] all: String,
    #[server(default)] list: String,
    #[server(default)] seen: String,
    #[server(default)] text: String,
    #[server(default)] back: String,
    action: String,
) -> Result<(), Error> {
    use crate::api_keys::service::MAX_CHANGED;
    use crate::api_keys::service::bulk::{BulkAction, Selection};
    use crate::base::error::Problem;
    use crate::base::id::ApiKeyId;
    use crate::web::api_keys::filter_forms::query_of;
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let action = BulkAction::parse(&action, &text).ok_or(Error::BadRequest)?;
    if keys.len() > MAX_CHANGED {
        return Err(Problem::KeysTooMany.into());
    }
    let slug = &admin.workspace().slug;
    let (page, query) = match back.as_str() {
        "safety" => (format!("/{slug}/safety"), ""),
        _ => (format!("/{slug}/api-keys/select"), guard::local_query(&list)),
    };
    let address = |more: &str| {
        let joint = if query.is_empty() { '?' } else { '&' };
        format!("{page}{query}{joint}{more}")
    };
    let selection = match all.as_str() {
        "true" => {
            let query = query_of(&list);
            let seen = seen.parse().map_err(|_| Error::BadRequest)?;
            Selection::Matching { search: query.search, filter: query.filter, seen }
        }
        _ if keys.is_empty() => {
            leptos_axum::redirect(&address("notice=no-keys-chosen"));
            return Ok(());
        }
        _ => Selection::Ids(
            keys.iter().map(|key| ApiKeyId::parse(key)).collect::<Option<Vec<_>>>().ok_or(Error::NotFound)?,
        ),
    };
    let done = admin.services().api_keys.change_many(&admin.workspace().id, &admin.actor(), &selection, &action).await;
    match done {
        Ok(done) => leptos_axum::redirect(&address(&format!("done={}", done.id))),
        Err(_) if guard::is_plain_form() => leptos_axum::redirect(&address("notice=not-done")),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Undoes a change of many keys.
#[server(endpoint = "undo_bulk_change")]
pub async fn undo_bulk_change(workspace: String, change: String) -> Result<(), Error> {
    use crate::web::guard;
    let admin = guard::admin(&workspace).await?;
    let done = admin.services().api_keys.undo_many(&admin.workspace().id, &admin.actor(), &change).await;
    let list = format!("/{}/api-keys", admin.workspace().slug);
    guard::lead_on(done.map(drop).map_err(Error::from), &list, "keys-changed-back")
}
