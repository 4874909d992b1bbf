//! Encoders that the server does not start: they come to it by themselves, and come back whatever dies.

use std::{
    fs::{self, File, Permissions},
    net::TcpListener,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use headwater::{
    clock,
    ladder::wire::{self, Event, Message},
};
use m3u8_rs::MediaPlaylist;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{SECOND, TEST, assert_contiguous, assert_decodes, channel, kill};
use crate::served::{Served, eventually};

/// A channel that waits for its encoder at `socket`.
pub(super) fn apart(source: &str, socket: &Path) -> String {
    let lines = channel("a", source);
    lines.replacen("segment =", &format!("encoder_socket = {socket:?}\nsegment ="), 1)
}

/// A running `headwater encode`, stopped with the test.
pub(super) struct Encode {
    parent: Child,
    log: PathBuf,
}

impl Encode {
    pub(super) fn start(socket: &Path, log: PathBuf) -> Self {
        let parent = Command::new(env!("CARGO_BIN_EXE_headwater"))
            .args(["encode", "--connect", &format!("unix:{}", socket.display())])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { parent, log }
    }

    /// How often it has said something.
    fn said(&self, what: &str) -> usize {
        fs::read_to_string(&self.log).unwrap().matches(what).count()
    }

    /// Whether what works for this channel is its child, and not itself.
    fn is_parent_of(&self, encoder: &Value) -> bool {
        let stat = fs::read_to_string(format!("/proc/{encoder}/stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().unwrap().split_whitespace().nth(1);
        parent == Some(&self.parent.id().to_string())
    }

    pub(super) fn signal(&self, signal: &str) {
        let pid = self.parent.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub(super) async fn ended(&mut self, seconds: u64) -> ExitStatus {
        eventually("the encoder ends", seconds, async || self.parent.try_wait().unwrap()).await
    }
}

impl Drop for Encode {
    fn drop(&mut self) {
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}

fn is_gone(pid: &Value) -> Option<()> {
    (!Path::new(&format!("/proc/{pid}")).exists()).then_some(())
}

/// Its last segment, of one second, was published when it should be; a slow machine is given two seconds more.
fn assert_fresh(playlist: &MediaPlaylist) {
    let last = playlist.segments.last().unwrap();
    let end = last.program_date_time.unwrap().timestamp_millis() as f64 / 1e3 + f64::from(last.duration);
    let now = (clock::unix_nanos() / 1_000_000) as f64 / 1e3;
    assert!(now - end < 4.0, "the playlist is {} s old", now - end);
}

fn why(status: &Value) -> &str {
    status["why"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn an_encoder_apart_goes_live_and_comes_back_whichever_of_the_two_dies() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("a.sock");
    let waits = format!("an encoder is waited for at {}", socket.display());
    // As a server leaves it behind that was killed.
    drop(UnixListener::bind(&socket).unwrap());
    let mut server = Served::start(&apart(TEST, &socket)).await;
    let file = fs::symlink_metadata(&socket).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.mode() & 0o777, 0o600);
    let waiting = server.in_state("a", "starting", 5).await;
    assert_eq!((why(&waiting), &waiting["encoder_starts"]), (&*waits, &0.into()));

    let mut encode = Encode::start(&socket, directory.path().join("encoder.log"));
    let before = server.in_state("a", "live", 20).await;
    assert!(encode.is_parent_of(&before["encoder_pid"]), "{before}");
    server.playlist_with("a/180p", 20, |list| list.segments.len() >= 4).await;

    kill(&before["encoder_pid"]);
    let noticed = async || Some(server.status("a").await).filter(|now| now["state"] == "restarting");
    let noticed = eventually("the kill is noticed", 2, noticed).await;
    assert!(why(&noticed).starts_with("the encoder closed its connection"), "{noticed}");
    let last = server.playlist("a/180p").await.unwrap().segments.len();
    let after = async || {
        assert_fresh(&server.playlist("a/180p").await.unwrap());
        Some(server.status("a").await).filter(|status| status["state"] == "live")
    };
    let after = eventually("it is live again", 15, after).await;
    assert!(encode.is_parent_of(&after["encoder_pid"]) && after["encoder_pid"] != before["encoder_pid"]);
    assert_eq!(after["encoder_starts"], 2);
    let playlist = server.playlist_with("a/180p", 10, |list| list.segments.len() >= last + 5).await;
    assert_contiguous(&playlist);
    assert_decodes(&server.listed("a/180p").await);

    server.crash_and_restart(2 * SECOND).await;
    server.in_state("a", "live", 20).await;
    let last = playlist.segments.len();
    let playlist = server.playlist_with("a/180p", 20, |list| list.segments.len() >= last + 6).await;
    assert_contiguous(&playlist);

    let worker = server.status("a").await["encoder_pid"].clone();
    encode.signal("-TERM");
    assert!(encode.ended(5).await.success(), "a stop is no failure");
    assert_eq!(is_gone(&worker), Some(()), "it has left its child behind");
    let waiting = server.in_state("a", "restarting", 5).await;
    assert!(why(&waiting).ends_with(&waits), "{waiting}");
    assert_eq!(waiting["encoder_pid"], Value::Null);
}

#[tokio::test]
async fn an_encoder_waits_for_a_server_in_silence_and_outlives_it() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("a.sock");
    let mut encode = Encode::start(&socket, directory.path().join("encoder.log"));
    let no_server = async || (encode.said("cannot connect") > 0).then_some(());
    eventually("it says that there is no server", 10, no_server).await;
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(encode.said("cannot connect"), 1, "it says so at each of its attempts");

    let mut server = Served::start(&apart(TEST, &socket)).await;
    server.in_state("a", "live", 20).await;
    assert_eq!(encode.said("encoding channel a"), 1);
    server.stop().await;
    assert!(!socket.exists(), "a server that was told to stop leaves its socket behind");
    let no_server = async || (encode.said("cannot connect") > 1).then_some(());
    eventually("it says that there is no server any more", 10, no_server).await;
    assert_eq!(encode.parent.try_wait().unwrap(), None);
    encode.signal("-INT");
    assert!(encode.ended(5).await.success());
}

#[tokio::test]
async fn a_second_encoder_is_sent_away_and_takes_over_when_the_first_is_gone() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("a.sock");
    let server = Served::start(&apart(TEST, &socket)).await;
    let first = Encode::start(&socket, directory.path().join("first.log"));
    let status = server.in_state("a", "live", 20).await;
    let second = Encode::start(&socket, directory.path().join("second.log"));
    let refused = async || (second.said("it has another encoder") > 0).then_some(());
    eventually("the second encoder is told", 10, refused).await;
    let log = fs::read_to_string(server.directory.path().join("log")).unwrap();
    assert!(log.contains("a second encoder is sent away"), "{log}");
    assert_eq!(server.status("a").await, status, "the first one is not disturbed");

    // Not even so does it leave its child behind.
    first.signal("-KILL");
    eventually("the first one's child is gone", 5, async || is_gone(&status["encoder_pid"])).await;
    let took_over = async || Some(server.status("a").await).filter(|now| now["encoder_starts"] == 2);
    eventually("the second one is let in", 10, took_over).await;
    let status = server.in_state("a", "live", 20).await;
    assert!(second.is_parent_of(&status["encoder_pid"]), "{status}");
    assert_eq!(second.said("it has another encoder"), 1);
}

#[tokio::test]
async fn an_encoder_is_done_with_its_source_and_tries_again_what_fails() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("a.sock");
    let server = Served::start(&apart(&format!("{TEST}&seconds=3"), &socket)).await;
    let mut encode = Encode::start(&socket, directory.path().join("encoder.log"));
    assert!(encode.ended(30).await.success());
    server.in_state("a", "ended", 5).await;
    assert!(!socket.exists(), "there is nothing more to encode");
    drop(server);

    let server = Served::start(&apart("file:/nonexistent/clip.mp4", &socket)).await;
    let mut encode = Encode::start(&socket, directory.path().join("encoder.log"));
    let failed = server.in_state("a", "failed", 10).await;
    assert!(why(&failed).contains("/nonexistent/clip.mp4"), "{failed}");
    tokio::time::sleep(4 * SECOND).await;
    // 0.25 s, 0.5 s, 1 s, 2 s, 4 s.
    let starts = server.status("a").await["encoder_starts"].as_u64().unwrap();
    assert!((2..=7).contains(&starts), "{starts} starts");
    assert_eq!(encode.parent.try_wait().unwrap(), None);
    assert!(encode.said("/nonexistent/clip.mp4") > 0 && encode.said("exited with status 1") > 0);
}

#[tokio::test]
async fn an_encoder_that_falls_silent_is_disconnected() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("a.sock");
    let server = Served::start(&apart(TEST, &socket)).await;
    let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let connected = async || Some(server.status("a").await).filter(|status| status["encoder_starts"] == 1);
    let status = eventually("it is let in", 5, connected).await;
    assert_eq!(
        (&status["state"], &status["why"]),
        (&"starting".into(), &Value::Null),
        "nobody is waited for"
    );
    assert_eq!(status["encoder_pid"], std::process::id());

    let live = Message::Event(Event::Live { duration: None });
    stream.write_all(&wire::encode(&live)).await.unwrap();
    let mut told = Vec::new();
    let closed = tokio::time::timeout(15 * SECOND, stream.read_to_end(&mut told)).await;
    closed.expect("it is still connected").unwrap();
    assert!(String::from_utf8_lossy(&told).contains("\"control\":\"start\""));
    let lost = server.in_state("a", "restarting", 5).await;
    assert!(why(&lost).starts_with("the encoder has sent nothing for 5 s and was disconnected; "), "{lost}");
}

/// What a server with such a socket says that does not start, and how it exits.
async fn refusal(directory: &Path, socket: &Path) -> String {
    // Were it to bind its ports first, it would complain of this one.
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!(
        "[server]\nmedia = \"{}\"\ncontrol = \"127.0.0.1:0\"\n{}",
        port.local_addr().unwrap(),
        apart(TEST, socket)
    );
    fs::write(directory.join("headwater.toml"), config).unwrap();
    let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args(["serve", "--config", "headwater.toml"])
        .current_dir(directory)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(20 * SECOND, child).await.expect("it serves").unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!directory.join("data").exists(), "a refused server leaves nothing behind");
    let said = String::from_utf8(output.stderr).unwrap();
    said.strip_prefix("error: channel.a.encoder_socket: ").unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[tokio::test]
async fn a_socket_that_cannot_be_had_is_refused_with_what_would_be_right() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("a.sock");
    let other = UnixListener::bind(&socket).unwrap();
    other.set_nonblocking(true).unwrap();
    assert_eq!(
        refusal(directory.path(), &socket).await,
        format!(
            "{} is in use: stop the server that listens there, or give this channel another path\n",
            socket.display()
        )
    );
    assert!(socket.exists() && other.accept().is_err(), "who listens there is not disturbed");

    let missing = directory.path().join("run/a.sock");
    let said = refusal(directory.path(), &missing).await;
    let expected = format!("there is no directory {}; create it", directory.path().join("run").display());
    assert!(said.contains(&expected), "{said}");

    let notes = directory.path().join("notes");
    fs::write(&notes, "precious").unwrap();
    let said = refusal(directory.path(), &notes).await;
    assert!(said.contains("is no socket: move it away"), "{said}");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "precious");

    let locked = directory.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o500)).unwrap();
    if File::create(locked.join("may")).is_ok() {
        return; // root may do everything
    }
    let said = refusal(directory.path(), &locked.join("a.sock")).await;
    assert!(said.contains("may not write there"), "{said}");
}
