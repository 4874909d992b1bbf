//! The program itself, with few players for a moment: its figures are not judged here.
#![allow(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::process::{Command, Output};

fn waiters(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headwater-load")).arg("waiters").args(arguments).output().unwrap()
}

fn measured(target: &str) -> serde_json::Value {
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
