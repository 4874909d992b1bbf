//! Two origins with separate stores on one source: they say and serve the same, whoever started later, and viewers may be
//! sent from one to the other at any request.

mod alike;
mod balancer;
pub(crate) mod sender;

use std::{process::Stdio, time::Duration};

use headwater::{config::Timing, metrics::Metrics, origin};
use headwater_test_support::ports;
use serde_json::Value;
use tokio::{process::Command, time::timeout};
use tokio_util::sync::CancellationToken;

use self::{
    alike::{are_lists_alike, assert_alike},
    balancer::Balancer,
    sender::Sender,
};
use crate::served::{self, Served, eventually};

const TRACKS: [&str; 3] = ["a/180p", "a/90p", "a/audio-und"];
/// How much later the second origin begins.
const LATER: Duration = Duration::from_secs(3);

/// A channel whose window is soon full.
fn channel(source: &str, more: &str) -> String {
    format!(
        "[channel.a]\nsource = {source:?}\nsegment = \"2s\"\npart = \"400ms\"\nwindow = \"8s\"\n\
         ready_after = \"8s\"\n{more}\
         [[channel.a.video]]\nheight = 180\nbitrate = \"300k\"\npreset = \"ultrafast\"\n\
         [[channel.a.video]]\nheight = 90\nbitrate = \"100k\"\npreset = \"ultrafast\"\n"
    )
}

/// Two origins, the second of them later, as soon as both have a full window of the source.
async fn pair(channels: [&str; 2]) -> [Served; 2] {
    let first = Served::start(channels[0]).await;
    tokio::time::sleep(LATER).await;
    let pair = [first, Served::start(channels[1]).await];
    for server in &pair {
        eventually("its lists are full", 30, async || server.readiness().await.filter(|&it| it == 200)).await;
    }
    pair
}

/// Runs `headwater check` through a balancer that sends each request to the other origin; gives what it found.
async fn check(pair: &[Served; 2], seconds: u64) -> Value {
    let listener = origin::listen(([127, 0, 0, 1], 0).into()).unwrap();
    let (address, stop) = (listener.address(), CancellationToken::new());
    let balancer = Balancer::new([pair[0].url(""), pair[1].url("")]);
    let server = tokio::spawn(origin::serve(listener, balancer, Metrics::default().http, stop.clone()));
    let run = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .arg("check")
        .args(["index.m3u8", "manifest.mpd"].map(|file| format!("http://{address}/live/a/{file}")))
        .args(["--json", "--seconds", &seconds.to_string()])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(Duration::from_secs(seconds + 60), run).await.expect("the checker ends").unwrap();
    stop.cancel();
    server.abort();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}; {}", String::from_utf8_lossy(&output.stderr)))
}

/// What the checker calls violations of, and here are none: the bytes of media are each encoder's own, and a document in
/// its coded and its plain form is that of two origins, which say of the other tracks how far they are.
const OWN: [&str; 4] = ["I-02", "I-06", "I-07", "I-16"];

fn violations(report: &Value) -> Vec<&Value> {
    let own = |each: &Value| OWN.contains(&each["invariant"].as_str().unwrap_or_default());
    let findings = report["findings"].as_array().unwrap().iter();
    findings.filter(|each| each["level"] == "violation" && !own(each)).collect()
}

/// Kills the second origin and starts it again: meanwhile the first breaks no promise, and afterwards they are alike again.
async fn assert_comes_back(pair: &mut [Served; 2], timing: Timing) {
    let documents = ["index.m3u8", "manifest.mpd"].map(|file| pair[0].url(&format!("live/a/{file}")));
    let checking = served::check(&documents, 8);
    let before = pair[1].playlist(TRACKS[0]).await.unwrap();
    pair[1].crash_and_restart(Duration::from_secs(1)).await;
    let list = pair[1].playlist_with(TRACKS[0], 20, |_| true).await;
    assert!(list.media_sequence <= before.media_sequence + 3, "it lists what it had before it was killed");
    pair[1].in_state("a", "live", 30).await;
    let violations = checking.await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
    // What it has of the time until it was back has no parts, which the other lists for a while.
    let alike = async || are_lists_alike(pair, &TRACKS).await.then_some(());
    eventually("its lists are those of the other again", 30, alike).await;
    assert_alike(pair, &TRACKS, timing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_origins_of_the_test_source_are_interchangeable() {
    let lines = channel("test:?size=320x180&rate=30000/1001", "");
    let mut pair = pair([&lines, &lines]).await;
    assert_alike(&pair, &TRACKS, Timing::Clock).await;
    let report = check(&pair, 12).await;
    let violations = violations(&report);
    assert!(violations.is_empty(), "{violations:#?}");
    assert_comes_back(&mut pair, Timing::Clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_origins_of_a_transport_stream_are_interchangeable_by_its_timestamps() {
    let ports = [(); 2].map(|()| ports::udp().unwrap());
    let _sender = Sender::start(&ports.map(sender::udp));
    let lines = ports.map(|port| channel(&format!("udp://127.0.0.1:{port}"), "timing = \"source\"\n"));
    let mut pair = pair([&lines[0], &lines[1]]).await;
    assert_alike(&pair, &TRACKS, Timing::Source).await;
    let report = check(&pair, 12).await;
    let violations = violations(&report);
    assert!(violations.is_empty(), "{violations:#?}");
    assert_comes_back(&mut pair, Timing::Source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_origins_that_are_sent_the_same_over_srt_are_interchangeable_and_again_after_one_is_killed() {
    let ports = [(); 2].map(|()| ports::udp().unwrap());
    let _sender = Sender::calling(&ports.map(sender::srt));
    let lines = ports
        .map(|port| channel(&format!("srt://:{port}?mode=listener&latency=80"), "timing = \"source\"\n"));
    let mut pair = pair([&lines[0], &lines[1]]).await;
    assert_alike(&pair, &TRACKS, Timing::Source).await;
    assert_comes_back(&mut pair, Timing::Source).await;
}
