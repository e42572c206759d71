//! Parts of pages: headers, toolbars, sections, and the empty, loading and error states.

use crate::base::error::Error;
use crate::web::components::button::ButtonLink;
use crate::web::components::icon::Icon;
use crate::web::components::use_hydrated;
use leptos::prelude::*;

/// Link in the running text.
pub const TEXT_LINK: &str = "text-sm text-soft underline underline-offset-4 hover:text-ink";

/// Toolbar between a page's header and its list.
pub const TOOLBAR: &str = "mb-8 flex flex-wrap items-center justify-between gap-x-6 gap-y-3";

/// A page's heading, with its actions at the right.
#[component]
pub fn PageHeader(
    #[prop(into)] heading: String,
    /// Badge beside the heading.
    #[prop(optional)]
    badge: Option<AnyView>,
    /// Text below the heading.
    #[prop(optional)]
    below: Option<AnyView>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="mb-6 flex flex-wrap items-center justify-between gap-4">
            <div>
                <h1 tabindex="-1">{heading}{badge.map(|badge| view! { " " {badge} })}</h1>
                {below}
            </div>
            {children.map(|children| children())}
        </div>
    }
}

/// Card around a part of a page that has its own heading.
#[component]
pub fn Section(
    /// Id of the heading that names it.
    #[prop(optional)]
    labelled_by: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    view! {
        <section
            class="mt-2 flex flex-col gap-5 rounded-xl bg-surface px-4 py-5 md:px-8 md:py-6 [&_h2]:text-xl"
            aria-labelledby=labelled_by
        >
            {children()}
        </section>
    }
}

/// Link above a heading to the page that this one belongs to.
#[component]
pub fn BackLink(#[prop(into)] href: String, text: &'static str) -> impl IntoView {
    view! {
        <a class="mb-3 inline-flex items-center gap-2 py-1 text-sm text-soft hover:text-ink" href=href>
            <Icon name="arrow-left" class="size-4" />
            {text}
        </a>
    }
}

/// Search input with a magnifying glass.
#[component]
pub fn SearchInput(
    label: &'static str,
    /// Name in the form around it.
    #[prop(optional)]
    name: Option<&'static str>,
    #[prop(optional, into)] value: Option<String>,
    /// Set to the text with each key stroke.
    #[prop(optional)]
    typed: Option<RwSignal<String>>,
) -> impl IntoView {
    let input = move |event| {
        if let Some(typed) = typed {
            typed.set(event_target_value(&event));
        }
    };
    view! {
        <label class="relative flex items-center">
            <Icon name="search" class="pointer-events-none absolute left-2.5 size-[18px] text-soft" />
            <input
                class="h-10 w-52 rounded-full border border-transparent bg-transparent pr-3 pl-9 text-base placeholder:text-faint hover:border-edge focus:border-edge focus:bg-surface"
                type="search"
                name=name
                aria-label=label
                placeholder=label
                maxlength="100"
                value=value
                on:input=input
            />
        </label>
    }
}

/// Toolbar with a search within what the page shows; it needs the page's script.
#[component]
pub fn LiveSearch(label: &'static str, typed: RwSignal<String>) -> impl IntoView {
    let hydrated = use_hydrated();
    view! { <div class=TOOLBAR hidden=move || !hydrated.get()><SearchInput label typed /></div> }
}

/// Links of which one is chosen, side by side.
#[component]
pub fn ChoiceLinks(label: &'static str, children: Children) -> impl IntoView {
    view! {
        <nav class="flex gap-1 rounded-lg bg-sunken p-1" aria-label=label>
            {children()}
        </nav>
    }
}

/// One of several [`ChoiceLinks`].
#[component]
pub fn ChoiceLink(#[prop(into)] href: String, #[prop(into)] chosen: Signal<bool>, text: &'static str) -> impl IntoView {
    view! {
        <a
            class="flex-1 rounded-md px-2 py-2 text-center text-sm sm:px-3 whitespace-nowrap text-soft aria-[current]:bg-surface aria-[current]:text-ink"
            href=href
            aria-current=move || chosen.get().then_some("true")
            data-noscroll="true"
        >
            {text}
        </a>
    }
}

/// Warning in a box.
#[component]
pub fn Notice(#[prop(into)] text: String) -> impl IntoView {
    view! {
        <p class="mb-4 flex gap-3 rounded-lg bg-warning-soft p-3.5 text-sm text-warning"><Icon name="warning" /><span>{text}</span></p>
    }
}

/// Links to the pages before and after this one of a list.
#[component]
pub fn PageLinks(
    #[prop(optional_no_strip)] previous: Option<String>,
    /// Address of the next page, and its link's text.
    next: Option<(String, &'static str)>,
    /// Keeps the page's scroll position when a link is followed.
    #[prop(optional)]
    noscroll: bool,
) -> impl IntoView {
    (previous.is_some() || next.is_some()).then(|| view! {
        <nav class="mt-6 flex justify-center gap-3" aria-label="Pages">
            {previous.map(|href| view! { <ButtonLink href rel="prev" icon="arrow-left" noscroll>"Previous"</ButtonLink> })}
            {next.map(|(href, text)| view! { <ButtonLink href rel="next" icon_after="arrow-right" noscroll>{text}</ButtonLink> })}
        </nav>
    })
}

/// Page outside of a workspace: one card in the middle.
#[component]
pub fn NarrowPage(children: Children) -> impl IntoView {
    view! {
        <BarePage>
            <div class="w-full max-w-[440px] rounded-2xl bg-surface p-6 sm:p-9">{children()}</div>
        </BarePage>
    }
}

/// Heading of a [`NarrowPage`], with a line below it.
#[component]
pub fn NarrowHeader(#[prop(into)] heading: String, children: Children) -> impl IntoView {
    view! {
        <h1 class="mb-1" tabindex="-1">{heading}</h1>
        <p class="mb-6 text-sm text-faint">{children()}</p>
    }
}

/// Page without a frame.
#[component]
pub fn BarePage(children: Children) -> impl IntoView {
    view! { <main class="door flex min-h-dvh items-start justify-center px-4 py-[10vh]">{children()}</main> }
}

/// Placeholder while a page's data is on its way.
#[component]
pub fn Loading() -> impl IntoView {
    let bar = || view! { <div class="h-20 animate-pulse rounded-xl bg-surface"></div> };
    view! {
        <div class="flex flex-col gap-2" role="status">
            <span class="sr-only">"Loading"</span>
            {[bar(), bar(), bar()]}
        </div>
    }
}

/// An error in place of what could not be shown.
#[component]
pub fn Failed(
    error: Error,
    /// The error is all that the page shows: its heading is the page's.
    #[prop(optional)]
    whole_page: bool,
) -> impl IntoView {
    let heading = match error {
        Error::NotFound => "Not found",
        Error::SignedOut => "You are signed out",
        Error::LinkSpent => "This link is no longer valid",
        _ => "This could not be shown",
    };
    let heading = match whole_page {
        true => view! { <h1 tabindex="-1">{heading}</h1> }.into_any(),
        false => view! { <h2>{heading}</h2> }.into_any(),
    };
    let content = view! {
        <p>{error.to_string()}</p>
        <ButtonLink href="/" rel="external">"Go to the start page"</ButtonLink>
    };
    state("warning", heading, content.into_any(), Some("alert"))
}

/// What an empty list would hold, and how to begin.
#[component]
pub fn Empty(icon: &'static str, heading: &'static str, children: Children) -> impl IntoView {
    state(icon, view! { <h2>{heading}</h2> }.into_any(), children(), None)
}

fn state(icon: &'static str, heading: AnyView, content: AnyView, role: Option<&'static str>) -> impl IntoView {
    view! {
        <section
            class="state mx-auto flex max-w-lg flex-col items-center gap-3 px-4 py-16 text-center [&>h2]:text-xl [&>p]:text-soft"
            role=role
        >
            <span class="mb-1 flex size-14 items-center justify-center rounded-full bg-surface text-soft"><Icon name=icon /></span>
            {heading}
            {content}
        </section>
    }
}
