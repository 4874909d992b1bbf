//! How long caches may keep what, and nothing else decides it (cdn-config/README.md has the table).

mod table;

use std::{fmt, time::Duration};

use http::{HeaderName, HeaderValue, header};

/// A cache decision. The name is the same in the log, in metrics and in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CachePolicy {
    /// Segments, init segments and hashed files of the page: one URL has one body, for ever.
    Immutable,
    /// A live media playlist that was not waited for: half a target duration (rfc8216bis Appendix B).
    LivePlaylist {
        /// EXT-X-TARGETDURATION.
        target: Duration,
    },
    /// A live media playlist that was asked for with `_HLS_msn`: six target durations (rfc8216bis Appendix B).
    BlockingPlaylist {
        /// EXT-X-TARGETDURATION.
        target: Duration,
    },
    /// A segment that is still being made: what is sent in the end is what its URL will always have.
    Growing,
    /// A media playlist that a live channel does not have and that was asked for with `_HLS_msn`: four target durations
    /// (rfc8216bis Appendix B).
    MissingBlockingPlaylist {
        /// EXT-X-TARGETDURATION.
        target: Duration,
    },
    /// A media playlist that a live channel does not have: one target duration (rfc8216bis Appendix B).
    MissingPlaylist {
        /// EXT-X-TARGETDURATION.
        target: Duration,
    },
    /// Multivariant playlist and MPD of a live channel, and the list of channels.
    LiveManifest,
    /// Playlists and MPD of a packaged file: they change only when it is packaged again under its name.
    VodManifest,
    /// The page itself and its files without a hash: kept, but asked about each time.
    Revalidate,
    /// A refusal that may be over in a moment: long enough to spare the origin a storm.
    Brief,
    /// What is true for this request only.
    NoStore,
}

impl CachePolicy {
    /// Its name in the log and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Immutable => "immutable",
            Self::LivePlaylist { .. } => "live-playlist",
            Self::BlockingPlaylist { .. } => "blocking-playlist",
            Self::Growing => "growing",
            Self::MissingBlockingPlaylist { .. } => "missing-blocking-playlist",
            Self::MissingPlaylist { .. } => "missing-playlist",
            Self::LiveManifest => "live-manifest",
            Self::VodManifest => "vod-manifest",
            Self::Revalidate => "revalidate",
            Self::Brief => "brief",
            Self::NoStore => "no-store",
        }
    }

    /// All header fields that say it.
    pub fn fields(self) -> Vec<(HeaderName, HeaderValue)> {
        vec![(header::CACHE_CONTROL, self.header())]
    }

    /// The value of Cache-Control.
    pub fn header(self) -> HeaderValue {
        match self {
            Self::Immutable | Self::Growing => {
                HeaderValue::from_static("public, max-age=31536000, immutable")
            }
            Self::LivePlaylist { target } => max_age(target / 2),
            Self::BlockingPlaylist { target } => max_age(6 * target),
            Self::MissingBlockingPlaylist { target } => max_age(4 * target),
            Self::MissingPlaylist { target } => max_age(target),
            Self::LiveManifest | Self::Brief => HeaderValue::from_static("public, max-age=1"),
            Self::VodManifest => HeaderValue::from_static("public, max-age=600"),
            Self::Revalidate => HeaderValue::from_static("no-cache"),
            Self::NoStore => HeaderValue::from_static("no-store"),
        }
    }
}

impl fmt::Display for CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Delta-seconds are whole (RFC 9111 1.2.2): rounded down so that nothing is kept too long, but at least 1, because 0
/// would send every viewer of a CDN to the origin.
fn max_age(lifetime: Duration) -> HeaderValue {
    HeaderValue::try_from(format!("public, max-age={}", lifetime.as_secs().max(1)))
        .unwrap_or(HeaderValue::from_static("no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_of_live_playlists_follow_the_target_duration() {
        for (seconds, playlist, missing, blocking, never) in
            [(0, 1, 1, 1, 1), (1, 1, 1, 6, 4), (2, 1, 2, 12, 8), (5, 2, 5, 30, 20), (6, 3, 6, 36, 24)]
        {
            let target = Duration::from_secs(seconds);
            let value = |policy: CachePolicy| policy.header().to_str().unwrap().to_owned();
            for (policy, seconds) in [
                (CachePolicy::LivePlaylist { target }, playlist),
                (CachePolicy::MissingPlaylist { target }, missing),
                (CachePolicy::BlockingPlaylist { target }, blocking),
                (CachePolicy::MissingBlockingPlaylist { target }, never),
            ] {
                assert_eq!(value(policy), format!("public, max-age={seconds}"), "{policy}");
            }
        }
    }
}
