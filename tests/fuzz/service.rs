//! The whole media listener under hostile bytes: sockets, hyper, routes, answers. Over loopback, because what serves a
//! connection wants a TCP socket, and what it does around hyper is ours.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
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
        self, Admission, Origin,
        preview::viewers::{self, Viewers},
        waiters::{self, Waiters},
    },
    store::Store,
};
use tokio::{runtime::Runtime, sync::watch};
use tokio_util::sync::CancellationToken;

const SECRET: &[u8] = b"nobody may see this";
const THREAD: &str = "fuzzed";
/// Longer than any answer takes; a held one is given up when its client leaves.
const PATIENCE: Duration = Duration::from_secs(10);

struct Server {
    address: SocketAddr,
    _runtime: Runtime,
}

static PANICS: AtomicUsize = AtomicUsize::new(0);
static SERVER: LazyLock<Server> = LazyLock::new(|| {
    count_panics();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).thread_name(THREAD).enable_all().build().unwrap();
    let listener = runtime.block_on(async { origin::listen(([127, 0, 0, 1], 0).into()).unwrap() });
    let address = listener.address();
    let service = runtime.block_on(origin());
    runtime.spawn(origin::serve(listener, service, Metrics::default().http, CancellationToken::new()));
    Server { address, _runtime: runtime }
});

/// A connection's panic is caught by the runtime, so it has to be looked for.
fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() == Some(THREAD) {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        before(info);
    }));
}

async fn origin() -> Origin {
    let store = Store::open("memory://").unwrap();
    store.put("state/demo/1.m4s", vec![Bytes::from_static(SECRET)]).await.unwrap();
    store.put("vod/clip/360p/1.m4s", vec![Bytes::from("clip segment")]).await.unwrap();
    let body = || Arc::new(Body::new(vec![Bytes::from("moof"), Bytes::new(), Bytes::from("mdat")]));
    let document = || Arc::new(Document::new("#EXTM3U\n".repeat(100)));
    let track = TrackEdge {
        playlist: Some(Arc::new(Playlist { whole: document(), delta: None })),
        head: Some(Head { last: 9, parts: 0 }),
        inits: [("init-ab.mp4".to_owned(), body())].into(),
        segments: (1..=9).map(|number| (number, Arc::new(Segment::settled(body())))).collect(),
        ..TrackEdge::default()
    };
    let edge = Edge {
        multivariant: Some(document()),
        mpd: Some(document()),
        tracks: HashMap::from([("720p".to_owned(), watch::channel(Arc::new(track)).1)]),
        target_duration: Duration::from_secs(1),
        ..Edge::default()
    };
    let channels = [("demo".to_owned(), reader(edge))].into();
    Origin::new(Arc::new(channels), store, admission())
}

fn reader(edge: Edge) -> Reader {
    let status = Status {
        state: State::Live,
        epoch: 1,
        takeovers: 0,
        encoder_starts: 1,
        encoder_pid: None,
        filler_parts: 0,
        encoders: Default::default(),
        store_degraded: None,
        unfenced: None,
        low_latency_off: None,
        edge_from: None,
    };
    Reader {
        edge: watch::channel(Arc::new(edge)).1,
        status: watch::channel(status).1,
        lineup: watch::channel(Arc::default()).1,
        key_frames: KeyFrames::new().0,
    }
}

fn admission() -> Admission {
    let waiters = waiters::Limits { all: 1000, of_connection: 100 };
    let viewers = viewers::Limits { all: 1000, of_channel: 1000 };
    Admission {
        waiters: Waiters::new(waiters, Metrics::default().waiting),
        viewers: Viewers::new(viewers, Metrics::default().viewing),
        origins: Vec::new(),
        access: Access::open(),
    }
}

/// Everything that is said to `sent`, until the server has no more to say.
fn exchange(sent: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(SERVER.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may have closed before it has read all.
    let _ = stream.write_all(sent).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "still open after {PATIENCE:?}");
    }
    answer
}

/// Whatever is sent to it, it answers in HTTP or not at all, with nothing that is nobody's business, and goes on.
pub fn service(sent: &[u8]) {
    let answer = exchange(sent);
    assert!(!answer.windows(SECRET.len()).any(|window| window == SECRET));
    let is_http2 = sent.starts_with(b"PRI");
    let text = String::from_utf8_lossy(&answer);
    assert!(is_http2 || answer.is_empty() || text.starts_with("HTTP/1."), "{text}");
    assert!(!text.contains("HTTP/1.1 500 "), "{text}");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "panics of the server");
}
