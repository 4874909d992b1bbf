//! One connection: HTTP/1.1 or HTTP/2 over whatever bytes come, and the patience that it is shown.

mod exchange;
mod patience;

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use self::{
    exchange::exchange,
    patience::{Activity, Patience, Watched},
};
use super::{Service, waiters::Waiting};
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

/// The settings that all connections share.
pub(super) fn protocol() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // hyper's limit for reading a head also runs while a connection is idle, so it cannot tell a slow head from a
    // client that has nothing to ask. `Patience` does; this one is behind it.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience::IDLE).max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS_PENDING)
        .max_local_error_reset_streams(RESETS_LOCAL)
        .max_header_list_size(HEADER_LIST)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

/// Serves one connection to its end: the client's wish, an error, `shutdown` or the end of patience.
pub(super) async fn drive<S: Service>(
    protocol: Arc<auto::Builder<TokioExecutor>>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    service: Arc<S>,
    metrics: metrics::Listener,
    shutdown: CancellationToken,
) {
    let _open = metrics.connected();
    let activity = Arc::new(Activity::new());
    let stream = TokioIo::new(Watched::new(stream, activity.clone()));
    let (requests, waiting) = (activity.clone(), Waiting::default());
    let answer = service_fn(move |request| {
        exchange(service.clone(), request, peer, waiting.clone(), metrics.clone(), requests.begin())
    });
    let mut connection = pin!(protocol.serve_connection(stream, answer));
    let mut patience = pin!(Patience::new(activity));
    let mut closing = false;
    loop {
        tokio::select! {
            // The connection goes first, so that patience is judged by what it has just done.
            biased;
            ended = connection.as_mut() => {
                if let Err(reason) = ended {
                    tracing::debug!(listener = S::NAME, %peer, %reason, "connection ended");
                }
                return;
            }
            () = shutdown.cancelled(), if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
            ran_out = patience.as_mut() => {
                tracing::debug!(listener = S::NAME, %peer, "{ran_out}: closed");
                return;
            }
        }
    }
}
