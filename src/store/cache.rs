//! The read-through cache in front of the store: in memory, and on a disk of this machine if there is one for it.

mod disk;
mod doubt;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use moka::{Expiry, future, policy::EvictionPolicy, sync};

pub(super) use self::disk::Disk;
use self::doubt::Doubts;
use super::{
    Error, Object,
    holdings::{Holdings, Opening},
    large::Large,
};
use crate::pages;

/// How long a playlist or manifest is believed. All other objects never change.
const DOCUMENT_LIFETIME: Duration = Duration::from_secs(2);
/// How long it is believed that a name is not there, unless a record has it since, and of how many names. Of names that
/// nobody ever asks for again there can be any number, and no more may remain of them than this.
const ABSENCE: Duration = Duration::from_secs(1);
const ABSENT: u64 = 10_000;
const STAYS: &str =
    "it is not what was written whenever it is read: it is refused until something else lies there";

#[derive(Clone, Debug)]
pub(super) struct Cache {
    holdings: Holdings,
    entries: future::Cache<String, Entry>,
    /// Names that are not there, by their hashes; true if a record had it when it was looked for.
    absent: sync::Cache<u64, bool>,
    doubts: Doubts,
    hashes: RandomState,
    disk: Option<Disk>,
    fills: Arc<AtomicU64>,
}

/// What a name leads to.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// A whole object, or a block of one.
    Object(Arc<Object>),
    /// An object whose blocks have names of their own.
    Large(Arc<Large>),
}

impl Cache {
    /// Keeps as many bytes in memory, and more on `disk`.
    pub(super) fn new(holdings: Holdings, memory: u64, disk: Option<Disk>) -> Self {
        // LRU, because TinyLFU refuses what was never asked for before: every new live segment.
        let entries = future::Cache::builder()
            .max_capacity(memory)
            .weigher(|name: &String, entry: &Entry| {
                u32::try_from(name.len() + entry.weight()).unwrap_or(u32::MAX)
            })
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Lifetime)
            .build();
        let absent = sync::Cache::builder().max_capacity(ABSENT).time_to_live(ABSENCE).build();
        let hashes = RandomState::new();
        Self { holdings, entries, absent, doubts: Doubts::default(), hashes, disk, fills: Arc::default() }
    }

    /// What is at `path`, of which a large object is not read yet.
    pub(super) async fn find(&self, path: &str) -> Result<Entry, Error> {
        match self.entries.get(path).await {
            // It was opened before anybody said what it has to be, so its tag is none that other servers have.
            Some(Entry::Large(large)) if large.is_unknown() && self.is_recorded(path) => {
                self.entries.invalidate(path).await;
            }
            Some(entry) => return Ok(entry),
            None => {}
        }
        let absent = self.absent.get(&self.hashes.hash_one(path));
        if absent.is_some_and(|was_recorded| was_recorded || !self.is_recorded(path)) {
            return Err(Error::NotFound { path: path.to_owned() });
        }
        let (cache, name) = (self.clone(), path.to_owned());
        self.fill(path, async move { cache.open(&name).await }).await
    }

    /// A block of a large object.
    pub(super) async fn block(&self, large: &Arc<Large>, index: u64) -> Result<Bytes, Error> {
        // It is in use as long as its blocks are.
        let _ = self.entries.get(&large.path).await;
        let key = large.key(index);
        let entry = match self.entries.get(&key).await {
            Some(entry) => Ok(entry),
            None => {
                let (cache, large) = (self.clone(), large.clone());
                let filled = self.fill(&key, async move { cache.read(&large, index).await }).await;
                // Blocks come faster than the cache looks by itself whether there are too many.
                self.entries.run_pending_tasks().await;
                filled
            }
        };
        let block = entry.and_then(|entry| {
            let Entry::Object(block) = entry else { return Err(Error::Damaged { path: key }) };
            large.admit(index, &block).map(|()| block.body.clone())
        });
        if let Err(error) = &block {
            self.leave(large, error).await;
        }
        block
    }

    /// Detached: a reader that gives up must not take the fill with it, as moka hands an abandoned fill from waiter to
    /// waiter and panics when 200 have left (moka#59).
    async fn fill(
        &self,
        name: &str,
        fill: impl Future<Output = Result<Entry, Error>> + Send + 'static,
    ) -> Result<Entry, Error> {
        let (entries, key) = (self.entries.clone(), name.to_owned());
        let filled = async move {
            entries.try_get_with(key, fill).await.map_err(|error: Arc<Error>| (*error).clone())
        };
        match tokio::spawn(filled).await {
            Ok(filled) => filled,
            Err(stopped) => Err(Error::Unavailable { path: name.to_owned(), reason: stopped.to_string() }),
        }
    }

    fn is_recorded(&self, path: &str) -> bool {
        self.holdings.hashes.of(path).is_some()
    }

    /// An object that memory does not have. Who comes when a record has just told of it may have joined a look that began
    /// before, so there is another.
    async fn open(&self, path: &str) -> Result<Entry, Error> {
        let was_recorded = self.is_recorded(path);
        let mut opened = self.look(path).await;
        if matches!(opened, Err(Error::NotFound { .. })) && !was_recorded && self.is_recorded(path) {
            opened = self.look(path).await;
        }
        if matches!(opened, Err(Error::NotFound { .. })) {
            self.absent.insert(self.hashes.hash_one(path), was_recorded);
        }
        opened
    }

    async fn look(&self, path: &str) -> Result<Entry, Error> {
        let disk = self.disk.as_ref().filter(|_| !is_document(path));
        if let Some(disk) = disk
            && let Some(object) = disk.get(path).await
            && self.holdings.hashes.of(path).is_none_or(|expected| expected == object.etag)
        {
            return Ok(kept(object));
        }
        let _turn = self.holdings.room.turn(path).await?;
        self.fills.fetch_add(1, Ordering::Relaxed);
        if let Some(damaged) = self.doubts.of(path) {
            if self.holdings.is_unchanged(&damaged).await? {
                return Err(Error::Damaged { path: path.to_owned() });
            }
            self.doubts.lift(&damaged);
        }
        let opened = if is_document(path) {
            self.holdings.read(path).await.map(Opening::Whole)
        } else {
            self.holdings.open(path).await
        };
        match opened {
            Ok(Opening::Whole(object)) => {
                disk.into_iter().for_each(|disk| disk.put(path, &object));
                Ok(kept(object))
            }
            Ok(Opening::Large(large, head)) => {
                for (index, block) in head.into_iter().enumerate() {
                    let key = large.key(index as u64);
                    disk.into_iter().for_each(|disk| disk.put(&key, &block));
                    self.entries.insert(key, kept(block)).await;
                }
                Ok(Entry::Large(Arc::from(large)))
            }
            Err(error) => Err(error),
        }
    }

    /// A block that memory does not have.
    async fn read(&self, large: &Large, index: u64) -> Result<Entry, Error> {
        let key = large.key(index);
        if let Some(disk) = &self.disk
            && let Some(block) = disk.get(&key).await
        {
            return Ok(kept(block));
        }
        let _turn = self.holdings.room.turn(&key).await?;
        self.fills.fetch_add(1, Ordering::Relaxed);
        let block = self.holdings.block(large, index).await?;
        self.disk.iter().for_each(|disk| disk.put(&key, &block));
        Ok(kept(block))
    }

    /// Whoever asks next finds out anew what is there.
    async fn leave(&self, large: &Arc<Large>, why: &Error) {
        let is_damaged = matches!(why, Error::Damaged { .. });
        // First: what is opened from now on is looked at with it.
        let is_new = is_damaged && !large.is_unknown() && self.doubts.raise(large);
        self.entries.invalidate(&large.path).await;
        if is_damaged {
            tracing::warn!(
                path = large.path,
                "what was read in blocks is not what was written; it is read again"
            );
            for key in (0..large.blocks()).map(|index| large.key(index)) {
                self.entries.invalidate(&key).await;
                self.disk.iter().for_each(|disk| disk.forget(&key));
            }
        }
        if is_new {
            tokio::spawn(self.clone().read_again(large.clone()));
        }
    }

    /// Damage may have come about on the way. Until that is known nobody is given any of it.
    async fn read_again(self, large: Arc<Large>) {
        let again = large.afresh();
        for index in 0..again.blocks() {
            let read = async {
                let _turn = self.holdings.room.turn(&again.path).await?;
                let block = self.holdings.block(&again, index).await?;
                again.admit(index, &block)
            };
            match read.await {
                Ok(()) => {}
                Err(Error::Damaged { .. }) => return tracing::warn!(path = again.path, "{STAYS}"),
                // Nothing was found out, and who asks next begins anew.
                Err(_) => break,
            }
        }
        self.doubts.lift(&large);
    }

    /// Something else is there from now on.
    pub(super) async fn forget(&self, path: &str) {
        self.arrive(path);
        self.doubts.forget(path);
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

impl Entry {
    fn weight(&self) -> usize {
        match self {
            Self::Object(object) => object.body.len(),
            Self::Large(large) => large.weight(),
        }
    }
}

fn kept(Object { body, etag }: Object) -> Entry {
    Entry::Object(Arc::new(Object { body: pages::keep(body), etag }))
}

struct Lifetime;

impl Expiry<String, Entry> for Lifetime {
    fn expire_after_create(&self, path: &String, _: &Entry, _: Instant) -> Option<Duration> {
        is_document(path).then_some(DOCUMENT_LIFETIME)
    }
}

/// True if it may have another content at any time.
fn is_document(path: &str) -> bool {
    path.ends_with(".m3u8") || path.ends_with(".mpd")
}
