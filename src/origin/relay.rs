//! The live edge for origin nodes: a response without an end, for who says what only our own servers know.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::stream::{self, StreamExt};
use http::{HeaderValue, StatusCode, header, request::Parts};

use super::{
    body::Body,
    credential::{Credential, Place},
    error::HttpError,
    media_type,
    policy::CachePolicy,
    public,
    refusal::Refusal,
    reply::Reply,
    respond::UNBUFFERED,
    secret::Secret,
};
use crate::{
    channel::{edge::Reader, relay::Teller},
    metrics::Relaying,
};

/// To who asks again meanwhile, all of it would be told each time.
const ENDED: &str = "This server is stopping, and has nothing new of this channel.";

/// Tells nodes of the channels.
#[derive(Debug)]
pub struct Relays {
    readers: Arc<BTreeMap<String, Reader>>,
    /// Without one there is nothing here.
    secret: Option<Arc<Secret>>,
    metrics: Relaying,
}

impl Relays {
    /// Tells of `readers` who says `secret`, and nobody if there is none.
    pub fn new(
        readers: Arc<BTreeMap<String, Reader>>,
        secret: Option<Arc<Secret>>,
        metrics: Relaying,
    ) -> Self {
        // Told from the beginning, so that a rise from zero is seen.
        readers.keys().for_each(|channel| drop(metrics.begin(channel)));
        Self { readers, secret, metrics }
    }

    /// True if somebody may be told.
    pub fn is_open(&self) -> bool {
        self.secret.is_some()
    }

    /// The reply that goes on for as long as `channel` is published here.
    ///
    /// # Errors
    /// [`Refusal::UnknownPath`], [`Refusal::NotANode`], [`Refusal::UnknownChannel`], and why nothing is published.
    pub fn answer(&self, request: &Parts, channel: &str) -> Result<Reply, HttpError> {
        let secret = self.secret.as_ref().ok_or(Refusal::UnknownPath)?;
        let said = request.extensions.get::<Credential>().filter(|said| said.place == Place::Field);
        if !said.is_some_and(|said| secret.is(said.token().as_bytes())) {
            return Err(Refusal::NotANode.into());
        }
        let reader = self.readers.get(channel).ok_or(Refusal::UnknownChannel)?;
        if reader.edge.borrow().tracks.is_empty() {
            return Err(public::not_yet(&reader.status.borrow().state));
        }
        if reader.edge.has_changed().is_err() {
            return Err(HttpError::from(Refusal::NotReady).explained(ENDED.to_owned()));
        }
        let teller = (Teller::new(reader.edge.clone()), self.metrics.begin(channel));
        let pieces = stream::unfold(teller, |(mut teller, listening)| async {
            let piece = teller.next().await?;
            listening.told(piece.len());
            Some((Ok(piece), (teller, listening)))
        });
        let mut reply = Reply::new(StatusCode::OK, Body::growing(pieces.boxed()), CachePolicy::NoStore);
        reply.set(header::CONTENT_TYPE, HeaderValue::from_static(media_type::BINARY));
        reply.set(UNBUFFERED.0, UNBUFFERED.1);
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use http::Request;
    use tokio::sync::watch;

    use super::*;
    use crate::{
        channel::{
            edge::{Edge, TrackEdge},
            frames::KeyFrames,
        },
        origin::credential,
    };

    const SECRET: &str = "what-only-our-servers-know";

    /// Relays of one channel, whose edge is published by who is given too.
    fn relays() -> (Relays, watch::Sender<Arc<Edge>>) {
        let tracks = HashMap::from([("v".to_owned(), watch::channel(Arc::new(TrackEdge::default())).1)]);
        let (publisher, edge) = watch::channel(Arc::new(Edge { tracks, ..Edge::default() }));
        let (status, lineup) = (watch::channel(Default::default()).1, watch::channel(Arc::default()).1);
        let reader = Reader { edge, status, lineup, key_frames: KeyFrames::new().0 };
        let directory = tempfile::TempDir::new().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, SECRET).unwrap();
        let secret = Some(Arc::new(Secret::of_file(&file).unwrap()));
        let readers = Arc::new(BTreeMap::from([("a".to_owned(), reader)]));
        (Relays::new(readers, secret, Relaying::default()), publisher)
    }

    fn asked() -> Parts {
        let bearer = format!("Bearer {SECRET}");
        let request = Request::get("/live/a/edge").header(header::AUTHORIZATION, bearer).body(()).unwrap();
        let mut parts = request.into_parts().0;
        parts.extensions.insert(credential::take(&parts).1.unwrap());
        parts
    }

    #[test]
    fn of_a_channel_that_has_ended_its_work_here_nothing_is_told_again() {
        let (relays, publisher) = relays();
        assert_eq!(relays.answer(&asked(), "a").unwrap().response.status(), StatusCode::OK);
        drop(publisher);
        let refused = relays.answer(&asked(), "a").unwrap_err().reply().response;
        assert_eq!(refused.headers()["headwater-reason"], "not-ready");
    }
}
