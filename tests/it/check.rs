//! The checker against a server that is right, and against servers that do one thing wrong each.

mod fault;
mod lists;
mod server;
#[cfg(feature = "encoder")]
mod soak;
mod stream;

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join;
use headwater::check::{self, Check, Level, Options, Report, Verdict};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use fault::{Fault, Protocol, TABLE};
use server::Server;

/// Long enough for each probe's turn, for parts to leave the list, and for the time that they have to stay.
const SPAN: Duration = Duration::from_secs(9);

/// A run during which the machine was too busy to tell late from held up does not count, and is repeated so often, with
/// so few others beside it.
const TRIES: usize = 6;
const BESIDE: usize = 20;
const BUSY: f64 = 0.4;

static REPEATED: Semaphore = Semaphore::const_new(BESIDE);

async fn report(fault: Fault, protocol: Protocol) -> Report {
    let mut report = once(fault, protocol).await;
    for _ in 1..TRIES {
        if report.held_up_seconds <= BUSY {
            break;
        }
        let _turn = REPEATED.acquire().await.unwrap();
        report = once(fault, protocol).await;
    }
    report
}

async fn once(fault: Fault, protocol: Protocol) -> Report {
    let server = Server::start(fault).await;
    let options = Options { urls: server.urls(protocol), span: SPAN, http2: false };
    check::run(&options, CancellationToken::new()).await.unwrap()
}

/// The slugs of all that was found.
fn found(report: &Report, levels: &[Level]) -> BTreeSet<&'static str> {
    let findings = report.findings.iter().filter(|finding| levels.contains(&finding.level));
    findings.map(|finding| finding.check.slug()).collect()
}

fn check_of(slug: &str) -> Check {
    *Check::ALL.iter().find(|check| check.slug() == slug).unwrap()
}

/// What is wrong with the report on a fault; nothing, if it tells that fault and no other.
fn complaint(fault: Fault, protocol: Protocol, expected: &[&str], report: &Report) -> Option<String> {
    let all = found(report, &[Level::Violation, Level::Warning, Level::Note]);
    let missed: Vec<_> = expected.iter().filter(|slug| !all.contains(*slug)).collect();
    let invariants: BTreeSet<_> = expected.iter().map(|slug| check_of(slug).invariant()).collect();
    let beside: Vec<_> =
        all.iter().filter(|slug| !invariants.contains(&check_of(slug).invariant())).collect();
    let wrong = !missed.is_empty() || (fault != Fault::Poor && !beside.is_empty());
    wrong.then(|| {
        format!("{fault:?} over {protocol:?}: missed {missed:?}, and beside it found {beside:?}\n{report}")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_found_and_nothing_else() {
    let mut runs = tokio::task::JoinSet::new();
    for &(fault, protocol, expected) in TABLE {
        runs.spawn(async move { complaint(fault, protocol, expected, &report(fault, protocol).await) });
        // To make a client is work, as it reads the system's certificates: all at once would hold each other up.
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let complaints: Vec<String> = runs.join_all().await.into_iter().flatten().collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_check_has_a_server_that_fails_it_or_a_table_of_its_own() {
    // These are tried on single observations, beside their rules: a whole server that fails them fails others too.
    const IN_TABLES: &[&str] = &[
        "number-redefined",
        "segment-long",
        "part-missing",
        "date-behind",
        "readers-disagree",
        "block-reload-absent",
        "fell-behind",
        "reference-time-gap",
        "hint-withdrawn",
    ];
    let tried: BTreeSet<_> = TABLE.iter().flat_map(|(.., expected)| expected.iter().copied()).collect();
    let left: Vec<_> =
        Check::ALL.iter().map(|check| check.slug()).filter(|slug| !tried.contains(slug)).collect();
    let untried: Vec<_> = left.iter().filter(|slug| !IN_TABLES.contains(slug)).collect();
    assert!(untried.is_empty(), "{untried:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_right_is_found_right_in_every_invariant() {
    let (low, plain, timeline, turning) = tokio::join!(
        report(Fault::None, Protocol::Both),
        report(Fault::None, Protocol::PlainHls),
        report(Fault::None, Protocol::DashTimeline),
        join(report(Fault::None, Protocol::DashThenTimeline), report(Fault::None, Protocol::DashThenNumbers)),
    );
    for report in [&low, &plain, &timeline, &turning.0, &turning.1] {
        assert!(report.findings.is_empty(), "{report}");
        assert!(report.violated().is_none());
    }
    let unseen: Vec<_> = low.invariants.iter().filter(|line| line.verdict != Verdict::Ok).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

/// How the program ends.
async fn program(arguments: &[&str]) -> (i32, String, String) {
    let run = tokio::process::Command::new(env!("CARGO_BIN_EXE_headwater"))
        .arg("check")
        .args(arguments)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(4 * SPAN, run).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_tells_by_its_status_and_in_json_what_it_found() {
    let bad = Server::start(Fault::PartsLong).await;
    let url = &bad.urls(Protocol::LowLatencyHls)[0];
    let (status, out, error) = program(&[url, "--seconds", "4", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &json["format"], &json["findings"][0]["check"]), (1, &1.into(), &"part-long".into()));
    assert_eq!(json["findings"][0]["invariant"], "I-08");
    assert!(error.starts_with("error: ") && error.trim_end().ends_with(" of I-08"), "{error}");
    // A media playlist by itself, which has ended the moment it was read.
    let (status, out, _) = program(&[&url.replace("index", "high/ended"), "--seconds", "30"]).await;
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("0 violations") && out.contains("the list has ended"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_checked_is_refused_with_a_status_of_its_own() {
    let server = Server::start(Fault::None).await;
    let known = server.urls(Protocol::PlainHls)[0].clone();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, message) in [
        (format!("http://{free}/index.m3u8"), "no connection: "),
        (known.replace("plain.m3u8", "none.m3u8"), "status 404"),
        (known.replace("live/plain.m3u8", "time"), "is neither a playlist nor an MPD"),
        ("live/index.m3u8".to_owned(), "is no URL of a playlist or MPD"),
        ("ftp://host/index.m3u8".to_owned(), "its scheme is ftp"),
    ] {
        let (status, out, error) = program(&[&url]).await;
        assert_eq!((status, out.as_str()), (2, ""), "{error}");
        assert!(error.starts_with("error: ") && error.contains(message), "{error}");
    }
}

/// The run goes on for as long as it is allowed to, unless it is told to stop: then there is a report all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_reports_what_it_saw() {
    let server = Server::start(Fault::None).await;
    let options = Options { urls: server.urls(Protocol::Both), span: Duration::from_secs(600), http2: true };
    let interrupt = CancellationToken::new();
    let stop = interrupt.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stop.cancel();
    });
    let report = tokio::time::timeout(4 * SPAN, check::run(&options, interrupt)).await.unwrap().unwrap();
    assert!(report.requests > 50 && report.violated().is_none(), "{report}");
}
