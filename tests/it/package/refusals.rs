//! What a user is told when nothing is packaged, and that nothing is left then.

use std::fs;

use super::tools::{ffmpeg, fresh, movie, package, refused};

#[test]
fn inputs_that_cannot_be_copied_are_refused_in_words() {
    let (directory, out) = fresh();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("empty.mp4"), "").unwrap();
    fs::write(at("text.mp4"), "this is no movie, however it is called\n".repeat(9)).unwrap();
    let whole = movie(directory.path(), "whole.mp4", "320x180", "");
    let front = movie(directory.path(), "front.mp4", "320x180", "-movflags +faststart");
    for (name, source) in [("headless.mp4", &whole), ("truncated.mp4", &front)] {
        let bytes = fs::read(source).unwrap();
        fs::write(at(name), &bytes[..bytes.len() / 2]).unwrap();
    }
    movie(directory.path(), "fragmented.mp4", "320x180", "-movflags +frag_keyframe+empty_moov");
    movie(directory.path(), "vp9.mp4", "64x64", "-t 1 -c:v libvpx-vp9 -deadline realtime -an");
    movie(directory.path(), "ac3.mp4", "64x64", "-t 1 -c:a ac3");
    let key = "-encryption_scheme cenc-aes-ctr -encryption_key 00112233445566778899aabbccddeeff \
               -encryption_kid 112233445566778899aabbccddeeff00";
    movie(directory.path(), "encrypted.mp4", "64x64", &format!("-t 1 {key}"));
    ffmpeg("-f lavfi -i sine -t 1 -c:a libmp3lame", &at("mp3.mp4"));
    for (name, words) in [
        ("missing.mp4", "missing.mp4 does not exist"),
        (".", "is not a file"),
        ("empty.mp4", "empty.mp4 is empty"),
        ("text.mp4", "text.mp4 is not MP4, which is all that --copy repackages"),
        ("headless.mp4", "the file is cut short"),
        ("truncated.mp4", "the file ends at"),
        ("fragmented.mp4", "is fragmented MP4, which --copy does not read"),
        ("vp9.mp4", "`vp09`; --copy carries H.264, H.265 and AAC"),
        ("ac3.mp4", "`ac-3`; --copy carries H.264, H.265 and AAC"),
        ("mp3.mp4", "`mp4a`; --copy carries H.264, H.265 and AAC"),
        ("encrypted.mp4", "is encrypted (`encv`); decrypt the file first"),
    ] {
        let message = refused([&*at(name)], &out, "--copy");
        assert!(message.contains(words), "{name}: {message}");
    }
}

#[test]
fn places_that_cannot_be_written_to_are_refused_in_words() {
    let (directory, out) = fresh();
    let input = movie(directory.path(), "movie.mp4", "64x64", "-t 1");
    let message = refused([&*input], "s3://bucket/movie".as_ref(), "--copy");
    assert!(message.contains("--out s3://bucket/movie: this build writes to directories only"), "{message}");
    let message = refused([&*input], "/proc/movie".as_ref(), "--copy");
    assert!(message.contains("--out /proc/movie") && message.contains("may write to"), "{message}");
    let message = package([&*input], &input, "--copy");
    assert_eq!(message.status.code(), Some(1));
    assert!(input.is_file());
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("precious"), "1").unwrap();
    let message = package([&*input], &out, "--copy");
    assert!(String::from_utf8_lossy(&message.stderr).contains("is not empty"));
    assert!(message.status.code() == Some(1) && out.join("precious").exists());
}

#[test]
fn options_that_make_no_sense_are_refused_in_words() {
    let (directory, out) = fresh();
    let input = movie(directory.path(), "movie.mp4", "64x64", "-t 1");
    for (options, words) in [
        ("--segment 20s", "--segment 20s is not between 1s and 10s"),
        ("--part 3s", "is not between 100ms and the segment's 2s"),
        ("--segment fast", "400ms"),
        ("--video 720", "720:2500k"),
        ("--copy --video 720:1M", "cannot be used with"),
        ("--preset veryfast", "--video"),
    ] {
        let output = package([&*input], &out, options);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(words), "{options}: {message}");
        assert!(!out.exists());
    }
    let message = refused([&*input, &input], &out, "");
    assert!(message.contains("2 inputs cannot be encoded into one presentation"), "{message}");
}
