//! Renders what a channel publishes.

use std::time::Duration;

use headwater_packager::{dash, hls, time::Grid};

use super::track::Writer;

/// A live player stays this many segments behind the live edge (rfc8216bis 4.4.3.8: three target durations).
const DELAY_SEGMENTS: u32 = 3;

/// What all documents of a channel have in common.
pub(super) struct View {
    pub(super) grid: Grid,
    /// How much of the past is listed.
    pub(super) window: Duration,
    /// True if nothing will be added.
    pub(super) ended: bool,
    /// Nanoseconds since the Unix epoch.
    pub(super) now: i128,
}

/// EXT-X-TARGETDURATION of all renditions.
pub(super) fn target_duration(grid: Grid) -> Duration {
    Duration::from_secs(hls::target_duration(grid.segment).into())
}

pub(super) fn media(writer: &Writer, view: &View) -> String {
    let kind = if view.ended { hls::Kind::LiveEnded } else { hls::Kind::Live };
    let target_duration = hls::target_duration(view.grid.segment);
    hls::media(&hls::Media { window: writer.window(), target_duration, kind, low_latency: None })
}

pub(super) fn multivariant(writers: &[Writer]) -> String {
    let renditions: Vec<_> = writers
        .iter()
        .map(|writer| hls::Rendition { track: writer.track(), bandwidth: writer.bandwidth() })
        .collect();
    hls::multivariant(&renditions)
}

pub(super) fn mpd(writers: &[Writer], view: &View) -> String {
    let representations: Vec<_> = writers
        .iter()
        .map(|writer| dash::Representation {
            track: writer.track(),
            window: writer.window(),
            bandwidth: writer.bandwidth(),
            open: None,
        })
        .collect();
    let kind = if view.ended {
        dash::Kind::LiveEnded
    } else {
        let delay = view.grid.segment * DELAY_SEGMENTS;
        dash::Kind::Live { published_at: view.now, time_shift: view.window, delay, low_latency: None }
    };
    dash::mpd(&dash::Presentation { representations: &representations, kind, segment: view.grid.segment })
}
