//! Content types.

/// HLS playlists (rfc8216bis 4).
pub const HLS: &str = "application/vnd.apple.mpegurl";
/// MPD (ISO/IEC 23009-1 Annex C).
pub const DASH: &str = "application/dash+xml";
/// JSON.
pub const JSON: &str = "application/json";
/// OpenMetrics 1.0.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What no player reads.
pub const BINARY: &str = "application/octet-stream";
/// Plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// Init segments and segments of the track called `name` (ISO/IEC 23000-19 7.3.4 allows the types of MP4).
pub fn of_track(name: &str) -> &'static str {
    if is_audio(name) { "audio/mp4" } else { "video/mp4" }
}

/// True if the track called `name` is sound.
pub fn is_audio(name: &str) -> bool {
    name.starts_with("audio-")
}

/// What lies at `path` in the store, whose layout is that of URLs.
pub fn of_path(path: &str) -> &'static str {
    let mut names = path.rsplit('/');
    let (file, track) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    match file.rsplit_once('.').map_or("", |(_, end)| end) {
        "m3u8" => HLS,
        "mpd" => DASH,
        "json" => JSON,
        "m4s" | "mp4" => of_track(track),
        _ => BINARY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_of_the_type_that_its_url_is_served_with() {
        for (path, media_type) in [
            ("live/a/index.m3u8", HLS),
            ("live/a/360p/index.m3u8", HLS),
            ("live/a/manifest.mpd", DASH),
            ("live/a/360p/1.m4s", "video/mp4"),
            ("live/a/audio-en/init-0a.mp4", "audio/mp4"),
            ("live/a/state.json", JSON),
            ("live/a/opening.wire", BINARY),
        ] {
            assert_eq!(of_path(path), media_type, "{path}");
        }
    }
}
