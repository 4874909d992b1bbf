//! `--copy`: the same pictures and sound come out.

use std::{collections::BTreeSet, fs, path::Path};

use headwater::store::{Hashed, LIST, etag};
use tempfile::TempDir;

use super::tools::{
    assert_consistent, documents, ffmpeg, flash_and_beep, frames, fresh, movie, offset, package, packaged,
    pictures, refused, shared,
};

/// Both documents play, and every picture is the input's, at the input's time less `start`.
fn assert_same_pictures(input: &Path, out: &Path) {
    let expected = frames(input, "0:v:0");
    for document in documents(out) {
        let found = frames(&document, "0:v:0");
        assert_eq!(found.len(), expected.len(), "{}", document.display());
        let (first, first_found) = (expected[0].0, found[0].0);
        for (one, other) in expected.iter().zip(&found) {
            assert_eq!(one.1, other.1, "{}", document.display());
            assert!((one.0 - first - (other.0 - first_found)).abs() < 0.002, "{one:?} {other:?}");
        }
    }
}

#[test]
fn every_picture_of_a_copy_is_the_inputs() {
    let (directory, out) = fresh();
    for (name, more) in [
        ("b-frames.mp4", ""),
        ("behind.mov", ""),
        (
            "hevc.mp4",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=50:min-keyint=50 -tag:v hvc1",
        ),
        (
            "hev1.mp4",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=50:min-keyint=50 -tag:v hev1",
        ),
        ("front.mp4", "-movflags +faststart -video_track_timescale 1000"),
        ("video-only.mp4", "-an"),
        ("one-chunk-each.mp4", "-bf 0 -max_interleave_delta 1"),
    ] {
        let input = movie(directory.path(), name, "320x180", more);
        let out = out.join(name);
        let summary = packaged([&*input], &out, "--copy");
        assert!(summary.contains("320x180") && summary.contains("index.m3u8"), "{summary}");
        assert_consistent(&out);
        assert_same_pictures(&input, &out);
    }
}

#[test]
fn sound_is_copied_without_its_priming_and_in_step() {
    let (directory, out) = fresh();
    for (name, codecs) in [
        ("aac.mp4", "-c:v libx264 -preset ultrafast -g 50 -c:a aac"),
        ("late.mp4", "-c:v libx264 -preset ultrafast -g 50 -c:a aac -output_ts_offset 0.7"),
    ] {
        let input = directory.path().join(name);
        flash_and_beep(&input, codecs);
        let (out, before) = (out.join(name), offset(&input));
        packaged([&*input], &out, "--copy");
        for document in documents(&out) {
            let after = offset(&document);
            assert!(
                (after - before).abs() < 0.010,
                "{name}: {before} became {after} in {}",
                document.display()
            );
        }
    }
}

#[test]
fn what_an_edit_cuts_off_keeps_sound_and_picture_in_step() {
    let (directory, out) = fresh();
    let whole = directory.path().join("whole.mp4");
    flash_and_beep(&whole, "-c:v libx264 -preset ultrafast -g 100 -c:a aac");
    let cut = directory.path().join("cut.mp4");
    // The key frame before is kept, and hidden by an edit list.
    ffmpeg(&format!("-ss 0.5 -i {} -c copy", whole.display()), &cut);
    packaged([&*cut], &out, "--copy");
    for document in documents(&out) {
        assert!(offset(&document).abs() < 0.010, "{}: {}", document.display(), offset(&document));
    }
}

#[test]
fn several_files_become_rungs_of_one_presentation() {
    let (directory, out) = fresh();
    let large = movie(directory.path(), "large.mp4", "640x360", "");
    let small = movie(directory.path(), "small.mp4", "320x180", "-r 25 -video_track_timescale 90000");
    let german = directory.path().join("german.m4a");
    ffmpeg("-f lavfi -i sine=f=220:r=44100 -t 7 -c:a aac -metadata:s:a:0 language=deu", &german);
    let summary = packaged([&*large, &small, &german], &out, "--copy --segment 3s");
    assert!(summary.contains("small.mp4: its sound (und) is left out, as"), "{summary}");
    let tracks: BTreeSet<String> = assert_consistent(&out).into_iter().collect();
    let expected = ["360p", "180p", "audio-und", "audio-de"];
    assert_eq!(tracks, expected.map(str::to_owned).into());
    for (track, input) in [("360p", &large), ("180p", &small)] {
        assert_eq!(pictures(&out.join(track).join("index.m3u8")), pictures(input), "{track}");
        // The first key frames behind the lines at 3 and 6 s are those at 4 and 6 s: 3 segments, an init, a playlist, hashes.
        let count = fs::read_dir(out.join(track)).unwrap().count();
        assert_eq!(count, 3 + 3, "{track}");
        let hashes = Hashed::read(&fs::read(out.join(track).join(LIST)).unwrap()).unwrap();
        for (name, tag) in &hashes {
            assert_eq!(*tag, etag([&fs::read(out.join(track).join(name)).unwrap()[..]]), "{track}/{name}");
        }
        assert_eq!(hashes.len(), 3, "{track}");
    }
}

#[test]
fn files_whose_key_frames_differ_are_refused_with_both_names() {
    let (directory, out) = fresh();
    let one = movie(directory.path(), "one.mp4", "640x360", "");
    let other = movie(directory.path(), "other.mp4", "320x180", "-g 60 -keyint_min 60");
    let message = refused([&*one, &other], &out, "--copy");
    assert!(
        message.contains("segment 2 would begin at 2.000 s in 360p") && message.contains("at 2.400 s"),
        "{message}"
    );
    assert!(message.contains("one.mp4") && message.contains("other.mp4"), "{message}");
    let short = movie(directory.path(), "short.mp4", "320x180", "-t 5");
    let message = refused([&*one, &short], &out, "--copy");
    assert!(message.contains("ends at 7.000 s") && message.contains("at 5.000 s"), "{message}");
}

#[test]
fn real_files_are_copied_or_refused_in_words() {
    let (_directory, out) = fresh();
    let Some(nasa) = shared("nasa_2video_2audio.mp4") else { return };
    let message = refused([&*nasa], &out, "--copy");
    assert!(message.contains("8.080 s in 180p") && message.contains("8.008 s in 270p"), "{message}");
    let directory = TempDir::new().unwrap();
    let one = directory.path().join("one.mp4");
    ffmpeg(&format!("-i {} -map 0:v:1 -map 0:a -c copy", nasa.display()), &one);
    packaged([&*one], &out, "--copy");
    assert_eq!(assert_consistent(&out), ["270p", "audio-en", "audio-en-2"]);
    documents(&out).iter().for_each(|document| assert_eq!(pictures(document), pictures(&one)));
    for name in ["phone_vfr.mp4", "phone_vfr_17s.mp4", "count_video_vfr.mp4"] {
        let Some(input) = shared(name) else { return };
        let out = out.join("..").join(name);
        let summary = packaged([&*input], &out, "--copy");
        assert_eq!(summary.contains("180 degrees"), name == "phone_vfr.mp4", "{summary}");
        assert_consistent(&out);
        // ffmpeg turns what a file says is upside down.
        if name != "phone_vfr.mp4" {
            // It also delays pictures by the largest negative composition offset it has seen so far, so that the
            // times of reordered pictures of variable duration depend on how far it has read.
            documents(&out)
                .iter()
                .for_each(|document| assert_eq!(pictures(document), pictures(&input), "{name}"));
        }
    }
}

#[test]
fn damaged_files_are_copied_or_refused_without_a_crash() {
    let Some(broken) = shared("broken") else { return };
    let (directory, _) = fresh();
    let mut refusals = 0;
    for entry in fs::read_dir(broken).unwrap() {
        let input = entry.unwrap().path();
        let out = directory.path().join(input.file_name().unwrap());
        let output = package([&*input], &out, "--copy");
        let message = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => assert!(out.join("index.m3u8").exists()),
            Some(1) => {
                assert!(message.contains(input.to_str().unwrap()) && !out.exists(), "{message}");
                refusals += 1;
            }
            other => panic!("{}: {other:?} {message}", input.display()),
        }
    }
    assert!(refusals >= 8, "{refusals}");
}

#[test]
fn a_file_cut_anywhere_in_its_header_is_refused_without_a_crash() {
    let (directory, out) = fresh();
    let whole = movie(directory.path(), "whole.mp4", "320x180", "-t 1 -movflags +faststart");
    let bytes = fs::read(&whole).unwrap();
    let input = directory.path().join("damaged.mp4");
    let moov = bytes.windows(4).position(|kind| kind == b"moov").unwrap();
    for cut in (moov + 4..moov + 1500).step_by(97) {
        fs::write(&input, &bytes[..cut]).unwrap();
        let message = refused([&*input], &out, "--copy");
        assert!(message.contains("damaged"), "{message}");
        let mut flipped = bytes.clone();
        flipped[cut] ^= 0xff;
        fs::write(&input, flipped).unwrap();
        let output = package([&*input], &out, "--copy");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        let _ = fs::remove_dir_all(&out);
    }
}
