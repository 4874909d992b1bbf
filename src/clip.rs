//! `headwater clip`: a stretch of what is kept of a channel becomes a presentation or a file of its own. Media is copied,
//! not encoded, and the server may run or not.

mod error;
mod file;
mod presentation;
mod target;

use std::{fmt, ops::RangeInclusive, time::Duration};

use headwater_packager::{
    track::{Configurations, Track},
    window::{Segment, Window},
};

pub use self::error::Error;
use self::target::Target;
use crate::{
    channel::stretch::{Kept, aligned, leave_out_younger},
    config,
    package::Progress,
    store::Store,
};

/// What to cut out, and where it is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the channel.
    pub channel: String,
    /// How long its segments are.
    pub segment: Duration,
    /// Where it begins, in nanoseconds since the Unix epoch.
    pub from: i64,
    /// Where it ends.
    pub to: i64,
    /// A file whose name ends in `.mp4`, or a directory or the URL of a store for a presentation.
    pub out: String,
    /// The video track that goes into a file; without one, the best.
    pub rung: Option<String>,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Where it is.
    pub out: String,
    /// Names of its tracks.
    pub tracks: Vec<String>,
    /// How long it is.
    pub length: Duration,
    /// How many segments each track has.
    pub segments: usize,
    /// True if something is missing: before, behind or in the middle.
    pub is_cut: bool,
}

/// A track of the stretch.
struct Part<'a> {
    /// As it is now.
    track: &'a Track,
    window: Window,
    /// What it is in the stretch.
    configurations: Configurations,
}

impl Request {
    /// Numbers of all segments that are wanted.
    fn numbers(&self) -> RangeInclusive<i64> {
        let length = i64::try_from(self.segment.as_nanos()).unwrap_or(i64::MAX).max(1);
        self.from.div_euclid(length)..=(self.to - 1).div_euclid(length)
    }
}

/// Cuts it out of the `store` that `config` says.
///
/// # Errors
/// What, where, and what would be right. Nothing is left of what was written to this machine, also if the future is dropped.
pub async fn run(store: &Store, config: &config::Store, request: &Request) -> Result<Summary, Error> {
    let unknown = || Error::UnknownChannel { channel: request.channel.clone(), store: store.url().into() };
    let kept = Kept::read(store, &request.channel).await?.ok_or_else(unknown)?;
    let wanted = request.numbers();
    let file = request.out.ends_with(".mp4");
    let tracks = match &request.rung {
        Some(rung) => file::with_rung(kept.tracks(), rung)?,
        None => kept.tracks().iter().collect(),
    };
    let mut parts = gather(store, &kept, list(store, &kept, tracks, &wanted).await?).await?;
    if file {
        parts = file::with_best(parts);
    }
    if parts.is_empty() || parts.iter().any(|part| part.window.segments().is_empty()) {
        return Err(Error::nothing(request, kept.numbers()));
    }
    let target = Target::new(&request.out, file, config).await?;
    let mut progress = Progress::start();
    progress.of(length(&parts));
    let source = Source { store, channel: &request.channel };
    let written = if file {
        file::write(&source, &parts, &target, &mut progress).await
    } else {
        presentation::write(&source, &parts, &target, &mut progress, request.segment).await
    };
    written?;
    target.keep()?;
    let segments = parts.iter().map(|part| part.window.segments().len()).max().unwrap_or(0);
    Ok(Summary {
        out: request.out.clone(),
        tracks: parts.iter().map(|part| part.track.name.clone()).collect(),
        length: length(&parts),
        segments,
        is_cut: (segments as i64) < wanted.end() - wanted.start() + 1,
    })
}

/// Where media comes from.
struct Source<'a> {
    store: &'a Store,
    channel: &'a str,
}

impl Source<'_> {
    async fn read(&self, track: &str, file: &str) -> Result<bytes::Bytes, Error> {
        Ok(self.store.get(&format!("live/{}/{track}/{file}", self.channel)).await?)
    }
}

/// The segments of a track, oldest first.
type Listed<'a> = (&'a Track, Vec<Segment>);

/// What there is of the tracks, without those that came later than others of their kind.
async fn list<'a>(
    store: &Store,
    kept: &Kept,
    tracks: Vec<&'a Track>,
    wanted: &RangeInclusive<i64>,
) -> Result<Vec<Listed<'a>>, Error> {
    let mut listed = Vec::new();
    for track in tracks {
        listed.push((track, kept.segments(store, &track.name, wanted.clone()).await?));
    }
    leave_out_younger(&mut listed, *wanted.start(), |(track, segments)| {
        (track.video().is_some(), segments.first().map(|first| first.number))
    });
    Ok(listed)
}

async fn gather<'a>(store: &Store, kept: &Kept, listed: Vec<Listed<'a>>) -> Result<Vec<Part<'a>>, Error> {
    let (tracks, mut listed): (Vec<_>, Vec<_>) = listed.into_iter().unzip();
    // Tracks come into the record one after the other.
    let last = listed.iter().map(|segments| segments.last().map_or(i64::MIN, |last| last.number)).min();
    let last = last.unwrap_or(i64::MIN);
    listed.iter_mut().for_each(|segments| segments.retain(|segment| segment.number <= last));
    let mut parts = Vec::new();
    for (track, segments) in tracks.into_iter().zip(aligned(listed)) {
        let configurations = kept.configurations(store, track, &segments).await?;
        parts.push(Part { track, window: Window::of(track.timescale, segments), configurations });
    }
    Ok(parts)
}

/// Nanoseconds of media time before the first segment of any track.
fn begin(parts: &[Part<'_>]) -> i128 {
    let begin = |part: &Part<'_>| Some(part.window.timescale().nanos(part.window.segments().front()?.start));
    parts.iter().filter_map(begin).min().unwrap_or(0)
}

/// How long the longest track is.
fn length(parts: &[Part<'_>]) -> Duration {
    let end = |part: &Part<'_>| Some(part.window.timescale().nanos(part.window.segments().back()?.end()));
    let nanos = parts.iter().filter_map(end).max().unwrap_or(0) - begin(parts);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:.3} s in {} segments of {}",
            self.length.as_secs_f64(),
            self.segments,
            self.tracks.join(", ")
        )?;
        if self.is_cut {
            writeln!(f, "note: not all of the stretch is kept")?;
        }
        if self.out.ends_with(".mp4") {
            return writeln!(f, "MP4   {}", self.out);
        }
        writeln!(f, "HLS   {}/index.m3u8", self.out.trim_end_matches('/'))?;
        writeln!(f, "DASH  {}/manifest.mpd", self.out.trim_end_matches('/'))
    }
}
