//! A channel that has stopped, or shows nothing but its slate, is an error.

use std::time::Instant;

use headwater::{channel::fitness::Limits, clock, control::Control, metrics::Metrics};

use super::*;
use crate::openmetrics;

const MEDIA: [&str; 2] = ["/live/demo/720p/index.m3u8", "/live/demo/audio-en/index.m3u8"];
const MANIFESTS: [&str; 2] = ["/live/demo/index.m3u8", "/live/demo/manifest.mpd"];

/// A channel whose task has done nothing for a while.
struct Stopped {
    media: Server,
    control: Server,
    edge: watch::Sender<Arc<Edge>>,
}

/// What a track of it last did, by its name: when it moved, and since when it is of the filler.
type Doing<'a> = (&'a str, Option<Instant>, Option<Instant>);

impl Stopped {
    fn start(limits: Limits, doing: [Doing<'_>; 2]) -> Self {
        let (edge, edges) = watch::channel(Arc::new(snapshot(limits, doing)));
        let readers =
            Arc::new([("demo".to_owned(), reading(edges, watch::channel(status(State::Live)).1))].into());
        let media = Server::start(Origin::new(Arc::clone(&readers), memory(), admission(waiters())));
        let control = Control::new(readers, &Metrics::default(), CancellationToken::new());
        Self { media, control: Server::start(control), edge }
    }

    async fn says(&self, path: &str) -> (u16, String) {
        let response = self.media.get(path).await;
        let (status, reason) = (response.status(), field(response.headers(), "headwater-reason").to_owned());
        if status == 503 {
            assert_eq!(field(response.headers(), "retry-after"), "1", "{path}");
            assert_eq!(field(response.headers(), "cache-control"), "public, max-age=1", "{path}");
            assert!(field(response.headers(), "access-control-expose-headers").contains("Headwater-Reason"));
        }
        (status.as_u16(), reason)
    }

    async fn expect(&self, paths: &[&str], status: u16, reason: &str) {
        for path in paths {
            assert_eq!(self.says(path).await, (status, reason.to_owned()), "{path}");
        }
    }

    async fn ready(&self) -> (u16, String) {
        let response = self.control.get("/readyz").await;
        (response.status().as_u16(), text(response).await)
    }

    /// The reasons for which the metric is 1.
    async fn metric(&self) -> Vec<&'static str> {
        let told = text(self.control.get("/metrics").await).await;
        let Some(told) = openmetrics::Metrics::parse(&told) else { return Vec::new() };
        let is = |reason: &&str| {
            told.value("headwater_channel_unfit", &[("channel", "demo"), ("reason", reason)]) == 1.0
        };
        ["stale", "incomplete", "slate"].into_iter().filter(is).collect()
    }
}

fn snapshot(limits: Limits, doing: [Doing<'_>; 2]) -> Edge {
    let mut edge = Edge { limits, ..edge("demo") };
    for (name, moved_at, slate_since) in doing {
        let track = TrackEdge { moved_at, slate_since, ..TrackEdge::clone(&edge.tracks[name].borrow()) };
        edge.tracks.insert(name.to_owned(), fixed(track));
    }
    edge
}

/// So many seconds ago.
fn ago(seconds: u64) -> Option<Instant> {
    Some(clock::now().checked_sub(Duration::from_secs(seconds)).unwrap())
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_channel_that_has_stopped_is_refused_while_its_segments_are_served() {
    let limits = Limits { stale: seconds(18), ..Limits::default() };
    let stopped = Stopped::start(limits, [("720p", ago(19), None), ("audio-en", ago(20), None)]);
    stopped.expect(&MEDIA, 503, "stale").await;
    stopped.expect(&MANIFESTS, 503, "stale").await;
    let blocking = format!("/live/demo/720p/index.m3u8?_HLS_msn={}", LAST + 1);
    stopped.expect(&[&blocking], 503, "stale").await;
    stopped.expect(&["/live/demo/720p/933000004.m4s", "/live/demo/720p/init-0af3.mp4"], 200, "").await;
    assert_eq!(
        stopped.ready().await,
        (503, "channel demo is stale: nothing new was published for too long\n".into())
    );
    let told = stopped.metric().await;
    assert!(told.is_empty() || told == ["stale"], "{told:?}");
    stopped
        .edge
        .send_replace(Arc::new(snapshot(limits, [("720p", ago(0), None), ("audio-en", ago(1), None)])));
    stopped.expect(&MEDIA, 200, "").await;
    stopped.expect(&MANIFESTS, 200, "").await;
    assert_eq!((stopped.ready().await, stopped.metric().await), ((200, "ready\n".into()), vec![]));
}

#[tokio::test]
async fn it_grows_stale_without_anybody_saying_so() {
    let limits = Limits { stale: seconds(2), ..Limits::default() };
    let stopped = Stopped::start(limits, [("720p", ago(0), None), ("audio-en", ago(0), None)]);
    stopped.expect(&MEDIA, 200, "").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stopped.expect(&MEDIA, 503, "stale").await;
    stopped.expect(&MANIFESTS, 503, "stale").await;
}

#[tokio::test]
async fn a_track_that_has_stopped_alone_is_refused_and_what_lists_it_only_where_that_is_wished() {
    let doing = [("720p", ago(40), None), ("audio-en", ago(1), None)];
    for (incomplete, status, reason) in [(None, 200, ""), (seconds(30), 503, "incomplete")] {
        let limits = Limits { stale: seconds(18), incomplete, ..Limits::default() };
        let stopped = Stopped::start(limits, doing);
        stopped.expect(&[MEDIA[0]], 503, "stale").await;
        stopped.expect(&[MEDIA[1]], 200, "").await;
        stopped.expect(&MANIFESTS, status, reason).await;
        assert_eq!(stopped.ready().await.0, status);
    }
}

#[tokio::test]
async fn a_slate_is_refused_only_where_that_is_wished_and_only_if_it_is_all_there_is() {
    let slate = [("720p", ago(0), ago(50)), ("audio-en", ago(0), ago(40))];
    for (limit, status, reason) in [(None, 200, ""), (seconds(60), 200, ""), (seconds(30), 503, "slate")] {
        let stopped = Stopped::start(Limits { slate: limit, ..Limits::default() }, slate);
        stopped.expect(&MEDIA, status, reason).await;
        stopped.expect(&MANIFESTS, status, reason).await;
        assert_eq!(stopped.ready().await.0, status);
    }
    let sound = [("720p", ago(0), ago(50)), ("audio-en", ago(0), None)];
    let stopped = Stopped::start(Limits { slate: seconds(30), ..Limits::default() }, sound);
    stopped.expect(&MEDIA, 200, "").await;
}

#[tokio::test]
async fn a_channel_that_has_ended_is_never_stale() {
    let limits = Limits { stale: seconds(2), incomplete: seconds(2), slate: seconds(2), ..Limits::default() };
    let stopped = Stopped::start(limits, [("720p", ago(90), ago(90)), ("audio-en", ago(80), ago(80))]);
    stopped.expect(&MEDIA, 503, "stale").await;
    let mut ended = snapshot(limits, [("720p", ago(90), ago(90)), ("audio-en", ago(80), ago(80))]);
    ended.ended = true;
    for track in ended.tracks.values_mut() {
        let over = TrackEdge { ended: true, ..TrackEdge::clone(&track.borrow()) };
        *track = fixed(over);
    }
    stopped.edge.send_replace(Arc::new(ended));
    stopped.expect(&MEDIA, 200, "").await;
    stopped.expect(&MANIFESTS, 200, "").await;
    assert_eq!(stopped.ready().await, (200, "ready\n".into()));
}

#[tokio::test]
async fn a_channel_that_lists_less_than_it_has_to_is_served_and_not_ready() {
    let limits = Limits { depth: Duration::from_secs(120), ..Limits::default() };
    let filling = Stopped::start(limits, [("720p", ago(1), None), ("audio-en", ago(1), None)]);
    let why = "channel demo is filling: it lists 60s of 120s\n";
    assert_eq!(filling.ready().await, (503, why.to_owned()));
    filling.expect(&MEDIA, 200, "").await;
    filling.expect(&MANIFESTS, 200, "").await;
    let all = Limits::default();
    filling.edge.send(Arc::new(snapshot(all, [("720p", ago(1), None), ("audio-en", ago(1), None)]))).unwrap();
    assert_eq!(filling.ready().await.0, 200);
}
