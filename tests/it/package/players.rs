//! GStreamer's own players of HLS and DASH play what is packaged, from our server.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use headwater::{
    metrics::Metrics,
    origin::{
        self, Origin,
        waiters::{Limits, Waiters},
    },
    store::Store,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::tools::{bounded, movie, packaged};
use crate::origin::admission;

const SIZE: &str = "320x180";
/// Bytes of a picture of this size in I420.
const PICTURE: u64 = 320 * 180 * 3 / 2;
const SECONDS: u64 = 7;
const RATE: u64 = 25;

/// Plays a presentation to its end into two files, and gives what `playbin3` says of it.
async fn play(url: String, pictures: &Path, sound: &Path) -> String {
    let pictures = format!("video/x-raw,format=I420 ! filesink location={}", pictures.display());
    let sound =
        format!("audio/x-raw,format=S16LE,channels=1,rate=48000 ! filesink location={}", sound.display());
    let play = move || {
        bounded("gst-launch-1.0")
            .args(["-v", "playbin3", &format!("uri={url}")])
            .arg(format!("video-sink=videoconvert ! {pictures}"))
            .arg(format!("audio-sink=audioconvert ! audioresample ! {sound}"))
            // Shown if it fails: which answer of the server it did not like.
            .env("GST_DEBUG", "souphttpsrc:4,downloadhelper:4,hlsdemux2:3,dashdemux2:3")
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(play).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn plays(root: &Path, name: &str) {
    let store = Store::open(root.to_str().unwrap()).unwrap();
    let listener = origin::listen(([127, 0, 0, 1], 0).into()).unwrap();
    let (address, stop) = (listener.address(), CancellationToken::new());
    let metrics = Metrics::default();
    let origin = Origin::new(
        Arc::new(BTreeMap::new()),
        store,
        admission(Waiters::new(Limits { all: 0, of_connection: 0 }, metrics.waiting.clone())),
    );
    let server = tokio::spawn(origin::serve(listener, origin, metrics.http.clone(), stop.clone()));
    for (document, demuxer) in [("index.m3u8", "GstHLSDemux2"), ("manifest.mpd", "GstDashDemux2")] {
        let (pictures, sound) = (root.join("pictures"), root.join("sound"));
        let log = play(format!("http://{address}/vod/{name}/{document}"), &pictures, &sound).await;
        assert!(log.contains(demuxer), "{document} of {name} is played by {demuxer}");
        let length = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert_eq!(length(&pictures) / PICTURE, SECONDS * RATE, "pictures of {document} of {name}");
        let seconds = length(&sound) as f64 / 2.0 / 48_000.0;
        assert!((seconds - SECONDS as f64).abs() < 0.1, "{seconds} s of sound in {document} of {name}");
    }
    stop.cancel();
    server.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_plays_a_copy_to_its_end() {
    let root = TempDir::new().unwrap();
    let input = movie(root.path(), "input.mp4", SIZE, "");
    packaged([&*input], &root.path().join("vod/copy"), "--copy");
    plays(root.path(), "copy").await;
}

#[cfg(feature = "encoder")]
#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_plays_a_ladder_to_its_end() {
    let root = TempDir::new().unwrap();
    let input = movie(root.path(), "input.mp4", SIZE, "");
    packaged([&*input], &root.path().join("vod/ladder"), "--video 180:300k --preset superfast");
    plays(root.path(), "ladder").await;
}
