//! HLS: multivariant and media playlists (rfc8216bis).

mod language;
mod media;
mod multivariant;

use std::time::Duration;

pub use media::{Kind, Media, media};
pub use multivariant::{Rendition, multivariant};

/// EXT-X-VERSION: EXT-X-MAP in a playlist that is not I-frames-only needs 6 (rfc8216bis 8).
const VERSION: u32 = 6;

/// EXT-X-TARGETDURATION in seconds for segments that are at most this long, give or take a frame: no EXTINF, rounded
/// to the nearest second, is above it (rfc8216bis 4.4.3.1).
pub fn target_duration(longest: Duration) -> u32 {
    u32::try_from(longest.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX).max(1)
}
