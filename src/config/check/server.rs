//! The tables `[server]` and below.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use http::HeaderName;
use reqwest::Url;

use super::Refusal;
use crate::config::{
    Cdn, EdgeFeed, Limits, Pair, Role, Secret, Server, Tls, defaults, file, mistake::without_secrets,
    unit::Span,
};

/// hyper reads no head of more than 64 KiB, and a player of ours needs half a kilobyte.
const HEADER_BYTES: RangeInclusive<usize> = 1 << 10..=60 << 10;
const URL_BYTES: RangeInclusive<usize> = 256..=32 << 10;
/// Below, nobody on a bad line would get through; above, there is no limit.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(3600);
/// One of the longest segments, and what nobody would want in one list.
const STRETCHES: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(31 * 86_400);

pub(super) fn check(written: file::Server) -> Result<Server, Refusal> {
    let count = |written: Option<NonZeroUsize>, default| written.map_or(default, NonZeroUsize::get);
    let role = written.role.unwrap_or_default();
    let identity = identity(written.edge_certificate_file, written.edge_key_file)?;
    let edge = edge(written.edge_from, written.edge_secret_file, role)?;
    Ok(Server {
        edge: secured(edge, written.edge_ca_file, identity)?,
        role,
        media: written.media.map_or(defaults::MEDIA, |address| address.0),
        control: written.control.map_or(defaults::CONTROL, |address| address.0),
        file_root: written.file_root,
        runtime_directory: written.runtime_directory,
        max_waiters: count(written.max_waiters, defaults::MAX_WAITERS),
        max_waiters_per_connection: count(
            written.max_waiters_per_connection,
            defaults::MAX_WAITERS_PER_CONNECTION,
        ),
        max_viewers: written.max_viewers.unwrap_or(defaults::MAX_VIEWERS),
        max_viewers_per_channel: count(written.max_viewers_per_channel, defaults::MAX_VIEWERS_PER_CHANNEL),
        origins: written.origins.into_iter().map(|origin| origin.0).collect(),
        tls: written.tls.map(tls),
        cdn: cdn(written.cdn)?,
        limits: limits(written.limits)?,
    })
}

/// A packager may have the file of its nodes, so of whom it would take the edge does not matter to it.
fn edge(
    from: Option<file::OneOrMore>,
    secret: Option<PathBuf>,
    role: Role,
) -> Result<Option<EdgeFeed>, Refusal> {
    let wrong = |key: &str, reason: &str| Err((format!("server.{key}"), reason.to_owned()));
    let from = match from {
        None => Vec::new(),
        Some(file::OneOrMore::One(url)) => vec![url],
        Some(file::OneOrMore::More(urls)) => urls,
    };
    for url in &from {
        packager(url).map_err(|reason| ("server.edge_from".to_owned(), reason))?;
    }
    match (secret, role, from.is_empty()) {
        (None, _, true) => Ok(None),
        (None, _, false) => wrong(
            "edge_secret_file",
            "is missing: it comes with edge_from; write the name of a file with the secret that the packager has too",
        ),
        (Some(_), Role::Origin, true) => wrong(
            "edge_from",
            "is missing: it comes with edge_secret_file; write for example \"http://packager:8080\"",
        ),
        (Some(secret), Role::Origin, false) => Ok(Some(EdgeFeed { from, secret, ca: None, identity: None })),
        (Some(secret), Role::All, _) => {
            Ok(Some(EdgeFeed { from: Vec::new(), secret, ca: None, identity: None }))
        }
    }
}

/// A packager may have these too, as the rest of the file of its nodes.
fn secured(
    edge: Option<EdgeFeed>,
    ca: Option<PathBuf>,
    identity: Option<Pair>,
) -> Result<Option<EdgeFeed>, Refusal> {
    let lonely = match (&edge, &ca, &identity) {
        (None, Some(_), _) => "edge_ca_file",
        (None, None, Some(_)) => "edge_certificate_file",
        _ => return Ok(edge.map(|edge| EdgeFeed { ca, identity, ..edge })),
    };
    let reason = "comes with edge_from and edge_secret_file: write those too, or none of them";
    Err((format!("server.{lonely}"), reason.to_owned()))
}

fn identity(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Pair>, Refusal> {
    let missing = |key: &str, other: &str| {
        Err((format!("server.{key}"), format!("is missing: it comes with {other}; write both, or neither")))
    };
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(Pair { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => missing("edge_key_file", "edge_certificate_file"),
        (None, Some(_)) => missing("edge_certificate_file", "edge_key_file"),
    }
}

/// Whether it is the URL of a media listener.
fn packager(written: &str) -> Result<(), String> {
    let url = Url::parse(written).ok().filter(|url| url.has_host() && url.username().is_empty());
    let is_one = url.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none()
    });
    is_one.then_some(()).ok_or_else(|| {
        format!(
            "{:?} is no URL of a media listener; write scheme, host and port, for example \"http://packager:8080\"",
            without_secrets(written)
        )
    })
}

fn tls(written: file::Tls) -> Tls {
    let first = file::Pair { certificate: written.certificate, key: written.key };
    let pairs = std::iter::once(first).chain(written.also);
    let pairs = pairs.map(|file::Pair { certificate, key }| Pair { certificate, key }).collect();
    Tls { pairs, client_ca: written.client_ca }
}

fn cdn(written: file::Cdn) -> Result<Cdn, Refusal> {
    let addresses = written
        .addresses
        .map_or(Cdn::default().addresses, |networks| networks.into_iter().map(|network| network.0).collect());
    let secret = match (written.secret_header, written.secret_file) {
        (None, None) => None,
        (Some(header), Some(file)) => Some(Secret { header: field(header)?, file }),
        (Some(_), None) => return Err(missing("secret_file", "the file with its value", "secret_header")),
        (None, Some(_)) => {
            return Err(missing("secret_header", "the name of the request field", "secret_file"));
        }
    };
    Ok(Cdn { addresses, secret })
}

fn field(written: String) -> Result<String, Refusal> {
    match HeaderName::try_from(&written) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => {
            let reason =
                format!("{written:?} is no name of a request field; write for example \"x-origin-secret\"");
            Err(("server.cdn.secret_header".into(), reason))
        }
    }
}

fn missing(key: &str, what: &str, other: &str) -> Refusal {
    (format!("server.cdn.{key}"), format!("is missing: {what} comes with {other}"))
}

fn limits(written: file::Limits) -> Result<Limits, Refusal> {
    let default = Limits::default();
    let count = |written: Option<NonZeroUsize>, default| written.map_or(default, NonZeroUsize::get);
    let rate = |written: Option<NonZeroU32>, default| written.map_or(default, NonZeroU32::get);
    Ok(Limits {
        connections: count(written.connections, default.connections),
        connections_per_address: count(written.connections_per_address, default.connections_per_address),
        requests_per_second: rate(written.requests_per_second, default.requests_per_second),
        http2_streams: rate(written.http2_streams, default.http2_streams),
        header_bytes: bytes("header_bytes", written.header_bytes, default.header_bytes, HEADER_BYTES)?,
        url_bytes: bytes("url_bytes", written.url_bytes, default.url_bytes, URL_BYTES)?,
        handshake_timeout: span("handshake_timeout", written.handshake_timeout, default.handshake_timeout)?,
        head_timeout: span("head_timeout", written.head_timeout, default.head_timeout)?,
        idle_timeout: span("idle_timeout", written.idle_timeout, default.idle_timeout)?,
        stall_timeout: span("stall_timeout", written.stall_timeout, default.stall_timeout)?,
        stretch: span_within("stretch", written.stretch, default.stretch, STRETCHES)?,
        slowest: written.slowest_bytes_per_second.unwrap_or(default.slowest),
    })
}

fn bytes(
    key: &str,
    written: Option<usize>,
    default: usize,
    possible: RangeInclusive<usize>,
) -> Result<usize, Refusal> {
    let bytes = written.unwrap_or(default);
    if possible.contains(&bytes) {
        return Ok(bytes);
    }
    let reason = format!("{bytes} is impossible; {} to {} are possible", possible.start(), possible.end());
    Err((format!("server.limits.{key}"), reason))
}

fn span(key: &str, written: Option<Span>, default: Duration) -> Result<Duration, Refusal> {
    span_within(key, written, default, TIMEOUTS)
}

fn span_within(
    key: &str,
    written: Option<Span>,
    default: Duration,
    possible: RangeInclusive<Duration>,
) -> Result<Duration, Refusal> {
    let span = written.map_or(default, |span| span.0);
    if possible.contains(&span) {
        return Ok(span);
    }
    let (least, most) = (Span(*possible.start()), Span(*possible.end()));
    Err((
        format!("server.limits.{key}"),
        format!("{} is impossible; {least} to {most} are possible", Span(span)),
    ))
}
