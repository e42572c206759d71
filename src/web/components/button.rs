//! Buttons, and links that look like them; with a text, or with nothing but an icon.

use crate::web::components::field::focus_when_shown;
use crate::web::components::icon::Icon;
use leptos::ev::MouseEvent;
use leptos::html;
use leptos::prelude::*;

/// Row of buttons that wraps on small screens.
pub const BUTTON_ROW: &str = "flex flex-wrap items-center gap-2 sm:gap-3";

/// Colours of a button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ButtonLook {
    #[default]
    Plain,
    /// What most people come for; once on a page.
    Primary,
    /// Deletes or ends something.
    Danger,
}

fn classes(look: ButtonLook, small: bool, wide: bool) -> String {
    let colours = match look {
        ButtonLook::Plain => "border-edge text-ink hover:not-disabled:bg-hover",
        ButtonLook::Primary => "border-primary bg-primary text-on-primary hover:not-disabled:bg-primary-hover",
        ButtonLook::Danger => "border-danger bg-danger text-on-danger hover:not-disabled:bg-danger-hover",
    };
    let size =
        if small { "min-h-8 gap-2 px-3 py-1 text-sm" } else { "min-h-10 gap-2 px-4 py-1.5 text-base sm:gap-3 sm:px-5" };
    let width = if wide { "w-full" } else { "" };
    format!(
        "inline-flex items-center justify-center rounded-full border font-semibold whitespace-nowrap transition-colors {colours} {size} {width}"
    )
}

/// Button with a text.
#[component]
pub fn Button(
    #[prop(optional)] look: ButtonLook,
    #[prop(optional)] small: bool,
    /// Takes the whole width.
    #[prop(optional)]
    wide: bool,
    #[prop(optional)] icon: Option<&'static str>,
    /// Disables the button while its form is on its way.
    #[prop(optional, into)]
    pending: Option<Signal<bool>>,
    #[prop(optional, into)] hidden: Option<Signal<bool>>,
    /// Value of the form's field `action`, where a form has several buttons.
    #[prop(optional)]
    action: Option<&'static str>,
    /// Id of the form that it sends, if it stands outside of it.
    #[prop(optional, into)]
    form: Option<String>,
    /// Makes it a button that sends no form, unless it has one by id.
    #[prop(optional, into)]
    on_click: Option<Callback<MouseEvent>>,
    /// Takes focus when it appears.
    #[prop(optional)]
    focused: bool,
    children: Children,
) -> AnyView {
    let node = NodeRef::<html::Button>::new();
    if focused {
        focus_when_shown(node);
    }
    let kind = if on_click.is_some() && form.is_none() { "button" } else { "submit" };
    let click = move |event: MouseEvent| {
        if let Some(on_click) = on_click {
            on_click.run(event);
        }
    };
    view! {
        <button
            node_ref=node
            class=classes(look, small, wide)
            type=kind
            name=action.map(|_| "action")
            value=action
            form=form
            disabled=move || pending.is_some_and(|pending| pending.get())
            hidden=move || hidden.is_some_and(|hidden| hidden.get())
            autofocus=focused
            on:click=click
        >
            {icon.map(|name| view! { <Icon name class="size-[18px]" /> })}
            {children()}
        </button>
    }
    .into_any()
}

/// Link that looks like a button.
#[component]
pub fn ButtonLink(
    #[prop(into)] href: String,
    #[prop(optional)] look: ButtonLook,
    #[prop(optional)] icon: Option<&'static str>,
    /// Icon behind the text.
    #[prop(optional)]
    icon_after: Option<&'static str>,
    /// Keeps the page's scroll position when the link is followed.
    #[prop(optional)]
    noscroll: bool,
    #[prop(optional)] rel: Option<&'static str>,
    /// Takes focus when it appears.
    #[prop(optional)]
    focused: bool,
    #[prop(optional, into)] on_click: Option<Callback<MouseEvent>>,
    children: Children,
) -> AnyView {
    let node = NodeRef::<html::A>::new();
    if focused {
        focus_when_shown(node);
    }
    let click = move |event: MouseEvent| {
        if let Some(on_click) = on_click {
            on_click.run(event);
        }
    };
    view! {
        <a
            node_ref=node
            class=classes(look, false, false)
            href=href
            rel=rel
            autofocus=focused
            data-noscroll=noscroll.then_some("true")
            on:click=click
        >
            {icon.map(|name| view! { <Icon name class="size-[18px]" /> })}
            {children()}
            {icon_after.map(|name| view! { <Icon name class="size-[18px]" /> })}
        </a>
    }
    .into_any()
}

fn icon_classes(small: bool, sunken: bool) -> String {
    let size = if small { "size-7" } else { "size-9" };
    let hover = if sunken { "hover:bg-surface" } else { "hover:bg-hover" };
    format!(
        "tip inline-flex shrink-0 items-center justify-center rounded-lg text-soft transition-colors hover:text-ink {size} {hover}"
    )
}

/// Button with nothing but an icon. Its name is shown on hover and focus.
#[component]
pub fn IconButton(
    /// Name for screen readers, with what it acts on: `Delete CRM sync`.
    #[prop(into)]
    label: String,
    /// Name shown on hover and focus: `Delete`.
    tip: &'static str,
    #[prop(optional)] small: bool,
    /// Stands on sunken ground.
    #[prop(optional)]
    sunken: bool,
    /// Makes it a button that sends no form.
    #[prop(optional, into)]
    on_click: Option<Callback<MouseEvent>>,
    /// The icon.
    children: Children,
) -> AnyView {
    let kind = if on_click.is_some() { "button" } else { "submit" };
    let click = move |event: MouseEvent| {
        if let Some(on_click) = on_click {
            on_click.run(event);
        }
    };
    view! {
        <button class=icon_classes(small, sunken) type=kind aria-label=label data-tip=tip on:click=click>
            {children()}
        </button>
    }
    .into_any()
}

/// Link with nothing but an icon. Its name is shown on hover and focus.
#[component]
pub fn IconLink(
    #[prop(into)] href: String,
    /// Name for screen readers, with what it acts on: `Delete CRM sync`.
    #[prop(into)]
    label: String,
    /// Name shown on hover and focus: `Delete`.
    tip: &'static str,
    /// Keeps the page's scroll position when the link is followed.
    #[prop(optional)]
    noscroll: bool,
    #[prop(optional, into)] on_click: Option<Callback<MouseEvent>>,
    /// The icon.
    children: Children,
) -> AnyView {
    let click = move |event: MouseEvent| {
        if let Some(on_click) = on_click {
            on_click.run(event);
        }
    };
    view! {
        <a
            class=icon_classes(false, false)
            href=href
            aria-label=label
            data-tip=tip
            data-noscroll=noscroll.then_some("true")
            on:click=click
        >
            {children()}
        </a>
    }
    .into_any()
}
