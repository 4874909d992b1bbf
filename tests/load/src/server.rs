//! The server of a run: the origin and a channel as `headwater serve` has them. Only its encoder is made up, and what it
//! publishes and is asked for is told on the standard output.

use std::{
    collections::BTreeMap,
    io::Write,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use headwater::{
    channel::{self, Setup, edge::Reader, edge::TrackEdge},
    config::{self, Config},
    metrics::{Exposition, Metrics},
    origin::{
        self, Admission, Origin, Service,
        preview::viewers::{self, Viewers},
        reply::Reply,
        waiters::{Limits, Waiters, Waiting},
    },
    store::Store,
};
use headwater_packager::time::Grid;
use http::request::Parts;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    runtime,
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::{
    child::{Counts, Line, Publication},
    clock, cpus, encoder,
    player::Position,
    witness::Witness,
};

/// More than this machine can serve.
const MOST_VIEWERS: usize = 100_000;
/// The channel's name.
const CHANNEL: &str = "load";
/// As in the table of the defaults: a segment of two seconds has five parts.
pub(crate) const SEGMENT: Duration = Duration::from_secs(2);
pub(crate) const PART: Duration = Duration::from_millis(400);
pub(crate) const PARTS: u32 = 5;

/// `/live/{channel}/{track}` of the track that is measured.
pub(crate) fn base() -> String {
    format!("/live/{CHANNEL}/{}", encoder::VIDEO)
}

/// Where viewers of it are let in.
pub(crate) fn viewer() -> String {
    format!("/live/{CHANNEL}/ws")
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// How many requests may wait.
    #[arg(long)]
    max_waiters: usize,
    /// How many of one connection.
    #[arg(long)]
    max_waiters_per_connection: usize,
    /// Bit/s of each video rung, the best one first.
    #[arg(long, value_delimiter = ',')]
    bitrate: Vec<u32>,
    /// The only processor to run on, with one worker.
    #[arg(long)]
    cpu: Option<usize>,
}

/// Serves until the standard input is closed.
pub(crate) fn run(serve: &Serve) -> anyhow::Result<()> {
    headwater::clock::anchor(headwater::clock::unix_nanos());
    let mut runtime = runtime::Builder::new_multi_thread();
    if let Some(cpu) = serve.cpu {
        cpus::pin(&[cpu])?;
        runtime.worker_threads(1);
    }
    runtime.enable_all().build()?.block_on(serve.serve())
}

impl Serve {
    async fn serve(&self) -> anyhow::Result<()> {
        let directory = tempfile::tempdir().context("a directory for the store")?;
        let store = Store::open(&directory.path().to_string_lossy())?;
        let shutdown = CancellationToken::new();
        let metrics = Metrics::default();
        let setup = Setup {
            name: CHANNEL.into(),
            config: channel(&self.bitrate),
            file_root: None,
            store: store.clone(),
            runtime: None,
            program: std::env::current_exe().context("cannot find this program")?,
            door: None,
            metrics: metrics.tracks.clone(),
            shutdown: shutdown.clone(),
        };
        let (reader, task) = channel::start(setup).await?;
        let requests = Arc::new(Requests::default());
        let exposition = Exposition::new(&metrics);
        let limits = Limits { all: self.max_waiters, of_connection: self.max_waiters_per_connection };
        let channels = Arc::new(BTreeMap::from([(CHANNEL.to_owned(), reader.clone())]));
        let viewers = viewers::Limits { all: MOST_VIEWERS, of_channel: MOST_VIEWERS };
        let admission = Admission {
            waiters: Waiters::new(limits, metrics.waiting),
            viewers: Viewers::new(viewers, metrics.viewing),
            access: headwater::access::Access::open(),
            origins: Vec::new(),
        };
        let origin = Origin::new(channels, store, admission);
        let listener = origin::listen(self.listen)?;
        say(Line::Listening(listener.address()));
        let counted = Counted { origin, requests: requests.clone() };
        let serving = tokio::spawn(origin::serve(listener, counted, metrics.http, shutdown.clone()));
        // On a thread of its own, so that it is not the last of many to be woken.
        thread::Builder::new().name("publications".into()).spawn(move || publications(reader))?;
        let witness = Witness::start()?;
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while lines.next_line().await?.is_some() {
            let [all, media] = [&requests.all, &requests.media].map(|count| count.load(Ordering::Relaxed));
            let held_up_ms = witness.held_up_ms();
            let counts = Counts { requests: all, media, held_up_ms, ..viewed(&exposition.text()) };
            say(Line::Counts(counts));
        }
        shutdown.cancel();
        serving.await?;
        task.await.context("the channel's task")
    }
}

/// What the metrics tell of viewers, as anybody would read them.
fn viewed(metrics: &str) -> Counts {
    let total = |name: &str, label: &str| {
        let named = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
        named.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    Counts {
        lowered: total("headwater_viewers_track_changes_total", "to=\"lower\""),
        raised: total("headwater_viewers_track_changes_total", "to=\"better\""),
        skips: total("headwater_viewers_skips_total", ""),
        too_slow: total("headwater_viewers_closes_total", "why=\"too-slow\""),
        ..Counts::default()
    }
}

pub(crate) fn grid() -> Grid {
    Grid { segment: SEGMENT, part: PART }
}

/// A rung for each bit rate and one audio rendition, in low latency.
fn channel(bitrates: &[u32]) -> config::Channel {
    let defaults = Config::default().channels.into_values().next();
    let ladder = defaults.map(|channel| channel.ladder).unwrap_or_default();
    let rungs = ladder.video.iter().zip(bitrates);
    let video = rungs.map(|(rung, &bitrate)| config::Rung { bitrate, ..rung.clone() }).collect();
    config::Channel {
        source: "test:".into(),
        access: config::Who::Open,
        timing: config::Timing::Clock,
        grid: grid(),
        window: Duration::from_secs(60),
        archive: Duration::from_secs(60),
        archive_bytes: None,
        low_latency: true,
        ladder: config::Ladder { video, ..ladder },
        encoder_socket: None,
        unfit: config::Unfit::default(),
    }
}

/// Counts what reaches the origin.
struct Counted {
    origin: Origin,
    requests: Arc<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    all: AtomicU64,
    media: AtomicU64,
}

impl Service for Counted {
    const NAME: &'static str = "counted";

    async fn answer(&self, request: &Parts, connection: &Waiting) -> Reply {
        self.requests.all.fetch_add(1, Ordering::Relaxed);
        if [".m4s", ".mp4"].iter().any(|end| request.uri.path().ends_with(end)) {
            self.requests.media.fetch_add(1, Ordering::Relaxed);
        }
        self.origin.answer(request, connection).await
    }
}

/// Tells of each part of the video track when it was published.
fn publications(mut reader: Reader) {
    let Ok(runtime) = runtime::Builder::new_current_thread().build() else { return };
    runtime.block_on(async {
        let Ok(edge) = reader.edge.wait_for(|edge| edge.tracks.contains_key(encoder::VIDEO)).await else {
            return;
        };
        let Some(mut track) = edge.tracks.get(encoder::VIDEO).cloned() else { return };
        drop(edge);
        let mut last = None;
        loop {
            let newest = newest(&mut track);
            if newest.map(|part| part.position) != last {
                last = newest.map(|part| part.position);
                newest.into_iter().for_each(|part| say(Line::Published(part)));
            }
            if track.changed().await.is_err() {
                return;
            }
        }
    });
}

/// The last part of the last segment that there is anything of.
fn newest(track: &mut watch::Receiver<Arc<TrackEdge>>) -> Option<Publication> {
    let track = track.borrow_and_update();
    let (number, segment) = track.segments.last_key_value()?;
    let part = u32::try_from(segment.chunks.len()).ok()?.checked_sub(1)?;
    track.playlist.as_ref()?;
    Some(Publication {
        position: Position { segment: u64::try_from(*number).ok()?, part },
        at: clock::nanos_of(track.published_at?),
        bytes: segment.chunks.iter().map(|chunk| chunk.length).sum(),
    })
}

/// Who started this process is gone if nobody reads: the end of the standard input comes as well.
pub(crate) fn say(line: Line) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
