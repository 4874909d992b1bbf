//! `/channels.json`: what there is to watch, for the page.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use moka::future::Cache;
use serde::Serialize;

use super::{
    gate::Gate,
    media_type,
    policy::CachePolicy,
    public,
    respond::{Content, Representation},
};
use crate::{
    channel::edge::{Document, Reader},
    store::Store,
};

/// How long the names of the assets are believed, because asking the store is not free.
const LIFETIME: Duration = Duration::from_secs(2);

/// The names of the packaged assets, asked for at most once in a while.
#[derive(Clone, Debug)]
pub struct Names {
    store: Store,
    known: Cache<(), Arc<[String]>>,
}

#[derive(Serialize)]
struct Listing<'a> {
    channels: Vec<Channel<'a>>,
    assets: Arc<[String]>,
}

#[derive(Serialize)]
struct Channel<'a> {
    name: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    tracks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<&'static str>,
}

impl Names {
    /// Those in `store`.
    pub fn new(store: Store) -> Self {
        Self { store, known: Cache::builder().max_capacity(1).time_to_live(LIFETIME).build() }
    }

    async fn get(&self) -> Arc<[String]> {
        // Detached, because a client that goes away must not take the answer from the others (moka#59).
        let names = self.clone();
        let asked = tokio::spawn(async move {
            let ask = async { names.store.assets().await.unwrap_or_default().into() };
            names.known.get_with((), ask).await
        });
        asked.await.unwrap_or_default()
    }
}

/// All channels with their states and tracks, and the names of all assets.
pub async fn find(channels: &BTreeMap<String, Reader>, assets: &Names, gate: &Gate) -> Representation {
    let assets = assets.get().await;
    let channels =
        channels.iter().map(|(name, reader)| describe(name, reader, gate.is_signed(name))).collect();
    let json = serde_json::to_vec(&Listing { channels, assets }).unwrap_or_default();
    Representation {
        content: Content::Document(Arc::new(Document::new(json))),
        media_type: media_type::JSON,
        cache: CachePolicy::LiveManifest,
    }
}

fn describe<'a>(name: &'a str, reader: &Reader, is_signed: bool) -> Channel<'a> {
    let (state, why) = public::words(&reader.status.borrow().state);
    if is_signed {
        // That it exists is no secret, as its name is in every link. What it is made of and from is for its viewers.
        return Channel { name, state, why: None, tracks: Vec::new(), access: Some("signed") };
    }
    let mut tracks: Vec<String> = reader.edge.borrow().tracks.keys().cloned().collect();
    tracks.sort();
    Channel { name, state, why, tracks, access: None }
}
