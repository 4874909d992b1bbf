//! Two packagers on one prefix: one publishes, the other stands by, takes over when the first is gone, and is not disturbed
//! when that comes back.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use m3u8_rs::MediaPlaylist;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    served::{Served, eventually},
    store::s3::S3,
};

const TRACK: &str = "a/180p";
/// Of the channel below.
const TARGET: Duration = Duration::from_secs(2);

fn channel() -> String {
    "[channel.a]\nsource = \"test:?size=320x180&rate=30\"\nsegment = \"2s\"\npart = \"400ms\"\nwindow = \"180s\"\n\
     [[channel.a.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n"
        .into()
}

/// How the first packager goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    Killed,
    /// It is stopped, and comes back when another has taken over and so much time is over.
    Asleep(Duration),
    InGoodOrder,
}

/// Watches what lies in the store, as somebody who reads it all the time.
#[derive(Debug, Default)]
struct Watcher {
    bodies: BTreeMap<String, Vec<u8>>,
    epochs: Vec<u64>,
    /// When the newest of them began.
    succeeded: Option<Instant>,
    /// Number of the newest segment that was listed, and since when.
    newest: Option<(u64, Instant)>,
    longest_rest: Duration,
}

impl Watcher {
    /// Looks until `stop`.
    fn start(root: PathBuf, stop: CancellationToken) -> JoinHandle<Self> {
        tokio::spawn(async move {
            let mut watcher = Self::default();
            while !stop.is_cancelled() {
                watcher.look(&root);
                sleep(Duration::from_millis(25)).await;
            }
            watcher
        })
    }

    fn look(&mut self, root: &Path) {
        let now = Instant::now();
        if let Some(epoch) = epoch(root) {
            assert!(self.epochs.last().is_none_or(|last| *last <= epoch), "{epoch} behind {:?}", self.epochs);
            if self.epochs.last() != Some(&epoch) {
                self.epochs.push(epoch);
                self.succeeded = Some(now);
            }
        }
        let Some(list) = stored(root) else { return };
        let newest = list.media_sequence + list.segments.len() as u64 - 1;
        let (last, since) = *self.newest.get_or_insert((newest, now));
        assert!(newest >= last, "the list in the store went back from {last} to {newest}");
        if newest > last {
            self.longest_rest = self.longest_rest.max(now - since);
            self.newest = Some((newest, now));
        }
        for segment in list.segments {
            let path = root.join("live").join(TRACK).join(&segment.uri);
            let body = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let first = self.bodies.entry(segment.uri.clone()).or_insert_with(|| body.clone());
            assert!(*first == body, "{} has two bodies", segment.uri);
        }
    }
}

fn record(root: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(root.join("live/a/state.json")).ok()?).ok()
}

fn epoch(root: &Path) -> Option<u64> {
    record(root)?["fence"]["epoch"].as_u64()
}

fn stored(root: &Path) -> Option<MediaPlaylist> {
    let bytes = std::fs::read(root.join("live").join(TRACK).join("index.m3u8")).ok()?;
    m3u8_rs::parse_media_playlist_res(&bytes).ok()
}

fn newest(list: &MediaPlaylist) -> u64 {
    list.media_sequence + list.segments.len() as u64 - 1
}

fn signal(server: &Served, name: &str) {
    let pid = server.pid().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// Status and reason of a path on the media listener.
async fn told(server: &Served, path: &str) -> (u16, String) {
    let Ok(response) = reqwest::get(server.url(path)).await else { return (0, String::new()) };
    let reason = response.headers().get("headwater-reason").map(|reason| reason.to_str().unwrap().to_owned());
    (response.status().as_u16(), reason.unwrap_or_default())
}

fn assert_contiguous(list: &MediaPlaylist) {
    for (index, segment) in list.segments.iter().enumerate() {
        assert_eq!(segment.uri, format!("{}.m4s", list.media_sequence + index as u64));
        assert!(!segment.discontinuity, "{} has a discontinuity", segment.uri);
    }
}

/// A packager that publishes, and one that stands by.
async fn pair(store: &str) -> [Served; 2] {
    let first = Served::storing(store, &channel()).await;
    first.in_state("a", "live", 30).await;
    first.playlist_with(TRACK, 30, |list| list.segments.len() >= 4).await;
    let second = Served::storing(store, &channel()).await;
    let standby = second.in_state("a", "standby", 20).await;
    assert!(standby["why"].as_str().unwrap().contains("epoch 1"), "{standby}");
    assert_eq!(second.readiness().await, Some(503));
    for path in ["live/a/index.m3u8", "live/a/manifest.mpd", "live/a/180p/index.m3u8"] {
        assert_eq!(told(&second, path).await, (503, "standby".to_owned()), "{path}");
    }
    // Until its encoder runs.
    let runs = async || (second.status("a").await["encoder_starts"] == 1).then_some(());
    eventually("the encoder of the one that stands by is started", 20, runs).await;
    sleep(3 * TARGET).await;
    assert_eq!(second.status("a").await["state"], "standby");
    [first, second]
}

/// The first goes, and the second takes over within three target durations; nothing that was ever listed changes.
async fn takes_over(store: &str, root: PathBuf, going: Going) {
    let [mut first, second] = pair(store).await;
    let stop = CancellationToken::new();
    let watcher = Watcher::start(root.clone(), stop.clone());
    sleep(2 * TARGET).await;
    let before = first.playlist(TRACK).await.unwrap();
    let last = newest(&stored(&root).unwrap());
    let gone = Instant::now();
    match going {
        Going::Killed => signal(&first, "-KILL"),
        Going::Asleep(_) => signal(&first, "-STOP"),
        Going::InGoodOrder => first.stop().await,
    }
    let moved = async || (epoch(&root) == Some(2) && newest(&stored(&root)?) > last + 1).then_some(());
    eventually("the list in the store goes on", 20, moved).await;
    let status = second.in_state("a", "live", 5).await;
    let took = gone.elapsed();
    assert_eq!((&status["epoch"], &status["takeovers"]), (&2.into(), &1.into()), "{status}");
    if let Going::Asleep(span) = going {
        sleep(span.saturating_sub(gone.elapsed())).await;
        sleeper_publishes_nothing(&first, &before, &root).await;
    }
    let list = second.playlist_with(TRACK, 20, |list| newest(list) > newest(&before) + 4).await;
    assert_contiguous(&list);
    assert_eq!(list.media_sequence, before.media_sequence);
    let violations = second.check("a", 8).await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
    stop.cancel();
    let watcher = watcher.await.unwrap();
    let after = watcher.succeeded.unwrap().saturating_duration_since(gone);
    eprintln!(
        "{going:?}: taken over after {after:?}, goes on after {took:?}, longest rest of the stored list {:?}",
        watcher.longest_rest
    );
    assert_eq!(watcher.epochs, [1, 2]);
    assert!(after <= 3 * TARGET, "{after:?}");
    // From one segment to the next it is one target duration anyway.
    assert!(watcher.longest_rest <= 4 * TARGET, "{:?}", watcher.longest_rest);
    for (uri, body) in &watcher.bodies {
        let got = second.get(&format!("live/{TRACK}/{uri}")).await;
        assert!(got.is_none_or(|got| got == body[..]), "{uri} has another body from memory");
    }
    assert!(watcher.bodies.len() > before.segments.len() + 3);
}

/// The first wakes up, and finds out that it was succeeded before it says anything.
async fn sleeper_publishes_nothing(first: &Served, before: &MediaPlaylist, root: &Path) {
    let writer = record(root).unwrap()["fence"]["writer"].clone();
    signal(first, "-CONT");
    let woken = Instant::now();
    while woken.elapsed() < 3 * TARGET {
        if let Some(list) = first.playlist(TRACK).await {
            assert!(
                newest(&list) <= newest(before) + 1,
                "the one that slept has published {}",
                newest(&list)
            );
        }
        let now = record(root).unwrap()["fence"].clone();
        assert_eq!((&now["epoch"], &now["writer"]), (&2.into(), &writer));
        sleep(Duration::from_millis(50)).await;
    }
    let status = first.in_state("a", "standby", 1).await;
    assert!(status["why"].as_str().unwrap().contains("epoch 2"), "{status}");
    assert_eq!(told(first, "live/a/index.m3u8").await, (503, "standby".to_owned()));
}

fn directory() -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let store = format!("url = {:?}", directory.path());
    (directory, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_one_that_publishes_is_killed_the_other_goes_on_in_a_directory() {
    let (directory, store) = directory();
    takes_over(&store, directory.path().into(), Going::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_one_that_publishes_is_killed_the_other_goes_on_in_a_bucket() {
    let s3 = S3::start().await;
    takes_over(&s3.toml(""), s3.root(), Going::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_stopped_for_a_while_publishes_nothing_when_it_wakes_up_in_a_directory() {
    let (directory, store) = directory();
    takes_over(&store, directory.path().into(), Going::Asleep(Duration::ZERO)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_stopped_for_a_minute_publishes_nothing_when_it_wakes_up_in_a_bucket() {
    let s3 = S3::start().await;
    takes_over(&s3.toml(""), s3.root(), Going::Asleep(Duration::from_secs(60))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_told_to_stop_hands_over_at_once() {
    let s3 = S3::start().await;
    takes_over(&s3.toml(""), s3.root(), Going::InGoodOrder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_alone_and_is_started_again_waits_for_nobody() {
    let s3 = S3::start().await;
    let (directory, in_directory) = directory();
    for (store, root) in [(s3.toml(""), s3.root()), (in_directory, directory.path().into())] {
        let mut server = Served::storing(&store, &channel()).await;
        server.playlist_with(TRACK, 30, |list| list.segments.len() >= 4).await;
        server.crash_and_restart(Duration::from_millis(100)).await;
        assert!(server.playlist(TRACK).await.is_some(), "what was killed is gone for certain");
        server.in_state("a", "live", 20).await;
        assert_eq!(epoch(&root), Some(2));
        server.stop().await;
        assert_eq!(record(&root).unwrap()["fence"]["released"], true, "{}", server.log());
        assert_contiguous(&stored(&root).unwrap());
    }
}
