use headwater_packager::{
    codec::CodecConfig,
    time::Timescale,
    track::{Audio, Media, Video},
};

use super::*;

fn track(name: &str, video: bool) -> Arc<Track> {
    let media = match video {
        true => Media::Video(Video {
            width: 640,
            height: 360,
            sample_aspect: (1, 1),
            frame_rate: None,
            colour: None,
        }),
        false => Media::Audio(Audio { sample_rate: 1000, channels: 2, language: "en".into() }),
    };
    let codec = match video {
        true => CodecConfig::Avc(Bytes::from_static(&[1, 0x64, 0, 0x1f])),
        false => CodecConfig::Aac(Bytes::from_static(&[0x11, 0x90])),
    };
    Arc::new(Track {
        name: name.into(),
        timescale: Timescale::new(1000).unwrap(),
        codec,
        media,
        bitrate: 1,
        edit_start: 0,
    })
}

fn sample(dts: i64, sync: bool) -> Sample {
    Sample { dts, cts: 0, duration: 100, sync, captured_at: 7, data: Bytes::from_static(b"data") }
}

/// Publishes samples of a video track with a key frame a second, one at a time.
fn published(samples: std::ops::Range<i64>) -> (Publisher, Arc<Track>) {
    let (mut publisher, video) = (Publisher::new(Duration::from_secs(1)), track("360p", true));
    for index in samples {
        let samples = vec![sample(index * 100, index % 10 == 0)];
        publisher.publish(&mut [Fresh { track: &video, init: &[], samples }], crate::clock::now());
    }
    (publisher, video)
}

fn tail(publisher: &Publisher, lane: usize) -> Arc<Tail> {
    publisher.subscribe().borrow().lanes[lane].tail.borrow().clone()
}

#[test]
fn the_newest_two_gops_are_kept_and_no_more() {
    for (frames, first, key) in [(1, 0, 0), (10, 0, 0), (11, 0, 10), (20, 0, 10), (21, 10, 20), (95, 80, 90)]
    {
        let tail = tail(&published(0..frames).0, 0);
        assert_eq!(
            (tail.first(), tail.newest_key(), tail.end()),
            (first, Some(key), frames as u64),
            "{frames}"
        );
        assert_eq!(tail.get(first).unwrap().time, i128::from(first) * 100_000_000);
        assert!(tail.get(frames as u64).is_none());
        assert!(first == 0 || tail.get(first - 1).is_none());
    }
}

#[test]
fn what_goes_over_the_wire_is_made_once_and_shared() {
    let tail = tail(&published(0..2).0, 0);
    let frame = tail.get(1).unwrap();
    assert_eq!(frame.media().as_ptr(), frame.media().as_ptr());
    assert_eq!(frame.chunk().as_ptr(), frame.chunk().as_ptr());
    // type, length, track, flags, dts, cts, duration, captured-at, data
    let media = frame.media();
    assert_eq!(media[..7], [3, 0, 0, 0, 30, 0, 0]);
    assert_eq!(media[7..15], 100_i64.to_be_bytes());
    assert_eq!(media[31..], *b"data");
}

#[test]
fn a_time_is_found_in_a_tail() {
    let (publisher, _) = published(0..25);
    let tail = tail(&publisher, 0);
    for (millis, number) in [(2_000, 20), (2_050, 21), (2_400, 24), (2_401, 25), (9_000, 25), (0, 10)] {
        assert_eq!(tail.at_or_after(millis * 1_000_000), number, "{millis}");
    }
    assert_eq!(tail.key_from(0), Some(10));
    assert_eq!(tail.key_from(11), Some(20));
    assert_eq!(tail.key_from(21), None);
}

#[test]
fn sound_is_kept_for_as_long_as_pictures() {
    let (mut publisher, audio) = (Publisher::new(Duration::from_secs(1)), track("audio", false));
    for index in 0..100 {
        let samples = vec![sample(index * 100, true)];
        publisher.publish(&mut [Fresh { track: &audio, init: &[], samples }], crate::clock::now());
    }
    assert_eq!(tail(&publisher, 0).first(), 79);
}

#[test]
fn other_tracks_are_another_lineup_and_begin_anew() {
    let (mut publisher, video) = published(0..5);
    let mut lineup = publisher.subscribe();
    lineup.mark_unchanged();
    let fresh = |track, samples| Fresh { track, init: &[], samples };
    publisher.publish(&mut [fresh(&video, vec![sample(500, false)])], crate::clock::now());
    assert!(!lineup.has_changed().unwrap(), "the same tracks");
    let best = track("720p", true);
    publisher
        .publish(&mut [fresh(&best, vec![]), fresh(&video, vec![sample(600, false)])], crate::clock::now());
    assert!(lineup.has_changed().unwrap());
    let lineup = lineup.borrow();
    assert!(lineup.catalog.starts_with(&[1]) && lineup.catalog.ends_with(b"}]}"));
    let tail = lineup.lanes[1].tail.borrow();
    assert_eq!((tail.first(), tail.end(), tail.get(0).unwrap().media()[5]), (0, 1, 1));
}

#[test]
fn key_frames_are_granted_once_a_second_in_each_track() {
    let (mut allowance, start) = (Allowance::default(), crate::clock::now());
    let mut grant = |track, millis| allowance.grant(track, start + Duration::from_millis(millis));
    assert!(
        grant(0, 0) && grant(1, 1) && !grant(0, 999) && !grant(1, 1000) && grant(0, 1000) && grant(1, 1001)
    );
}
