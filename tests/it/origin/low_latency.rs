//! Requests for what is not there yet: held, streamed, counted and refused.

use futures_util::StreamExt;
use headwater::channel::edge::LowLatency;
use http::HeaderValue;
use tokio::time::sleep;

use super::*;

const OPEN: i64 = LAST + 1;
/// Long enough for a request to have reached its server and to wait there.
const SETTLED: Duration = Duration::from_millis(300);

/// A channel with one track that is published by hand.
pub(super) struct Live {
    server: Server,
    pub(super) metrics: Metrics,
    waiters: Waiters,
    track: watch::Sender<Arc<TrackEdge>>,
    _edge: watch::Sender<Arc<Edge>>,
}

impl Live {
    pub(super) fn start() -> Self {
        Self::limited(Limits { all: 100, of_connection: 5 })
    }

    pub(super) fn limited(limits: Limits) -> Self {
        Self::behind(limits, |origin| origin)
    }

    /// One whose origin is wrapped in another service.
    pub(super) fn behind<S: Service>(limits: Limits, wrap: impl FnOnce(Origin) -> S) -> Self {
        let (track, tracks) = watch::channel(Arc::new(snapshot(1, false)));
        let edge = Edge {
            tracks: [("720p".to_owned(), tracks)].into(),
            target_duration: Duration::from_secs(1),
            ..edge("demo")
        };
        let (publish, edges) = watch::channel(Arc::new(edge));
        let reader = reading(edges, watch::channel(status(State::Live)).1);
        let metrics = Metrics::default();
        let waiters = Waiters::new(limits, metrics.waiting.clone());
        let channels = Arc::new([("demo".to_owned(), reader)].into());
        let origin = Origin::new(channels, memory(), admission(waiters.clone()));
        let server = Server::measured(wrap(origin), &metrics);
        Self { server, metrics, waiters, track, _edge: publish }
    }

    pub(super) fn publish(&self, parts: u32, complete: bool) {
        self.track.send_replace(Arc::new(snapshot(parts, complete)));
    }

    /// Drops the open segment, which is never completed.
    pub(super) fn abandon(&self) {
        self.track.send_replace(Arc::new(TrackEdge { segments: [].into(), ..snapshot(1, false) }));
    }

    pub(super) async fn waiting(&self, count: usize) {
        let reached = async {
            while self.waiters.count() != count {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = timeout(PATIENCE, reached).await;
        assert!(reached.is_ok(), "{} requests wait, not {count}", self.waiters.count());
    }

    pub(super) fn part_url(&self, index: u32) -> String {
        self.url(&format!("{OPEN}.{index}.m4s"))
    }

    pub(super) fn part_length(&self, index: u32) -> usize {
        part(index).len()
    }

    pub(super) fn segment_url(&self) -> String {
        self.url(&format!("{OPEN}.m4s"))
    }

    /// The playlist with part `index` of the open segment.
    pub(super) fn blocking_url(&self, index: u32) -> String {
        self.url(&format!("index.m3u8?_HLS_msn={OPEN}&_HLS_part={index}"))
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.server.address
    }

    fn url(&self, file: &str) -> String {
        self.server.url(&format!("/live/demo/720p/{file}"))
    }
}

fn part(index: u32) -> String {
    format!("part {index} of {OPEN}|").repeat(1000)
}

/// The first parts of the open segment, as they are sent.
pub(super) fn all(parts: u32) -> String {
    (0..parts).map(part).collect()
}

/// `parts` parts of the open segment, or of one that is complete.
fn snapshot(parts: u32, complete: bool) -> TrackEdge {
    let described = HeaderValue::from_static("ot=v,st=l,d=400,br=700");
    let chunk = |index| Arc::new(Body::new(vec![Bytes::from(part(index))]).described(described.clone()));
    let open = Segment {
        chunks: (0..parts).map(chunk).collect(),
        has_parts: true,
        whole: complete.then(|| Arc::new(Body::new(vec![Bytes::from(all(parts))]))),
        settled: complete,
    };
    let text = format!("{OPEN} has {parts} parts, complete: {complete}\n");
    let whole = Arc::new(Document::new(text));
    TrackEdge {
        playlist: Some(Arc::new(Playlist { whole, delta: Some(document("delta")) })),
        head: Some(if complete { Head { last: OPEN, parts: 0 } } else { Head { last: LAST, parts } }),
        low_latency: Some(LowLatency { part_target: Duration::from_millis(400), parts_per_segment: 5 }),
        segments: [(OPEN, Arc::new(open))].into(),
        stored: Some(LAST - 9..=LAST),
        cmsd: Some(HeaderValue::from_static("ot=v,st=l,br=700")),
        published_at: Some(headwater::clock::now()),
        ..TrackEdge::default()
    }
}

#[tokio::test]
async fn a_playlist_is_held_until_it_has_what_is_asked_for() {
    let live = Live::start();
    let url = live.url(&format!("index.m3u8?_HLS_msn={OPEN}&_HLS_part=1"));
    let request = tokio::spawn(sent(http1().get(&url)));
    live.waiting(1).await;
    live.publish(2, false);
    let response = request.await.unwrap();
    assert_eq!(field(response.headers(), "cache-control"), "public, max-age=6, stale-if-error=0");
    assert_eq!(text(response).await, format!("{OPEN} has 2 parts, complete: false\n"));
    live.waiting(0).await;
    let delta = sent(http1().get(url + "&_HLS_skip=v2")).await;
    assert!(text(delta).await.starts_with("delta"));
}

#[tokio::test]
async fn the_hinted_part_and_the_next_segment_are_held_and_what_is_far_ahead_is_refused() {
    let live = Live::start();
    let next = tokio::spawn(sent(http1().get(live.url(&format!("{OPEN}.1.m4s")))));
    let segment = tokio::spawn(sent(http2().get(live.url(&format!("{}.m4s", OPEN + 1)))));
    live.waiting(2).await;
    live.publish(2, false);
    let response = next.await.unwrap();
    assert_eq!(
        field(response.headers(), "cache-control"),
        "public, max-age=31536000, immutable, stale-if-error=86400"
    );
    assert!(field(response.headers(), "etag").starts_with('"'));
    assert_eq!(text(response).await, part(1));
    for (file, status) in [
        (format!("{OPEN}.5.m4s"), 404),
        (format!("{}.0.m4s", OPEN + 2), 404),
        (format!("{}.m4s", OPEN + 2), 404),
        (format!("index.m3u8?_HLS_msn={}", OPEN + 2), 400),
        (format!("index.m3u8?_HLS_msn={OPEN}&_HLS_part=99"), 400),
    ] {
        let response = sent(http1().get(live.url(&file))).await;
        assert_eq!(response.status(), status, "{file}");
        assert_eq!(field(response.headers(), "cache-control"), "public, max-age=1", "{file}");
    }
    // Nobody makes the next segment: it is held for three target durations, and then not longer.
    let response = segment.await.unwrap();
    assert_eq!((response.status().as_u16(), field(response.headers(), "retry-after")), (503, "1"));
    live.waiting(0).await;
}

#[tokio::test]
async fn an_open_segment_is_sent_as_it_grows_to_those_who_join_early_and_late() {
    let live = Live::start();
    let url = live.url(&format!("{OPEN}.m4s"));
    for client in [http1(), http2()] {
        live.publish(2, false);
        let response = sent(client.get(&url)).await;
        assert_eq!(field(response.headers(), "content-length"), "");
        let mut pieces = response.bytes_stream();
        let mut got = Vec::new();
        for parts in 2..5 {
            live.publish(parts, false);
            while got.len() < all(parts).len() {
                let piece = timeout(PATIENCE, pieces.next()).await.expect("a piece in time");
                got.extend(piece.unwrap().unwrap());
            }
            assert_eq!(got, all(parts).as_bytes(), "all there is, and nothing more");
        }
        assert!(timeout(SETTLED, pieces.next()).await.is_err(), "it goes on");
        live.publish(4, true);
        // HTTP/2 may end with an empty frame.
        while let Some(piece) = timeout(PATIENCE, pieces.next()).await.expect("an end in time") {
            assert!(piece.unwrap().is_empty());
        }
        live.waiting(0).await;
        let whole = sent(client.get(&url)).await;
        assert_eq!(field(whole.headers(), "content-length"), all(4).len().to_string());
    }
}

#[tokio::test]
async fn an_open_segment_has_no_version_that_a_client_could_ask_for() {
    let live = Live::start();
    let get = || http1().get(live.segment_url());
    assert_eq!(sent(get().header("if-match", "\"x\"")).await.status(), 412);
    for (name, value) in [("if-match", "*"), ("if-none-match", "\"x\"")] {
        assert_eq!(sent(get().header(name, value)).await.status(), 200, "{name}");
    }
}

#[tokio::test]
async fn a_segment_that_is_never_completed_is_never_taken_for_whole() {
    for client in [http1(), http2()] {
        let live = Live::start();
        let response = sent(client.get(live.url(&format!("{OPEN}.m4s")))).await;
        live.abandon();
        let body = timeout(PATIENCE, response.bytes()).await.expect("an end in time");
        assert!(body.is_err(), "the transfer breaks off");
        live.waiting(0).await;
    }
}

#[tokio::test]
async fn http_1_0_cannot_tell_a_segment_that_broke_off_and_is_not_to_keep_it() {
    let live = Live::start();
    let request = http1().get(live.segment_url()).version(reqwest::Version::HTTP_10);
    assert_eq!(field(sent(request).await.headers(), "cache-control"), "no-store");
    let newer = sent(http1().get(live.segment_url())).await;
    assert_eq!(
        field(newer.headers(), "cache-control"),
        "public, max-age=31536000, immutable, stale-if-error=86400"
    );
}

#[tokio::test]
async fn who_goes_away_leaves_nothing_behind() {
    let live = Live::start();
    for client in [http1(), http2()] {
        for file in [format!("index.m3u8?_HLS_msn={OPEN}&_HLS_part=3"), format!("{OPEN}.4.m4s")] {
            let request = tokio::spawn(client.get(live.url(&file)).send());
            live.waiting(1).await;
            request.abort();
            live.waiting(0).await;
        }
        let stream = sent(client.get(live.url(&format!("{OPEN}.m4s")))).await;
        live.waiting(1).await;
        drop(stream);
        live.waiting(0).await;
    }
}

#[tokio::test]
async fn more_waiters_than_may_wait_are_sent_away_for_a_second() {
    let live = Live::limited(Limits { all: 3, of_connection: 2 });
    let url = live.url(&format!("index.m3u8?_HLS_msn={OPEN}&_HLS_part=3"));
    let shared = http2();
    // So that all go over one connection.
    sent(shared.get(live.url("index.m3u8"))).await;
    let mut held: Vec<_> = (0..2).map(|_| tokio::spawn(sent(shared.get(&url)))).collect();
    live.waiting(2).await;
    let refused = sent(shared.get(&url)).await;
    assert_eq!(refused.status(), 503, "one connection may hold two");
    assert_eq!(field(refused.headers(), "retry-after"), "1");
    assert_eq!(field(refused.headers(), "cache-control"), "no-store");
    held.push(tokio::spawn(sent(http1().get(&url))));
    live.waiting(3).await;
    assert_eq!(sent(http1().get(&url)).await.status(), 503, "all together may hold three");
    assert_eq!(
        sent(shared.get(live.url(&format!("{OPEN}.0.m4s")))).await.status(),
        200,
        "and who need not wait is served"
    );
    live.publish(4, false);
    for request in held {
        assert_eq!(request.await.unwrap().status(), 200);
    }
    live.waiting(0).await;
}

#[tokio::test]
async fn a_server_that_stops_answers_those_who_wait() {
    let live = Live::start();
    let url = live.url(&format!("index.m3u8?_HLS_msn={OPEN}&_HLS_part=3"));
    let request = tokio::spawn(sent(http1().get(url)));
    live.waiting(1).await;
    live.server.stop.cancel();
    drop(live.track);
    assert_eq!(request.await.unwrap().status(), 503);
}
