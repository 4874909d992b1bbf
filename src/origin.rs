//! The media listener: hyper, routes, caching. Everything on it is safe to put behind a CDN.
//!
//! [`route`] says what is asked for, [`credential`] and [`gate`] whether it may be had, [`live`], [`mod@stretch`], [`preview`], [`vod`], [`listing`], [`relay`] and [`page`] find it, [`ahead`] and [`hold`] wait for it, [`mod@respond`] sends it with the
//! lifetime that [`policy`] gives it, or [`refusal`] says why not. [`mod@listen`] and [`connection`] are all that knows hyper.

pub mod ahead;
pub mod body;
pub mod conditional;
mod connection;
mod cors;
pub mod credential;
mod crowd;
pub mod encoding;
pub mod error;
mod gate;
mod hold;
mod lanes;
mod listen;
mod listing;
mod live;
mod page;
pub mod preview;
mod problem;
mod public;
pub mod range;
pub mod refusal;
mod relay;
pub mod reply;
pub mod respond;
pub mod route;
pub mod secret;
pub mod stretch;
pub mod takeover;
pub mod tls;
mod vod;
pub mod waiters;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::request::Parts;

pub use self::{
    connection::Transport,
    error::{Error, HttpError},
    lanes::Lanes,
    listen::{Listener, listen, serve},
    policy::CachePolicy,
    refusal::Refusal,
};
use self::{
    gate::{Gate, Pass},
    hold::Found,
    listing::Names,
    live::Channels,
    preview::{Preview, viewers::Viewers},
    relay::Relays,
    reply::Reply,
    respond::{Content, Representation, respond},
    route::{Resource, Route},
    secret::Secret,
    stretch::Stretches,
    vod::Assets,
    waiters::{Waiters, Waiting},
};
use crate::{
    access::Access,
    channel::edge::Reader,
    clock,
    metrics::{Relaying, Rewinding},
    store::Store,
};
pub use crate::{media_type, policy};

/// What answers the requests of a listener.
pub trait Service: Send + Sync + 'static {
    /// Its name in the log.
    const NAME: &'static str;

    /// The reply to a request, which has no body and may wait on its `connection`. For HEAD it is that of GET; the listener leaves out the body.
    fn answer(&self, request: &Parts, connection: &Waiting) -> impl Future<Output = Reply> + Send;

    /// The same if there is nothing to wait for, to refuse or to hide in the request, which is as it was received; else
    /// nothing, and [`Service::answer`] is asked. Most requests cost only this.
    fn at_once(&self, _request: &Parts) -> Option<Reply> {
        None
    }

    /// True if it asks for what has a secret of its own, which those have whom the CDN does not ask for.
    fn is_apart(&self, _request: &Parts) -> bool {
        false
    }
}

/// The media listener's service: live channels, packaged files and the viewer's page.
#[derive(Debug)]
pub struct Origin {
    readers: Arc<BTreeMap<String, Reader>>,
    live: Channels,
    stretches: Stretches,
    preview: Preview,
    assets: Assets,
    names: Names,
    gate: Gate,
    relays: Relays,
}

/// Who is let in.
#[derive(Debug)]
pub struct Admission {
    /// Requests that wait.
    pub waiters: Waiters,
    /// Viewers over WebSockets.
    pub viewers: Viewers,
    /// Pages that may open WebSockets, besides our own: `https://example.com`.
    pub origins: Vec<String>,
    /// What is signed, and whose tokens are believed.
    pub access: Access,
}

impl Origin {
    /// Serves `channels`, and what is in `store` of them and of packaged files. Requests for what comes soon wait as far as
    /// `admission` allows.
    pub fn new(channels: Arc<BTreeMap<String, Reader>>, store: Store, admission: Admission) -> Self {
        let Admission { waiters, viewers, origins, access } = admission;
        Self {
            stretches: Stretches::new(channels.clone(), store.clone(), waiters.clone()),
            live: Channels::new(channels.clone(), store.clone(), waiters),
            preview: Preview::new(channels.clone(), viewers, origins),
            relays: Relays::new(channels.clone(), None, Relaying::default()),
            readers: channels,
            assets: Assets::new(store.clone()),
            names: Names::new(store),
            gate: Gate::new(access),
        }
    }

    /// The same, of whose channels so much may be asked for at a time, which `metrics` tell of.
    #[must_use]
    pub fn stretching(self, longest: Duration, metrics: Rewinding) -> Self {
        Self { stretches: self.stretches.up_to(longest, metrics), ..self }
    }

    /// The same, which tells the edge of its channels to who says `secret`.
    #[must_use]
    pub fn relaying(self, secret: Option<Arc<Secret>>, metrics: Relaying) -> Self {
        Self { relays: Relays::new(self.readers.clone(), secret, metrics), ..self }
    }

    /// What is signed may be watched `until` that second of Unix time.
    async fn answer_route(
        &self,
        request: &Parts,
        connection: &Waiting,
        route: Route<'_>,
        until: Option<i64>,
    ) -> Reply {
        match route {
            Route::Options => cors::preflight(),
            Route::Live(resource) => {
                let found = match resource.stretch {
                    Some(stretch) => self.stretches.find(resource, stretch, connection).await,
                    None => self.live.find(resource, connection).await,
                };
                let (found, held) = match found {
                    Ok(Found { found, held }) => (Ok(found), held),
                    Err(refused) => (Err(refused), None),
                };
                Reply { held, ..respond(request, found) }
            }
            Route::Socket(socket) => {
                self.preview.answer(request, socket, until).unwrap_or_else(HttpError::reply)
            }
            Route::Edge(channel) => self.relays.answer(request, channel).unwrap_or_else(HttpError::reply),
            Route::Vod(resource) => respond(request, self.assets.find(resource, request.uri.path()).await),
            Route::Listing => {
                respond(request, Ok(listing::find(&self.readers, &self.names, &self.gate).await))
            }
            Route::Time => respond(request, Ok(time())),
            Route::Page(file) => page::confined(respond(request, page::find(file))),
        }
    }
}

impl Service for Origin {
    const NAME: &'static str = "media";

    fn at_once(&self, request: &Parts) -> Option<Reply> {
        if credential::is_in(request) {
            return None;
        }
        let route = route::parse(&request.method, request.uri.path(), request.uri.query()).ok()?;
        let found = match route {
            Route::Live(Resource { stretch: Some(_), .. }) => return None,
            Route::Live(resource) if !self.gate.is_signed(resource.presentation) => {
                self.live.at_once(resource)?
            }
            Route::Vod(_) if !self.gate.is_vod_signed() => self.assets.at_once(request.uri.path())?,
            _ => return None,
        };
        let reply = respond(request, Ok(found));
        reply.refused.is_none().then(|| cors::allowed(reply))
    }

    fn is_apart(&self, request: &Parts) -> bool {
        let path = request.uri.path();
        self.relays.is_open()
            && path.ends_with("/edge")
            && matches!(route::parse(&request.method, path, None), Ok(Route::Edge(_)))
    }

    async fn answer(&self, request: &Parts, connection: &Waiting) -> Reply {
        let reply = match route::parse(&request.method, request.uri.path(), request.uri.query()) {
            Ok(route) => match self.gate.pass(request, route, clock::wall_seconds) {
                Ok(Pass::Through(until)) => self.answer_route(request, connection, route, until).await,
                Ok(Pass::Again(location)) => gate::again(location),
                Err(refused) => HttpError::from(refused).reply(),
            },
            Err(refused) => refused.reply(),
        };
        cors::allowed(reply)
    }
}

/// `urn:mpeg:dash:utc:http-iso:2014` (ISO/IEC 23009-1 5.8.5.7).
fn time() -> Representation {
    let nanos = i64::try_from(clock::unix_nanos()).unwrap_or_default();
    let text = DateTime::<Utc>::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Millis, true);
    Representation {
        content: Content::Fresh(Bytes::from(text)),
        media_type: media_type::TEXT,
        cache: CachePolicy::NoStore,
    }
}
