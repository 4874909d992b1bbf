//! The read-through cache in front of the store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moka::{Expiry, future, policy::EvictionPolicy};

use super::{Error, Object, holdings::Holdings};
use crate::pages;

/// How much the cache holds.
const CAPACITY: u64 = 256 << 20;
/// How long a playlist or manifest is believed. All other objects never change.
const DOCUMENT_LIFETIME: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub(super) struct Cache {
    holdings: Holdings,
    entries: future::Cache<String, Arc<Object>>,
    fills: Arc<AtomicU64>,
}

impl Cache {
    pub(super) fn new(holdings: Holdings) -> Self {
        // LRU, because TinyLFU refuses what was never asked for before: every new live segment.
        let entries = future::Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(|path: &String, object: &Arc<Object>| {
                u32::try_from(path.len() + object.body.len()).unwrap_or(u32::MAX)
            })
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Lifetime)
            .build();
        Self { holdings, entries, fills: Arc::default() }
    }

    pub(super) async fn object(&self, path: &str) -> Result<Arc<Object>, Error> {
        if let Some(object) = self.entries.get(path).await {
            return Ok(object);
        }
        // Detached: a reader that gives up must not take the fill with it, as moka hands an abandoned fill from
        // waiter to waiter and panics when 200 have left (moka#59).
        let (cache, path) = (self.clone(), path.to_owned());
        let name = path.clone();
        match tokio::spawn(async move { cache.fill(path).await }).await {
            Ok(filled) => filled,
            Err(stopped) => Err(Error::Unavailable { path: name, reason: stopped.to_string() }),
        }
    }

    async fn fill(self, path: String) -> Result<Arc<Object>, Error> {
        let fill = async {
            self.fills.fetch_add(1, Ordering::Relaxed);
            let Object { body, etag } = self.holdings.read(&path).await?;
            Ok(Arc::new(Object { body: pages::keep(body), etag }))
        };
        self.entries.try_get_with(path.clone(), fill).await.map_err(|error: Arc<Error>| (*error).clone())
    }

    pub(super) async fn forget(&self, path: &str) {
        self.entries.invalidate(path).await;
    }

    pub(super) fn fills(&self) -> u64 {
        self.fills.load(Ordering::Relaxed)
    }
}

struct Lifetime;

impl Expiry<String, Arc<Object>> for Lifetime {
    fn expire_after_create(&self, path: &String, _: &Arc<Object>, _: Instant) -> Option<Duration> {
        (path.ends_with(".m3u8") || path.ends_with(".mpd")).then_some(DOCUMENT_LIFETIME)
    }
}
