//! The presentations of which the goldens are made.

use std::{sync::Arc, time::Duration};

use headwater_packager::{dash, hls, segmenter::Cut, window::Window};

use crate::made::{Made, NOW, TWO_SECONDS, audio, era, segments, video};

const WINDOW: Duration = Duration::from_secs(6);

/// What a presentation is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Live,
    LiveEnded,
    OnDemand,
}

/// Tracks with what is published of them.
pub struct Presentation {
    pub name: &'static str,
    pub kind: Kind,
    pub tracks: Vec<(Made, Window)>,
}

fn live(name: &'static str, tracks: Vec<Made>, count: i64) -> Presentation {
    let publish = |made: Made| {
        let era = era(0, &made.track.name);
        let window = made.window(WINDOW, made.segments(TWO_SECONDS, NOW, NOW + count, &era));
        (made, window)
    };
    Presentation { name, kind: Kind::Live, tracks: tracks.into_iter().map(publish).collect() }
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
    Presentation { name, kind: Kind::Live, tracks: tracks.into_iter().map(publish).collect() }
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
    }
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
        on_demand(),
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
        let kind = match self.kind {
            Kind::Live => hls::Kind::Live,
            Kind::LiveEnded => hls::Kind::LiveEnded,
            Kind::OnDemand => hls::Kind::OnDemand,
        };
        let window = &self.tracks[track].1;
        hls::media(&hls::Media { window, target_duration: self.target_duration(), kind })
    }

    pub fn multivariant(&self) -> String {
        let each = self.tracks.iter();
        let renditions: Vec<_> = each
            .map(|(made, window)| hls::Rendition { track: &made.track, bandwidth: window.bandwidth() })
            .collect();
        hls::multivariant(&renditions)
    }

    pub fn mpd(&self) -> String {
        let each = self.tracks.iter();
        let representations: Vec<_> = each
            .map(|(made, window)| dash::Representation {
                track: &made.track,
                window,
                bandwidth: window.bandwidth(),
            })
            .collect();
        let kind = match self.kind {
            Kind::Live => dash::Kind::Live {
                published_at: i128::from(NOW) * 2_000_000_000 + 6_123_456_789,
                time_shift: WINDOW,
                delay: Duration::from_secs(6),
            },
            Kind::LiveEnded => dash::Kind::LiveEnded,
            Kind::OnDemand => dash::Kind::OnDemand,
        };
        dash::mpd(&dash::Presentation {
            representations: &representations,
            kind,
            segment: TWO_SECONDS.segment,
        })
    }
}
