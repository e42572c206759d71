//! Empty, loading and error states.

use crate::base::error::Error;
use crate::web::components::icon::Icon;
use leptos::prelude::*;

/// While a page's data is on its way.
#[component]
pub fn Loading() -> impl IntoView {
    view! {
        <div class="stack" role="status">
            <span class="sr-only">"Loading"</span>
            <div class="skeleton"></div>
            <div class="skeleton"></div>
            <div class="skeleton"></div>
        </div>
    }
}

/// What could not be shown, why, and what to do.
#[component]
pub fn Failed(
    error: Error,
    /// Whether this is all that the page shows, and its heading the page's.
    #[prop(optional)]
    whole_page: bool,
) -> impl IntoView {
    let heading = match error {
        Error::NotFound => "Not found",
        Error::SignedOut => "You are signed out",
        Error::LinkSpent => "This link is no longer valid",
        _ => "This could not be shown",
    };
    view! {
        <section class="state" role="alert">
            <span class="state-icon"><Icon name="warning" /></span>
            {if whole_page {
                view! { <h1 tabindex="-1">{heading}</h1> }.into_any()
            } else {
                view! { <h2>{heading}</h2> }.into_any()
            }}
            <p>{error.to_string()}</p>
            <a class="button" href="/" rel="external">"Go to the start page"</a>
        </section>
    }
}

/// Where there is nothing yet: what would be here, and how to begin.
#[component]
pub fn Empty(icon: &'static str, #[prop(into)] heading: String, children: Children) -> impl IntoView {
    view! {
        <section class="state">
            <span class="state-icon"><Icon name=icon /></span>
            <h2>{heading}</h2>
            {children()}
        </section>
    }
}
