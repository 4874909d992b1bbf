//! One file with one video rung and all sound, from zero.

use headwater_packager::{bmff, track::Track, window::Segment};

use super::{Error, Part, Source, begin, length, target::Target};
use crate::package::Progress;

/// The rung that is named, and all sound.
pub(super) fn with_rung<'a>(tracks: &'a [Track], rung: &str) -> Result<Vec<&'a Track>, Error> {
    let videos = || tracks.iter().filter(|track| track.video().is_some());
    let names = || videos().map(|track| track.name.as_str()).collect::<Vec<_>>().join(", ");
    let unknown = || Error::UnknownRung { rung: rung.into(), names: names() };
    let video = videos().find(|track| track.name == rung).ok_or_else(unknown)?;
    Ok(std::iter::once(video).chain(tracks.iter().filter(|track| track.audio().is_some())).collect())
}

/// The best rung of those that have the stretch, and all sound.
pub(super) fn with_best(mut parts: Vec<Part<'_>>) -> Vec<Part<'_>> {
    let quality = |track: &Track| track.video().map(|video| (video.height, track.bitrate));
    let best = parts.iter().filter(|part| part.track.video().is_some());
    let best = best.max_by_key(|part| quality(then(part))).map(|part| part.track.name.clone());
    parts.retain(|part| part.track.audio().is_some() || Some(&part.track.name) == best.as_ref());
    parts
}

/// What a track is in the stretch, where that is one and the same.
fn then<'a>(part: &'a Part<'_>) -> &'a Track {
    part.configurations.values().next().map_or(part.track, |configuration| &configuration.track)
}

/// Writes it, segment by segment of all tracks.
pub(super) async fn write(
    source: &Source<'_>,
    parts: &[Part<'_>],
    target: &Target,
    progress: &mut Progress,
) -> Result<(), Error> {
    parts.iter().try_for_each(has_one_init)?;
    let zero = begin(parts);
    let tracks: Vec<&Track> = parts.iter().map(then).collect();
    let mut file = target.file()?;
    file.append(&bmff::movie(&tracks, length(parts).as_nanos() as i128))?;
    let mut joiner = bmff::Joiner::default();
    let longest = parts.iter().map(|part| part.window.segments().len()).max().unwrap_or(0);
    for index in 0..longest {
        for (id, part) in (1..).zip(parts) {
            let Some(segment) = part.window.segments().get(index) else { continue };
            let (name, timescale) = (&part.track.name, part.window.timescale());
            let Segment { number, .. } = *segment;
            let body = source.read(name, &format!("{number}.m4s")).await?;
            let fitted = joiner.fit(&body, id, timescale.floor(zero));
            file.append(&fitted.map_err(|source| Error::Damaged { number, track: name.clone(), source })?)?;
            let done = timescale.nanos(segment.end()) - zero;
            progress.at(std::time::Duration::from_nanos(u64::try_from(done).unwrap_or(0)));
        }
    }
    file.finish()
}

/// A file says once what its samples need.
fn has_one_init(part: &Part<'_>) -> Result<(), Error> {
    let written = bmff::init_name(&bmff::init_segment(then(part)));
    let settings = || Error::Settings { track: part.track.name.clone() };
    let same = part.window.segments().iter().all(|segment| segment.era.init == written);
    if same { Ok(()) } else { Err(settings()) }
}
