//! What lies in a store is a presentation by itself: a bucket that anybody may read, with a cache in front and without, and a
//! directory behind nginx. Nobody of these asks this server.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use headwater::policy::CachePolicy;
use headwater_test_support::cache::{Cache, Program};
use serde_json::Value;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::s3::{Mood, S3};
use crate::served::{Served, check, eventually};

const TARGET: Duration = Duration::from_secs(2);
const TRACKS: [&str; 3] = ["180p", "90p", "audio-und"];

fn channel() -> String {
    "[channel.a]\nsource = \"test:?size=320x180&rate=30\"\nsegment = \"2s\"\npart = \"400ms\"\nwindow = \"20s\"\n\
     [[channel.a.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n\
     [[channel.a.video]]\nheight = 90\nbitrate = \"100k\"\npreset = \"ultrafast\"\n\
     [[channel.a.audio]]\nbitrate = \"96k\"\n"
        .into()
}

/// Somebody who reads what is there, at the URLs that begin so.
#[derive(Clone)]
struct Reader {
    base: String,
    http: reqwest::Client,
}

impl Reader {
    fn new(base: String) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_gzip();
        Self { base, http: http.build().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn documents(&self) -> [String; 2] {
        ["index.m3u8", "manifest.mpd"].map(|file| self.url(&format!("live/a/{file}")))
    }

    async fn answer(&self, path: &str, coding: &str) -> reqwest::Response {
        self.http.get(self.url(path)).header("accept-encoding", coding).send().await.unwrap()
    }

    async fn list(&self, track: &str) -> Option<m3u8_rs::MediaPlaylist> {
        let answer = self.answer(&format!("live/a/{track}/index.m3u8"), "identity").await;
        let text = answer.error_for_status().ok()?.bytes().await.unwrap();
        Some(m3u8_rs::parse_media_playlist_res(&text).expect("a list"))
    }

    /// Waits until all tracks have so many segments in their lists, and the MPD is there.
    async fn begun(&self, segments: usize) {
        for track in TRACKS {
            let listed = async || self.list(track).await.filter(|list| list.segments.len() >= segments);
            eventually(&format!("{track} lists {segments} segments"), 40, listed).await;
        }
        let there = async || self.answer("live/a/manifest.mpd", "identity").await.error_for_status().ok();
        eventually("the MPD is there", 10, there).await;
    }

    /// Reads for so long what lists name at that moment: all of it is there, and no list goes back.
    fn read_for(&self, span: Duration) -> JoinHandle<()> {
        let reader = self.clone();
        tokio::spawn(async move {
            let until = Instant::now() + span;
            let mut newest = [0; TRACKS.len()];
            while Instant::now() < until {
                for (track, newest) in TRACKS.iter().zip(&mut newest) {
                    *newest = reader.read(track, *newest).await;
                }
                sleep(Duration::from_millis(200)).await;
            }
        })
    }

    async fn read(&self, track: &str, before: u64) -> u64 {
        let list = self.list(track).await.expect("a list stays");
        let newest = list.media_sequence + list.segments.len() as u64;
        assert!(newest >= before, "{track} ends at {newest}, and before at {before}");
        let some = list.segments.iter().take(1).chain(list.segments.iter().rev().take(3));
        for segment in some {
            let answer = self.answer(&format!("live/a/{track}/{}", segment.uri), "identity").await;
            assert_eq!(answer.status(), 200, "{track}/{} is listed", segment.uri);
        }
        newest
    }

    /// What is said of each kind of object, to who takes gzip and to who does not.
    async fn assert_described(&self) {
        let list = self.list("180p").await.unwrap();
        let sound = self.list("audio-und").await.unwrap();
        let init = |list: &m3u8_rs::MediaPlaylist| list.segments[0].map.as_ref().unwrap().uri.clone();
        let (hls, live) = ("application/vnd.apple.mpegurl", CachePolicy::LivePlaylist { target: TARGET });
        let (manifest, immutable) = (CachePolicy::LiveManifest, CachePolicy::Immutable);
        for (path, media_type, policy) in [
            ("index.m3u8".to_owned(), hls, manifest),
            ("manifest.mpd".to_owned(), "application/dash+xml", manifest),
            ("180p/index.m3u8".to_owned(), hls, live),
            ("audio-und/index.m3u8".to_owned(), hls, live),
            (format!("180p/{}", init(&list)), "video/mp4", immutable),
            (format!("180p/{}", list.segments[2].uri), "video/mp4", immutable),
            (format!("audio-und/{}", init(&sound)), "audio/mp4", immutable),
            (format!("audio-und/{}", sound.segments[2].uri), "audio/mp4", immutable),
        ] {
            for coding in ["identity", "gzip"] {
                let answer = self.answer(&format!("live/a/{path}"), coding).await;
                let said = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
                assert_eq!(answer.status(), 200, "{path}");
                assert_eq!(said("content-type"), media_type, "{path} {coding}");
                assert_eq!(said("cache-control"), policy.header().to_str().unwrap(), "{path} {coding}");
            }
        }
    }
}

async fn assert_unviolated(checking: JoinHandle<Vec<Value>>, excused: &[&str]) {
    let mut violations = checking.await.unwrap();
    violations.retain(|each| !excused.contains(&each["check"].as_str().unwrap()));
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Lists come later while nobody writes them, or a cache has an older one.
const LATE: &[&str] = &["segment-late"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_a_presentation_by_itself_and_behind_a_cache() {
    let s3 = S3::start().await;
    let mut server = Served::storing(&s3.toml("/tv"), &channel()).await;
    let bucket = Reader::new(s3.public("tv/"));
    bucket.begun(4).await;

    let origin = s3.address();
    let cache = tokio::task::spawn_blocking(move || Cache::start(Program::Nginx, origin));
    let cache = cache.await.unwrap().unwrap();
    let cached = cache.as_ref().map(|cache| Reader::new(cache.of(&bucket.base)));
    // nginx counts a second of life in whole seconds, so what it has may be two seconds old.
    let readers = [(&bucket, &[][..])].into_iter().chain(cached.iter().map(|cached| (cached, LATE)));
    let readers: Vec<_> =
        readers.map(|(reader, excused)| (reader, check(&reader.documents(), 8), excused)).collect();
    for (reader, checking, excused) in readers {
        reader.assert_described().await;
        assert_unviolated(checking, excused).await;
    }
    let record = bucket.answer("live/a/state.json", "identity").await;
    assert_eq!(record.headers()["cache-control"], "no-store");

    let (checking, reading) = (check(&bucket.documents(), 12), bucket.read_for(Duration::from_secs(12)));
    sleep(Duration::from_secs(1)).await;
    s3.turn(Mood::Failing(usize::MAX));
    sleep(Duration::from_secs(4)).await;
    s3.turn(Mood::Well);
    sleep(Duration::from_secs(3)).await;
    server.crash_and_restart(Duration::from_millis(500)).await;
    reading.await.unwrap();
    assert_unviolated(checking, LATE).await;
    let newest = async || bucket.list("180p").await.unwrap().segments.last().unwrap().uri.clone();
    let before = newest().await;
    eventually("lists go on", 10, async || (newest().await != before).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_behind_nginx_is_a_presentation_by_itself() {
    let server = Served::start(&channel()).await;
    let store = server.directory.path().join("data");
    let Some(nginx) = over(&store).await else { return };
    let directory = Reader::new(format!("http://{}/", nginx.address));
    directory.begun(4).await;
    let (checking, reading) = (check(&directory.documents(), 7), directory.read_for(Duration::from_secs(7)));
    directory.assert_described().await;
    for path in ["live/a/state.json", "live/a/fence-1.json", ".headwater", "live/a/180p/1.m4s"] {
        let answer = directory.answer(path, "identity").await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.headers()["cache-control"], CachePolicy::Brief.header(), "{path}");
    }
    assert_tells_versions_apart(&directory, &store).await;
    reading.await.unwrap();
    assert_unviolated(checking, &[]).await;
}

/// Two versions of a list that are of one length and were written in one second.
async fn assert_tells_versions_apart(directory: &Reader, store: &Path) {
    let file = store.join("live/b/index.m3u8");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let write = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let file = std::fs::File::options().write(true).open(&file).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30)).unwrap();
    };
    write("#EXTM3U 1");
    let first = directory.answer("live/b/index.m3u8", "identity").await;
    write("#EXTM3U 2");
    let mut again = directory.http.get(directory.url("live/b/index.m3u8"));
    for (told, asked) in [("etag", "if-none-match"), ("last-modified", "if-modified-since")] {
        if let Some(value) = first.headers().get(told) {
            again = again.header(asked, value);
        }
    }
    let again = again.send().await.unwrap();
    assert_eq!((again.status().as_u16(), &*again.text().await.unwrap()), (200, "#EXTM3U 2"));
}

async fn over(store: &Path) -> Option<Cache> {
    let store = store.to_owned();
    tokio::task::spawn_blocking(move || Cache::over(&store)).await.unwrap().unwrap()
}
