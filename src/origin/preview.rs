//! `/live/{channel}/ws`: the encoder's own frames over a WebSocket (docs/wire.md, "A viewer").
//!
//! [`handshake`] says who is let in, [`viewers`] how many, [`feed`] what a viewer gets next, [`pace`] what happens to a
//! slow one, whose line [`echo`] knows; [`viewer`] puts them together, and [`socket`] is all that knows WebSockets.

mod echo;
mod feed;
pub mod handshake;
mod pace;
mod query;
mod socket;
mod viewer;
pub mod viewers;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::FutureExt;
use http::request::Parts;

use self::{query::Query, viewer::Viewer, viewers::Viewers};
use super::{error::HttpError, refusal::Refusal, reply::Reply, route, takeover::Takeover};
use crate::{channel::edge::Reader, clock};

/// Seconds that a viewer may watch in one go; a token that counts for longer is asked for again.
const LONGEST: u64 = 366 * 24 * 3600;

/// Lets viewers watch the live channels.
#[derive(Debug)]
pub struct Preview {
    readers: Arc<BTreeMap<String, Reader>>,
    viewers: Viewers,
    origins: Arc<[String]>,
}

impl Preview {
    /// Shows `readers` to as many as `viewers` allows, and to pages of our own and of `origins`, which are written as
    /// browsers write them: `https://example.com`.
    pub fn new(readers: Arc<BTreeMap<String, Reader>>, viewers: Viewers, origins: Vec<String>) -> Self {
        Self { readers, viewers, origins: origins.into() }
    }

    /// The answer to a handshake. One that switches protocols carries the [`Takeover`] that speaks the other one.
    /// It speaks `until` that second of Unix time, if there is one.
    pub fn answer(
        &self,
        request: &Parts,
        socket: route::Socket<'_>,
        until: Option<i64>,
    ) -> Result<Reply, HttpError> {
        let (name, reader) = self.readers.get_key_value(socket.channel).ok_or(Refusal::UnknownChannel)?;
        let mut reply = handshake::accept(request, &self.origins)?;
        let query = Query::parse(socket.query)?;
        let place = Arc::new(self.viewers.enter(name)?);
        let (reader, query) = (reader.clone(), Arc::new(query));
        let deadline = until.map(|until| {
            let left = u64::try_from(until - clock::wall_seconds()).unwrap_or_default();
            clock::now() + Duration::from_secs(left.min(LONGEST))
        });
        reply.takeover = Some(Takeover::new(move |stream, shutdown| {
            Viewer::new(stream, reader.clone(), &query, place.clone(), deadline).run(shutdown).boxed()
        }));
        Ok(reply)
    }
}
