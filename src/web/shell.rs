//! The HTML document around every page.

use crate::web::app::App;
use leptos::config::LeptosOptions;
use leptos::hydration::AutoReload;
use leptos::nonce::use_nonce;
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
                <HydrationScript options=options.clone() />
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
fn HydrationScript(options: LeptosOptions) -> impl IntoView {
    let file = |kind| format!("/{}/{}.{kind}", options.site_pkg_dir, hashed_name(&options, kind));
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

/// A file's name without its ending: cargo-leptos adds the hash of its content, and lists the hashes in a file beside the
/// program.
fn hashed_name(options: &LeptosOptions, kind: &str) -> String {
    let hash = || {
        let program = std::env::current_exe().ok()?;
        let hashes = std::fs::read_to_string(program.parent()?.join(&*options.hash_file)).ok()?;
        hashes
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(of, _)| *of == kind)
            .map(|(_, h)| h.trim().to_owned())
    };
    match hash().filter(|_| options.hash_files) {
        Some(hash) => format!("{}.{hash}", options.output_name),
        None => options.output_name.to_string(),
    }
}
