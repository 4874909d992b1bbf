//! The documents of a stretch.

use std::sync::Arc;

use headwater_packager::{
    dash, hls,
    window::{Segment, Window},
};

use super::{
    past::Past,
    places::Places,
    plan::{Part, Plan},
};
use crate::{
    channel::{
        cmsd::{self, Format},
        edge::Document,
        stretch,
    },
    origin::{error::HttpError, refusal::Refusal},
};

/// How many segments players stay behind the live edge (rfc8216bis 4.4.3.8: three target durations).
const DELAY_SEGMENTS: u32 = 3;

/// A media playlist or an MPD.
#[derive(Debug)]
pub(super) struct Rendered {
    /// All of it.
    pub(super) whole: Arc<Document>,
    /// The delta update, where it would leave something out.
    pub(super) delta: Option<Arc<Document>>,
    /// Media sequence number of the last entry of a playlist.
    pub(super) last_msn: i64,
}

impl Rendered {
    /// Bytes.
    pub(super) fn length(&self) -> usize {
        self.whole.length() + self.delta.as_ref().map_or(0, |delta| delta.length())
    }
}

/// The multivariant playlist.
pub(super) fn multivariant(plan: &Plan) -> Document {
    let rendition = |part| {
        let Part { track, bandwidth, .. }: &Part = part;
        hls::Rendition { track, bandwidth: *bandwidth }
    };
    let renditions: Vec<_> = plan.tracks.iter().map(rendition).collect();
    let text = hls::multivariant_with(&renditions, &plan.query.to_string());
    Document::new(text).described(cmsd::manifest(Format::Hls, !plan.is_complete()))
}

/// Lists the segments of the track at a position, or of all in an MPD.
///
/// # Errors
/// [`Refusal::StoreUnavailable`], [`Refusal::StretchGone`] if nothing is left when it is looked for, and
/// [`Refusal::TooManyWaiters`].
pub(super) async fn render(
    past: &Past,
    places: &Places,
    channel: String,
    index: Option<usize>,
    plan: Plan,
) -> Result<Arc<Rendered>, HttpError> {
    // Before anything is read: what waits has no segments in its hands.
    let _place = places.take().await?;
    let tracks = gather(past, &channel, &plan).await?;
    // A list of a day takes longer than others on this thread should wait.
    let render = move || {
        let tracks = stretch::aligned(tracks);
        if tracks.iter().any(Vec::is_empty) {
            return Err(Refusal::StretchGone);
        }
        Ok(match index {
            Some(index) => playlist(&plan, index, tracks),
            None => mpd(&plan, tracks),
        })
    };
    let rendered = tokio::task::spawn_blocking(render).await.map_err(|_| Refusal::StoreUnavailable)??;
    Ok(Arc::new(rendered))
}

/// The segments of all tracks, those that are not in memory from the archive.
async fn gather(past: &Past, channel: &str, plan: &Plan) -> Result<Vec<Vec<Segment>>, HttpError> {
    let mut tracks = Vec::with_capacity(plan.tracks.len());
    for (index, part) in plan.tracks.iter().enumerate() {
        let (listing, upto) = (&part.edge.listing, plan.upto(index));
        let mut segments = Vec::new();
        let begins = listing.first().filter(|listed| plan.first < *listed);
        if let (Some(listed), Some(archive)) = (begins, &part.edge.archive) {
            let older = plan.first..=upto.min(listed - 1);
            let name = &part.track.name;
            let read = past.segments(channel, name, archive, older).await;
            segments = read.map_err(|reason| {
                tracing::debug!(%reason, channel, track = name, "the store did not give what is listed in it");
                Refusal::StoreUnavailable
            })?;
        }
        segments.extend(listing.segments(plan.first..=upto).cloned());
        tracks.push(segments);
    }
    Ok(tracks)
}

fn playlist(plan: &Plan, index: usize, mut tracks: Vec<Vec<Segment>>) -> Rendered {
    let complete = plan.is_complete_in(index);
    let window = Window::of(plan.tracks[index].track.timescale, tracks.swap_remove(index));
    let media = hls::Media {
        window: &window,
        target_duration: u32::try_from(plan.target.as_secs()).unwrap_or(u32::MAX),
        kind: if complete { hls::Kind::EventEnded } else { hls::Kind::Event },
        low_latency: None,
    };
    let document = |text| {
        let document = Document::new(text).described(cmsd::manifest(Format::Hls, !complete));
        Arc::new(document)
    };
    Rendered {
        whole: document(hls::media(&media)),
        delta: hls::delta(&media).map(document),
        last_msn: window.media_sequence() + window.segments().len() as i64 - 1,
    }
}

fn mpd(plan: &Plan, tracks: Vec<Vec<Segment>>) -> Rendered {
    let timescale = |index: usize| plan.tracks[index].track.timescale;
    let windows: Vec<Window> = tracks
        .into_iter()
        .enumerate()
        .map(|(index, segments)| Window::of(timescale(index), segments))
        .collect();
    let representations: Vec<_> = plan
        .tracks
        .iter()
        .zip(&windows)
        .map(|(part, window)| dash::Representation {
            track: &part.track,
            window,
            bandwidth: part.bandwidth,
            open: None,
        })
        .collect();
    let kind =
        if plan.is_complete() { dash::Kind::Grown { zero: plan.zero } } else { growing(plan, &windows) };
    let presentation = dash::Presentation { representations: &representations, kind, segment: plan.segment };
    let document = Document::new(dash::mpd(&presentation));
    let document = document.described(cmsd::manifest(Format::Dash, !plan.is_complete()));
    Rendered { whole: Arc::new(document), delta: None, last_msn: 0 }
}

fn growing(plan: &Plan, windows: &[Window]) -> dash::Kind {
    let newest = windows
        .iter()
        .filter_map(|window| Some(window.timescale().nanos(window.segments().back()?.start)))
        .max();
    dash::Kind::Growing {
        published_at: newest.unwrap_or(0),
        zero: plan.zero,
        delay: plan.segment.saturating_mul(DELAY_SEGMENTS),
    }
}
