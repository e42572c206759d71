//! The account page: password, signing out here and everywhere.

use crate::base::error::Error;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{BUTTON_ROW, Button, ButtonLook};
use crate::web::components::field::{FormError, TextField};
use crate::web::components::page::{BackLink, NarrowHeader, NarrowPage};
use crate::web::sign_in::SignOut;
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use serde::{Deserialize, Serialize};

/// Sets another password and ends every other session.
#[server(endpoint = "change_password")]
pub async fn change_password(current_password: String, password: String) -> Result<(), Error> {
    use crate::base::error::Problem;

    use crate::users::password::Password;
    use crate::web::guard;

    let visitor = guard::visitor().await?;
    let services = &visitor.services;
    services.throttle.count(&visitor.email, visitor.address).await?;
    if services.users.verify(&visitor.email, current_password).await?.is_none() {
        return Err(Problem::PasswordWrong.into());
    }
    let password = Password::parse(password)?;
    services.users.set_password(&visitor.actor(), &visitor.user, password).await?;
    services.throttle.forget(&visitor.email, visitor.address).await?;
    guard::sign_in(services, &visitor.user).await?;
    leptos_axum::redirect("/account?notice=password-changed");
    Ok(())
}

/// Ends every session of the visitor.
#[server(endpoint = "sign_out_everywhere")]
pub async fn sign_out_everywhere() -> Result<(), Error> {
    use crate::web::guard;
    let visitor = guard::visitor().await?;
    visitor.services.users.sign_out_everywhere(&visitor.actor(), &visitor.user).await?;
    visitor.session.flush().await.map_err(guard::failed)?;
    leptos_axum::redirect("/sign-in?notice=signed-out-everywhere");
    Ok(())
}

/// Who is signed in, and where the way back leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    pub email: String,
    /// Slug of the first of their workspaces.
    pub workspace: Option<String>,
}

/// The account of who is signed in.
#[server(endpoint = "get_account", input = Json)]
pub async fn get_account() -> Result<AccountView, Error> {
    let visitor = crate::web::guard::visitor().await?;
    let workspaces = visitor.services.workspaces.of_user(&visitor.user).await?;
    let workspace = workspaces.into_iter().next().map(|(workspace, _)| workspace.slug);
    Ok(AccountView { email: visitor.email.as_str().to_owned(), workspace })
}

/// The account page.
#[component]
pub fn AccountPage() -> impl IntoView {
    let account = load(|| GetAccount {});
    let content = move || async move {
        let account = account.await?;
        Ok(view! { <Account account /> }.into_any())
    };
    view! {
        <Title text="Account" />
        <NarrowPage>{awaited(PageArea::Page, content)}</NarrowPage>
    }
}

#[component]
fn Account(account: AccountView) -> impl IntoView {
    let AccountView { email, workspace } = account;
    let back = workspace.map(|slug| format!("/{slug}/api-keys"));
    let password = FormAction::of::<ChangePassword>();
    let here = FormAction::of::<SignOut>();
    let everywhere = FormAction::of::<SignOutEverywhere>();
    let refusal = password.refusal();
    let username = email.clone();
    view! {
        {back.map(|href| view! { <BackLink href text="API keys" /> })}
        <NarrowHeader heading="Account">"Signed in as " <strong>{email}</strong></NarrowHeader>
        <div class=BUTTON_ROW>
            <ActionForm action=here><Button>"Sign out"</Button></ActionForm>
            <ActionForm action=everywhere><Button>"Sign out everywhere"</Button></ActionForm>
        </div>
        <FormError refusal=everywhere.refusal() />
        <h2 class="mt-8 mb-4 text-lg">"Change password"</h2>
        <ActionForm action=password>
            <input class="sr-only" type="email" name="username" autocomplete="username" value=username readonly=true tabindex="-1" aria-hidden="true" />
            <TextField name="current_password" label="Current password" kind="password" autocomplete="current-password" refusal=refusal />
            <TextField name="password" label="New password" kind="password" autocomplete="new-password" hint="At least 12 characters. You are signed out everywhere else." refusal=refusal />
            <FormError refusal=refusal />
            <Button look=ButtonLook::Primary pending=move || password.pending()>"Change password"</Button>
        </ActionForm>
    }
}
