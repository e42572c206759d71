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
                <link id="stylesheet" rel="stylesheet" href=site::build_path("agent-studio.css") />
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

/// Fetches the page's program after the first paint: beside it the chunks that the page needs, after it those that it may
/// need next. Leptos' own `HydrationScripts` has the program fetched before, so that on a slow network the page appears more
/// than a second later. A page whose program cannot be fetched whole stays as it is without JavaScript.
const HYDRATION: &str = "\
    const chunks = use => {
        const metas = [...document.querySelectorAll(`meta[name=chunk-${use}]`)];
        return [...new Set(metas.flatMap(meta => meta.content.split(' ')))];
    };
    const fetched = async path => {
        const response = await fetch(path);
        if (!response.ok) throw new Error(`${path}: ${response.status}`);
        return response;
    };
    const start = async () => {
        const needed = chunks('now').map(async path => (await fetched(path)).arrayBuffer());
        const program = Promise.all([import(SCRIPT), import(LOADER), fetched(PROGRAM)]).then(async ([page, , response]) => {
            await page.default({ module_or_path: response });
            return page;
        });
        const [page] = await Promise.all([program, ...needed]);
        await page.hydrate();
        for (const path of chunks('next')) await (await fetch(path, { priority: 'low' })).arrayBuffer();
    };
    requestAnimationFrame(() => setTimeout(() => start().catch(console.error)));";

#[component]
fn HydrationScript() -> impl IntoView {
    let path = |name| format!("{:?}", site::build_path(name).unwrap_or_default());
    let script = HYDRATION
        .replace("PROGRAM", &path("agent-studio.wasm"))
        .replace("SCRIPT", &path("agent-studio.js"))
        .replace("LOADER", &path(site::CHUNK_LOADER));
    view! { <script type="module" nonce=use_nonce() inner_html=script></script> }
}
