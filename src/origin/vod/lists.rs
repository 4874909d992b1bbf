//! What packaged segments have to be, as the list beside them says it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::sync;

use crate::{
    clock,
    store::{Error, Hashed, LIST, Store},
};

/// So many names are kept, at some hundred bytes each.
const CAPACITY: u64 = 500_000;
/// How long it is believed that there is no list: assets of an earlier version have none.
const ABSENCE: Duration = Duration::from_secs(60);

/// Reads lists, each once: one that is another is found when what it says is not so.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    store: Store,
    /// By the directory of the track.
    known: sync::Cache<String, Arc<List>>,
}

#[derive(Debug)]
struct List {
    /// Entity tags by names; none if there is no list.
    tags: HashMap<String, String>,
    read: Instant,
}

impl Lists {
    /// Reads those in `store`.
    pub(super) fn new(store: Store) -> Self {
        let weigh = |_: &String, list: &Arc<List>| u32::try_from(list.tags.len()).unwrap_or(u32::MAX).max(1);
        Self { store, known: sync::Cache::builder().max_capacity(CAPACITY).weigher(weigh).build() }
    }

    /// What the file at `path` has to be, if a list says so.
    ///
    /// # Errors
    /// When there is a list and it cannot be read.
    pub(super) async fn tag_of(&self, path: &str) -> Result<Option<String>, Error> {
        let Some((directory, name)) = path.rsplit_once('/') else { return Ok(None) };
        let list = match self.known.get(directory) {
            Some(list) if !list.is_doubtful() => list,
            // What was known is better than nothing.
            Some(list) => self.read(directory).await.unwrap_or(list),
            None => self.read(directory).await?,
        };
        Ok(list.tags.get(name).cloned())
    }

    /// True if the list says something else of the file at `path` when it is read again: then the asset was packaged anew.
    pub(super) async fn says_otherwise(&self, path: &str) -> bool {
        let Some((directory, name)) = path.rsplit_once('/') else { return false };
        let Some(before) = self.known.get(directory) else { return false };
        self.store.reread(&format!("{directory}/{LIST}")).await;
        let list = self.read(directory).await;
        list.is_ok_and(|list| list.tags.get(name) != before.tags.get(name))
    }

    async fn read(&self, directory: &str) -> Result<Arc<List>, Error> {
        let path = format!("{directory}/{LIST}");
        let tags = match self.store.object(&path).await {
            Ok(object) => match Hashed::read(&object.body) {
                Some(tags) => tags,
                None => {
                    self.store.reread(&path).await;
                    return Err(Error::Damaged { path });
                }
            },
            Err(Error::NotFound { .. }) => HashMap::new(),
            Err(error) => return Err(error),
        };
        let list = Arc::new(List { tags, read: clock::now() });
        self.known.insert(directory.to_owned(), list.clone());
        Ok(list)
    }
}

impl List {
    fn is_doubtful(&self) -> bool {
        self.tags.is_empty() && clock::now().saturating_duration_since(self.read) > ABSENCE
    }
}
