//! One request and its response.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header, request::Parts,
};
use http_body::{Frame, SizeHint};
use hyper::{body::Incoming, upgrade};

use super::patience::InFlight;
use crate::{
    clock,
    metrics::{self, Held, Outcome},
    origin::{
        Service,
        body::{Aborted, Body},
        credential,
        error::HttpError,
        preview::handshake,
        refusal::Refusal,
        respond::{Verdict, finish},
        takeover::Slot,
        waiters::Waiting,
    },
};

/// Answers one request. It counts as in flight until its body has been handed over or dropped.
///
/// What hyper has read is let go of before this returns: while it is referred to, hyper takes another 8 KB to see whether
/// the client is still there, and a request may wait for long.
pub(super) fn exchange<S: Service>(
    service: Arc<S>,
    mut request: Request<Incoming>,
    client: &Client,
    slot: &Slot,
    metrics: metrics::Listener,
    in_flight: InFlight,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> + Send + use<S> {
    let began = clock::now();
    let upgrade =
        request.headers().contains_key(header::UPGRADE).then(|| (upgrade::on(&mut request), slot.clone()));
    let (peer, waiting) = (client.peer, client.waiting.clone());
    let (request, body) = request.into_parts();
    let has_body = !http_body::Body::is_end_stream(&body);
    let refused = refuse(&request, has_body);
    let request = detached(&request);
    async move {
        let response = match refused {
            Some(refusal) => HttpError::from(refusal).response(),
            None => service.answer(&request, &waiting).await,
        };
        let mut response = finish(&request.method, response);
        if has_body && request.version < Version::HTTP_2 {
            // What follows on this connection is a body that nobody asked for, or a smuggled request.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        drop(body);
        if let (Some((upgrade, slot)), Some(takeover)) = (upgrade, response.extensions_mut().remove()) {
            slot.put(upgrade, takeover);
        }
        // Over HTTP/1.1, a client that takes nothing shows on the socket.
        let is_watched = request.version == Version::HTTP_2;
        let line = Line {
            listener: S::NAME,
            peer,
            method: request.method,
            uri: request.uri,
            status: response.status(),
            verdict: response.extensions().get().copied(),
            metrics,
            sent: 0,
            whole: false,
            began,
        };
        let held = response.extensions_mut().remove();
        Ok(response.map(|body| Answer { body, line, held, in_flight, is_watched }))
    }
}

/// Who asks.
pub(super) struct Client {
    pub(super) peer: SocketAddr,
    pub(super) waiting: Waiting,
}

/// The request fields that are looked at behind this.
const FIELDS: [HeaderName; 5] =
    [header::ACCEPT_ENCODING, header::IF_MATCH, header::IF_NONE_MATCH, header::IF_RANGE, header::RANGE];

/// What is needed of a request, in memory of its own.
fn detached(received: &Parts) -> Parts {
    let (mut request, ()) = Request::new(()).into_parts();
    let handshake = received.headers.contains_key(header::UPGRADE).then_some(handshake::FIELDS);
    for name in FIELDS.into_iter().chain(handshake.into_iter().flatten()) {
        for value in received.headers.get_all(&name) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                request.headers.append(&name, value);
            }
        }
    }
    let (without_token, credential) = credential::take(received);
    request.uri = without_token.unwrap_or_else(|| {
        let uri = Uri::from_maybe_shared(Bytes::from(received.uri.to_string()));
        uri.unwrap_or_else(|_| received.uri.clone())
    });
    credential.map(|credential| request.extensions.insert(credential));
    request.method = received.method.clone();
    request.version = received.version;
    request
}

/// What is refused whatever is asked for.
fn refuse(request: &Parts, has_body: bool) -> Option<Refusal> {
    let reads = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if has_body && reads {
        return Some(Refusal::RequestBody);
    }
    let hosts = request.headers.get_all(header::HOST).iter().count();
    (request.version == Version::HTTP_11 && hosts != 1).then_some(Refusal::Host)
}

/// A body on its way, which leaves a line in the log when it has gone or was given up.
pub(super) struct Answer {
    body: Body,
    line: Line,
    /// What waited, until its first byte is handed over.
    held: Option<Held>,
    in_flight: InFlight,
    /// True if it is to be told when there is more to be taken.
    is_watched: bool,
}

struct Line {
    listener: &'static str,
    peer: SocketAddr,
    method: Method,
    uri: Uri,
    status: StatusCode,
    verdict: Option<Verdict>,
    metrics: metrics::Listener,
    sent: u64,
    /// True once there is no more to send.
    whole: bool,
    began: Instant,
}

impl Drop for Answer {
    fn drop(&mut self) {
        let Line { listener, peer, method, uri, status, verdict, metrics, sent, whole, began } = &self.line;
        let path = credential::shown(uri.path());
        let path = &*path;
        let status = status.as_u16();
        let cache = verdict.map_or("", |verdict| verdict.cache.name());
        let refusal = verdict.and_then(|verdict| verdict.refusal).map_or("", Refusal::name);
        let whole = *whole || self.body.remaining() == Some(0);
        metrics.answered(Outcome { status, cache, refusal });
        let ms = began.elapsed().as_millis() as u64;
        // A viewer asks every second or so: only what is our fault is worth a line by default.
        if status >= 500 {
            tracing::info!(target: "access", listener, %peer, %method, path, status, sent, whole, cache, refusal, ms);
        } else {
            tracing::debug!(target: "access", listener, %peer, %method, path, status, sent, whole, cache, refusal, ms);
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        if self.is_watched {
            self.in_flight.wanted();
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if self.is_watched {
            // Held by hyper until the client's window has room.
            self.in_flight.handed();
        }
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.line.sent += length;
                self.line.metrics.sent(length);
                if let Some(held) = self.held.take() {
                    held.sent(clock::now());
                }
            }
            Some(Err(Aborted)) => {}
            None => self.line.whole = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}
