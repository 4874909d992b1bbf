//! The control listener: health, state of the channels. Never on the media port.

mod health;
mod states;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{Method, request::Parts};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    channel::{edge::Reader, status::Status},
    metrics::{Exposition, Metrics},
    origin::{
        CachePolicy, HttpError, Refusal, Service, media_type,
        reply::Reply,
        respond::{Content, Representation, options, respond},
        waiters::Waiting,
    },
};

const INDEX: &str = "Headwater's control listener.

/healthz          is the process alive
/readyz           may it be sent viewers, and why not
/api/v1/channels  state of every channel
/metrics          counts and latencies, for Prometheus
";

use self::states::States;

/// The control listener's service. What it tells is for operators: reasons are whole, with the URIs in them.
#[derive(Debug)]
pub struct Control {
    channels: Arc<BTreeMap<String, Reader>>,
    exposition: Exposition,
    shutdown: CancellationToken,
}

/// `/api/v1/channels`
#[derive(Serialize)]
struct Channels<'a> {
    channels: Vec<Channel<'a>>,
}

#[derive(Serialize)]
struct Channel<'a> {
    name: &'a str,
    #[serde(flatten)]
    status: Status,
}

impl Control {
    /// Tells of `channels` and of `metrics`; not ready once `shutdown` was called.
    pub fn new(
        channels: Arc<BTreeMap<String, Reader>>,
        metrics: &Metrics,
        shutdown: CancellationToken,
    ) -> Self {
        let exposition = Exposition::new(metrics).with(States(channels.clone()));
        Self { channels, exposition, shutdown }
    }

    fn find(&self, path: &str) -> Result<Representation, HttpError> {
        let text = |text: String, media_type| Representation {
            content: Content::Fresh(Bytes::from(text)),
            media_type,
            cache: CachePolicy::NoStore,
        };
        match path {
            "/" => Ok(text(INDEX.to_owned(), media_type::TEXT)),
            "/healthz" => Ok(text("alive\n".to_owned(), media_type::TEXT)),
            "/readyz" => match health::obstacles(&self.channels, &self.shutdown) {
                obstacles if obstacles.is_empty() => Ok(text("ready\n".to_owned(), media_type::TEXT)),
                obstacles => Err(not_ready(&obstacles)),
            },
            "/api/v1/channels" => Ok(text(self.list(), media_type::JSON)),
            "/metrics" => Ok(text(self.exposition.text(), media_type::OPENMETRICS)),
            _ => Err(HttpError::from(Refusal::UnknownPath)
                .explained("There is nothing at this path. / lists what there is.".to_owned())
                .cached(CachePolicy::NoStore)),
        }
    }

    fn list(&self) -> String {
        let channels = self
            .channels
            .iter()
            .map(|(name, reader)| Channel { name, status: reader.status.borrow().clone() })
            .collect();
        serde_json::to_string(&Channels { channels }).unwrap_or_default()
    }
}

fn not_ready(obstacles: &[String]) -> HttpError {
    HttpError::from(Refusal::NotReady).explained(obstacles.join("\n"))
}

impl Service for Control {
    const NAME: &'static str = "control";

    async fn answer(&self, request: &Parts, _: &Waiting) -> Reply {
        match request.method {
            Method::GET | Method::HEAD => respond(request, self.find(request.uri.path())),
            Method::OPTIONS => options(),
            _ => HttpError::from(Refusal::Method).reply(),
        }
    }
}
