//! Tracks and samples made for tests: right in their times, empty in their pictures.
#![allow(dead_code, reason = "each test binary uses some of it")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use headwater_packager::{
    codec::CodecConfig,
    sample::Sample,
    segmenter::{Cut, Output, Segmenter},
    time::{FrameRate, Grid, Ticks, Timescale},
    track::{Audio, Media, Track, Video},
    window::{Era, Part, Segment, Window},
};

/// The record of a High profile, level 3.1, 1280x720 stream by x264.
const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1c, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05,
    0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x07, 0x8c,
    0x18, 0xcb, 0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
];

/// 2023-11-14T22:13:20Z in segments of two seconds: a round number of seconds.
pub const NOW: i64 = 850_000_000;

pub const TWO_SECONDS: Grid = Grid { segment: Duration::from_secs(2), part: Duration::from_millis(400) };

static DATA: [u8; 100_000] = [0; 100_000];

/// A track and the duration of its samples.
#[derive(Clone, Debug)]
pub struct Made {
    pub track: Arc<Track>,
    pub step: u32,
    /// Bytes a second.
    pub rate: u32,
}

pub fn video(height: u32, num: u32, den: u32) -> Made {
    let rate = FrameRate::new(num, den).unwrap();
    let (timescale, step) = rate.timescale();
    let video =
        Video { width: height * 16 / 9, height, sample_aspect: (1, 1), frame_rate: Some(rate), colour: None };
    let track = Track {
        name: format!("{height}p"),
        timescale,
        codec: CodecConfig::Avc(Bytes::from_static(AVC_RECORD)),
        media: Media::Video(video),
        bitrate: 0,
        edit_start: 0,
    };
    Made { track: Arc::new(track), step: step as u32, rate: height * 400 }
}

pub fn audio(language: &str, sample_rate: u32) -> Made {
    // AAC-LC stereo at 48 kHz, or at 44.1 kHz.
    let config: &[u8] = if sample_rate == 48_000 { &[0x11, 0x90] } else { &[0x12, 0x10] };
    let track = Track {
        name: format!("audio-{language}"),
        timescale: Timescale::new(sample_rate).unwrap(),
        codec: CodecConfig::Aac(Bytes::from_static(config)),
        media: Media::Audio(Audio { sample_rate, channels: 2, language: language.into() }),
        bitrate: 128_000,
        edit_start: 0,
    };
    Made { track: Arc::new(track), step: 1024, rate: 16_000 }
}

impl Made {
    /// The first sample boundary at or behind `tick`: samples are laid from zero.
    pub fn aligned(&self, tick: Ticks) -> Ticks {
        let step = i64::from(self.step);
        -(-tick).div_euclid(step) * step
    }

    /// Where segment `number` has to begin.
    pub fn start(&self, grid: Grid, number: i64) -> Ticks {
        self.aligned(grid.segment_start(number, self.track.timescale))
    }

    /// The samples of segments `from` up to but without `to`, as a ladder makes them.
    pub fn samples(&self, grid: Grid, from: i64, to: i64) -> Vec<Sample> {
        let starts: BTreeSet<Ticks> = (from..to).map(|number| self.start(grid, number)).collect();
        let end = self.start(grid, to);
        let ticks = (self.start(grid, from)..end).step_by(self.step as usize);
        ticks.map(|dts| self.sample(dts, self.track.audio().is_some() || starts.contains(&dts))).collect()
    }

    /// Its size depends on its time only, so that goldens are what they are.
    pub fn sample(&self, dts: Ticks, sync: bool) -> Sample {
        let usual = u64::from(self.rate) * u64::from(self.step) / u64::from(self.track.timescale.hz());
        let index = (dts / i64::from(self.step)).unsigned_abs();
        let size =
            (usual * (90 + index * 7 % 20) / 100) as usize * if sync && self.step != 1024 { 4 } else { 1 };
        let data = Bytes::from_static(&DATA[..size.min(DATA.len())]);
        Sample { dts, cts: 0, duration: self.step, sync, captured_at: 0, data }
    }

    pub fn cut(&self, cut: Cut, samples: impl IntoIterator<Item = Sample>) -> Vec<Output> {
        let mut segmenter = Segmenter::new(self.track.clone(), cut);
        let mut outputs: Vec<_> =
            samples.into_iter().flat_map(|sample| segmenter.push(sample).unwrap()).collect();
        outputs.extend(segmenter.finish());
        outputs
    }

    /// What is published of segments `from` up to but without `to`.
    pub fn segments(&self, grid: Grid, from: i64, to: i64, era: &Era) -> Vec<Segment> {
        segments(&self.cut(Cut::Grid(grid), self.samples(grid, from, to)), era)
    }

    /// A window that has seen these segments.
    pub fn window(&self, length: Duration, segments: impl IntoIterator<Item = Segment>) -> Window {
        let mut window = Window::new(length, self.track.timescale);
        segments.into_iter().for_each(|segment| drop(window.push(segment)));
        window
    }
}

pub fn era(first: i64, init: &str) -> Era {
    Era { first, init: format!("init-{init}.mp4"), sequence: 0 }
}

/// Segments without their bytes.
pub fn segments(outputs: &[Output], era: &Era) -> Vec<Segment> {
    let (era, mut parts, mut captured_at) = (Arc::new(era.clone()), Vec::new(), 0);
    let mut segments = Vec::new();
    for output in outputs {
        match output {
            Output::Chunk { chunk, part, .. } => {
                if *part == 0 {
                    captured_at = chunk.captured_at;
                }
                parts.push(Part {
                    duration: chunk.duration,
                    size: chunk.size(),
                    independent: chunk.independent,
                });
            }
            Output::Segment { number, start, duration } => {
                let parts = std::mem::take(&mut parts);
                let size = parts.iter().map(|part: &Part| part.size).sum();
                let (number, start, duration) = (*number, *start, *duration);
                segments.push(Segment {
                    number,
                    start,
                    duration,
                    size,
                    parts,
                    era: era.clone(),
                    captured_at,
                });
            }
        }
    }
    segments
}
