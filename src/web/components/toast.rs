//! Toasts: short messages about what has just happened. After a redirect the page's address names one
//! (`?notice=saved`), so that it is shown without JavaScript too. With it, a toast goes after six seconds.

use crate::web::components::icon::Icon;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};
use std::time::Duration;

/// How long a toast is shown.
const STAYS: Duration = Duration::from_secs(6);

/// Shows toasts on the page.
#[derive(Clone, Copy, Debug)]
pub struct Toasts(RwSignal<Option<(u32, String)>>);

impl Toasts {
    /// The page's toasts.
    pub fn current() -> Self {
        use_context().unwrap_or_else(|| Self(RwSignal::new(None)))
    }

    /// Shows a text in place of the one before.
    pub fn say(self, text: impl Into<String>) {
        let number = self.0.with_untracked(|said| said.as_ref().map_or(0, |(n, _)| n.wrapping_add(1)));
        self.0.set(Some((number, text.into())));
        set_timeout(move || self.unsay(number), STAYS);
    }

    fn unsay(self, number: u32) {
        let still_there = self.0.try_with_untracked(|said| said.as_ref().is_some_and(|(n, _)| *n == number));
        if still_there == Some(true) {
            self.0.set(None);
        }
    }
}

/// Place where toasts appear; everything that shows toasts stands inside.
#[component]
pub fn ToastRegion(
    /// Names that an address may give as `notice`, with their texts.
    notices: &'static [(&'static str, &'static str)],
    children: Children,
) -> impl IntoView {
    let query = use_query_map();
    let notice = move || {
        query
            .with(|q| q.get("notice"))
            .and_then(|id| notices.iter().find(|(known, _)| *known == id).map(|(_, text)| *text))
    };
    let toasts = Toasts(RwSignal::new(notice_now(notice)));
    provide_context(toasts);

    let navigate = use_navigate();
    let location = use_location();
    Effect::new(move |_| {
        if let Some(text) = notice() {
            toasts.say(text);
            let path = location.pathname.get_untracked();
            let rest = query.with_untracked(|q| {
                let mut q = q.clone();
                q.remove("notice");
                q.to_query_string()
            });
            let options = NavigateOptions { replace: true, scroll: false, ..Default::default() };
            navigate(&format!("{path}{rest}"), options);
        }
    });
    view! {
        {children()}
        <div class="pointer-events-none fixed inset-x-0 bottom-6 z-50 flex justify-center px-4" role="status" aria-live="polite">
            {move || {
                toasts.0.get().map(|(_, text)| view! {
                    <p class="flex animate-fade-in items-center gap-3 rounded-full bg-primary px-5 py-2.5 text-sm font-medium text-on-primary shadow-raised">
                        <Icon name="check" />
                        {text}
                    </p>
                })
            }}
        </div>
    }
}

fn notice_now(notice: impl Fn() -> Option<&'static str>) -> Option<(u32, String)> {
    untrack(notice).map(|text| (0, text.to_owned()))
}
