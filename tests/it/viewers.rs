//! The WebSocket of a real server with a real encoder, judged by a client that was written from the document alone and by
//! ffmpeg.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use headwater::check::{self, Options};
use serde_json::Value;
use tokio::{process::Command, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::served::Served;

/// Two pictures and a sound.
const CHANNEL: &str = "[channel.cam]\nsource = \"test:?size=320x180&rate=30\"\nwindow = \"30s\"\n\
    [[channel.cam.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n\
    [[channel.cam.video]]\nheight = 90\nbitrate = \"80k\"\npreset = \"ultrafast\"\n";

async fn on_air() -> Served {
    let server = Served::start(CHANNEL).await;
    server.in_state("cam", "live", 30).await;
    server.playlist_with("cam/180p", 30, |list| list.segments.len() >= 4).await;
    server
}

/// Runs `tests/support/wire_client.py`; gives what it saw.
async fn client(server: &Served, arguments: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/wire_client.py");
    let url = server.url("live/cam/ws").replace("http:", "ws:");
    let mut python = Command::new("python3");
    python.arg(script).arg(url).args(arguments).kill_on_drop(true);
    let output = timeout(Duration::from_secs(60), python.output()).await.expect("it ends in time").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    serde_json::from_str(&said).unwrap()
}

/// Fails if ffmpeg finds anything to complain of in a file. Gives how many frames it has decoded.
async fn decoded(file: &Path) -> u64 {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-err_detect", "explode", "-i"]).arg(file);
    ffmpeg.args(["-progress", "-", "-f", "null", "-"]).kill_on_drop(true);
    let output = timeout(Duration::from_secs(60), ffmpeg.output()).await.expect("it ends in time").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{}: {errors}", file.display());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let frames = said.lines().filter_map(|line| line.strip_prefix("frame=")).next_back();
    frames.and_then(|frames| frames.trim().parse().ok()).unwrap_or_default()
}

fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == end)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_written_from_the_document_finds_all_as_it_says() {
    let server = on_air().await;
    for (format, pictures) in [("frames", "h264"), ("cmaf", "mp4")] {
        let out = server.directory.path().join(format);
        let arguments = ["--format", format, "--switch-to", "90p", "--out", out.to_str().unwrap()];
        let seen = client(&server, &arguments).await;
        assert_eq!(seen["violations"], Value::Array(vec![]), "{seen:#}");
        let mut frames = 0;
        for file in files(&out, pictures) {
            frames += decoded(&file).await;
        }
        assert!(frames > 60, "{frames} frames are in {pictures} of {}", out.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_frames_that_viewers_ask_for_break_no_promise_to_players() {
    let server = on_air().await;
    let urls = ["index.m3u8", "manifest.mpd"].map(|file| server.url(&format!("live/cam/{file}"))).to_vec();
    let options = Options { urls, span: Duration::from_secs(16), http2: false };
    let switching = async {
        for (from, to) in [("180p", "90p"), ("90p", "180p")] {
            client(&server, &["--seconds", "4", "--video", from, "--switch-to", to]).await;
        }
    };
    let (report, ()) = tokio::join!(check::run(&options, CancellationToken::new()), switching);
    let report = report.unwrap();
    assert_eq!(report.violations, 0, "{report}");
}
