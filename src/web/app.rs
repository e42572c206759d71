//! Every page's route. The server renders each page whole before it sends anything (`SsrMode::Async`): so a page has the
//! right status, and is complete without JavaScript.

use crate::base::error::Error;
use crate::web::agents::delete::DeleteAgentDialog;
use crate::web::agents::forms::AgentFormDialog;
use crate::web::agents::{AgentsPage, CreateAgentDialog, RenameAgentDialog};
use crate::web::api_keys::copy::CopyDialog;
use crate::web::api_keys::create::{CreateDialog, CreatedDialog, RotatedDialog};
use crate::web::api_keys::edit::EditDialog;
use crate::web::api_keys::life::{DeleteDialog, FiltersDialog, KeyFormDialog};
use crate::web::api_keys::list::ApiKeysPage;
use crate::web::api_keys::settings::SettingsDialog;
use crate::web::api_keys::use_key::UseDialog;
use crate::web::chunks::lazy_page;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::draft::Drafts;
use crate::web::components::page::{BarePage, Failed};
use crate::web::components::toast::ToastRegion;
use crate::web::configuration::dialogs::{ApplyConfigurationDialog, CopyConfigurationDialog};
use crate::web::configuration::list::ConfigurationPage;
use crate::web::frame::{WorkspaceFrame, use_slug};
use crate::web::reading::{ActivityPage, AgentPage, KeyUsagePage, SafetyPage, UsagePage};
use crate::web::retention::RetentionDialog;
use crate::web::sign_in::SignInPage;
use crate::web::sign_in::account::AccountPage;
use crate::web::sign_in::set_up::SetUpPage;
use crate::web::transport::load::{Changes, load};
use crate::web::users::invitation::InvitationPage;
use crate::web::users::{ChangeRoleDialog, InviteDialog, InvitedDialog, RemoveUserDialog, UsersPage, WithdrawDialog};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::SsrMode;
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::path;

/// A page for a route, as one type for all of them: for each type of its own, the router would put another copy of itself
/// into the browser's download.
macro_rules! page {
    ($page:ident) => {
        (|| $page().into_any()) as fn() -> AnyView
    };
}

/// Toasts that an address may name (`?notice=key-deleted`), with their texts: an address cannot bring a text of its own.
const NOTICES: [(&str, &str); 36] = [
    ("agent-created", "Agent created."),
    ("agent-deleted", "Agent deleted, and its conversations with it."),
    ("agent-renamed", "Agent renamed."),
    ("attribute-deleted", "Attribute deleted, and its values with it."),
    ("attribute-saved", "Attribute saved."),
    ("deployment-promoted", "Promoted."),
    ("deployment-published", "Published."),
    ("deployment-rolled-back", "Rolled back."),
    ("variant-deleted", "Variant deleted."),
    ("variant-saved", "Variant saved."),
    ("configuration-saved", "Configuration saved."),
    ("invitation-withdrawn", "Invitation withdrawn."),
    ("key-deleted", "Key deleted. It is refused from now on."),
    ("key-deleted-undo", "Key deleted. It is refused from now on. Restore it under Recently deleted."),
    ("key-not-found", "No key of this workspace has this value."),
    ("key-paused", "Key paused. It is refused until it is resumed."),
    ("key-restored", "Key restored."),
    ("key-resumed", "Key resumed."),
    ("key-saved", "Key saved."),
    ("agent-deleted-undo", "Agent deleted. Restore it under Recently deleted."),
    ("agent-restored", "Agent restored."),
    ("key-requested", "Request sent. An admin decides on it."),
    ("key-request-declined", "Request declined."),
    ("keys-changed-back", "Undone, where the keys were not changed since."),
    ("no-keys-chosen", "Choose keys first."),
    ("not-done", "That could not be done, or not for all of them. Look at what is here now, and try again."),
    ("old-value-ended", "Old value ended. It is refused from now on."),
    ("rotation-cancelled", "Rotation cancelled. The key has its old value again."),
    ("password-changed", "Password changed. You were signed out everywhere else."),
    ("settings-saved", "Settings saved."),
    ("signed-out", "You are signed out."),
    ("signed-out-everywhere", "You are signed out everywhere."),
    ("user-changed", "Role changed."),
    ("user-removed", "User removed."),
    ("welcome", "Welcome."),
    ("set-up", "All set up. Create your first agent, then your first API key."),
];

/// The dashboard.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Changes::provide();
    Drafts::provide();
    view! {
        <Title formatter=|page: String| if page.is_empty() { "Agent Studio".to_owned() } else { format!("{page} · Agent Studio") } />
        <Router>
            <ToastRegion notices=&NOTICES>
                <Routes fallback=NotFoundPage>
                    <Route path=path!("") view=page!(HomePage) ssr=SsrMode::Async />
                    <Route path=path!("sign-in") view=lazy_page!(sign_in, SignInPage) ssr=SsrMode::Async />
                    <Route path=path!("set-up") view=lazy_page!(sign_in, SetUpPage) ssr=SsrMode::Async />
                    <Route path=path!("account") view=lazy_page!(sign_in, AccountPage) ssr=SsrMode::Async />
                    <Route path=path!("invitation/:token") view=lazy_page!(sign_in, InvitationPage) ssr=SsrMode::Async />
                    <ParentRoute path=path!(":workspace") view=page!(WorkspaceFrame) ssr=SsrMode::Async>
                        <Route path=path!("") view=page!(Home) ssr=SsrMode::Async />
                        <ParentRoute path=path!("agents") view=lazy_page!(people, AgentsPage) ssr=SsrMode::Async>
                            <Route path=path!("") view=page!(Nothing) ssr=SsrMode::Async />
                            <Route path=path!("new") view=lazy_page!(people, CreateAgentDialog) ssr=SsrMode::Async />
                            <Route path=path!("retention") view=lazy_page!(people, RetentionDialog) ssr=SsrMode::Async />
                            <Route path=path!(":agent/rename") view=lazy_page!(people, RenameAgentDialog) ssr=SsrMode::Async />
                            <Route path=path!(":agent/delete") view=lazy_page!(people, DeleteAgentDialog) ssr=SsrMode::Async />
                        </ParentRoute>
                        <ParentRoute path=path!("agents/:agent") view=page!(AgentPage) ssr=SsrMode::Async>
                            <Route path=path!("") view=page!(Nothing) ssr=SsrMode::Async />
                            <Route path=path!(":part/:action") view=lazy_page!(key_dialogs, AgentFormDialog) ssr=SsrMode::Async />
                            <Route path=path!(":part/:item/:action") view=lazy_page!(key_dialogs, AgentFormDialog) ssr=SsrMode::Async />
                        </ParentRoute>
                        <ParentRoute path=path!("users") view=lazy_page!(people, UsersPage) ssr=SsrMode::Async>
                            <Route path=path!("") view=page!(Nothing) ssr=SsrMode::Async />
                            <Route path=path!("new") view=lazy_page!(people, InviteDialog) ssr=SsrMode::Async />
                            <Route path=path!("invited") view=lazy_page!(people, InvitedDialog) ssr=SsrMode::Async />
                            <Route path=path!(":user/role") view=lazy_page!(people, ChangeRoleDialog) ssr=SsrMode::Async />
                            <Route path=path!(":user/remove") view=lazy_page!(people, RemoveUserDialog) ssr=SsrMode::Async />
                            <Route path=path!(":invitation/withdraw") view=lazy_page!(people, WithdrawDialog) ssr=SsrMode::Async />
                        </ParentRoute>
                        <ParentRoute path=path!("api-keys/configuration") view=lazy_page!(configuration, ConfigurationPage) ssr=SsrMode::Async>
                            <Route path=path!("") view=page!(Nothing) ssr=SsrMode::Async />
                            <Route path=path!("copy") view=lazy_page!(configuration, CopyConfigurationDialog) ssr=SsrMode::Async />
                            <Route path=path!("apply") view=lazy_page!(configuration, ApplyConfigurationDialog) ssr=SsrMode::Async />
                        </ParentRoute>
                        <ParentRoute path=path!("api-keys") view=page!(ApiKeysPage) ssr=SsrMode::Async>
                            <Route path=path!("") view=page!(Nothing) ssr=SsrMode::Async />
                            <Route path=path!("new") view=lazy_page!(key_dialogs, CreateDialog) ssr=SsrMode::Async />
                            <Route path=path!("settings") view=lazy_page!(key_dialogs, SettingsDialog) ssr=SsrMode::Async />
                            <Route path=path!("filters") view=lazy_page!(key_dialogs, FiltersDialog) ssr=SsrMode::Async />
                            <Route path=path!(":key/created") view=lazy_page!(key_dialogs, CreatedDialog) ssr=SsrMode::Async />
                            <Route path=path!(":key/copy") view=lazy_page!(key_dialogs, CopyDialog) ssr=SsrMode::Async />
                            <Route path=path!(":key/use") view=lazy_page!(key_dialogs, UseDialog) ssr=SsrMode::Async />
                            <Route path=path!(":key/edit") view=lazy_page!(key_dialogs, EditDialog) ssr=SsrMode::Async />
                            <Route path=path!(":key/delete") view=lazy_page!(key_dialogs, DeleteDialog) ssr=SsrMode::Async />
                        </ParentRoute>
                        <ParentRoute path=path!("api-keys/:key") view=page!(KeyUsagePage) ssr=SsrMode::Async>
                            <Route path=path!("") view=page!(Nothing) ssr=SsrMode::Async />
                            <Route path=path!("rotated") view=lazy_page!(key_dialogs, RotatedDialog) ssr=SsrMode::Async />
                            <Route path=path!(":action") view=lazy_page!(key_dialogs, KeyFormDialog) ssr=SsrMode::Async />
                        </ParentRoute>
                        <Route path=path!("safety") view=page!(SafetyPage) ssr=SsrMode::Async />
                        <Route path=path!("usage") view=page!(UsagePage) ssr=SsrMode::Async />
                        <Route path=path!("activity") view=page!(ActivityPage) ssr=SsrMode::Async />
                    </ParentRoute>
                </Routes>
            </ToastRegion>
        </Router>
    }
}

/// In place of a dialog while none is open.
#[component]
fn Nothing() -> impl IntoView {}

/// Sends the visitor to the API keys of a workspace: the one in the address, or the first.
#[server(endpoint = "go_home", input = Json)]
pub async fn go_home(#[server(default)] workspace: String) -> Result<(), Error> {
    use crate::web::guard;
    let visitor = guard::visitor().await?;
    let workspaces = visitor.services.workspaces.of_user(&visitor.user).await?;
    let mut slugs = workspaces.into_iter().map(|(w, _)| w.slug);
    let slug = if workspace.is_empty() { slugs.next() } else { slugs.find(|slug| *slug == workspace) };
    leptos_axum::redirect(&format!("/{}/api-keys", slug.ok_or_else(guard::not_found)?));
    Ok(())
}

#[component]
fn HomePage() -> impl IntoView {
    view! {
        <BarePage>
            <Home />
        </BarePage>
    }
}

/// Redirects; shows an error where it cannot.
#[component]
fn Home() -> impl IntoView {
    let workspace = use_slug();
    let home = load(move || GoHome { workspace: workspace.get() });
    awaited(PageArea::Page, move || async move {
        home.await?;
        Ok(().into_any())
    })
}

#[component]
fn NotFoundPage() -> impl IntoView {
    view! {
        <Title text="Not found" />
        <BarePage>
            <Failed error=Error::NotFound whole_page=true />
        </BarePage>
    }
}
