//! What an independent checker finds at a node while its packager goes, and another takes over or the same comes back.

use std::time::Duration;

use super::{
    edge::{Site, lists_parts, parts, signal},
    *,
};

/// Watches a node of `site` while something is `done` to its packager, from the sixth second on; gives what is violated.
async fn found(
    site: &Site,
    others: &[Served],
    packager: &mut Served,
    done: impl AsyncFnOnce(&mut Served),
) -> Vec<String> {
    let from: Vec<&Served> = std::iter::once(&*packager).chain(others).collect();
    let node = site.node(&from).await;
    lists_parts(&node).await;
    parts(&node, true).await;
    eventually("all tracks are listed", 30, async || node.get("live/a/index.m3u8").await).await;
    let urls = ["index.m3u8", "manifest.mpd"].map(|file| node.url(&format!("live/a/{file}"))).to_vec();
    let options = Options { urls, span: Duration::from_secs(24), http2: false };
    let check = tokio::spawn(async move { check::run(&options, CancellationToken::new()).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(6_500)).await;
    done(packager).await;
    let report = check.await.unwrap();
    println!("{report}");
    let broken = report.findings.iter().filter(|finding| finding.level == check::Level::Violation);
    broken.map(|finding| finding.check.slug().to_owned()).collect()
}

/// The same where another packager stands by, which knows only what is in the store.
async fn found_as_another_takes_over(done: impl AsyncFnOnce(&mut Served)) -> Vec<String> {
    let site = Site::new();
    let mut packager = site.packager().await;
    lists_parts(&packager).await;
    let other = site.packager().await;
    other.in_state("a", "standby", 20).await;
    let others = [other];
    let broken = found(&site, &others, &mut packager, done).await;
    assert_eq!(others[0].status("a").await["takeovers"], 1);
    broken
}

/// What comes of a packager that goes in the middle of a segment, where nobody knows what it has told (docs/failover.md): that
/// segment is cut off, those up to the one of the moment have no parts, as others of the same names may have been told, and the
/// next may take as long as a takeover, three target durations.
const CUT_OFF: [&str; 5] = ["segment-missing", "parts-absent", "not-streamed", "join-stalls", "segment-late"];

/// While nobody makes anything, nobody can be given any of it.
const AWAY: [&str; 1] = ["join-stalls"];

fn assert_unbroken(mut broken: Vec<String>, excused: &[&str]) {
    broken.retain(|check| !excused.contains(&&**check));
    assert_eq!(broken, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_packager_is_killed_and_succeeded_breaks_no_other_promise() {
    assert_unbroken(found_as_another_takes_over(async |packager| packager.crash()).await, &CUT_OFF);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_packager_is_stopped_and_succeeded_breaks_no_promise_at_all() {
    let stopped = async |packager: &mut Served| signal(packager, "-TERM");
    assert_unbroken(found_as_another_takes_over(stopped).await, &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_packager_is_killed_again_and_again_and_comes_back_breaks_no_other_promise() {
    let Some(site) = Site::remembering(3) else { return };
    let mut packager = site.packager().await;
    let killed = async |packager: &mut Served| {
        for pause in [1_000, 200, 700] {
            packager.crash_and_restart(Duration::from_millis(pause)).await;
            tokio::time::sleep(Duration::from_millis(3_600)).await;
        }
    };
    assert_unbroken(found(&site, &[], &mut packager, killed).await, &AWAY);
}
