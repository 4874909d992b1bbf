//! A server of that presentation, right in all it does but for one fault.

use std::{
    collections::HashMap,
    convert::Infallible,
    io::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    fault::{Fault, Protocol},
    lists::{self, Edge, Form, published},
    stream::{self as media, NANOS, Name, now},
};

type Body = BoxBody<Bytes, std::io::Error>;

/// After so many an MPD that turns does.
const UPDATES_AT_FIRST: u64 = 3;

/// A running server, which ends with the test.
pub(super) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Arc::new(Faulty { fault, counts: Mutex::default() });
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let server = server.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let server = server.clone();
                    async move { Ok::<_, Infallible>(server.answer(request).await) }
                });
                tokio::spawn(async move {
                    let connection = auto::Builder::new(TokioExecutor::new());
                    let _ = connection.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { address, task }
    }

    pub(super) fn urls(&self, protocol: Protocol) -> Vec<String> {
        let paths: &[&str] = match protocol {
            Protocol::LowLatencyHls => &["index.m3u8"],
            Protocol::PlainHls => &["plain.m3u8"],
            Protocol::Dash => &["manifest.mpd"],
            Protocol::DashTimeline => &["timeline.mpd"],
            Protocol::DashThenTimeline => &["then-timeline.mpd"],
            Protocol::DashThenNumbers => &["then-numbers.mpd"],
            Protocol::Both => &["index.m3u8", "manifest.mpd"],
        };
        paths.iter().map(|path| format!("http://{}/live/{path}", self.address)).collect()
    }
}

struct Faulty {
    fault: Fault,
    /// How often each path was asked for.
    counts: Mutex<HashMap<String, u64>>,
}

/// `_HLS_msn`, `_HLS_part` and `_HLS_skip`.
#[derive(Default)]
struct Directives {
    number: Option<i64>,
    part: Option<usize>,
    skip: bool,
}

/// How a list is asked for, and how often its path was.
struct Asked {
    directives: Directives,
    gzip: bool,
    count: u64,
}

impl Directives {
    fn read(query: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "_HLS_msn" => read.number = value.parse().ok(),
                "_HLS_part" => read.part = value.parse().ok(),
                "_HLS_skip" => read.skip = true,
                _ => {}
            }
        }
        read
    }
}

impl Faulty {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default();
        let gzip = request.headers().get(header::ACCEPT_ENCODING).is_some_and(|value| value == "gzip");
        let count = {
            let mut counts = self.counts.lock().unwrap();
            let count = counts.entry(path.clone()).or_default();
            *count += 1;
            *count
        };
        let pieces: Vec<&str> = path.trim_start_matches("/live/").split('/').collect();
        match pieces.as_slice() {
            ["", "time"] => self.time(),
            ["index.m3u8"] => document("m3u8", lists::multivariant(true), gzip, 1),
            ["plain.m3u8"] => document("m3u8", lists::multivariant(false), gzip, 1),
            ["manifest.mpd"] => self.mpd(self.fault, false, count, gzip),
            ["timeline.mpd"] => self.mpd(self.fault, true, count, gzip),
            ["then-timeline.mpd"] => self.turning(true, count, gzip),
            ["then-numbers.mpd"] => self.turning(false, count, gzip),
            [name, file] => match Name::of(name) {
                Some(name) if *file == "ended.m3u8" => {
                    let edge = Edge { number: now() / NANOS - 5, parts: 0 };
                    let text = lists::media(Fault::None, name, edge, Form::default());
                    document("m3u8", text + "#EXT-X-ENDLIST\n", gzip, 1)
                }
                Some(name) if file.ends_with(".m3u8") => {
                    let form = Form { low_latency: *file == "index.m3u8", ..Form::default() };
                    self.list(name, form, Asked { directives: Directives::read(query), gzip, count }).await
                }
                Some(name) => self.media(name, file, count).await,
                None => refusal(404),
            },
            _ => refusal(404),
        }
    }

    fn time(&self) -> Response<Body> {
        let now = match self.fault {
            Fault::ClockSilent => return refusal(500),
            Fault::ClockWrong => now() - 2 * NANOS,
            _ => now(),
        };
        let date = chrono::DateTime::from_timestamp_nanos(now);
        document("txt", date.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), false, 0)
    }

    /// An MPD that is right for a few updates, and then addresses segments in the other form, with the fault.
    fn turning(&self, timeline: bool, count: u64, gzip: bool) -> Response<Body> {
        match count <= UPDATES_AT_FIRST {
            true => self.mpd(Fault::None, !timeline, count, gzip),
            false => self.mpd(self.fault, timeline, count, gzip),
        }
    }

    fn mpd(&self, fault: Fault, timeline: bool, count: u64, gzip: bool) -> Response<Body> {
        let text = lists::mpd(fault, timeline);
        let keep = if fault == Fault::Poor { 60 } else { 1 };
        match fault {
            Fault::ListTorn if count.is_multiple_of(3) => {
                document("mpd", text[..text.len() / 2].to_owned(), gzip, keep)
            }
            _ => document("mpd", text, gzip, keep),
        }
    }

    async fn list(&self, name: Name, form: Form, asked: Asked) -> Response<Body> {
        let fault = self.fault;
        if fault == Fault::PlaylistMissing && name == Name::Sound {
            return refusal(500);
        }
        if let Err(refused) = self.block(name, &asked.directives).await {
            return refused;
        }
        let mut edge = lists::edge(fault, name, now());
        let short = fault == Fault::ListGoesBack && asked.count.is_multiple_of(3);
        edge.number -= match fault {
            Fault::SegmentsInPairs => edge.number % 2,
            Fault::GzipOld => i64::from(asked.gzip),
            _ => i64::from(short),
        };
        let mut text = lists::media(fault, name, edge, Form { delta: asked.directives.skip, short, ..form });
        if fault == Fault::ListTorn && asked.count.is_multiple_of(5) {
            let cut = text.rfind("#EXTINF:").unwrap();
            text.truncate(cut + "#EXTINF:1.".len());
        }
        if fault == Fault::ListCutShort && now() / NANOS % 3 == 0 {
            return cut_short(text.into());
        }
        let keep = match (fault, asked.directives.number) {
            (Fault::Poor, _) => 60,
            (_, Some(_)) => 6,
            (_, None) => 1,
        };
        document(if fault == Fault::Poor { "poor" } else { "m3u8" }, text, asked.gzip, keep)
    }

    /// Holds a request until there is what it wants.
    async fn block(&self, name: Name, directives: &Directives) -> Result<(), Response<Body>> {
        let fault = self.fault;
        let Some(number) = directives.number else {
            return if directives.part.is_some() && fault != Fault::Poor {
                Err(refusal(400))
            } else {
                Ok(())
            };
        };
        let edge = lists::edge(fault, name, now());
        if number > edge.number + 1 {
            if fault == Fault::HoldsFarAhead {
                tokio::time::sleep(Duration::from_millis(1200)).await;
            }
            return Err(if fault == Fault::Poor { kept(404, 60) } else { refusal(400) });
        }
        let count = media::segment(fault.flaw(), name, number).len();
        let part = directives.part.unwrap_or(count - 1);
        let is_there = Edge { number, parts: part } < edge;
        match fault {
            Fault::AnswersEarly => return Ok(()),
            Fault::RefusesNext if part == 0 && !is_there => return Err(refusal(404)),
            Fault::RefusesRollover if part >= count => return Err(refusal(400)),
            Fault::HoldsOld if number + 1 < edge.number => {
                tokio::time::sleep(Duration::from_millis(800)).await
            }
            Fault::NeverAnswers if name == Name::High && number % 3 == 0 && part == 0 && !is_there => {
                std::future::pending().await
            }
            _ => {}
        }
        let due = match part >= count {
            true => published(fault, name, number + 1, 0),
            false => published(fault, name, number, part),
        };
        sleep_until(due).await;
        Ok(())
    }

    async fn media(&self, name: Name, file: &str, count: u64) -> Response<Body> {
        let numbers: Vec<&str> = file.trim_end_matches(".m4s").split('.').collect();
        match numbers.as_slice() {
            ["init", "mp4"] if self.fault == Fault::InitMissing => refusal(404),
            ["init", "mp4"] => self.file(name.init(), count),
            [number, part] => match (number.parse(), part.parse()) {
                (Ok(number), Ok(part)) => self.part(name, number, part).await,
                _ => refusal(404),
            },
            [number] => match number.parse() {
                Ok(number) => self.segment(name, number, count).await,
                _ => refusal(404),
            },
            _ => refusal(404),
        }
    }

    async fn part(&self, name: Name, number: i64, part: usize) -> Response<Body> {
        let edge = lists::edge(self.fault, name, now());
        if number > edge.number + 1 || self.fault == Fault::PartsGone && number < edge.number - 3 {
            return refusal(404);
        }
        let parts = media::segment(self.fault.flaw(), name, number);
        let Some(found) = parts.get(part) else { return refusal(404) };
        if self.fault == Fault::HintsRefused && published(self.fault, name, number, part) > now() {
            return refusal(404);
        }
        sleep_until(published(self.fault, name, number, part)).await;
        self.file(found.bytes.clone(), 1)
    }

    async fn segment(&self, name: Name, number: i64, count: u64) -> Response<Body> {
        let fault = self.fault;
        let edge = lists::edge(fault, name, now());
        let missing = fault == Fault::SegmentMissing && number % 4 == 0;
        let gone = fault == Fault::SegmentsGone && number < edge.number - 12;
        if number > edge.number || missing || gone {
            return refusal(404);
        }
        let parts = media::segment(fault.flaw(), name, number);
        let stalls = fault == Fault::JoinStalls && count > 1;
        if number == edge.number && fault != Fault::NotStreamed && !stalls {
            return self.streamed(name, number);
        }
        sleep_until(published(fault, name, number, parts.len() - 1)).await;
        let mut body: Vec<u8> = parts.iter().flat_map(|part| part.bytes.to_vec()).collect();
        let changed = matches!(fault, Fault::BodyChanged | Fault::EtagReused) && count > 1;
        if fault == Fault::PartsOther || changed {
            body.extend(*b"\0\0\0\x08free");
        }
        if fault == Fault::SegmentCutShort && number % 4 == 0 {
            return cut_short(body.into());
        }
        self.file(body.into(), count)
    }

    /// Each part as it is published.
    fn streamed(&self, name: Name, number: i64) -> Response<Body> {
        let fault = self.fault;
        let parts = stream::unfold(0, move |part| async move {
            let bytes = media::segment(fault.flaw(), name, number).get(part)?.bytes.clone();
            sleep_until(published(fault, name, number, part)).await;
            Some((Ok(Frame::data(bytes)), part + 1))
        });
        self.headers(Response::builder()).body(BodyExt::boxed(StreamBody::new(parts))).unwrap()
    }

    fn headers(&self, builder: http::response::Builder) -> http::response::Builder {
        if self.fault == Fault::Poor {
            return builder.header(header::CACHE_CONTROL, "max-age=2");
        }
        builder
            .header(header::CACHE_CONTROL, "max-age=31536000, immutable")
            .header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
    }

    fn file(&self, body: Bytes, count: u64) -> Response<Body> {
        let etag = match self.fault {
            Fault::EtagReused => "\"same\"".to_owned(),
            Fault::EtagChanged => format!("\"{count}\""),
            Fault::Poor => format!("W/{}", etag(&body)),
            _ => etag(&body),
        };
        self.headers(Response::builder()).header(header::ETAG, etag).body(full(body)).unwrap()
    }
}

async fn sleep_until(unix_nanos: i64) {
    tokio::time::sleep(Duration::from_nanos(u64::try_from(unix_nanos - now()).unwrap_or(0))).await;
}

fn full(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed()
}

fn etag(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    format!("\"{}\"", hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn document(kind: &str, text: String, gzip: bool, keep: u64) -> Response<Body> {
    let builder = Response::builder().header(header::CACHE_CONTROL, format!("max-age={keep}"));
    let builder =
        if kind == "poor" { builder } else { builder.header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*") };
    let builder = builder.header(header::ETAG, etag(text.as_bytes()));
    if !gzip {
        return builder.body(full(text.into())).unwrap();
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    let body = encoder.finish().unwrap();
    builder.header(header::CONTENT_ENCODING, "gzip").body(full(body.into())).unwrap()
}

/// Promises a body, and breaks off in its middle.
fn cut_short(body: Bytes) -> Response<Body> {
    let half = body.slice(..body.len() / 2);
    let frames = stream::unfold(Some(half), async |half| {
        let frame = half.map(|half| (Ok(Frame::data(half)), None));
        if frame.is_none() {
            // What was written is on its way before the connection is closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(frame.unwrap_or_else(|| (Err(std::io::Error::other("broken off")), None)))
    });
    let builder = Response::builder().header(header::CONTENT_LENGTH, body.len());
    builder.body(BodyExt::boxed(StreamBody::new(frames))).unwrap()
}

fn refusal(status: u16) -> Response<Body> {
    kept(status, 1)
}

fn kept(status: u16, keep: u64) -> Response<Body> {
    let builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    builder.header(header::CACHE_CONTROL, format!("max-age={keep}")).body(full(Bytes::new())).unwrap()
}
