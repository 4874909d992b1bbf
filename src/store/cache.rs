//! The read-through cache in front of the store: in memory, and on a disk of this machine if there is one for it.

mod disk;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moka::{Expiry, future, policy::EvictionPolicy, sync};

pub(super) use self::disk::Disk;
use super::{Error, Object, holdings::Holdings};
use crate::pages;

/// How long a playlist or manifest is believed. All other objects never change.
const DOCUMENT_LIFETIME: Duration = Duration::from_secs(2);
/// How long it is believed that a name is not there, and of how many names. Of names that nobody ever asks for again
/// there can be any number, and no more may remain of them than this.
const ABSENCE: Duration = Duration::from_secs(1);
const ABSENT: u64 = 10_000;

#[derive(Clone, Debug)]
pub(super) struct Cache {
    holdings: Holdings,
    entries: future::Cache<String, Arc<Object>>,
    /// Names that are not there, by their hashes.
    absent: sync::Cache<u64, ()>,
    hashes: RandomState,
    disk: Option<Disk>,
    fills: Arc<AtomicU64>,
}

impl Cache {
    /// Keeps as many bytes in memory, and more on `disk`.
    pub(super) fn new(holdings: Holdings, memory: u64, disk: Option<Disk>) -> Self {
        // LRU, because TinyLFU refuses what was never asked for before: every new live segment.
        let entries = future::Cache::builder()
            .max_capacity(memory)
            .weigher(|path: &String, object: &Arc<Object>| {
                u32::try_from(path.len() + object.body.len()).unwrap_or(u32::MAX)
            })
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Lifetime)
            .build();
        let absent = sync::Cache::builder().max_capacity(ABSENT).time_to_live(ABSENCE).build();
        let hashes = RandomState::new();
        Self { holdings, entries, absent, hashes, disk, fills: Arc::default() }
    }

    pub(super) async fn object(&self, path: &str) -> Result<Arc<Object>, Error> {
        if let Some(object) = self.entries.get(path).await {
            return Ok(object);
        }
        if self.absent.contains_key(&self.hashes.hash_one(path)) {
            return Err(Error::NotFound { path: path.to_owned() });
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
            let Object { body, etag } = self.find(&path).await?;
            Ok(Arc::new(Object { body: pages::keep(body), etag }))
        };
        self.entries.try_get_with(path.clone(), fill).await.map_err(|error: Arc<Error>| (*error).clone())
    }

    /// An object that memory does not have.
    async fn find(&self, path: &str) -> Result<Object, Error> {
        let disk = self.disk.as_ref().filter(|_| !is_document(path));
        if let Some(disk) = disk
            && let Some(object) = disk.get(path).await
            && self.holdings.hashes.of(path).is_none_or(|expected| *expected == *object.etag)
        {
            return Ok(object);
        }
        self.fills.fetch_add(1, Ordering::Relaxed);
        let read = self.holdings.read(path).await;
        match &read {
            Ok(object) => disk.into_iter().for_each(|disk| disk.put(path, object)),
            Err(Error::NotFound { .. }) => self.absent.insert(self.hashes.hash_one(path), ()),
            Err(_) => {}
        }
        read
    }

    /// Something else is there from now on.
    pub(super) async fn forget(&self, path: &str) {
        self.arrive(path);
        self.entries.invalidate(path).await;
        self.disk.iter().for_each(|disk| disk.forget(path));
    }

    /// Something is there now.
    pub(super) fn arrive(&self, path: &str) {
        self.absent.invalidate(&self.hashes.hash_one(path));
    }

    /// How many names are remembered as not there.
    #[cfg(test)]
    pub(super) fn names(&self) -> u64 {
        self.absent.run_pending_tasks();
        self.absent.entry_count()
    }

    pub(super) fn fills(&self) -> u64 {
        self.fills.load(Ordering::Relaxed)
    }
}

struct Lifetime;

impl Expiry<String, Arc<Object>> for Lifetime {
    fn expire_after_create(&self, path: &String, _: &Arc<Object>, _: Instant) -> Option<Duration> {
        is_document(path).then_some(DOCUMENT_LIFETIME)
    }
}

/// True if it may have another content at any time.
fn is_document(path: &str) -> bool {
    path.ends_with(".m3u8") || path.ends_with(".mpd")
}
