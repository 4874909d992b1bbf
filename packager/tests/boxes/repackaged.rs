//! ffmpeg's streams through our writer: ffprobe and the decoder must find in it what was in the original.

use std::{fs, path::Path};

use headwater_packager::sample::Sample;
use serde_json::Value;
use tempfile::TempDir;

use super::media::{encode, probe, read, run, write};

/// Presentation time, decode time, size and whether it is a key frame, of a packet.
type Packet = (i64, i64, usize, bool);

/// The packets that ffprobe finds.
fn packets(file: &Path) -> Vec<Packet> {
    let value = probe(file, "-show_packets");
    let packet = |packet: &Value| {
        let size = packet["size"].as_str().unwrap().parse().unwrap();
        let key = packet["flags"].as_str().unwrap().starts_with('K');
        (packet["pts"].as_i64().unwrap(), packet["dts"].as_i64().unwrap(), size, key)
    };
    value["packets"].as_array().unwrap().iter().map(packet).collect()
}

/// The same by the samples. In fragments with negative composition offsets libavformat (5.1) moves all presentation
/// times up by the most negative one, so that none is before its decode time.
fn expected(samples: &[Sample], start: i64) -> Vec<Packet> {
    let earliest = samples.iter().map(|sample| i64::from(sample.cts)).min().unwrap().min(0);
    let packet = |sample: &Sample| {
        (sample.pts() + start - earliest, sample.dts + start, sample.data.len(), sample.sync)
    };
    samples.iter().map(packet).collect()
}

/// MD5 of each decoded frame.
fn frames(file: &Path) -> Vec<String> {
    let text =
        run("ffmpeg", &["-v", "error", "-nostdin", "-i", file.to_str().unwrap(), "-f", "framemd5", "-"]);
    let frames = text.lines().filter(|line| !line.starts_with('#'));
    frames.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// Encodes, repackages into chunks, and compares.
fn check(arguments: &str, per_chunk: usize, start: i64) {
    let directory = TempDir::new().unwrap();
    let (original, ours) = (directory.path().join("original.mp4"), directory.path().join("ours.mp4"));
    encode(arguments, &original);
    let (track, samples, _) = read(&original);
    fs::write(&ours, write(&track, &samples, per_chunk, start)).unwrap();
    assert_eq!(packets(&ours), expected(&samples, start), "{arguments}");
    let decoded = frames(&original);
    assert!(decoded.len() > 10, "{arguments}: only {} frames", decoded.len());
    assert_eq!(frames(&ours), decoded, "{arguments}");
}

const PATTERN: &str = "-f lavfi -i testsrc2=s=322x242:r=30000/1001 -t 2";

#[test]
fn h264_with_b_frames_comes_out_as_it_went_in() {
    check(
        &format!("{PATTERN} -c:v libx264 -preset ultrafast -bf 3 -b_strategy 0 -g 30 -pix_fmt yuv420p"),
        10,
        0,
    );
}

#[test]
fn h264_at_the_epoch_comes_out_as_it_went_in() {
    let start = 1_763_900_000 * 30_000;
    check(&format!("{PATTERN} -c:v libx264 -preset ultrafast -bf 2 -g 30 -pix_fmt yuv420p"), 7, start);
}

#[test]
fn h265_comes_out_as_it_went_in() {
    check(
        &format!("{PATTERN} -c:v libx265 -preset ultrafast -bf 2 -g 30 -pix_fmt yuv420p -tag:v hvc1"),
        15,
        0,
    );
}

#[test]
fn variable_frame_rate_comes_out_as_it_went_in() {
    let filter = "-vf select='not(eq(mod(n\\,5)\\,2))' -vsync vfr";
    check(&format!("{PATTERN} {filter} -c:v libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p"), 10, 0);
}

#[test]
fn one_sample_a_chunk_comes_out_as_it_went_in() {
    check(&format!("{PATTERN} -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p"), 1, 0);
}

/// The samples of the decoded sound, as 16-bit integers.
fn sound(file: &Path) -> Vec<i16> {
    let directory = TempDir::new().unwrap();
    let raw = directory.path().join("raw");
    run(
        "ffmpeg",
        &["-v", "error", "-nostdin", "-i", file.to_str().unwrap(), "-f", "s16le", raw.to_str().unwrap()],
    );
    fs::read(raw).unwrap().as_chunks::<2>().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect()
}

#[test]
fn an_edit_list_puts_the_priming_of_aac_before_zero() {
    const PRIMING: i64 = 1024;
    let directory = TempDir::new().unwrap();
    let (original, ours) = (directory.path().join("original.mp4"), directory.path().join("ours.mp4"));
    encode("-f lavfi -i aevalsrc=random(0):s=44100:d=1 -c:a aac -b:a 96k", &original);
    let (mut track, samples, _) = read(&original);
    track.edit_start = PRIMING;
    fs::write(&ours, write(&track, &samples, 9, 0)).unwrap();
    let packets = packets(&ours);
    let sizes: Vec<_> = packets.iter().map(|packet| packet.2).collect();
    assert_eq!(sizes, samples.iter().map(|sample| sample.data.len()).collect::<Vec<_>>());
    assert_eq!(packets[0].0, -PRIMING, "the list puts the priming before zero");
    let (original, ours) = (sound(&original), sound(&ours));
    // ffmpeg shifts times by the edit list of a fragmented file, and leaves it to the player to drop what is before
    // zero. The original's list also cuts the padding at the end, which a header written before the end cannot.
    let ours = &ours[PRIMING as usize..];
    assert!(
        ours.len() >= original.len() && ours.len() - original.len() < 1024,
        "{} {}",
        ours.len(),
        original.len()
    );
    assert!(ours[..original.len()] == original[..], "the sound differs");
}
