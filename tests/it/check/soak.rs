//! The real server under the checker while its encoders are killed: players are promised not to notice.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use headwater::check::{self, Options};
use tokio_util::sync::CancellationToken;

use crate::served::Served;

/// Between two kills there is time for a new encoder to start.
const BETWEEN: Duration = Duration::from_secs(8);

/// A channel that costs little, with all that low latency has: two pictures and a sound, segments of two seconds.
const CHANNEL: &str = "[channel.soak]\nsource = \"test:?size=320x180&rate=30\"\nsegment = \"2s\"\npart = \"400ms\"\n\
    window = \"30s\"\n\
    [[channel.soak.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n\
    [[channel.soak.video]]\nheight = 90\nbitrate = \"80k\"\npreset = \"ultrafast\"\n";

/// `HEADWATER_SOAK_SECONDS`, such as 300 for `make soak`.
fn span() -> Duration {
    let wanted = std::env::var("HEADWATER_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(wanted.unwrap_or(26))
}

/// Kills the channel's encoder again and again for `span`, and tells how often.
async fn kill_encoders(server: &Served, span: Duration) -> u32 {
    #[expect(clippy::disallowed_methods, reason = "a test's own clock")]
    let start = Instant::now();
    let mut kills = 0;
    tokio::time::sleep(BETWEEN / 2).await;
    while start.elapsed() + BETWEEN < span {
        let pid = server.in_state("soak", "live", 30).await["encoder_pid"].to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        kills += 1;
        tokio::time::sleep(BETWEEN).await;
    }
    kills
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_encoders_break_no_promise() {
    let server = Served::start(CHANNEL).await;
    server.in_state("soak", "live", 30).await;
    server.playlist_with("soak/180p", 30, |list| list.segments.len() >= 4).await;
    let urls = ["index.m3u8", "manifest.mpd"].map(|file| server.url(&format!("live/soak/{file}"))).to_vec();
    let options = Options { urls, span: span(), http2: false };
    let (report, kills) =
        tokio::join!(check::run(&options, CancellationToken::new()), kill_encoders(&server, options.span));
    let report = report.unwrap();
    println!("{kills} encoders were killed\n{report}");
    assert!(kills >= 2, "{kills} kills are too few to tell");
    assert_eq!(report.violations, 0, "after {kills} kills\n{report}");
    // It went through all that there is to go through: nothing was left out for want of something.
    let unseen: Vec<_> =
        report.invariants.iter().filter(|line| line.looked == 0).map(|line| line.id.id()).collect();
    assert_eq!(unseen, ["I-04"], "no discontinuity is to be seen, and all else is");
}
