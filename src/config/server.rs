//! The listeners: where, for whom, and how much of each.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;

use super::{Error, Role, check};

/// The listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// What it does.
    pub role: Role,
    /// The media listener, safe to put behind a CDN.
    pub media: SocketAddr,
    /// The control listener, never public.
    pub control: SocketAddr,
    /// `file:` sources must lie below this directory; `None` for anywhere.
    pub file_root: Option<PathBuf>,
    /// Directory in memory for what outlives the process, for whoever is started next; `None` for that of the service manager or
    /// the session, if there is one.
    pub runtime_directory: Option<PathBuf>,
    /// How many requests may wait for what is not there yet.
    pub max_waiters: usize,
    /// How many of them on one connection.
    pub max_waiters_per_connection: usize,
    /// How many may watch over WebSockets.
    pub max_viewers: usize,
    /// How many of them one channel.
    pub max_viewers_per_channel: usize,
    /// Pages that may open WebSockets, besides our own, as browsers name them: `https://example.com`.
    pub origins: Vec<String>,
    /// Certificates of the media listener; `None` for HTTP without TLS.
    pub tls: Option<Tls>,
    /// What is known of the CDN in front.
    pub cdn: Cdn,
    /// What one client, and all of them, may take.
    pub limits: Limits,
    /// How origin nodes have the live edge; `None` if they have not.
    pub edge: Option<EdgeFeed>,
}

/// How the live edge goes from a packager to origin nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeFeed {
    /// Of an origin node: the packagers' media listeners, which are asked in turn. Empty for who packages and is asked.
    pub from: Vec<String>,
    /// File with what only these servers know: one a line, if there are several while one is being replaced.
    pub secret: PathBuf,
    /// File with the authorities by whom packagers are known over https; `None` for those of the system.
    pub ca: Option<PathBuf>,
    /// Certificate and key that a node shows to packagers.
    pub identity: Option<Pair>,
}

impl Server {
    /// Whether both listeners can be had, after one was replaced.
    ///
    /// # Errors
    /// [`Error::Listeners`].
    pub fn check(&self) -> Result<(), Error> {
        check::listeners(self).map_err(Error::Listeners)
    }
}

/// TLS of the media listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificates with their keys. Who asks for a name that none has, gets the first.
    pub pairs: Vec<Pair>,
    /// PEM file of the authorities of which a client has to show a certificate; `None` to let everybody in.
    pub client_ca: Option<PathBuf>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// PEM file: the certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// PEM file: its private key.
    pub key: PathBuf,
}

/// The CDN, or whatever else stands in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cdn {
    /// Its addresses, which no limit per address applies to: behind them are many viewers.
    pub addresses: Vec<IpNet>,
    /// Without this nothing is answered; `None` to answer everybody.
    pub secret: Option<Secret>,
}

/// What only the CDN knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Name of the request field that it comes in, in lower case.
    pub header: String,
    /// File with the value: one a line, if there are several while one is being replaced.
    pub file: PathBuf,
}

/// What one client, and all of them, may take of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections.
    pub connections: usize,
    /// Connections of one address; of IPv6, of one /64.
    pub connections_per_address: usize,
    /// Requests a second of one address, of which those of two seconds may come at once.
    pub requests_per_second: u32,
    /// Requests at a time on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Bytes of all names and values of a request's fields.
    pub header_bytes: usize,
    /// Bytes of path and query.
    pub url_bytes: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long an HTTP/1.1 request head may take from its first byte.
    pub head_timeout: Duration,
    /// How long a connection may be idle between requests, and before the first.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of what is being sent to it.
    pub stall_timeout: Duration,
    /// How much of a channel may be asked for with `start` and `end`, and after how long what has no end ends.
    pub stretch: Duration,
    /// Bytes a second that a client takes at least, over half a minute, where it cannot keep up.
    pub slowest: u64,
}
