//! Refusals: what a client is told, what the log calls it, and how long a cache may repeat it.

use std::{borrow::Cow, fmt, net::SocketAddr};

use http::{HeaderValue, Response, StatusCode, header};
use thiserror::Error;

use super::{body::Body, policy::CachePolicy, respond::Verdict};

/// Why a listener could not be opened.
#[derive(Debug, Error)]
pub enum Error {
    /// Another program, or another Headwater, has the port.
    #[error(
        "cannot listen on {0}: the port is in use; stop the program that has it or give another address under [server]"
    )]
    PortInUse(SocketAddr),
    /// The user may not open this port.
    #[error(
        "cannot listen on {0}: permission denied; give a port above 1023 under [server] or the capability CAP_NET_BIND_SERVICE"
    )]
    NotAllowed(SocketAddr),
    /// No interface of this machine has this address.
    #[error(
        "cannot listen on {0}: this machine has no such address; 0.0.0.0 or [::] under [server] takes all it has"
    )]
    NoSuchAddress(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// Why a request was not served. The name is the same in the log, in metrics and here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Not GET, HEAD or OPTIONS.
    Method,
    /// The request has a body.
    RequestBody,
    /// HTTP/1.1 without exactly one Host field (RFC 9112 3.2).
    Host,
    /// The path has something in it that is in none of our URLs.
    MalformedPath,
    /// The path is none of our URLs.
    UnknownPath,
    /// An `_HLS_` parameter has an impossible value (rfc8216bis 6.2.5).
    Directive,
    /// There is no such channel.
    UnknownChannel,
    /// The channel has no such track.
    UnknownTrack,
    /// The track has no such segment or init segment, or no longer.
    UnknownSegment,
    /// Nothing is packaged under this name.
    UnknownAsset,
    /// The page has no such file.
    UnknownPageFile,
    /// The channel has nothing to show yet.
    NotYetPublished,
    /// The store failed.
    StoreUnavailable,
    /// On the control listener: this server should not be sent viewers.
    NotReady,
    /// If-Match names another version.
    PreconditionFailed,
    /// The range lies behind the end.
    RangeNotSatisfiable,
}

impl Refusal {
    /// Its name in the log and in metrics.
    pub fn name(self) -> &'static str {
        self.facts().1
    }

    /// What everything that follows from a refusal follows from.
    fn facts(self) -> (StatusCode, &'static str, CachePolicy, &'static str) {
        use CachePolicy::{Brief, NoStore};
        const GONE: StatusCode = StatusCode::NOT_FOUND;
        const WRONG: StatusCode = StatusCode::BAD_REQUEST;
        const LATER: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        match self {
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                NoStore,
                "Only GET, HEAD and OPTIONS are answered here.",
            ),
            Self::RequestBody => (WRONG, "request-body", NoStore, "A request here has no body."),
            Self::Host => (WRONG, "host", NoStore, "An HTTP/1.1 request has exactly one Host field."),
            Self::MalformedPath => (
                WRONG,
                "malformed-path",
                NoStore,
                "A path here is made of names of letters, digits, '.', '_' and '-', with one slash between them.",
            ),
            Self::UnknownPath => (
                GONE,
                "unknown-path",
                Brief,
                "There is nothing at this path. /channels.json lists what there is.",
            ),
            Self::Directive => (
                WRONG,
                "directive",
                NoStore,
                "_HLS_msn and _HLS_part are whole numbers, a part comes with its msn, and _HLS_skip is YES or v2.",
            ),
            Self::UnknownChannel => (
                GONE,
                "unknown-channel",
                Brief,
                "There is no such channel. /channels.json lists what there is.",
            ),
            Self::UnknownTrack => (
                GONE,
                "unknown-track",
                Brief,
                "The channel has no such track. Its index.m3u8 lists what it has.",
            ),
            Self::UnknownSegment => (
                GONE,
                "unknown-segment",
                Brief,
                "The track has no such segment now. Its index.m3u8 lists what it has.",
            ),
            Self::UnknownAsset => (
                GONE,
                "unknown-asset",
                Brief,
                "Nothing is packaged under this name. /channels.json lists what there is.",
            ),
            Self::UnknownPageFile => (GONE, "unknown-page-file", Brief, "The page has no such file."),
            Self::NotYetPublished => (
                LATER,
                "not-yet-published",
                Brief,
                "The channel has nothing to show yet. Try again in a second.",
            ),
            Self::StoreUnavailable => (
                LATER,
                "store-unavailable",
                Brief,
                "This cannot be read at the moment. Try again in a second.",
            ),
            Self::NotReady => (LATER, "not-ready", NoStore, "Not ready."),
            Self::PreconditionFailed => (
                StatusCode::PRECONDITION_FAILED,
                "precondition-failed",
                NoStore,
                "This is not the version that If-Match asks for.",
            ),
            Self::RangeNotSatisfiable => (
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range-not-satisfiable",
                NoStore,
                "The range lies behind the end.",
            ),
        }
    }
}

/// A refusal on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {public}", cause.name())]
pub struct HttpError {
    /// HTTP status.
    pub status: StatusCode,
    /// What the client reads. It holds nothing of the request.
    pub public: Cow<'static, str>,
    /// Why, for the log and metrics.
    pub cause: Refusal,
    /// How long a cache may repeat it.
    pub cache: CachePolicy,
}

impl From<Refusal> for HttpError {
    fn from(cause: Refusal) -> Self {
        let (status, _, cache, public) = cause.facts();
        Self { status, public: Cow::Borrowed(public), cause, cache }
    }
}

impl HttpError {
    /// The same with a longer explanation.
    pub fn explained(self, public: String) -> Self {
        Self { public: Cow::Owned(public), ..self }
    }

    /// The same with another lifetime in caches.
    pub fn cached(self, cache: CachePolicy) -> Self {
        Self { cache, ..self }
    }

    /// The response that says so.
    pub fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(bytes::Bytes::from(format!("{}\n", self.public))));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, self.cache.header());
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response.extensions_mut().insert(Verdict { cache: self.cache, refusal: Some(self.cause) });
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
