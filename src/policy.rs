//! How long caches may keep what, and nothing else decides it (cdn-config/README.md has the table).
//!
//! All say it with Cache-Control. CDN-Cache-Control (RFC 9213) goes along where a CDN may do better than a browser: it has
//! one copy for all, can be told to forget it, and can ask for the next while it hands out the last.

mod seconds;
mod table;

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderValue, header, header::HeaderName};

/// RFC 9213 3.1.
const TARGETED: HeaderName = HeaderName::from_static("cdn-cache-control");

/// For how long a complete stretch is kept at most: as a packaged file.
const LONGEST_STRETCH: Duration = Duration::from_secs(600);

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
    /// Playlists and MPD of a stretch of a live channel that is complete: as those of a packaged file, but not for longer than
    /// it is kept.
    Stretch {
        /// For how long its first segment is sure to be kept.
        kept: Duration,
    },
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
            Self::Stretch { .. } => "stretch",
            Self::VodManifest => "vod-manifest",
            Self::Revalidate => "revalidate",
            Self::Brief => "brief",
            Self::NoStore => "no-store",
        }
    }

    /// The value of Cache-Control. No playlist of a live channel may stand in for one that failed: that is how caches and
    /// players learn that there is nothing new (`stale-if-error`, RFC 5861 4). A segment stays what it is whatever fails.
    pub fn header(self) -> HeaderValue {
        match self {
            Self::Immutable | Self::Growing => {
                HeaderValue::from_static("public, max-age=31536000, immutable, stale-if-error=86400")
            }
            Self::LivePlaylist { target } => seconds::FRESH.of(target / 2),
            Self::BlockingPlaylist { target } => seconds::FRESH.of(6 * target),
            Self::MissingBlockingPlaylist { target } => seconds::REFUSED.of(4 * target),
            Self::MissingPlaylist { target } => seconds::REFUSED.of(target),
            Self::LiveManifest => HeaderValue::from_static("public, max-age=1, stale-if-error=0"),
            Self::Stretch { kept } => seconds::FRESH.of(kept.min(LONGEST_STRETCH)),
            Self::Brief => HeaderValue::from_static("public, max-age=1"),
            Self::VodManifest => HeaderValue::from_static("public, max-age=600, stale-if-error=86400"),
            Self::Revalidate => HeaderValue::from_static("no-cache"),
            Self::NoStore => HeaderValue::from_static("no-store"),
        }
    }

    /// The value of CDN-Cache-Control, a dictionary of structured fields, where it says more than Cache-Control.
    pub fn targeted(self) -> Option<HeaderValue> {
        match self {
            // For once its lifetime, so that what is handed out is never older than one target duration.
            Self::LivePlaylist { target } => Some(seconds::SHARED.of(target / 2)),
            Self::LiveManifest => {
                Some(HeaderValue::from_static("max-age=1, stale-while-revalidate=1, stale-if-error=0"))
            }
            Self::VodManifest => Some(HeaderValue::from_static(
                "max-age=600, stale-while-revalidate=600, stale-if-error=86400",
            )),
            // Each browser asks about it each time; a CDN has an answer for all of them.
            Self::Revalidate => {
                Some(HeaderValue::from_static("max-age=5, stale-while-revalidate=5, stale-if-error=86400"))
            }
            Self::Immutable
            | Self::Growing
            | Self::BlockingPlaylist { .. }
            | Self::MissingBlockingPlaylist { .. }
            | Self::MissingPlaylist { .. }
            | Self::Stretch { .. }
            | Self::Brief
            | Self::NoStore => None,
        }
    }

    /// Tells caches of both kinds.
    pub fn tell(self, headers: &mut HeaderMap) {
        headers.insert(header::CACHE_CONTROL, self.header());
        if let Some(targeted) = self.targeted() {
            headers.insert(TARGETED, targeted);
        }
    }
}

impl fmt::Display for CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
            for (policy, header) in [
                (
                    CachePolicy::LivePlaylist { target },
                    format!("public, max-age={playlist}, stale-if-error=0"),
                ),
                (
                    CachePolicy::BlockingPlaylist { target },
                    format!("public, max-age={blocking}, stale-if-error=0"),
                ),
                (CachePolicy::MissingPlaylist { target }, format!("public, max-age={missing}")),
                (CachePolicy::MissingBlockingPlaylist { target }, format!("public, max-age={never}")),
            ] {
                assert_eq!(value(policy), header, "{policy}");
            }
            let shared = CachePolicy::LivePlaylist { target }.targeted().unwrap();
            assert_eq!(
                shared,
                format!("max-age={playlist}, stale-while-revalidate={playlist}, stale-if-error=0")
            );
        }
    }

    #[test]
    fn what_fails_is_never_hidden_behind_a_live_playlist_that_a_cache_still_has() {
        let target = Duration::from_secs(2);
        for policy in [
            CachePolicy::LivePlaylist { target },
            CachePolicy::BlockingPlaylist { target },
            CachePolicy::LiveManifest,
        ] {
            for value in [Some(policy.header()), policy.targeted()].into_iter().flatten() {
                assert!(value.to_str().unwrap().ends_with(", stale-if-error=0"), "{policy}: {value:?}");
            }
        }
        let segment = CachePolicy::Immutable.header();
        assert!(segment.to_str().unwrap().ends_with(", stale-if-error=86400"));
    }
}
