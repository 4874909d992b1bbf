//! Listening: accepting connections until told to stop, then letting them finish.

use std::{
    future::pending,
    io::ErrorKind,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Service,
    connection::{Protocols, Rules, drive},
    crowd::{Crowd, Place, TurnedAway},
    error::Error,
    lanes::Lanes,
    secret::Secret,
    tls::Tls,
};
use crate::{
    clock,
    config::{Cdn, Limits},
    metrics,
};

/// How long responses that are under way may take to finish after the end was called (T-33).
const DRAIN: Duration = Duration::from_secs(10);
/// Connections that the system holds for us while we are busy.
const BACKLOG: u32 = 4096;
/// The longest pause after a failed accept, and so the longest time until a freed descriptor is used (T-34).
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// How often the log is told, at most, that connections are turned away.
const COMPLAINTS: Duration = Duration::from_secs(10);
/// What a client reads that is not let in.
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
    Too many connections are open. Try again in a bit.\n";

/// A port that is open, but where nobody answers yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    limits: Limits,
    cdn: Cdn,
    tls: Option<Arc<Tls>>,
    secret: Option<Arc<Secret>>,
    lanes: Option<Lanes>,
}

impl Listener {
    /// Where it listens, with the port that was chosen if port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets each client, and all of them, take so much, except for `cdn`.
    #[must_use]
    pub fn limited(self, limits: Limits, cdn: Cdn) -> Self {
        Self { limits, cdn, ..self }
    }

    /// Speaks TLS, if there is any.
    #[must_use]
    pub fn secured(self, tls: Option<Arc<Tls>>) -> Self {
        Self { tls, ..self }
    }

    /// Answers only who says `secret`, if there is one.
    #[must_use]
    pub fn confided(self, secret: Option<Secret>) -> Self {
        Self { secret: secret.map(Arc::new), ..self }
    }

    /// Serves connections on `lanes`; otherwise on the runtime that accepts them.
    #[must_use]
    pub fn on(self, lanes: Lanes) -> Self {
        Self { lanes: Some(lanes), ..self }
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
        Ok(Listener {
            address: socket.local_addr()?,
            socket,
            limits: Limits::default(),
            cdn: Cdn::default(),
            tls: None,
            secret: None,
            lanes: None,
        })
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
    let Listener { socket, limits, cdn, tls, secret, lanes, .. } = listener;
    let rules = Arc::new(Rules {
        service: Arc::new(service),
        protocols: Protocols::new(&limits),
        metrics: Arc::new(metrics.of(S::NAME)),
        limits: Arc::new(limits),
        tls,
        secret,
        shutdown,
    });
    let mut floor = Floor {
        crowd: Crowd::new(&rules.limits, &cdn, clock::now()),
        rules: rules.clone(),
        lanes,
        connections: JoinSet::new(),
        complained: None,
    };
    let mut pause = FIRST_PAUSE;
    let mut files = pin!(follow_files(&rules));
    loop {
        tokio::select! {
            () = rules.shutdown.cancelled() => break,
            () = &mut files => {}
            Some(ended) = floor.connections.join_next() => report(ended, S::NAME),
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    floor.admit(stream, peer);
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
    drop(socket);
    drain(floor.connections, S::NAME).await;
}

/// Keeps what is in files as it is there, for ever.
async fn follow_files<S>(rules: &Rules<S>) {
    let certificates = async {
        match &rules.tls {
            Some(tls) => tls.follow(&rules.metrics).await,
            None => pending().await,
        }
    };
    let secret = async {
        match &rules.secret {
            Some(secret) => secret.follow().await,
            None => pending().await,
        }
    };
    tokio::join!(certificates, secret);
}

/// The connections of a listener.
struct Floor<S> {
    crowd: Crowd,
    rules: Arc<Rules<S>>,
    lanes: Option<Lanes>,
    connections: JoinSet<()>,
    /// When the log was last told that somebody was turned away.
    complained: Option<Instant>,
}

impl<S: Service> Floor<S> {
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        match self.crowd.enter(peer.ip(), clock::now()) {
            Ok(place) => {
                prepare(&stream);
                self.seat(stream, peer, place);
            }
            Err(why) => self.turn_away(&stream, peer, why),
        }
    }

    fn seat(&mut self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let rules = self.rules.clone();
        let Some((runtime, seat)) = self.lanes.as_ref().and_then(Lanes::join) else {
            self.connections.spawn(drive(rules, stream, peer, place));
            return;
        };
        // A socket belongs to the runtime that waits for it.
        let Ok(stream) = stream.into_std() else { return };
        let connection = async move {
            let _seat = seat;
            match TcpStream::from_std(stream) {
                Ok(stream) => drive(rules, stream, peer, place).await,
                Err(error) => tracing::warn!(listener = S::NAME, %error, "a connection is lost"),
            }
        };
        self.connections.spawn_on(connection, runtime);
    }

    fn turn_away(&mut self, stream: &TcpStream, peer: SocketAddr, why: TurnedAway) {
        self.rules.metrics.closed(why.name());
        tracing::debug!(listener = S::NAME, %peer, %why, "turned away");
        let now = clock::now();
        if self.complained.is_none_or(|last| now.saturating_duration_since(last) > COMPLAINTS) {
            self.complained = Some(now);
            tracing::warn!(listener = S::NAME, %peer, %why, "connections are turned away; see [server.limits]");
        }
        if self.rules.tls.is_none() {
            // As much as goes at once. With TLS there is nothing that the client would understand.
            let _ = stream.try_write(TURNED_AWAY);
        }
    }
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
