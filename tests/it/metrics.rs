//! Metrics of a running server.

use std::collections::BTreeSet;

use crate::{
    openmetrics::Metrics,
    served::{Served, eventually},
};

const CHANNEL: &str = "[channel.demo]\nsource = \"test:?size=320x180&rate=25\"\nsegment = \"1s\"\npart = \"200ms\"\n\
     [[channel.demo.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n";

const STAGES: [&str; 3] = ["capture_to_encoded", "encoded_to_packaged", "capture_to_packaged"];

/// What the control listener tells; `None` without a parser.
async fn told(served: &Served) -> Option<Metrics> {
    let (kind, text) = served.metrics().await;
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    Metrics::parse(&text)
}

/// A viewer over the WebSocket, of whom there are metrics too.
async fn watching(served: &Served) -> reqwest::Response {
    let request = reqwest::Client::new()
        .get(served.url("live/demo/ws"))
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "headwater.v1");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 101);
    response
}

#[tokio::test]
async fn every_stage_of_every_track_is_measured_and_every_metric_explained() {
    let served = Served::start(CHANNEL).await;
    served.playlist_with("demo/180p", 30, |playlist| playlist.segments.len() >= 4).await;
    // A held playlist makes the last stage complete.
    let next = served.playlist("demo/180p").await.unwrap();
    let msn = next.media_sequence + next.segments.len() as u64;
    assert!(served.get(&format!("live/demo/180p/index.m3u8?_HLS_msn={}", msn + 1)).await.is_some());
    let _viewer = watching(&served).await;
    let Some(metrics) = told(&served).await else { return };
    for track in ["180p", "audio-und"] {
        let labels = [("channel", "demo"), ("track", track)];
        for stage in STAGES {
            let value = |what| metrics.value(&format!("headwater_{stage}_seconds_{what}"), &labels);
            assert!(value("count") > 10.0, "{stage} of {track}");
            assert!((0.0..5.0).contains(&(value("sum") / value("count"))), "{stage} of {track}");
        }
        assert!(metrics.value("headwater_published_parts_total", &labels) >= 15.0);
        assert!(metrics.value("headwater_published_segments_total", &labels) >= 4.0);
    }
    let held = [("channel", "demo"), ("track", "180p"), ("response", "playlist")];
    assert_eq!(metrics.value("headwater_packaged_to_first_byte_seconds_count", &held), 1.0);
    assert_eq!(metrics.value("headwater_encoder_starts_total", &[("channel", "demo")]), 1.0);
    assert_eq!(metrics.value("headwater_watching_viewers", &[("channel", "demo")]), 1.0);
    let live = [("channel", "demo"), ("state", "live")];
    assert_eq!(metrics.value("headwater_channel_state", &live), 1.0);
    assert_named_and_explained(&metrics);
}

/// Every name is `headwater_<name>_<unit>`, and docs/metrics.md has a line with type and labels of each, and no other.
fn assert_named_and_explained(metrics: &Metrics) {
    let written = |family: &crate::openmetrics::Family| {
        assert!(family.name.starts_with("headwater_"), "{}", family.name);
        assert!(family.name.ends_with(&family.unit) && !family.help.is_empty(), "{}", family.name);
        let suffix = match family.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let labels: BTreeSet<&str> =
            family.samples.iter().flat_map(|it| it.labels.keys()).map(String::as_str).collect();
        let labels: Vec<&str> = labels.into_iter().filter(|&name| name != "le").collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{} ", labels.join(", ")) };
        format!("| `{}{suffix}` | {} | {labels}|", family.name, family.kind)
    };
    let told: BTreeSet<String> = metrics.0.iter().map(written).collect();
    let page = include_str!("../../docs/metrics.md");
    let lines = page.lines().filter(|line| line.starts_with("| `headwater_"));
    let explained: BTreeSet<String> =
        lines.map(|line| line.splitn(5, '|').take(4).collect::<Vec<_>>().join("|") + "|").collect();
    assert_eq!(told, explained);
}

#[tokio::test]
async fn a_killed_encoder_shows_as_another_start_and_as_filler() {
    let served = Served::start(CHANNEL).await;
    let status = served.in_state("demo", "live", 30).await;
    served.playlist_with("demo/180p", 30, |playlist| playlist.segments.len() >= 3).await;
    let pid = status["encoder_pid"].to_string();
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    let filled = async || {
        let Some(metrics) = told(&served).await else { return Some(()) };
        let starts = metrics.value("headwater_encoder_starts_total", &[("channel", "demo")]);
        let labels = [("channel", "demo"), ("track", "180p")];
        let filler = metrics.value("headwater_filler_parts_total", &labels);
        (starts == 2.0 && filler > 0.0).then_some(())
    };
    eventually("the second encoder and the filler are counted", 30, filled).await;
}
