//! Filtering the list of keys. The filter stands in the address.

use crate::base::error::Error;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The fields of the form. Their names are those of the parameters in the address.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterFields {
    status: String,
    agent: String,
    permission: String,
    owner: String,
    tag: String,
    idle: String,
    network: String,
    created_by: String,
    show: Vec<String>,
}

/// Leads to the list with this filter. Search and order stay as `list`, the query string that the form was opened from,
/// says.
#[server(endpoint = "filter_api_keys")]
pub async fn filter_api_keys(
    workspace: String,
    #[server(default)] filter: FilterFields,
    #[server(default)] list: String,
) -> Result<(), Error> {
    use crate::api_keys::{KeyFilter, KeyListQuery, KeyState, ShownFacts};
    use crate::web::api_keys::filter_forms::query_of;
    let member = crate::web::guard::member(&workspace).await?;
    let page = format!("/{}/api-keys", member.workspace().slug);
    let shown = ShownFacts::parse(&filter.show.join(","));
    let get = |name: &str| {
        let value = match name {
            "status" => &filter.status,
            "agent" => &filter.agent,
            "permission" => &filter.permission,
            "owner" => &filter.owner,
            "tag" => &filter.tag,
            "idle" => &filter.idle,
            "network" => &filter.network,
            "created_by" => &filter.created_by,
            _ => return None,
        };
        Some(value.clone())
    };
    let filter = KeyFilter::from_address(get);
    if filter.state == Some(KeyState::Deleted) {
        leptos_axum::redirect(&format!("{page}/deleted"));
        return Ok(());
    }
    let query = KeyListQuery { filter, shown, after: None, before: None, ..query_of(&list) };
    leptos_axum::redirect(&format!("{page}{}", query.to_address()));
    Ok(())
}
