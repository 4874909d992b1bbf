use headwater_packager::{
    codec::CodecConfig,
    sample::Sample,
    time::Timescale,
    track::{Audio, Media, Track, Video},
};
use tokio::sync::watch;

use super::*;
use crate::channel::frames::{Fresh, Publisher};

/// Milliseconds: a tick each.
const FRAME: i64 = 100;
const SEGMENT: i64 = 2000;

/// Three video tracks, the last of another codec, and two audio tracks.
struct Rig {
    publisher: Publisher,
    lineup: watch::Receiver<Arc<Lineup>>,
    tracks: Vec<Arc<Track>>,
    start: Instant,
    at: i64,
}

fn track(name: &str, height: Option<u32>) -> Arc<Track> {
    let media = match height {
        Some(height) => {
            Media::Video(Video { width: 16, height, sample_aspect: (1, 1), frame_rate: None, colour: None })
        }
        None => Media::Audio(Audio { sample_rate: 1000, channels: 2, language: "en".into() }),
    };
    let codec = match (height, name) {
        (None, _) => CodecConfig::Aac(Bytes::from_static(&[0x11, 0x90])),
        (_, "hevc") => CodecConfig::Hevc(Bytes::new()),
        _ => CodecConfig::Avc(Bytes::from_static(&[1, 0x64, 0, 0x1f])),
    };
    let timescale = Timescale::new(1000).unwrap();
    Arc::new(Track { name: name.into(), timescale, codec, media, bitrate: 1, edit_start: 0 })
}

impl Rig {
    fn new() -> Self {
        let publisher = Publisher::new(Duration::from_millis(SEGMENT as u64));
        let tracks =
            [("720p", Some(720)), ("480p", Some(480)), ("hevc", Some(360)), ("en", None), ("de", None)];
        let tracks = tracks.map(|(name, height)| track(name, height)).into();
        let lineup = publisher.subscribe();
        Self { publisher, lineup, tracks, start: crate::clock::now(), at: 0 }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.at as u64)
    }

    /// Publishes a frame of each track, with key frames in `keys` and at the begin of segments.
    fn frame(&mut self, keys: &[usize]) {
        self.tracks_frame(0..5, keys);
        self.at += FRAME;
    }

    /// Publishes a frame of some tracks at the present time.
    fn tracks_frame(&mut self, which: std::ops::Range<usize>, keys: &[usize]) {
        let (at, now) = (self.at, self.now());
        let fresh = |(index, track): (usize, &Arc<Track>)| {
            let sync = at % SEGMENT == 0 || keys.contains(&index) || track.audio().is_some();
            let data = Bytes::from(vec![index as u8]);
            let sample = Sample { dts: at, cts: 0, duration: FRAME as u32, sync, captured_at: 0, data };
            (index, sample)
        };
        let samples: Vec<_> = self.tracks.iter().enumerate().map(fresh).collect();
        let mut fresh: Vec<Fresh<'_>> = self
            .tracks
            .iter()
            .zip(samples)
            .map(|(track, (index, sample))| Fresh {
                track,
                init: &[],
                samples: if which.contains(&index) { vec![sample] } else { vec![] },
            })
            .collect();
        self.publisher.publish(&mut fresh, now);
    }

    fn frames(&mut self, count: usize) {
        (0..count).for_each(|_| self.frame(&[]));
    }

    fn feed(&self, query: &str) -> Feed {
        let mut feed = Feed::new(&Query::parse(Some(query)).unwrap(), self.now());
        feed.line_up(self.lineup.borrow().clone(), self.now());
        feed
    }

    /// All that a feed has, in words: `V0@2000` is a key frame and `v0@2100` another frame of track 0 at 2100 ms.
    fn words(&self, feed: &mut Feed) -> Vec<String> {
        let mut words = Vec::new();
        while let Some(item) = feed.pull(self.now()) {
            words.push(word(&item.frame));
        }
        words
    }
}

fn word(frame: &[u8]) -> String {
    let text = || String::from_utf8(frame[5..].to_vec()).unwrap();
    let media = |kind: char| {
        let dts = i64::from_be_bytes(frame[7..15].try_into().unwrap());
        format!("{kind}{}@{dts}", frame[5])
    };
    match frame[0] {
        1 => "catalog".into(),
        2 => media('V'),
        3 => media('v'),
        4 => media('a'),
        5 => text().replace("\"", "").replace("{event:", "").replace('}', ""),
        7 => "pong".into(),
        9 => format!("init{}", frame[5]),
        10 => format!("chunk{}/{}", frame[5], frame[6]),
        other => panic!("type {other}"),
    }
}

#[test]
fn a_late_joiner_gets_the_gop_from_its_key_frame_with_the_sound_of_the_same_time() {
    let mut rig = Rig::new();
    rig.frames(22);
    let mut feed = rig.feed("");
    assert_eq!(
        rig.words(&mut feed),
        ["catalog", "selected,video:0,audio:3,why:start", "V0@2000", "a3@2000", "v0@2100", "a3@2100"]
    );
    rig.frame(&[]);
    assert_eq!(rig.words(&mut feed), ["v0@2200", "a3@2200"]);
    assert_eq!(rig.words(&mut feed), [""; 0]);
}

#[test]
fn a_query_chooses_where_to_begin() {
    let mut rig = Rig::new();
    rig.frames(1);
    for (query, selected) in [
        ("video=480p&audio=de", "video:1,audio:4"),
        ("video=none", "video:null,audio:3"),
        ("height=480&audio=none", "video:1,audio:null"),
        ("height=100", "video:2,audio:3"),
        ("video=1080p", "video:0,audio:3"),
        ("video=en", "video:0,audio:3"),
    ] {
        let words = rig.words(&mut rig.feed(query));
        assert_eq!(words[1], format!("selected,{selected},why:start"), "{query}");
    }
}

#[test]
fn cmaf_comes_with_the_init_segments_of_what_is_selected() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("format=cmaf");
    let words = rig.words(&mut feed);
    assert_eq!(words[1..], ["selected,video:0,audio:3,why:start", "init0", "init3", "chunk0/1", "chunk3/1"]);
    feed.ask(Selection { video: Some(Some(1)), audio: None }, rig.now()).unwrap();
    rig.frame(&[1]);
    assert_eq!(rig.words(&mut feed), ["selected,video:1,audio:3,why:asked", "init1", "chunk1/1", "chunk3/1"]);
}

#[test]
fn another_rung_takes_over_at_its_next_key_frame_without_a_gap() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("audio=none");
    rig.words(&mut feed);
    feed.ask(Selection { video: Some(Some(1)), audio: None }, rig.now()).unwrap();
    rig.frame(&[]);
    assert_eq!(rig.words(&mut feed), ["v0@100"], "the old one goes on");
    rig.frame(&[1]);
    assert_eq!(rig.words(&mut feed), ["selected,video:1,audio:null,why:asked", "V1@200"]);
    rig.frame(&[]);
    assert_eq!(rig.words(&mut feed), ["v1@300"]);
}

#[test]
fn the_old_rungs_last_frames_are_waited_for_but_not_for_long() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("audio=none");
    rig.words(&mut feed);
    feed.ask(Selection { video: Some(Some(1)), audio: None }, rig.now()).unwrap();
    // The encoder of the smaller picture is ahead by a frame.
    rig.tracks_frame(1..2, &[]);
    rig.at += FRAME;
    rig.tracks_frame(1..2, &[1]);
    assert_eq!(rig.words(&mut feed), [""; 0], "100 ms of the old one are not there yet");
    rig.at -= FRAME;
    rig.tracks_frame(0..1, &[]);
    rig.at += FRAME;
    assert_eq!(rig.words(&mut feed), ["v0@100", "selected,video:1,audio:null,why:asked", "V1@200"]);
    feed.ask(Selection { video: Some(Some(0)), audio: None }, rig.now()).unwrap();
    rig.at += 2 * FRAME;
    rig.tracks_frame(0..1, &[0]);
    assert_eq!(rig.words(&mut feed), [""; 0]);
    rig.at += 101;
    assert_eq!(
        rig.words(&mut feed),
        ["selected,video:0,audio:null,why:asked", "V0@400"],
        "the old one hangs"
    );
}

#[test]
fn a_key_frame_is_asked_for_only_where_it_is_far_and_somebody_waits() {
    let mut rig = Rig::new();
    rig.frames(5);
    let mut feed = rig.feed("");
    rig.words(&mut feed);
    assert_eq!(feed.wish(rig.now()), None);
    feed.ask(Selection { video: Some(Some(1)), audio: None }, rig.now()).unwrap();
    assert_eq!(feed.wish(rig.now()), Some(1));
    assert_eq!(feed.wish(rig.now()), None, "once");
    rig.frames(3);
    assert_eq!(feed.wish(rig.now()), None, "not again at once");
    rig.frames(10);
    assert_eq!(feed.wish(rig.now()), None, "the next one is near");
    // Nobody is in a hurry to have a better picture.
    feed.lower();
    feed.change = None;
    rig.frames(5);
    feed.ask(Selection { video: Some(Some(0)), audio: None }, rig.now()).unwrap();
    feed.video = Cursor::at_newest_key(&rig.lineup.borrow(), 1);
    feed.change = None;
    feed.higher();
    assert_eq!(feed.wish(rig.now()), None);
}

#[test]
fn lower_and_better_are_of_the_same_codec_and_end_at_what_was_asked_for() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("audio=none");
    rig.words(&mut feed);
    assert!(feed.choice().lower && !feed.choice().higher);
    feed.lower();
    assert!(!feed.choice().lower, "one is on its way");
    rig.frame(&[1]);
    assert_eq!(rig.words(&mut feed), ["selected,video:1,audio:null,why:slow", "V1@100"]);
    assert!(!feed.choice().lower, "the next one is of another codec");
    assert!(feed.choice().higher);
    feed.higher();
    rig.frame(&[0]);
    assert_eq!(rig.words(&mut feed), ["selected,video:0,audio:null,why:recovered", "V0@200"]);
    assert!(!feed.choice().higher);
}

#[test]
fn a_lower_rung_takes_over_at_once_and_what_waited_is_left_out() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("audio=none");
    rig.words(&mut feed);
    rig.frames(4);
    feed.lower();
    rig.frame(&[1]);
    assert_eq!(rig.words(&mut feed), ["selected,video:1,audio:null,why:slow", "V1@500"]);
}

#[test]
fn a_skip_goes_to_the_next_key_frame_and_tells_how_much_was_left_out() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("");
    rig.words(&mut feed);
    rig.frames(9);
    assert_eq!(feed.waiting_since(), Some(rig.start + Duration::from_millis(100)));
    feed.skip(rig.now());
    assert_eq!(feed.waiting_since(), None);
    rig.frame(&[]);
    assert_eq!(rig.words(&mut feed), [""; 0], "sound goes on with the picture");
    assert_eq!(feed.waiting_since(), None);
    rig.frame(&[0]);
    assert_eq!(rig.words(&mut feed), ["skipped,frames:10", "V0@1100", "a3@1100"]);
}

#[test]
fn a_skip_during_a_change_is_told_too() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("");
    rig.words(&mut feed);
    rig.frames(4);
    feed.lower();
    rig.frames(5);
    feed.skip(rig.now());
    rig.frame(&[1]);
    assert_eq!(
        rig.words(&mut feed),
        ["skipped,frames:9", "selected,video:1,audio:3,why:slow", "V1@1000", "a3@1000"]
    );
}

#[test]
fn sound_alone_is_skipped_too() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("video=none");
    rig.words(&mut feed);
    rig.frames(9);
    feed.skip(rig.now());
    rig.frame(&[]);
    assert_eq!(rig.words(&mut feed), ["skipped,frames:9", "a3@1000"]);
}

#[test]
fn a_skip_takes_a_key_frame_that_has_just_come() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("audio=none");
    rig.words(&mut feed);
    rig.frames(20);
    feed.skip(rig.now());
    assert_eq!(rig.words(&mut feed), ["skipped,frames:19", "V0@2000"]);
}

#[test]
fn who_was_away_for_longer_than_the_tail_goes_on_with_a_key_frame() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("audio=none");
    rig.words(&mut feed);
    rig.frames(61);
    assert_eq!(rig.words(&mut feed)[..3], ["skipped,frames:39", "V0@4000", "v0@4100"]);
}

#[test]
fn nothing_is_sent_while_paused_and_all_begins_again_afterwards() {
    let mut rig = Rig::new();
    rig.frames(3);
    let mut feed = rig.feed("");
    rig.words(&mut feed);
    feed.pause();
    rig.frames(18);
    feed.ask(Selection { video: Some(Some(1)), audio: Some(None) }, rig.now()).unwrap();
    assert_eq!(rig.words(&mut feed), ["paused"]);
    feed.resume(rig.now());
    assert_eq!(rig.words(&mut feed), ["selected,video:1,audio:null,why:start", "V1@2000"]);
}

#[test]
fn what_there_is_not_is_refused_and_nothing_changes() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("");
    rig.words(&mut feed);
    for selection in [
        Selection { video: Some(Some(3)), audio: None },
        Selection { video: Some(Some(1)), audio: Some(Some(0)) },
        Selection { video: Some(Some(5)), audio: Some(None) },
    ] {
        assert!(feed.ask(selection, rig.now()).is_err(), "{selection:?}");
    }
    rig.frame(&[1]);
    assert_eq!(rig.words(&mut feed), ["v0@100", "a3@100"]);
}

#[test]
fn sound_alone_and_pictures_alone_can_be_had_and_changed() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("video=none");
    assert_eq!(rig.words(&mut feed)[2..], [""; 0], "sound begins with what comes");
    rig.frame(&[]);
    assert_eq!(rig.words(&mut feed), ["a3@100"]);
    feed.ask(Selection { video: Some(Some(0)), audio: Some(Some(4)) }, rig.now()).unwrap();
    let words = rig.words(&mut feed);
    assert!(words.contains(&"V0@0".into()) && words.contains(&"a4@0".into()), "{words:?}");
    feed.ask(Selection { video: Some(None), audio: None }, rig.now()).unwrap();
    rig.frame(&[]);
    assert_eq!(rig.words(&mut feed), ["selected,video:null,audio:4,why:asked", "a4@200"]);
}

#[test]
fn another_catalog_begins_anew_with_the_tracks_of_the_same_names() {
    let mut rig = Rig::new();
    rig.frames(1);
    let mut feed = rig.feed("video=480p");
    rig.words(&mut feed);
    rig.tracks.remove(0);
    rig.tracks.push(track("fr", None));
    rig.frames(1);
    feed.line_up(rig.lineup.borrow().clone(), rig.now());
    let words = rig.words(&mut feed);
    assert_eq!(words[..2], ["catalog", "selected,video:0,audio:2,why:start"]);
}
