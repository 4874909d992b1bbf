//! One connection: HTTP/1.1 or HTTP/2 over whatever bytes come, and the patience that it is shown.

mod cork;
mod exchange;
mod linger;
mod patience;
mod transport;

use std::{
    error::Error,
    fmt, io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{HttpService, Service, service_fn},
    upgrade::Parts,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::TcpStream,
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::transport::Transport;
use self::{
    cork::Cork,
    exchange::{Answer, Client, exchange},
    linger::Linger,
    patience::{Activity, Patience, RanOut, Watched},
};
use super::{
    self as origin,
    crowd::Place,
    secret::Secret,
    takeover::Slot,
    tls::{Secured, Shown, Tls},
    waiters::Waiting,
};
use crate::{config::Limits, metrics};

/// Streams that a client may reset before they are looked at (CVE-2023-44487), and those that we reset because the
/// client broke the protocol (CVE-2025-8671), before the connection is closed.
const RESETS_PENDING: usize = 20;
const RESETS_LOCAL: usize = 100;
/// HTTP/1.1: bytes of a request head, and of a response on its way to the socket.
const BUFFER: usize = 64 << 10;
/// HTTP/2: bytes of one response on their way to the socket.
const SEND_BUFFER: usize = 64 << 10;
/// HTTP/2: how often a silent peer is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// No method of HTTP/1.1 but POST, PUT and PATCH begins as HTTP/2 does (RFC 9113 3.4).
const FIRST_OF_PREFACE: u8 = b'P';
/// What a TLS client begins with: a record of the handshake (RFC 8446 5.1).
const FIRST_OF_TLS: u8 = 0x16;
/// For who asks for `http://` where `https://` is spoken.
const WRONG_SCHEME: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\n\
    This port speaks HTTPS. Write https:// here.\n";

type Stream = TokioIo<Watched<Transport>>;

/// What all connections of a listener share.
pub(super) struct Rules<S> {
    pub(super) service: Arc<S>,
    pub(super) limits: Arc<Limits>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) secret: Option<Arc<Secret>>,
    pub(super) metrics: Arc<metrics::Listener>,
    pub(super) shutdown: CancellationToken,
    pub(super) protocols: Protocols,
}

/// The settings of HTTP.
pub(super) struct Protocols {
    http1: http1::Builder,
    either: auto::Builder<TokioExecutor>,
}

impl Protocols {
    pub(super) fn new(limits: &Limits) -> Self {
        // hyper's limit for reading a head also runs while a connection is idle, so it cannot tell a slow head from a
        // client that has nothing to ask. `Patience` does, without setting a timer for each request.
        let mut http1 = http1::Builder::new();
        http1.header_read_timeout(None).max_buf_size(BUFFER);
        let mut either = auto::Builder::new(TokioExecutor::new());
        either.http1().header_read_timeout(None).max_buf_size(BUFFER);
        either
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.http2_streams)
            .max_pending_accept_reset_streams(RESETS_PENDING)
            .max_local_error_reset_streams(RESETS_LOCAL)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        Self { http1, either }
    }
}

/// A connection before its first request.
struct Begun {
    transport: Transport,
    speaks_http1: bool,
    shown: Option<Shown>,
}

/// Serves one connection to its end: the client's wish, an error, the end of the server or of patience.
pub(super) async fn drive<S: origin::Service>(
    rules: Arc<Rules<S>>,
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
) {
    let _open = rules.metrics.connected();
    let begun = tokio::select! {
        begun = begin(&rules, stream) => begun,
        () = rules.shutdown.cancelled() => return,
    };
    let Begun { transport, speaks_http1, shown } = match begun {
        Ok(begun) => begun,
        Err(why) => {
            rules.metrics.closed(why);
            tracing::debug!(listener = S::NAME, %peer, why, "closed before a request");
            return;
        }
    };
    let activity = Arc::new(Activity::new(rules.limits.clone()));
    let stream = TokioIo::new(Watched::new(transport, activity.clone()));
    let client = Client { peer, place, shown, waiting: Waiting::default() };
    let (requests, slot) = (activity.clone(), Slot::default());
    let (next, asked) = (slot.clone(), rules.clone());
    let answer = service_fn(move |request| exchange(&asked, request, &client, &next, requests.begin()));
    let patience = pin!(Patience::new(activity.clone()));
    // To find out what a client speaks, `either` reads its first bytes by themselves, and hyper's buffer is then twice as
    // large for as long as the connection is open. Boxed, as few clients are served by it, and HTTP/2 needs more space.
    if speaks_http1 {
        activity.let_rest();
        serve_http1(&rules, stream, answer, patience, peer).await;
        hand_over(&slot, rules.shutdown.clone()).await;
    } else {
        let stream = TokioIo::new(Cork::new(Linger::new(stream.into_inner())));
        let connection = rules.protocols.either.serve_connection(stream, answer);
        Box::pin(async { run(pin!(connection), patience, &rules, peer).await }).await;
    }
}

/// Serves HTTP/1.1. While nothing is asked, the connection is taken apart: hyper keeps 16 KB of buffers for it, and there
/// are many connections that rest.
async fn serve_http1<S, A>(
    rules: &Rules<S>,
    mut stream: Stream,
    mut service: A,
    mut patience: Pin<&mut Patience>,
    peer: SocketAddr,
) where
    S: origin::Service,
    A: HttpService<Incoming, ResBody = Answer, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    loop {
        let mut connection = rules.protocols.http1.serve_connection(stream, service).with_upgrades();
        if run(Pin::new(&mut connection), patience.as_mut(), rules, peer).await == Run::Ended {
            return;
        }
        let Some(parts) = connection.into_parts() else { return };
        (stream, service) = (parts.io, parts.service);
        stream.inner_mut().unread(parts.read_buf);
        if !stream.inner().has_unread() && !rest(rules, &stream, patience.as_mut(), peer).await {
            return;
        }
    }
}

/// Waits for the next request to begin; false if it is not to be answered.
async fn rest<S: origin::Service>(
    rules: &Rules<S>,
    stream: &Stream,
    patience: Pin<&mut Patience>,
    peer: SocketAddr,
) -> bool {
    tokio::select! {
        ready = stream.inner().stream().socket().readable() => ready.is_ok(),
        () = rules.shutdown.cancelled() => false,
        ran_out = patience => {
            rules.give_up(ran_out, peer);
            false
        }
    }
}

/// Finds out what is spoken, or why nothing is: a name for the log and metrics.
async fn begin<S>(rules: &Rules<S>, stream: TcpStream) -> Result<Begun, &'static str> {
    match &rules.tls {
        None => {
            let first = timeout(rules.limits.idle_timeout, first(&stream)).await;
            let first = first.map_err(|_| "idle")?.map_err(|_| "left")?;
            let speaks_http1 = first != FIRST_OF_PREFACE;
            Ok(Begun { transport: Transport::Plain(stream), speaks_http1, shown: None })
        }
        // Boxed, so that who speaks without TLS does not pay for the space that a handshake takes.
        Some(tls) => match timeout(rules.limits.handshake_timeout, Box::pin(secure(tls, stream))).await {
            Ok(secured) => secured,
            Err(_) => Err("slow-handshake"),
        },
    }
}

async fn secure(tls: &Tls, stream: TcpStream) -> Result<Begun, &'static str> {
    if first(&stream).await.map_err(|_| "left")? != FIRST_OF_TLS {
        // As much as goes at once: the client is mistaken, and not worth waiting for.
        let _ = stream.try_write(WRONG_SCHEME);
        return Err("no-tls");
    }
    match tls.accept(stream).await {
        Ok(Secured { stream, speaks_http2, shown }) => {
            let transport = Transport::Tls(Box::new(stream));
            Ok(Begun { transport, speaks_http1: !speaks_http2, shown: Some(shown) })
        }
        Err(reason) => {
            tracing::debug!(%reason, "TLS handshake failed");
            Err("handshake-failed")
        }
    }
}

/// Lets another protocol go on, if a request has asked for one.
async fn hand_over(slot: &Slot, shutdown: CancellationToken) {
    let Some((upgrade, takeover)) = slot.take() else { return };
    let Ok(upgraded) = upgrade.await else { return };
    // Whoever sends more before it is answered does not do as RFC 6455 4.1 says.
    if let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<Stream>()
        && read_buf.is_empty()
    {
        takeover.run(io.into_inner().into_inner(), shutdown).await;
    }
}

/// A connection that can be told to end in good order.
trait Graceful: Future {
    fn end(self: Pin<&mut Self>);
}

impl<S> Graceful for http1::UpgradeableConnection<Stream, S>
where
    S: HttpService<Incoming, ResBody = Answer, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Graceful for auto::Connection<'_, TokioIo<Cork<Linger<Watched<Transport>>>>, S, TokioExecutor>
where
    S: Service<Request<Incoming>, Response = Response<Answer>, Error: Into<Box<dyn Error + Send + Sync>>>,
    S::Future: Send + 'static,
{
    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// The first byte, which is left where it is.
async fn first(stream: &TcpStream) -> io::Result<u8> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0]),
    }
}

/// What has become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// It is over.
    Ended,
    /// It has nothing to do for the moment.
    Rests,
}

async fn run<S: origin::Service, E: fmt::Display>(
    mut connection: Pin<&mut impl Graceful<Output = Result<(), E>>>,
    mut patience: Pin<&mut Patience>,
    rules: &Rules<S>,
    peer: SocketAddr,
) -> Run {
    let mut closing = false;
    loop {
        tokio::select! {
            // The connection goes first, so that patience is judged by what it has just done.
            biased;
            ended = connection.as_mut() => {
                if let Err(reason) = ended {
                    rules.metrics.closed("broken");
                    tracing::debug!(listener = S::NAME, %peer, %reason, "connection ended");
                }
                return Run::Ended;
            }
            () = rules.shutdown.cancelled(), if !closing => {
                closing = true;
                connection.as_mut().end();
            }
            ran_out = patience.as_mut() => {
                if ran_out == RanOut::Awake {
                    return Run::Rests;
                }
                rules.give_up(ran_out, peer);
                return Run::Ended;
            }
        }
    }
}

impl<S: origin::Service> Rules<S> {
    fn give_up(&self, ran_out: RanOut, peer: SocketAddr) {
        self.metrics.closed(ran_out.name());
        tracing::debug!(listener = S::NAME, %peer, why = ran_out.name(), "closed");
    }
}
