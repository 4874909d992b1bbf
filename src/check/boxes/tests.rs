//! Media that our packager makes, read here and by mp4-atom.

use std::time::Duration;

use bytes::Bytes;
use headwater_packager::{
    bmff::init_segment,
    codec::CodecConfig,
    sample::Sample,
    segmenter::{Cut, Output, Segmenter},
    time::{FrameRate, Grid, Timescale},
    track::{Audio, Media, Track, Video},
};
use mp4_atom::{Atom, Header, Moof, ReadFrom};

use super::*;

const NUMBER: i64 = 900_000_000;

fn video() -> Track {
    let rate = FrameRate::new(30000, 1001).unwrap();
    let record: &[u8] =
        &[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x1f, 1, 0, 1, 0x68, 0xfd, 0xf8, 0xf8, 0];
    let video =
        Video { width: 320, height: 180, sample_aspect: (1, 1), frame_rate: Some(rate), colour: None };
    Track {
        name: "180p".into(),
        timescale: rate.timescale().0,
        codec: CodecConfig::Avc(Bytes::from_static(record)),
        media: Media::Video(video),
        bitrate: 0,
        edit_start: 0,
    }
}

fn audio() -> Track {
    Track {
        name: "audio".into(),
        timescale: Timescale::new(48_000).unwrap(),
        codec: CodecConfig::Aac(Bytes::from_static(&[0x11, 0x90])),
        media: Media::Audio(Audio { sample_rate: 48_000, channels: 2, language: "und".into() }),
        bitrate: 0,
        edit_start: 1024,
    }
}

/// One segment of two seconds from the grid line on, captured 100 ms after it is presented.
fn segment(track: &Track, step: u32) -> Bytes {
    let grid = Grid { segment: Duration::from_secs(2), part: Duration::from_millis(400) };
    let mut segmenter = Segmenter::new(track.clone().into(), Cut::Grid(grid));
    let start = grid.segment_start(NUMBER, track.timescale);
    let mut body = Vec::new();
    let mut dts = -(-start).div_euclid(i64::from(step)) * i64::from(step);
    while dts < grid.segment_start(NUMBER + 1, track.timescale) {
        let sync = body.is_empty() && dts < start + i64::from(step) || track.audio().is_some();
        let data = if sync { [0, 0, 0, 2, 0x65, 0x88] } else { [0, 0, 0, 2, 0x41, 0x9a] };
        let captured_at = (track.timescale.nanos(dts) / 1000) as i64 + 100_000;
        let sample =
            Sample { dts, cts: 0, duration: step, sync, captured_at, data: Bytes::from(data.to_vec()) };
        for output in segmenter.push(sample).unwrap() {
            if let Output::Chunk { chunk, .. } = output {
                body.extend_from_slice(&chunk.to_bytes());
            }
        }
        dts += i64::from(step);
    }
    body.into()
}

#[test]
fn an_init_segment_tells_its_track() {
    let read = init(&init_segment(&video())).unwrap();
    assert_eq!((read.kind, read.timescale, read.pictures), (Kind::Video, 30_000, Some(Pictures::Avc(4))));
    let read = init(&init_segment(&audio())).unwrap();
    assert_eq!((read.kind, read.timescale, read.edit_start), (Kind::Audio, 48_000, 1024));
    assert!(matches!(init(b"<html>no such file"), Err(Error::Foreign(_))));
}

#[test]
fn chunks_tell_times_first_sample_and_capture() {
    let track = video();
    let init = init(&init_segment(&track)).unwrap();
    let body = segment(&track, 1001);
    let list = chunks(&body, &init).unwrap();
    assert_eq!(list.len(), 5);
    assert_eq!(
        (list[0].sync, list[0].idr, list[1].sync, list[1].idr),
        (true, Some(true), false, Some(false))
    );
    assert_eq!(list.last().unwrap().end, body.len());
    for pair in list.windows(2) {
        assert_eq!(pair[0].end_time(), pair[1].start);
    }
    let reference = list[0].reference.unwrap();
    assert_eq!(reference.media_time, list[0].earliest);
    let presented = track.timescale.nanos(list[0].start) as i64;
    assert!((reference.wall_clock - presented - 100_000_000).abs() < 2000);
}

#[test]
fn another_reader_sees_the_same_times() {
    for (track, step) in [(video(), 1001), (audio(), 1024)] {
        let init = init(&init_segment(&track)).unwrap();
        let body = segment(&track, step);
        let mut buffer = &body[..];
        let mut seen = Vec::new();
        while let Ok(header) = Header::read_from(&mut buffer) {
            let (inner, rest) = buffer.split_at(header.size.unwrap());
            buffer = rest;
            if header.kind == Moof::KIND {
                let moof = Moof::decode_body(&mut &*inner).unwrap();
                let traf = &moof.traf[0];
                let default = traf.tfhd.default_sample_duration;
                let samples = traf.trun.iter().flat_map(|trun| trun.samples.iter());
                let duration: i64 = samples.map(|entry| i64::from(entry.duration.or(default).unwrap())).sum();
                seen.push((traf.tfdt.as_ref().unwrap().base_media_decode_time as i64, duration));
            }
        }
        let ours: Vec<_> =
            chunks(&body, &init).unwrap().iter().map(|chunk| (chunk.start, chunk.duration)).collect();
        assert_eq!(ours, seen);
    }
}

#[test]
fn what_is_cut_short_anywhere_is_refused_or_ends_at_a_box_and_never_panics() {
    let track = video();
    let header = init_segment(&track);
    let known = init(&header).unwrap();
    let body = segment(&track, 1001);
    let whole = chunks(&body, &known).unwrap();
    for length in 0..body.len() {
        match chunks(&body[..length], &known) {
            Ok(some) => assert!(some.len() < whole.len()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    (0..header.len()).for_each(|length| drop(init(&header[..length])));
    for at in 0..body.len().min(1500) {
        let mut bent = body.to_vec();
        bent[at] ^= 0xff;
        drop(chunks(&bent, &known));
    }
}
