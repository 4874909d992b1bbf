//! HLS: multivariant and media playlists (rfc8216bis).

mod language;
mod low_latency;
mod media;
mod multivariant;
mod part_target;
mod past;

use std::time::Duration;

pub use low_latency::{LowLatency, Report};
pub use media::{Kind, Media, delta, media};
pub use multivariant::{Rendition, multivariant, multivariant_with};
pub use part_target::{PartError, part_target};
pub use past::{List, Past, list};

/// EXT-X-VERSION: EXT-X-MAP in a playlist that is not I-frames-only needs 6 (rfc8216bis 8).
const VERSION: u32 = 6;

/// EXT-X-VERSION where EXT-X-SKIP may be (rfc8216bis 8).
const VERSION_WITH_SKIP: u32 = 9;

/// EXT-X-TARGETDURATION in seconds for segments that are at most this long, give or take a frame: no EXTINF, rounded
/// to the nearest second, is above it (rfc8216bis 4.4.3.1).
pub fn target_duration(longest: Duration) -> u32 {
    u32::try_from(longest.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX).max(1)
}

/// Nanoseconds as a decimal number of seconds, exact and without trailing zeros.
fn decimal(nanos: i128) -> String {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    let short = text.trim_end_matches('0');
    // At least three decimals: what other packagers write, and some parsers expect a fraction.
    text[..short.len().max(text.len() - 6)].to_owned()
}
