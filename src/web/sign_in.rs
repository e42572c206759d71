//! Signing in and out.

/// The account page: password, signing out everywhere.
pub mod account;
/// The first page of a server without users.
pub mod set_up;

use crate::base::error::Error;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{Button, ButtonLook};
use crate::web::components::field::{FormError, TextField};
use crate::web::components::page::{NarrowHeader, NarrowPage};
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// Signs in and redirects to `next`, a path on this server.
#[server(endpoint = "sign_in")]
pub async fn sign_in(email: String, password: String, #[server(default)] next: String) -> Result<(), Error> {
    use crate::base::actor::Actor;
    use crate::users::Email;
    use crate::web::guard;

    let services = crate::web::services::services()?;
    let address = guard::address().await;
    // What is no e-mail address is answered like a wrong password, without computing a password's hash.
    let email = Email::parse(&email).map_err(|_| Error::WrongCredentials)?;
    services.throttle.count(&email, address).await?;
    let Some(user) = services.users.verify(&email, password).await? else {
        // The throttle refuses further attempts before this line, so that nobody can fill the log.
        tracing::warn!(?address, "sign-in refused: wrong e-mail or password");
        return Err(Error::WrongCredentials);
    };
    services.throttle.forget(&email, address).await?;
    let actor = Actor { id: Some(user.clone()), name: email.as_str().to_owned(), address };
    services.users.note_sign_in(&actor, &user, &email).await?;
    guard::sign_in(&services, &user).await?;
    leptos_axum::redirect(guard::local_path(&next));
    Ok(())
}

/// Ends this session.
#[server(endpoint = "sign_out")]
pub async fn sign_out() -> Result<(), Error> {
    use crate::web::guard;
    guard::session().await?.flush().await.map_err(guard::failed)?;
    leptos_axum::redirect("/sign-in?notice=signed-out");
    Ok(())
}

/// Redirects where there is no need to sign in: no users yet, or signed in already.
#[server(endpoint = "get_welcome", input = Json)]
pub async fn get_welcome() -> Result<(), Error> {
    use crate::web::guard;
    let services = crate::web::services::services()?;
    if !services.users.any().await? {
        leptos_axum::redirect("/set-up");
    } else if guard::is_signed_in().await {
        leptos_axum::redirect("/");
    }
    Ok(())
}

/// The sign-in page.
#[component]
pub fn SignInPage() -> impl IntoView {
    let action = FormAction::of::<SignIn>();
    let refusal = action.refusal();
    let query = use_query_map();
    let next = move || query.with(|q| q.get("next")).unwrap_or_default();
    let welcome = load(|| GetWelcome {});
    let welcomed = move || async move {
        welcome.await?;
        Ok(().into_any())
    };
    view! {
        <Title text="Sign in" />
        <NarrowPage>
                <NarrowHeader heading="Sign in">"To the API keys of your workspaces."</NarrowHeader>
                {awaited(PageArea::Aside, welcomed)}
                <ActionForm action=action>
                    <input type="hidden" name="next" value=next />
                    <TextField name="email" label="E-mail" kind="email" autocomplete="username" autofocus=true refusal=refusal />
                    <TextField name="password" label="Password" kind="password" autocomplete="current-password" refusal=refusal />
                    <FormError refusal=refusal />
                    <Button look=ButtonLook::Primary wide=true pending=move || action.pending()>
                        {move || if action.pending() { "Signing in …" } else { "Sign in" }}
                    </Button>
                </ActionForm>
        </NarrowPage>
    }
}
