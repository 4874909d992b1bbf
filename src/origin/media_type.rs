//! Content types.

/// HLS playlists (rfc8216bis 4).
pub const HLS: &str = "application/vnd.apple.mpegurl";
/// MPD (ISO/IEC 23009-1 Annex C).
pub const DASH: &str = "application/dash+xml";
/// JSON.
pub const JSON: &str = "application/json";
/// OpenMetrics 1.0.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
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
