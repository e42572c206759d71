//! The visitor's own page: password, sign out here and everywhere.

use crate::base::error::Error;
use crate::web::components::field::{FormError, TextField};
use crate::web::components::icon::Icon;
use crate::web::sign_in::SignOut;
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::{PageArea, awaited, load};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use serde::{Deserialize, Serialize};

/// Sets another password; every other session ends.
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

/// Who is signed in, and where they came from or would go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    pub email: String,
    /// The first of their workspaces.
    pub workspace: Option<String>,
}

/// The visitor's account.
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
        <main class="door">
            <div class="door-card">
                {awaited(PageArea::Page, content)}
            </div>
        </main>
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
    view! {
        {back.map(|href| view! { <a class="back" href=href><Icon name="arrow-left" />"API keys"</a> })}
        <h1 tabindex="-1">"Account"</h1>
        <p class="hint">"Signed in as " <strong>{email.clone()}</strong></p>
        <div class="button-row">
            <ActionForm action=here><button class="button" type="submit">"Sign out"</button></ActionForm>
            <ActionForm action=everywhere><button class="button" type="submit">"Sign out everywhere"</button></ActionForm>
        </div>
        <FormError refusal=everywhere.refusal() />
        <h2>"Change password"</h2>
        <ActionForm action=password>
            <input class="sr-only" type="email" name="username" autocomplete="username" value=email readonly=true tabindex="-1" aria-hidden="true" />
            <TextField name="current_password" label="Current password" kind="password" autocomplete="current-password" refusal=refusal />
            <TextField name="password" label="New password" kind="password" autocomplete="new-password" hint="At least 12 characters. You are signed out everywhere else." refusal=refusal />
            <FormError refusal=refusal />
            <button class="button primary" type="submit" disabled=move || password.pending()>"Change password"</button>
        </ActionForm>
    }
}
