//! What `headwater check` says of Headwater's own origin, as it is and with flaws, on a channel that needs no encoder.

mod flawed;
#[path = "../../packager/tests/support/made.rs"]
mod made;
mod synthetic;

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use futures_util::future::join_all;
use headwater::{metrics::Metrics, origin};
use serde_json::Value;
use tokio::{process::Command, time::timeout};
use tokio_util::sync::CancellationToken;

use self::{
    flawed::{Flaw, Flawed},
    synthetic::Synthetic,
};

/// So long after its time the checker has to be done, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the checker says.
struct Said {
    status: i32,
    /// Level, invariant and name of all checks that did not hold.
    findings: BTreeSet<(String, String, String)>,
    report: Value,
}

/// Runs the program against a server with a flaw.
async fn check(synthetic: &Synthetic, flaw: Flaw, files: &[&str], seconds: u64, more: &[&str]) -> Said {
    let listener = origin::listen(([127, 0, 0, 1], 0).into()).unwrap();
    let (address, stop) = (listener.address(), CancellationToken::new());
    let flawed = Flawed::new(flaw, synthetic.origin.clone(), synthetic.edge.clone());
    let server = tokio::spawn(origin::serve(listener, flawed, Metrics::default().http, stop.clone()));
    let run = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .arg("check")
        .args(files.iter().map(|file| format!("http://{address}/live/demo/{file}")))
        .args(["--json", "--seconds", &seconds.to_string()])
        .args(more)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = timeout(Duration::from_secs(seconds) + PATIENCE, run).await;
    let output = ended.unwrap_or_else(|_| panic!("{flaw:?}: the checker goes on and on")).unwrap();
    stop.cancel();
    server.abort();
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{flaw:?}: {error}; {}", String::from_utf8_lossy(&output.stderr)));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings =
        findings.map(|each| (text(each, "level"), text(each, "invariant"), text(each, "check"))).collect();
    Said { status: output.status.code().unwrap(), findings, report }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_on_our_own_origin_in_any_invariant_over_either_http() {
    let synthetic = Synthetic::start();
    let files = ["index.m3u8", "manifest.mpd"];
    let valid = |more: &'static [&str]| check(&synthetic, Flaw::None, &files, 9, more);
    let (http1, http2) = tokio::join!(valid(&[]), valid(&["--http2"]));
    for said in [http1, http2] {
        assert_eq!((said.findings.len(), said.status), (0, 0), "{:#}", said.report);
        let lines = said.report["invariants"].as_array().unwrap();
        let unseen: Vec<_> =
            lines.iter().filter(|line| line["verdict"] != "ok").map(|line| line["id"].clone()).collect();
        // It has no discontinuities.
        assert_eq!(unseen, ["I-04"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_on_a_list_that_is_sent_in_pieces() {
    let synthetic = Synthetic::long();
    let valid = |more: &'static [&str]| check(&synthetic, Flaw::None, &["index.m3u8"], 9, more);
    let (http1, http2) = tokio::join!(valid(&[]), valid(&["--http2"]));
    for said in [http1, http2] {
        assert_eq!((said.findings.len(), said.status), (0, 0), "{:#}", said.report);
    }
}

/// Flaw, seconds, the violation that it is, and what follows from it.
type Case = (Flaw, u64, (&'static str, &'static str), &'static [&'static str]);

#[rustfmt::skip]
const FLAWS: &[Case] = &[
    // Delta updates then show a few milliseconds less than they have to, and other lengths than the list before.
    (Flaw::NumberRedefined, 9, ("I-02", "number-redefined"), &["delta-differs", "delta-skips-late"]),
    // Segments of two seconds come later than every one and a half.
    (Flaw::SegmentLong, 7, ("I-03", "segment-long"), &["segment-late"]),
    (Flaw::PartMissing, 7, ("I-05", "part-missing"), &["part-gone"]),
    (Flaw::SegmentLate, 13, ("I-11", "segment-late"), &[]),
    (Flaw::HintNeverComes, 10, ("X-03", "hint-unanswered"), &[]),
    (Flaw::BlockReloadAbsent, 5, ("X-04", "block-reload-absent"), &[]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flaw_in_front_of_our_origin_is_found_and_named_and_nothing_else() {
    let synthetic = Synthetic::start();
    let tried = FLAWS.iter().map(async |&(flaw, seconds, expected, follows)| {
        let said = check(&synthetic, flaw, &["index.m3u8"], seconds, &[]).await;
        let violations = said.findings.iter().filter(|(level, ..)| level == "violation");
        let violations: Vec<_> = violations.map(|(_, id, check)| (id.as_str(), check.as_str())).collect();
        let found = violations.contains(&expected);
        let more = violations.iter().any(|each| *each != expected && !follows.contains(&each.1));
        let wrong = !found || more || said.status != 1;
        wrong.then(|| format!("{flaw:?}: {violations:?}, status {}\n{:#}", said.status, said.report))
    });
    let wrong: Vec<_> = join_all(tried).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
