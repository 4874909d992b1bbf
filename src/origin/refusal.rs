//! The reasons for which a request is not served: what a client is told, what the log calls it, and how long a cache
//! may repeat it.

use std::fmt;

use http::StatusCode;

use super::policy::CachePolicy;
use crate::{access::Denial, channel::fitness::Unfit};

/// Why a request was not served. The name is the same in the log, in metrics and here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Not GET, HEAD or OPTIONS.
    Method,
    /// The request has a body.
    RequestBody,
    /// HTTP/1.1 without exactly one Host field (RFC 9112 3.2).
    Host,
    /// Its address has asked more often than it may.
    TooManyRequests,
    /// Path and query are longer than they may be.
    UriTooLong,
    /// The request's fields are larger than they may be.
    HeaderFields,
    /// The request does not say what only the CDN knows.
    NotTheCdn,
    /// The live edge is for our own servers, and this does not say what only those know.
    NotANode,
    /// The host has another certificate than the one that was shown on this connection (RFC 9110 7.4).
    Misdirected,
    /// The path has something in it that is in none of our URLs.
    MalformedPath,
    /// The path is none of our URLs.
    UnknownPath,
    /// An `_HLS_` parameter has an impossible value (rfc8216bis 6.2.5).
    Directive,
    /// `_HLS_msn` or `_HLS_part` is further ahead than a client can know of (rfc8216bis 6.2.5.2).
    TooFarAhead,
    /// `start` and `end` are no times, or no stretch.
    StretchTimes,
    /// From `start` to `end` it is longer than may be asked for.
    StretchTooLong,
    /// The stretch lies before all that is kept, and does not come back.
    StretchGone,
    /// The stretch has not begun.
    StretchAhead,
    /// There is no such channel.
    UnknownChannel,
    /// The channel has no such track.
    UnknownTrack,
    /// The track has no such segment or init segment.
    UnknownSegment,
    /// The track has no such part.
    UnknownPart,
    /// The segment lies before all that is kept, and does not come back.
    SegmentGone,
    /// The part lies before all that are kept, and does not come back.
    PartGone,
    /// Nothing is packaged under this name.
    UnknownAsset,
    /// The page has no such file.
    UnknownPageFile,
    /// The channel has nothing to show yet.
    NotYetPublished,
    /// The playlist or MPD has not moved for too long.
    Stale,
    /// A track of the presentation has stopped, others go on.
    Incomplete,
    /// The channel has shown its slate for too long.
    Slate,
    /// The channel ended long ago.
    ChannelOver,
    /// Another server publishes the channel, and this one stands by.
    Standby,
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
    /// All of them, in the order of their statuses.
    pub const ALL: [Self; 46] = [
        Self::RequestBody,
        Self::Host,
        Self::MalformedPath,
        Self::Directive,
        Self::TooFarAhead,
        Self::StretchTimes,
        Self::StretchTooLong,
        Self::Handshake,
        Self::ViewerQuery,
        Self::NoToken,
        Self::InvalidToken,
        Self::TokenOutOfTime,
        Self::ForeignOrigin,
        Self::NotTheCdn,
        Self::NotANode,
        Self::TokenElsewhere,
        Self::UnknownPath,
        Self::UnknownChannel,
        Self::UnknownTrack,
        Self::UnknownSegment,
        Self::UnknownPart,
        Self::UnknownAsset,
        Self::UnknownPageFile,
        Self::StretchAhead,
        Self::Method,
        Self::SegmentGone,
        Self::PartGone,
        Self::StretchGone,
        Self::ChannelOver,
        Self::PreconditionFailed,
        Self::UriTooLong,
        Self::RangeNotSatisfiable,
        Self::Misdirected,
        Self::NotAWebSocket,
        Self::TooManyRequests,
        Self::HeaderFields,
        Self::NotYetPublished,
        Self::Stale,
        Self::Incomplete,
        Self::Slate,
        Self::Standby,
        Self::WaitedTooLong,
        Self::TooManyWaiters,
        Self::TooManyViewers,
        Self::StoreUnavailable,
        Self::NotReady,
    ];

    /// HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::RequestBody
            | Self::Host
            | Self::MalformedPath
            | Self::Directive
            | Self::TooFarAhead
            | Self::StretchTimes
            | Self::StretchTooLong
            | Self::Handshake
            | Self::ViewerQuery => StatusCode::BAD_REQUEST,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::ForeignOrigin | Self::NotTheCdn | Self::NotANode | Self::TokenElsewhere => {
                StatusCode::FORBIDDEN
            }
            Self::NoToken | Self::InvalidToken | Self::TokenOutOfTime => StatusCode::UNAUTHORIZED,
            Self::NotAWebSocket => StatusCode::UPGRADE_REQUIRED,
            Self::UnknownPath
            | Self::UnknownChannel
            | Self::UnknownTrack
            | Self::UnknownSegment
            | Self::UnknownPart
            | Self::UnknownAsset
            | Self::UnknownPageFile
            | Self::StretchAhead => StatusCode::NOT_FOUND,
            Self::SegmentGone | Self::PartGone | Self::StretchGone | Self::ChannelOver => StatusCode::GONE,
            Self::NotYetPublished
            | Self::Stale
            | Self::Incomplete
            | Self::Slate
            | Self::Standby
            | Self::WaitedTooLong
            | Self::TooManyWaiters
            | Self::TooManyViewers
            | Self::StoreUnavailable
            | Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::HeaderFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }

    /// How long caches may repeat it, unless the place where it happens knows better: what is wrong with one request
    /// is nobody else's business, what is wrong here spares us the next askers for a moment.
    pub fn cache(self) -> CachePolicy {
        match self.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => CachePolicy::Brief,
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
            Self::TooManyRequests => "too-many-requests",
            Self::UriTooLong => "uri-too-long",
            Self::HeaderFields => "header-fields",
            Self::NotTheCdn => "not-the-cdn",
            Self::NotANode => "not-a-node",
            Self::MalformedPath => "malformed-path",
            Self::UnknownPath => "unknown-path",
            Self::Directive => "directive",
            Self::TooFarAhead => "too-far-ahead",
            Self::StretchTimes => "stretch-times",
            Self::StretchTooLong => "stretch-too-long",
            Self::StretchGone => "stretch-gone",
            Self::StretchAhead => "stretch-ahead",
            Self::UnknownChannel => "unknown-channel",
            Self::UnknownTrack => "unknown-track",
            Self::UnknownSegment => "unknown-segment",
            Self::UnknownPart => "unknown-part",
            Self::SegmentGone => "segment-gone",
            Self::PartGone => "part-gone",
            Self::UnknownAsset => "unknown-asset",
            Self::UnknownPageFile => "unknown-page-file",
            Self::NotYetPublished => "not-yet-published",
            Self::Stale => "stale",
            Self::Incomplete => "incomplete",
            Self::Slate => "slate",
            Self::ChannelOver => "channel-over",
            Self::Standby => "standby",
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
            Self::Misdirected => "misdirected",
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
            Self::TooManyRequests => "This address asks too often. Try again in a second.",
            Self::UriTooLong => "No URI here is as long as this.",
            Self::HeaderFields => "The header fields of this request are too large.",
            Self::NotTheCdn => "This server answers its CDN only.",
            Self::NotANode => "This is for origin nodes that have the secret of edge_secret_file.",
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
            Self::StretchTimes => {
                "start and end are each a time such as 2026-11-26T03:00:00Z, or seconds since 1970, and end is behind start."
            }
            Self::StretchTooLong => "From start to end is more than may be asked for at a time.",
            Self::StretchGone => "Nothing of this stretch is kept any more.",
            Self::StretchAhead => "This stretch has not begun yet. Try again when it has.",
            Self::UnknownChannel => "There is no such channel. /channels.json lists what there is.",
            Self::UnknownTrack => "The channel has no such track. Its index.m3u8 lists what it has.",
            Self::UnknownSegment => "The track has no such segment now. Its index.m3u8 lists what it has.",
            Self::UnknownPart => "The track has no such part now. Its index.m3u8 lists what it has.",
            Self::SegmentGone => "This segment is no longer kept. The track's index.m3u8 lists what it has.",
            Self::PartGone => "This part is no longer kept. The track's index.m3u8 lists what it has.",
            Self::UnknownAsset => "Nothing is packaged under this name. /channels.json lists what there is.",
            Self::UnknownPageFile => "The page has no such file.",
            Self::NotYetPublished => "The channel has nothing to show yet. Try again in a second.",
            Self::Stale => {
                "The channel has published nothing new for too long. Try another origin, or again in a second."
            }
            Self::Incomplete => {
                "A track of the channel has published nothing new for too long. Try another origin, or again in a second."
            }
            Self::Standby => {
                "Another server publishes this channel. Ask that one, or this one again in a second."
            }
            Self::Slate => {
                "The channel has had no picture for too long. Try another origin, or again in a second."
            }
            Self::ChannelOver => "The channel has ended, and is not shown any more.",
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
            Self::Misdirected => {
                "This server does not answer for this host. Ask it over a connection of its own."
            }
            Self::PreconditionFailed => "This is not the version that If-Match asks for.",
            Self::RangeNotSatisfiable => "The range lies behind the end.",
        }
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Stale => Self::Stale,
            Unfit::Incomplete => Self::Incomplete,
            Unfit::Slate => Self::Slate,
            Unfit::Over => Self::ChannelOver,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_left_out_of_the_list_and_none_has_the_name_of_another() {
        let source = include_str!("refusal.rs");
        let names = source
            .split("Its name in the log")
            .nth(1)
            .unwrap()
            .split("What the client reads")
            .next()
            .unwrap();
        let mut listed: Vec<&str> = Refusal::ALL.iter().map(|refusal| refusal.name()).collect();
        let mut named: Vec<&str> =
            names.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        listed.sort_unstable();
        named.sort_unstable();
        assert_eq!(listed, named);
        listed.dedup();
        assert_eq!(listed.len(), Refusal::ALL.len());
    }

    #[test]
    fn they_are_listed_in_the_order_of_their_statuses() {
        assert!(Refusal::ALL.is_sorted_by_key(|refusal| refusal.status()));
    }
}
