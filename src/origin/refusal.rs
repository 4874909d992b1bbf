//! The reasons for which a request is not served: what a client is told, what the log calls it, and how long a cache
//! may repeat it.

use std::fmt;

use http::StatusCode;

use super::policy::CachePolicy;
use crate::access::Denial;

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
    /// `_HLS_msn` or `_HLS_part` is further ahead than a client can know of (rfc8216bis 6.2.5.2).
    TooFarAhead,
    /// There is no such channel.
    UnknownChannel,
    /// The channel has no such track.
    UnknownTrack,
    /// The track has no such segment or init segment, or no longer.
    UnknownSegment,
    /// The track has no such part, or no longer.
    UnknownPart,
    /// Nothing is packaged under this name.
    UnknownAsset,
    /// The page has no such file.
    UnknownPageFile,
    /// The channel has nothing to show yet.
    NotYetPublished,
    /// What was waited for did not come in time.
    WaitedTooLong,
    /// As many requests wait as may.
    TooManyWaiters,
    /// A WebSocket is to be opened here, and this does not ask for one that we speak.
    NotAWebSocket,
    /// What asks for a WebSocket is not a whole handshake (RFC 6455 4.2.1), or does not offer our protocol.
    Handshake,
    /// A page that is not ours wants to open a WebSocket.
    ForeignOrigin,
    /// A viewer wants to begin with something that there is not.
    ViewerQuery,
    /// As many viewers watch as may.
    TooManyViewers,
    /// What is asked for is signed, and no token comes with it.
    NoToken,
    /// The token is not one that a key of ours has signed.
    InvalidToken,
    /// The token has expired, or does not count yet.
    TokenOutOfTime,
    /// The token opens other paths.
    TokenElsewhere,
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
    /// HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::RequestBody
            | Self::Host
            | Self::MalformedPath
            | Self::Directive
            | Self::TooFarAhead
            | Self::Handshake
            | Self::ViewerQuery => StatusCode::BAD_REQUEST,
            Self::ForeignOrigin | Self::TokenElsewhere => StatusCode::FORBIDDEN,
            Self::NoToken | Self::InvalidToken | Self::TokenOutOfTime => StatusCode::UNAUTHORIZED,
            Self::NotAWebSocket => StatusCode::UPGRADE_REQUIRED,
            Self::UnknownPath
            | Self::UnknownChannel
            | Self::UnknownTrack
            | Self::UnknownSegment
            | Self::UnknownPart
            | Self::UnknownAsset
            | Self::UnknownPageFile => StatusCode::NOT_FOUND,
            Self::NotYetPublished
            | Self::WaitedTooLong
            | Self::TooManyWaiters
            | Self::TooManyViewers
            | Self::StoreUnavailable
            | Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }

    /// How long caches may repeat it, unless the place where it happens knows better: what is wrong with one request
    /// is nobody else's business, what is wrong here spares us the next askers for a moment.
    pub fn cache(self) -> CachePolicy {
        match self.status() {
            StatusCode::NOT_FOUND => CachePolicy::Brief,
            StatusCode::SERVICE_UNAVAILABLE
                if !matches!(self, Self::NotReady | Self::TooManyWaiters | Self::TooManyViewers) =>
            {
                CachePolicy::Brief
            }
            // Right in a moment, so it spares us a client that asks again and again.
            _ if self == Self::TooFarAhead => CachePolicy::Brief,
            _ => CachePolicy::NoStore,
        }
    }

    /// Its name in the log and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::RequestBody => "request-body",
            Self::Host => "host",
            Self::MalformedPath => "malformed-path",
            Self::UnknownPath => "unknown-path",
            Self::Directive => "directive",
            Self::TooFarAhead => "too-far-ahead",
            Self::UnknownChannel => "unknown-channel",
            Self::UnknownTrack => "unknown-track",
            Self::UnknownSegment => "unknown-segment",
            Self::UnknownPart => "unknown-part",
            Self::UnknownAsset => "unknown-asset",
            Self::UnknownPageFile => "unknown-page-file",
            Self::NotYetPublished => "not-yet-published",
            Self::WaitedTooLong => "waited-too-long",
            Self::TooManyWaiters => "too-many-waiters",
            Self::NotAWebSocket => "not-a-websocket",
            Self::Handshake => "handshake",
            Self::ForeignOrigin => "foreign-origin",
            Self::ViewerQuery => "viewer-query",
            Self::TooManyViewers => "too-many-viewers",
            Self::NoToken => "no-token",
            Self::InvalidToken => "invalid-token",
            Self::TokenOutOfTime => "token-out-of-time",
            Self::TokenElsewhere => "token-elsewhere",
            Self::StoreUnavailable => "store-unavailable",
            Self::NotReady => "not-ready",
            Self::PreconditionFailed => "precondition-failed",
            Self::RangeNotSatisfiable => "range-not-satisfiable",
        }
    }

    /// What the client reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::Method => "Only GET, HEAD and OPTIONS are answered here.",
            Self::RequestBody => "A request here has no body.",
            Self::Host => "An HTTP/1.1 request has exactly one Host field.",
            Self::MalformedPath => {
                "A path here is made of names of letters, digits, '.', '_' and '-', with one slash between them."
            }
            Self::UnknownPath => "There is nothing at this path. /channels.json lists what there is.",
            Self::Directive => {
                "_HLS_msn and _HLS_part are whole numbers, a part comes with its msn, and _HLS_skip is YES or v2."
            }
            Self::TooFarAhead => {
                "_HLS_msn and _HLS_part are at most two segments, or three seconds of parts, ahead of the playlist."
            }
            Self::UnknownChannel => "There is no such channel. /channels.json lists what there is.",
            Self::UnknownTrack => "The channel has no such track. Its index.m3u8 lists what it has.",
            Self::UnknownSegment => "The track has no such segment now. Its index.m3u8 lists what it has.",
            Self::UnknownPart => "The track has no such part now. Its index.m3u8 lists what it has.",
            Self::UnknownAsset => "Nothing is packaged under this name. /channels.json lists what there is.",
            Self::UnknownPageFile => "The page has no such file.",
            Self::NotYetPublished => "The channel has nothing to show yet. Try again in a second.",
            Self::WaitedTooLong => "This did not come in time. Try again in a second.",
            Self::TooManyWaiters => "Too many requests wait already. Try again in a second.",
            Self::NotAWebSocket => {
                "This is a WebSocket of version 13 over HTTP/1.1. docs/wire.md tells how to use it."
            }
            Self::Handshake => {
                "A handshake here has Connection, Upgrade, one Sec-WebSocket-Key of 16 bytes, and the protocol headwater.v1."
            }
            Self::ForeignOrigin => {
                "Pages of this origin may not open WebSockets here. server.origins lists which may."
            }
            Self::ViewerQuery => "format is frames or cmaf, and height is a whole number of pixels.",
            Self::TooManyViewers => "Too many viewers watch already. Try again in a few seconds.",
            Self::NoToken => "This is for those who have a token.",
            // The one is not told from the other: who tries out tokens learns nothing of keys.
            Self::InvalidToken | Self::TokenOutOfTime => "The token is not valid, or not at this time.",
            Self::TokenElsewhere => "The token is not for this.",
            Self::StoreUnavailable => "This cannot be read at the moment. Try again in a second.",
            Self::NotReady => "This server is not ready.",
            Self::PreconditionFailed => "This is not the version that If-Match asks for.",
            Self::RangeNotSatisfiable => "The range lies behind the end.",
        }
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Absent => Self::NoToken,
            Denial::Invalid => Self::InvalidToken,
            Denial::OutOfTime => Self::TokenOutOfTime,
            Denial::Elsewhere => Self::TokenElsewhere,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
