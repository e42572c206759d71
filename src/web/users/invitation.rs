//! Page that an invitation link leads to: join with a new account, or with an existing one.

use crate::base::error::Error;
use crate::users::Role;
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::button::{Button, ButtonLook};
use crate::web::components::field::{CONTROL, Field, FormError, TextField};
use crate::web::components::page::{NarrowHeader, NarrowPage};
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::load;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

/// An invitation, for whoever has its link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvitationView {
    pub workspace: String,
    pub email: String,
    pub role: Role,
    /// The invited person has an account already.
    pub has_account: bool,
}

/// The invitation behind a link.
#[server(endpoint = "get_invitation", input = Json)]
pub async fn get_invitation(token: String) -> Result<InvitationView, Error> {
    let services = crate::web::services::services()?;
    let invitation = services.users.invitation(&token).await?;
    let account = services.users.find(&invitation.email).await?;
    Ok(InvitationView {
        workspace: invitation.name,
        email: invitation.email.as_str().to_owned(),
        role: invitation.role,
        has_account: account.is_some(),
    })
}

/// Joins the workspace and signs in.
#[server(endpoint = "accept_invitation")]
pub async fn accept_invitation(token: String, password: String) -> Result<(), Error> {
    use crate::base::actor::Actor;

    use crate::web::guard;
    let services = crate::web::services::services()?;
    let address = guard::address().await;
    let invitation = services.users.invitation(&token).await?;
    services.throttle.count(&invitation.email, address).await?;
    let actor = Actor { id: None, name: invitation.email.as_str().to_owned(), address };
    let (user, invitation) = services.users.accept(&actor, &token, password).await?;
    services.throttle.forget(&invitation.email, address).await?;
    guard::sign_in(&services, &user).await?;
    leptos_axum::redirect(&format!("/{}/api-keys?notice=welcome", invitation.slug));
    Ok(())
}

/// Page where an invitation is accepted.
#[component]
pub fn InvitationPage() -> impl IntoView {
    let params = use_params_map();
    let token = move || params.with(|p| p.get("token")).unwrap_or_default();
    let invitation = load(move || GetInvitation { token: token() });
    let content = move || async move {
        let invitation = invitation.await?;
        Ok(view! { <Join invitation token=untrack(token) /> }.into_any())
    };
    view! {
        <Title text="Invitation" />
        <NarrowPage>{awaited(PageArea::Page, content)}</NarrowPage>
    }
}

#[component]
fn Join(invitation: InvitationView, token: String) -> impl IntoView {
    let action = FormAction::of::<AcceptInvitation>();
    let refusal = action.refusal();
    let password = match invitation.has_account {
        true => view! { <TextField name="password" label="Your password" kind="password" autocomplete="current-password" hint="You have an account on this server already." autofocus=true refusal=refusal /> }.into_any(),
        false => view! { <TextField name="password" label="Choose a password" kind="password" autocomplete="new-password" hint="At least 12 characters." autofocus=true refusal=refusal /> }.into_any(),
    };
    view! {
        <NarrowHeader heading=format!("Join {}", invitation.workspace)>
            "You are invited as " <strong>{invitation.role.label()}</strong> ". " {invitation.role.means()}
        </NarrowHeader>
        <ActionForm action=action>
            <input type="hidden" name="token" value=token />
            <Field id="email" label="E-mail">
                <input
                    id="email"
                    class=format!("{CONTROL} read-only:bg-sunken")
                    type="email"
                    name="username"
                    autocomplete="username"
                    value=invitation.email
                    readonly=true
                />
            </Field>
            {password}
            <FormError refusal=refusal />
            <Button look=ButtonLook::Primary wide=true pending=move || action.pending()>"Join"</Button>
        </ActionForm>
    }
}
