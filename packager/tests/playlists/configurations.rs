//! Tracks that were something else in some of their segments.

use std::{sync::Arc, time::Duration};

use headwater_packager::{
    bmff::{described, init_name, init_segment},
    codec::CodecConfig,
    dash, hls,
    track::{Configuration, Configurations, Media, Track},
    window::{Bandwidth, Era, Window},
};

use crate::made::{Made, NOW, TWO_SECONDS, audio, video};

const RATES: [Bandwidth; 2] = [Bandwidth { peak: 900, average: 800 }, Bandwidth { peak: 600, average: 500 }];

/// What `made` was before, and is now: another level and another size, or another number of channels.
fn then_and_now(made: &Made) -> [Arc<Track>; 2] {
    let mut then = Track { bitrate: 700_000, ..Track::clone(&made.track) };
    match (&mut then.media, &mut then.codec) {
        (Media::Video(video), CodecConfig::Avc(record)) => {
            (video.width, video.height, video.sample_aspect) = (640, 480, (4, 3));
            let mut lower = record.to_vec();
            lower[3] = 0x1e;
            *record = lower.into();
        }
        (Media::Audio(audio), codec) => {
            audio.channels = 6;
            *codec = CodecConfig::Aac(vec![0x11, 0xb0].into());
        }
        _ => unreachable!(),
    }
    [then.into(), made.track.clone()]
}

/// Two segments of before, and two of now.
fn changed(made: &Made) -> (Arc<Track>, Window, Configurations) {
    let tracks = then_and_now(made);
    let inits = tracks.each_ref().map(|track| init_name(&init_segment(track)));
    let segments = [0, 1].map(|at| {
        let first = NOW + 2 * at as i64;
        made.segments(TWO_SECONDS, first, first + 2, &Era { first, init: inits[at].clone(), sequence: 0 })
    });
    let configuration = |(track, bandwidth)| Configuration { track, bandwidth };
    let told = inits.into_iter().zip(tracks.clone().into_iter().zip(RATES).map(configuration)).collect();
    (tracks[1].clone(), made.window(Duration::from_secs(60), segments.concat()), told)
}

#[test]
fn a_track_is_read_back_from_its_init_segment() {
    for made in [video(720, 30, 1), audio("en", 48_000)] {
        for track in then_and_now(&made) {
            let init = init_segment(&track);
            let other = Track { bitrate: 5, ..Track::clone(&made.track) };
            let read = described(&init, &other).unwrap().unwrap();
            assert_eq!(init_segment(&read), init);
            assert_eq!(read.codec, track.codec);
            // Its parameter set says 30 frames a second, which is what it is.
            assert_eq!((&read.media, read.bitrate), (&track.media, track.bitrate));
            assert!(described(&init[..init.len() - 1], &other).is_err());
        }
        let kinds = [video(720, 30, 1), audio("en", 48_000)].map(|other| other.track);
        let of_other_kind =
            kinds.iter().filter(|other| other.video().is_some() != made.track.video().is_some());
        of_other_kind.for_each(|other| assert_eq!(described(&init_segment(&made.track), other), Ok(None)));
        assert_eq!(described(b"", &made.track), Ok(None));
    }
}

#[test]
fn a_multivariant_playlist_names_all_that_is_in_it_and_the_largest() {
    let changed = [changed(&video(360, 30, 1)), changed(&audio("en", 48_000))];
    let renditions = changed.each_ref().map(|(track, window, configurations)| hls::Rendition {
        track,
        bandwidth: window.bandwidth(),
        configurations,
    });
    let text = hls::multivariant(&renditions);
    assert!(text.contains("CODECS=\"avc1.64001e,avc1.64001f,mp4a.40.2\""), "{text}");
    assert!(text.contains("RESOLUTION=853x480,FRAME-RATE=30.000"), "{text}");
    assert!(text.contains("CHANNELS=\"6\""), "{text}");
}

#[test]
fn each_period_of_an_mpd_says_what_its_segments_are() {
    let changed = [changed(&video(360, 30, 1)), changed(&audio("en", 48_000))];
    let representations = changed.each_ref().map(|(track, window, configurations)| dash::Representation {
        track,
        window,
        bandwidth: window.bandwidth(),
        open: None,
        configurations,
    });
    let kind = dash::Kind::LiveEnded;
    let mpd = dash::mpd(&dash::Presentation {
        representations: &representations,
        kind,
        segment: TWO_SECONDS.segment,
    });
    let periods: Vec<&str> = mpd.split("<Period ").skip(1).collect();
    let told: [&[&str]; 2] = [
        &[
            "avc1.64001e",
            "width=\"640\"",
            "height=\"480\"",
            "maxHeight=\"480\"",
            "sar=\"4:3\"",
            "bandwidth=\"900\"",
        ],
        &[
            "avc1.64001f",
            "width=\"640\"",
            "height=\"360\"",
            "maxHeight=\"360\"",
            "sar=\"1:1\"",
            "bandwidth=\"600\"",
        ],
    ];
    assert_eq!(periods.len(), told.len(), "{mpd}");
    for (period, told) in periods.iter().zip(told) {
        told.iter().for_each(|told| assert!(period.contains(told), "{told}: {mpd}"));
    }
    let channels = |period: &str| period.contains("channel_configuration:2011\" value=\"6\"");
    assert!(channels(periods[0]) && !channels(periods[1]), "{mpd}");
}
