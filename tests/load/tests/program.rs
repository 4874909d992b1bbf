//! The program itself, with few players for a moment: its figures are not judged here.
#![allow(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use headwater_test_support::skip;
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn load(command: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headwater-load")).arg(command).args(arguments).output().unwrap()
}

fn waiters(arguments: &[&str]) -> Output {
    load("waiters", arguments)
}

/// What comes of viewers wherever the system lets them run: other tests run beside this one.
fn viewers(arguments: &[&str]) -> Value {
    let output = load("viewers", &[&["--anywhere", "--json"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn measured(target: &str) -> Value {
    let output = waiters(&["--count", "20", "--seconds", "4", "--json", "--target", target]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_update_reaches_every_player_whatever_they_ask_for() {
    for target in ["playlist", "part", "segment"] {
        let report = measured(target);
        let updates = report["updates"].as_u64().unwrap();
        assert!((8..=12).contains(&updates), "{report}");
        assert_eq!(report["replies"], 20 * updates, "{report}");
        assert_eq!((&report["missing"], &report["early"]), (&0.into(), &0.into()), "{report}");
        let (p50, p99) = (report["p50_ms"].as_f64().unwrap(), report["p99_ms"].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p99, "{report}");
        // A player asks once for each part, or once for the five parts of a segment.
        let requests = report["requests_an_update"].as_f64().unwrap();
        let expected = if target == "segment" { 4.0 } else { 20.0 };
        assert!((requests - expected).abs() <= expected / 2.0, "{report}");
    }
}

#[test]
fn load_is_put_on_this_machine_only() {
    for arguments in [["--via", "192.0.2.1:80"], ["--listen", "0.0.0.0:0"], ["--via", "[2001:db8::1]:80"]] {
        let output = waiters(&arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains("not on this machine"), "{message}");
    }
    let output = load("viewers", &["--listen", "0.0.0.0:0"]);
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("not on this machine")
    );
    let output = load("floor", &["--listen", "0.0.0.0:0"]);
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("not on this machine")
    );
    for arguments in [["--count", "20001"], ["--seconds", "601"], ["--runs", "21"]] {
        assert!(!waiters(&arguments).status.success(), "{arguments:?}");
    }
}

#[test]
fn a_bar_that_is_missed_fails_the_run() {
    let output = waiters(&["--count", "5", "--seconds", "1", "--max-p99-ms", "0"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && message.contains("missed: the 99th percentile"), "{message}");
}

#[test]
fn viewers_get_every_frame_of_the_server_and_of_the_loop_that_it_is_held_against() {
    let outcome = viewers(&["--count", "20", "--seconds", "3", "--bitrate", "500000", "--compare"]);
    for server in ["headwater", "write_loop"] {
        let report = &outcome[server];
        // Three seconds of 30 pictures and 46.875 pieces of sound each; the last ones may come after the end.
        let frames = report["frames"].as_u64().unwrap();
        assert!((20 * 200..=20 * 235).contains(&frames), "{report}");
        assert_eq!(report["flaws"], serde_json::json!({}), "{report}");
        assert_eq!(report["ready"]["untouched"], 20, "{report}");
    }
    assert!(outcome["ratio"].as_f64().unwrap() > 0.0, "{outcome}");
}

/// Of a machine that keeps server or clients from running for so long nothing can be said: then viewers are slow whose
/// lines are not.
const HELD_UP: u64 = 100;
const TRIES: usize = 4;

/// T-27, smaller.
#[test]
fn slow_viewers_are_dealt_with_and_others_do_not_notice() {
    let slow = ["--slow", "0.5", "--slow-rate", "0.1", "--rungs", "3", "--hls-players", "2"];
    let arguments = [&["--count", "100", "--seconds", "8", "--bitrate", "1000000"], &slow[..]].concat();
    let held_up = |report: &Value| report["held_up_ms"].as_u64().unwrap() > HELD_UP;
    let reports = (0..TRIES).map(|_| viewers(&arguments)["headwater"].take());
    let Some(report) = reports.into_iter().find(|report| !held_up(report)) else {
        return skip("slow viewers beside others, because this machine was busy with other things each time");
    };
    let [ready, slow] = ["ready", "slow"].map(|half| &report[half]);
    assert_eq!((&ready["viewers"], &ready["untouched"]), (&50.into(), &50.into()), "{report}");
    assert_eq!((&slow["viewers"], &slow["untouched"]), (&50.into(), &0.into()), "{report}");
    let count = |name: &str| report["counts"][name].as_u64().unwrap();
    assert!(count("lowered") >= 50 && count("skips") >= 50 && count("too_slow") > 0, "{report}");
    assert!(report["kilobytes_a_viewer"].as_f64().unwrap() < 4194.0, "{report}");
    // Each of the others got all that there was, and HLS players got their playlists.
    assert!(report["frames"].as_u64().unwrap() >= 50 * 8 * 70, "{report}");
    assert!(report["hls"]["among"][1].as_f64().unwrap() > 0.0, "{report}");
}

/// The share of media that a cache gives by itself if it asks the origin once for each: 50 players want each part or segment.
const HITS: f64 = 0.98;
/// In two seconds, five parts and a segment are published, each with the playlist that says so: 6 requests a second.
const ORIGIN_REQUESTS: std::ops::Range<f64> = 4.0..8.0;

/// What is wrong with 100 players for a moment; tests/load/cdn.sh has 500 for a minute.
fn flaw(cache: &str, report: &Value) -> Option<String> {
    let many = &report["many"];
    let smooth = |run: &Value| {
        run["stalls"] == 0 && run["failures"] == serde_json::json!({}) && run["media"].as_u64() > Some(0)
    };
    // What is asked for in the window may have been counted just before it.
    let hits = many["hits"].as_f64().unwrap() > HITS - 0.005;
    let requests = ORIGIN_REQUESTS.contains(&many["origin_requests_a_second"].as_f64().unwrap());
    let sound = smooth(&report["few"]) && smooth(many) && (cache == "haproxy" || hits && requests);
    (!sound).then(|| report.to_string())
}

fn behind(cache: &str) {
    let measure = || {
        let output =
            load("cdn", &["--cache", cache, "--count", "100", "--few", "20", "--seconds", "6", "--json"]);
        assert!(output.status.success(), "{output:?}");
        let reports: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        reports.into_iter().next()
    };
    for _ in 0..TRIES {
        // The program has said by itself that the cache is not installed.
        let Some(report) = measure() else { return };
        let Some(flaw) = flaw(cache, &report) else { return };
        assert!(report["many"]["held_up_ms"].as_u64().unwrap() > HELD_UP, "{flaw}");
    }
    skip(&format!("100 players behind {cache}, because this machine was busy with other things each time"));
}

#[test]
fn a_hundred_players_behind_nginx_are_one_to_the_origin() {
    behind("nginx");
}

#[test]
fn a_hundred_players_behind_varnish_are_one_to_the_origin() {
    behind("varnish");
}

#[test]
fn a_hundred_players_behind_traffic_server_are_one_to_the_origin() {
    behind("trafficserver");
}

#[test]
fn a_hundred_players_behind_haproxy_do_not_stall() {
    behind("haproxy");
}

/// Ends a process, however the test ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Head and body of the answer to a request for `path`.
fn get(address: &str, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: floor\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap(), body)
}

#[test]
fn the_floor_hands_out_as_many_bytes_as_are_asked_for() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater-load"));
    command.args(["floor", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut floor = Ended(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(floor.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening ").unwrap();
    for length in [1_500, 4_000_000] {
        let (head, body) = get(address, &format!("/{length}"));
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(body.len(), length);
    }
    for path in ["/", "/x", "/99999999999"] {
        let (head, body) = get(address, path);
        assert!(head.starts_with("HTTP/1.1 404 ") && body.is_empty(), "{head}");
    }
}
