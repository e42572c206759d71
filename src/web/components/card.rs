//! Cards in a list: a title, figures and actions in one row, which wraps on small screens.

use crate::web::components::icon::Icon;
use leptos::prelude::*;

/// List of cards.
#[component]
pub fn CardList(children: Children) -> impl IntoView {
    view! { <ul class="flex flex-col gap-2">{children()}</ul> }
}

/// One card, a grid.
#[component]
pub fn Card(
    /// The grid's columns.
    columns: &'static str,
    #[prop(optional, into)] hidden: Option<Signal<bool>>,
    children: Children,
) -> impl IntoView {
    let class = format!("grid min-h-20 items-center gap-x-6 gap-y-4 rounded-xl bg-surface p-4 md:px-8 {columns}");
    view! { <li class=class hidden=move || hidden.is_some_and(|hidden| hidden.get())>{children()}</li> }
}

/// What a card is about, with lines of secondary text below.
#[component]
pub fn CardTitle(
    heading: AnyView,
    /// Place in the grid.
    #[prop(optional)]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <div class=format!("min-w-0 {class}")>
            <h2 class="line-clamp-2">{heading}</h2>
            {children()}
        </div>
    }
}

/// Line of secondary text.
#[component]
pub fn Secondary(children: Children) -> impl IntoView {
    view! { <p class="text-sm text-faint">{children()}</p> }
}

/// A value with an icon and a label above it.
#[component]
pub fn Figure(
    icon: &'static str,
    label: AnyView,
    /// Place in the grid.
    #[prop(optional)]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <div class=format!("flex min-w-0 items-center gap-3 {class}")>
            <span class="flex size-7 shrink-0 items-center justify-center rounded-full bg-sunken text-soft">
                <Icon name=icon class="size-4" />
            </span>
            <p class="flex min-w-0 flex-col leading-snug *:last:font-semibold">
                <span class="text-[13px] text-faint">{label}</span>
                {children()}
            </p>
        </div>
    }
}

/// Icon buttons at the end of a card.
#[component]
pub fn CardActions(
    /// Place in the grid.
    #[prop(optional)]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    view! { <div class=format!("flex justify-end gap-1 {class}")>{children()}</div> }
}
