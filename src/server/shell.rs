//! The HTML document around every page.

use super::headers::page_policy;
use crate::app::App;
use axum::http::{HeaderValue, header};
use leptos::config::{Env, LeptosOptions};
use leptos::hydration::{AutoReload, HydrationScripts};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::{HashedStylesheet, MetaTags};

/// The document, and the policy that its scripts' nonce goes into.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let nonce = use_nonce().map(|n| n.to_string()).unwrap_or_default();
    // Live reload talks to another port, in development only.
    let reload = match options.env {
        Env::DEV => format!(" ws://127.0.0.1:{0} ws://localhost:{0}", options.reload_port),
        Env::PROD => String::new(),
    };
    if let (Some(response), Ok(policy)) =
        (use_context::<ResponseOptions>(), HeaderValue::from_str(&page_policy(&nonce, &reload)))
    {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/icons/favicon.svg" type="image/svg+xml" />
                <link rel="preload" href="/fonts/figtree-v1.woff2" r#as="font" r#type="font/woff2" crossorigin="anonymous" />
                <HashedStylesheet id="stylesheet" options=options.clone() />
                <AutoReload options=options.clone() />
                <HydrationScripts options=options.clone() />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
