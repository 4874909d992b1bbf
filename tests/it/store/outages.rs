//! Running servers whose stores fail: who watches live does not notice, and the store catches up by itself.

mod disk;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use m3u8_rs::MediaPlaylist;
use object_store::{ObjectStoreExt, path::Path as Location};
use tokio::time::{Instant, sleep, timeout};

use self::disk::Shim;
use super::s3::{Mood, S3};
use crate::served::{Served, eventually};

const TRACK: &str = "a/180p";

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

#[tokio::test]
async fn a_bucket_that_is_down_is_caught_up_with_and_never_lists_what_it_does_not_have() {
    let s3 = S3::start().await;
    let server = Served::storing(&s3.toml(""), &channel()).await;
    begun(&server).await;
    for mood in [Mood::Failing(usize::MAX), Mood::Slow(usize::MAX, Duration::from_secs(5))] {
        s3.turn(mood);
        degraded(&server).await;
        assert_eq!(server.readiness().await, Some(200), "viewers need no bucket");
        watch(&server, Duration::from_secs(6)).await;
        assert_bucket_is_whole(&s3).await;
        s3.turn(Mood::Well);
        recovered(&server, 30).await;
        assert_bucket_is_whole(&s3).await;
    }
    let live = server.playlist(TRACK).await.unwrap();
    let caught_up = async || {
        let list = assert_bucket_is_whole(&s3).await;
        let newest = |list: &MediaPlaylist| list.media_sequence + list.segments.len() as u64;
        (newest(&list) >= newest(&live)).then_some(list)
    };
    let list = eventually("the bucket lists all", 10, caught_up).await;
    assert!(list.segments.len() >= 8, "nothing was lost, so its list has no hole: {}", list.segments.len());
    let (_, metrics) = server.metrics().await;
    let lost = metrics
        .lines()
        .find(|line| line.starts_with("headwater_lost_segments_total") && line.contains("180p"));
    assert!(lost.is_some_and(|line| line.ends_with(" 0")), "{lost:?}");
}

#[tokio::test]
async fn a_directory_that_vanishes_is_gone_on_with_from_memory_and_taken_up_again() {
    let server = Served::start(&channel()).await;
    begun(&server).await;
    let (data, away) = (server.directory.path().join("data"), server.directory.path().join("away"));
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
    for mood in ["error of fsync", "write error", "slow fsync"] {
        shim.turn(mood);
        degraded(&server).await;
        watch(&server, Duration::from_secs(4)).await;
        shim.turn("");
        recovered(&server, 20).await;
        assert_directory_is_whole(&server.directory.path().join("data")).await;
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
