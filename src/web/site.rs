//! The files of the pages: scripts, styles, fonts and icons, compressed when they are built. A release build carries them
//! in the program; a debug build reads them from `target/site`.

use crate::web::chunks::ChunkUse;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use leptos::config::{Env, LeptosOptions};
use leptos::prelude::{RenderHtml as _, view};
use leptos_meta::Meta;
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// Folder of the page's scripts and styles, which are built together.
const BUILD: &str = "pkg/";

/// Script that fetches the chunks of the page's program. cargo-leptos names it.
pub const CHUNK_LOADER: &str = "__wasm_split.______________________.js";

/// The files of each chunk, as cargo-leptos writes them.
const CHUNKS: &str = "pkg/__wasm_split_manifest.json";

/// Content codings of the compressed files and the endings of their names, the smallest first.
const CODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

#[derive(RustEmbed)]
#[folder = "target/site"]
#[allow_missing = true]
struct Files;

/// Options for leptos, which serves no files itself. They matter for the reload after a change, in development.
pub static LEPTOS: LazyLock<LeptosOptions> = LazyLock::new(|| {
    let is_watched = std::env::var_os("LEPTOS_WATCH").is_some();
    LeptosOptions::builder()
        .output_name("agent-studio")
        .reload_port(3001_u32)
        .env(if is_watched { Env::DEV } else { Env::PROD })
        .build()
});

/// Version of the scripts and styles: a hash of all their files. Their paths contain it, because they name each other: a
/// page must not get a file of another version, neither from this server nor from a cache.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let files: BTreeMap<_, _> =
        Files::iter().filter_map(|path| Some((path.strip_prefix(BUILD)?.to_owned(), Files::get(&path)?))).collect();
    let mut hash = Sha256::new();
    for (name, file) in files {
        hash.update(name);
        hash.update(file.metadata.sha256_hash());
    }
    hex::encode(&hash.finalize()[..8])
});

/// Files of each chunk by its name, without their ending.
static CHUNK_FILES: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let manifest = Files::get(CHUNKS).map(|file| file.data).unwrap_or_default();
    serde_json::from_slice(&manifest).unwrap_or_default()
});

/// Handler of fonts and icons. The caller limits it to the folders that the public may read.
pub async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    respond(uri.path().trim_start_matches('/'), &headers)
}

/// Handler of scripts and styles.
pub async fn serve_build(Path((version, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if version != *VERSION {
        return StatusCode::NOT_FOUND.into_response();
    }
    respond(&format!("{BUILD}{name}"), &headers)
}

fn respond(path: &str, headers: &HeaderMap) -> Response {
    let Some(plain) = Files::get(path) else { return StatusCode::NOT_FOUND.into_response() };
    let content_type = plain.metadata.mimetype().to_owned();
    let compressed = CODINGS.into_iter().filter(|(coding, _)| accepts(headers, coding));
    let compressed = compressed.filter_map(|(coding, ending)| Some((coding, Files::get(&format!("{path}.{ending}"))?)));
    let (coding, file) = compressed.map(|(coding, file)| (Some(coding), file)).next().unwrap_or((None, plain));

    let etag = etag(&file);
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| is_among(value, &etag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, content_type)], body(file.data)).into_response()
    };
    let headers = response.headers_mut();
    if let Some(coding) = coding.filter(|_| !known) {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// A file of the program is sent as it is, without a copy.
fn body(data: Cow<'static, [u8]>) -> Body {
    match data {
        Cow::Borrowed(bytes) => Body::from(Bytes::from_static(bytes)),
        Cow::Owned(bytes) => Body::from(bytes),
    }
}

/// Path of a script, a style or a part of the browser's program, if the server was built with it.
pub fn build_path(name: &str) -> Option<String> {
    // Not `get`, which reads and hashes the file in a debug build.
    let file = format!("{BUILD}{name}");
    Files::iter().any(|known| known == file).then(|| format!("/{BUILD}{}/{name}", *VERSION))
}

/// Names the files of a chunk in the page's head, for the script of `web::shell`.
pub fn hint_chunk(chunk: &str, usage: ChunkUse) {
    let files = CHUNK_FILES.get(chunk).into_iter().flatten();
    let paths: Vec<_> = files.filter_map(|name| build_path(&format!("{name}.wasm"))).collect();
    let name = match usage {
        ChunkUse::Now => "chunk-now",
        ChunkUse::Next => "chunk-next",
    };
    // `Meta` adds itself to the page's head when it is rendered.
    let _ = view! { <Meta name content=paths.join(" ") /> }.to_html();
}

/// A strong validator (RFC 9110, section 8.8.3): each coding of a file has its own.
fn etag(file: &EmbeddedFile) -> String {
    format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]))
}

/// Whether `If-None-Match` names this validator (RFC 9110, section 13.1.2).
fn is_among(value: &HeaderValue, etag: &str) -> bool {
    let value = value.to_str().unwrap_or_default();
    value.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == etag)
}

/// Whether `Accept-Encoding` names this coding with a weight other than 0 (RFC 9110, section 12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(coding) && weight.is_some_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_chosen_by_name_and_weight() {
        let accepted = |value: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            CODINGS.into_iter().map(|(coding, _)| coding).filter(|coding| accepts(&headers, coding)).collect::<Vec<_>>()
        };
        assert_eq!(accepted("gzip, deflate, BR"), ["br", "gzip"]);
        assert_eq!(accepted("br;q=0, gzip;q=0.5"), ["gzip"]);
        assert!(accepted("zstd, brotli, gzip;q=x").is_empty());
        assert!(!accepts(&HeaderMap::new(), "br"));
    }

    #[test]
    fn validators_are_compared_weakly() {
        let among = |value: &'static str| is_among(&HeaderValue::from_static(value), "\"a\"");
        assert!(["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"].map(among).iter().all(|among| *among));
        assert!(["a", "\"b\"", ""].map(among).iter().all(|among| !*among));
    }
}
