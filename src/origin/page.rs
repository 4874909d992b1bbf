//! The viewer's page, embedded into the binary.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, header};
use rust_embed::{Embed, EmbeddedFile};
use sha2::{Digest, Sha256};

use super::{
    error::HttpError,
    policy::CachePolicy,
    refusal::Refusal,
    reply::Reply,
    respond::{Content, Representation},
};
use crate::channel::edge::Document;

/// What build.rs laid out: the page that Vite built, or one that says how to build it.
#[derive(Embed)]
#[folder = "$OUT_DIR/page"]
struct Files;

static PAGE: LazyLock<Page> = LazyLock::new(Page::load);

struct Page {
    files: HashMap<String, File>,
    /// Value of Content-Security-Policy.
    policy: HeaderValue,
}

struct File {
    document: Arc<Document>,
    media_type: &'static str,
    cache: CachePolicy,
}

/// A file of the page by its path without the first slash.
pub fn find(path: &str) -> Result<Representation, HttpError> {
    let file = PAGE.files.get(path).ok_or(Refusal::UnknownPageFile)?;
    Ok(Representation {
        content: Content::Document(file.document.clone()),
        media_type: file.media_type,
        cache: file.cache,
    })
}

/// Confines the page to what it is made of: its own files, and the blobs of Media Source Extensions and workers.
pub fn confined(mut reply: Reply) -> Reply {
    reply.set(header::CONTENT_SECURITY_POLICY, PAGE.policy.clone());
    reply.set(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

impl Page {
    fn load() -> Self {
        let files: HashMap<_, _> = Files::iter()
            .filter_map(|path| {
                let file = File::new(&path, Files::get(&path)?);
                Some((path.into_owned(), file))
            })
            .collect();
        let index = files.get("index.html").map(|file| file.document.body()).unwrap_or_default();
        Self { files, policy: policy(&String::from_utf8_lossy(&index)) }
    }
}

impl File {
    fn new(path: &str, file: EmbeddedFile) -> Self {
        let body = match file.data {
            std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let hashed = path.starts_with("assets/");
        Self {
            document: Arc::new(Document::new(body)),
            media_type: media_type(path),
            cache: if hashed { CachePolicy::Immutable } else { CachePolicy::Revalidate },
        }
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map" | "webmanifest") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

fn policy(index: &str) -> HeaderValue {
    let inline: String = inline_scripts(index)
        .map(|script| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
        .collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'{inline}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
         font-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; manifest-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Texts of the scripts that stand in `html` itself: the page without Node has one, that of Vite has none.
fn inline_scripts(html: &str) -> impl Iterator<Item = &str> {
    html.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let text = rest.split("</script>").next()?;
        (!attributes.contains("src=")).then_some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_in_the_page_are_allowed_by_their_hash_and_no_others() {
        let html = "<script type=module src=/assets/a.js></script><p><script>alert(1)</script>";
        let policy = policy(html);
        let policy = policy.to_str().unwrap();
        // printf 'alert(1)' | openssl dgst -sha256 -binary | base64
        assert!(
            policy.contains("script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=';"),
            "{policy}"
        );
    }

    #[test]
    fn there_is_always_an_index() {
        let index = find("index.html").unwrap();
        assert_eq!((index.media_type, index.cache), ("text/html; charset=utf-8", CachePolicy::Revalidate));
        assert_eq!(find("assets/nothing.js").unwrap_err().cause, Refusal::UnknownPageFile);
    }
}
