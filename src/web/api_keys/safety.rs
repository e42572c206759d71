//! The page that says what may be unsafe about keys, and why it matters. Rendered on the server.

use crate::agents::AgentName;
use crate::api_keys::review::{Concern, Review, ReviewedKey, UNUSED_DAYS};
use crate::base::error::Error;
use crate::base::time::Timestamp;
use crate::http::parameters::Parameters;
use crate::web::api_keys::bulk::ChangeApiKeys;
use crate::web::api_keys::select::done;
use crate::web::components::button::{BUTTON_ROW, Button, ButtonLook};
use crate::web::components::field::ChoiceInput;
use crate::web::components::page::{BackLink, Empty, PageHeader, Section, TEXT_LINK};
use crate::web::components::table::render;
use crate::web::guard::SignedInMember;
use crate::web::transport::fragment::Html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn as _;

/// Keys of a concern that the page shows.
const SHOWN: i64 = 20;
/// Keys of the one concern that the address names.
const SHOWN_OF_ONE: i64 = 1_000;

/// Renders the page.
pub async fn page(admin: &SignedInMember, asked: &Parameters) -> Result<Html, Error> {
    let (services, workspace) = (admin.services(), admin.workspace());
    let one = Concern::ALL.into_iter().find(|concern| concern.id() == asked.first("concern"));
    let (concerns, limit) = match one {
        Some(concern) => (vec![concern], SHOWN_OF_ONE),
        None => (Concern::ALL.to_vec(), SHOWN),
    };
    let mut reviews = Vec::new();
    for concern in concerns {
        let review = services.api_keys.review(&workspace.id, concern, limit).await?;
        if review.total > 0 {
            reviews.push(review);
        }
    }
    let done = done(admin, asked.first("done")).await?;
    let list = format!("/{}/api-keys", workspace.slug);
    let here = format!("/{}/safety", workspace.slug);
    let back = match one {
        None => view! { <BackLink href=list.clone() text="API keys" /> },
        Some(_) => view! { <BackLink href=here.clone() text="Safety" /> },
    };
    let can_be_undone = workspace.undo_days > 0;
    let agents = match reviews.iter().any(|review| review.concern == Concern::OneAgent) {
        true => services.agents.names(&workspace.id).await?,
        false => Vec::new(),
    };
    let (slug, now) = (workspace.slug.clone(), services.now());
    let section = move |review| {
        view! { <Concerned review agents=agents.clone() list=list.clone() here=here.clone() slug=slug.clone() can_be_undone now /> }
    };
    let nothing = match one {
        None => "No key of this workspace has a problem that this page knows of.",
        Some(_) => "No key has this problem.",
    };
    let sections = match reviews.is_empty() {
        true => view! { <Empty icon="check" heading="Nothing to do"><p>{nothing}</p></Empty> }.into_any(),
        false => reviews.into_iter().map(section).collect_view().into_any(),
    };
    let below = view! {
        <p class="text-sm text-faint">"What may be unsafe about this workspace's keys, and what to do about it. The list gets shorter as you do."</p>
    };
    Ok(render(view! {
        {back}
        <PageHeader heading="Safety" below=below.into_any() />
        {done}
        {sections}
    }))
}

/// The keys that one concern is about. Several of them can be paused or deleted at once.
#[component]
fn Concerned(
    review: Review,
    agents: Vec<AgentName>,
    list: String,
    here: String,
    slug: String,
    can_be_undone: bool,
    now: Timestamp,
) -> impl IntoView {
    let Review { concern, total, keys } = review;
    let shown = keys.len() as u64;
    let all = format!("{here}?concern={}", concern.id());
    let more = (total > shown).then(|| view! { <p><a class=TEXT_LINK href=all>{format!("Show all {total}")}</a></p> });
    let row = move |key| view! { <li><ReviewedRow key concern agents=agents.clone() list=list.clone() now /></li> };
    let narrows = (concern == Concern::UnusedPermissions).then(|| {
        view! { <div class=BUTTON_ROW><Button action="remove-unused">"Take away from chosen"</Button></div> }
    });
    let actions = retires(concern).then(|| {
        let delete =
            can_be_undone.then(|| view! { <Button look=ButtonLook::Danger action="delete">"Delete chosen"</Button> });
        view! {
            <div class=BUTTON_ROW>
                <Button action="pause">"Pause chosen"</Button>
                {delete}
            </div>
        }
    });
    view! {
        <Section>
            <h2>{format!("{}: {total}", concern.label())}</h2>
            <p class="text-soft">{concern.why()}</p>
            <form method="post" action=ChangeApiKeys::url() class="flex flex-col gap-4">
                <input type="hidden" name="workspace" value=slug />
                <input type="hidden" name="back" value="safety" />
                <ul class="flex flex-col divide-y divide-hairline">{keys.into_iter().map(row).collect_view()}</ul>
                {more}
                {actions}
                {narrows}
            </form>
        </Section>
    }
}

/// Whether keys of a concern are likely to be retired, several at once.
fn retires(concern: Concern) -> bool {
    matches!(concern, Concern::NeverUsed | Concern::Idle | Concern::OftenRefused | Concern::OwnerGone)
}

#[component]
fn ReviewedRow(
    key: ReviewedKey,
    concern: Concern,
    agents: Vec<AgentName>,
    list: String,
    now: Timestamp,
) -> impl IntoView {
    let (path, action) = match concern {
        Concern::NeverUsed | Concern::Idle => ("/delete", "Delete"),
        Concern::ExpiresSoon | Concern::OldValue | Concern::BeyondPolicy => ("/rotate", "Rotate"),
        Concern::UnusedPermissions => ("/edit", "Edit"),
        Concern::OftenRefused | Concern::OneAgent => ("", "Look"),
        Concern::OwnerGone | Concern::NoOwner | Concern::NoNetwork => ("/settings", "Settings"),
    };
    let name = key.name.as_str().to_owned();
    let page = format!("{list}/{}", key.id);
    let used = match key.last_used_at.0 {
        0 => "never used".to_owned(),
        _ => format!("last used {}", key.last_used_at.ago(now)),
    };
    let owner = if key.owner.is_empty() { String::new() } else { format!(", owner {}", key.owner) };
    let more = match concern {
        Concern::UnusedPermissions => {
            let unused =
                key.unused_permissions(now.plus_days(-UNUSED_DAYS)).into_iter().map(|(permission, at)| match at.0 {
                    0 => format!("remove {}: never used", permission.label()),
                    _ => format!("remove {}: not used since {}", permission.label(), at.short_utc()),
                });
            format!(", {}", unused.collect::<Vec<_>>().join(", "))
        }
        Concern::OneAgent => {
            let agent = agents.iter().find(|agent| agent.id.as_str() == key.agent_called);
            format!(", calls only {}", agent.map_or("an agent that is gone", |agent| &agent.name))
        }
        _ => String::new(),
    };
    let facts = format!("{used}, expires {}{owner}{more}", key.expires_at.short_utc());
    let chosen = match retires(concern) || concern == Concern::UnusedPermissions {
        true => view! { <ChoiceInput kind="checkbox" name="keys[]" value=key.id.to_string() label=name.clone() /> }
            .into_any(),
        false => view! { <span class="wrap-anywhere">{name.clone()}</span> }.into_any(),
    };
    view! {
        <div class="flex flex-wrap items-center justify-between gap-x-6 gap-y-1 py-2">
            <div class="min-w-0 flex-1 basis-60">{chosen}<p class="text-[13px] text-faint">{facts}</p></div>
            <a class=TEXT_LINK href=format!("{page}{path}")>{action} <span class="sr-only">" " {name}</span></a>
        </div>
    }
}
