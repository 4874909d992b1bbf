//! A load balancer that has no memory: each request goes to the other origin than the one before.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt, TryStreamExt};
use headwater::origin::{
    CachePolicy, Service,
    body::{Aborted, Body},
    reply::Reply,
    waiters::Waiting,
};
use http::request::Parts;

pub(super) struct Balancer {
    origins: [String; 2],
    http: reqwest::Client,
    requests: AtomicUsize,
}

impl Balancer {
    pub(super) fn new(origins: [String; 2]) -> Self {
        Self { origins, http: reqwest::Client::builder().build().unwrap(), requests: AtomicUsize::new(0) }
    }
}

impl Service for Balancer {
    const NAME: &'static str = "balancer";

    async fn answer(&self, request: &Parts, _: &Waiting) -> Reply {
        let origin = &self.origins[self.requests.fetch_add(1, Ordering::Relaxed) % 2];
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        let url = format!("{}{target}", origin.trim_end_matches('/'));
        let mut headers = request.headers.clone();
        headers.remove(http::header::HOST);
        let sent = self.http.request(request.method.clone(), url).headers(headers).send().await.unwrap();
        let mut reply = Reply::new(sent.status(), Body::empty(), CachePolicy::NoStore);
        *reply.fields() = sent.headers().clone();
        for hop in ["connection", "transfer-encoding", "content-length", "keep-alive"] {
            reply.fields().remove(hop);
        }
        *reply.response.body_mut() = match sent.content_length() {
            Some(_) => sent.bytes().await.unwrap_or_default().into(),
            None => Body::growing(sent.bytes_stream().map_err(|_| Aborted).boxed()),
        };
        reply
    }
}
