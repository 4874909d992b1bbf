//! What an independent checker finds at a node while its packager goes, and another takes over or the same comes back.

use std::time::Duration;

use super::{
    edge::{Site, lists_parts, parts, signal},
    *,
};

/// How the packager goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    /// Killed, and another stands by.
    Succeeded,
    /// Stopped in good order, and another stands by.
    InGoodOrder,
    /// Killed, and started again.
    ComesBack,
}

/// The checks that do not hold at a node that is watched all the while.
async fn found_through(going: Going) -> Vec<String> {
    let site = Site::new();
    let mut packager = site.packager().await;
    lists_parts(&packager).await;
    let others = match going {
        Going::ComesBack => Vec::new(),
        _ => vec![site.packager().await],
    };
    for other in &others {
        other.in_state("a", "standby", 20).await;
    }
    let from: Vec<&Served> = [&packager].into_iter().chain(&others).collect();
    let node = site.node(&from).await;
    lists_parts(&node).await;
    parts(&node, true).await;
    let urls = ["index.m3u8", "manifest.mpd"].map(|file| node.url(&format!("live/a/{file}"))).to_vec();
    let options = Options { urls, span: Duration::from_secs(24), http2: false };
    let check = tokio::spawn(async move { check::run(&options, CancellationToken::new()).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(6)).await;
    match going {
        Going::Succeeded => packager.crash(),
        Going::InGoodOrder => signal(&packager, "-TERM"),
        Going::ComesBack => packager.crash_and_restart(Duration::from_secs(1)).await,
    }
    let report = check.await.unwrap();
    for other in &others {
        assert_eq!(other.status("a").await["takeovers"], 1);
    }
    println!("{going:?}: {report}");
    let broken = report.findings.iter().filter(|finding| finding.level == check::Level::Violation);
    broken.map(|finding| finding.check.slug().to_owned()).collect()
}

/// What comes of a packager that goes in the middle of a segment: what it has hinted at never comes, and what it was streaming
/// is cut off.
const CUT_OFF: [&str; 2] = ["hint-unanswered", "segment-missing"];
/// Segments up to the one of the moment have no parts, as others of the same names may have been told (docs/failover.md).
const WITHOUT_PARTS: [&str; 3] = ["parts-absent", "not-streamed", "join-stalls"];

/// The segment that was being made is made anew by who comes back, with nothing in its memory: its parts were another's. And it is
/// away for more than a segment of a second.
const MADE_ANEW: [&str; 5] =
    ["part-missing", "part-gone", "parts-not-segment", "time-not-media", "segment-late"];

async fn assert_unbroken(going: Going) {
    let mut broken = found_through(going).await;
    let anew: &[&str] = if going == Going::ComesBack { &MADE_ANEW } else { &[] };
    broken.retain(|check| ![&CUT_OFF[..], &WITHOUT_PARTS, anew].concat().contains(&&**check));
    assert_eq!(broken, [] as [&str; 0], "{going:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_packager_is_killed_and_succeeded_breaks_no_other_promise() {
    assert_unbroken(Going::Succeeded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_packager_is_stopped_and_succeeded_breaks_no_other_promise() {
    assert_unbroken(Going::InGoodOrder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_packager_is_killed_and_comes_back_breaks_no_other_promise() {
    assert_unbroken(Going::ComesBack).await;
}
