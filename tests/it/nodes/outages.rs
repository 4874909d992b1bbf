//! Nodes over a bucket that does not give what it has: what is in memory is served, the rest is an error for as long as that lasts,
//! and who is told the edge notices nothing.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    edge::{lists_parts, low_latency, parts, secret},
    *,
};
use crate::store::s3::Mood;

/// How long the bucket is in a mood, and how long it is watched before and behind that.
const OUTAGE: Duration = Duration::from_secs(6);
const BEFORE: Duration = Duration::from_secs(1);
const BEHIND: u64 = 4;

const TRACK: &str = "live/a/180p";
/// What nobody has asked a node for before.
const FRESH: &str = "vod/film/720p/1.m4s";

/// A packager, a node that has the bucket alone, and one that is told the edge.
struct Scene {
    s3: S3,
    packager: Served,
    alone: Served,
    told: Served,
    _secret: tempfile::TempDir,
}

impl Scene {
    async fn begin() -> Self {
        let s3 = S3::start().await;
        let directory = tempfile::TempDir::new().unwrap();
        let secret = secret(directory.path(), "what only our servers know");
        let packager = Served::packager_with(&secret, &s3.toml(""), &low_latency(TEST)).await;
        let from = packager.url("").trim_end_matches('/').to_owned();
        let alone = Served::node(&s3.toml(""), &channel("")).await;
        let server = format!("{secret}edge_from = {from:?}\n");
        let told = Served::node_with(&server, &s3.toml(""), &low_latency("")).await;
        for server in [&packager, &alone, &told] {
            begun(server).await;
        }
        lists_parts(&told).await;
        parts(&told, true).await;
        s3.store("").create(FRESH, vec![Bytes::from("moof")]).await.unwrap();
        Self { s3, packager, alone, told, _secret: directory }
    }

    /// What the node has in memory, as it was asked for.
    async fn memory(&self) -> BTreeMap<String, (Bytes, String)> {
        let list = self.alone.playlist("a/180p").await.unwrap();
        let mut memory = BTreeMap::new();
        for segment in list.segments.iter().rev().take(3) {
            let path = format!("{TRACK}/{}", segment.uri);
            memory.insert(path.clone(), tagged(&self.alone, &path).await);
        }
        memory
    }

    /// Puts the bucket into a mood for a while, and watches the nodes. Gives what their checkers call violations, of the one
    /// that has the bucket alone first.
    async fn through(&self, mood: Mood) -> [Vec<String>; 2] {
        let memory = self.memory().await;
        let seconds = (BEFORE + OUTAGE).as_secs() + BEHIND;
        let checks = [&self.alone, &self.told].map(|node| node.check("a", seconds));
        sleep(BEFORE).await;
        self.s3.turn_reads(mood);
        let over = Instant::now() + OUTAGE;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(15)).build().unwrap();
        let fresh = tokio::spawn(client.get(self.alone.url(FRESH)).send());
        let mut seen = 0;
        while Instant::now() < over {
            for (path, was) in &memory {
                assert_eq!(tagged(&self.alone, path).await, *was, "{path} is in memory");
            }
            seen = self.list_goes_on(seen).await;
            assert!(self.told.playlist("a/180p").await.is_some(), "who is told the edge needs no bucket");
            sleep(Duration::from_millis(200)).await;
        }
        self.s3.turn_reads(Mood::Well);
        self.is_back().await;
        assert_right_or_refused(&fresh.await.unwrap().unwrap());
        let [alone, told] = checks;
        [alone.await.unwrap(), told.await.unwrap()].map(|found| found.iter().map(slug).collect())
    }

    /// The list is all that it was and goes on, or is refused. Gives how far it has come.
    async fn list_goes_on(&self, seen: u64) -> u64 {
        let answer = self.alone.answer(&format!("{TRACK}/index.m3u8")).await;
        if answer.status() != StatusCode::OK {
            assert_right_or_refused(&answer);
            return seen;
        }
        let list = m3u8_rs::parse_media_playlist_res(&answer.bytes().await.unwrap()).unwrap();
        let newest = list.media_sequence + list.segments.len() as u64;
        assert!(list.segments.len() >= 5 && newest >= seen, "{} segments to {newest}", list.segments.len());
        newest
    }

    /// Within two target durations the node is as far as the packager is, and has what it could not give.
    async fn is_back(&self) {
        let began = Instant::now();
        let newest = |list: &m3u8_rs::MediaPlaylist| list.media_sequence + list.segments.len() as u64;
        let due = newest(&self.packager.playlist("a/180p").await.unwrap());
        let caught_up = async || self.alone.playlist("a/180p").await.filter(|list| newest(list) >= due - 1);
        eventually("the node goes on", 10, caught_up).await;
        let took = began.elapsed();
        println!("back after {took:?}");
        assert!(
            took < Duration::from_millis(2500),
            "two target durations, and what a busy machine adds: {took:?}"
        );
        let fresh = async || self.alone.get(FRESH).await;
        assert_eq!(eventually("what was refused is there", 2, fresh).await, "moof");
    }
}

fn slug(finding: &Value) -> String {
    println!("{finding}");
    finding["check"].as_str().unwrap().to_owned()
}

/// An answer is what was asked for, or says that it is not to be had now: shortly, and when to come again.
fn assert_right_or_refused(answer: &reqwest::Response) {
    if answer.status() == StatusCode::OK {
        return;
    }
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    let field = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert!(field("retry-after").is_some(), "{answer:?}");
    let said = field("cache-control").unwrap();
    let seconds = said.split(&['=', ','][..]).find_map(|word| word.trim().parse::<u64>().ok());
    assert!(said == "no-store" || seconds.is_some_and(|seconds| seconds <= 1), "{said}");
}

/// Of a node that has the bucket alone nothing is found beside what is `excused`; of one that is told the edge, nothing.
fn assert_unbroken([mut alone, told]: [Vec<String>; 2], excused: &[&str]) {
    alone.retain(|check| !excused.contains(&check.as_str()));
    assert_eq!((alone, told), (Vec::new(), Vec::new()));
}

/// What cannot be helped where nothing can be read.
const NOTHING_NEW: [&str; 5] = [
    // Nobody tells of segments.
    "segment-late",
    // One that was listed just before had not been asked for yet.
    "segment-missing",
    // A list that stands still is refused as stale,
    "playlist-missing",
    // to those who ask for what it had,
    "old-not-at-once",
    // and to those who ask for what it cannot have.
    "far-ahead-accepted",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_gives_nothing_is_noticed_only_by_who_needs_what_is_new() {
    let found = Scene::begin().await.through(Mood::Failing(usize::MAX)).await;
    assert_unbroken(found, &NOTHING_NEW);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_fails_every_fifth_time_is_asked_again_and_nobody_notices() {
    let found = Scene::begin().await.through(Mood::Often(0)).await;
    assert_unbroken(found, &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_answers_after_five_seconds_is_noticed_only_by_who_needs_what_is_new() {
    let found = Scene::begin().await.through(Mood::Slow(usize::MAX, Duration::from_secs(5))).await;
    assert_unbroken(found, &NOTHING_NEW);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_closes_connections_is_noticed_only_by_who_needs_what_is_new() {
    let found = Scene::begin().await.through(Mood::Deaf(usize::MAX)).await;
    assert_unbroken(found, &NOTHING_NEW);
}
