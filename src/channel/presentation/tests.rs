//! The life of a channel as a table: samples and times in, documents out, no clock and no encoder.

use headwater_packager::{
    codec::CodecConfig,
    sample::Sample,
    time::{FrameRate, Timescale},
    track::{Audio, Media as Kind, Video},
};

use super::*;

const NANOS: i128 = 1_000_000_000;
/// Unix time of the first segment: its number too, as segments last a second.
const START: i64 = 1_800_000_000;

fn config() -> config::Channel {
    config::Channel {
        source: "test:".into(),
        grid: Grid { segment: Duration::from_secs(1), part: Duration::from_millis(500) },
        window: Duration::from_secs(20),
        low_latency: true,
        ladder: config::Ladder::default(),
    }
}

/// Ten frames a second, and sound in packets of a tenth of a second: all lines of the grid are sample boundaries.
fn tracks(level: u8) -> Vec<Track> {
    let avcc = vec![1, 66, 0xc0, level, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68];
    let rate = FrameRate::new(10, 1);
    let video = Video { width: 320, height: 180, sample_aspect: (1, 1), frame_rate: rate, colour: None };
    let audio = Audio { sample_rate: 48_000, channels: 2, language: "und".into() };
    let track = |name: &str, hz, codec, media| Track {
        name: name.into(),
        timescale: Timescale::new(hz).unwrap(),
        codec,
        media,
        bitrate: 100_000,
        edit_start: 0,
    };
    vec![
        track("180p", 10_000, CodecConfig::Avc(avcc.into()), Kind::Video(video)),
        track("audio-und", 48_000, CodecConfig::Aac(vec![0x11, 0x90].into()), Kind::Audio(audio)),
    ]
}

fn step(track: u8) -> i64 {
    [1_000, 4_800][usize::from(track)]
}

fn media(track: u8, filler: bool, index: i64, sync: bool) -> Media {
    let (dts, duration) = (index * step(track), step(track) as u32);
    let data = Bytes::from(vec![track, u8::from(filler), index as u8]);
    Media {
        track,
        filler,
        video: track == 0,
        sample: Sample { dts, cts: 0, duration, sync, captured_at: 0, data },
    }
}

/// A channel, and a store that is always quick.
struct Rig {
    presentation: Presentation,
    now: i128,
}

impl Rig {
    fn new(kept: Option<(Record, Vec<Message>)>, at: i64) -> Self {
        let now = i128::from(at) * NANOS;
        let mut rig = Self { presentation: Presentation::new("live/a".into(), &config(), kept, now), now };
        rig.settle();
        rig
    }

    fn encoder_begins(&mut self, level: u8) {
        self.presentation.open(Catalog { tracks: tracks(level) });
        for index in 0..5 {
            self.presentation.take(media(0, true, index, index == 0), self.now);
        }
        self.presentation.take(media(1, true, 0, true), self.now);
        self.presentation.begin();
    }

    /// The encoder sends the seconds `[from, to)`, each sample as soon as it is over.
    fn plays(&mut self, from: i64, to: i64) {
        for index in from * 10..to * 10 {
            self.now = i128::from(index + 1) * NANOS / 10;
            for track in [0, 1] {
                let frame = media(track, false, index, track == 1 || index % 10 == 0);
                self.presentation.take(frame, self.now);
            }
            self.settle();
        }
    }

    fn passes(&mut self, until: i64) {
        while self.now < i128::from(until) * NANOS {
            self.now += NANOS / 20;
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.presentation.fill(self.now);
        for work in self.presentation.commits() {
            let Work::Segment { track, number, .. } = work else { panic!("{work:?}") };
            self.presentation.list(&track, number, self.now);
        }
    }

    fn playlist(&self, track: &str) -> String {
        let document = self.presentation.edge().tracks[track].playlist.clone().expect("a playlist");
        String::from_utf8(document.body.to_vec()).unwrap()
    }

    fn numbers(&self, track: &str) -> Vec<i64> {
        let numbers = self.playlist(track);
        numbers.lines().filter_map(|line| line.strip_suffix(".m4s")?.parse().ok()).collect()
    }
}

#[test]
fn a_hole_is_filled_part_by_part_and_ends_with_a_segment_of_the_next_encoder() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    assert_eq!(rig.presentation.filler_parts(), 0);
    rig.presentation.hold();
    rig.passes(START + 6);
    let filled = rig.presentation.filler_parts();
    assert!((4..=8).contains(&filled), "{filled} parts of two tracks in two seconds");

    rig.encoder_begins(30);
    rig.plays(START + 7, START + 10);
    for track in ["180p", "audio-und"] {
        assert_eq!(rig.numbers(track), (START..START + 10).collect::<Vec<_>>());
        assert!(!rig.playlist(track).contains("DISCONTINUITY"));
    }
    assert_eq!(rig.presentation.filler_parts(), 2 * 2 * 3);
}

#[test]
fn an_encoder_that_falls_silent_is_covered_within_a_second_of_grace() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.passes(START + 6);
    assert_eq!(rig.numbers("180p").last(), Some(&(START + 4)));
}

#[test]
fn a_sample_that_comes_late_behind_the_filler_changes_nothing() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.presentation.hold();
    rig.passes(START + 6);
    let before = rig.playlist("180p");
    rig.presentation.take(media(0, false, (START + 4) * 10, true), rig.now);
    rig.settle();
    assert_eq!(rig.playlist("180p"), before);
}

#[test]
fn another_configuration_is_one_discontinuity_at_the_same_number_in_all_tracks() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.presentation.hold();
    rig.encoder_begins(31);
    rig.plays(START + 5, START + 8);
    for track in ["180p", "audio-und"] {
        let playlist = rig.playlist(track);
        assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{playlist}");
        let behind = playlist.split("#EXT-X-DISCONTINUITY\n").nth(1).unwrap();
        let first = behind.lines().find_map(|line| line.strip_suffix(".m4s"));
        assert_eq!(first, Some((START + 5).to_string().as_str()));
    }
    assert_eq!(rig.playlist("180p").matches("#EXT-X-MAP").count(), 2);
    let mpd = rig.presentation.edge().mpd.clone().unwrap();
    assert_eq!(std::str::from_utf8(&mpd.body).unwrap().matches("<Period").count(), 2);
}

#[test]
fn a_restart_fills_the_cells_that_were_missed_and_keeps_all_numbers() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    let kept = (rig.presentation.record(), rig.presentation.opening.clone());
    let before = rig.playlist("180p");

    let mut again = Rig::new(Some(kept), START + 7);
    assert_eq!(again.numbers("180p"), (START..START + 7).collect::<Vec<_>>());
    assert!(again.playlist("180p").starts_with(&before));
    again.encoder_begins(30);
    again.plays(START + 8, START + 10);
    assert_eq!(again.numbers("audio-und"), (START..START + 10).collect::<Vec<_>>());
}

#[test]
fn an_end_is_published_only_once_it_is_recorded() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.presentation.end();
    rig.settle();
    assert!(rig.presentation.conclusion().is_some());
    assert!(!rig.playlist("180p").contains("ENDLIST"));
    rig.presentation.concluding();
    rig.presentation.conclude(rig.now);
    assert!(rig.playlist("180p").ends_with("#EXT-X-ENDLIST\n") && rig.presentation.edge().ended);
}
