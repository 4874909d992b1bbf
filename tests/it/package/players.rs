//! GStreamer's own players of HLS and DASH play what is packaged, from our server.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use headwater::{
    origin::{self, Origin},
    store::Store,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::tools::{bounded, movie, packaged};

/// GStreamer 1.22, like ffmpeg, shows reordered pictures later by the largest negative composition offset.
const ORDERED: &str = "-bf 0";

/// What `playbin3` says of a presentation that it plays to its end.
async fn played(url: String) -> String {
    let play = move || {
        bounded("gst-launch-1.0")
            .args(["-v", "playbin3", &format!("uri={url}")])
            .args([
                "video-sink=fakesink name=video silent=false sync=false",
                "audio-sink=fakesink name=audio silent=false sync=false",
            ])
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(play).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The presentation times of the buffers that a sink got, in seconds: the first and the last.
fn extent(log: &str, sink: &str) -> (f64, f64) {
    let chains = log.lines().filter(|line| line.contains(&format!("({sink}:sink)")));
    let times = chains.filter_map(|line| line.split_once("pts: 0:00:")?.1.split(',').next()?.parse().ok());
    times.fold((f64::MAX, 0.0), |(first, last), time: f64| (first.min(time), last.max(time)))
}

async fn plays(root: &Path, name: &str) {
    let store = Store::open(root.to_str().unwrap()).unwrap();
    let listener = origin::listen(([127, 0, 0, 1], 0).into()).unwrap();
    let (address, stop) = (listener.address(), CancellationToken::new());
    let origin = Origin::new(Arc::new(BTreeMap::new()), store);
    let server = tokio::spawn(origin::serve(listener, origin, stop.clone()));
    for (document, demuxer) in [("index.m3u8", "GstHLSDemux2"), ("manifest.mpd", "GstDashDemux2")] {
        let log = played(format!("http://{address}/vod/{name}/{document}")).await;
        assert!(log.contains(demuxer), "{document} of {name} is played by {demuxer}");
        for sink in ["video", "audio"] {
            let (first, last) = extent(&log, sink);
            assert!(first < 0.010 && (6.8..7.1).contains(&last), "{sink} of {name}: {first} to {last}");
        }
    }
    stop.cancel();
    server.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_plays_a_copy_to_its_end() {
    let root = TempDir::new().unwrap();
    let large = movie(root.path(), "large.mp4", "320x180", ORDERED);
    let small = movie(root.path(), "small.mp4", "160x90", ORDERED);
    packaged([&*large, &small], &root.path().join("vod/copy"), "--copy");
    plays(root.path(), "copy").await;
}

#[cfg(feature = "encoder")]
#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_plays_a_ladder_to_its_end() {
    let root = TempDir::new().unwrap();
    let input = movie(root.path(), "input.mp4", "320x180", ORDERED);
    packaged(
        [&*input],
        &root.path().join("vod/ladder"),
        "--video 180:300k --video 90:100k --preset ultrafast --b-frames 0",
    );
    plays(root.path(), "ladder").await;
}
