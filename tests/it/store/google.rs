//! Google's buckets. No emulator of them keeps conditions over the XML API, so a stand-in of our own does, as far as Google
//! documents it; Google itself was never spoken to.

mod bucket;

use self::bucket::Bucket;
use super::*;

#[tokio::test]
async fn google_behaves_as_every_store_does() {
    let bucket = Bucket::start().await;
    let suite = async {
        let store = bucket.store("probe");
        assert!(store.unfenced().await.unwrap().is_none(), "conditions are kept");
        behaves(bucket.store("suite")).await;
        revises_its_own_version_only(bucket.store("records")).await;
    };
    timeout(LIMIT, suite).await.expect("the bucket hangs");
    large::comes_in_blocks(bucket.store("large")).await;
}

#[tokio::test]
async fn an_object_there_says_what_our_origin_would_say() {
    let bucket = Bucket::start().await;
    let mut config = bucket.config("a");
    config.bucket.storage_class = Some("NEARLINE".into());
    let store = Store::of(&config).unwrap();
    let work = async {
        store.create("live/a/360p/1.m4s", body("abc")).await.unwrap();
        store.put("live/a/state.json", body("{}")).await.unwrap();
    };
    timeout(LIMIT, work).await.expect("the bucket hangs");
    let said = |path: &str, name: &str| bucket.said(&format!("a/live/a/{path}"), name);
    assert_eq!(said("360p/1.m4s", "content-type").as_deref(), Some("video/mp4"));
    let immutable = CachePolicy::Immutable.header();
    assert_eq!(said("360p/1.m4s", "cache-control").as_deref(), immutable.to_str().ok());
    assert_eq!(said("360p/1.m4s", "x-goog-storage-class").as_deref(), Some("NEARLINE"));
    let hash = said("360p/1.m4s", "x-goog-meta-contenthash").unwrap();
    assert_eq!(format!("\"{hash}\""), etag([&b"abc"[..]]));
    assert_eq!(said("state.json", "cache-control").as_deref(), Some("no-store"));
}

#[tokio::test]
async fn who_is_nobody_there_is_told_so() {
    let (bucket, another) = (Bucket::start().await, Bucket::start().await);
    let mut config = bucket.config("a");
    config.bucket.credentials_file = another.config("a").bucket.credentials_file;
    let store = Store::of(&config).unwrap();
    let denied = timeout(LIMIT, store.put("live/a/state.json", body("{}"))).await.unwrap();
    assert!(matches!(denied, Err(Error::Denied { .. })), "{denied:?}");
    let nowhere = config::Store { url: "gs://nowhere".into(), ..bucket.config("a") };
    // It may be made yet, so it is asked for again.
    let store = Store::of(&nowhere).unwrap().spending(Effort::edge(Duration::from_secs(1)));
    let denied = timeout(LIMIT, store.put("live/a/state.json", body("{}"))).await.unwrap();
    assert!(matches!(denied, Err(Error::NoBucket { .. })), "{denied:?}");
}

#[cfg(feature = "encoder")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packager_is_killed_and_succeeded_there_and_a_node_goes_on() {
    use crate::served::{Served, check, eventually};

    let bucket = Bucket::start().await;
    let channel = "[channel.a]\nsource = \"test:?size=320x180&rate=30\"\nsegment = \"1s\"\npart = \"200ms\"\nwindow = \"10s\"\n\
                   [[channel.a.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n";
    let mut first = Served::storing(&bucket.toml("tv"), channel).await;
    let node = Served::node(&bucket.toml("tv"), channel).await;
    let listed = node.playlist_with("a/180p", 60, |list| list.segments.len() >= 4).await;
    let second = Served::storing(&bucket.toml("tv"), channel).await;
    second.in_state("a", "standby", 20).await;
    first.crash();
    eventually("the other takes over", 10, async || {
        (second.status("a").await["takeovers"] == 1).then_some(())
    })
    .await;
    let reached = listed.media_sequence + listed.segments.len() as u64 + 6;
    let goes_on = |list: &m3u8_rs::MediaPlaylist| list.media_sequence + list.segments.len() as u64 > reached;
    node.playlist_with("a/180p", 30, goes_on).await;
    let documents = ["index.m3u8", "manifest.mpd"].map(|file| node.url(&format!("live/a/{file}")));
    let violations = check(&documents, 6).await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}
