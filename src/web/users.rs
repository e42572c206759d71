//! The Users page and its forms.

/// The page where an invitation link leads.
pub mod invitation;

use crate::base::error::Error;
use crate::base::secret::Revealed;
use crate::users::{Member, PendingInvitation, Role};
use crate::web::components::clipboard;
use crate::web::components::dialog::{Dialog, DialogKind};
use crate::web::components::field::{Draft, FieldError, FormError, TextField};
use crate::web::components::icon::Icon;
use crate::web::components::time::Moment;
use crate::web::components::toast::Toasts;
use crate::web::components::use_hydrated;
use crate::web::frame::{Tabs, use_slug, use_visit};
use crate::web::transport::form::{ActionForm, FormAction};
use crate::web::transport::load::{Loaded, PageArea, awaited, load, load_live};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

/// The people of a workspace, and those invited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct People {
    pub members: Vec<Member>,
    pub invited: Vec<PendingInvitation>,
}

/// An invitation link, to be handed over; shown once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub email: String,
    pub url: Revealed,
}

/// The people of the workspace.
#[server(endpoint = "list_users", input = Json)]
pub async fn list_users(workspace: String) -> Result<People, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    let (services, workspace) = (member.services(), &member.workspace().id);
    let members = services.users.members(workspace).await?;
    Ok(People { members, invited: services.users.invited(workspace).await? })
}

/// Invites somebody. The link waits in the session for the page that shows it.
#[server(endpoint = "invite_user")]
pub async fn invite_user(workspace: String, email: String, role: String) -> Result<(), Error> {
    use crate::web::{guard, shown_once};
    let admin = guard::admin(&workspace).await?;
    let email = crate::users::Email::parse(&email)?;
    let role = Role::parse(&role).ok_or(Error::BadRequest)?;
    let (services, workspace) = (admin.services(), admin.workspace());
    let token = services.users.invite(&workspace.id, &admin.actor(), &email, role).await?;
    let url = Revealed::new(&format!("{}/invitation/{}", guard::origin(services), token.expose()));
    let link = serde_json::to_string(&Link { email: email.as_str().to_owned(), url }).map_err(|_| Error::Internal)?;
    shown_once::put(&admin, "invitation", &link).await?;
    leptos_axum::redirect(&format!("/{}/users/invited", workspace.slug));
    Ok(())
}

/// The link just made, once.
#[server(endpoint = "take_invitation_link", input = Json)]
pub async fn take_invitation_link(workspace: String) -> Result<Option<Link>, Error> {
    use crate::web::{guard, shown_once};
    let admin = guard::admin(&workspace).await?;
    let link = shown_once::take(&admin, "invitation").await?;
    link.map(|link| serde_json::from_str(link.expose()).map_err(|_| Error::Internal)).transpose()
}

/// Gives a member another role.
#[server(endpoint = "change_role")]
pub async fn change_role(workspace: String, user: String, role: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    let user = crate::base::id::UserId::parse(&user).ok_or(Error::NotFound)?;
    let role = Role::parse(&role).ok_or(Error::BadRequest)?;
    admin.services().users.set_role(&admin.workspace().id, &admin.actor(), &user, role).await?;
    leptos_axum::redirect(&format!("/{}/users?notice=user-changed", admin.workspace().slug));
    Ok(())
}

/// Ends a membership.
#[server(endpoint = "remove_user")]
pub async fn remove_user(workspace: String, user: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    let user = crate::base::id::UserId::parse(&user).ok_or(Error::NotFound)?;
    admin.services().users.remove(&admin.workspace().id, &admin.actor(), &user).await?;
    let own = user == admin.visitor.user;
    let to = if own { "/".to_owned() } else { format!("/{}/users?notice=user-removed", admin.workspace().slug) };
    leptos_axum::redirect(&to);
    Ok(())
}

/// Ends an invitation before it is used.
#[server(endpoint = "withdraw_invitation")]
pub async fn withdraw_invitation(workspace: String, invitation: String) -> Result<(), Error> {
    let admin = crate::web::guard::admin(&workspace).await?;
    let invitation = crate::base::id::InvitationId::parse(&invitation).ok_or(Error::NotFound)?;
    admin.services().users.withdraw(&admin.workspace().id, &admin.actor(), &invitation).await?;
    leptos_axum::redirect(&format!("/{}/users?notice=invitation-withdrawn", admin.workspace().slug));
    Ok(())
}

/// Page with members and invitations.
#[component]
pub fn UsersPage() -> impl IntoView {
    let (slug, visit) = (use_slug(), use_visit());
    let people = load_live(move || ListUsers { workspace: slug.get() });
    provide_context(people);
    let content = move || async move {
        let (visit, people) = (visit.await?, people.await?);
        Ok(view! { <Users people admin=visit.is_admin() slug=visit.workspace.slug /> }.into_any())
    };
    view! {
        <Title text="Users" />
        <Tabs current="users" />
        {awaited(PageArea::Page, content)}
        <Outlet />
    }
}

#[component]
fn Users(people: People, admin: bool, slug: String) -> impl IntoView {
    let slug = StoredValue::new(slug);
    let members = people.members.into_iter().map(|member| view! { <MemberCard member slug admin /> });
    let invited = people.invited.into_iter().map(|invited| view! { <InvitedCard invited slug admin /> });
    let new = admin.then(|| view! {
        <a class="button primary" href=format!("/{}/users/new", slug.get_value()) data-noscroll="true"><Icon name="plus" />"User"</a>
    });
    view! {
        <div class="page-header">
            <h1 tabindex="-1">"Users"</h1>
            {new}
        </div>
        <ul class="cards">{members.collect_view()}{invited.collect_view()}</ul>
    }
}

#[component]
fn MemberCard(member: Member, slug: StoredValue<String>, admin: bool) -> impl IntoView {
    let email = member.email.as_str().to_owned();
    let place = format!("/{}/users/{}", slug.get_value(), member.id);
    let actions = admin.then(|| view! {
        <a class="icon-button" href=format!("{place}/role") aria-label=format!("Change role of {email}") data-noscroll="true"><Icon name="pencil" /></a>
        <a class="icon-button" href=format!("{place}/remove") aria-label=format!("Remove {email}") data-noscroll="true"><Icon name="trash" /></a>
    });
    view! {
        <li class="card user-card">
            <div class="card-title">
                <h2>{email.clone()}</h2>
                <p class="secondary">"Since " <Moment at=member.created_at /></p>
            </div>
            <div class="figure">
                <span class="figure-icon"><Icon name="user" /></span>
                <p><span class="figure-label">"Role"</span><strong>{member.role.label()}</strong></p>
            </div>
            <div class="card-actions">{actions}</div>
        </li>
    }
}

#[component]
fn InvitedCard(invited: PendingInvitation, slug: StoredValue<String>, admin: bool) -> impl IntoView {
    let email = invited.email.as_str().to_owned();
    let withdraw = admin.then(|| view! {
        <a class="icon-button" href=format!("/{}/users/{}/withdraw", slug.get_value(), invited.id) aria-label=format!("Withdraw the invitation of {email}") data-noscroll="true"><Icon name="trash" /></a>
    });
    view! {
        <li class="card user-card">
            <div class="card-title">
                <h2>{email.clone()}</h2>
                <p class="secondary"><span class="badge">"PendingInvitation"</span>" until " <Moment at=invited.expires_at /></p>
            </div>
            <div class="figure">
                <span class="figure-icon"><Icon name="user" /></span>
                <p><span class="figure-label">"Role"</span><strong>{invited.role.label()}</strong></p>
            </div>
            <div class="card-actions">{withdraw}</div>
        </li>
    }
}

/// The roles to choose from.
#[component]
fn RoleField(chosen: Role) -> impl IntoView {
    let chosen = Draft::current().value("role", chosen.id());
    let radio = move |role: Role| {
        view! {
            <label class="choice">
                <input type="radio" name="role" value=role.id() checked=chosen == role.id() />
                <span><strong>{role.label()}</strong><span class="hint">{role.means()}</span></span>
            </label>
        }
    };
    view! { <fieldset class="field"><legend>"Role"</legend>{Role::ALL.into_iter().map(radio).collect_view()}</fieldset> }
}

/// The sheet for an invitation.
#[component]
pub fn InviteDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let action = FormAction::of::<InviteUser>();
    let refusal = action.refusal();
    let back = format!("/{slug}/users");
    view! {
        <Title text="Add user" />
        <Dialog title="Add user" close_href=back.clone() kind=DialogKind::Sheet>
            <ActionForm action=action>
                <div class="dialog-body">
                    <input type="hidden" name="workspace" value=slug />
                    <TextField name="email" label="User e-mail" kind="email" autocomplete="off" autofocus=true hint="You get a link to send to them. It works once, for 7 days." refusal=refusal />
                    <RoleField chosen=Role::Viewer />
                    <FormError refusal=refusal />
                </div>
                <footer class="dialog-footer">
                    <a class="button" href=back data-noscroll="true">"Cancel"</a>
                    <button class="button primary" type="submit" disabled=move || action.pending()>"Add"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}

/// The link of the invitation just made.
#[component]
pub fn InvitedDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let back = format!("/{slug}/users");
    let link = load(move || TakeInvitationLink { workspace: slug.clone() });
    let content = move || async move {
        Ok(match link.await? {
            Some(link) => view! { <LinkToCopy link /> }.into_any(),
            None => {
                view! { <p>"The link was shown once. Add the user again for a new one; the old one then ends."</p> }
                    .into_any()
            }
        })
    };
    view! {
        <Title text="Invitation" />
        <Dialog title="Invitation link" close_href=back.clone() kind=DialogKind::Sheet>
            <div class="dialog-body">
                {awaited(PageArea::Section, content)}
            </div>
            <footer class="dialog-footer">
                <a class="button primary" href=back data-noscroll="true">"Done"</a>
            </footer>
        </Dialog>
    }
}

#[component]
fn LinkToCopy(link: Link) -> impl IntoView {
    let hydrated = use_hydrated();
    let toasts = Toasts::current();
    let url = StoredValue::new(link.url.expose().to_owned());
    let copy = move |_| {
        let url = url.get_value();
        spawn_local(async move {
            let copied = clipboard::write(std::future::ready(Some(url))).await;
            toasts.say(if copied {
                "Link copied."
            } else {
                "The browser did not allow copying. Select the link and copy it."
            });
        });
    };
    view! {
        <p>"Send this link to " <strong>{link.email}</strong> ". It works once, for 7 days, and is not shown again."</p>
        <div class="secret">
            <input class="secret-value" readonly=true value=link.url.expose().to_owned() aria-label="Invitation link" />
            {move || hydrated.get().then(|| view! {
                <button type="button" class="icon-button" aria-label="Copy link" on:click=copy><Icon name="copy" /></button>
            })}
        </div>
    }
}

/// The sheet for another role.
#[component]
pub fn ChangeRoleDialog() -> impl IntoView {
    let action = FormAction::of::<ChangeRole>();
    let refusal = action.refusal();
    let slug = StoredValue::new(use_slug().get_untracked());
    let form = move |member: Member| {
        let slug = slug.get_value();
        view! {
            <ActionForm action=action>
                <div class="dialog-body">
                    <p><strong>{member.email.as_str().to_owned()}</strong></p>
                    <input type="hidden" name="workspace" value=slug.clone() />
                    <input type="hidden" name="user" value=member.id.to_string() />
                    <RoleField chosen=member.role />
                    <FieldError field="role" refusal=refusal />
                    <FormError refusal=refusal />
                </div>
                <footer class="dialog-footer">
                    <a class="button" href=format!("/{slug}/users") data-noscroll="true">"Cancel"</a>
                    <button class="button primary" type="submit" disabled=move || action.pending()>"Save"</button>
                </footer>
            </ActionForm>
        }
        .into_any()
    };
    view! { <OfMember title="Change role" kind=DialogKind::Sheet form /> }
}

/// The question before a membership ends.
#[component]
pub fn RemoveUserDialog() -> impl IntoView {
    let action = FormAction::of::<RemoveUser>();
    let refusal = action.refusal();
    let slug = StoredValue::new(use_slug().get_untracked());
    let form = move |member: Member| {
        let slug = slug.get_value();
        view! {
            <ActionForm action=action>
                <div class="dialog-body">
                    <p>
                        <strong>{member.email.as_str().to_owned()}</strong>
                        " loses access to this workspace at once. The keys that they created keep working."
                    </p>
                    <input type="hidden" name="workspace" value=slug.clone() />
                    <input type="hidden" name="user" value=member.id.to_string() />
                    <FormError refusal=refusal />
                </div>
                <footer class="dialog-footer">
                    <a class="button" href=format!("/{slug}/users") autofocus=true data-noscroll="true">"Keep user"</a>
                    <button class="button danger" type="submit" disabled=move || action.pending()>"Remove user"</button>
                </footer>
            </ActionForm>
        }
        .into_any()
    };
    view! { <OfMember title="Remove user?" kind=DialogKind::Question form /> }
}

/// A dialog about the member in the address.
#[component]
fn OfMember(
    title: &'static str,
    kind: DialogKind,
    form: impl Fn(Member) -> AnyView + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let params = use_params_map();
    let people = expect_context::<Loaded<People>>();
    let back = format!("/{}/users", use_slug().get_untracked());
    let content = move || async move {
        let id = params.with_untracked(|p| p.get("user")).unwrap_or_default();
        people.await?.members.into_iter().find(|m| m.id.as_str() == id).map(form).ok_or(Error::NotFound)
    };
    view! {
        <Title text=title />
        <Dialog title=title close_href=back kind=kind>
            {awaited(PageArea::Dialog, content)}
        </Dialog>
    }
}

/// The question before an invitation ends.
#[component]
pub fn WithdrawDialog() -> impl IntoView {
    let params = use_params_map();
    let action = FormAction::of::<WithdrawInvitation>();
    let refusal = action.refusal();
    let slug = use_slug().get_untracked();
    let back = format!("/{slug}/users");
    let id = params.with_untracked(|p| p.get("invitation")).unwrap_or_default();
    view! {
        <Title text="Withdraw invitation" />
        <Dialog title="Withdraw invitation?" close_href=back.clone() kind=DialogKind::Question>
            <ActionForm action=action>
                <div class="dialog-body">
                    <p>"The invitation link stops working at once."</p>
                    <input type="hidden" name="workspace" value=slug />
                    <input type="hidden" name="invitation" value=id />
                    <FormError refusal=refusal />
                </div>
                <footer class="dialog-footer">
                    <a class="button" href=back autofocus=true data-noscroll="true">"Keep invitation"</a>
                    <button class="button danger" type="submit" disabled=move || action.pending()>"Withdraw"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}
