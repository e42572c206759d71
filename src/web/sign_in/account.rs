//! The visitor's own page: password, sign out here and everywhere.

use crate::base::error::Error;
use crate::web::components::field::{FormError, TextField};
use crate::web::components::icon::Icon;
use crate::web::sign_in::SignOut;
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::{Place, awaited, load};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use serde::{Deserialize, Serialize};

/// Sets another password; every other session ends.
#[server(endpoint = "change_password")]
pub async fn change_password(current_password: String, password: String) -> Result<(), Error> {
    use crate::base::error::Problem;
    use crate::sessions::throttle;
    use crate::users;
    use crate::users::password::Password;
    use crate::web::guard;

    let visitor = guard::visitor().await?;
    let app = &visitor.app;
    throttle::count(app, &visitor.email, visitor.address).await?;
    let account = users::store::credentials(&app.db, &visitor.email).await?.ok_or(Error::SignedOut)?;
    if !app.passwords.verify(Password::attempt(current_password), Some(account.password_hash)).await? {
        return Err(Problem::PasswordWrong.into());
    }
    let password = Password::parse(password)?;
    users::service::set_password(app, &visitor.actor(), &visitor.user, password).await?;
    throttle::forget(app, &visitor.email, visitor.address).await?;
    guard::sign_in(app, &visitor.user).await?;
    leptos_axum::redirect("/account?notice=password-changed");
    Ok(())
}

/// Ends every session of the visitor.
#[server(endpoint = "sign_out_everywhere")]
pub async fn sign_out_everywhere() -> Result<(), Error> {
    use crate::sessions::store;
    use crate::web::guard;
    let visitor = guard::visitor().await?;
    let mut tx = visitor.app.db.begin().await?;
    store::delete_of_user(&mut tx, &visitor.user).await?;
    tx.commit().await?;
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
    let workspaces = crate::workspaces::store::of_user(&visitor.app.db, &visitor.user).await?;
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
                {awaited(Place::Page, content)}
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
