//! Views that wait for their data.

use crate::base::error::Error;
use crate::web::components::dialog::DialogBody;
use crate::web::components::page::{Failed, Loading};
use crate::web::transport::load::Boxed;
use leptos::prelude::*;
use std::future::Future;
use std::sync::Arc;

/// Where something waits for its data: decides how waiting and failing look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageArea {
    /// The whole of a page, below its frame.
    Page,
    /// A part of a page that has its own heading.
    Section,
    /// The inside of a dialog.
    Dialog,
    /// Beside something that does not wait: nothing is shown until it is there.
    Aside,
}

impl PageArea {
    fn failed(self, error: Error) -> AnyView {
        match self {
            Self::Page => view! { <Failed error whole_page=true /> }.into_any(),
            Self::Section | Self::Aside => view! { <Failed error /> }.into_any(),
            Self::Dialog => view! { <DialogBody><Failed error /></DialogBody> }.into_any(),
        }
    }
}

/// A view that waits for its data, and says so; an error takes its place.
pub fn awaited<F>(place: PageArea, content: impl Fn() -> F + Send + Sync + 'static) -> AnyView
where
    F: Future<Output = Result<AnyView, Error>> + Send + 'static,
{
    waiting(place, Arc::new(move || Box::pin(content())))
}

fn waiting(place: PageArea, content: Arc<dyn Fn() -> Boxed<Result<AnyView, Error>> + Send + Sync>) -> AnyView {
    let fallback = move || if place == PageArea::Aside { ().into_any() } else { view! { <Loading /> }.into_any() };
    view! {
        <Transition fallback>
            {move || {
                let content = content();
                Suspend::new(async move { content.await.unwrap_or_else(|error| place.failed(error)) })
            }}
        </Transition>
    }
    .into_any()
}
