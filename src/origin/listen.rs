//! Listening: accepting connections until told to stop, then letting them finish.

use std::{io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Service,
    connection::{Protocols, drive},
    error::Error,
};
use crate::metrics;

/// How long responses that are under way may take to finish after the end was called (T-33).
const DRAIN: Duration = Duration::from_secs(10);
/// Connections that the system holds for us while we are busy.
const BACKLOG: u32 = 4096;
/// The longest pause after a failed accept, and so the longest time until a freed descriptor is used (T-34).
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// A port that is open, but where nobody answers yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Where it listens, with the port that was chosen if port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Opens `address`. Has to be called within a Tokio runtime.
///
/// # Errors
/// Says what is in the way and what would be right.
pub fn listen(address: SocketAddr) -> Result<Listener, Error> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Otherwise a restart would have to wait for the last connections of the run before it.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        Ok(Listener { address: socket.local_addr()?, socket })
    };
    open().map_err(|error: std::io::Error| match error.kind() {
        ErrorKind::AddrInUse => Error::PortInUse(address),
        ErrorKind::PermissionDenied => Error::NotAllowed(address),
        ErrorKind::AddrNotAvailable => Error::NoSuchAddress(address),
        _ => Error::Listen(address, error),
    })
}

/// Answers on `listener` until `shutdown`; then no connection is accepted, idle ones are closed, and responses under
/// way have ten seconds to finish.
pub async fn serve<S: Service>(
    listener: Listener,
    service: S,
    metrics: metrics::Http,
    shutdown: CancellationToken,
) {
    let metrics = metrics.of(S::NAME);
    let service = Arc::new(service);
    let protocols = Arc::new(Protocols::new());
    let mut connections = JoinSet::new();
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => report(ended, S::NAME),
            accepted = listener.socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    prepare(&stream);
                    let (protocols, service, metrics) = (protocols.clone(), service.clone(), metrics.clone());
                    connections.spawn(drive(protocols, stream, peer, service, metrics, shutdown.clone()));
                }
                // The connection's fault, not the listener's: the next one may be fine.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
                // No descriptors or no memory: trying at once again would only burn the processor (hyper#1358).
                Err(error) => {
                    tracing::warn!(listener = S::NAME, %error, "cannot accept connections; trying again in {pause:?}");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
    drop(listener);
    drain(connections, S::NAME).await;
}

/// A response leaves in as few packets as it fits in anyway, so nothing is gained by waiting for more.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY is not set");
    }
}

/// A panic ends one connection and nothing else, but it is a bug that somebody should read about.
fn report(ended: Result<(), JoinError>, listener: &'static str) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(listener, %error, "a connection's task panicked");
    }
}

async fn drain(mut connections: JoinSet<()>, listener: &'static str) {
    let all_done = async {
        while let Some(ended) = connections.join_next().await {
            report(ended, listener);
        }
    };
    if timeout(DRAIN, all_done).await.is_err() {
        tracing::warn!(listener, connections = connections.len(), "still sending after {DRAIN:?}: closed");
        connections.shutdown().await;
    }
}
