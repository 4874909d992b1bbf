//! The ladder: a real encoder, a real presentation.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::tools::{
    assert_consistent, documents, flash_and_beep, frames, fresh, movie, offset, packaged, pictures, refused,
    shared,
};

const LADDER: &str = "--video 180:300k --video 90:100k --preset ultrafast";

#[test]
fn a_file_becomes_a_ladder_with_every_frame() {
    let (directory, out) = fresh();
    let input = movie(directory.path(), "movie.mp4", "320x180", "");
    let summary = packaged([&*input], &out, LADDER);
    for words in ["180p", "90p", "audio-und", "320x180 25 fps", "bit/s", "x real time", "manifest.mpd"] {
        assert!(summary.contains(words), "{words}: {summary}");
    }
    assert_eq!(assert_consistent(&out), ["180p", "90p", "audio-und"]);
    for document in documents(&out) {
        let frames = frames(&document, "0:v:0");
        assert_eq!(frames.len(), 7 * 25, "{}", document.display());
        let distinct: BTreeSet<_> = frames.iter().map(|(_, hash)| hash).collect();
        assert!(distinct.len() > 170, "{}", distinct.len());
        assert!(frames.iter().zip(0..).all(|((time, _), at)| (time - f64::from(at) / 25.0).abs() < 0.001));
    }
    for track in ["180p", "90p"] {
        assert_eq!(pictures(&out.join(track).join("index.m3u8")).len(), 7 * 25);
        assert!(out.join(track).join("4.m4s").exists() && !out.join(track).join("5.m4s").exists());
    }
}

#[test]
fn sound_and_picture_of_a_ladder_are_in_step() {
    let (directory, out) = fresh();
    let input = directory.path().join("flash.mp4");
    flash_and_beep(&input, "-c:v libx264 -preset ultrafast -c:a aac");
    packaged([&*input], &out, LADDER);
    for document in documents(&out) {
        let late = offset(&document);
        assert!(late.abs() < 0.010, "{}: {late} s", document.display());
    }
}

#[test]
fn a_phones_film_of_variable_rate_becomes_a_ladder() {
    let Some(input) = shared("phone_vfr.mp4") else { return };
    let (_directory, out) = fresh();
    packaged([&*input], &out, LADDER);
    assert_consistent(&out);
    for document in documents(&out) {
        let last = frames(&document, "0:v:0").last().unwrap().0;
        assert!((2.2..2.5).contains(&last), "{last}");
    }
}

#[test]
fn inputs_that_cannot_be_encoded_are_refused_in_words() {
    let (directory, out) = fresh();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("empty.mp4"), "").unwrap();
    fs::write(at("text.txt"), "this is no movie\n".repeat(99)).unwrap();
    let whole = movie(directory.path(), "whole.mp4", "320x180", "");
    let bytes = fs::read(&whole).unwrap();
    fs::write(at("truncated.mp4"), &bytes[..bytes.len() / 2]).unwrap();
    for (name, words) in [
        ("missing.mp4", "missing.mp4 does not exist"),
        ("empty.mp4", "empty.mp4 is empty"),
        ("text.txt", "text.txt"),
        ("truncated.mp4", "truncated.mp4"),
    ] {
        let message = refused([&*at(name)], &out, LADDER);
        assert!(message.contains(words), "{name}: {message}");
    }
    let message = refused([&*whole], &out, "--video 181:300k");
    assert!(message.contains("181"), "{message}");
}

/// Starts packaging something long, and waits until its first segment is there.
fn started(input: &Path, out: &Path) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args(["package", "--out"])
        .args([out, input])
        .args(["--video", "360:1M", "--preset", "veryslow"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..600 {
        if out.join("360p/1.m4s").exists() {
            return child;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    panic!("no segment within 30 s: {:?}", child.wait_with_output());
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// The exit code and the last words; the test fails if there are none within 20 s.
fn end(mut child: Child) -> (Option<i32>, String) {
    for _ in 0..400 {
        if let Some(status) = child.try_wait().unwrap() {
            let mut words = String::new();
            child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
            return (status.code(), words);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    panic!("no end within 20 s");
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let (directory, out) = fresh();
    let input = movie(directory.path(), "long.mp4", "640x360", "-t 40");
    let child = started(&input, &out);
    signal("-INT", child.id());
    let (code, words) = end(child);
    assert_eq!(code, Some(130), "{words}");
    assert!(words.contains("interrupted; what was written so far is deleted"), "{words}");
    assert!(!out.parent().unwrap().exists(), "the directory and the one around it were made here");
}

#[test]
fn an_encoder_that_crashes_leaves_nothing_behind() {
    let (directory, out) = fresh();
    let input = movie(directory.path(), "long.mp4", "640x360", "-t 40");
    let child = started(&input, &out);
    // Not SIGSEGV: Rust's own handler of that expects it to come again.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    signal("-ABRT", children.trim().parse().unwrap());
    let (code, words) = end(child);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("cut short") && words.contains("SIGABRT"), "{words}");
    assert!(!out.exists());
}
