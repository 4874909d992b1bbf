//! What becomes what: names, a common zero, and whether players will be able to switch.

use std::{collections::HashSet, fmt, fs::File, path::PathBuf, time::Duration};

use headwater_packager::{
    segmenter::Cut,
    time::{Grid, Ticks},
    track::Track,
};

use crate::package::{
    Error,
    input::{Input, InputTrack, Tables, Timeline},
};

/// Key frames this far apart are at the same instant: files with a timescale of 1000 round to it.
const SAME_NANOS: i128 = 2_000_000;
/// Renditions of the same may differ so much in length: a frame or two of another frame rate.
const LENGTH_NANOS: i128 = 500_000_000;

/// All tracks of the presentation.
pub(super) struct Plan {
    pub(super) sources: Vec<Source>,
    pub(super) notes: Vec<String>,
    pub(super) duration: Duration,
    /// Of all samples.
    pub(super) bytes: u64,
}

/// What is taken from one file.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) tracks: Vec<Planned>,
}

/// A track of it.
pub(super) struct Planned {
    pub(super) track: Track,
    pub(super) tables: Tables,
    pub(super) timeline: Timeline,
    pub(super) cut: Cut,
    /// Ticks from a decode time by the tables to that in the presentation.
    pub(super) shift: Ticks,
}

/// An instant of a track, for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instant {
    /// Nanoseconds of the presentation.
    pub nanos: i128,
    /// Track name.
    pub track: String,
    /// Its file.
    pub path: PathBuf,
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.nanos as f64 / 1e9;
        write!(f, "{seconds:.3} s in {} of {}", self.track, self.path.display())
    }
}

impl Plan {
    /// Makes one presentation of all inputs.
    pub(super) fn new(mut inputs: Vec<Input>, grid: Grid) -> Result<Self, Error> {
        let mut notes: Vec<String> = inputs.iter_mut().flat_map(|input| input.notes.drain(..)).collect();
        leave_out_repeated_sound(&mut inputs, &mut notes);
        let zero = earliest(&inputs);
        let mut names = HashSet::new();
        let sources: Vec<Source> = inputs
            .into_iter()
            .map(|input| {
                let tracks = input.tracks.into_iter().map(|track| planned(track, zero, grid, &mut names));
                Source { tracks: tracks.collect(), path: input.path, file: input.file }
            })
            .collect();
        check_alignment(&sources, grid)?;
        let all = || sources.iter().flat_map(|source| &source.tracks);
        let nanos = all().map(Planned::nanos).max().unwrap_or(0);
        let duration = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        Ok(Self { notes, duration, bytes: all().map(|each| each.timeline.bytes).sum(), sources })
    }
}

/// Files of a ladder often carry the same sound each, which is wanted once. A file that is nothing but sound was named
/// for it.
fn leave_out_repeated_sound(inputs: &mut [Input], notes: &mut Vec<String>) {
    let mut heard: Vec<(String, PathBuf)> = Vec::new();
    for input in inputs {
        let path = &input.path;
        let has_video = input.tracks.iter().any(|each| each.track.video().is_some());
        input.tracks.retain(|each| {
            let Some(audio) = each.track.audio() else { return true };
            let before = heard.iter().find(|(language, _)| has_video && *language == audio.language);
            let Some((_, first)) = before else { return true };
            notes.push(format!(
                "{}: its sound ({}) is left out, as {} has it too",
                path.display(),
                audio.language,
                first.display()
            ));
            false
        });
        let languages = input.tracks.iter().filter_map(|each| each.track.audio());
        heard.extend(languages.map(|audio| (audio.language.clone(), path.clone())));
    }
}

/// When the first sample of all is presented, in nanoseconds: zero of the presentation. Sound does not count before
/// zero: what is there is the rest of its priming, which an edit list hides.
fn earliest(inputs: &[Input]) -> i128 {
    let start = |each: &InputTrack| {
        let start =
            if each.track.audio().is_some() { each.timeline.start.max(0) } else { each.timeline.start };
        each.track.timescale.nanos(start)
    };
    inputs.iter().flat_map(|input| input.tracks.iter().map(start)).min().unwrap_or(0)
}

fn planned(input: InputTrack, zero: i128, grid: Grid, names: &mut HashSet<String>) -> Planned {
    let InputTrack { mut track, tables, timeline } = input;
    let hz = i128::from(track.timescale.hz());
    let zero = (zero * hz + 500_000_000).div_euclid(1_000_000_000) as Ticks;
    let start = timeline.start - zero;
    // tfdt has no sign, so an edit list makes up for what is before zero.
    track.edit_start = (-start).max(0);
    track.name = unique(&track.name, names);
    Planned { track, tables, timeline, cut: Cut::Sync(grid), shift: start.max(0) - timeline.first_dts }
}

fn unique(name: &str, names: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let free = [name.to_owned()].into_iter().chain(numbered).find(|name| !names.contains(name));
    let free = free.unwrap_or_default();
    names.insert(free.clone());
    free
}

impl Planned {
    /// Length in nanoseconds.
    fn nanos(&self) -> i128 {
        self.track.timescale.nanos(self.timeline.end - self.timeline.first_dts)
    }

    /// When its segments begin, in nanoseconds, and when the last one ends: what the segmenter will do.
    fn boundaries(&self, grid: Grid) -> Vec<i128> {
        let timescale = self.track.timescale;
        let mut line = Ticks::MIN;
        let mut boundaries = Vec::new();
        for entry in self.tables.cursor().skip(self.timeline.skip as usize).filter(|entry| entry.sync) {
            let start = entry.dts + self.shift;
            if start >= line {
                boundaries.push(timescale.nanos(start));
                line = grid.segment_start(grid.segment_of(start, timescale) + 1, timescale);
            }
        }
        boundaries.push(timescale.nanos(self.timeline.end + self.shift));
        boundaries
    }
}

/// Verifies that segment `n` of all video tracks begins at the same instant.
fn check_alignment(sources: &[Source], grid: Grid) -> Result<(), Error> {
    let rungs = sources.iter().flat_map(|source| source.tracks.iter().map(move |track| (source, track)));
    let mut rungs = rungs.filter(|(_, each)| each.track.video().is_some());
    let Some((source, first)) = rungs.next() else { return Ok(()) };
    let instant = |source: &Source, each: &Planned, nanos| {
        Box::new(Instant { nanos, track: each.track.name.clone(), path: source.path.clone() })
    };
    let expected = first.boundaries(grid);
    for (other_source, other) in rungs {
        let found = other.boundaries(grid);
        let both = |one, two| (instant(source, first, one), instant(other_source, other, two));
        if let (Some(&one), Some(&two)) = (expected.last(), found.last())
            && (one - two).abs() > LENGTH_NANOS
        {
            let (one, other) = both(one, two);
            return Err(Error::Lengths { one, other });
        }
        // The last boundary is the end, which may differ a little. One that only one of them has is held against it.
        let starts = expected.len().max(found.len()) - 1;
        let at = |boundaries: &[i128], index: usize| boundaries.get(index).or(boundaries.last()).copied();
        for number in 1..=starts {
            let (Some(one), Some(two)) = (at(&expected, number - 1), at(&found, number - 1)) else {
                continue;
            };
            if (one - two).abs() > SAME_NANOS {
                let (one, other) = both(one, two);
                return Err(Error::Unaligned { number, one, other });
            }
        }
    }
    Ok(())
}
