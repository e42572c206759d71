//! The list of keys as a file: every key that search and filter let through, without values.

use crate::api_keys::service::ApiKeys;
use crate::api_keys::{ApiKey, KeyListQuery, LastClient, Rate, Status};
use crate::base::error::Error;
use crate::base::id::WorkspaceId;
use crate::base::time::Timestamp;
use crate::http::parameters::Parameters;
use crate::web::download::{self, CSV, Member};
use axum::extract::{Extension, RawQuery};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

const COLUMNS: [&str; 20] = [
    "id",
    "name",
    "masked",
    "status",
    "agents",
    "permissions",
    "created_at",
    "created_by",
    "expires_at",
    "last_used_at",
    "last_address",
    "last_program",
    "value_created_at",
    "owner",
    "note",
    "tags",
    "networks",
    "rate",
    "burst",
    "quota",
];

/// Position in the file.
enum Place {
    Beginning,
    After(String),
    End,
}

/// Sends the file, to admins only.
pub async fn download(Extension(member): Member, RawQuery(query): RawQuery) -> Response {
    if !member.visit.is_admin() {
        return Error::AdminsOnly.into_response();
    }
    let Ok(parameters) = Parameters::read(&query.unwrap_or_default()) else {
        return Error::BadRequest.into_response();
    };
    let get = |name: &str| Some(parameters.first(name).to_owned()).filter(|text| !text.is_empty());
    let query = KeyListQuery { after: None, before: None, ..KeyListQuery::from_address(get) };
    let (keys, workspace) = (member.services().api_keys.clone(), member.workspace().id.clone());
    let name = format!("api-keys-{}-{}.csv", member.workspace().slug, member.services().now().date());
    let chunks = stream::try_unfold(Place::Beginning, move |place| {
        let (keys, workspace, query) = (keys.clone(), workspace.clone(), query.clone());
        async move { chunk(&keys, &workspace, query, place).await.map_err(std::io::Error::other) }
    });
    download::file(&name, CSV, chunks)
}

async fn chunk(
    keys: &ApiKeys,
    workspace: &WorkspaceId,
    query: KeyListQuery,
    place: Place,
) -> Result<Option<(Vec<u8>, Place)>, Error> {
    let (after, is_first) = match place {
        Place::Beginning => (None, true),
        Place::After(after) => (Some(after), false),
        Place::End => return Ok(None),
    };
    let page = keys.page(workspace, &KeyListQuery { after, ..query }).await?;
    let header = is_first.then(|| COLUMNS.map(str::to_owned));
    let rows = page.keys.iter().map(|key| row(key, page.now));
    let written = download::csv(header.into_iter().chain(rows))?;
    Ok(Some((written, page.next.map_or(Place::End, Place::After))))
}

fn row(key: &ApiKey, now: Timestamp) -> [String; COLUMNS.len()] {
    let status = match Status::of(key.expires_at, now) {
        Status::Expired => "expired",
        _ if key.pause.is_some() => "paused",
        _ if key.open_old_value(now).is_some() => "rotating",
        Status::Active => "active",
        Status::ExpiresSoon => "expires-soon",
    };
    let agents = match &key.agents {
        None => "all".to_owned(),
        Some(agents) => agents.iter().map(|agent| agent.id.as_str()).collect::<Vec<_>>().join(" "),
    };
    let LastClient { address, program } =
        key.last_client.clone().unwrap_or(LastClient { address: String::new(), program: String::new() });
    let set = &key.settings;
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        key.id.to_string(),
        key.name.as_str().to_owned(),
        key.masked.clone(),
        status.to_owned(),
        agents,
        key.permissions.ids().replace(',', " "),
        key.created_at.iso(),
        key.created_by.clone(),
        key.expires_at.iso(),
        key.last_used_at.map(Timestamp::iso).unwrap_or_default(),
        address,
        program,
        key.value_created_at.iso(),
        set.owner.clone(),
        set.note.clone(),
        set.tags.join(", "),
        set.networks.join(" "),
        set.rate.map(Rate::typed).unwrap_or_default(),
        number(set.rate.map(|rate| rate.burst.into())),
        number(set.quota),
    ]
}
