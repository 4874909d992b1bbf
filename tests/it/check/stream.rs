//! Media of a small live presentation whose time is Unix time: any segment of it can be made at any moment, and is
//! always the same.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use headwater_packager::{
    bmff,
    codec::CodecConfig,
    sample::Sample,
    segmenter::{Cut, Output, Segmenter},
    time::{FrameRate, Grid, Timescale},
    track::{Audio, Media, Track, Video},
};

/// A second is a segment, so that a test sees many of them.
pub(super) const GRID: Grid = Grid { segment: Duration::from_secs(1), part: Duration::from_millis(200) };
pub(super) const NANOS: i64 = 1_000_000_000;

/// The renditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    High,
    Low,
    Sound,
}

impl Name {
    pub(super) const ALL: [Self; 3] = [Self::High, Self::Low, Self::Sound];

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
            Self::Sound => "sound",
        }
    }

    pub(super) fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.path() == path)
    }

    pub(super) fn timescale(self) -> Timescale {
        Timescale::new(if self == Self::Sound { 48_000 } else { 25_000 }).unwrap()
    }

    fn step(self) -> u32 {
        if self == Self::Sound { 1024 } else { 1000 }
    }

    fn track(self) -> Track {
        // A High profile, level 3.1 record; no decoder sees it.
        const AVC: &[u8] =
            &[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x1f, 1, 0, 1, 0x68, 0xfd, 0xf8, 0xf8, 0];
        let height = if self == Self::High { 360 } else { 180 };
        let frame_rate = FrameRate::new(25, 1);
        let video = Video { width: height * 16 / 9, height, sample_aspect: (1, 1), frame_rate, colour: None };
        let audio = Audio { sample_rate: 48_000, channels: 2, language: "und".into() };
        let (codec, media) = match self {
            Self::Sound => (CodecConfig::Aac(Bytes::from_static(&[0x11, 0x90])), Media::Audio(audio)),
            _ => (CodecConfig::Avc(Bytes::from_static(AVC)), Media::Video(video)),
        };
        Track {
            name: self.path().into(),
            timescale: self.timescale(),
            codec,
            media,
            bitrate: 0,
            edit_start: 0,
        }
    }

    pub(super) fn init(self) -> Bytes {
        bmff::init_segment(&self.track())
    }
}

/// What is wrong with media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Flaw {
    #[default]
    None,
    /// Every fourth segment is a tick late.
    Gap,
    /// The low rendition is half a frame late.
    Apart,
    /// Some segments of the low rendition begin with a picture that refers to others.
    NoIdr,
    /// Nothing says when it was captured.
    NoReference,
}

/// A part of a segment.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) bytes: Bytes,
    pub(super) start: i64,
    pub(super) duration: i64,
    pub(super) independent: bool,
}

type Key = (Flaw, Name, i64);
type Made = Arc<Vec<Part>>;

/// All tests share what was made, as it depends on time only.
static MADE: LazyLock<Mutex<HashMap<Key, Made>>> = LazyLock::new(Mutex::default);

/// The parts of a segment.
pub(super) fn segment(flaw: Flaw, name: Name, number: i64) -> Made {
    let key = (flaw, name, number);
    if let Some(made) = MADE.lock().unwrap().get(&key) {
        return made.clone();
    }
    let made = Arc::new(make(flaw, name, number));
    MADE.lock().unwrap().insert(key, made.clone());
    made
}

fn make(flaw: Flaw, name: Name, number: i64) -> Vec<Part> {
    let step = i64::from(name.step());
    let aligned = |tick: i64| -(-tick).div_euclid(step) * step;
    let (from, to) = (
        aligned(GRID.segment_start(number, name.timescale())),
        aligned(GRID.segment_start(number + 1, name.timescale())),
    );
    let late = match flaw {
        Flaw::Gap if number % 4 == 3 => 1,
        Flaw::Apart if name == Name::Low => step / 2,
        _ => 0,
    };
    let bent = flaw == Flaw::NoIdr && name == Name::Low && number % 3 == 0;
    let mut segmenter = Segmenter::new(Arc::new(name.track()), Cut::Grid(GRID));
    let mut parts = Vec::new();
    for dts in (from..to).step_by(step as usize) {
        let sync = dts == from || name == Name::Sound;
        let kind = if sync && !bent { 0x65 } else { 0x41 };
        let mut data = vec![0, 0, 0, 9, kind];
        data.extend(dts.to_be_bytes());
        let captured_at = if flaw == Flaw::NoReference { 0 } else { unix_nanos_of(name, dts) / 1000 };
        let dts = dts + late;
        let sample = Sample { dts, cts: 0, duration: name.step(), sync, captured_at, data: data.into() };
        for output in segmenter.push(sample).unwrap() {
            let Output::Chunk { chunk, .. } = output else { continue };
            let (start, duration, independent) = (chunk.start, chunk.duration, chunk.independent);
            parts.push(Part { bytes: chunk.to_bytes(), start, duration, independent });
        }
    }
    parts
}

/// Unix time of a tick, in nanoseconds.
pub(super) fn unix_nanos_of(name: Name, tick: i64) -> i64 {
    name.timescale().nanos(tick) as i64
}

/// Now, in nanoseconds.
#[expect(clippy::disallowed_methods, reason = "the server under test has a clock of its own")]
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64
}
