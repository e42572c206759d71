//! Handlers of the Agents API for variants and attributes. Only the branch `main` exists.

use crate::api::agents::actor;
use crate::api::openapi::{BodyRefusals, Refusals};
use crate::api_keys::Permission;
use crate::gate::AuthorisedCall;
use crate::gate::caller::Caller;
use crate::http::client_address::ClientAddress;
use crate::http::envelope::{ApiError, Envelope, created, json, read_json};
use crate::http::object::optional_object;
use crate::variants::model::{Variant, VariantChanges, VariantError};
use crate::variants::service::Variants;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// The only branch.
const BRANCH: &str = "main";

/// The agent and its branch, in the path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct BranchPath {
    /// The agent's id or slug.
    agent_id: String,
    /// `main`.
    #[param(example = "main")]
    branch_id: String,
}

/// The same with the id of a variant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct VariantPath {
    /// The agent's id or slug.
    agent_id: String,
    /// `main`.
    #[param(example = "main")]
    branch_id: String,
    /// The variant's id.
    variant_id: String,
}

/// The same with the id of an attribute.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AttributePath {
    /// The agent's id or slug.
    agent_id: String,
    /// `main`.
    #[param(example = "main")]
    branch_id: String,
    /// The attribute's id.
    attribute_id: String,
}

/// A text of which each variant can have its own value.
#[derive(Serialize, ToSchema)]
#[schema(as = Attribute)]
pub struct AttributeAnswer<'a> {
    id: &'a str,
    name: &'a str,
}

/// An agent's attributes.
#[derive(Serialize, ToSchema)]
pub struct AttributeList<'a> {
    attributes: Vec<AttributeAnswer<'a>>,
}

/// An attribute's name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAttribute {
    #[schema(min_length = 1, max_length = 100, pattern = r"[^\s\x00-\x1f\x7f-\x9f]", example = "Opening hours")]
    name: String,
}

/// A variant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Variant)]
pub struct VariantAnswer<'a> {
    id: &'a str,
    name: &'a str,
    /// Exactly one variant of an agent is its default.
    is_default: bool,
    attribute_values: ValuesAnswer<'a>,
}

/// Values by the attributes' ids.
#[derive(Serialize, ToSchema)]
pub struct ValuesAnswer<'a> {
    values: BTreeMap<&'a str, &'a str>,
}

/// An agent's variants.
#[derive(Serialize, ToSchema)]
pub struct VariantList<'a> {
    variants: Vec<VariantAnswer<'a>>,
}

/// Values by the attributes' ids.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewValues {
    #[serde(default)]
    values: BTreeMap<String, String>,
}

/// A variant to create.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewVariant {
    #[schema(min_length = 1, max_length = 100, pattern = r"[^\s\x00-\x1f\x7f-\x9f]", example = "Harbour Hotel")]
    name: String,
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(nullable = false)]
    attribute_values: Option<NewValues>,
    /// Makes it the default in place of the former one. An agent's first variant always is.
    #[schema(nullable = false)]
    is_default: Option<bool>,
}

/// Changes to a variant. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditedVariant {
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 100,
        pattern = r"[^\s\x00-\x1f\x7f-\x9f]",
        example = "Harbour Hotel and Spa"
    )]
    name: Option<String>,
    /// Replaces all values.
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(nullable = false)]
    attribute_values: Option<NewValues>,
    /// `true` makes it the default in place of the former one.
    #[schema(nullable = false)]
    is_default: Option<bool>,
}

/// The id of what was deleted.
#[derive(Serialize, ToSchema)]
pub struct DeletedItem<'a> {
    id: &'a str,
}

/// List attributes
#[utoipa::path(
    get,
    path = "/agents/{agent_id}/branches/{branch_id}/attributes",
    operation_id = "list_attributes",
    tag = "Agents",
    security(("key" = [])),
    params(BranchPath),
    responses((status = 200, description = "The attributes, oldest first.", body = AttributeList), Refusals),
)]
pub async fn attributes(
    State(variants): State<Variants>,
    Path(path): Path<BranchPath>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let call = admit(&caller, None, &path.agent_id, &path.branch_id).await?;
    let found = variants.attributes(&call.workspace.id, &call.agent.id).await?;
    let attributes = found.iter().map(|a| AttributeAnswer { id: a.id.as_str(), name: &a.name }).collect();
    json(&AttributeList { attributes })
}

/// Create an attribute
#[utoipa::path(
    post,
    path = "/agents/{agent_id}/branches/{branch_id}/attributes",
    operation_id = "create_attribute",
    tag = "Agents",
    security(("key" = [])),
    params(BranchPath),
    request_body = NewAttribute,
    responses(
        (status = 201, description = "Created.", body = AttributeAnswer),
        Refusals,
        BodyRefusals,
        (status = 409, description = "Another attribute has this name.", body = Envelope),
    ),
)]
pub async fn create_attribute(
    State(variants): State<Variants>,
    Path(path): Path<BranchPath>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let call = admit(&caller, Some(Permission::Agents), &path.agent_id, &path.branch_id).await?;
    let new: NewAttribute = read_json(&headers, &body)?;
    let actor = actor(caller.key(), client);
    let attribute = variants.create_attribute(&call.workspace.id, &actor, &call.agent, &new.name).await;
    let attribute = attribute.map_err(|error| refused(error, Item::Attribute))?;
    created(&AttributeAnswer { id: attribute.id.as_str(), name: &attribute.name })
}

/// Rename an attribute
#[utoipa::path(
    patch,
    path = "/agents/{agent_id}/branches/{branch_id}/attributes/{attribute_id}",
    operation_id = "rename_attribute",
    tag = "Agents",
    security(("key" = [])),
    params(AttributePath),
    request_body(content = NewAttribute, example = json!({ "name": "Desk hours" })),
    responses(
        (status = 200, description = "Renamed.", body = AttributeAnswer),
        Refusals,
        BodyRefusals,
        (status = 409, description = "Another attribute has this name.", body = Envelope),
    ),
)]
pub async fn rename_attribute(
    State(variants): State<Variants>,
    Path(path): Path<AttributePath>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let call = admit(&caller, Some(Permission::Agents), &path.agent_id, &path.branch_id).await?;
    let new: NewAttribute = read_json(&headers, &body)?;
    let actor = actor(caller.key(), client);
    let renamed =
        variants.rename_attribute(&call.workspace.id, &actor, &call.agent, &path.attribute_id, &new.name).await;
    let renamed = renamed.map_err(|error| refused(error, Item::Attribute))?;
    json(&AttributeAnswer { id: renamed.id.as_str(), name: &renamed.name })
}

/// Delete an attribute
///
/// The variants' values of it are deleted too.
#[utoipa::path(
    delete,
    path = "/agents/{agent_id}/branches/{branch_id}/attributes/{attribute_id}",
    operation_id = "delete_attribute",
    tag = "Agents",
    security(("key" = [])),
    params(AttributePath),
    responses((status = 200, description = "Deleted.", body = DeletedItem), Refusals),
)]
pub async fn delete_attribute(
    State(variants): State<Variants>,
    Path(path): Path<AttributePath>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let call = admit(&caller, Some(Permission::Agents), &path.agent_id, &path.branch_id).await?;
    let actor = actor(caller.key(), client);
    let gone = variants.delete_attribute(&call.workspace.id, &actor, &call.agent, &path.attribute_id).await;
    let gone = gone.map_err(|error| refused(error, Item::Attribute))?;
    json(&DeletedItem { id: gone.as_str() })
}

/// List variants
#[utoipa::path(
    get,
    path = "/agents/{agent_id}/branches/{branch_id}/variants",
    operation_id = "list_variants",
    tag = "Agents",
    security(("key" = [])),
    params(BranchPath),
    responses((status = 200, description = "The variants, oldest first.", body = VariantList), Refusals),
)]
pub async fn list(
    State(variants): State<Variants>,
    Path(path): Path<BranchPath>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let call = admit(&caller, None, &path.agent_id, &path.branch_id).await?;
    let found = variants.variants(&call.workspace.id, &call.agent.id).await?;
    json(&VariantList { variants: found.iter().map(answer).collect() })
}

/// Create a variant
#[utoipa::path(
    post,
    path = "/agents/{agent_id}/branches/{branch_id}/variants",
    operation_id = "create_variant",
    tag = "Agents",
    security(("key" = [])),
    params(BranchPath),
    request_body = NewVariant,
    responses(
        (status = 201, description = "Created.", body = VariantAnswer),
        Refusals,
        BodyRefusals,
        (status = 409, description = "Another variant has this name.", body = Envelope),
    ),
)]
pub async fn create(
    State(variants): State<Variants>,
    Path(path): Path<BranchPath>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let call = admit(&caller, Some(Permission::Agents), &path.agent_id, &path.branch_id).await?;
    let NewVariant { name, attribute_values, is_default } = read_json(&headers, &body)?;
    let values = attribute_values.map(|new: NewValues| new.values);
    let new = VariantChanges { name: Some(name), values, is_default };
    let variant = variants.create(&call.workspace.id, &actor(caller.key(), client), &call.agent, new).await;
    created(&answer(&variant.map_err(|error| refused(error, Item::Variant))?))
}

/// Edit a variant
#[utoipa::path(
    patch,
    path = "/agents/{agent_id}/branches/{branch_id}/variants/{variant_id}",
    operation_id = "edit_variant",
    tag = "Agents",
    security(("key" = [])),
    params(VariantPath),
    request_body = EditedVariant,
    responses(
        (status = 200, description = "The variant.", body = VariantAnswer),
        Refusals,
        BodyRefusals,
        (status = 409, description = "Another variant has this name, or there would be no default.", body = Envelope),
    ),
)]
pub async fn edit(
    State(variants): State<Variants>,
    Path(path): Path<VariantPath>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let call = admit(&caller, Some(Permission::Agents), &path.agent_id, &path.branch_id).await?;
    let EditedVariant { name, attribute_values, is_default } = read_json(&headers, &body)?;
    let new = VariantChanges { name, values: attribute_values.map(|new: NewValues| new.values), is_default };
    let actor = actor(caller.key(), client);
    let edited = variants.edit(&call.workspace.id, &actor, &call.agent, &path.variant_id, new).await;
    json(&answer(&edited.map_err(|error| refused(error, Item::Variant))?))
}

/// Delete a variant
///
/// The default variant cannot be deleted.
#[utoipa::path(
    delete,
    path = "/agents/{agent_id}/branches/{branch_id}/variants/{variant_id}",
    operation_id = "delete_variant",
    tag = "Agents",
    security(("key" = [])),
    params(VariantPath),
    responses(
        (status = 200, description = "Deleted.", body = DeletedItem),
        Refusals,
        (status = 409, description = "It is the default.", body = Envelope),
    ),
)]
pub async fn delete(
    State(variants): State<Variants>,
    Path(path): Path<VariantPath>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let call = admit(&caller, Some(Permission::Agents), &path.agent_id, &path.branch_id).await?;
    let actor = actor(caller.key(), client);
    let gone = variants.delete(&call.workspace.id, &actor, &call.agent, &path.variant_id).await;
    let gone = gone.map_err(|error| refused(error, Item::Variant))?;
    json(&DeletedItem { id: gone.as_str() })
}

/// Authorises a call to an agent, and checks its branch.
async fn admit(
    caller: &Caller,
    permission: Option<Permission>,
    agent: &str,
    branch: &str,
) -> Result<AuthorisedCall, ApiError> {
    let call = caller.admit_to_agent(permission, agent).await?;
    match branch {
        BRANCH => Ok(call),
        _ => Err(ApiError::new(StatusCode::NOT_FOUND, "BRANCH_NOT_FOUND", "Only the branch `main` exists.")),
    }
}

fn answer(variant: &Variant) -> VariantAnswer<'_> {
    let values = variant.values.iter().map(|(id, value)| (id.as_str(), value.as_str())).collect();
    VariantAnswer {
        id: variant.id.as_str(),
        name: &variant.name,
        is_default: variant.is_default,
        attribute_values: ValuesAnswer { values },
    }
}

/// What a call is about.
#[derive(Clone, Copy)]
enum Item {
    Attribute,
    Variant,
}

fn refused(error: VariantError, item: Item) -> ApiError {
    let message = error.to_string();
    let (status, code) = match error {
        VariantError::NotFound => {
            let (code, message) = match item {
                Item::Attribute => ("ATTRIBUTE_NOT_FOUND", "Attribute ID does not exist."),
                Item::Variant => ("VARIANT_NOT_FOUND", "Variant ID does not exist."),
            };
            return ApiError::new(StatusCode::NOT_FOUND, code, message);
        }
        VariantError::Db(error) => return error.into(),
        VariantError::NameTaken => (StatusCode::CONFLICT, "NAME_TAKEN"),
        VariantError::DefaultDeleted | VariantError::DefaultEnded => (StatusCode::CONFLICT, "DEFAULT_VARIANT"),
        VariantError::TooMany(_) => (StatusCode::CONFLICT, "TOO_MANY"),
        VariantError::UnknownAttribute | VariantError::ValueTooLong(_) | VariantError::Invalid(_) => {
            (StatusCode::BAD_REQUEST, "CONVERSATIONS_VALIDATION_FAILED")
        }
    };
    ApiError::new(status, code, message)
}
