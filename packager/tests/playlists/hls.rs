//! HLS playlists.

use std::{sync::Arc, time::Duration};

use headwater_packager::{
    hls,
    time::Ticks,
    track::UNCHANGED,
    window::{Bandwidth, Window},
};
use m3u8_rs::{AlternativeMediaType, MasterPlaylist, MediaPlaylist, MediaPlaylistType};

use super::presentations::{Kind, Presentation, all};
use crate::made::{audio, video};

fn media(text: &str) -> MediaPlaylist {
    let (rest, playlist) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
    assert!(rest.is_empty());
    playlist
}

fn multivariant(text: &str) -> MasterPlaylist {
    let (rest, playlist) = m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap();
    assert!(rest.is_empty());
    playlist
}

/// Seconds in a decimal number, in nanoseconds.
fn nanos(decimal: &str) -> i128 {
    let (seconds, fraction) = decimal.split_once('.').unwrap();
    format!("{seconds}{fraction:0<9}").parse().unwrap()
}

fn extinfs(text: &str) -> Vec<i128> {
    let values = text.lines().filter_map(|line| line.strip_prefix("#EXTINF:"));
    values.map(|value| nanos(value.trim_end_matches(','))).collect()
}

#[test]
fn playlists_are_as_they_were() {
    for presentation in all() {
        let mut text = presentation.multivariant();
        for (track, (made, _)) in presentation.tracks.iter().enumerate() {
            text += &format!("\n{}/index.m3u8:\n{}", made.track.name, presentation.media(track));
        }
        if let Some(delta) = presentation.delta(0) {
            text += &format!("\ndelta update:\n{delta}");
        }
        insta::assert_snapshot!(presentation.name, text);
    }
}

/// Holds a media playlist to its window, as an independent parser reads it.
fn check_media(presentation: &Presentation, track: usize, window: &Window) {
    let text = presentation.media(track);
    let playlist = media(&text);
    let segments = window.segments();
    assert_eq!(playlist.media_sequence, segments[0].number as u64);
    assert_eq!(playlist.discontinuity_sequence, window.discontinuity_sequence());
    assert_eq!(playlist.end_list, !presentation.kind.goes_on());
    let kind = match presentation.kind {
        Kind::OnDemand | Kind::Recorded => Some(MediaPlaylistType::Vod),
        Kind::Growing | Kind::Grown => Some(MediaPlaylistType::Event),
        Kind::Live | Kind::LiveEnded => None,
    };
    assert_eq!(playlist.playlist_type, kind);
    assert_eq!(playlist.start.is_some(), matches!(presentation.kind, Kind::Growing | Kind::Grown));
    let uris: Vec<_> = playlist.segments.iter().map(|segment| segment.uri.clone()).collect();
    let expected: Vec<_> = segments.iter().map(|segment| format!("{}.m4s", segment.number)).collect();
    assert_eq!(uris, expected);
    for (index, (read, segment)) in playlist.segments.iter().zip(segments).enumerate() {
        let before = index.checked_sub(1).map(|index| &segments[index].era);
        assert_eq!(read.discontinuity, before.is_some_and(|before| *before != segment.era));
        assert_eq!(read.map.is_some(), before.is_none_or(|before| before.init != segment.era.init));
        if let Some(date) = read.program_date_time {
            let exact = window.timescale().nanos(segment.start);
            let read = i128::from(date.timestamp_nanos_opt().unwrap());
            assert!((read - exact).abs() <= 500_000, "{read} for {exact}");
        }
        assert_eq!(read.program_date_time.is_some(), presentation.kind != Kind::OnDemand);
        let parts = read.unknown_tags.iter().filter(|tag| tag.tag == "X-PART").count();
        let recent = index + 2 >= segments.len() && !presentation.open.is_empty();
        assert_eq!(parts, if recent { segment.parts.len() } else { 0 }, "{}", segment.number);
    }
    let read = extinfs(&text);
    let exact = |ticks: Ticks| window.timescale().nanos(ticks);
    assert_eq!(read, segments.iter().map(|segment| exact(segment.duration)).collect::<Vec<_>>());
    assert!(
        read.iter()
            .all(|nanos| (nanos + 500_000_000) / 1_000_000_000 <= i128::from(playlist.target_duration))
    );
}

#[test]
fn an_independent_parser_finds_what_the_window_holds() {
    for presentation in all() {
        for (track, (_, window)) in presentation.tracks.iter().enumerate() {
            check_media(&presentation, track, window);
        }
    }
}

#[test]
fn an_independent_parser_finds_every_rendition_once_and_each_group_that_is_named() {
    for presentation in all() {
        let playlist = multivariant(&presentation.multivariant());
        assert!(playlist.independent_segments && !playlist.variants.is_empty());
        let name = presentation.name;
        let mut uris: Vec<_> = playlist.variants.iter().map(|variant| variant.uri.clone()).collect();
        uris.extend(playlist.alternatives.iter().filter_map(|media| media.uri.clone()));
        uris.sort();
        uris.dedup();
        let tracks = presentation.tracks.iter();
        let mut expected: Vec<_> =
            tracks.map(|(made, _)| format!("{}/index.m3u8", made.track.name)).collect();
        expected.sort();
        assert_eq!(uris, expected, "{name}");
        let alternatives = &playlist.alternatives;
        assert!(alternatives.iter().all(|media| media.media_type == AlternativeMediaType::Audio));
        assert_eq!(alternatives.iter().filter(|media| media.default).count(), alternatives.len().min(1));
        let mut names: Vec<_> = alternatives.iter().map(|media| &media.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), alternatives.len(), "{name}");
        for variant in &playlist.variants {
            assert_eq!(variant.audio.is_some(), !alternatives.is_empty(), "{name}");
            assert!(variant.average_bandwidth.unwrap() <= variant.bandwidth, "{name}");
        }
    }
}

#[test]
fn a_language_that_is_no_language_is_left_out() {
    let (video, mut sound) = (video(720, 25, 1), audio("en\",URI=\"http://elsewhere/", 48_000));
    Arc::make_mut(&mut sound.track).name = "audio-und".into();
    let bandwidth = Bandwidth::default();
    let renditions = [&video, &sound].map(|made| hls::Rendition {
        track: &made.track,
        bandwidth,
        configurations: &UNCHANGED,
    });
    let text = hls::multivariant(&renditions);
    assert!(!text.contains("elsewhere") && !text.contains("LANGUAGE"), "{text}");
}

#[test]
fn no_extinf_rounds_above_the_target_duration() {
    for millis in [1000, 1500, 1920, 2000, 2002, 2499, 2500, 6006] {
        let target = hls::target_duration(Duration::from_millis(millis));
        // A frame of 23.976 fps, longer than an AAC frame.
        let longest = millis as f64 / 1000.0 + 1001.0 / 24000.0;
        assert!(longest.round() <= f64::from(target), "{millis} ms: {target}");
    }
}

#[test]
fn playlists_of_a_part_of_it_are_asked_for_with_its_query() {
    for presentation in all() {
        let each = presentation.tracks.iter();
        let renditions: Vec<_> = each
            .map(|(made, window)| hls::Rendition {
                track: &made.track,
                bandwidth: window.bandwidth(),
                configurations: &UNCHANGED,
            })
            .collect();
        let part = multivariant(&hls::multivariant_with(&renditions, "?start=10&end=20"));
        let whole = multivariant(&presentation.multivariant());
        let uris = |playlist: &MasterPlaylist| -> Vec<String> {
            let media = playlist.alternatives.iter().filter_map(|media| media.uri.clone());
            playlist.variants.iter().map(|variant| variant.uri.clone()).chain(media).collect()
        };
        let expected: Vec<_> = uris(&whole).iter().map(|uri| format!("{uri}?start=10&end=20")).collect();
        assert_eq!(uris(&part), expected, "{}", presentation.name);
    }
}
