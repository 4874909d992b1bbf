//! CMSD-Static: what an object is, for caches and players that would otherwise have to look into it (CTA-5006). The values
//! are made when the object is, and shared by all who are sent it.

use std::{fmt::Write, time::Duration};

use headwater_packager::track::{Media, Track};
use http::HeaderValue;

/// How manifests are written; segments serve both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// HLS playlists.
    Hls,
    /// MPDs.
    Dash,
}

/// A playlist or an MPD; `live` if more will be added to what it lists.
pub fn manifest(format: Format, live: bool) -> HeaderValue {
    HeaderValue::from_static(match (format, live) {
        (Format::Hls, true) => "ot=m,sf=h,st=l",
        (Format::Hls, false) => "ot=m,sf=h,st=v",
        (Format::Dash, true) => "ot=m,sf=d,st=l",
        (Format::Dash, false) => "ot=m,sf=d,st=v",
    })
}

/// An init segment.
pub fn init(live: bool) -> HeaderValue {
    HeaderValue::from_static(if live { "ot=i,st=l" } else { "ot=i,st=v" })
}

/// Media of a packaged file, of which no more is known than its kind.
pub fn packaged(audio: bool) -> HeaderValue {
    HeaderValue::from_static(if audio { "ot=a,st=v" } else { "ot=v,st=v" })
}

/// A segment or a part of a live track, of this `duration` where that is known.
pub(super) fn media(track: &Track, duration: Option<Duration>) -> HeaderValue {
    let object = match track.media {
        Media::Video(_) => "v",
        Media::Audio(_) => "a",
    };
    let mut text = format!("ot={object},st=l");
    // Writing into a String cannot fail. Milliseconds and kbit/s are whole numbers.
    if let Some(duration) = duration {
        let _ = write!(text, ",d={}", (duration.as_micros() + 500) / 1000);
    }
    if track.bitrate > 0 {
        let _ = write!(text, ",br={}", track.bitrate.div_ceil(1000));
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("st=l"))
}
