//! The first page of a server without users: its first workspace and admin.

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

/// Creates the first workspace and its admin, for whoever has the token that the server printed.
#[server(endpoint = "set_up")]
pub async fn set_up(token: String, workspace: String, email: String, password: String) -> Result<(), Error> {
    use crate::base::actor::Actor;
    use crate::base::error::Problem;

    use crate::users::Email;
    use crate::users::password::Password;
    use crate::web::guard;
    use subtle::ConstantTimeEq;

    let services = crate::web::services::services()?;
    if services.users.any().await? {
        return Err(Error::NotFound);
    }
    let address = guard::address().await;
    let email = Email::parse(&email)?;
    services.throttle.count(&email, address).await?;
    if !bool::from(token.trim().as_bytes().ct_eq(services.sealing.set_up_token().as_bytes())) {
        return Err(Problem::TokenWrong.into());
    }
    let password = Password::parse(password)?;
    let actor = Actor { id: None, name: "set-up page".to_owned(), address };
    let (user, workspace) = services.users.set_up(&actor, &workspace, &email, password).await?;
    guard::sign_in(&services, &user).await?;
    leptos_axum::redirect(&format!("/{}/agents?notice=set-up", workspace.slug));
    Ok(())
}

/// Redirects to sign-in where there are users already.
#[server(endpoint = "get_set_up", input = Json)]
pub async fn get_set_up() -> Result<(), Error> {
    let services = crate::web::services::services()?;
    if services.users.any().await? {
        leptos_axum::redirect("/sign-in");
    }
    Ok(())
}

/// The set-up page.
#[component]
pub fn SetUpPage() -> impl IntoView {
    let action = FormAction::of::<SetUp>();
    let refusal = action.refusal();
    let needed = load(|| GetSetUp {});
    let asked = move || async move {
        needed.await?;
        Ok(().into_any())
    };
    view! {
        <Title text="Set up" />
        <NarrowPage>
                <NarrowHeader heading="Set up Agent Studio">
                    "Make the first workspace and become its admin. The server printed the set-up token when it started."
                </NarrowHeader>
                {awaited(PageArea::Aside, asked)}
                <ActionForm action=action>
                    <TextField name="token" label="Set-up token" autocomplete="off" autofocus=true refusal=refusal />
                    <TextField name="workspace" label="Workspace name" autocomplete="organization" refusal=refusal />
                    <TextField name="email" label="Your e-mail" kind="email" autocomplete="username" refusal=refusal />
                    <TextField name="password" label="Password" kind="password" autocomplete="new-password" hint="At least 12 characters." refusal=refusal />
                    <FormError refusal=refusal />
                    <Button look=ButtonLook::Primary wide=true pending=move || action.pending()>"Set up"</Button>
                </ActionForm>
        </NarrowPage>
    }
}
