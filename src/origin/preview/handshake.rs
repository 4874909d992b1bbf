//! The opening handshake (RFC 6455 4.2): who is let in.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header, request::Parts};

use crate::origin::{body::Body, policy::CachePolicy, refusal::Refusal, reply::Reply};

/// What is spoken behind the handshake.
pub const PROTOCOL: &str = "headwater.v1";
/// The version of RFC 6455.
pub const VERSION: &str = "13";
/// What the server shows that it has understood the key with (RFC 6455 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The request fields that are looked at here.
pub const FIELDS: [HeaderName; 7] = [
    header::CONNECTION,
    header::HOST,
    header::ORIGIN,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_VERSION,
    header::UPGRADE,
];

/// The reply that switches protocols. Pages of other origins than `origins` and our own are not let in, because a
/// browser lets any page open a WebSocket to anywhere.
///
/// # Errors
/// [`Refusal::NotAWebSocket`], [`Refusal::Handshake`] and [`Refusal::ForeignOrigin`].
pub fn accept(request: &Parts, origins: &[String]) -> Result<Reply, Refusal> {
    let headers = &request.headers;
    let upgrades = has_token(headers, &header::UPGRADE, "websocket", u8::eq_ignore_ascii_case)
        && one(headers, &header::SEC_WEBSOCKET_VERSION) == Some(VERSION);
    if request.method != Method::GET || request.version != Version::HTTP_11 || !upgrades {
        return Err(Refusal::NotAWebSocket);
    }
    let key = one(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(Refusal::Handshake)?;
    if !has_token(headers, &header::CONNECTION, "upgrade", u8::eq_ignore_ascii_case)
        || !has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL, u8::eq)
    {
        return Err(Refusal::Handshake);
    }
    if !is_at_home(headers, origins) {
        return Err(Refusal::ForeignOrigin);
    }
    Ok(switching(key))
}

fn switching(key: &str) -> Reply {
    let proof = digest(&SHA1_FOR_LEGACY_USE_ONLY, [key, GUID].concat().as_bytes());
    let mut reply = Reply::new(StatusCode::SWITCHING_PROTOCOLS, Body::empty(), CachePolicy::NoStore);
    let fields = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL)),
    ];
    reply.fields().extend(fields);
    if let Ok(proof) = HeaderValue::try_from(STANDARD.encode(proof)) {
        reply.set(header::SEC_WEBSOCKET_ACCEPT, proof);
    }
    reply
}

/// A program that is no browser says no origin. A browser always does, and no page can change what it says.
fn is_at_home(headers: &HeaderMap, origins: &[String]) -> bool {
    let mut said = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (said.next(), said.next()) else {
        return headers.get(header::ORIGIN).is_none();
    };
    let Ok(origin) = origin.to_str() else { return false };
    let authority = origin.strip_prefix("https://").or(origin.strip_prefix("http://"));
    let host = one(headers, &header::HOST);
    (authority.is_some() && authority == host) || origins.iter().any(|allowed| allowed == origin)
}

/// The value of a field that is there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// True if a comma-separated list has `token`.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str, same: fn(&u8, &u8) -> bool) -> bool {
    let is_token = |item: &str| {
        let item = item.trim();
        item.len() == token.len() && item.bytes().zip(token.bytes()).all(|(a, b)| same(&a, &b))
    };
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|list| list.split(',').any(is_token))
}

/// 16 bytes in base64.
fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn request(changes: &[(&str, &[&str])]) -> Parts {
        let mut builder = http::Request::get("/live/demo/ws");
        let fields = [
            ("host", "example.com:8080"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-key", KEY),
            ("sec-websocket-protocol", "other, headwater.v1"),
            ("sec-websocket-version", "13"),
        ];
        for (name, value) in fields.iter().filter(|(name, _)| changes.iter().all(|(other, _)| other != name))
        {
            builder = builder.header(*name, *value);
        }
        for (name, values) in changes {
            for value in *values {
                builder = builder.header(*name, *value);
            }
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_answer_is_that_of_the_example_in_the_rfc() {
        let reply = accept(&request(&[]), &[]).unwrap();
        assert_eq!(reply.response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(reply.response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(reply.response.headers()["sec-websocket-protocol"], "headwater.v1");
    }

    #[test]
    fn what_is_no_handshake_of_ours_is_refused() {
        for (changes, refusal) in [
            (("upgrade", &[][..]), Refusal::NotAWebSocket),
            (("upgrade", &["h2c"]), Refusal::NotAWebSocket),
            (("sec-websocket-version", &["8"]), Refusal::NotAWebSocket),
            (("sec-websocket-key", &[]), Refusal::Handshake),
            (("sec-websocket-key", &["dGhlIHNhbXBsZQ=="]), Refusal::Handshake),
            (("sec-websocket-key", &[KEY, KEY]), Refusal::Handshake),
            (("connection", &["keep-alive"]), Refusal::Handshake),
            (("sec-websocket-protocol", &[]), Refusal::Handshake),
            (("sec-websocket-protocol", &["headwater.v2, Headwater.v1"]), Refusal::Handshake),
        ] {
            assert_eq!(accept(&request(&[changes]), &[]).unwrap_err(), refusal, "{changes:?}");
        }
    }

    #[test]
    fn only_pages_of_our_own_and_of_named_origins_are_let_in() {
        let origins = ["https://studio.example".to_owned()];
        for origin in ["http://example.com:8080", "https://example.com:8080", "https://studio.example"] {
            assert!(accept(&request(&[("origin", &[origin])]), &origins).is_ok(), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://evil.example",
            "https://example.com",
            "https://evil.example.com:8080",
            "https://example.com:8080.evil.example",
            "https://studio.example.evil.example",
            "https://evilstudio.example",
            "http://studio.example",
            "https://studio.example/",
            "file://example.com:8080",
            "example.com:8080",
        ] {
            let refusal = accept(&request(&[("origin", &[origin])]), &origins).unwrap_err();
            assert_eq!(refusal, Refusal::ForeignOrigin, "{origin}");
        }
        let twice = request(&[("origin", &["https://studio.example", "https://studio.example"])]);
        assert_eq!(accept(&twice, &origins).unwrap_err(), Refusal::ForeignOrigin);
    }
}
