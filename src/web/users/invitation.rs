//! The page where an invitation link leads: join with a new account, or with the one that there is.

use crate::base::error::Error;
use crate::users::Role;
use crate::web::components::field::{FormError, TextField};
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::{PageArea, awaited, load};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

/// An invitation, for who has its link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    pub workspace: String,
    pub email: String,
    pub role: Role,
    /// Whether this person has an account already.
    pub has_account: bool,
}

/// The invitation behind a link.
#[server(endpoint = "get_invitation", input = Json)]
pub async fn get_invitation(token: String) -> Result<Offer, Error> {
    let services = crate::web::services::services()?;
    let invitation = services.users.invitation(&token).await?;
    let account = services.users.find(&invitation.email).await?;
    Ok(Offer {
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
    let offer = load(move || GetInvitation { token: token() });
    let content = move || async move {
        let offer = offer.await?;
        Ok(view! { <Join offer token=untrack(token) /> }.into_any())
    };
    view! {
        <Title text="Invitation" />
        <main class="door">
            <div class="door-card">
                {awaited(PageArea::Page, content)}
            </div>
        </main>
    }
}

#[component]
fn Join(offer: Offer, token: String) -> impl IntoView {
    let action = FormAction::of::<AcceptInvitation>();
    let refusal = action.refusal();
    let password = match offer.has_account {
        true => view! { <TextField name="password" label="Your password" kind="password" autocomplete="current-password" hint="You have an account on this server already." autofocus=true refusal=refusal /> }.into_any(),
        false => view! { <TextField name="password" label="Choose a password" kind="password" autocomplete="new-password" hint="At least 12 characters." autofocus=true refusal=refusal /> }.into_any(),
    };
    view! {
        <h1 tabindex="-1">"Join " {offer.workspace}</h1>
        <p class="hint">"You are invited as " <strong>{offer.role.label()}</strong> ". " {offer.role.means()}</p>
        <ActionForm action=action>
            <input type="hidden" name="token" value=token />
            <div class="field">
                <label for="email">"E-mail"</label>
                <input id="email" type="email" name="username" autocomplete="username" value=offer.email readonly=true />
            </div>
            {password}
            <FormError refusal=refusal />
            <button class="button primary wide" type="submit" disabled=move || action.pending()>"Join"</button>
        </ActionForm>
    }
}
