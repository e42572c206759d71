//! The browser's download in parts: each chunk is fetched when the first of its pages is opened.

use leptos::prelude::*;
use leptos::reactive::owner::Owner;
use leptos::wasm_split::SplitLoaderError;
use leptos_router::ChooseView;
use leptos_router::hooks::use_url;
use std::future::{Future, pending};
use std::pin::Pin;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::Event;

/// When a page needs a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkUse {
    /// To become interactive.
    Now,
    /// For what is probably opened next.
    Next,
}

/// On the server: tells the browser to fetch the chunk of this name before its program asks for it.
#[derive(Clone, Copy)]
pub struct ChunkHint(pub fn(&'static str, ChunkUse));

impl ChunkHint {
    /// Does nothing in the browser.
    pub fn give(chunk: &'static str, usage: ChunkUse) {
        if let Some(Self(hint)) = use_context() {
            hint(chunk, usage);
        }
    }
}

type Fetched<T> = Pin<Box<dyn Future<Output = Result<T, SplitLoaderError>>>>;

/// A page of a chunk. It is one type for all pages: for each type of its own, the router would put another copy of itself
/// into the download.
#[derive(Clone, Copy, Debug)]
pub struct LazyPage {
    /// Name of the page's chunk.
    pub chunk: &'static str,
    /// Fetches the chunk if it is missing.
    pub fetch: fn() -> Fetched<()>,
    pub view: fn() -> Fetched<AnyView>,
}

impl ChooseView for LazyPage {
    async fn choose(self) -> AnyView {
        ChunkHint::give(self.chunk, ChunkUse::Now);
        match (self.view)().await {
            Ok(view) => view,
            Err(_) => load_whole_page().await,
        }
    }

    /// The router awaits this before it hydrates the page.
    async fn preload(&self) {
        if Fetching::until((self.fetch)()).await.is_err() {
            load_whole_page().await;
        }
    }
}

/// While a value of this type exists, the document has `data-fetching`, and `style/main.css` shows a bar.
struct Fetching;

impl Fetching {
    async fn until<T>(done: impl Future<Output = T>) -> T {
        Self::mark(true);
        let _fetching = Self;
        done.await
    }

    /// The server has no document.
    fn mark(fetching: bool) {
        if cfg!(feature = "hydrate")
            && let Some(root) = document().document_element()
        {
            // Fails only for what is no name of an attribute.
            let _ = root.toggle_attribute_with_force("data-fetching", fetching);
        }
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        Self::mark(false);
    }
}

/// The chunk cannot be fetched: the server has another version of it by now. It renders the whole page. A page that is being
/// hydrated is there already, and its links are left to the browser.
async fn load_whole_page() -> AnyView {
    let hydrating = Owner::current_shared_context().is_some_and(|context| context.during_hydration());
    if hydrating {
        leave_links_to_browser();
    } else {
        let url = use_url().get_untracked();
        let query = if url.search().is_empty() { String::new() } else { format!("?{}", url.search()) };
        // Fails only for what is no address.
        let _ = window().location().assign(&format!("{}{query}", url.path()));
    }
    pending().await
}

/// Keeps clicks from the router, which would wait for ever.
fn leave_links_to_browser() {
    let listener = Closure::<dyn FnMut(Event)>::new(|event: Event| event.stop_immediate_propagation());
    let _ = window().add_event_listener_with_callback_and_bool("click", listener.as_ref().unchecked_ref(), true);
    listener.forget();
}

/// A page for a route, as part of a chunk.
macro_rules! lazy_page {
    ($chunk:ident, $page:ident) => {{
        #[leptos::wasm_split::wasm_split($chunk, wasm_split_path = leptos::wasm_split, preload(fetch), fallible)]
        fn page() -> Result<AnyView, leptos::wasm_split::SplitLoaderError> {
            Ok($page().into_any())
        }
        $crate::web::chunks::LazyPage {
            chunk: stringify!($chunk),
            fetch: || Box::pin(fetch()),
            view: || Box::pin(page()),
        }
    }};
}
pub(crate) use lazy_page;
