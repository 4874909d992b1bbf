//! Channels that have nothing to show any more: what players and operators are told.

use std::sync::Arc;

use headwater::{
    channel::{self, Setup, edge::Reader, fitness::Unfit},
    config::Config,
    metrics::Tracks,
    store::Store,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    SECOND, TEST,
    apart::{Encode, apart},
    channel,
};
use crate::served::{Served, eventually};

/// Status and reason of a path on the media listener.
async fn told(server: &Served, path: &str) -> (u16, String) {
    let response = reqwest::get(server.url(path)).await.unwrap();
    let reason = response.headers().get("headwater-reason").map(|reason| reason.to_str().unwrap().to_owned());
    (response.status().as_u16(), reason.unwrap_or_default())
}

#[tokio::test]
async fn a_slate_is_an_error_after_a_while_and_until_an_encoder_is_back() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("a.sock");
    let lines = apart(TEST, &socket).replacen("segment =", "slate_after = \"3s\"\nsegment =", 1);
    let server = Served::start(&lines).await;
    let mut encode = Encode::start(&socket, directory.path().join("first.log"));
    server.in_state("a", "live", 20).await;
    server.playlist_with("a/180p", 20, |list| list.segments.len() >= 4).await;
    let paths = ["live/a/index.m3u8", "live/a/manifest.mpd", "live/a/180p/index.m3u8"];
    for path in paths {
        assert_eq!(told(&server, path).await, (200, String::new()), "{path}");
    }
    let listed = server.playlist("a/180p").await.unwrap().segments.last().unwrap().uri.clone();

    encode.signal("-TERM");
    encode.ended(5).await;
    server.in_state("a", "restarting", 5).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(told(&server, paths[0]).await.0, 200, "a slate of a second is what it is for");
    let refused = async || (told(&server, paths[0]).await == (503, "slate".to_owned())).then_some(());
    eventually("the slate is an error", 10, refused).await;
    for path in paths {
        assert_eq!(told(&server, path).await, (503, "slate".to_owned()), "{path}");
    }
    assert_eq!(told(&server, &format!("live/a/180p/{listed}")).await.0, 200, "segments are what they are");

    let _encode = Encode::start(&socket, directory.path().join("second.log"));
    let served = async || (told(&server, paths[2]).await.0 == 200).then_some(());
    eventually("the channel is shown again", 20, served).await;
    assert_eq!(told(&server, paths[0]).await, (200, String::new()));
}

/// A channel in this process, and what ends its task.
async fn started(directory: &TempDir) -> (Reader, CancellationToken, tokio::task::JoinHandle<()>) {
    let file = directory.path().join("headwater.toml");
    std::fs::write(&file, channel("a", TEST)).unwrap();
    let shutdown = CancellationToken::new();
    let setup = Setup {
        name: "a".into(),
        config: Config::read(&file).unwrap().channels["a"].clone(),
        file_root: None,
        store: Store::open("memory://").unwrap(),
        runtime: None,
        program: env!("CARGO_BIN_EXE_headwater").into(),
        door: None,
        metrics: Tracks::default(),
        shutdown: shutdown.clone(),
    };
    let (reader, task) = channel::start(setup).await.unwrap();
    (reader, shutdown, task)
}

#[tokio::test]
async fn a_channel_whose_task_is_over_is_stale_after_three_target_durations() {
    let directory = TempDir::new().unwrap();
    let (reader, shutdown, task) = started(&directory).await;
    let shown = async || reader.edge.borrow().multivariant.as_ref().map(Arc::clone);
    eventually("there is something to show", 30, shown).await;
    assert_eq!(reader.unfit(), None);
    shutdown.cancel();
    task.await.unwrap();
    assert_eq!(reader.unfit(), None, "a moment is nothing");
    let stale = async || reader.unfit();
    assert_eq!(eventually("it is stale", 10, stale).await, Unfit::Stale);
}
