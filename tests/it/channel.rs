//! Channels through a running server: what is published while encoders, sources and the server itself fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use m3u8_rs::MediaPlaylist;

use crate::served::{Served, eventually};

mod apart;
mod unfit;

const SECOND: Duration = Duration::from_secs(1);

/// A channel that costs little.
fn channel(name: &str, source: &str) -> String {
    format!(
        "[channel.{name}]\nsource = {source:?}\nsegment = \"1s\"\npart = \"200ms\"\nwindow = \"30s\"\n\
         [[channel.{name}.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n"
    )
}

const TEST: &str = "test:?size=320x180&rate=30000/1001";

/// Numbers are counted without a gap, and segments follow each other to the tick.
fn assert_contiguous(playlist: &MediaPlaylist) {
    for (index, segment) in playlist.segments.iter().enumerate() {
        assert_eq!(segment.uri, format!("{}.m4s", playlist.media_sequence + index as u64));
        assert!(!segment.discontinuity, "{} has a discontinuity", segment.uri);
    }
    for pair in playlist.segments.windows(2) {
        let gap = (pair[1].program_date_time.unwrap() - pair[0].program_date_time.unwrap()).as_seconds_f32()
            - pair[0].duration;
        // Dates are printed in milliseconds.
        assert!(gap.abs() < 0.002, "{} s between {} and {}", gap, pair[0].uri, pair[1].uri);
    }
}

/// ffmpeg decodes all of it without complaint, and its samples follow each other at one distance.
fn assert_decodes(file: &Path) {
    let decoded = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-err_detect", "explode", "-i"])
        .arg(file)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&decoded.stderr);
    assert!(decoded.status.success() && complaint.is_empty(), "{}: {complaint}", file.display());
    let packets = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "packet=dts", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(packets.stdout).unwrap();
    let starts: Vec<i64> = text.lines().map(|line| line.trim_end_matches(',').parse().unwrap()).collect();
    assert!(starts.len() > 30);
    let steps: BTreeSet<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps.len(), 1, "distances between samples in {}", file.display());
}

/// Bodies of all listed segments.
async fn bodies(server: &Served, track: &str) -> BTreeMap<String, Bytes> {
    let playlist = server.playlist(track).await.unwrap();
    let mut bodies = BTreeMap::new();
    for segment in playlist.segments {
        let body = server.get(&format!("live/{track}/{}", segment.uri)).await.expect(&segment.uri);
        bodies.insert(segment.uri, body);
    }
    bodies
}

async fn assert_same_bodies(server: &Served, track: &str, before: &BTreeMap<String, Bytes>) {
    for (uri, body) in before {
        let now = server.get(&format!("live/{track}/{uri}")).await;
        assert!(now.as_ref() == Some(body), "{uri} has another body, or none, after the restart");
    }
}

fn kill(pid: &serde_json::Value) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn a_killed_encoder_is_covered_by_the_filler_and_other_channels_do_not_notice() {
    let server = Served::start(&(channel("a", TEST) + &channel("b", TEST))).await;
    let before = server.in_state("a", "live", 20).await;
    server.in_state("b", "live", 20).await;
    for track in ["a/180p", "a/audio-und", "b/180p"] {
        server.playlist_with(track, 20, |list| list.segments.len() >= 4).await;
    }
    let published = bodies(&server, "a/180p").await;
    let sequence = server.playlist("a/180p").await.unwrap().media_sequence;

    kill(&before["encoder_pid"]);
    let noticed = async || Some(server.status("a").await).filter(|now| now["state"] == "restarting");
    let noticed = eventually("the kill is noticed", 2, noticed).await;
    assert!(noticed["why"].as_str().unwrap().contains("SIGKILL"), "{noticed}");
    let after = server.in_state("a", "live", 15).await;
    assert_ne!(after["encoder_pid"], before["encoder_pid"]);

    let last = server.playlist("a/180p").await.unwrap().segments.len();
    for track in ["a/180p", "a/audio-und"] {
        let playlist = server.playlist_with(track, 15, |list| list.segments.len() >= last + 5).await;
        assert!(playlist.media_sequence >= sequence);
        assert_contiguous(&playlist);
        assert_decodes(&server.listed(track).await);
    }
    assert_same_bodies(&server, "a/180p", &published).await;
    assert!(server.status("a").await["filler_parts"].as_u64().unwrap() > 0);
    let other = server.status("b").await;
    assert_eq!((&other["encoder_starts"], &other["filler_parts"]), (&1.into(), &0.into()));
}

#[tokio::test]
async fn ffmpeg_plays_a_channel_in_low_latency_over_either_protocol() {
    let server = Served::start(&channel("a", TEST)).await;
    server.playlist_with("a/audio-und", 20, |list| list.segments.len() >= 4).await;
    server.playlist_with("a/180p", 20, |list| list.segments.len() >= 4).await;
    for document in ["index.m3u8", "manifest.mpd"] {
        let url = server.url(&format!("live/a/{document}"));
        let played = tokio::task::spawn_blocking(move || {
            Command::new("timeout")
                .args(["30", "ffmpeg", "-v", "error", "-t", "4", "-i", &url])
                .args(["-map", "0:v", "-map", "0:a", "-f", "framecrc", "-"])
                .output()
                .unwrap()
        });
        let played = played.await.unwrap();
        let complaint = String::from_utf8_lossy(&played.stderr);
        assert!(played.status.success(), "{document}: {complaint}");
        let text = String::from_utf8(played.stdout).unwrap();
        let frames = text.lines().filter(|line| line.starts_with("0,")).count();
        assert!(
            (118..=122).contains(&frames),
            "{frames} pictures in four seconds of {document}: {complaint}"
        );
    }
}

#[tokio::test]
async fn a_killed_server_goes_on_with_its_numbers_and_fills_what_it_missed() {
    let mut server = Served::start(&channel("a", TEST)).await;
    server.playlist_with("a/180p", 20, |list| list.segments.len() >= 4).await;
    let published = bodies(&server, "a/180p").await;
    let listed = server.playlist("a/180p").await.unwrap();

    server.crash_and_restart(2 * SECOND).await;
    server.in_state("a", "live", 15).await;
    let count = listed.segments.len() + 7;
    for track in ["a/180p", "a/audio-und"] {
        let playlist = server.playlist_with(track, 20, |list| list.segments.len() >= count).await;
        assert_eq!(playlist.media_sequence, listed.media_sequence);
        assert_contiguous(&playlist);
        assert_decodes(&server.listed(track).await);
    }
    assert_same_bodies(&server, "a/180p", &published).await;
}

#[tokio::test]
async fn a_pause_longer_than_the_window_begins_a_new_list_with_higher_numbers() {
    let short = channel("a", TEST).replace("window = \"30s\"", "window = \"4s\"");
    let mut server = Served::start(&short).await;
    let before = server.playlist_with("a/180p", 20, |list| list.segments.len() >= 3).await;

    server.crash_and_restart(7 * SECOND).await;
    server.in_state("a", "live", 15).await;
    let newer = |list: &MediaPlaylist| list.media_sequence > before.media_sequence + 7;
    let playlist = server.playlist_with("a/180p", 15, newer).await;
    assert_contiguous(&playlist);
    assert!(playlist.segments.len() >= 3);
    assert_decodes(&server.listed("a/180p").await);
}

/// A file of so many seconds.
fn clip(directory: &Path, seconds: u32) -> PathBuf {
    let clip = directory.join("clip.mp4");
    let picture = format!("testsrc=size=320x180:rate=25:duration={seconds}");
    let sound = format!("sine=duration={seconds}");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"])
        .arg(&clip)
        .status()
        .unwrap();
    assert!(made.success());
    clip
}

#[tokio::test]
async fn a_file_that_ends_leaves_a_complete_playlist_and_a_static_mpd() {
    let directory = tempfile::tempdir().unwrap();
    let clip = clip(directory.path(), 4);
    let mut server = Served::start(&channel("a", &format!("file:{}", clip.display()))).await;
    let ended = server.in_state("a", "ended", 30).await;
    assert_eq!(ended["encoder_starts"], 1);
    let playlist = server.playlist_with("a/180p", 10, |list| list.end_list).await;
    let seconds: f32 = playlist.segments.iter().map(|segment| segment.duration).sum();
    assert!((seconds - 4.0).abs() < 0.1, "{seconds} s of 4");
    assert_decodes(&server.listed("a/180p").await);
    let mpd = server.get("live/a/manifest.mpd").await.unwrap();
    let mpd = std::str::from_utf8(&mpd).unwrap();
    assert!(mpd.contains("type=\"static\"") && mpd.contains("mediaPresentationDuration=\"PT4"), "{mpd}");

    server.crash_and_restart(SECOND).await;
    server.in_state("a", "ended", 5).await;
    assert_eq!(server.status("a").await["encoder_starts"], 0);
    assert_eq!(server.playlist("a/180p").await.unwrap(), playlist);
}

#[tokio::test]
async fn an_event_that_ends_breaks_no_rule_and_is_gone_later() {
    let directory = tempfile::tempdir().unwrap();
    let source = format!("file:{}", clip(directory.path(), 10).display());
    let event = channel("a", &source).replace("window", "gone_after = \"8s\"\nwindow");
    let mut server = Served::start(&event).await;
    eventually("it is on air", 20, async || server.get("live/a/manifest.mpd").await).await;
    let checking = server.check("a", 10);
    let documents = ["index.m3u8", "manifest.mpd", "180p/index.m3u8", "audio-und/index.m3u8"];
    let gone = async |server: &Served| {
        for document in documents {
            let answer = server.answer(&format!("live/a/{document}")).await;
            if answer.status() == 200 {
                return None;
            }
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["headwater-reason"]),
                (410, &"channel-over".parse().unwrap())
            );
        }
        Some(())
    };
    let list = server.playlist_with("a/180p", 20, |list| list.end_list).await;
    eventually("the event is gone", 15, async || gone(&server).await).await;
    let mut violations = checking.await.unwrap();
    // By its last dynamic MPD, which has no list of numbers, the segment that never came was due.
    violations.retain(|each| each["check"] != "segment-missing");
    assert!(violations.is_empty(), "{violations:#?}");
    assert_eq!(server.readiness().await, Some(200), "nothing is wrong with the server");
    let segment = format!("live/a/180p/{}", list.segments[0].uri);
    assert!(server.get(&segment).await.is_some(), "who has the list can still play it");

    server.crash_and_restart(SECOND).await;
    server.playlist_with("a/180p", 5, |list| list.end_list).await;
    eventually("the event is gone", 15, async || gone(&server).await).await;
}

#[tokio::test]
async fn a_source_that_cannot_be_used_is_told_in_words_and_tried_ever_more_rarely() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    std::fs::write(&text, "this is no film\n".repeat(500)).unwrap();
    let channels = channel("missing", "file:/nonexistent/clip.mp4")
        + &channel("text", &format!("file:{}", text.display()))
        + &channel("good", TEST);
    let server = Served::start(&channels).await;
    let missing = server.in_state("missing", "failed", 10).await;
    assert!(missing["why"].as_str().unwrap().contains("/nonexistent/clip.mp4"), "{missing}");
    let text = server.in_state("text", "failed", 10).await;
    assert!(text["why"].as_str().unwrap().contains("notes.txt"), "{text}");
    server.playlist_with("good/180p", 20, |list| list.segments.len() >= 3).await;
    tokio::time::sleep(4 * SECOND).await;
    // 0.25 s, 0.5 s, 1 s, 2 s, 4 s, 8 s: a dozen seconds see six starts at most, one more for the first.
    let starts = server.status("missing").await["encoder_starts"].as_u64().unwrap();
    assert!((2..=7).contains(&starts), "{starts} starts");
    assert_eq!(server.status("good").await["encoder_starts"], 1);
    assert!(server.get("live/missing/index.m3u8").await.is_none());
}
