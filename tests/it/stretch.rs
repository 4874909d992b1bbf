//! Start-over, catch-up and clips of a real channel, as m3u8-rs, ffmpeg, the MPD schema and our own checker see them.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use headwater::{
    check::{self, Options},
    store::{Hashed, LIST, etag},
};
use m3u8_rs::{MediaPlaylist, MediaPlaylistType};
use tokio_util::sync::CancellationToken;

use crate::{
    served::Served,
    store::s3::{Mood, S3},
};

/// Segments of a second, of which playlists list five and a minute is kept.
const CHANNEL: &str = "[channel.a]\nsource = \"test:?size=320x180&rate=25\"\nsegment = \"1s\"\npart = \"200ms\"\n\
    window = \"5s\"\narchive = \"10m\"\n\
    [[channel.a.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n\
    [[channel.a.video]]\nheight = 90\nbitrate = \"80k\"\npreset = \"ultrafast\"\n";
/// Pictures in a segment.
const RATE: usize = 25;

/// A server whose channel has been on air for some segments more than its playlists list, and the number of its first.
async fn on_air(more: u64) -> (Served, i64) {
    let server = Served::start(CHANNEL).await;
    let first = has_been_on_air(&server, more).await;
    (server, first)
}

async fn has_been_on_air(server: &Served, more: u64) -> i64 {
    let first = server.playlist_with("a/180p", 30, |list| list.segments.len() >= 3).await.media_sequence;
    for track in ["a/180p", "a/90p", "a/audio-und"] {
        server.playlist_with(track, 30, |list| list.media_sequence >= first + more).await;
    }
    first as i64
}

async fn playlist(server: &Served, track: &str, query: &str) -> (MediaPlaylist, String) {
    let path = format!("live/a/{track}/index.m3u8?{query}");
    let bytes = server.get(&path).await.unwrap_or_else(|| panic!("{path} is not served"));
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap(), text)
}

/// Runs a program, and no longer than two minutes.
async fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "120", program]).args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Times in seconds of all decoded frames of a stream, without complaint.
async fn times(input: &str, stream: &str) -> Vec<f64> {
    let arguments = ["-v", "error", "-nostdin", "-xerror", "-i", input, "-map", stream, "-f", "framecrc"];
    let decoded = run("ffmpeg", &[&arguments[..], &["-enc_time_base", "1:48000", "-"]].concat()).await;
    assert!(decoded.status.success(), "{input}: {}", said(&decoded));
    let text = String::from_utf8(decoded.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(',').nth(2).unwrap().trim().parse::<f64>().unwrap() / 48_000.0).collect()
}

/// What ffprobe takes for the length of it, in seconds.
async fn length(input: &str) -> f64 {
    let arguments = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", input];
    let told = run("ffprobe", &arguments).await;
    assert!(told.status.success(), "{input}: {}", said(&told));
    String::from_utf8(told.stdout).unwrap().trim().parse().unwrap()
}

/// So many segments from the first of the times on, pictures and sound together.
async fn assert_plays(input: &str, segments: usize) {
    let video = times(input, "0:v:0").await;
    assert_eq!(video.len(), segments * RATE, "pictures in {input}");
    let audio = times(input, "0:a:0").await;
    let frames = segments as f64 * 48_000.0 / 1024.0;
    assert!((audio.len() as f64 - frames).abs() <= 2.0, "{} frames of sound in {input}", audio.len());
    assert!((video[0] - audio[0]).abs() < 0.04, "{input}: {} and {}", video[0], audio[0]);
}

fn validate(mpd: &str, directory: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let schemas = env::var_os("HEADWATER_SHARED").map_or(root, PathBuf::from).join("schemas");
    if !schemas.join("DASH-MPD.xsd").exists() {
        return headwater_test_support::skip("the MPD of a stretch is not validated, for want of the schema");
    }
    let path = directory.join("stretch.mpd");
    std::fs::write(&path, mpd).unwrap();
    let mut xmllint = Command::new("xmllint");
    xmllint.args(["--nonet", "--noout", "--schema"]).arg(schemas.join("DASH-MPD.xsd")).arg(&path);
    let output = xmllint.env("XML_CATALOG_FILES", schemas.join("catalog.xml")).output().unwrap();
    assert!(output.status.success(), "{}\n{mpd}", said(&output));
}

#[tokio::test]
async fn what_has_left_the_playlist_is_a_presentation_that_is_complete() {
    let (server, first) = on_air(4).await;
    let query = format!("start={first}&end={}", first + 6);
    for track in ["180p", "90p", "audio-und"] {
        let (playlist, text) = playlist(&server, track, &query).await;
        let uris: Vec<String> = playlist.segments.iter().map(|segment| segment.uri.clone()).collect();
        let expected: Vec<String> = (first..first + 6).map(|number| format!("{number}.m4s")).collect();
        assert_eq!(uris, expected, "{track}");
        assert!(playlist.end_list && playlist.playlist_type == Some(MediaPlaylistType::Event), "{text}");
        for uri in uris {
            assert!(server.get(&format!("live/a/{track}/{uri}")).await.is_some(), "{track}/{uri}");
        }
    }
    let mpd = server.get(&format!("live/a/manifest.mpd?{query}")).await.unwrap();
    let mpd = String::from_utf8(mpd.to_vec()).unwrap();
    assert!(mpd.contains("type=\"static\""), "{mpd}");
    validate(&mpd, server.directory.path());
    for document in ["index.m3u8", "manifest.mpd"] {
        let url = server.url(&format!("live/a/{document}?{query}"));
        let told = length(&url).await;
        assert!((told - 6.0).abs() < 0.05, "{told} s of {document}");
        assert_plays(&url, 6).await;
    }
}

#[tokio::test]
async fn start_over_grows_without_losing_its_beginning_and_ends() {
    let (server, first) = on_air(2).await;
    let query = format!("start={first}&end={}", first + 14);
    let (before, text) = playlist(&server, "180p", &query).await;
    assert!(!before.end_list && before.playlist_type == Some(MediaPlaylistType::Event), "{text}");
    let mpd = server.get(&format!("live/a/manifest.mpd?{query}")).await.unwrap();
    let mpd = String::from_utf8(mpd.to_vec()).unwrap();
    assert!(mpd.contains("type=\"dynamic\""), "{mpd}");
    validate(&mpd, server.directory.path());
    // Blocking reload, one segment after the other, until nothing follows.
    let mut list = before;
    while !list.end_list {
        let last = list.media_sequence + list.segments.len() as u64 - 1;
        let next = playlist(&server, "180p", &format!("{query}&_HLS_msn={}", last + 1)).await.0;
        assert_eq!(next.media_sequence, first as u64);
        assert!(next.segments.len() > list.segments.len(), "it was answered too early");
        list = next;
    }
    assert_eq!(list.segments.len(), 14);
    assert_plays(&server.url(&format!("live/a/index.m3u8?{query}")), 14).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stretch_that_grows_keeps_what_players_count_on() {
    let (server, first) = on_air(2).await;
    let urls = ["index.m3u8", "manifest.mpd"]
        .map(|file| server.url(&format!("live/a/{file}?start={first}")))
        .to_vec();
    let options = Options { urls, span: Duration::from_secs(8), http2: false };
    let report = check::run(&options, CancellationToken::new()).await.unwrap();
    assert_eq!(report.violations, 0, "{report}");
}

/// `headwater clip a` with the server's configuration.
async fn clip(server: &Served, from: i64, to: i64, out: &Path, more: &[&str]) -> Output {
    let time = |seconds| chrono::DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339();
    let config = server.directory.path().join("headwater.toml").display().to_string();
    let (from, to, out) = (time(from), time(to), out.display().to_string());
    let arguments = ["clip", "a", "--from", &from, "--to", &to, "--out", &out, "--config", &config];
    run(env!("CARGO_BIN_EXE_headwater"), &[&arguments[..], more].concat()).await
}

#[tokio::test]
async fn a_clip_is_one_file_with_all_tracks_in_step_or_a_presentation() {
    let (mut server, first) = on_air(4).await;
    let file = server.directory.path().join("clips/goal.mp4");
    let made = clip(&server, first, first + 6, &file, &[]).await;
    assert!(made.status.success(), "{}", said(&made));
    let path = file.display().to_string();
    let told = length(&path).await;
    assert!((told - 6.0).abs() < 0.05, "{told} s");
    assert_plays(&path, 6).await;
    let start = times(&path, "0:v:0").await[0];
    assert!(start.abs() < 0.04, "it begins at {start} s");
    let shape = ["-v", "error", "-show_entries", "stream=codec_type,height", "-of", "csv=p=0", &path];
    let shape = run("ffprobe", &shape).await;
    assert_eq!(String::from_utf8(shape.stdout).unwrap().trim(), "video,180\naudio");

    let small = server.directory.path().join("small.mp4");
    let made = clip(&server, first + 1, first + 3, &small, &["--rung", "90p"]).await;
    assert!(made.status.success(), "{}", said(&made));
    assert_plays(&small.display().to_string(), 2).await;

    let vod = server.directory.path().join("data/vod/goal");
    let made = clip(&server, first, first + 6, &vod, &[]).await;
    assert!(made.status.success(), "{}", said(&made));
    for document in ["index.m3u8", "manifest.mpd"] {
        assert_plays(&server.url(&format!("vod/goal/{document}")), 6).await;
    }
    let hashes = Hashed::read(&std::fs::read(vod.join("180p").join(LIST)).unwrap()).unwrap();
    for (name, tag) in &hashes {
        assert_eq!(*tag, etag([&std::fs::read(vod.join("180p").join(name)).unwrap()[..]]), "{name}");
    }
    assert_eq!(hashes.len(), 6);
    validate(&std::fs::read_to_string(vod.join("manifest.mpd")).unwrap(), server.directory.path());

    // The same without the server.
    server.stop().await;
    let later = server.directory.path().join("later.mp4");
    let made = clip(&server, first, first + 6, &later, &[]).await;
    assert!(made.status.success(), "{}", said(&made));
    assert_eq!(std::fs::read(&later).unwrap(), std::fs::read(&file).unwrap());
}

#[tokio::test]
async fn a_clip_that_cannot_be_made_leaves_nothing_behind() {
    let (server, first) = on_air(1).await;
    let directory = server.directory.path().join("clips");
    let out = directory.join("none.mp4");
    for (from, to, more, words) in [
        (first - 900, first - 800, vec![], "what is kept lies between"),
        (first + 1, first + 1, vec![], "--to lies before --from"),
        (first, first + 2, vec!["--rung", "1080p"], "--rung takes one of 180p, 90p"),
    ] {
        let refused = clip(&server, from, to, &out, &more).await;
        let message = said(&refused);
        assert!(!refused.status.success() && message.contains(words), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(!directory.exists(), "after {message}");
    }
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(&out, "mine").unwrap();
    let refused = clip(&server, first, first + 2, &out, &[]).await;
    assert!(said(&refused).contains("is there already"), "{}", said(&refused));
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}

/// `headwater clip a` of six segments, on its way.
fn started(server: &Served, first: i64, out: &str) -> std::process::Child {
    let time = |seconds| chrono::DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339();
    let config = server.directory.path().join("headwater.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.args(["clip", "a", "--from", &time(first), "--to", &time(first + 6), "--out", out, "--config"]);
    command.arg(config).stderr(std::process::Stdio::piped()).spawn().unwrap()
}

/// Waits for it, no longer than half a minute; gives its exit status and what it said.
async fn ended(mut child: std::process::Child) -> (Option<i32>, String) {
    for _ in 0..300 {
        if child.try_wait().unwrap().is_some() {
            let output = child.wait_with_output().unwrap();
            return (output.status.code(), said(&output));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    child.kill().unwrap();
    panic!("the clip does not end");
}

/// Waits until something is so, and presses Ctrl-C.
async fn interrupt_when(child: &std::process::Child, so: impl Fn() -> bool) {
    for _ in 0..300 {
        if so() {
            let pid = child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the clip is not on its way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clip_that_is_stopped_in_its_midst_leaves_nothing() {
    let s3 = S3::start().await;
    let server = Served::storing(&s3.toml(""), CHANNEL).await;
    let first = has_been_on_air(&server, 4).await;
    s3.turn(Mood::SlowReads(Duration::from_millis(400)));
    let directory = server.directory.path().join("clips");
    for name in ["goal.mp4", "goal"] {
        let out = directory.join(name);
        let partial = directory.join(format!("{name}.partial"));
        let clip = started(&server, first, &out.display().to_string());
        interrupt_when(&clip, || partial.exists()).await;
        let (code, words) = ended(clip).await;
        assert!(code == Some(130) && words.contains("interrupted"), "{name}: {code:?} {words}");
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "after {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clip_goes_into_the_bucket_that_the_configuration_speaks_to_and_one_that_is_stopped_has_no_list() {
    let s3 = S3::start().await;
    let server = Served::storing(&(s3.toml("/live") + "tags = { keep = \"week\" }\n"), CHANNEL).await;
    let first = has_been_on_air(&server, 4).await;
    let root = s3.root();
    let url = |name: &str| format!("{}/clips/{name}", s3.url());
    let (code, words) = ended(started(&server, first, &url("goal"))).await;
    assert_eq!(code, Some(0), "{words}");
    let clip = root.join("clips/goal");
    let list = std::fs::read_to_string(clip.join("180p/index.m3u8")).unwrap();
    let (_, list) = m3u8_rs::parse_media_playlist(list.as_bytes()).unwrap();
    assert!(list.end_list && list.segments.len() >= 4, "{list:?}");
    for segment in &list.segments {
        assert!(clip.join("180p").join(&segment.uri).exists(), "{}", segment.uri);
    }
    let first_put = format!("clips/goal/180p/{}", list.segments[0].uri);
    assert_eq!(s3.put_header(&first_put, "x-amz-tagging"), None, "tags are for rules about the channel");
    let (code, words) = ended(started(&server, first, &url("goal"))).await;
    assert!(code == Some(1) && words.contains("clips/goal"), "what is there stays: {code:?} {words}");

    s3.turn(Mood::SlowReads(Duration::from_millis(400)));
    let clip = root.join("clips/other");
    let other = started(&server, first, &url("other"));
    interrupt_when(&other, || clip.join("180p").exists()).await;
    let (code, words) = ended(other).await;
    assert!(code == Some(130) && words.contains("interrupted"), "{code:?} {words}");
    assert!(!clip.join("index.m3u8").exists() && !clip.join("manifest.mpd").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_gives_no_longer_stretches_than_it_is_configured_to() {
    let store = tempfile::TempDir::new().unwrap();
    let lines = "[server.limits]\nstretch = \"10s\"\n";
    let url = format!("url = {:?}", store.path().join("data"));
    let server = Served::packager_with(lines, &url, CHANNEL).await;
    let first = has_been_on_air(&server, 2).await;
    for (seconds, status) in [(12, 200), (13, 400)] {
        let path = format!("live/a/index.m3u8?start={first}&end={}", first + seconds);
        assert_eq!(
            server.answer(&path).await.status(),
            status,
            "{seconds} s, with two segments for what is rounded"
        );
    }
}

/// What ffprobe says of the picture: its size and its codec's profile.
async fn picture(input: &str) -> String {
    let arguments = ["-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height,profile"];
    let told = run("ffprobe", &[&arguments[..], &["-of", "csv=p=0", input]].concat()).await;
    assert!(told.status.success(), "{input}: {}", said(&told));
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn what_was_on_before_the_encoder_was_given_other_settings_is_told_as_it_was() {
    let (mut server, first) = on_air(4).await;
    let now = async |server: &Served, from: i64, to: i64| {
        let get = async |file: &str| {
            let path = format!("live/a/{file}?start={from}&end={to}");
            String::from_utf8(server.get(&path).await.unwrap_or_else(|| panic!("{path}")).to_vec()).unwrap()
        };
        (get("index.m3u8").await, get("manifest.mpd").await)
    };
    let before = now(&server, first, first + 4).await;
    assert!(before.0.contains("RESOLUTION=320x180,FRAME-RATE=25.000"), "{}", before.0);
    server.restart_with("size=320x180", "size=240x180").await;
    let changed = server.playlist_with("a/180p", 60, |list| {
        list.segments.last().is_some_and(|last| last.map.is_none()) && {
            let discontinuity = list.segments.iter().position(|segment| segment.discontinuity);
            discontinuity.is_some_and(|at| list.segments.len() - at >= 3)
        }
    });
    let changed = changed.await;
    let at = changed.segments.iter().position(|segment| segment.discontinuity).unwrap();
    let later = changed.media_sequence as i64 + at as i64;
    assert_eq!(now(&server, first, first + 4).await, before, "nothing of it has changed");
    let (list, mpd) = now(&server, later, later + 2).await;
    assert!(list.contains("RESOLUTION=240x180,"), "{list}");
    assert!(mpd.contains("width=\"240\"") && !mpd.contains("width=\"320\""), "{mpd}");
    let (list, mpd) = now(&server, first, later + 2).await;
    assert!(list.contains("RESOLUTION=320x180,"), "{list}");
    validate(&mpd, server.directory.path());
    let widths: Vec<&str> = mpd.matches("width=\"320\"").chain(mpd.matches("width=\"240\"")).collect();
    assert_eq!(widths.len(), 2, "{mpd}");
    // A file of before says so too.
    let file = server.directory.path().join("before.mp4");
    let made = clip(&server, first, first + 4, &file, &[]).await;
    assert!(made.status.success(), "{}", said(&made));
    assert_plays(&file.display().to_string(), 4).await;
    assert!(picture(&file.display().to_string()).await.ends_with("320,180"));
}
