//! A server with a flaw, in front of one without: it changes what is asked for or what is answered.

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use headwater::{
    channel::edge::{Document, Edge, TrackEdge},
    clock,
    origin::{CachePolicy, Origin, Service, body::Body, reply::Reply, waiters::Waiting},
};
use http::{StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use tokio::sync::watch;

use super::synthetic::GRID;

/// By what a server breaks a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// Rounds EXTINF otherwise once a segment is older.
    NumberRedefined,
    /// Has a TARGETDURATION that is shorter than its segments.
    SegmentLong,
    /// Gives each part to the first who asks only.
    PartMissing,
    /// Has no new segment for five seconds, once.
    SegmentLate,
    /// Holds requests for hinted parts for ever.
    HintNeverComes,
    /// Has parts without blocking reload.
    BlockReloadAbsent,
}

/// Passes everything through, but for its flaw.
pub(super) struct Flawed {
    flaw: Flaw,
    origin: Arc<Origin>,
    edge: watch::Receiver<Arc<Edge>>,
    /// The last segment when the first playlist was asked for; -1 before.
    began: AtomicI64,
    /// How often each path was asked for.
    asked: Mutex<HashMap<String, usize>>,
}

impl Flawed {
    pub(super) fn new(flaw: Flaw, origin: Arc<Origin>, edge: watch::Receiver<Arc<Edge>>) -> Self {
        Self { flaw, origin, edge, began: AtomicI64::new(-1), asked: Mutex::default() }
    }

    fn track(&self, name: &str) -> Arc<TrackEdge> {
        self.edge.borrow().tracks[name].borrow().clone()
    }

    /// True if this path was asked for before.
    fn is_known(&self, path: &str) -> bool {
        let mut asked = self.asked.lock().unwrap();
        let count = asked.entry(path.to_owned()).or_default();
        *count += 1;
        *count > 1
    }

    /// The segment that was the last one when the first playlist was asked for.
    fn began(&self, last: i64) -> i64 {
        let known = self.began.compare_exchange(-1, last, Ordering::Relaxed, Ordering::Relaxed);
        known.err().unwrap_or(last)
    }

    /// `None` if the request is to be answered as it is.
    async fn instead_of_part(&self, path: &str, track: &str, number: i64, part: u32) -> Option<Reply> {
        let head = self.track(track).head.unwrap();
        let exists = number <= head.last || (number == head.last + 1 && part < head.parts);
        match self.flaw {
            Flaw::HintNeverComes if !exists => pending().await,
            Flaw::PartMissing if self.is_known(path) => {
                Some(Reply::new(StatusCode::NOT_FOUND, Body::empty(), CachePolicy::NoStore))
            }
            _ => None,
        }
    }

    /// All wait for the segment that is open when two have come.
    async fn wait(&self, last: i64, query: &str) {
        let late = self.began(last) + 3;
        let number: Option<i64> =
            query.split('&').find_map(|pair| pair.strip_prefix("_HLS_msn=")?.parse().ok());
        if self.flaw == Flaw::SegmentLate && number.is_some_and(|number| number >= late) {
            let due = i128::from(late) * GRID.segment.as_nanos() as i128 + LATE.as_nanos() as i128;
            let left = u64::try_from(due - clock::unix_nanos()).unwrap_or(0);
            tokio::time::sleep(Duration::from_nanos(left)).await;
        }
    }

    async fn playlist(&self, track: &str, mut reply: Reply) -> Reply {
        let body = std::mem::replace(reply.response.body_mut(), Body::empty());
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let last = self.track(track).head.unwrap().last;
        let is_later = last > self.began(last) + 1;
        let document = Document::new(changed(self.flaw, is_later, last, text));
        reply.set(header::ETAG, document.etag.clone());
        *reply.response.body_mut() = document.body().into();
        reply
    }
}

/// Longer than a new segment may take, shorter than a request may be held.
const LATE: Duration = Duration::from_secs(5);

/// A playlist with the flaw.
fn changed(flaw: Flaw, is_later: bool, last: i64, text: String) -> String {
    match flaw {
        Flaw::SegmentLong => text.replace("TARGETDURATION:2\n", "TARGETDURATION:1\n"),
        Flaw::BlockReloadAbsent => text.replace("CAN-BLOCK-RELOAD=YES,", ""),
        Flaw::NumberRedefined if is_later => (last - 20..last - 3).fold(text, |text, number| {
            let segment = |duration| format!("#EXTINF:{duration},\n{number}.m4s\n");
            text.replace(&segment("2.000"), &segment("1.999"))
        }),
        _ => text,
    }
}

impl Service for Flawed {
    const NAME: &'static str = "flawed";

    async fn answer(&self, request: &Parts, connection: &Waiting) -> Reply {
        let (path, query) = (request.uri.path(), request.uri.query().unwrap_or(""));
        let mut request = request.clone();
        let names: Vec<_> = path.split('/').collect();
        let ["", "live", _, track, file] = names.as_slice() else {
            return self.origin.answer(&request, connection).await;
        };
        if let [number, part, "m4s"] = file.split('.').collect::<Vec<_>>().as_slice() {
            let (number, part) = (number.parse().unwrap(), part.parse().unwrap());
            if let Some(reply) = self.instead_of_part(path, track, number, part).await {
                return reply;
            }
        }
        let is_list = *file == "index.m3u8" && self.flaw != Flaw::None;
        if is_list {
            request.headers.remove(header::ACCEPT_ENCODING);
            self.wait(self.track(track).head.unwrap().last, query).await;
        }
        let reply = self.origin.answer(&request, connection).await;
        let is_there = reply.response.status() == StatusCode::OK;
        if is_list && is_there { self.playlist(track, reply).await } else { reply }
    }
}
