//! The store, in all places that it may be in: it behaves alike everywhere, and what goes wrong there stays there.

use std::time::Duration;

use bytes::Bytes;
use headwater::{
    config,
    policy::CachePolicy,
    store::{Effort, Error, Store, etag},
};
use headwater_test_support::fault::{Fault, FaultStore, Odds};
use object_store::{Attribute, ObjectStoreExt, path::Path};
use tempfile::TempDir;
use tokio::time::timeout;

use self::s3::{Mood, S3};

mod azure;
mod cluster;
#[cfg(feature = "encoder")]
mod damage;
#[cfg(feature = "encoder")]
mod direct;
mod google;
pub(crate) mod large;
#[cfg(feature = "encoder")]
mod outages;
mod reads;
#[cfg(feature = "encoder")]
mod role;
pub(crate) mod s3;

const LIMIT: Duration = Duration::from_secs(30);

fn body(text: &'static str) -> Vec<Bytes> {
    vec![Bytes::from_static(text.as_bytes())]
}

/// What a store does with a write that is to be done only if the name is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conditions {
    Kept,
    /// It is done all the same.
    Ignored,
}

async fn behaves(store: Store) {
    behaves_with(store, Conditions::Kept).await;
}

async fn behaves_with(store: Store, conditions: Conditions) {
    let name = store.url().to_owned();
    let get = async |path: &str| store.object(path).await.map(|object| object.body.clone());
    assert!(matches!(get("live/a/360p/1.m4s").await, Err(Error::NotFound { .. })), "{name}");

    let pieces = vec![Bytes::from("ab"), Bytes::from("c")];
    store.create("live/a/360p/1.m4s", pieces.clone()).await.unwrap();
    let object = store.object("live/a/360p/1.m4s").await.unwrap();
    assert_eq!((&object.body[..], &object.etag), (&b"abc"[..], &etag([&b"abc"[..]])), "{name}");
    store.create("live/a/360p/1.m4s", pieces).await.expect("the same again is as good");
    if conditions == Conditions::Kept {
        let taken = store.create("live/a/360p/1.m4s", body("other")).await;
        assert!(matches!(taken, Err(Error::Taken { .. })), "{name}: {taken:?}");
        assert_eq!(store.get("live/a/360p/1.m4s").await.unwrap(), "abc", "{name}: what was first stays");
    }

    let target = Duration::from_secs(2);
    for text in ["#EXTM3U 1", "#EXTM3U 2"] {
        let cache = CachePolicy::LivePlaylist { target };
        store.put_document("live/a/360p/index.m3u8", Bytes::from(text), cache).await.unwrap();
        assert_eq!(get("live/a/360p/index.m3u8").await.unwrap(), text, "{name}");
    }
    store.put("live/a/state.json", body("{}")).await.unwrap();
    store.put("live/a/state.json", body("{1}")).await.unwrap();
    assert_eq!(store.get("live/a/state.json").await.unwrap(), "{1}", "{name}");
    store.put_media("live/a/360p/1.m4s", body("over")).await.unwrap();
    assert_eq!(get("live/a/360p/1.m4s").await.unwrap(), "over", "{name}");

    store.delete("live/a/360p/1.m4s").await.unwrap();
    store.delete("live/a/360p/1.m4s").await.expect("what is not there needs no removing");
    assert!(matches!(get("live/a/360p/1.m4s").await, Err(Error::NotFound { .. })), "{name}");
    assert!(matches!(store.get("../secret").await, Err(Error::Path { .. })), "{name}");
    store.put("vod/clip/index.m3u8", body("#EXTM3U")).await.unwrap();
    assert_eq!(store.assets().await.unwrap(), ["clip"], "{name}");
}

async fn revises_its_own_version_only(store: Store) {
    let one = store.revise("live/a/state.json", body("1"), None).await.unwrap();
    let two = store.revise("live/a/state.json", body("2"), Some(&one)).await.unwrap();
    let late = store.revise("live/a/state.json", body("late"), Some(&one)).await;
    assert!(matches!(late, Err(Error::Superseded { .. })), "{late:?}");
    store.revise("live/a/state.json", body("3"), Some(&two)).await.unwrap();
    assert_eq!(store.look("live/a/state.json").await.unwrap().body, "3");
}

#[tokio::test]
async fn directory_memory_and_bucket_behave_alike() {
    let directory = TempDir::new().unwrap();
    let s3 = S3::start().await;
    let suite = async {
        behaves(Store::open("memory://").unwrap()).await;
        behaves(Store::open(directory.path().join("new").to_str().unwrap()).unwrap()).await;
        behaves(s3.store("")).await;
        behaves(s3.store("/a/prefix")).await;
    };
    timeout(LIMIT, suite).await.expect("a store hangs");
}

#[tokio::test]
async fn a_bucket_says_of_its_objects_what_our_origin_would_say() {
    let s3 = S3::start().await;
    let mut config = s3.config("/a");
    config.bucket.storage_class = Some("REDUCED_REDUNDANCY".into());
    config.bucket.tags = [("keep".to_owned(), "a week".to_owned())].into();
    config.bucket.encryption = Some(config::Encryption::S3);
    let store = Store::of(&config).unwrap();
    let work = async {
        store.create("live/a/360p/1.m4s", body("abc")).await.unwrap();
        store.create("live/a/audio-en/init-00.mp4", body("abc")).await.unwrap();
        let target = Duration::from_secs(4);
        let playlist = CachePolicy::LivePlaylist { target };
        store.put_document("live/a/360p/index.m3u8", Bytes::from("#"), playlist).await.unwrap();
        store.put_document("live/a/manifest.mpd", Bytes::from("<"), CachePolicy::LiveManifest).await.unwrap();
        store.put("live/a/state.json", body("{}")).await.unwrap();
    };
    timeout(LIMIT, work).await.expect("the bucket hangs");
    let immutable = CachePolicy::Immutable.header();
    let immutable = immutable.to_str().unwrap();
    for (path, media_type, cache) in [
        ("a/live/a/360p/1.m4s", "video/mp4", immutable),
        ("a/live/a/audio-en/init-00.mp4", "audio/mp4", immutable),
        ("a/live/a/360p/index.m3u8", "application/vnd.apple.mpegurl", "public, max-age=2, stale-if-error=0"),
        ("a/live/a/manifest.mpd", "application/dash+xml", "public, max-age=1, stale-if-error=0"),
        ("a/live/a/state.json", "application/json", "no-store"),
    ] {
        let got = timeout(LIMIT, s3.client().get(&Path::from(path))).await.unwrap().unwrap();
        let said = |attribute| got.attributes.get(&attribute).map(|value| value.to_string());
        assert_eq!(said(Attribute::ContentType).as_deref(), Some(media_type), "{path}");
        assert_eq!(said(Attribute::CacheControl).as_deref(), Some(cache), "{path}");
        let hash = said(Attribute::Metadata("contenthash".into())).expect(path);
        assert_eq!(format!("\"{hash}\""), etag([&got.bytes().await.unwrap()[..]]), "{path}");
    }
    let field = |path: &str, name: &str| s3.put_header(path, name);
    assert_eq!(field("1.m4s", "x-amz-storage-class").as_deref(), Some("REDUCED_REDUNDANCY"));
    assert_eq!(field("1.m4s", "x-amz-tagging").as_deref(), Some("keep=a+week"));
    assert_eq!(field("1.m4s", "x-amz-server-side-encryption").as_deref(), Some("AES256"));
    assert_eq!(field("index.m3u8", "x-amz-tagging"), None, "what is written anew all the time expires never");
}

#[tokio::test]
async fn a_bucket_is_told_which_key_encrypts() {
    let s3 = S3::start().await;
    for key in [None, Some("arn:aws:kms:eu-central-1:1:key/2")] {
        let mut config = s3.config("/k");
        config.bucket.encryption = Some(config::Encryption::Kms { key: key.map(str::to_owned) });
        let store = Store::of(&config).unwrap();
        let name = format!("{}.json", key.is_some());
        timeout(LIMIT, store.put(&name, body("{}"))).await.expect("the bucket hangs").unwrap();
        let field = |field: &str| s3.put_header(&name, field);
        assert_eq!(field("x-amz-server-side-encryption").as_deref(), Some("aws:kms"));
        assert_eq!(field("x-amz-server-side-encryption-aws-kms-key-id").as_deref(), key);
    }
}

#[tokio::test]
async fn wrong_credentials_are_said_to_be_wrong_and_are_not_tried_again() {
    let s3 = S3::start().await;
    let mut config = s3.config("");
    config.bucket.key_files = config.bucket.key_files.map(|(id, _)| (id.clone(), id));
    let store = Store::of(&config).unwrap();
    let error = timeout(LIMIT, store.put("a", body("b"))).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Denied { .. }) && error.to_string().contains("credentials"), "{error}");
    assert_eq!(s3.puts(), 1);
}

#[tokio::test]
async fn a_bucket_that_fails_now_and_then_or_loses_answers_is_written_to_all_the_same() {
    let s3 = S3::start().await;
    let store = s3.store("").spending(Effort::edge(Duration::from_secs(10)));
    for (number, mood) in [Mood::Failing(2), Mood::Deaf(1), Mood::Conflicting(1)].into_iter().enumerate() {
        s3.turn(mood);
        let path = format!("live/a/360p/{number}.m4s");
        timeout(LIMIT, store.create(&path, body("abc"))).await.unwrap().unwrap();
        assert_eq!(store.get(&path).await.unwrap(), "abc", "{mood:?}");
    }
}

#[tokio::test]
async fn one_answer_that_does_not_come_is_not_waited_for() {
    let s3 = S3::start().await;
    let store = s3.store("").spending(Effort::edge(Duration::from_secs(4)));
    s3.turn(Mood::Slow(1, Duration::from_secs(10)));
    let started = tokio::time::Instant::now();
    timeout(LIMIT, store.create("live/a/360p/1.m4s", body("abc"))).await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(s3.puts(), 2, "it was asked once more");
}

#[tokio::test]
async fn a_bucket_that_is_down_costs_the_budget_and_no_more() {
    let s3 = S3::start().await;
    let store = s3.store("").spending(Effort::edge(Duration::from_secs(1)));
    s3.turn(Mood::Failing(usize::MAX));
    let started = tokio::time::Instant::now();
    let error = timeout(LIMIT, store.create("live/a/360p/1.m4s", body("abc"))).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_millis(1200), "{:?}", started.elapsed());
}

#[tokio::test]
async fn damaged_objects_are_never_handed_out() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str| directory.path().join("live/a/360p").join(name);
    let store = Store::open(directory.path().to_str().unwrap()).unwrap();
    for name in ["flipped.m4s", "short.m4s", "long.m4s", "whole.m4s"] {
        store.create(&format!("live/a/360p/{name}"), body("abcdef")).await.unwrap();
    }
    std::fs::write(file("flipped.m4s"), "abcdeg").unwrap();
    std::fs::write(file("short.m4s"), "abcde").unwrap();
    std::fs::write(file("long.m4s"), "abcdefg").unwrap();
    for name in ["flipped.m4s", "short.m4s", "long.m4s"] {
        let got = timeout(LIMIT, store.object(&format!("live/a/360p/{name}"))).await.unwrap();
        assert!(matches!(got, Err(Error::Damaged { .. })), "{name}: {got:?}");
    }
    assert_eq!(store.object("live/a/360p/whole.m4s").await.unwrap().body, "abcdef");
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_on_its_way_is_read_again() {
    let odds = Odds(vec![(Fault::Flipped, 200), (Fault::Short, 200), (Fault::Refused, 100)]);
    let store = Store::over(std::sync::Arc::new(FaultStore::new(7, odds)));
    let mut given = 0;
    for number in 0..500 {
        let path = format!("live/a/360p/{number}.m4s");
        store.create(&path, body("abcdef")).await.unwrap();
        if let Ok(body) = timeout(LIMIT, store.get(&path)).await.unwrap() {
            assert_eq!(body, "abcdef");
            given += 1;
        }
    }
    assert!(given > 490, "{given}");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_creates_under_faults_are_each_done_once_or_known_not_to_be() {
    let odds = Odds(vec![
        (Fault::Refused, 100),
        (Fault::LostAnswer, 100),
        (Fault::Conflict, 100),
        (Fault::Stale, 50),
        (Fault::Slow(Duration::from_millis(900)), 50),
        (Fault::Slow(Duration::from_secs(5)), 20),
    ]);
    let faults = FaultStore::new(42, odds);
    let store =
        Store::over(std::sync::Arc::new(faults.clone())).spending(Effort::edge(Duration::from_secs(8)));
    let mut done = 0;
    for number in 0..10_000 {
        let path = format!("live/a/360p/{number}.m4s");
        let text = Bytes::from(number.to_string());
        if store.create(&path, vec![text.clone()]).await.is_ok() {
            let kept =
                faults.truth().get(&Path::from(path.as_str())).await.expect(&path).bytes().await.unwrap();
            assert_eq!(kept, text);
            done += 1;
        }
    }
    assert!(done > 9_950, "{done}");
    assert!(faults.created() <= 10_000, "{} bodies were landed", faults.created());
}

#[tokio::test]
async fn nothing_is_written_where_a_disk_is_mounted_no_more_and_it_goes_on_when_it_is_back() {
    let directory = TempDir::new().unwrap();
    let (mounted, away) = (directory.path().join("data"), directory.path().join("away"));
    let store = Store::open(mounted.to_str().unwrap()).unwrap();
    store.create("live/a/360p/1.m4s", body("a")).await.unwrap();
    std::fs::rename(&mounted, &away).unwrap();
    std::fs::create_dir(&mounted).unwrap();
    let error = timeout(LIMIT, store.create("live/a/360p/2.m4s", body("b"))).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("mounted"), "{error}");
    assert_eq!(std::fs::read_dir(&mounted).unwrap().count(), 0, "the mount point stays empty");
    std::fs::remove_dir(&mounted).unwrap();
    std::fs::rename(&away, &mounted).unwrap();
    store.create("live/a/360p/2.m4s", body("b")).await.unwrap();
}
