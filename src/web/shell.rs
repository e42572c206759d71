//! The HTML document around every page.

use crate::web::app::App;
use leptos::config::LeptosOptions;
use leptos::hydration::{AutoReload, HydrationScripts};
use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags};

/// The document. `http::headers` puts its scripts' nonce into the policy.
pub fn shell(options: LeptosOptions) -> impl IntoView {
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
                <HashedStylesheet id="stylesheet" options=options.clone() />
                <AutoReload options=options.clone() />
                <HydrationScripts options=options.clone() />
                <MetaTags />
            </head>
            <body class="relative min-h-dvh bg-ground leading-[1.45] text-ink antialiased">
                <App />
            </body>
        </html>
    }
}
