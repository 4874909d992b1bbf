//! One request and its response.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{self, Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use futures_util::future::Either;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
    request::Parts,
    uri::{Authority, PathAndQuery},
};
use http_body::{Frame, SizeHint};
use hyper::{body::Incoming, upgrade};

use super::{Rules, patience::InFlight};
use crate::{
    clock,
    metrics::{self, Held, Outcome},
    origin::{
        Service,
        body::{Aborted, Body},
        credential,
        crowd::Place,
        error::HttpError,
        preview::handshake,
        problem,
        refusal::Refusal,
        reply::{Reply, Verdict},
        respond::finish,
        takeover::Slot,
        tls::Shown,
        waiters::Waiting,
    },
};

/// Answers one request, at once if nothing has to be waited for. It counts as in flight until its body has been handed over
/// or dropped.
///
/// What hyper has read is let go of before anything waits: while it is referred to, hyper takes another 8 KB to see whether
/// the client is still there, and a request may wait for long.
pub(super) fn exchange<S: Service>(
    rules: &Arc<Rules<S>>,
    mut request: Request<Incoming>,
    client: &Client,
    slot: &Slot,
    in_flight: InFlight,
) -> Exchange {
    let upgrade =
        request.headers().contains_key(header::UPGRADE).then(|| (upgrade::on(&mut request), slot.clone()));
    let (request, body) = request.into_parts();
    let has_body = !http_body::Body::is_end_stream(&body);
    let refused = rules.refuse(&request, client, has_body);
    if refused.is_none()
        && upgrade.is_none()
        && !has_body
        && let Some(reply) = rules.service.at_once(&request)
    {
        let reply = finish(&request, reply);
        return Either::Left(ready(Ok(rules.send(&request, reply, client.peer, in_flight))));
    }
    let (peer, waiting) = (client.peer, client.waiting.clone());
    let request = detached(&request);
    let rules = rules.clone();
    // Boxed, as hyper has room for the largest in every connection.
    Either::Right(Box::pin(async move {
        let reply = match refused {
            Some(refusal) => HttpError::from(refusal).reply(),
            None => rules.service.answer(&request, &waiting).await,
        };
        let mut reply = finish(&request, reply);
        if has_body && request.version < Version::HTTP_2 {
            // What follows on this connection is a body that nobody asked for, or a smuggled request.
            reply.set(header::CONNECTION, HeaderValue::from_static("close"));
        }
        drop(body);
        if let (Some((upgrade, slot)), Some(takeover)) = (upgrade, reply.takeover.take()) {
            slot.put(upgrade, takeover);
        }
        Ok(rules.send(&request, reply, peer, in_flight))
    }))
}

/// A response that is there, or that comes.
pub(super) type Exchange = Either<
    Ready<Result<Response<Answer>, Infallible>>,
    Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>,
>;

/// Who asks.
pub(super) struct Client {
    pub(super) peer: SocketAddr,
    pub(super) place: Place,
    /// The certificate that it was shown, over TLS.
    pub(super) shown: Option<Shown>,
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
    problem::remember(&received.headers, &mut request.extensions);
    let (without_token, credential) = credential::take(received);
    request.uri = without_token.unwrap_or_else(|| target(received));
    credential.map(|credential| request.extensions.insert(credential));
    request.method = received.method.clone();
    request.version = received.version;
    request
}

/// What is asked for. Whom it was meant for has been looked at.
fn target(received: &Parts) -> Uri {
    let target = received.uri.path_and_query();
    let target = target.map(|target| Bytes::copy_from_slice(target.as_str().as_bytes()));
    target.and_then(|target| PathAndQuery::from_maybe_shared(target).ok()).map(Uri::from).unwrap_or_default()
}

impl<S: Service> Rules<S> {
    /// The response, which tells of itself when it is over.
    fn send(&self, request: &Parts, reply: Reply, peer: SocketAddr, in_flight: InFlight) -> Response<Answer> {
        let Reply { response, verdict, held, .. } = reply;
        let line = Line {
            listener: S::NAME,
            peer,
            method: request.method.clone(),
            path: request.uri.path().into(),
            status: response.status(),
            verdict,
            metrics: self.metrics.clone(),
            sent: 0,
            whole: false,
            began: in_flight.began(),
        };
        // Over HTTP/1.1, a client that takes nothing shows on the socket.
        let is_watched = request.version == Version::HTTP_2;
        response.map(|body| Answer { body, line, held, in_flight, is_watched })
    }
}

impl<S: Service> Rules<S> {
    /// Why a request is refused whatever it asks for, the cheapest reasons first.
    fn refuse(&self, request: &Parts, client: &Client, has_body: bool) -> Option<Refusal> {
        if !client.place.may_ask() {
            return Some(Refusal::TooManyRequests);
        }
        if request.uri.path_and_query().is_some_and(|url| url.as_str().len() > self.limits.url_bytes) {
            return Some(Refusal::UriTooLong);
        }
        if field_bytes(request) > self.limits.header_bytes {
            return Some(Refusal::HeaderFields);
        }
        if has_body && matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Some(Refusal::RequestBody);
        }
        let hosts = request.headers.get_all(header::HOST).iter().count();
        if request.version == Version::HTTP_11 && hosts != 1 {
            return Some(Refusal::Host);
        }
        if self.secret.as_ref().is_some_and(|secret| !secret.is_in(&request.headers))
            && !self.service.is_apart(request)
        {
            return Some(Refusal::NotTheCdn);
        }
        client.is_misdirected(request).then_some(Refusal::Misdirected)
    }
}

fn field_bytes(request: &Parts) -> usize {
    request.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

impl Client {
    fn is_misdirected(&self, request: &Parts) -> bool {
        let Some(shown) = &self.shown else { return false };
        let field = || request.headers.get(header::HOST)?.to_str().ok()?.parse().ok();
        let authority: Option<Authority> = request.uri.authority().cloned().or_else(field);
        authority.is_some_and(|authority| shown.misdirects(authority.host()))
    }
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
    /// Without a token, unless that is at a wrong place.
    path: Box<str>,
    status: StatusCode,
    verdict: Verdict,
    metrics: Arc<metrics::Listener>,
    sent: u64,
    /// True once there is no more to send.
    whole: bool,
    began: Instant,
}

impl Drop for Answer {
    fn drop(&mut self) {
        let Line { listener, peer, method, path, status, verdict, metrics, sent, whole, began } = &self.line;
        let status = status.as_u16();
        let cache = verdict.cache.name();
        let refusal = verdict.refusal.map_or("", Refusal::name);
        let whole = *whole || self.body.remaining() == Some(0);
        metrics.answered(Outcome { status, cache, refusal });
        let ms = || began.elapsed().as_millis() as u64;
        let path = || credential::shown(path);
        // A viewer asks every second or so: only what is our fault is worth a line by default.
        if status >= 500 {
            tracing::info!(target: "access", listener, %peer, %method, path = &*path(), status, sent, whole, cache, refusal, ms = ms());
        } else {
            tracing::debug!(target: "access", listener, %peer, %method, path = &*path(), status, sent, whole, cache, refusal, ms = ms());
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
        let frame = task::ready!(Pin::new(&mut self.body).poll_frame(cx));
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
