//! Asks a server as players do, and notes when what arrives.

use std::{
    error::Error as _,
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Response, Url,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, IF_NONE_MATCH, RANGE},
};
use thiserror::Error;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{hls::Range, watch::Watch};

/// No document and no segment of any sane presentation is longer.
const LONGEST: usize = 64 << 20;
const CONNECT: Duration = Duration::from_secs(5);
/// What arrives within this is one arrival.
const TOGETHER: Duration = Duration::from_millis(10);

/// Why there is no reply to judge.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Failure {
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("{bytes} bytes of status {status}, and then {why}")]
    Broken { status: u16, bytes: usize, why: String },
    #[error("{0}")]
    Unzipped(String),
    #[error("more than {LONGEST} bytes")]
    Large,
    /// The run is over; nothing is to be judged.
    #[error("stopped")]
    Stopped,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) url: Url,
    pub(super) range: Option<Range>,
    pub(super) gzip: bool,
    pub(super) etag: Option<String>,
    /// For everything, to the last byte.
    pub(super) within: Duration,
}

impl Ask {
    pub(super) fn new(url: Url, within: Duration) -> Self {
        Self { url, range: None, gzip: false, etag: None, within }
    }
}

/// What came.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// Where it came from in the end: relative references count from here.
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Decompressed.
    pub(super) body: Bytes,
    pub(super) sent: Duration,
    /// When status and header fields were here.
    pub(super) head: Duration,
    /// When how much of the body was here.
    pub(super) arrivals: Vec<Arrival>,
    pub(super) done: Duration,
}

/// Up to byte `end`, the body was here at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) end: usize,
    pub(super) at: Duration,
}

impl Reply {
    /// From the request to the header fields.
    pub(super) fn waited(&self) -> Duration {
        self.head.saturating_sub(self.sent)
    }

    pub(super) fn is_ok(&self) -> bool {
        matches!(self.status, 200 | 206)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Figures of the whole run.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) requests: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// A client of the servers that are checked.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    watch: Watch,
    stop: CancellationToken,
    traffic: Arc<Traffic>,
}

impl Client {
    /// With `http2`, HTTP/2 is spoken without TLS too; over TLS it is negotiated anyway.
    ///
    /// # Errors
    /// When the system's certificates cannot be loaded.
    pub(super) fn new(watch: Watch, stop: CancellationToken, http2: bool) -> Result<Self, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("headwater-check/", env!("CARGO_PKG_VERSION")))
            .no_gzip()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(64)
            .retry(reqwest::retry::never());
        let builder = if http2 { builder.http2_prior_knowledge() } else { builder };
        Ok(Self { http: builder.build()?, watch, stop, traffic: Arc::default() })
    }

    /// The same client, which another token stops.
    pub(super) fn until(&self, stop: CancellationToken) -> Self {
        Self { stop, ..self.clone() }
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Asks, and reads the reply to its end.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Reply, Failure> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Failure::Stopped),
            reply = self.within(ask) => reply,
        }
    }

    async fn within(&self, ask: &Ask) -> Result<Reply, Failure> {
        self.traffic.requests.fetch_add(1, Ordering::Relaxed);
        let sent = self.watch.now();
        let Ok(response) = timeout(ask.within, self.send(ask)).await else {
            return Err(Failure::Silent(ask.within));
        };
        let head = self.watch.now();
        let left = ask.within.saturating_sub(head.saturating_sub(sent));
        self.read(response?, sent, head, left).await
    }

    async fn send(&self, ask: &Ask) -> Result<Response, Failure> {
        let encoding = if ask.gzip { "gzip" } else { "identity" };
        let mut request = self.http.get(ask.url.clone()).header(ACCEPT_ENCODING, encoding);
        if let Some(Range { offset, length }) = ask.range {
            let last = length.map(|length| (offset + length.max(1) - 1).to_string()).unwrap_or_default();
            request = request.header(RANGE, format!("bytes={offset}-{last}"));
        }
        if let Some(etag) = &ask.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        request.send().await.map_err(|error| Failure::Unreachable(causes(&error)))
    }

    async fn read(
        &self,
        mut response: Response,
        sent: Duration,
        head: Duration,
        left: Duration,
    ) -> Result<Reply, Failure> {
        let status = response.status().as_u16();
        let (url, headers) = (response.url().clone(), response.headers().clone());
        let (mut body, mut arrivals) = (BytesMut::new(), Vec::new());
        let deadline = tokio::time::sleep(left);
        tokio::pin!(deadline);
        loop {
            let chunk = tokio::select! {
                chunk = response.chunk() => chunk,
                () = &mut deadline => return Err(broken(status, body.len(), "nothing more in time".into())),
            };
            let Some(chunk) = chunk.map_err(|error| broken(status, body.len(), causes(&error)))? else {
                break;
            };
            if body.len() + chunk.len() > LONGEST {
                return Err(Failure::Large);
            }
            self.traffic.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            body.extend_from_slice(&chunk);
            arrive(&mut arrivals, Arrival { end: body.len(), at: self.watch.now() });
        }
        let body = match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
            Some(b"gzip" | b"x-gzip") => unzip(&body).map_err(Failure::Unzipped)?,
            _ => body.freeze(),
        };
        Ok(Reply { url, status, headers, body, sent, head, arrivals, done: self.watch.now() })
    }
}

fn broken(status: u16, bytes: usize, why: String) -> Failure {
    Failure::Broken { status, bytes, why }
}

fn arrive(arrivals: &mut Vec<Arrival>, next: Arrival) {
    match arrivals.last_mut().filter(|last| next.at.saturating_sub(last.at) < TOGETHER) {
        Some(last) => last.end = next.end,
        None => arrivals.push(next),
    }
}

fn unzip(body: &[u8]) -> Result<Bytes, String> {
    let mut plain = Vec::new();
    let limit = LONGEST as u64;
    let read = flate2::read::GzDecoder::new(body).take(limit).read_to_end(&mut plain);
    read.map_err(|error| format!("its Content-Encoding is gzip, but it cannot be decompressed: {error}"))?;
    Ok(plain.into())
}

/// An error with what caused it: reqwest says only the outermost.
fn causes(error: &reqwest::Error) -> String {
    let mut words = if error.is_connect() { String::new() } else { "the answer broke off".to_owned() };
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !words.contains(&text) {
            words = if words.is_empty() { text } else { format!("{words}: {text}") };
        }
        cause = next.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_together_is_one_arrival() {
        let mut arrivals = Vec::new();
        for (end, at) in [(1, 0), (2, 5), (3, 9), (4, 30), (5, 31), (6, 200)] {
            arrive(&mut arrivals, Arrival { end, at: Duration::from_millis(at) });
        }
        let told: Vec<_> = arrivals.iter().map(|each| (each.end, each.at.as_millis())).collect();
        assert_eq!(told, [(3, 0), (5, 30), (6, 200)]);
    }
}
