//! Encoded media all the way: ffmpeg's streams through segmenter, window, playlists and MPD to a directory, which
//! ffmpeg then plays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "support/made.rs"]
mod made;
#[path = "boxes/media.rs"]
#[allow(dead_code, reason = "this binary uses some of it")]
mod media;

use std::{fs, path::Path, sync::Arc, time::Duration};

use headwater_packager::{
    bmff::{init_name, init_segment},
    dash, hls,
    sample::Sample,
    segmenter::{Cut, Output, Segmenter},
    time::Ticks,
    track::{Track, UNCHANGED},
    window::{Era, Window},
};
use made::{TWO_SECONDS, segments};
use media::{encode, probe, read, run};
use tempfile::TempDir;

/// A segment number with the same phase as zero: 1001 segments are a whole number of frames at 30000/1001.
const LIVE: i64 = 1001 * 849_000;

const VIDEO: &str = "-f lavfi -i testsrc2=s=320x180:r=30000/1001 -t 7 -c:v libx264 -preset ultrafast -bf 2 -g 60 \
                     -keyint_min 60 -sc_threshold 0 -pix_fmt yuv420p";
const AUDIO: &str = "-f lavfi -i sine=r=48000 -t 7 -c:a aac";

/// The track of a file that ffmpeg makes, and its samples from `start` segments on.
fn source(directory: &Path, name: &str, arguments: &str, start: i64) -> (Arc<Track>, Vec<Sample>) {
    let file = directory.join(format!("{name}.mp4"));
    encode(arguments, &file);
    let (track, samples, _) = read(&file);
    let step = i64::from(samples[0].duration);
    let line = TWO_SECONDS.segment_start(start, track.timescale);
    let from = -(-line).div_euclid(step) * step;
    let moved = |sample: Sample| Sample { dts: sample.dts + from, ..sample };
    (Arc::new(Track { name: name.into(), ..track }), samples.into_iter().map(moved).collect())
}

/// Writes a track as an origin lays it out, and gives what is listed.
fn write(directory: &Path, track: &Arc<Track>, cut: Cut, first: i64, samples: &[Sample]) -> Window {
    let directory = directory.join(&track.name);
    fs::create_dir(&directory).unwrap();
    let init = init_segment(track);
    let era = Era { first, init: init_name(&init), sequence: 0 };
    fs::write(directory.join(&era.init), &init).unwrap();
    let mut segmenter = Segmenter::marking_last(track.clone(), cut);
    let mut outputs: Vec<_> =
        samples.iter().flat_map(|sample| segmenter.push(sample.clone()).unwrap()).collect();
    outputs.extend(segmenter.finish());
    let mut bytes = Vec::new();
    for output in &outputs {
        match output {
            Output::Chunk { chunk, .. } => bytes.extend_from_slice(&chunk.to_bytes()),
            Output::Segment { number, .. } => {
                fs::write(directory.join(format!("{number}.m4s")), std::mem::take(&mut bytes)).unwrap();
            }
        }
    }
    let mut window = Window::new(Duration::from_secs(3600), track.timescale);
    segments(&outputs, &era).into_iter().for_each(|segment| drop(window.push(segment)));
    window
}

/// Writes the documents of a complete presentation.
fn publish(directory: &Path, tracks: &[(Arc<Track>, Window)], kind: (hls::Kind, dash::Kind)) {
    for (track, window) in tracks {
        let text = hls::media(&hls::Media { window, target_duration: 2, kind: kind.0, low_latency: None });
        fs::write(directory.join(&track.name).join("index.m3u8"), text).unwrap();
    }
    let renditions: Vec<_> = tracks
        .iter()
        .map(|(track, window)| hls::Rendition {
            track,
            bandwidth: window.bandwidth(),
            configurations: &UNCHANGED,
        })
        .collect();
    fs::write(directory.join("index.m3u8"), hls::multivariant(&renditions)).unwrap();
    let representations: Vec<_> = tracks
        .iter()
        .map(|(track, window)| dash::Representation {
            track,
            window,
            bandwidth: window.bandwidth(),
            open: None,
            configurations: &UNCHANGED,
        })
        .collect();
    let presentation =
        dash::Presentation { representations: &representations, kind: kind.1, segment: TWO_SECONDS.segment };
    fs::write(directory.join("manifest.mpd"), dash::mpd(&presentation)).unwrap();
}

/// MD5 of each decoded picture.
fn pictures(file: &Path) -> Vec<String> {
    let arguments = ["-v", "error", "-nostdin", "-i", file.to_str().unwrap(), "-map", "0:v:0"];
    let text =
        run("ffmpeg", &[&arguments[..], &["-fps_mode", "passthrough", "-f", "framemd5", "-"]].concat());
    let frames = text.lines().filter(|line| !line.starts_with('#'));
    frames.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// How many audio packets there are.
fn blocks(file: &Path) -> usize {
    let packets = probe(file, "-show_packets");
    packets["packets"].as_array().unwrap().iter().filter(|packet| packet["codec_type"] == "audio").count()
}

/// Packages with `cut`, and lets ffmpeg play the result by HLS and by DASH.
fn check(cut: Cut, first: i64, starts: [Ticks; 4], kind: (hls::Kind, dash::Kind)) {
    let directory = TempDir::new().unwrap();
    let root = directory.path();
    let offset = if matches!(cut, Cut::Grid(_)) { first } else { 0 };
    let (video, pictures_in) = source(root, "180p", VIDEO, offset);
    let (audio, blocks_in) = source(root, "audio-de", AUDIO, offset);
    let tracks = [
        (video.clone(), write(root, &video, cut, first, &pictures_in)),
        (audio.clone(), write(root, &audio, cut, first, &blocks_in)),
    ];
    let zero = pictures_in[0].dts;
    let listed: Vec<_> =
        tracks[0].1.segments().iter().map(|segment| (segment.number, segment.start - zero)).collect();
    assert_eq!(listed, (first..).zip(starts).collect::<Vec<_>>());
    publish(root, &tracks, kind);
    let original = pictures(&root.join("180p.mp4"));
    assert_eq!(original.len(), 210);
    for document in ["index.m3u8", "manifest.mpd"] {
        assert_eq!(pictures(&root.join(document)), original, "{document}");
        assert_eq!(blocks(&root.join(document)), blocks_in.len(), "{document}");
    }
}

const FRAME: Ticks = 1001;
const STARTS: [Ticks; 4] = [0, 60 * FRAME, 120 * FRAME, 180 * FRAME];

#[test]
fn what_was_live_plays_picture_by_picture() {
    check(Cut::Grid(TWO_SECONDS), LIVE, STARTS, (hls::Kind::LiveEnded, dash::Kind::LiveEnded));
}

#[test]
fn a_file_plays_picture_by_picture() {
    check(Cut::Sync(TWO_SECONDS), 1, STARTS, (hls::Kind::OnDemand, dash::Kind::OnDemand));
}

/// The chunks of all segments behind the init segment are one file (I-07).
#[test]
fn segments_behind_their_init_segment_are_one_file() {
    let directory = TempDir::new().unwrap();
    let root = directory.path();
    let (track, samples) = source(root, "180p", VIDEO, LIVE);
    let window = write(root, &track, Cut::Grid(TWO_SECONDS), LIVE, &samples);
    let folder = root.join("180p");
    let mut file = fs::read(folder.join(&window.segments()[0].era.init)).unwrap();
    for segment in window.segments() {
        let bytes = fs::read(folder.join(format!("{}.m4s", segment.number))).unwrap();
        assert_eq!(bytes.len() as u64, segment.size);
        assert_eq!(segment.parts.iter().map(|part| part.size).sum::<u64>(), segment.size);
        file.extend(bytes);
    }
    let whole = root.join("whole.mp4");
    fs::write(&whole, file).unwrap();
    assert_eq!(pictures(&whole), pictures(&root.join("180p.mp4")));
    let found = probe(&whole, "-show_packets");
    let times: Vec<_> =
        found["packets"].as_array().unwrap().iter().map(|packet| packet["dts"].as_i64().unwrap()).collect();
    assert_eq!(times, samples.iter().map(|sample| sample.dts).collect::<Vec<_>>());
}
