//! `headwater check`: a black-box checker of the design's invariants, for any server that speaks HLS or DASH.
//!
//! It has its own client, its own readers of playlists, MPDs and boxes, and takes nothing from the server's modules, so
//! that a mistake there is not made here as well. [`mod@follow`] asks as players do, the pure functions in [`rules`] judge
//! what came, with time as an argument, and [`report`] tells it.

mod boxes;
mod client;
mod dash;
mod exact;
mod finding;
mod follow;
mod hls;
mod invariant;
mod judge;
mod lag;
mod report;
mod rules;
mod watch;

use std::{sync::Arc, time::Duration};

use reqwest::Url;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::{
    client::{Ask, Client, Reply},
    finding::Place,
    follow::{PATIENCE, Presentation, Run, lock},
    hls::Named,
    watch::Watch,
};
pub use self::{
    finding::{Check, Example, Level},
    invariant::Invariant,
    report::{Finding, Line, Report, Verdict},
};

/// How long the last questions may take when the time is over.
const FINISH: Duration = Duration::from_secs(10);

/// What to check.
#[derive(Clone, Debug)]
pub struct Options {
    /// Multivariant playlists, media playlists and MPDs. What they name in common is compared.
    pub urls: Vec<String>,
    /// For how long to follow live presentations.
    pub span: Duration,
    /// Speak HTTP/2 without TLS too; over TLS it is negotiated anyway.
    pub http2: bool,
}

/// Why nothing could be checked, or what came of it.
#[derive(Debug, Error)]
pub enum Error {
    /// Nothing to check.
    #[error("there is no URL; name a playlist (.m3u8) or an MPD")]
    NoUrl,
    /// Not a URL.
    #[error("{url:?} is no URL of a playlist or MPD: {why}; write it with http:// or https://")]
    Url {
        /// As it was typed.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// No answer, or not one that helps.
    #[error("cannot check {url}: {why}")]
    Unreachable {
        /// The URL.
        url: String,
        /// What came instead.
        why: String,
    },
    /// An answer that is neither HLS nor DASH.
    #[error("{url} is neither a playlist nor an MPD; it begins with {start:?}")]
    Foreign {
        /// The URL.
        url: String,
        /// The first characters of the body.
        start: String,
    },
    /// The system's certificates cannot be used.
    #[error("cannot make an HTTP client: {0}")]
    Client(reqwest::Error),
    /// The report has violations; it was written.
    #[error("{count} violation{} of {invariants}", if *.count == 1 { "" } else { "s" })]
    Violated {
        /// How many.
        count: u64,
        /// Of what, such as `I-03, I-07`.
        invariants: String,
    },
}

/// A document that was found at a URL.
enum Target {
    Hls { base: Url, named: Vec<Named> },
    Dash { url: Url, first: Box<Reply> },
}

/// Checks for as long as asked, or until `interrupt`, and tells what was seen.
///
/// # Errors
/// When a URL cannot be read, or there is neither a playlist nor an MPD behind it.
pub async fn run(options: &Options, interrupt: CancellationToken) -> Result<Report, Error> {
    let urls = options.urls.iter().map(|url| parse(url)).collect::<Result<Vec<_>, _>>()?;
    if urls.is_empty() {
        return Err(Error::NoUrl);
    }
    let (watch, stop) = (Watch::start(), interrupt.child_token());
    let client = Client::new(watch, stop.clone(), options.http2).map_err(Error::Client)?;
    let run = Arc::new(Run::new(client, stop.clone()));
    let mut targets = Vec::new();
    for url in &urls {
        targets.push(find(&run, url).await?);
    }
    let kinds = (targets.iter().any(Target::is_hls), targets.iter().any(|target| !target.is_hls()));
    let mut tasks = JoinSet::new();
    for target in targets {
        tasks.spawn(follow(run.clone(), target));
    }
    let again = run.clone();
    let rechecks = tokio::spawn(async move { again.rechecks.run(&again).await });
    let lag = tokio::spawn(run.lag.clone().watch(watch));
    let all = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = all => {}
        () = tokio::time::sleep(options.span) => {}
        () = interrupt.cancelled() => {}
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    let _ = rechecks.await;
    lag.abort();
    finish(&run, &interrupt).await;
    if kinds == (true, true) {
        compare(&run, &urls);
    }
    Ok(report::report(&run.ledger, run.client.traffic(), &options.urls, (watch.now(), run.lag.sum())))
}

fn parse(text: &str) -> Result<Url, Error> {
    let wrong = |why: String| Error::Url { url: text.to_owned(), why };
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(wrong(format!("its scheme is {other}"))),
    }
}

impl Target {
    fn is_hls(&self) -> bool {
        matches!(self, Self::Hls { .. })
    }
}

/// Looks what is behind a URL.
async fn find(run: &Run, url: &Url) -> Result<Target, Error> {
    let unreachable = |why: String| Error::Unreachable { url: url.to_string(), why };
    let ask = Ask::new(url.clone(), PATIENCE);
    let reply = run.ask(&ask).await.map_err(|failure| unreachable(failure.to_string()))?;
    if !reply.is_ok() {
        return Err(unreachable(format!("status {}", reply.status)));
    }
    let text = String::from_utf8_lossy(&reply.body);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let foreign = || Error::Foreign { url: url.to_string(), start: start.chars().take(40).collect() };
    if start.starts_with("#EXTM3U") {
        let named = if text.contains("#EXT-X-STREAM-INF") {
            hls::renditions(&reply.body).map_err(|error| unreachable(error.to_string()))?
        } else if text.contains("#EXTINF") || text.contains("#EXT-X-TARGETDURATION") {
            vec![Named { uri: url.to_string(), is_text: false }]
        } else {
            return Err(foreign());
        };
        return Ok(Target::Hls { base: reply.url, named });
    }
    if !start.starts_with('<') || !text.contains("<MPD") {
        return Err(foreign());
    }
    dash::read(&text, &reply.url).map_err(|error| unreachable(error.to_string()))?;
    Ok(Target::Dash { url: url.clone(), first: Box::new(reply) })
}

async fn follow(run: Arc<Run>, target: Target) {
    match target {
        Target::Hls { base, named } => Arc::new(Presentation::default()).follow(run, base, named).await,
        Target::Dash { url, first } => follow::mpd(run, url, *first).await,
    }
}

/// Asks the last questions, in a time of their own.
async fn finish(run: &Run, interrupt: &CancellationToken) {
    let last = run.until(interrupt.child_token());
    // What is not answered by then is not judged.
    let _ = tokio::time::timeout(FINISH, last.rechecks.finish(&last)).await;
}

/// What both protocols name should be the same segments.
fn compare(run: &Run, urls: &[Url]) {
    let Some(url) = urls.first() else { return };
    let shared = lock(&run.bodies).shared();
    let mut judge = judge::Judge::new(url.as_str(), run.client.watch().now());
    judge.holds(Check::NothingShared, Place::WHOLE, shared > 0, || {
        "no URL of media was named by both protocols".into()
    });
    run.ledger.take(judge);
}
