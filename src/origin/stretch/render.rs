//! The documents of a stretch.

use std::{collections::BTreeSet, sync::Arc};

use headwater_packager::{
    dash, hls,
    track::Configurations,
    window::{Bandwidth, Segment, Window},
};

use super::{
    Which,
    past::Past,
    places::Places,
    plan::{Part, Plan},
    query::Canonical,
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
    /// Nothing is left out that may be there the next time.
    pub(super) is_whole: bool,
}

impl Rendered {
    /// Bytes.
    pub(super) fn length(&self) -> usize {
        self.whole.length() + self.delta.as_ref().map_or(0, |delta| delta.length())
    }
}

/// Makes a document of a stretch.
///
/// # Errors
/// [`Refusal::StoreUnavailable`], [`Refusal::StretchGone`] if nothing is left when it is looked for, and
/// [`Refusal::TooManyWaiters`].
pub(super) async fn render(
    past: &Past,
    places: &Places,
    channel: String,
    which: Which,
    plan: Plan,
) -> Result<Arc<Rendered>, HttpError> {
    // Before anything is read: what waits has no segments in its hands.
    let _place = places.take().await?;
    let (tracks, is_whole) = gather(past, &channel, &plan).await?;
    let told = match &which {
        Which::Playlist(_) => Vec::new(),
        Which::Multivariant(_) | Which::Mpd(_) => describe(past, &channel, &plan, &tracks).await?,
    };
    // A list of a day takes longer than others on this thread should wait.
    let render = move || {
        let tracks = stretch::aligned(tracks);
        if tracks.iter().any(Vec::is_empty) {
            return Err(Refusal::StretchGone);
        }
        let rendered = match which {
            Which::Playlist(track) => {
                playlist(&plan, plan.position(&track).ok_or(Refusal::UnknownTrack)?, tracks)
            }
            Which::Multivariant(query) => multivariant(&plan, query, &tracks, told),
            Which::Mpd(_) => mpd(&plan, tracks, &told),
        };
        Ok(Rendered { is_whole, ..rendered })
    };
    let rendered = tokio::task::spawn_blocking(render).await.map_err(|_| Refusal::StoreUnavailable)??;
    Ok(Arc::new(rendered))
}

/// The segments of all tracks, those that are not in memory from the archive, and whether that has given all that it has to have.
async fn gather(past: &Past, channel: &str, plan: &Plan) -> Result<(Vec<Vec<Segment>>, bool), HttpError> {
    let mut is_whole = true;
    let mut tracks = Vec::with_capacity(plan.tracks.len());
    for (index, part) in plan.tracks.iter().enumerate() {
        let (listing, upto) = (&part.edge.listing, plan.upto(index));
        let mut segments = Vec::new();
        let begins = listing.first().filter(|listed| plan.first < *listed);
        if let (Some(listed), Some(archive)) = (begins, &part.edge.archive) {
            let older = plan.first..=upto.min(listed - 1);
            let read = past.segments(channel, part.name(), archive, older).await;
            let read = read.map_err(|reason| not_given(&reason, channel, part))?;
            is_whole &= read.is_whole;
            segments = read.segments;
        }
        segments.extend(listing.segments(plan.first..=upto).cloned());
        tracks.push(segments);
    }
    Ok((tracks, is_whole))
}

/// What the tracks are in these segments.
async fn describe(
    past: &Past,
    channel: &str,
    plan: &Plan,
    tracks: &[Vec<Segment>],
) -> Result<Vec<Configurations>, HttpError> {
    let mut told = Vec::with_capacity(tracks.len());
    for (part, segments) in plan.tracks.iter().zip(tracks) {
        let read = past.configurations(channel, part, segments).await;
        told.push(read.map_err(|reason| not_given(&reason, channel, part))?);
    }
    Ok(told)
}

fn not_given(reason: &dyn std::error::Error, channel: &str, part: &Part) -> Refusal {
    tracing::debug!(%reason, channel, track = part.name(), "the store did not give what is listed in it");
    Refusal::StoreUnavailable
}

fn multivariant(
    plan: &Plan,
    query: Canonical,
    tracks: &[Vec<Segment>],
    mut told: Vec<Configurations>,
) -> Rendered {
    for (told, segments) in told.iter_mut().zip(tracks) {
        // Some have left with what is missing in another track.
        let named: BTreeSet<&str> = segments.iter().map(|segment| segment.era.init.as_str()).collect();
        told.retain(|init, _| named.contains(init.as_str()));
    }
    let rendition = |(part, configurations)| {
        let (Part { now, .. }, configurations): (&Part, &Configurations) = (part, configurations);
        let rates = || configurations.values().map(|each| each.bandwidth);
        let bandwidth = Bandwidth {
            peak: rates().map(|rates| rates.peak).max().unwrap_or(now.bandwidth.peak),
            average: rates().map(|rates| rates.average).max().unwrap_or(now.bandwidth.average),
        };
        hls::Rendition { track: &now.track, bandwidth, configurations }
    };
    let renditions: Vec<_> = plan.tracks.iter().zip(&told).map(rendition).collect();
    let document = Document::new(hls::multivariant_with(&renditions, &query.to_string()));
    let document = document.described(cmsd::manifest(Format::Hls, !plan.is_complete()));
    Rendered { whole: Arc::new(document), delta: None, last_msn: 0, is_whole: true }
}

fn playlist(plan: &Plan, index: usize, mut tracks: Vec<Vec<Segment>>) -> Rendered {
    let complete = plan.is_complete_in(index);
    // The same in all tracks: one that came later has begun to count with the others.
    let firsts = tracks.iter().filter_map(|segments| segments.first());
    let sequence = firsts.map(|first| first.era.sequence).max().unwrap_or(0);
    let window = Window::of(plan.tracks[index].now.track.timescale, tracks.swap_remove(index));
    let peak = window.bandwidth().peak;
    let window = window.behind(sequence, peak);
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
        is_whole: true,
    }
}

fn mpd(plan: &Plan, tracks: Vec<Vec<Segment>>, told: &[Configurations]) -> Rendered {
    let timescale = |index: usize| plan.tracks[index].now.track.timescale;
    let windows: Vec<Window> = tracks
        .into_iter()
        .enumerate()
        .map(|(index, segments)| Window::of(timescale(index), segments))
        .collect();
    let representations: Vec<_> = plan
        .tracks
        .iter()
        .zip(&windows)
        .zip(told)
        .map(|((part, window), configurations)| dash::Representation {
            track: &part.now.track,
            window,
            bandwidth: part.now.bandwidth,
            open: None,
            configurations,
        })
        .collect();
    let kind =
        if plan.is_complete() { dash::Kind::Grown { zero: plan.zero } } else { growing(plan, &windows) };
    let presentation = dash::Presentation { representations: &representations, kind, segment: plan.segment };
    let document = Document::new(dash::mpd(&presentation));
    let document = document.described(cmsd::manifest(Format::Dash, !plan.is_complete()));
    Rendered { whole: Arc::new(document), delta: None, last_msn: 0, is_whole: true }
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
