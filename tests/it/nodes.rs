//! Servers that package nothing and serve what another one does into the same store.

mod edge;
mod outages;
mod through;

use std::{process::Command, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use headwater::check::{self, Options};
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;

use crate::{
    served::{Served, eventually, in_memory},
    store::{large, s3::S3},
};

const TRACKS: [&str; 3] = ["180p", "90p", "audio-und"];

/// A channel that costs little. A node needs no `source`.
fn channel(source: &str) -> String {
    format!(
        "[channel.a]\n{source}segment = \"1s\"\npart = \"200ms\"\nwindow = \"10s\"\nlow_latency = false\n\
         [[channel.a.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n\
         [[channel.a.video]]\nheight = 90\nbitrate = \"80k\"\npreset = \"ultrafast\"\n"
    )
}

const TEST: &str = "source = \"test:?size=320x180&rate=30\"\n";

async fn begun(server: &Served) {
    for track in TRACKS {
        server.playlist_with(&format!("a/{track}"), 60, |list| list.segments.len() >= 5).await;
    }
}

/// Bytes and entity tag.
async fn tagged(server: &Served, path: &str) -> (Bytes, String) {
    let answer = server.answer(path).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    (answer.bytes().await.unwrap(), tag)
}

/// The document that all of them serve at one moment.
async fn agreed(servers: &[&Served], path: &str) -> Bytes {
    let same = async || {
        let all = join_all(servers.iter().map(|server| tagged(server, path))).await;
        all.windows(2).all(|two| two[0] == two[1]).then(|| all[0].0.clone())
    };
    eventually(&format!("{path} is the same on all servers"), 15, same).await
}

#[tokio::test]
async fn a_node_with_segments_of_another_length_says_so_and_shows_nothing() {
    let s3 = S3::start().await;
    let store = s3.toml("/p");
    let packager = Served::storing(&store, &channel(TEST)).await;
    begun(&packager).await;
    let node = Served::node(&store, &channel("").replace("segment = \"1s\"", "segment = \"2s\"")).await;
    let failed = node.in_state("a", "failed", 10).await;
    assert!(failed["why"].as_str().unwrap().contains("Write segment = \"1s\""), "{failed}");
    assert!(node.playlist("a/180p").await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_serve_what_their_packager_does_byte_for_byte() {
    let s3 = S3::start().await;
    let store = s3.toml("/p");
    let packager = Served::storing(&store, &channel(TEST)).await;
    // One has the packager's file, the other a file of its own.
    let one = Served::node(&store, &channel(TEST)).await;
    let other = Served::node(&store, &channel("")).await;
    for server in [&packager, &one, &other] {
        begun(server).await;
    }
    one.in_state("a", "live", 5).await;
    assert_eq!(one.readiness().await, Some(200));
    let servers = [&packager, &one, &other];
    let master = agreed(&servers, "live/a/index.m3u8").await;
    let master = m3u8_rs::parse_master_playlist_res(&master).unwrap();
    assert_eq!(master.variants.len(), 2);
    let mpd = agreed(&servers, "live/a/manifest.mpd").await;
    assert!(String::from_utf8_lossy(&mpd).contains("type=\"dynamic\""));
    for track in TRACKS {
        let list = agreed(&servers, &format!("live/a/{track}/index.m3u8")).await;
        let list = m3u8_rs::parse_media_playlist_res(&list).unwrap();
        let init = list.segments[0].map.as_ref().unwrap().uri.clone();
        // The first may leave the store while this goes on.
        let names = list.segments.iter().skip(2).map(|segment| segment.uri.clone()).chain([init]);
        for name in names {
            agreed(&servers, &format!("live/a/{track}/{name}")).await;
        }
        let file = one.listed(&format!("a/{track}")).await;
        let decoded = Command::new("ffmpeg")
            .args(["-v", "error", "-xerror", "-i"])
            .arg(&file)
            .args(["-f", "null", "-"])
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&decoded.stderr);
        assert!(decoded.status.success() && complaint.is_empty(), "{track}: {complaint}");
    }
    // A reload that waits is answered with what it waits for (rfc8216bis 6.2.5.2).
    let newest = one.playlist("a/180p").await.unwrap();
    let next = newest.media_sequence + newest.segments.len() as u64;
    let waited = one.get(&format!("live/a/180p/index.m3u8?_HLS_msn={next}")).await.unwrap();
    let waited = m3u8_rs::parse_media_playlist_res(&waited).unwrap();
    assert!(waited.segments.iter().any(|segment| segment.uri == format!("{next}.m4s")));
    let store = s3.store("/p");
    store.create("vod/clip/360p/1.m4s", vec![Bytes::from("moof")]).await.unwrap();
    agreed(&servers, "vod/clip/360p/1.m4s").await;
    let urls = ["index.m3u8", "manifest.mpd"].map(|file| one.url(&format!("live/a/{file}"))).to_vec();
    let options = Options { urls, span: Duration::from_secs(12), http2: false };
    let report = check::run(&options, CancellationToken::new()).await.unwrap();
    assert_eq!(report.violations, 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_viewers_of_a_node_cost_the_store_one_read_of_a_segment() {
    let s3 = S3::start().await;
    let _packager = Served::storing(&s3.toml(""), &channel(TEST)).await;
    let node = Served::node(&s3.toml(""), &channel("")).await;
    begun(&node).await;
    let list = node.playlist("a/180p").await.unwrap();
    let path = format!("live/a/180p/{}", list.segments.last().unwrap().uri);
    let client = || reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let clients: Vec<_> = (0..5).map(|_| client()).collect();
    let fetch = |client: &reqwest::Client| {
        let request = client.get(node.url(&path)).timeout(Duration::from_secs(30));
        async move { request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap() }
    };
    let bodies = join_all(clients.iter().cycle().take(1000).map(fetch)).await;
    assert!(bodies.iter().all(|body| *body == bodies[0] && !body.is_empty()));
    assert_eq!(s3.gets(&path), 1);
}

/// The most memory that a server has had, in MB.
fn peak(server: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_larger_than_the_memory_of_a_node_goes_through_it() {
    const LENGTH: u64 = 240 << 20;
    let s3 = S3::start().await;
    let path = "vod/film/720p/1.m4s";
    s3.store("").create(path, vec![large::film(1, LENGTH)]).await.unwrap();
    let node = Served::node(&(s3.toml("") + "cache_memory = \"32M\"\n"), &channel("")).await;
    let before = peak(&node);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
    let request = client.get(node.url(path)).header("range", "bytes=200000000-200999999");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.bytes().await.unwrap().len(), 1_000_000);
    assert!(s3.gets(path) <= 3, "what it is, and one or two blocks: {}", s3.gets(path));
    let mut answer = client.get(node.url(path)).send().await.unwrap();
    assert_eq!(answer.content_length(), Some(LENGTH));
    let mut length = 0;
    while let Some(piece) = answer.chunk().await.unwrap() {
        length += piece.len() as u64;
    }
    assert_eq!(length, LENGTH);
    let grown = peak(&node) - before;
    println!("{grown} MB more for {} MB", LENGTH / 1_000_000);
    assert!(grown < 120, "{grown} MB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_playlists_is_enough_for_nodes_and_for_a_restart() {
    let s3 = S3::start().await;
    let store = s3.toml("") + "manifests = false\n";
    let mut packager = Served::storing(&store, &channel(TEST)).await;
    let node = Served::node(&store, &channel("")).await;
    begun(&node).await;
    let before = node.playlist("a/180p").await.unwrap();
    packager.crash_and_restart(Duration::ZERO).await;
    let on = async || {
        let list = node.playlist("a/180p").await?;
        (list.media_sequence > before.media_sequence + before.segments.len() as u64).then_some(list)
    };
    eventually("the node lists what the packager makes after a restart", 60, on).await;
    let files = ["state.json", "index.m3u8", "manifest.mpd", "180p/index.m3u8"];
    let there = files.map(|file| s3.root().join("live/a").join(file).exists());
    assert_eq!(there, [true, false, false, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packager_that_is_killed_makes_its_nodes_stale_and_one_that_is_back_makes_them_fit() {
    let directory = tempfile::TempDir::new().unwrap();
    let store = format!("url = {:?}", directory.path().join("data"));
    let mut packager = Served::storing(&store, &channel(TEST)).await;
    let node = Served::node(&store, &channel("")).await;
    begun(&node).await;
    packager.crash();
    let refused = async |server: &Served| {
        let answer = server.answer("live/a/180p/index.m3u8").await;
        let reason =
            answer.headers().get("headwater-reason").map(|reason| reason.to_str().unwrap().to_owned());
        (answer.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(reason).flatten()
    };
    let reason = eventually("the node is stale", 10, async || refused(&node).await).await;
    assert_eq!(reason, "stale");
    node.in_state("a", "stalled", 10).await;
    assert_eq!(node.readiness().await, Some(503));
    // One that starts now has seen nothing move, and is not fooled.
    let late = Served::node(&store, &channel("")).await;
    let late_reason = eventually("it has looked", 5, async || refused(&late).await).await;
    assert!(["stale", "not-yet-published"].contains(&late_reason.as_str()), "{late_reason}");
    let stale = async || refused(&late).await.filter(|reason| reason == "stale");
    eventually("what starts now is stale at once", 2, stale).await;
    packager.crash_and_restart(Duration::ZERO).await;
    for server in [&node, &late] {
        let back = async || server.playlist("a/180p").await;
        eventually("it is back", 30, back).await;
        server.in_state("a", "live", 10).await;
    }
}
