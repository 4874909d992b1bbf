//! What lets a player on any web page read from here. There are no cookies, and a page has a
//! viewer's token only if it was given one, so every page may.

use http::{HeaderName, HeaderValue, header};

use super::{
    reply::Reply,
    respond::{METHODS, options},
};

const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What a script may read. Date and Age place the live edge, CMSD says what an object is and a reason why there is none;
/// the rest measures the connection.
const EXPOSED: &str = "Age, Cache-Control, CMSD-Dynamic, CMSD-Static, Content-Encoding, Content-Length, Content-Range, \
    Date, ETag, Headwater-Reason, Retry-After, Server-Timing";
/// What a script may send: tokens, ranges, conditions, and the Common Media Client Data of players (CTA-5004).
const ACCEPTED: &str = "Accept, Authorization, Cache-Control, If-Match, If-None-Match, If-Range, Pragma, Range, \
    CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status";

/// Opens a reply to scripts of any page.
pub fn allowed(mut reply: Reply) -> Reply {
    let headers = reply.fields();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    // Without these a player cannot measure how long a segment took, nor be on an isolated page.
    headers.insert(TIMING_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    reply
}

/// The answer to OPTIONS, which is the same for all paths.
pub fn preflight() -> Reply {
    let mut reply = options();
    let headers = reply.fields();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ACCEPTED));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    reply
}
