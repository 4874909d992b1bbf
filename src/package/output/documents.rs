//! The playlists and the manifest, written when every segment is there.

use std::time::Duration;

use headwater_packager::{dash, hls, track::UNCHANGED, window::Window};

use super::{Output, Rendition};
use crate::{package::Error, store::LIST};

impl Output {
    /// Writes all documents, those that players begin with last.
    pub(in crate::package) fn publish(
        &mut self,
        renditions: &[Rendition],
        segment: Duration,
    ) -> Result<(), Error> {
        let target_duration = target_duration(renditions.iter().map(Rendition::window));
        for rendition in renditions {
            let name = &rendition.track().name;
            self.document(&format!("{name}/{LIST}"), &rendition.hashes().to_text())?;
            let media = hls::Media {
                window: rendition.window(),
                target_duration,
                kind: hls::Kind::OnDemand,
                low_latency: None,
            };
            self.document(&format!("{name}/index.m3u8"), &hls::media(&media))?;
        }
        let representations: Vec<_> = renditions
            .iter()
            .map(|each| dash::Representation {
                track: each.track(),
                window: each.window(),
                bandwidth: each.window().bandwidth(),
                open: None,
                configurations: &UNCHANGED,
            })
            .collect();
        let presentation =
            dash::Presentation { representations: &representations, kind: dash::Kind::OnDemand, segment };
        self.document("manifest.mpd", &dash::mpd(&presentation))?;
        let renditions: Vec<_> = renditions
            .iter()
            .map(|each| hls::Rendition {
                track: each.track(),
                bandwidth: each.window().bandwidth(),
                configurations: &UNCHANGED,
            })
            .collect();
        self.document("index.m3u8", &hls::multivariant(&renditions))
    }
}

/// The longest segment of all, rounded to the nearest second (rfc8216bis 4.4.3.1).
fn target_duration<'a>(windows: impl Iterator<Item = &'a Window>) -> u32 {
    let rounded = |window: &Window| {
        let longest = window.segments().iter().map(|segment| segment.duration).max().unwrap_or(0);
        window.timescale().seconds(longest).round() as u32
    };
    windows.map(rounded).max().unwrap_or(1).max(1)
}
