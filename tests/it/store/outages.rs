//! Running servers whose stores fail: who watches live does not notice, and the store catches up by itself.

mod disk;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use m3u8_rs::MediaPlaylist;
use object_store::{ObjectStoreExt, path::Path as Location};
use serde_json::Value;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use self::disk::Shim;
use super::s3::{Mood, S3};
use crate::served::{Served, eventually};

const TRACK: &str = "a/180p";
/// A write to a disk of this machine is not given up, so nothing fails while it hangs: who has a lease that is over cannot tell
/// whether it was succeeded, and shows nothing new for as long as a write may take (`Tenure::may_show`).
const WHILE_A_DISK_HANGS: &[&str] = &["segment-late", "not-streamed", "join-stalls"];

fn channel() -> String {
    "[channel.a]\nsource = \"test:?size=320x180&rate=30\"\nsegment = \"1s\"\npart = \"200ms\"\nwindow = \"10s\"\n\
     [[channel.a.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n"
        .into()
}

/// Watches for a while as a player does: every list goes on, and all that it lists can be fetched.
async fn watch(server: &Served, time: Duration) {
    let until = Instant::now() + time;
    let (mut last, mut moved) = (0, Instant::now());
    while Instant::now() < until {
        let list = server.playlist(TRACK).await.expect("the live list is there at any time");
        let newest = list.media_sequence + list.segments.len() as u64 - 1;
        if newest > last {
            (last, moved) = (newest, Instant::now());
        }
        assert!(moved.elapsed() < Duration::from_secs(4), "the live list stands still");
        for segment in list.segments.iter().rev().take(5) {
            let body = server.get(&format!("live/{TRACK}/{}", segment.uri)).await;
            assert!(body.is_some(), "{} is listed and cannot be fetched", segment.uri);
        }
        sleep(Duration::from_millis(300)).await;
    }
}

async fn begun(server: &Served) {
    server.in_state("a", "live", 30).await;
    server.playlist_with(TRACK, 20, |list| list.segments.len() >= 4).await;
}

async fn degraded(server: &Served) {
    let degraded = async || server.status("a").await["store_degraded"].as_str().map(str::to_owned);
    eventually("the store is degraded", 10, degraded).await;
}

async fn recovered(server: &Served, seconds: u64) {
    let recovered = async || server.status("a").await["store_degraded"].is_null().then_some(());
    eventually("the store is caught up with", seconds, recovered).await;
}

fn parsed(text: &[u8]) -> MediaPlaylist {
    m3u8_rs::parse_media_playlist_res(text).expect("a list")
}

/// The list in the bucket, all of whose segments are there.
async fn assert_bucket_is_whole(s3: &S3) -> MediaPlaylist {
    let client = s3.client();
    let get = async |path: String| {
        let got = timeout(Duration::from_secs(5), client.get(&Location::from(path.as_str()))).await.unwrap();
        got.unwrap_or_else(|error| panic!("{path}: {error}")).bytes().await.unwrap()
    };
    let list = parsed(&get(format!("live/{TRACK}/index.m3u8")).await);
    for segment in list.segments.iter().skip(1) {
        get(format!("live/{TRACK}/{}", segment.uri)).await;
    }
    list
}

/// What waits for the store of the track: segments, bytes and seconds.
async fn spooled(server: &Served) -> [f64; 3] {
    let mut told = [0.0; 3];
    for (value, unit) in told.iter_mut().zip(["segments", "bytes", "age_seconds"]) {
        let labels = [("channel", "a"), ("track", "180p")];
        *value = server.measured(&format!("headwater_spooled_{unit}"), &labels).await;
    }
    told
}

/// `headwater check` found nothing but what is excused.
async fn assert_unviolated(checking: JoinHandle<Vec<Value>>, excused: &[&str]) {
    let mut violations = checking.await.unwrap();
    violations.retain(|each| !excused.contains(&each["check"].as_str().unwrap()));
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test]
async fn a_bucket_that_is_down_is_caught_up_with_and_never_lists_what_it_does_not_have() {
    let s3 = S3::start().await;
    let kept = channel().replace("window", "archive = \"10m\"\nwindow");
    let server = Served::storing(&s3.toml(""), &kept).await;
    begun(&server).await;
    for (mood, seconds) in
        [(Mood::Failing(usize::MAX), 30), (Mood::Slow(usize::MAX, Duration::from_secs(5)), 8)]
    {
        s3.turn(mood);
        let checking = server.check("a", seconds + 5);
        degraded(&server).await;
        assert_eq!(server.readiness().await, Some(200), "viewers need no bucket");
        watch(&server, Duration::from_secs(seconds)).await;
        assert_bucket_is_whole(&s3).await;
        let waits = spooled(&server).await;
        assert!(waits.iter().all(|waits| *waits > 0.0), "{mood:?}: {waits:?}");
        let past = past(&server, seconds).await;
        s3.turn(Mood::Well);
        drained(&server, &s3, Duration::from_secs(60)).await;
        let has_all =
            async || (server.playlist(&past).await?.segments.len() == seconds as usize).then_some(());
        eventually("the past is whole", 10, has_all).await;
        assert_unviolated(checking, &[]).await;
    }
    assert_bucket_has_all(&s3, &server).await;
}

/// From now on, as its store is well, no more than `limit` is over until the server has nothing left of what waited for it: none of
/// what waits is older than a moment, and the bucket lists all that was on air now.
async fn drained(server: &Served, s3: &S3, limit: Duration) {
    let recovered_at = Instant::now();
    let newest = |list: &MediaPlaylist| list.media_sequence + list.segments.len() as u64;
    let on_air = newest(&server.playlist(TRACK).await.unwrap());
    let is_drained = async || {
        let is_well = server.status("a").await["store_degraded"].is_null();
        let is_new = spooled(server).await[2] < 2.0;
        (is_well && is_new && newest(&assert_bucket_is_whole(s3).await) >= on_air).then_some(())
    };
    eventually("all that waited is in the bucket", limit.as_secs(), is_drained).await;
    let took = recovered_at.elapsed();
    eprintln!("drained within {took:?}");
    assert!(took <= limit, "{took:?}");
}

/// The list of the last `seconds` but two. Where some of it has left the live list and is not in the store yet, it is not
/// listed without that, as entries are counted.
async fn past(server: &Served, seconds: u64) -> String {
    let live = server.playlist(TRACK).await.unwrap();
    let end = live.media_sequence + live.segments.len() as u64 - 2;
    let past = format!("{TRACK}?start={}&end={end}", end - seconds);
    let (track, query) = past.split_once('?').unwrap();
    let answer = server.answer(&format!("live/{track}/index.m3u8?{query}")).await;
    let reason = answer.headers().get("headwater-reason").map(|reason| reason.to_str().unwrap());
    if seconds > live.segments.len() as u64 {
        assert_eq!((answer.status().as_u16(), reason), (503, Some("store-unavailable")));
    }
    past
}

#[tokio::test]
async fn a_bucket_that_refuses_every_fifth_write_is_written_to_all_the_same() {
    let s3 = S3::start().await;
    let server = Served::storing(&s3.toml(""), &channel()).await;
    begun(&server).await;
    s3.turn(Mood::Often(0));
    let checking = server.check("a", 15);
    watch(&server, Duration::from_secs(15)).await;
    assert_bucket_is_whole(&s3).await;
    assert_unviolated(checking, &[]).await;
    s3.turn(Mood::Well);
    recovered(&server, 60).await;
    assert_bucket_has_all(&s3, &server).await;
}

#[tokio::test]
async fn what_a_small_spool_has_no_room_for_is_lost_to_the_bucket_whose_list_begins_anew_behind_the_hole() {
    let s3 = S3::start().await;
    // Of some 25 KB a second.
    let server = Served::storing(&format!("{}spool_memory = \"200K\"\n", s3.toml("")), &channel()).await;
    begun(&server).await;
    let checking = server.check("a", 40);
    s3.turn(Mood::Failing(usize::MAX));
    degraded(&server).await;
    watch(&server, Duration::from_secs(20)).await;
    let labels = [("channel", "a"), ("track", "180p")];
    let lost = server.measured("headwater_lost_segments_total", &labels).await;
    assert!(lost > 0.0, "{lost}");
    assert_eq!(server.readiness().await, Some(200), "viewers need no bucket");
    s3.turn(Mood::Well);
    drained(&server, &s3, Duration::from_secs(60)).await;
    let last = last_lost(&server);
    // Until the list of viewers has come past the hole.
    for _ in 0..15 {
        let list = assert_bucket_is_whole(&s3).await;
        assert!(
            list.media_sequence > last,
            "{last} is lost, and the list begins with {}",
            list.media_sequence
        );
        watch(&server, Duration::from_secs(1)).await;
    }
    assert_unviolated(checking, &[]).await;
}

/// Number of the last segment that the log says is lost.
fn last_lost(server: &Served) -> u64 {
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains("a segment is lost to the store"));
    let number = |line: &str| {
        let number = line.split("number=").nth(1).unwrap_or_else(|| panic!("{line}"));
        let digits: String = number.chars().skip_while(|char| !char.is_ascii_digit()).collect();
        digits.split(|char: char| !char.is_ascii_digit()).next().unwrap().parse::<u64>().unwrap()
    };
    lines.map(number).max().expect("the log names what is lost")
}

#[tokio::test]
async fn a_bucket_of_which_answers_are_lost_or_are_conflicts_gets_everything_and_nobody_notices() {
    let s3 = S3::start().await;
    let server = Served::storing(&s3.toml(""), &channel()).await;
    begun(&server).await;
    s3.turn(Mood::Unsure(0));
    let checking = server.check("a", 20);
    watch(&server, Duration::from_secs(20)).await;
    assert_bucket_is_whole(&s3).await;
    assert_unviolated(checking, &[]).await;
    s3.turn(Mood::Well);
    drained(&server, &s3, Duration::from_secs(60)).await;
    assert_bucket_has_all(&s3, &server).await;
}

/// Nothing was lost, and the bucket lists all that is on air now.
async fn assert_bucket_has_all(s3: &S3, server: &Served) {
    let live = server.playlist(TRACK).await.unwrap();
    let caught_up = async || {
        let list = assert_bucket_is_whole(s3).await;
        let newest = |list: &MediaPlaylist| list.media_sequence + list.segments.len() as u64;
        (newest(&list) >= newest(&live)).then_some(list)
    };
    let list = eventually("the bucket lists all", 10, caught_up).await;
    assert!(list.segments.len() >= 8, "nothing was lost, so its list has no hole: {}", list.segments.len());
    let lost = server.measured("headwater_lost_segments_total", &[("channel", "a"), ("track", "180p")]).await;
    assert_eq!(lost, 0.0);
}

#[tokio::test]
async fn a_directory_that_vanishes_is_gone_on_with_from_memory_and_taken_up_again() {
    let server = Served::start(&channel()).await;
    begun(&server).await;
    let (data, away) = (server.directory.path().join("data"), server.directory.path().join("away"));
    let checking = server.check("a", 10);
    std::fs::rename(&data, &away).unwrap();
    std::fs::create_dir(&data).unwrap();
    degraded(&server).await;
    watch(&server, Duration::from_secs(5)).await;
    // A write that was on its way when it vanished may have gone there, and does not count as done.
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&away, &data).unwrap();
    recovered(&server, 20).await;
    assert_directory_is_whole(&data).await;
    watch(&server, Duration::from_secs(2)).await;
    assert_unviolated(checking, &[]).await;
}

/// What a static server would serve from the directory is whole, and no hole is in its list.
async fn assert_directory_is_whole(data: &Path) {
    let track = data.join("live").join(TRACK);
    let whole = async || {
        let list = parsed(&std::fs::read(track.join("index.m3u8")).unwrap());
        for segment in list.segments.iter().skip(1) {
            assert!(track.join(&segment.uri).exists(), "{} is listed and not there", segment.uri);
        }
        (list.segments.len() >= 8).then_some(())
    };
    eventually("the directory has all", 15, whole).await;
}

/// A small disk of its own.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this user may not mount anything.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", "size=3M", "tmpfs"], at);
        mounted.then(|| Self(at.to_owned()))
    }

    fn remount(&self, how: &str) {
        assert!(mount(&["-o", &format!("remount,{how}")], &self.0));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    Command::new("mount").args(arguments).arg(at).output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_disk_that_is_full_or_read_only_is_gone_on_without_and_taken_up_again() {
    let directory = tempfile::TempDir::new().unwrap();
    let Some(disk) = Disk::mount(&directory.path().join("disk")) else {
        headwater_test_support::skip("a full and a read-only disk: this user may not mount a tmpfs");
        return;
    };
    let data = disk.0.join("data");
    let server = Served::storing(&format!("url = {data:?}"), &channel()).await;
    begun(&server).await;
    let ballast = disk.0.join("ballast");
    let checking = server.check("a", 15);
    std::fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    // Whatever is left, and nothing after it.
    let _ = std::fs::write(disk.0.join("more"), vec![0; 3 << 20]);
    degraded(&server).await;
    watch(&server, Duration::from_secs(4)).await;
    std::fs::remove_file(ballast).unwrap();
    std::fs::remove_file(disk.0.join("more")).unwrap();
    recovered(&server, 20).await;
    assert_directory_is_whole(&data).await;

    disk.remount("ro");
    degraded(&server).await;
    watch(&server, Duration::from_secs(4)).await;
    disk.remount("rw");
    recovered(&server, 20).await;
    assert_directory_is_whole(&data).await;
    assert_unviolated(checking, &[]).await;
    drop(server);
}

#[tokio::test]
async fn a_server_that_starts_on_a_disk_that_takes_nothing_is_on_air_and_writes_when_it_can() {
    let directory = tempfile::TempDir::new().unwrap();
    let Some(disk) = Disk::mount(&directory.path().join("disk")) else {
        headwater_test_support::skip("a full and a read-only disk: this user may not mount a tmpfs");
        return;
    };
    let data = disk.0.join("data");
    let url = format!("url = {data:?}");
    let mut server = Served::storing(&url, &channel()).await;
    for (nth, fails) in ["full", "read-only"].into_iter().enumerate() {
        begun(&server).await;
        let before = server.playlist(TRACK).await.unwrap().media_sequence;
        let ballast = disk.0.join("ballast");
        match fails {
            "full" => drop(std::fs::write(&ballast, vec![0; 4 << 20])),
            _ => disk.remount("ro"),
        }
        server.crash();
        server = Served::storing(&url, &channel()).await;
        begun(&server).await;
        degraded(&server).await;
        watch(&server, Duration::from_secs(4)).await;
        let list = server.playlist(TRACK).await.unwrap();
        assert!(
            list.media_sequence < before + 12,
            "its window is there: {} behind {before}",
            list.media_sequence
        );
        match fails {
            "full" => std::fs::remove_file(&ballast).unwrap(),
            _ => disk.remount("rw"),
        }
        recovered(&server, 20).await;
        assert_directory_is_whole(&data).await;
        assert_eq!(server.status("a").await["epoch"], 2 + nth as u64, "{fails}");
        watch(&server, Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn a_disk_that_errs_or_takes_forever_is_gone_on_without_and_taken_up_again() {
    let Some(shim) = Shim::build() else {
        headwater_test_support::skip("a disk with errors: there is no C compiler to make one");
        return;
    };
    let server = Served::amid(&channel(), shim.environment()).await;
    begun(&server).await;
    let checking = server.check("a", 20);
    for mood in ["error of fsync", "write error", "slow fsync"] {
        shim.turn(mood);
        degraded(&server).await;
        watch(&server, Duration::from_secs(4)).await;
        shim.turn("");
        recovered(&server, 20).await;
        assert_directory_is_whole(&server.directory.path().join("data")).await;
    }
    assert_unviolated(checking, WHILE_A_DISK_HANGS).await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
