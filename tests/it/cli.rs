//! What a person sees who makes a mistake: the message, the exit status, and nothing started.

use std::{
    io::Read,
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// Longer than any refusal takes, shorter than a server that was not refused would run.
const PATIENCE: Duration = Duration::from_secs(20);
const MISCONFIGURED: i32 = 2;
const FAILED: i32 = 1;

/// How the program ended.
struct Ended {
    status: i32,
    message: String,
}

/// Runs the program in `directory` until it ends by itself, as it has to.
fn run(directory: &Path, arguments: &[&str]) -> Ended {
    let child = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let status = wait(&mut child).unwrap_or_else(|| panic!("{arguments:?} is still running"));
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    Ended { status: status.code().unwrap(), message }
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let step = Duration::from_millis(20);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(step);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Serves with `configuration`, on ports that the system chooses unless it says others.
fn serve(configuration: &str) -> Ended {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("headwater.toml"), configuration).unwrap();
    let ended = run(directory.path(), &["serve", "--config", "headwater.toml"]);
    assert!(!directory.path().join("data").exists(), "a refused configuration leaves nothing behind");
    ended
}

#[test]
fn a_channel_that_cannot_go_on_is_refused_before_any_other_has_written_anything() {
    let directory = TempDir::new().unwrap();
    let kept = directory.path().join("data/live/b");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("state.json"), "{").unwrap();
    let both = channel("source = \"test:\"\n").replace("demo", "a") + "[channel.b]\nsource = \"test:\"\n";
    std::fs::write(directory.path().join("headwater.toml"), both).unwrap();
    let ended = run(directory.path(), &["serve", "--config", "headwater.toml"]);
    assert_eq!(ended.status, 1);
    assert!(ended.message.contains("channel b: live/b/state.json is damaged"), "{}", ended.message);
    assert!(!directory.path().join("data/live/a").exists(), "channel a was begun");
}

/// A channel with these lines, and free ports.
fn channel(lines: &str) -> String {
    format!("[server]\nmedia = \"127.0.0.1:0\"\ncontrol = \"127.0.0.1:0\"\n[channel.demo]\n{lines}")
}

#[track_caller]
fn assert_refused(configuration: &str, message: &str) {
    let ended = serve(configuration);
    assert_eq!(ended.message, format!("error: {message}\n"));
    assert_eq!(ended.status, MISCONFIGURED);
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_what_was_meant() {
    assert_refused(
        &channel("source = \"test:\"\nsegmnet = \"2s\"\n"),
        "headwater.toml:6:1: channel.demo.segmnet: there is no such key; `segment` was probably meant",
    );
}

#[test]
fn a_file_that_is_not_toml_is_refused_at_its_place() {
    assert_refused("[server\n", "headwater.toml:1:8: unclosed table, expected `]`");
}

#[test]
fn a_part_longer_than_its_segment_is_refused() {
    assert_refused(
        &channel("source = \"test:\"\nsegment = \"2s\"\npart = \"3s\"\n"),
        "headwater.toml: channel.demo.part: 3s is not between 100ms and the segment's 2s",
    );
}

#[test]
fn a_rung_that_cannot_be_encoded_is_refused() {
    assert_refused(
        &channel("source = \"test:\"\n[[channel.demo.video]]\nheight = 0\nbitrate = \"1M\"\n"),
        "headwater.toml: channel.demo.video[0]: rung 0p: a height of 0 pixels is impossible; \
         16 to 8192 are possible",
    );
}

#[test]
fn an_unknown_source_scheme_is_refused_with_those_that_are_known() {
    assert_refused(
        &channel("source = \"gopher://example.com/clip\"\n"),
        "headwater.toml: channel.demo.source: source `gopher://example.com/clip`: scheme `gopher` is not \
         supported: use test:, file:PATH, http://, https://, srt://, rtsp:// or udp://",
    );
}

#[test]
fn one_port_for_two_listeners_is_refused() {
    assert_refused(
        "[server]\nmedia = \"0.0.0.0:8080\"\ncontrol = \"127.0.0.1:8080\"\n[channel.a]\nsource = \"test:\"\n",
        "headwater.toml: server.control: 127.0.0.1:8080 is taken by the media listener on 0.0.0.0:8080; \
         give the control listener another port",
    );
}

#[test]
fn a_runtime_directory_on_a_disk_is_refused() {
    // Not where tests write: that may be in memory.
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/target/runtime");
    let runtime = format!("runtime_directory = {directory:?}\n[channel");
    let ended = serve(&channel("source = \"test:\"\n").replace("[channel", &runtime));
    let message = "/target/runtime\" lies on a disk, which a live channel would have to wait for";
    assert!(ended.message.contains(message) && ended.message.contains("/run/headwater"), "{}", ended.message);
    assert_eq!(ended.status, 1);
}

#[test]
fn a_store_of_an_unknown_kind_is_refused() {
    assert_refused(
        &format!("[store]\nurl = \"ftp://example.com/x\"\n{}", channel("source = \"test:\"\n")),
        "store \"ftp://example.com/x\": this build keeps its data in a directory (a path or file:// URL), in \
         memory (memory://) or in a bucket (s3://, gs:// or az://)",
    );
}

#[test]
fn a_missing_configuration_is_named() {
    let directory = TempDir::new().unwrap();
    let ended = run(directory.path(), &["serve", "--config", "nowhere.toml"]);
    assert_eq!(
        ended.message,
        "error: cannot read the configuration nowhere.toml: No such file or directory (os error 2)\n"
    );
    assert_eq!(ended.status, MISCONFIGURED);
}

#[test]
fn a_port_in_use_is_named_with_its_listener() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = TempDir::new().unwrap();
    let arguments = ["serve", "--media", &address, "--control", "127.0.0.1:0", "--data", "memory://"];
    let ended = run(directory.path(), &arguments);
    assert!(ended.message.starts_with("error: the media listener: "), "{}", ended.message);
    assert!(ended.message.contains(&address), "{}", ended.message);
    assert!(ended.message.contains("another"), "{}", ended.message);
    assert_eq!(ended.status, FAILED);
}

#[test]
fn an_address_that_is_none_is_refused_by_the_command_line() {
    let directory = TempDir::new().unwrap();
    let ended = run(directory.path(), &["serve", "--media", "8080"]);
    assert!(ended.message.contains("--media"), "{}", ended.message);
    assert_eq!(ended.status, MISCONFIGURED);
}

#[test]
fn a_file_to_inspect_that_is_missing_is_named() {
    let directory = TempDir::new().unwrap();
    let ended = run(directory.path(), &["inspect", "nowhere.mp4"]);
    assert_eq!(ended.message, "error: nowhere.mp4 does not exist; inspect needs the path of a file\n");
    assert_eq!(ended.status, FAILED);
}
