//! The media and control listeners over real sockets, on hand-made snapshots.

mod abuse;
mod access;
mod caching;
mod cdn;
mod cmsd;
mod control;
mod lifecycle;
mod limits;
mod low_latency;
mod metrics;
mod preview;
mod refusals;
mod slow;
mod smuggling;
mod stretch;
pub(crate) mod tls;
mod unfit;
mod waiters;
mod wire;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use headwater::{
    access::Access,
    channel::{
        edge::{Body, Document, Edge, Head, Playlist, Reader, Segment, TrackEdge},
        frames::KeyFrames,
        status::{State, Status},
    },
    metrics::Metrics,
    origin::{
        self, Admission, Listener, Origin, Service,
        preview::viewers::{self, Viewers},
        reply::Reply,
        waiters::{Limits, Waiters, Waiting},
    },
    store::Store,
};
use reqwest::{Client, Method, RequestBuilder, Response, header::HeaderMap};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// No wait in these tests is longer; below the 75 s after which an idle connection is closed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a free port, which is told to stop when it is dropped.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    fn start(service: impl Service) -> Self {
        Self::measured(service, &Metrics::default())
    }

    fn measured(service: impl Service, metrics: &Metrics) -> Self {
        Self::behind_measured(service, metrics, |listener| listener)
    }

    /// Behind a listener that is not as it comes.
    fn behind(service: impl Service, set: impl FnOnce(Listener) -> Listener) -> Self {
        Self::behind_measured(service, &Metrics::default(), set)
    }

    fn behind_measured(
        service: impl Service,
        metrics: &Metrics,
        set: impl FnOnce(Listener) -> Listener,
    ) -> Self {
        let listener = set(origin::listen(([127, 0, 0, 1], 0).into()).unwrap());
        let (address, stop) = (listener.address(), CancellationToken::new());
        let task = tokio::spawn(origin::serve(listener, service, metrics.http.clone(), stop.clone()));
        Self { address, stop, task }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        http1().request(method, self.url(path))
    }

    async fn get(&self, path: &str) -> Response {
        sent(self.request(Method::GET, path)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn http1() -> Client {
    Client::builder().no_gzip().http1_only().build().unwrap()
}

fn http2() -> Client {
    Client::builder().no_gzip().http2_prior_knowledge().build().unwrap()
}

async fn sent(request: RequestBuilder) -> Response {
    timeout(PATIENCE, request.send()).await.expect("an answer in time").unwrap()
}

async fn bytes(response: Response) -> Bytes {
    timeout(PATIENCE, response.bytes()).await.expect("the whole body in time").unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(bytes(response).await.to_vec()).unwrap()
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn status(state: State) -> Status {
    Status {
        state,
        epoch: 1,
        takeovers: 0,
        encoder_starts: 1,
        encoder_pid: None,
        filler_parts: 0,
        encoders: BTreeMap::new(),
        store_degraded: None,
        unfenced: None,
        low_latency_off: None,
        edge_from: None,
    }
}

/// A reader of a channel that stays as it is.
fn reader(edge: Edge, state: State) -> Reader {
    reading(watch::channel(Arc::new(edge)).1, watch::channel(status(state)).1)
}

/// A reader of a channel that has nothing for viewers over WebSockets.
pub(crate) fn reading(edge: watch::Receiver<Arc<Edge>>, status: watch::Receiver<Status>) -> Reader {
    let lineup = watch::channel(Arc::default()).1;
    Reader { edge, status, lineup, key_frames: KeyFrames::new().0 }
}

/// As many viewers as come, and these requests that wait.
pub(crate) fn admission(waiters: Waiters) -> Admission {
    let viewers = viewers::Limits { all: 1000, of_channel: 1000 };
    let viewers = Viewers::new(viewers, Metrics::default().viewing);
    Admission { waiters, viewers, origins: Vec::new(), access: Access::open() }
}

/// A track that stays as it is, so that nothing is waited for.
fn fixed(track: TrackEdge) -> watch::Receiver<Arc<TrackEdge>> {
    watch::channel(Arc::new(track)).1
}

fn waiters() -> Waiters {
    Waiters::new(Limits { all: 1000, of_connection: 100 }, Metrics::default().waiting)
}

fn memory() -> Store {
    Store::open("memory://").unwrap()
}

/// Chunks of different lengths, one of them empty, whose bytes all depend on `tag`.
fn chunks(tag: &str) -> Vec<Bytes> {
    vec![
        Bytes::from(format!("moof of {tag}|")),
        Bytes::new(),
        Bytes::from(tag.repeat(50)),
        Bytes::from("end"),
    ]
}

fn whole(tag: &str) -> Vec<u8> {
    chunks(tag).concat()
}

fn document(tag: &str) -> Arc<Document> {
    Arc::new(Document::new(format!("{tag}\n").repeat(100)))
}

const LAST: i64 = 933_000_009;

/// Video and audio with ten segments in memory and ten more behind them in the store, target duration 6 s.
fn edge(channel: &str) -> Edge {
    let track = |name: &str| {
        let segment = |number: i64| {
            let body = Arc::new(Body::new(chunks(&format!("{channel}/{name}/{number}"))));
            (number, Arc::new(Segment::settled(body)))
        };
        let init = Arc::new(Body::new(chunks(&format!("{channel}/{name}/init"))));
        let track = TrackEdge {
            playlist: Some(Arc::new(Playlist { whole: document(&format!("{channel}/{name}")), delta: None })),
            head: Some(Head { last: LAST, parts: 0 }),
            first: Some(LAST - 9),
            inits: [("init-0af3.mp4".to_owned(), init)].into(),
            segments: (LAST - 9..=LAST).map(segment).collect(),
            stored: Some(LAST - 19..=LAST),
            listing: stretch::listing(name, LAST - 9..=LAST),
            ..TrackEdge::default()
        };
        (name.to_owned(), fixed(track))
    };
    Edge {
        multivariant: Some(document(&format!("{channel} multivariant"))),
        mpd: Some(document(&format!("{channel} mpd"))),
        tracks: HashMap::from(["720p", "audio-en"].map(track)),
        target_duration: Duration::from_secs(6),
        segment: stretch::SEGMENT,
        renditions: ["720p", "audio-en"].map(stretch::rendition).into(),
        ..Edge::default()
    }
}

/// Channel `demo` is live, `new` is starting, `broken` has failed; asset `clip` is packaged.
async fn demo(store: Store) -> Origin {
    guarded(store, Access::open()).await
}

/// The same with some of it signed.
async fn guarded(store: Store, access: Access) -> Origin {
    for (path, body) in [
        ("vod/clip/index.m3u8", document("clip multivariant").body()),
        ("vod/clip/manifest.mpd", document("clip mpd").body()),
        ("vod/clip/360p/index.m3u8", document("clip playlist").body()),
        ("vod/clip/360p/init-ab.mp4", Bytes::from("clip init")),
        ("vod/clip/360p/1.m4s", Bytes::from("clip segment")),
        ("live/demo/720p/932999995.m4s", Bytes::from("from the store")),
    ] {
        store.put(path, vec![body]).await.unwrap();
    }
    let failed = State::Failed { why: "rtsp://user:secret@cam/ refuses the connection".into() };
    let channels = [
        ("demo", reader(edge("demo"), State::Live)),
        ("new", reader(Edge::default(), State::Starting)),
        ("broken", reader(Edge::default(), failed)),
    ];
    let channels = channels.map(|(name, reader)| (name.to_owned(), reader)).into();
    let admission = Admission { access, ..admission(waiters()) };
    Origin::new(Arc::new(channels), store, admission)
}

async fn serve_demo() -> Server {
    Server::start(demo(memory()).await)
}
