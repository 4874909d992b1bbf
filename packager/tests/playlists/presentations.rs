//! The presentations of which the goldens are made.

use std::{sync::Arc, time::Duration};

use headwater_packager::{
    dash, hls,
    sample::Sample,
    segmenter::{Cut, Output},
    track::UNCHANGED,
    window::{Open, Part, Window},
};

use crate::made::{Made, NOW, TWO_SECONDS, audio, era, segments, video};

const WINDOW: Duration = Duration::from_secs(6);

/// What a presentation is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Live,
    LiveEnded,
    /// A stretch that goes on.
    Growing,
    /// The same when it is complete.
    Grown,
    /// A stretch that was taken out.
    Recorded,
    OnDemand,
}

impl Kind {
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Live | Self::Growing)
    }
}

/// Tracks with what is published of them.
pub struct Presentation {
    pub name: &'static str,
    pub kind: Kind,
    pub tracks: Vec<(Made, Window)>,
    /// In low latency, the segment that is being made of each track.
    pub open: Vec<Open>,
}

fn live(name: &'static str, tracks: Vec<Made>, count: i64) -> Presentation {
    let publish = |made: Made| {
        let era = era(0, &made.track.name);
        let window = made.window(WINDOW, made.segments(TWO_SECONDS, NOW, NOW + count, &era));
        (made, window)
    };
    Presentation { name, kind: Kind::Live, tracks: tracks.into_iter().map(publish).collect(), open: vec![] }
}

fn ended(name: &'static str, presentation: Presentation) -> Presentation {
    Presentation { name, kind: Kind::LiveEnded, ..presentation }
}

/// All tracks get other init segments with segment `NOW + 2`, and another era with `NOW + 4`.
fn eras(name: &'static str, until: i64) -> Presentation {
    let publish = |made: Made| {
        let name = made.track.name.clone();
        let of = |first: i64, from, to, init: &str| {
            made.segments(TWO_SECONDS, NOW + from, NOW + to, &era(first, &format!("{init}-{name}")))
        };
        let all = [of(0, 0, 2, "old"), of(NOW + 2, 2, 4, "new"), of(NOW + 4, 4, until, "new")];
        let window = made.window(WINDOW, all.into_iter().flatten());
        (made, window)
    };
    let tracks = vec![video(720, 25, 1), audio("en", 48_000)];
    Presentation { name, kind: Kind::Live, tracks: tracks.into_iter().map(publish).collect(), open: vec![] }
}

/// Segments `NOW` to `NOW + 8` without one in the middle, behind which another era begins.
fn stretch(name: &'static str, kind: Kind) -> Presentation {
    let publish = |made: Made| {
        let init = made.track.name.clone();
        let of = |first: i64, from, to| made.segments(TWO_SECONDS, NOW + from, NOW + to, &era(first, &init));
        let segments = [of(0, 0, 3), of(NOW + 4, 4, 8)].into_iter().flatten();
        let window = Window::of(made.track.timescale, segments);
        (made, window)
    };
    let tracks = vec![video(720, 30000, 1001), audio("en", 48_000)];
    Presentation { name, kind, tracks: tracks.into_iter().map(publish).collect(), open: vec![] }
}

fn on_demand() -> Presentation {
    let publish = |made: Made| {
        let samples = made.samples(TWO_SECONDS, 0, 4);
        let outputs = made.cut(Cut::Sync(TWO_SECONDS), samples.into_iter().take(177));
        let window = made.window(Duration::MAX / 4, segments(&outputs, &era(1, &made.track.name)));
        (made, window)
    };
    let tracks = vec![video(720, 30000, 1001), video(360, 30000, 1001), audio("und", 44_100)];
    Presentation {
        name: "on_demand",
        kind: Kind::OnDemand,
        tracks: tracks.into_iter().map(publish).collect(),
        open: vec![],
    }
}

/// Samples that were captured 40 ms before the time that they tell.
fn captured(made: &Made, from: i64, to: i64) -> impl Iterator<Item = Sample> {
    let captured_at = |dts| (made.track.timescale.nanos(dts) / 1000) as i64 - 40_000;
    let samples = made.samples(TWO_SECONDS, from, to).into_iter();
    samples.map(move |sample| Sample { captured_at: captured_at(sample.dts), ..sample })
}

/// The first `parts` parts of segment `number`.
pub fn open(made: &Made, number: i64, parts: usize, first: i64, init: &str) -> Open {
    let outputs = made.cut(Cut::Grid(TWO_SECONDS), captured(made, number, number + 1));
    let part = |output: &Output| match output {
        Output::Chunk { chunk, .. } => {
            Some(Part { duration: chunk.duration, size: chunk.size(), independent: chunk.independent })
        }
        Output::Segment { .. } => None,
    };
    let parts = outputs.iter().filter_map(part).take(parts).collect();
    Open { number, start: made.start(TWO_SECONDS, number), parts, era: Arc::new(era(first, init)) }
}

/// `count` segments and `parts` parts of the next, in a window of `seconds`.
fn low_latency(
    name: &'static str,
    tracks: Vec<Made>,
    seconds: u64,
    count: i64,
    parts: usize,
) -> Presentation {
    let publish = |made: Made| {
        let outputs = made.cut(Cut::Grid(TWO_SECONDS), captured(&made, NOW, NOW + count));
        let window = made.window(Duration::from_secs(seconds), segments(&outputs, &era(0, &made.track.name)));
        (made, window)
    };
    let open = tracks.iter().map(|made| open(made, NOW + count, parts, 0, &made.track.name)).collect();
    let tracks = tracks.into_iter().map(publish).collect();
    Presentation { name, kind: Kind::Live, tracks, open }
}

/// Each shape that a presentation can have.
pub fn all() -> Vec<Presentation> {
    let hd = || video(720, 25, 1);
    let mut commentary = audio("en", 48_000);
    Arc::make_mut(&mut commentary.track).name = "audio-en-2".into();
    vec![
        live("live", vec![hd(), video(360, 25, 1), audio("en", 48_000)], 3),
        live("live_slid", vec![hd(), video(360, 25, 1), audio("en", 48_000)], 5),
        live("live_29_97", vec![video(720, 30000, 1001), audio("en", 48_000)], 4),
        live("live_silent", vec![hd()], 3),
        live("audio_only", vec![audio("en", 48_000)], 3),
        live("audio_only_two_languages", vec![audio("en", 48_000), audio("de", 44_100)], 3),
        live("two_languages", vec![hd(), audio("de", 48_000), audio("en", 48_000), commentary], 3),
        eras("discontinuity", 5),
        eras("discontinuity_slid", 7),
        ended("live_ended", live("live", vec![hd(), audio("en", 48_000)], 4)),
        ended("discontinuity_ended", eras("discontinuity", 5)),
        stretch("stretch_growing", Kind::Growing),
        stretch("stretch_grown", Kind::Grown),
        stretch("stretch_recorded", Kind::Recorded),
        on_demand(),
        low_latency("low_latency", vec![hd(), video(360, 25, 1), audio("en", 48_000)], 16, 8, 3),
        low_latency("low_latency_29_97", vec![video(720, 30000, 1001), audio("de", 44_100)], 6, 3, 1),
        low_latency("low_latency_between", vec![hd(), audio("en", 48_000)], 6, 3, 0),
        Presentation {
            open: vec![
                open(&hd(), NOW + 7, 2, NOW + 7, "newest-720p"),
                open(&audio("en", 48_000), NOW + 7, 1, NOW + 7, "newest-audio-en"),
            ],
            ..eras("low_latency_discontinuity", 7)
        },
    ]
}

impl Presentation {
    pub fn target_duration(&self) -> u32 {
        match self.kind {
            Kind::OnDemand => {
                let nanos = |(_, window): &(Made, Window)| {
                    let longest = window.segments().iter().map(|segment| segment.duration).max().unwrap();
                    window.timescale().nanos(longest)
                };
                let longest = self.tracks.iter().map(nanos).max().unwrap();
                // Rounded as EXTINF may be, not up: this is the longest to the tick.
                (longest + 500_000_000).div_euclid(1_000_000_000) as u32
            }
            _ => hls::target_duration(TWO_SECONDS.segment),
        }
    }

    pub fn media(&self, track: usize) -> String {
        self.rendered(track, hls::media)
    }

    pub fn delta(&self, track: usize) -> Option<String> {
        self.rendered(track, hls::delta)
    }

    fn rendered<T>(&self, track: usize, render: impl Fn(&hls::Media<'_>) -> T) -> T {
        let kind = match self.kind {
            Kind::Live => hls::Kind::Live,
            Kind::LiveEnded => hls::Kind::LiveEnded,
            Kind::Growing => hls::Kind::Event,
            Kind::Grown => hls::Kind::EventEnded,
            Kind::Recorded => hls::Kind::Recorded,
            Kind::OnDemand => hls::Kind::OnDemand,
        };
        let window = &self.tracks[track].1;
        let reports = self.reports(track);
        let low_latency = self.open.get(track).map(|open| hls::LowLatency {
            part_target: self.part_target(),
            open: Some(open),
            hint: Some((open.number, open.parts.len() as u32)),
            reports: &reports,
        });
        render(&hls::Media { window, target_duration: self.target_duration(), kind, low_latency })
    }

    /// What the playlist of a track says of all others.
    fn reports(&self, track: usize) -> Vec<hls::Report<'_>> {
        let others = (0..self.open.len()).filter(|index| *index != track);
        let report = |index: usize| {
            let ((made, window), open) = (&self.tracks[index], &self.open[index]);
            let last = window.segments().back().unwrap();
            let (msn, parts) = match open.parts.len() {
                0 => (last.number, last.parts.len()),
                parts => (open.number, parts),
            };
            hls::Report { track: &made.track.name, msn, part: Some(parts as u32 - 1) }
        };
        others.map(report).collect()
    }

    pub fn part_target(&self) -> Duration {
        let steps = self.tracks.iter().map(|(made, _)| (made.track.timescale, made.step.into()));
        hls::part_target(&TWO_SECONDS, steps).unwrap()
    }

    pub fn multivariant(&self) -> String {
        let each = self.tracks.iter();
        let renditions: Vec<_> = each
            .map(|(made, window)| hls::Rendition {
                track: &made.track,
                bandwidth: window.bandwidth(),
                configurations: &UNCHANGED,
            })
            .collect();
        hls::multivariant(&renditions)
    }

    pub fn mpd(&self) -> String {
        self.mpd_by(dash::mpd)
    }

    pub fn stored_mpd(&self) -> String {
        self.mpd_by(dash::stored_mpd)
    }

    fn mpd_by(&self, render: impl Fn(&dash::Presentation<'_>) -> String) -> String {
        let each = self.tracks.iter();
        let representations: Vec<_> = each
            .enumerate()
            .map(|(index, (made, window))| dash::Representation {
                track: &made.track,
                window,
                bandwidth: window.bandwidth(),
                open: self.open.get(index),
                configurations: &UNCHANGED,
            })
            .collect();
        let kind = match self.kind {
            Kind::Live => dash::Kind::Live {
                published_at: i128::from(NOW) * 2_000_000_000 + 6_123_456_789,
                time_shift: WINDOW,
                delay: Duration::from_secs(6),
                low_latency: (!self.open.is_empty()).then(|| dash::LowLatency {
                    part: TWO_SECONDS.part,
                    part_target: self.part_target(),
                    from_capture: true,
                }),
            },
            Kind::LiveEnded | Kind::Recorded => dash::Kind::LiveEnded,
            Kind::Grown => dash::Kind::Grown { zero: i128::from(NOW) * 2_000_000_000 },
            Kind::Growing => dash::Kind::Growing {
                published_at: i128::from(NOW) * 2_000_000_000 + 14_123_456_789,
                zero: i128::from(NOW) * 2_000_000_000,
                delay: Duration::from_secs(6),
            },
            Kind::OnDemand => dash::Kind::OnDemand,
        };
        render(&dash::Presentation { representations: &representations, kind, segment: TWO_SECONDS.segment })
    }
}
