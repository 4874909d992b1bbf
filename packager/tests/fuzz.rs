//! The fuzz targets as a plain test: a corpus from our own writer and from ffmpeg, mutated by a seeded generator for
//! `HEADWATER_FUZZ_SECONDS` (24) in all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the length of a test is real time")]

#[path = "../fuzz/bodies.rs"]
mod bodies;
#[path = "boxes/fixture.rs"]
#[allow(dead_code, reason = "shared with the test of boxes")]
mod fixture;
#[path = "boxes/media.rs"]
#[allow(dead_code, reason = "only encoding is needed here")]
mod media;
#[path = "fuzz/"]
mod fuzz {
    pub mod allocation;
    pub mod mutate;
}

use std::{
    fs,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headwater_packager::{
    bmff::{Fragment, fragment_header, init_segment, reader::Boxes},
    codec::CodecConfig,
};

use fuzz::{
    allocation,
    mutate::{Random, mutate},
};

/// No input takes longer than this, or the test calls it a hang.
const HANG: Duration = Duration::from_secs(30);

#[test]
fn hostile_boxes_neither_panic_nor_hang_nor_fill_the_memory() {
    let seconds = std::env::var("HEADWATER_FUZZ_SECONDS").map_or(24, |seconds| seconds.parse().unwrap());
    let share = Duration::from_secs(seconds) / 3;
    let files = files();
    let runs = [
        fuzz_body("boxes", bodies::boxes, files.clone(), share),
        fuzz_body("movie", bodies::movie, files, share),
        fuzz_body("codec", bodies::codec, records(), share),
    ];
    println!("inputs tried: {runs:?}");
    assert!(runs.iter().all(|&runs| runs > 0));
}

/// Mutates seeds for `length`, at least through the corpus once, and returns how many inputs were tried.
fn fuzz_body(name: &'static str, body: fn(&[u8]), corpus: Vec<Vec<u8>>, length: Duration) -> u64 {
    let (sender, receiver) = sync_channel(1);
    let worker = thread::spawn(move || {
        let started = Instant::now();
        let mut random = Random::new(0x6865_6164_7761_7465);
        for tried in 0.. {
            let mut input = corpus[tried % corpus.len()].clone();
            if tried >= corpus.len() {
                if started.elapsed() >= length {
                    return tried as u64;
                }
                mutate(&mut input, &corpus, &mut random);
            }
            // The receiver holds the last input, so that a hang or a crash can be looked at.
            sender.send(input.clone()).unwrap();
            let most = allocation::largest_during(|| body(&input));
            assert!(
                most <= 64 * input.len() + (1 << 20),
                "{name}: {most} bytes for an input of {}",
                input.len()
            );
        }
        0
    });
    let mut last = Vec::new();
    loop {
        match receiver.recv_timeout(HANG) {
            Ok(input) => last = input,
            Err(RecvTimeoutError::Timeout) => panic!("{name}: no end with {}", keep(name, &last)),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    worker.join().unwrap_or_else(|_| panic!("{name}: failed with {}", keep(name, &last)))
}

/// Writes an input to a file and returns its path.
fn keep(name: &str, input: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("headwater-fuzz-{name}-{}.bin", std::process::id()));
    fs::write(&path, input).unwrap();
    path.display().to_string()
}

/// Headers, segments and whole files; real damaged ones too where they are at hand.
fn files() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for track in [fixture::avc_track(), fixture::aac_track()] {
        let samples = fixture::reordered(54_000_000_000);
        let fragment = Fragment { sequence: 1, samples: &samples, segment_start: true, last_segment: true };
        let init = init_segment(&track).to_vec();
        let mut segment = fragment_header(&track, &fragment).to_vec();
        samples.iter().for_each(|sample| segment.extend_from_slice(&sample.data));
        corpus.extend([init.clone(), segment.clone(), [init, segment].concat()]);
    }
    corpus.push(progressive());
    let Some(broken) = headwater_test_support::shared("broken") else { return corpus };
    let entries = fs::read_dir(broken).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    // Media data is of no interest here, and would take most of the mutations.
    corpus.extend(paths.iter().map(|path| without_media(&fs::read(path).unwrap())));
    corpus
}

/// A file with sample tables, by ffmpeg, without its media data.
fn progressive() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.mp4");
    let inputs = "-f lavfi -i testsrc2=s=64x64:r=25 -f lavfi -i sine=r=48000 -t 1";
    media::encode(&format!("{inputs} -c:v libx264 -bf 2 -pix_fmt yuv420p -c:a aac"), &path);
    without_media(&fs::read(path).unwrap())
}

fn without_media(file: &[u8]) -> Vec<u8> {
    let mut left = Vec::new();
    for found in Boxes::new(file, 0) {
        match found {
            Ok(found) if &found.kind.0 == b"mdat" => left.extend_from_slice(b"\0\0\0\x08mdat"),
            Ok(found) => left.extend_from_slice(&file[found.offset as usize..][..found.size() as usize]),
            Err(_) => break,
        }
    }
    if left.is_empty() { file[..file.len().min(1000)].to_vec() } else { left }
}

/// Decoder configuration records behind a byte for their codec.
fn records() -> Vec<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.mp4");
    let mut corpus = vec![
        vec![2, 0x11, 0x90],
        vec![2, 0x2b, 0x11, 0x88, 0x00],
        vec![2, 0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x80],
        vec![2, 0x12, 0x00, 0x05, 0x04, 0x40, 0x10, 0x80, 0x20, 0x00],
    ];
    for encoder in ["libx264 -x264-params cqm=jvt", "libx265 -bf 3 -tag:v hvc1", "libx264 -flags +ilme+ildct"]
    {
        let arguments = format!("-f lavfi -i testsrc2=s=322x244 -frames:v 5 -c:v {encoder} -pix_fmt yuv420p");
        media::encode(&arguments, &path);
        let (kind, record): (u8, Bytes) = match media::codec(&path) {
            CodecConfig::Avc(record) => (0, record),
            CodecConfig::Hevc(record) => (1, record),
            CodecConfig::Aac(record) => (2, record),
        };
        corpus.push([&[kind], &record[..]].concat());
    }
    corpus
}
