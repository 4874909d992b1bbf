//! The table of cdn-config/README.md, as the policies themselves have it.

use std::{fmt::Write, time::Duration};

use http::{HeaderMap, header};

use super::CachePolicy;

/// Target durations whose lifetimes are printed where they depend on it.
const TARGETS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(6)];

impl CachePolicy {
    /// All of them, for a live channel with this EXT-X-TARGETDURATION.
    pub fn all(target: Duration) -> [Self; 12] {
        [
            Self::Immutable,
            Self::Growing,
            Self::LivePlaylist { target },
            Self::BlockingPlaylist { target },
            Self::MissingPlaylist { target },
            Self::MissingBlockingPlaylist { target },
            Self::LiveManifest,
            Self::Stretch { kept: Duration::MAX },
            Self::VodManifest,
            Self::Revalidate,
            Self::Brief,
            Self::NoStore,
        ]
    }

    /// What it is said of, for people who set up caches.
    pub fn covers(self) -> &'static str {
        match self {
            Self::Immutable => {
                "`/live/{channel}/{track}/{number}.m4s`, `{number}.{part}.m4s`, `init-{hash}.mp4`, likewise below \
                 `/vod/`; `/assets/*` of the page"
            }
            Self::Growing => {
                "`{number}.m4s` while it is being made, without `Content-Length` and `ETag`; to HTTP/1.0 it is `no-store`"
            }
            Self::LivePlaylist { .. } => {
                "`/live/{channel}/{track}/index.m3u8`, also with `start` while it grows: half a TD, at least 1 s"
            }
            Self::BlockingPlaylist { .. } => "the same with `_HLS_msn`: six TD",
            Self::MissingPlaylist { .. } => {
                "404 of a media playlist, in a channel that exists: one TD, at least 1 s"
            }
            Self::MissingBlockingPlaylist { .. } => "the same with `_HLS_msn`: four TD",
            Self::LiveManifest => {
                "`/live/{channel}/index.m3u8`, `/live/{channel}/manifest.mpd`, also with `start` while they grow; `/channels.json`"
            }
            Self::Stretch { .. } => {
                "playlists and MPD of a live channel with `start` and `end`, once the end is passed: not for longer than that stretch is \
                 kept, as far as that is known, and 10 minutes at most"
            }
            Self::VodManifest => "`/vod/{asset}/…/index.m3u8`, `/vod/{asset}/manifest.mpd`",
            Self::Revalidate => "`/` and files of the page without a hash",
            Self::Brief => "all other 404, 410 and 503, and 400 of an `_HLS_msn` too far ahead",
            Self::NoStore => {
                "`/time`, OPTIONS, 307, 401, other 400, 403, 405, 412, 414, 416, 421, 426, 429, 431, and 503 where too many wait or \
                 watch"
            }
        }
    }

    /// All policies as a table in Markdown.
    pub fn table() -> String {
        let [short, long] = TARGETS.map(Self::all);
        let mut table = String::from("| what | policy | says |\n|---|---|---|\n");
        for (short, long) in short.into_iter().zip(long) {
            let (at_short, at_long) = (said(short), said(long));
            let says = if at_short == at_long {
                at_short
            } else {
                let [short, long] = TARGETS.map(|target| target.as_secs());
                format!("TD {short} s: {at_short}<br>TD {long} s: {at_long}")
            };
            let _ = writeln!(table, "| {} | `{}` | {says} |", short.covers(), short.name());
        }
        table
    }
}

/// Its header fields, without the name of the one that all have.
fn said(policy: CachePolicy) -> String {
    let mut headers = HeaderMap::new();
    policy.tell(&mut headers);
    let fields = headers.iter().map(|(name, value)| {
        let value = value.to_str().unwrap_or_default();
        if name == header::CACHE_CONTROL { format!("`{value}`") } else { format!("`{name}: {value}`") }
    });
    fields.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_a_row_of_its_own() {
        let table = CachePolicy::table();
        for policy in CachePolicy::all(TARGETS[0]) {
            let named = format!("| `{policy}` |");
            assert_eq!(table.matches(&named).count(), 1, "{policy}");
        }
        let blocking = "| TD 2 s: `public, max-age=12, stale-if-error=0`<br>TD 6 s: `public, max-age=36, stale-if-error=0` |";
        assert!(table.contains(blocking), "{table}");
    }
}
