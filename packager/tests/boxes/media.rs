//! Real media, made by ffmpeg when the test runs, read by the `mp4` crate and judged by ffprobe.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use bytes::Bytes;
use headwater_packager::{
    bmff::{
        Fragment, fragment_header, init_segment,
        reader::{Boxes, Movie},
    },
    codec::{CodecConfig, aac::AudioSpecificConfig},
    sample::Sample,
    time::Timescale,
    track::{Audio, Media, Track},
};

/// Runs a program to its end, for a minute at most, and returns what it printed. It must succeed.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new("timeout").arg("60").arg(program).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{errors}", output.status);
    assert!(errors.trim().is_empty(), "{program} {arguments:?} complained: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Encodes with ffmpeg. The arguments are separated by spaces.
pub fn encode(arguments: &str, to: &Path) {
    let mut all = vec!["-v", "error", "-nostdin", "-y"];
    all.extend(arguments.split_whitespace());
    // x265 logs on its own.
    all.extend(["-x265-params", "log-level=none"].iter().filter(|_| arguments.contains("libx265")));
    all.push(to.to_str().unwrap());
    run("ffmpeg", &all);
}

/// What ffprobe finds, as JSON.
pub fn probe(file: &Path, show: &str) -> serde_json::Value {
    let path = file.to_str().unwrap();
    let text = run("ffprobe", &["-v", "error", "-err_detect", "explode", show, "-of", "json", path]);
    serde_json::from_str(&text).unwrap()
}

/// The codec configuration of the first track of an MP4 file.
pub fn codec(file: &Path) -> CodecConfig {
    let bytes = fs::read(file).unwrap();
    let moov = Boxes::new(&bytes, 0).map(Result::unwrap).find(|found| &found.kind.0 == b"moov").unwrap();
    Movie::read(&moov).unwrap().tracks[0].codec.clone().unwrap()
}

/// The only track of an MP4 file, as the `mp4` crate reads it. Presentation times are moved to where the first one
/// equals its decode time, as our samples want it; by how much is the third value.
pub fn read(file: &Path) -> (Track, Vec<Sample>, i32) {
    let codec = codec(file);
    let size = fs::metadata(file).unwrap().len();
    let mut reader = mp4::Mp4Reader::read_header(File::open(file).unwrap(), size).unwrap();
    let timescale = Timescale::new(reader.tracks()[&1].timescale()).unwrap();
    let count = reader.tracks()[&1].sample_count();
    let mut samples: Vec<Sample> = (1..=count)
        .map(|number| {
            let sample = reader.read_sample(1, number).unwrap().unwrap();
            Sample {
                dts: sample.start_time as i64,
                cts: sample.rendering_offset,
                duration: sample.duration,
                sync: sample.is_sync || !codec.is_video(),
                captured_at: 0,
                data: sample.bytes,
            }
        })
        .collect();
    let shift = samples[0].cts;
    samples.iter_mut().for_each(|sample| sample.cts -= shift);
    let media = match &codec {
        CodecConfig::Aac(config) => {
            let config = AudioSpecificConfig::parse(config).unwrap();
            let (sample_rate, channels) = (config.sample_rate, config.channels);
            Media::Audio(Audio { sample_rate, channels, language: "de".into() })
        }
        video => Media::Video(video.video().unwrap().unwrap()),
    };
    (Track { name: "t".into(), timescale, codec, media, bitrate: 0, edit_start: 0 }, samples, shift)
}

/// The track with our writer: the header, then chunks of `per_chunk` samples that all begin at `start` or later.
pub fn write(track: &Track, samples: &[Sample], per_chunk: usize, start: i64) -> Vec<u8> {
    let moved: Vec<Sample> =
        samples.iter().map(|sample| Sample { dts: sample.dts + start, ..sample.clone() }).collect();
    let mut out = init_segment(track).to_vec();
    for (samples, sequence) in moved.chunks(per_chunk).zip(1..) {
        let fragment = Fragment { sequence, samples, segment_start: samples[0].sync, last_segment: false };
        out.extend_from_slice(&fragment_header(track, &fragment));
        samples.iter().map(|sample| &sample.data).for_each(|data: &Bytes| out.extend_from_slice(data));
    }
    out
}
