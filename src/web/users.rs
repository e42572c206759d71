//! The Users page and its dialogs.

/// Page that an invitation link leads to.
pub mod invitation;

use crate::base::error::Error;
use crate::base::secret::Revealed;
use crate::users::{Member, PendingInvitation, Role};
use crate::web::components::awaited::{PageArea, awaited};
use crate::web::components::badge::{Badge, Tone};
use crate::web::components::button::{ButtonLink, ButtonLook, IconButton, IconLink};
use crate::web::components::card::{Card, CardActions, CardList, CardTitle, Figure, Secondary};
use crate::web::components::clipboard;
use crate::web::components::dialog::{Dialog, DialogBody, DialogFooter, DialogKind};
use crate::web::components::draft::Draft;
use crate::web::components::field::{ChoiceInput, Field, Refusal, TextField};
use crate::web::components::form_dialog::{DialogForm, FormDialog};
use crate::web::components::icon::Icon;
use crate::web::components::page::PageHeader;
use crate::web::components::time::Moment;
use crate::web::components::toast::Toasts;
use crate::web::components::use_hydrated;
use crate::web::components::value_box::{ValueBox, ValueField};
use crate::web::frame::{Tabs, use_slug, use_visit};
use crate::web::transport::form::FormAction;
use crate::web::transport::load::{Loaded, load, load_live};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

/// Members of a workspace, and who is invited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkspaceUsers {
    pub members: Vec<Member>,
    pub invited: Vec<PendingInvitation>,
}

/// An invitation link; shown once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvitationLink {
    pub email: String,
    pub url: Revealed,
}

/// Members of the workspace, and who is invited.
#[server(endpoint = "list_users", input = Json)]
pub async fn list_users(workspace: String) -> Result<WorkspaceUsers, Error> {
    let member = crate::web::guard::member(&workspace).await?;
    let (services, workspace) = (member.services(), &member.workspace().id);
    let members = services.users.members(workspace).await?;
    Ok(WorkspaceUsers { members, invited: services.users.invited(workspace).await? })
}

/// Invites somebody. The link waits, sealed, in a database row for the page that shows it once.
#[server(endpoint = "invite_user")]
pub async fn invite_user(workspace: String, email: String, role: String) -> Result<(), Error> {
    use crate::web::{guard, shown_once};
    let admin = guard::admin(&workspace).await?;
    let email = crate::users::Email::parse(&email)?;
    let role = Role::parse(&role).ok_or(Error::BadRequest)?;
    let (services, workspace) = (admin.services(), admin.workspace());
    let token = services.users.invite(&workspace.id, &admin.actor(), &email, role).await?;
    let url = Revealed::new(&format!("{}/invitation/{}", guard::origin(services), token.expose()));
    let link = serde_json::to_string(&InvitationLink { email: email.as_str().to_owned(), url })
        .map_err(|_| Error::Internal)?;
    shown_once::put(&admin, "invitation", &link).await?;
    leptos_axum::redirect(&format!("/{}/users/invited", workspace.slug));
    Ok(())
}

/// The link of the invitation just made. Only the first call gets it.
#[server(endpoint = "take_invitation_link", input = Json)]
pub async fn take_invitation_link(workspace: String) -> Result<Option<InvitationLink>, Error> {
    use crate::web::{guard, shown_once};
    let admin = guard::admin(&workspace).await?;
    let link = shown_once::take(&admin, "invitation").await?;
    link.map(|link| serde_json::from_str(link.expose()).map_err(|_| Error::Internal)).transpose()
}

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
    let users = load_live(move || ListUsers { workspace: slug.get() });
    provide_context(users);
    let content = move || async move {
        let (visit, users) = (visit.await?, users.await?);
        Ok(view! { <Users users admin=visit.is_admin() slug=visit.workspace.slug /> }.into_any())
    };
    view! {
        <Title text="Users" />
        <Tabs current="users" />
        {awaited(PageArea::Page, content)}
        <Outlet />
    }
}

#[component]
fn Users(users: WorkspaceUsers, admin: bool, slug: String) -> impl IntoView {
    let slug = StoredValue::new(slug);
    let members = users.members.into_iter().map(move |member| view! { <MemberCard member slug admin /> });
    let invited = users.invited.into_iter().map(move |invited| view! { <InvitedCard invited slug admin /> });
    let new = admin.then(|| {
        let href = format!("/{}/users/new", slug.get_value());
        view! { <ButtonLink look=ButtonLook::Primary icon="plus" href noscroll=true>"User"</ButtonLink> }
    });
    view! {
        <PageHeader heading="Users">{new}</PageHeader>
        <CardList>{members.collect_view()}{invited.collect_view()}</CardList>
    }
}

#[component]
fn MemberCard(member: Member, slug: StoredValue<String>, admin: bool) -> impl IntoView {
    let email = member.email.as_str().to_owned();
    let base = format!("/{}/users/{}", slug.get_value(), member.id);
    let actions = admin.then(|| {
        view! {
            <IconLink href=format!("{base}/role") noscroll=true label=format!("Change role of {email}") tip="Change role"><Icon name="pencil" /></IconLink>
            <IconLink href=format!("{base}/remove") noscroll=true label=format!("Remove {email}") tip="Remove"><Icon name="trash" /></IconLink>
        }
    });
    let since = view! { "Since " <Moment at=member.created_at /> };
    user_card(email.clone(), since.into_any(), member.role, actions.into_any())
}

#[component]
fn InvitedCard(invited: PendingInvitation, slug: StoredValue<String>, admin: bool) -> impl IntoView {
    let email = invited.email.as_str().to_owned();
    let withdraw = admin.then(|| {
        let href = format!("/{}/users/{}/withdraw", slug.get_value(), invited.id);
        let label = format!("Withdraw the invitation of {email}");
        view! { <IconLink href noscroll=true label tip="Withdraw"><Icon name="trash" /></IconLink> }
    });
    let until = view! { <Badge tone=Tone::Neutral text="Invited" />" until " <Moment at=invited.expires_at /> };
    user_card(email.clone(), until.into_any(), invited.role, withdraw.into_any())
}

fn user_card(email: String, below: AnyView, role: Role, actions: AnyView) -> AnyView {
    view! {
        <Card columns="grid-cols-[minmax(0,1fr)_auto] md:grid-cols-[minmax(0,2fr)_1fr_76px]">
            <CardTitle heading=email.into_any()>
                <Secondary>{below}</Secondary>
            </CardTitle>
            <Figure icon="user" label="Role".into_any() class="col-span-full md:col-auto">
                <strong>{role.label()}</strong>
            </Figure>
            <CardActions class="col-[2] row-[1] md:col-auto md:row-auto">{actions}</CardActions>
        </Card>
    }
    .into_any()
}

#[component]
fn RoleField(chosen: Role, refusal: Refusal) -> impl IntoView {
    let chosen = Draft::current().value("role", chosen.id());
    let radio = move |role: Role| {
        let checked = chosen == role.id();
        view! { <ChoiceInput kind="radio" name="role" value=role.id() label=role.label() hint=role.means() strong=true checked /> }
    };
    view! {
        <Field id="role" label="Role" group=true refusal>
            {Role::ALL.into_iter().map(radio).collect_view()}
        </Field>
    }
}

/// Dialog that invites somebody.
#[component]
pub fn InviteDialog() -> impl IntoView {
    let slug = use_slug().get_untracked();
    let action = FormAction::of::<InviteUser>();
    let refusal = action.refusal();
    let close_href = format!("/{slug}/users");
    let form = move || {
        let fields = view! {
            <TextField name="email" label="User e-mail" kind="email" autocomplete="off" autofocus=true hint="You get a link to send to them. It works once, for 7 days." refusal />
            <RoleField chosen=Role::Viewer refusal />
        };
        let form = DialogForm::new(action, vec![("workspace", slug.clone())], fields.into_any(), "Add");
        async move { Ok(form) }
    };
    view! { <FormDialog title="Add user" close_href kind=DialogKind::Sheet form /> }
}

/// Dialog with the link of a new invitation, once.
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
        <Dialog title="Invitation link" close_href=back.clone() kind=DialogKind::Sheet>
            <DialogBody>{awaited(PageArea::Section, content)}</DialogBody>
            <DialogFooter>
                <ButtonLink look=ButtonLook::Primary href=back noscroll=true>"Done"</ButtonLink>
            </DialogFooter>
        </Dialog>
    }
}

#[component]
fn LinkToCopy(link: InvitationLink) -> impl IntoView {
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
        <ValueBox>
            <ValueField value=link.url.expose().to_owned() label="Invitation link" />
            {move || hydrated.get().then(|| view! {
                <IconButton label="Copy link" tip="Copy" sunken=true on_click=copy><Icon name="copy" /></IconButton>
            })}
        </ValueBox>
    }
}

/// Dialog that changes a member's role.
#[component]
pub fn ChangeRoleDialog() -> impl IntoView {
    let action = FormAction::of::<ChangeRole>();
    let form = move |member: Member, hidden| {
        let fields = view! {
            <p><strong>{member.email.as_str().to_owned()}</strong></p>
            <RoleField chosen=member.role refusal=action.refusal() />
        };
        DialogForm::new(action, hidden, fields.into_any(), "Save")
    };
    member_dialog("Change role", DialogKind::Sheet, form)
}

/// Dialog that asks before a membership ends.
#[component]
pub fn RemoveUserDialog() -> impl IntoView {
    let action = FormAction::of::<RemoveUser>();
    let form = move |member: Member, hidden| {
        let fields = view! {
            <p>
                <strong>{member.email.as_str().to_owned()}</strong>
                " loses access to this workspace at once. The keys that they created keep working."
            </p>
        };
        DialogForm::new(action, hidden, fields.into_any(), "Remove user").danger().cancel("Keep user")
    };
    member_dialog("Remove user?", DialogKind::Question, form)
}

/// Dialog about the member in the address. `form` gets the hidden fields that name workspace and member.
fn member_dialog(
    title: &'static str,
    kind: DialogKind,
    form: impl Fn(Member, Vec<(&'static str, String)>) -> DialogForm + Copy + Send + Sync + 'static,
) -> AnyView {
    let params = use_params_map();
    let users = expect_context::<Loaded<WorkspaceUsers>>();
    let slug = use_slug().get_untracked();
    let close_href = format!("/{slug}/users");
    let content = move || {
        let slug = slug.clone();
        async move {
            let id = params.with_untracked(|p| p.get("user")).unwrap_or_default();
            let member = users.await?.members.into_iter().find(|m| m.id.as_str() == id).ok_or(Error::NotFound)?;
            Ok(form(member, vec![("workspace", slug), ("user", id)]))
        }
    };
    view! { <FormDialog title close_href kind form=content /> }.into_any()
}

/// Dialog that asks before an invitation ends.
#[component]
pub fn WithdrawDialog() -> impl IntoView {
    let action = FormAction::of::<WithdrawInvitation>();
    let slug = use_slug().get_untracked();
    let id = use_params_map().with_untracked(|p| p.get("invitation")).unwrap_or_default();
    let close_href = format!("/{slug}/users");
    let form = move || {
        let hidden = vec![("workspace", slug.clone()), ("invitation", id.clone())];
        let fields = view! { <p>"The invitation link stops working at once."</p> };
        let form = DialogForm::new(action, hidden, fields.into_any(), "Withdraw").danger().cancel("Keep invitation");
        async move { Ok(form) }
    };
    view! { <FormDialog title="Withdraw invitation?" close_href kind=DialogKind::Question form /> }
}
