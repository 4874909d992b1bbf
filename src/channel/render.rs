//! Renders what a channel publishes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_packager::{
    dash, hls,
    time::Grid,
    track::UNCHANGED,
    window::{Bandwidth, Window},
};

use super::{
    cmsd::{self, Format},
    edge::{Document, LowLatency, Playlist, Rendition, nominal},
    track::Writer,
};

/// A player stays this many segments behind the live edge (rfc8216bis 4.4.3.8: three target durations).
const DELAY_SEGMENTS: u32 = 3;
/// A low-latency DASH player is asked to stay this many quarters of a part behind: three parts as in HLS, and half a
/// part for what it takes to encode and to send one.
const DELAY_QUARTER_PARTS: u32 = 14;

/// What all documents of a channel have in common.
pub(super) struct View {
    pub(super) grid: Grid,
    /// How much of the past is listed.
    pub(super) window: Duration,
    /// How parts are laid out, where they are published one by one.
    pub(super) low_latency: Option<LowLatency>,
    /// True if nothing will be added.
    pub(super) ended: bool,
    /// True if bit rates are told as configured and not as measured, and nothing is of when media came: other origins have
    /// measured others.
    pub(super) nominal: bool,
    /// Nanoseconds since the Unix epoch.
    pub(super) now: i128,
    /// The same moment on the monotonic clock.
    pub(super) at: Instant,
}

impl View {
    fn media<'a>(&self, window: &'a Window, live: hls::Kind) -> hls::Media<'a> {
        hls::Media {
            window,
            target_duration: hls::target_duration(self.grid.segment),
            kind: if self.ended { hls::Kind::LiveEnded } else { live },
            low_latency: None,
        }
    }

    fn bandwidth(&self, writer: &Writer) -> Bandwidth {
        if self.nominal { nominal(writer.track().bitrate.into()) } else { writer.bandwidth() }
    }
}

/// EXT-X-TARGETDURATION of all renditions.
pub(super) fn target_duration(grid: Grid) -> Duration {
    Duration::from_secs(hls::target_duration(grid.segment).into())
}

/// What documents of a stretch say of the tracks, in their order.
pub(super) fn renditions(writers: &[Writer]) -> Arc<[Rendition]> {
    writers.iter().map(|writer| Rendition::of(writer.track().clone())).collect()
}

/// A track's playlist for readers, who are told how far the `others` are, after the one that was published `before`.
pub(super) fn playlist<'a>(
    writer: &Writer,
    others: impl Iterator<Item = &'a Writer>,
    view: &View,
    before: Option<&Playlist>,
) -> Playlist {
    let reports: Vec<_> = others.filter_map(report).collect();
    let shelf = writer.shelf();
    let low_latency = view.low_latency.map(|parts| hls::LowLatency {
        part_target: parts.part_target,
        open: shelf.open(),
        hint: shelf.hint(),
        reports: &reports,
    });
    let media = hls::Media { low_latency, ..view.media(shelf.window(), hls::Kind::Live) };
    let before = before.map(|before| &*before.whole);
    let list = hls::list(&media, before.and_then(Document::past));
    let whole = Document::list(&list, before).described(cmsd::manifest(Format::Hls, !view.ended));
    let delta = hls::delta(&media).map(|text| Arc::new(document(text, Format::Hls, view)));
    Playlist { whole: Arc::new(whole), delta }
}

/// A document for readers.
pub(super) fn document(text: String, format: Format, view: &View) -> Document {
    Document::new(text).described(cmsd::manifest(format, !view.ended))
}

fn report(writer: &Writer) -> Option<hls::Report<'_>> {
    let head = writer.shelf().head()?;
    let last_parts = writer.shelf().window().segments().back()?.parts.len() as u32;
    let (msn, parts) = if head.parts > 0 { (head.last + 1, head.parts) } else { (head.last, last_parts) };
    Some(hls::Report { track: writer.name(), msn, part: parts.checked_sub(1) })
}

/// A track's playlist as it lies in the store, where nobody answers delivery directives, after the one `before`.
pub(super) fn stored_playlist(writer: &Writer, view: &View, before: Option<&Arc<hls::Past>>) -> hls::List {
    hls::list(&view.media(writer.shelf().stored(), hls::Kind::LiveStored), before)
}

pub(super) fn multivariant(writers: &[Writer], view: &View) -> String {
    let renditions: Vec<_> = writers
        .iter()
        .map(|writer| hls::Rendition {
            track: writer.track(),
            bandwidth: view.bandwidth(writer),
            configurations: &UNCHANGED,
        })
        .collect();
    hls::multivariant(&renditions)
}

/// The MPD for readers.
pub(super) fn mpd(writers: &[Writer], view: &View) -> String {
    dash::mpd(&presentation(&representations(writers, view, |writer| writer.shelf().window()), writers, view))
}

/// The MPD as it lies in the store, where nobody streams what is not complete.
pub(super) fn stored_mpd(writers: &[Writer], view: &View) -> String {
    let view = &View { low_latency: None, ..*view };
    let representations = representations(writers, view, |writer| writer.shelf().stored());
    dash::stored_mpd(&presentation(&representations, writers, view))
}

fn representations<'a>(
    writers: &'a [Writer],
    view: &View,
    window: impl Fn(&'a Writer) -> &'a Window,
) -> Vec<dash::Representation<'a>> {
    writers
        .iter()
        .map(|writer| dash::Representation {
            track: writer.track(),
            window: window(writer),
            bandwidth: view.bandwidth(writer),
            open: view.low_latency.and(writer.shelf().opened()),
            configurations: &UNCHANGED,
        })
        .collect()
}

fn presentation<'a>(
    representations: &'a [dash::Representation<'a>],
    writers: &[Writer],
    view: &View,
) -> dash::Presentation<'a> {
    let kind = if view.ended { dash::Kind::LiveEnded } else { live(writers, view) };
    dash::Presentation { representations, kind, segment: view.grid.segment }
}

fn live(writers: &[Writer], view: &View) -> dash::Kind {
    let published_at = published_at(writers).unwrap_or(view.now);
    let Some(parts) = view.low_latency else {
        let delay = view.grid.segment * DELAY_SEGMENTS;
        return dash::Kind::Live { published_at, time_shift: view.window, delay, low_latency: None };
    };
    // Without a timeline, players take all of the time shift buffer for filled.
    let listed = writers.iter().map(|writer| writer.shelf().window().depth()).min().unwrap_or_default();
    dash::Kind::Live {
        published_at,
        time_shift: listed.min(view.window),
        delay: parts.part_target * DELAY_QUARTER_PARTS / 4,
        low_latency: Some(dash::LowLatency {
            part: view.grid.part,
            part_target: parts.part_target,
            from_capture: !view.nominal,
        }),
    }
}

/// MPD@publishTime: when the newest segment began. Interchangeable origins say the same of the same list, so that it does
/// not go back for a player that is sent from one to the other (ISO/IEC 23009-1 5.3.1.2).
fn published_at(writers: &[Writer]) -> Option<i128> {
    let began = |writer: &Writer| {
        let window = writer.shelf().window();
        Some(window.timescale().nanos(window.segments().back()?.start))
    };
    writers.iter().filter_map(began).max()
}
