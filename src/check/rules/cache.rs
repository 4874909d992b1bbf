//! How long caches may keep replies (rfc8216bis, Appendix B), and who may read them.

use std::time::Duration;

use reqwest::header::HeaderMap;

use crate::check::{
    client::Reply,
    finding::{Check, Place},
    judge::Judge,
};

/// What a document is, for the lifetime it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Document {
    /// Asked for with `_HLS_msn`: it never changes, once there.
    BlockedPlaylist,
    /// Asked for without.
    Playlist,
    /// An MPD, where a target duration is its minimumUpdatePeriod.
    Mpd,
}

/// Judges the lifetime of a live playlist or MPD.
pub(in crate::check) fn document(judge: &mut Judge, document: Document, target: Duration, reply: &Reply) {
    let limit = match document {
        Document::BlockedPlaylist => 6 * target,
        Document::Playlist => target,
        Document::Mpd => 2 * target,
    };
    let limit = limit.max(Duration::from_secs(1));
    let kept = lifetime(&reply.headers);
    judge.holds(Check::PlaylistKept, Place::WHOLE, kept.is_some_and(|kept| kept <= limit), || match kept {
        Some(kept) => {
            format!("it may be kept for {} s, and should for at most {} s", kept.as_secs(), limit.as_secs())
        }
        None => "it has no Cache-Control with max-age".into(),
    });
    cors(judge, reply);
}

/// Judges the lifetime of media that is listed for `listed`.
pub(in crate::check) fn media(judge: &mut Judge, place: Place, listed: Duration, reply: &Reply) {
    let kept = lifetime(&reply.headers);
    judge.holds(Check::MediaNotKept, place, kept.is_some_and(|kept| kept >= listed), || match kept {
        Some(kept) => {
            format!("it may be kept for {} s, and is listed for {} s", kept.as_secs(), listed.as_secs())
        }
        None => "it has no Cache-Control with max-age".into(),
    });
    cors(judge, reply);
}

/// Judges the lifetime of an error on a live path. One that names no lifetime is not kept, or briefly.
pub(in crate::check) fn error(judge: &mut Judge, place: Place, limit: Duration, reply: &Reply) {
    let kept = lifetime(&reply.headers).unwrap_or_default();
    judge.holds(Check::ErrorKept, place, kept <= limit, || {
        format!(
            "status {} may be kept for {} s, and should for at most {} s",
            reply.status,
            kept.as_secs(),
            limit.as_secs()
        )
    });
}

fn cors(judge: &mut Judge, reply: &Reply) {
    let allowed = reply.headers.contains_key("access-control-allow-origin");
    judge
        .holds(Check::CorsAbsent, Place::WHOLE, allowed, || "there is no Access-Control-Allow-Origin".into());
}

/// What shared caches go by: `s-maxage`, else `max-age`; nothing with `no-store` or `no-cache`.
pub(super) fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("cache-control")?.to_str().ok()?;
    let directives = || text.split(',').map(str::trim);
    if directives().any(|each| matches!(each, "no-store" | "no-cache" | "private")) {
        return Some(Duration::ZERO);
    }
    let seconds = |name: &str| {
        directives()
            .find_map(|each| each.strip_prefix(name)?.strip_prefix('=')?.trim_matches('"').parse().ok())
    };
    seconds("s-maxage").or_else(|| seconds("max-age")).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::Url;

    use super::*;
    use crate::check::rules::made::judge;

    fn reply(cache_control: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("access-control-allow-origin", "*".parse().unwrap());
        if !cache_control.is_empty() {
            headers.insert("cache-control", cache_control.parse().unwrap());
        }
        let (at, url) = (Duration::ZERO, Url::parse("http://host/").unwrap());
        Reply {
            url,
            status: 200,
            headers,
            body: Bytes::new(),
            sent: at,
            head: at,
            arrivals: Vec::new(),
            done: at,
        }
    }

    #[test]
    fn playlists_are_kept_briefly() {
        let target = Duration::from_secs(2);
        for (kind, header, good) in [
            (Document::Playlist, "max-age=1", true),
            (Document::Playlist, "public, max-age=3", false),
            (Document::Playlist, "no-cache", true),
            (Document::Playlist, "max-age=60, s-maxage=2", true),
            (Document::Playlist, "", false),
            (Document::BlockedPlaylist, "max-age=12", true),
            (Document::BlockedPlaylist, "max-age=13", false),
            (Document::Mpd, "max-age=5", false),
        ] {
            let mut judge = judge();
            document(&mut judge, kind, target, &reply(header));
            assert_eq!(judge.found().is_empty(), good, "{kind:?} {header}");
        }
    }

    #[test]
    fn media_is_kept_for_as_long_as_it_is_listed_and_errors_hardly_at_all() {
        for (header, good) in [("max-age=31536000, immutable", true), ("max-age=10", false), ("", false)] {
            let mut judge = judge();
            media(&mut judge, Place::WHOLE, Duration::from_secs(60), &reply(header));
            assert_eq!(judge.found().is_empty(), good, "{header}");
        }
        for (header, good) in [("max-age=1", true), ("", true), ("no-store", true), ("max-age=60", false)] {
            let mut judge = judge();
            error(&mut judge, Place::WHOLE, Duration::from_secs(1), &reply(header));
            assert_eq!(judge.found().is_empty(), good, "{header}");
        }
    }
}
