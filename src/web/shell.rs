//! The HTML document around every page.

use crate::web::app::App;
use crate::web::site;
use leptos::hydration::AutoReload;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;

/// The document. `http::headers` puts its scripts' nonce into the policy.
pub fn shell() -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="description" content="API keys for the conversations of voice agents: who may read what, and until when." />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/icons/favicon.svg" type="image/svg+xml" />
                <link rel="preload" href="/fonts/figtree-v1.woff2" r#as="font" r#type="font/woff2" crossorigin="anonymous" />
                <link id="stylesheet" rel="stylesheet" href=site::script_path("css") />
                <AutoReload options=site::LEPTOS.clone() />
                <HydrationScript />
                <MetaTags />
            </head>
            <body class="relative min-h-dvh bg-ground leading-[1.45] text-ink antialiased">
                <App />
            </body>
        </html>
    }
}

/// Fetches the page's script after the first paint. Leptos' own `HydrationScripts` has it fetched before, so that on a slow
/// network the page appears more than a second later.
#[component]
fn HydrationScript() -> impl IntoView {
    let file = |ending| site::script_path(ending).unwrap_or_default();
    let script = format!(
        "requestAnimationFrame(() => setTimeout(() => {{\
            const wasm = fetch({:?});\
            import({:?}).then(page => page.default({{ module_or_path: wasm }}).then(() => page.hydrate()));\
        }}));",
        file("wasm"),
        file("js")
    );
    view! { <script type="module" nonce=use_nonce() inner_html=script></script> }
}
