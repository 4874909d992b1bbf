//! The life of a channel as a table: samples and times in, documents out, no clock and no encoder.

use bytes::Bytes;
use headwater_packager::{
    codec::CodecConfig,
    sample::Sample,
    time::{FrameRate, Timescale},
    track::{Audio, Media as Kind, Track, Video},
};

use super::*;
use crate::channel::edge::Head;

mod eras;
mod followed;
mod gone;
mod inherited;
mod killed;
mod long;
mod orphans;
mod relayed;
mod storing;
mod stormy;
mod takeover;

const NANOS: i128 = 1_000_000_000;
/// Unix time of the first segment: its number too, as segments last a second.
const START: i64 = 1_800_000_000;

fn config() -> config::Channel {
    config::Channel {
        source: "test:".into(),
        access: config::Who::Open,
        timing: config::Timing::Clock,
        grid: Grid { segment: Duration::from_secs(1), part: Duration::from_millis(500) },
        window: Duration::from_secs(20),
        archive: Duration::from_secs(20),
        archive_bytes: None,
        low_latency: true,
        ladder: config::Ladder::default(),
        encoder_socket: None,
        unfit: config::Unfit::default(),
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

/// A channel, and a store that is quick unless it is told to hang.
struct Rig {
    presentation: Presentation,
    now: i128,
    /// Index of the encoder's next sample.
    next: i64,
    store_hangs: bool,
    /// The record as it lies in the store.
    record: Option<Bytes>,
}

impl Rig {
    fn new(kept: Option<(Record, Vec<Message>)>, at: i64) -> Self {
        Self::configured(&config(), kept, at)
    }

    fn configured(config: &config::Channel, kept: Option<(Record, Vec<Message>)>, at: i64) -> Self {
        let now = i128::from(at) * NANOS;
        let mut presentation = Presentation::new("live/a".into(), config);
        kept.into_iter().for_each(|kept| takeover::goes_on(&mut presentation, config, kept, now));
        let mut rig = Self { presentation, now, next: at * 10, store_hangs: false, record: None };
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
        self.next = from * 10;
        self.plays_samples((to - from) * 10);
    }

    /// The encoder sends some more samples of each track.
    fn plays_samples(&mut self, count: i64) {
        for index in self.next..self.next + count {
            self.now = i128::from(index + 1) * NANOS / 10;
            for track in [0, 1] {
                let frame = media(track, false, index, track == 1 || index % 10 == 0);
                self.presentation.take(frame, self.now);
            }
            self.settle();
        }
        self.next += count;
    }

    /// Kills the server, and starts it again at once with what lies in the store.
    fn restarts(&mut self) {
        let record = self.record.as_ref().expect("a record in the store");
        let kept = (record::decode("state.json", record).unwrap(), self.presentation.opening.clone());
        self.presentation = Presentation::new("live/a".into(), &config());
        takeover::goes_on(&mut self.presentation, &config(), kept, self.now);
        self.store_hangs = false;
        self.settle();
    }

    fn passes(&mut self, until: i64) {
        while self.now < i128::from(until) * NANOS {
            self.now += NANOS / 20;
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.presentation.fill(self.now);
        if !self.store_hangs {
            for work in self.presentation.commits() {
                let Work::Segment { track, number, .. } = work else { panic!("{work:?}") };
                self.presentation.stored(&track, number);
                self.records();
            }
        }
        self.presentation.publish(self.now);
    }

    /// The record is written, if one is due. Gives what is to be written behind it.
    fn records(&mut self) -> Vec<Work> {
        let Some(Work::Record { record, .. }) = self.presentation.record_due() else { return Vec::new() };
        self.record = Some(record);
        self.presentation.recorded(self.now)
    }

    fn track(&self, track: &str) -> Arc<TrackEdge> {
        self.presentation.edge().tracks[track].borrow().clone()
    }

    fn playlist(&self, track: &str) -> String {
        let playlist = self.track(track).playlist.clone().expect("a playlist");
        String::from_utf8(playlist.whole.body().to_vec()).unwrap()
    }

    fn numbers(&self, track: &str) -> Vec<i64> {
        let numbers = self.playlist(track);
        numbers.lines().filter_map(|line| line.strip_suffix(".m4s")?.parse().ok()).collect()
    }

    /// Names of the parts that are listed.
    fn parts(&self, track: &str) -> Vec<String> {
        let playlist = self.playlist(track);
        let tags = playlist.lines().filter(|line| line.starts_with("#EXT-X-PART:"));
        tags.map(|tag| tag.split("URI=\"").nth(1).unwrap().split(".m4s").next().unwrap().to_owned()).collect()
    }

    /// Every body that a track has under a name at the moment.
    fn bodies(&self, track: &str) -> BTreeMap<String, Bytes> {
        let mut bodies = BTreeMap::new();
        for (number, segment) in &self.track(track).segments {
            for (part, chunk) in segment.chunks.iter().enumerate().filter(|_| segment.has_parts) {
                bodies.insert(format!("{number}.{part}"), Bytes::from(chunk.chunks.concat()));
            }
            if let Some(whole) = segment.whole.as_ref().filter(|_| segment.settled) {
                bodies.insert(number.to_string(), Bytes::from(whole.chunks.concat()));
            }
        }
        bodies
    }
}

#[test]
fn a_hole_is_filled_part_by_part_and_ends_with_a_segment_of_the_next_encoder() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    assert_eq!(rig.presentation.filler_parts(), 0);
    rig.presentation.lose();
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
fn a_lost_encoder_is_not_waited_for_however_late_it_was() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    // Its machine was busy for three seconds.
    rig.presentation.take(media(0, false, (START + 1) * 10, true), rig.now);
    rig.presentation.lose();
    rig.passes(START + 6);
    assert_eq!(rig.track("180p").head, Some(Head { last: START + 4, parts: 1 }), "all but the newest part");

    rig.presentation.begin();
    rig.plays(START + 6, START + 7);
    assert_eq!(rig.numbers("180p"), (START..START + 7).collect::<Vec<_>>());
}

#[test]
fn the_filler_keeps_its_pace_while_the_next_encoder_begins_however_the_last_one_went() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.presentation.take(media(0, false, (START + 3) * 10, true), rig.now);
    rig.presentation.lose();
    rig.passes(START + 6);
    rig.presentation.begin();
    // In the middle of a segment, which is not where it can go on air.
    rig.next = (START + 6) * 10 + 1;
    rig.plays_samples(6);
    rig.passes(START + 7);
    assert_eq!(rig.track("180p").head, Some(Head { last: START + 5, parts: 1 }), "all but the newest part");
}

#[test]
fn a_sample_that_comes_late_behind_the_filler_changes_nothing() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.presentation.lose();
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
    rig.presentation.lose();
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
    assert_eq!(std::str::from_utf8(&mpd.body()).unwrap().matches("<Period").count(), 2);
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
    assert_eq!(before.lines().filter(|line| line.ends_with(".m4s")).count(), 4);
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
    rig.presentation.conclude(true, rig.now);
    rig.presentation.publish(rig.now);
    assert!(rig.playlist("180p").ends_with("#EXT-X-ENDLIST\n") && rig.presentation.edge().ended);
}

#[test]
fn every_part_is_published_when_its_last_sample_is_there() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    for (samples, parts) in [(0, 0), (4, 0), (1, 1), (4, 1)] {
        rig.plays_samples(samples);
        for track in ["180p", "audio-und"] {
            assert_eq!(rig.track(track).head, Some(Head { last: START + 3, parts }));
            assert!(rig.playlist(track).contains(&format!("URI=\"{}.{parts}.m4s\"", START + 4)), "the hint");
        }
    }
    rig.plays_samples(1);
    assert_eq!(rig.track("180p").head, Some(Head { last: START + 4, parts: 0 }));
    assert_eq!(rig.parts("180p").last(), Some(&format!("{}.1", START + 4)));
}

#[test]
fn no_name_ever_has_two_bodies_whatever_is_killed_and_when() {
    let mut seen: BTreeMap<(&str, String), Bytes> = BTreeMap::new();
    let mut look = |rig: &Rig| {
        for track in ["180p", "audio-und"] {
            for (name, body) in rig.bodies(track) {
                let first = seen.entry((track, name.clone())).or_insert_with(|| body.clone());
                assert_eq!(*first, body, "{track}/{name}");
            }
        }
    };
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    // Before and behind half a part, a part and a segment; the store has taken the last segment, or not.
    for (samples, store_hangs) in [(3, false), (7, false), (5, false), (12, true), (20, true), (16, false)] {
        rig.store_hangs = store_hangs;
        rig.plays_samples(samples);
        look(&rig);
        rig.presentation.lose();
        rig.passes(rig.next / 10 + 2);
        look(&rig);
        rig.restarts();
        look(&rig);
        rig.encoder_begins(30);
        let next = (rig.now / NANOS) as i64 + 1;
        rig.plays(next, next + 1);
        look(&rig);
    }
    assert!(seen.len() > 50, "{} names", seen.len());
}

#[test]
fn a_segment_that_a_restart_may_have_changed_is_listed_without_parts() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.plays_samples(6);
    rig.restarts();
    assert!(!rig.playlist("180p").contains("PRELOAD-HINT"), "nothing is known of the open segment's parts");
    // An encoder that has not been heard of yet is waited for.
    rig.passes(START + 9);
    assert!(rig.numbers("180p").contains(&(START + 4)));
    let parts = rig.parts("180p");
    assert!(!parts.iter().any(|name| name.starts_with(&(START + 4).to_string())), "{parts:?}");
    assert!(parts.contains(&format!("{}.0", START + 5)), "{parts:?}");
}

#[test]
fn a_segment_is_listed_at_once_and_its_end_given_when_it_is_durable() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.store_hangs = true;
    rig.plays_samples(10);
    assert_eq!(rig.numbers("180p").last(), Some(&(START + 4)));
    assert!(!rig.track("180p").segments[&(START + 4)].settled);
    rig.presentation.release();
    rig.presentation.publish(rig.now);
    assert!(rig.track("180p").segments[&(START + 4)].settled);
}

#[test]
fn without_low_latency_a_segment_is_listed_once_it_is_durable_and_parts_are_not() {
    let config = config::Channel { low_latency: false, ..config() };
    let mut rig = Rig::configured(&config, None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.store_hangs = true;
    rig.plays_samples(17);
    assert_eq!(rig.numbers("180p").last(), Some(&(START + 3)));
    let playlist = rig.playlist("180p");
    assert!(!playlist.contains("PART") && !playlist.contains("HINT"), "{playlist}");
    assert_eq!(rig.track("180p").segments.last_key_value().map(|(number, _)| *number), Some(START + 3));
}

#[test]
fn parts_can_be_fetched_for_three_target_durations_after_they_left_the_list() {
    let config = config::Channel { window: Duration::from_secs(4), ..config() };
    let mut rig = Rig::configured(&config, None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 20);
    let track = rig.track("180p");
    assert!(rig.numbers("180p").len() <= 5);
    for number in START + 13..START + 20 {
        assert!(track.segments[&number].has_parts, "{number}");
    }
    assert!(track.segments.len() < 12, "and not for ever");
}

#[test]
fn what_lies_in_the_store_lists_what_lies_there_and_promises_nothing_else() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.store_hangs = true;
    rig.plays_samples(25);
    let works = rig.presentation.commits();
    let first = works.iter().find_map(|work| match work {
        Work::Segment { track, number, .. } if track == "180p" => Some(*number),
        _ => None,
    });
    assert_eq!(first, Some(START + 4));
    rig.presentation.stored("180p", START + 4);
    let works = rig.records();
    let documents: BTreeMap<String, String> = works
        .into_iter()
        .flat_map(|work| match work {
            Work::Documents(papers) => papers,
            _ => Vec::new(),
        })
        .map(|paper| (paper.path, String::from_utf8(paper.text.concat()).unwrap()))
        .collect();
    let playlist = &documents["live/a/180p/index.m3u8"];
    let last = playlist.lines().rfind(|line| line.ends_with(".m4s"));
    assert_eq!(last, Some(format!("{}.m4s", START + 4).as_str()), "and not the one that closed behind it");
    assert!(!playlist.contains("PART") && !playlist.contains("SERVER-CONTROL"), "{playlist}");
    let mpd = &documents["live/a/manifest.mpd"];
    assert!(mpd.contains("SegmentTimeline") && !mpd.contains("availabilityTimeComplete"), "{mpd}");
    assert!(documents["live/a/index.m3u8"].contains("180p/index.m3u8"));
}

#[test]
fn parts_that_would_be_uneven_turn_low_latency_off_and_nothing_else() {
    // Frames of 100 ms make parts of one or two of them.
    let grid = Grid { part: Duration::from_millis(150), ..config().grid };
    let mut rig = Rig::configured(&config::Channel { grid, ..config() }, None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    assert_eq!(rig.numbers("180p"), (START..START + 4).collect::<Vec<_>>());
    assert!(rig.track("180p").low_latency.is_none() && rig.parts("180p").is_empty());
    assert!(rig.presentation.low_latency_off().is_some_and(|why| why.contains("150")), "and says why");
}

#[test]
fn a_segment_that_readers_have_begun_is_completed_for_them_though_low_latency_goes() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.plays_samples(6);
    // What turns low latency off is a part that is uneven in some track of another encoder.
    rig.presentation.grid.part = Duration::from_millis(150);
    rig.presentation.lose();
    rig.encoder_begins(30);
    assert!(rig.presentation.low_latency.is_none());
    rig.presentation.grid.part = config().grid.part;
    rig.passes(START + 8);
    let segment = rig.track("180p").segments[&(START + 4)].clone();
    let whole = segment.whole.as_ref().expect("it is complete");
    let chunks: Vec<Bytes> = segment.chunks.iter().flat_map(|chunk| chunk.chunks.clone()).collect();
    assert!(segment.settled);
    assert_eq!(Bytes::from(whole.chunks.concat()), Bytes::from(chunks.concat()));
}

#[test]
fn a_track_that_begins_anew_at_another_frame_rate_takes_no_name_that_was_used() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    rig.plays_samples(6);
    let before = rig.bodies("180p");
    rig.presentation.lose();
    let mut tracks = tracks(30);
    tracks[0].timescale = Timescale::new(20_000).unwrap();
    rig.presentation.open(Catalog { tracks });
    for index in 0..5 {
        let mut frame = media(0, true, index, index == 0);
        (frame.sample.dts, frame.sample.duration) = (index * 2_000, 2_000);
        rig.presentation.take(frame, rig.now);
    }
    rig.presentation.take(media(1, true, 0, true), rig.now);
    rig.presentation.begin();
    for index in (START + 4) * 10..(START + 9) * 10 {
        rig.now = i128::from(index + 1) * NANOS / 10;
        let mut frame = media(0, false, index, index % 10 == 0);
        (frame.sample.dts, frame.sample.duration) = (index * 2_000, 2_000);
        frame.sample.data = Bytes::from_static(b"another");
        rig.presentation.take(frame, rig.now);
        rig.presentation.take(media(1, false, index, true), rig.now);
        rig.settle();
    }
    assert!(rig.numbers("180p").len() >= 3);
    for (name, body) in rig.bodies("180p") {
        assert!(before.get(&name).is_none_or(|first| *first == body), "{name}");
    }
}

#[test]
fn readers_know_when_a_track_last_moved_and_since_when_it_is_of_the_filler() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    let playing = rig.track("180p");
    assert_eq!((playing.moved_at, playing.slate_since), (playing.published_at, None));
    // Bytes that settle, and a look at the clock, are no movement.
    rig.store_hangs = true;
    rig.plays(START + 4, START + 5);
    let moved = rig.track("180p").moved_at;
    rig.store_hangs = false;
    rig.settle();
    let settled = rig.track("180p");
    assert_eq!(settled.moved_at, moved);
    assert!(settled.published_at > moved);

    rig.presentation.lose();
    rig.passes(START + 7);
    let filled = rig.track("180p");
    assert!(filled.moved_at > moved && filled.slate_since > moved);
    rig.passes(START + 9);
    let later = rig.track("180p");
    assert!(later.moved_at > filled.moved_at);
    assert_eq!(later.slate_since, filled.slate_since, "it is still the same slate");
    rig.encoder_begins(30);
    rig.plays(START + 10, START + 12);
    assert_eq!(rig.track("180p").slate_since, None);
}

#[test]
fn limits_in_target_durations_are_told_in_time() {
    let unfit = config::Unfit {
        stale_after: 4,
        incomplete_after: 0,
        slate_after: Some(Duration::from_secs(30)),
        gone_after: Some(Duration::from_secs(60)),
        ready_after: Duration::from_secs(6),
    };
    let mut rig = Rig::configured(&config::Channel { unfit, ..config() }, None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    let limits = rig.presentation.edge().limits;
    let told = (limits.stale, limits.incomplete, limits.slate);
    assert_eq!(told, (Some(Duration::from_secs(4)), None, unfit.slate_after));
    assert_eq!((limits.gone, limits.depth), (unfit.gone_after, unfit.ready_after));
}

#[test]
fn parts_segments_and_init_segments_say_what_they_are() {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    for (track, object) in [("180p", "v"), ("audio-und", "a")] {
        let track = rig.track(track);
        let segment = &track.segments[&(START + 2)];
        let whole = segment.whole.as_ref().unwrap();
        assert_eq!(whole.cmsd.as_ref().unwrap(), &format!("ot={object},st=l,d=1000,br=100"));
        assert_eq!(segment.chunks[1].cmsd.as_ref().unwrap(), &format!("ot={object},st=l,d=500,br=100"));
        assert_eq!(track.cmsd.as_ref().unwrap(), &format!("ot={object},st=l,br=100"));
        assert_eq!(track.inits.values().next().unwrap().cmsd.as_ref().unwrap(), "ot=i,st=l");
        assert_eq!(track.playlist.as_ref().unwrap().whole.cmsd.as_ref().unwrap(), "ot=m,sf=h,st=l");
    }
    assert_eq!(rig.presentation.edge().mpd.as_ref().unwrap().cmsd.as_ref().unwrap(), "ot=m,sf=d,st=l");
}
