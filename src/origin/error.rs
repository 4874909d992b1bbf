//! What goes wrong with a listener, and the responses that refuse.

use std::{borrow::Cow, net::SocketAddr};

use http::{HeaderName, HeaderValue, StatusCode, header};
use thiserror::Error;

use super::{
    body::Body,
    policy::CachePolicy,
    preview::handshake,
    refusal::Refusal,
    reply::{Reply, Verdict},
    respond::METHODS,
};

/// The refusal's name, for programs: what a player or a CDN that fails over has to know.
const REASON: HeaderName = HeaderName::from_static("headwater-reason");

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
    /// Seconds until it may be worth another try, where that is said.
    pub retry_after: u32,
}

impl From<Refusal> for HttpError {
    fn from(cause: Refusal) -> Self {
        Self {
            status: cause.status(),
            public: Cow::Borrowed(cause.words()),
            cause,
            cache: cause.cache(),
            retry_after: 1,
        }
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

    /// The same that is not worth another try before so many seconds have passed.
    pub fn later(self, retry_after: u32) -> Self {
        Self { retry_after, ..self }
    }

    /// The reply that says so.
    pub fn reply(self) -> Reply {
        let body = Body::from(bytes::Bytes::from(format!("{}\n", self.public)));
        let mut reply = Reply::new(self.status, body, self.cache);
        let headers = reply.fields();
        headers.insert(REASON, HeaderValue::from_static(self.cause.name()));
        // It is text, or what `problem` makes of it.
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Some(challenge) = challenge(self.cause) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(handshake::VERSION));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after));
            }
            // It will be there, which cannot be said of anything else that is not (RFC 9110 10.2.3).
            StatusCode::NOT_FOUND if self.cause == Refusal::StretchAhead => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after));
            }
            _ => {}
        }
        reply.verdict = Verdict { cache: self.cache, refusal: Some(self.cause) };
        reply.refused = Some(Box::new(self));
        reply
    }
}

/// What would have been let in (RFC 6750 3).
fn challenge(cause: Refusal) -> Option<&'static str> {
    match cause {
        Refusal::NoToken => Some("Bearer"),
        Refusal::InvalidToken | Refusal::TokenOutOfTime => Some("Bearer error=\"invalid_token\""),
        Refusal::TokenElsewhere => Some("Bearer error=\"insufficient_scope\""),
        _ => None,
    }
}
