//! One connection: HTTP/1.1 or HTTP/2 over whatever bytes come, and the patience that it is shown.

mod exchange;
mod patience;

use std::{
    error::Error,
    fmt, io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
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
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

use self::{
    exchange::{Answer, Client, exchange},
    patience::{Activity, Patience, Watched},
};
use super::{self as origin, takeover::Slot, waiters::Waiting};
use crate::metrics;

/// Streams of one HTTP/2 connection: above what a browser opens, below what would let one client starve others.
const STREAMS: u32 = 250;
/// Streams that a client may reset before they are looked at (CVE-2023-44487), and those that we reset because the
/// client broke the protocol (CVE-2025-8671), before the connection is closed.
const RESETS_PENDING: usize = 20;
const RESETS_LOCAL: usize = 100;
/// Bytes of request fields.
const HEADER_LIST: u32 = 16 << 10;
/// HTTP/1.1: bytes of a request head, and of a response on its way to the socket.
const BUFFER: usize = 64 << 10;
/// HTTP/2: bytes of one response on their way to the socket.
const SEND_BUFFER: usize = 64 << 10;
/// HTTP/2: how often a silent peer is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// No method of HTTP/1.1 but POST, PUT and PATCH begins as HTTP/2 does (RFC 9113 3.4).
const FIRST_OF_PREFACE: u8 = b'P';

type Stream = TokioIo<Watched<TcpStream>>;

/// The settings that all connections share.
pub(super) struct Protocols {
    http1: http1::Builder,
    either: auto::Builder<TokioExecutor>,
}

impl Protocols {
    pub(super) fn new() -> Self {
        let mut http1 = http1::Builder::new();
        // hyper's limit for reading a head also runs while a connection is idle, so it cannot tell a slow head from a
        // client that has nothing to ask. `Patience` does; this one is behind it.
        http1.timer(TokioTimer::new()).header_read_timeout(patience::IDLE).max_buf_size(BUFFER);
        let mut either = auto::Builder::new(TokioExecutor::new());
        either.http1().timer(TokioTimer::new()).header_read_timeout(patience::IDLE).max_buf_size(BUFFER);
        either
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_pending_accept_reset_streams(RESETS_PENDING)
            .max_local_error_reset_streams(RESETS_LOCAL)
            .max_header_list_size(HEADER_LIST)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        Self { http1, either }
    }
}

/// Serves one connection to its end: the client's wish, an error, `shutdown` or the end of patience.
pub(super) async fn drive<S: origin::Service>(
    protocols: Arc<Protocols>,
    stream: TcpStream,
    peer: SocketAddr,
    service: Arc<S>,
    metrics: metrics::Listener,
    shutdown: CancellationToken,
) {
    let _open = metrics.connected();
    let speaks = tokio::select! {
        speaks = timeout(patience::IDLE, speaks_http1(&stream)) => speaks,
        () = shutdown.cancelled() => return,
    };
    let Ok(Ok(speaks_http1)) = speaks else { return };
    let activity = Arc::new(Activity::new());
    let stream = TokioIo::new(Watched::new(stream, activity.clone()));
    let (requests, client, slot) =
        (activity.clone(), Client { peer, waiting: Waiting::default() }, Slot::default());
    let next = slot.clone();
    let answer = service_fn(move |request| {
        exchange(service.clone(), request, &client, &next, metrics.clone(), requests.begin())
    });
    let patience = Patience::new(activity);
    let name = S::NAME;
    // To find out what a client speaks, `either` reads its first bytes by themselves, and hyper's buffer is then twice as
    // large for as long as the connection is open. Boxed, as few clients are served by it, and HTTP/2 needs more space.
    if speaks_http1 {
        let connection = protocols.http1.serve_connection(stream, answer).with_upgrades();
        run(connection, patience, shutdown.clone(), name, peer).await;
        hand_over(&slot, shutdown).await;
    } else {
        let connection = protocols.either.serve_connection(stream, answer);
        Box::pin(run(connection, patience, shutdown, name, peer)).await;
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

impl<S> Graceful for auto::Connection<'_, Stream, S, TokioExecutor>
where
    S: Service<Request<Incoming>, Response = Response<Answer>, Error: Into<Box<dyn Error + Send + Sync>>>,
    S::Future: Send + 'static,
{
    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// True if the first byte, which is left where it is, rules HTTP/2 out.
async fn speaks_http1(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0] != FIRST_OF_PREFACE),
    }
}

async fn run<E: fmt::Display>(
    connection: impl Graceful<Output = Result<(), E>>,
    patience: Patience,
    shutdown: CancellationToken,
    listener: &'static str,
    peer: SocketAddr,
) {
    let mut connection = pin!(connection);
    let mut patience = pin!(patience);
    let mut closing = false;
    loop {
        tokio::select! {
            // The connection goes first, so that patience is judged by what it has just done.
            biased;
            ended = connection.as_mut() => {
                if let Err(reason) = ended {
                    tracing::debug!(listener, %peer, %reason, "connection ended");
                }
                return;
            }
            () = shutdown.cancelled(), if !closing => {
                closing = true;
                connection.as_mut().end();
            }
            ran_out = patience.as_mut() => {
                tracing::debug!(listener, %peer, "{ran_out}: closed");
                return;
            }
        }
    }
}
