//! What was made, as a table.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use headwater_packager::track::Media;

use super::output::Rendition;

/// What was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The directory.
    pub out: PathBuf,
    /// Its tracks.
    pub tracks: Vec<TrackSummary>,
    /// What a user should know of the inputs: what was left out, for example.
    pub notes: Vec<String>,
    /// Length of the presentation.
    pub media: Duration,
    /// How long it took to make.
    pub elapsed: Duration,
}

/// A track that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackSummary {
    /// Its name.
    pub name: String,
    /// RFC 6381 codec string.
    pub codec: String,
    /// Resolution and frame rate, or channels and language.
    pub shape: String,
    /// Bits per second, measured over all of it.
    pub average: u64,
    /// Bits per second of the segment with the most.
    pub peak: u64,
    /// How many segments.
    pub segments: usize,
    /// From the start of the first segment to the end of the last.
    pub duration: Duration,
}

impl Summary {
    pub(super) fn new(out: &Path, renditions: &[Rendition], notes: Vec<String>, elapsed: Duration) -> Self {
        let tracks: Vec<_> = renditions.iter().map(track).collect();
        let media = tracks.iter().map(|track| track.duration).max().unwrap_or_default();
        Self { out: out.to_owned(), tracks, notes, media, elapsed }
    }
}

fn track(rendition: &Rendition) -> TrackSummary {
    let (track, window) = (rendition.track(), rendition.window());
    let shape = match &track.media {
        Media::Video(video) => {
            let rate =
                video.frame_rate.map_or("variable rate".into(), |rate| format!("{:.5} fps", rate.fps()));
            format!("{}x{} {}", video.width, video.height, tidy(&rate))
        }
        Media::Audio(audio) => {
            let channels = match audio.channels {
                1 => "mono".into(),
                2 => "stereo".into(),
                6 => "5.1".into(),
                count => format!("{count} channels"),
            };
            format!("{channels} {} Hz {}", audio.sample_rate, audio.language)
        }
    };
    let length = window.segments().iter().map(|segment| segment.duration).sum();
    let nanos = window.timescale().nanos(length);
    let bandwidth = window.bandwidth();
    TrackSummary {
        name: track.name.clone(),
        codec: track.codec.rfc6381(),
        shape,
        average: bandwidth.average,
        peak: bandwidth.peak,
        segments: window.segments().len(),
        duration: Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)),
    }
}

/// `25.00000 fps` as `25 fps`.
fn tidy(rate: &str) -> String {
    match rate.strip_suffix(" fps") {
        Some(number) => format!("{} fps", number.trim_end_matches('0').trim_end_matches('.')),
        None => rate.to_owned(),
    }
}

fn bits(rate: u64) -> String {
    if rate < 1_000_000 {
        format!("{} kbit/s", rate.div_ceil(1000))
    } else {
        format!("{:.2} Mbit/s", rate as f64 / 1e6)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["track", "codec", "shape", "average", "peak", "segments", "seconds"].map(str::to_owned);
        let rows = self.tracks.iter().map(|track| {
            [
                track.name.clone(),
                track.codec.clone(),
                track.shape.clone(),
                bits(track.average),
                bits(track.peak),
                track.segments.to_string(),
                format!("{:.3}", track.duration.as_secs_f64()),
            ]
        });
        let rows: Vec<_> = [heads].into_iter().chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 7] = std::array::from_fn(width);
        for row in &rows {
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                // Words to the left, numbers to the right.
                if column < 3 { write!(f, "{cell:width$}  ")? } else { write!(f, "{cell:>width$}  ")? }
            }
            writeln!(f)?;
        }
        writeln!(f)?;
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        let speed = self.media.as_secs_f64() / self.elapsed.as_secs_f64().max(1e-9);
        writeln!(
            f,
            "{:.1} s of media in {:.1} s, {speed:.1} x real time",
            self.media.as_secs_f64(),
            self.elapsed.as_secs_f64()
        )?;
        writeln!(f, "HLS   {}", self.out.join("index.m3u8").display())?;
        writeln!(f, "DASH  {}", self.out.join("manifest.mpd").display())
    }
}
